//! The group commit on PostgreSQL: one statement, which is a transaction by itself, in one round trip.
//!
//! Its first parts check the replica's epoch, that the record before the batch is there, and the head that the batch was
//! built on: where one of them is not so, a value becomes null, which its column refuses, and nothing of the statement
//! happens. A database that was put back while servers run has the epoch, and lacks the record. Where the tree is another's to
//! move, there is no log in the batch, and so no head to check. What is inserted travels as one array a column, so that the statement is the same for
//! any number of rows and is planned once.

use std::borrow::Cow;
use std::time::Duration;

use sea_orm::sqlx::error::ErrorKind;
use sea_orm::sqlx::postgres::PgArguments;
use sea_orm::sqlx::{self, Arguments as _, Postgres, query_with};
use tokio::time::timeout;

use super::{Batch, NewRecord, NewSpend, NewTile, moved_away};
use crate::store::decisions::DecisionRow;
use crate::store::postgres::Writer;
use crate::store::tree::to_i64;
use crate::store::{StoreError, replicas::ReplicaNumber};

/// How long a commit may take. The statement itself is given up earlier; this is for a server that is silent.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(6);

const COMMIT: &str = "\
    WITH replica AS ( \
      UPDATE replicas SET epoch = CASE WHEN epoch = $1 AND ($50::int8 IS NULL OR EXISTS (SELECT FROM records \
        WHERE id = $50)) THEN epoch END, heartbeat_ms = $2, indexed_to = $3, \
        settled_to = $4 \
      WHERE number = $5 RETURNING 1 \
    ), head AS ( \
      UPDATE tree_head SET size = CASE WHEN size = $6 AND frontier = $7 THEN $8::int8 END, frontier = $9, \
        time_ms = $2 \
      WHERE log = $10::text AND EXISTS (SELECT FROM replica) RETURNING 1 \
    ), allowed AS ( \
      SELECT 1 FROM head UNION ALL SELECT 1 FROM replica WHERE $10::text IS NULL \
    ), new_records AS ( \
      INSERT INTO records (id, time_ms, kind, scope, decision, leaf_bytes, leaf_hash, sections, index_update) \
      SELECT * FROM unnest($11::int8[], $12::int8[], $13::text[], $14::text[], $15::text[], $16::bytea[], \
        $17::bytea[], $18::bytea[], $19::bytea[]) WHERE EXISTS (SELECT FROM allowed) \
    ), new_runs AS ( \
      INSERT INTO tree_runs (leaf, record) \
      SELECT * FROM unnest($20::int8[], $21::int8[]) WHERE EXISTS (SELECT FROM allowed) \
    ), new_tiles AS ( \
      INSERT INTO tree_tiles (level, position, first_ms, last_ms, hashes, root) \
      SELECT * FROM unnest($22::int8[], $23::int8[], $24::int8[], $25::int8[], $26::bytea[], $27::bytea[]) \
      WHERE EXISTS (SELECT FROM allowed) \
    ), new_decisions AS ( \
      INSERT INTO decisions (id, record, time_ms, scope, key_id, model, outcome, endpoint, redactions, classes, \
        cost_nano, overhead_us, status, code) \
      SELECT * FROM unnest($28::text[], $29::int8[], $30::int8[], $31::text[], $32::text[], $33::text[], \
        $34::text[], $35::text[], $36::text[], $37::text[], $38::int8[], $39::int8[], $40::int8[], $41::text[]) \
      WHERE EXISTS (SELECT FROM allowed) \
      ON CONFLICT (id) DO UPDATE SET record = excluded.record, time_ms = excluded.time_ms, \
        scope = excluded.scope, key_id = excluded.key_id, model = excluded.model, outcome = excluded.outcome, \
        endpoint = excluded.endpoint, redactions = excluded.redactions, classes = excluded.classes, \
        cost_nano = excluded.cost_nano, overhead_us = excluded.overhead_us, status = excluded.status, \
        code = excluded.code \
    ), new_spend AS ( \
      INSERT INTO budget_spend (budget_id, window_start_ms, replica, settled_nano) \
      SELECT * FROM unnest($42::int8[], $43::int8[], $44::int8[], $45::int8[]) AS spend (budget, start, by, delta) \
      WHERE EXISTS (SELECT FROM allowed) \
        AND (SELECT true FROM budgets WHERE budgets.id = spend.budget FOR KEY SHARE) \
      ON CONFLICT (budget_id, window_start_ms, replica) DO UPDATE SET \
        settled_nano = budget_spend.settled_nano + excluded.settled_nano \
    ), new_checkpoint AS ( \
      INSERT INTO checkpoints (log, size, note, time_ms) \
      SELECT $10, $46::int8, $47::text, $48::int8 WHERE $46 IS NOT NULL AND EXISTS (SELECT FROM allowed) \
      ON CONFLICT DO NOTHING \
    ), old_checkpoint AS ( \
      DELETE FROM checkpoints WHERE log = $10 AND size = $49::int8 AND EXISTS (SELECT FROM allowed) \
    ) SELECT 1 FROM allowed";

/// As [`super::commit`].
pub(super) async fn commit(writer: &Writer, batch: &Batch) -> Result<(), StoreError> {
    let args = arguments(batch)?;
    let mut held = writer.hold().await?;
    let done = timeout(COMMIT_TIMEOUT, query_with(COMMIT, args).fetch_optional(held.connection())).await;
    let moved =
        matches!(&done, Ok(Err(sqlx::Error::Database(db))) if db.kind() == ErrorKind::NotNullViolation);
    match held.keep_after(done) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(moved_away()),
        Err(_) if moved => Err(moved_away()),
        Err(err) => Err(err),
    }
}

fn arguments(batch: &Batch) -> Result<PgArguments, StoreError> {
    let tree = batch.tree.as_ref();
    let mut args = PgArguments::default();
    add(&mut args, batch.epoch)?;
    add(&mut args, batch.time_ms)?;
    add(&mut args, to_i64(batch.indexed_to)?)?;
    add(&mut args, to_i64(batch.settled_to)?)?;
    add(&mut args, batch.replica.get())?;
    add(&mut args, tree.map(|tree| to_i64(tree.old_size)).transpose()?)?;
    add(&mut args, tree.map(|tree| tree.old_frontier.as_slice()))?;
    add(&mut args, tree.map(|tree| to_i64(tree.new_size)).transpose()?)?;
    add(&mut args, tree.map(|tree| tree.new_frontier.as_slice()))?;
    add(&mut args, tree.map(|tree| &*tree.log))?;
    records(&mut args, batch.replica, &batch.records)?;
    let (runs, complete) = tree.map(|tree| (&*tree.runs, &*tree.tiles)).unwrap_or_default();
    all(&mut args, runs.iter().map(|run| to_i64(run.leaf)))?;
    column(&mut args, runs, |run| run.record)?;
    tiles(&mut args, complete)?;
    decisions(&mut args, batch.replica, &batch.decisions)?;
    spend(&mut args, &batch.spend)?;
    let checkpoint = tree.and_then(|tree| tree.checkpoint.as_ref());
    add(&mut args, checkpoint.map(|new| to_i64(new.size)).transpose()?)?;
    add(&mut args, checkpoint.map(|new| new.note.as_str()))?;
    add(&mut args, checkpoint.map(|new| new.time_ms))?;
    add(&mut args, checkpoint.and_then(|new| new.replaces).map(to_i64).transpose()?)?;
    let before = batch.records.first().and_then(|first| first.replica_sequence.checked_sub(1));
    add(&mut args, before.map(|before| batch.replica.record(before)).transpose()?)?;
    Ok(args)
}

fn records(args: &mut PgArguments, replica: ReplicaNumber, rows: &[NewRecord]) -> Result<(), StoreError> {
    all(args, rows.iter().map(|row| replica.record(row.replica_sequence)))?;
    column(args, rows, |row| row.time_ms)?;
    column(args, rows, |row| row.kind)?;
    column(args, rows, |row| row.scope.as_deref().map(text))?;
    column(args, rows, |row| row.decision.as_deref().map(text))?;
    column(args, rows, |row| row.leaf_bytes.as_slice())?;
    column(args, rows, |row| row.leaf_hash.as_slice())?;
    column(args, rows, |row| row.sections.as_slice())?;
    column(args, rows, |row| row.index_update.as_deref())
}

fn tiles(args: &mut PgArguments, rows: &[NewTile]) -> Result<(), StoreError> {
    column(args, rows, |row| i64::from(row.level))?;
    all(args, rows.iter().map(|row| to_i64(row.position)))?;
    column(args, rows, |row| row.times.map(|(first, _)| first))?;
    column(args, rows, |row| row.times.map(|(_, last)| last))?;
    column(args, rows, |row| row.hashes.as_slice())?;
    column(args, rows, |row| row.root.as_slice())
}

fn decisions(
    args: &mut PgArguments,
    replica: ReplicaNumber,
    rows: &[(u64, DecisionRow)],
) -> Result<(), StoreError> {
    column(args, rows, |(_, row)| text(&row.id))?;
    all(args, rows.iter().map(|(sequence, _)| replica.record(*sequence)))?;
    column(args, rows, |(_, row)| row.time_ms)?;
    column(args, rows, |(_, row)| text(&row.scope))?;
    column(args, rows, |(_, row)| row.key_id.as_deref().map(text))?;
    column(args, rows, |(_, row)| row.model.as_deref().map(text))?;
    column(args, rows, |(_, row)| text(&row.outcome))?;
    column(args, rows, |(_, row)| row.endpoint.as_deref().map(text))?;
    column(args, rows, |(_, row)| row.redactions.as_deref().map(text))?;
    column(args, rows, |(_, row)| row.classes.as_deref().map(text))?;
    column(args, rows, |(_, row)| row.cost_nano)?;
    column(args, rows, |(_, row)| row.overhead_us)?;
    column(args, rows, |(_, row)| row.status)?;
    column(args, rows, |(_, row)| row.code.as_deref().map(text))
}

/// In one order, so that nobody who writes several of these rows too can wait for us while we wait for them.
fn spend(args: &mut PgArguments, rows: &[NewSpend]) -> Result<(), StoreError> {
    let mut rows: Vec<&NewSpend> = rows.iter().collect();
    rows.sort_unstable_by_key(|row| (row.budget, row.window_start_ms, row.replica.get()));
    column(args, &rows, |row| row.budget.0)?;
    column(args, &rows, |row| row.window_start_ms)?;
    column(args, &rows, |row| row.replica.get())?;
    column(args, &rows, |row| row.delta_nano)
}

fn all(
    args: &mut PgArguments,
    values: impl Iterator<Item = Result<i64, StoreError>>,
) -> Result<(), StoreError> {
    add(args, values.collect::<Result<Vec<_>, _>>()?)
}

fn column<'r, R, T>(
    args: &mut PgArguments,
    rows: &'r [R],
    value: impl Fn(&'r R) -> T,
) -> Result<(), StoreError>
where
    Vec<T>: sqlx::Encode<'r, Postgres> + sqlx::Type<Postgres>,
{
    add(args, rows.iter().map(value).collect::<Vec<T>>())
}

fn add<'t, T>(args: &mut PgArguments, value: T) -> Result<(), StoreError>
where
    T: sqlx::Encode<'t, Postgres> + sqlx::Type<Postgres>,
{
    args.add(value).map_err(|err| StoreError::Conflict(err.to_string()))
}

/// A text as PostgreSQL takes it, which refuses the character NUL. What a client wrote into the name of a model
/// must not make everybody's commit fail; the record's own bytes keep it as it was.
fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}
