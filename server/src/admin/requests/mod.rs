//! Requests: what one person asks for with a reason and another approves or refuses. An approval is carried out in the
//! transaction that says so.
//!
//! Nobody decides what they asked for themselves, nor through a service token that one of the two made.

mod kinds;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use bailiwick_ledger::Kind;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use crate::app::{Act, App};
use crate::identity::{Actor, Permit};
use crate::store;
use crate::store::requests::{Decision, Effect, Request};

/// How long a request waits for its decision where it does not say, and at most.
const USUAL_DAYS: i64 = 14;
const LONGEST_DAYS: i64 = 30;
const DAY_MS: i64 = 86_400_000;
/// Characters of a reason.
const LONGEST_REASON: usize = 500;
/// Requests of one list.
const MOST: u64 = 1_000;
/// How many made one another in a row.
const DEEPEST: usize = 20;

/// A request as everybody may see it who may see it.
fn view(request: Request, now_ms: i64) -> Value {
    let state = match request.state.as_str() {
        "open" if request.expires_ms <= now_ms => "expired",
        state => state,
    };
    let mut wanted = request.wanted;
    if let Some(wanted) = wanted.as_object_mut() {
        wanted.remove(kinds::SECRET_HASH);
    }
    json!({
        "id": request.id, "kind": request.kind, "scope": request.scope, "asked_by": request.principal,
        "reason": request.reason, "wanted": wanted, "state": state, "created_ms": request.created_ms,
        "expires_ms": request.expires_ms, "until_ms": request.until_ms, "decided_by": request.decided_by,
        "decided_because": request.decided_because, "decided_ms": request.decided_ms, "made": request.made,
    })
}

fn reason(text: Option<&str>) -> Result<String, Problem> {
    let text = text.unwrap_or_default().trim();
    if text.is_empty() || text.chars().count() > LONGEST_REASON {
        return Err(Problem::invalid(format!("`reason` says why, in 1 to {LONGEST_REASON} characters")));
    }
    Ok(text.to_owned())
}

fn act<'a>(permit: &'a Permit, scope: &'a str, name: &'static str, what: Value) -> Act<'a> {
    Act { kind: Kind::Admin, principal: permit.subject(), scope: Some(scope), name, what }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filter {
    state: Option<String>,
    kind: Option<String>,
}

/// `GET /api/v1/requests`: the caller's own, and with the right those of its scopes.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Value>, Problem> {
    let Query(filter) = filter.map_err(|error| Problem::invalid(error.body_text()))?;
    let now_ms = app.gateway.clock.now_ms();
    let is = |asked: &Option<String>, value: &Value| asked.as_deref().is_none_or(|asked| value == asked);
    let mut covers = permit.covering();
    let requests: Vec<Value> = store::requests::list(&app.store, MOST)
        .await?
        .into_iter()
        .filter(|request| request.principal == permit.subject() || covers(&request.scope))
        .map(|request| view(request, now_ms))
        .filter(|view| {
            let field = |name| view.get(name).unwrap_or(&Value::Null);
            is(&filter.state, field("state")) && is(&filter.kind, field("kind"))
        })
        .collect();
    Ok(Json(json!({ "requests": requests })))
}

/// The body of `POST /api/v1/requests`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    kind: kinds::Wanted,
    reason: String,
    wanted: Value,
    /// When nobody need decide it any more.
    #[serde(default)]
    expires: Option<DateTime<Utc>>,
}

/// `POST /api/v1/requests`.
pub(super) async fn ask(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<Json<Ask>, JsonRejection>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Json(ask) = body.map_err(|error| Problem::invalid(error.body_text()))?;
    let reason = reason(Some(&ask.reason))?;
    let now_ms = app.gateway.clock.now_ms();
    let usual_ms = now_ms.saturating_add(USUAL_DAYS * DAY_MS);
    let expires_ms = ask.expires.map_or(usual_ms, |at| at.timestamp_millis());
    if expires_ms <= now_ms || expires_ms - now_ms > LONGEST_DAYS * DAY_MS {
        return Err(Problem::invalid(format!("`expires` is within {LONGEST_DAYS} days to come")));
    }
    let asked = kinds::asked(&app, &permit, ask.kind, ask.wanted, &reason).await?;
    let request = Request {
        id: format!("req_{}", uuid::Uuid::now_v7().simple()),
        kind: ask.kind.as_str().to_owned(),
        scope: asked.scope,
        principal: permit.subject().to_owned(),
        reason,
        wanted: asked.wanted,
        created_ms: now_ms,
        expires_ms,
        until_ms: None,
        state: String::from("open"),
        decided_by: None,
        decided_because: None,
        decided_ms: None,
        made: Value::Null,
    };
    let mut shown = view(request.clone(), now_ms);
    let what = json!({
        "request": request.id, "kind": request.kind, "reason": request.reason, "after": asked.told,
        "expires_ms": expires_ms,
    });
    let scope = request.scope.clone();
    let change = async { Ok::<_, Problem>(store::requests::ask(&app.store, request).await?) };
    app.act_aside(act(&permit, &scope, "request_asked", what), |()| Value::Null, change).await?;
    if let (Some(shown), Some(key)) = (shown.as_object_mut(), asked.key) {
        // Here and nowhere else: who approves never has it.
        shown.insert(String::from("key"), Value::String(key));
    }
    Ok((StatusCode::CREATED, Json(shown)))
}

/// The body of a decision.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Why {
    reason: Option<String>,
}

fn why(body: &[u8]) -> Result<Why, Problem> {
    if body.is_empty() {
        return Ok(Why::default());
    }
    serde_json::from_slice(body).map_err(|error| Problem::invalid(error.to_string()))
}

/// An open request that the caller may decide.
async fn to_decide(app: &App, permit: &Permit, id: &str) -> Result<Request, Problem> {
    let request = store::requests::get(&app.store, id).await?;
    permit.at(&request.scope, "request")?;
    if !are_apart(app, permit.subject(), &request.principal).await? {
        return Err(Problem::new(StatusCode::FORBIDDEN, "own_request", "Nobody decides what they asked for")
            .detail(format!("{} asked, and {} is not somebody else", request.principal, permit.subject()))
            .fix("have another approver decide it"));
    }
    open(app, &request)?;
    Ok(request)
}

fn open(app: &App, request: &Request) -> Result<(), Problem> {
    if request.state == "open" && request.expires_ms > app.gateway.clock.now_ms() {
        return Ok(());
    }
    let title = "The request is not open any more";
    Err(Problem::new(StatusCode::CONFLICT, "conflict", title).fix("ask anew"))
}

/// Whether two are different people, as far as anybody knows: neither is a token that the other made, and behind both is
/// not one person.
async fn are_apart(app: &App, one: &str, other: &str) -> Result<bool, Problem> {
    let (first, second) = (makers(app, one).await?, makers(app, other).await?);
    let is_person = |name: &&String| name.starts_with("user:");
    Ok(!first.contains(other)
        && !second.contains(one)
        && first.intersection(&second).find(is_person).is_none())
}

/// Who acts, and of a token who made it, and so on.
async fn makers(app: &App, subject: &str) -> Result<BTreeSet<String>, Problem> {
    let mut found = BTreeSet::from([subject.to_owned()]);
    let mut last = subject.to_owned();
    for _ in 0..DEEPEST {
        let Some(id) = last.strip_prefix("token:") else { break };
        let made_by = match store::service_tokens::get(&app.store, id).await {
            Ok(token) => token.created_by,
            Err(store::StoreError::NotFound(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let Some(made_by) = made_by else { break };
        found.insert(made_by.clone());
        last = made_by;
    }
    Ok(found)
}

/// Who asked and may do nothing any more gets nothing.
async fn still_there(app: &App, principal: &str) -> Result<(), Problem> {
    let there = match principal.split_once(':') {
        Some(("user", id)) => Actor::of_person(app, id).await?.is_some(),
        Some(("token", id)) => {
            let now_ms = app.gateway.clock.now_ms();
            store::service_tokens::live(&app.store, id, now_ms).await?.is_some()
        }
        _ => false,
    };
    if there {
        return Ok(());
    }
    let title = "Who asked may not sign in any more";
    Err(Problem::new(StatusCode::CONFLICT, "conflict", title).fix("refuse the request"))
}

/// `POST /api/v1/requests/{id}/approve`: carried out when this answers.
pub(super) async fn approve(
    State(app): State<Arc<App>>,
    permit: Permit,
    Path(id): Path<String>,
    body: axum::body::Bytes,
) -> Result<Json<Value>, Problem> {
    let request = to_decide(&app, &permit, &id).await?;
    let because = why(&body)?.reason.map(|text| reason(Some(&text))).transpose()?;
    still_there(&app, &request.principal).await?;
    let granted = kinds::granted(&app, &permit, &request).await?;
    let what = json!({
        "request": id, "kind": request.kind, "asked_by": request.principal, "reason": request.reason,
        "because": because, "before": granted.before, "after": granted.after, "until_ms": granted.until_ms,
    });
    let decision = Decision {
        state: "approved",
        by: permit.subject().to_owned(),
        because,
        until_ms: granted.until_ms,
        made: granted.made,
        now_ms: app.gateway.clock.now_ms(),
    };
    let act = act(&permit, &request.scope, "request_approved", what);
    let change =
        async { Ok::<_, Problem>(store::requests::decide(&app.store, &id, decision, granted.effect).await?) };
    app.act(act, |()| Value::Null, change).await?;
    told(&app, &id).await
}

async fn told(app: &App, id: &str) -> Result<Json<Value>, Problem> {
    let request = store::requests::get(&app.store, id).await?;
    Ok(Json(view(request, app.gateway.clock.now_ms())))
}

/// `POST /api/v1/requests/{id}/refuse`.
pub(super) async fn refuse(
    State(app): State<Arc<App>>,
    permit: Permit,
    Path(id): Path<String>,
    body: axum::body::Bytes,
) -> Result<Json<Value>, Problem> {
    let request = to_decide(&app, &permit, &id).await?;
    let because = reason(why(&body)?.reason.as_deref())?;
    ended(&app, &permit, &request, "refused", "request_refused", Some(because)).await
}

/// `POST /api/v1/requests/{id}/withdraw`: by who asked.
pub(super) async fn withdraw(
    State(app): State<Arc<App>>,
    permit: Permit,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let request = store::requests::get(&app.store, &id).await?;
    if request.principal != permit.subject() {
        return Err(Problem::not_found("request of yours"));
    }
    open(&app, &request)?;
    ended(&app, &permit, &request, "withdrawn", "request_withdrawn", None).await
}

async fn ended(
    app: &App,
    permit: &Permit,
    request: &Request,
    state: &'static str,
    name: &'static str,
    because: Option<String>,
) -> Result<Json<Value>, Problem> {
    let what = json!({
        "request": request.id, "kind": request.kind, "asked_by": request.principal, "because": because,
    });
    let decision = Decision {
        state,
        by: permit.subject().to_owned(),
        because,
        until_ms: None,
        made: Value::Null,
        now_ms: app.gateway.clock.now_ms(),
    };
    let change = async {
        Ok::<_, Problem>(store::requests::decide(&app.store, &request.id, decision, Effect::default()).await?)
    };
    app.act_aside(act(permit, &request.scope, name, what), |()| Value::Null, change).await?;
    told(app, &request.id).await
}
