//! The process that ran in this data directory before. Who holds the directory's lock knows that it has ended, and need
//! not wait until it is missed: it is stopped at once, and what it left open is booked with the start.
//!
//! A file says which replica it was, of which log, and which file the lock was. A directory that was copied has another
//! lock: the replica that is named in the copy runs elsewhere.
//!
//! What that process recorded in its spool, and could not hand in any more, is handed in before anything else.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bailiwick_ledger::LogId;
use tokio::time::{Instant, sleep};

use super::StartError;
use super::membership::SILENT;
use crate::audit::spool::{self, By, Left};
use crate::audit::{Audit, AuditConfig};
use crate::store::replicas::{self, Peer, ReplicaNumber, State};
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

    /// Stops the replica that ran here before, if it did not take its leave, and hands in what it left.
    pub(super) async fn take_over(
        &self,
        store: &Store,
        config: &AuditConfig,
        data_dir: &Path,
    ) -> Result<Option<ReplicaNumber>, StartError> {
        // First: in a database that was put back, the numbers of replicas mean others.
        Audit::check(store, config).await?;
        let before = self.read();
        if let Some(before) = before {
            replicas::stop(store, before).await?;
        }
        hand_in(store, data_dir, &config.log, before).await?;
        Ok(before)
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

/// The file of the spool in a data directory.
pub(super) fn spool_in(data_dir: &Path) -> PathBuf {
    data_dir.join("spool")
}

/// Hands in what the process before left in the spool of this directory. `before` is the replica that it was, where
/// that is certain: it is stopped by now.
async fn hand_in(
    store: &Store,
    data_dir: &Path,
    log: &LogId,
    before: Option<ReplicaNumber>,
) -> Result<(), StartError> {
    let path = spool_in(data_dir);
    let left = spool::read(&path).map_err(|error| StartError::Audit(error.into()))?;
    let refused = |why: String| StartError::System { what: path.display().to_string(), why };
    let handed_in = match left {
        Some(left) if left.log != log.as_str() && !left.frames.is_empty() => Err(refused(format!(
            "it holds records of the log {}, and this database has the log {log}; start the server once with the \
             database that it had before, or move the file away and keep it",
            left.log
        ))),
        Some(left)
            if left.log == log.as_str() && (before == Some(left.replica) || !left.frames.is_empty()) =>
        {
            let own = before == Some(left.replica);
            let done = hand_in_left(store, &left, own).await;
            if let Some(why) = done.map_err(StartError::Store)? {
                return Err(refused(why));
            }
            Ok(())
        }
        // A copy of a directory says nothing about the original, nor does one of another log.
        Some(_) | None => Ok(()),
    };
    handed_in?;
    if let Some(before) = before
        && replicas::peers(store).await?.iter().any(|peer| peer.number == before && peer.spools)
    {
        tracing::warn!(
            replica = before.get(),
            "the spool of the process before is not in this data directory; what that process held of budgets stays \
             counted until somebody says that the spool is lost: `bailiwick replicas lost`"
        );
    }
    Ok(())
}

/// Why it can't be handed in, where waiting does not help.
async fn hand_in_left(store: &Store, left: &Left, own: bool) -> Result<Option<String>, StoreError> {
    let number = left.replica.get();
    let deadline = Instant::now() + PATIENCE;
    let peer = loop {
        let peers = replicas::peers(store).await?;
        match peers.into_iter().find(|peer| peer.number == left.replica) {
            Some(peer) if peer.state == State::Fenced => break peer,
            Some(peer) => {
                let silent_ms = i64::try_from(SILENT.as_millis()).unwrap_or(i64::MAX);
                if !replicas::fence(store, peer, silent_ms).await? && Instant::now() >= deadline {
                    return Ok(Some(format!(
                        "it is a copy: the replica {number}, whose records it holds, runs elsewhere and hands them in \
                         itself; remove it from this directory"
                    )));
                }
            }
            None => return gone(store, left).await,
        }
        sleep(LOOK).await;
    };
    let Peer { epoch, done_to, .. } = peer;
    let by = By { replica: left.replica, epoch, indexed_to: done_to, settled_to: done_to };
    let records: usize = left.frames.iter().map(|frame| frame.len()).sum();
    loop {
        match spool::hand_in(store, by, &left.frames).await {
            Ok(_) => break,
            Err(StoreError::Corrupt(why)) => return Ok(Some(why)),
            // A process that began with this before and was killed may have had a commit under way.
            Err(StoreError::Conflict(_)) if Instant::now() < deadline => sleep(LOOK).await,
            Err(error) => return Err(error),
        }
    }
    if records > 0 {
        tracing::info!(replica = number, records, "what the process before left in its spool is in the log");
    }
    // A copy may hold less than the original.
    if own {
        replicas::spool_ended(store, left.replica).await?;
    } else if peer.spools {
        tracing::warn!(
            replica = number,
            "this data directory was copied or moved, so nobody knows whether that was all: what the replica held of \
             budgets stays counted until it starts where it was, or somebody says that its spool is lost: `bailiwick \
             replicas lost`"
        );
    }
    Ok(None)
}

/// Of a replica of which nothing is open any more, everything must be there.
async fn gone(store: &Store, left: &Left) -> Result<Option<String>, StoreError> {
    let next = replicas::next_sequence(store, left.replica).await?;
    if left.frames.last().is_none_or(|last| last.next() <= next) {
        return match spool::same(store, left.replica, &left.frames, next).await {
            Ok(()) => Ok(None),
            Err(StoreError::Corrupt(why)) => Ok(Some(why)),
            Err(error) => Err(error),
        };
    }
    Ok(Some(format!(
        "it holds records of the replica {}, which was declared lost, or of which this database knows nothing: what it \
         left open was booked, and what it held was given to others. Move the file out of the data directory and keep \
         it: it tells what this server did while it was cut off",
        left.replica.get()
    )))
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

    /// Whoever began to hand in was killed, and its commit goes on in the database.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_commit_that_outlives_who_began_to_hand_in_is_waited_for() {
        use crate::audit::spool::testing::{LOG, frame, left_in};
        use crate::testing::database;

        if !database::on_postgres() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let url = database::postgres_in(folder.path()).await.unwrap();
        let (me, _) = replicas::join(&store, "r", 0).await.unwrap();
        assert!(replicas::spools(&store, me).await.unwrap());
        left_in(folder.path(), me.number, &[frame(0, 1), frame(1, 2)]).await;
        replicas::stop(&store, me.number).await.unwrap();
        let log = LogId::new(LOG).unwrap();
        let first = &spool::read(&spool_in(folder.path())).unwrap().unwrap().frames[0];
        let by = By { replica: me.number, epoch: me.epoch + 1, indexed_to: 0, settled_to: 0 };
        // As it stands when the first frame is there, but for the transaction that is under way.
        spool::hand_in(&store, by, std::slice::from_ref(first)).await.unwrap();
        let id = me.number.record(0).unwrap();
        store.sql(&format!("CREATE TABLE kept AS SELECT * FROM records WHERE id = {id}")).await;
        store.sql(&format!("DELETE FROM records WHERE id = {id}")).await;
        let under_way = database::hold(&url, "INSERT INTO records SELECT * FROM kept").await;
        let (other, path) = (store.clone(), folder.path().to_owned());
        let number = me.number;
        let handing_in = tokio::spawn(async move {
            hand_in(&other, &path, &log, Some(number)).await.map_err(|e| e.to_string())
        });
        sleep(Duration::from_millis(500)).await;
        assert!(!handing_in.is_finished());
        database::commit(under_way).await;
        handing_in.await.unwrap().unwrap();
        assert_eq!(replicas::next_sequence(&store, me.number).await.unwrap(), 3);
        let peers = replicas::peers(&store).await.unwrap();
        assert!(peers.iter().any(|peer| peer.number == me.number && !peer.spools));
        store.close().await;
    }
}
