//! The pool, the checks before it is opened, and the migrations.

use std::time::Duration;

use sea_orm::sqlx::{self, Connection as _, PgConnection, query_as, query_scalar};
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection};

use super::{Address, LOCKS, MIGRATION};
use crate::store::StoreError;

/// Connections of the pool; with the writer's that is what a server uses at most.
const CONNECTIONS: u32 = 7;
/// How long a caller waits for one of them.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection may take to be made.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A connection that was idle for so long is asked whether it still lives.
const TRUSTED: Duration = Duration::from_secs(2);
/// How long a connection that is given back may take to answer.
const RELEASE: Duration = Duration::from_secs(2);
/// An idle connection is given back after this.
const IDLE: Duration = Duration::from_secs(300);
/// How long a server waits for another one that migrates.
const MIGRATION_WAIT: Duration = Duration::from_secs(120);
/// The oldest version whose settings we ask for.
const OLDEST: i32 = 130_000;

/// Opens the pool.
pub(crate) async fn open(address: &Address) -> Result<DatabaseConnection, StoreError> {
    let mut options = options(address, CONNECTIONS);
    options
        .min_connections(1)
        .idle_timeout(IDLE)
        .test_before_acquire(false)
        .test_before_acquire_if_idle_for(TRUSTED)
        // Who gave up waiting for an answer gives the connection back. Where there is still none, the connection may be
        // dead without knowing it, and must not take its place in the pool until the operating system finds out.
        .map_sqlx_postgres_pool_opts(|pool| {
            pool.after_release(|connection, _| {
                Box::pin(async move {
                    match tokio::time::timeout(RELEASE, connection.ping()).await {
                        Ok(answered) => answered.map(|()| true),
                        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
                    }
                })
            })
        });
    Ok(Database::connect(options).await?)
}

/// Checks that the database can hold what it is to hold, and brings its schema up to date; of several servers
/// that start at once, one does, and the others wait for it.
pub(crate) async fn migrate(address: &Address) -> Result<(), StoreError> {
    let mut connection = connect(address).await?;
    check(&mut connection).await?;
    connection.close().await?;

    // One connection: the lock is the session's, so the migrations run in the session that holds it.
    let mut options = options(address, 1);
    let real = address.options().options([
        ("lock_timeout", MIGRATION_WAIT.as_millis().to_string()),
        // Rewriting a large table takes as long as it takes.
        ("statement_timeout", String::from("0")),
    ]);
    options.max_lifetime(None::<Duration>).idle_timeout(None::<Duration>).test_before_acquire(false);
    options.map_sqlx_postgres_opts(move |_| real.clone());
    let session = Database::connect(options).await?;
    let migrated = async {
        session.execute_unprepared(&format!("SELECT pg_advisory_lock({LOCKS}, {MIGRATION})")).await?;
        bailiwick_migrations::up(&session).await
    };
    let migrated = migrated.await;
    // The session's end releases the lock.
    session.close_by_ref().await?;
    Ok(migrated?)
}

/// Makes one connection outside the pool. The pool would say of any trouble only that it took too long.
pub(super) async fn connect(address: &Address) -> Result<PgConnection, StoreError> {
    let options = address.options();
    let connecting = PgConnection::connect_with(&options);
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(err)) => Err(named(address, StoreError::from(err))),
        Err(_) => Err(StoreError::Unavailable(format!("{address} does not answer"))),
    }
}

/// Says which database it was.
fn named(address: &Address, err: StoreError) -> StoreError {
    match err {
        StoreError::Unavailable(why) => StoreError::Unavailable(format!("{address}: {why}")),
        other => other,
    }
}

async fn check(connection: &mut PgConnection) -> Result<(), StoreError> {
    let version: i32 = query_scalar("SELECT current_setting('server_version_num')::int4")
        .fetch_one(&mut *connection)
        .await?;
    if version < OLDEST {
        return Err(StoreError::Unavailable(format!(
            "this PostgreSQL has the version number {version}; {OLDEST} (13) or later is needed"
        )));
    }
    let (encoding, sync, pages): (String, Option<String>, Option<String>) = query_as(
        "SELECT current_setting('server_encoding'), current_setting('fsync', true), \
         current_setting('full_page_writes', true)",
    )
    .fetch_one(connection)
    .await?;
    if encoding != "UTF8" {
        return Err(StoreError::Unavailable(format!(
            "the database's encoding is {encoding}; create it with `ENCODING 'UTF8'`"
        )));
    }
    for (setting, value) in [("fsync", sync), ("full_page_writes", pages)] {
        if value.as_deref() == Some("off") {
            tracing::warn!(
                "PostgreSQL runs with {setting} = off: a crash of its machine loses or damages records"
            );
        }
    }
    Ok(())
}

/// What the driver is told, but for the address: it would write it, password and all, into a span.
fn options(address: &Address, connections: u32) -> ConnectOptions {
    let real = address.options();
    let mut options = ConnectOptions::new("postgres://");
    options
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_postgres_opts(move |_| real.clone());
    options
}

/// Whether a connection may be used again after this: the server answered, so it and we agree on where we are.
pub(super) fn leaves_usable(err: &sqlx::Error) -> bool {
    // Class 57 is the operator's intervention, which ends the session.
    matches!(err, sqlx::Error::Database(db) if !db.code().is_some_and(|code| code.starts_with("57P")))
}
