//! Alerts: people are told of what they have to know.
//!
//! What happens becomes an event: from the audit log, which is read leaf by leaf (`recorded.rs`), or from how things stand
//! (`conditions.rs`, `spend.rs`). An event becomes a row of `alerts`, and by the routes of the configuration (`route.rs`) rows
//! of `alert_messages`, in one transaction with how far the log was read: nothing is lost in a crash and nothing raised twice.
//! A message is taken by compare-and-set, sent by one at a time (`send/`), tried again with growing pauses, and given up
//! visibly (`outbox.rs`). Its id stays the same, so that whoever gets it twice, after a crash between the sending and its
//! note, knows it. All of it is done by the server on duty; two that believe it for a moment do no harm.
//!
//! What cannot be told while it lasts is that the database is away: there is nowhere to write it down. The metrics and
//! `/readyz` tell that.

mod conditions;
mod config;
mod event;
mod facts;
mod kind;
mod message;
mod outbox;
mod recorded;
mod route;
mod send;
mod spend;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;

pub use config::{
    AlertsConfig, ChatConfig, MailConfig, MailTls, QuietConfig, RouteConfig, TimeOfDay, WebhookConfig, Zone,
};
pub use kind::{Kind, Severity};
pub use message::Told;

use crate::app::App;
use crate::gateway::metrics;
use crate::outbound::Http;
use crate::providers::Trust;
use crate::store::alerts::{Again, Alert, Raise, Step};
use crate::store::{self, StoreError};
use event::{Event, Often};
use message::Outgoing;
use send::Channels;

/// How often it is looked for what is new and what is due.
const TICK: Duration = Duration::from_secs(1);
/// How often it is looked how things stand, and what is kept for too long.
const LOOK_MS: i64 = 30_000;
/// How long alerts and messages are kept: four hundred days.
const KEPT_MS: i64 = 400 * 86_400_000;
/// How long messages that are being sent may still take when the server ends.
const GRACE: Duration = Duration::from_secs(3);

/// The server's alerts.
#[derive(Debug)]
pub struct Alerts {
    channels: Channels,
    before: conditions::Before,
    refused: recorded::Refused,
    /// When it was last looked how things stand.
    looked_ms: AtomicI64,
    /// The last hour whose spend was looked at, by its beginning.
    spend_ms: AtomicI64,
    /// Messages that are being sent.
    sending: TaskTracker,
    /// How many more may be, by channel.
    room: outbox::Room,
}

/// Why an alert could not be raised or told; it is tried again.
#[derive(Debug, thiserror::Error)]
enum AlertError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Record(#[from] crate::gateway::record::RecordError),
}

impl Alerts {
    /// Nothing is read or sent yet.
    pub(crate) fn new(config: AlertsConfig, http: Http, trust: &Trust) -> Self {
        Self {
            channels: Channels::new(config, http, trust),
            before: conditions::Before::default(),
            refused: recorded::Refused::default(),
            looked_ms: AtomicI64::new(0),
            spend_ms: AtomicI64::new(0),
            sending: TaskTracker::new(),
            room: outbox::Room::default(),
        }
    }

    /// Waits for messages that are being sent, for a moment: one that is not noted as sent is sent again.
    pub(crate) async fn end(&self) {
        self.sending.close();
        self.sending.wait().await;
    }

    fn raise(&self, event: Event, now_ms: i64) -> Raise {
        let config = self.channels.config();
        let messages = route::messages(config, &event, now_ms);
        let again = match event.often {
            Often::Once => Again::Once,
            Often::WhileOpen => {
                Again::WhenClosed { tell_after_ms: i64::from(config.repeat_minutes).saturating_mul(60_000) }
            }
        };
        let alert = Alert {
            id: route::id("al"),
            kind: event.kind.to_string(),
            severity: event.severity.to_string(),
            scope: event.scope,
            subject: event.subject,
            facts: event.facts,
            raised_ms: now_ms,
            last_ms: now_ms,
            repeats: 0,
            told_ms: now_ms,
            acknowledged_ms: None,
            acknowledged_by: None,
            note: None,
            closed_ms: None,
        };
        Raise { alert, again, messages }
    }
}

/// Starts the task; it ends with the server.
pub(crate) fn start(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    let stopping = app.gateway.stopping.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = false;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {}
            }
            let Some(app) = weak.upgrade() else { return };
            if !app.is_on_duty() {
                continue;
            }
            match Box::pin(turn(&app)).await {
                Ok(()) => told = false,
                // Once, not every second for as long as the database is away.
                Err(error) if !std::mem::replace(&mut told, true) => {
                    tracing::warn!(%error, "alerts cannot be raised or sent; it is tried again");
                }
                Err(_) => {}
            }
        }
    });
}

/// Each of the three goes on though another fails: what waits is sent though nothing can be read.
async fn turn(app: &Arc<App>) -> Result<(), AlertError> {
    let read = read_on(app).await;
    let looked = look_around(app).await;
    outbox::send_due(app).await.and(looked).and(read)
}

/// Reads the log as far as it goes.
async fn read_on(app: &App) -> Result<(), AlertError> {
    let alerts = &app.alerts;
    let refused_a_minute = alerts.channels.config().refused_a_minute;
    while let Some(read) = store::alerts::read(&app.store, log(app)).await? {
        let now_ms = app.gateway.clock.now_ms();
        let found = recorded::look(&app.store, read, &alerts.refused, refused_a_minute, now_ms).await?;
        let Some(found) = found else { break };
        raise(app, Some(&found.step), found.events, now_ms).await?;
        if !found.more || app.gateway.stopping.is_cancelled() {
            break;
        }
    }
    Ok(())
}

/// Now and then: how things stand, what was spent, and what is kept for too long.
async fn look_around(app: &App) -> Result<(), AlertError> {
    let alerts = &app.alerts;
    let now_ms = app.gateway.clock.now_ms();
    if now_ms.saturating_sub(alerts.looked_ms.load(Ordering::Relaxed)) < LOOK_MS {
        return Ok(());
    }
    look(app, now_ms).await?;
    store::alerts::sweep(&app.store, now_ms.saturating_sub(KEPT_MS)).await?;
    alerts.looked_ms.store(now_ms, Ordering::Relaxed);
    let hour_ms = spend::hour(now_ms);
    if alerts.spend_ms.load(Ordering::Relaxed) != hour_ms {
        raise(app, None, spend::look(&app.store, hour_ms).await?, now_ms).await?;
        alerts.spend_ms.store(hour_ms, Ordering::Relaxed);
    }
    Ok(())
}

/// How things stand: what is new is raised, what is over is closed.
async fn look(app: &App, now_ms: i64) -> Result<(), AlertError> {
    let conditions::Stands { mut events, lasting } =
        conditions::look(app, &app.alerts.before, now_ms).await?;
    for (kind, subjects) in lasting {
        let known = store::alerts::unclosed(&app.store, kind).await?;
        for over in known.difference(&subjects) {
            store::alerts::close(&app.store, over, now_ms).await?;
            tracing::info!(subject = over, "what there was an alert of is over");
        }
        // What goes on is no news.
        events.retain(|event| event.kind.as_str() != kind || !known.contains(&event.subject));
    }
    raise(app, None, events, now_ms).await
}

/// The log in force.
fn log(app: &App) -> &str {
    app.gateway.audit.public_key().name().as_str()
}

async fn raise(app: &App, step: Option<&Step>, events: Vec<Event>, now_ms: i64) -> Result<(), AlertError> {
    if step.is_none() && events.is_empty() {
        return Ok(());
    }
    let raises: Vec<Raise> = events.into_iter().map(|event| app.alerts.raise(event, now_ms)).collect();
    let raised = store::alerts::raise(&app.store, log(app), step, &raises, now_ms).await?;
    for alert in raised.into_iter().flatten() {
        metrics::alert(&alert.kind, &alert.severity);
        let told = Told::from(&alert);
        tracing::info!(
            alert = told.id,
            severity = told.severity,
            scope = told.scope,
            "alert: {}",
            told.title
        );
    }
    Ok(())
}

/// Why a channel could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    /// There is no such channel.
    #[error("there is no such channel")]
    Unknown,
    /// It was tried, and did not work.
    #[error("{0}")]
    Failed(String),
}

/// Sends a test through a channel, to each of its addresses, once and at once; to how many.
///
/// # Errors
/// [`TestError`].
pub async fn test(app: &App, channel: &str) -> Result<usize, TestError> {
    let alerts = &app.alerts;
    let targets = alerts.channels.targets(channel).ok_or(TestError::Unknown)?;
    let now_ms = app.gateway.clock.now_ms();
    let facts = serde_json::json!({ "channel": channel, "server": app.config.replica });
    let told = Told {
        id: route::id("al"),
        kind: Kind::Test.to_string(),
        severity: Severity::Info.to_string(),
        scope: String::from("/"),
        title: Kind::Test.title(&facts),
        meaning: Kind::Test.meaning(),
        facts,
        raised_ms: now_ms,
        last_ms: now_ms,
        repeats: 0,
    };
    for target in &targets {
        let message = Outgoing {
            id: route::id("msg"),
            created_ms: now_ms,
            alerts: vec![told.clone()],
            public_url: app.config.public_url.clone(),
        };
        let sent = Box::pin(alerts.channels.send(channel, target, &message, now_ms)).await;
        metrics::alert_message(channel, if sent.is_ok() { "sent" } else { "failed" });
        sent.map_err(|failure| TestError::Failed(failure.to_string()))?;
    }
    Ok(targets.len())
}
