//! One decision with everything that explains it.

use serde::{Deserialize, Serialize};

use super::{Count, DecisionRow};

/// The decision page's data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    /// The summary, as in the list.
    pub row: DecisionRow,
    /// The route that was called, for example `POST /v1/chat/completions`.
    pub route: String,
    /// True if the client asked for a stream.
    pub stream: bool,
    /// Why it was refused or failed.
    pub refusal: Option<Refusal>,
    /// The way through the stages, in order.
    pub stages: Vec<StageTiming>,
    /// From the first byte in to the last byte out.
    pub total_micros: Option<u64>,
    /// Part of it spent waiting for providers.
    pub provider_micros: Option<u64>,
    /// What the request held.
    pub request: RequestView,
    /// What was redacted, by which rule.
    pub redactions: Vec<RedactionView>,
    /// What had to be done because it was allowed, in plain names, for example `cache: deny`.
    pub obligations: Vec<ObligationView>,
    /// Rules that applied.
    pub rules: Vec<RuleView>,
    /// Every candidate endpoint, eligible ones first and in the order of the route.
    pub endpoints: Vec<EndpointView>,
    /// Attempts in order.
    pub attempts: Vec<AttemptView>,
    /// What it cost.
    pub money: Option<MoneyView>,
    /// What named inputs the decision was made from.
    pub inputs: Vec<InputView>,
    /// Its records in the audit log, oldest first.
    pub records: Vec<RecordView>,
    /// The signed tree head that covers the records; none until the next one is signed.
    pub checkpoint: Option<CheckpointView>,
    /// Where the receipt's JSON is served to this viewer, a path on this server; none until a checkpoint covers the records.
    pub receipt_url: Option<String>,
    /// The log's public key as a C2SP verifier key (`origin+hash+base64`).
    pub verifier_key: Option<String>,
}

/// Why a request was refused or failed, and the way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The code of the error that the client got, for example `no_eligible_endpoint`.
    pub code: String,
    /// HTTP status.
    pub status: u16,
    /// The message that the client got.
    pub message: String,
    /// The nearest way to make it pass.
    pub fix: Option<String>,
}

/// How long one stage took, and when it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageTiming {
    /// The stage's name, for example `classify`.
    pub stage: String,
    /// Microseconds from the request's first byte to the stage's begin.
    pub start_micros: u64,
    /// Microseconds that it took.
    pub micros: u64,
    /// True for time spent waiting for a provider, which is not the gateway's own.
    pub provider: bool,
}

/// What the request held, never the text itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestView {
    /// Bytes of the body.
    pub body_bytes: u64,
    /// Text spans that were scanned.
    pub spans: u32,
    /// Findings by entity kind.
    pub findings: Vec<Count>,
    /// Findings in the response by entity kind.
    pub response_findings: Vec<Count>,
    /// Data classes, and where each came from (`detected`, `header`, `key`, `scope`).
    pub data_classes: Vec<Declared>,
    /// `public`, `internal`, `confidential` or `restricted`.
    pub sensitivity: String,
    /// Regions of the people whom the data is about, and where each came from; empty means that nobody declared any.
    pub subject_regions: Vec<Declared>,
    /// The declared purpose.
    pub purpose: Option<String>,
    /// Who the client says the user is: attribution, not identity.
    pub user: Option<String>,
}

/// A value together with who declared it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declared {
    /// The value.
    pub value: String,
    /// Who said so: `detected`, `header`, `key`, `scope`, `directory`.
    pub source: String,
}

/// One redaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedactionView {
    /// Entity kind, for example `IBAN`.
    pub entity: String,
    /// How many.
    pub count: u32,
    /// `drop`, `mask`, `hash`, `token` or `surrogate`.
    pub how: String,
    /// Id of the rule that asked for it.
    pub rule: String,
}

/// One obligation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObligationView {
    /// What, for example `cache`.
    pub name: String,
    /// How, for example `deny`.
    pub value: String,
    /// Id of the rule that asked for it.
    pub rule: String,
}

/// A rule that applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleView {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Why the rule exists, as its author wrote it.
    pub because: Vec<String>,
    /// `enforce` or `shadow`.
    pub mode: String,
    /// The scope that it holds for.
    pub scope: String,
}

/// One candidate endpoint and what the decision said of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointView {
    /// Its name.
    pub name: String,
    /// The provider's name.
    pub provider: String,
    /// The model as the endpoint calls it.
    pub model: String,
    /// Region or profile, for example `swedencentral`.
    pub region: Option<String>,
    /// ISO codes of the countries where it processes; empty means unknown.
    pub countries: Vec<String>,
    /// True for a simulator.
    pub simulated: bool,
    /// Whether the decision lets the request go there.
    pub eligible: bool,
    /// Its place in the route's order from 1; none if it is not in it.
    pub rank: Option<u32>,
    /// Why it is excluded; empty if it is eligible, or if what it was decided from is not at hand any more.
    pub exclusions: Vec<Exclusion>,
}

/// One reason for which an endpoint is excluded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Id of the rule; none where something other than a rule excludes it (a kill switch, a missing capability).
    pub rule: Option<String>,
    /// The reason in words.
    pub reason: String,
    /// The attribute that was asked about, for example `processing_countries`.
    pub attribute: Option<String>,
    /// What the rule requires, for example `within EU, EEA`.
    pub required: Option<String>,
    /// What the endpoint has, for example `US`; none means unknown.
    pub actual: Option<String>,
    /// The facts that say so.
    pub evidence: Vec<EvidenceView>,
    /// What is missing to make it eligible under this rule.
    pub fix: Option<String>,
}

/// The evidence of a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceView {
    /// Where it is published; only `https:` and `http:` become links.
    pub url: String,
    /// What it says, paraphrased.
    pub says: String,
    /// The date on which it was read, `YYYY-MM-DD`.
    pub observed: String,
}

/// One try at one endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptView {
    /// From 1.
    pub number: u32,
    /// The endpoint's name.
    pub endpoint: String,
    /// How it ended, for example `answered`, `upstream_timeout`.
    pub outcome: String,
    /// True if it answered in full.
    pub ok: bool,
    /// The provider's HTTP status.
    pub status: Option<u16>,
    /// From sending to the first byte back.
    pub first_byte_micros: Option<u64>,
    /// From sending to the end.
    pub micros: Option<u64>,
}

/// Money and tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoneyView {
    /// Held before the attempt, the worst case.
    pub reserved_nanos: i64,
    /// Booked after it; none while running.
    pub settled_nanos: Option<i64>,
    /// Input tokens.
    pub input_tokens: Option<u64>,
    /// Output tokens.
    pub output_tokens: Option<u64>,
    /// True if the provider reported the usage, false if it is our upper bound.
    pub reported: bool,
    /// The budgets it was booked on, nearest scope first.
    pub budgets: Vec<BudgetView>,
}

/// One budget that the request was booked on, as it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetView {
    /// Scope or key that holds it.
    pub holder: String,
    /// Its window, for example `month`.
    pub window: String,
    /// Spent within the window.
    pub spent_nanos: i64,
    /// Its limit.
    pub limit_nanos: i64,
}

/// A named input of the decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputView {
    /// `bundle`, `catalog`, `attestations`, `engine`, `detectors`.
    pub name: String,
    /// Its digest or version.
    pub value: String,
}

/// One record of the decision in the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordView {
    /// Its kind, for example `decision`.
    pub kind: String,
    /// When it was made.
    pub time_ms: i64,
    /// Its place in the tree from 0; none until it is integrated.
    pub leaf_index: Option<u64>,
    /// Its leaf hash.
    pub leaf_hash: String,
    /// Its sections.
    pub sections: Vec<SectionView>,
}

/// One section of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SectionView {
    /// Its name, for example `facts`.
    pub name: String,
    /// Its salted commitment.
    pub commitment: String,
    /// True if the viewer's receipt holds its text.
    pub disclosed: bool,
}

/// A signed tree head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointView {
    /// The log's origin.
    pub origin: String,
    /// Leaves in the tree.
    pub size: u64,
    /// Root hash.
    pub root: String,
    /// When it was signed.
    pub time_ms: i64,
}
