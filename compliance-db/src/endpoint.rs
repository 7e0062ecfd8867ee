//! What the database needs to know of an endpoint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Country, Hosting};

/// An endpoint as facts see it: who runs what, where from, under which options.
///
/// An absent `developer`, `hosting_option`, `version`, `source_region` or `tier` is unknown, and a fact that asks
/// for one may then apply: its value counts against the endpoint and never for it. An absent `profile` means that
/// no inference profile is used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointProfile {
    /// The endpoint's name in the catalog.
    pub name: String,
    /// Who made the model: `openai`, `anthropic`, `mistral`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub developer: Option<String>,
    /// Who runs the service: `microsoft`, `openai`, `aws`, `mistral`, `self`, ...
    pub operator: String,
    /// The service: `azure-openai`, `openai-api`, `amazon-bedrock`, `mistral-api`, `vllm`, ...
    pub service: String,
    /// The deployment type or host where a service has several: `data_zone_standard`, `eu`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosting_option: Option<String>,
    /// The model's name as the service calls it, without a profile's prefix.
    pub model: String,
    /// The model's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The inference profile's prefix, without its dot: `eu`, `us`, `global`, ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The region that requests are sent to, as the operator calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_region: Option<String>,
    /// The contract or service tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What the organisation itself declares, for facts that leave it to the organisation.
    #[serde(default, skip_serializing_if = "Declared::is_empty")]
    pub declared: Declared,
}

/// What the organisation declares about an endpoint that it runs itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// Where the machines stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub countries: Option<Vec<Country>>,
    /// Whose machines they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosting: Option<Hosting>,
    /// For how many days the organisation's own logs there keep anything of prompt or response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
}

impl Declared {
    /// Whether nothing is declared.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
