//! Names for some models, by which budgets count them together.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, EntityTrait, QueryOrder};

pub use super::entities::model_groups::Model as ModelGroup;
use super::entities::model_groups::{ActiveModel, Column, Entity};
use super::{Store, StoreError};

/// Every group, by name.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<ModelGroup>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Name).all(&store.read).await?)
}

/// Adds a group or replaces what it names.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn put(
    store: &Store,
    name: &str,
    models: serde_json::Value,
    now_ms: i64,
) -> Result<(), StoreError> {
    let row = ActiveModel {
        name: Set(name.to_owned()),
        models: Set(models),
        created_ms: Set(now_ms),
        updated_ms: Set(now_ms),
    };
    Entity::insert(row)
        .on_conflict(
            OnConflict::column(Column::Name).update_columns([Column::Models, Column::UpdatedMs]).to_owned(),
        )
        .exec_without_returning(&store.write)
        .await?;
    Ok(())
}

/// Deletes the group called `name`.
///
/// # Errors
/// [`StoreError::Conflict`] where a budget still names it, [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn delete(store: &Store, name: &str) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let name = name.to_owned();
            Box::pin(async move {
                let deleted = Entity::delete_by_id(name).exec(transaction).await?;
                if deleted.rows_affected == 0 { Err(StoreError::NotFound("model group")) } else { Ok(()) }
            })
        })
        .await
}
