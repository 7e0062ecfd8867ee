//! The list of decisions that the console shows: one row a decision, behind the log by at most the indexer's
//! lag, and rebuilt from it where it is missing.

use sea_orm::sea_query::{Condition, Expr, ExprTrait, LikeExpr, OnConflict};
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, EntityTrait, IntoActiveModel as _, Iterable as _, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};

use super::entities::decisions::{Column, Entity, Model};
use super::replay::first_decision_of;
use super::replicas::ReplicaNumber;
use super::within::within;
use super::{Store, StoreError};

/// What the list shows of one decision. It holds counts and names, never content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// The decision. Ids sort by time, so that the list is in their order.
    pub id: String,
    /// When it was decided, Unix milliseconds.
    pub time_ms: i64,
    /// The scope that asked.
    pub scope: String,
    /// The virtual key that asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// The model that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How it ended so far: `running`, `allowed`, `denied`, `failed`; of a dry run `dry_allowed` or `dry_denied`.
    pub outcome: String,
    /// The endpoint that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Redactions by kind, such as `EMAIL=2,IBAN=1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redactions: Option<String>,
    /// Data classes, comma-separated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<String>,
    /// Cost, nano-dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_nano: Option<i64>,
    /// The time that the gateway added, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overhead_us: Option<i64>,
    /// The HTTP status that the client got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i64>,
    /// The code of the error that the client got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Which decisions to list; everything that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionFilter {
    /// Of this scope and those below.
    pub scope: Option<String>,
    /// Of this virtual key.
    pub key_id: Option<String>,
    /// For this model.
    pub model: Option<String>,
    /// With this outcome.
    pub outcome: Option<String>,
    /// Answered by this endpoint.
    pub endpoint: Option<String>,
    /// Decided at or after this time, Unix milliseconds.
    pub from_ms: Option<i64>,
    /// Decided before this time, Unix milliseconds.
    pub to_ms: Option<i64>,
    /// Where something of this kind of entity was redacted.
    pub redacted: Option<String>,
    /// Not older than the decision with this id.
    pub floor: Option<String>,
}

/// How far a decision's id, which has the system clock's time, may be from the server's own time.
const APART_MS: i64 = 86_400_000;

/// Up to `limit` decisions, newest first, older than the one with the id `before`.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn list(
    store: &Store,
    filter: &DecisionFilter,
    before: Option<&str>,
    limit: u64,
) -> Result<Vec<DecisionRow>, StoreError> {
    let mut query = Entity::find().order_by_desc(Column::Id).limit(limit);
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    if let Some(scope) = &filter.scope
        && let Some(within) = within(Column::Scope, std::slice::from_ref(scope))
    {
        query = query.filter(within);
    }
    let equal = [
        (Column::KeyId, &filter.key_id),
        (Column::Model, &filter.model),
        (Column::Outcome, &filter.outcome),
        (Column::Endpoint, &filter.endpoint),
    ];
    for (column, value) in equal {
        if let Some(value) = value {
            query = query.filter(column.eq(value.as_str()));
        }
    }
    // Ids sort by time: they lead to the place in the list, and the time itself decides.
    if let Some(from) = filter.from_ms {
        query = query
            .filter(Column::TimeMs.gte(from))
            .filter(Column::Id.gte(first_decision_of(from.saturating_sub(APART_MS))));
    }
    if let Some(to) = filter.to_ms {
        query = query
            .filter(Column::TimeMs.lt(to))
            .filter(Column::Id.lt(first_decision_of(to.saturating_add(APART_MS))));
    }
    if let Some(kind) = &filter.redacted {
        let kind = kind.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%");
        let begins =
            |with: &str| Column::Redactions.like(LikeExpr::new(format!("{with}{kind}=%")).escape('\\'));
        query = query.filter(Condition::any().add(begins("")).add(begins("%,")));
    }
    if let Some(floor) = &filter.floor {
        query = query.filter(Column::Id.gte(floor.as_str()));
    }
    Ok(query.all(&store.read).await?.into_iter().map(DecisionRow::from).collect())
}

/// The id of the decision that stands `rows` places below the one with the id `before`, newest first.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn below(store: &Store, before: Option<&str>, rows: u64) -> Result<Option<String>, StoreError> {
    let mut query =
        Entity::find().select_only().column(Column::Id).order_by_desc(Column::Id).offset(rows).limit(1);
    if let Some(before) = before {
        query = query.filter(Column::Id.lt(before));
    }
    Ok(query.into_tuple().one(&store.read).await?)
}

/// The row of one decision.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn get(store: &Store, id: &str) -> Result<Option<DecisionRow>, StoreError> {
    Ok(Entity::find_by_id(id.to_owned()).one(&store.read).await?.map(DecisionRow::from))
}

/// How far the time in a decision's id may be from the one that is recorded.
const ID_SLACK_MS: i64 = 600_000;

/// What was decided in `from_ms..to_ms` and cost something, summed by scope, nano-dollars.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub(crate) async fn spent(store: &Store, from_ms: i64, to_ms: i64) -> Result<Vec<(String, i64)>, StoreError> {
    // Ids begin with their time, and the rows are in their order.
    let id = |ms: i64| format!("dec_{:012x}", Ord::max(ms, 0));
    let cost = Expr::col(Column::CostNano).sum().cast_as("bigint");
    let summed = Entity::find()
        .select_only()
        .column(Column::Scope)
        .column_as(cost, "cost")
        .filter(Column::Id.gte(id(from_ms.saturating_sub(ID_SLACK_MS))))
        .filter(Column::Id.lt(id(to_ms.saturating_add(ID_SLACK_MS))))
        .filter(Column::TimeMs.gte(from_ms))
        .filter(Column::TimeMs.lt(to_ms))
        .filter(Column::CostNano.gt(0))
        .group_by(Column::Scope);
    Ok(summed.into_tuple().all(&store.read).await?)
}

/// Those of these ids that there are.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn several(store: &Store, ids: &[String]) -> Result<Vec<DecisionRow>, StoreError> {
    /// Ids of one question, below what either database takes.
    const AT_ONCE: usize = 500;
    let mut found = Vec::new();
    for some in ids.chunks(AT_ONCE) {
        let some = some.iter().map(String::as_str);
        found.extend(Entity::find().filter(Column::Id.is_in(some)).all(&store.read).await?);
    }
    Ok(found.into_iter().map(DecisionRow::from).collect())
}

/// Writes rows as `replica` left them, which is stopped, each with the sequence of the record that last changed it. A
/// row that somebody else has changed since is not put back.
pub(crate) async fn adopt(
    store: &Store,
    replica: ReplicaNumber,
    rows: Vec<(u64, DecisionRow)>,
) -> Result<(), StoreError> {
    let columns: Vec<Column> = Column::iter().filter(|column| !matches!(column, Column::Id)).collect();
    let record = || Expr::col((Entity, Column::Record));
    let older = record().gte(replica.record(0)?).and(record().lt(Expr::cust("excluded.record")));
    let conflict = OnConflict::column(Column::Id).update_columns(columns).action_and_where(older).to_owned();
    for (sequence, row) in rows {
        let new = row.at(replica.record(sequence)?).into_active_model().reset_all();
        Entity::insert(new).on_conflict(conflict.clone()).exec_without_returning(&store.write).await?;
    }
    Ok(())
}

impl DecisionRow {
    fn at(self, record: i64) -> Model {
        Model {
            id: self.id,
            record,
            time_ms: self.time_ms,
            scope: self.scope,
            key_id: self.key_id,
            model: self.model,
            outcome: self.outcome,
            endpoint: self.endpoint,
            redactions: self.redactions,
            classes: self.classes,
            cost_nano: self.cost_nano,
            overhead_us: self.overhead_us,
            status: self.status,
            code: self.code,
        }
    }
}

impl From<Model> for DecisionRow {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            time_ms: row.time_ms,
            scope: row.scope,
            key_id: row.key_id,
            model: row.model,
            outcome: row.outcome,
            endpoint: row.endpoint,
            redactions: row.redactions,
            classes: row.classes,
            cost_nano: row.cost_nano,
            overhead_us: row.overhead_us,
            status: row.status,
            code: row.code,
        }
    }
}
