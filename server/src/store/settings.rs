//! Settings of the control plane: small JSON values by key.

use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, QuerySelect, sea_query::OnConflict};
use serde_json::Value;

use super::entities::settings::{ActiveModel, Column, Entity};
use super::{Store, StoreError};

/// The value of `key`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn get(store: &Store, key: &str) -> Result<Option<Value>, StoreError> {
    get_in(&store.read, key).await
}

/// Whether `key` has a value.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn has(store: &Store, key: &str) -> Result<bool, StoreError> {
    let found = Entity::find_by_id(key.to_owned()).select_only().column(Column::Key);
    Ok(found.into_tuple::<String>().one(&store.read).await?.is_some())
}

pub(super) async fn get_in(db: &impl ConnectionTrait, key: &str) -> Result<Option<Value>, StoreError> {
    Ok(Entity::find_by_id(key.to_owned()).one(db).await?.map(|row| row.value))
}

/// Sets `key` to `value` where it has none, and gives what it has then: of several that ask at once, all get the same.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn keep_first(store: &Store, key: &str, value: Value, now_ms: i64) -> Result<Value, StoreError> {
    let row = ActiveModel { key: Set(key.to_owned()), value: Set(value), updated_ms: Set(now_ms) };
    Entity::insert(row)
        .on_conflict(OnConflict::column(Column::Key).do_nothing().to_owned())
        .exec_without_returning(&store.write)
        .await?;
    let kept = Entity::find_by_id(key.to_owned()).one(&store.write).await?;
    kept.map(|row| row.value).ok_or_else(|| StoreError::Corrupt(format!("the setting `{key}` is gone")))
}

/// Sets `key` to `value`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn put(store: &Store, key: &str, value: Value, now_ms: i64) -> Result<(), StoreError> {
    let row = ActiveModel { key: Set(key.to_owned()), value: Set(value), updated_ms: Set(now_ms) };
    Entity::insert(row)
        .on_conflict(
            OnConflict::column(Column::Key).update_columns([Column::Value, Column::UpdatedMs]).to_owned(),
        )
        .exec_without_returning(&store.write)
        .await?;
    Ok(())
}
