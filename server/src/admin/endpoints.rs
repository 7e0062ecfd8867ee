//! Endpoints and what is known of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::Problem;
use crate::app::{App, ComplianceStatus};
use crate::identity::Permit;
use crate::organisation::describe;

/// `GET /api/v1/endpoints`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
) -> Result<Json<serde_json::Value>, Problem> {
    let scopes = permit.scopes();
    let snapshot = app.gateway.snapshot.load_full();
    let now_ms = app.gateway.clock.now_ms();
    let endpoints: Vec<describe::EndpointSummary> = snapshot
        .places
        .iter()
        .zip(snapshot.policy.endpoints())
        .filter(|(_, endpoint)| overlap(&scopes, &endpoint.scope))
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
    permit: Permit,
    query: Result<Query<ExplainQuery>, QueryRejection>,
) -> Result<Json<describe::EndpointExplanation>, Problem> {
    let scopes = permit.scopes();
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let snapshot = app.gateway.snapshot.load_full();
    let index = snapshot
        .policy
        .endpoints()
        .iter()
        .position(|endpoint| endpoint.name == query.name && overlap(&scopes, &endpoint.scope))
        .ok_or_else(|| Problem::not_found("endpoint"))?;
    let now_ms = snapshot.decide_at_ms.unwrap_or_else(|| app.gateway.clock.now_ms());
    let scope = permit.scope(query.scope)?;
    let explained = snapshot
        .policy
        .endpoints()
        .get(index)
        .map(|endpoint| describe::explain(&snapshot.policy, endpoint, &scope, now_ms))
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
    permit: Permit,
    query: Result<Query<MatrixQuery>, QueryRejection>,
) -> Result<Json<describe::Matrix>, Problem> {
    let scopes = permit.scopes();
    let Query(query) = query.map_err(|error| Problem::invalid(error.body_text()))?;
    let snapshot = app.gateway.snapshot.load_full();
    let now_ms = snapshot.decide_at_ms.unwrap_or_else(|| app.gateway.clock.now_ms());
    let scope = permit.scope(query.scope)?;
    let endpoints = snapshot.policy.endpoints().iter().filter(|endpoint| overlap(&scopes, &endpoint.scope));
    Ok(Json(describe::matrix(&snapshot.policy, endpoints, &scope, now_ms)))
}

/// `GET /api/v1/compliance`: the compliance database in force, what it changed, and attestations that end.
pub(super) async fn compliance(
    State(app): State<Arc<App>>,
    permit: Permit,
) -> Result<Json<ComplianceStatus>, Problem> {
    let scope = permit.scope(None)?;
    Ok(Json(app.compliance_status(&scope).await?))
}

/// An endpoint of a scope above serves the actor's scope too.
fn overlap(scopes: &[String], scope: &str) -> bool {
    scopes.iter().any(|own| bailiwick_policy::scope::overlap(own, scope))
}
