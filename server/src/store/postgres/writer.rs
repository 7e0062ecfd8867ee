//! The one connection that commits.
//!
//! Its session holds an advisory lock of the database from before the first commit to its end. Two things follow.
//! A second server that is pointed at the database is refused instead of writing beside this one. And a commit
//! whose answer was lost is settled once the lock is held again: the session that it ran in is gone then, and
//! with it everything that session could still have done, so what the database now says is what happened.
//!
//! With several replicas, each of them has a lock of its own: [`Writer::key`] is where they part.

use std::fmt;
use std::time::Duration;

use sea_orm::sqlx::{self, Connection as _, PgConnection, query, query_as, query_scalar};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout};

use super::{Address, LOCKS, WRITER, pool};
use crate::store::StoreError;

/// How long a server that starts waits for the one before it to be gone: a session of a machine that vanished
/// lives for about ten seconds more.
const START_WAIT: Duration = Duration::from_secs(12);
/// How long a commit waits where the connection has to be made anew.
const COMMIT_WAIT: Duration = Duration::from_secs(1);
/// How long it waits between two tries.
const PAUSE: Duration = Duration::from_millis(50);

/// See the module.
pub(crate) struct Writer {
    address: Address,
    session: Mutex<Session>,
}

#[derive(Default)]
struct Session {
    connection: Option<PgConnection>,
    /// Process number and start of the server's side, also of a connection that was lost.
    backend: Option<(i32, String)>,
    closed: bool,
}

/// The connection, held and locked. Where it is not given back it is closed.
pub(crate) struct Held<'w> {
    session: MutexGuard<'w, Session>,
    connection: PgConnection,
}

impl Writer {
    pub(crate) fn new(address: Address) -> Self {
        Self { address, session: Mutex::default() }
    }

    /// Becomes the server that writes to this database; waits a moment for one that is about to go.
    ///
    /// # Errors
    /// [`StoreError::Taken`] where another server holds it; [`StoreError::Unavailable`].
    pub(crate) async fn claim(&self) -> Result<(), StoreError> {
        self.hold_within(START_WAIT).await.map(Held::keep)
    }

    /// The connection, made anew where it was lost. Nothing that was begun on an earlier one can still happen
    /// when this returns.
    ///
    /// # Errors
    /// As [`Writer::claim`].
    pub(crate) async fn hold(&self) -> Result<Held<'_>, StoreError> {
        self.hold_within(COMMIT_WAIT).await
    }

    /// Ends the session, and with it the claim.
    pub(crate) async fn close(&self) {
        let mut session = self.session.lock().await;
        session.closed = true;
        if let Some(connection) = session.connection.take()
            && let Err(err) = connection.close().await
        {
            tracing::debug!(%err, "the writer's connection was gone already");
        }
    }

    async fn hold_within(&self, wait: Duration) -> Result<Held<'_>, StoreError> {
        let mut session = self.session.lock().await;
        if session.closed {
            return Err(StoreError::Unavailable("the database was closed".into()));
        }
        let connection = match session.connection.take() {
            Some(connection) => connection,
            None => self.connect(&mut session, wait).await?,
        };
        Ok(Held { session, connection })
    }

    /// Connects and takes the lock.
    async fn connect(&self, session: &mut Session, wait: Duration) -> Result<PgConnection, StoreError> {
        let mut connection = pool::connect(&self.address).await?;
        let locking = self.lock(&mut connection, session, Instant::now() + wait);
        match timeout(wait.saturating_add(pool::CONNECT_TIMEOUT), locking).await {
            Ok(locked) => locked?,
            Err(_) => return Err(StoreError::Unavailable(format!("{} does not answer", self.address))),
        }
        Ok(connection)
    }

    async fn lock(
        &self,
        connection: &mut PgConnection,
        session: &mut Session,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        // The group commit is one long statement of many parts: planning it costs as much as running it.
        query("SET plan_cache_mode = force_generic_plan").execute(&mut *connection).await?;
        let backend: (i32, String) =
            query_as("SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()")
                .fetch_one(&mut *connection)
                .await?;
        let (class, key) = Self::key();
        loop {
            let locked: bool = query_scalar("SELECT pg_try_advisory_lock($1, $2)")
                .bind(class)
                .bind(key)
                .fetch_one(&mut *connection)
                .await?;
            if locked {
                session.backend = Some(backend);
                return Ok(());
            }
            // Our own session of before, which the server does not yet know to be lost.
            if let Some((pid, start)) = &session.backend {
                query(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE pid = $1 AND backend_start::text = $2",
                )
                .bind(*pid)
                .bind(start.as_str())
                .execute(&mut *connection)
                .await?;
            }
            if Instant::now() >= deadline {
                return Err(StoreError::Taken(Self::holder(connection).await?));
            }
            sleep(PAUSE).await;
        }
    }

    /// The key of the lock. One for the database: one server writes to it. With several, the replica's own.
    fn key() -> (i32, i32) {
        (LOCKS, WRITER)
    }

    /// Who holds the lock, in words.
    async fn holder(connection: &mut PgConnection) -> Result<String, StoreError> {
        let (class, key) = Self::key();
        let holder: Option<(i32, Option<String>, Option<String>)> = query_as(
            "SELECT a.pid, a.application_name, host(a.client_addr) FROM pg_locks l \
             JOIN pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND l.database = a.datid \
             AND a.datname = current_database() AND l.classid = $1::int8::oid AND l.objid = $2::int8::oid",
        )
        .bind(i64::from(class))
        .bind(i64::from(key))
        .fetch_optional(connection)
        .await?;
        Ok(match holder {
            Some((pid, name, address)) => format!(
                "session {pid} of PostgreSQL, application `{}`, from {}",
                name.unwrap_or_default(),
                address.unwrap_or_else(|| String::from("this machine"))
            ),
            None => String::from("a session that PostgreSQL does not show to this user"),
        })
    }
}

impl Held<'_> {
    pub(crate) fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Keeps the connection for the next time.
    pub(crate) fn keep(mut self) {
        self.session.connection = Some(self.connection);
    }

    /// As [`Held::keep`] where the server answered; else closes the connection, since nobody knows what becomes
    /// of what was begun on it.
    pub(crate) fn keep_after<T>(
        self,
        done: Result<Result<T, sqlx::Error>, Elapsed>,
    ) -> Result<T, StoreError> {
        match done {
            Ok(Ok(done)) => {
                self.keep();
                Ok(done)
            }
            Ok(Err(err)) => {
                if pool::leaves_usable(&err) {
                    self.keep();
                }
                Err(err.into())
            }
            Err(_) => Err(StoreError::Unavailable("PostgreSQL did not answer in time".into())),
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("address", &self.address).finish_non_exhaustive()
    }
}
