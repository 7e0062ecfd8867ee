//! `/budgets`: handlers.

use axum::extract::Path;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;

use super::redirect;
use super::visit::{Sent, Visit, either};
use crate::api::{Problem, Typed, end_of_day, escaped};
use crate::pages::budgets::{self, Budget, RateLimit, Standing, one};
use crate::pages::errors::PageError;
use crate::pages::keys::{Key, KeyList};

#[derive(Deserialize)]
struct Budgets {
    budgets: Vec<Budget>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Limits {
    limits: Vec<RateLimit>,
    next: Option<String>,
}

/// `GET /budgets`.
pub(super) async fn list(visit: Visit) -> Response {
    either(
        async {
            let standing = all(&visit).await?;
            let title = visit.lang().text().budget_pages.title;
            Ok(visit.show(title, || budgets::page(&visit.frame, &standing, visit.now_ms())))
        }
        .await,
    )
}

async fn all(visit: &Visit) -> Result<Standing, Response> {
    let budgets: Budgets = visit.read("/api/v1/budgets?limit=1000").await?;
    let limits: Limits = visit.read("/api/v1/limits?limit=1000").await?;
    let of_keys = budgets.budgets.iter().any(|budget| budget.key.is_some())
        || limits.limits.iter().any(|limit| limit.key.is_some());
    let keys: Option<KeyList> = if of_keys { visit.perhaps("/api/v1/keys?limit=1000").await? } else { None };
    Ok(Standing {
        cut: budgets.next.is_some() || limits.next.is_some(),
        budgets: budgets.budgets,
        limits: limits.limits,
        keys: keys.map(|list| list.keys).unwrap_or_default(),
    })
}

/// A key's own; none for who may not see budgets.
pub(super) async fn of_key(visit: &Visit, key: &Key) -> Result<Option<Standing>, Response> {
    // Budgets follow a line of rotations by its first key.
    let budgets: Option<Budgets> =
        visit.perhaps(&format!("/api/v1/budgets?limit=1000&key={}", escaped(&key.id))).await?;
    let Some(budgets) = budgets else { return Ok(None) };
    let limits: Option<Limits> =
        visit.perhaps(&format!("/api/v1/limits?limit=1000&key={}", escaped(&key.id))).await?;
    Ok(Some(Standing {
        budgets: budgets.budgets,
        limits: limits.map(|found| found.limits).unwrap_or_default(),
        keys: vec![key.clone()],
        cut: false,
    }))
}

/// `GET /budgets/{id}`.
pub(super) async fn one(visit: Visit, Path(id): Path<String>) -> Response {
    either(drawn(&visit, &id, &Typed::default(), None).await)
}

async fn drawn(
    visit: &Visit,
    id: &str,
    typed: &Typed,
    problem: Option<&Problem>,
) -> Result<Response, Response> {
    let standing = all(visit).await?;
    let Some(budget) = standing.budgets.iter().find(|budget| budget.id.to_string() == id) else {
        return Err(super::refuse(&visit.frame, PageError::NotFound));
    };
    let title = budgets::holder(budget, &standing, visit.lang());
    let draw = || one::page(&visit.frame, budget, &standing, visit.now_ms(), typed, problem);
    Ok(match problem {
        Some(problem) => visit.again(problem, &title, draw),
        None => visit.show(&title, draw),
    })
}

/// `POST /budgets/{id}/top-ups`.
pub(super) async fn top_up(visit: Visit, Path(id): Path<String>, sent: Sent) -> Response {
    either(
        async {
            let typed = visit.typed(sent)?;
            let body = json!({
                "amount_usd": typed.text("amount_usd").unwrap_or_default(),
                "reason": typed.text("reason").unwrap_or_default(),
                "until": typed.text("until").map_or_else(|| "window".to_owned(), |day| end_of_day(&day)),
            });
            let target = format!("/api/v1/budgets/{}/top-ups", escaped(&id));
            match visit.send(typed.call(Method::POST, target, Some(body))).await {
                Ok(_) => Ok(redirect(&format!("/budgets/{}", escaped(&id)))),
                Err(problem) if problem.status == 401 => Err(visit.fault(&problem)),
                Err(problem) => drawn(&visit, &id, &typed, Some(&problem)).await,
            }
        }
        .await,
    )
}
