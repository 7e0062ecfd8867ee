//! New keys, one or many at once.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bailiwick_pii::{ClassSet, Sensitivity};
use bailiwick_policy::scope;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Problem, ShownKey, act, nothing};
use crate::admin::input::Body;
use crate::app::App;
use crate::budgets::{Unit, Window, parse_usd};
use crate::identity::Permit;
use crate::keys::{Networks, VirtualKey};
use crate::organisation::{
    ApplyError, Ceiling, CreatedKey, Declarations, KeyDefinition, KeySettings, key_problems, key_row,
    own_limit,
};
use crate::store;

/// Keys that are made at once, at most.
const MOST: usize = 500;

/// The body of `POST /api/v1/keys`. Roles, and declarations that can loosen rules for content that nobody can read, are
/// for a declaration that somebody applies at `/`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct NewKey {
    scope: String,
    name: String,
    /// A monthly budget of its own.
    #[serde(default)]
    budget_usd: Option<String>,
    #[serde(default)]
    models: Option<Vec<String>>,
    #[serde(default)]
    endpoints: Option<Vec<String>>,
    #[serde(default)]
    expires: Option<chrono::DateTime<chrono::Utc>>,
    #[serde(default)]
    requests_per_minute: Option<std::num::NonZeroU32>,
    #[serde(default)]
    purposes: Vec<String>,
    /// The user whose key it is.
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    allowed_networks: Option<Networks>,
    #[serde(default)]
    max_data_classes: Option<ClassSet>,
    #[serde(default)]
    max_sensitivity: Option<Sensitivity>,
    #[serde(default)]
    subject_regions: Vec<String>,
    #[serde(default)]
    data_classes: ClassSet,
    #[serde(default)]
    sensitivity: Option<Sensitivity>,
}

/// A key that is right, and was not made yet.
struct Wanted {
    definition: KeyDefinition,
    budget_usd: Option<String>,
    limit_nano: Option<i64>,
}

impl NewKey {
    /// Checks what can be checked without asking anybody.
    fn checked(self, now_ms: i64) -> Result<Wanted, Problem> {
        scope::validate(&self.scope).map_err(|why| Problem::wrong_field("/scope", &why))?;
        let limit_nano = self
            .budget_usd
            .as_deref()
            .map(parse_usd)
            .transpose()
            .map_err(|why| Problem::wrong_field("/budget_usd", &why))?;
        if self.expires.is_some_and(|expires| expires.timestamp_millis() <= now_ms) {
            return Err(Problem::wrong_field("/expires", "it is in the past")
                .fix("give an instant to come, or leave it out"));
        }
        let definition = KeyDefinition {
            scope: self.scope,
            name: self.name,
            expires: self.expires,
            settings: KeySettings {
                models: self.models,
                endpoints: self.endpoints,
                purposes: self.purposes,
                requests_per_minute: self.requests_per_minute,
                owner: self.owner,
                environment: self.environment,
                tags: self.tags,
                allowed_networks: self.allowed_networks,
                ceiling: Ceiling {
                    max_data_classes: self.max_data_classes,
                    max_sensitivity: self.max_sensitivity,
                },
                declarations: Declarations {
                    subject_regions: self.subject_regions,
                    data_classes: self.data_classes,
                    sensitivity: self.sensitivity,
                    ..Declarations::default()
                },
                ..KeySettings::default()
            },
        };
        let problems = key_problems(&definition);
        if !problems.is_empty() {
            return Err(Problem::invalid(problems.join("; ")));
        }
        Ok(Wanted { definition, budget_usd: self.budget_usd, limit_nano })
    }
}

/// `POST /api/v1/keys`.
pub(in crate::admin) async fn create(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<Body<NewKey>, Problem>,
) -> Result<(StatusCode, Json<ShownKey>), Problem> {
    let Body(new) = body?;
    let wanted = new.checked(app.gateway.clock.now_ms())?;
    let scope = wanted.definition.scope.clone();
    permit.at(&scope, "scope")?;
    let what = |made: &[(Wanted, VirtualKey)]| match made {
        [(wanted, key)] => {
            ("key_created", serde_json::json!({ "key": key.id(), "budget_usd": wanted.budget_usd }))
        }
        _ => ("key_created", serde_json::Value::Null),
    };
    let mut made = make(&app, permit.subject(), &scope, vec![wanted], what).await?;
    let CreatedKey { id, key, .. } = made.pop().ok_or_else(|| Problem::not_found("key"))?;
    Ok((StatusCode::CREATED, Json(ShownKey { id, key })))
}

/// Keys with their secrets: shown once.
#[derive(Debug, Serialize)]
pub(in crate::admin) struct ShownKeys {
    keys: Vec<CreatedKey>,
}

/// `POST /api/v1/keys:bulk`: all of an array, or none.
pub(in crate::admin) async fn bulk(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<Body<Vec<serde_json::Value>>, Problem>,
) -> Result<(StatusCode, Json<ShownKeys>), Problem> {
    let Body(written) = body?;
    if written.is_empty() || written.len() > MOST {
        return Err(Problem::invalid(format!("{} keys are asked for", written.len()))
            .fix(format!("send an array of 1 to {MOST} keys")));
    }
    let now_ms = app.gateway.clock.now_ms();
    let mut wanted = Vec::with_capacity(written.len());
    for (at, new) in written.into_iter().enumerate() {
        let new: NewKey = serde_json::from_value(new).map_err(|error| {
            Problem::invalid(format!("no key was made; key {} of the array: {error}", at + 1))
        })?;
        wanted.push(new.checked(now_ms).map_err(|problem| {
            problem.within(&format!("/{at}")).of(&format!("key {} of the array", at + 1))
        })?);
    }
    let scopes: BTreeSet<String> = wanted.iter().map(|wanted| wanted.definition.scope.clone()).collect();
    for scope in &scopes {
        permit.at(scope, "scope")?;
    }
    // The record belongs to the one scope, or to the one that holds them all.
    let scope = common(&scopes);
    let what = |made: &[(Wanted, VirtualKey)]| {
        let keys: Vec<serde_json::Value> = made
            .iter()
            .map(|(wanted, key)| serde_json::json!({ "key": key.id(), "budget_usd": wanted.budget_usd }))
            .collect();
        ("keys_created", serde_json::json!({ "keys": keys }))
    };
    let keys = make(&app, permit.subject(), &scope, wanted, what).await?;
    Ok((StatusCode::CREATED, Json(ShownKeys { keys })))
}

/// The lowest scope that covers all of them.
fn common(scopes: &BTreeSet<String>) -> String {
    let mut above = scopes.first().map(|first| scope::ancestors(first)).into_iter().flatten();
    let common = above.find(|above| scopes.iter().all(|path| scope::covers(above, path)));
    common.unwrap_or("/").to_owned()
}

/// Makes keys, all or none, as one recorded act.
async fn make(
    app: &App,
    principal: &str,
    scope: &str,
    wanted: Vec<Wanted>,
    what: impl FnOnce(&[(Wanted, VirtualKey)]) -> (&'static str, serde_json::Value),
) -> Result<Vec<CreatedKey>, Problem> {
    let now_ms = app.gateway.clock.now_ms();
    for wanted in &wanted {
        let named = |problem: Problem| problem.of(&format!("key `{}`", wanted.definition.name));
        store::scopes::get(&app.store, &wanted.definition.scope).await?;
        unserved(app, &wanted.definition).map_err(named)?;
    }
    twins(app, &wanted, now_ms).await?;
    // Made first, so that the record of what is about to happen can name them.
    let mut made = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        made.push((wanted, VirtualKey::generate().map_err(ApplyError::from)?));
    }
    let mut rows = Vec::with_capacity(made.len());
    for (wanted, key) in &made {
        let budget = wanted.limit_nano.map(|limit_nano| own_budget(key.id(), limit_nano, now_ms));
        let mut own: Vec<store::budgets::Budget> = budget.into_iter().collect();
        if let Some(limit) = wanted.definition.settings.requests_per_minute {
            own.push(own_limit(key.id(), limit, now_ms).map_err(Problem::invalid)?);
        }
        rows.push((key_row(key, &wanted.definition, now_ms)?, own));
    }
    let (name, what) = what(&made);
    let change = async { Ok::<_, Problem>(store::keys::create_all(&app.store, rows).await?) };
    app.act(act(principal, scope, name, what), nothing, change).await?;
    let shown = made.into_iter().map(|(wanted, key)| CreatedKey {
        id: key.id().to_owned(),
        scope: wanted.definition.scope,
        name: wanted.definition.name,
        key: key.reveal(),
    });
    Ok(shown.collect())
}

/// Refuses a second valid key of one name.
async fn twins(app: &App, wanted: &[Wanted], now_ms: i64) -> Result<(), Problem> {
    let mut names = HashSet::new();
    for Wanted { definition, .. } in wanted {
        if !names.insert((definition.scope.as_str(), definition.name.as_str())) {
            return Err(Problem::invalid(format!(
                "`{}` of {} is in the array twice",
                definition.name, definition.scope
            )));
        }
    }
    let valid = |key: &store::keys::VirtualKey| {
        key.revoked_ms.is_none() && key.rotated_to.is_none() && key.expires_ms.is_none_or(|at| at > now_ms)
    };
    let keys = store::keys::list(&app.store).await?;
    match keys.iter().find(|key| names.contains(&(key.scope.as_str(), key.name.as_str())) && valid(key)) {
        None => Ok(()),
        Some(key) => Err(Problem::new(StatusCode::CONFLICT, "conflict", "The scope has a key of that name")
            .detail(format!("{} of {} is called `{}`", key.id, key.scope, key.name))
            .fix(format!("rotate or revoke {}, or give the new one another name", key.id))),
    }
}

/// Refuses a key for a model or endpoint that its scope does not have: it is misspelt, or not declared yet.
fn unserved(app: &App, definition: &KeyDefinition) -> Result<(), Problem> {
    let snapshot = app.gateway.snapshot.load();
    let of_scope: Vec<_> = snapshot
        .policy
        .endpoints()
        .iter()
        .filter(|endpoint| scope::covers(&endpoint.scope, &definition.scope))
        .collect();
    let matches = |pattern: &str, name: &str| bailiwick_policy::pattern::matches(pattern, name);
    for pattern in definition.settings.endpoints.iter().flatten() {
        if !of_scope.iter().any(|endpoint| matches(pattern, &endpoint.name)) {
            let there: Vec<&str> = of_scope.iter().map(|endpoint| endpoint.name.as_str()).collect();
            return Err(Problem::invalid(format!("`endpoints`: {} has no `{pattern}`", definition.scope))
                .fix(format!("there are {}", there.join(", "))));
        }
    }
    let named = |name: &str| {
        let only = definition.settings.endpoints.as_ref();
        only.is_none_or(|only| only.iter().any(|pattern| matches(pattern, name)))
    };
    let served: BTreeSet<&str> = of_scope
        .iter()
        .filter(|endpoint| named(&endpoint.name))
        .flat_map(|endpoint| endpoint.models.iter().map(|model| model.alias.as_str()))
        .collect();
    let asked = definition.settings.models.iter().flatten();
    match asked.into_iter().find(|model| !served.contains(model.as_str())) {
        None => Ok(()),
        Some(model) => {
            let served: Vec<&str> = served.into_iter().collect();
            Err(Problem::invalid(format!(
                "`models`: no endpoint of {} that the key may use serves `{model}`",
                definition.scope
            ))
            .fix(format!("there are {}", served.join(", "))))
        }
    }
}

fn own_budget(key: &str, limit_nano: i64, now_ms: i64) -> store::budgets::Budget {
    store::budgets::Budget {
        id: 0,
        scope: None,
        key_id: Some(key.to_owned()),
        owner: None,
        model_group: None,
        window: Window::MONTH.to_string(),
        unit: Unit::Usd.to_string(),
        limit_nano,
        hard: true,
        thresholds: serde_json::json!([]),
        settings: serde_json::json!({}),
        created_ms: now_ms,
    }
}
