//! Virtual keys.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::Problem;
use bailiwick_ledger::Kind;

use crate::app::{Act, App};
use crate::budgets::parse_usd;
use crate::identity::{Actor, require};
use crate::keys::VirtualKey;
use crate::organisation::{KeyDefinition, KeySettings, store_key};
use crate::store;

const OBJECT: &str = "console:keys";
/// How long a rotated key works beside its successor where the request does not say.
const OVERLAP_HOURS: i64 = 24;

/// A key as everybody may see it.
#[derive(Debug, Serialize)]
pub(super) struct KeyView {
    id: String,
    scope: String,
    name: String,
    created_ms: i64,
    expires_ms: Option<i64>,
    revoked_ms: Option<i64>,
    rotated_to: Option<String>,
    overlap_until_ms: Option<i64>,
    settings: serde_json::Value,
}

impl From<store::keys::VirtualKey> for KeyView {
    fn from(row: store::keys::VirtualKey) -> Self {
        Self {
            id: row.id,
            scope: row.scope,
            name: row.name,
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            revoked_ms: row.revoked_ms,
            rotated_to: row.rotated_to,
            overlap_until_ms: row.overlap_until_ms,
            settings: row.settings,
        }
    }
}

/// `GET /api/v1/keys`: those of the actor's scope.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, Problem> {
    let actor = actor(&app, &method, &headers).await?;
    let keys: Vec<KeyView> = store::keys::list(&app.store)
        .await?
        .into_iter()
        .filter(|key| actor.may(&app, &key.scope, OBJECT, "read"))
        .map(KeyView::from)
        .collect();
    Ok(Json(serde_json::json!({ "keys": keys })))
}

async fn actor(app: &Arc<App>, method: &Method, headers: &HeaderMap) -> Result<Actor, Problem> {
    let scope = Actor::of(app, headers).await?.map_or_else(|| String::from("/"), |actor| actor.scope);
    require(app, method, headers, &scope, OBJECT, "read").await
}

/// The body of `POST /api/v1/keys`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    scope: String,
    name: String,
    /// A monthly budget of its own.
    #[serde(default)]
    budget_usd: Option<String>,
    #[serde(default)]
    models: Option<Vec<String>>,
    #[serde(default)]
    expires: Option<chrono::DateTime<chrono::Utc>>,
    #[serde(default)]
    requests_per_minute: Option<std::num::NonZeroU32>,
    #[serde(default)]
    purposes: Vec<String>,
    /// The user whose key it is.
    #[serde(default)]
    owner: Option<String>,
}

/// A key with its secret: shown once.
#[derive(Debug, Serialize)]
pub(super) struct ShownKey {
    id: String,
    key: String,
}

/// `POST /api/v1/keys`.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
    body: Result<Json<NewKey>, JsonRejection>,
) -> Result<(StatusCode, Json<ShownKey>), Problem> {
    let Json(new) = body.map_err(|error| Problem::invalid(error.body_text()))?;
    bailiwick_policy::scope::validate(&new.scope).map_err(Problem::invalid)?;
    let actor = require(&app, &method, &headers, &new.scope, OBJECT, "create").await?;
    if new.name.trim().is_empty() {
        return Err(Problem::invalid("a key needs a name"));
    }
    let limit_nano = new.budget_usd.as_deref().map(parse_usd).transpose().map_err(Problem::invalid)?;
    let now_ms = app.gateway.clock.now_ms();
    if new.expires.is_some_and(|expires| expires.timestamp_millis() <= now_ms) {
        return Err(Problem::invalid("`expires` is in the past"));
    }
    let definition = KeyDefinition {
        scope: new.scope.clone(),
        name: new.name,
        expires: new.expires,
        settings: KeySettings {
            models: new.models,
            purposes: new.purposes,
            requests_per_minute: new.requests_per_minute,
            owner: new.owner,
            ..KeySettings::default()
        },
    };
    store::scopes::get(&app.store, &definition.scope).await?;
    unknown_model(&app, &definition)?;
    let same = |key: &store::keys::VirtualKey| {
        (key.scope.as_str(), key.name.as_str()) == (definition.scope.as_str(), definition.name.as_str())
            && key.revoked_ms.is_none()
            && key.rotated_to.is_none()
            && key.expires_ms.is_none_or(|at| at > now_ms)
    };
    if let Some(key) = store::keys::list(&app.store).await?.iter().find(|key| same(key)) {
        return Err(Problem::new(StatusCode::CONFLICT, "conflict", "The scope has a key of that name")
            .detail(format!("rotate or revoke {}, or give the new one another name", key.id)));
    }
    // Made first, so that the record of what is about to happen can name it.
    let key = VirtualKey::generate().map_err(crate::organisation::ApplyError::from)?;
    let what = serde_json::json!({ "key": key.id(), "budget_usd": new.budget_usd });
    let change = async {
        store_key(&app.store, &key, &definition, now_ms).await?;
        if let Some(limit_nano) = limit_nano {
            store::budgets::create(&app.store, own_budget(key.id(), limit_nano, now_ms)).await?;
        }
        Ok::<_, Problem>(())
    };
    app.act(act(&actor, &new.scope, "key_created", what), nothing, change).await?;
    Ok((StatusCode::CREATED, Json(ShownKey { id: key.id().to_owned(), key: key.reveal() })))
}

/// Refuses a key for a model that no endpoint of its scope serves: it is misspelt, or not declared yet.
fn unknown_model(app: &App, definition: &KeyDefinition) -> Result<(), Problem> {
    let snapshot = app.gateway.snapshot.load();
    let endpoints = snapshot.policy.endpoints().iter();
    let served: std::collections::BTreeSet<&str> = endpoints
        .filter(|endpoint| bailiwick_policy::scope::covers(&endpoint.scope, &definition.scope))
        .flat_map(|endpoint| endpoint.models.iter().map(|model| model.alias.as_str()))
        .collect();
    let asked = definition.settings.models.iter().flatten();
    match asked.into_iter().find(|model| !served.contains(model.as_str())) {
        None => Ok(()),
        Some(model) => {
            let served: Vec<&str> = served.into_iter().collect();
            Err(Problem::invalid(format!(
                "`models`: no endpoint of {} serves `{model}`; there are {}",
                definition.scope,
                served.join(", ")
            )))
        }
    }
}

fn act<'a>(actor: &'a Actor, scope: &'a str, name: &'static str, what: serde_json::Value) -> Act<'a> {
    Act { kind: Kind::Admin, principal: &actor.subject, scope: Some(scope), name, what }
}

/// The act names already what came of it.
fn nothing((): &()) -> serde_json::Value {
    serde_json::Value::Null
}

fn own_budget(key: &str, limit_nano: i64, now_ms: i64) -> store::budgets::Budget {
    store::budgets::Budget {
        id: 0,
        scope: None,
        key_id: Some(key.to_owned()),
        owner: None,
        model_group: None,
        window: crate::budgets::Window::MONTH.to_string(),
        limit_nano,
        hard: true,
        thresholds: serde_json::json!([]),
        settings: serde_json::json!({}),
        created_ms: now_ms,
    }
}

/// The key, if the actor may do `action` to it; one outside its scope is not there.
async fn reach(
    app: &Arc<App>,
    method: &Method,
    headers: &HeaderMap,
    id: &str,
    action: &str,
) -> Result<(Actor, store::keys::VirtualKey), Problem> {
    let key = match store::keys::get(&app.store, id).await {
        Ok(key) => key,
        Err(store::StoreError::NotFound(_)) => {
            actor(app, method, headers).await?;
            return Err(Problem::not_found("key"));
        }
        Err(error) => return Err(error.into()),
    };
    let actor = require(app, method, headers, &key.scope, OBJECT, action).await?;
    Ok((actor, key))
}

/// The body of `POST /api/v1/keys/{id}/rotate`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Rotation {
    overlap_hours: Option<u32>,
    /// The new key's end; the old one's where absent.
    expires: Option<chrono::DateTime<chrono::Utc>>,
}

/// `POST /api/v1/keys/{id}/rotate`: a new key with the same rights; the old one works on for the overlap.
pub(super) async fn rotate(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: axum::body::Bytes,
) -> Result<Json<ShownKey>, Problem> {
    let (actor, old) = reach(&app, &method, &headers, &id, "rotate").await?;
    let rotation: Rotation = if body.is_empty() {
        Rotation::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| Problem::invalid(error.to_string()))?
    };
    let now_ms = app.gateway.clock.now_ms();
    let expires_ms = rotation.expires.map(|at| at.timestamp_millis()).or(old.expires_ms);
    if expires_ms.is_some_and(|at| at <= now_ms) {
        return Err(match rotation.expires {
            Some(_) => Problem::invalid("`expires` is in the past"),
            None => Problem::new(StatusCode::CONFLICT, "conflict", "The key has expired")
                .detail("a key with the same end could not be used: give `expires` for the new one"),
        });
    }
    let overlap_ms = rotation.overlap_hours.map_or(OVERLAP_HOURS, i64::from) * 3_600_000;
    let mut settings: KeySettings = serde_json::from_value(old.settings.clone())
        .map_err(|error| Problem::invalid(format!("the key's settings are damaged: {error}")))?;
    settings.line.get_or_insert_with(|| old.id.clone());
    let key = VirtualKey::generate().map_err(crate::organisation::ApplyError::from)?;
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
    let what = serde_json::json!({ "key": old.id, "replaced_by": key.id() });
    let change = async {
        store::keys::rotate(&app.store, &old.id, replacement, now_ms + overlap_ms).await?;
        Ok::<_, Problem>(())
    };
    app.act(act(&actor, &old.scope, "key_rotated", what), nothing, change).await?;
    Ok(Json(ShownKey { id: key.id().to_owned(), key: key.reveal() }))
}

/// A key that was revoked, with those that it had replaced.
#[derive(Debug, Serialize)]
pub(super) struct Revoked {
    #[serde(flatten)]
    key: KeyView,
    also_revoked: Vec<String>,
}

/// The keys that `id` replaced, directly or not, and that are not revoked: they may still work beside it.
fn predecessors(keys: &[store::keys::VirtualKey], id: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut of = id;
    // A key replaces one at most, so this is a line; its length bounds the walk.
    for _ in keys {
        let Some(key) = keys.iter().find(|key| key.rotated_to.as_deref() == Some(of)) else { break };
        if key.revoked_ms.is_none() {
            found.push(key.id.clone());
        }
        of = &key.id;
    }
    found
}

/// `POST /api/v1/keys/{id}/revoke`: in force when this answers. What the key replaced is revoked with it: whoever has the
/// one may have the other.
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Revoked>, Problem> {
    let (actor, key) = reach(&app, &method, &headers, &id, "revoke").await?;
    let also_revoked = predecessors(&store::keys::list(&app.store).await?, &id);
    let change = async {
        let now_ms = app.gateway.clock.now_ms();
        // The oldest first: a failure half-way leaves the named key to be revoked again, with what is left.
        for id in also_revoked.iter().rev().chain([&id]) {
            store::keys::revoke(&app.store, id, now_ms).await?;
        }
        Ok::<_, Problem>(())
    };
    let what = serde_json::json!({ "key": id, "also_revoked": also_revoked });
    app.act(act(&actor, &key.scope, "key_revoked", what), nothing, change).await?;
    Ok(Json(Revoked { key: store::keys::get(&app.store, &id).await?.into(), also_revoked }))
}
