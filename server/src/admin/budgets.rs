//! Where budgets stand, and topping them up.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use bailiwick_ledger::Kind;
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::etag::{self, IfMatch};
use super::figures::Figures;
use super::numbered::{declared, tag, top_ups_of};
use crate::admin::input::{Asked, At, Body};
use crate::admin::page::{Page, number};
use crate::app::{Act, App};
use crate::budgets::{Standing, Unit, Window, format_usd, parse_usd, reached};
use crate::identity::Permit;
use crate::organisation::BudgetDefinition;
use crate::store;

/// Longest reason of a top-up, in characters.
const LONGEST_REASON: usize = 500;

/// A budget as an operator sees it.
#[derive(Debug, Serialize)]
struct BudgetView {
    id: i64,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<String>,
    window: Window,
    /// Start of the bucket in which spend is booked now.
    window_start_ms: i64,
    /// When what is spent now counts no longer; null is never.
    forgets_ms: Option<i64>,
    hard: bool,
    /// As declared.
    declared_usd: String,
    /// What may be spent now: as declared, topped up, carried over.
    limit_usd: String,
    carried_over_usd: String,
    settled_usd: String,
    reserved_usd: String,
    thresholds: Vec<u16>,
    /// Those of them that are reached.
    reached: Vec<u16>,
    top_ups: Vec<TopUpView>,
    /// Of one that is asked for alone: as declared, as `PUT` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    declared: Option<serde_json::Value>,
}

/// A top-up as an operator sees it.
#[derive(Debug, Serialize)]
pub(super) struct TopUpView {
    id: String,
    amount_usd: String,
    from_ms: i64,
    /// Null counts for good.
    until_ms: Option<i64>,
    reason: String,
    principal: String,
}

impl From<store::budgets::TopUp> for TopUpView {
    fn from(row: store::budgets::TopUp) -> Self {
        Self {
            id: row.id,
            amount_usd: format_usd(row.amount_nano),
            from_ms: row.from_ms,
            until_ms: row.until_ms,
            reason: row.reason,
            principal: row.principal,
        }
    }
}

/// Which budgets, or limits, are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Filter {
    /// In this scope and below.
    scope: Option<String>,
    key: Option<String>,
    /// Why figures of single people are asked for.
    pub(super) reason: Option<String>,
    pub(super) limit: Option<u64>,
    pub(super) cursor: Option<String>,
}

impl Filter {
    pub(super) fn holds(&self, row: &store::budgets::Budget, scope: &str) -> bool {
        self.scope.as_ref().is_none_or(|asked| bailiwick_policy::scope::covers(asked, scope))
            && (self.key.is_none() || self.key == row.key_id)
    }
}

/// `GET /api/v1/budgets`: those of the actor's scope, by id.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    permit: Permit,
    filter: Result<Asked<Filter>, Problem>,
) -> Result<Json<serde_json::Value>, Problem> {
    let Asked(filter) = filter?;
    let page = Page::of("budgets", filter.limit, filter.cursor.as_deref())?;
    let mut figures = Figures::asked(&permit, filter.reason.as_deref())?;
    let now_ms = app.gateway.clock.now_ms();
    let rows: HashMap<i64, store::budgets::Budget> =
        store::budgets::list(&app.store).await?.into_iter().map(|row| (row.id, row)).collect();
    let mut top_ups: HashMap<i64, Vec<TopUpView>> = HashMap::new();
    for row in store::budgets::top_ups(&app.store, now_ms).await? {
        top_ups.entry(row.budget_id).or_default().push(row.into());
    }
    let mut covers = permit.covering();
    let mut budgets: Vec<BudgetView> = app
        .gateway
        .budgets
        .standings(now_ms)
        .into_iter()
        .filter(|standing| !standing.budget.unit.is_limit())
        .filter_map(|standing| {
            let row = rows.get(&standing.budget.id)?;
            let scope = scope_of(&app, row)?;
            let told = filter.holds(row, &scope) && covers(&scope) && figures.admits(&app, row, &scope);
            told.then(|| {
                let top_ups = top_ups.remove(&row.id).unwrap_or_default();
                view(row, standing, top_ups, now_ms)
            })
        })
        .collect();
    budgets.sort_by_key(|budget| budget.id);
    let (budgets, next) = page.cut(budgets, false, |budget| number(budget.id));
    let ids: Vec<i64> = budgets.iter().map(|budget| budget.id).collect();
    Ok(Json(figures.told(&app, page.answer(&budgets, next), "budgets", ids).await?))
}

/// Why somebody asks for one budget, where it is a single person's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Because {
    pub(super) reason: Option<String>,
}

/// `GET /api/v1/budgets/{id}`, with the tag that a top-up may ask for: of what is declared and of its top-ups, not of what is
/// spent.
pub(super) async fn get(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<i64>,
    because: Result<Asked<Because>, Problem>,
) -> Result<Response, Problem> {
    let Asked(because) = because?;
    let mut figures = Figures::asked(&permit, because.reason.as_deref())?;
    let row = store::budgets::get(&app.store, store::budgets::BudgetId(id)).await?;
    let scope = scope_of(&app, &row).unwrap_or_else(|| String::from("/"));
    permit.at(&scope, "budget")?;
    if !figures.admits(&app, &row, &scope) {
        return Err(figures.refused());
    }
    figures.record(&app, "budgets", [id]).await?;
    let now_ms = app.gateway.clock.now_ms();
    let top_ups = top_ups_of(&app.store, id, now_ms).await?;
    let tag = tag(&row, &top_ups);
    let standing = app.gateway.budgets.standings(now_ms).into_iter().find(|it| it.budget.id == id);
    let standing = standing.filter(|it| !it.budget.unit.is_limit());
    // One that is retired stands nowhere.
    let standing = standing.ok_or_else(|| Problem::not_found("budget"))?;
    let top_ups = top_ups.into_iter().map(TopUpView::from).collect();
    let declared = Some(declared::<BudgetDefinition>(&app, &row, now_ms).await?);
    let view = BudgetView { declared, ..view(&row, standing, top_ups, now_ms) };
    Ok(etag::tagged(&tag, Json(view)))
}

fn view(
    row: &store::budgets::Budget,
    standing: Standing,
    top_ups: Vec<TopUpView>,
    now_ms: i64,
) -> BudgetView {
    let budget = standing.budget;
    BudgetView {
        id: budget.id,
        name: budget.name,
        scope: row.scope.clone(),
        key: row.key_id.clone(),
        user: row.owner.clone(),
        models: row.model_group.clone(),
        window_start_ms: standing.window_start_ms,
        forgets_ms: budget.window.forgets_at(now_ms),
        window: budget.window,
        hard: budget.hard,
        declared_usd: format_usd(budget.limit_nano),
        limit_usd: format_usd(standing.limit_nano),
        carried_over_usd: format_usd(standing.carried_nano),
        settled_usd: format_usd(standing.settled_nano),
        reserved_usd: format_usd(standing.reserved_nano),
        reached: reached(&budget.thresholds, standing.limit_nano, standing.settled_nano).collect(),
        thresholds: budget.thresholds,
        top_ups,
        declared: None,
    }
}

/// Where a budget is: a key's is where the key is, a user's concerns the whole tree.
pub(crate) fn scope_of(app: &App, row: &store::budgets::Budget) -> Option<String> {
    match (&row.scope, &row.key_id) {
        (Some(scope), _) => Some(scope.clone()),
        (None, Some(key)) => app.gateway.snapshot.load().key(key).map(|key| key.scope.clone()),
        (None, None) => Some(String::from("/")),
    }
}

/// The body of `POST /api/v1/budgets/{id}/top-ups`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTopUp {
    amount_usd: String,
    reason: String,
    /// From now on where absent.
    #[serde(default)]
    from: Option<DateTime<Utc>>,
    #[serde(default)]
    until: Until,
}

/// How long a top-up counts.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "String")]
enum Until {
    /// `window`: to the end of the open window; of a rolling one until what is spent now is forgotten.
    #[default]
    Window,
    /// `always`.
    Always,
    /// An RFC 3339 instant.
    At(DateTime<Utc>),
    /// Something else.
    Unknown(String),
}

impl From<String> for Until {
    fn from(text: String) -> Self {
        match text.as_str() {
            "window" => Self::Window,
            "always" => Self::Always,
            _ => text.parse().map_or(Self::Unknown(text), Self::At),
        }
    }
}

/// `POST /api/v1/budgets/{id}/top-ups`: in force when this answers.
pub(super) async fn top_up(
    State(app): State<Arc<App>>,
    permit: Permit,
    At(id): At<i64>,
    expected: IfMatch,
    body: Result<Body<NewTopUp>, Problem>,
) -> Result<(StatusCode, Json<TopUpView>), Problem> {
    let row = store::budgets::get(&app.store, store::budgets::BudgetId(id)).await?;
    let scope = scope_of(&app, &row).unwrap_or_else(|| String::from("/"));
    permit.at(&scope, "budget")?;
    money(&row)?;
    let Body(new) = body?;
    let now_ms = app.gateway.clock.now_ms();
    let top_up = read(&row, new, permit.subject(), now_ms).map_err(Problem::invalid)?;
    let (before, after) = raised(&app, &row, &top_up, now_ms);
    let what = serde_json::json!({
        "budget": id,
        "top_up": top_up.id,
        "amount_usd": format_usd(top_up.amount_nano),
        "from_ms": top_up.from_ms,
        "until_ms": top_up.until_ms,
        "reason": top_up.reason,
        "before": { "limit_usd": before },
        "after": { "limit_usd": after },
    });
    let act = Act {
        kind: Kind::Admin,
        principal: permit.subject(),
        scope: Some(&scope),
        name: "budget_topped_up",
        what,
    };
    let stored = top_up.clone();
    let known = (row.clone(), top_ups_of(&app.store, id, now_ms).await?);
    let seen = expected.seen_as(&known, &tag(&known.0, &known.1))?;
    let change = async {
        match seen {
            None => store::budgets::top_up(&app.store, stored).await?,
            Some((row, top_ups)) => {
                store::budgets::top_up_as_seen(&app.store, stored, row, top_ups, now_ms).await?;
            }
        }
        Ok::<_, Problem>(())
    };
    app.act(act, |()| serde_json::Value::Null, change).await?;
    Ok((StatusCode::CREATED, Json(top_up.into())))
}

/// What may be spent by a budget before a top-up counts, and once it does.
fn raised(
    app: &App,
    row: &store::budgets::Budget,
    top_up: &store::budgets::TopUp,
    now_ms: i64,
) -> (String, String) {
    let before = limit_now(app, row, now_ms);
    (format_usd(before), format_usd(before.saturating_add(top_up.amount_nano)))
}

/// What may be spent now: as declared, topped up, carried over.
fn limit_now(app: &App, row: &store::budgets::Budget, now_ms: i64) -> i64 {
    let standings = app.gateway.budgets.standings(now_ms);
    let standing = standings.iter().find(|standing| standing.budget.id == row.id);
    standing.map_or(row.limit_nano, |standing| standing.limit_nano)
}

/// A top-up that could be made now, and is not.
pub(super) struct Planned {
    pub(super) scope: String,
    /// What may be spent now.
    pub(super) limit_nano: i64,
    pub(super) top_up: store::budgets::TopUp,
}

/// Checks all that is checked of a top-up.
pub(super) async fn plan(
    app: &App,
    id: i64,
    amount_usd: String,
    until: String,
    reason: &str,
    principal: &str,
) -> Result<Planned, Problem> {
    let row = store::budgets::get(&app.store, store::budgets::BudgetId(id)).await?;
    money(&row)?;
    let now_ms = app.gateway.clock.now_ms();
    let new = NewTopUp { amount_usd, reason: reason.to_owned(), from: None, until: until.into() };
    let top_up = read(&row, new, principal, now_ms).map_err(Problem::invalid)?;
    let limit_nano = limit_now(app, &row, now_ms);
    let scope = scope_of(app, &row).unwrap_or_else(|| String::from("/"));
    Ok(Planned { scope, limit_nano, top_up })
}

fn money(row: &store::budgets::Budget) -> Result<(), Problem> {
    if row.unit == Unit::Usd.as_str() {
        return Ok(());
    }
    Err(Problem::invalid(format!("{} is a limit of a rate, not a budget", row.id))
        .fix("declare the limit anew with another number"))
}

fn read(
    row: &store::budgets::Budget,
    new: NewTopUp,
    principal: &str,
    now_ms: i64,
) -> Result<store::budgets::TopUp, String> {
    let amount_nano = parse_usd(&new.amount_usd)?;
    if amount_nano == 0 {
        return Err(String::from("a top-up of nothing: `amount_usd` is above zero"));
    }
    if row.limit_nano.checked_add(amount_nano).is_none() {
        return Err(String::from("limit and top-up together are more US dollars than can be counted"));
    }
    let reason = new.reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(format!("a top-up needs a `reason` of at most {LONGEST_REASON} characters"));
    }
    let from_ms = new.from.map_or(now_ms, |from| from.timestamp_millis());
    if from_ms < now_ms {
        return Err(String::from("`from` is in the past; leave it out for now"));
    }
    let window: Window = row.window.parse()?;
    let until_ms = match new.until {
        Until::Window => window.forgets_at(from_ms),
        Until::Always => None,
        Until::At(until) => Some(until.timestamp_millis()),
        Until::Unknown(text) => {
            let shown: String = text.chars().take(40).collect();
            return Err(format!("`{shown}` is no end: `window`, `always` or an RFC 3339 instant"));
        }
    };
    if until_ms.is_some_and(|until| until <= from_ms) {
        return Err(String::from("`until` is not after `from`"));
    }
    Ok(store::budgets::TopUp {
        id: format!("top_{}", uuid::Uuid::now_v7().simple()),
        budget_id: row.id,
        amount_nano,
        from_ms,
        until_ms,
        reason: reason.to_owned(),
        principal: principal.to_owned(),
        created_ms: now_ms,
    })
}
