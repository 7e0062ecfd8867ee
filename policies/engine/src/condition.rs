//! When a rule applies.
//!
//! Conditions are three-valued. A condition about something that nobody declared is unknown, and since every
//! rule restricts, a rule applies unless one of its conditions is known to be false. There is no "not": a
//! negated condition would let an unknown, or a class that a client adds, switch a restriction off.

use crate::facts::Operation;
use bailiwick_compliance_db::FeatureSet;
use bailiwick_pii::{ClassSet, EntitySet, Sensitivity};
use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// How sensitive a request must be for the rule to apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum SensitivityCondition {
    /// This sensitive or more.
    AtLeast(AtLeast),
    /// Any of these. The list must reach up to `restricted`: a client may raise the sensitivity of a request, and
    /// would otherwise raise it past the rule.
    AnyOf(Vec<Sensitivity>),
}

// By hand, so that a wrong name is reported as such and not as "no variant matches".
impl<'de> Deserialize<'de> for SensitivityCondition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = SensitivityCondition;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`{ at_least: <sensitivity> }` or a list of sensitivities")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                AtLeast::deserialize(MapAccessDeserializer::new(map)).map(SensitivityCondition::AtLeast)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, levels: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(levels)).map(SensitivityCondition::AnyOf)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AtLeast {
    /// The least that will do.
    pub at_least: Sensitivity,
}

impl SensitivityCondition {
    /// The least sensitivity at which the rule applies.
    ///
    /// # Errors
    /// If a list does not hold every level from its least on.
    pub fn least(&self) -> Result<Sensitivity, String> {
        match self {
            Self::AtLeast(bound) => Ok(bound.at_least),
            Self::AnyOf(levels) => {
                let Some(least) = levels.iter().copied().min() else {
                    return Err("an empty list of sensitivities never applies".to_owned());
                };
                match Sensitivity::ALL.into_iter().find(|level| *level > least && !levels.contains(level)) {
                    None => Ok(least),
                    Some(gap) => Err(format!(
                        "the list leaves out `{gap}`, so that a request escapes the rule by being declared more sensitive; \
                         write `sensitivity: {{ at_least: {least} }}`"
                    )),
                }
            }
        }
    }
}

/// The conditions of a rule. All must hold; within one, any of the values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Data classes that the request holds, or may hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<ClassSet>,
    /// How sensitive it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensitivity: Option<SensitivityCondition>,
    /// Regions or countries of the people whom the data is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_region: Option<Vec<String>>,
    /// Regions or countries where the controller is established.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<Vec<String>>,
    /// Models, as clients name them; a closing `*` stands for the rest of a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Vec<String>>,
    /// Operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Vec<Operation>>,
    /// Purposes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Vec<String>>,
    /// What the request uses beyond plain text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features: Option<FeatureSet>,
    /// Tools that it offers the model; a closing `*` stands for the rest of a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<String>>,
    /// Kinds of findings in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entities: Option<EntitySet>,
    /// Roles that the principal holds, with or without the prefix `role:`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Vec<String>>,
}

impl When {
    /// Whether there is no condition.
    #[must_use]
    pub fn is_always(&self) -> bool {
        *self == Self::default()
    }
}

/// A role's name without its prefix.
pub(crate) fn role_name(role: &str) -> &str {
    role.strip_prefix("role:").unwrap_or(role)
}
