//! The one place where it is asked whether somebody may: in front of every route but those of virtual keys.
//!
//! 401: nobody is signed in. 403: somebody is, who holds the route's right nowhere; or a cookie came without proof that
//! a page of ours sent it; or the person has to show once more who they are. Which scope is meant, only the handler
//! knows: it asks the [`Permit`] that is put into the request, and a thing in a scope where the actor holds nothing is
//! not there (404).

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bailiwick_ui::view::{Right, Viewer};
use bailiwick_ui::{PageError, SIGN_IN_PATH, error_page, sign_in_for};
use http::{HeaderMap, Method, StatusCode};
use subtle::ConstantTimeEq as _;

use super::table::{self, Needs, Route};
use super::{Actor, Permit, redirect, same_origin};
use crate::admin::Problem;
use crate::app::{App, acts};
use crate::gateway::api;
use crate::scim::ScimError;

/// What a request by session has to carry where it changes something; its value is told by `/api/v1/me`.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// Lets a request through to its route, or refuses it.
pub async fn gate(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = path.as_deref().and_then(|path| table::find(request.method(), path));
    let Some(route) = route else {
        tracing::error!(path, method = %request.method(), "a route is in no table, so it serves nobody");
        return Problem::not_found("path").into_response();
    };
    let client = api::client(&app.gateway, api::peer(request.extensions()), request.headers());
    match passes(&app, route, &mut request).await {
        Ok(()) => acts::asked_from(client, next.run(request)).await,
        Err(response) => *response,
    }
}

async fn passes(app: &Arc<App>, route: &Route, request: &mut Request) -> Result<(), Box<Response>> {
    let refuse = |problem: Problem| Box::new(in_shape(route, problem));
    let is_page = matches!(route.needs, Needs::Page(..) | Needs::KnownPage);
    if matches!(route.needs, Needs::Nothing) {
        return Ok(());
    }
    let (object, action) = route.needs.right().unwrap_or_default();
    let actor = match Actor::of(app, request.headers()).await {
        Ok(actor) => actor,
        // Whoever is not asked for can't be missed.
        Err(problem) if matches!(route.needs, Needs::Guest | Needs::Or(..)) => {
            tracing::warn!(?problem, "who asks could not be looked up");
            None
        }
        Err(problem) => return Err(refuse(problem)),
    };
    let Some(actor) = actor else {
        return match route.needs {
            Needs::Guest | Needs::Or(..) => Ok(()),
            // A form that was sent without a session is gone; a page is come back to.
            _ if is_page && request.method() == Method::GET => {
                let here = request.uri().path_and_query().map_or("/", |path| path.as_str());
                Err(Box::new(redirect(&sign_in_for(here))))
            }
            _ if is_page => Err(Box::new(redirect(SIGN_IN_PATH))),
            _ => Err(refuse(nobody())),
        };
    };
    let actor = Arc::new(actor);
    if let Some(problem) = not_ours(&actor, route, request.method(), request.headers()) {
        return Err(match is_page {
            true => page(request.headers(), None),
            false => refuse(problem),
        });
    }
    let permit = Permit::new(Arc::clone(app), Arc::clone(&actor), object, action);
    let scopes = if object.is_empty() { Vec::new() } else { permit.scopes() };
    let allowed = match route.needs {
        Needs::Root(..) => permit.covers("/"),
        Needs::Scoped(..) | Needs::Page(..) => !scopes.is_empty(),
        Needs::Own(..) | Needs::Or(..) | Needs::Known | Needs::KnownPage | Needs::Guest | Needs::Nothing => {
            true
        }
    };
    if let Some(viewer) = viewer(app, &actor, route, &scopes) {
        if !allowed {
            return Err(page(request.headers(), Some(viewer)));
        }
        request.extensions_mut().insert(viewer);
    } else if !allowed {
        let scope = matches!(route.needs, Needs::Root(..)).then_some("/");
        return Err(refuse(permit.forbidden(scope)));
    }
    if route.fresh
        && let Some(problem) = stale(app, &actor)
    {
        return Err(refuse(problem));
    }
    request.extensions_mut().insert(permit);
    Ok(())
}

/// The page that says that somebody may not.
fn page(headers: &HeaderMap, viewer: Option<Viewer>) -> Box<Response> {
    Box::new(error_page(headers, &crate::console::assets(), viewer, PageError::Forbidden))
}

/// A refusal in the shape of the API that was called.
fn in_shape(route: &Route, problem: Problem) -> Response {
    match route.path.starts_with("/scim/") {
        true => ScimError::from(problem).into_response(),
        false => problem.into_response(),
    }
}

/// The person for whom a page is made.
fn viewer(app: &App, actor: &Actor, route: &Route, scopes: &[String]) -> Option<Viewer> {
    if !matches!(route.needs, Needs::Page(..) | Needs::KnownPage | Needs::Guest) {
        return None;
    }
    let mut roles: Vec<String> = actor
        .roles(app)
        .into_iter()
        .map(|held| held.subject.trim_start_matches("role:").to_owned())
        .collect();
    roles.dedup();
    Some(Viewer {
        name: actor.name.clone(),
        roles,
        scope: scopes.first().cloned().unwrap_or_else(|| String::from("/")),
        rights: rights(app, actor),
        names: actor.held.iter().map(|held| (held.subject.clone(), held.scope.clone())).collect(),
        csrf: actor.session.as_ref().map(|session| session.csrf.clone()).unwrap_or_default(),
    })
}

/// What pages lead to or offer, with the scopes where this one may. Whether they may, they are asked when they do it.
fn rights(app: &App, actor: &Actor) -> Vec<Right> {
    let snapshot = app.gateway.snapshot.load();
    let rbac = &snapshot.policy.bundle().rbac;
    let offered = table::OFFERED.iter().map(|(object, action)| Right {
        object: (*object).to_owned(),
        action: (*action).to_owned(),
        scopes: rbac.reach(&actor.held, object, action),
    });
    offered.filter(|right| !right.scopes.is_empty()).collect()
}

/// Nobody is signed in.
pub(crate) fn nobody() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "Nobody is signed in")
        .detail("send `Authorization: Bearer bwt_…` with a service token, or sign in to the console")
}

/// A token is sent on purpose; a cookie is sent by any page that makes the browser do so. So what changes something
/// says where it comes from, and knows what only a page of the session knows. Forms say the latter in their bodies: of
/// those below `/auth/` the handlers look, and pages hand it on to the API, without which they change nothing.
fn not_ours(actor: &Actor, route: &Route, method: &Method, headers: &HeaderMap) -> Option<Problem> {
    let session = actor.session.as_ref()?;
    if !same_origin(method, headers) {
        let title = "The request did not come from the console";
        return Some(Problem::new(StatusCode::FORBIDDEN, "cross_origin", title));
    }
    let safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || matches!(route.needs, Needs::Guest | Needs::Page(..) | Needs::KnownPage) {
        return None;
    }
    let given = headers.get(CSRF_HEADER).map(http::HeaderValue::as_bytes).unwrap_or_default();
    let same = bool::from(given.ct_eq(session.csrf.as_bytes()));
    (!same).then(|| {
        Problem::new(StatusCode::FORBIDDEN, "csrf", "The request does not carry the session's token")
            .fix(format!("send `{CSRF_HEADER}` with the value of `csrf` from `GET /api/v1/me`"))
    })
}

/// Whether the person has to show once more who they are before this.
fn stale(app: &App, actor: &Actor) -> Option<Problem> {
    let session = actor.session.as_ref()?;
    let identity = &app.config.identity;
    let age_ms = app.gateway.clock.now_ms() - session.authenticated_ms;
    let wanted = session.provider.as_ref().and_then(|id| identity.provider(id)).map(|it| &it.step_up_acr);
    let weak = wanted
        .is_some_and(|acrs| !acrs.is_empty() && !session.acr.as_ref().is_some_and(|acr| acrs.contains(acr)));
    if age_ms <= identity.session.step_up_ms() && !weak {
        return None;
    }
    let problem = Problem::new(StatusCode::FORBIDDEN, "step_up_required", "Show once more who you are")
        .detail("this action needs a sign-in that is recent and strong enough");
    Some(match session.provider {
        Some(_) => problem.fix("open /auth/step-up in the browser, then try again"),
        None => problem.fix("sign in anew, then try again; a service token needs no sign-in"),
    })
}
