//! Endpoints and what is known of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use http::{HeaderMap, Method};
use serde::Deserialize;

use super::Problem;
use crate::app::{App, ComplianceStatus};
use crate::identity::{Actor, require};
use crate::organisation::describe;

const OBJECT: &str = "console:endpoints";

/// `GET /api/v1/endpoints`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, Problem> {
    let actor = actor(&app, &method, &headers).await?;
    let snapshot = app.gateway.snapshot.load_full();
    let now_ms = app.gateway.clock.now_ms();
    let endpoints: Vec<describe::EndpointSummary> = snapshot
        .places
        .iter()
        .zip(snapshot.policy.endpoints())
        .filter(|(_, endpoint)| overlap(&actor, &endpoint.scope))
        .map(|(place, endpoint)| describe::summary(place, endpoint, now_ms))
        .collect();
    Ok(Json(serde_json::json!({ "endpoints": endpoints, "unusable": snapshot.unusable })))
}

#[derive(Debug, Deserialize)]
pub(super) struct ExplainQuery {
    name: String,
    #[serde(default)]
    scope: Option<String>,
}

/// `GET /api/v1/endpoints/explain?name=…`: every attribute with the facts behind it.
pub(super) async fn explain(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Result<Json<describe::EndpointExplanation>, Problem> {
    let actor = actor(&app, &method, &headers).await?;
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let snapshot = app.gateway.snapshot.load_full();
    let index = snapshot
        .policy
        .endpoints()
        .iter()
        .position(|endpoint| endpoint.name == query.name && overlap(&actor, &endpoint.scope))
        .ok_or_else(|| Problem::not_found("endpoint"))?;
    let now_ms = snapshot.decide_at_ms.unwrap_or_else(|| app.gateway.clock.now_ms());
    let scope = query.scope.as_deref().unwrap_or(&actor.scope);
    if !bailiwick_policy::scope::covers(&actor.scope, scope) {
        return Err(Problem::not_found("scope"));
    }
    let explained = snapshot
        .policy
        .endpoints()
        .get(index)
        .map(|endpoint| describe::explain(&snapshot.policy, endpoint, scope, now_ms))
        .ok_or_else(|| Problem::not_found("endpoint"))?;
    Ok(Json(explained))
}

#[derive(Debug, Deserialize)]
pub(super) struct MatrixQuery {
    #[serde(default)]
    scope: Option<String>,
}

/// `GET /api/v1/endpoints/matrix`: each endpoint against each regulation.
pub(super) async fn matrix(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
    query: Result<Query<MatrixQuery>, QueryRejection>,
) -> Result<Json<describe::Matrix>, Problem> {
    let actor = actor(&app, &method, &headers).await?;
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let snapshot = app.gateway.snapshot.load_full();
    let now_ms = snapshot.decide_at_ms.unwrap_or_else(|| app.gateway.clock.now_ms());
    let scope = query.scope.as_deref().unwrap_or(&actor.scope);
    if !bailiwick_policy::scope::covers(&actor.scope, scope) {
        return Err(Problem::not_found("scope"));
    }
    let endpoints = snapshot.policy.endpoints().iter().filter(|endpoint| overlap(&actor, &endpoint.scope));
    Ok(Json(describe::matrix(&snapshot.policy, endpoints, scope, now_ms)))
}

/// `GET /api/v1/compliance`: the compliance database in force, what it changed, and attestations that end.
pub(super) async fn compliance(
    State(app): State<Arc<App>>,
    method: Method,
    headers: HeaderMap,
) -> Result<Json<ComplianceStatus>, Problem> {
    let actor = actor(&app, &method, &headers).await?;
    Ok(Json(app.compliance_status(&actor.scope).await?))
}

async fn actor(app: &Arc<App>, method: &Method, headers: &HeaderMap) -> Result<Actor, Problem> {
    let scope = Actor::of(app, headers).await?.map_or_else(|| String::from("/"), |actor| actor.scope);
    require(app, method, headers, &scope, OBJECT, "read").await
}

/// An endpoint of a scope above serves the actor's scope too.
fn overlap(actor: &Actor, scope: &str) -> bool {
    bailiwick_policy::scope::overlap(&actor.scope, scope)
}
