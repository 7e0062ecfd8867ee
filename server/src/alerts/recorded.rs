//! Alerts of what the audit log says.
//!
//! The log is read in the order of its tree, each leaf once: how far it was read moves in the transaction that raises what
//! was found. So whatever is recorded and worth an alert becomes one, whichever server did it and whichever dies between.
//! An act counts when its end says that it was done; of one that has no end for a while its beginning counts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bailiwick_ledger::Kind as Record;
use serde::Deserialize;
use serde_json::{Value, json};

use super::event::{Event, Often, instant};
use super::kind::{Kind, Severity};
use crate::app::{ACT, BEGUN, PHASE};
use crate::store::alerts::{Read, Step};
use crate::store::records::{self, StoredRecord};
use crate::store::replicas::ReplicaNumber;
use crate::store::{Store, StoreError};

/// Leaves of one step.
const LEAVES: u64 = 2_048;
/// How long an act may go on before its beginning counts as the whole of it.
const LONGEST_ACT_MS: i64 = 600_000;
/// The kinds of record in which something may stand.
const KINDS: [Record; 5] =
    [Record::Admin, Record::SignIn, Record::Policy, Record::KillSwitch, Record::RefusedAuthentication];

/// How often each server records what it refused.
const EVERY_MS: u64 = 60_000;

/// What each server last recorded of requests that could not be authenticated: when, and how many, by its number. Whoever
/// tries keys tries them on all servers.
#[derive(Debug, Default)]
pub(super) struct Refused(Mutex<BTreeMap<i64, (i64, u64)>>);

impl Refused {
    /// How many all servers together refused within a minute of this record. The same one twice changes nothing.
    fn with(&self, server: ReplicaNumber, time_ms: i64, count: u64) -> u64 {
        let mut servers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        servers.insert(server.get(), (time_ms, count));
        let newest_ms = servers.values().map(|(at_ms, _)| *at_ms).max().unwrap_or(time_ms);
        let within = servers.values().filter(|(at_ms, _)| at_ms.abs_diff(time_ms) < EVERY_MS);
        let sum = within.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        servers.retain(|_, (at_ms, _)| at_ms.abs_diff(newest_ms) < EVERY_MS);
        sum
    }
}

/// What a step found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) step: Step,
    pub(super) events: Vec<Event>,
    /// Whether the log goes on behind it.
    pub(super) more: bool,
}

#[derive(Debug, Deserialize)]
struct Act {
    act: String,
    #[serde(default)]
    what: Value,
}

#[derive(Debug, Deserialize)]
struct Ended {
    result: String,
    #[serde(default)]
    took_effect: Option<bool>,
}

/// Reads on. `None` where nothing is new.
pub(super) async fn look(
    store: &Store,
    read: Read,
    refused: &Refused,
    refused_a_minute: u32,
    now_ms: i64,
) -> Result<Option<Found>, StoreError> {
    if read.leaf >= read.size && read.begun.is_empty() {
        return Ok(None);
    }
    let to = read.size.min(read.leaf.saturating_add(LEAVES)).max(read.leaf);
    let kinds = KINDS.map(Record::as_str);
    let records = records::of_kinds(store, read.leaf, to, &kinds).await?;
    let mut begun = read.begun.clone();
    let mut here: BTreeMap<String, &StoredRecord> = BTreeMap::new();
    let mut events = Vec::new();
    for record in &records {
        // One that nobody can read must not hide all that come after it.
        let header = match record.header() {
            Ok(header) => header,
            Err(error) => {
                tracing::error!(%error, leaf = record.leaf, "no alert can be made of a record");
                continue;
            }
        };
        let of = |name: &str| header.ids.get(name).map(String::as_str);
        match (of(ACT), of(PHASE)) {
            (Some(id), Some(BEGUN)) => {
                if record.section(ACT).is_some_and(|section| may_matter(&section.bytes)) {
                    begun.insert(id.to_owned(), record.leaf.unwrap_or(read.leaf));
                    here.insert(id.to_owned(), record);
                }
            }
            (Some(id), Some(_)) => {
                let Some(leaf) = begun.remove(id) else { continue };
                if !was_done(record) {
                    continue;
                }
                match here.remove(id) {
                    Some(beginning) => events.extend(of_act(beginning)?),
                    None => events
                        .extend(of_leaf(store, leaf).await?.map(|of| of_act(&of)).transpose()?.flatten()),
                }
            }
            _ => events.extend(of_record(record, refused, refused_a_minute)),
        }
    }
    let earlier: Vec<(String, u64)> = begun
        .iter()
        .filter(|(id, _)| !here.contains_key(*id))
        .map(|(id, leaf)| (id.clone(), *leaf))
        .collect();
    for (id, leaf) in earlier {
        let beginning = of_leaf(store, leaf).await?;
        if beginning.as_ref().is_none_or(|of| now_ms.saturating_sub(of.time_ms) > LONGEST_ACT_MS) {
            events.extend(beginning.map(|of| of_act(&of)).transpose()?.flatten());
            begun.remove(&id);
        }
    }
    if to == read.leaf && begun == read.begun {
        return Ok(None);
    }
    let step = Step { from: read.leaf, to, begun };
    Ok(Some(Found { step, events, more: to < read.size }))
}

async fn of_leaf(store: &Store, leaf: u64) -> Result<Option<StoredRecord>, StoreError> {
    Ok(records::range(store, leaf, leaf.saturating_add(1), 1).await?.into_iter().next())
}

/// Whether the act is one of those that there are alerts of.
fn may_matter(section: &[u8]) -> bool {
    serde_json::from_slice::<Act>(section).is_ok_and(|act| ACTS.contains(&act.act.as_str()))
}

/// Whether the end of an act says that it took effect, or does not say that it did not.
fn was_done(end: &StoredRecord) -> bool {
    let Some(section) = end.section("result") else { return true };
    let Ok(end) = serde_json::from_slice::<Ended>(&section.bytes) else { return true };
    end.result != "failed" && end.took_effect != Some(false)
}

/// The acts that there are alerts of.
const ACTS: [&str; 11] = [
    "budget_threshold_reached",
    "attestation_ends_soon",
    "attestation_ended",
    "policy_followed",
    "subprocessors_changed",
    "compliance_database_in_force",
    "kill_switch_thrown",
    "kill_switch_lifted",
    "kill_switch_expired",
    "break_glass",
    "replica_lost",
];

/// The alert of an act. Its parts may be gone: then it tells less.
fn of_act(record: &StoredRecord) -> Result<Option<Event>, StoreError> {
    let header = record.header()?;
    let Some(section) = record.section(ACT) else { return Ok(None) };
    let Ok(Act { act, what }) = serde_json::from_slice(&section.bytes) else { return Ok(None) };
    let by = header.ids.get("principal").map_or("", String::as_str);
    let scope = header.scope.as_deref().unwrap_or("/");
    Ok(event(&act, &what, by, scope, header.ids.get(ACT).map_or("", String::as_str)))
}

fn event(act: &str, what: &Value, by: &str, scope: &str, id: &str) -> Option<Event> {
    let of = |name: &str| what.get(name).cloned().unwrap_or_default();
    let text = |name: &str| what.get(name).and_then(Value::as_str).unwrap_or_default();
    let number = |name: &str| what.get(name).and_then(Value::as_i64).unwrap_or_default();
    let at = |name: &str| what.get(name).and_then(Value::as_i64).map(instant);
    let once = |kind, severity, subject: String, facts| {
        Some(Event { kind, severity, scope: scope.to_owned(), subject, facts, often: Often::Once })
    };
    match act {
        "budget_threshold_reached" => {
            let percent = number("percent");
            let (kind, severity) = match (percent >= 100, what.get("hard") == Some(&Value::Bool(true))) {
                (true, true) => (Kind::BudgetExhausted, Severity::Critical),
                (true, false) => (Kind::BudgetExhausted, Severity::Warning),
                (false, _) => (Kind::BudgetThreshold, Severity::Warning),
            };
            let subject = format!("budget/{}/{}/{percent}", of("budget"), number("window_start_ms"));
            let facts = json!({
                "name": of("name"), "percent": percent, "limit_usd": of("limit_usd"),
                "settled_usd": of("settled_usd"), "window": of("window"), "hard": of("hard"), "budget": of("budget"),
            });
            once(kind, severity, subject, facts)
        }
        "attestation_ends_soon" | "attestation_ended" => {
            let days = number("days");
            let (kind, severity) = match days {
                ..=0 => (Kind::AttestationEnded, Severity::Critical),
                1..=30 => (Kind::AttestationEndsSoon, Severity::Warning),
                _ => (Kind::AttestationEndsSoon, Severity::Info),
            };
            let subject = format!("attestation/{}/{}/{days}", text("attestation"), text("ends"));
            let facts = json!({
                "attestation": of("attestation"), "kind": of("kind"), "operator": of("operator"),
                "document": of("document"), "parties": of("parties"), "ends": of("ends"),
            });
            once(kind, severity, subject, facts)
        }
        "policy_followed" => {
            let facts = json!({
                "commit": of("commit"), "source": of("source"), "author": of("author"), "approver": of("approver"),
                "digest": of("digest"),
            });
            once(
                Kind::PolicyFollowed,
                Severity::Info,
                format!("policy/{}/{}", of("id"), text("commit")),
                facts,
            )
        }
        "subprocessors_changed" => {
            let subject = format!("subprocessors/{}/{}", text("service"), text("database"));
            let facts =
                json!({ "service": of("service"), "changes": of("changes"), "database": of("database") });
            once(Kind::SubprocessorsChanged, Severity::Warning, subject, facts)
        }
        "compliance_database_in_force" => {
            // With the first one nothing has changed.
            what.get("from")?.as_str()?;
            let to = |name: &str| what.pointer(&format!("/to/{name}")).cloned().unwrap_or_default();
            let facts = json!({
                "version": to("version"), "before": to("changes/from"), "facts_added": to("changes/added"),
                "facts_removed": to("changes/removed"), "facts_changed": to("changes/changed"),
            });
            once(Kind::ComplianceChanged, Severity::Info, format!("compliance/{}", to("digest")), facts)
        }
        "kill_switch_thrown" | "kill_switch_lifted" | "kill_switch_expired" => {
            let (kind, severity) = match act {
                "kill_switch_thrown" => (Kind::KillSwitchThrown, Severity::Critical),
                "kill_switch_lifted" => (Kind::KillSwitchLifted, Severity::Warning),
                _ => (Kind::KillSwitchExpired, Severity::Critical),
            };
            let facts = json!({
                "stops": of("kind"), "target": of("target"), "reason": of("reason"), "expires": at("expires_ms"),
                "by": by, "kill_switch": of("kill_switch"),
            });
            once(kind, severity, format!("{}/{act}", text("kill_switch")), facts)
        }
        "break_glass" => {
            let facts = json!({ "session": of("session") });
            once(Kind::BreakGlass, Severity::Critical, format!("break_glass/{id}"), facts)
        }
        "replica_lost" => {
            let facts = json!({ "replica": of("replica"), "reason": of("reason"), "by": by });
            once(Kind::ReplicaLost, Severity::Critical, format!("replica/{}", of("replica")), facts)
        }
        _ => None,
    }
}

/// The alert of a record that is no act.
fn of_record(record: &StoredRecord, refused: &Refused, refused_a_minute: u32) -> Option<Event> {
    let section: Value = serde_json::from_slice(&record.section("refused")?.bytes).ok()?;
    let of = |name: &str| section.get(name).cloned().unwrap_or_default();
    let event = |kind, severity, subject, facts| Event {
        kind,
        severity,
        scope: String::from("/"),
        subject,
        facts,
        often: Often::WhileOpen,
    };
    if record.kind == Record::RefusedAuthentication.as_str() {
        let count = section.get("count").and_then(Value::as_u64).unwrap_or_default();
        let count = refused.with(ReplicaNumber::of(record.id), record.time_ms, count);
        let facts = json!({ "count": count, "recorded": instant(record.time_ms) });
        let subject = String::from("refused_authentication");
        return (count >= u64::from(refused_a_minute))
            .then(|| event(Kind::RefusedFlood, Severity::Warning, subject, facts));
    }
    let facts = json!({
        "why": of("why"), "stage": of("stage"), "commit": of("commit"), "problems": of("problems"),
    });
    // The same head that fails at the same is one thing, however often it is looked at.
    let subject = format!("policy_refused/{}/{}", of("commit"), of("stage"));
    Some(event(Kind::PolicyRefused, Severity::Critical, subject, facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_act_that_is_waited_for_has_an_alert() {
        let what = json!({
            "budget": 1, "percent": 100, "hard": true, "days": 7, "from": "sha256:00", "to": {}, "kill_switch": "ks_1",
        });
        for act in ACTS {
            let made = event(act, &what, "token:t", "/acme", "act_1").unwrap();
            assert_eq!(made.scope, "/acme");
            assert!(!made.subject.is_empty(), "{act}");
        }
        assert_eq!(event("key_created", &what, "token:t", "/acme", "act_1"), None);
        let first = json!({ "from": null, "to": { "version": "1" } });
        assert_eq!(event("compliance_database_in_force", &first, "system", "/", "act_1"), None);
    }

    #[test]
    fn what_all_servers_refused_within_a_minute_counts_together() {
        let refused = Refused::default();
        let with =
            |server: i64, time_ms: i64, count| refused.with(ReplicaNumber::new(server), time_ms, count);
        assert_eq!(with(1, 0, 60), 60);
        assert_eq!(with(2, 20_000, 30), 90);
        assert_eq!(with(3, 40_000, 30), 120);
        assert_eq!(with(3, 40_000, 30), 120, "read again");
        assert_eq!(with(1, 59_990, 50), 110, "each server's last one");
        assert_eq!(with(2, 80_000, 5), 85, "the same minute");
        assert_eq!(with(4, 3_000, 70), 150, "one that was handed in late counts with those of its minute");
        assert_eq!(with(1, 200_000, 7), 7);
    }

    #[test]
    fn the_alert_of_refused_requests_tells_of_all_servers() {
        use crate::gateway::record::{Salts, section};

        let refused = Refused::default();
        let record = |server: i64, count: u64| StoredRecord {
            id: ReplicaNumber::new(server).record(1).unwrap(),
            leaf: Some(0),
            time_ms: 1_000 * server,
            kind: Record::RefusedAuthentication.as_str().to_owned(),
            scope: None,
            leaf_bytes: Vec::new(),
            leaf_hash: bailiwick_ledger::Hash([0; 32]),
            sections: vec![section("refused", &json!({ "count": count }), &mut Salts::new(1)).unwrap()],
        };
        assert_eq!(of_record(&record(1, 60), &refused, 100), None);
        let event = of_record(&record(2, 60), &refused, 100).unwrap();
        assert_eq!((event.kind, &event.facts["count"]), (Kind::RefusedFlood, &json!(120)));
    }

    #[test]
    fn how_much_it_matters_follows_what_it_does() {
        let severity = |act: &str, what: Value| event(act, &what, "", "/", "").unwrap().severity;
        let budget = |percent: i64, hard: bool| json!({ "percent": percent, "hard": hard });
        assert_eq!(severity("budget_threshold_reached", budget(80, true)), Severity::Warning);
        assert_eq!(severity("budget_threshold_reached", budget(100, false)), Severity::Warning);
        assert_eq!(severity("budget_threshold_reached", budget(100, true)), Severity::Critical);
        for (days, expected) in [(60, Severity::Info), (30, Severity::Warning), (7, Severity::Warning)] {
            assert_eq!(severity("attestation_ends_soon", json!({ "days": days })), expected);
        }
        assert_eq!(severity("attestation_ended", json!({ "days": 0 })), Severity::Critical);
    }
}
