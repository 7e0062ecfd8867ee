//! Credentials for automation against the control plane, hashed at rest.

use sea_orm::{
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait},
};

pub use super::entities::service_tokens::Model as ServiceToken;
use super::entities::service_tokens::{Column, Entity};
use super::{Store, StoreError, within::within};

/// Every token, revoked and expired ones included, by id.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<ServiceToken>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Id).all(&store.read).await?)
}

/// Up to `limit` tokens of these scopes and those below, by id, with ids above `after`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn page(
    store: &Store,
    scopes: &[String],
    after: Option<&str>,
    limit: u64,
) -> Result<Vec<ServiceToken>, StoreError> {
    let mut query = Entity::find().order_by_asc(Column::Id).limit(limit);
    if let Some(within) = within(Column::Scope, scopes) {
        query = query.filter(within);
    }
    if let Some(after) = after {
        query = query.filter(Column::Id.gt(after));
    }
    Ok(query.all(&store.read).await?)
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

/// The token with this id, whatever its state.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: &str) -> Result<ServiceToken, StoreError> {
    Entity::find_by_id(id.to_owned()).one(&store.read).await?.ok_or(StoreError::NotFound("service token"))
}

/// Notes that a token was used.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn touch(store: &Store, id: &str, now_ms: i64) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::LastUsedMs, Expr::value(now_ms))
        .filter(Column::Id.eq(id))
        .exec(&store.write)
        .await?;
    Ok(())
}

/// Puts `successor` in the place of `id`, which works on until `until_ms` or its own earlier end.
///
/// # Errors
/// [`StoreError::Conflict`] where it is revoked or replaced already, [`StoreError::Unavailable`].
pub async fn rotate(
    store: &Store,
    id: &str,
    successor: ServiceToken,
    until_ms: i64,
    seen: Option<&ServiceToken>,
) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let (id, successor, seen) = (id.to_owned(), successor.clone(), seen.cloned());
            Box::pin(async move {
                still(transaction, &id, seen).await?;
                let earlier = Expr::col(Column::ExpiresMs).lt(until_ms);
                let updated = Entity::update_many()
                    .col_expr(Column::RotatedTo, Expr::value(successor.id.clone()))
                    .col_expr(
                        Column::ExpiresMs,
                        Expr::case(earlier, Expr::col(Column::ExpiresMs)).finally(until_ms).into(),
                    )
                    .filter(Column::Id.eq(&id))
                    .filter(Column::RevokedMs.is_null())
                    .filter(Column::RotatedTo.is_null())
                    .exec(transaction)
                    .await?;
                if updated.rows_affected == 0 {
                    return Err(StoreError::Conflict("the token is revoked or replaced already".into()));
                }
                Entity::insert(successor.into_active_model()).exec_without_returning(transaction).await?;
                Ok(())
            })
        })
        .await
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
pub async fn revoke(
    store: &Store,
    id: &str,
    now_ms: i64,
    seen: Option<&ServiceToken>,
) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::RevokedMs, Expr::col(Column::RevokedMs).if_null(now_ms))
        .filter(Column::Id.eq(id));
    let updated = store.transaction(|transaction| {
        let (id, seen, update) = (id.to_owned(), seen.cloned(), update.clone());
        Box::pin(async move {
            still(transaction, &id, seen).await?;
            Ok(update.exec(transaction).await?)
        })
    });
    if updated.await?.rows_affected == 0 { Err(StoreError::NotFound("service token")) } else { Ok(()) }
}

/// Refuses where the token is another one than was seen. Its use changes nothing that anybody looks at.
async fn still(
    transaction: &DatabaseTransaction,
    id: &str,
    seen: Option<ServiceToken>,
) -> Result<(), StoreError> {
    let Some(seen) = seen else { return Ok(()) };
    let now = Entity::find_by_id(id.to_owned()).lock_exclusive().one(transaction).await?;
    let last_used_ms = seen.last_used_ms;
    let now = now.map(|now| ServiceToken { last_used_ms, ..now });
    if now == Some(seen) { Ok(()) } else { Err(StoreError::Changed) }
}
