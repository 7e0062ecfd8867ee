//! What an operator declares: scopes, credentials, endpoints, model groups, budgets, limits, keys and workloads.
//!
//! The same types are the file of `bailiwick apply -f`, the seed of the demo and, as JSON, what the database keeps.
//! Rules, roles and attestations are not here: Git owns those (the policy bundle).

mod apply;
mod budget;
mod changes;
mod check;
mod credential;
pub mod describe;
mod endpoint;
mod export;
mod holding;
mod key;
mod limit;
mod price;
mod prune;
mod workload;
mod written_key;

use std::collections::BTreeSet;

use bailiwick_compliance_db::Country;
use bailiwick_pii::{ClassSet, Sensitivity};
use serde::{Deserialize, Serialize};

use crate::credentials::CredentialDefinition;
use crate::keys::Networks;

pub use apply::{Applied, ApplyError, Applying, CreatedKey, Seen, apply, check, create_key, own_limits};
pub use budget::{BudgetDefinition, BudgetSettings, ModelGroup};
pub use changes::Change;
pub use check::problems;
pub(crate) use credential::new_row;
pub use endpoint::{ClientCertificate, CredentialRef, EndpointDefinition, EndpointError};
pub use export::{differences, differences_to, export, key as declared_key, lives as key_lives};
pub use holding::Holding;
pub use key::{key_problems, key_row};
pub use limit::{LimitDefinition, Per, own_limit};
pub use price::{LongContextUsd, OwnPrices, PriceChange, PriceUsd, listed};
pub use prune::Ended;
pub use workload::{Condition, WorkloadDefinition};

/// The file of `bailiwick apply -f`: what is named is created or changed, what is not named stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Organisation {
    /// Parents before children, or in any order; missing parents are created.
    pub scopes: Vec<Scope>,
    /// Credentials by name.
    pub credentials: Vec<CredentialDefinition>,
    /// Endpoints by name.
    pub endpoints: Vec<EndpointDefinition>,
    /// Names for some models, by name.
    pub model_groups: Vec<ModelGroup>,
    /// Budgets by (scope, key or user; model group; window).
    pub budgets: Vec<BudgetDefinition>,
    /// Limits by (scope, key or user; model group; what they count; window).
    pub limits: Vec<LimitDefinition>,
    /// Keys by (scope, name). A key that exists keeps its secret.
    pub keys: Vec<KeyDefinition>,
    /// Workloads by name.
    pub workloads: Vec<WorkloadDefinition>,
}

impl Organisation {
    /// Whether anything is declared in this scope or below it, beside the scope itself.
    #[must_use]
    pub fn has_in(&self, scope: &str) -> bool {
        let below = |path: &str| path != scope && bailiwick_policy::scope::covers(scope, path);
        let mut scopes = self.endpoints.iter().map(|it| it.scope.as_str()).collect::<Vec<_>>();
        scopes.extend(self.credentials.iter().map(|it| it.scope.as_str()));
        scopes.extend(self.workloads.iter().map(|it| it.scope.as_str()));
        scopes.extend(self.keys.iter().map(|it| it.scope.as_str()));
        scopes.extend(self.budgets.iter().filter_map(|it| it.scope.as_deref()));
        scopes.extend(self.limits.iter().filter_map(|it| it.scope.as_deref()));
        self.scopes.iter().any(|it| below(&it.path))
            || scopes.into_iter().any(|path| bailiwick_policy::scope::covers(scope, path))
    }

    /// Whether a budget or limit is of the models of this group.
    #[must_use]
    pub fn counts_by(&self, group: &str) -> bool {
        let budgets = self.budgets.iter().map(|it| &it.models);
        budgets.chain(self.limits.iter().map(|it| &it.models)).any(|of| of.as_deref() == Some(group))
    }

    /// The same with each user's name put into other words.
    #[must_use]
    pub fn with_users(&self, put: impl Fn(&str) -> String) -> Self {
        let mut same = self.clone();
        let users = same.budgets.iter_mut().filter_map(|it| it.user.as_mut());
        let users = users.chain(same.limits.iter_mut().filter_map(|it| it.user.as_mut()));
        let users = users.chain(same.keys.iter_mut().filter_map(|it| it.settings.owner.as_mut()));
        for user in users.chain(same.workloads.iter_mut().filter_map(|it| it.key.owner.as_mut())) {
            *user = put(user);
        }
        same
    }
}

/// One scope and what holds for it and all below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// `/acme/retail/support`.
    pub path: String,
    /// What is declared for it.
    #[serde(flatten)]
    pub declarations: Declarations,
}

/// What somebody who may do so declares about the data of a scope's or a key's requests. Declarations add up from the
/// root to the key and on to the request's headers: regions and classes are united, the highest sensitivity counts, and
/// nothing below takes away what stands above.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declarations {
    /// Where the controller is established (GDPR Art. 3(1)).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller: Option<Country>,
    /// Regions or countries of the people whom the data is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject_regions: Vec<String>,
    /// Data classes that every request is to be taken to hold.
    #[serde(skip_serializing_if = "no_classes")]
    pub data_classes: ClassSet,
    /// The least sensitivity of a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<Sensitivity>,
    /// What to think of content that cannot be read, such as an image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opaque_content: Option<OpaqueContent>,
}

/// What content that no recognizer can read is taken to hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpaqueContent {
    /// Nobody knows: every class that is not declared is unknown, and rules about it apply.
    #[default]
    Unknown,
    /// Only what is declared or found in the text beside it.
    AsDeclared,
}

/// A virtual key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "written_key::WrittenKey")]
pub struct KeyDefinition {
    /// The scope that it belongs to.
    pub scope: String,
    /// What people call it; unique within the scope.
    pub name: String,
    /// RFC 3339 instant after which it no longer works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<chrono::DateTime<chrono::Utc>>,
    /// What it may do.
    #[serde(flatten)]
    pub settings: KeySettings,
}

/// What a key may do, beyond what its scope and roles allow, and what is said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeySettings {
    /// Only these models; all that its roles and scope reach where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Only endpoints of these names, or whose names begin so (`azure-*`); all of its scope where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<String>>,
    /// Purposes that a request with this key may declare.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
    /// Casbin roles, without `role:`.
    pub roles: Vec<String>,
    /// A limit of requests a minute on the key alone: short for one of `limits`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<std::num::NonZeroU32>,
    /// The user whose key it is, as an opaque id: budgets of that user hold for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Where it is used: `production`, `staging`. Recorded with each of its requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Words to find it by.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// It is refused from elsewhere; good from anywhere where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_networks: Option<Networks>,
    /// The most that its requests may hold.
    #[serde(flatten)]
    pub ceiling: Ceiling,
    /// What its requests are declared to hold.
    #[serde(flatten)]
    pub declarations: Declarations,
    /// The first key of a line of rotations: budgets follow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// The most that requests may hold. What nobody knows of a request it may hold, so it is refused too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ceiling {
    /// Only these data classes; every one where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_data_classes: Option<ClassSet>,
    /// At most this sensitivity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_sensitivity: Option<Sensitivity>,
}

impl Ceiling {
    /// Whether there is any.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self != Self::default()
    }
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            models: None,
            endpoints: None,
            purposes: Vec::new(),
            roles: vec![String::from("application")],
            requests_per_minute: None,
            owner: None,
            environment: None,
            tags: BTreeSet::new(),
            allowed_networks: None,
            ceiling: Ceiling::default(),
            declarations: Declarations::default(),
            line: None,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn no_classes(classes: &ClassSet) -> bool {
    classes.is_empty()
}

fn yes() -> bool {
    true
}
