//! Opening the database, whichever it is.
//!
//! PostgreSQL is in [`postgres`]. SQLite takes one writer at a time, so writing has a pool of one connection (waiting in order, never meeting
//! `SQLITE_BUSY` from our own side) and reading a pool of its own, which WAL lets run beside it. Another process
//! that holds the lock is waited for as long as the busy timeout; then the write fails and may be tried again.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DatabaseTransaction,
    SqliteTransactionMode, TransactionOptions,
};

use super::postgres::{self, Address, Writer};
use super::writes::{Reads, Writes};
use super::{StoreError, retry};

/// How long a statement waits for a lock that another process holds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a caller waits for a connection of the pool.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections that read.
const READERS: u32 = 4;
/// Statements kept prepared on a connection; the group commit alone has a few dozen shapes.
const STATEMENTS: usize = 256;
/// Bytes of a page of a new database: two to four records fill one with little left over.
const PAGE_BYTES: u32 = 8192;
/// Pages of the write-ahead log that are moved into the database together. Each commit writes the ends of the
/// same few trees; the fewer checkpoints, the fewer times these are moved.
const CHECKPOINT_PAGES: &str = "1024";

/// How long the database may take to say that it is there.
const PING_TIMEOUT: Duration = Duration::from_secs(3);

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    /// SQLite: the one connection that writes. PostgreSQL: the pool.
    pub(super) write: Writes,
    /// SQLite: the connections that read. PostgreSQL: the same pool.
    pub(super) read: Reads,
    pub(super) backend: Backend,
}

/// What is not the same on both databases.
#[derive(Clone, Debug)]
pub(super) enum Backend {
    Sqlite,
    /// With the connection that commits records.
    Postgres(Arc<Writer>),
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    /// In a file, of SQLite.
    File(PathBuf),
    /// PostgreSQL, in words without a password.
    Postgres(String),
}

impl Location {
    /// Of the database that `url` names.
    ///
    /// # Errors
    /// [`StoreError::Address`] where it names none.
    pub(crate) fn of(url: &str) -> Result<Self, StoreError> {
        if Address::is_one(url) {
            return Ok(Self::Postgres(Address::parse(url)?.to_string()));
        }
        match url.strip_prefix("sqlite:").map(|_| SqliteConnectOptions::from_str(url)) {
            Some(Ok(options)) => Ok(Self::File(options.get_filename().to_owned())),
            _ => Err(StoreError::Address("must begin with `sqlite:` or `postgres:`".into())),
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Postgres(place) => f.write_str(place),
        }
    }
}

impl Store {
    /// Opens the database at `url` (`sqlite:///path/to/bailiwick.db` or `postgres://user:password@host/database`),
    /// creates it where it is a file that does not exist, and brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Address`] where the URL is none; [`StoreError::Unavailable`] where the database cannot be
    /// opened or migrated.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        if !Address::is_one(url) {
            return Self::open_at(url, None).await;
        }
        let address = Address::parse(url)?;
        postgres::migrate(&address).await?;
        let pool = postgres::open(&address).await?;
        let backend = Backend::Postgres(Arc::new(Writer::new(address)));
        Ok(Self { write: Writes::new(pool.clone()), read: Reads::new(pool), backend })
    }

    /// Opens the SQLite database in the file `path`; see [`Store::open`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_file(path: &Path) -> Result<Self, StoreError> {
        Self::open_at("sqlite://", Some(path.to_owned())).await
    }

    /// Opens the database of `location` to read it beside whoever serves it, and changes nothing, not its schema either.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], also where the schema is not this version's.
    pub(crate) async fn open_to_read(location: &Location, url: Option<&str>) -> Result<Self, StoreError> {
        let (read, backend) = match (location, url) {
            (Location::Postgres(_), Some(url)) => {
                let address = Address::parse(url)?;
                (postgres::open(&address).await?, Backend::Postgres(Arc::new(Writer::new(address))))
            }
            (Location::File(path), _) => {
                (connect("sqlite://", 1, Role::Read, Some(path.clone())).await?, Backend::Sqlite)
            }
            (Location::Postgres(_), None) => return Err(StoreError::Address("is missing".into())),
        };
        if !bailiwick_migrations::is_current(&read).await.unwrap_or(false) {
            return Err(StoreError::Unavailable(format!(
                "{location} holds no database of Bailiwick, or one with the schema of another version: use the version \
                 that serves it"
            )));
        }
        Ok(Self { write: Writes::new(read.clone()), read: Reads::new(read), backend })
    }

    /// A path stands beside the URL, not in it: no character of it then needs escaping.
    async fn open_at(url: &str, path: Option<PathBuf>) -> Result<Self, StoreError> {
        let file = match (&path, Location::of(url)?) {
            (Some(path), _) => path.clone(),
            (None, Location::File(path)) => path,
            (None, Location::Postgres(_)) => return Err(StoreError::Address("is none of SQLite".into())),
        };
        let named = |error: StoreError| error.in_file(&file);
        let write = connect(url, 1, Role::Write, path.clone()).await.map_err(named)?;
        bailiwick_migrations::up(&write).await.map_err(|error| named(error.into()))?;
        let read = connect(url, READERS, Role::Read, path.clone()).await.map_err(named)?;
        Ok(Self { write: Writes::new(write), read: Reads::new(read), backend: Backend::Sqlite })
    }

    /// Returns once nothing of an earlier commit of this server can still happen, so that what is read then is
    /// what came of it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub(crate) async fn settle_commits(&self) -> Result<(), StoreError> {
        match &self.backend {
            // The commit had ended, one way or the other, when its error came back.
            Backend::Sqlite => Ok(()),
            Backend::Postgres(writer) => {
                writer.hold().await?.keep();
                Ok(())
            }
        }
    }

    /// Whether several servers may write to the database at once. An SQLite file belongs to one; a second writer is
    /// noticed by the group commit.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self.backend, Backend::Postgres(_))
    }

    /// Ends every connection; what runs is waited for.
    pub async fn close(&self) {
        if let Backend::Postgres(writer) = &self.backend {
            writer.close().await;
        }
        for pool in [self.read.pool(), self.write.once()].into_iter().flatten() {
            if let Err(err) = pool.close_by_ref().await {
                tracing::warn!(%err, "closing the database");
            }
        }
    }

    /// Whether the database answers: for readiness.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        match tokio::time::timeout(PING_TIMEOUT, self.read.pool()?.ping()).await {
            Ok(answered) => Ok(answered?),
            Err(_) => Err(StoreError::Unavailable("it does not answer".into())),
        }
    }

    /// Whether the database can be reached by a connection that is made now. Those that are open may be dead without
    /// knowing it, where the database has moved to another machine.
    pub(crate) async fn is_reachable(&self) -> bool {
        match &self.backend {
            Backend::Sqlite => true,
            Backend::Postgres(writer) => writer.is_reachable().await,
        }
    }

    /// Wipes what the database keeps of rows that were changed or deleted. On SQLite that is all of it: free space
    /// is overwritten at once, and the write-ahead log here. On PostgreSQL the old rows are freed; what their
    /// pages, its write-ahead log, its standbys and its backups still hold is for its operator to let go of.
    pub(super) async fn wipe_leftovers(&self) -> Result<(), StoreError> {
        match &self.backend {
            Backend::Sqlite => {
                self.write.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
            }
            Backend::Postgres(_) => {
                // It is done sooner or later in any case, and a reader of old rows can put it off.
                if let Err(err) = self.write.execute_unprepared("VACUUM records").await {
                    tracing::warn!(%err, "what was destroyed is gone, but its space is not freed yet");
                }
            }
        }
        Ok(())
    }

    /// The database of a test's folder, of the kind that the run is on.
    #[cfg(test)]
    pub(crate) async fn open_in(folder: &Path) -> Result<Self, StoreError> {
        match crate::testing::database::migrated_in(folder).await {
            Some(url) => Self::open(&url).await,
            None => Self::open_file(&folder.join("bailiwick.db")).await,
        }
    }

    /// Runs SQL on the writing connection, to put it into a state that only the world could.
    #[cfg(test)]
    pub(crate) async fn sql(&self, statement: &str) {
        self.write.execute_unprepared(statement).await.unwrap();
    }

    /// Does `work` in one transaction, and again from the start where the database undid it because of another
    /// transaction. It must be short, and change nothing outside of the database.
    pub(super) async fn transaction<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send,
        F: for<'t> Fn(&'t DatabaseTransaction) -> BoxFuture<'t, Result<T, StoreError>> + Send + Sync,
    {
        let once = || async {
            let transaction = self.begin().await?;
            match work(&transaction).await {
                Ok(done) => {
                    transaction.commit().await?;
                    Ok(done)
                }
                Err(error) => {
                    // Of a part of something larger the rest goes on.
                    if self.write.is_within() {
                        transaction.rollback().await?;
                    }
                    Err(error)
                }
            }
        };
        // A part is not done again: the database undid the whole.
        if self.write.is_within() { once().await } else { retry::contended(once).await }
    }

    /// Begins a transaction; on SQLite it holds the write lock from its first statement on.
    pub(super) async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        Ok(self.write.begin(options).await?)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Write,
    Read,
}

async fn connect(
    url: &str,
    connections: u32,
    role: Role,
    path: Option<PathBuf>,
) -> Result<DatabaseConnection, StoreError> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A pooled SQLite connection does not go stale, and a fresh one would have to prepare everything again.
        .max_lifetime(None::<Duration>)
        .idle_timeout(None::<Duration>)
        .test_before_acquire(false)
        // A statement's values are what must not reach a log line or a span.
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_opts(move |options| {
            let options = match &path {
                Some(path) => options.filename(path),
                None => options,
            };
            sqlite(options, role)
        })
        // A full disk makes SQLite roll back by itself; the driver then counts a transaction that is not there
        // and would refuse to begin another on this connection for ever.
        .map_sqlx_sqlite_pool_opts(|pool| {
            pool.after_release(|connection, _| {
                let reusable = !connection.is_in_transaction();
                Box::pin(async move { Ok(reusable) })
            })
        });
    Ok(Database::connect(options).await?)
}

fn sqlite(options: SqliteConnectOptions, role: Role) -> SqliteConnectOptions {
    let options = options
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit is on the disk when it returns: the audit log promises nothing less.
        .synchronous(SqliteSynchronous::Full)
        .statement_cache_capacity(STATEMENTS)
        .pragma("cache_size", "-16384")
        .pragma("temp_store", "memory")
        .pragma("journal_size_limit", "67108864");
    match role {
        // A destroyed section must not live on in the file's free space.
        Role::Write => options
            .create_if_missing(true)
            .pragma("secure_delete", "on")
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES),
        Role::Read => options.create_if_missing(false).pragma("query_only", "on"),
    }
}
