//! Counts the traffic of hours that are over, so that pages tell of a month without reading its decisions.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::App;
use crate::store::{self, StoreError, traffic};

use traffic::HOUR_MS;

/// How often it is looked which hours are over.
const TICK: Duration = Duration::from_secs(30);
/// How long after its end an hour is counted: most of its requests have been answered by then.
const SETTLES_MS: i64 = 10 * 60_000;
/// How long after its end it is counted once more: requests that went on for long, and records that a server had to keep
/// to itself for a while, are in it then.
const AGAIN_MS: i64 = 24 * HOUR_MS;
/// How far back hours are counted that were not: what pages can ask for.
const BACK_MS: i64 = 32 * 24 * HOUR_MS;
/// How long what was counted is kept.
const KEPT_MS: i64 = 400 * 24 * HOUR_MS;
/// Hours counted in a row, so that a server that stops has not long to wait.
const AT_ONCE: usize = 48;

/// Before this instant hours are over and settled.
#[must_use]
pub fn settled_before(now_ms: i64) -> i64 {
    let at_ms = now_ms.saturating_sub(SETTLES_MS);
    at_ms.saturating_sub(at_ms.rem_euclid(HOUR_MS))
}

/// Which hours have to be counted at `now_ms`, the newest first. `first_ms` is when the first decision was made, `counted` which
/// hours were, and when.
fn due(now_ms: i64, first_ms: i64, counted: &[(i64, i64)]) -> Vec<i64> {
    let end_ms = settled_before(now_ms);
    let from_ms = first_ms.max(now_ms.saturating_sub(BACK_MS));
    let from_ms = from_ms.saturating_sub(from_ms.rem_euclid(HOUR_MS));
    let hours = end_ms.saturating_sub(from_ms).max(0) / HOUR_MS;
    (1..=hours)
        .map(|back| end_ms - back * HOUR_MS)
        .filter(|start_ms| {
            let again_ms = start_ms + HOUR_MS + AGAIN_MS;
            match counted.binary_search_by_key(start_ms, |(start_ms, _)| *start_ms) {
                Ok(at) => counted.get(at).is_some_and(|(_, at_ms)| *at_ms < again_ms && again_ms <= now_ms),
                Err(_) => true,
            }
        })
        .collect()
}

/// Starts the task; it ends with the server.
pub(super) fn start(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    let stopping = app.gateway.stopping.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {
                    let Some(app) = weak.upgrade() else { return };
                    if app.is_on_duty() && let Err(error) = app.count_traffic().await {
                        tracing::warn!(%error, "the traffic of past hours could not be counted; it is tried again");
                    }
                }
            }
        }
    });
}

impl App {
    /// Counts hours that are over and were not counted, or too early to be sure.
    ///
    /// # Errors
    /// What the database said; what was counted before it is kept.
    pub async fn count_traffic(&self) -> Result<(), StoreError> {
        let now_ms = self.gateway.clock.now_ms();
        let Some(first_ms) = traffic::first_ms(&self.store).await? else { return Ok(()) };
        let counted = traffic::counted(&self.store, now_ms.saturating_sub(BACK_MS + HOUR_MS), now_ms).await?;
        let due = due(now_ms, first_ms, &counted);
        if due.is_empty() {
            return Ok(());
        }
        for start_ms in due.into_iter().take(AT_ONCE) {
            if self.gateway.stopping.is_cancelled() {
                return Ok(());
            }
            let tallies = traffic::count(&self.store, start_ms, start_ms + HOUR_MS, HOUR_MS).await?;
            traffic::keep(&self.store, start_ms, now_ms, tallies).await?;
        }
        store::traffic::sweep(&self.store, now_ms.saturating_sub(KEPT_MS)).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22, 17:40 UTC.
    const NOW: i64 = 1_795_369_200_000;
    const HOUR: i64 = NOW - 40 * 60_000;

    #[test]
    fn an_hour_is_counted_when_it_has_settled_and_once_more_a_day_later() {
        assert_eq!(settled_before(NOW), HOUR);
        assert_eq!(settled_before(HOUR + SETTLES_MS - 1), HOUR - HOUR_MS);
        // Nothing before the first decision, the newest first.
        assert_eq!(due(NOW, HOUR - HOUR_MS - 1, &[]), [HOUR - HOUR_MS, HOUR - 2 * HOUR_MS]);
        assert_eq!(due(NOW, NOW, &[]), Vec::<i64>::new());
        let old = HOUR - 30 * HOUR_MS;
        let counted: Vec<(i64, i64)> =
            (0..30).map(|at| old + at * HOUR_MS).map(|start| (start, start + HOUR_MS + SETTLES_MS)).collect();
        let again = due(NOW, old, &counted);
        assert_eq!(again.first(), Some(&(HOUR - 25 * HOUR_MS)));
        assert_eq!((again.len(), again.last()), (6, Some(&old)));
        let counted: Vec<(i64, i64)> = counted.into_iter().map(|(start, _)| (start, NOW)).collect();
        assert_eq!(due(NOW, old, &counted), Vec::<i64>::new());
        // What is older than any page asks for stays uncounted.
        assert_eq!(due(NOW, 0, &[]).last().map(|start| NOW - start <= BACK_MS + HOUR_MS), Some(true));
    }
}
