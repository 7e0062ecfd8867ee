//! Messages that wait: each is taken, tried, and sent, put off or given up.
//!
//! Whoever takes a message has it for longer than a try lasts. One whose server died meanwhile is tried again by whoever is
//! on duty then, under the same id.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bailiwick_ledger::Kind as Record;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::message::{Outgoing, Told};
use super::send::{Failure, LONGEST};
use super::{AlertError, GRACE};
use crate::app::{Act, App};
use crate::gateway::metrics;
use crate::store::alert_messages::{self, AlertMessage};
use crate::store::alerts;

/// Messages that are sent at once through one channel.
const AT_ONCE: usize = 2;
/// Messages that are read at once.
const PAGE: u64 = 16;
/// The first pause; each is twice the one before.
const PAUSE_MS: i64 = 5_000;
/// The longest.
const LONGEST_PAUSE_MS: i64 = 30 * 60_000;
const HOUR_MS: i64 = 3_600_000;

/// How many messages each channel may still begin with: one whose server is slow holds up no other.
#[derive(Debug, Default)]
pub(super) struct Room(Mutex<BTreeMap<String, Arc<Semaphore>>>);

impl Room {
    /// A place in a channel, held until it is dropped.
    fn take(&self, channel: &str) -> Option<OwnedSemaphorePermit> {
        let mut channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places = channels.entry(channel.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE)));
        Arc::clone(places).try_acquire_owned().ok()
    }

    /// The channels that have none.
    fn none_in(&self) -> Vec<String> {
        let channels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = channels.iter().filter(|(_, places)| places.available_permits() == 0);
        full.map(|(channel, _)| channel.clone()).collect()
    }
}

/// Begins to send what is due, as far as there is room.
pub(super) async fn send_due(app: &Arc<App>) -> Result<(), AlertError> {
    metrics::alert_messages_waiting(alert_messages::waiting(&app.store).await?);
    // What is full is left out the next time, so that nothing that is due behind it waits for another turn.
    for _ in 0..=app.alerts.channels.config().names().count() {
        let (now_ms, full) = (app.gateway.clock.now_ms(), app.alerts.room.none_in());
        let mut begun = false;
        for message in alert_messages::due(&app.store, now_ms, &full, PAGE).await? {
            begun |= begin(app, &message, now_ms).await?;
        }
        if !begun {
            break;
        }
    }
    Ok(())
}

/// Begins to send a message; `false` where there is no room, or somebody else does.
async fn begin(app: &Arc<App>, message: &AlertMessage, now_ms: i64) -> Result<bool, AlertError> {
    let Some(place) = app.alerts.room.take(&message.channel) else { return Ok(false) };
    let lease_ms = i64::try_from(LONGEST.as_millis()).unwrap_or(i64::MAX).saturating_mul(2);
    let until_ms = now_ms.saturating_add(lease_ms);
    let Some(taken) = alert_messages::take(&app.store, message, until_ms).await? else { return Ok(false) };
    let stopping = app.gateway.stopping.clone();
    let deliver = Box::pin(deliver(Arc::clone(app), taken));
    app.alerts.sending.spawn(async move {
        let _place = place;
        let over = async {
            stopping.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            done = deliver => if let Err(error) = done {
                // It stays taken until its time is over.
                tracing::warn!(%error, "what came of a message about alerts could not be noted");
            },
            () = over => tracing::warn!("a message about alerts was being sent when the server ended"),
        }
    });
    Ok(true)
}

async fn deliver(app: Arc<App>, message: AlertMessage) -> Result<(), AlertError> {
    let now_ms = app.gateway.clock.now_ms();
    let ids: Vec<String> = serde_json::from_value(message.alerts.clone()).unwrap_or_default();
    let kept = alerts::all(&app.store, &ids).await?;
    // What somebody knows of, or is over, is no news any more.
    let news = kept.iter().filter(|alert| alert.acknowledged_ms.is_none() && alert.closed_ms.is_none());
    let told: Vec<Told> = news.map(Told::from).collect();
    if told.is_empty() && !kept.is_empty() {
        let why = Some("all that it tells of is acknowledged or over");
        alert_messages::end(&app.store, &message, alert_messages::GIVEN_UP, why, now_ms).await?;
        return Ok(());
    }
    let sent = if told.is_empty() {
        Err(Failure { why: String::from("what it tells of is no longer kept"), for_good: true })
    } else {
        let outgoing = Outgoing {
            id: message.id.clone(),
            created_ms: message.created_ms,
            alerts: told,
            public_url: app.config.public_url.clone(),
        };
        app.alerts.channels.send(&message.channel, &message.target, &outgoing, now_ms).await
    };
    let now_ms = app.gateway.clock.now_ms();
    let Err(failure) = sent else {
        metrics::alert_message(&message.channel, "sent");
        alert_messages::end(&app.store, &message, alert_messages::SENT, None, now_ms).await?;
        return Ok(());
    };
    let hours = app.alerts.channels.config().give_up_hours;
    match next(&message, &failure, hours, now_ms) {
        Some(next_ms) => {
            metrics::alert_message(&message.channel, "failed");
            tracing::warn!(
                message = message.id,
                channel = message.channel,
                attempts = message.attempts,
                error = failure.why,
                "a message about alerts could not be sent; it is tried again"
            );
            alert_messages::put_off(&app.store, &message, next_ms, &failure.why).await?;
            Ok(())
        }
        None => give_up(&app, &message, &failure, now_ms).await,
    }
}

/// When it is tried again; `None` where that is no use, or was for too long.
fn next(message: &AlertMessage, failure: &Failure, hours: u32, now_ms: i64) -> Option<i64> {
    let first_ms = message.collects_until_ms.unwrap_or(message.created_ms);
    let give_up_ms = first_ms.saturating_add(i64::from(hours).saturating_mul(HOUR_MS));
    if failure.for_good || now_ms >= give_up_ms {
        return None;
    }
    let doubled = u32::try_from(message.attempts.saturating_sub(1).clamp(0, 20)).unwrap_or(20);
    let pause_ms = PAUSE_MS.saturating_mul(1 << doubled).min(LONGEST_PAUSE_MS);
    // Up to a fifth more, so that what failed at once is not tried at once.
    let more_ms = getrandom::u32().map_or(0, i64::from) % (pause_ms / 5).max(1);
    Some(now_ms.saturating_add(pause_ms).saturating_add(more_ms))
}

/// Nobody tries it any more: the log, the list and the metrics say so.
async fn give_up(
    app: &App,
    message: &AlertMessage,
    failure: &Failure,
    now_ms: i64,
) -> Result<(), AlertError> {
    metrics::alert_message(&message.channel, "given_up");
    tracing::error!(
        message = message.id,
        channel = message.channel,
        attempts = message.attempts,
        error = failure.why,
        "a message about alerts is given up"
    );
    let act = Act {
        kind: Record::Admin,
        principal: "system",
        scope: Some("/"),
        name: "alert_message_given_up",
        what: json!({
            "message": message.id, "channel": message.channel, "alerts": message.alerts, "attempts": message.attempts,
            "error": failure.why, "before": { "state": alert_messages::WAITING }, "after": { "state": alert_messages::GIVEN_UP },
        }),
    };
    let change = async {
        Ok::<_, AlertError>(
            alert_messages::end(&app.store, message, alert_messages::GIVEN_UP, Some(&failure.why), now_ms)
                .await?,
        )
    };
    app.act_aside(act, |ended| if *ended { Value::Null } else { json!({ "ended": false }) }, change).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(attempts: i64) -> AlertMessage {
        AlertMessage {
            id: String::from("msg_1"),
            channel: String::from("ops"),
            target: String::new(),
            alerts: json!([]),
            state: alert_messages::WAITING.to_owned(),
            attempts,
            next_ms: 0,
            collects_until_ms: None,
            created_ms: 0,
            ended_ms: None,
            error: None,
        }
    }

    #[test]
    fn each_channel_has_room_of_its_own() {
        let room = Room::default();
        let of_ops: Vec<_> = std::iter::from_fn(|| room.take("ops")).collect();
        assert_eq!((of_ops.len(), room.none_in()), (AT_ONCE, vec![String::from("ops")]));
        assert!(room.take("pager").is_some());
        drop(of_ops);
        assert!(room.take("ops").is_some() && room.none_in().is_empty());
    }

    #[test]
    fn pauses_grow_to_a_bound_and_end_with_the_time() {
        let for_now = Failure { why: String::new(), for_good: false };
        for (attempts, least) in
            [(1, 5_000), (2, 10_000), (4, 40_000), (10, LONGEST_PAUSE_MS), (90, LONGEST_PAUSE_MS)]
        {
            let pause = next(&message(attempts), &for_now, 24, 1_000).unwrap() - 1_000;
            assert!((least..=least + least / 5).contains(&pause), "{attempts}: {pause}");
        }
        assert!(next(&message(3), &for_now, 24, 24 * HOUR_MS - 1).is_some());
        assert_eq!(next(&message(3), &for_now, 24, 24 * HOUR_MS), None);
        assert_eq!(next(&message(1), &Failure { for_good: true, ..for_now }, 24, 0), None);
        // What was gathered first is tried as long as the rest.
        let digest = AlertMessage { collects_until_ms: Some(HOUR_MS), ..message(1) };
        let for_now = Failure { why: String::new(), for_good: false };
        assert!(next(&digest, &for_now, 24, 24 * HOUR_MS).is_some());
    }
}
