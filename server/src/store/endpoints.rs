//! Endpoints: the places that can serve a model.

use sea_orm::{ActiveValue::Set, EntityTrait, QueryOrder, sea_query::OnConflict};
use serde_json::Value;

pub use super::entities::endpoints::Model as Endpoint;
use super::entities::endpoints::{ActiveModel, Column, Entity};
use super::{Store, StoreError};

/// Every endpoint, by name.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<Endpoint>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Name).all(&store.read).await?)
}

/// The endpoint called `name`.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, name: &str) -> Result<Endpoint, StoreError> {
    Entity::find_by_id(name.to_owned()).one(&store.read).await?.ok_or(StoreError::NotFound("endpoint"))
}

/// Creates the endpoint called `name`, or replaces its scope and definition where it exists.
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

/// Deletes the endpoint called `name`.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn delete(store: &Store, name: &str) -> Result<(), StoreError> {
    let deleted = Entity::delete_by_id(name.to_owned()).exec(&store.write).await?;
    if deleted.rows_affected == 0 { Err(StoreError::NotFound("endpoint")) } else { Ok(()) }
}
