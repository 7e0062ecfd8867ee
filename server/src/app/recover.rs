//! After a crash: attempts that left and whose outcome nobody recorded. What they cost is not known, so what was held for
//! them is booked, and the outcome says so.

use bailiwick_ledger::{Draft, Kind};
use serde::Deserialize;

use super::{App, StartError, acts};
use crate::audit::{Audit, AuditError, Booking, BudgetId, Entry, IndexUpdate, RETAIN_DAYS, StoredRecord};
use crate::clock::Clock;
use crate::gateway::record::{Hold, LimitHold, Salts, section};
use crate::gateway::settle::{self, OutcomeSection, UsageSection};
use crate::store::Store;
use crate::store::leases;
use crate::store::replicas::{self, Peer, ReplicaNumber, State};

/// The result of an attempt whose end the server did not see.
const STOPPED: &str = "server_stopped";

#[derive(Deserialize)]
struct AttemptSection {
    endpoint: String,
    #[serde(default)]
    reserved_nano: Option<i64>,
    #[serde(default)]
    holds: Vec<Hold>,
    #[serde(default)]
    limits: Vec<LimitHold>,
}

/// Why something that was left open could not be booked. It can be tried again: nothing is booked twice.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BookError(String);

impl From<AuditError> for BookError {
    fn from(error: AuditError) -> Self {
        Self(error.to_string())
    }
}

/// Books every attempt without an outcome at what was held for it, and ends every act that was begun.
pub(super) async fn book_unsettled(audit: &Audit, store: &Store, clock: &Clock) -> Result<(), StartError> {
    let failed = |why: String| StartError::System {
        what: String::from("attempts of before the last stop cannot be booked"),
        why,
    };
    let unsettled = audit.unsettled().await.map_err(|error| failed(error.to_string()))?;
    book(audit, store, clock, unsettled).await.map_err(|error| failed(error.to_string()))
}

/// Books what every replica but this one left open, none of which runs any more: the database was copied without them.
///
/// # Errors
/// [`BookError`].
pub(crate) async fn book_others(audit: &Audit, store: &Store, clock: &Clock) -> Result<usize, BookError> {
    let others = || async {
        let peers = replicas::peers(store).await.map_err(AuditError::from)?;
        Ok::<_, BookError>(peers.into_iter().filter(|peer| peer.number != audit.replica().number))
    };
    for peer in others().await? {
        replicas::stop(store, peer.number).await.map_err(AuditError::from)?;
    }
    let mut booked = 0_usize;
    for peer in others().await? {
        let unsettled = audit.adopt(peer).await?;
        booked = booked.saturating_add(unsettled.len());
        book(audit, store, clock, unsettled).await?;
        leases::reclaim(store, peer.number, peer.epoch).await.map_err(AuditError::from)?;
        replicas::gone(store, peer.number).await.map_err(AuditError::from)?;
    }
    Ok(booked)
}

/// Books what the replica `peer` left open, which is stopped; how many attempts and acts that were.
pub(super) async fn book_replica(app: &App, peer: Peer) -> Result<usize, BookError> {
    let audit = &app.gateway.audit;
    // An outcome stands behind its attempt in the tree, whoever of the two replicas is sequenced first.
    audit.checkpoint().await.map_err(AuditError::from)?;
    let unsettled = audit.adopt(peer).await?;
    let count = unsettled.len();
    book(audit, &app.store, &app.gateway.clock, unsettled).await?;
    // What it might have spent is booked, so the rest of what it held is free again.
    leases::reclaim(&app.store, peer.number, peer.epoch).await.map_err(AuditError::from)?;
    // Its last records are in the tree before it is forgotten.
    audit.checkpoint().await.map_err(AuditError::from)?;
    replicas::gone(&app.store, peer.number).await.map_err(AuditError::from)?;
    Ok(count)
}

/// Gives back at once what this replica holds, which has taken its leave; where it left something open, whoever leads
/// books that first.
pub(super) async fn give_back(app: &App) -> Result<(), AuditError> {
    let me = app.gateway.audit.replica().number;
    let peers = replicas::peers(&app.store).await?;
    let Some(peer) =
        peers.into_iter().find(|peer| peer.number == me && peer.state == State::Fenced && !peer.spools)
    else {
        return Ok(());
    };
    if app.gateway.audit.adopt(peer).await?.is_empty() {
        leases::reclaim(&app.store, peer.number, peer.epoch).await?;
        replicas::gone(&app.store, peer.number).await?;
    }
    Ok(())
}

async fn book(
    audit: &Audit,
    store: &Store,
    clock: &Clock,
    unsettled: Vec<StoredRecord>,
) -> Result<(), BookError> {
    for record in unsettled {
        if matches!(
            record.header().map(|header| header.known_kind()),
            Ok(Some(Kind::Admin | Kind::SignIn | Kind::KillSwitch | Kind::Policy))
        ) {
            acts::interrupted(audit, store, &record, clock.now_ms())
                .await
                .map_err(|error| BookError(error.to_string()))?;
            continue;
        }
        let mut entry = outcome(&record, clock.now_ms()).map_err(BookError)?;
        entry.index = row(audit, &record).await?;
        audit.append_for_sure(entry).await.map_err(AuditError::from)?;
    }
    Ok(())
}

/// The decision's row in the list, which would say for ever that the request is under way.
async fn row(audit: &Audit, record: &StoredRecord) -> Result<Option<IndexUpdate>, AuditError> {
    let Some(decision) = record.header()?.ids.remove("decision") else { return Ok(None) };
    let Some(mut row) = audit.decision_row(&decision).await? else { return Ok(None) };
    let attempt = record.section("attempt").and_then(|section| serde_json::from_slice(&section.bytes).ok());
    row.cost_nano =
        settle::total(row.cost_nano, attempt.and_then(|attempt: AttemptSection| attempt.reserved_nano));
    row.outcome = String::from("failed");
    row.code = Some(String::from(STOPPED));
    Ok(Some(row))
}

fn outcome(record: &StoredRecord, now_ms: i64) -> Result<Entry, String> {
    let header = record.header().map_err(|error| error.to_string())?;
    let attempt = record.section("attempt").ok_or("an attempt's record has no section `attempt`")?;
    let attempt: AttemptSection =
        serde_json::from_slice(&attempt.bytes).map_err(|error| error.to_string())?;
    let mut salts = Salts::new(2);
    let outcome = OutcomeSection {
        result: String::from(STOPPED),
        ok: false,
        status: None,
        endpoint: attempt.endpoint,
        response_findings: bailiwick_pii::EntityCounts::default(),
        response_redactions: bailiwick_pii::EntityCounts::default(),
    };
    let usage = UsageSection::unknown(attempt.reserved_nano);
    let mut draft = Draft::new(Kind::Outcome, now_ms)
        .section(section("outcome", &outcome, &mut salts).map_err(|error| error.to_string())?)
        .section(section("usage", &usage, &mut salts).map_err(|error| error.to_string())?);
    if let Some(scope) = header.scope {
        draft = draft.scope(scope);
    }
    for name in ["decision", "attempt", "key", RETAIN_DAYS] {
        if let Some(value) = header.ids.get(name) {
            draft = draft.id(name, value.clone());
        }
    }
    let mut entry = Entry::new(draft);
    entry.spent_by = Some(ReplicaNumber::of(record.id));
    entry.bookings = attempt
        .holds
        .iter()
        .map(|hold| Booking {
            budget: BudgetId(hold.budget),
            window_start_ms: hold.window_start_ms,
            delta_nano: hold.amount_nano,
        })
        .chain(attempt.limits.iter().map(|hold| Booking {
            budget: BudgetId(hold.limit),
            window_start_ms: hold.window_start_ms,
            delta_nano: hold.amount,
        }))
        .collect();
    Ok(entry)
}
