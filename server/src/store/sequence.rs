//! Giving records their place in the tree, where several replicas write: the transactions of the sequencer.
//!
//! A step reads what no run covers yet and moves the head by compare-and-set in the same transaction, so that of two
//! sequencers at most one gets on. Nothing is read by a watermark on time or on ids across replicas: each replica
//! commits its records in the order of its own gap-free sequence, so what is missing of one replica is always its end.

use bailiwick_ledger::Hash;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::OnConflict,
};

use super::commit::{NewCheckpoint, TreeStep};
use super::entities::{checkpoints, records, replicas, tree_head, tree_runs, tree_tiles};
use super::replicas::ReplicaNumber;
use super::tree::{TreeHead, to_i64};
use super::{Store, StoreError};

/// A record without a place.
#[derive(Debug)]
pub(crate) struct Unsequenced {
    pub(crate) id: i64,
    pub(crate) leaf_hash: Hash,
    pub(crate) time_ms: i64,
}

/// A step under way: it holds the head, so that nobody else takes one meanwhile.
pub(crate) struct Step {
    transaction: DatabaseTransaction,
    head: TreeHead,
}

impl Step {
    /// Takes hold of the head of `log`.
    pub(crate) async fn begin(store: &Store, log: &str) -> Result<Self, StoreError> {
        let transaction = store.begin().await?;
        let head = tree_head::Entity::find_by_id(log.to_owned())
            .lock_exclusive()
            .one(&transaction)
            .await?
            .ok_or_else(|| StoreError::Corrupt(format!("the head of the log {log} is missing")))?;
        Ok(Self { transaction, head })
    }

    /// The head as it is until the step ends.
    pub(crate) fn head(&self) -> &TreeHead {
        &self.head
    }

    /// Every replica of which a record may be missing in the tree.
    pub(crate) async fn replicas(&self) -> Result<Vec<ReplicaNumber>, StoreError> {
        let numbers: Vec<i64> = replicas::Entity::find()
            .select_only()
            .column(replicas::Column::Number)
            .filter(replicas::Column::State.ne(replicas::State::Gone))
            .order_by_asc(replicas::Column::Number)
            .into_tuple()
            .all(&self.transaction)
            .await?;
        Ok(numbers.into_iter().map(ReplicaNumber::new).collect())
    }

    /// Up to `limit` records of `replica` from the sequence `from` on, in order.
    pub(crate) async fn unsequenced(
        &self,
        replica: ReplicaNumber,
        from: u64,
        limit: u64,
    ) -> Result<Vec<Unsequenced>, StoreError> {
        use records::Column as C;
        let rows: Vec<(i64, Vec<u8>, i64)> = records::Entity::find()
            .select_only()
            .columns([C::Id, C::LeafHash, C::TimeMs])
            .filter(C::Id.between(replica.record(from)?, replica.last_record()))
            .order_by_asc(C::Id)
            .limit(limit)
            .into_tuple()
            .all(&self.transaction)
            .await?;
        let record = |(id, hash, time_ms): (i64, Vec<u8>, i64)| {
            let leaf_hash = Hash::try_from(hash.as_slice())
                .map_err(|err| StoreError::Corrupt(format!("the hash of the record {id}: {err}")))?;
            Ok(Unsequenced { id, leaf_hash, time_ms })
        };
        rows.into_iter().map(record).collect()
    }

    /// Makes the tree grow as `tree` says, up to the time `time_ms`.
    pub(crate) async fn commit(self, tree: TreeStep, time_ms: i64) -> Result<(), StoreError> {
        use tree_head::Column as C;
        let Self { transaction, .. } = self;
        let moved = tree_head::Entity::update_many()
            .set(tree_head::ActiveModel {
                size: Set(to_i64(tree.new_size)?),
                frontier: Set(tree.new_frontier),
                time_ms: Set(time_ms),
                ..Default::default()
            })
            .filter(C::Log.eq(&*tree.log))
            .filter(C::Size.eq(to_i64(tree.old_size)?))
            .filter(C::Frontier.eq(tree.old_frontier))
            .exec(&transaction)
            .await?;
        if moved.rows_affected != 1 {
            return Err(StoreError::Conflict("another sequencer moved the head of the audit log".into()));
        }
        let mut runs = Vec::with_capacity(tree.runs.len());
        for run in tree.runs {
            runs.push(tree_runs::ActiveModel { leaf: Set(to_i64(run.leaf)?), record: Set(run.record) });
        }
        if !runs.is_empty() {
            tree_runs::Entity::insert_many(runs).exec_without_returning(&transaction).await?;
        }
        for tile in tree.tiles {
            let row = tree_tiles::ActiveModel {
                level: Set(i64::from(tile.level)),
                position: Set(to_i64(tile.position)?),
                first_ms: Set(tile.times.map(|(first, _)| first)),
                last_ms: Set(tile.times.map(|(_, last)| last)),
                hashes: Set(tile.hashes),
                root: Set(tile.root.to_vec()),
            };
            tree_tiles::Entity::insert(row).exec_without_returning(&transaction).await?;
        }
        Ok(transaction.commit().await?)
    }
}

/// Keeps a signed checkpoint. One of the same size that is there already stays.
pub(crate) async fn keep(store: &Store, log: &str, new: NewCheckpoint) -> Result<(), StoreError> {
    store
        .transaction(|transaction| {
            let (log, new) = (log.to_owned(), new.clone());
            Box::pin(async move { keep_in(transaction, log, new).await })
        })
        .await
}

async fn keep_in(
    transaction: &DatabaseTransaction,
    log: String,
    new: NewCheckpoint,
) -> Result<(), StoreError> {
    use checkpoints::Column as C;
    let row = checkpoints::ActiveModel {
        log: Set(log.clone()),
        size: Set(to_i64(new.size)?),
        note: Set(new.note),
        time_ms: Set(new.time_ms),
    };
    checkpoints::Entity::insert(row)
        .on_conflict(OnConflict::columns([C::Log, C::Size]).do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
    if let Some(size) = new.replaces {
        checkpoints::Entity::delete_by_id((log, to_i64(size)?)).exec(transaction).await?;
    }
    Ok(())
}
