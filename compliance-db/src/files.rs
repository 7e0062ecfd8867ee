//! The shapes of the files that a database is loaded from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{Country, Evidence, Fact, ModelInfo, Subprocessor};

/// `database.yaml`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Head {
    /// The release: year, month and day of the last change.
    pub(crate) version: String,
}

/// `regions.yaml`: where the regions of operators stand.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegionFile {
    pub(crate) operators: Vec<OperatorRegions>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperatorRegions {
    /// The operator, as endpoints name it.
    pub(crate) operator: String,
    /// The country of each region.
    pub(crate) regions: BTreeMap<String, Country>,
    /// Where the mapping comes from.
    pub(crate) evidence: Vec<Evidence>,
}

/// `models.yaml`: what models cost and can do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelFile {
    pub(crate) models: Vec<ModelInfo>,
}

/// A service's file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FactFile {
    /// What the service is, for readers.
    #[expect(dead_code, reason = "read by people, and required so that every file says what it is about")]
    pub(crate) about: String,
    /// The names that endpoints of this service have for its options.
    #[serde(default)]
    pub(crate) names: Option<Names>,
    pub(crate) facts: Vec<Fact>,
    /// Whom the operator of the service has do part of the work, where it publishes a list.
    #[serde(default)]
    pub(crate) subprocessors: Vec<Subprocessor>,
}

/// A file of an organisation's own facts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OwnFile {
    /// What the facts are about and where they come from, for readers.
    #[expect(dead_code, reason = "read by people, and required so that every file says what it is about")]
    pub(crate) about: String,
    pub(crate) facts: Vec<Fact>,
}

/// The options of a service, each with what it stands for. A scope that names another is dangling. A field that is
/// absent has no options.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Names {
    /// Deployment types or hosts.
    #[serde(default)]
    pub(crate) hosting_option: BTreeMap<String, String>,
    /// Prefixes of inference profiles.
    #[serde(default)]
    pub(crate) profile: BTreeMap<String, String>,
    /// Tiers of contract or service.
    #[serde(default)]
    pub(crate) tier: BTreeMap<String, String>,
}
