//! Which facts a bundle's rules ask about, so that a record that lacks one is told to be undecidable and not guessed.

use crate::bundle::Bundle;
use crate::facts::RequestFacts;
use crate::rule::{Mode, Rule};
use crate::scope;
use bailiwick_pii::EntitySet;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// A set of facts by their position in [`FACT_NAMES`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked(u16);

/// The facts that rules can ask about, by their names in records.
pub const FACT_NAMES: [&str; 9] = [
    "classes",
    "sensitivity",
    "subject_regions",
    "controller",
    "purpose",
    "features",
    "tools",
    "entities",
    "principal",
];

impl Asked {
    /// What the rules ask about that could apply to a request of `scope` for `model`.
    #[must_use]
    pub fn by(bundle: &Bundle, facts: &RequestFacts) -> Self {
        Self::applying(bundle, facts).map(Self::by_rule).fold(Self::default(), Self::union)
    }

    /// The kinds of findings that the rules ask about or redact that could apply to a request, and that nobody looked for
    /// in it: whether it held one is not known, and neither is the data class that one would have given it.
    #[must_use]
    pub fn not_looked_for(bundle: &Bundle, facts: &RequestFacts, looked_for: EntitySet) -> EntitySet {
        Self::applying(bundle, facts)
            .flat_map(|rule| rule.entities().iter().collect::<Vec<_>>())
            .filter(|kind| !looked_for.contains(*kind))
            .collect()
    }

    fn applying<'a>(bundle: &'a Bundle, facts: &'a RequestFacts) -> impl Iterator<Item = &'a Rule> {
        bundle
            .rules
            .iter()
            .filter(|rule| rule.mode == Mode::Enforce && scope::covers(&rule.scope, &facts.scope))
    }

    fn by_rule(rule: &Rule) -> Self {
        let when = &rule.when;
        let asked = [
            when.data.is_some(),
            when.sensitivity.is_some(),
            when.subject_region.is_some(),
            when.controller.is_some(),
            when.purpose.is_some(),
            when.features.is_some() || !rule.require.is_empty(),
            when.tools.is_some() || rule.deny_tools.is_some(),
            when.entities.is_some(),
            when.role.is_some(),
        ];
        Self((0u16..).zip(asked).filter(|(_, asked)| *asked).fold(0, |bits, (at, _)| bits | 1 << at))
    }

    /// The facts that a record does not hold. `facts` is the section as JSON.
    ///
    /// # Errors
    /// If it is no object.
    pub fn missing_from(facts: &[u8]) -> Result<Self, serde_json::Error> {
        let held: Held = serde_json::from_slice(facts)?;
        let held = [
            held.classes.is_some(),
            held.sensitivity.is_some(),
            held.subject_regions.is_some(),
            held.controller.is_some(),
            held.purpose.is_some(),
            held.features.is_some(),
            held.tools.is_some(),
            held.entities.is_some(),
            held.principal.is_some(),
        ];
        Ok(Self((0u16..).zip(held).filter(|(_, held)| !*held).fold(0, |bits, (at, _)| bits | 1 << at)))
    }

    /// Both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        (0u16..).zip(FACT_NAMES).filter(move |(at, _)| self.0 & (1 << at) != 0).map(|(_, name)| name)
    }
}

/// Which members are there. One that is `null` was recorded: nobody had declared it.
#[derive(Deserialize)]
struct Held {
    #[serde(default, deserialize_with = "there")]
    classes: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "there")]
    sensitivity: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "there")]
    subject_regions: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "there")]
    controller: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "there")]
    purpose: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "there")]
    features: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "there")]
    tools: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "there")]
    entities: Option<IgnoredAny>,
    #[serde(default, deserialize_with = "there")]
    principal: Option<IgnoredAny>,
}

fn there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(deserializer).map(Some)
}
