//! One policy statement: when it applies, what it asks, and why.
//!
//! Every rule only restricts. Nothing here can make an endpoint eligible: that takes access control, or an
//! [`Exception`](crate::Exception) from one rule.

use crate::condition::When;
use crate::decision::Obligations;
use crate::require::Require;
use bailiwick_pii::{EntitySet, How};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a rule is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Applied.
    #[default]
    Enforce,
    /// Evaluated and reported, not applied.
    Shadow,
    /// Neither.
    Off,
}

/// Which way a text goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the client to the provider.
    Request,
    /// From the provider to the client.
    Response,
    /// Both ways.
    #[default]
    Both,
}

/// What is done to findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redact {
    /// Which findings.
    pub entities: EntitySet,
    /// What replaces them: `drop > mask > hash > token > surrogate`; of two rules the stronger wins.
    pub how: How,
    /// Which way.
    #[serde(default)]
    pub direction: Direction,
    /// Where the value is put back on the way to the same client; only for `token` and `surrogate`.
    #[serde(default)]
    pub restore: Restore,
    /// Findings below this confidence, in percent, are left alone.
    #[serde(default)]
    #[schemars(range(max = 100))]
    pub min_confidence: u8,
    /// Keeps the first three digits of a ZIP code where 45 CFR 164.514(b)(2)(i)(B) lets them stay; 000 elsewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub zip3: bool,
    /// Ends the answer where such a finding begins; for `direction: response`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stop: bool,
}

/// Where a redacted value is put back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// In the text of the answer.
    #[serde(default)]
    pub text: bool,
    /// In the arguments of tool calls, from where it may go on to other systems.
    #[serde(default)]
    pub tool_arguments: bool,
}

/// What a rule forbids to do with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Forbid {
    /// It must not be done.
    Deny,
}

/// What must be done, or not, if the request is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleObligations {
    /// `deny`: neither answered from a cache nor put into one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<Forbid>,
    /// `deny`: no content of prompt or answer is logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_content: Option<Forbid>,
    /// Keep the records of the request at least this many days (2190 for six years).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_days: Option<u32>,
}

impl RuleObligations {
    /// The obligations of a decision as a rule writes them.
    #[must_use]
    pub fn of(held: &Obligations) -> Self {
        let forbidden = |denied: bool| denied.then_some(Forbid::Deny);
        Self {
            cache: forbidden(held.cache_denied),
            log_content: forbidden(held.log_content_denied),
            retain_days: held.retain_days,
        }
    }

    /// Whether it obliges to nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One policy statement, as written in `rules/*.yaml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique name within the bundle: lower-case letters, digits and hyphens.
    pub id: String,
    /// One line for people.
    pub title: String,
    /// Where the rule comes from: laws by article, contracts, house policies. At least one.
    pub because: Vec<String>,
    /// Whether it is applied.
    #[serde(default)]
    pub mode: Mode,
    /// Where it holds, and below. The root if absent.
    #[serde(default = "root")]
    pub scope: String,
    /// When it applies: all conditions must hold, and one that is unknown holds. Always, if absent.
    #[serde(default, skip_serializing_if = "When::is_always")]
    pub when: When,
    /// What an endpoint must offer to be eligible; what is unknown of it, it does not offer.
    #[serde(default, skip_serializing_if = "Require::is_empty")]
    pub require: Require,
    /// What is done to findings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redact: Option<Redact>,
    /// Refuses the request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deny: bool,
    /// The only models that may be asked for; a closing `*` stands for the rest of a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_models: Option<Vec<String>>,
    /// Refuses requests that offer one of these tools; a closing `*` stands for the rest of a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deny_tools: Option<Vec<String>>,
    /// Caps the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit_output_tokens: Option<u32>,
    /// Has another detector read the request: the name under which endpoints for `analyze` serve it. What it finds counts like
    /// what is found here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analyze: Option<String>,
    /// What must be done, or not, if the request is allowed.
    #[serde(default, skip_serializing_if = "RuleObligations::is_empty")]
    pub obligations: RuleObligations,
    /// What the client is told when the rule is the reason for a refusal; `{model}` and `{scope}` are filled in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The file that it stands in.
    #[serde(skip)]
    pub file: String,
    /// The line that it begins on, from 1; 0 where nobody knows.
    #[serde(skip)]
    pub line: usize,
    /// The pack that it comes from, if any.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

/// Where a rule of a pack comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The pack and its version, such as `hipaa 2026.11.1`.
    pub pack: String,
    /// The mode that the pack gives it, where the bundle gave it another.
    pub switched_from: Option<Mode>,
}

/// Where the bundle says nothing else: everywhere.
pub(crate) fn root() -> String {
    "/".to_owned()
}

impl Mode {
    /// The name used in rules.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

impl Rule {
    /// The kinds of findings that it asks about or redacts.
    #[must_use]
    pub fn entities(&self) -> EntitySet {
        let redacted = self.redact.as_ref().map(|redact| redact.entities).unwrap_or_default();
        self.when.entities.unwrap_or_default().union(redacted)
    }

    /// Whether it asks anything at all.
    #[must_use]
    pub fn has_body(&self) -> bool {
        !self.require.is_empty()
            || self.redact.is_some()
            || self.deny
            || self.allow_models.is_some()
            || self.deny_tools.is_some()
            || self.limit_output_tokens.is_some()
            || self.analyze.is_some()
            || !self.obligations.is_empty()
    }
}
