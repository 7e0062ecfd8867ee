//! New keys, one or many at once.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bailiwick_pii::{ClassSet, Sensitivity};
use bailiwick_policy::scope;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Problem, ShownKey, act, nothing, told};
use crate::admin::input::{Body, part};
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
            return Err(Problem::faulty("", &problems));
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
    let mut made = make(&app, permit.subject(), &scope, std::slice::from_ref(&wanted), false).await?;
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
        return Err(Problem::wrong_field("", &format!("{} keys are asked for", written.len()))
            .fix(format!("send an array of 1 to {MOST} keys")));
    }
    let now_ms = app.gateway.clock.now_ms();
    let mut wanted = Vec::with_capacity(written.len());
    for (at, new) in written.into_iter().enumerate() {
        let here = |problem: Problem| {
            problem.within(&format!("/{at}")).of(&format!("no key was made; key {} of the array", at + 1))
        };
        let new: NewKey = part(&new).map_err(here)?;
        wanted.push(new.checked(now_ms).map_err(here)?);
    }
    let scopes: BTreeSet<String> = wanted.iter().map(|wanted| wanted.definition.scope.clone()).collect();
    for scope in &scopes {
        permit.at(scope, "scope")?;
    }
    // The record belongs to the one scope, or to the one that holds them all.
    let scope = common(&scopes);
    let keys = make(&app, permit.subject(), &scope, &wanted, true).await?;
    Ok((StatusCode::CREATED, Json(ShownKeys { keys })))
}

/// The lowest scope that covers all of them.
fn common(scopes: &BTreeSet<String>) -> String {
    let mut above = scopes.first().map(|first| scope::ancestors(first)).into_iter().flatten();
    let common = above.find(|above| scopes.iter().all(|path| scope::covers(above, path)));
    common.unwrap_or("/").to_owned()
}

/// What is recorded of new keys: of one, or of each of several.
fn recorded(rows: &[Rows], wanted: &[Wanted], app: &App, many: bool) -> (&'static str, serde_json::Value) {
    let mut keys = rows.iter().zip(wanted).map(|((row, _), wanted)| {
        let after = told::key(row, &app.gateway.pseudonyms);
        let after = told::with(&after, serde_json::json!({ "budget_usd": wanted.budget_usd }));
        serde_json::json!({ "key": row.id, "before": null, "after": after })
    });
    match many {
        true => ("keys_created", serde_json::json!({ "keys": keys.collect::<Vec<_>>() })),
        false => ("key_created", keys.next().unwrap_or_default()),
    }
}

/// Makes keys, all or none, as one recorded act; `many` says that the body is an array of them.
async fn make(
    app: &App,
    principal: &str,
    scope: &str,
    wanted: &[Wanted],
    many: bool,
) -> Result<Vec<CreatedKey>, Problem> {
    let now_ms = app.gateway.clock.now_ms();
    for (at, wanted) in wanted.iter().enumerate() {
        let prefix = if many { format!("/{at}") } else { String::new() };
        let named =
            |problem: Problem| problem.within(&prefix).of(&format!("key `{}`", wanted.definition.name));
        store::scopes::get(&app.store, &wanted.definition.scope).await?;
        unserved(app, &wanted.definition).map_err(named)?;
    }
    twins(app, wanted, now_ms).await?;
    // Made first, so that the record of what is about to happen can name them.
    let (mut shown, mut all) = (Vec::with_capacity(wanted.len()), Vec::with_capacity(wanted.len()));
    for wanted in wanted {
        let key = VirtualKey::generate().map_err(ApplyError::from)?;
        all.push(rows(wanted, &key, now_ms)?);
        shown.push(CreatedKey {
            id: key.id().to_owned(),
            scope: wanted.definition.scope.clone(),
            name: wanted.definition.name.clone(),
            key: key.reveal(),
        });
    }
    let (name, what) = recorded(&all, wanted, app, many);
    let change = async { Ok::<_, Problem>(store::keys::create_all(&app.store, all).await?) };
    // What is stored and cannot be put in force is stored: its secrets are told in any case.
    let mut stored = false;
    let made = |(): &()| {
        stored = true;
        nothing(&())
    };
    let done = app.act(act(principal, scope, name, what), made, change).await;
    match done {
        Ok(()) => Ok(shown),
        Err(problem) if stored => Err(problem.with("created_keys", serde_json::json!(shown))),
        Err(problem) => Err(problem),
    }
}

/// The rows of a key: itself, and its own budget and limit.
type Rows = (store::keys::VirtualKey, Vec<store::budgets::Budget>);

fn rows(wanted: &Wanted, key: &VirtualKey, now_ms: i64) -> Result<Rows, Problem> {
    let budget = wanted.limit_nano.map(|limit_nano| own_budget(key.id(), limit_nano, now_ms));
    let mut own: Vec<store::budgets::Budget> = budget.into_iter().collect();
    if let Some(limit) = wanted.definition.settings.requests_per_minute {
        own.push(own_limit(key.id(), limit, now_ms).map_err(Problem::invalid)?);
    }
    Ok((key_row(key, &wanted.definition, now_ms)?, own))
}

/// A key that could be made now, and is not.
pub(in crate::admin) struct Planned {
    pub(in crate::admin) key: VirtualKey,
    pub(in crate::admin) row: store::keys::VirtualKey,
    pub(in crate::admin) own: Vec<store::budgets::Budget>,
}

/// Checks all that is checked of a new key; `may` is asked whether it may be there.
pub(in crate::admin) async fn plan(
    app: &App,
    new: NewKey,
    may: impl FnOnce(&str) -> Result<(), Problem> + Send,
) -> Result<Planned, Problem> {
    let now_ms = app.gateway.clock.now_ms();
    let wanted = new.checked(now_ms)?;
    may(&wanted.definition.scope)?;
    store::scopes::get(&app.store, &wanted.definition.scope).await?;
    unserved(app, &wanted.definition)?;
    twins(app, std::slice::from_ref(&wanted), now_ms).await?;
    let key = VirtualKey::generate().map_err(ApplyError::from)?;
    let (row, own) = rows(&wanted, &key, now_ms)?;
    Ok(Planned { key, row, own })
}

/// Refuses a second valid key of one name.
async fn twins(app: &App, wanted: &[Wanted], now_ms: i64) -> Result<(), Problem> {
    let mut names = HashSet::new();
    for (at, Wanted { definition, .. }) in wanted.iter().enumerate() {
        if !names.insert((definition.scope.as_str(), definition.name.as_str())) {
            let told = format!("`{}` of {} is in the array twice", definition.name, definition.scope);
            return Err(Problem::wrong_field(&format!("/{at}/name"), &told));
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
            let told = format!("{} has no `{pattern}`", definition.scope);
            return Err(
                Problem::wrong_field("/endpoints", &told).fix(format!("there are {}", there.join(", ")))
            );
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
            let told = format!("no endpoint of {} that the key may use serves `{model}`", definition.scope);
            Err(Problem::wrong_field("/models", &told).fix(format!("there are {}", served.join(", "))))
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
