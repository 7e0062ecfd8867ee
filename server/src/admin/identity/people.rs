//! People who have signed in.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use bailiwick_ledger::Kind;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{Problem, told};
use super::{reason, shown};
use crate::admin::etag::{self, IfMatch};
use crate::admin::input::{Asked, At, Body};
use crate::admin::page::Page;
use crate::app::{Act, App};
use crate::identity::{Actor, Permit, PushedGroups, pushed_groups};
use crate::store;
use crate::store::identities::Identity;
use crate::store::leaving::{Ending, Left};
use crate::store::people::Person;

/// Which people are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::admin) struct Filter {
    disabled: Option<bool>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/people`: by id.
pub(in crate::admin) async fn list(
    State(app): State<Arc<App>>,
    filter: Result<Asked<Filter>, Problem>,
) -> Result<Json<Value>, Problem> {
    let Asked(filter) = filter?;
    let page = Page::of("people", filter.limit, filter.cursor.as_deref())?;
    let limit = page.limit.saturating_add(1) as u64;
    let rows = store::people::page(&app.store, filter.disabled, page.after.as_deref(), limit).await?;
    let (rows, next) = page.cut(rows, false, |person| person.id.clone());
    let ids: Vec<&str> = rows.iter().map(|person| person.id.as_str()).collect();
    let identities = store::identities::of_all(&app.store, &ids).await?;
    let pushed = pushed_groups(&app, &ids).await?;
    let mut people = Vec::new();
    for person in rows {
        let own: Vec<Identity> =
            identities.iter().filter(|identity| identity.person == person.id).cloned().collect();
        people.push(view(&app, person, &own, pushed.as_ref()));
    }
    Ok(Json(page.answer(&people, next)))
}

/// `GET /api/v1/people/{id}`, with the tag that a change may ask for.
pub(in crate::admin) async fn get(
    State(app): State<Arc<App>>,
    At(id): At<String>,
) -> Result<Response, Problem> {
    let person = store::people::get(&app.store, &id).await?;
    let identities = store::identities::of(&app.store, &id).await?;
    let pushed = pushed_groups(&app, &[id.as_str()]).await?;
    let tag = etag::tag(&person);
    Ok(etag::tagged(&tag, Json(view(&app, person, &identities, pushed.as_ref()))))
}

fn view(app: &App, person: Person, own: &[Identity], pushed: Option<&PushedGroups<'_>>) -> Value {
    let known: Vec<Value> = own
        .iter()
        .map(|identity| {
            json!({
                "provider": identity.provider, "subject": identity.subject,
                "groups": identity.groups, "claims": identity.claims, "seen_ms": identity.seen_ms,
            })
        })
        .collect();
    let (id, name, email) = (person.id.clone(), person.display_name.clone(), person.email.clone());
    let (created_ms, disabled_ms, erased_ms) = (person.created_ms, person.disabled_ms, person.erased_ms);
    let (deprovisioned_ms, joined_into) = (person.deprovisioned_ms, person.joined_into.clone());
    let actor = Actor::of_row(app, person, own, pushed);
    json!({
        "id": id, "name": name, "email": email,
        "identities": known, "roles": actor.map(|actor| shown(actor.roles(app))).unwrap_or_default(),
        "created_ms": created_ms, "disabled_ms": disabled_ms,
        "deprovisioned_ms": deprovisioned_ms, "erased_ms": erased_ms, "joined_into": joined_into,
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Why {
    reason: String,
}

/// Why what somebody had ends.
const BECAUSE: &str = "their owner was disabled here";

/// `POST /api/v1/people/{id}/disable`: forbids to sign in, and ends what ends with them.
pub(in crate::admin) async fn disable(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
    body: Result<Body<Why>, Problem>,
) -> Result<Json<Value>, Problem> {
    let person = store::people::get(&app.store, &id).await?;
    let Body(why) = body?;
    let now_ms = app.gateway.clock.now_ms();
    let before = told::person(&person);
    let after = told::with(&before, json!({ "disabled_ms": now_ms }));
    let what = json!({ "person": id, "reason": reason(&why.reason)?, "before": before, "after": after });
    let seen = expected.seen(&person)?;
    let change = async {
        let ending = Ending { because: String::from(BECAUSE), spared: None };
        Ok::<_, Problem>(store::people::disable(&app.store, &id, &ending, now_ms, seen).await?)
    };
    let left = app.act(act(&permit, "person_disabled", what), Left::told, change).await?;
    Ok(Json(json!({ "id": id, "disabled": true, "ended": left })))
}

/// `POST /api/v1/people/{id}/erase`: nothing but the id is left of them here; for good.
pub(in crate::admin) async fn erase(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
    body: Result<Body<Why>, Problem>,
) -> Result<Json<Value>, Problem> {
    let person = store::people::get(&app.store, &id).await?;
    let Body(why) = body?;
    let what = json!({ "person": id, "reason": reason(&why.reason)?, "before": told::person(&person), "after": null });
    if store::scim_users::find(&app.store, &id).await?.is_some() {
        return Err(Problem::new(StatusCode::CONFLICT, "conflict", "The identity provider pushes them")
            .fix("take them away there first, or they are pushed again"));
    }
    let seen = expected.seen(&person)?;
    let change = async {
        let now_ms = app.gateway.clock.now_ms();
        let ending = Ending { because: String::from("their owner was erased here"), spared: None };
        Ok::<_, Problem>(store::people::erase(&app.store, &id, &ending, now_ms, seen).await?)
    };
    let left = app.act(act(&permit, "person_erased", what), Left::told, change).await?;
    Ok(Json(json!({ "id": id, "erased": true, "ended": left })))
}

/// `POST /api/v1/people/{id}/enable`.
pub(in crate::admin) async fn enable(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
) -> Result<Json<Value>, Problem> {
    let person = store::people::get(&app.store, &id).await?;
    if person.deprovisioned_ms.is_some() {
        let title = "The identity provider says that they may not sign in";
        return Err(Problem::new(StatusCode::CONFLICT, "conflict", title)
            .fix("let them be active at the provider: it will push that here"));
    }
    if let Some(other) = &person.joined_into {
        return Err(Problem::new(StatusCode::CONFLICT, "conflict", "They are somebody else by now")
            .fix(format!("enable {other}")));
    }
    let seen = expected.seen(&person)?;
    let change = async { Ok::<_, Problem>(store::people::enable(&app.store, &id, seen).await?) };
    let before = told::person(&person);
    let after = told::with(&before, json!({ "disabled_ms": null }));
    let what = json!({ "person": id, "before": before, "after": after });
    app.act_aside(act(&permit, "person_enabled", what), nothing, change).await?;
    Ok(Json(json!({ "id": id, "disabled": false })))
}

fn act<'a>(permit: &'a Permit, name: &'static str, what: Value) -> Act<'a> {
    Act { kind: Kind::Admin, principal: permit.subject(), scope: Some("/"), name, what }
}

fn nothing((): &()) -> Value {
    Value::Null
}
