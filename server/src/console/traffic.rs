//! Traffic in numbers, for the overview: hours that are over as they were counted, and what came since, counted now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bailiwick_ui::view::{ActivityBucket, Range, Traffic};

use crate::app::App;
use crate::app::traffic::settled_before;
use crate::audit::AuditError;
use crate::store::traffic::{self, HOUR_MS, REDACTED, Tally};

/// The steps by which what came since is counted: the shortest that a page shows.
const STEP_MS: i64 = 300_000;
/// How long what was counted is told again without a look.
const FRESH: Duration = Duration::from_secs(2);
/// For how long it may be told while it is counted anew, where that takes its time.
const STALE: Duration = Duration::from_secs(60);
/// What takes longer to count is counted beside the page.
const SLOW: Duration = Duration::from_millis(40);
/// How many hours may be late to be counted before a page goes without them.
const LATE_HOURS: i64 = 2;

/// What was counted last of the time that is not over.
#[derive(Debug, Default)]
pub(super) struct Recent {
    last: Mutex<Option<Counted>>,
    under_way: AtomicBool,
}

#[derive(Debug, Clone)]
struct Counted {
    from_ms: i64,
    at: Instant,
    took: Duration,
    tallies: Arc<[Tally]>,
}

impl Recent {
    /// Decisions since `from_ms`.
    async fn since(self: &Arc<Self>, app: &Arc<App>, from_ms: i64) -> Result<Arc<[Tally]>, AuditError> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(last) = last.filter(|last| last.from_ms <= from_ms) {
            let age = last.at.elapsed();
            if age < FRESH {
                return Ok(last.tallies);
            }
            if age < STALE && last.took > SLOW {
                if !self.under_way.swap(true, Ordering::AcqRel) {
                    let (of, app) = (Arc::clone(self), Arc::clone(app));
                    tokio::spawn(async move {
                        if let Err(error) = of.count(&app, from_ms).await {
                            tracing::warn!(%error, "the traffic of this hour could not be counted");
                        }
                        of.under_way.store(false, Ordering::Release);
                    });
                }
                return Ok(last.tallies);
            }
        }
        self.count(app, from_ms).await
    }

    async fn count(&self, app: &App, from_ms: i64) -> Result<Arc<[Tally]>, AuditError> {
        let began = Instant::now();
        let tallies: Arc<[Tally]> = app.gateway.audit.traffic(from_ms, i64::MAX, STEP_MS).await?.into();
        let counted =
            Counted { from_ms, at: Instant::now(), took: began.elapsed(), tallies: Arc::clone(&tallies) };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
        Ok(tallies)
    }
}

/// The traffic of a range in `scopes` and below, where `sees` says so.
pub(super) async fn of(
    app: &Arc<App>,
    recent: &Arc<Recent>,
    range: Range,
    scopes: &[String],
    sees: &(impl Fn(&str) -> bool + Sync),
) -> Result<Traffic, AuditError> {
    let now_ms = app.gateway.clock.now_ms();
    let (step_ms, count) = range.steps();
    let from_ms = range.from_ms(now_ms);
    let settled_ms = settled_before(now_ms);
    let hours: BTreeSet<i64> = traffic::counted(&app.store, from_ms.min(settled_ms) - HOUR_MS, settled_ms)
        .await?
        .into_iter()
        .map(|(start_ms, _)| start_ms)
        .collect();
    // What was counted up to, where that is not long ago; an hour that is over now may not have been counted yet.
    let end_ms = hours.last().map_or(settled_ms, |start_ms| start_ms + HOUR_MS);
    let since_ms = if end_ms >= settled_ms - LATE_HOURS * HOUR_MS { end_ms } else { settled_ms };
    // What a page of the last hour asks for is in what every page counts.
    let newest = recent.since(app, since_ms.min(Range::Hour.from_ms(now_ms))).await?;
    let oldest = if step_ms < HOUR_MS {
        Vec::new()
    } else {
        traffic::kept(&app.store, (from_ms, since_ms), step_ms, scopes).await?
    };
    let uncounted_hours = if step_ms < HOUR_MS || from_ms >= since_ms {
        0
    } else {
        let first_ms = traffic::first_ms(&app.store).await?.unwrap_or(since_ms).max(from_ms);
        let first_ms = first_ms - first_ms.rem_euclid(HOUR_MS);
        let wanted = ((since_ms - first_ms) / HOUR_MS).max(0);
        let there = hours.range(first_ms..since_ms.max(first_ms)).count();
        u32::try_from(wanted).unwrap_or(u32::MAX).saturating_sub(u32::try_from(there).unwrap_or(u32::MAX))
    };
    let since_ms = if step_ms < HOUR_MS { from_ms } else { since_ms };
    let newest = newest.iter().filter(|tally| tally.start_ms >= since_ms.max(from_ms));
    let within =
        |scope: &str| scopes.iter().any(|top| bailiwick_policy::scope::covers(top, scope)) && sees(scope);
    let mut traffic =
        sum(newest.chain(&oldest).filter(|tally| within(&tally.scope)), from_ms, step_ms, count);
    traffic.uncounted_hours = uncounted_hours;
    Ok(traffic)
}

fn sum<'t>(tallies: impl Iterator<Item = &'t Tally>, from_ms: i64, step_ms: i64, count: i64) -> Traffic {
    let mut steps: Vec<ActivityBucket> = (0..count)
        .map(|at| ActivityBucket { start_ms: from_ms + at * step_ms, allowed: 0, denied: 0, failed: 0 })
        .collect();
    let mut traffic = Traffic { from_ms, to_ms: from_ms + count * step_ms, ..Traffic::default() };
    let mut redactions: BTreeMap<&str, u64> = BTreeMap::new();
    for tally in tallies {
        let many = u64::try_from(tally.count).unwrap_or(0);
        if let Some(kind) = tally.what.strip_prefix(REDACTED) {
            let of = redactions.entry(kind).or_default();
            *of = of.saturating_add(many);
            continue;
        }
        traffic.cost_nanos = traffic.cost_nanos.saturating_add(tally.cost_nano);
        // A decision that was made as an hour began can be counted with it and be a moment older.
        let at = usize::try_from((tally.start_ms - from_ms).max(0) / step_ms).unwrap_or(usize::MAX);
        let at = at.min(steps.len().saturating_sub(1));
        let Some(step) = steps.get_mut(at) else { continue };
        let few = u32::try_from(many).unwrap_or(u32::MAX);
        let (sum, of_step) = match tally.what.as_str() {
            "allowed" => (&mut traffic.allowed, Some(&mut step.allowed)),
            "running" => (&mut traffic.running, Some(&mut step.allowed)),
            "denied" => (&mut traffic.denied, Some(&mut step.denied)),
            "failed" => (&mut traffic.failed, Some(&mut step.failed)),
            _ => (&mut traffic.dry_runs, None),
        };
        *sum = sum.saturating_add(many);
        if let Some(of_step) = of_step {
            *of_step = of_step.saturating_add(few);
        }
    }
    traffic.steps = steps;
    traffic.redactions = redactions.into_iter().map(|(kind, count)| (kind.to_owned(), count)).collect();
    traffic.redactions.sort_by(|(a, more), (b, less)| less.cmp(more).then(a.cmp(b)));
    traffic
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(start_ms: i64, what: &str, count: i64, cost_nano: i64) -> Tally {
        Tally { start_ms, scope: String::from("/a"), what: what.to_owned(), count, cost_nano }
    }

    #[test]
    fn numbers_add_up_by_step_and_outcome() {
        let tallies = [
            tally(100, "allowed", 3, 30),
            tally(105, "running", 1, 0),
            tally(110, "denied", 2, 0),
            tally(119, "dry_denied", 4, 0),
            tally(99, "failed", 1, 5),
            tally(110, "redacted:IBAN", 7, 0),
            tally(100, "redacted:EMAIL", 4, 0),
            tally(110, "redacted:EMAIL", 3, 0),
        ];
        let traffic = sum(tallies.iter(), 100, 10, 3);
        assert_eq!((traffic.from_ms, traffic.to_ms), (100, 130));
        assert_eq!((traffic.requests(), traffic.dry_runs, traffic.cost_nanos), (7, 4, 35));
        let steps: Vec<_> =
            traffic.steps.iter().map(|step| (step.allowed, step.denied, step.failed)).collect();
        assert_eq!(steps, [(4, 0, 1), (0, 2, 0), (0, 0, 0)]);
        assert_eq!(traffic.redactions, [("EMAIL".to_owned(), 7), ("IBAN".to_owned(), 7)]);
        assert_eq!(traffic.redacted(), 14);
    }
}
