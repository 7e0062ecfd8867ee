//! Limits of rates, as they stand.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};

use super::budgets::Filter;
use super::figures::Figures;
use super::input::Asked;
use super::page::{Page, number};
use super::{Problem, budget_scope};
use crate::app::App;
use crate::budgets::{Standing, Unit, Window, format_usd};
use crate::identity::Permit;
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
