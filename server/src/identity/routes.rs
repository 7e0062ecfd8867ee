//! `/auth/…`: the set-up link, the break-glass account, and signing out. Identity providers are in [`super::oidc`].

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use bailiwick_ui::{Assets, PageError, SignInNotice, SignInWays, error_page, sign_in_page};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::sign_in::{self, Fault, session_id, signed};
use super::{
    BREAK_GLASS, IdentityConfig, NewSession, Permit, SessionCookie, break_glass, oidc, same_origin, workload,
};
use crate::admin::to_its_end;
use crate::app::{App, acts};
use crate::gateway::metrics;
use crate::keys::secret;
use crate::store;

/// What the pages of this folder need.
#[derive(Clone)]
pub(super) struct Auth {
    pub(super) app: Arc<App>,
    assets: Assets,
    ways: SignInWays,
    /// How people reach the server.
    pub(super) base_url: String,
}

/// The routes.
pub fn router(app: Arc<App>, assets: Assets, base_url: &str) -> axum::Router {
    let ways = ways(&app.config.identity);
    let base_url = base_url.trim_end_matches('/').to_owned();
    axum::Router::new()
        .route("/auth/setup", get(setup).head(look))
        .route("/auth/break-glass", post(break_the_glass))
        .route("/auth/sign-out", post(sign_out))
        .merge(oidc::router())
        .merge(workload::router())
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), to_its_end))
        .with_state(Auth { app, assets, ways, base_url })
}

/// The ways in that the sign-in page offers.
pub(crate) fn ways(config: &IdentityConfig) -> SignInWays {
    let providers = config.provider.iter();
    SignInWays {
        providers: providers
            .map(|provider| (format!("/auth/start?provider={}", provider.id), provider.title().to_owned()))
            .collect(),
        by_email: config.provider.iter().any(|provider| !provider.email_domains.is_empty()),
        break_glass: config.break_glass.is_some(),
    }
}

impl Auth {
    /// The sign-in page, with what there is to say.
    pub(super) fn page(&self, headers: &HeaderMap, notice: SignInNotice) -> Response {
        sign_in_page(headers, &self.assets, &self.ways, Some(notice))
    }

    /// A sign-in was refused: counted, and told.
    pub(super) fn refuse(
        &self,
        headers: &HeaderMap,
        way: &str,
        reason: &'static str,
        notice: SignInNotice,
    ) -> Response {
        self.app.gateway.refused.add_sign_in(way, reason);
        metrics::sign_in(way, "refused");
        self.page(headers, notice)
    }

    /// A fault of ours: the cause goes to the log, its reference to the page.
    pub(super) fn unavailable(
        &self,
        headers: &HeaderMap,
        what: &str,
        error: &dyn std::fmt::Display,
    ) -> Response {
        let reference = secret::random::<4>().map(hex::encode).unwrap_or_default();
        tracing::error!(%error, reference, "{what}");
        error_page(headers, &self.assets, None, PageError::Unavailable { reference })
    }

    fn forbidden(&self, headers: &HeaderMap) -> Response {
        error_page(headers, &self.assets, None, PageError::Forbidden)
    }

    /// The way into the console with a new session.
    pub(super) fn enter(&self, cookie: &SessionCookie, to: &str) -> Response {
        let mut response = redirect(to);
        if let Some(value) = cookie.set(&self.app.config.identity.session) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
        response
    }
}

#[derive(Debug, Deserialize)]
struct SetupQuery {
    #[serde(default)]
    token: String,
    #[serde(default)]
    back: Option<String>,
}

/// Where to go afterwards: a page of this server, or the first.
fn back(asked: Option<String>) -> String {
    asked.filter(|path| bailiwick_ui::is_local(path)).unwrap_or_else(|| String::from("/"))
}

/// A look at a set-up link, such as scanners and previews take, does not redeem it.
async fn look() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Redeems a set-up link, once, and begins an owner's session.
async fn setup(State(auth): State<Auth>, headers: HeaderMap, Query(query): Query<SetupQuery>) -> Response {
    match redeem(&auth.app, &headers, &query.token).await {
        Ok(Some(cookie)) => {
            metrics::sign_in("setup_link", "done");
            auth.enter(&cookie, &back(query.back))
        }
        Ok(None) => auth.refuse(&headers, "setup_link", "not_valid", SignInNotice::Used),
        Err(error) => auth.unavailable(&headers, "a set-up link could not be redeemed", &*error),
    }
}

async fn redeem(app: &App, headers: &HeaderMap, token: &str) -> Result<Option<SessionCookie>, Fault> {
    let now_ms = app.gateway.clock.now_ms();
    let digest = secret::digest(token);
    if token.is_empty() || !store::setup_links::is_live(&app.store, &digest, now_ms).await? {
        return Ok(None);
    }
    let (person, session) = (hex::encode(secret::random::<16>()?), session_id()?);
    let principal = format!("user:{person}");
    let made = |cookie: &Option<SessionCookie>| json!({ "signed_in": cookie.is_some() });
    let begun = async {
        // Of several at once only one does.
        if !store::setup_links::redeem(&app.store, &digest, now_ms).await? {
            return Ok(None);
        }
        store::people::create(&app.store, owner(&person, "Owner (set-up link)", now_ms)).await?;
        let new = NewSession {
            id: &session,
            person: &person,
            method: "setup_link",
            expires_ms: now_ms + app.config.identity.session.absolute_ms(),
            ..NewSession::default()
        };
        Ok::<_, Fault>(Some(sign_in::begin(app, headers, new, now_ms).await?))
    };
    let act = signed(&principal, "setup_link", json!({ "session": session }));
    app.act_aside(act, made, begun).await
}

/// Somebody who may do everything.
fn owner(id: &str, name: &str, now_ms: i64) -> store::people::Person {
    store::people::Person {
        id: id.to_owned(),
        subject: None,
        email: None,
        display_name: Some(name.to_owned()),
        roles: json!(["owner"]),
        created_ms: now_ms,
        disabled_ms: None,
        erased_ms: None,
        deprovisioned_ms: None,
        joined_into: None,
    }
}

/// A form with a password. No `Debug`.
#[derive(Deserialize)]
struct Password {
    password: String,
    #[serde(default)]
    back: Option<String>,
}

/// The break-glass account. Whatever comes of it is loud.
async fn break_the_glass(
    State(auth): State<Auth>,
    method: Method,
    headers: HeaderMap,
    form: Result<Form<Password>, FormRejection>,
) -> Response {
    let app = &auth.app;
    if !same_origin(&method, &headers) {
        return auth.forbidden(&headers);
    }
    let Ok(Form(Password { password, back: asked })) = form else {
        return error_page(&headers, &auth.assets, None, PageError::BadRequest);
    };
    match break_glass::verify(app, acts::client(), password).await {
        Some(true) => {}
        Some(false) => {
            tracing::error!("BREAK-GLASS: somebody tried a wrong password of the break-glass account");
            metrics::break_glass("refused");
            return auth.refuse(
                &headers,
                BREAK_GLASS,
                "wrong_password",
                SignInNotice::Refused("wrong_password"),
            );
        }
        None if app.config.identity.break_glass.is_none() => {
            return error_page(&headers, &auth.assets, None, PageError::NotFound);
        }
        None => return auth.refuse(&headers, BREAK_GLASS, "one_at_a_time", SignInNotice::StartAgain),
    }
    match glass_is_broken(app, &headers).await {
        Ok(cookie) => {
            tracing::error!(
                "BREAK-GLASS: the break-glass account has been used and holds every right for an hour"
            );
            metrics::break_glass("used");
            metrics::sign_in(BREAK_GLASS, "done");
            auth.enter(&cookie, &back(asked))
        }
        Err(error) => auth.unavailable(&headers, "the break-glass account could not be used", &*error),
    }
}

async fn glass_is_broken(app: &App, headers: &HeaderMap) -> Result<SessionCookie, Fault> {
    let now_ms = app.gateway.clock.now_ms();
    let session = session_id()?;
    let begun = async {
        match store::people::create(&app.store, owner(BREAK_GLASS, "Break-glass account", now_ms)).await {
            Ok(()) | Err(store::StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let new = NewSession {
            id: &session,
            person: BREAK_GLASS,
            method: BREAK_GLASS,
            expires_ms: now_ms + break_glass::SESSION_MS.min(app.config.identity.session.absolute_ms()),
            ..NewSession::default()
        };
        sign_in::begin(app, headers, new, now_ms).await
    };
    let act = signed("user:break_glass", BREAK_GLASS, json!({ "session": session }));
    app.act_aside(act, |_| Value::Null, begun).await
}

/// A form of a session.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SessionForm {
    csrf: String,
}

/// Ends the session, and then the provider's, where it has a way to.
async fn sign_out(
    State(auth): State<Auth>,
    permit: Option<Permit>,
    method: Method,
    headers: HeaderMap,
    form: Result<Form<SessionForm>, FormRejection>,
) -> Response {
    if !same_origin(&method, &headers) {
        return auth.forbidden(&headers);
    }
    let mut response = redirect(bailiwick_ui::SIGN_IN_PATH);
    if let Some(actor) = permit.as_ref().map(Permit::actor)
        && let Some(session) = &actor.session
    {
        let given = form.map(|Form(form)| form.csrf).unwrap_or_default();
        if !bool::from(given.as_bytes().ct_eq(session.csrf.as_bytes())) {
            return auth.forbidden(&headers);
        }
        if let Err(error) = sign_in::end(&auth.app, &headers, actor).await {
            return auth.unavailable(&headers, "a session could not be ended", &*error);
        }
        if let Some(provider) = &session.provider
            && let Some(address) = oidc::end_session(&auth, provider).await
        {
            // A form may lead to this server only, so the page leads on.
            response = auth.page(&headers, SignInNotice::SignedOut);
            response.headers_mut().extend(refresh(&address));
        }
    }
    response.headers_mut().append(header::SET_COOKIE, SessionCookie::clear());
    response
}

/// Has the browser go on to `address` by itself.
pub(super) fn refresh(address: &str) -> HeaderMap {
    let value = HeaderValue::from_str(&format!("0; url={address}"));
    value.into_iter().map(|value| (header::REFRESH, value)).collect()
}

/// Goes elsewhere, and is not kept by any cache.
pub(crate) fn redirect(to: &str) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    match HeaderValue::from_str(to) {
        Ok(to) => {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(header::LOCATION, to);
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
