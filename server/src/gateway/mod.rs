//! The request's way, a file a stage.
//!
//! `authenticate` → `read` → `classify` → `decide` → `route`, then for each attempt `fund` → `record` → `forward`, then
//! `respond` and `settle`. Each stage takes the value that the one before made, and only the stage itself can make its
//! value: what is `Recorded` was recorded. [`serve`] is the way itself, [`api`] its two ends in HTTP.

mod analyze;
pub mod api;
mod api_headers;
pub mod authenticate;
mod ceiling;
pub mod classify;
pub mod decide;
pub mod document;
mod dry_run;
pub mod forward;
mod freshness;
pub mod fund;
mod large;
pub mod media;
mod members;
pub mod metrics;
mod overlaps;
mod pdf;
pub mod pseudonym;
pub mod read;
pub mod record;
pub mod redaction;
pub mod refusal;
mod refused_authentication;
pub mod respond;
pub mod rewrite;
pub mod route;
pub mod sealed;
pub mod serve;
pub mod settle;
pub mod spans;
mod stopped;
pub mod timeline;
pub mod translate;
mod uncached;
mod unread;

use std::sync::Arc;

use arc_swap::ArcSwap;
use bailiwick_pii::TokenKey;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use freshness::Freshness;
pub use pseudonym::{Named, PseudonymKey};
pub use read::BodyLimits;
pub use refusal::{Code, Excluded, Refusal};
pub use refused_authentication::RefusedAuthentication;
pub use sealed::SealedThoughts;
pub use unread::Unread;

use crate::audit::Audit;
use crate::budgets::Budgets;
use crate::clock::Clock;
use crate::keys::TrustedProxies;
use crate::providers::UpstreamClient;
use crate::snapshot::Snapshot;

/// What every request shares.
#[derive(Debug)]
pub struct Gateway {
    /// The configuration in force.
    pub snapshot: ArcSwap<Snapshot>,
    /// When it was last known to be what is configured.
    pub freshness: Freshness,
    /// The audit log.
    pub audit: Audit,
    /// Budgets of this replica.
    pub budgets: Budgets,
    /// Connections to providers.
    pub client: UpstreamClient,
    /// Time.
    pub clock: Clock,
    /// Limits on what clients send.
    pub limits: BodyLimits,
    /// Proxies whose word about a client's address counts.
    pub trusted_proxies: TrustedProxies,
    /// The secret that placeholders are derived from.
    pub token_key: TokenKey,
    /// What the names that clients give to people become in the log.
    pub pseudonyms: PseudonymKey,
    /// Thoughts of models that their clients will send back.
    pub sealed: SealedThoughts,
    /// Attempts that are under way; shutdown waits for them.
    pub attempts: TaskTracker,
    /// Cancelled when the server must stop at once.
    pub stopping: CancellationToken,
    /// Cancelled when the server is asked to stop: streams without end (the live list) end.
    pub stopping_live: CancellationToken,
    /// Refused authentication, counted for the log.
    pub refused: RefusedAuthentication,
    /// Requests that were refused before there was a decision, counted for the log.
    pub unread: Unread,
}

impl Gateway {
    /// Records what was refused since the last time without a record of its own.
    ///
    /// # Errors
    /// [`RecordError`](record::RecordError); what is not recorded is kept for the next time.
    pub async fn flush_refused(&self) -> Result<(), record::RecordError> {
        let now_ms = self.clock.now_ms();
        let authentication = self.refused.flush(&self.audit, now_ms).await;
        self.unread.flush(&self.audit, now_ms).await.and(authentication)
    }

    /// The snapshot to decide a request by.
    ///
    /// # Errors
    /// A [`Refusal`] where it may be out of date: see [`Freshness`].
    pub fn in_force(&self) -> Result<Arc<Snapshot>, Refusal> {
        if self.freshness.is_stale() {
            let silent_s = self.freshness.age().as_secs();
            return Err(Refusal::new(
                Code::Unavailable,
                format!("for {silent_s} s this server could not ask its database what is configured, so it serves nobody"),
            )
            .fix("try again, or ask another server; this one serves again by itself once its database answers"));
        }
        Ok(self.snapshot.load_full())
    }
}
