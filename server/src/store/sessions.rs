//! Signed-in browsers, by the hash of their session id.

use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
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

/// The session with this id hash, unless it has expired or was ended.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn live(store: &Store, id_hash: &[u8], now_ms: i64) -> Result<Option<Session>, StoreError> {
    Ok(Entity::find_by_id(id_hash.to_vec())
        .filter(Column::RevokedMs.is_null())
        .filter(Column::ExpiresMs.gt(now_ms))
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
