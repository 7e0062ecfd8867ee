//! Sessions: listed and ended, one's own by anybody.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bailiwick_ledger::Kind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Problem;
use crate::admin::input::{Asked, At};
use crate::admin::page::{Page, number, of_number};
use crate::app::{Act, App};
use crate::identity::Permit;
use crate::store;
use crate::store::sessions::{Holds, Session};

/// What makes a session hold now.
fn holds(app: &App) -> Holds {
    let now_ms = app.gateway.clock.now_ms();
    Holds { now_ms, seen_after_ms: now_ms - app.config.identity.session.idle_ms() }
}

fn is_own(permit: &Permit, session: &Session) -> bool {
    permit.actor().session.as_ref().is_some_and(|own| own.person == session.person)
}

/// Which sessions are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::admin) struct Filter {
    person: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/sessions`: newest first.
pub(in crate::admin) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    filter: Result<Asked<Filter>, Problem>,
) -> Result<Json<Value>, Problem> {
    let Asked(filter) = filter?;
    let page = Page::of("sessions", filter.limit, filter.cursor.as_deref())?;
    let this = permit.actor().session.as_ref();
    let person = match (permit.covers("/"), filter.person, this) {
        (true, person, _) => person,
        // Others' are not there.
        (false, None, Some(own)) => Some(own.person.clone()),
        (false, Some(person), Some(own)) if person == own.person => Some(person),
        (false, ..) => return Ok(Json(page.answer::<Value>(&[], None))),
    };
    let before = page.after.as_deref().and_then(|key| key.split_once(' '));
    let before = before.and_then(|(at, id)| Some((of_number(at)?, id)));
    let limit = page.limit.saturating_add(1) as u64;
    let mut rows = store::sessions::page(&app.store, holds(&app), person.as_deref(), before, limit).await?;
    let more = rows.len() > page.limit;
    rows.truncate(page.limit);
    let next = rows.last().filter(|_| more).map(|last| {
        let id = last.public_id.as_deref().unwrap_or_default();
        page.behind(&format!("{} {id}", number(last.created_ms)))
    });
    let sessions: Vec<Value> = rows
        .iter()
        .map(|session| {
            let current = this.is_some_and(|own| session.public_id.as_ref() == Some(&own.id));
            json!({
                "id": session.public_id, "person": session.person, "method": session.method,
                "provider": session.provider, "created_ms": session.created_ms,
                "seen_ms": session.seen_ms, "expires_ms": session.expires_ms, "this": current,
            })
        })
        .collect();
    Ok(Json(page.answer(&sessions, next)))
}

/// `DELETE /api/v1/sessions/{id}`.
pub(in crate::admin) async fn end(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
) -> Result<Json<Value>, Problem> {
    let any = permit.covers("/");
    let found = store::sessions::named(&app.store, holds(&app), &id).await?;
    // Another's is not there for who may not end it.
    let session = found
        .filter(|session| any || is_own(&permit, session))
        .ok_or_else(|| Problem::not_found("session"))?;
    let before = json!({ "method": session.method, "expires_ms": session.expires_ms });
    let what = json!({ "session": id, "person": session.person, "before": before, "after": null });
    let act =
        Act { kind: Kind::SignIn, principal: permit.subject(), scope: None, name: "session_ended", what };
    let change = async {
        let now_ms = app.gateway.clock.now_ms();
        Ok::<_, Problem>(store::sessions::end(&app.store, &session.id_hash, now_ms).await?)
    };
    app.act_aside(act, |()| Value::Null, change).await?;
    Ok(Json(json!({ "id": id, "ended": true })))
}
