//! `policy plan`: recorded decisions, decided again with another bundle.
//!
//! Every recorded request is decided twice: by the policy that its record names by digest, and by the same catalog,
//! endpoints and kill switches with the new bundle, at the time of the record. What differs is the bundle's doing and
//! nothing else's. The first of the two must give what was recorded; where it does not, or where something that a rule
//! asks about was not recorded or is no longer kept, the decision is *undecidable* and counted as such, never guessed.

mod policies;
mod price;
mod recorded;
mod report;

use std::sync::Arc;

use bailiwick_policy::{Asked, Bundle, Change, Decision, compare};
use tokio_util::sync::CancellationToken;

use crate::snapshot::Snapshot;
use crate::store::{Store, StoreError, replay};
use policies::{Pair, Policies};
use recorded::{Recorded, Unreadable};
pub use report::{ByRule, ByScope, Cost, Counts, Example, PlanReport};

/// Records read at a time: about 10 MB.
const PAGE: u64 = 4_000;
/// The kinds of records that tell of a request that was to be served, and of what came of it.
const KINDS: [&str; 3] = ["decision", "refusal", "outcome"];

/// Which decisions, and with what.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The new bundle.
    pub bundle: Arc<Bundle>,
    /// Decisions made at or after this time, Unix milliseconds.
    pub from_ms: i64,
    /// Decisions made before this time.
    pub until_ms: i64,
    /// Decisions of this scope and below.
    pub scope: String,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
}

/// Decides recorded requests again. `now` gives today's prices. It takes some tens of microseconds a decision, on a thread
/// of its own.
///
/// # Errors
/// [`PlanError`].
pub async fn plan(
    store: &Store,
    now: Arc<Snapshot>,
    now_ms: i64,
    plan: Plan,
    stop: &CancellationToken,
) -> Result<PlanReport, PlanError> {
    let mut after = replay::first_decision_of(plan.from_ms);
    let before = replay::first_decision_of(plan.until_ms);
    let mut planner = Planner {
        report: PlanReport::new(&plan),
        policies: Policies::new(Arc::clone(&plan.bundle)),
        prices: price::Prices { snapshot: now, now_ms },
        plan,
    };
    let mut limit = PAGE;
    loop {
        if stop.is_cancelled() {
            return Err(PlanError::Stopping);
        }
        let mut page = replay::page(store, &KINDS, &after, &before, limit).await?;
        let full = u64::try_from(page.len()).unwrap_or(u64::MAX) >= limit;
        if full {
            // The last decision may have records beyond the page.
            let last = page.last().map(|record| record.decision.clone()).unwrap_or_default();
            let whole = page.partition_point(|record| record.decision < last);
            if whole == 0 {
                limit = limit.saturating_mul(2);
                continue;
            }
            page.truncate(whole);
        }
        limit = PAGE;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.decision);
        for record in &page {
            // A broken record is told of when it is its turn.
            if let Ok(header) = record.header() {
                planner.policies.learn(store, &header.digests).await?;
            }
        }
        let worked = tokio::task::spawn_blocking(move || {
            for records in page.chunk_by(|one, other| one.decision == other.decision) {
                planner.decide_again(records);
            }
            planner
        });
        planner = worked.await.map_err(|error| StoreError::Corrupt(error.to_string()))?;
        if !full {
            break;
        }
    }
    Ok(planner.report.finish())
}

struct Planner {
    plan: Plan,
    policies: Policies,
    prices: price::Prices,
    report: PlanReport,
}

impl Planner {
    fn decide_again(&mut self, records: &[replay::DecisionRecord]) {
        let recorded = match Recorded::read(records) {
            Ok(recorded) => recorded,
            Err(Unreadable::NoDecision) => return,
            Err(Unreadable::Because(scope, why)) => {
                if bailiwick_policy::scope::covers(&self.plan.scope, &scope) {
                    self.report.undecidable(&scope, why);
                }
                return;
            }
        };
        let facts = &recorded.facts;
        if !bailiwick_policy::scope::covers(&self.plan.scope, &facts.scope) {
            return;
        }
        let Some(pair) = self.policies.at(&recorded.digests, facts.time_ms) else {
            self.report.undecidable(
                &facts.scope,
                "what it was decided with is no longer kept, or the new bundle does not go with it",
            );
            return;
        };
        let before = pair.old.decide(facts);
        if !recorded.is_reproduced_by(&pair.old, &before) {
            self.report.undecidable(&facts.scope, "the policy that it names does not decide as recorded");
            return;
        }
        self.report.reproduced();
        if !recorded.missing.is_empty() {
            let asked = Asked::by(pair.new.bundle(), facts).intersection(recorded.missing);
            if let Some(name) = asked.names().next() {
                self.report
                    .undecidable(&facts.scope, format!("a rule asks about {name}, which was not recorded"));
                return;
            }
        }
        match Verdict::of(&recorded, pair, &before) {
            Verdict::Same => self.report.same(&facts.scope),
            Verdict::Undecidable(why) => self.report.undecidable(&facts.scope, why),
            Verdict::Differs { change, rules, after } => {
                let cost = self.prices.difference(&recorded, change, &pair.new, &after);
                let example = || Example {
                    decision: recorded.id.clone(),
                    change,
                    request: format!("{} for {}", facts.model, facts.scope),
                    rules: rules.clone(),
                    went_to: recorded.went_to().map(str::to_owned),
                    eligible: pair.new.names(&after.eligible).map(str::to_owned).collect(),
                    why: pair.why(facts, change, &before, &after),
                };
                self.report.differs(&recorded, (change, &rules), cost, example);
            }
        }
    }
}

enum Verdict {
    Same,
    Undecidable(&'static str),
    Differs { change: Change, rules: Vec<String>, after: Box<Decision> },
}

/// The rule that access control is told as.
const ACCESS: &str = "rbac";

impl Verdict {
    fn of(recorded: &Recorded, pair: &mut Pair, before: &Decision) -> Self {
        let facts = &recorded.facts;
        let (may, might) = pair.access(facts);
        if recorded.refused_elsewhere(before) {
            // Access control, or a ceiling of the key's own: no rule's business.
            return if might && !may {
                Self::Undecidable(
                    "access control would allow the model; whether its key does was not recorded",
                )
            } else {
                Self::Same
            };
        }
        let after = Box::new(pair.new.decide(facts));
        if before.is_allowed() && may && !might {
            return Self::Differs { change: Change::NewlyRefused, rules: vec![ACCESS.to_owned()], after };
        }
        if !before.is_allowed() && !might {
            return Self::Same;
        }
        let went_to = recorded.went_to();
        match compare(facts, (&pair.old, before), (&pair.new, &after), went_to) {
            None => Self::Same,
            Some(difference) => Self::Differs { change: difference.change, rules: difference.rules, after },
        }
    }
}
