//! Everything that a server keeps, moved from one place to another: to another database, into a backup, out of one.
//!
//! What arrives is compared row by row with what left, and its log is hashed anew from the leaves up and compared with
//! every checkpoint that is at hand, before anybody may serve it. Nothing that is there already is written over.

mod backup;
mod evidence;
mod format;
mod migrate;
mod restore;

use std::path::{Path, PathBuf};

use bailiwick_ledger::{LogId, PublicKey, Signer};

use crate::app::{DatabaseUrl, StartError};
use crate::audit::{AuditError, AuditOpenError, AuditUnavailable, load_or_create_key};
use crate::store::{Location, Store, StoreError};

pub use self::backup::{BackedUp, backup};
pub use self::evidence::checkpoints_in;
pub use self::migrate::{Moved, migrate};
pub use self::restore::{RestoreRequest, Restored, restore};

/// Why nothing was moved, or not all. The text tells the way out.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// It must not be done, or not so.
    #[error("{0}")]
    Refused(String),
    /// A database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log is not what was signed.
    #[error(transparent)]
    Log(#[from] AuditOpenError),
    /// The data directory.
    #[error(transparent)]
    Directory(#[from] StartError),
    /// A file.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the operating system said.
        why: std::io::Error,
    },
}

impl TransferError {
    fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |why| Self::File { path, why }
    }
}

impl From<AuditError> for TransferError {
    fn from(error: AuditError) -> Self {
        Self::Log(AuditOpenError::Store(StoreError::Unavailable(error.to_string())))
    }
}

impl From<AuditUnavailable> for TransferError {
    fn from(error: AuditUnavailable) -> Self {
        AuditError::from(error).into()
    }
}

fn refused(why: impl Into<String>) -> TransferError {
    TransferError::Refused(why.into())
}

/// What a server is told of where its things are.
#[derive(Clone, Debug)]
pub struct Place {
    /// The data directory, with the secrets.
    pub data_dir: PathBuf,
    /// The database; a file in the data directory where absent.
    pub database_url: Option<DatabaseUrl>,
}

impl Place {
    /// Where its database is.
    fn database(&self) -> Result<Location, StoreError> {
        match &self.database_url {
            Some(url) => Location::of(url.as_str()),
            None => Ok(Location::File(self.data_dir.join("bailiwick.db"))),
        }
    }

    /// Opens its database, which is made where it is a file that does not exist.
    async fn open(&self) -> Result<Store, StoreError> {
        match &self.database_url {
            Some(url) => Store::open(url.as_str()).await,
            None => Store::open_file(&self.data_dir.join("bailiwick.db")).await,
        }
    }

    /// The last checkpoint that its server has seen.
    fn checkpoint(&self) -> PathBuf {
        self.data_dir.join("checkpoint")
    }

    /// The key of its log, which must exist.
    fn public_key(&self, log: &str) -> Result<PublicKey, TransferError> {
        let path = self.data_dir.join("log.key");
        if !path.exists() {
            return Err(refused(format!(
                "{} is missing: the log can be neither verified nor continued without its key. Name the data directory \
                 of the server whose database this is, or put the key back from where it is kept",
                path.display()
            )));
        }
        let log = LogId::new(log).map_err(|err| refused(format!("the log's id `{log}`: {err}")))?;
        Ok(Signer::new(log, load_or_create_key(&path)?).public().clone())
    }
}
