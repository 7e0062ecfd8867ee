//! The organisation's tree.

use sea_orm::{ActiveValue::Set, EntityTrait, QueryOrder, sea_query::OnConflict};
use serde_json::Value;

pub use super::entities::scopes::Model as Scope;
use super::entities::scopes::{ActiveModel, Column, Entity};
use super::{Store, StoreError};

/// Every scope, parents before children.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<Scope>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Path).all(&store.read).await?)
}

/// The scope at `path`.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, path: &str) -> Result<Scope, StoreError> {
    Entity::find_by_id(path.to_owned()).one(&store.read).await?.ok_or(StoreError::NotFound("scope"))
}

/// Creates the scope at `path`, or replaces its settings where it exists. The caller has validated the path.
///
/// # Errors
/// [`StoreError::Conflict`] where the parent scope does not exist, [`StoreError::Unavailable`].
pub async fn put(store: &Store, path: &str, settings: Value, now_ms: i64) -> Result<(), StoreError> {
    let row = ActiveModel {
        path: Set(path.to_owned()),
        parent: Set(parent(path)),
        settings: Set(settings),
        created_ms: Set(now_ms),
    };
    Entity::insert(row)
        .on_conflict(OnConflict::column(Column::Path).update_column(Column::Settings).to_owned())
        .exec_without_returning(&store.write)
        .await?;
    Ok(())
}

/// Deletes the scope at `path`, which nothing may refer to any more.
///
/// # Errors
/// [`StoreError::Conflict`] where something still belongs to it, [`StoreError::NotFound`],
/// [`StoreError::Unavailable`].
pub async fn delete(store: &Store, path: &str) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let path = path.to_owned();
            Box::pin(async move {
                let deleted = Entity::delete_by_id(path).exec(transaction).await?;
                if deleted.rows_affected == 0 { Err(StoreError::NotFound("scope")) } else { Ok(()) }
            })
        })
        .await
}

/// The path above: `/a/b` is below `/a`, `/a` below `/`, and `/` below nothing.
fn parent(path: &str) -> Option<String> {
    match path.rsplit_once('/') {
        Some(("", "")) | None => None,
        Some(("", _)) => Some("/".to_owned()),
        Some((parent, _)) => Some(parent.to_owned()),
    }
}
