//! What a bundle may set about a pack, and how it gets into the pack's rules.

use crate::problem::{Problem, did_you_mean};
use crate::require::regions;
use bailiwick_pii::{EntitySet, EntityType};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What values a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// A whole number from 0 on.
    Number,
    /// A list of regions and countries.
    Regions,
    /// A list of names.
    Names,
    /// A list of kinds of findings, and of groups of them.
    Entities,
    /// One name.
    Name,
}

/// Something that a bundle may set. Its rules write it as `${name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What it decides.
    pub means: String,
    /// What values it takes.
    pub kind: ParameterKind,
    /// Its value where the bundle sets none.
    pub default: Value,
    /// For a number: the least that will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u32>,
    /// For a number: the most that will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u32>,
    /// For names: those to choose from. For regions: those within which all must lie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Vec<String>>,
}

impl Parameter {
    /// Says what is wrong with a value, or nothing.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        match self.kind {
            ParameterKind::Number => {
                let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
                let number = number.ok_or_else(|| format!("{value} is no whole number from 0 on"))?;
                match (self.at_least, self.at_most) {
                    (Some(least), _) if number < least => Err(format!("{number} is less than {least}")),
                    (_, Some(most)) if number > most => Err(format!("{number} is more than {most}")),
                    _ => Ok(()),
                }
            }
            ParameterKind::Name => {
                let name = value.as_str().ok_or_else(|| format!("{value} is no name"))?;
                self.known(name)
            }
            ParameterKind::Entities => names(value)?.iter().try_for_each(|name| {
                if name.parse::<EntityType>().is_ok() || EntitySet::group(name).is_some() {
                    return Ok(());
                }
                let known = EntityType::ALL.iter().map(|entity| entity.as_str()).chain(EntitySet::GROUPS);
                let near = did_you_mean(name, known).map(|near| format!("; did you mean `{near}`?"));
                Err(format!("`{name}` is no kind of finding{}", near.unwrap_or_default()))
            }),
            ParameterKind::Names => names(value)?.iter().try_for_each(|name| self.known(name)),
            ParameterKind::Regions => {
                let written = regions(&names(value)?).map_err(|errors| errors.join("; "))?;
                match self.within.as_ref().map(|within| (within, regions(within))) {
                    Some((within, Ok(allowed))) if !written.is_subset(allowed) => {
                        Err(format!("{value} is not within {}", within.join(", ")))
                    }
                    Some((_, Err(errors))) => Err(errors.join("; ")),
                    _ => Ok(()),
                }
            }
        }
    }

    fn known(&self, name: &str) -> Result<(), String> {
        let Some(known) = &self.within else { return Ok(()) };
        if known.iter().any(|k| k == name) {
            return Ok(());
        }
        match did_you_mean(name, known.iter().map(String::as_str)) {
            Some(near) => Err(format!("`{name}` is not one of {}; did you mean `{near}`?", known.join(", "))),
            None => Err(format!("`{name}` is not one of {}", known.join(", "))),
        }
    }
}

fn names(value: &Value) -> Result<Vec<String>, String> {
    let wrong = || format!("{value} is no list of names");
    let list = value.as_array().filter(|list| !list.is_empty()).ok_or_else(wrong)?;
    list.iter()
        .map(|name| name.as_str().filter(|name| !name.is_empty()).map(str::to_owned).ok_or_else(wrong))
        .collect()
}

/// The text of a rules file with its parameters filled in. Lines stay where they are: a value is written as JSON, which
/// is YAML and has no line breaks.
pub(super) fn fill(
    file: &str,
    text: &str,
    values: &BTreeMap<String, Value>,
    problems: &mut Vec<Problem>,
) -> String {
    let mut out = String::with_capacity(text.len());
    for (number, line) in (1..).zip(text.lines()) {
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("${") {
            out.push_str(before);
            let Some((name, after)) = after.split_once('}') else {
                let what = "`${` without a `}`";
                problems.push(Problem::error(file, what, "write `${name}`").at(number, None));
                rest = "";
                break;
            };
            match values.get(name) {
                Some(value) => out.push_str(&value.to_string()),
                None => {
                    let fix = match did_you_mean(name, values.keys().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "add it to the parameters in pack.yaml".to_owned(),
                    };
                    let what = format!("there is no parameter `{name}`");
                    problems.push(Problem::error(file, what, fix).at(number, None));
                }
            }
            rest = after;
        }
        out.push_str(rest);
        out.push('\n');
    }
    out
}
