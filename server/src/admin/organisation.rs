//! Applying a declaration, what it would change, and what is declared now.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Problem;
use crate::admin::input::{Asked, Body};
use crate::app::{Act, App};
use crate::gateway::{Named, PseudonymKey};
use crate::identity::Permit;
use crate::organisation::{
    Applied, ApplyError, Change, EndpointDefinition, Organisation, apply as apply_to, check, differences,
    export as exported, problems, prune,
};
use crate::store::StoreError;
use bailiwick_ledger::Kind;
use serde::{Deserialize, Serialize};

/// `GET /api/v1/organisation`.
pub(super) async fn export(
    State(app): State<Arc<App>>,
    _permit: Permit,
) -> Result<Json<Organisation>, Problem> {
    Ok(Json(exported(&app.store, app.gateway.clock.now_ms()).await?))
}

/// How a declaration is applied.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Applying {
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
    /// End what is not named.
    #[serde(default)]
    prune: bool,
}

/// What came of it, or would.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Outcome {
    Applied(Applied),
    Would { changes: Vec<Change> },
}

/// `POST /api/v1/apply`. Needs a role at the root: a declaration may touch every scope.
pub(super) async fn apply(
    State(app): State<Arc<App>>,
    permit: Permit,
    how: Result<Asked<Applying>, Problem>,
    body: Result<Body<Organisation>, Problem>,
) -> Result<Json<Outcome>, Problem> {
    let Asked(how) = how?;
    let Body(organisation) = body?;
    // What makes no sense is not recorded: not every number that can be written can be.
    let wrong = problems(&organisation);
    if !wrong.is_empty() {
        return Err(ApplyError::Invalid(wrong).into());
    }
    compiles(&app, &organisation, how.prune).await?;
    let now_ms = app.gateway.clock.now_ms();
    check(&app.store, &organisation, how.prune).await?;
    if how.dry_run {
        let changes = differences(&app.store, &organisation, how.prune, now_ms).await?;
        return Ok(Json(Outcome::Would { changes }));
    }
    let act = Act {
        kind: Kind::Admin,
        principal: permit.subject(),
        scope: Some("/"),
        name: "applied",
        what: named(&organisation, &app.gateway.pseudonyms),
    };
    let change = async {
        // Again: another declaration may have come first.
        compiles(&app, &organisation, how.prune).await?;
        let gone = match how.prune {
            true => {
                check(&app.store, &organisation, true).await?;
                differences(&app.store, &organisation, true, now_ms).await?
            }
            false => Vec::new(),
        };
        let mut applied = apply_to(&app.store, &organisation, app.gateway.clock.now_ms()).await?;
        applied.pruned = prune(&app.store, &gone, app.gateway.clock.now_ms()).await?;
        Ok::<_, Problem>(applied)
    };
    Ok(Json(Outcome::Applied(app.act(act, created, change).await?)))
}

/// What a declaration names, for its record. People are pseudonyms there, as everywhere in the log.
pub(crate) fn named(organisation: &Organisation, pseudonyms: &PseudonymKey) -> serde_json::Value {
    let mut budgets = organisation.budgets.clone();
    for user in budgets.iter_mut().filter_map(|budget| budget.user.as_mut()) {
        *user = pseudonyms.of(Named::User, user);
    }
    let mut limits = organisation.limits.clone();
    for user in limits.iter_mut().filter_map(|limit| limit.user.as_mut()) {
        *user = pseudonyms.of(Named::User, user);
    }
    let keys =
        organisation.keys.iter().map(|key| serde_json::json!({ "scope": key.scope, "name": key.name }));
    serde_json::json!({
        "scopes": organisation.scopes.iter().map(|scope| &scope.path).collect::<Vec<_>>(),
        "credentials": organisation.with_own_credentials().credentials,
        "endpoints": organisation.endpoints.iter().map(|endpoint| &endpoint.name).collect::<Vec<_>>(),
        "workloads": organisation.workloads.iter().map(|workload| &workload.name).collect::<Vec<_>>(),
        "model_groups": organisation.model_groups,
        "budgets": budgets,
        "limits": limits,
        "keys": keys.collect::<Vec<_>>(),
    })
}

/// The keys that a declaration made, for its record.
pub(crate) fn created(applied: &Applied) -> serde_json::Value {
    let keys: Vec<&String> = applied.created_keys.iter().map(|key| &key.id).collect();
    if applied.pruned.is_empty() {
        return serde_json::json!({ "keys": keys });
    }
    // Names of people stay out of the log.
    let told = applied
        .pruned
        .iter()
        .filter(|what| !["budget user ", "limit user "].iter().any(|of| what.starts_with(of)));
    serde_json::json!({ "keys": keys, "pruned": told.collect::<Vec<_>>(), "pruned_in_all": applied.pruned.len() })
}

/// Whether the bundle in force compiles over the endpoints as they would be: what is stored must be able to be put in
/// force, now and at the next start.
async fn compiles(app: &App, organisation: &Organisation, prune: bool) -> Result<(), Problem> {
    let snapshot = app.gateway.snapshot.load_full();
    let (bundle, database) = (snapshot.policy.bundle(), snapshot.policy.database());
    let conflicts: Vec<String> = organisation
        .endpoints
        .iter()
        .flat_map(|new| new.models.iter().map(move |model| (new, model)))
        .filter_map(|(new, model)| {
            let why = database.profile_conflict(&new.profile, &model.upstream)?;
            Some(format!("endpoint `{}`: {why}", new.name))
        })
        .collect();
    if !conflicts.is_empty() {
        return Err(ApplyError::Invalid(conflicts).into());
    }
    let mut endpoints: Vec<_> = Vec::new();
    for row in crate::store::endpoints::list(&app.store).await? {
        let kept = organisation.endpoints.iter().all(|new| new.name != row.name);
        if kept
            && !prune
            && let Ok(definition) = serde_json::from_value::<EndpointDefinition>(row.definition)
        {
            endpoints.push(definition.for_policy(database));
        }
    }
    endpoints.extend(organisation.endpoints.iter().map(|new| new.for_policy(database)));
    let (bundle, database) = (Arc::clone(bundle), Arc::clone(database));
    let now_ms = app.gateway.clock.now_ms();
    let compiling = crate::background::run(move || {
        bailiwick_policy::Compiled::new(bundle, database, endpoints, now_ms).map(drop)
    });
    let compiled = compiling.await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    compiled.map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Problem::invalid(format!("nothing was changed: {}", problems.join("; ")))
    })
}
