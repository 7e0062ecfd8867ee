//! The replicas that write to the log, and the ids of their records.
//!
//! A record's id is its replica's number and its place among that replica's records in one integer, so that ids
//! of one replica are in the order in which it wrote, and no two replicas write at the same end of an index.

use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, SqlErr,
};

use super::entities::{records, replicas};
use super::tree::{to_i64, to_u64};
use super::{Store, StoreError};

/// Bits of an id that hold the place: 10^12 records a replica, 4 million replicas.
const SEQUENCE_BITS: u32 = 40;

/// The number of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplicaNumber(i64);

impl ReplicaNumber {
    /// The replica that wrote the record `id`.
    pub(crate) const fn of(id: i64) -> Self {
        Self(id >> SEQUENCE_BITS)
    }

    /// The replica of this number.
    pub(crate) const fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number itself.
    pub(crate) const fn get(self) -> i64 {
        self.0
    }

    /// The id of the replica's record number `sequence`.
    pub(crate) fn record(self, sequence: u64) -> Result<i64, StoreError> {
        let sequence = to_i64(sequence)?;
        if sequence >> SEQUENCE_BITS != 0 {
            return Err(StoreError::Conflict("a replica cannot write more than 2^40 records".into()));
        }
        Ok(self.0 << SEQUENCE_BITS | sequence)
    }

    /// The highest id that a record of the replica can have.
    pub(crate) const fn last_record(self) -> i64 {
        self.0 << SEQUENCE_BITS | ((1 << SEQUENCE_BITS) - 1)
    }
}

/// This server among the replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Registered {
    pub(crate) number: ReplicaNumber,
    /// What each of its commits must find.
    pub(crate) epoch: i64,
    /// Its records below this sequence are in the list of decisions.
    pub(crate) indexed_to: u64,
    /// No attempt of its below this sequence is without an outcome.
    pub(crate) settled_to: u64,
}

/// Registers the replica called `name`: it gets a number the first time and a new epoch each time, so that a process
/// that ran under this name before can commit nothing more.
pub(crate) async fn register(store: &Store, name: &str, now_ms: i64) -> Result<Registered, StoreError> {
    let row = store
        .transaction(|transaction| {
            let name = name.to_owned();
            Box::pin(async move { next_epoch(transaction, name, now_ms).await })
        })
        .await?;
    if row.number >> (62 - SEQUENCE_BITS) != 0 {
        return Err(StoreError::Corrupt(format!("the replica {name} has the number {}", row.number)));
    }
    Ok(Registered {
        number: ReplicaNumber(row.number),
        epoch: row.epoch,
        indexed_to: to_u64(row.indexed_to)?,
        settled_to: to_u64(row.settled_to)?,
    })
}

async fn next_epoch(
    db: &impl ConnectionTrait,
    name: String,
    now_ms: i64,
) -> Result<replicas::Model, StoreError> {
    let known = replicas::Entity::find().filter(replicas::Column::Name.eq(&name)).lock_exclusive().one(db);
    if let Some(mut row) = known.await? {
        row.epoch = row.epoch.saturating_add(1);
        row.heartbeat_ms = row.heartbeat_ms.max(now_ms);
        let mut change = row.clone().into_active_model();
        change.epoch = Set(row.epoch);
        change.heartbeat_ms = Set(row.heartbeat_ms);
        replicas::Entity::update(change).exec_without_returning(db).await?;
        return Ok(row);
    }
    let last = replicas::Entity::find().order_by_desc(replicas::Column::Number).one(db).await?;
    let row = replicas::Model {
        number: last.map_or(0, |row| row.number).saturating_add(1),
        name,
        epoch: 1,
        heartbeat_ms: now_ms,
        indexed_to: 0,
        settled_to: 0,
    };
    let new = row.clone().into_active_model().reset_all();
    match replicas::Entity::insert(new).exec_without_returning(db).await {
        Ok(_) => Ok(row),
        Err(err) if matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            Err(StoreError::Contended("another replica is being given a number".into()))
        }
        Err(err) => Err(err.into()),
    }
}

/// The latest time at which any replica committed, Unix milliseconds.
pub(crate) async fn last_heartbeat(store: &Store) -> Result<Option<i64>, StoreError> {
    let last: Option<Option<i64>> = replicas::Entity::find()
        .select_only()
        .column_as(replicas::Column::HeartbeatMs.max(), "last")
        .into_tuple()
        .one(&store.read)
        .await?;
    Ok(last.flatten())
}

/// The sequence that the replica's next record gets.
pub(crate) async fn next_sequence(store: &Store, replica: ReplicaNumber) -> Result<u64, StoreError> {
    let first = replica.record(0)?;
    let id: Option<i64> = records::Entity::find()
        .select_only()
        .column(records::Column::Id)
        .filter(records::Column::Id.between(first, replica.last_record()))
        .order_by_desc(records::Column::Id)
        .into_tuple()
        .one(&store.read)
        .await?;
    match id {
        Some(id) => Ok(to_u64(id.saturating_sub(first))?.saturating_add(1)),
        None => Ok(bailiwick_ledger::record::FIRST_SEQUENCE),
    }
}
