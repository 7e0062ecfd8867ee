//! Alerts: listed, acknowledged; and a try of a channel.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use bailiwick_ledger::Kind as Record;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Problem;
use crate::admin::etag::{self, IfMatch};
use crate::admin::input::{Asked, At, Body, OptionalBody};
use crate::admin::page::Page;
use crate::alerts::{self, Kind, Severity, TestError, Told};
use crate::app::{Act, App};
use crate::identity::Permit;
use crate::store;
use crate::store::alert_messages::AlertMessage;
use crate::store::alerts::{Alert, Filter};

/// Longest note, in characters.
const LONGEST_NOTE: usize = 500;

/// How an alert stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stands {
    /// Nobody has said that they know.
    Open,
    /// Somebody has.
    Acknowledged,
    /// It was over before anybody did.
    Closed,
}

impl Stands {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Closed => "closed",
        }
    }
}

/// An alert as people see it.
#[derive(Debug, Serialize)]
struct AlertView {
    #[serde(flatten)]
    told: Told,
    state: Stands,
    acknowledged_ms: Option<i64>,
    acknowledged_by: Option<String>,
    note: Option<String>,
    closed_ms: Option<i64>,
}

fn view(row: &Alert) -> AlertView {
    let state = match (row.acknowledged_ms, row.closed_ms) {
        (Some(_), _) => Stands::Acknowledged,
        (None, Some(_)) => Stands::Closed,
        (None, None) => Stands::Open,
    };
    AlertView {
        told: Told::from(row),
        state,
        acknowledged_ms: row.acknowledged_ms,
        acknowledged_by: row.acknowledged_by.clone(),
        note: row.note.clone(),
        closed_ms: row.closed_ms,
    }
}

/// A message as people see it. Addresses are the configuration's, which not everybody may read who may read alerts.
#[derive(Debug, Serialize)]
struct MessageView {
    id: String,
    channel: String,
    state: String,
    attempts: i64,
    next_ms: Option<i64>,
    created_ms: i64,
    ended_ms: Option<i64>,
    error: Option<String>,
}

impl From<AlertMessage> for MessageView {
    fn from(row: AlertMessage) -> Self {
        Self {
            next_ms: (row.state == store::alert_messages::WAITING).then_some(row.next_ms),
            id: row.id,
            channel: row.channel,
            state: row.state,
            attempts: row.attempts,
            created_ms: row.created_ms,
            ended_ms: row.ended_ms,
            error: row.error,
        }
    }
}

/// Which alerts are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Query {
    state: Option<Stands>,
    severity: Option<Severity>,
    kind: Option<Kind>,
    scope: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/alerts`: those of the actor's scopes, newest first. `severity` is the least.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    query: Result<Asked<Query>, Problem>,
) -> Result<Json<Value>, Problem> {
    let Asked(query) = query?;
    let page = Page::of("alerts", query.limit, query.cursor.as_deref())?;
    if let Some(scope) = &query.scope {
        bailiwick_policy::scope::validate(scope).map_err(|why| Problem::wrong_parameter("scope", &why))?;
    }
    let least = query.severity.unwrap_or(Severity::Info);
    let filter = Filter {
        scopes: permit.scopes_within(query.scope.as_deref()),
        state: query.state.map(Stands::as_str),
        severities: Severity::ALL.into_iter().filter(|one| *one >= least).map(Severity::as_str).collect(),
        kind: query.kind.map(|kind| kind.to_string()),
    };
    let mut covers = permit.covering();
    let read = |before: Option<String>, limit: u64| {
        let (app, filter) = (Arc::clone(&app), filter.clone());
        async move { store::alerts::page(&app.store, &filter, before.as_deref(), limit).await }
    };
    let keep = |row: Alert| covers(&row.scope).then(|| view(&row));
    let (alerts, next) = page.fill(read, |row: &Alert| row.id.clone(), keep).await?;
    Ok(Json(page.answer(&alerts, next)))
}

/// `GET /api/v1/alerts/{id}`, with the messages that tell of it and the tag that a change may ask for.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
) -> Result<Response, Problem> {
    let row = store::alerts::get(&app.store, &id).await?;
    permit.at(&row.scope, "alert")?;
    let messages: Vec<MessageView> = store::alert_messages::messages_of(&app.store, &id)
        .await?
        .into_iter()
        .map(MessageView::from)
        .collect();
    let mut answer = serde_json::to_value(view(&row)).map_err(|error| Problem::invalid(error.to_string()))?;
    if let Some(answer) = answer.as_object_mut() {
        answer.insert(String::from("messages"), json!(messages));
    }
    Ok(etag::tagged(&etag::tag(&row), Json(answer)))
}

/// The body of `POST /api/v1/alerts/{id}/acknowledge`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Acknowledge {
    note: Option<String>,
}

/// `POST /api/v1/alerts/{id}/acknowledge`: somebody knows. It is not told again.
pub(super) async fn acknowledge(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
    body: Result<OptionalBody<Acknowledge>, Problem>,
) -> Result<Json<Value>, Problem> {
    let row = store::alerts::get(&app.store, &id).await?;
    permit.at(&row.scope, "alert")?;
    let OptionalBody(body) = body?;
    let note = body.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
    if note.is_some_and(|note| note.chars().count() > LONGEST_NOTE) {
        return Err(Problem::wrong_field("/note", &format!("it has {LONGEST_NOTE} characters at most")));
    }
    let seen = expected.seen(&row)?;
    let now_ms = app.gateway.clock.now_ms();
    // What lasts is over when it is over, whoever knows of it.
    let closes = !row.kind.parse::<Kind>().is_ok_and(Kind::lasts);
    let state = |stands: Stands| json!({ "state": stands.as_str() });
    let what = json!({
        "alert": row.id, "kind": row.kind, "note": note, "before": state(view(&row).state),
        "after": state(Stands::Acknowledged),
    });
    let act = Act {
        kind: Record::Admin,
        principal: permit.subject(),
        scope: Some(&row.scope),
        name: "alert_acknowledged",
        what,
    };
    let change = async {
        let who = permit.subject();
        store::alerts::acknowledge(&app.store, &id, who, note, closes, now_ms, seen).await?;
        Ok::<_, Problem>(())
    };
    app.act_aside(act, |()| Value::Null, change).await?;
    Ok(Json(json!(view(&store::alerts::get(&app.store, &id).await?))))
}

/// The body of `POST /api/v1/alerts:test`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    channel: String,
}

/// `POST /api/v1/alerts:test`: sends a test through a channel, and answers when it has arrived or not.
pub(super) async fn test(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<Body<Test>, Problem>,
) -> Result<Json<Value>, Problem> {
    let Body(body) = body?;
    if !app.config.alerts.names().any(|name| name == body.channel) {
        let near = bailiwick_policy::did_you_mean(&body.channel, app.config.alerts.names());
        let near = near.map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
        return Err(Problem::wrong_field("/channel", &format!("`[alerts]` has no such channel{near}")));
    }
    let what = json!({ "channel": body.channel });
    let act = Act {
        kind: Record::Admin,
        principal: permit.subject(),
        scope: Some("/"),
        name: "alert_channel_tested",
        what,
    };
    let tried = async {
        let failed = |error: TestError| {
            Problem::new(StatusCode::BAD_GATEWAY, "not_sent", "The channel does not work")
                .detail(error.to_string())
        };
        Box::pin(alerts::test(&app, &body.channel)).await.map_err(failed)
    };
    let sent = app.act_aside(act, |sent| json!({ "sent": sent }), tried).await?;
    Ok(Json(json!({ "channel": body.channel, "sent": sent })))
}
