//! Workloads whose tokens are exchanged for keys, the tokens that were, and the keys that were made.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect, sea_query::OnConflict,
};
use serde_json::Value;

pub use super::entities::workloads::Model as Workload;
use super::entities::workloads::{ActiveModel, Column, Entity};
use super::entities::{key_use, subject_tokens, virtual_keys};
use super::{Store, StoreError};

/// Every workload, by name.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<Workload>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Name).all(&store.read).await?)
}

/// Creates the workload called `name`, or replaces its scope and definition where it exists.
///
/// # Errors
/// [`StoreError::Conflict`] where the scope does not exist, [`StoreError::Unavailable`].
pub async fn put(
    store: &Store,
    name: &str,
    scope: &str,
    definition: Value,
    now_ms: i64,
) -> Result<(), StoreError> {
    let row = ActiveModel {
        name: Set(name.to_owned()),
        scope: Set(scope.to_owned()),
        definition: Set(definition),
        created_ms: Set(now_ms),
        updated_ms: Set(now_ms),
    };
    Entity::insert(row)
        .on_conflict(
            OnConflict::column(Column::Name)
                .update_columns([Column::Scope, Column::Definition, Column::UpdatedMs])
                .to_owned(),
        )
        .exec_without_returning(&store.write)
        .await?;
    Ok(())
}

/// Deletes the workload called `name`. Its keys work on until they end.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn delete(store: &Store, name: &str) -> Result<(), StoreError> {
    let deleted = Entity::delete_by_id(name.to_owned()).exec(&store.write).await?;
    if deleted.rows_affected == 0 { Err(StoreError::NotFound("workload")) } else { Ok(()) }
}

/// Notes that a token was exchanged, until it has expired; `false` where it was before. Of any number of callers at once
/// one gets `true`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn take_token(
    store: &Store,
    id_hash: &[u8],
    expires_ms: i64,
    now_ms: i64,
) -> Result<bool, StoreError> {
    subject_tokens::Entity::delete_many()
        .filter(subject_tokens::Column::ExpiresMs.lte(now_ms))
        .exec(&store.write)
        .await?;
    let row = subject_tokens::Model { id_hash: id_hash.to_vec(), expires_ms };
    let taken = subject_tokens::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(subject_tokens::Column::IdHash).do_nothing().to_owned())
        .exec_without_returning(&store.write)
        .await;
    match taken {
        Ok(rows) => Ok(rows > 0),
        Err(sea_orm::DbErr::RecordNotInserted) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// How many keys of a workload have not ended.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn open_keys(store: &Store, name: &str, now_ms: i64) -> Result<u64, StoreError> {
    Ok(virtual_keys::Entity::find()
        .filter(virtual_keys::Column::Workload.eq(name))
        .filter(virtual_keys::Column::RevokedMs.is_null())
        .filter(virtual_keys::Column::ExpiresMs.gt(now_ms))
        .count(&store.read)
        .await?)
}

/// Deletes keys of workloads that ended before `before_ms`; how many. One that something still names stays.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn sweep(store: &Store, before_ms: i64) -> Result<u64, StoreError> {
    /// Far below what either database takes of parameters in a statement.
    const AT_ONCE: u64 = 500;
    let mut swept = 0_u64;
    let mut after = String::new();
    loop {
        let ids: Vec<String> = virtual_keys::Entity::find()
            .select_only()
            .column(virtual_keys::Column::Id)
            .filter(virtual_keys::Column::Workload.is_not_null())
            .filter(virtual_keys::Column::ExpiresMs.lt(before_ms))
            .filter(virtual_keys::Column::Id.gt(&after))
            .order_by_asc(virtual_keys::Column::Id)
            .limit(AT_ONCE)
            .into_tuple()
            .all(&store.read)
            .await?;
        let Some(last) = ids.last() else { return Ok(swept) };
        after.clone_from(last);
        let deleted = store.transaction(|transaction| {
            let ids = ids.clone();
            Box::pin(async move {
                key_use::Entity::delete_many()
                    .filter(key_use::Column::KeyId.is_in(ids.clone()))
                    .exec(transaction)
                    .await?;
                let done = virtual_keys::Entity::delete_many()
                    .filter(virtual_keys::Column::Id.is_in(ids))
                    .exec(transaction)
                    .await?;
                Ok(done.rows_affected)
            })
        });
        match deleted.await {
            Ok(deleted) => swept = swept.saturating_add(deleted),
            // A budget was put on one of them: these stay.
            Err(StoreError::Conflict(why)) => tracing::debug!(why, "ended keys of workloads are still named"),
            Err(error) => return Err(error),
        }
    }
}
