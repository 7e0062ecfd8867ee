//! The list of decisions: a row, a page of rows, and the filter that chose them.

use serde::{Deserialize, Serialize};

use super::Count;

/// How a request ended, or that it has not ended yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Decided, recorded and sent; the response is not finished.
    Running,
    /// Allowed and answered.
    Allowed,
    /// Refused by policy, budget or rate: nothing left.
    Denied,
    /// Allowed, but no endpoint answered, or the stream broke.
    Failed,
}

impl Outcome {
    /// Every outcome, in the order in which filters offer them.
    pub const ALL: [Self; 4] = [Self::Allowed, Self::Denied, Self::Failed, Self::Running];

    /// The name in URLs and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }

    /// The outcome with this [`Outcome::name`].
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// One decision in the list, and one event of the live stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DecisionRow {
    /// The decision's id, as in the header `x-bailiwick-decision`.
    pub id: String,
    /// When the request was decided.
    pub time_ms: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// The error's code where it was denied or failed, for example `policy_denied`.
    pub code: Option<String>,
    /// True for `x-bailiwick-dry-run: 1`: decided, never sent.
    pub dry_run: bool,
    /// The key's scope.
    pub scope: String,
    /// The key's name; none if it has been deleted.
    pub key: Option<String>,
    /// The model that the client asked for.
    pub model: Option<String>,
    /// The endpoint that answered, or was last tried.
    pub endpoint: Option<String>,
    /// ISO 3166-1 alpha-2 codes of the countries where that endpoint processes.
    pub countries: Vec<String>,
    /// True where that endpoint is a simulator.
    pub simulated: bool,
    /// What was redacted, by entity kind.
    pub redactions: Vec<Count>,
    /// Data classes of the request.
    pub data_classes: Vec<String>,
    /// The true cost; none while running or where nothing was sent.
    pub cost_nanos: Option<i64>,
    /// Time spent in the gateway itself: the whole minus waiting for the provider.
    pub overhead_micros: Option<u64>,
}

/// Which decisions to show, as read from the URL. Fields hold together by "and".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionFilter {
    /// Only this scope and those below it.
    pub scope: Option<String>,
    /// Only this outcome.
    pub outcome: Option<Outcome>,
    /// Only this model, by exact name.
    pub model: Option<String>,
    /// Only the virtual key with this id.
    pub key: Option<String>,
    /// Only what this endpoint answered, or was last tried.
    pub endpoint: Option<String>,
    /// Only where something of this kind of entity was redacted.
    pub kind: Option<String>,
    /// Only what was decided at or after this time.
    pub from_ms: Option<i64>,
    /// Only what was decided before this time.
    pub to_ms: Option<i64>,
    /// Free text: a decision's id, a key's name, an endpoint, a data class.
    pub q: Option<String>,
    /// The cursor: only decisions older than the one with this id.
    pub before: Option<String>,
}

impl DecisionFilter {
    /// True if any field but the cursor narrows the list.
    #[must_use]
    pub const fn narrows(&self) -> bool {
        self.scope.is_some()
            || self.outcome.is_some()
            || self.model.is_some()
            || self.q.is_some()
            || self.narrows_more()
    }

    /// True if a field narrows the list that pages show only when asked to.
    #[must_use]
    pub const fn narrows_more(&self) -> bool {
        self.key.is_some()
            || self.endpoint.is_some()
            || self.kind.is_some()
            || self.from_ms.is_some()
            || self.to_ms.is_some()
    }
}

/// One page of the list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionPage {
    /// The rows.
    pub rows: Vec<DecisionRow>,
    /// The cursor of the next, older page: a value for [`DecisionFilter::before`].
    pub next: Option<String>,
    /// Scopes that the viewer can filter by.
    pub scopes: Vec<String>,
    /// Models that the viewer can filter by.
    pub models: Vec<String>,
    /// Virtual keys that the viewer can filter by: id and name.
    pub keys: Vec<(String, String)>,
    /// Endpoints that the viewer can filter by.
    pub endpoints: Vec<String>,
    /// Kinds of entities that the viewer can filter by.
    pub kinds: Vec<String>,
    /// How many decisions were looked at, where that was given up before the page was full.
    pub looked: Option<u64>,
    /// Counts by equal steps of time, oldest first, of what the filter (without cursor) selects; empty hides the chart.
    pub activity: Vec<ActivityBucket>,
}

/// Decisions within one step of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActivityBucket {
    /// When the step begins.
    pub start_ms: i64,
    /// Allowed (and running).
    pub allowed: u32,
    /// Denied.
    pub denied: u32,
    /// Failed.
    pub failed: u32,
}
