//! What the database needs to know of an endpoint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Country, Database, Hosting};

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
    /// The inference profile's prefix, without its dot: `eu`, `us`, `global`, ... A prefix in the name that the
    /// service is sent decides ([`Database::profile_of`]).
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

impl Database {
    /// `endpoint` as facts see it when its service is sent `upstream` as the model's name.
    ///
    /// Where that name begins with an inference profile's prefix that the service's file lists, as
    /// `eu.anthropic.claude-haiku-4-5` does, the prefix is the profile and the rest the model: what is sent decides
    /// where a request goes. If another profile is declared, nothing that depends on the profile is known.
    #[must_use]
    pub fn profile_of(&self, endpoint: &EndpointProfile, upstream: &str) -> EndpointProfile {
        let (prefix, model) = self.split_profile(&endpoint.service, upstream);
        let profile = match (prefix, endpoint.profile.as_deref()) {
            (Some(sent), Some(declared)) if sent != declared => Some(format!("{declared}, sent {sent}")),
            (Some(sent), _) => Some(sent.to_owned()),
            (None, declared) => declared.map(str::to_owned),
        };
        EndpointProfile { profile, model: model.to_owned(), ..endpoint.clone() }
    }

    /// What is wrong with sending `upstream` to an endpoint that declares another inference profile, if it does.
    #[must_use]
    pub fn profile_conflict(&self, endpoint: &EndpointProfile, upstream: &str) -> Option<String> {
        let (sent, _) = self.split_profile(&endpoint.service, upstream);
        let (sent, declared) = (sent?, endpoint.profile.as_deref()?);
        (sent != declared).then(|| {
            format!(
                "`{upstream}` names the inference profile `{sent}`, and the endpoint declares `profile: {declared}`: \
                 declare the one that is sent, or leave `profile` out"
            )
        })
    }

    /// The prefix of an inference profile, where the service has profiles of that name, and the model.
    pub(crate) fn split_profile<'a>(&self, service: &str, upstream: &'a str) -> (Option<&'a str>, &'a str) {
        match upstream.split_once('.') {
            Some((prefix, model))
                if self.names(service).is_some_and(|names| names.profile.contains_key(prefix)) =>
            {
                (Some(prefix), model)
            }
            _ => (None, upstream),
        }
    }
}
