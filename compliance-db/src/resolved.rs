//! What is known of one attribute of one endpoint, and the requirements that it meets.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{AttestationKind, Attribute, CountrySet, FactId, FeatureSet, Hosting, MechanismSet, Value};

/// The value that facts and attestations give an attribute, or `None` where it is unknown.
///
/// The methods that ask for something are all false where the value is unknown or of another kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// The attribute.
    pub attribute: Attribute,
    /// The joined value; `None` is unknown, which counts as the worst case.
    pub value: Option<Value>,
    /// The facts whose values were joined, in the order of their names.
    pub facts: Vec<FactId>,
    /// Pairs of those facts that contradict each other.
    pub conflicts: Vec<(FactId, FactId)>,
    /// The next instant at which the answer may differ: an attestation begins or ends, evidence grows too old.
    pub valid_until: Option<DateTime<Utc>>,
    /// What would make it known, or would replace an agreement that is not in force.
    pub missing: Vec<Missing>,
}

impl Resolved {
    /// Whether there is a value.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.value.is_some()
    }

    /// Whether all its places lie in `allowed`.
    #[must_use]
    pub fn within(&self, allowed: CountrySet) -> bool {
        matches!(self.value, Some(Value::Locations(places)) if places.within(allowed))
    }

    /// Whether it is `wanted`.
    #[must_use]
    pub fn is(&self, wanted: bool) -> bool {
        self.value == Some(Value::Bool(wanted))
    }

    /// Whether it is `days` or fewer.
    #[must_use]
    pub fn at_most(&self, days: u32) -> bool {
        matches!(self.value, Some(Value::Days(kept)) if kept <= days)
    }

    /// Whether it is one of `allowed`.
    #[must_use]
    pub fn hosted(&self, allowed: &[Hosting]) -> bool {
        matches!(self.value, Some(Value::Hosting(hosting)) if allowed.contains(&hosting))
    }

    /// Whether there are grounds and each is in `allowed`.
    #[must_use]
    pub fn relies_only_on(&self, allowed: MechanismSet) -> bool {
        matches!(self.value, Some(Value::Mechanisms(used)) if !used.is_empty() && used.is_subset(allowed))
    }
}

/// One thing that stands between an attribute and a (better) value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Missing {
    /// The database says nothing about it.
    Fact {
        /// What is not known.
        attribute: Attribute,
        /// Of which service.
        service: String,
        /// Whose service it is.
        operator: String,
    },
    /// A fact would hold if this were attested.
    Attestation {
        /// What would have to be attested.
        attestation: AttestationKind,
        /// With whom.
        operator: String,
        /// For which service.
        service: String,
        /// The fact that would then hold.
        fact: FactId,
        /// The attestation that is there but covers neither this time nor these features, if any.
        lapsed: Option<String>,
    },
    /// A fact's evidence is too old.
    Evidence {
        /// The fact.
        fact: FactId,
        /// The page to look at again.
        url: String,
        /// Beyond how many days evidence no longer counts.
        limit_days: u32,
    },
    /// A fact takes a value from the endpoint's declaration (or its options), and it is not there.
    Declaration {
        /// The fact.
        fact: FactId,
        /// The field of the endpoint.
        field: &'static str,
    },
    /// No fact covers a request with these features.
    Feature {
        /// The fact that covers requests without them.
        fact: FactId,
        /// The features.
        features: FeatureSet,
    },
    /// The only evidence is unverified.
    Verification {
        /// The fact.
        fact: FactId,
        /// The page to read.
        url: String,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fact { attribute, service, operator } => {
                write!(f, "a fact about {attribute} of {service} ({operator})")
            }
            Self::Attestation { attestation, operator, service, lapsed: None, .. } => {
                write!(f, "an attestation `{attestation}` with {operator} for {service}")
            }
            Self::Attestation { attestation, operator, service, lapsed: Some(lapsed), .. } => write!(
                f,
                "an attestation `{attestation}` with {operator} for {service} that covers this request now \
                 (`{lapsed}` does not)"
            ),
            Self::Evidence { fact, url, limit_days } => {
                write!(f, "evidence for {fact} younger than {limit_days} days: check {url} again")
            }
            Self::Declaration { fact, field } => write!(f, "`{field}` declared for the endpoint ({fact})"),
            Self::Feature { fact, features } => {
                write!(f, "a fact that covers {features} as {fact} covers requests without")
            }
            Self::Verification { fact, url } => write!(f, "verified evidence for {fact}: read {url}"),
        }
    }
}
