//! `policy plan`: recorded decisions, decided again with another bundle, with changed facts or with another compliance
//! database.
//!
//! Every recorded request is decided twice: by the policy that its record names by digest, and by the same catalog,
//! endpoints and kill switches with the new bundle, facts and database, at the time of the record. What differs is the bundle's and
//! the facts' doing and nothing else's. The first of the two must give what was recorded; where it does not, or where
//! something that a rule asks about was not recorded or is no longer kept, the decision is *undecidable* and counted as
//! such, never guessed.
//!
//! The records come out of the log's database or out of an export of it, and what they name by digest out of wherever it is
//! kept: a server's archive, or a folder.

mod exported;
mod fact_change;
mod policies;
mod price;
mod recorded;
mod report;
mod traffic;

use std::collections::BTreeMap;
use std::sync::Arc;

use bailiwick_policy::{Asked, Bundle, Change, Decision, compare};
use tokio_util::sync::CancellationToken;

pub use exported::{Exported, ExportedError};
pub use fact_change::{FactChanges, Wrong};
use policies::{Pair, Policies};
pub use price::Prices;
use recorded::{Recorded, Unreadable};
pub use report::{ByRule, ByScope, Cost, Counts, Example, PlanReport};
pub use traffic::Traffic;

use crate::snapshot::Kept;
use crate::store::{StoreError, replay};

/// With what recorded requests are decided again.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The new bundle; where absent each decision's own, so that the facts alone differ.
    pub bundle: Option<Arc<Bundle>>,
    /// Another compliance database; where absent each decision's own.
    pub database: Option<PlannedDatabase>,
    /// Changed facts.
    pub facts: FactChanges,
    /// Decisions of this scope and below.
    pub scope: String,
}

/// Another compliance database, without what a bundle adds.
#[derive(Debug, Clone)]
pub struct PlannedDatabase {
    /// Its files, by path.
    pub files: Arc<BTreeMap<String, String>>,
    /// Its version.
    pub version: String,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError<E: std::error::Error> {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The export.
    #[error(transparent)]
    Exported(#[from] ExportedError),
    /// What keeps what records name.
    #[error(transparent)]
    Kept(E),
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
}

/// Decides recorded requests again. It takes some tens of microseconds a decision, on a thread of its own.
///
/// # Errors
/// [`PlanError`].
pub async fn plan<K: Kept<Error: std::error::Error>>(
    mut traffic: Traffic,
    kept: &K,
    prices: Prices,
    plan: Plan,
    stop: &CancellationToken,
) -> Result<PlanReport, PlanError<K::Error>> {
    let mut planner = Planner {
        report: PlanReport::new(&plan, &traffic),
        policies: Policies::new(&plan),
        prices,
        scope: plan.scope,
    };
    loop {
        if stop.is_cancelled() {
            return Err(PlanError::Stopping);
        }
        let page = traffic.next(stop).await?;
        if page.is_empty() {
            return Ok(planner.report.finish());
        }
        for record in &page {
            // A broken record is told of when it is its turn.
            if let Ok(header) = record.header() {
                planner.policies.learn(kept, &header.digests).await.map_err(PlanError::Kept)?;
            }
        }
        let worked = crate::background::run(move || {
            for records in page.chunk_by(|one, other| one.decision == other.decision) {
                planner.decide_again(records);
            }
            planner
        });
        planner = worked.await.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    }
}

struct Planner {
    scope: String,
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
                if bailiwick_policy::scope::covers(&self.scope, &scope) {
                    self.report.undecidable(&scope, why);
                }
                return;
            }
        };
        let facts = &recorded.facts;
        if !bailiwick_policy::scope::covers(&self.scope, &facts.scope) {
            return;
        }
        let pair = match self.policies.at(&recorded.digests, facts.time_ms) {
            Ok(pair) => pair,
            Err(why) => {
                self.report.undecidable(&facts.scope, why);
                return;
            }
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
        let unlooked = Asked::not_looked_for(pair.new.bundle(), facts, pair.looked_for);
        if let Some(kind) = unlooked.iter().next() {
            self.report.undecidable(
                &facts.scope,
                format!("a rule asks about findings of {}, which were not looked for", kind.as_str()),
            );
            return;
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
