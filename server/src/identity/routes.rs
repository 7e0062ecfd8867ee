//! `/auth/…`: the set-up link and signing out.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use bailiwick_ledger::Kind;
use bailiwick_ui::{Assets, PageError, SignInNotice, error_page, sign_in_page};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;

use super::{SessionCookie, same_origin};
use crate::admin::to_its_end;
use crate::app::{Act, App};
use crate::keys::secret;
use crate::store;

#[derive(Clone)]
struct Auth {
    app: Arc<App>,
    assets: Assets,
}

/// The routes.
pub fn router(app: Arc<App>, assets: Assets) -> axum::Router {
    axum::Router::new()
        .route("/auth/setup", get(setup).head(look))
        .route("/auth/sign-out", post(sign_out))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), to_its_end))
        .with_state(Auth { app, assets })
}

#[derive(Debug, Deserialize)]
struct SetupQuery {
    #[serde(default)]
    token: String,
}

/// A look at a set-up link, such as scanners and previews take, does not redeem it.
async fn look() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Redeems a set-up link, once, and begins an owner's session.
async fn setup(State(auth): State<Auth>, headers: HeaderMap, Query(query): Query<SetupQuery>) -> Response {
    match redeem(&auth.app, &query.token).await {
        Ok(Some(cookie)) => {
            let mut response = redirect("/");
            if let Some(value) = cookie.set() {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
            response
        }
        Ok(None) => sign_in_page(&headers, &auth.assets, Some(SignInNotice::Used)),
        Err(error) => unavailable(&auth, &headers, "a set-up link could not be redeemed", &*error),
    }
}

fn unavailable(auth: &Auth, headers: &HeaderMap, what: &str, error: &dyn std::fmt::Display) -> Response {
    let reference = secret::random::<4>().map(hex::encode).unwrap_or_default();
    tracing::error!(%error, reference, "{what}");
    error_page(headers, &auth.assets, None, PageError::Unavailable { reference })
}

async fn redeem(
    app: &App,
    token: &str,
) -> Result<Option<SessionCookie>, Box<dyn std::error::Error + Send + Sync>> {
    let now_ms = app.gateway.clock.now_ms();
    let digest = secret::digest(token);
    if token.is_empty() || !store::setup_links::is_live(&app.store, &digest, now_ms).await? {
        return Ok(None);
    }
    let person = hex::encode(secret::random::<16>()?);
    let made = |cookie: &Option<SessionCookie>| serde_json::json!({ "signed_in": cookie.is_some() });
    app.act_aside(signed(&person, "setup_link"), made, begin(app, &digest, &person, now_ms)).await
}

/// Uses the link up and begins a session; of several at once only one does.
async fn begin(
    app: &App,
    digest: &[u8; 32],
    person: &str,
    now_ms: i64,
) -> Result<Option<SessionCookie>, Box<dyn std::error::Error + Send + Sync>> {
    if !store::setup_links::redeem(&app.store, digest, now_ms).await? {
        return Ok(None);
    }
    let row = store::people::Person {
        id: person.to_owned(),
        subject: None,
        email: None,
        display_name: Some(String::from("Owner (set-up link)")),
        roles: serde_json::json!(["owner"]),
        created_ms: now_ms,
        disabled_ms: None,
        erased_ms: None,
    };
    store::people::create(&app.store, row).await?;
    Ok(Some(SessionCookie::begin(&app.store, person, "setup_link", now_ms).await?))
}

/// Somebody signs in or out.
fn signed<'a>(person: &'a str, name: &'static str) -> Act<'a> {
    Act { kind: Kind::SignIn, principal: person, scope: None, name, what: serde_json::Value::Null }
}

/// Ends the session.
async fn sign_out(State(auth): State<Auth>, method: Method, headers: HeaderMap) -> Response {
    let app = &auth.app;
    if !same_origin(&method, &headers) {
        return error_page(&headers, &auth.assets, None, PageError::Forbidden);
    }
    let now_ms = app.gateway.clock.now_ms();
    let ended = async {
        let Some(cookie) = SessionCookie::of(&headers) else { return Ok(()) };
        let Some(session) = store::sessions::live(&app.store, &cookie.digest(), now_ms).await? else {
            return Ok(());
        };
        let end = async { Ok(store::sessions::end(&app.store, &cookie.digest(), now_ms).await?) };
        app.act_aside(signed(&session.person, "sign_out"), |()| serde_json::Value::Null, end).await
    };
    let ended: Result<(), Box<dyn std::error::Error + Send + Sync>> = ended.await;
    if let Err(error) = ended {
        return unavailable(&auth, &headers, "a session could not be ended", &*error);
    }
    let mut response = redirect(bailiwick_ui::SIGN_IN_PATH);
    response.headers_mut().append(header::SET_COOKIE, SessionCookie::clear());
    response
}

fn redirect(to: &'static str) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
