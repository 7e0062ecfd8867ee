//! Alerts of how things stand: what nobody does and no record tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::event::{Event, Often, instant};
use super::kind::{Kind, Severity};
use crate::app::App;
use crate::store::{self, StoreError};

/// Days before an end at which it is told.
const DAYS: [i64; 3] = [1, 7, 30];
const DAY_MS: i64 = 86_400_000;
/// How long an endpoint fails before that is an alert.
const FAILS_MS: i64 = 60_000;
/// How long records may wait for their place in the tree.
const BEHIND_MS: i64 = 60_000;

/// What has to be known of how things stood before.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// Since when endpoints fail, by name.
    failing: Mutex<BTreeMap<String, i64>>,
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
    for event in endpoints(app, before, now_ms).await?.into_iter().chain(log(app, now_ms).await?) {
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

#[cfg(test)]
mod tests {
    use super::*;

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
