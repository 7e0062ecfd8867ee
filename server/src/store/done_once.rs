//! Requests that are done once however often they are sent.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, IntoActiveModel, QueryFilter};

pub use super::entities::done_once::Model as DoneOnce;
use super::entities::done_once::{Column, Entity};
use super::{Store, StoreError};

/// Begins a request: of any number of callers at once, one does. `None`: this caller; otherwise what another one began.
/// One that is to be forgotten by `now_ms` goes first.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn begin(store: &Store, new: DoneOnce, now_ms: i64) -> Result<Option<DoneOnce>, StoreError> {
    store
        .transaction(|transaction| {
            let new = new.clone();
            Box::pin(async move {
                Entity::delete_many().filter(Column::ExpiresMs.lte(now_ms)).exec(transaction).await?;
                let id = new.id_hash.clone();
                let added = Entity::insert(new.into_active_model())
                    .on_conflict(OnConflict::column(Column::IdHash).do_nothing().to_owned())
                    .exec_without_returning(transaction)
                    .await;
                match added {
                    Ok(rows) if rows > 0 => return Ok(None),
                    Ok(_) | Err(DbErr::RecordNotInserted) => {}
                    Err(error) => return Err(error.into()),
                }
                let there = Entity::find_by_id(id).one(transaction).await?;
                there.map(Some).ok_or(StoreError::NotFound("request"))
            })
        })
        .await
}

/// Keeps what was answered.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn finish(store: &Store, id_hash: &[u8], answer: Vec<u8>) -> Result<(), StoreError> {
    Entity::update_many()
        .col_expr(Column::Answer, Expr::value(answer))
        .filter(Column::IdHash.eq(id_hash))
        .exec(&store.write)
        .await?;
    Ok(())
}

/// Forgets a request that did nothing.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn forget(store: &Store, id_hash: &[u8]) -> Result<(), StoreError> {
    Entity::delete_by_id(id_hash.to_vec()).exec(&store.write).await?;
    Ok(())
}
