//! Thoughts that providers signed or sealed, by digest, so that one that comes back is known.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ColumnTrait as _, DbErr, EntityTrait as _, IntoActiveModel as _, QueryFilter as _};

pub use super::entities::sealed_thoughts::Model as SealedThought;
use super::entities::sealed_thoughts::{Column, Entity};
use super::{Store, StoreError};

/// Keeps thoughts of an answer. One that is there already stays as it is.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn keep(store: &Store, thoughts: Vec<SealedThought>) -> Result<(), StoreError> {
    let rows = thoughts.into_iter().map(|thought| thought.into_active_model());
    let kept = Entity::insert_many(rows)
        .on_conflict(OnConflict::columns([Column::Digest, Column::Decision]).do_nothing().to_owned())
        .exec_without_returning(&store.write)
        .await;
    match kept {
        Ok(_) | Err(DbErr::RecordNotInserted) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What is known of thoughts with these digests.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn find(store: &Store, digests: &[String]) -> Result<Vec<SealedThought>, StoreError> {
    let digests = digests.iter().map(String::as_str);
    Ok(Entity::find().filter(Column::Digest.is_in(digests)).all(&store.read).await?)
}

/// Forgets those that were told before `before_ms`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn sweep(store: &Store, before_ms: i64) -> Result<u64, StoreError> {
    let deleted = Entity::delete_many().filter(Column::SeenMs.lt(before_ms)).exec(&store.write).await?;
    Ok(deleted.rows_affected)
}
