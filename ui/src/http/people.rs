//! `/people` and `/sessions`: handlers.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::redirect;
use super::visit::{Sent, Visit, either};
use crate::api::{Problem, Typed, escaped};
use crate::pages::address;
use crate::pages::people::{self, People, Refused, Sessions};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ListQuery {
    disabled: Option<String>,
    cursor: Option<String>,
}

/// `GET /people`.
pub(super) async fn list(visit: Visit, query: Result<Query<ListQuery>, QueryRejection>) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    let disabled = query.disabled.as_deref() == Some("true");
    either(drawn(&visit, disabled, query.cursor, None).await)
}

async fn drawn(
    visit: &Visit,
    disabled: bool,
    cursor: Option<String>,
    refused: Option<&Refused<'_>>,
) -> Result<Response, Response> {
    let target = address(
        "/api/v1/people",
        [
            ("disabled", disabled.then(|| "true".to_owned())),
            ("limit", Some("50".to_owned())),
            ("cursor", cursor),
        ],
    );
    let list: People = visit.read(&target).await?;
    let title = visit.lang().text().people_pages.title;
    let draw = || people::page(&visit.frame, &list, disabled, visit.now_ms(), refused);
    Ok(match refused {
        Some(refused) => visit.again(refused.problem, title, draw),
        None => visit.show(title, draw),
    })
}

/// `POST /people/{id}/disable`.
pub(super) async fn disable(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    changed(&visit, &id, "disable", sent).await
}

/// `POST /people/{id}/enable`.
pub(super) async fn enable(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    changed(&visit, &id, "enable", sent).await
}

async fn changed(visit: &Visit, id: &str, act: &'static str, sent: Sent) -> Response {
    either(
        async {
            let typed = visit.typed(sent)?;
            let body =
                (act == "disable").then(|| json!({ "reason": typed.text("reason").unwrap_or_default() }));
            let target = format!("/api/v1/people/{}/{act}", escaped(id));
            match visit.send(typed.call(Method::POST, target, body)).await {
                Ok(_) => Ok(redirect(&format!("/people#{}", escaped(id)))),
                Err(problem) if matches!(problem.status, 401 | 404) => Err(visit.fault(&problem)),
                Err(problem) => {
                    let refused = Refused { id, typed: &typed, problem: &problem };
                    drawn(visit, false, None, Some(&refused)).await
                }
            }
        }
        .await,
    )
}

/// `GET /sessions`.
pub(super) async fn sessions(visit: Visit, query: Result<Query<ListQuery>, QueryRejection>) -> Response {
    let query = query.map(|Query(query)| query).unwrap_or_default();
    either(open(&visit, query.cursor, None).await)
}

async fn open(
    visit: &Visit,
    cursor: Option<String>,
    problem: Option<&Problem>,
) -> Result<Response, Response> {
    let target = address("/api/v1/sessions", [("limit", Some("100".to_owned())), ("cursor", cursor)]);
    let list: Sessions = visit.read(&target).await?;
    let title = visit.lang().text().people_pages.sessions;
    let draw = || people::sessions(&visit.frame, &list, visit.now_ms(), problem);
    Ok(match problem {
        Some(problem) => visit.again(problem, title, draw),
        None => visit.show(title, draw),
    })
}

/// `POST /sessions/{id}/end`.
pub(super) async fn end(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    either(
        async {
            let typed: Typed = visit.typed(sent)?;
            let target = format!("/api/v1/sessions/{}", escaped(&id));
            match visit.send(typed.call(Method::DELETE, target, None)).await {
                Ok(_) => Ok(redirect("/sessions")),
                Err(problem) if matches!(problem.status, 401 | 404) => Err(visit.fault(&problem)),
                Err(problem) => open(&visit, None, Some(&problem)).await,
            }
        }
        .await,
    )
}
