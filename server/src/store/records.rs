//! Records as they are read back, and the destruction of their sections.

use bailiwick_ledger::merkle::TILE_WIDTH;
use bailiwick_ledger::{Hash, Header, Kind, Section};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::entities::records::{ActiveModel, Column, Entity, Model};
use super::replicas::ReplicaNumber;
use super::tree::to_u64;
use super::{Store, StoreError, runs, sections, tree};

/// The header's id that tells for how many days the rules want a request's records kept whole.
pub(crate) const RETAIN_DAYS: &str = "retain_days";
const DAY_MS: i64 = 86_400_000;

/// A record as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its id; see [`super::replicas`].
    pub(crate) id: i64,
    /// Its place in the tree, from 0, where it has one yet.
    pub leaf: Option<u64>,
    /// Unix milliseconds.
    pub time_ms: i64,
    /// What it records.
    pub kind: String,
    /// The scope it concerns.
    pub scope: Option<String>,
    /// The exact bytes that were hashed.
    pub leaf_bytes: Vec<u8>,
    /// Their leaf hash.
    pub leaf_hash: Hash,
    /// The sections that still exist.
    pub sections: Vec<Section>,
}

impl StoredRecord {
    /// Of the records of one decision, in order, the one that tells what was decided and on which facts: what a detector was
    /// to read before that has a record of its own.
    #[must_use]
    pub fn deciding(records: &[Self]) -> Option<&Self> {
        records.iter().find(|record| record.kind != Kind::Analysis.as_str()).or(records.first())
    }

    /// The header that the leaf bytes spell.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where they spell none.
    pub fn header(&self) -> Result<Header, StoreError> {
        Header::parse(&self.leaf_bytes)
            .map_err(|err| StoreError::Corrupt(format!("the record {}: {err}", self.id)))
    }

    /// The section called `name`, where it still exists.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

fn stored(row: Model, leaf: Option<u64>) -> Result<StoredRecord, StoreError> {
    Ok(StoredRecord {
        id: row.id,
        leaf,
        time_ms: row.time_ms,
        kind: row.kind,
        scope: row.scope,
        leaf_hash: Hash::try_from(row.leaf_hash.as_slice())
            .map_err(|err| StoreError::Corrupt(format!("the hash of the record {}: {err}", row.id)))?,
        leaf_bytes: row.leaf_bytes,
        sections: sections::unpack(&row.sections)?,
    })
}

/// Up to `limit` records of the leaves `from..to`, in order. The tree must have at least `to` leaves.
pub(crate) async fn range(
    store: &Store,
    from: u64,
    to: u64,
    limit: u64,
) -> Result<Vec<StoredRecord>, StoreError> {
    let rows = in_range(&store.read, from, to.min(from.saturating_add(limit))).await?;
    rows.into_iter().map(|(leaf, row)| stored(row, Some(leaf))).collect()
}

/// The records of these kinds among the leaves `from..to`, in order. The tree must have at least `to` leaves.
pub(crate) async fn of_kinds(
    store: &Store,
    from: u64,
    to: u64,
    kinds: &[&str],
) -> Result<Vec<StoredRecord>, StoreError> {
    let spans = runs::spans(&store.read, from, to).await?;
    if spans.is_empty() {
        return Ok(Vec::new());
    }
    let of = Entity::find().filter(runs::within(&spans)).filter(Column::Kind.is_in(kinds.iter().copied()));
    let rows = of.all(&store.read).await?;
    let mut rows: Vec<(u64, Model)> =
        rows.into_iter().filter_map(|row| Some((runs::leaf(&spans, row.id)?, row))).collect();
    rows.sort_unstable_by_key(|(leaf, _)| *leaf);
    rows.into_iter().map(|(leaf, row)| stored(row, Some(leaf))).collect()
}

async fn in_range(db: &impl ConnectionTrait, from: u64, to: u64) -> Result<Vec<(u64, Model)>, StoreError> {
    let spans = runs::spans(db, from, to).await?;
    if spans.is_empty() {
        return Ok(Vec::new());
    }
    let rows = Entity::find().filter(runs::within(&spans)).all(db).await?;
    let mut rows: Vec<(u64, Model)> =
        rows.into_iter().filter_map(|row| Some((runs::leaf(&spans, row.id)?, row))).collect();
    rows.sort_unstable_by_key(|(leaf, _)| *leaf);
    Ok(rows)
}

/// Every record of a decision: those in the tree in its order, then those that are not in it yet.
pub(crate) async fn of_decision(store: &Store, decision: &str) -> Result<Vec<StoredRecord>, StoreError> {
    let rows = Entity::find()
        .filter(Column::Decision.eq(decision))
        .order_by_asc(Column::Id)
        .all(&store.read)
        .await?;
    let mut found = Vec::with_capacity(rows.len());
    // The last one first: they get their places in this order, and may get them meanwhile.
    for row in rows.into_iter().rev() {
        let leaf = runs::leaf_of(store, row.id).await?;
        found.push(stored(row, leaf)?);
    }
    found.reverse();
    found.sort_by_key(|record| record.leaf.unwrap_or(u64::MAX));
    Ok(found)
}

/// The record `id`, where it exists.
pub(crate) async fn get(store: &Store, id: i64) -> Result<Option<StoredRecord>, StoreError> {
    match Entity::find_by_id(id).one(&store.read).await? {
        Some(row) => {
            let leaf = runs::leaf_of(store, row.id).await?;
            Ok(Some(stored(row, leaf)?))
        }
        None => Ok(None),
    }
}

/// What a record changes besides the tree.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) sequence: u64,
    pub(crate) header: Header,
    pub(crate) index_update: Option<Vec<u8>>,
}

/// What up to `limit` records of `replica` from the sequence `from` on change besides the tree, in order.
pub(crate) async fn updates(
    store: &Store,
    replica: ReplicaNumber,
    from: u64,
    limit: u64,
) -> Result<Vec<Update>, StoreError> {
    let rows: Vec<(i64, Vec<u8>, Option<Vec<u8>>)> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::LeafBytes, Column::IndexUpdate])
        .filter(Column::Id.between(replica.record(from)?, replica.last_record()))
        .order_by_asc(Column::Id)
        .limit(limit)
        .into_tuple()
        .all(&store.read)
        .await?;
    let first = replica.record(0)?;
    let update = |(id, bytes, index_update): (i64, Vec<u8>, _)| {
        let header =
            Header::parse(&bytes).map_err(|err| StoreError::Corrupt(format!("the record {id}: {err}")))?;
        Ok(Update { sequence: to_u64(id.saturating_sub(first))?, header, index_update })
    };
    rows.into_iter().map(update).collect()
}

/// The earliest and the latest time of the records of the leaves `from..to`.
pub(crate) async fn times(store: &Store, from: u64, to: u64) -> Result<Option<(i64, i64)>, StoreError> {
    let times = leaf_times(store, from, to).await?;
    let earliest = times.iter().map(|(_, time_ms)| *time_ms).min();
    Ok(earliest.zip(times.iter().map(|(_, time_ms)| *time_ms).max()))
}

async fn leaf_times(store: &Store, from: u64, to: u64) -> Result<Vec<(u64, i64)>, StoreError> {
    let spans = runs::spans(&store.read, from, to).await?;
    if spans.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, i64)> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::TimeMs])
        .filter(runs::within(&spans))
        .into_tuple()
        .all(&store.read)
        .await?;
    Ok(rows.into_iter().filter_map(|(id, time_ms)| Some((runs::leaf(&spans, id)?, time_ms))).collect())
}

/// The first and last leaf below `size` with a time in `from_ms..to_ms`. Tiles tell where to look, so that at
/// most the records of two tiles and of the open end are read.
pub(crate) async fn leaves_between(
    store: &Store,
    size: u64,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
) -> Result<Option<(u64, u64)>, StoreError> {
    let open = size - size % TILE_WIDTH;
    let (mut first, mut last) = (None, None);
    if let Some((from, to)) = tree::tiles_between(store, open / TILE_WIDTH, from_ms, to_ms).await? {
        first = within(store, from * TILE_WIDTH, (from + 1) * TILE_WIDTH, from_ms, to_ms)
            .await?
            .map(|ends| ends.0);
        last =
            within(store, to * TILE_WIDTH, (to + 1) * TILE_WIDTH, from_ms, to_ms).await?.map(|ends| ends.1);
        // A tile may span the time and hold no record in it; then its whole span is taken, which only adds stubs.
        first = first.or(Some(from * TILE_WIDTH));
        last = last.or(Some((to + 1) * TILE_WIDTH - 1));
    }
    if let Some((open_first, open_last)) = within(store, open, size, from_ms, to_ms).await? {
        first = first.or(Some(open_first));
        last = Some(open_last);
    }
    Ok(first.zip(last))
}

async fn within(
    store: &Store,
    from: u64,
    to: u64,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
) -> Result<Option<(u64, u64)>, StoreError> {
    let times = leaf_times(store, from, to).await?;
    let selected = |time_ms: i64| {
        from_ms.is_none_or(|from_ms| time_ms >= from_ms) && to_ms.is_none_or(|to_ms| time_ms < to_ms)
    };
    let leaves = || times.iter().filter(|(_, time_ms)| selected(*time_ms)).map(|(leaf, _)| *leaf);
    Ok(leaves().min().zip(leaves().max()))
}

/// Records whose sections one transaction destroys: the group commit waits meanwhile.
const DESTROY_PAGE: u64 = 32;

/// Which sections to destroy.
#[derive(Clone, Debug)]
pub(crate) struct Destroy {
    /// Their names.
    pub(crate) names: Vec<String>,
    /// Except in records of this kind.
    pub(crate) spare: &'static str,
    /// Except in records that are to be kept longer than until this instant, Unix milliseconds.
    pub(crate) now_ms: i64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destroyed {
    /// Sections that are gone.
    pub(crate) sections: u64,
    /// Records that had such sections and keep them, because their time is not over.
    pub(crate) retained: u64,
}

/// Destroys sections of the leaves `from..to`. The database's own leftovers are wiped as far as
/// [`Store::wipe_leftovers`] can.
pub(crate) async fn destroy_sections(
    store: &Store,
    from: u64,
    to: u64,
    what: &Destroy,
) -> Result<Destroyed, StoreError> {
    let (mut next, mut all) = (from, Destroyed::default());
    while next < to {
        let end = to.min(next.saturating_add(DESTROY_PAGE));
        let page = store.transaction(|transaction| {
            let what = what.clone();
            Box::pin(async move { destroy_page(transaction, next, end, &what).await })
        });
        let page = page.await?;
        all.sections = all.sections.saturating_add(page.sections);
        all.retained = all.retained.saturating_add(page.retained);
        next = end;
    }
    store.wipe_leftovers().await?;
    Ok(all)
}

/// What the records of the leaves `from..to` lost.
async fn destroy_page(
    db: &impl ConnectionTrait,
    from: u64,
    to: u64,
    what: &Destroy,
) -> Result<Destroyed, StoreError> {
    let spans = runs::spans(db, from, to).await?;
    let mut all = Destroyed::default();
    if spans.is_empty() {
        return Ok(all);
    }
    // Two that destroy at the same time must each see what the other has left.
    let page = Entity::find().filter(runs::within(&spans)).lock_exclusive().all(db).await?;
    for row in page.into_iter().filter(|row| row.kind != what.spare) {
        let mut kept = sections::unpack(&row.sections)?;
        let before = kept.len();
        kept.retain(|section| !what.names.iter().any(|name| *name == section.name));
        if kept.len() == before {
            continue;
        }
        if is_retained(&row, what.now_ms)? {
            all.retained = all.retained.saturating_add(1);
            continue;
        }
        let count = u64::try_from(before.saturating_sub(kept.len())).unwrap_or(0);
        all.sections = all.sections.saturating_add(count);
        let change =
            ActiveModel { id: Set(row.id), sections: Set(sections::pack(&kept)?), ..Default::default() };
        Entity::update(change).exec_without_returning(db).await?;
    }
    Ok(all)
}

/// Whether a record is to be kept whole at an instant. One that says so in a way that is not understood is.
fn is_retained(row: &Model, now_ms: i64) -> Result<bool, StoreError> {
    let header = Header::parse(&row.leaf_bytes)
        .map_err(|err| StoreError::Corrupt(format!("the record {}: {err}", row.id)))?;
    Ok(header.ids.get(RETAIN_DAYS).is_some_and(|days| {
        let days = days.parse::<u32>().map_or(i64::MAX, i64::from);
        now_ms < row.time_ms.saturating_add(days.saturating_mul(DAY_MS))
    }))
}
