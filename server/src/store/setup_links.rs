//! One-time links to sign in with before an identity provider is configured, by the hash of their token.

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, sea_query::Expr};

pub use super::entities::setup_links::Model as SetupLink;
use super::entities::setup_links::{Column, Entity};
use super::{Store, StoreError};

/// Adds a link.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn create(store: &Store, link: SetupLink) -> Result<(), StoreError> {
    Entity::insert(link.into_active_model()).exec_without_returning(&store.write).await?;
    Ok(())
}

/// Whether a link could be used now.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn is_live(store: &Store, token_hash: &[u8], now_ms: i64) -> Result<bool, StoreError> {
    let live = Entity::find_by_id(token_hash.to_vec())
        .filter(Column::UsedMs.is_null())
        .filter(Column::ExpiresMs.gt(now_ms))
        .one(&store.read)
        .await?;
    Ok(live.is_some())
}

/// Ends every link that is not used.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn expire(store: &Store, now_ms: i64) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::ExpiresMs, Expr::value(now_ms))
        .filter(Column::UsedMs.is_null())
        .filter(Column::ExpiresMs.gt(now_ms))
        .exec(&store.write)
        .await?;
    Ok(())
}

/// Uses a link up. Of any number of callers at once, one is told `true`; a link that is unknown, used or
/// expired is `false`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn redeem(store: &Store, token_hash: &[u8], now_ms: i64) -> Result<bool, StoreError> {
    let updated = Entity::update_many()
        .col_expr(Column::UsedMs, Expr::value(now_ms))
        .filter(Column::TokenHash.eq(token_hash))
        .filter(Column::UsedMs.is_null())
        .filter(Column::ExpiresMs.gt(now_ms))
        .exec(&store.write)
        .await?;
    Ok(updated.rows_affected == 1)
}
