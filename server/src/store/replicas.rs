//! The replicas that write to the log, and the ids of their records.
//!
//! A record's id is its replica's number and its place among that replica's records in one integer, so that ids
//! of one replica are in the order in which it wrote, and no two replicas write at the same end of an index.

use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect, SqlErr, UpdateMany,
    sea_query::{Expr, ExprTrait, SimpleExpr},
};

pub(crate) use super::entities::replicas::State;
use super::entities::{records, replicas};
use super::tree::{to_i64, to_u64};
use super::{Store, StoreError};

/// Bits of an id that hold the place: 10^12 records a replica, 4 million replicas.
const SEQUENCE_BITS: u32 = 40;

/// By which rules this version treats other replicas. Raised with what an older version beside it would do wrong;
/// that is then not done before the last older one has left.
///
/// 1: a stopped replica that may have a spool is left alone.
pub(crate) const PROTOCOL: i64 = 1;

/// The number of a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

/// Registers the replica called `name`, which is the only one: it gets a number the first time and a new epoch each
/// time, so that a process that ran under this name before can commit nothing more.
pub(crate) async fn register(
    store: &Store,
    name: &str,
    now_ms: i64,
) -> Result<(Registered, String), StoreError> {
    let row = store.transaction(|transaction| {
        let name = name.to_owned();
        Box::pin(async move { next_epoch(transaction, name, now_ms).await })
    });
    registered(row.await?)
}

async fn next_epoch(
    db: &impl ConnectionTrait,
    name: String,
    now_ms: i64,
) -> Result<replicas::Model, StoreError> {
    let known = replicas::Entity::find().filter(replicas::Column::Name.eq(&name)).lock_exclusive().one(db);
    let Some(mut row) = known.await? else { return add(db, |_| name, now_ms).await };
    row.epoch = row.epoch.saturating_add(1);
    row.state = State::Live;
    row.protocol = PROTOCOL;
    row.seen_ms = now_ms;
    row.heartbeat_ms = Ord::max(row.heartbeat_ms, now_ms);
    let change = row.clone().into_active_model().reset_all();
    replicas::Entity::update(change).exec_without_returning(db).await?;
    Ok(row)
}

/// Registers one replica more among several. Each start is a new replica with a name of its own: what an earlier
/// process left open is booked by whoever leads, and never by two.
pub(crate) async fn join(store: &Store, name: &str, now_ms: i64) -> Result<(Registered, String), StoreError> {
    let row = store.transaction(|transaction| {
        let name = name.to_owned();
        Box::pin(async move { add(transaction, |number| format!("{name}.{number}"), now_ms).await })
    });
    registered(row.await?)
}

async fn add(
    db: &impl ConnectionTrait,
    name: impl FnOnce(i64) -> String + Send,
    now_ms: i64,
) -> Result<replicas::Model, StoreError> {
    let last = replicas::Entity::find().order_by_desc(replicas::Column::Number).one(db).await?;
    let number = last.map_or(0, |row| row.number).saturating_add(1);
    if number >> (62 - SEQUENCE_BITS) != 0 {
        return Err(StoreError::Conflict("there have been more than 4 million replicas".into()));
    }
    let row = replicas::Model {
        number,
        name: name(number),
        epoch: 1,
        state: State::Live,
        seen_ms: 0,
        heartbeat_ms: now_ms,
        indexed_to: 0,
        settled_to: 0,
        spools: false,
        protocol: PROTOCOL,
        master_keys: None,
    };
    let new = row.clone().into_active_model().reset_all();
    match replicas::Entity::insert(new).exec_without_returning(db).await {
        Ok(_) => {}
        // Two that join at once must not take the same number.
        Err(err) if matches!(err.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
            return Err(StoreError::Contended("another replica is being given a number".into()));
        }
        Err(err) => return Err(err.into()),
    }
    replicas::Entity::update_many()
        .col_expr(replicas::Column::SeenMs, now(db))
        .filter(replicas::Column::Number.eq(number))
        .exec(db)
        .await?;
    Ok(row)
}

/// With the name that its records carry.
fn registered(row: replicas::Model) -> Result<(Registered, String), StoreError> {
    let registered = Registered {
        number: ReplicaNumber(row.number),
        epoch: row.epoch,
        indexed_to: to_u64(row.indexed_to)?,
        settled_to: to_u64(row.settled_to)?,
    };
    Ok((registered, row.name))
}

/// The database's clock, in Unix milliseconds: replicas may disagree about the time, and about who is late they must
/// not.
fn now(db: &impl ConnectionTrait) -> SimpleExpr {
    Expr::cust(match db.get_database_backend() {
        DbBackend::Postgres => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
        _ => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
    })
}

/// Says that the replica is there. `false` where it was fenced: it may write nothing more.
pub(crate) async fn beat(store: &Store, me: Registered) -> Result<bool, StoreError> {
    let done = replicas::Entity::update_many()
        .col_expr(replicas::Column::SeenMs, now(&store.write))
        .filter(replicas::Column::Number.eq(me.number.0))
        .filter(replicas::Column::Epoch.eq(me.epoch))
        .exec(&store.write)
        .await?;
    Ok(done.rows_affected == 1)
}

/// A replica that is not gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) number: ReplicaNumber,
    pub(crate) epoch: i64,
    pub(crate) state: State,
    /// How long it has been silent, by the database's clock.
    pub(crate) silent_ms: i64,
    /// From this sequence on its records may change the list of decisions, or be attempts without an outcome.
    pub(crate) done_to: u64,
    /// Whether records may be in a spool of its: until they came, what it held is not given away.
    pub(crate) spools: bool,
    /// By which rules it treats the others.
    pub(crate) protocol: i64,
}

/// A row of it, in the order of [`Peer`], with the two sequences of which `done_to` is the lower one.
type Row = (i64, i64, State, i64, i64, i64, bool, i64);

/// Every replica that is not gone, by number.
pub(crate) async fn peers(store: &Store) -> Result<Vec<Peer>, StoreError> {
    use replicas::Column as C;
    let rows: Vec<Row> = replicas::Entity::find()
        .select_only()
        .columns([C::Number, C::Epoch, C::State])
        .expr_as(now(&store.read).sub(Expr::col(C::SeenMs)), "silent_ms")
        .columns([C::IndexedTo, C::SettledTo, C::Spools, C::Protocol])
        .filter(C::State.ne(State::Gone))
        .order_by_asc(C::Number)
        .into_tuple()
        .all(&store.read)
        .await?;
    rows.into_iter()
        .map(|(number, epoch, state, silent_ms, indexed_to, settled_to, spools, protocol)| {
            let done_to = to_u64(Ord::min(indexed_to, settled_to))?;
            Ok(Peer { number: ReplicaNumber(number), epoch, state, silent_ms, done_to, spools, protocol })
        })
        .collect()
}

/// The name that the records of `replica` carry.
pub(crate) async fn name(store: &Store, replica: ReplicaNumber) -> Result<String, StoreError> {
    let row = replicas::Entity::find_by_id(replica.0).one(&store.read).await?;
    row.map(|row| row.name).ok_or(StoreError::NotFound("replica"))
}

/// Stops `peer` for good if it is still silent for `silent_ms`: no commit of its can succeed after this returned
/// `true`.
pub(crate) async fn fence(store: &Store, peer: Peer, silent_ms: i64) -> Result<bool, StoreError> {
    use replicas::Column as C;
    let done = fenced()
        .filter(C::Number.eq(peer.number.0))
        .filter(C::Epoch.eq(peer.epoch))
        .filter(now(&store.write).sub(Expr::col(C::SeenMs)).gte(silent_ms))
        .exec(&store.write)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Stops `replica` for good, which is known to have ended.
pub(crate) async fn stop(store: &Store, replica: ReplicaNumber) -> Result<(), StoreError> {
    use replicas::Column as C;
    fenced().filter(C::Number.eq(replica.0)).exec(&store.write).await?;
    Ok(())
}

/// What stops whichever live replicas it is narrowed to.
fn fenced() -> UpdateMany<replicas::Entity> {
    use replicas::Column as C;
    replicas::Entity::update_many()
        .col_expr(C::Epoch, Expr::col(C::Epoch).add(1))
        .col_expr(C::State, Expr::value(State::Fenced))
        .filter(C::State.eq(State::Live))
}

/// Nothing of `replica` is open any more.
pub(crate) async fn gone(store: &Store, replica: ReplicaNumber) -> Result<(), StoreError> {
    use replicas::Column as C;
    replicas::Entity::update_many()
        .col_expr(C::State, Expr::value(State::Gone))
        .col_expr(C::Spools, Expr::value(false))
        .filter(C::Number.eq(replica.0))
        .filter(C::State.eq(State::Fenced))
        .exec(&store.write)
        .await?;
    Ok(())
}

/// The replica stops in good order: it writes nothing more, and its spool is empty.
pub(crate) async fn leave(store: &Store, me: Registered) -> Result<(), StoreError> {
    use replicas::Column as C;
    fenced()
        .col_expr(C::Spools, Expr::value(false))
        .filter(C::Number.eq(me.number.0))
        .filter(C::Epoch.eq(me.epoch))
        .exec(&store.write)
        .await?;
    Ok(())
}

/// Says that from now on the replica may hold records that are not here. `false`, and nothing is said, while a replica
/// runs that would book for this one, and give away what it held, without waiting for them. None comes later: an older
/// version does not open a newer schema.
///
/// # Errors
/// [`StoreError::Conflict`] where it was stopped.
pub(crate) async fn spools(store: &Store, me: Registered) -> Result<bool, StoreError> {
    use replicas::Column as C;
    let older = replicas::Entity::find()
        .select_only()
        .column(C::Number)
        .filter(C::State.eq(State::Live))
        .filter(C::Protocol.lt(PROTOCOL))
        .into_tuple::<i64>()
        .one(&store.write);
    if older.await?.is_some() {
        return Ok(false);
    }
    let done = replicas::Entity::update_many()
        .col_expr(C::Spools, Expr::value(true))
        .filter(C::Number.eq(me.number.0))
        .filter(C::Epoch.eq(me.epoch))
        .exec(&store.write)
        .await?;
    match done.rows_affected {
        1 => Ok(true),
        _ => Err(StoreError::Conflict("this replica was stopped".into())),
    }
}

/// Everything that `replica`, which is stopped, had in its spool is here, or is lost. `false` where that was known.
pub(crate) async fn spool_ended(store: &Store, replica: ReplicaNumber) -> Result<bool, StoreError> {
    use replicas::Column as C;
    let done = replicas::Entity::update_many()
        .col_expr(C::Spools, Expr::value(false))
        .filter(C::Number.eq(replica.0))
        .filter(C::Spools.eq(true))
        .filter(C::State.ne(State::Live))
        .exec(&store.write)
        .await?;
    Ok(done.rows_affected == 1)
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

/// The hashes of the leaves of `replica` from the sequence `from` on, below `to`.
pub(crate) async fn leaf_hashes(
    store: &Store,
    replica: ReplicaNumber,
    (from, to): (u64, u64),
) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    use records::Column as C;
    Ok(records::Entity::find()
        .select_only()
        .columns([C::Id, C::LeafHash])
        .filter(C::Id.gte(replica.record(from)?))
        .filter(C::Id.lt(replica.record(to)?))
        .order_by_asc(C::Id)
        .into_tuple()
        .all(&store.read)
        .await?)
}
