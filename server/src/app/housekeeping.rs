//! What has to be done now and then.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

use super::App;
use crate::gateway::metrics;
use crate::store;

/// How often it is looked whether a snapshot's time is over (an attestation begins or ends, evidence grows too old).
const TICK: Duration = Duration::from_secs(1);
/// How often it is recorded what was refused without a record of its own, and the last use of keys written down.
const FLUSH: Duration = Duration::from_secs(60);

/// A system clock that is further behind was set back.
const SET_BACK_MS: i64 = 2_000;
/// How long a session is kept after its end: thirty days.
const SESSIONS_KEPT_MS: i64 = 30 * 86_400_000;
/// How long a key that was given in exchange for a token is kept after its end, so that whoever still uses it is told
/// that it has expired: an hour.
const EXCHANGED_KEPT_MS: i64 = 3_600_000;

/// Starts the tasks; they end with the server.
pub(super) fn start(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    let stopping = app.gateway.stopping.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {
                    let Some(app) = weak.upgrade() else { return };
                    let snapshot = app.gateway.snapshot.load_full();
                    let now_ms = snapshot.decide_at_ms.unwrap_or_else(|| app.gateway.clock.now_ms());
                    let over = snapshot.policy.valid_until_ms().is_some_and(|until| until <= now_ms);
                    let expired =
                        snapshot.kill_switches_until_ms.is_some_and(|until| until <= app.gateway.clock.now_ms());
                    let stale = app.stale.load(Ordering::Relaxed);
                    if (over || expired || stale) && let Err(error) = app.reload().await {
                        tracing::error!(%error, "the configuration could not be put in force; it is tried again");
                    }
                }
            }
        }
    });
    notes(app);
}

/// What is told to the log, or by it. A task of its own, so that no configuration waits for the log.
fn notes(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    let stopping = app.gateway.stopping.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut flush = tokio::time::interval(FLUSH);
        // Each server tells of the database that it started with itself.
        let mut told = false;
        // When it was last looked which attestations end.
        let mut looked: Option<Instant> = None;
        let mut set_back = false;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {
                    let Some(app) = weak.upgrade() else { return };
                    app.note_clock(&mut set_back);
                    app.end_acts().await;
                    told = told || app.note_compliance().await;
                    if app.is_on_duty() {
                        app.note_thresholds().await;
                        app.ask_about_kill_switches().await;
                        if looked.is_none_or(|at| at.elapsed() >= FLUSH) {
                            app.note_attestations().await;
                            looked = Some(Instant::now());
                        }
                    }
                }
                _ = flush.tick() => {
                    let Some(app) = weak.upgrade() else { return };
                    if let Err(error) = app.gateway.flush_refused().await {
                        tracing::warn!(%error, "what was refused could not be recorded");
                    }
                    app.note_key_use().await;
                    if app.is_on_duty() {
                        app.forget_sessions().await;
                        app.forget_exchanged().await;
                        app.forget_thoughts().await;
                    }
                }
            }
        }
    });
}

impl App {
    /// Tells when the system clock was set back or far ahead. Set back, the server's time stands still until it has
    /// caught up: windows of budgets and limits do not end, and nothing expires.
    fn note_clock(&self, told: &mut bool) {
        let (behind_ms, ahead_ms) = (self.gateway.clock.behind_ms(), self.gateway.clock.ahead_ms());
        metrics::clock(behind_ms, ahead_ms);
        let wrong = behind_ms >= SET_BACK_MS || ahead_ms > 0;
        if wrong && !std::mem::replace(told, wrong) {
            if ahead_ms > 0 {
                tracing::warn!(
                    ahead_ms,
                    "the system clock was set far ahead and is not followed: put it right, or start the server again to \
                     take it for the truth"
                );
            } else {
                tracing::warn!(
                    behind_ms,
                    "the system clock was set back, or was ahead before: time stands still here until it has caught up"
                );
            }
        }
        *told = wrong;
    }

    /// Deletes sessions that have been over for long: what was done in them is in the log.
    async fn forget_sessions(&self) {
        let before_ms = self.gateway.clock.now_ms() - SESSIONS_KEPT_MS;
        if let Err(error) = store::sessions::sweep(&self.store, before_ms).await {
            tracing::warn!(%error, "sessions that are over could not be deleted");
        }
    }

    /// Deletes keys of workloads that have ended: what was done with them is in the log.
    async fn forget_exchanged(&self) {
        let before_ms = self.gateway.clock.now_ms() - EXCHANGED_KEPT_MS;
        if let Err(error) = store::workloads::sweep(&self.store, before_ms).await {
            tracing::warn!(%error, "ended keys of workloads could not be deleted");
        }
    }

    /// Forgets thoughts that nobody goes on with any more.
    async fn forget_thoughts(&self) {
        if let Err(error) = self.gateway.sealed.forget(self.gateway.clock.now_ms()).await {
            tracing::warn!(%error, "old thoughts could not be forgotten");
        }
    }

    /// Writes down when keys were last used on this server, those that were used since it was done before.
    pub(super) async fn note_key_use(&self) {
        let snapshot = self.gateway.snapshot.load_full();
        let newest = snapshot.keys().map(|key| key.last_used_ms()).max().unwrap_or(0);
        let told = self.key_use_told.load(Ordering::Relaxed);
        let used: Vec<(String, i64)> = snapshot
            .keys()
            .filter(|key| key.last_used_ms() > told)
            .map(|key| (key.id.clone(), key.last_used_ms()))
            .collect();
        if used.is_empty() {
            return;
        }
        match store::keys::note_use(&self.store, &used).await {
            Ok(()) => self.key_use_told.store(newest, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "when keys were last used could not be written down"),
        }
    }
}
