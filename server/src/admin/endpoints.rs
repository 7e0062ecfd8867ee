//! Endpoints and what is known of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bailiwick_compliance_db::Changes;
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::admin::input::{Asked, Body};
use crate::admin::page::Page;
use crate::app::{App, ComplianceStatus};
use crate::identity::Permit;
use crate::organisation::describe;
use crate::store::StoreError;

/// Which endpoints are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filter {
    /// That requests of this scope may use.
    scope: Option<String>,
    /// That serve this model.
    model: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
}

/// `GET /api/v1/endpoints`: by name.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    filter: Result<Asked<Filter>, Problem>,
) -> Result<Json<serde_json::Value>, Problem> {
    let Asked(filter) = filter?;
    let page = Page::of("endpoints", filter.limit, filter.cursor.as_deref())?;
    let scopes = permit.scopes();
    let snapshot = app.gateway.snapshot.load_full();
    let now_ms = app.gateway.clock.now_ms();
    let mut endpoints: Vec<_> = snapshot
        .places
        .iter()
        .zip(snapshot.policy.endpoints())
        .filter(|(_, endpoint)| overlap(&scopes, &endpoint.scope))
        .filter(|(_, endpoint)| {
            let serves = |scope: &String| bailiwick_policy::scope::covers(&endpoint.scope, scope);
            filter.scope.as_ref().is_none_or(serves)
        })
        .filter(|(place, _)| filter.model.as_ref().is_none_or(|model| place.routes.contains_key(model)))
        .collect();
    endpoints.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    let (endpoints, next) = page.cut(endpoints, false, |(place, _)| place.name.clone());
    let endpoints: Vec<describe::EndpointSummary> =
        endpoints.into_iter().map(|(place, endpoint)| describe::summary(place, endpoint, now_ms)).collect();
    let mut answer = page.answer(&endpoints, next);
    let unusable = snapshot.unusable.iter().filter(|it| overlap(&scopes, &it.endpoint.scope));
    let unusable: Vec<&str> = unusable.map(|it| it.why.as_str()).collect();
    if let Some(answer) = answer.as_object_mut() {
        answer.insert(String::from("unusable"), serde_json::json!(unusable));
    }
    Ok(Json(answer))
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
    query: Result<Asked<ExplainQuery>, Problem>,
) -> Result<Json<describe::EndpointExplanation>, Problem> {
    let scopes = permit.scopes();
    let Asked(query) = query?;
    let snapshot = app.gateway.snapshot.load_full();
    let in_use = snapshot.policy.endpoints().iter().map(|endpoint| (endpoint, None));
    let others = snapshot.unusable.iter().map(|it| (&it.endpoint, Some(it.why.clone())));
    let (endpoint, not_in_use) = in_use
        .chain(others)
        .find(|(endpoint, _)| endpoint.name == query.name && overlap(&scopes, &endpoint.scope))
        .ok_or_else(|| Problem::not_found("endpoint"))?;
    let now_ms = snapshot.decide_at_ms.unwrap_or_else(|| app.gateway.clock.now_ms());
    let scope = permit.scope(query.scope)?;
    let explained = describe::explain(&snapshot.policy, endpoint, &scope, now_ms);
    Ok(Json(describe::EndpointExplanation { not_in_use, ..explained }))
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
    query: Result<Asked<MatrixQuery>, Problem>,
) -> Result<Json<describe::Matrix>, Problem> {
    let scopes = permit.scopes();
    let Asked(query) = query?;
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

/// The body of `POST /api/v1/compliance:impact`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Newer {
    /// The files of the other database, by path, without a bundle's own.
    database: BTreeMap<String, String>,
    #[serde(default)]
    scope: Option<String>,
}

/// What another database would change.
#[derive(Debug, Serialize)]
pub(super) struct WouldChange {
    changes: Changes,
    answers: Vec<describe::Impact>,
}

/// `POST /api/v1/compliance:impact`: what another compliance database says otherwise than the one in force, and which
/// answers about the organisation's own endpoints that changes; those that are not in use among them.
pub(super) async fn impact(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<Body<Newer>, Problem>,
) -> Result<Json<WouldChange>, Problem> {
    let Body(newer) = body?;
    let scope = permit.scope(newer.scope)?;
    let _one = super::plans::one_at_a_time()?;
    super::plans::cheap(&newer.database)?;
    let scopes = permit.scopes();
    let snapshot = app.gateway.snapshot.load_full();
    let now_ms = snapshot.decide_at_ms.unwrap_or_else(|| app.gateway.clock.now_ms());
    let working = crate::background::run(move || {
        let policy = &snapshot.policy;
        let after = policy.bundle().database(newer.database)?;
        let declared = policy.endpoints().iter().chain(snapshot.unusable.iter().map(|it| &it.endpoint));
        let endpoints: Vec<_> = declared.filter(|it| overlap(&scopes, &it.scope)).collect();
        let both = (policy.database().as_ref(), &after);
        let answers = describe::impact(policy, &endpoints, both, &scope, now_ms);
        Ok(WouldChange { changes: policy.database().changes(&after), answers })
    });
    let done = working.await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    done.map(Json).map_err(|problems: Vec<bailiwick_policy::Problem>| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Problem::wrong_field("/database", &all.join("; "))
            .fix("`bailiwick compliance verify` sends the files of a release as they were signed")
    })
}

/// An endpoint of a scope above serves the actor's scope too.
fn overlap(scopes: &[String], scope: &str) -> bool {
    scopes.iter().any(|own| bailiwick_policy::scope::overlap(own, scope))
}
