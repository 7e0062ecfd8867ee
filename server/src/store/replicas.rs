//! The replicas that write to the log, and the ids of their records.
//!
//! A record's id is its replica's number and its place among that replica's records in one integer, so that ids
//! of one replica are in the order in which it wrote, and no two replicas write at the same end of an index.

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, SqlErr};

use super::entities::{records, replicas};
use super::tree::{to_i64, to_u64};
use super::{Store, StoreError};

/// Bits of an id that hold the place: 10^12 records a replica, 8 million replicas.
const SEQUENCE_BITS: u32 = 40;

/// The number of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReplicaNumber(i64);

impl ReplicaNumber {
    /// The id of the replica's record number `sequence`.
    pub(crate) fn record(self, sequence: u64) -> Result<i64, StoreError> {
        let sequence = to_i64(sequence)?;
        if sequence >> SEQUENCE_BITS != 0 {
            return Err(StoreError::Conflict("a replica cannot write more than 2^40 records".into()));
        }
        Ok(self.0 << SEQUENCE_BITS | sequence)
    }
}

/// The number of the replica called `name`, which is given one the first time.
pub(crate) async fn number(store: &Store, name: &str) -> Result<ReplicaNumber, StoreError> {
    let number = store
        .transaction(|transaction| {
            let name = name.to_owned();
            Box::pin(async move {
                let known = replicas::Entity::find()
                    .filter(replicas::Column::Name.eq(&name))
                    .one(transaction)
                    .await?;
                if let Some(row) = known {
                    return Ok(row.number);
                }
                let last =
                    replicas::Entity::find().order_by_desc(replicas::Column::Number).one(transaction).await?;
                let number = last.map_or(0, |row| row.number).saturating_add(1);
                let row = replicas::ActiveModel { number: Set(number), name: Set(name) };
                match replicas::Entity::insert(row).exec_without_returning(transaction).await {
                    Ok(_) => Ok(number),
                    Err(err) if matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                        Err(StoreError::Contended("another replica is being given a number".into()))
                    }
                    Err(err) => Err(err.into()),
                }
            })
        })
        .await?;
    if number >> (62 - SEQUENCE_BITS) != 0 {
        return Err(StoreError::Corrupt(format!("the replica {name} has the number {number}")));
    }
    Ok(ReplicaNumber(number))
}

/// The last sequence that the replica used.
pub(crate) async fn last_sequence(store: &Store, replica: ReplicaNumber) -> Result<Option<u64>, StoreError> {
    let first = replica.record(0)?;
    let id: Option<i64> = records::Entity::find()
        .select_only()
        .column(records::Column::Id)
        .filter(records::Column::Id.between(first, first | ((1 << SEQUENCE_BITS) - 1)))
        .order_by_desc(records::Column::Id)
        .into_tuple()
        .one(&store.read)
        .await?;
    id.map(|id| to_u64(id ^ first)).transpose()
}
