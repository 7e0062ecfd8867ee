//! Why somebody may do something, or may not.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use bailiwick_policy::Held;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::Problem;
use super::shown;
use crate::admin::input::Asked;
use crate::app::App;
use crate::identity::{Actor, Permit, ROUTES};
use crate::store;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Question {
    /// `user:<id>`, an e-mail address, `token:<id>`, `role:<name>`, `group:<provider>:<name>`, `group-id:<provider>:<id>` or
    /// `claim:<provider>:<name>=<value>`.
    subject: String,
    /// `<object>/<action>`: `console:keys/create`.
    action: String,
    #[serde(default)]
    scope: Option<String>,
}

/// `GET /api/v1/roles/explain`: the answer of the policy in force, with the lines behind it and the routes that ask for
/// this right.
pub(in crate::admin) async fn explain(
    State(app): State<Arc<App>>,
    permit: Permit,
    query: Result<Asked<Question>, Problem>,
) -> Result<Json<Value>, Problem> {
    let Asked(question) = query?;
    let scope = permit.scope(question.scope)?;
    let (object, action) = question.action.split_once('/').ok_or_else(|| {
        Problem::invalid("`action` is an object and what is done to it: `console:keys/create`")
    })?;
    let (name, held) = names(&app, &permit, &question.subject).await?;
    let snapshot = app.gateway.snapshot.load();
    let rbac = &snapshot.policy.bundle().rbac;
    let reasons = rbac.explain(&held, &scope, object, action);
    let routes: Vec<String> = ROUTES
        .iter()
        .filter(|route| route.needs.right() == Some((object, action)))
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    Ok(Json(json!({
        "subject": name, "scope": scope, "object": object, "action": action,
        "allowed": reasons.allowed, "grants": reasons.grants, "denials": reasons.denials,
        "memberships": reasons.roles, "held": held, "roles": shown(rbac.roles_held(&held)),
        "where": rbac.reach(&held, object, action), "routes": routes,
    })))
}

/// The names of whoever is asked about.
async fn names(app: &App, permit: &Permit, subject: &str) -> Result<(String, Vec<Held>), Problem> {
    let nobody = || Problem::not_found("subject");
    let (kind, name) = subject.split_once(':').unwrap_or(("user", subject));
    let id = match kind {
        "role" | "group" | "group-id" | "claim" => {
            return Ok((subject.to_owned(), vec![Held::new(subject, "/")]));
        }
        "token" => {
            let row = store::service_tokens::get(&app.store, name).await.map_err(|_| nobody())?;
            permit.and("console:tokens", "read").at(&row.scope, "subject")?;
            let roles: Vec<String> = serde_json::from_value(row.roles).unwrap_or_default();
            let own = Held::new(subject, &row.scope);
            let roles = roles.iter().map(|role| Held::new(format!("role:{role}"), &row.scope));
            return Ok((row.name.clone(), std::iter::once(own).chain(roles).collect()));
        }
        "user" => name,
        _ => {
            return Err(Problem::invalid(
                "`subject` is a person's id or e-mail address, `token:<id>`, `role:<name>`, \
                 `group:<provider>:<name>`, `group-id:<provider>:<id>` or `claim:<provider>:<name>=<value>`",
            ));
        }
    };
    if !permit.and("console:people", "read").covers("/") && permit.subject() != format!("user:{id}") {
        return Err(nobody());
    }
    let people = store::people::list(&app.store).await?;
    let is = |person: &&store::people::Person| {
        person.id == id || person.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(id))
    };
    let person = people.iter().find(is).ok_or_else(nobody)?;
    // Who may not sign in may do nothing.
    let held = Actor::of_person(app, &person.id).await?.map(|actor| actor.held).unwrap_or_default();
    Ok((format!("user:{}", person.id), held))
}
