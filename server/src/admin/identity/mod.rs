//! Who may get in and what they may do: oneself, people, sessions, service tokens, roles.

pub(super) mod people;
pub(super) mod roles;
pub(super) mod sessions;
pub(super) mod tokens;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bailiwick_policy::Held;
use serde_json::{Value, json};

use super::Problem;
use crate::app::App;
use crate::identity::Permit;

/// Characters of a reason.
const LONGEST_REASON: usize = 500;

/// Roles as `{"role", "scope"}`.
fn shown(roles: Vec<Held>) -> Vec<Value> {
    let shown = |held: Held| json!({ "role": held.subject.trim_start_matches("role:"), "scope": held.scope });
    roles.into_iter().map(shown).collect()
}

fn reason(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > LONGEST_REASON {
        return Err(Problem::wrong_field(
            "/reason",
            &format!("it says why, in 1 to {LONGEST_REASON} characters"),
        ));
    }
    Ok(text.to_owned())
}

/// `GET /api/v1/me`.
pub(super) async fn me(State(app): State<Arc<App>>, permit: Permit) -> Json<Value> {
    let actor = permit.actor();
    let of = |kind: &str| -> Vec<&str> {
        actor.held.iter().filter_map(|held| held.subject.strip_prefix(kind)).collect()
    };
    let session = actor.session.as_ref().map(|session| {
        json!({
            "id": session.id, "provider": session.provider, "csrf": session.csrf,
            "authenticated_ms": session.authenticated_ms,
        })
    });
    Json(json!({
        "subject": actor.subject, "name": actor.name, "groups": of("group:"),
        "group_ids": of("group-id:"), "claims": of("claim:"),
        "roles": shown(actor.roles(&app)), "session": session,
    }))
}
