//! What an organisation has in place with an operator: agreements, amendments, analyses.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{EndpointProfile, FeatureSet, name_set::name_set};

name_set! {
    /// What is attested.
    enum AttestationKind {
        /// A signed business associate agreement (45 CFR 164.504(e)).
        Baa = "baa",
        /// The operator has granted zero data retention, or the opt-out from its abuse monitoring.
        ZdrAmendment = "zdr_amendment",
        /// A data processing agreement (GDPR Art. 28).
        Dpa = "dpa",
        /// Standard contractual clauses are part of the contract (GDPR Art. 46(2)(c)).
        Scc = "scc",
        /// The recipient's certification under the EU-US Data Privacy Framework was checked.
        Dpf = "dpf",
        /// Binding corporate rules cover the transfer (GDPR Art. 47).
        Bcr = "bcr",
        /// A risk analysis of the system was made (45 CFR 164.308(a)(1)(ii)(A)).
        RiskAnalysis = "risk_analysis",
        /// The organisation runs the service itself, under its own control.
        SelfHosted = "self_hosted",
    }

    /// Kinds of attestation.
    struct AttestationKindSet;
}

/// Something that the organisation has in place: which operator and services it covers, the document, and from
/// when to when it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// A stable name, unique within the bundle.
    pub id: String,
    /// What is attested.
    pub kind: AttestationKind,
    /// The operator that it was agreed with, as endpoints name it.
    pub operator: String,
    /// The services covered, as endpoints name them; `*` alone covers all of the operator's.
    #[schemars(length(min = 1))]
    pub services: Vec<String>,
    /// Where given, only the endpoints of these names are covered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<Vec<String>>,
    /// Where given, only endpoints with one of these source regions are covered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_regions: Option<Vec<String>>,
    /// The part of the organisation that it holds for, as a scope path; all of it where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Features that the agreement leaves out: it does not hold for a request that uses one.
    #[serde(default, skip_serializing_if = "FeatureSet::is_empty")]
    pub excluded_features: FeatureSet,
    /// Where the document is filed: a title, number or address.
    pub document: String,
    /// Between whom it is, as the document names them. For readers: what it covers is decided by the fields above.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parties: Vec<String>,
    /// The day of signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<NaiveDate>,
    /// The first instant at which it holds. A bare date means its first instant in UTC.
    #[serde(deserialize_with = "from_instant")]
    #[schemars(schema_with = "instant_schema")]
    pub valid_from: DateTime<Utc>,
    /// The first instant at which it no longer holds; without end where absent. A bare date means that the day
    /// is still covered, so the first instant of the next day in UTC.
    #[serde(default, deserialize_with = "to_instant", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant_schema")]
    pub valid_to: Option<DateTime<Utc>>,
}

impl Attestation {
    /// Whether it holds at `now`: from `valid_from` on and before `valid_to`.
    #[must_use]
    pub fn in_force(&self, now: DateTime<Utc>) -> bool {
        self.valid_from <= now && self.valid_to.is_none_or(|end| now < end)
    }

    /// Whether it covers `endpoint`. Where it is limited to source regions, an endpoint without one is not covered.
    #[must_use]
    pub fn covers(&self, endpoint: &EndpointProfile) -> bool {
        self.operator == endpoint.operator
            && self.services.iter().any(|service| service == "*" || *service == endpoint.service)
            && self.endpoints.as_ref().is_none_or(|names| names.contains(&endpoint.name))
            && self.source_regions.as_ref().is_none_or(|regions| {
                endpoint.source_region.as_ref().is_some_and(|region| regions.contains(region))
            })
    }

    /// Whether it holds for the part of the organisation at `scope`: its own scope is that one or above it, by
    /// whole segments.
    #[must_use]
    pub fn applies_to(&self, scope: &str) -> bool {
        let Some(own) = self.scope.as_deref().map(|own| own.trim_end_matches('/')) else { return true };
        scope.strip_prefix(own).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// A day or an instant, as attestations may give either.
#[derive(Deserialize)]
#[serde(untagged)]
enum DayOrInstant {
    Day(NaiveDate),
    Instant(DateTime<Utc>),
}

fn from_instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    Ok(match DayOrInstant::deserialize(deserializer)? {
        DayOrInstant::Day(day) => first_instant(day),
        DayOrInstant::Instant(instant) => instant,
    })
}

fn to_instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    Ok(Option::<DayOrInstant>::deserialize(deserializer)?.map(|end| match end {
        DayOrInstant::Day(day) => first_instant(day) + TimeDelta::days(1),
        DayOrInstant::Instant(instant) => instant,
    }))
}

/// Midnight at the start of `day`, UTC.
pub(crate) fn first_instant(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

fn instant_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": ["string", "null"],
        "anyOf": [{ "format": "date" }, { "format": "date-time" }, { "type": "null" }],
        "description": "A date, or an instant as RFC 3339",
    })
}
