//! `POST /api/v1/policy:plan`: what another bundle, changed facts or another compliance database would have changed. And
//! what records name by digest, for who plans with an export somewhere else.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, BundleSource};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Problem;
use crate::admin::input::Body;
use crate::app::App;
use crate::identity::Permit;
use crate::plan::{FactChanges, Plan, PlanError, PlanReport, PlannedDatabase, Prices, Traffic, plan};
use crate::snapshot::{KINDS, Kept as _};
use crate::store::StoreError;

/// The largest bundle that is taken, in bytes of JSON.
pub(super) const LARGEST: usize = 8 * 1024 * 1024;

/// A plan keeps a core busy; one at a time leaves the others to the traffic.
static UNDER_WAY: Semaphore = Semaphore::const_new(1);

/// Refuses a second one: reading many large bundles or databases at once takes as much as a plan does.
pub(super) fn one_at_a_time() -> Result<SemaphorePermit<'static>, Problem> {
    UNDER_WAY.try_acquire().map_err(|_| {
        Problem::new(StatusCode::CONFLICT, "conflict", "Another plan is under way")
            .fix("try again when it is done")
    })
}

/// Refuses files of a database that are too costly to read.
pub(super) fn cheap(database: &BTreeMap<String, String>) -> Result<(), Problem> {
    for (path, text) in database {
        if path.starts_with(Database::OWN) {
            return Err(Problem::wrong_field(
                "/database",
                &format!("`{path}` is a bundle's, not a database's"),
            ));
        }
        if let Some(problem) = bailiwick_policy::yaml_cost(path, text) {
            return Err(Problem::wrong_field("/database", &problem.to_string()));
        }
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanBody {
    /// Its files, by path; each decision's own bundle where absent.
    #[serde(default)]
    bundle: Option<BTreeMap<String, String>>,
    /// Changed facts: see [`FactChanges`].
    #[serde(default)]
    facts: Vec<String>,
    /// The files of another compliance database, by path; each decision's own where absent.
    #[serde(default)]
    database: Option<BTreeMap<String, String>>,
    from: DateTime<Utc>,
    #[serde(default)]
    until: Option<DateTime<Utc>>,
    #[serde(default)]
    scope: Option<String>,
}

/// `POST /api/v1/policy:plan`.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<Body<PlanBody>, Problem>,
) -> Result<Json<PlanReport>, Problem> {
    // It tells of decisions as well.
    let decisions = permit.and(super::decisions::OBJECT, "read");
    let Body(body) = body?;
    let scope = permit.scope(body.scope)?;
    if !decisions.covers(&scope) {
        return Err(decisions.forbidden(Some(&scope)));
    }
    if body.bundle.is_none() && body.facts.is_empty() && body.database.is_none() {
        return Err(Problem::invalid(
            "there is nothing to plan: neither `bundle` nor `facts` nor `database`",
        ));
    }
    // Before anything of it is read.
    let _one = one_at_a_time()?;
    if let Some(database) = &body.database {
        cheap(database)?;
    }
    let snapshot = app.gateway.snapshot.load_full();
    let faults = |problems: Vec<bailiwick_policy::Problem>| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Problem::invalid(all.join("; ")).fix("`bailiwick policy check` names every fault of a bundle")
    };
    let other = body.database.map(Arc::new);
    let shipped = other.clone().unwrap_or_else(|| Arc::clone(&app.sources.shipped));
    let in_place = Arc::clone(&shipped);
    let (files, own) = (body.bundle, Arc::clone(snapshot.policy.bundle()));
    // Reading a large bundle takes longer than a request may wait for a thread.
    let reading = crate::background::run(move || {
        let files = files.map(|files| Bundle::load(&BundleSource { files })).transpose()?;
        // Its own facts, too, and another database's, are named here and not told as decisions that cannot be made.
        let database = files.as_ref().unwrap_or(&own).database((*shipped).clone())?;
        Ok((files.map(Arc::new), database.version().to_owned()))
    });
    let read = reading.await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let (bundle, version) = read.map_err(faults)?;
    let now_ms = app.gateway.clock.now_ms();
    let (from_ms, until_ms) = (
        body.from.timestamp_millis(),
        body.until.map_or(now_ms.saturating_add(1), |until| until.timestamp_millis()),
    );
    if from_ms >= until_ms {
        return Err(Problem::invalid("`from` is not before `until`: there is nothing to look at"));
    }
    let names = (0..).map(|at| format!("facts[{at}]"));
    let changes: Vec<(String, String)> = names.zip(body.facts).collect();
    let files = bundle.as_ref().unwrap_or(snapshot.policy.bundle()).catalog((*in_place).clone());
    let today = DateTime::from_timestamp_millis(now_ms).unwrap_or_default().date_naive();
    let reading = crate::background::run(move || FactChanges::read(&changes, files, today));
    let read = reading.await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let facts = read.map_err(|wrong| Problem::invalid(wrong.to_string()))?;
    let database = other.map(|files| PlannedDatabase { files, version });
    let asked = Plan { bundle, database, facts, scope };
    let traffic = Traffic::log(app.store.clone(), from_ms, until_ms);
    match plan(traffic, &app.store, Prices::of(snapshot, now_ms), asked, &app.gateway.stopping).await {
        Ok(report) => Ok(Json(report)),
        Err(PlanError::Stopping) => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The server is stopping"))
        }
        Err(PlanError::Store(error) | PlanError::Kept(error)) => Err(error.into()),
        Err(PlanError::Exported(error)) => Err(Problem::invalid(error.to_string())),
    }
}

/// `GET /api/v1/policy/kept/{kind}/{digest}`: what records name by digest.
pub(super) async fn kept(
    State(app): State<Arc<App>>,
    permit: Permit,
    path: Result<Path<(String, String)>, PathRejection>,
) -> Result<Json<Value>, Problem> {
    permit.and("console:endpoints", "read").at("/", "digest")?;
    let unknown = || Problem::not_found("digest");
    let Path((kind, digest)) = path.map_err(|_| unknown())?;
    if !KINDS.contains(&kind.as_str()) {
        return Err(unknown());
    }
    app.store.value(&kind, &digest).await?.map(Json).ok_or_else(unknown)
}
