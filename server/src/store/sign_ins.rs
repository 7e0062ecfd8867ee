//! Sign-ins that are under way at an identity provider, by the hash of their state; and logout tokens that were taken.

use sea_orm::{
    ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, sea_query::OnConflict,
};

use super::entities::logout_tokens;
pub use super::entities::sign_ins::Model as SignIn;
use super::entities::sign_ins::{Column, Entity};
use super::{Store, StoreError};

/// Adds one, unless more than `most` are open; whether it did. What has expired goes first.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn begin(store: &Store, sign_in: SignIn, most: u64, now_ms: i64) -> Result<bool, StoreError> {
    Entity::delete_many().filter(Column::ExpiresMs.lte(now_ms)).exec(&store.write).await?;
    if Entity::find().count(&store.read).await? >= most {
        return Ok(false);
    }
    Entity::insert(sign_in.into_active_model()).exec_without_returning(&store.write).await?;
    Ok(true)
}

/// How many that expire after `expires_after_ms` and are not finished this client began, on any server.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn begun_by(store: &Store, client: &str, expires_after_ms: i64) -> Result<u64, StoreError> {
    let own = Entity::find().filter(Column::Client.eq(client)).filter(Column::ExpiresMs.gt(expires_after_ms));
    Ok(own.count(&store.read).await?)
}

/// Takes one out: of any number of callers at once, one gets it. One that has expired is nobody's.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn take(store: &Store, state_hash: &[u8], now_ms: i64) -> Result<Option<SignIn>, StoreError> {
    let Some(found) = Entity::find_by_id(state_hash.to_vec()).one(&store.read).await? else {
        return Ok(None);
    };
    let deleted = Entity::delete_by_id(state_hash.to_vec()).exec(&store.write).await?;
    Ok((deleted.rows_affected == 1 && found.expires_ms > now_ms).then_some(found))
}

/// Whether a logout token was taken.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn has_logged_out(store: &Store, id_hash: &[u8]) -> Result<bool, StoreError> {
    Ok(logout_tokens::Entity::find_by_id(id_hash.to_vec()).one(&store.read).await?.is_some())
}

/// Notes that a logout token was taken, until it has expired.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn note_logout(
    store: &Store,
    id_hash: &[u8],
    expires_ms: i64,
    now_ms: i64,
) -> Result<(), StoreError> {
    logout_tokens::Entity::delete_many()
        .filter(logout_tokens::Column::ExpiresMs.lte(now_ms))
        .exec(&store.write)
        .await?;
    let row = logout_tokens::Model { id_hash: id_hash.to_vec(), expires_ms };
    logout_tokens::Entity::insert(row.into_active_model())
        .on_conflict(OnConflict::column(logout_tokens::Column::IdHash).do_nothing().to_owned())
        .exec_without_returning(&store.write)
        .await?;
    Ok(())
}
