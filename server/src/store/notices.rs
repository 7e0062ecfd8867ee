//! Telling the other servers on the database something at once, where the database passes it on (LISTEN and NOTIFY).
//!
//! A notice is lost with the connection that it was to come over, so nothing may rest on one: what it tells is found by
//! looking too, only later.

use std::time::Duration;

use sea_orm::sqlx::postgres::{PgListener, PgPoolOptions};
use sea_orm::{ConnectionTrait as _, DbBackend, Statement};

use super::connect::Backend;
use super::{Store, StoreError};

/// The channel. It is the database's own: two databases of one cluster do not hear one another.
const CHANNEL: &str = "bailiwick";
/// How long a connection to listen on may take to be made.
const CONNECT: Duration = Duration::from_secs(3);

/// Hears what is told.
#[derive(Debug)]
pub(crate) struct Listener(PgListener);

/// Tells `text`, of less than 8,000 bytes, to all who listen, this server too.
pub(crate) async fn tell(store: &Store, text: &str) -> Result<(), StoreError> {
    let values = [CHANNEL.into(), text.into()];
    let notify = Statement::from_sql_and_values(DbBackend::Postgres, "SELECT pg_notify($1, $2)", values);
    store.write.execute_raw(notify).await?;
    Ok(())
}

/// Begins to listen; `None` where the database passes nothing on.
pub(crate) async fn listen(store: &Store) -> Result<Option<Listener>, StoreError> {
    let Backend::Postgres(writer) = &store.backend else { return Ok(None) };
    // A connection of its own: one of the pool would be lost to it.
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CONNECT)
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(writer.address().options());
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen(CHANNEL).await?;
    Ok(Some(Listener(listener)))
}

impl Listener {
    /// The next text that is told. A connection that was lost is made anew; what was told meanwhile is missed.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where there is no connection. It may be asked again.
    pub(crate) async fn next(&mut self) -> Result<String, StoreError> {
        Ok(self.0.recv().await?.payload().to_owned())
    }
}
