//! The Merkle tree as stored: its head, complete tiles, and signed checkpoints.

use bailiwick_ledger::Hash;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, sea_query::OnConflict,
};

use super::entities::{checkpoints, records, tree_head, tree_tiles};
use super::{Store, StoreError, runs};

pub(crate) use super::entities::tree_head::Model as TreeHead;

/// The head of `log`, where the log exists.
pub(crate) async fn head(store: &Store, log: &str) -> Result<Option<TreeHead>, StoreError> {
    Ok(tree_head::Entity::find_by_id(log.to_owned()).one(&store.read).await?)
}

/// Whether the database holds any log's head, record, tile or checkpoint.
pub(crate) async fn is_empty(store: &Store) -> Result<bool, StoreError> {
    Ok(tree_head::Entity::find().one(&store.read).await?.is_none()
        && records::Entity::find()
            .select_only()
            .column(records::Column::Id)
            .into_tuple::<i64>()
            .one(&store.read)
            .await?
            .is_none()
        && checkpoints::Entity::find().one(&store.read).await?.is_none())
}

/// Creates the head of an empty `log`; does nothing where it exists.
pub(crate) async fn create(
    store: &Store,
    log: &str,
    frontier: Vec<u8>,
    now_ms: i64,
) -> Result<(), StoreError> {
    let row = tree_head::ActiveModel {
        log: Set(log.to_owned()),
        size: Set(0),
        frontier: Set(frontier),
        time_ms: Set(now_ms),
    };
    tree_head::Entity::insert(row)
        .on_conflict(OnConflict::column(tree_head::Column::Log).do_nothing().to_owned())
        .exec_without_returning(&store.write)
        .await?;
    Ok(())
}

/// The hashes of a complete tile.
pub(crate) async fn tile(store: &Store, level: u8, position: u64) -> Result<Vec<Hash>, StoreError> {
    let row = tree_tiles::Entity::find_by_id((i64::from(level), to_i64(position)?))
        .one(&store.read)
        .await?
        .ok_or_else(|| StoreError::Corrupt(format!("tile {position} of level {level} is missing")))?;
    hashes(&row.hashes)
}

/// The roots of the complete tiles `from..to` of `level`, in order.
pub(crate) async fn tile_roots(
    store: &Store,
    level: u8,
    from: u64,
    to: u64,
) -> Result<Vec<Hash>, StoreError> {
    use tree_tiles::Column as C;
    let rows: Vec<Vec<u8>> = tree_tiles::Entity::find()
        .select_only()
        .column(C::Root)
        .filter(C::Level.eq(i64::from(level)))
        .filter(C::Position.gte(to_i64(from)?))
        .filter(C::Position.lt(to_i64(to)?))
        .order_by_asc(C::Position)
        .into_tuple()
        .all(&store.read)
        .await?;
    collect(&rows, to.saturating_sub(from), || format!("a tile of level {level} in {from}..{to} is missing"))
}

/// The first and the last of the first `count` complete tiles of level 0 that may hold a record of the time
/// `from_ms..to_ms`.
pub(crate) async fn tiles_between(
    store: &Store,
    count: u64,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
) -> Result<Option<(u64, u64)>, StoreError> {
    use tree_tiles::Column as C;
    let mut query = tree_tiles::Entity::find()
        .select_only()
        .column_as(C::Position.min(), "first")
        .column_as(C::Position.max(), "last")
        .filter(C::Level.eq(0_i64))
        .filter(C::Position.lt(to_i64(count)?));
    if let Some(from) = from_ms {
        query = query.filter(C::LastMs.gte(from));
    }
    if let Some(to) = to_ms {
        query = query.filter(C::FirstMs.lt(to));
    }
    let ends: Option<(Option<i64>, Option<i64>)> = query.into_tuple().one(&store.read).await?;
    match ends.and_then(|(first, last)| first.zip(last)) {
        Some((first, last)) => Ok(Some((to_u64(first)?, to_u64(last)?))),
        None => Ok(None),
    }
}

/// The hashes of the leaves `from..to`, in order, as the records hold them.
pub(crate) async fn leaf_hashes(store: &Store, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
    use records::Column as C;
    let spans = runs::spans(&store.read, from, to).await?;
    let mut rows: Vec<(i64, Vec<u8>)> = Vec::new();
    if !spans.is_empty() {
        rows = records::Entity::find()
            .select_only()
            .columns([C::Id, C::LeafHash])
            .filter(runs::within(&spans))
            .into_tuple()
            .all(&store.read)
            .await?;
    }
    rows.sort_unstable_by_key(|(id, _)| runs::leaf(&spans, *id));
    let rows: Vec<Vec<u8>> = rows.into_iter().map(|(_, hash)| hash).collect();
    collect(&rows, to.saturating_sub(from), || format!("a record among the leaves {from}..{to} is missing"))
}

/// The latest checkpoint of `log`.
pub(crate) async fn last_checkpoint(
    store: &Store,
    log: &str,
) -> Result<Option<checkpoints::Model>, StoreError> {
    use checkpoints::Column as C;
    Ok(checkpoints::Entity::find().filter(C::Log.eq(log)).order_by_desc(C::Size).one(&store.read).await?)
}

/// Every checkpoint of `log` that was kept, by size.
pub(crate) async fn checkpoints(store: &Store, log: &str) -> Result<Vec<checkpoints::Model>, StoreError> {
    use checkpoints::Column as C;
    Ok(checkpoints::Entity::find().filter(C::Log.eq(log)).order_by_asc(C::Size).all(&store.read).await?)
}

/// Every log's head and checkpoint is one of `log`: a database belongs to one log.
pub(crate) async fn other_log(store: &Store, log: &str) -> Result<Option<String>, StoreError> {
    let row = tree_head::Entity::find().filter(tree_head::Column::Log.ne(log)).one(&store.read).await?;
    Ok(row.map(|row| row.log))
}

fn collect(rows: &[Vec<u8>], expected: u64, missing: impl Fn() -> String) -> Result<Vec<Hash>, StoreError> {
    if u64::try_from(rows.len()) != Ok(expected) {
        return Err(StoreError::Corrupt(missing()));
    }
    rows.iter()
        .map(|row| Hash::try_from(row.as_slice()).map_err(|err| StoreError::Corrupt(err.to_string())))
        .collect()
}

fn hashes(bytes: &[u8]) -> Result<Vec<Hash>, StoreError> {
    let (whole, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || whole.len() != 256 {
        return Err(StoreError::Corrupt("a tile is not 256 hashes".into()));
    }
    Ok(whole.iter().copied().map(Hash).collect())
}

/// Positions are counted in `u64` by the ledger and kept in `BIGINT`.
pub(crate) fn to_i64(position: u64) -> Result<i64, StoreError> {
    i64::try_from(position).map_err(|_| StoreError::Corrupt("a position is beyond 2^63".into()))
}

/// The other way.
pub(crate) fn to_u64(position: i64) -> Result<u64, StoreError> {
    u64::try_from(position).map_err(|_| StoreError::Corrupt("a position is negative".into()))
}
