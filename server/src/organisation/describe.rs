//! An endpoint in words: what is known of it, and on which evidence. For the command line and the API alike.

use std::collections::BTreeSet;

use bailiwick_compliance_db::{
    AnswerChange, Attestation, Attribute, Context, Database, EndpointProfile, FactId, FeatureSet, Judgement,
    Regulation,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::snapshot::Place;

/// One endpoint on a line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndpointSummary {
    /// Its name.
    pub name: String,
    /// The scope that may use it.
    pub scope: String,
    /// Who operates it.
    pub operator: String,
    /// The service.
    pub service: String,
    /// Region or profile.
    pub region: Option<String>,
    /// ISO codes of the countries where it processes; empty is unknown.
    pub countries: Vec<String>,
    /// The models that clients can ask for.
    pub models: Vec<String>,
    /// Whether it is simulated.
    pub simulated: bool,
    /// Whether it rests after failures.
    pub resting: bool,
}

/// What is known of one endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndpointExplanation {
    /// Its name.
    pub name: String,
    /// The scope that the attestations are for.
    pub scope: String,
    /// Why it is not in use, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_in_use: Option<String>,
    /// Each model's attributes.
    pub models: Vec<ModelExplanation>,
}

/// What is known of one model there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelExplanation {
    /// The name that clients use.
    pub model: String,
    /// The name that the provider uses.
    pub upstream: String,
    /// Every attribute.
    pub attributes: Vec<AttributeExplanation>,
}

/// One attribute and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AttributeExplanation {
    /// Its name.
    pub attribute: String,
    /// Its value; `unknown`.
    pub value: String,
    /// The facts that it was joined from.
    pub facts: Vec<FactExplanation>,
    /// Pairs of them that contradict each other.
    pub conflicts: Vec<(String, String)>,
    /// What would make it known or better.
    pub missing: Vec<String>,
    /// When the answer may change.
    pub valid_until: Option<DateTime<Utc>>,
}

/// One fact with its evidence.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FactExplanation {
    /// Its id.
    pub id: String,
    /// Where it was seen, what the page says, and until when it was seen there.
    pub evidence: Vec<(String, String, String)>,
    /// The fact that ships which the organisation has put this one in place of, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<(String, String)>,
}

/// Endpoints against regulations.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Matrix {
    /// The scope that the attestations are for.
    pub scope: String,
    /// The version of the compliance database.
    pub database: String,
    /// One row an endpoint and model.
    pub rows: Vec<MatrixRow>,
}

/// One model of one endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MatrixRow {
    /// The endpoint.
    pub endpoint: String,
    /// The name that clients use for the model.
    pub model: String,
    /// The name that the provider uses.
    pub upstream: String,
    /// Every regulation.
    pub judgements: Vec<Judgement>,
}

/// One endpoint on a line.
#[must_use]
pub fn summary(place: &Place, endpoint: &bailiwick_policy::Endpoint, now_ms: i64) -> EndpointSummary {
    EndpointSummary {
        name: place.name.clone(),
        scope: endpoint.scope.clone(),
        operator: place.operator.clone(),
        service: endpoint.profile.service.clone(),
        region: place.region.clone(),
        countries: place.countries.clone(),
        models: endpoint.models.iter().map(|model| model.alias.clone()).collect(),
        simulated: place.simulated,
        resting: place.health.is_resting(now_ms),
    }
}

/// What is known of an endpoint for requests of `scope` at `now_ms`.
#[must_use]
pub fn explain(
    policy: &bailiwick_policy::Compiled,
    endpoint: &bailiwick_policy::Endpoint,
    scope: &str,
    now_ms: i64,
) -> EndpointExplanation {
    let attestations = attestations(policy, scope);
    let context = context(policy, &attestations, now_ms);
    let models = endpoint
        .models
        .iter()
        .map(|model| {
            let profile = endpoint.profile_for(&model.upstream, policy.database());
            ModelExplanation {
                model: model.alias.clone(),
                upstream: model.upstream.clone(),
                attributes: Attribute::ALL
                    .iter()
                    .map(|attribute| one(policy.database(), &profile, *attribute, &context))
                    .collect(),
            }
        })
        .collect();
    EndpointExplanation { name: endpoint.name.clone(), scope: scope.to_owned(), not_in_use: None, models }
}

/// An answer about an endpoint that another compliance database changes, for plain requests of a scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Impact {
    /// The scope whose attestations count.
    pub scope: String,
    /// The answer.
    #[serde(flatten)]
    pub answer: AnswerChange,
}

impl std::fmt::Display for Impact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.answer)?;
        if self.scope == "/" { Ok(()) } else { write!(f, ", for {}", self.scope) }
    }
}

/// Which answers about these endpoints `after` changes against `before`, at `now_ms`: for plain requests of `scope`, and what
/// is otherwise for a scope below, where something is attested for that.
#[must_use]
pub fn impact(
    policy: &bailiwick_policy::Compiled,
    endpoints: &[&bailiwick_policy::Endpoint],
    (before, after): (&Database, &Database),
    scope: &str,
    now_ms: i64,
) -> Vec<Impact> {
    let attested = policy.bundle().attestations.iter().filter_map(|it| it.scope.as_deref());
    let below: BTreeSet<&str> =
        attested.filter(|of| *of != scope && bailiwick_policy::scope::covers(scope, of)).collect();
    let mut impact: Vec<Impact> = Vec::new();
    for scope in std::iter::once(scope).chain(below) {
        let attestations = attestations(policy, scope);
        let context = context(policy, &attestations, now_ms);
        let usable = endpoints.iter().filter(|it| bailiwick_policy::scope::overlap(&it.scope, scope));
        let profiles: Vec<EndpointProfile> = usable
            .flat_map(|endpoint| {
                let models = endpoint.models.iter();
                models.map(move |model| endpoint.profile_for(&model.upstream, policy.database()))
            })
            .collect();
        for answer in before.impact(after, &profiles, &context) {
            if impact.iter().all(|known| known.answer != answer) {
                impact.push(Impact { scope: scope.to_owned(), answer });
            }
        }
    }
    impact
}

/// Endpoints against regulations, for plain requests of `scope` at `now_ms`.
#[must_use]
pub fn matrix<'e>(
    policy: &bailiwick_policy::Compiled,
    endpoints: impl Iterator<Item = &'e bailiwick_policy::Endpoint>,
    scope: &str,
    now_ms: i64,
) -> Matrix {
    let attestations = attestations(policy, scope);
    let context = context(policy, &attestations, now_ms);
    let mut rows = Vec::new();
    for endpoint in endpoints {
        for model in &endpoint.models {
            let profile = endpoint.profile_for(&model.upstream, policy.database());
            let judge = |regulation| policy.database().judge(&profile, regulation, &context);
            rows.push(MatrixRow {
                endpoint: endpoint.name.clone(),
                model: model.alias.clone(),
                upstream: model.upstream.clone(),
                judgements: Regulation::ALL.into_iter().map(judge).collect(),
            });
        }
    }
    Matrix { scope: scope.to_owned(), database: policy.database().version().to_owned(), rows }
}

fn attestations(policy: &bailiwick_policy::Compiled, scope: &str) -> Vec<Attestation> {
    policy.bundle().attestations.iter().filter(|held| held.applies_to(scope)).cloned().collect()
}

fn context<'a>(
    policy: &bailiwick_policy::Compiled,
    attestations: &'a [Attestation],
    now_ms: i64,
) -> Context<'a> {
    Context {
        now: DateTime::from_timestamp_millis(now_ms).unwrap_or_default(),
        max_evidence_age_days: policy.bundle().settings.max_evidence_age_days,
        attestations,
        features: FeatureSet::EMPTY,
    }
}

fn one(
    database: &Database,
    profile: &EndpointProfile,
    attribute: Attribute,
    context: &Context<'_>,
) -> AttributeExplanation {
    let resolved = database.resolve(profile, attribute, context);
    let fact = |id: &FactId| FactExplanation {
        id: id.to_string(),
        evidence: database
            .fact(id)
            .into_iter()
            .flat_map(|fact| &fact.evidence)
            .map(|seen| (seen.url.clone(), seen.says.clone(), seen.observed_to.to_string()))
            .collect(),
        replaces: database
            .fact(id)
            .and_then(|fact| fact.replaces.as_ref())
            .map(|replaces| (replaces.fact.to_string(), replaces.because.clone())),
    };
    AttributeExplanation {
        attribute: attribute.to_string(),
        value: resolved.value.as_ref().map_or_else(|| String::from("unknown"), ToString::to_string),
        facts: resolved.facts.iter().map(fact).collect(),
        conflicts: resolved
            .conflicts
            .iter()
            .map(|(one, other)| (one.to_string(), other.to_string()))
            .collect(),
        missing: resolved.missing.iter().map(ToString::to_string).collect(),
        valid_until: resolved.valid_until,
    }
}
