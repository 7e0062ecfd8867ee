//! Follows the configuration in the database, whoever changes it: another server on it, or somebody by hand.
//!
//! The database raises a revision with every change (`store/revision.rs`). It is asked for four times a second, and when
//! another server says that it changed something; a new snapshot is built when it has moved, and now and then in any
//! case. A change in several steps may be followed step by step. A server that for `limits.staleness_seconds` gets no
//! answer, or one that it cannot put in force, refuses requests until it can: what it does not know may be a revocation.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, timeout};

use super::App;
use crate::snapshot::BuildError;
use crate::store;

/// How often the revision is asked for.
const POLL: Duration = Duration::from_millis(250);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(2);
/// How often a snapshot is built though nothing has moved.
const REBUILD: Duration = Duration::from_secs(30);

/// Starts the task; it ends with the server.
pub(super) fn start(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    let (stopping, changed) = (app.gateway.stopping.clone(), Arc::clone(&app.changed));
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(POLL);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut follower = Follower { failed: None, built: Instant::now(), silent: false };
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {}
                () = changed.notified() => {}
            }
            let Some(app) = weak.upgrade() else { return };
            follower.look(&app).await;
        }
    });
}

struct Follower {
    /// The revision that could not be put in force, and why; it is tried again at [`REBUILD`].
    failed: Option<(i64, String)>,
    built: Instant,
    /// Whether the log was told that the database is silent.
    silent: bool,
}

impl Follower {
    async fn look(&mut self, app: &App) {
        let asked = Instant::now();
        let answer = match timeout(ANSWER, store::revision::current(&app.store)).await {
            Ok(Ok(revision)) => self.follow(app, revision).await,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(String::from("the database is silent")),
        };
        match answer {
            Ok(()) => {
                app.gateway.freshness.confirm(asked);
                if std::mem::take(&mut self.silent) {
                    tracing::info!("the configuration can be followed again");
                }
            }
            Err(error) if !self.silent => {
                self.silent = true;
                tracing::warn!(error, "the configuration cannot be followed");
            }
            Err(_) => {}
        }
    }

    /// Fails where what is configured could not be read whole and put in force: others may decide by another policy by
    /// now, and a key that is in force here may be revoked.
    async fn follow(&mut self, app: &App, revision: i64) -> Result<(), String> {
        if self.built.elapsed() < REBUILD {
            match &self.failed {
                Some((failed, why)) if *failed == revision => return Err(why.clone()),
                None if revision == app.revision.load(Ordering::Relaxed) => return Ok(()),
                Some(_) | None => {}
            }
        }
        let done = app.reload().await;
        let why = done.as_ref().err().map(ToString::to_string);
        // A database that does not answer is asked again at once; what it said is looked at again after a while.
        if !matches!(done, Err(BuildError::Store(_))) {
            self.built = Instant::now();
            self.failed = why.clone().map(|why| (revision, why));
        }
        why.map_or(Ok(()), Err)
    }
}
