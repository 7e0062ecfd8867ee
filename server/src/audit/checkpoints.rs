//! Signing tree heads, and remembering the last one outside the database.
//!
//! A checkpoint signs only what is committed, at most one a second while the log grows. The last one also goes
//! to a file beside the key: a database that was cut or put back from an old copy is then seen at the next
//! start. What was appended after the last checkpoint (at most about a second) and cut off before the next is
//! seen only where a witness, an export or a receipt holds more.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_ledger::merkle::Frontier;
use bailiwick_ledger::{Checkpoint, PublicKey, SignedCheckpoint, Signer};
use tokio::time::Instant;

use crate::store::commit::NewCheckpoint;

/// Least time between two checkpoints that nobody asked for.
const INTERVAL: Duration = Duration::from_secs(1);
/// Of the checkpoints of one hour only the last is kept.
const HOUR_MS: i64 = 3_600_000;

/// Signs and remembers.
#[derive(Debug)]
pub(super) struct Checkpoints {
    signer: Arc<Signer>,
    file: Option<PathBuf>,
    last: Option<(SignedCheckpoint, i64)>,
    signed_at: Option<Instant>,
}

impl Checkpoints {
    pub(super) fn new(
        signer: Arc<Signer>,
        file: Option<PathBuf>,
        last: Option<(SignedCheckpoint, i64)>,
    ) -> Self {
        Self { signer, file, last, signed_at: None }
    }

    /// By what its signatures are verified.
    pub(super) fn key(&self) -> &PublicKey {
        self.signer.public()
    }

    /// The last checkpoint.
    pub(super) fn last(&self) -> Option<&SignedCheckpoint> {
        self.last.as_ref().map(|(checkpoint, _)| checkpoint)
    }

    /// Another replica signed `signed`.
    pub(super) fn learn(&mut self, signed: &SignedCheckpoint, time_ms: i64) {
        if self.behind(signed.unverified().size) {
            self.last = Some((signed.clone(), time_ms));
        }
    }

    /// Whether the tree has grown since the last one.
    pub(super) fn behind(&self, size: u64) -> bool {
        self.last().is_none_or(|last| last.unverified().size < size)
    }

    /// When the next one is due, in a log of `size` leaves.
    pub(super) fn due(&self, size: u64, now: Instant) -> Option<Instant> {
        if size == 0 || !self.behind(size) {
            return None;
        }
        Some(self.signed_at.and_then(|at| at.checked_add(INTERVAL)).unwrap_or(now))
    }

    /// Signs the committed tree; `None` where that would go below the last checkpoint.
    pub(super) fn sign(&self, frontier: &Frontier, now_ms: i64) -> Option<(SignedCheckpoint, NewCheckpoint)> {
        let size = frontier.size();
        let last = self.last.as_ref();
        if last.is_some_and(|(last, _)| last.unverified().size > size) {
            tracing::error!(size, "the audit log is shorter than its last checkpoint: not signing");
            return None;
        }
        let checkpoint =
            Checkpoint { origin: self.signer.public().name().clone(), size, root: frontier.root() };
        let signed = match checkpoint.sign(&self.signer) {
            Ok(signed) => signed,
            Err(err) => {
                tracing::error!(%err, "signing a checkpoint");
                return None;
            }
        };
        let same_hour = |(_, time_ms): &&(SignedCheckpoint, i64)| {
            time_ms.div_euclid(HOUR_MS) == now_ms.div_euclid(HOUR_MS)
        };
        let replaces = last
            .filter(same_hour)
            .map(|(last, _)| last.unverified().size)
            .filter(|replaced| *replaced != size);
        let new = NewCheckpoint { size, note: signed.to_string(), time_ms: now_ms, replaces };
        Some((signed, new))
    }

    /// The checkpoint is committed.
    pub(super) async fn committed(&mut self, signed: SignedCheckpoint, time_ms: i64) {
        if let Some(file) = self.file.clone() {
            let note = signed.to_string();
            // The appends of this batch have been answered already; the next batch waits for it.
            let written = tokio::task::spawn_blocking(move || {
                use std::io::Write as _;
                let path = file.with_extension("new");
                let mut new = std::fs::File::create(&path)?;
                new.write_all(note.as_bytes())?;
                // Or a disk that fails now leaves the new name with nothing in it, and no start on that.
                new.sync_data()?;
                std::fs::rename(&path, &file)
            });
            match written.await {
                Ok(Ok(())) => {}
                Ok(Err(err)) => tracing::warn!(%err, "the last checkpoint could not be kept beside the key"),
                Err(err) => tracing::warn!(%err, "the last checkpoint could not be kept beside the key"),
            }
        }
        self.last = Some((signed, time_ms));
        self.signed_at = Some(Instant::now());
    }
}
