//! Which records stand where in the tree.
//!
//! A run begins at a leaf with a record and goes on, leaf by leaf, with the following records of the same replica,
//! up to the leaf of the next run. The last run ends where the tree ends.

use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::entities::tree_runs::{Column, Entity, Model};
use super::entities::{records, tree_head};
use super::replicas::ReplicaNumber;
use super::tree::{to_i64, to_u64};
use super::{Store, StoreError};

/// The beginning of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The leaf of its first record.
    pub(crate) leaf: u64,
    /// The id of its first record.
    pub(crate) record: i64,
}

impl TryFrom<Model> for Run {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Ok(Self { leaf: to_u64(row.leaf)?, record: row.record })
    }
}

/// Consecutive leaves that hold consecutive records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    leaf: u64,
    record: i64,
    count: i64,
}

/// The last run of the tree.
pub(crate) async fn last(store: &Store) -> Result<Option<Run>, StoreError> {
    Entity::find().order_by_desc(Column::Leaf).one(&store.read).await?.map(Run::try_from).transpose()
}

/// The spans of the leaves `from..to`, in order. The tree must have at least `to` leaves.
pub(crate) async fn spans(db: &impl ConnectionTrait, from: u64, to: u64) -> Result<Vec<Span>, StoreError> {
    if from >= to {
        return Ok(Vec::new());
    }
    let first =
        Entity::find().filter(Column::Leaf.lte(to_i64(from)?)).order_by_desc(Column::Leaf).one(db).await?;
    let rest = Entity::find()
        .filter(Column::Leaf.gt(to_i64(from)?))
        .filter(Column::Leaf.lt(to_i64(to)?))
        .order_by_asc(Column::Leaf)
        .all(db)
        .await?;
    let runs: Vec<Run> = first.into_iter().chain(rest).map(Run::try_from).collect::<Result<_, _>>()?;
    let ends = runs.iter().skip(1).map(|run| run.leaf).chain([to]);
    let span = |(run, end): (&Run, u64)| {
        let start = run.leaf.max(from);
        let record = run.record.saturating_add(to_i64(start.saturating_sub(run.leaf))?);
        Ok(Span { leaf: start, record, count: to_i64(end.saturating_sub(start))? })
    };
    runs.iter().zip(ends).map(span).collect()
}

/// The records that stand in `spans`.
pub(crate) fn within(spans: &[Span]) -> Condition {
    spans.iter().fold(Condition::any(), |any, span| {
        any.add(records::Column::Id.between(span.record, span.record.saturating_add(span.count - 1)))
    })
}

/// The leaf of the record `id`, which stands in one of `spans`.
pub(crate) fn leaf(spans: &[Span], id: i64) -> Option<u64> {
    spans.iter().find_map(|span| {
        let after = id.checked_sub(span.record).filter(|after| (0..span.count).contains(after))?;
        span.leaf.checked_add(u64::try_from(after).ok()?)
    })
}

/// The leaf of the record `id`; `None` where it is not in the tree yet.
pub(crate) async fn leaf_of(store: &Store, id: i64) -> Result<Option<u64>, StoreError> {
    let Some((run, end)) = run_of(store, id).await? else { return Ok(None) };
    let leaf = run.leaf.saturating_add(to_u64(id.saturating_sub(run.record))?);
    Ok(Some(leaf).filter(|leaf| *leaf < end))
}

/// How many records of `replica` are in the tree: the sequence of the first that is not.
pub(crate) async fn sequenced_to(store: &Store, replica: ReplicaNumber) -> Result<u64, StoreError> {
    let Some((run, end)) = run_of(store, replica.last_record()).await? else { return Ok(0) };
    let after = to_u64(run.record.saturating_sub(replica.record(0)?))?;
    Ok(after.saturating_add(end.saturating_sub(run.leaf)))
}

/// The run that could hold the record `id`, and the leaf at which that run ends.
async fn run_of(store: &Store, id: i64) -> Result<Option<(Run, u64)>, StoreError> {
    let run = Entity::find()
        .filter(Column::Record.between(ReplicaNumber::of(id).record(0)?, id))
        .order_by_desc(Column::Record)
        .one(&store.read)
        .await?;
    let Some(run) = run.map(Run::try_from).transpose()? else { return Ok(None) };
    let next: Option<i64> = Entity::find()
        .select_only()
        .column(Column::Leaf)
        .filter(Column::Leaf.gt(to_i64(run.leaf)?))
        .order_by_asc(Column::Leaf)
        .into_tuple()
        .one(&store.read)
        .await?;
    let end = match next {
        Some(leaf) => leaf,
        None => tree_head::Entity::find().one(&store.read).await?.map_or(0, |head| head.size),
    };
    Ok(Some((run, to_u64(end)?)))
}
