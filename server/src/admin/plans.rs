//! `POST /api/v1/policy:plan`: what another bundle would have changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, BundleSource};
use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::Problem;
use crate::app::App;
use crate::identity::Permit;
use crate::plan::{Plan, PlanError, PlanReport, plan};

/// The largest bundle that is taken, in bytes of JSON.
pub(super) const LARGEST: usize = 8 * 1024 * 1024;

/// A plan keeps a core busy; one at a time leaves the others to the traffic.
static UNDER_WAY: Semaphore = Semaphore::const_new(1);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanBody {
    /// Its files, by path.
    bundle: BTreeMap<String, String>,
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
    body: Result<Json<PlanBody>, JsonRejection>,
) -> Result<Json<PlanReport>, Problem> {
    // It tells of decisions as well.
    let decisions = permit.and(super::decisions::OBJECT, "read");
    let Json(body) = body.map_err(|error| Problem::invalid(error.body_text()))?;
    let scope = permit.scope(body.scope)?;
    if !decisions.covers(&scope) {
        return Err(decisions.forbidden(Some(&scope)));
    }
    let loaded = Bundle::load(&BundleSource { files: body.bundle }).and_then(|bundle| {
        // Its own facts, too, are named here and not told as decisions that cannot be made.
        bundle.database(Database::embedded_files())?;
        Ok(bundle)
    });
    let bundle = loaded.map_err(|problems| {
        let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Problem::invalid(all.join("; ")).fix("`bailiwick policy check` names every fault of a bundle")
    })?;
    let now_ms = app.gateway.clock.now_ms();
    let (from_ms, until_ms) = (
        body.from.timestamp_millis(),
        body.until.map_or(now_ms.saturating_add(1), |until| until.timestamp_millis()),
    );
    if from_ms >= until_ms {
        return Err(Problem::invalid("`from` is not before `until`: there is nothing to look at"));
    }
    let _one = UNDER_WAY.try_acquire().map_err(|_| {
        Problem::new(StatusCode::CONFLICT, "conflict", "Another plan is under way")
            .fix("try again when it is done")
    })?;
    let asked = Plan { bundle: Arc::new(bundle), from_ms, until_ms, scope };
    let snapshot = app.gateway.snapshot.load_full();
    match plan(&app.store, snapshot, now_ms, asked, &app.gateway.stopping).await {
        Ok(report) => Ok(Json(report)),
        Err(PlanError::Stopping) => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The server is stopping"))
        }
        Err(PlanError::Store(error)) => Err(error.into()),
    }
}
