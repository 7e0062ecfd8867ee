//! Virtual keys: listed here; made, replaced and ended in the files beside.

mod create;
mod declare;
mod end;
mod rotate;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use bailiwick_ledger::Kind;
use serde::{Deserialize, Serialize};

pub(super) use create::{bulk, create, plan};
pub(super) use declare::put;
pub(super) use end::{disable, enable, revoke, revoke_presented};
pub(super) use rotate::rotate;

use super::{Problem, told};
use crate::admin::etag;
use crate::admin::input::{Asked, At};
use crate::admin::page::Page;
use crate::app::{Act, App};
use crate::identity::Permit;
use crate::organisation::{KeyDefinition, KeySettings, declared_key, key_lives};
use crate::store;

/// A key as everybody may see it.
#[derive(Debug, Serialize)]
struct KeyView {
    id: String,
    scope: String,
    name: String,
    state: KeyState,
    created_ms: i64,
    expires_ms: Option<i64>,
    last_used_ms: Option<i64>,
    disabled_ms: Option<i64>,
    disabled_because: Option<String>,
    revoked_ms: Option<i64>,
    revoked_because: Option<String>,
    rotated_to: Option<String>,
    overlap_until_ms: Option<i64>,
    settings: serde_json::Value,
    /// Of one that is asked for alone and that lives: as declared, as `PUT` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<KeyDefinition>,
}

/// Whether a key may be used, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeyState {
    Valid,
    Disabled,
    Expired,
    Rotated,
    Revoked,
}

impl KeyView {
    fn new(row: store::keys::VirtualKey, last_used_ms: Option<i64>, now_ms: i64) -> Self {
        let passed = |instant: Option<i64>| instant.is_some_and(|instant| instant <= now_ms);
        let state = if row.revoked_ms.is_some() {
            KeyState::Revoked
        } else if row.disabled_ms.is_some() {
            KeyState::Disabled
        } else if passed(row.expires_ms) {
            KeyState::Expired
        } else if passed(row.overlap_until_ms) {
            KeyState::Rotated
        } else {
            KeyState::Valid
        };
        Self {
            id: row.id,
            scope: row.scope,
            name: row.name,
            state,
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            last_used_ms,
            disabled_ms: row.disabled_ms,
            disabled_because: row.disabled_because,
            revoked_ms: row.revoked_ms,
            revoked_because: row.revoked_because,
            rotated_to: row.rotated_to,
            overlap_until_ms: row.overlap_until_ms,
            settings: row.settings,
            declared: None,
        }
    }
}

/// Which keys are asked for; all where nothing is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filter {
    scope: Option<String>,
    state: Option<KeyState>,
    tag: Option<String>,
    environment: Option<String>,
    owner: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

impl Filter {
    fn holds(&self, key: &KeyView) -> bool {
        let settings: KeySettings = serde_json::from_value(key.settings.clone()).unwrap_or_default();
        let same = |asked: &Option<String>, is: &Option<String>| asked.is_none() || asked == is;
        self.state.is_none_or(|state| state == key.state)
            && self.tag.as_ref().is_none_or(|tag| settings.tags.contains(tag))
            && same(&self.environment, &settings.environment)
            && same(&self.owner, &settings.owner)
    }
}

/// `GET /api/v1/keys`: those of the actor's scope, by id.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    filter: Result<Asked<Filter>, Problem>,
) -> Result<Json<serde_json::Value>, Problem> {
    let Asked(filter) = filter?;
    let page = Page::of("keys", filter.limit, filter.cursor.as_deref())?;
    let scopes = permit.scopes_within(filter.scope.as_deref());
    let snapshot = app.gateway.snapshot.load_full();
    let now_ms = app.gateway.clock.now_ms();
    let mut covers = permit.covering();
    let (store, within) = (&app.store, &scopes);
    let read = |after: Option<String>, limit| async move {
        store::keys::page(store, within, after.as_deref(), limit).await
    };
    let keep = |row: store::keys::VirtualKey| {
        let key = covers(&row.scope).then(|| KeyView::new(row, None, now_ms))?;
        filter.holds(&key).then_some(key)
    };
    let (mut keys, next) = page.fill(read, |row| row.id.clone(), keep).await?;
    let ids: Vec<&str> = keys.iter().map(|key| key.id.as_str()).collect();
    let told = store::keys::last_used_of(&app.store, &ids).await?;
    for key in &mut keys {
        let here = snapshot.key(&key.id).map(|key| key.last_used_ms()).filter(|at| *at > 0);
        key.last_used_ms = here.max(told.get(&key.id).copied());
    }
    Ok(Json(page.answer(&keys, next)))
}

/// `GET /api/v1/keys/{id}`, with the tag that a change may ask for.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<String>,
) -> Result<Response, Problem> {
    let key = reach(&app, &permit, &id).await?;
    let told = store::keys::last_used_of(&app.store, &[&id]).await?;
    let here = app.gateway.snapshot.load().key(&id).map(|key| key.last_used_ms()).filter(|at| *at > 0);
    let tag = etag::tag(&key);
    let now_ms = app.gateway.clock.now_ms();
    let declared = key_lives(&key, now_ms).then(|| declared_key(&key)).transpose()?;
    let view = KeyView::new(key, here.max(told.get(&id).copied()), now_ms);
    Ok(etag::tagged(&tag, Json(KeyView { declared, ..view })))
}

/// A key with its secret: shown once.
#[derive(Serialize)]
pub(super) struct ShownKey {
    id: String,
    key: String,
}

fn act<'a>(principal: &'a str, scope: &'a str, name: &'static str, what: serde_json::Value) -> Act<'a> {
    Act { kind: Kind::Admin, principal, scope: Some(scope), name, what }
}

/// A key as records tell it.
pub(super) fn told(app: &App, row: &store::keys::VirtualKey) -> serde_json::Value {
    told::key(row, &app.gateway.pseudonyms)
}

/// The act names already what came of it.
fn nothing((): &()) -> serde_json::Value {
    serde_json::Value::Null
}

/// The key, if the right holds for it; one outside the actor's scopes is not there.
async fn reach(app: &App, permit: &Permit, id: &str) -> Result<store::keys::VirtualKey, Problem> {
    let key = match store::keys::get(&app.store, id).await {
        Ok(key) => key,
        Err(store::StoreError::NotFound(_)) => return Err(Problem::not_found("key")),
        Err(error) => return Err(error.into()),
    };
    permit.at(&key.scope, "key")?;
    Ok(key)
}
