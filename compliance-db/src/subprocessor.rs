//! Whom an operator has do part of the work.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CountrySet, Evidence};

/// A company that processes data for the operator of a service, as the operator's own list names it.
///
/// No rule asks for it. It is what a newer list is compared with: who uses the service may object to a change (GDPR
/// Art. 28(2)), and can only do so in time when told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subprocessor {
    /// Its name, as on the list.
    pub name: String,
    /// Where it is, or processes, as the list says. Empty where the list does not say.
    #[serde(default, skip_serializing_if = "nowhere")]
    pub countries: CountrySet,
    /// What it does for the operator.
    pub purpose: String,
    /// Who says so.
    #[schemars(length(min = 1))]
    pub evidence: Vec<Evidence>,
    /// What a reader of the evidence should know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

fn nowhere(countries: &CountrySet) -> bool {
    countries.is_empty()
}
