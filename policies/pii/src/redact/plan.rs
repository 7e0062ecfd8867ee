//! What to do with each kind of finding.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{EntitySet, EntityType, Finding};

/// How a value is replaced, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// A made-up value of the same form that belongs to nobody. Can be restored.
    Surrogate,
    /// A placeholder such as `<EMAIL_K7Q2M9XZ>`, the same one for the same value. Can be restored.
    Token,
    /// A keyed digest: equal values stay recognisable as equal, nothing comes back.
    Hash,
    /// `****`.
    Mask,
    /// Nothing.
    Drop,
}

impl How {
    /// Every way, weakest first.
    pub const ALL: [Self; 5] = [Self::Surrogate, Self::Token, Self::Hash, Self::Mask, Self::Drop];

    /// The name used in rules and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Surrogate => "surrogate",
            Self::Token => "token",
            Self::Hash => "hash",
            Self::Mask => "mask",
            Self::Drop => "drop",
        }
    }

    /// Whether a value replaced this way can be put back.
    pub const fn is_reversible(self) -> bool {
        matches!(self, Self::Surrogate | Self::Token)
    }
}

/// What to do with the findings of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redaction {
    /// How the value is replaced.
    pub how: How,
    /// Whether it is put back into text on its way to the client that sent it.
    #[serde(default)]
    pub restore_text: bool,
    /// Whether it is put back into the arguments of tool calls.
    #[serde(default)]
    pub restore_tool_arguments: bool,
    /// Findings below this confidence, in percent, are left alone.
    #[serde(default)]
    #[schemars(range(max = 100))]
    pub min_confidence: u8,
    /// Whether the first three digits of a ZIP code stay where more than 20,000 people live under them, and become 000
    /// elsewhere: 45 CFR 164.514(b)(2)(i)(B). What has not the form of one is replaced like any other value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub zip3: bool,
    /// Whether an answer ends where such a value begins, instead of going on with something in its place. On a stream, and in
    /// whatever [`Guard`](crate::stream::Guard) reads; [`redact`](crate::redact) replaces the value all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop: bool,
}

impl Redaction {
    /// Replaces `how`, restores nothing, whatever the confidence.
    pub const fn new(how: How) -> Self {
        Self {
            how,
            restore_text: false,
            restore_tool_arguments: false,
            min_confidence: 0,
            zip3: false,
            stop: false,
        }
    }

    /// The stricter of two redactions: the stronger way, restored only where both restore, from the lower
    /// confidence on.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            how: self.how.max(other.how),
            restore_text: self.restore_text && other.restore_text,
            restore_tool_arguments: self.restore_tool_arguments && other.restore_tool_arguments,
            min_confidence: self.min_confidence.min(other.min_confidence),
            zip3: self.zip3 && other.zip3,
            stop: self.stop || other.stop,
        }
    }

    /// What this redaction means for `entity`: nothing irreversible is restored, and a secret is never
    /// replaced by something meant to be restored.
    fn enforce(mut self, entity: EntityType) -> Self {
        self.zip3 &= entity == EntityType::PostalCode;
        if !entity.is_restorable() {
            self.how = self.how.max(How::Hash);
        }
        if !self.how.is_reversible() {
            self.restore_text = false;
            self.restore_tool_arguments = false;
        }
        self
    }
}

/// A redaction for each kind of entity that has one. In JSON and YAML it is a map from kind to redaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RedactionPlan([Option<Redaction>; EntityType::COUNT]);

impl Default for RedactionPlan {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for RedactionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl RedactionPlan {
    /// The plan that leaves everything alone.
    pub const fn empty() -> Self {
        Self([None; EntityType::COUNT])
    }

    /// The same redaction for every kind in `entities`.
    pub fn of(entities: EntitySet, redaction: Redaction) -> Self {
        let mut plan = Self::empty();
        for entity in entities.iter() {
            plan.add(entity, redaction);
        }
        plan
    }

    /// Adds a redaction for `entity`; of two, the stricter holds.
    pub fn add(&mut self, entity: EntityType, redaction: Redaction) {
        if let Some(slot) = self.0.get_mut(entity.index()) {
            let merged = slot.map_or(redaction, |present| present.merge(redaction));
            *slot = Some(merged.enforce(entity));
        }
    }

    /// Adds every redaction of `other`; of two, the stricter holds.
    pub fn merge(&mut self, other: &Self) {
        for (entity, redaction) in other.iter() {
            self.add(entity, redaction);
        }
    }

    /// The redaction for `entity`.
    pub fn get(&self, entity: EntityType) -> Option<Redaction> {
        self.0.get(entity.index()).copied().flatten()
    }

    /// The redaction that applies to `finding`, its confidence considered.
    pub fn applies_to(&self, finding: &Finding) -> Option<Redaction> {
        self.get(finding.entity).filter(|redaction| finding.confidence.percent() >= redaction.min_confidence)
    }

    /// Whether nothing is redacted.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The kinds that have a redaction.
    pub fn entities(&self) -> EntitySet {
        self.iter().map(|(entity, _)| entity).collect()
    }

    /// Kind and redaction, in declaration order.
    pub fn iter(&self) -> impl Iterator<Item = (EntityType, Redaction)> + '_ {
        EntityType::ALL.into_iter().zip(self.0).filter_map(|(entity, slot)| slot.map(|r| (entity, r)))
    }
}

impl Serialize for RedactionPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for RedactionPlan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<EntityType, Redaction>::deserialize(deserializer)?;
        let mut plan = Self::empty();
        for (entity, redaction) in map {
            plan.add(entity, redaction);
        }
        Ok(plan)
    }
}

impl JsonSchema for RedactionPlan {
    fn schema_name() -> Cow<'static, str> {
        "RedactionPlan".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names = generator.subschema_for::<EntityType>();
        let redaction = generator.subschema_for::<Redaction>();
        json_schema!({ "type": "object", "propertyNames": names, "additionalProperties": redaction })
    }
}
