//! What a rule requires of an endpoint, as written and as checked.

use bailiwick_compliance_db::{Attribute, CountrySet, Hosting, Mechanism, MechanismSet, Resolved, expand};
use schemars::JsonSchema;
use serde::de::value::SeqAccessDeserializer;
use serde::de::{IntoDeserializer, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::marker::PhantomData;

/// A requirement on a set of countries: `{ within: [EU, EEA] }` or `{ known: true }`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Countries {
    /// All of them lie in these regions or countries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Vec<String>>,
    /// They are known, whichever they are. Only `true` can be asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<bool>,
}

/// A requirement on a number of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Days {
    /// The most that will do.
    pub at_most: u32,
}

/// One value or a list of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// Any of several.
    Many(Vec<T>),
}

// By hand, so that a wrong name is reported as such and not as "no variant matches".
impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = OneOrMany<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Self::Value, E> {
                T::deserialize(name.into_deserializer()).map(OneOrMany::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, names: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(names)).map(OneOrMany::Many)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

impl<T> OneOrMany<T> {
    fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// The requirements of one rule: a conjunction over attributes of the endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// Where prompts are processed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_countries: Option<Countries>,
    /// Where anything of them is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_countries: Option<Countries>,
    /// Where logs against abuse are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abuse_log_countries: Option<Countries>,
    /// Where people may read them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub human_review_countries: Option<Countries>,
    /// Whose jurisdiction the operator is under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator_countries: Option<Countries>,
    /// Whether models are trained on what is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trains_on_inputs: Option<bool>,
    /// Whether protected health information may be sent there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hipaa_eligible: Option<bool>,
    /// Whether nothing is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zero_data_retention: Option<bool>,
    /// Whether people may read what is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub human_review: Option<bool>,
    /// How long anything is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<Days>,
    /// Whose machines serve the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosting: Option<OneOrMany<Hosting>>,
    /// On which grounds of GDPR Chapter V data is transferred: each that is used must be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer_mechanism: Option<OneOrMany<Mechanism>>,
    /// Whether a SOC 2 Type II report covers the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soc_2: Option<bool>,
    /// Whether a certificate under ISO/IEC 27001 covers the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iso_27001: Option<bool>,
    /// Whether a certificate under ISO/IEC 42001 covers the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iso_42001: Option<bool>,
    /// Whether an attestation of compliance under PCI DSS names the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pci_dss: Option<bool>,
    /// Whether an attestation under the BSI's C5 covers the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bsi_c5: Option<bool>,
    /// Whether the model's developer signed the EU's general-purpose AI code of practice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpai_code: Option<bool>,
}

impl Require {
    /// Whether nothing is required.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The requirements one by one.
    ///
    /// # Errors
    /// What is wrong with them, each with its attribute first.
    pub fn requirements(&self) -> Result<Vec<Requirement>, Vec<String>> {
        let mut out = Vec::new();
        let mut wrong = Vec::new();
        for (attribute, countries) in [
            (Attribute::ProcessingCountries, &self.processing_countries),
            (Attribute::StorageCountries, &self.storage_countries),
            (Attribute::AbuseLogCountries, &self.abuse_log_countries),
            (Attribute::HumanReviewCountries, &self.human_review_countries),
            (Attribute::OperatorCountries, &self.operator_countries),
        ] {
            let Some(countries) = countries else { continue };
            match (&countries.within, countries.known) {
                (None, Some(true)) => out.push(Requirement { attribute, check: Check::Known }),
                // Being within a set takes being known.
                (Some(names), None | Some(true)) => match regions(names) {
                    Ok(set) => out
                        .push(Requirement { attribute, check: Check::Within { names: names.clone(), set } }),
                    Err(e) => wrong.extend(e.into_iter().map(|e| format!("{attribute}: {e}"))),
                },
                (_, Some(false)) => wrong.push(format!("{attribute}: `known: false` cannot be required")),
                (None, None) => wrong.push(format!("{attribute}: write `within: [...]` or `known: true`")),
            }
        }
        for (attribute, flag) in [
            (Attribute::TrainsOnInputs, self.trains_on_inputs),
            (Attribute::HipaaEligible, self.hipaa_eligible),
            (Attribute::ZeroDataRetention, self.zero_data_retention),
            (Attribute::HumanReview, self.human_review),
            (Attribute::Soc2, self.soc_2),
            (Attribute::Iso27001, self.iso_27001),
            (Attribute::Iso42001, self.iso_42001),
            (Attribute::PciDss, self.pci_dss),
            (Attribute::BsiC5, self.bsi_c5),
            (Attribute::GpaiCode, self.gpai_code),
        ] {
            out.extend(flag.map(|flag| Requirement { attribute, check: Check::Is(flag) }));
        }
        if let Some(days) = self.retention_days {
            out.push(Requirement { attribute: Attribute::RetentionDays, check: Check::AtMost(days.at_most) });
        }
        if let Some(hosting) = &self.hosting {
            let mut allowed = hosting.as_slice().to_vec();
            allowed.sort_unstable();
            allowed.dedup();
            if allowed.is_empty() {
                wrong.push(
                    "hosting: an empty list excludes every endpoint; write `deny: true` if that is meant"
                        .into(),
                );
            }
            out.push(Requirement { attribute: Attribute::Hosting, check: Check::Hosted(allowed) });
        }
        if let Some(mechanisms) = &self.transfer_mechanism {
            let allowed: MechanismSet = mechanisms.as_slice().iter().copied().collect();
            if allowed.is_empty() {
                wrong.push("transfer_mechanism: an empty list excludes every endpoint; write `deny: true` if that is meant".into());
            }
            out.push(Requirement {
                attribute: Attribute::TransferMechanism,
                check: Check::ReliesOnlyOn(allowed),
            });
        }
        if wrong.is_empty() { Ok(out) } else { Err(wrong) }
    }
}

/// The countries in a list of regions and countries.
pub(crate) fn regions(names: &[String]) -> Result<CountrySet, Vec<String>> {
    if names.is_empty() {
        return Err(vec!["an empty list of regions".to_owned()]);
    }
    let mut set = CountrySet::EMPTY;
    let mut wrong = Vec::new();
    for name in names {
        match expand(name) {
            Some(countries) => set = set.union(countries),
            None => wrong.push(format!(
                "`{name}` is neither a region ({}) nor an ISO 3166-1 alpha-2 country code",
                bailiwick_compliance_db::REGION_NAMES.join(", ")
            )),
        }
    }
    if wrong.is_empty() { Ok(set) } else { Err(wrong) }
}

/// One requirement on one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Of what.
    pub attribute: Attribute,
    /// What must hold of it.
    pub check: Check,
}

/// What must hold of an attribute. Nothing holds of an unknown one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// All its places lie in the set.
    Within {
        /// The names as written.
        names: Vec<String>,
        /// Their countries.
        set: CountrySet,
    },
    /// It is this.
    Is(bool),
    /// It is this many days or fewer.
    AtMost(u32),
    /// It is one of these.
    Hosted(Vec<Hosting>),
    /// Each ground in use is one of these, and there is one.
    ReliesOnlyOn(MechanismSet),
    /// It is known.
    Known,
}

impl Requirement {
    /// Whether what is known of the attribute meets the requirement.
    #[must_use]
    pub fn met_by(&self, resolved: &Resolved) -> bool {
        match &self.check {
            Check::Within { set, .. } => resolved.within(*set),
            Check::Is(wanted) => resolved.is(*wanted),
            Check::AtMost(days) => resolved.at_most(*days),
            Check::Hosted(allowed) => resolved.hosted(allowed),
            Check::ReliesOnlyOn(allowed) => resolved.relies_only_on(*allowed),
            Check::Known => resolved.is_known(),
        }
    }

    /// Whether every endpoint that meets this one meets the other too.
    pub(crate) fn implies(&self, other: &Self) -> bool {
        self.attribute == other.attribute
            && match (&self.check, &other.check) {
                (_, Check::Known) => true,
                (Check::Within { set: a, .. }, Check::Within { set: b, .. }) => a.is_subset(*b),
                (Check::AtMost(a), Check::AtMost(b)) => a <= b,
                (Check::Hosted(a), Check::Hosted(b)) => a.iter().all(|h| b.contains(h)),
                (Check::ReliesOnlyOn(a), Check::ReliesOnlyOn(b)) => a.is_subset(*b),
                (a, b) => a == b,
            }
    }

    /// Whether no endpoint can meet both. Places within two disjoint sets are nowhere at all, which a fact may
    /// say of storage or review, but not of processing or of the operator.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        self.attribute == other.attribute
            && match (&self.check, &other.check) {
                (Check::Within { set: a, .. }, Check::Within { set: b, .. }) => {
                    !a.intersects(*b)
                        && matches!(
                            self.attribute,
                            Attribute::ProcessingCountries | Attribute::OperatorCountries
                        )
                }
                (Check::Is(a), Check::Is(b)) => a != b,
                (Check::Hosted(a), Check::Hosted(b)) => !a.iter().any(|h| b.contains(h)),
                (Check::ReliesOnlyOn(a), Check::ReliesOnlyOn(b)) => !a.intersects(*b),
                _ => false,
            }
    }
}

/// What is required, such as `within EU, EEA`.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within { names, .. } => write!(f, "within {}", names.join(", ")),
            Self::Is(wanted) => write!(f, "{wanted}"),
            Self::AtMost(days) => write!(f, "at most {days} days"),
            Self::Hosted(allowed) => {
                let names: Vec<&str> = allowed.iter().map(|h| h.name()).collect();
                f.write_str(&names.join(" or "))
            }
            Self::ReliesOnlyOn(allowed) => write!(f, "only {allowed}"),
            Self::Known => f.write_str("known"),
        }
    }
}
