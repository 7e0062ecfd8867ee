//! Why the log cannot be opened or asked.

use bailiwick_ledger::ExportError;

use super::AuditUnavailable;
use super::SpoolError;
use crate::store::StoreError;

/// Why a log is not opened. The server must not serve without it.
#[derive(Debug, thiserror::Error)]
pub enum AuditOpenError {
    /// The database cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signing key.
    #[error("the key of the audit log: {0}")]
    Key(String),
    /// The spool.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// What the database holds is not what was signed before: it was changed, cut, or an old copy was put back.
    #[error(
        "the audit log does not continue what was signed before: {0}. Nothing is served, because going on would \
         hide this. Keep the files as they are, compare them with the last export or backup, and put back the \
         newest complete copy. Where a part is lost for good, `bailiwick backup` of what is there and `bailiwick \
         restore --accept-loss` of that end this log and begin another, which says so"
    )]
    Broken(String),
}

/// Why the log does not answer.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A record had to be written first and was not.
    #[error(transparent)]
    Unavailable(#[from] AuditUnavailable),
    /// The export.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// There is no such decision.
    #[error("no decision {0} in the log")]
    NotFound(String),
    /// A proof could not be made.
    #[error("cannot prove it: {0}")]
    Proof(String),
    /// The receipt or record could not be put together.
    #[error("{0}")]
    Record(#[from] bailiwick_ledger::RecordError),
    /// The task that did the work was ended.
    #[error("the work was ended: the server is shutting down")]
    Ended,
}
