//! A database as it is at one instant.

use sea_orm::{
    AccessMode, ConnectionTrait as _, DatabaseTransaction, EntityTrait as _, IsolationLevel, QueryOrder as _,
    TransactionTrait as _,
};

use super::row::{self, Row};
use super::table::Table;
use super::{Count, PAGE, Tally};
use crate::store::connect::Backend;
use crate::store::entities::{checkpoints, tree_head};
use crate::store::{Store, StoreError};

/// Everything that was committed when it was taken, and nothing of what was later. Nobody waits for it.
pub(crate) struct Snapshot {
    transaction: DatabaseTransaction,
}

/// What the log was then.
#[derive(Debug)]
pub(crate) struct LogState {
    pub(crate) id: String,
    pub(crate) size: u64,
    pub(crate) frontier: Vec<u8>,
    /// The last signed checkpoint.
    pub(crate) checkpoint: Option<String>,
}

impl Snapshot {
    /// Takes one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub(crate) async fn take(store: &Store) -> Result<Self, StoreError> {
        let transaction = match &store.backend {
            // The first statement takes it.
            Backend::Sqlite => store.read.pool()?.begin().await?,
            Backend::Postgres(_) => {
                let (isolation, access) = (IsolationLevel::RepeatableRead, AccessMode::ReadOnly);
                store.read.pool()?.begin_with_config(Some(isolation), Some(access)).await?
            }
        };
        Ok(Self { transaction })
    }

    /// The log, where the database holds one.
    pub(crate) async fn log(&self) -> Result<Option<LogState>, StoreError> {
        let Some(head) = tree_head::Entity::find().one(&self.transaction).await? else { return Ok(None) };
        let checkpoint = checkpoints::Entity::find()
            .order_by_desc(checkpoints::Column::Size)
            .one(&self.transaction)
            .await?;
        Ok(Some(LogState {
            id: head.log,
            size: crate::store::tree::to_u64(head.size)?,
            frontier: head.frontier,
            checkpoint: checkpoint.map(|row| row.note),
        }))
    }

    /// Up to [`PAGE`] rows after `last`; none at the end.
    pub(crate) async fn page(&self, table: &Table, last: Option<&Row>) -> Result<Vec<Row>, StoreError> {
        let rows = self.transaction.query_all(&table.page(last, PAGE)?).await?;
        rows.iter().map(|found| row::read(found, &table.columns)).collect()
    }

    /// Counts a table.
    pub(crate) async fn count(&self, table: &Table) -> Result<Count, StoreError> {
        let mut tally = Tally::default();
        let mut last = None;
        loop {
            let rows = self.page(table, last.as_ref()).await?;
            rows.iter().for_each(|row| tally.add(&row::line(row)));
            let Some(end) = rows.into_iter().next_back() else { return Ok(tally.count()) };
            last = Some(end);
        }
    }
}
