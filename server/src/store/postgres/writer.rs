//! The one connection that commits.
//!
//! When it is lost with a commit under way, nobody knows whether that commit has happened, or is still going to. So
//! before another connection takes its place, the server's side of the lost one is ended and seen to be gone: what
//! the database says from then on is what became of the commit.

use std::fmt;
use std::time::Duration;

use sea_orm::sqlx::{self, Connection as _, PgConnection, query, query_as, query_scalar};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Address, pool};
use crate::store::StoreError;

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

    /// Where it connects to.
    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// The connection, made anew where it was lost. Nothing that was begun on an earlier one can still happen
    /// when this returns.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub(crate) async fn hold(&self) -> Result<Held<'_>, StoreError> {
        let mut session = self.session.lock().await;
        if session.closed {
            return Err(StoreError::Unavailable("the database was closed".into()));
        }
        let connection = match session.connection.take() {
            Some(connection) => connection,
            None => self.connect(&mut session).await?,
        };
        Ok(Held { session, connection })
    }

    /// Whether a connection can be made.
    pub(crate) async fn is_reachable(&self) -> bool {
        pool::connect(&self.address).await.is_ok()
    }

    /// Ends the session.
    pub(crate) async fn close(&self) {
        let mut session = self.session.lock().await;
        session.closed = true;
        if let Some(connection) = session.connection.take()
            && let Err(err) = connection.close().await
        {
            tracing::debug!(%err, "the writer's connection was gone already");
        }
    }

    async fn connect(&self, session: &mut Session) -> Result<PgConnection, StoreError> {
        let mut connection = pool::connect(&self.address).await?;
        let deadline = Instant::now() + COMMIT_WAIT;
        let preparing = prepare(&mut connection, session, deadline);
        match timeout_at(deadline + pool::CONNECT_TIMEOUT, preparing).await {
            Ok(prepared) => prepared?,
            Err(_) => return Err(StoreError::Unavailable(format!("{} does not answer", self.address))),
        }
        Ok(connection)
    }
}

async fn prepare(
    connection: &mut PgConnection,
    session: &mut Session,
    deadline: Instant,
) -> Result<(), StoreError> {
    // The group commit is one long statement of many parts: planning it costs as much as running it.
    query("SET plan_cache_mode = force_generic_plan").execute(&mut *connection).await?;
    if let Some((pid, start)) = &session.backend {
        end(connection, *pid, start, deadline).await?;
    }
    session.backend =
        query_as("SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()")
            .fetch_optional(&mut *connection)
            .await?;
    Ok(())
}

/// Ends the session of a connection that was lost, and returns once it is gone.
async fn end(
    connection: &mut PgConnection,
    pid: i32,
    start: &str,
    deadline: Instant,
) -> Result<(), StoreError> {
    loop {
        // Its end is asked for, and it is there until it has got so far.
        let asked: Option<bool> = query_scalar(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start::text = $2",
        )
        .bind(pid)
        .bind(start)
        .fetch_optional(&mut *connection)
        .await?;
        if asked.is_none() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(StoreError::Unavailable(
                "a commit on a lost connection is still under way in PostgreSQL".into(),
            ));
        }
        sleep(PAUSE).await;
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
