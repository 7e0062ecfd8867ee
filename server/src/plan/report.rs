//! What a plan found.

use std::collections::BTreeMap;

use bailiwick_policy::Change;
use serde::{Deserialize, Serialize};

use super::recorded::Recorded;
use super::{Plan, Traffic};

/// Examples told for each kind of change of each rule.
const EXAMPLES: usize = 3;

/// How many decisions change, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Allowed then, refused now.
    pub newly_refused: u64,
    /// Refused then, allowed now.
    pub newly_allowed: u64,
    /// Sent elsewhere: where it went is no longer eligible.
    pub rerouted: u64,
    /// Sent to the same endpoint; other endpoints, redactions or obligations differ.
    pub handled: u64,
    /// Nobody can say.
    pub undecidable: u64,
}

impl Counts {
    fn add(&mut self, change: Change) {
        let count = match change {
            Change::NewlyRefused => &mut self.newly_refused,
            Change::NewlyAllowed => &mut self.newly_allowed,
            Change::Rerouted => &mut self.rerouted,
            Change::Handled => &mut self.handled,
        };
        *count += 1;
    }
}

/// The changes that one rule makes. A decision that several rules change is counted with each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByRule {
    /// The rule: the new bundle's, or, of what is newly allowed, the one that refused it. `rbac` is access control.
    pub rule: String,
    /// How many.
    #[serde(flatten)]
    pub counts: Counts,
    /// A few of the decisions.
    pub examples: Vec<String>,
}

/// The changes in one scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByScope {
    /// The scope, exactly.
    pub scope: String,
    /// How many decisions.
    pub decisions: u64,
    /// How many change.
    #[serde(flatten)]
    pub counts: Counts,
}

/// What the changes cost, at today's prices and with the tokens that were used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Nano-dollars; below zero is saved.
    pub difference_nano: i64,
    /// Changed decisions of which nobody knows what they would cost.
    pub unknown: u64,
}

/// One decision that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The decision.
    pub decision: String,
    /// What changes.
    pub change: Change,
    /// The model and the scope.
    pub request: String,
    /// By which rules.
    pub rules: Vec<String>,
    /// Where it went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub went_to: Option<String>,
    /// Where it could go.
    pub eligible: Vec<String>,
    /// Why, in a sentence.
    pub why: String,
}

/// What a bundle, or a fact, would have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanReport {
    /// The new bundle's name and version; absent where each decision is decided again by its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// Its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The facts that are changed for the plan, each in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// The version of the compliance database that is planned with; absent where each decision has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// From when on, Unix milliseconds.
    pub from_ms: i64,
    /// Until when.
    pub until_ms: i64,
    /// Records of the file that it shows nothing of but their hashes: nobody knows what they tell of.
    #[serde(default, skip_serializing_if = "is_none")]
    pub only_hashes: u64,
    /// Decisions that were looked at.
    pub decisions: u64,
    /// Of them, decided again by their own policy exactly as recorded.
    pub reproduced: u64,
    /// Of them, nothing changes.
    pub same: u64,
    /// What changes.
    #[serde(flatten)]
    pub counts: Counts,
    /// What it costs.
    pub cost: Cost,
    /// By rule, most changes first.
    pub by_rule: Vec<ByRule>,
    /// By scope, in their order.
    pub by_scope: Vec<ByScope>,
    /// Why decisions are undecidable, with how many are.
    pub undecidable_because: BTreeMap<String, u64>,
    /// A few decisions of each kind of change and rule.
    pub examples: Vec<Example>,
    #[serde(skip)]
    scopes: BTreeMap<String, (u64, Counts)>,
    #[serde(skip)]
    rules: BTreeMap<String, (Counts, Vec<String>)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

impl PlanReport {
    pub(super) fn new(plan: &Plan, traffic: &Traffic) -> Self {
        let (from_ms, until_ms) = traffic.span_ms();
        let bundle = plan.bundle.as_ref();
        Self {
            bundle: bundle.map(|bundle| format!("{} {}", bundle.name, bundle.version)),
            digest: bundle.map(|bundle| bundle.digest.clone()),
            facts: plan.facts.told.clone(),
            database: plan.database.as_ref().map(|database| database.version.clone()),
            from_ms,
            until_ms,
            only_hashes: traffic.only_hashes(),
            decisions: 0,
            reproduced: 0,
            same: 0,
            counts: Counts::default(),
            cost: Cost::default(),
            by_rule: Vec::new(),
            by_scope: Vec::new(),
            undecidable_because: BTreeMap::new(),
            examples: Vec::new(),
            scopes: BTreeMap::new(),
            rules: BTreeMap::new(),
        }
    }

    fn in_scope(&mut self, scope: &str) -> &mut Counts {
        self.decisions += 1;
        if !self.scopes.contains_key(scope) {
            self.scopes.insert(scope.to_owned(), Default::default());
        }
        let (decisions, counts) = self.scopes.entry(scope.to_owned()).or_default();
        *decisions += 1;
        counts
    }

    pub(super) fn reproduced(&mut self) {
        self.reproduced += 1;
    }

    pub(super) fn same(&mut self, scope: &str) {
        self.in_scope(scope);
        self.same += 1;
    }

    pub(super) fn undecidable(&mut self, scope: &str, why: impl Into<String>) {
        self.in_scope(scope).undecidable += 1;
        self.counts.undecidable += 1;
        *self.undecidable_because.entry(why.into()).or_default() += 1;
    }

    /// Counts a change; `example` is asked for where there are few like it.
    pub(super) fn differs(
        &mut self,
        recorded: &Recorded,
        (change, rules): (Change, &[String]),
        cost_nano: Option<i64>,
        example: impl FnOnce() -> Example,
    ) {
        self.in_scope(&recorded.facts.scope).add(change);
        self.counts.add(change);
        match cost_nano {
            Some(nano) => self.cost.difference_nano = self.cost.difference_nano.saturating_add(nano),
            None => self.cost.unknown += 1,
        }
        for rule in rules {
            let (counts, examples) = self.rules.entry(rule.clone()).or_default();
            counts.add(change);
            if examples.len() < EXAMPLES {
                examples.push(recorded.id.clone());
            }
        }
        let alike = self.examples.iter().filter(|one| one.change == change && one.rules == rules).count();
        if alike < EXAMPLES {
            self.examples.push(example());
        }
    }

    pub(super) fn finish(mut self) -> Self {
        let total =
            |counts: &Counts| counts.newly_refused + counts.newly_allowed + counts.rerouted + counts.handled;
        self.by_rule = std::mem::take(&mut self.rules)
            .into_iter()
            .map(|(rule, (counts, examples))| ByRule { rule, counts, examples })
            .collect();
        self.by_rule.sort_by_key(|by| std::cmp::Reverse(total(&by.counts)));
        self.by_scope = std::mem::take(&mut self.scopes)
            .into_iter()
            .map(|(scope, (decisions, counts))| ByScope { scope, decisions, counts })
            .collect();
        self.examples.sort_by_key(|example| example.change);
        self
    }
}
