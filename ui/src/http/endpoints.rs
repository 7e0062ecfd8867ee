//! `/endpoints` and `/kill-switches`: handlers.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::redirect;
use super::visit::{Sent, Visit, either};
use crate::api::{Problem, Typed, escaped};
use crate::pages::endpoints::one::{self, EndpointPage, Explanation};
use crate::pages::endpoints::{self, Endpoints, Matrix, Summary};
use crate::pages::errors::PageError;
use crate::pages::keys::new::today;
use crate::pages::kill_switches::{self as switches, Refused, Switch, Switches};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ScopeQuery {
    scope: Option<String>,
    model: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    endpoints: Vec<Summary>,
    #[serde(default)]
    unusable: Vec<String>,
}

/// Nothing where nothing was chosen: then the API takes the topmost scope.
fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// `GET /endpoints`.
pub(super) async fn list(visit: Visit, query: Result<Query<ScopeQuery>, QueryRejection>) -> Response {
    let scope = query.ok().and_then(|Query(query)| given(query.scope));
    either(
        async {
            let target = crate::pages::address("/api/v1/endpoints/matrix", [("scope", scope)]);
            let matrix: Matrix = visit.read(&target).await?;
            let listed: Listed = visit.read("/api/v1/endpoints?limit=1000").await?;
            let shown = Endpoints {
                matrix,
                unusable: listed.unusable,
                summaries: listed.endpoints,
                scopes: visit.scopes("console:endpoints", "read").await?,
            };
            let title = visit.lang().text().endpoint_pages.title;
            Ok(visit.show(title, || endpoints::page(&visit.frame, &shown)))
        }
        .await,
    )
}

/// `GET /endpoints/{name}`.
pub(super) async fn one(
    visit: Visit,
    Path(name): Path<String>,
    query: Result<Query<ScopeQuery>, QueryRejection>,
) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    either(
        async {
            let scope = given(query.scope);
            let explain = crate::pages::address(
                "/api/v1/endpoints/explain",
                [("name", Some(name.clone())), ("scope", scope.clone())],
            );
            let explained: Explanation = visit.read(&explain).await?;
            let target = crate::pages::address("/api/v1/endpoints/matrix", [("scope", scope)]);
            let matrix: Matrix = visit.read(&target).await?;
            let listed: Listed = visit.read("/api/v1/endpoints?limit=1000").await?;
            let models: Vec<String> = explained.models.iter().map(|model| model.model.clone()).collect();
            let wanted = given(query.model).or_else(|| models.first().cloned());
            let model = explained.models.into_iter().find(|model| Some(&model.model) == wanted.as_ref());
            let summary = listed.endpoints.into_iter().find(|endpoint| endpoint.name == name);
            let (Some(model), Some(summary)) = (model, summary) else {
                return Err(super::refuse(&visit.frame, PageError::NotFound));
            };
            let row = matrix.rows.into_iter().find(|row| row.endpoint == name && row.model == model.model);
            let shown = EndpointPage {
                row,
                model,
                summary,
                models,
                scope: matrix.scope,
                today: today(visit.now_ms()),
            };
            Ok(visit.show(&name, || one::page(&visit.frame, &shown)))
        }
        .await,
    )
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TargetQuery {
    kind: Option<String>,
    target: Option<String>,
}

/// `GET /kill-switches`.
pub(super) async fn stopped(visit: Visit, query: Result<Query<TargetQuery>, QueryRejection>) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let typed = Typed::default()
        .with("kind", query.kind.unwrap_or_default())
        .with("target", query.target.unwrap_or_default());
    either(
        async {
            let shown = load(&visit).await?;
            // Where there is one scope alone, that is meant.
            let typed = match shown.scopes.as_slice() {
                [top, ..] => typed.with("scope", top),
                [] => typed,
            };
            let title = visit.lang().text().switch_pages.title;
            Ok(visit.show(title, || switches::page(&visit.frame, &shown, &typed, None)))
        }
        .await,
    )
}

async fn load(visit: &Visit) -> Result<Switches, Response> {
    #[derive(Deserialize)]
    struct Thrown {
        kill_switches: Vec<Switch>,
    }
    #[derive(Deserialize)]
    struct Named {
        name: String,
        operator: String,
        models: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Names {
        endpoints: Vec<Named>,
    }
    let thrown: Thrown = visit.read("/api/v1/kill-switches?limit=200").await?;
    let names: Option<Names> = visit.perhaps("/api/v1/endpoints?limit=1000").await?;
    let mut targets: Vec<String> = names
        .into_iter()
        .flat_map(|names| names.endpoints)
        .flat_map(|endpoint| [endpoint.name, endpoint.operator].into_iter().chain(endpoint.models))
        .collect();
    targets.sort();
    targets.dedup();
    Ok(Switches {
        switches: thrown.kill_switches,
        targets,
        scopes: visit.scopes("console:kill-switches", "throw").await?,
        now_ms: visit.now_ms(),
    })
}

/// `POST /kill-switches`.
pub(super) async fn throw(visit: Visit, sent: Sent) -> Response {
    either(
        async {
            let typed = visit.typed(sent)?;
            let text = |name: &str| typed.text(name).unwrap_or_default();
            let body = json!({
                "kind": text("kind"), "target": text("target"), "scope": text("scope"), "reason": text("reason"),
                "expires": switches::expires(typed.raw("hours"), visit.now_ms()),
            });
            let call = typed.call(Method::POST, "/api/v1/kill-switches", Some(body));
            done(&visit, visit.send(call).await, None, &typed).await
        }
        .await,
    )
}

/// `POST /kill-switches/{id}/lift`.
pub(super) async fn lift(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    either(
        async {
            let typed = visit.typed(sent)?;
            let body = json!({ "reason": typed.text("reason").unwrap_or_default() });
            let target = format!("/api/v1/kill-switches/{}", escaped(&id));
            let answer = visit.send(typed.call(Method::DELETE, target, Some(body))).await;
            done(&visit, answer, Some(&id), &typed).await
        }
        .await,
    )
}

async fn done(
    visit: &Visit,
    answer: Result<Value, Problem>,
    id: Option<&str>,
    typed: &Typed,
) -> Result<Response, Response> {
    match answer {
        Ok(_) => Ok(redirect("/kill-switches")),
        Err(problem) if problem.status == 401 || (problem.status == 404 && id.is_some()) => {
            Err(visit.fault(&problem))
        }
        Err(problem) => {
            let shown = load(visit).await?;
            let title = visit.lang().text().switch_pages.title;
            let refused = Refused { id, problem: &problem };
            Ok(visit.again(&problem, title, || switches::page(&visit.frame, &shown, typed, Some(&refused))))
        }
    }
}
