//! Messages about alerts: waiting, sent, given up. One is taken by compare-and-set on how often it was tried: of two senders
//! one gets it.

use sea_orm::sea_query::{Expr, ExprTrait as _};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, PaginatorTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::entities::alert_messages::{Column as Message, Entity};
use super::{Store, StoreError};

pub use super::entities::alert_messages::Model as AlertMessage;

/// A message that waits to be sent.
pub const WAITING: &str = "waiting";
/// A message that arrived where it was sent to.
pub const SENT: &str = "sent";
/// A message that nobody tries to send any more.
pub const GIVEN_UP: &str = "given_up";

/// The messages that tell of an alert, oldest first.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn messages_of(store: &Store, alert: &str) -> Result<Vec<AlertMessage>, StoreError> {
    let told = Expr::col(Message::Alerts).cast_as("text").like(format!("%\"{alert}\"%"));
    let found = Entity::find().filter(told).order_by_asc(Message::Id);
    Ok(found.all(&store.read).await?)
}

/// Up to `limit` messages that are to be sent by `now_ms`, through any channel but those of `except`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn due(
    store: &Store,
    now_ms: i64,
    except: &[String],
    limit: u64,
) -> Result<Vec<AlertMessage>, StoreError> {
    let due = Entity::find()
        .filter(Message::State.eq(WAITING))
        .filter(Message::NextMs.lte(now_ms))
        .filter(Message::Channel.is_not_in(except))
        .order_by_asc(Message::NextMs)
        .order_by_asc(Message::Id)
        .limit(limit);
    Ok(due.all(&store.read).await?)
}

/// How many messages wait.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn waiting(store: &Store) -> Result<u64, StoreError> {
    Ok(Entity::find().filter(Message::State.eq(WAITING)).count(&store.read).await?)
}

/// Takes a message to send it, for this caller alone until `until_ms`: what it holds from now on. `None` where another one
/// was faster.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn take(
    store: &Store,
    message: &AlertMessage,
    until_ms: i64,
) -> Result<Option<AlertMessage>, StoreError> {
    store
        .transaction(|transaction| {
            let (id, attempts) = (message.id.clone(), message.attempts);
            Box::pin(async move {
                let taken = Entity::update_many()
                    .col_expr(Message::Attempts, Expr::value(attempts.saturating_add(1)))
                    .col_expr(Message::NextMs, Expr::value(until_ms))
                    .filter(Message::Id.eq(id.as_str()))
                    .filter(Message::Attempts.eq(attempts))
                    .filter(Message::State.eq(WAITING))
                    .exec(transaction)
                    .await?;
                if taken.rows_affected == 0 {
                    return Ok(None);
                }
                // Whatever was added until now goes with it, and nothing later.
                Ok(Entity::find_by_id(id).one(transaction).await?)
            })
        })
        .await
}

/// Has messages that a server had taken when it ended tried at once. Only for the one server of a database.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn release(store: &Store, now_ms: i64) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Message::NextMs, Expr::value(now_ms))
        .filter(Message::State.eq(WAITING))
        .filter(Message::Attempts.gt(0))
        .exec(&store.write)
        .await?;
    Ok(())
}

/// Has a message that was [taken](take) tried again at `next_ms`. `false` where it is somebody else's by now.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn put_off(
    store: &Store,
    message: &AlertMessage,
    next_ms: i64,
    error: &str,
) -> Result<bool, StoreError> {
    let update = Entity::update_many()
        .col_expr(Message::NextMs, Expr::value(next_ms))
        .col_expr(Message::Error, Expr::value(error))
        .filter(Message::Id.eq(message.id.as_str()))
        .filter(Message::Attempts.eq(message.attempts))
        .filter(Message::State.eq(WAITING));
    Ok(update.exec(&store.write).await?.rows_affected == 1)
}

/// Ends a message that was [taken](take), [`SENT`] or [`GIVEN_UP`]. `false` where it is somebody else's by now.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn end(
    store: &Store,
    message: &AlertMessage,
    state: &str,
    error: Option<&str>,
    now_ms: i64,
) -> Result<bool, StoreError> {
    let update = Entity::update_many()
        .col_expr(Message::State, Expr::value(state))
        .col_expr(Message::EndedMs, Expr::value(now_ms))
        .col_expr(Message::Error, Expr::value(error.map(str::to_owned)))
        .filter(Message::Id.eq(message.id.as_str()))
        .filter(Message::Attempts.eq(message.attempts))
        .filter(Message::State.eq(WAITING));
    Ok(update.exec(&store.write).await?.rows_affected == 1)
}
