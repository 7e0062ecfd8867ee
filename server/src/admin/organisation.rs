//! Applying a declaration, and where budgets stand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use http::{HeaderMap, Method};

use super::Problem;
use crate::app::{Act, App};
use crate::budgets::format_usd;
use crate::identity::{Actor, require};
use crate::organisation::{Applied, EndpointDefinition, Organisation, apply as apply_to};
use bailiwick_ledger::Kind;

/// `POST /api/v1/apply`. Needs a role at the root: a declaration may touch every scope.
pub(super) async fn apply(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
    body: Result<Json<Organisation>, JsonRejection>,
) -> Result<Json<Applied>, Problem> {
    let actor = require(&app, &method, &headers, "/", "console:organisation", "apply").await?;
    let Json(organisation) = body.map_err(|error| Problem::invalid(error.body_text()))?;
    compiles(&app, &organisation).await?;
    let act = Act {
        kind: Kind::Admin,
        principal: &actor.subject,
        scope: Some("/"),
        name: "applied",
        what: named(&organisation),
    };
    let change = async {
        // Again: another declaration may have come first.
        compiles(&app, &organisation).await?;
        Ok::<_, Problem>(apply_to(&app.store, &organisation, app.gateway.clock.now_ms()).await?)
    };
    Ok(Json(app.act(act, created, change).await?))
}

/// What a declaration names, for its record.
pub(crate) fn named(organisation: &Organisation) -> serde_json::Value {
    let keys =
        organisation.keys.iter().map(|key| serde_json::json!({ "scope": key.scope, "name": key.name }));
    serde_json::json!({
        "scopes": organisation.scopes.iter().map(|scope| &scope.path).collect::<Vec<_>>(),
        "endpoints": organisation.endpoints.iter().map(|endpoint| &endpoint.name).collect::<Vec<_>>(),
        "budgets": organisation.budgets,
        "keys": keys.collect::<Vec<_>>(),
    })
}

/// The keys that a declaration made, for its record.
pub(crate) fn created(applied: &Applied) -> serde_json::Value {
    serde_json::json!({ "keys": applied.created_keys.iter().map(|key| &key.id).collect::<Vec<_>>() })
}

/// Whether the bundle in force compiles over the endpoints as they would be: what is stored must be able to be put in
/// force, now and at the next start.
async fn compiles(app: &App, organisation: &Organisation) -> Result<(), Problem> {
    let mut endpoints: Vec<_> = Vec::new();
    for row in crate::store::endpoints::list(&app.store).await? {
        let kept = organisation.endpoints.iter().all(|new| new.name != row.name);
        if kept && let Ok(definition) = serde_json::from_value::<EndpointDefinition>(row.definition) {
            endpoints.push(definition.for_policy(&app.sources.database));
        }
    }
    endpoints.extend(organisation.endpoints.iter().map(|new| new.for_policy(&app.sources.database)));
    let (bundle, database) = (Arc::clone(&app.sources.bundle), Arc::clone(&app.sources.database));
    bailiwick_policy::Compiled::new(bundle, database, endpoints, app.gateway.clock.now_ms())
        .map(drop)
        .map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Problem::invalid(format!("nothing was changed: {}", problems.join("; ")))
        })
}

/// `GET /api/v1/budgets`.
pub(super) async fn budgets(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, Problem> {
    let scope = Actor::of(&app, &headers).await?.map_or_else(|| String::from("/"), |actor| actor.scope);
    let actor = require(&app, &method, &headers, &scope, "console:budgets", "read").await?;
    let owners: std::collections::HashMap<i64, String> = crate::store::budgets::list(&app.store)
        .await?
        .into_iter()
        .filter_map(|row| {
            let of_key = || {
                let snapshot = app.gateway.snapshot.load();
                snapshot.key(row.key_id.as_deref()?).map(|key| key.scope.clone())
            };
            Some((row.id, row.scope.clone().or_else(of_key)?))
        })
        .collect();
    let budgets: Vec<serde_json::Value> = app
        .gateway
        .budgets
        .standings(app.gateway.clock.now_ms())
        .into_iter()
        .filter(|standing| {
            owners
                .get(&standing.budget.id)
                .is_some_and(|scope| bailiwick_policy::scope::covers(&actor.scope, scope))
        })
        .map(|standing| {
            serde_json::json!({
                "id": standing.budget.id,
                "name": standing.budget.name,
                "window": standing.budget.window,
                "window_start_ms": standing.window_start_ms,
                "hard": standing.budget.hard,
                "limit_usd": format_usd(standing.limit_nano),
                "settled_usd": format_usd(standing.settled_nano),
                "reserved_usd": format_usd(standing.reserved_nano),
            })
        })
        .collect();
    Ok(Json(serde_json::json!({ "budgets": budgets })))
}
