//! Virtual keys: hashed at rest, with expiry, revocation, and rotation with an overlap.

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

pub use super::entities::virtual_keys::Model as VirtualKey;
use super::entities::virtual_keys::{Column, Entity};
use super::{Store, StoreError};

/// Every key, revoked and expired ones included, by id.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<VirtualKey>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Id).all(&store.read).await?)
}

/// The key with this id.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: &str) -> Result<VirtualKey, StoreError> {
    Entity::find_by_id(id.to_owned()).one(&store.read).await?.ok_or(StoreError::NotFound("virtual key"))
}

/// Adds a key.
///
/// # Errors
/// [`StoreError::Conflict`] where the id is taken or the scope does not exist, [`StoreError::Unavailable`].
pub async fn create(store: &Store, key: VirtualKey) -> Result<(), StoreError> {
    Entity::insert(key.into_active_model()).exec_without_returning(&store.write).await?;
    Ok(())
}

/// Gives a key other settings and another expiry; its secret stays.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn change(
    store: &Store,
    id: &str,
    settings: serde_json::Value,
    expires_ms: Option<i64>,
) -> Result<(), StoreError> {
    let updated = Entity::update_many()
        .col_expr(Column::Settings, Expr::value(settings))
        .col_expr(Column::ExpiresMs, Expr::value(expires_ms))
        .filter(Column::Id.eq(id))
        .exec(&store.write)
        .await?;
    if updated.rows_affected == 0 { Err(StoreError::NotFound("virtual key")) } else { Ok(()) }
}

/// Revokes a key from `now_ms` on; an earlier revocation stands.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn revoke(store: &Store, id: &str, now_ms: i64) -> Result<(), StoreError> {
    let updated = Entity::update_many()
        .col_expr(Column::RevokedMs, Expr::col(Column::RevokedMs).if_null(now_ms))
        .filter(Column::Id.eq(id))
        .exec(&store.write)
        .await?;
    if updated.rows_affected == 0 { Err(StoreError::NotFound("virtual key")) } else { Ok(()) }
}

/// Adds `replacement` and lets the key `id` work beside it until `overlap_until_ms`.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Conflict`] where `id` was rotated or revoked before,
/// [`StoreError::Unavailable`]. Nothing is changed then.
pub async fn rotate(
    store: &Store,
    id: &str,
    replacement: VirtualKey,
    overlap_until_ms: i64,
) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let (id, replacement) = (id.to_owned(), replacement.clone());
            Box::pin(async move {
                let old = Entity::find_by_id(id)
                    .lock_exclusive()
                    .one(transaction)
                    .await?
                    .ok_or(StoreError::NotFound("virtual key"))?;
                if old.rotated_to.is_some() || old.revoked_ms.is_some() {
                    return Err(StoreError::Conflict("the key was rotated or revoked before".into()));
                }
                let new_id = replacement.id.clone();
                Entity::insert(replacement.into_active_model()).exec_without_returning(transaction).await?;
                let mut old = old.into_active_model();
                old.rotated_to = Set(Some(new_id));
                old.overlap_until_ms = Set(Some(overlap_until_ms));
                old.update(transaction).await?;
                Ok(())
            })
        })
        .await
}
