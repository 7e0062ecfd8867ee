//! What has to be done now and then.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::App;

/// How often it is looked whether a snapshot's time is over (an attestation begins or ends, evidence grows too old).
const TICK: Duration = Duration::from_secs(1);
/// How often refused authentication is recorded.
const FLUSH: Duration = Duration::from_secs(60);

/// Starts the tasks; they end with the server.
pub(super) fn start(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    let stopping = app.gateway.stopping.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(TICK);
        let mut flush = tokio::time::interval(FLUSH);
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
                    let stale = app.stale.load(std::sync::atomic::Ordering::Relaxed);
                    if (over || expired || stale) && let Err(error) = app.reload().await {
                        tracing::error!(%error, "the configuration could not be put in force; it is tried again");
                    }
                }
                _ = flush.tick() => {
                    let Some(app) = weak.upgrade() else { return };
                    let gateway = &app.gateway;
                    if let Err(error) = gateway.refused.flush(&gateway.audit, gateway.clock.now_ms()).await {
                        tracing::warn!(%error, "refused authentication could not be recorded");
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
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {
                    let Some(app) = weak.upgrade() else { return };
                    app.end_acts().await;
                    if app.is_on_duty() {
                        app.note_thresholds().await;
                        app.ask_about_kill_switches().await;
                    }
                }
            }
        }
    });
}
