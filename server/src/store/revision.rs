//! The revision of the configuration, which the database itself raises with every change of what a snapshot is built
//! from: scopes, endpoints, keys, model groups, budgets and their top-ups, kill switches, versions of the policy.

use sea_orm::EntityTrait;

use super::entities::revision::Entity;
use super::{Store, StoreError};

/// The revision now. What was committed before is in whatever is read after.
///
/// # Errors
/// [`StoreError::Unavailable`]; [`StoreError::Corrupt`] where the row is gone.
pub async fn current(store: &Store) -> Result<i64, StoreError> {
    let row = Entity::find_by_id(1_i64).one(&store.read).await?;
    row.map(|row| row.value).ok_or_else(|| StoreError::Corrupt("the table `revision` is empty".into()))
}
