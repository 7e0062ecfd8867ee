//! Credentials for automation against the control plane, hashed at rest.

use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::{Expr, ExprTrait},
};

pub use super::entities::service_tokens::Model as ServiceToken;
use super::entities::service_tokens::{Column, Entity};
use super::{Store, StoreError};

/// Every token, revoked and expired ones included, by id.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<ServiceToken>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Id).all(&store.read).await?)
}

/// The token with this id, unless it has expired or was revoked.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn live(store: &Store, id: &str, now_ms: i64) -> Result<Option<ServiceToken>, StoreError> {
    Ok(Entity::find_by_id(id.to_owned())
        .filter(Column::RevokedMs.is_null())
        .filter(Column::ExpiresMs.is_null().or(Column::ExpiresMs.gt(now_ms)))
        .one(&store.read)
        .await?)
}

/// Adds a token.
///
/// # Errors
/// [`StoreError::Conflict`] where the id is taken or the scope does not exist, [`StoreError::Unavailable`].
pub async fn create(store: &Store, token: ServiceToken) -> Result<(), StoreError> {
    Entity::insert(token.into_active_model()).exec_without_returning(&store.write).await?;
    Ok(())
}

/// Revokes a token from `now_ms` on; an earlier revocation stands.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn revoke(store: &Store, id: &str, now_ms: i64) -> Result<(), StoreError> {
    let updated = Entity::update_many()
        .col_expr(Column::RevokedMs, Expr::col(Column::RevokedMs).if_null(now_ms))
        .filter(Column::Id.eq(id))
        .exec(&store.write)
        .await?;
    if updated.rows_affected == 0 { Err(StoreError::NotFound("service token")) } else { Ok(()) }
}
