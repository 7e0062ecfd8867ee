//! The result of deciding one request.

use crate::endpoint_set::EndpointSet;
use bailiwick_pii::RedactionPlan;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The index of a rule in [`Bundle::rules`](crate::Bundle::rules).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleIndex(pub u32);

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenyCode {
    /// A rule refuses it, whatever the endpoint.
    PolicyDenied,
    /// No endpoint for the model meets what the rules require.
    NoEligibleEndpoint,
}

impl DenyCode {
    /// The code that clients see.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PolicyDenied => "policy_denied",
            Self::NoEligibleEndpoint => "no_eligible_endpoint",
        }
    }
}

/// Allow or deny.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It may go to the eligible endpoints, of which there is at least one.
    Allow,
    /// It may go nowhere.
    Deny {
        /// Why.
        code: DenyCode,
    },
}

/// What must be done if the request is allowed. The strictest of all rules that apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Obligations {
    /// Neither answer from a cache nor put into one.
    pub cache_denied: bool,
    /// Log no content.
    pub log_content_denied: bool,
    /// The most output tokens that may be asked for.
    pub max_output_tokens: Option<u32>,
    /// Keep the records at least this many days.
    pub retain_days: Option<u32>,
}

/// A rule in shadow mode that would have made a difference had it been enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// The rule.
    pub rule: RuleIndex,
    /// Whether it would have refused the request.
    pub would_deny: bool,
    /// Which eligible endpoints it would have excluded.
    pub would_exclude: EndpointSet,
    /// What else it would have changed of the request, had it been allowed.
    pub would_change: SmallVec<[Handled; 1]>,
}

/// Something of how an allowed request is handled that a rule changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handled {
    /// Findings that the request holds are redacted, or otherwise than they are.
    RequestRedactions,
    /// Findings of some kind in the response are, should there be any.
    ResponseRedactions,
    /// Fewer output tokens may be asked for.
    OutputLimit,
    /// Something else must be done: not caching, not logging content, keeping records for longer.
    Obligations,
}

impl Handled {
    /// Its name in records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestRedactions => "request_redactions",
            Self::ResponseRedactions => "response_redactions",
            Self::OutputLimit => "output_limit",
            Self::Obligations => "obligations",
        }
    }
}

/// A rule that would have applied but for an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiver {
    /// The rule.
    pub rule: RuleIndex,
    /// The index of the exception in [`Bundle::exceptions`](crate::Bundle::exceptions).
    pub exception: u32,
}

/// What the rules say about one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Allow or deny.
    pub outcome: Outcome,
    /// The endpoints that serve the model and operation to the scope and that access control leaves the principal.
    pub candidates: EndpointSet,
    /// Those of them that the request may go to. Empty if it is denied.
    pub eligible: EndpointSet,
    /// The enforced rules that applied, in the bundle's order.
    pub rules: SmallVec<[RuleIndex; 8]>,
    /// Those of them that refuse the request whatever the endpoint.
    pub denied_by: SmallVec<[RuleIndex; 2]>,
    /// The kill switches that took a candidate away: indexes into
    /// [`Compiled::kill_switches`](crate::Compiled::kill_switches).
    pub stopped_by: SmallVec<[u32; 1]>,
    /// The rules waived by a valid exception.
    pub waived: SmallVec<[Waiver; 1]>,
    /// What rules in shadow mode would have changed.
    pub shadow: Vec<Shadow>,
    /// The rules that ask for another detector.
    pub analyzed_by: SmallVec<[RuleIndex; 1]>,
    /// What is done to findings on the way to the provider.
    pub request_redactions: RedactionPlan,
    /// What is done to findings on the way back.
    pub response_redactions: RedactionPlan,
    /// What else must be done.
    pub obligations: Obligations,
}

impl Decision {
    /// Whether the request may go anywhere.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.outcome == Outcome::Allow
    }
}
