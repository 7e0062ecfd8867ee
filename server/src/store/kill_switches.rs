//! Kill switches: thrown, listed, lifted. None is ever deleted.

use sea_orm::{ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, sea_query::Expr};

pub use super::entities::kill_switches::Model as KillSwitch;
use super::entities::kill_switches::{Column, Entity};
use super::{Store, StoreError, seen::unchanged};

/// Every one, expired and lifted ones included, newest first.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<KillSwitch>, StoreError> {
    Ok(Entity::find().order_by_desc(Column::CreatedMs).order_by_desc(Column::Id).all(&store.read).await?)
}

/// Those that are in force at `now_ms`, by id.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn in_force(store: &Store, now_ms: i64) -> Result<Vec<KillSwitch>, StoreError> {
    Ok(Entity::find()
        .filter(Column::LiftedMs.is_null())
        .filter(Column::ExpiresMs.gt(now_ms))
        .order_by_asc(Column::Id)
        .all(&store.read)
        .await?)
}

/// Those that expired by `now_ms` without being lifted, and of which the log was not told.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn unasked(store: &Store, now_ms: i64) -> Result<Vec<KillSwitch>, StoreError> {
    Ok(Entity::find()
        .filter(Column::LiftedMs.is_null())
        .filter(Column::AskedMs.is_null())
        .filter(Column::ExpiresMs.lte(now_ms))
        .order_by_asc(Column::Id)
        .all(&store.read)
        .await?)
}

/// The switch with this id.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: &str) -> Result<KillSwitch, StoreError> {
    Entity::find_by_id(id.to_owned()).one(&store.read).await?.ok_or(StoreError::NotFound("kill switch"))
}

/// Adds one.
///
/// # Errors
/// [`StoreError::Conflict`] where the id is taken, [`StoreError::Unavailable`].
pub async fn throw(store: &Store, switch: KillSwitch) -> Result<(), StoreError> {
    Entity::insert(switch.into_active_model()).exec_without_returning(&store.write).await?;
    Ok(())
}

/// Lifts one.
///
/// # Errors
/// [`StoreError::Conflict`] where it was lifted before, [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn lift(
    store: &Store,
    id: &str,
    who: &str,
    why: &str,
    now_ms: i64,
    seen: Option<&KillSwitch>,
) -> Result<(), StoreError> {
    let update = Entity::update_many()
        .col_expr(Column::LiftedMs, Expr::value(now_ms))
        .col_expr(Column::LiftedBy, Expr::value(who))
        .col_expr(Column::LiftedBecause, Expr::value(why))
        .filter(Column::Id.eq(id))
        .filter(Column::LiftedMs.is_null());
    let updated = store.transaction(|transaction| {
        let (id, seen, update) = (id.to_owned(), seen.cloned(), update.clone());
        Box::pin(async move {
            unchanged(transaction, Entity::find_by_id(id), seen.as_ref()).await?;
            Ok(update.exec(transaction).await?)
        })
    });
    if updated.await?.rows_affected == 1 {
        return Ok(());
    }
    get(store, id).await?;
    Err(StoreError::Conflict("the kill switch was lifted before".into()))
}

/// Notes that the log was told that one has expired. `false` where another server did.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn asked(store: &Store, id: &str, now_ms: i64) -> Result<bool, StoreError> {
    let updated = Entity::update_many()
        .col_expr(Column::AskedMs, Expr::value(now_ms))
        .filter(Column::Id.eq(id))
        .filter(Column::AskedMs.is_null())
        .exec(&store.write)
        .await?;
    Ok(updated.rows_affected == 1)
}
