//! People who have signed in.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use bailiwick_ledger::Kind;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Problem;
use super::{reason, shown};
use crate::app::{Act, App};
use crate::identity::{Actor, Permit};
use crate::store;

/// `GET /api/v1/people`.
pub(in crate::admin) async fn list(State(app): State<Arc<App>>) -> Result<Json<Value>, Problem> {
    let identities = store::identities::list(&app.store).await?;
    let mut people = Vec::new();
    for person in store::people::list(&app.store).await? {
        let known: Vec<Value> = identities
            .iter()
            .filter(|identity| identity.person == person.id)
            .map(|identity| {
                json!({
                    "provider": identity.provider, "subject": identity.subject,
                    "groups": identity.groups, "seen_ms": identity.seen_ms,
                })
            })
            .collect();
        let actor = Actor::of_person(&app, &person.id).await?;
        people.push(json!({
            "id": person.id, "name": person.display_name, "email": person.email,
            "identities": known, "roles": actor.map(|actor| shown(actor.roles(&app))).unwrap_or_default(),
            "created_ms": person.created_ms, "disabled_ms": person.disabled_ms,
            "deprovisioned_ms": person.deprovisioned_ms, "erased_ms": person.erased_ms,
        }));
    }
    Ok(Json(json!({ "people": people })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Why {
    reason: String,
}

/// `POST /api/v1/people/{id}/disable`: forbids to sign in and ends every session.
pub(in crate::admin) async fn disable(
    State(app): State<Arc<App>>,
    permit: Permit,
    Path(id): Path<String>,
    body: Result<Json<Why>, JsonRejection>,
) -> Result<Json<Value>, Problem> {
    store::people::get(&app.store, &id).await?;
    let Json(why) = body.map_err(|error| Problem::invalid(error.body_text()))?;
    let what = json!({ "person": id, "reason": reason(&why.reason)? });
    let change = async {
        let now_ms = app.gateway.clock.now_ms();
        Ok::<_, Problem>(store::people::disable(&app.store, &id, now_ms).await?)
    };
    app.act_aside(act(&permit, "person_disabled", what), nothing, change).await?;
    Ok(Json(json!({ "id": id, "disabled": true })))
}

/// `POST /api/v1/people/{id}/enable`.
pub(in crate::admin) async fn enable(
    State(app): State<Arc<App>>,
    permit: Permit,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let person = store::people::get(&app.store, &id).await?;
    if person.deprovisioned_ms.is_some() {
        let title = "The identity provider says that they may not sign in";
        return Err(Problem::new(StatusCode::CONFLICT, "conflict", title)
            .fix("let them be active at the provider: it will push that here"));
    }
    let change = async { Ok::<_, Problem>(store::people::enable(&app.store, &id).await?) };
    app.act_aside(act(&permit, "person_enabled", json!({ "person": id })), nothing, change).await?;
    Ok(Json(json!({ "id": id, "disabled": false })))
}

fn act<'a>(permit: &'a Permit, name: &'static str, what: Value) -> Act<'a> {
    Act { kind: Kind::Admin, principal: permit.subject(), scope: Some("/"), name, what }
}

fn nothing((): &()) -> Value {
    Value::Null
}
