//! Applying a declaration.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Problem;
use crate::admin::input::Body;
use crate::app::{Act, App};
use crate::gateway::{Named, PseudonymKey};
use crate::identity::Permit;
use crate::organisation::{
    Applied, ApplyError, EndpointDefinition, Organisation, apply as apply_to, problems,
};
use crate::store::StoreError;
use bailiwick_ledger::Kind;

/// `POST /api/v1/apply`. Needs a role at the root: a declaration may touch every scope.
pub(super) async fn apply(
    State(app): State<Arc<App>>,
    permit: Permit,
    body: Result<Body<Organisation>, Problem>,
) -> Result<Json<Applied>, Problem> {
    let Body(organisation) = body?;
    // What makes no sense is not recorded: not every number that can be written can be.
    let wrong = problems(&organisation);
    if !wrong.is_empty() {
        return Err(ApplyError::Invalid(wrong).into());
    }
    compiles(&app, &organisation).await?;
    let act = Act {
        kind: Kind::Admin,
        principal: permit.subject(),
        scope: Some("/"),
        name: "applied",
        what: named(&organisation, &app.gateway.pseudonyms),
    };
    let change = async {
        // Again: another declaration may have come first.
        compiles(&app, &organisation).await?;
        Ok::<_, Problem>(apply_to(&app.store, &organisation, app.gateway.clock.now_ms()).await?)
    };
    Ok(Json(app.act(act, created, change).await?))
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
        "endpoints": organisation.endpoints.iter().map(|endpoint| &endpoint.name).collect::<Vec<_>>(),
        "model_groups": organisation.model_groups,
        "budgets": budgets,
        "limits": limits,
        "keys": keys.collect::<Vec<_>>(),
    })
}

/// The keys that a declaration made, for its record.
pub(crate) fn created(applied: &Applied) -> serde_json::Value {
    serde_json::json!({ "keys": applied.created_keys.iter().map(|key| &key.id).collect::<Vec<_>>() })
}

/// Whether the bundle in force compiles over the endpoints as they would be: what is stored must be able to be put in
/// force, now and at the next start.
async fn compiles(app: &App, organisation: &Organisation) -> Result<(), Problem> {
    let snapshot = app.gateway.snapshot.load_full();
    let (bundle, database) = (snapshot.policy.bundle(), snapshot.policy.database());
    let mut endpoints: Vec<_> = Vec::new();
    for row in crate::store::endpoints::list(&app.store).await? {
        let kept = organisation.endpoints.iter().all(|new| new.name != row.name);
        if kept && let Ok(definition) = serde_json::from_value::<EndpointDefinition>(row.definition) {
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
