//! Sessions: listed and ended, one's own by anybody.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use bailiwick_ledger::Kind;
use serde_json::{Value, json};

use super::super::Problem;
use crate::app::{Act, App};
use crate::identity::Permit;
use crate::store;
use crate::store::sessions::Session;

/// Sessions that still hold.
async fn open(app: &App) -> Result<Vec<Session>, Problem> {
    let now_ms = app.gateway.clock.now_ms();
    let idle_ms = app.config.identity.session.idle_ms();
    let mut sessions = store::sessions::list(&app.store, now_ms).await?;
    sessions.retain(|session| session.seen_ms > now_ms - idle_ms);
    Ok(sessions)
}

fn is_own(permit: &Permit, session: &Session) -> bool {
    permit.actor().session.as_ref().is_some_and(|own| own.person == session.person)
}

/// `GET /api/v1/sessions`.
pub(in crate::admin) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
) -> Result<Json<Value>, Problem> {
    let all = permit.covers("/");
    let this = permit.actor().session.as_ref().map(|session| session.id.as_str());
    let sessions: Vec<Value> = open(&app)
        .await?
        .iter()
        .filter(|session| all || is_own(&permit, session))
        .map(|session| {
            json!({
                "id": session.public_id, "person": session.person, "method": session.method,
                "provider": session.provider, "created_ms": session.created_ms,
                "seen_ms": session.seen_ms, "expires_ms": session.expires_ms,
                "this": session.public_id.as_deref() == this && this.is_some(),
            })
        })
        .collect();
    Ok(Json(json!({ "sessions": sessions })))
}

/// `DELETE /api/v1/sessions/{id}`.
pub(in crate::admin) async fn end(
    State(app): State<Arc<App>>,
    permit: Permit,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let any = permit.covers("/");
    let found = open(&app).await?.into_iter().find(|session| session.public_id.as_ref() == Some(&id));
    // Another's is not there for who may not end it.
    let session = found
        .filter(|session| any || is_own(&permit, session))
        .ok_or_else(|| Problem::not_found("session"))?;
    let what = json!({ "session": id, "person": session.person });
    let act =
        Act { kind: Kind::SignIn, principal: permit.subject(), scope: None, name: "session_ended", what };
    let change = async {
        let now_ms = app.gateway.clock.now_ms();
        Ok::<_, Problem>(store::sessions::end(&app.store, &session.id_hash, now_ms).await?)
    };
    app.act_aside(act, |()| Value::Null, change).await?;
    Ok(Json(json!({ "id": id, "ended": true })))
}
