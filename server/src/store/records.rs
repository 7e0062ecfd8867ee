//! Records as they are read back, and the destruction of their sections.

use bailiwick_ledger::merkle::TILE_WIDTH;
use bailiwick_ledger::{Hash, Header, Section};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
};

use super::entities::records::{ActiveModel, Column, Entity, Model};
use super::tree::{to_i64, to_u64};
use super::{Store, StoreError, sections, tree};

/// A record as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its place in the tree, from 0.
    pub leaf: u64,
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
    /// The header that the leaf bytes spell.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where they spell none.
    pub fn header(&self) -> Result<Header, StoreError> {
        Header::parse(&self.leaf_bytes)
            .map_err(|err| StoreError::Corrupt(format!("the record of leaf {}: {err}", self.leaf)))
    }

    /// The section called `name`, where it still exists.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }
}

impl TryFrom<Model> for StoredRecord {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        let leaf = row.leaf.ok_or_else(|| StoreError::Corrupt("a record without a leaf".into()))?;
        Ok(Self {
            leaf: to_u64(leaf)?,
            time_ms: row.time_ms,
            kind: row.kind,
            scope: row.scope,
            leaf_hash: Hash::try_from(row.leaf_hash.as_slice())
                .map_err(|err| StoreError::Corrupt(format!("the hash of leaf {leaf}: {err}")))?,
            leaf_bytes: row.leaf_bytes,
            sections: sections::unpack(&row.sections)?,
        })
    }
}

/// Up to `limit` records of the leaves `from..to`, in order.
pub(crate) async fn range(
    store: &Store,
    from: u64,
    to: u64,
    limit: u64,
) -> Result<Vec<StoredRecord>, StoreError> {
    let rows = in_range(from, to, limit)?.all(&store.read).await?;
    rows.into_iter().map(StoredRecord::try_from).collect()
}

fn in_range(from: u64, to: u64, limit: u64) -> Result<Select<Entity>, StoreError> {
    Ok(Entity::find()
        .filter(Column::Leaf.gte(to_i64(from)?))
        .filter(Column::Leaf.lt(to_i64(to)?))
        .order_by_asc(Column::Leaf)
        .limit(limit))
}

/// Every record of a decision, in order.
pub(crate) async fn of_decision(store: &Store, decision: &str) -> Result<Vec<StoredRecord>, StoreError> {
    let rows = Entity::find()
        .filter(Column::Decision.eq(decision))
        .filter(Column::Leaf.is_not_null())
        .order_by_asc(Column::Leaf)
        .all(&store.read)
        .await?;
    rows.into_iter().map(StoredRecord::try_from).collect()
}

/// What a record changes besides the tree.
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) leaf: u64,
    pub(crate) header: Header,
    pub(crate) index_update: Option<Vec<u8>>,
}

/// What up to `limit` records from the leaf `from` on change besides the tree, in order.
pub(crate) async fn updates(store: &Store, from: u64, limit: u64) -> Result<Vec<Update>, StoreError> {
    let rows: Vec<(i64, Vec<u8>, Option<Vec<u8>>)> = Entity::find()
        .select_only()
        .columns([Column::Leaf, Column::LeafBytes, Column::IndexUpdate])
        .filter(Column::Leaf.gte(to_i64(from)?))
        .order_by_asc(Column::Leaf)
        .limit(limit)
        .into_tuple()
        .all(&store.read)
        .await?;
    let update = |(leaf, bytes, index_update): (i64, Vec<u8>, _)| {
        let header = Header::parse(&bytes)
            .map_err(|err| StoreError::Corrupt(format!("the record of leaf {leaf}: {err}")))?;
        Ok(Update { leaf: to_u64(leaf)?, header, index_update })
    };
    rows.into_iter().map(update).collect()
}

/// The highest leaf that any record has.
pub(crate) async fn last_leaf(store: &Store) -> Result<Option<u64>, StoreError> {
    let leaf: Option<Option<i64>> = Entity::find()
        .select_only()
        .column(Column::Leaf)
        .filter(Column::Leaf.is_not_null())
        .order_by_desc(Column::Leaf)
        .into_tuple()
        .one(&store.read)
        .await?;
    leaf.flatten().map(to_u64).transpose()
}

/// The earliest and the latest time of the records of the leaves `from..to`.
pub(crate) async fn times(store: &Store, from: u64, to: u64) -> Result<Option<(i64, i64)>, StoreError> {
    let ends: Option<(Option<i64>, Option<i64>)> = Entity::find()
        .select_only()
        .column_as(Column::TimeMs.min(), "first")
        .column_as(Column::TimeMs.max(), "last")
        .filter(Column::Leaf.gte(to_i64(from)?))
        .filter(Column::Leaf.lt(to_i64(to)?))
        .into_tuple()
        .one(&store.read)
        .await?;
    Ok(ends.and_then(|(first, last)| first.zip(last)))
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
    let mut query = Entity::find()
        .select_only()
        .column_as(Column::Leaf.min(), "first")
        .column_as(Column::Leaf.max(), "last")
        .filter(Column::Leaf.gte(to_i64(from)?))
        .filter(Column::Leaf.lt(to_i64(to)?));
    if let Some(from) = from_ms {
        query = query.filter(Column::TimeMs.gte(from));
    }
    if let Some(to) = to_ms {
        query = query.filter(Column::TimeMs.lt(to));
    }
    let ends: Option<(Option<i64>, Option<i64>)> = query.into_tuple().one(&store.read).await?;
    match ends.and_then(|(first, last)| first.zip(last)) {
        Some((first, last)) => Ok(Some((to_u64(first)?, to_u64(last)?))),
        None => Ok(None),
    }
}

/// Records whose sections one transaction destroys: the group commit waits meanwhile.
const DESTROY_PAGE: u64 = 32;

/// Destroys the sections called one of `names` of the leaves `from..to`, except in records of the kind `spare`.
/// Returns how many there were. The database's own leftovers are wiped as far as [`Store::wipe_leftovers`] can.
pub(crate) async fn destroy_sections(
    store: &Store,
    from: u64,
    to: u64,
    names: &[String],
    spare: &str,
) -> Result<u64, StoreError> {
    let (mut next, mut destroyed) = (from, 0_u64);
    while next < to {
        let page = store.transaction(|transaction| {
            let (names, spare) = (names.to_vec(), spare.to_owned());
            Box::pin(async move { destroy_page(transaction, next, to, &names, &spare).await })
        });
        let Some((last, count)) = page.await? else { break };
        next = last.saturating_add(1);
        destroyed = destroyed.saturating_add(count);
    }
    store.wipe_leftovers().await?;
    Ok(destroyed)
}

/// The last leaf of the page and how many sections it lost; none where there is no record left.
async fn destroy_page(
    db: &impl ConnectionTrait,
    from: u64,
    to: u64,
    names: &[String],
    spare: &str,
) -> Result<Option<(u64, u64)>, StoreError> {
    // Two that destroy at the same time must each see what the other has left.
    let page = in_range(from, to, DESTROY_PAGE)?.lock_exclusive().all(db).await?;
    let Some(last) = page.last().and_then(|row| row.leaf) else { return Ok(None) };
    let mut destroyed = 0_u64;
    for row in page.into_iter().filter(|row| row.kind != spare) {
        let mut kept = sections::unpack(&row.sections)?;
        let before = kept.len();
        kept.retain(|section| !names.iter().any(|name| *name == section.name));
        if kept.len() == before {
            continue;
        }
        let count = u64::try_from(before.saturating_sub(kept.len())).unwrap_or(0);
        destroyed = destroyed.saturating_add(count);
        let change =
            ActiveModel { id: Set(row.id), sections: Set(sections::pack(&kept)?), ..Default::default() };
        Entity::update(change).exec_without_returning(db).await?;
    }
    Ok(Some((to_u64(last)?, destroyed)))
}
