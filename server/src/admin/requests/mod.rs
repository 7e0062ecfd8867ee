//! Requests: what one person asks for with a reason and another approves or refuses. An approval is carried out in the
//! transaction that says so.
//!
//! Nobody decides what they asked for themselves, nor through service tokens behind which the same one is.

mod kinds;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use bailiwick_ledger::Kind;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Problem;
use super::etag::{self, IfMatch};
use super::input::{Asked, At, Body, OptionalBody};
use super::page::{Page, number, of_number};
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
/// How many are looked at who made one another.
const DEEPEST: usize = 20;
/// The right that asking needs.
const ASK: (&str, &str) = ("console:requests", "ask");

/// How a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stands {
    Open,
    Expired,
    Approved,
    Refused,
    Withdrawn,
}

impl Stands {
    fn of(request: &Request, now_ms: i64) -> Self {
        match request.state.as_str() {
            "approved" => Self::Approved,
            "refused" => Self::Refused,
            "withdrawn" => Self::Withdrawn,
            _ if request.expires_ms <= now_ms => Self::Expired,
            _ => Self::Open,
        }
    }
}

/// A request as everybody may see it who may see it.
fn view(request: Request, now_ms: i64) -> Value {
    let state = Stands::of(&request, now_ms);
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
        let told = format!("it says why, in 1 to {LONGEST_REASON} characters");
        return Err(Problem::wrong_field("/reason", &told));
    }
    Ok(text.to_owned())
}

fn act<'a>(permit: &'a Permit, scope: &'a str, name: &'static str, what: Value) -> Act<'a> {
    Act { kind: Kind::Admin, principal: permit.subject(), scope: Some(scope), name, what }
}

/// Which requests are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filter {
    state: Option<Stands>,
    kind: Option<kinds::Wanted>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/requests`: the caller's own, and with the right those of its scopes; newest first.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    filter: Result<Asked<Filter>, Problem>,
) -> Result<Json<Value>, Problem> {
    let Asked(filter) = filter?;
    let page = Page::of("requests", filter.limit, filter.cursor.as_deref())?;
    let now_ms = app.gateway.clock.now_ms();
    let mut covers = permit.covering();
    let key = |request: &Request| format!("{} {}", number(request.created_ms), request.id);
    let read = |after: Option<String>, limit: u64| {
        let store = &app.store;
        async move {
            let before = after.as_deref().and_then(|key| key.split_once(' '));
            let before = before.and_then(|(at, id)| Some((of_number(at)?, id)));
            store::requests::page(store, before, limit).await
        }
    };
    let keep = |request: Request| {
        let wanted = filter.state.is_none_or(|state| state == Stands::of(&request, now_ms))
            && filter.kind.is_none_or(|kind| kind.as_str() == request.kind);
        let theirs = wanted && (request.principal == permit.subject() || covers(&request.scope));
        theirs.then(|| view(request, now_ms))
    };
    let (requests, next) = page.fill(read, key, keep).await?;
    Ok(Json(page.answer(&requests, next)))
}

/// `GET /api/v1/requests/{id}`, with the tag that a decision may ask for. What is another's is not there, but for who may
/// read it.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
) -> Result<Response, Problem> {
    let request = store::requests::get(&app.store, &id).await?;
    if request.principal != permit.subject() && !permit.covers(&request.scope) {
        return Err(Problem::not_found("request"));
    }
    let tag = etag::tag(&request);
    Ok(etag::tagged(&tag, Json(view(request, app.gateway.clock.now_ms()))))
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
    body: Result<Body<Ask>, Problem>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let Body(ask) = body?;
    let reason = reason(Some(&ask.reason))?;
    let now_ms = app.gateway.clock.now_ms();
    let usual_ms = now_ms.saturating_add(USUAL_DAYS * DAY_MS);
    let expires_ms = ask.expires.map_or(usual_ms, |at| at.timestamp_millis());
    if expires_ms <= now_ms || expires_ms - now_ms > LONGEST_DAYS * DAY_MS {
        let told = format!("it is within {LONGEST_DAYS} days to come");
        return Err(Problem::wrong_field("/expires", &told));
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
        "request": request.id, "kind": request.kind, "reason": request.reason, "before": null,
        "after": asked.told, "expires_ms": expires_ms,
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
pub(super) struct Why {
    reason: Option<String>,
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

/// Whether two are different people, as far as anybody knows: behind both is nobody who is the same. Where it is not known
/// who is behind one of them, they are not.
async fn are_apart(app: &App, one: &str, other: &str) -> Result<bool, Problem> {
    let (first, second) = (makers(app, one).await?, makers(app, other).await?);
    Ok(first.zip(second).is_some_and(|(first, second)| first.is_disjoint(&second)))
}

/// Who acts, as everybody whom they are known as; of a token who made it and who has claimed it, and so on. `None` where
/// that has no end.
async fn makers(app: &App, subject: &str) -> Result<Option<BTreeSet<String>>, Problem> {
    let mut found = BTreeSet::from([subject.to_owned()]);
    let mut open = vec![subject.to_owned()];
    for _ in 0..DEEPEST {
        let Some(last) = open.pop() else { return Ok(Some(found)) };
        let behind: Vec<String> = match last.split_once(':') {
            Some(("user", id)) => {
                let same = store::people::same(&app.store, id).await?;
                same.into_iter().map(|id| format!("user:{id}")).collect()
            }
            Some(("token", id)) => match store::service_tokens::get(&app.store, id).await {
                Ok(token) => token.created_by.into_iter().chain(token.claimed_by).collect(),
                Err(store::StoreError::NotFound(_)) => Vec::new(),
                Err(error) => return Err(error.into()),
            },
            _ => Vec::new(),
        };
        open.extend(behind.into_iter().filter(|name| found.insert(name.clone())));
    }
    Ok(open.is_empty().then_some(found))
}

/// Who asked and may not ask any more gets nothing.
async fn still_asks(app: &App, request: &Request) -> Result<(), Problem> {
    let (object, action) = ASK;
    let actor = Actor::of_principal(app, &request.principal).await?;
    if actor.is_some_and(|actor| actor.may(app, &request.scope, object, action)) {
        return Ok(());
    }
    let title = "Who asked may not ask for it any more";
    Err(Problem::new(StatusCode::CONFLICT, "conflict", title).fix("refuse the request"))
}

/// `POST /api/v1/requests/{id}/approve`: carried out when this answers.
pub(super) async fn approve(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
    body: Result<OptionalBody<Why>, Problem>,
) -> Result<Json<Value>, Problem> {
    let request = to_decide(&app, &permit, &id).await?;
    let OptionalBody(why) = body?;
    let because = why.reason.map(|text| reason(Some(&text))).transpose()?;
    still_asks(&app, &request).await?;
    let granted = kinds::granted(&app, &permit, &request).await?;
    let seen = expected.seen(&request)?;
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
    let change = async {
        Ok::<_, Problem>(store::requests::decide(&app.store, &id, decision, granted.effect, seen).await?)
    };
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
    At(id): At<String>,
    expected: IfMatch,
    body: Result<OptionalBody<Why>, Problem>,
) -> Result<Json<Value>, Problem> {
    let request = to_decide(&app, &permit, &id).await?;
    let OptionalBody(why) = body?;
    let because = reason(why.reason.as_deref())?;
    let end = End { state: "refused", name: "request_refused", because: Some(because) };
    ended(&app, &permit, &request, &expected, end).await
}

/// `POST /api/v1/requests/{id}/withdraw`: by who asked.
pub(super) async fn withdraw(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
) -> Result<Json<Value>, Problem> {
    let request = store::requests::get(&app.store, &id).await?;
    if request.principal != permit.subject() {
        // In the words of one that is not there.
        return Err(Problem::not_found("request"));
    }
    open(&app, &request)?;
    let end = End { state: "withdrawn", name: "request_withdrawn", because: None };
    ended(&app, &permit, &request, &expected, end).await
}

/// How a request ends that is not carried out.
struct End {
    state: &'static str,
    name: &'static str,
    because: Option<String>,
}

async fn ended(
    app: &App,
    permit: &Permit,
    request: &Request,
    expected: &IfMatch,
    end: End,
) -> Result<Json<Value>, Problem> {
    let End { state, name, because } = end;
    let seen = expected.seen(request)?;
    let what = json!({
        "request": request.id, "kind": request.kind, "asked_by": request.principal, "because": because,
        "before": { "state": request.state }, "after": { "state": state },
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
        let (store, nothing) = (&app.store, Effect::default());
        Ok::<_, Problem>(store::requests::decide(store, &request.id, decision, nothing, seen).await?)
    };
    app.act_aside(act(permit, &request.scope, name, what), |()| Value::Null, change).await?;
    told(app, &request.id).await
}
