//! Tests that a bundle carries: facts of a request, an instant, and what must be decided.

use crate::compiled::Compiled;
use crate::decision::{Decision, DenyCode, Outcome, RuleIndex};
use crate::exception::instant;
use crate::facts::{ClassKnowledge, Operation, PrincipalFacts, RequestFacts};
use crate::require::regions;
use crate::rule::RuleObligations;
use bailiwick_compliance_db::{Country, FeatureSet};
use bailiwick_pii::{ClassSet, EntityCounts, EntitySet, EntityType, How, RedactionPlan, Sensitivity};
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
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
    #[serde(default, skip_serializing_if = "is_default")]
    pub data: ClassSet,
    /// Data classes that it may hold.
    #[serde(default, skip_serializing_if = "is_default")]
    pub data_unknown: ClassSet,
    /// How sensitive it is.
    #[serde(default)]
    pub sensitivity: Sensitivity,
    /// Regions or countries of the people whom the data is about. Absent: nobody declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_region: Option<Vec<String>>,
    /// Where the controller is established. Absent: nobody declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<Country>,
    /// What for. Absent: nobody declared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// Findings in it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub entities: EntityCounts,
    /// What it uses beyond plain text.
    #[serde(default, skip_serializing_if = "is_default")]
    pub features: FeatureSet,
    /// Tools that it offers the model.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tools: Vec<String>,
    /// Roles that the principal holds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub roles: Vec<String>,
    /// The only endpoints that the principal's key may use. Absent: all of its scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<String>>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
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
            allowed_endpoint_names: self.endpoints.clone(),
        }
    }
}

impl PolicyTest {
    /// A test that asks of a bundle what `policy` decides on the facts of a recorded decision. What a rule cannot ask about
    /// (who exactly asked, how long the prompt was) is left out.
    #[must_use]
    pub fn recorded(decision: &str, facts: &RequestFacts, policy: &Compiled) -> Self {
        let decided = policy.decide(facts);
        let explanation = policy.explain(facts, &decided);
        let allowed = decided.is_allowed();
        let mut eligible: Vec<String> = policy.names(&decided.eligible).map(str::to_owned).collect();
        eligible.sort_unstable();
        let some = |rules: Vec<RuleIndex>| {
            let rules: Vec<String> = rules
                .into_iter()
                .filter_map(|index| policy.rule(index))
                .map(|rule| rule.id.clone())
                .collect();
            (!rules.is_empty()).then_some(rules)
        };
        let hows = |plan: &RedactionPlan| -> BTreeMap<EntityType, How> {
            plan.iter().map(|(entity, redaction)| (entity, redaction.how)).collect()
        };
        Self {
            name: format!("decision {decision}"),
            at: DateTime::from_timestamp_millis(facts.time_ms).unwrap_or_default(),
            facts: TestFacts {
                scope: facts.scope.clone(),
                model: facts.model.clone(),
                operation: facts.operation,
                data: facts.classes.yes,
                data_unknown: facts.classes.unknown,
                sensitivity: facts.sensitivity,
                subject_region: facts
                    .subject_regions
                    .map(|countries| countries.iter().map(|country| country.to_string()).collect()),
                controller: facts.controller,
                purpose: facts.purpose.clone(),
                entities: facts.entities,
                features: facts.features,
                tools: facts.tools.clone(),
                roles: facts.principal.roles.clone(),
                endpoints: facts.allowed_endpoint_names.clone(),
            },
            expect: Expectation {
                outcome: ExpectedOutcome::of(&decided),
                eligible: allowed.then_some(eligible),
                excluded: explanation
                    .endpoints
                    .iter()
                    .filter(|endpoint| !endpoint.eligible)
                    .filter_map(|endpoint| {
                        Some((endpoint.name.clone(), endpoint.reasons.first()?.rule.clone()))
                    })
                    .collect(),
                denied_by: (!explanation.denied_by.is_empty()).then_some(explanation.denied_by),
                redactions: allowed.then(|| hows(&decided.request_redactions)),
                response_redactions: allowed.then(|| hows(&decided.response_redactions)),
                shadow: some(decided.shadow.iter().map(|shadow| shadow.rule).collect()),
                waived: some(decided.waived.iter().map(|waiver| waiver.rule).collect()),
                obligations: allowed.then(|| RuleObligations::of(&decided.obligations)),
                limit_output_tokens: decided.obligations.max_output_tokens,
            },
            file: String::new(),
            line: 0,
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
    /// The outcome of a decision.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        match decision.outcome {
            Outcome::Allow => Self::Allow,
            Outcome::Deny { code: DenyCode::PolicyDenied } => Self::PolicyDenied,
            Outcome::Deny { code: DenyCode::NoEligibleEndpoint } => Self::NoEligibleEndpoint,
        }
    }

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
    /// Exactly these redactions on the way to the provider, by kind or group of kinds; a kind by its name counts before a group.
    #[serde(default, deserialize_with = "by_kind", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, How>>")]
    pub redactions: Option<BTreeMap<EntityType, How>>,
    /// Exactly these redactions on the way back, likewise.
    #[serde(default, deserialize_with = "by_kind", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<BTreeMap<String, How>>")]
    pub response_redactions: Option<BTreeMap<EntityType, How>>,
}

/// Reads redactions by kind, with groups of kinds for all that they stand for.
fn by_kind<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<EntityType, How>>, D::Error> {
    let Some(written) = Option::<BTreeMap<String, How>>::deserialize(deserializer)? else { return Ok(None) };
    let (mut kinds, mut groups) = (BTreeMap::new(), BTreeMap::new());
    for (name, how) in written {
        if let Some(group) = EntitySet::group(&name) {
            groups.extend(group.iter().map(|entity| (entity, how)));
        } else {
            let entity: EntityType = name.parse().map_err(|_| {
                serde::de::Error::custom(format!(
                    "`{name}` is neither a kind of finding nor a group of kinds"
                ))
            })?;
            kinds.insert(entity, how);
        }
    }
    groups.extend(kinds);
    Ok(Some(groups))
}
