//! `/requests`: handlers.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;

use super::redirect;
use super::visit::{Sent, Visit, either};
use crate::api::{Typed, escaped};
use crate::pages::budgets::{self, Budget, Standing};
use crate::pages::errors::PageError;
use crate::pages::keys::new;
use crate::pages::keys::shown::{self, Lead, Made};
use crate::pages::requests::new::{self as asking, Choices};
use crate::pages::requests::{self, Asked, KINDS, Refused, RequestList, STATES};
use crate::text;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    state: Option<String>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Listed {
    requests: Vec<Asked>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Me {
    subject: String,
}

/// `GET /requests`.
pub(super) async fn list(visit: Visit, query: Result<Query<ListQuery>, QueryRejection>) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let state = query.state.filter(|state| !state.is_empty());
    if state.as_deref().is_some_and(|state| !STATES.contains(&state)) {
        return super::refuse(&visit.frame, PageError::BadRequest);
    }
    either(
        async {
            let list = load(&visit, state.as_deref(), query.cursor).await?;
            let title = visit.lang().text().request_pages.title;
            Ok(visit
                .show(title, || requests::page(&visit.frame, state.as_deref(), &list, visit.now_ms(), None)))
        }
        .await,
    )
}

async fn load(visit: &Visit, state: Option<&str>, cursor: Option<String>) -> Result<RequestList, Response> {
    let target = crate::pages::address(
        "/api/v1/requests",
        [("state", state.map(str::to_owned)), ("limit", Some("50".to_owned())), ("cursor", cursor)],
    );
    let listed: Listed = visit.read(&target).await?;
    let me: Me = visit.read("/api/v1/me").await?;
    Ok(RequestList { requests: listed.requests, next: listed.next, subject: me.subject })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NewQuery {
    kind: Option<String>,
    budget: Option<String>,
    rule: Option<String>,
    scope: Option<String>,
}

/// `GET /requests/new`.
pub(super) async fn blank(visit: Visit, query: Result<Query<NewQuery>, QueryRejection>) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let kind = query.kind.as_deref().and_then(known).unwrap_or("key");
    either(
        async {
            let choices = choices(&visit, kind).await?;
            let typed = Typed::default()
                .with("budget", query.budget.unwrap_or_default())
                .with("rule", query.rule.unwrap_or_default())
                .with("scope", query.scope.unwrap_or_default());
            let title = visit.lang().text().request_pages.ask;
            Ok(visit.show(title, || asking::page(&visit.frame, kind, &choices, &typed, None)))
        }
        .await,
    )
}

fn known(kind: &str) -> Option<&'static str> {
    KINDS.into_iter().find(|known| *known == kind)
}

/// What the form offers: only what its kind needs is asked for.
async fn choices(visit: &Visit, kind: &str) -> Result<Choices, Response> {
    #[derive(Deserialize)]
    struct Budgets {
        budgets: Vec<Budget>,
    }
    let mut choices =
        Choices { key: super::keys::offers(visit, "console:requests", "ask").await?, budgets: Vec::new() };
    if kind == "budget_raise" {
        let found: Option<Budgets> = visit.perhaps("/api/v1/budgets?limit=1000").await?;
        let budgets = found.map(|found| found.budgets).unwrap_or_default();
        let standing = Standing { budgets, ..Standing::default() };
        let words = |budget: &Budget| {
            let holder = budgets::holder(budget, &standing, visit.lang());
            format!("{holder} · {}", text::window(&budget.window, visit.lang()))
        };
        choices.budgets =
            standing.budgets.iter().map(|budget| (budget.id.to_string(), words(budget))).collect();
    }
    Ok(choices)
}

/// A request that was made, and the key that nobody else is shown.
#[derive(Deserialize)]
struct NewRequest {
    id: String,
    #[serde(default)]
    key: Option<String>,
}

/// `POST /requests/new`.
pub(super) async fn ask(visit: Visit, sent: Sent) -> Response {
    either(asked(&visit, sent).await)
}

async fn asked(visit: &Visit, sent: Sent) -> Result<Response, Response> {
    let typed = visit.typed(sent)?;
    let Some(kind) = known(typed.raw("kind")) else {
        return Err(super::refuse(&visit.frame, PageError::BadRequest));
    };
    let call = typed.call(Method::POST, "/api/v1/requests", Some(asking::body(kind, &typed)));
    let answer = visit.send(call).await.and_then(super::keys::read::<NewRequest>);
    match answer {
        Ok(NewRequest { id, key: Some(secret) }) => {
            let made = Made {
                id,
                secret,
                name: typed.text("name").unwrap_or_default(),
                scope: typed.text("scope").unwrap_or_default(),
                model: new::model(&typed).unwrap_or_else(|| super::keys::example_model(visit)),
                base_url: visit.base_url(),
                lead: Lead::Asked,
            };
            let title = visit.lang().text().key_pages.asked_title;
            Ok(visit.show(title, || shown::page(&visit.frame, &made)))
        }
        Ok(NewRequest { id, key: None }) => Ok(redirect(&format!("/requests#{}", escaped(&id)))),
        Err(problem) if problem.status == 401 => Err(visit.fault(&problem)),
        Err(problem) => {
            let choices = choices(visit, kind).await?;
            let title = visit.lang().text().request_pages.ask;
            Ok(visit.again(&problem, title, || {
                asking::page(&visit.frame, kind, &choices, &typed, Some(&problem))
            }))
        }
    }
}

/// `POST /requests/{id}/approve`.
pub(super) async fn approve(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    decided(&visit, &id, "approve", sent).await
}

/// `POST /requests/{id}/refuse`.
pub(super) async fn refuse(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    decided(&visit, &id, "refuse", sent).await
}

/// `POST /requests/{id}/withdraw`.
pub(super) async fn withdraw(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    decided(&visit, &id, "withdraw", sent).await
}

async fn decided(visit: &Visit, id: &str, act: &'static str, sent: Sent) -> Response {
    either(
        async {
            let typed = visit.typed(sent)?;
            let body = (act != "withdraw").then(|| match typed.text("reason") {
                Some(reason) => serde_json::json!({ "reason": reason }),
                None => serde_json::json!({}),
            });
            let target = format!("/api/v1/requests/{}/{act}", escaped(id));
            match visit.send(typed.call(Method::POST, target, body)).await {
                Ok(_) => Ok(redirect(&format!("/requests#{}", escaped(id)))),
                Err(problem) if matches!(problem.status, 401 | 404) => Err(visit.fault(&problem)),
                Err(problem) => {
                    let list = load(visit, None, None).await?;
                    let refused = Refused { id, act, typed: &typed, problem: &problem };
                    let title = visit.lang().text().request_pages.title;
                    Ok(visit.again(&problem, title, || {
                        requests::page(&visit.frame, None, &list, visit.now_ms(), Some(&refused))
                    }))
                }
            }
        }
        .await,
    )
}
