//! Signed-in browsers, by the hash of their session id.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

pub use super::entities::sessions::Model as Session;
use super::entities::sessions::{Column, Entity};
use super::{Store, StoreError};

/// Adds a session.
///
/// # Errors
/// [`StoreError::Conflict`] where the person does not exist, [`StoreError::Unavailable`].
pub async fn create(store: &Store, session: Session) -> Result<(), StoreError> {
    Entity::insert(session.into_active_model()).exec_without_returning(&store.write).await?;
    Ok(())
}

/// The session with this id hash, unless it has expired, was ended, or was last used before `seen_after_ms`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn live(
    store: &Store,
    id_hash: &[u8],
    now_ms: i64,
    seen_after_ms: i64,
) -> Result<Option<Session>, StoreError> {
    Ok(Entity::find_by_id(id_hash.to_vec())
        .filter(Column::RevokedMs.is_null())
        .filter(Column::ExpiresMs.gt(now_ms))
        .filter(Column::SeenMs.gt(seen_after_ms))
        .one(&store.read)
        .await?)
}

/// Up to `limit` sessions that hold, newest first; of one person, where asked for; before the one that began at `before.0` and
/// is called `before.1`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn page(
    store: &Store,
    holds: Holds,
    person: Option<&str>,
    before: Option<(i64, &str)>,
    limit: u64,
) -> Result<Vec<Session>, StoreError> {
    let mut query = Entity::find()
        .filter(Column::RevokedMs.is_null())
        .filter(Column::ExpiresMs.gt(holds.now_ms))
        .filter(Column::SeenMs.gt(holds.seen_after_ms))
        .order_by_desc(Column::CreatedMs)
        .order_by_desc(Column::PublicId)
        .limit(limit);
    if let Some(person) = person {
        query = query.filter(Column::Person.eq(person));
    }
    if let Some((created_ms, id)) = before {
        let same = Column::CreatedMs.eq(created_ms).and(Column::PublicId.lt(id));
        query = query.filter(Column::CreatedMs.lt(created_ms).or(same));
    }
    Ok(query.all(&store.read).await?)
}

/// What makes a session hold.
#[derive(Debug, Clone, Copy)]
pub struct Holds {
    /// It has not expired by now, Unix milliseconds.
    pub now_ms: i64,
    /// It was used after this instant.
    pub seen_after_ms: i64,
}

/// The session that is called so, if it holds.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn named(store: &Store, holds: Holds, id: &str) -> Result<Option<Session>, StoreError> {
    Ok(Entity::find()
        .filter(Column::PublicId.eq(id))
        .filter(Column::RevokedMs.is_null())
        .filter(Column::ExpiresMs.gt(holds.now_ms))
        .filter(Column::SeenMs.gt(holds.seen_after_ms))
        .one(&store.read)
        .await?)
}

/// Notes that a session was used.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn touch(store: &Store, id_hash: &[u8], now_ms: i64) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::SeenMs, Expr::value(now_ms))
        .filter(Column::IdHash.eq(id_hash))
        .exec(&store.write)
        .await?;
    Ok(())
}

/// Ends the sessions of an identity provider that it calls so: one by its own name of it, or all of a person. How many.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn end_of_provider(
    store: &Store,
    provider: &str,
    session: Option<&str>,
    subject: Option<&str>,
    now_ms: i64,
) -> Result<u64, StoreError> {
    let mut update = Entity::update_many()
        .col_expr(Column::RevokedMs, Expr::value(now_ms))
        .filter(Column::Provider.eq(provider))
        .filter(Column::RevokedMs.is_null());
    if session.is_none() && subject.is_none() {
        return Ok(0);
    }
    if let Some(session) = session {
        update = update.filter(Column::ProviderSession.eq(session));
    }
    if let Some(subject) = subject {
        update = update.filter(Column::ProviderSubject.eq(subject));
    }
    Ok(update.exec(&store.write).await?.rows_affected)
}

/// Ends one session; does nothing where there is none.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn end(store: &Store, id_hash: &[u8], now_ms: i64) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::RevokedMs, Expr::col(Column::RevokedMs).if_null(now_ms))
        .filter(Column::IdHash.eq(id_hash))
        .exec(&store.write)
        .await?;
    Ok(())
}

/// Deletes the sessions that expired before `before_ms`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn sweep(store: &Store, before_ms: i64) -> Result<u64, StoreError> {
    let deleted = Entity::delete_many().filter(Column::ExpiresMs.lt(before_ms)).exec(&store.write).await?;
    Ok(deleted.rows_affected)
}

/// Ends every session of a person, inside the caller's transaction.
pub(super) async fn end_all_of(
    db: &impl ConnectionTrait,
    person: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::RevokedMs, Expr::value(now_ms))
        .filter(Column::Person.eq(person))
        .filter(Column::RevokedMs.is_null())
        .exec(db)
        .await?;
    Ok(())
}
