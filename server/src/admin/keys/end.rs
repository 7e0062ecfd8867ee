//! Ending a key: disabled until it is enabled again, or revoked for good. Both hold for what the key replaced as well:
//! whoever has the one may have the other.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::{KeyView, Problem, act, nothing, reach, told};
use crate::admin::etag::IfMatch;
use crate::admin::input::{At, Body, OptionalBody};
use crate::app::App;
use crate::identity::Permit;
use crate::keys::VirtualKey;
use crate::store;

/// Characters of a reason.
const MAX_REASON: usize = 500;

/// The body of the routes here that may have one.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::admin) struct Why {
    reason: Option<String>,
}

fn written(reason: Option<String>) -> Result<Option<String>, Problem> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.chars().count() > MAX_REASON) {
        return Err(Problem::wrong_field("/reason", &format!("it has more than {MAX_REASON} characters")));
    }
    Ok(reason)
}

/// The keys that `id` replaced, directly or not, and that are not revoked: they may still work beside it.
fn predecessors<'a>(keys: &'a [store::keys::VirtualKey], id: &'a str) -> Vec<&'a store::keys::VirtualKey> {
    let mut found = Vec::new();
    let mut of = id;
    // A key replaces one at most, so this is a line; its length bounds the walk.
    for _ in keys {
        let Some(key) = keys.iter().find(|key| key.rotated_to.as_deref() == Some(of)) else { break };
        if key.revoked_ms.is_none() {
            found.push(key);
        }
        of = &key.id;
    }
    found
}

fn ids(keys: &[&store::keys::VirtualKey]) -> Vec<String> {
    keys.iter().map(|key| key.id.clone()).collect()
}

fn all<'a>(id: &'a str, also: &'a [String]) -> Vec<&'a str> {
    std::iter::once(id).chain(also.iter().map(String::as_str)).collect()
}

/// The key as it is now.
async fn view(app: &App, id: &str) -> Result<KeyView, Problem> {
    let last_used_ms = store::keys::last_used(&app.store).await?.get(id).copied();
    Ok(KeyView::new(store::keys::get(&app.store, id).await?, last_used_ms, app.gateway.clock.now_ms()))
}

/// A key that was revoked, with those that it had replaced.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Revoked {
    #[serde(flatten)]
    key: KeyView,
    also_revoked: Vec<String>,
}

/// `POST /api/v1/keys/{id}/revoke`: in force when this answers.
pub(in crate::admin) async fn revoke(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
    body: Result<OptionalBody<Why>, Problem>,
) -> Result<Json<Revoked>, Problem> {
    let key = reach(&app, &permit, &id).await?;
    let reason = written(body?.0.reason)?;
    let seen = expected.seen(&key)?;
    let also_revoked = ids(&predecessors(&store::keys::list(&app.store).await?, &id));
    let now_ms = app.gateway.clock.now_ms();
    let before = told::key(&key, &app.gateway.pseudonyms);
    let after = told::with(&before, serde_json::json!({ "revoked_ms": key.revoked_ms.unwrap_or(now_ms) }));
    let what = serde_json::json!({
        "key": id, "also_revoked": also_revoked, "reason": reason, "before": before, "after": after,
    });
    let change = async {
        let all = all(&id, &also_revoked);
        Ok::<_, Problem>(store::keys::revoke(&app.store, &all, reason.as_deref(), now_ms, seen).await?)
    };
    app.act(act(permit.subject(), &key.scope, "key_revoked", what), nothing, change).await?;
    Ok(Json(Revoked { key: view(&app, &id).await?, also_revoked }))
}

/// A key that was disabled or enabled, with those that it had replaced.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct Switched {
    #[serde(flatten)]
    key: KeyView,
    also: Vec<String>,
}

/// `POST /api/v1/keys/{id}/disable`: in force when this answers.
pub(in crate::admin) async fn disable(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
    body: Result<OptionalBody<Why>, Problem>,
) -> Result<Json<Switched>, Problem> {
    let key = reach(&app, &permit, &id).await?;
    let Some(reason) = written(body?.0.reason)? else {
        return Err(Problem::wrong_field("/reason", "disabling a key needs one")
            .fix("send {\"reason\": \"…\"}: whoever asks why the application stands still is told"));
    };
    let seen = expected.seen(&key)?;
    let keys = store::keys::list(&app.store).await?;
    let mut before = predecessors(&keys, &id);
    before.retain(|key| key.disabled_ms.is_none());
    let also = ids(&before);
    let now_ms = app.gateway.clock.now_ms();
    let was = told::key(&key, &app.gateway.pseudonyms);
    let is = told::with(&was, serde_json::json!({ "disabled_ms": key.disabled_ms.unwrap_or(now_ms) }));
    let what = serde_json::json!({ "key": id, "also": also, "reason": reason, "before": was, "after": is });
    let change = async {
        Ok::<_, Problem>(store::keys::disable(&app.store, &all(&id, &also), &reason, now_ms, seen).await?)
    };
    app.act(act(permit.subject(), &key.scope, "key_disabled", what), nothing, change).await?;
    Ok(Json(Switched { key: view(&app, &id).await?, also }))
}

/// `POST /api/v1/keys/{id}/enable`: gives access, so it needs the right to create keys.
pub(in crate::admin) async fn enable(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
    expected: IfMatch,
) -> Result<Json<Switched>, Problem> {
    let key = reach(&app, &permit, &id).await?;
    let seen = expected.seen(&key)?;
    let keys = store::keys::list(&app.store).await?;
    let mut before = predecessors(&keys, &id);
    // One that was disabled by itself stays so.
    before.retain(|old| old.disabled_ms.is_some() && old.disabled_ms == key.disabled_ms);
    let also = ids(&before);
    let was = told::key(&key, &app.gateway.pseudonyms);
    let is = told::with(&was, serde_json::json!({ "disabled_ms": null }));
    let what = serde_json::json!({ "key": id, "also": also, "before": was, "after": is });
    let change = async { Ok::<_, Problem>(store::keys::enable(&app.store, &all(&id, &also), seen).await?) };
    app.act(act(permit.subject(), &key.scope, "key_enabled", what), nothing, change).await?;
    Ok(Json(Switched { key: view(&app, &id).await?, also }))
}

/// The body of `POST /api/v1/keys:revoke-presented`. It holds a secret, so it has no `Debug`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Presented {
    key: String,
    #[serde(default)]
    reason: Option<String>,
}

/// What became of a key that was presented.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct RevokedPresented {
    id: String,
    also_revoked: Vec<String>,
    /// Whether it was revoked before.
    already: bool,
}

/// `POST /api/v1/keys:revoke-presented`: for whoever found a key. To hold it is all that is asked for: who holds it could
/// spend with it, and can only end it here. Whatever is no key of this server gets one and the same answer.
pub(in crate::admin) async fn revoke_presented(
    State(app): State<Arc<App>>,
    body: Result<Body<Presented>, Problem>,
) -> Result<Json<RevokedPresented>, Problem> {
    // The rejection's own words may quote what was sent.
    let Body(presented) = body.map_err(|_| {
        Problem::invalid("the body is not what is expected")
            .fix("send {\"key\": \"bwk_…\"} as application/json")
    })?;
    let reason = written(presented.reason)?;
    let gateway = &app.gateway;
    let key = VirtualKey::parse(presented.key.trim()).ok().and_then(|presented| {
        let known = gateway.snapshot.load().key(presented.id()).cloned();
        // As long for an id that is not known as for another secret.
        let is = known.as_ref().map_or_else(|| presented.matches(&[0; 32]), |known| known.is(&presented));
        known.filter(|_| is)
    });
    let Some(key) = key else {
        gateway.refused.add();
        return Err(Problem::not_found("key")
            .detail("nothing was revoked: it is incomplete, mistyped, or a key of another server")
            .fix("present the whole key, from `bwk_` to its last character, to the server that issued it"));
    };
    let keys = store::keys::list(&app.store).await?;
    let also_revoked = ids(&predecessors(&keys, &key.id));
    let done = keys.iter().any(|row| row.id == key.id && row.revoked_ms.is_some());
    if done && also_revoked.is_empty() {
        // Nothing to do, and nothing to record: it can be presented any number of times.
        return Ok(Json(RevokedPresented { id: key.id.clone(), also_revoked, already: true }));
    }
    let now_ms = gateway.clock.now_ms();
    let row = keys.iter().find(|row| row.id == key.id);
    let before = row.map(|row| told::key(row, &gateway.pseudonyms)).unwrap_or_default();
    let revoked_ms = row.and_then(|row| row.revoked_ms).unwrap_or(now_ms);
    let after = told::with(&before, serde_json::json!({ "revoked_ms": revoked_ms }));
    let what = serde_json::json!({
        "key": key.id, "also_revoked": also_revoked, "reason": reason, "presented": true, "before": before,
        "after": after,
    });
    let because = reason.as_deref().unwrap_or("presented by whoever found it");
    let change = async {
        Ok::<_, Problem>(
            store::keys::revoke(&app.store, &all(&key.id, &also_revoked), Some(because), now_ms, None)
                .await?,
        )
    };
    let principal = format!("key:{}", key.id);
    app.act(act(&principal, &key.scope, "key_revoked", what), nothing, change).await?;
    Ok(Json(RevokedPresented { id: key.id.clone(), also_revoked, already: done }))
}
