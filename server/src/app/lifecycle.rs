//! The server's own life in the audit log: when it started and with what, when it stopped in good order, and when another
//! policy came into force.

use bailiwick_ledger::{Draft, Kind};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::App;
use crate::audit::{AuditUnavailable, Entry};
use crate::gateway::record::{RecordError, Salts, section};
use crate::store::{self, StoreError};

/// The setting that names the bundle of the last `policy` record.
pub(super) const IN_FORCE: &str = "policy_recorded";

/// The section `start`.
#[derive(Debug, Serialize)]
struct Start<'a> {
    version: &'a str,
    /// SHA-256 of the configuration, without the database's address, which may hold a password.
    config: String,
    simulated: bool,
}

/// The section `stop`.
#[derive(Debug, Serialize)]
struct Stop {
    /// Attempts that were not settled within the grace period; the next start books them.
    unsettled: usize,
}

/// The section `policy`.
#[derive(Debug, Serialize)]
struct Policy<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Value>,
}

/// Why a start could not be recorded.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unrecorded {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Audit(#[from] AuditUnavailable),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the configuration has no digest: {0}")]
    Config(#[from] serde_json::Error),
}

impl App {
    /// Records that the server starts, and that a policy comes into force where it is another than the last one.
    pub(super) async fn started(&self) -> Result<(), Unrecorded> {
        let config = Sha256::digest(serde_json::to_vec(&self.config)?);
        let start = Start {
            version: env!("CARGO_PKG_VERSION"),
            config: format!("sha256:{}", hex::encode(config)),
            simulated: self.simulated,
        };
        self.append(Kind::Start, "start", &start).await?;
        if self.store.is_shared() {
            // Beside the key: from now on a database that knows nothing of this replica is told.
            self.gateway.audit.checkpoint().await?;
        }
        let snapshot = self.gateway.snapshot.load_full();
        let bundle = &snapshot.bundle_digest;
        let before = store::settings::get(&self.store, IN_FORCE).await?;
        let from = before.as_ref().and_then(serde_json::Value::as_str);
        if from != Some(bundle.as_str()) {
            let version = snapshot.version.as_ref().map(super::policy::told);
            self.append(Kind::Policy, "policy", &Policy { from, to: bundle, version }).await?;
            // A crash between the two records it once more, which says nothing wrong.
            store::settings::put(&self.store, IN_FORCE, bundle.as_str().into(), self.gateway.clock.now_ms())
                .await?;
        }
        Ok(())
    }

    /// Records that the server stops in good order.
    pub(super) async fn stopped(&self) -> Result<(), Unrecorded> {
        let unsettled = self.gateway.attempts.len();
        self.append(Kind::Stop, "stop", &Stop { unsettled }).await
    }

    pub(super) async fn append(
        &self,
        kind: Kind,
        name: &'static str,
        body: &impl Serialize,
    ) -> Result<(), Unrecorded> {
        let mut draft = Draft::new(kind, self.gateway.clock.now_ms()).scope("/");
        for (name, digest) in &self.gateway.snapshot.load().digests {
            draft = draft.digest(*name, digest.clone());
        }
        let draft = draft.section(section(name, body, &mut Salts::new(1))?);
        self.gateway.audit.append(Entry::new(draft)).await?;
        Ok(())
    }
}
