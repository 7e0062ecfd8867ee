//! Limits of rates, as they stand.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};

use super::budgets::{Because, Filter};
use super::etag;
use super::figures::Figures;
use super::input::{Asked, At};
use super::numbered::{declared, tag, top_ups_of};
use super::page::{Page, number};
use super::{Problem, budget_scope};
use crate::app::App;
use crate::budgets::{Standing, Unit, Window, format_usd};
use crate::identity::Permit;
use crate::organisation::LimitDefinition;
use crate::store;

/// One limit. Counts are numbers, amounts of money US dollars as text.
#[derive(Debug, Serialize)]
struct LimitView {
    id: i64,
    scope: Option<String>,
    key: Option<String>,
    user: Option<String>,
    models: Option<String>,
    counts: &'static str,
    window: Window,
    limit: Value,
    /// By all servers, as far as this one knows.
    used: Value,
    /// By what is under way on this server.
    held: Value,
    /// Of one that is asked for alone: as declared, as `PUT` takes it; null of a key's own `requests_per_minute`.
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<Value>,
}

fn view(row: &store::budgets::Budget, standing: &Standing) -> LimitView {
    let unit = standing.budget.unit;
    let amount = |amount: i64| if unit == Unit::Spend { json!(format_usd(amount)) } else { json!(amount) };
    LimitView {
        id: row.id,
        scope: row.scope.clone(),
        key: row.key_id.clone(),
        user: row.owner.clone(),
        models: row.model_group.clone(),
        counts: unit.as_str(),
        window: standing.budget.window,
        limit: amount(standing.limit_nano),
        used: amount(standing.settled_nano),
        held: amount(standing.reserved_nano),
        declared: None,
    }
}

/// `GET /api/v1/limits`: those of the actor's scope, by id.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    filter: Result<Asked<Filter>, Problem>,
) -> Result<Json<Value>, Problem> {
    let Asked(filter) = filter?;
    let page = Page::of("limits", filter.limit, filter.cursor.as_deref())?;
    let mut figures = Figures::asked(&permit, filter.reason.as_deref())?;
    let rows: HashMap<i64, store::budgets::Budget> =
        store::budgets::list(&app.store).await?.into_iter().map(|row| (row.id, row)).collect();
    let standings = app.gateway.budgets.standings(app.gateway.clock.now_ms());
    let mut covers = permit.covering();
    let mut limits: Vec<LimitView> = standings
        .iter()
        .filter(|standing| standing.budget.unit.is_limit())
        .filter_map(|standing| {
            let row = rows.get(&standing.budget.id)?;
            let scope = budget_scope(&app, row)?;
            let within = filter.holds(row, &scope) && covers(&scope) && figures.admits(&app, row, &scope);
            within.then(|| view(row, standing))
        })
        .collect();
    limits.sort_by_key(|limit| limit.id);
    let (limits, next) = page.cut(limits, false, |limit| number(limit.id));
    let ids: Vec<i64> = limits.iter().map(|limit| limit.id).collect();
    Ok(Json(figures.told(&app, page.answer(&limits, next), "limits", ids).await?))
}

/// `GET /api/v1/limits/{id}`, with the tag that a change may ask for.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<i64>,
    because: Result<Asked<Because>, Problem>,
) -> Result<Response, Problem> {
    let Asked(because) = because?;
    let mut figures = Figures::asked(&permit, because.reason.as_deref())?;
    let not_there = || Problem::not_found("limit");
    let row = store::budgets::get(&app.store, store::budgets::BudgetId(id)).await;
    let row = row.map_err(|error| match error {
        store::StoreError::NotFound(_) => not_there(),
        error => error.into(),
    })?;
    let scope = budget_scope(&app, &row).unwrap_or_else(|| String::from("/"));
    permit.at(&scope, "limit")?;
    let now_ms = app.gateway.clock.now_ms();
    let standings = app.gateway.budgets.standings(now_ms);
    let standing = standings.iter().find(|it| it.budget.id == id && it.budget.unit.is_limit());
    // One that is retired stands nowhere.
    let standing = standing.ok_or_else(not_there)?;
    if !figures.admits(&app, &row, &scope) {
        return Err(figures.refused());
    }
    figures.record(&app, "limits", [id]).await?;
    let view = view(&row, standing);
    let declared = Some(declared::<LimitDefinition>(&app, &row, now_ms).await?);
    let tag = tag(&row, &top_ups_of(&app.store, id, now_ms).await?);
    Ok(etag::tagged(&tag, Json(LimitView { declared, ..view })))
}
