//! `/auth/…`: the set-up link and signing out.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use bailiwick_ledger::{Draft, Kind};
use bailiwick_ui::{Assets, PageError, SignInNotice, error_page, sign_in_page};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{Actor, SessionCookie, same_origin};
use crate::app::App;
use crate::audit::Entry;
use crate::gateway::record::{Salts, section};
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
        .route("/auth/setup", get(setup))
        .route("/auth/sign-out", post(sign_out))
        .with_state(Auth { app, assets })
}

#[derive(Debug, Deserialize)]
struct SetupQuery {
    #[serde(default)]
    token: String,
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
        Err(error) => {
            let reference = secret::random::<4>().map(hex::encode).unwrap_or_default();
            tracing::error!(%error, reference, "a set-up link could not be redeemed");
            error_page(&headers, &auth.assets, None, PageError::Unavailable { reference })
        }
    }
}

async fn redeem(
    app: &App,
    token: &str,
) -> Result<Option<SessionCookie>, Box<dyn std::error::Error + Send + Sync>> {
    let now_ms = app.gateway.clock.now_ms();
    if token.is_empty() || !store::setup_links::redeem(&app.store, &secret::digest(token), now_ms).await? {
        return Ok(None);
    }
    let person = hex::encode(secret::random::<16>()?);
    let row = store::people::Person {
        id: person.clone(),
        subject: None,
        email: None,
        display_name: Some(String::from("Owner (set-up link)")),
        roles: serde_json::json!(["owner"]),
        created_ms: now_ms,
        disabled_ms: None,
        erased_ms: None,
    };
    store::people::create(&app.store, row).await?;
    let cookie = SessionCookie::begin(&app.store, &person, "setup_link", now_ms).await?;
    signed(app, Kind::SignIn, &person, "setup_link", now_ms).await?;
    Ok(Some(cookie))
}

/// Records that somebody signed in or out.
async fn signed(
    app: &App,
    kind: Kind,
    person: &str,
    method: &str,
    now_ms: i64,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    #[derive(Serialize)]
    struct Section<'a> {
        method: &'a str,
    }
    let mut salts = Salts::new(1);
    let draft = Draft::new(kind, now_ms).id("principal", person).section(section(
        "sign_in",
        &Section { method },
        &mut salts,
    )?);
    app.gateway.audit.append(Entry::new(draft)).await?;
    Ok(())
}

/// Ends the session.
async fn sign_out(State(auth): State<Auth>, method: Method, headers: HeaderMap) -> Response {
    let app = &auth.app;
    if !same_origin(&method, &headers) {
        return error_page(&headers, &auth.assets, None, PageError::Forbidden);
    }
    let now_ms = app.gateway.clock.now_ms();
    let actor = Actor::of(app, &headers).await.ok().flatten();
    if let Some(cookie) = SessionCookie::of(&headers)
        && let Err(error) = store::sessions::end(&app.store, &cookie.digest(), now_ms).await
    {
        tracing::warn!(%error, "a session could not be ended");
    }
    if let Some(person) = actor.as_ref().and_then(|actor| actor.subject.strip_prefix("user:"))
        && let Err(error) = signed(app, Kind::SignIn, person, "sign_out", now_ms).await
    {
        tracing::error!(%error, "a sign-out could not be recorded");
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
