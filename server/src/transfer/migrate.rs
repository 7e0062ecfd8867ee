//! From SQLite to PostgreSQL: the same rows, the same log, the same root.

use std::collections::BTreeMap;

use bailiwick_ledger::Hash;
use serde::Serialize;

use super::evidence::beside;
use super::{Place, TransferError, refused};
use crate::app::{DatabaseUrl, lock_data_dir};
use crate::audit::whole;
use crate::clock::Clock;
use crate::store::copy::{Count, Snapshot, Table, Tally, Target, line, tables};
use crate::store::standing::{self, Standing};
use crate::store::{Location, Store, StoreError};

/// What was moved.
#[derive(Debug, Serialize)]
pub struct Moved {
    /// The log.
    pub log: String,
    /// Its leaves.
    pub size: u64,
    /// Their root, which is the one that they had before.
    pub root: Hash,
    /// How many checkpoints were found to hold.
    pub checkpoints: usize,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
    /// Where to, without a password.
    pub to: String,
}

/// Copies everything from the SQLite database of `from` into the PostgreSQL database at `to`, which must be empty,
/// verifies it there, and takes the old one out of service. `tell` hears of the progress.
///
/// # Errors
/// [`TransferError`]. The old database is as it was; the new one is marked, and nobody serves it.
pub async fn migrate(from: &Place, to: &DatabaseUrl, tell: impl Fn(&str)) -> Result<Moved, TransferError> {
    let Location::File(file) = from.database()? else {
        return Err(refused(
            "`migrate` moves a database from SQLite to PostgreSQL, and this one is on PostgreSQL already. Between other \
             databases use `bailiwick backup` and `bailiwick restore`",
        ));
    };
    let place = Location::of(to.as_str())?;
    let Location::Postgres(place) = place else {
        return Err(refused(
            "`migrate` moves a database to PostgreSQL: `--to postgres://…`. Between other databases use \
             `bailiwick backup` and `bailiwick restore`",
        ));
    };
    if !file.is_file() {
        return Err(refused(format!("there is no database in {}: name the data directory", file.display())));
    }
    // A server that has it open would go on writing to what is left behind.
    let _lock = lock_data_dir(&from.data_dir)?;
    let source = from.open().await?;
    let moved = match Box::pin(fill(from, &source, to, &place, &tell)).await {
        Ok((moved, target)) => {
            // First the old one: two that may be served would make two logs of one.
            let standing = Standing::Moved { to: place };
            standing::set(&source, &standing, Clock::new().now_ms()).await?;
            Target::resume(&target).finish().await?;
            target.close().await;
            Ok(moved)
        }
        Err(error) => Err(error),
    };
    source.close().await;
    moved
}

async fn fill(
    from: &Place,
    source: &Store,
    to: &DatabaseUrl,
    place: &str,
    tell: &impl Fn(&str),
) -> Result<(Moved, Store), TransferError> {
    standing::check_moved(source, place).await?;
    let snapshot = Snapshot::take(source).await?;
    let Some(log) = snapshot.log().await? else {
        return Err(refused(
            "the database holds no log, so there is nothing to move: start the server on the new database",
        ));
    };
    let key = from.public_key(&log.id)?;
    let held = beside(from)?;
    let target = Store::open(to.as_str()).await?;
    let unfinished =
        Standing::Unfinished { command: String::from("migrate"), from: String::from("a SQLite database") };
    let mut filling = Target::begin(&target, unfinished, Clock::new().now_ms()).await?;
    let tables = tables()?;
    let mut counts = Vec::with_capacity(tables.len());
    for table in &tables {
        let count = copy(&snapshot, table, &mut filling).await?;
        tell(&format!("{}: {} rows", table.name, count.rows));
        counts.push(count);
    }
    tell("comparing what has arrived, and hashing the log anew");
    compare(&target, &tables, &counts).await?;
    let whole = whole::verify(&target, &key, &held).await?;
    if whole.size != log.size {
        return Err(refused(format!("the log had {} leaves, and {} have arrived", log.size, whole.size)));
    }
    let rows = tables.iter().zip(&counts).map(|(table, count)| (table.name.to_owned(), count.rows)).collect();
    let moved = Moved {
        log: log.id,
        size: whole.size,
        root: whole.root,
        checkpoints: whole.checkpoints,
        rows,
        to: place.to_owned(),
    };
    Ok((moved, target))
}

/// Copies a table, page by page.
async fn copy(snapshot: &Snapshot, table: &Table, target: &mut Target<'_>) -> Result<Count, StoreError> {
    let mut tally = Tally::default();
    let mut last = None;
    loop {
        let rows = snapshot.page(table, last.as_ref()).await?;
        rows.iter().for_each(|row| tally.add(&line(row)));
        target.add(table, &rows).await?;
        match rows.into_iter().next_back() {
            Some(row) => last = Some(row),
            None => break,
        }
    }
    target.end().await?;
    Ok(tally.count())
}

/// Every table of `store` holds what was counted.
pub(super) async fn compare(store: &Store, tables: &[Table], counts: &[Count]) -> Result<(), TransferError> {
    let snapshot = Snapshot::take(store).await?;
    for (table, expected) in tables.iter().zip(counts) {
        let arrived = snapshot.count(table).await?;
        if arrived != *expected {
            return Err(refused(format!(
                "the table `{}` has not arrived as it was: {} rows instead of {}, or other values. Somebody else may \
                 have written to the new database",
                table.name, arrived.rows, expected.rows
            )));
        }
    }
    Ok(())
}
