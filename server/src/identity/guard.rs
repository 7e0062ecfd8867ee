//! Who acts, and whether they may.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, header};

use super::{ServiceTokenText, SessionCookie, same_origin};
use crate::admin::Problem;
use crate::app::App;
use crate::store;

/// Somebody who acts on the control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `token:<id>` or `user:<id>`.
    pub subject: String,
    /// For people.
    pub name: String,
    /// Where the roles hold.
    pub scope: String,
    /// Roles, with `role:`.
    pub roles: Vec<String>,
}

impl Actor {
    /// Whether it may do `action` to `object` in `scope`.
    #[must_use]
    pub fn may(&self, app: &App, scope: &str, object: &str, action: &str) -> bool {
        let snapshot = app.gateway.snapshot.load();
        let rbac = &snapshot.policy.bundle().rbac;
        bailiwick_policy::scope::covers(&self.scope, scope)
            && self.roles.iter().any(|role| rbac.allowed(role, scope, object, action))
    }

    /// The actor of a request: by service token, or by session cookie.
    ///
    /// # Errors
    /// A [`Problem`] where the database does not answer.
    pub async fn of(app: &App, headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let now_ms = app.gateway.clock.now_ms();
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let token = value
                .to_str()
                .ok()
                .and_then(|text| text.split_once(' '))
                .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
                .and_then(|(_, token)| ServiceTokenText::parse(token.trim()));
            let Some(token) = token else { return Ok(None) };
            let row = store::service_tokens::live(&app.store, token.id(), now_ms).await?;
            return Ok(row.filter(|row| token.matches(&row.secret_hash)).map(|row| Self {
                subject: format!("token:{}", row.id),
                name: row.name,
                scope: row.scope,
                roles: roles(&row.roles),
            }));
        }
        let Some(cookie) = SessionCookie::of(headers) else { return Ok(None) };
        let Some(session) = store::sessions::live(&app.store, &cookie.digest(), now_ms).await? else {
            return Ok(None);
        };
        let person = match store::people::get(&app.store, &session.person).await {
            Ok(person) => person,
            Err(store::StoreError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if person.disabled_ms.is_some() || person.erased_ms.is_some() {
            return Ok(None);
        }
        Ok(Some(Self {
            subject: format!("user:{}", person.id),
            name: person.display_name.unwrap_or_else(|| person.id.clone()),
            scope: String::from("/"),
            roles: roles(&person.roles),
        }))
    }
}

fn roles(json: &serde_json::Value) -> Vec<String> {
    json.as_array()
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .map(|role| format!("role:{role}"))
        .collect()
}

/// The actor of a request, if it may do `action` to `object` in `scope`. Who is not signed in gets 401, who may not 403.
///
/// # Errors
/// A [`Problem`].
pub async fn require(
    app: &Arc<App>,
    method: &Method,
    headers: &HeaderMap,
    scope: &str,
    object: &str,
    action: &str,
) -> Result<Actor, Problem> {
    let Some(actor) = Actor::of(app, headers).await? else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Nobody is signed in")
            .detail("send `Authorization: Bearer bwt_…` with a service token, or sign in to the console"));
    };
    // A token is sent on purpose; a cookie is sent by any page that makes the browser do so.
    let by_cookie = !headers.contains_key(header::AUTHORIZATION);
    if by_cookie && !same_origin(method, headers) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "cross_origin",
            "The request did not come from the console",
        ));
    }
    if !actor.may(app, scope, object, action) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed").detail(format!(
            "`{action}` on `{object}` in {scope} needs a role that {} does not hold there",
            actor.subject
        )));
    }
    Ok(actor)
}
