//! The group commit on SQLite.
//!
//! It speaks to the driver directly, because sea-orm would copy every value once more, and statements that differ
//! in their number of rows are kept prepared per number. An exchange with the driver's thread costs more than
//! what it does there, so the usual batch is one.

use std::sync::{Arc, OnceLock};

use sea_orm::DatabaseConnection;
use sea_orm::sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sea_orm::sqlx::{self, Arguments as _, Sqlite, query, query_with};

use super::{Batch, NewCheckpoint, NewRecord, NewSpend, NewTile, TreeStep, moved_away};
use crate::store::StoreError;
use crate::store::decisions::DecisionRow;
use crate::store::replicas::ReplicaNumber;
use crate::store::runs::Run;
use crate::store::tree::to_i64;

/// Most rows of one INSERT: each number of rows is a statement that stays prepared.
const ROWS: usize = 32;

/// As [`super::commit`].
pub(super) async fn commit(write: &DatabaseConnection, batch: Batch) -> Result<(), StoreError> {
    let mut connection = write.get_sqlite_connection_pool().acquire().await?;
    // Not the driver's transaction: where SQLite has already rolled back by itself (a full disk does that), the
    // driver's ROLLBACK fails, and from then on it believes itself inside a transaction for ever.
    if let Err(err) = write_batch(&mut connection, batch).await {
        if let Err(rollback) = query("ROLLBACK").execute(&mut *connection).await {
            tracing::debug!(err = %rollback, "there was nothing left to roll back");
        }
        return Err(err);
    }
    Ok(())
}

async fn write_batch(connection: &mut SqliteConnection, mut batch: Batch) -> Result<(), StoreError> {
    let first = batch.records.drain(..batch.records.len().min(ROWS)).collect();
    let rest = !(batch.records.is_empty()
        && batch.decisions.is_empty()
        && batch.tree.as_ref().is_some_and(TreeStep::is_plain));
    begin(connection, &mut batch, first, rest).await?;
    if !rest {
        return Ok(());
    }
    let Batch { replica, records, spend, decisions, tree, .. } = batch;
    insert(connection, &RECORDS, records, |args, row| record(args, replica, row)).await?;
    insert(connection, &DECISIONS, decisions, |args, row| decision(args, replica, row)).await?;
    if let Some(TreeStep { log, runs, tiles, checkpoint, .. }) = tree {
        insert(connection, &RUNS, runs, run).await?;
        insert(connection, &TILES, tiles, tile).await?;
        if let Some(checkpoint) = checkpoint {
            sign(connection, &log, checkpoint).await?;
        }
    }
    let mut args = SqliteArguments::default();
    add(&mut args, bookings(&spend)?)?;
    query_with(FINISH.get_or_init(|| format!("{SPEND}; COMMIT")).as_str(), args).execute(connection).await?;
    Ok(())
}

/// Begins, inserts the first records and moves the head; where there is no `rest` to come, books the spend and
/// commits too. The head is compared and set, so that two sequencers, or a database that was changed behind our
/// back, can't both go on: where it is not what it should be, its new size is null, which the column refuses. So it
/// is with the replica's epoch.
async fn begin(
    connection: &mut SqliteConnection,
    batch: &mut Batch,
    records: Vec<NewRecord>,
    rest: bool,
) -> Result<(), StoreError> {
    let (sql, form) = match (rest, &batch.tree) {
        (false, Some(_)) => (&WHOLE, Form::Whole),
        (true, Some(_)) => (&BEGIN, Form::Begin),
        (_, None) => (&APART, Form::Apart),
    };
    let sql = sql.get_or_init(|| (0..=ROWS).map(|rows| write_begin(rows, form)).collect());
    let sql = sql.get(records.len()).ok_or_else(|| StoreError::Conflict("too many records".into()))?;
    let mut args = SqliteArguments::default();
    args.reserve(records.len() * RECORDS.columns + 13, 0);
    for row in records {
        record(&mut args, batch.replica, row)?;
    }
    add(&mut args, batch.epoch)?;
    add(&mut args, batch.time_ms)?;
    add(&mut args, to_i64(batch.indexed_to)?)?;
    add(&mut args, to_i64(batch.settled_to)?)?;
    add(&mut args, batch.replica.get())?;
    let mut moves = 1;
    if let Some(tree) = &mut batch.tree {
        add(&mut args, to_i64(tree.old_size)?)?;
        add(&mut args, std::mem::take(&mut tree.old_frontier))?;
        add(&mut args, to_i64(tree.new_size)?)?;
        add(&mut args, std::mem::take(&mut tree.new_frontier))?;
        add(&mut args, batch.time_ms)?;
        add(&mut args, Arc::clone(&tree.log))?;
        moves = 2;
    }
    if !rest {
        add(&mut args, bookings(&batch.spend)?)?;
    }
    // All rows, not the first: the driver stops at the statement whose rows nobody takes.
    match query_with(sql.as_str(), args).fetch_all(connection).await.map_err(StoreError::from) {
        Ok(moved) if moved.len() == moves => Ok(()),
        Ok(_) | Err(StoreError::Conflict(_)) => Err(moved_away()),
        Err(err) => Err(err),
    }
}

/// What [`begin`] does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Everything.
    Whole,
    /// More follows.
    Begin,
    /// More follows, and the tree is another's.
    Apart,
}

/// The statements of [`begin`] for each number of records.
static APART: OnceLock<Vec<String>> = OnceLock::new();
static BEGIN: OnceLock<Vec<String>> = OnceLock::new();
static WHOLE: OnceLock<Vec<String>> = OnceLock::new();
static FINISH: OnceLock<String> = OnceLock::new();

fn write_begin(rows: usize, form: Form) -> String {
    let insert = if rows == 0 { String::new() } else { format!("{}; ", RECORDS.write(rows)) };
    let finish = if form == Form::Whole { format!("; {SPEND}; COMMIT") } else { String::new() };
    let tree = if form == Form::Apart {
        ""
    } else {
        "; UPDATE tree_head SET size = CASE WHEN size = ? AND frontier = ? THEN ? END, frontier = ?, time_ms = ? \
         WHERE log = ? RETURNING size"
    };
    format!(
        "BEGIN IMMEDIATE; {insert}UPDATE replicas SET epoch = CASE WHEN epoch = ? THEN epoch END, \
         heartbeat_ms = ?, indexed_to = ?, settled_to = ? WHERE number = ? RETURNING epoch{tree}{finish}"
    )
}

/// Bookings are one JSON text, so that a statement needs no text of its own for each number of them. Nothing is booked
/// on a budget that has been deleted.
const SPEND: &str = "INSERT INTO budget_spend (budget_id, window_start_ms, replica, settled_nano) \
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) \
    WHERE value ->> 0 IN (SELECT id FROM budgets) \
    ON CONFLICT (budget_id, window_start_ms, replica) DO UPDATE SET settled_nano = \
    budget_spend.settled_nano + excluded.settled_nano";

fn bookings(spend: &[NewSpend]) -> Result<String, StoreError> {
    let rows: Vec<_> = spend
        .iter()
        .map(|row| (row.budget.0, row.window_start_ms, row.replica.get(), row.delta_nano))
        .collect();
    serde_json::to_string(&rows).map_err(|err| StoreError::Conflict(err.to_string()))
}

async fn sign(
    connection: &mut SqliteConnection,
    log: &str,
    checkpoint: NewCheckpoint,
) -> Result<(), StoreError> {
    let mut args = SqliteArguments::default();
    add(&mut args, log.to_owned())?;
    add(&mut args, to_i64(checkpoint.size)?)?;
    add(&mut args, checkpoint.note)?;
    add(&mut args, checkpoint.time_ms)?;
    let sql = "INSERT INTO checkpoints (log, size, note, time_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";
    query_with(sql, args).execute(&mut *connection).await?;
    if let Some(size) = checkpoint.replaces {
        let mut args = SqliteArguments::default();
        add(&mut args, log.to_owned())?;
        add(&mut args, to_i64(size)?)?;
        query_with("DELETE FROM checkpoints WHERE log = ? AND size = ?", args)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

fn record(args: &mut SqliteArguments, replica: ReplicaNumber, row: NewRecord) -> Result<(), StoreError> {
    add(args, replica.record(row.replica_sequence)?)?;
    add(args, row.time_ms)?;
    add(args, row.kind)?;
    add(args, row.scope)?;
    add(args, row.decision)?;
    add(args, row.leaf_bytes)?;
    add(args, row.leaf_hash.to_vec())?;
    add(args, row.sections)?;
    add(args, row.index_update)
}

fn run(args: &mut SqliteArguments, row: Run) -> Result<(), StoreError> {
    add(args, to_i64(row.leaf)?)?;
    add(args, row.record)
}

fn tile(args: &mut SqliteArguments, row: NewTile) -> Result<(), StoreError> {
    add(args, i64::from(row.level))?;
    add(args, to_i64(row.position)?)?;
    add(args, row.times.map(|(first, _)| first))?;
    add(args, row.times.map(|(_, last)| last))?;
    add(args, row.hashes)?;
    add(args, row.root.to_vec())
}

fn decision(
    args: &mut SqliteArguments,
    replica: ReplicaNumber,
    (sequence, row): (u64, DecisionRow),
) -> Result<(), StoreError> {
    add(args, row.id)?;
    add(args, replica.record(sequence)?)?;
    add(args, row.time_ms)?;
    add(args, row.scope)?;
    add(args, row.key_id)?;
    add(args, row.model)?;
    add(args, row.outcome)?;
    add(args, row.endpoint)?;
    add(args, row.redactions)?;
    add(args, row.classes)?;
    add(args, row.cost_nano)?;
    add(args, row.overhead_us)?;
    add(args, row.status)?;
    add(args, row.code)
}

fn add<'t, T>(args: &mut SqliteArguments, value: T) -> Result<(), StoreError>
where
    T: sqlx::Encode<'t, Sqlite> + sqlx::Type<Sqlite>,
{
    args.add(value).map_err(|err| StoreError::Conflict(err.to_string()))
}

/// An INSERT of any number of rows.
struct Insert {
    into: &'static str,
    columns: usize,
    then: &'static str,
    /// The statement for each number of rows from 1 on.
    sql: OnceLock<Vec<String>>,
}

impl Insert {
    const fn new(into: &'static str, columns: usize, then: &'static str) -> Self {
        Self { into, columns, then, sql: OnceLock::new() }
    }

    fn sql(&'static self, rows: usize) -> Option<&'static str> {
        let all = self.sql.get_or_init(|| (1..=ROWS).map(|rows| self.write(rows)).collect());
        all.get(rows.checked_sub(1)?).map(String::as_str)
    }

    /// For `rows` rows. The marks have no numbers: SQLite looks up the name of a numbered one by walking through
    /// all of them, for each of them.
    fn write(&self, rows: usize) -> String {
        let row = format!("({})", vec!["?"; self.columns].join(", "));
        let rows = vec![row; rows];
        format!("INSERT INTO {} VALUES {}{}", self.into, rows.join(", "), self.then)
    }
}

static RECORDS: Insert = Insert::new(
    "records (id, time_ms, kind, scope, decision, leaf_bytes, leaf_hash, sections, index_update)",
    9,
    "",
);
static RUNS: Insert = Insert::new("tree_runs (leaf, record)", 2, "");
static TILES: Insert = Insert::new("tree_tiles (level, position, first_ms, last_ms, hashes, root)", 6, "");
static DECISIONS: Insert = Insert::new(
    "decisions (id, record, time_ms, scope, key_id, model, outcome, endpoint, redactions, classes, cost_nano, \
     overhead_us, status, code)",
    14,
    " ON CONFLICT (id) DO UPDATE SET record = excluded.record, time_ms = excluded.time_ms, scope = excluded.scope, \
     key_id = excluded.key_id, model = excluded.model, outcome = excluded.outcome, endpoint = excluded.endpoint, \
     redactions = excluded.redactions, classes = excluded.classes, cost_nano = excluded.cost_nano, \
     overhead_us = excluded.overhead_us, status = excluded.status, \
     code = excluded.code",
);

async fn insert<T>(
    connection: &mut SqliteConnection,
    into: &'static Insert,
    rows: Vec<T>,
    bind: impl Fn(&mut SqliteArguments, T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut rows = rows.into_iter();
    loop {
        let count = rows.len().min(ROWS);
        let Some(sql) = into.sql(count) else { return Ok(()) };
        let mut args = SqliteArguments::default();
        args.reserve(count * into.columns, 0);
        for row in rows.by_ref().take(count) {
            bind(&mut args, row)?;
        }
        query_with(sql, args).execute(&mut *connection).await?;
    }
}
