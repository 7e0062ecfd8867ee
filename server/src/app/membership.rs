//! This server among the replicas of one database: it says that it is there, notices who is not, and does what one of
//! them has to do for all.
//!
//! A replica that is silent for [`SILENT`] is stopped for good: its epoch is raised, and no commit of its can succeed
//! any more, whether it died, was paused or lost the database. Who leads is no vote: it is the live replica with the
//! lowest number. Two may believe it for a moment; what a leader does is safe for two (see `audit/sequencer.rs`), or
//! happens only to replicas that are stopped, through commits that a stopped leader cannot make.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, timeout};

use super::{App, recover};
use crate::store::replicas::{self, PROTOCOL, Peer, State};
use crate::store::{Store, StoreError};

/// How often a replica says that it is there.
const BEAT: Duration = Duration::from_secs(1);
/// How long a replica may be silent before it is stopped. Another takes over what it did within this and two beats.
pub(super) const SILENT: Duration = Duration::from_secs(6);

/// A replica judges others only when it has been seen for so long itself: after the database was away for all of them,
/// whoever reaches it first must not stop the rest.
const STEADY: Duration = Duration::from_secs(3);
/// A replica that could not say for so long that it is there, and could if it had another connection, begins anew: the
/// database has moved to another machine, and nobody has told the connections to the old one.
const STUCK: Duration = Duration::from_secs(15);
/// A longer time between two beats is a gap.
const GAP: Duration = Duration::from_millis(2_500);

/// Starts the task; it ends with the server, or when this replica is stopped.
pub(super) fn start(app: &Arc<App>, duty: watch::Sender<bool>) {
    let stopping = app.gateway.stopping.clone();
    let weak = Arc::downgrade(app);
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(BEAT);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut member = Member { weak, duty, seen: Instant::now(), steady: Instant::now(), booking: None };
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => if !member.beat().await { return },
            }
        }
    });
}

struct Member {
    weak: Weak<App>,
    duty: watch::Sender<bool>,
    /// When this replica last knew that it was seen.
    seen: Instant,
    /// Since when it has been seen without a gap.
    steady: Instant,
    booking: Option<tokio::task::JoinHandle<()>>,
}

impl Member {
    /// `false` where this replica is stopped, or the server gone.
    async fn beat(&mut self) -> bool {
        let Some(app) = self.weak.upgrade() else { return false };
        let me = app.gateway.audit.replica();
        let began = Instant::now();
        match timeout(SILENT, replicas::beat(&app.store, me)).await {
            Ok(Ok(true)) => {
                if began.duration_since(self.seen) > GAP {
                    self.steady = began;
                }
                self.seen = began;
            }
            Ok(Ok(false)) => {
                self.duty.send_replace(false);
                tracing::error!("this replica was silent for so long that another one stopped it");
                app.gateway.budgets.fence();
                app.fenced.cancel();
                return false;
            }
            Ok(Err(error)) => tracing::warn!(%error, "this replica cannot say that it is there"),
            Err(_) => tracing::warn!("this replica cannot say that it is there: the database is silent"),
        }
        if self.seen.elapsed() >= SILENT {
            // Somebody else may be at it by now.
            self.duty.send_replace(false);
            if self.seen.elapsed() >= STUCK && app.store.is_reachable().await {
                tracing::error!("the database answers, but not on the connections of this replica");
                app.gateway.budgets.fence();
                app.fenced.cancel();
                return false;
            }
            return true;
        }
        let told = timeout(SILENT, app.gateway.audit.begin_spool()).await;
        let told = told.unwrap_or_else(|_| Err(StoreError::Unavailable("the database is silent".into())));
        if let Err(error) = &told {
            tracing::debug!(%error, "the others do not know of the spool yet");
        }
        let judges = self.steady.elapsed() >= STEADY;
        let looked = timeout(SILENT, look(&app.store, me.number.get(), judges, told.unwrap_or(false))).await;
        match looked.unwrap_or_else(|_| Err(StoreError::Unavailable("the database is silent".into()))) {
            Ok((leads, fenced)) => {
                self.duty.send_if_modified(|duty| std::mem::replace(duty, leads) != leads);
                if leads
                    && !fenced.is_empty()
                    && self.booking.as_ref().is_none_or(tokio::task::JoinHandle::is_finished)
                {
                    let app = Arc::clone(&app);
                    self.booking = Some(tokio::spawn(async move { book(&app, fenced).await }));
                }
            }
            Err(error) => tracing::warn!(%error, "this replica cannot see the others"),
        }
        true
    }
}

/// Whether the replica number `me` leads, and who is stopped and not booked. One that `judges` stops who is silent. Where
/// the others `heed` spools, none may be there that does not: one of an older version that was about to begin when the
/// schema was changed is stopped.
async fn look(store: &Store, me: i64, judges: bool, heed: bool) -> Result<(bool, Vec<Peer>), StoreError> {
    let silent_ms = i64::try_from(SILENT.as_millis()).unwrap_or(i64::MAX);
    let peers = replicas::peers(store).await?;
    let mut fenced = Vec::new();
    let mut leader = None;
    for peer in peers {
        match peer.state {
            State::Live if heed && peer.protocol < PROTOCOL => {
                replicas::stop(store, peer.number).await?;
                tracing::error!(replica = peer.number.get(), "a server of an older version was stopped");
            }
            State::Live if peer.silent_ms < silent_ms || peer.number.get() == me => {
                leader = leader.or(Some(peer.number.get()));
            }
            State::Live => {
                if judges && replicas::fence(store, peer, silent_ms).await? {
                    tracing::warn!(
                        replica = peer.number.get(),
                        silent_ms = peer.silent_ms,
                        "a silent replica was stopped"
                    );
                } else {
                    // Until it is stopped, and it was seen just now if it could not be, what it does is its.
                    leader = leader.or(Some(peer.number.get()));
                }
            }
            // What may be in its spool comes first: see `predecessor`.
            State::Fenced if peer.spools => {}
            State::Fenced => fenced.push(peer),
            State::Gone => {}
        }
    }
    Ok((leader == Some(me), fenced))
}

/// Books what stopped replicas left open.
async fn book(app: &App, fenced: Vec<Peer>) {
    for peer in fenced {
        let number = peer.number.get();
        match recover::book_replica(app, peer).await {
            Ok(booked) => {
                tracing::info!(replica = number, booked, "what a stopped replica left open is booked");
            }
            Err(error) => {
                tracing::warn!(replica = number, %error, "what a stopped replica left open is not booked yet; it is tried again");
            }
        }
    }
}
