//! Service tokens: for CI, Terraform, the command line. Each holds roles at a scope, and ends.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use bailiwick_ledger::Kind;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Problem, told};
use crate::admin::etag::{self, IfMatch};
use crate::admin::input::{Asked, At, Body, OptionalBody};
use crate::admin::page::Page;
use crate::app::{Act, App};
use crate::identity::{Permit, ServiceTokenText};
use crate::organisation::ApplyError;
use crate::store;
use crate::store::service_tokens::ServiceToken;

/// How long a token lives where the request does not say, and at most.
const USUAL_DAYS: i64 = 90;
const LONGEST_DAYS: i64 = 365;
const DAY_MS: i64 = 86_400_000;
/// How long a replaced token works beside its successor where the request does not say, and at most.
const OVERLAP_HOURS: u32 = 24;
const LONGEST_OVERLAP_HOURS: u32 = 720;
/// Characters of a name.
const LONGEST_NAME: usize = 100;

/// Whether a token may be used, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TokenState {
    Valid,
    Suspended,
    Rotated,
    Expired,
    Revoked,
}

/// A token as everybody may see it.
#[derive(Debug, Serialize)]
struct TokenView {
    id: String,
    name: String,
    scope: String,
    roles: Value,
    state: TokenState,
    created_ms: i64,
    created_by: Option<String>,
    expires_ms: Option<i64>,
    last_used_ms: Option<i64>,
    revoked_ms: Option<i64>,
    rotated_to: Option<String>,
    suspended_ms: Option<i64>,
    suspended_because: Option<String>,
    claimed_by: Option<String>,
}

fn view(row: ServiceToken, now_ms: i64) -> TokenView {
    let state = if row.revoked_ms.is_some() {
        TokenState::Revoked
    } else if row.expires_ms.is_some_and(|at| at <= now_ms) {
        TokenState::Expired
    } else if row.suspended_ms.is_some() {
        TokenState::Suspended
    } else if row.rotated_to.is_some() {
        TokenState::Rotated
    } else {
        TokenState::Valid
    };
    TokenView {
        id: row.id,
        name: row.name,
        scope: row.scope,
        roles: row.roles,
        state,
        created_ms: row.created_ms,
        created_by: row.created_by,
        expires_ms: row.expires_ms,
        last_used_ms: row.last_used_ms,
        revoked_ms: row.revoked_ms,
        rotated_to: row.rotated_to,
        suspended_ms: row.suspended_ms,
        suspended_because: row.suspended_because,
        claimed_by: row.claimed_by,
    }
}

/// Which tokens are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::admin) struct Filter {
    scope: Option<String>,
    state: Option<TokenState>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/service-tokens`: revoked and expired ones too, by id.
pub(in crate::admin) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    filter: Result<Asked<Filter>, Problem>,
) -> Result<Json<Value>, Problem> {
    let Asked(filter) = filter?;
    let page = Page::of("service_tokens", filter.limit, filter.cursor.as_deref())?;
    let scopes = permit.scopes_within(filter.scope.as_deref());
    let now_ms = app.gateway.clock.now_ms();
    let mut covers = permit.covering();
    let (store, within) = (&app.store, &scopes);
    let read = |after: Option<String>, limit| async move {
        store::service_tokens::page(store, within, after.as_deref(), limit).await
    };
    let keep = |row: ServiceToken| {
        let token = covers(&row.scope).then(|| view(row, now_ms))?;
        filter.state.is_none_or(|state| state == token.state).then_some(token)
    };
    let (tokens, next) = page.fill(read, |row| row.id.clone(), keep).await?;
    Ok(Json(page.answer(&tokens, next)))
}

/// What a token is called as it is now, however often it was used.
fn tag(row: &ServiceToken) -> String {
    etag::tag(&ServiceToken { last_used_ms: None, ..row.clone() })
}

/// `GET /api/v1/service-tokens/{id}`, with the tag that a change may ask for.
pub(in crate::admin) async fn get(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
) -> Result<Response, Problem> {
    let row = store::service_tokens::get(&app.store, &id).await?;
    permit.at(&row.scope, "service token")?;
    Ok(etag::tagged(&tag(&row), Json(view(row, app.gateway.clock.now_ms()))))
}

/// The body of `POST /api/v1/service-tokens`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct NewToken {
    name: String,
    #[serde(default = "root")]
    scope: String,
    /// Without `role:`.
    roles: Vec<String>,
    #[serde(default)]
    expires: Option<DateTime<Utc>>,
}

fn root() -> String {
    String::from("/")
}

/// A token with its secret: shown once.
#[derive(Serialize)]
pub(in crate::admin) struct ShownToken {
    id: String,
    token: String,
    expires_ms: i64,
}

/// `POST /api/v1/service-tokens`.
pub(in crate::admin) async fn create(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<Body<NewToken>, Problem>,
) -> Result<(StatusCode, Json<ShownToken>), Problem> {
    let Body(new) = body?;
    bailiwick_policy::scope::validate(&new.scope).map_err(|why| Problem::wrong_field("/scope", &why))?;
    permit.at(&new.scope, "scope")?;
    let name = new.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Problem::wrong_field("/name", &format!("it has 1 to {LONGEST_NAME} characters")));
    }
    may_give(&app, &permit, &new.roles, &new.scope)?;
    let now_ms = app.gateway.clock.now_ms();
    let usual = now_ms.saturating_add(USUAL_DAYS * DAY_MS);
    let expires_ms = expiry(new.expires.map_or(usual, |at| at.timestamp_millis()), now_ms)?;
    store::scopes::get(&app.store, &new.scope).await?;
    let token = ServiceTokenText::generate().map_err(ApplyError::from)?;
    let mut row = token.row(&name, &new.scope, json!(new.roles), now_ms);
    row.expires_ms = Some(expires_ms);
    row.created_by = Some(permit.subject().to_owned());
    let what = json!({ "token": row.id, "before": null, "after": told::token(&row) });
    let change = async { Ok::<_, Problem>(store::service_tokens::create(&app.store, row).await?) };
    app.act_aside(act(&permit, &new.scope, "service_token_created", what), nothing, change).await?;
    let shown = ShownToken { id: token.id().to_owned(), token: token.reveal(), expires_ms };
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Nobody gives a role that would let its holder do what the giver may not.
fn may_give(app: &App, permit: &Permit, roles: &[String], scope: &str) -> Result<(), Problem> {
    if roles.is_empty() {
        return Err(Problem::wrong_field(
            "/roles",
            "it names at least one role: a token without any may do nothing",
        ));
    }
    let snapshot = app.gateway.snapshot.load();
    let rbac = &snapshot.policy.bundle().rbac;
    for name in roles {
        let role = format!("role:{name}");
        if !rbac.knows_role(&role) {
            let known: Vec<&str> =
                rbac.roles().into_iter().map(|role| role.trim_start_matches("role:")).collect();
            return Err(Problem::wrong_field("/roles", &format!("the policy in force has no role `{name}`"))
                .fix(format!("there are {}", known.join(", "))));
        }
        if let Some(grant) = rbac.lacks(&permit.actor().held, &role, scope) {
            let title = "Nobody can give what they do not have";
            return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", title).detail(format!(
                "`{name}` in {scope} may do `{}` on `{}`, and {} may not",
                grant.action,
                grant.object,
                permit.subject()
            )));
        }
    }
    Ok(())
}

fn expiry(expires_ms: i64, now_ms: i64) -> Result<i64, Problem> {
    if expires_ms <= now_ms {
        return Err(Problem::wrong_field("/expires", "it is in the past"));
    }
    if expires_ms - now_ms > LONGEST_DAYS * DAY_MS {
        return Err(Problem::wrong_field("/expires", &format!("it is more than {LONGEST_DAYS} days away"))
            .fix("take a shorter time, and replace the token before it ends"));
    }
    Ok(expires_ms)
}

/// The body of `POST /api/v1/service-tokens/{id}/rotate`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::admin) struct Rotation {
    overlap_hours: Option<u32>,
    expires: Option<DateTime<Utc>>,
}

/// `POST /api/v1/service-tokens/{id}/rotate`: the same roles under a new id and secret. A token may replace itself.
pub(in crate::admin) async fn rotate(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
    body: Result<OptionalBody<Rotation>, Problem>,
) -> Result<Json<ShownToken>, Problem> {
    let old = store::service_tokens::get(&app.store, &id).await?;
    permit.at(&old.scope, "service token")?;
    let OptionalBody(rotation) = body?;
    let overlap_hours = rotation.overlap_hours.unwrap_or(OVERLAP_HOURS);
    if overlap_hours > LONGEST_OVERLAP_HOURS {
        return Err(Problem::wrong_field(
            "/overlap_hours",
            &format!("it is at most {LONGEST_OVERLAP_HOURS}"),
        ));
    }
    let seen = expected.seen_as(&old, &tag(&old))?;
    let now_ms = app.gateway.clock.now_ms();
    if old.revoked_ms.is_some() || old.expires_ms.is_some_and(|at| at <= now_ms) {
        return Err(
            Problem::new(StatusCode::CONFLICT, "conflict", "The token has ended").fix("create a new one")
        );
    }
    if old.suspended_ms.is_some() {
        let title = "Nobody answers for the token";
        return Err(
            Problem::new(StatusCode::CONFLICT, "conflict", title).fix("claim it, or create a new one")
        );
    }
    let roles: Vec<String> = serde_json::from_value(old.roles.clone()).unwrap_or_default();
    may_give(&app, &permit, &roles, &old.scope)?;
    let usual = now_ms.saturating_add(USUAL_DAYS * DAY_MS);
    let expires_ms = expiry(rotation.expires.map_or(usual, |at| at.timestamp_millis()), now_ms)?;
    let token = ServiceTokenText::generate().map_err(ApplyError::from)?;
    let mut row = token.row(&old.name, &old.scope, old.roles.clone(), now_ms);
    row.expires_ms = Some(expires_ms);
    row.created_by = Some(permit.subject().to_owned());
    let until_ms = now_ms.saturating_add(i64::from(overlap_hours) * 3_600_000);
    let what = json!({
        "token": old.id, "replaced_by": row.id, "until_ms": until_ms, "before": told::token(&old),
        "after": told::token(&row),
    });
    let change = async {
        Ok::<_, Problem>(store::service_tokens::rotate(&app.store, &id, row, until_ms, seen).await?)
    };
    app.act_aside(act(&permit, &old.scope, "service_token_rotated", what), nothing, change).await?;
    Ok(Json(ShownToken { id: token.id().to_owned(), token: token.reveal(), expires_ms }))
}

/// `POST /api/v1/service-tokens/{id}/claim`: who asks answers for it from now on, and it works again where it was suspended.
pub(in crate::admin) async fn claim(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
) -> Result<Json<Value>, Problem> {
    let row = store::service_tokens::get(&app.store, &id).await?;
    permit.at(&row.scope, "service token")?;
    let seen = expected.seen_as(&row, &tag(&row))?;
    let now_ms = app.gateway.clock.now_ms();
    if row.revoked_ms.is_some() || row.expires_ms.is_some_and(|at| at <= now_ms) {
        return Err(
            Problem::new(StatusCode::CONFLICT, "conflict", "The token has ended").fix("create a new one")
        );
    }
    let roles: Vec<String> = serde_json::from_value(row.roles.clone()).unwrap_or_default();
    may_give(&app, &permit, &roles, &row.scope)?;
    let answers = row.claimed_by.as_ref().or(row.created_by.as_ref());
    let what = json!({
        "token": id, "roles": roles,
        "before": { "answers": answers, "suspended": row.suspended_ms.is_some() },
        "after": { "answers": permit.subject(), "suspended": false },
    });
    let change = async {
        Ok::<_, Problem>(store::service_tokens::claim(&app.store, &id, permit.subject(), seen).await?)
    };
    app.act_aside(act(&permit, &row.scope, "service_token_claimed", what), nothing, change).await?;
    let row = store::service_tokens::get(&app.store, &id).await?;
    Ok(Json(json!(view(row, now_ms))))
}

/// `POST /api/v1/service-tokens/{id}/revoke`: no server takes it any more when this answers.
pub(in crate::admin) async fn revoke(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
) -> Result<Json<Value>, Problem> {
    let row = store::service_tokens::get(&app.store, &id).await?;
    permit.at(&row.scope, "service token")?;
    let seen = expected.seen_as(&row, &tag(&row))?;
    let now_ms = app.gateway.clock.now_ms();
    let change =
        async { Ok::<_, Problem>(store::service_tokens::revoke(&app.store, &id, now_ms, seen).await?) };
    let before = told::token(&row);
    let after = told::with(&before, json!({ "revoked_ms": row.revoked_ms.unwrap_or(now_ms) }));
    let what = json!({ "token": id, "before": before, "after": after });
    let act = act(&permit, &row.scope, "service_token_revoked", what);
    app.act_aside(act, nothing, change).await?;
    let row = store::service_tokens::get(&app.store, &id).await?;
    Ok(Json(json!(view(row, now_ms))))
}

fn act<'a>(permit: &'a Permit, scope: &'a str, name: &'static str, what: Value) -> Act<'a> {
    Act { kind: Kind::Admin, principal: permit.subject(), scope: Some(scope), name, what }
}

fn nothing((): &()) -> Value {
    Value::Null
}
