//! Budgets and what was settled on them. Spend is booked by the audit log's group commit, in the same
//! transaction as the outcome record that explains it.

use std::collections::BTreeMap;

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, SqlErr,
    sea_query::{ExprTrait, OnConflict},
};

pub use super::entities::budget_top_ups::Model as TopUp;
pub use super::entities::budgets::Model as Budget;
use super::entities::budgets::{Column, Entity};
use super::entities::{budget_spend, budget_thresholds, budget_top_ups};
use super::{Store, StoreError, seen::unchanged};

/// The number of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct BudgetId(pub i64);

/// What all replicas settled on a budget in the bucket that began at `window_start_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spend {
    /// The budget.
    pub budget: BudgetId,
    /// Start of the bucket, Unix milliseconds.
    pub window_start_ms: i64,
    /// Settled spend, nano-dollars.
    pub settled_nano: i64,
}

/// Every budget, by number.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(store: &Store) -> Result<Vec<Budget>, StoreError> {
    Ok(Entity::find().order_by_asc(Column::Id).all(&store.read).await?)
}

/// Adds a budget; its `id` is ignored and the one that it got is returned.
///
/// # Errors
/// [`StoreError::Conflict`] where the scope, key or model group does not exist, or where the budget does not name exactly
/// one of scope, key and user;
/// [`StoreError::Unavailable`].
pub async fn create(store: &Store, budget: Budget) -> Result<BudgetId, StoreError> {
    store
        .transaction(|transaction| {
            let budget = budget.clone();
            Box::pin(async move { create_in(transaction, budget).await })
        })
        .await
}

/// [`create`] as a part of something larger.
pub(super) async fn create_in(
    transaction: &DatabaseTransaction,
    budget: Budget,
) -> Result<BudgetId, StoreError> {
    let last: Option<i64> = Entity::find()
        .select_only()
        .column_as(Column::Id.max(), "id")
        .into_tuple()
        .one(transaction)
        .await?
        .flatten();
    let id = last.unwrap_or(0).saturating_add(1);
    let mut row = budget.into_active_model().reset_all();
    row.id = Set(id);
    match Entity::insert(row).exec_without_returning(transaction).await {
        Ok(_) => Ok(BudgetId(id)),
        // Its id is all that is unique of a budget, so somebody else took this one just now.
        Err(err) if matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Err(StoreError::Contended("another budget is being created".into()))
        }
        Err(err) => Err(err.into()),
    }
}

/// Replaces the declaration of the budget `budget.id`; what was spent on it stays.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Conflict`] as in [`create`], [`StoreError::Unavailable`].
pub async fn update(store: &Store, budget: Budget) -> Result<(), StoreError> {
    let id = budget.id;
    match budget.into_active_model().reset_all().update(&store.write).await {
        Ok(_) => Ok(()),
        Err(sea_orm::DbErr::RecordNotUpdated) => {
            tracing::debug!(id, "no such budget");
            Err(StoreError::NotFound("budget"))
        }
        Err(err) => Err(err.into()),
    }
}

/// Deletes a budget and what was spent on it; the records that explain the spend stay.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn delete(store: &Store, id: BudgetId) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            Box::pin(async move {
                budget_spend::Entity::delete_many()
                    .filter(budget_spend::Column::BudgetId.eq(id.0))
                    .exec(transaction)
                    .await?;
                budget_top_ups::Entity::delete_many()
                    .filter(budget_top_ups::Column::BudgetId.eq(id.0))
                    .exec(transaction)
                    .await?;
                budget_thresholds::Entity::delete_many()
                    .filter(budget_thresholds::Column::BudgetId.eq(id.0))
                    .exec(transaction)
                    .await?;
                let deleted = Entity::delete_by_id(id.0).exec(transaction).await?;
                if deleted.rows_affected == 0 { Err(StoreError::NotFound("budget")) } else { Ok(()) }
            })
        })
        .await
}

/// The settled spend of every bucket that began at or after `since_ms` (`total` windows begin at 0 and are
/// always among them).
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn spend_since(store: &Store, since_ms: i64) -> Result<Vec<Spend>, StoreError> {
    use budget_spend::Column as C;
    let rows = budget_spend::Entity::find()
        .filter(C::WindowStartMs.gte(since_ms).or(C::WindowStartMs.eq(0)))
        .all(&store.read)
        .await?;
    let mut sums: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry((row.budget_id, row.window_start_ms)).or_default();
        *sum = sum.saturating_add(row.settled_nano);
    }
    Ok(sums
        .into_iter()
        .map(|((budget, window_start_ms), settled_nano)| Spend {
            budget: BudgetId(budget),
            window_start_ms,
            settled_nano,
        })
        .collect())
}

/// The budget with this number.
///
/// # Errors
/// [`StoreError::NotFound`], [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: BudgetId) -> Result<Budget, StoreError> {
    Entity::find_by_id(id.0).one(&store.read).await?.ok_or(StoreError::NotFound("budget"))
}

/// Every top-up that counts at `now_ms` or later, by budget and time.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn top_ups(store: &Store, now_ms: i64) -> Result<Vec<TopUp>, StoreError> {
    use budget_top_ups::Column as C;
    Ok(budget_top_ups::Entity::find()
        .filter(C::UntilMs.is_null().or(C::UntilMs.gt(now_ms)))
        .order_by_asc(C::BudgetId)
        .order_by_asc(C::CreatedMs)
        .all(&store.read)
        .await?)
}

/// Adds a top-up.
///
/// # Errors
/// [`StoreError::Conflict`] where the budget does not exist or the amount is not above zero;
/// [`StoreError::Unavailable`].
pub async fn top_up(store: &Store, top_up: TopUp) -> Result<(), StoreError> {
    top_up_in(&store.write, top_up).await
}

/// Adds a top-up to a budget that is still as it was `seen`, with these top-ups that count at `now_ms` or later and no others.
///
/// # Errors
/// [`StoreError::Changed`]; as [`top_up`].
pub async fn top_up_as_seen(
    store: &Store,
    top_up: TopUp,
    seen: &Budget,
    top_ups: &[TopUp],
    now_ms: i64,
) -> Result<(), StoreError> {
    use budget_top_ups::Column as C;
    store
        .transaction(|transaction| {
            let (top_up, seen, known) = (top_up.clone(), seen.clone(), top_ups.to_vec());
            Box::pin(async move {
                // Who tops up the same one waits for this row.
                unchanged(transaction, Entity::find_by_id(seen.id), Some(&seen)).await?;
                let now = budget_top_ups::Entity::find()
                    .filter(C::BudgetId.eq(seen.id))
                    .filter(C::UntilMs.is_null().or(C::UntilMs.gt(now_ms)))
                    .order_by_asc(C::CreatedMs)
                    .all(transaction)
                    .await?;
                if now != known {
                    return Err(StoreError::Changed);
                }
                top_up_in(transaction, top_up).await
            })
        })
        .await
}

/// As [`top_up`], as a part of something larger.
pub(super) async fn top_up_in(db: &impl ConnectionTrait, top_up: TopUp) -> Result<(), StoreError> {
    let row = top_up.into_active_model().reset_all();
    budget_top_ups::Entity::insert(row).exec_without_returning(db).await?;
    Ok(())
}

/// The thresholds that were noted for windows that began at or after `since_ms`, and for those that never end: budget,
/// start of the window, per cent.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn noted_thresholds(store: &Store, since_ms: i64) -> Result<Vec<(BudgetId, i64, u16)>, StoreError> {
    use budget_thresholds::Column as C;
    let rows = budget_thresholds::Entity::find()
        .filter(C::WindowStartMs.gte(since_ms).or(C::WindowStartMs.eq(0)))
        .all(&store.read)
        .await?;
    let percent = |percent: i64| u16::try_from(percent).unwrap_or(u16::MAX);
    Ok(rows
        .into_iter()
        .map(|row| (BudgetId(row.budget_id), row.window_start_ms, percent(row.percent)))
        .collect())
}

/// Notes that a threshold was reached; `false` where that was noted before.
///
/// # Errors
/// [`StoreError::Conflict`] where the budget does not exist; [`StoreError::Unavailable`].
pub async fn note_threshold(
    store: &Store,
    budget: BudgetId,
    window_start_ms: i64,
    percent: u16,
    now_ms: i64,
) -> Result<bool, StoreError> {
    use budget_thresholds::Column as C;
    let row = budget_thresholds::ActiveModel {
        budget_id: Set(budget.0),
        window_start_ms: Set(window_start_ms),
        percent: Set(i64::from(percent)),
        reached_ms: Set(now_ms),
    };
    let noted = budget_thresholds::Entity::insert(row)
        .on_conflict(OnConflict::columns([C::BudgetId, C::WindowStartMs, C::Percent]).do_nothing().to_owned())
        .exec_without_returning(&store.write)
        .await;
    match noted {
        Ok(rows) => Ok(rows > 0),
        Err(sea_orm::DbErr::RecordNotInserted) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
