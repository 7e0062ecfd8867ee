//! A fact: scope, attribute, value, predicate and evidence.

use std::{borrow::Cow, fmt, sync::Arc};

use chrono::NaiveDate;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Attribute, FeatureSet, Locations, Value, attestation::AttestationKindSet};

/// A fact's stable name, such as `azure-openai/data-zone-eu/processing`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FactId(Arc<str>);

impl FactId {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for FactId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for FactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for FactId {
    fn schema_name() -> Cow<'static, str> {
        "FactId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z0-9.-]+(/[a-z0-9.-]+)+$" })
    }
}

/// One claim about some endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    /// Its stable name.
    pub id: FactId,
    /// The endpoints that it is about.
    pub scope: FactScope,
    /// What it is about.
    pub attribute: Attribute,
    /// What it claims.
    pub value: FactValue,
    /// What must be in place for the claim to hold.
    #[serde(default)]
    pub when: Predicate,
    /// Who says so, and when that was seen. At least one.
    #[schemars(length(min = 1))]
    pub evidence: Vec<Evidence>,
    /// Facts about the same thing that say otherwise. All that apply are joined, so the stricter value holds;
    /// the list exists to show the conflict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conflicts_with: Vec<FactId>,
    /// The fact that this one stands in place of; for an organisation's own facts alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaces>,
    /// What a reader of the evidence should know; shown beside the fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Fact {
    /// The last day on which any of its sourced evidence was seen to say so. `None` where nothing but the
    /// organisation's declaration or unverified evidence stands behind it.
    #[must_use]
    pub fn observed_to(&self) -> Option<NaiveDate> {
        self.evidence
            .iter()
            .filter(|evidence| evidence.confidence == Confidence::Sourced && evidence.kind.ages())
            .map(|evidence| evidence.observed_to)
            .max()
    }

    /// Whether it is an organisation's own and not one that ships.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.id.as_str().starts_with(crate::own::OWN)
    }

    /// Whether anything behind it was read or declared, and not only heard of.
    #[must_use]
    pub fn was_read(&self) -> bool {
        self.evidence.iter().any(|evidence| evidence.confidence == Confidence::Sourced)
    }

    /// Whether the operator's own documentation or contract is behind it, and was read.
    #[must_use]
    pub fn is_by_the_vendor(&self) -> bool {
        self.evidence.iter().any(|evidence| {
            evidence.confidence == Confidence::Sourced
                && matches!(evidence.kind, EvidenceKind::VendorDoc | EvidenceKind::VendorContract)
        })
    }
}

/// Which fact an organisation puts its own in place of, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replaces {
    /// The fact that ships, about the same attribute.
    pub fact: FactId,
    /// Why it does not hold for this organisation.
    pub because: String,
}

/// The endpoints that a fact is about: each field given must match. An absent field matches all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FactScope {
    /// The model's maker.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub developer: Vec<Pattern>,
    /// Who runs the service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operator: Vec<Pattern>,
    /// The service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<Pattern>,
    /// The deployment type or host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosting_option: Vec<Pattern>,
    /// The model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model: Vec<Pattern>,
    /// The model's version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub version: Vec<Pattern>,
    /// The inference profile's prefix; the word `none` matches an endpoint without a profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profile: Vec<Pattern>,
    /// The source region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_region: Vec<Pattern>,
    /// The contract or service tier.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tier: Vec<Pattern>,
}

/// A name, or a beginning of names where it ends in `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Whether `text` is, or begins with, what the pattern says.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => text.starts_with(start),
            None => self.0 == text,
        }
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// What a fact claims: a value, or where to take it from.
///
/// In files: what [`Value`] has, and the words `nowhere`, `worldwide`, `forever`, `declared`; a map of locations
/// may say `source_region: true` to add the country of the endpoint's source region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactValue {
    /// This value.
    Fixed(Value),
    /// These places, and the country of the endpoint's source region.
    WithSourceRegion(Locations),
    /// What the organisation declared for the endpoint.
    Declared,
}

/// What must be in place for a fact to hold. Everything given must hold; nothing given always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// All of these are attested, in force, and cover the endpoint and the request's features.
    #[serde(default, skip_serializing_if = "AttestationKindSet::is_empty")]
    pub attestations: AttestationKindSet,
    /// None of these is so attested: the default that an agreement lifts.
    #[serde(default, skip_serializing_if = "AttestationKindSet::is_empty")]
    pub without_attestations: AttestationKindSet,
    /// The request uses at least one of these. Such a fact adds to what is known of a plain request; it is never
    /// enough alone.
    #[serde(default, skip_serializing_if = "FeatureSet::is_empty")]
    pub with_features: FeatureSet,
    /// The claim does not cover a request that uses one of these: it is then unknown, unless a fact with that
    /// feature in `with_features` says more.
    #[serde(default, skip_serializing_if = "FeatureSet::is_empty")]
    pub without_features: FeatureSet,
}

/// Who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The page.
    pub url: String,
    /// What it says, in our words.
    pub says: String,
    /// The first day on which it is known to have said so.
    pub observed_from: NaiveDate,
    /// The last day on which it was seen to say so.
    pub observed_to: NaiveDate,
    /// What sort of source it is.
    pub kind: EvidenceKind,
    /// How sure the reading is.
    pub confidence: Confidence,
}

/// The sort of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// The operator's documentation.
    VendorDoc,
    /// The operator's terms or agreements.
    VendorContract,
    /// Somebody else.
    ThirdParty,
    /// The organisation, which runs the endpoint and declares the value with it. Does not age: the declaration
    /// stands beside the endpoint, where it is kept current.
    OperatorDeclaration,
}

impl EvidenceKind {
    pub(crate) fn ages(self) -> bool {
        self != Self::OperatorDeclaration
    }
}

/// How sure a reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The source was read and says so.
    Sourced,
    /// Reported, but the source was not read. Counts against an endpoint and never for it.
    Unverified,
}

/// The written form of [`FactValue`].
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    Word(Word),
    Places(Places),
    Value(Value),
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Word {
    Declared,
    Nowhere,
    Worldwide,
    Forever,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Places {
    #[serde(default)]
    countries: crate::CountrySet,
    #[serde(default)]
    may_grow: bool,
    #[serde(default)]
    source_region: bool,
}

impl<'de> Deserialize<'de> for FactValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let any = serde_norway::Value::deserialize(deserializer)?;
        let written = Written::deserialize(&any).map_err(|_| {
            // A map can only be meant as places: what is wrong with it can be told.
            if let (true, Err(error)) = (any.is_mapping(), Places::deserialize(&any)) {
                return serde::de::Error::custom(error);
            }
            serde::de::Error::custom(
                "expected a value: {countries: [..], may_grow, source_region}, true or false, a number of days, \
                 on_premises, dedicated or shared, a list of transfer mechanisms, nowhere, worldwide, forever or \
                 declared",
            )
        })?;
        match written {
            Written::Word(Word::Declared) => Ok(Self::Declared),
            Written::Word(Word::Nowhere) => Ok(Self::Fixed(Value::Locations(Locations::NOWHERE))),
            Written::Word(Word::Worldwide) => Ok(Self::Fixed(Value::Locations(Locations::WORLDWIDE))),
            Written::Word(Word::Forever) => Ok(Self::Fixed(Value::FOREVER)),
            Written::Places(Places { countries, may_grow, source_region }) => {
                let places = Locations { countries, worldwide: false, may_grow };
                if source_region {
                    Ok(Self::WithSourceRegion(places))
                } else if countries.is_empty() {
                    Err(serde::de::Error::custom("no countries given: write `nowhere` if that is meant"))
                } else {
                    Ok(Self::Fixed(Value::Locations(places)))
                }
            }
            Written::Value(value) => Ok(Self::Fixed(value)),
        }
    }
}

impl Serialize for FactValue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let places = |places: Locations, source_region| {
            Written::Places(Places { countries: places.countries, may_grow: places.may_grow, source_region })
        };
        match *self {
            Self::Declared => Written::Word(Word::Declared),
            Self::Fixed(Value::FOREVER) => Written::Word(Word::Forever),
            Self::Fixed(Value::Locations(at)) if at.worldwide => Written::Word(Word::Worldwide),
            Self::Fixed(Value::Locations(at)) if at.countries.is_empty() => Written::Word(Word::Nowhere),
            Self::Fixed(Value::Locations(at)) => places(at, false),
            Self::WithSourceRegion(at) => places(at, true),
            Self::Fixed(value) => Written::Value(value),
        }
        .serialize(serializer)
    }
}

impl JsonSchema for FactValue {
    fn schema_name() -> Cow<'static, str> {
        "FactValue".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Written::json_schema(generator)
    }
}
