//! Alerts of how things stand: what nobody does and no record tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::event::{Event, Often, instant};
use super::facts::Aged;
use super::kind::{Kind, Severity};
use crate::app::App;
use crate::store::replicas::{self, State};
use crate::store::{self, Store, StoreError};

/// Days before an end at which it is told.
const DAYS: [i64; 3] = [1, 7, 30];
const DAY_MS: i64 = 86_400_000;
/// How long an endpoint fails before that is an alert.
const FAILS_MS: i64 = 60_000;
/// How long records may wait for their place in the tree.
const BEHIND_MS: i64 = 60_000;

/// How long a server that was stopped may take to come back: as long as one that is moved to another machine with its disk.
const MISSING_MS: i64 = 600_000;
/// How long a spool takes nothing before that is an alert: others have to be told of it first.
const UNUSABLE_MS: i64 = 60_000;

/// What has to be known of how things stood before.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Since when endpoints fail, by name.
    failing: Mutex<BTreeMap<String, i64>>,
    /// Since when this server's spool takes nothing.
    unusable: Mutex<Option<i64>>,
    aged: Aged,
}

/// How things stand.
#[derive(Debug, Default)]
pub(super) struct Stands {
    /// What there is to tell.
    pub(super) events: Vec<Event>,
    /// Of kinds that last: the subjects of what lasts.
    pub(super) lasting: BTreeMap<&'static str, BTreeSet<String>>,
}

/// Looks at everything.
pub(super) async fn look(app: &App, before: &Before, now_ms: i64) -> Result<Stands, StoreError> {
    let mut stands = Stands { events: expiring(app, now_ms).await?, ..Stands::default() };
    let mut lasting = endpoints(app, before, now_ms).await?;
    lasting.extend(log(app, now_ms).await?);
    lasting.extend(missing(&app.store).await?);
    let spools = app.store.is_shared() && app.config.limits.spool_bytes > 0;
    let takes = !spools || app.gateway.audit.can_spool();
    lasting.extend(unusable(before, &app.config.replica, takes, now_ms));
    lasting.extend(before.aged.look(&app.gateway.snapshot.load_full(), now_ms));
    for event in lasting {
        stands.lasting.entry(event.kind.as_str()).or_default().insert(event.subject.clone());
        stands.events.push(event);
    }
    for kind in Kind::ALL.into_iter().filter(|kind| kind.lasts()) {
        stands.lasting.entry(kind.as_str()).or_default();
    }
    Ok(stands)
}

/// The least number of days before its end that something is due to be told of; `None` while that is far, and for what was
/// made for so short a time anyway.
fn due(created_ms: i64, expires_ms: i64, now_ms: i64) -> Option<i64> {
    let (left, life) = (expires_ms.saturating_sub(now_ms), expires_ms.saturating_sub(created_ms));
    DAYS.into_iter()
        .find(|days| left <= days.saturating_mul(DAY_MS))
        .filter(|days| life > days.saturating_mul(DAY_MS))
}

async fn expiring(app: &App, now_ms: i64) -> Result<Vec<Event>, StoreError> {
    let until_ms = now_ms.saturating_add(DAYS.into_iter().max().unwrap_or(0).saturating_mul(DAY_MS));
    let mut events = Vec::new();
    let mut told =
        |kind: Kind, id: &str, name: &str, scope: &str, created_ms: i64, expires_ms: Option<i64>| {
            let Some((expires_ms, days)) = expires_ms.and_then(|ms| Some((ms, due(created_ms, ms, now_ms)?)))
            else {
                return;
            };
            events.push(Event {
                kind,
                severity: if days > 7 { Severity::Info } else { Severity::Warning },
                scope: scope.to_owned(),
                subject: format!("{kind}/{id}/{expires_ms}/{days}"),
                facts: json!({ "name": name, "id": id, "expires": instant(expires_ms) }),
                often: Often::Once,
            });
        };
    for key in store::keys::expiring(&app.store, now_ms, until_ms).await? {
        told(Kind::KeyExpires, &key.id, &key.name, &key.scope, key.created_ms, key.expires_ms);
    }
    for token in store::service_tokens::expiring(&app.store, now_ms, until_ms).await? {
        told(Kind::TokenExpires, &token.id, &token.name, &token.scope, token.created_ms, token.expires_ms);
    }
    Ok(events)
}

/// Endpoints that have failed for a while, as this server sees them.
async fn endpoints(app: &App, before: &Before, now_ms: i64) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for (name, since_ms) in failing(app, before, now_ms) {
        let scope = match store::endpoints::get(&app.store, &name).await {
            Ok(row) => row.scope,
            Err(StoreError::NotFound(_)) => continue,
            Err(error) => return Err(error),
        };
        events.push(Event {
            kind: Kind::EndpointDown,
            severity: Severity::Warning,
            scope,
            subject: format!("endpoint_down/{name}"),
            facts: json!({ "endpoint": name, "since": instant(since_ms) }),
            often: Often::WhileOpen,
        });
    }
    Ok(events)
}

/// Those that have failed for long enough, and since when.
fn failing(app: &App, before: &Before, now_ms: i64) -> Vec<(String, i64)> {
    let snapshot = app.gateway.snapshot.load_full();
    let mut known = before.failing.lock().unwrap_or_else(PoisonError::into_inner);
    let fail = snapshot.places.iter().filter(|place| place.health.is_failing());
    *known =
        fail.map(|place| (place.name.clone(), known.get(&place.name).copied().unwrap_or(now_ms))).collect();
    known
        .iter()
        .filter(|(_, since_ms)| now_ms.saturating_sub(**since_ms) >= FAILS_MS)
        .map(|(name, since_ms)| (name.clone(), *since_ms))
        .collect()
}

/// Whether records wait for their place in the tree.
async fn log(app: &App, now_ms: i64) -> Result<Option<Event>, StoreError> {
    let oldest_ms = store::alerts::oldest_unsequenced(&app.store).await?;
    let behind = oldest_ms.filter(|oldest_ms| now_ms.saturating_sub(*oldest_ms) > BEHIND_MS);
    Ok(behind.map(|oldest_ms| Event {
        kind: Kind::LogBehind,
        severity: Severity::Critical,
        scope: String::from("/"),
        subject: String::from("log_behind"),
        facts: json!({ "oldest_record": instant(oldest_ms) }),
        often: Often::WhileOpen,
    }))
}

/// Servers that were stopped a while ago, whose spools have not come.
async fn missing(store: &Store) -> Result<Vec<Event>, StoreError> {
    let mut events = Vec::new();
    for peer in replicas::peers(store).await? {
        if peer.state != State::Fenced || !peer.spools || peer.silent_ms < MISSING_MS {
            continue;
        }
        let (number, name) = (peer.number.get(), replicas::name(store, peer.number).await?);
        events.push(Event {
            kind: Kind::SpoolMissing,
            severity: Severity::Critical,
            scope: String::from("/"),
            subject: format!("spool_missing/{number}"),
            facts: json!({ "replica": number, "server": name }),
            often: Often::WhileOpen,
        });
    }
    Ok(events)
}

/// Whether this server's spool has taken nothing for a while, though the database is there.
fn unusable(before: &Before, server: &str, takes: bool, now_ms: i64) -> Option<Event> {
    let mut since = before.unusable.lock().unwrap_or_else(PoisonError::into_inner);
    let since_ms = *since.get_or_insert(now_ms);
    if takes {
        *since = None;
    }
    (!takes && now_ms.saturating_sub(since_ms) >= UNUSABLE_MS).then(|| Event {
        kind: Kind::SpoolUnusable,
        severity: Severity::Warning,
        scope: String::from("/"),
        subject: format!("spool_unusable/{server}"),
        facts: json!({ "server": server, "since": instant(since_ms) }),
        often: Often::WhileOpen,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_server_that_was_stopped_with_a_spool_is_missed_after_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let (with, _) = replicas::join(&store, "with", 0).await.unwrap();
        let (without, _) = replicas::join(&store, "without", 0).await.unwrap();
        assert!(replicas::spools(&store, with).await.unwrap());
        let seen = format!("UPDATE replicas SET seen_ms = seen_ms - {MISSING_MS}");
        store.sql(&seen).await;
        assert!(missing(&store).await.unwrap().is_empty(), "they run");
        for stopped in [with, without] {
            replicas::stop(&store, stopped.number).await.unwrap();
        }
        let found = missing(&store).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].facts["replica"], with.number.get());
        assert_eq!(found[0].subject, format!("spool_missing/{}", with.number.get()));
        store.sql("UPDATE replicas SET seen_ms = seen_ms + 60000").await;
        assert!(missing(&store).await.unwrap().is_empty(), "it may come back yet");
        store.sql(&seen).await;
        assert!(replicas::spool_ended(&store, with.number).await.unwrap());
        assert!(missing(&store).await.unwrap().is_empty(), "it has come, or is lost");
        store.close().await;
    }

    #[test]
    fn a_spool_that_takes_nothing_is_told_after_a_minute_and_no_more_when_it_takes_something() {
        let before = Before::default();
        let looked = |takes, now_ms| unusable(&before, "a", takes, now_ms).map(|event| event.subject);
        let told = Some(String::from("spool_unusable/a"));
        assert_eq!([looked(true, 0), looked(false, 1_000), looked(false, 60_999)], [None, None, None]);
        assert_eq!([looked(false, 61_000), looked(false, 99_000)], [told.clone(), told.clone()]);
        assert_eq!(
            [looked(true, 100_000), looked(false, 161_000), looked(false, 220_000)],
            [None, None, None]
        );
        assert_eq!(looked(false, 221_000), told);
    }

    #[test]
    fn an_end_is_told_at_thirty_seven_and_one_days_unless_the_whole_life_is_shorter() {
        let end = 100 * DAY_MS;
        for (before_ms, days) in [
            (31 * DAY_MS, None),
            (30 * DAY_MS, Some(30)),
            (8 * DAY_MS, Some(30)),
            (7 * DAY_MS, Some(7)),
            (DAY_MS + 1, Some(7)),
            (DAY_MS, Some(1)),
            (1, Some(1)),
        ] {
            assert_eq!(due(0, end, end - before_ms), days, "{before_ms}");
        }
        assert_eq!(due(end - 5 * DAY_MS, end, end - 5 * DAY_MS), None, "made for five days");
        assert_eq!(due(end - 5 * DAY_MS, end, end - DAY_MS), Some(1));
        assert_eq!(due(end - DAY_MS / 2, end, end - 1), None, "made for half a day");
    }
}
