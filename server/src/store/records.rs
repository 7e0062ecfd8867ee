//! Records as they are read back, and the destruction of their sections.

use bailiwick_ledger::{Hash, Header, Section};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::entities::records::{ActiveModel, Column, Entity, Model};
use super::tree::{to_i64, to_u64};
use super::{Store, StoreError, sections};

/// A record as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its place in the tree, from 0.
    pub leaf: u64,
    /// Its number among its replica's records.
    pub replica_sequence: u64,
    /// The replica that wrote it.
    pub replica: String,
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
            replica_sequence: to_u64(row.replica_sequence)?,
            replica: row.replica,
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
    in_range(store, from, to, limit).await?.into_iter().map(StoredRecord::try_from).collect()
}

async fn in_range(store: &Store, from: u64, to: u64, limit: u64) -> Result<Vec<Model>, StoreError> {
    Ok(Entity::find()
        .filter(Column::Leaf.gte(to_i64(from)?))
        .filter(Column::Leaf.lt(to_i64(to)?))
        .order_by_asc(Column::Leaf)
        .limit(limit)
        .all(&store.read)
        .await?)
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

/// What the records of the leaves `from..` change in the list of decisions: up to `limit`, as (leaf, change).
pub(crate) async fn index_updates(
    store: &Store,
    from: u64,
    limit: u64,
) -> Result<Vec<(u64, Option<Vec<u8>>)>, StoreError> {
    let rows: Vec<(i64, Option<Vec<u8>>)> = Entity::find()
        .select_only()
        .columns([Column::Leaf, Column::IndexUpdate])
        .filter(Column::Leaf.gte(to_i64(from)?))
        .order_by_asc(Column::Leaf)
        .limit(limit)
        .into_tuple()
        .all(&store.read)
        .await?;
    rows.into_iter().map(|(leaf, update)| Ok((to_u64(leaf)?, update))).collect()
}

/// The last sequence that `replica` used and the highest time of any record.
pub(crate) async fn last(store: &Store, replica: &str) -> Result<(Option<u64>, Option<i64>), StoreError> {
    let sequence: Option<i64> = Entity::find()
        .select_only()
        .column(Column::ReplicaSequence)
        .filter(Column::Replica.eq(replica))
        .order_by_desc(Column::ReplicaSequence)
        .into_tuple()
        .one(&store.read)
        .await?;
    let time: Option<i64> = Entity::find()
        .select_only()
        .column(Column::TimeMs)
        .order_by_desc(Column::TimeMs)
        .into_tuple()
        .one(&store.read)
        .await?;
    Ok((sequence.map(to_u64).transpose()?, time))
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

/// The first and last leaf with a time in `from_ms..to_ms`.
pub(crate) async fn leaves_between(
    store: &Store,
    from_ms: Option<i64>,
    to_ms: Option<i64>,
) -> Result<Option<(u64, u64)>, StoreError> {
    let mut query = Entity::find()
        .select_only()
        .column_as(Column::Leaf.min(), "first")
        .column_as(Column::Leaf.max(), "last");
    if let Some(from) = from_ms {
        query = query.filter(Column::TimeMs.gte(from));
    }
    if let Some(to) = to_ms {
        query = query.filter(Column::TimeMs.lt(to));
    }
    let ends: Option<(Option<i64>, Option<i64>)> = query.into_tuple().one(&store.read).await?;
    match ends {
        Some((Some(first), Some(last))) => Ok(Some((to_u64(first)?, to_u64(last)?))),
        _ => Ok(None),
    }
}

/// Destroys the sections called one of `names` of the record at `leaf`. Returns which there were.
pub(crate) async fn destroy_sections(
    store: &Store,
    leaf: u64,
    names: &[String],
) -> Result<Vec<String>, StoreError> {
    let transaction = store.begin().await?;
    let row = Entity::find()
        .filter(Column::Leaf.eq(to_i64(leaf)?))
        .one(&transaction)
        .await?
        .ok_or(StoreError::NotFound("record"))?;
    let (gone, kept): (Vec<Section>, Vec<Section>) = sections::unpack(&row.sections)?
        .into_iter()
        .partition(|section| names.iter().any(|name| *name == section.name));
    if !gone.is_empty() {
        let change = ActiveModel {
            replica: Set(row.replica),
            replica_sequence: Set(row.replica_sequence),
            sections: Set(sections::pack(&kept)?),
            ..Default::default()
        };
        change.update(&transaction).await?;
    }
    transaction.commit().await?;
    Ok(gone.into_iter().map(|section| section.name.into_owned()).collect())
}
