//! Endpoints as the engine sees them.

use crate::facts::Operation;
use bailiwick_compliance_db::{Database, EndpointProfile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A model under the name that clients use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelAlias {
    /// What clients ask for.
    pub alias: String,
    /// What the provider is sent. Facts about models are looked up under this name, without the prefix of an
    /// inference profile: that is the endpoint's profile then.
    pub upstream: String,
    /// What it does, among what the endpoint can do; all of that where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<Operation>>,
}

/// One place that can serve models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Unique name.
    pub name: String,
    /// Only requests of this scope and below may use it.
    pub scope: String,
    /// What it serves.
    pub models: Vec<ModelAlias>,
    /// What it can do. A model may do less of it.
    pub operations: Vec<Operation>,
    /// What the compliance database needs to know of it.
    pub profile: EndpointProfile,
}

impl Endpoint {
    /// The profile for one of its models, as facts see it: see [`Database::profile_of`].
    #[must_use]
    pub fn profile_for(&self, upstream: &str, database: &Database) -> EndpointProfile {
        EndpointProfile { name: self.name.clone(), ..database.profile_of(&self.profile, upstream) }
    }

    /// Whether one of its models does an operation.
    #[must_use]
    pub fn does(&self, model: &ModelAlias, operation: Operation) -> bool {
        self.operations.contains(&operation)
            && model.operations.as_ref().is_none_or(|own| own.contains(&operation))
    }
}
