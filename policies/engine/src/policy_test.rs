//! Tests that a bundle carries: facts of a request, an instant, and what must be decided.

use crate::exception::instant;
use crate::facts::{ClassKnowledge, Operation, PrincipalFacts, RequestFacts};
use crate::require::regions;
use crate::rule::RuleObligations;
use bailiwick_compliance_db::{Country, FeatureSet};
use bailiwick_pii::{ClassSet, EntityCounts, EntityType, How, Sensitivity};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One test, as written in `tests/*.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyTest {
    /// What it shows.
    pub name: String,
    /// The instant to decide at, as RFC 3339 or a date (its first instant, UTC).
    #[serde(with = "instant")]
    #[schemars(with = "String")]
    pub at: DateTime<Utc>,
    /// The request.
    pub facts: TestFacts,
    /// What must be decided.
    pub expect: Expectation,
    /// The file that it stands in.
    #[serde(skip)]
    pub file: String,
    /// The line that it begins on, from 1; 0 where nobody knows.
    #[serde(skip)]
    pub line: usize,
}

/// Facts of a request, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestFacts {
    /// For which scope.
    pub scope: String,
    /// The model's name, as clients write it.
    pub model: String,
    /// What is asked for.
    #[serde(default = "chat")]
    pub operation: Operation,
    /// Data classes that it holds.
    #[serde(default)]
    pub data: ClassSet,
    /// Data classes that it may hold.
    #[serde(default)]
    pub data_unknown: ClassSet,
    /// How sensitive it is.
    #[serde(default)]
    pub sensitivity: Sensitivity,
    /// Regions or countries of the people whom the data is about. Absent: nobody declared it.
    #[serde(default)]
    pub subject_region: Option<Vec<String>>,
    /// Where the controller is established. Absent: nobody declared it.
    #[serde(default)]
    pub controller: Option<Country>,
    /// What for. Absent: nobody declared it.
    #[serde(default)]
    pub purpose: Option<String>,
    /// Findings in it.
    #[serde(default)]
    pub entities: EntityCounts,
    /// What it uses beyond plain text.
    #[serde(default)]
    pub features: FeatureSet,
    /// Tools that it offers the model.
    #[serde(default)]
    pub tools: Vec<String>,
    /// Roles that the principal holds.
    #[serde(default)]
    pub roles: Vec<String>,
}

fn chat() -> Operation {
    Operation::ChatCompletions
}

impl TestFacts {
    /// The full facts at an instant.
    #[must_use]
    pub fn at(&self, at: DateTime<Utc>) -> RequestFacts {
        RequestFacts {
            time_ms: at.timestamp_millis(),
            scope: self.scope.clone(),
            operation: self.operation,
            model: self.model.clone(),
            // What a detector finds puts a request in a class, as it does in service.
            classes: ClassKnowledge {
                yes: self.data.union(self.entities.entities().data_classes()),
                unknown: self.data_unknown,
            },
            sensitivity: self.sensitivity,
            subject_regions: self.subject_region.as_ref().and_then(|names| regions(names).ok()),
            controller: self.controller,
            purpose: self.purpose.clone(),
            entities: self.entities,
            features: self.features,
            tools: self.tools.clone(),
            stream: false,
            input_tokens: 0,
            max_output_tokens: None,
            principal: PrincipalFacts { id: "key:test".to_owned(), roles: self.roles.clone() },
            allowed_endpoint_names: None,
        }
    }
}

/// An outcome by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedOutcome {
    /// Allowed.
    Allow,
    /// Refused by a rule, whatever the endpoint.
    PolicyDenied,
    /// Refused because no endpoint will do.
    NoEligibleEndpoint,
}

impl ExpectedOutcome {
    /// The name used in tests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::PolicyDenied => "policy_denied",
            Self::NoEligibleEndpoint => "no_eligible_endpoint",
        }
    }
}

/// What must be decided. What is absent is not looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Allowed or refused.
    pub outcome: ExpectedOutcome,
    /// Exactly these endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eligible: Option<Vec<String>>,
    /// Endpoint to a rule that excludes it; others may do so too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub excluded: BTreeMap<String, String>,
    /// Exactly these rules refuse it, whatever the endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied_by: Option<Vec<String>>,
    /// Exactly these rules in shadow mode would have changed something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shadow: Option<Vec<String>>,
    /// Exactly these rules are waived by an exception.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<Vec<String>>,
    /// Exactly these obligations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obligations: Option<RuleObligations>,
    /// Exactly this cap on the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_output_tokens: Option<u32>,
    /// Exactly these redactions on the way to the provider, by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redactions: Option<BTreeMap<EntityType, How>>,
    /// Exactly these redactions on the way back, by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_redactions: Option<BTreeMap<EntityType, How>>,
}
