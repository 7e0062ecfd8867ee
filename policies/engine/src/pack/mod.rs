//! Packs: rules for one regulation, with their tests, to include in a bundle and to narrow there.
//!
//! A pack lies in the bundle's own folder, under `packs/<name>/`: so the bundle's digest covers it, its history and its
//! reviews are Git's, and another version of this program changes no policy. `bundle.yaml` includes it for a scope, sets
//! its parameters within the bounds that the pack states, and may put a rule of it into another mode, which the lint and
//! every explanation then say. A pack can't be widened beyond what it states, and what a bundle adds in rules of its own
//! only restricts further.

mod include;
mod parameter;
mod shipped;

use crate::bundle::Bundle;
use crate::rule::{Mode, root};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) use include::{folder, idle, load};
pub use parameter::{Parameter, ParameterKind};
pub use shipped::{shipped_pack, shipped_packs};

/// What `pack.yaml` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PackManifest {
    /// The pack's name: that of its folder.
    pub name: String,
    /// Its version, as its authors count.
    pub version: String,
    /// What it is for, in a line.
    pub title: String,
    /// The law, standard or policy that it follows, with addresses.
    pub because: Vec<String>,
    /// What a bundle may set.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// What the regulation asks for besides and no rule can hold.
    #[serde(default)]
    pub beyond: Vec<String>,
}

/// A pack that a bundle includes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Include {
    /// The pack: a folder under `packs/`.
    pub pack: String,
    /// What stands before its rules' ids, as in `hipaa/phi-needs-a-baa`; the pack's name if absent. To include a pack
    /// twice takes two.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Where its rules hold, and below. The root if absent.
    #[serde(default = "root")]
    pub scope: String,
    /// Values of its parameters; the pack's defaults where absent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// Rules in another mode than the pack gives them, by their id in the pack.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub modes: BTreeMap<String, Mode>,
}

/// A pack as a bundle includes it.
#[derive(Clone, Debug)]
pub struct IncludedPack {
    /// What stands before its rules' ids.
    pub alias: String,
    /// What its `pack.yaml` says.
    pub manifest: PackManifest,
    /// Where its rules hold.
    pub scope: String,
    /// The values of its parameters that are not the pack's own.
    pub parameters: BTreeMap<String, serde_json::Value>,
    /// How the copy in the bundle compares with the pack of that name that ships with this program.
    pub copy: PackCopy,
    /// The pack by itself, with its defaults: what its own tests are about.
    pub alone: Arc<Bundle>,
    /// The line of `bundle.yaml` that includes it; 0 where nobody knows.
    pub line: usize,
}

/// How a bundle's copy of a pack compares with the one of that name that ships.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackCopy {
    /// File by file the same.
    Same,
    /// Of another version than the one that ships.
    OtherVersion(String),
    /// Of the version that ships, with other text in these files.
    Edited(Vec<String>),
    /// None of that name ships.
    Own,
}

impl IncludedPack {
    /// Whether a rule of the bundle comes from this include.
    pub(crate) fn owns(&self, rule: &str) -> bool {
        rule.split_once('/').is_some_and(|(alias, _)| alias == self.alias)
    }
}
