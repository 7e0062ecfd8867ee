//! Replacing a key: a new one with the same rights under a new id, so that records tell which of the two was used. Budgets
//! and limits follow the line. The old one works on for the overlap.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;

use super::{Problem, ShownKey, act, nothing, reach, told};
use crate::admin::etag::IfMatch;
use crate::admin::input::{At, OptionalBody};
use crate::app::App;
use crate::identity::Permit;
use crate::keys::VirtualKey;
use crate::organisation::{ApplyError, KeySettings};
use crate::store;

/// How long a rotated key works beside its successor where the request does not say.
const OVERLAP_HOURS: i64 = 24;

/// The body of `POST /api/v1/keys/{id}/rotate`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::admin) struct Rotation {
    overlap_hours: Option<u32>,
    /// The new key's end; the old one's where absent.
    expires: Option<chrono::DateTime<chrono::Utc>>,
}

/// `POST /api/v1/keys/{id}/rotate`.
pub(in crate::admin) async fn rotate(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
    body: Result<OptionalBody<Rotation>, Problem>,
) -> Result<Json<ShownKey>, Problem> {
    let old = reach(&app, &permit, &id).await?;
    if old.workload.is_some() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "conflict",
            "The key was given in exchange for a token",
        )
        .fix("exchange another token for another key"));
    }
    let OptionalBody(rotation) = body?;
    let seen = expected.seen(&old)?;
    let now_ms = app.gateway.clock.now_ms();
    let expires_ms = rotation.expires.map(|at| at.timestamp_millis()).or(old.expires_ms);
    if expires_ms.is_some_and(|at| at <= now_ms) {
        return Err(match rotation.expires {
            Some(_) => Problem::wrong_field("/expires", "it is in the past"),
            None => Problem::new(StatusCode::CONFLICT, "conflict", "The key has expired")
                .detail("a key with the same end could not be used")
                .fix("give `expires` for the new one"),
        });
    }
    let overlap_ms = rotation.overlap_hours.map_or(OVERLAP_HOURS, i64::from).saturating_mul(3_600_000);
    let mut settings: KeySettings = serde_json::from_value(old.settings.clone())
        .map_err(|error| Problem::invalid(format!("the key's settings are damaged: {error}")))?;
    settings.line.get_or_insert_with(|| old.id.clone());
    let key = VirtualKey::generate().map_err(ApplyError::from)?;
    let replacement = store::keys::VirtualKey {
        id: key.id().to_owned(),
        secret_hash: key.digest().to_vec(),
        settings: serde_json::to_value(&settings).map_err(|error| Problem::invalid(error.to_string()))?,
        created_ms: now_ms,
        expires_ms,
        revoked_ms: None,
        rotated_to: None,
        overlap_until_ms: None,
        ..old.clone()
    };
    let until_ms = now_ms.saturating_add(overlap_ms);
    let before = told::key(&old, &app.gateway.pseudonyms);
    let after = told::key(&replacement, &app.gateway.pseudonyms);
    let what = serde_json::json!({
        "key": old.id, "replaced_by": key.id(), "until_ms": until_ms, "before": before, "after": after,
    });
    let change = async {
        store::keys::rotate(&app.store, &old.id, replacement, until_ms, seen).await?;
        Ok::<_, Problem>(())
    };
    let shown = ShownKey { id: key.id().to_owned(), key: key.reveal() };
    // What is stored and cannot be put in force is stored: its secret is told in any case.
    let mut stored = false;
    let made = |(): &()| {
        stored = true;
        nothing(&())
    };
    let done = app.act(act(permit.subject(), &old.scope, "key_rotated", what), made, change).await;
    done.map_err(|problem: Problem| match stored {
        true => problem.with("created_keys", serde_json::json!([shown])),
        false => problem,
    })?;
    Ok(Json(shown))
}
