//! What replicas may spend of budgets: leases, returns, and what a dead one held.
//!
//! Each is one short transaction. Those that grant run one after the other for a budget, by a lock on its row, and
//! each checks the replica's epoch under a lock that [`reclaim`] waits for and makes wait: a grant is there before a
//! replica is held to be dead, and then reclaimed, or it is refused.

use sea_orm::sea_query::{Expr, ExprTrait as _, LockType, OnConflict};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder as _,
    QuerySelect,
};

use super::entities::{budget_spend, budget_top_ups, budgets, replicas};
use super::replicas::{ReplicaNumber, State};
use super::{Store, StoreError};
use crate::budgets::lease::{Answer, Ask, Kept, Row, divide};
use crate::budgets::{Budget, TopUp};

/// How long buckets of a limit are kept that no longer count, in milliseconds.
const KEPT_MS: i64 = 3_600_000;

/// What came of an ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lease {
    Granted(Answer),
    /// The budget was deleted.
    Gone,
    /// The replica's epoch is over: nothing that it holds counts any more.
    Fenced,
}

/// Grants what `ask` asks for, as far as there is room, and takes back what it gives back.
pub(crate) async fn lease(
    store: &Store,
    replica: ReplicaNumber,
    epoch: i64,
    ask: &Ask,
) -> Result<Lease, StoreError> {
    store
        .transaction(|transaction| {
            let ask = ask.clone();
            Box::pin(async move { in_transaction(transaction, replica, epoch, &ask).await })
        })
        .await
}

async fn in_transaction(
    transaction: &DatabaseTransaction,
    replica: ReplicaNumber,
    epoch: i64,
    ask: &Ask,
) -> Result<Lease, StoreError> {
    // Not the stronger lock: a commit that books on the budget would wait for it.
    let budget = budgets::Entity::find_by_id(ask.budget).lock(LockType::NoKeyUpdate).one(transaction).await?;
    let Some(budget) = budget else { return Ok(Lease::Gone) };
    if epoch_of(transaction, replica, LockType::KeyShare).await? != Some(epoch) {
        return Ok(Lease::Fenced);
    }
    let top_ups = top_ups(transaction, ask).await?;
    let budget = match Budget::declared(&budget, top_ups).map_err(StoreError::Corrupt)? {
        Some(budget) if budget.window == ask.window => budget,
        Some(_) => return Err(StoreError::Unavailable("the budget's window has just been changed".into())),
        None => return Ok(Lease::Gone),
    };
    let live = live(transaction, replica).await?;
    let rows = rows(transaction, ask).await?;
    let answer = divide(ask, replica.get(), &budget, &rows, live);
    if ask.first && budget.unit.is_limit() {
        // A limit's buckets are short, and nobody asks what was used in those that are over; an hour later nobody
        // whose clock is behind does either.
        budget_spend::Entity::delete_many()
            .filter(budget_spend::Column::BudgetId.eq(ask.budget))
            .filter(budget_spend::Column::WindowStartMs.lt(ask.oldest_ms.saturating_sub(KEPT_MS)))
            .exec(transaction)
            .await?;
    }
    let mut older: Vec<&Kept> = ask.older.iter().collect();
    // The order in which a commit books.
    older.sort_unstable_by_key(|kept| kept.bucket_ms);
    for Kept { bucket_ms, in_use, .. } in older {
        let there = |row: &Row| row.replica == replica.get() && row.bucket_ms == *bucket_ms;
        if rows.iter().any(|row| there(row) && row.granted != *in_use) {
            budget_spend::Entity::update_many()
                .col_expr(budget_spend::Column::GrantedNano, Expr::value(*in_use))
                .col_expr(budget_spend::Column::ShortNano, Expr::value(0_i64))
                .filter(budget_spend::Column::BudgetId.eq(ask.budget))
                .filter(budget_spend::Column::WindowStartMs.eq(*bucket_ms))
                .filter(budget_spend::Column::Replica.eq(replica.get()))
                .exec(transaction)
                .await?;
        }
    }
    let row = budget_spend::ActiveModel {
        budget_id: Set(ask.budget),
        window_start_ms: Set(ask.bucket_ms),
        replica: Set(replica.get()),
        granted_nano: Set(answer.granted),
        settled_nano: Set(0),
        short_nano: Set(answer.short),
    };
    use budget_spend::Column as C;
    budget_spend::Entity::insert(row)
        .on_conflict(
            OnConflict::columns([C::BudgetId, C::WindowStartMs, C::Replica])
                .update_columns([C::GrantedNano, C::ShortNano])
                .to_owned(),
        )
        .exec_without_returning(transaction)
        .await?;
    Ok(Lease::Granted(answer))
}

async fn epoch_of(
    transaction: &DatabaseTransaction,
    replica: ReplicaNumber,
    lock: LockType,
) -> Result<Option<i64>, StoreError> {
    let row = replicas::Entity::find_by_id(replica.get()).lock(lock).one(transaction).await?;
    Ok(row.map(|row| row.epoch))
}

/// This replica and the others that are not known to be dead.
async fn live(transaction: &DatabaseTransaction, replica: ReplicaNumber) -> Result<u32, StoreError> {
    let others: Vec<i64> = replicas::Entity::find()
        .select_only()
        .column(replicas::Column::Number)
        .filter(replicas::Column::Number.ne(replica.get()))
        .filter(replicas::Column::State.eq(State::Live))
        .into_tuple()
        .all(transaction)
        .await?;
    Ok(u32::try_from(others.len()).unwrap_or(u32::MAX).saturating_add(1))
}

async fn top_ups(transaction: &DatabaseTransaction, ask: &Ask) -> Result<Vec<TopUp>, StoreError> {
    use budget_top_ups::Column as C;
    let rows = budget_top_ups::Entity::find()
        .filter(C::BudgetId.eq(ask.budget))
        .filter(C::UntilMs.is_null().or(C::UntilMs.gt(ask.oldest_ms)))
        .all(transaction)
        .await?;
    let top_up = |row: budget_top_ups::Model| TopUp {
        amount_nano: row.amount_nano,
        from_ms: row.from_ms,
        until_ms: row.until_ms,
    };
    Ok(rows.into_iter().map(top_up).collect())
}

async fn rows(transaction: &DatabaseTransaction, ask: &Ask) -> Result<Vec<Row>, StoreError> {
    let rows = budget_spend::Entity::find()
        .filter(budget_spend::Column::BudgetId.eq(ask.budget))
        .filter(budget_spend::Column::WindowStartMs.gte(ask.oldest_ms))
        .all(transaction)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| Row {
            bucket_ms: row.window_start_ms,
            replica: row.replica,
            granted: row.granted_nano,
            settled: row.settled_nano,
            short: row.short_nano,
        })
        .collect())
}

/// The budgets of which replicas other than this one are short.
pub(crate) async fn short(store: &Store, replica: ReplicaNumber) -> Result<Vec<i64>, StoreError> {
    let ids = budget_spend::Entity::find()
        .select_only()
        .column(budget_spend::Column::BudgetId)
        .distinct()
        .filter(budget_spend::Column::ShortNano.gt(0))
        .filter(budget_spend::Column::Replica.ne(replica.get()))
        .into_tuple()
        .all(&store.read)
        .await?;
    Ok(ids)
}

/// Takes back what a replica held and had not spent, once its attempts without an outcome are booked. `epoch` is the
/// one that it was raised to so that nobody could commit or lease under the one before. Nothing changes, and the
/// answer is `false`, where it has another one: then somebody else does this, or the replica runs again.
pub(crate) async fn reclaim(store: &Store, replica: ReplicaNumber, epoch: i64) -> Result<bool, StoreError> {
    store
        .transaction(|transaction| Box::pin(async move { reclaim_in(transaction, replica, epoch).await }))
        .await
}

async fn reclaim_in(
    transaction: &DatabaseTransaction,
    replica: ReplicaNumber,
    epoch: i64,
) -> Result<bool, StoreError> {
    use budget_spend::Column as C;
    if epoch_of(transaction, replica, LockType::Update).await? != Some(epoch) {
        return Ok(false);
    }
    budget_spend::Entity::update_many()
        .col_expr(C::GrantedNano, Expr::col(C::SettledNano))
        .col_expr(C::ShortNano, Expr::value(0_i64))
        .filter(C::Replica.eq(replica.get()))
        .filter(Expr::col(C::GrantedNano).gt(Expr::col(C::SettledNano)).or(C::ShortNano.gt(0)))
        .exec(transaction)
        .await?;
    Ok(true)
}

/// What a replica may spend of a budget in one bucket, and has not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Held {
    budget: i64,
    window_start_ms: i64,
    amount: i64,
}

/// What is granted to `replica` and not settled.
pub(crate) async fn held(store: &Store, replica: ReplicaNumber) -> Result<Vec<Held>, StoreError> {
    use budget_spend::Column as C;
    let rows = budget_spend::Entity::find()
        .filter(C::Replica.eq(replica.get()))
        .filter(Expr::col(C::GrantedNano).gt(Expr::col(C::SettledNano)))
        .order_by_asc(C::BudgetId)
        .order_by_asc(C::WindowStartMs)
        .all(&store.read)
        .await?;
    let held = |row: budget_spend::Model| Held {
        budget: row.budget_id,
        window_start_ms: row.window_start_ms,
        amount: row.granted_nano.saturating_sub(row.settled_nano),
    };
    Ok(rows.into_iter().map(held).collect())
}

/// What is granted and settled of a budget, row by row.
#[cfg(test)]
pub(crate) async fn granted(store: &Store, budget: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    let rows = budget_spend::Entity::find()
        .filter(budget_spend::Column::BudgetId.eq(budget))
        .all(&store.read)
        .await?;
    Ok(rows.into_iter().map(|row| (row.granted_nano, row.settled_nano)).collect())
}
