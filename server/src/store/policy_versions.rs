//! The versions of a policy that comes from a Git repository. None is ever changed or deleted.

use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, IntoActiveModel, QueryOrder, QuerySelect};

pub use super::entities::policy_versions::Model as PolicyVersion;
use super::entities::policy_versions::{Column, Entity};
use super::{Store, StoreError};

/// The one in force, if there is any.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn current(store: &Store) -> Result<Option<PolicyVersion>, StoreError> {
    Ok(Entity::find().order_by_desc(Column::Id).one(&store.read).await?)
}

/// The one with this id.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: i64) -> Result<Option<PolicyVersion>, StoreError> {
    Ok(Entity::find_by_id(id).one(&store.read).await?)
}

/// The last ones, newest first.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn last(store: &Store, count: u64) -> Result<Vec<PolicyVersion>, StoreError> {
    Ok(Entity::find().order_by_desc(Column::Id).limit(count).all(&store.read).await?)
}

/// Puts one in force; its id is that of the one before plus one. `false` where another server was faster.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn publish(store: &Store, version: PolicyVersion) -> Result<bool, StoreError> {
    let inserted = Entity::insert(version.into_active_model())
        .on_conflict(OnConflict::column(Column::Id).do_nothing().to_owned())
        .exec_without_returning(&store.write)
        .await;
    match inserted {
        Ok(rows) => Ok(rows > 0),
        Err(sea_orm::DbErr::RecordNotInserted) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
