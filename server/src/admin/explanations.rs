//! `GET /api/v1/decisions/{id}/explanation`: a recorded decision with its reasons, down to the pages behind the facts.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use bailiwick_policy::{Decision, Explanation, PolicyTest, RequestFacts};
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::app::App;
use crate::audit::{AuditError, StoredRecord};
use crate::gateway::record::read_facts;
use crate::identity::Permit;
use crate::snapshot::Archive;

/// A recorded decision, derived again from what its record names.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Explained {
    /// The decision.
    pub(crate) decision: String,
    /// What it was decided with, by digest.
    pub(crate) digests: std::collections::BTreeMap<String, String>,
    /// On what facts.
    pub(crate) facts: RequestFacts,
    /// Whether the rules allow it.
    pub(crate) allowed: bool,
    /// Why.
    pub(crate) explanation: Explanation,
    /// The same as a test of a bundle: without kill switches, which are no bundle's business.
    pub(crate) test: PolicyTest,
    /// The endpoints that the test decides over.
    pub(crate) endpoints: Vec<bailiwick_policy::Endpoint>,
}

/// `GET /api/v1/decisions/{id}/explanation`.
pub(super) async fn explanation(
    State(app): State<Arc<App>>,
    permit: Permit,
    id: Result<Path<String>, PathRejection>,
) -> Result<Json<Explained>, Problem> {
    let unknown = super::audit::no_decision;
    let Path(id) = id.map_err(|_| unknown())?;
    let records = match app.gateway.audit.decision(&id).await {
        Err(AuditError::NotFound(_)) => return Err(unknown()),
        found => found?,
    };
    let first = StoredRecord::deciding(&records).ok_or_else(unknown)?;
    let header = first.header()?;
    if !header.scope.as_deref().is_some_and(|of| permit.covers(of)) {
        return Err(unknown());
    }
    let facts = first.section("facts").and_then(|section| read_facts(&section.bytes).ok());
    let facts = facts.ok_or_else(|| gone("Its facts are no longer kept, so it cannot be derived again"))?;
    let made_from = Archive::made_from(&app.store, &header.digests).await?;
    let made_from = made_from.map_err(|_| gone("What it was decided with is no longer kept"))?;
    let mut endpoints = made_from.endpoints.clone();
    let policy = made_from.compiled(facts.time_ms).await?;
    let policy = policy.ok_or_else(|| gone("What it was decided with does not load any more"))?;
    let decided: Decision = policy.decide(&facts);
    let explanation = policy.explain(&facts, &decided);
    let free = policy.with_kill_switches(Vec::new());
    let test = PolicyTest::recorded(&id, &facts, &free);
    endpoints
        .retain(|endpoint| explanation.endpoints.iter().any(|candidate| candidate.name == endpoint.name));
    Ok(Json(Explained {
        decision: id,
        digests: header.digests,
        allowed: decided.is_allowed(),
        facts,
        explanation,
        test,
        endpoints,
    }))
}

fn gone(what: &str) -> Problem {
    Problem::new(http::StatusCode::GONE, "gone", what)
        .fix("the receipt at `GET /v1/decisions/{id}` still holds what was recorded")
}
