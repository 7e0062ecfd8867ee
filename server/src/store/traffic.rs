//! Traffic in numbers: decisions by outcome, what they cost and what was redacted, by equal steps of time and by scope.
//!
//! An hour that is over is counted once and kept; only what came since is counted when somebody asks.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, EntityTrait, IntoActiveModel as _, QueryFilter, QueryOrder as _,
    QuerySelect,
};

use super::entities::decisions::{Column as Decided, Entity as Decisions};
use super::entities::traffic_counts::{Column, Entity, Model};
use super::entities::traffic_hours::{Column as HourColumn, Entity as Hours, Model as Hour};
use super::replay::first_decision_of;
use super::within::within;
use super::{Store, StoreError};

/// An hour, in milliseconds: what is counted at a time.
pub const HOUR_MS: i64 = 3_600_000;
/// What stands before a kind of entity in [`Tally::what`].
pub const REDACTED: &str = "redacted:";

/// Rows that one statement inserts: five values each, far below what either database takes.
const ROWS: usize = 500;

/// How many of one kind there were in a step of time, in one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// When the step begins, Unix milliseconds.
    pub start_ms: i64,
    /// The scope that asked.
    pub scope: String,
    /// An outcome as in [`DecisionRow::outcome`](super::decisions::DecisionRow::outcome), or [`REDACTED`] and a kind of entity.
    pub what: String,
    /// How many.
    pub count: i64,
    /// What those of an outcome cost, nano-dollars.
    pub cost_nano: i64,
}

/// Reads and counts the decisions made at or after `from_ms` and before `to_ms`, by steps of `step_ms`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn count(store: &Store, from_ms: i64, to_ms: i64, step_ms: i64) -> Result<Vec<Tally>, StoreError> {
    type Group = (i64, String, String, Option<String>, i64, Option<i64>);
    // As text: with a bound value, what is grouped by would be another expression than what is selected.
    let step = format!("decisions.time_ms - decisions.time_ms % {}", Ord::max(step_ms, 1));
    let groups: Vec<Group> = Decisions::find()
        .select_only()
        .expr_as(Expr::cust(step.clone()), "step")
        .columns([Decided::Scope, Decided::Outcome, Decided::Redactions])
        .expr_as(Expr::col(Decided::Id).count(), "count")
        .expr_as(Expr::col(Decided::CostNano).sum().cast_as("bigint"), "cost")
        .filter(Decided::Id.gte(first_decision_of(from_ms)))
        .filter(Decided::Id.lt(first_decision_of(to_ms)))
        .group_by(Expr::cust(step))
        .group_by(Decided::Scope)
        .group_by(Decided::Outcome)
        .group_by(Decided::Redactions)
        .into_tuple()
        .all(&store.read)
        .await?;
    let mut sums: BTreeMap<(i64, String, String), (i64, i64)> = BTreeMap::new();
    let mut add = |key: (i64, String, String), count: i64, cost: i64| {
        let sum = sums.entry(key).or_default();
        sum.0 = sum.0.saturating_add(count);
        sum.1 = sum.1.saturating_add(cost);
    };
    for (start_ms, scope, outcome, redactions, count, cost) in groups {
        for (kind, each) in redactions.as_deref().unwrap_or_default().split(',').filter_map(pair) {
            add((start_ms, scope.clone(), format!("{REDACTED}{kind}")), each.saturating_mul(count), 0);
        }
        add((start_ms, scope, outcome), count, cost.unwrap_or(0));
    }
    let tally =
        |((start_ms, scope, what), (count, cost_nano))| Tally { start_ms, scope, what, count, cost_nano };
    Ok(sums.into_iter().map(tally).collect())
}

/// `EMAIL=2`.
fn pair(text: &str) -> Option<(&str, i64)> {
    let (kind, count) = text.split_once('=')?;
    Some((kind, count.parse().ok()?))
}

/// Keeps what was counted of the hour that begins at `start_ms`, in place of what was counted of it before.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn keep(
    store: &Store,
    start_ms: i64,
    counted_ms: i64,
    tallies: Vec<Tally>,
) -> Result<(), StoreError> {
    let rows: Vec<Model> = tallies
        .into_iter()
        .map(|Tally { scope, what, count, cost_nano, .. }| Model { start_ms, scope, what, count, cost_nano })
        .collect();
    store
        .transaction(|transaction| {
            let rows = rows.clone();
            Box::pin(async move {
                Hours::delete_by_id(start_ms).exec(transaction).await?;
                Entity::delete_many().filter(Column::StartMs.eq(start_ms)).exec(transaction).await?;
                let hour = Hour { start_ms, counted_ms };
                Hours::insert(hour.into_active_model().reset_all())
                    .exec_without_returning(transaction)
                    .await?;
                for some in rows.chunks(ROWS) {
                    let some = some.iter().map(|row| row.clone().into_active_model().reset_all());
                    Entity::insert_many(some).exec_without_returning(transaction).await?;
                }
                Ok(())
            })
        })
        .await
}

/// The hours from `from_ms` and before `to_ms` that were counted: when each begins and when it was counted, oldest first.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn counted(store: &Store, from_ms: i64, to_ms: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    Ok(Hours::find()
        .select_only()
        .columns([HourColumn::StartMs, HourColumn::CountedMs])
        .filter(HourColumn::StartMs.gte(from_ms))
        .filter(HourColumn::StartMs.lt(to_ms))
        .order_by_asc(HourColumn::StartMs)
        .into_tuple()
        .all(&store.read)
        .await?)
}

/// What is kept of the hours from `from_ms` and before `to_ms`, in the scopes and those below, by steps of `step_ms`, which is
/// a number of hours.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn kept(
    store: &Store,
    (from_ms, to_ms): (i64, i64),
    step_ms: i64,
    scopes: &[String],
) -> Result<Vec<Tally>, StoreError> {
    let step = format!("traffic_counts.start_ms - traffic_counts.start_ms % {}", Ord::max(step_ms, 1));
    let mut query = Entity::find()
        .select_only()
        .expr_as(Expr::cust(step.clone()), "step")
        .columns([Column::Scope, Column::What])
        .expr_as(Expr::col(Column::Count).sum().cast_as("bigint"), "sum")
        .expr_as(Expr::col(Column::CostNano).sum().cast_as("bigint"), "cost")
        .filter(Column::StartMs.gte(from_ms))
        .filter(Column::StartMs.lt(to_ms))
        .group_by(Expr::cust(step))
        .group_by(Column::Scope)
        .group_by(Column::What);
    if let Some(within) = within(Column::Scope, scopes) {
        query = query.filter(within);
    }
    let groups: Vec<(i64, String, String, i64, i64)> = query.into_tuple().all(&store.read).await?;
    let tally = |(start_ms, scope, what, count, cost_nano)| Tally { start_ms, scope, what, count, cost_nano };
    Ok(groups.into_iter().map(tally).collect())
}

/// When the first decision that is listed was made; none where there is none.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn first_ms(store: &Store) -> Result<Option<i64>, StoreError> {
    Ok(Decisions::find()
        .select_only()
        .column(Decided::TimeMs)
        .order_by_asc(Decided::Id)
        .limit(1)
        .into_tuple()
        .one(&store.read)
        .await?)
}

/// Forgets the hours before `before_ms`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn sweep(store: &Store, before_ms: i64) -> Result<u64, StoreError> {
    store
        .transaction(|transaction| {
            Box::pin(async move {
                Entity::delete_many().filter(Column::StartMs.lt(before_ms)).exec(transaction).await?;
                let hours =
                    Hours::delete_many().filter(HourColumn::StartMs.lt(before_ms)).exec(transaction).await?;
                Ok(hours.rows_affected)
            })
        })
        .await
}
