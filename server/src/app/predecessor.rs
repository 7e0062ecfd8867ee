//! The process that ran in this data directory before. Who holds the directory's lock knows that it has ended, and need
//! not wait until it is missed: it is stopped at once, and what it left open is booked with the start.
//!
//! A file says which replica it was, of which log, and which file the lock was. A directory that was copied has another
//! lock: the replica that is named in the copy runs elsewhere.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bailiwick_ledger::LogId;
use tokio::time::{Instant, sleep};

use super::StartError;
use crate::store::replicas::{self, ReplicaNumber};
use crate::store::{Store, StoreError};

/// How long a start waits until what was left open is booked. Where another replica leads, that one does it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(50);

/// Where a data directory says which replica runs in it.
pub(super) struct Place {
    path: PathBuf,
    /// What a line of it must begin with.
    owner: Option<String>,
}

impl Place {
    /// Of the directory that `lock` locks, for the log `log`.
    pub(super) fn new(data_dir: &Path, lock: &File, log: &LogId) -> Self {
        Self { path: data_dir.join("replica"), owner: identity(lock).map(|lock| format!("{log} {lock} ")) }
    }

    /// The replica that ran here before.
    fn read(&self) -> Option<ReplicaNumber> {
        let text = std::fs::read_to_string(&self.path).ok()?;
        text.strip_prefix(self.owner.as_deref()?)?.trim().parse().ok().map(ReplicaNumber::new)
    }

    /// Says that `replica` runs here now.
    pub(super) fn write(&self, replica: ReplicaNumber) -> Result<(), StartError> {
        let Some(owner) = &self.owner else { return Ok(()) };
        super::write_private(&self.path, &format!("{owner}{}", replica.get())).map_err(|error| {
            StartError::System { what: self.path.display().to_string(), why: error.to_string() }
        })
    }

    /// Stops the replica that ran here before, if it did not take its leave.
    pub(super) async fn stop(&self, store: &Store) -> Result<Option<ReplicaNumber>, StoreError> {
        let Some(before) = self.read() else { return Ok(None) };
        replicas::stop(store, before).await?;
        Ok(Some(before))
    }
}

/// Waits until everything is booked that `replica` left open, or somebody else has to be relied on for that.
pub(super) async fn booked(store: &Store, replica: ReplicaNumber) -> Result<(), StoreError> {
    let deadline = Instant::now() + PATIENCE;
    while replicas::peers(store).await?.iter().any(|peer| peer.number == replica) {
        if Instant::now() >= deadline {
            tracing::warn!(
                replica = replica.get(),
                "what the process before left open is not booked yet; the replica that leads does it"
            );
            break;
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// Which file it is on this machine; unknown where nobody can say.
fn identity(file: &File) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = file.metadata().ok()?;
        Some(format!("{}:{}", metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_directory_names_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str, log: &str| {
            let dir = folder.path().join(name);
            super::super::secrets::create_data_dir(&dir).unwrap();
            let lock =
                File::options().write(true).create(true).truncate(false).open(dir.join("lock")).unwrap();
            Place::new(&dir, &lock, &LogId::new(log).unwrap())
        };
        let first = place("first", "log.example/one");
        assert_eq!(first.read(), None);
        first.write(ReplicaNumber::new(7)).unwrap();
        assert_eq!(place("first", "log.example/one").read(), Some(ReplicaNumber::new(7)));
        assert_eq!(place("first", "log.example/other").read(), None, "another database");
        let copy = place("copy", "log.example/one");
        std::fs::copy(&first.path, &copy.path).unwrap();
        assert_eq!(copy.read(), None);
        std::fs::write(&first.path, "7").unwrap();
        assert_eq!(first.read(), None);
    }
}
