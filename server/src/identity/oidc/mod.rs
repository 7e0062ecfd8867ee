//! Signing in with an identity provider: OpenID Connect's code flow with PKCE
//! (<https://openid.net/specs/openid-connect-core-1_0.html>, RFC 7636), logout at and by the provider.
//!
//! What is under way is known by its `state`, once, and only to the browser that began it: the verifier of PKCE and the
//! nonce follow from a secret in that browser's cookie, so that neither the database nor an address holds them.

mod claims;
mod discovery;
mod flow;
mod logout;
mod pushed;
mod verify;

use std::net::SocketAddr;

use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Extension, Form, Path, Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use bailiwick_ui::{SignInNotice, is_local};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use openidconnect::url::form_urlencoded::byte_serialize;
use serde::Deserialize;

pub use discovery::Providers;
pub(super) use discovery::{Http, network};
pub(super) use logout::end_session;

use super::routes::{Auth, redirect, refresh};
use super::{Permit, ProviderConfig};
use crate::gateway::{Named, api, metrics};
use flow::Who;

pub(super) fn router() -> axum::Router<Auth> {
    axum::Router::new()
        .route("/auth/start", get(start))
        .route("/auth/step-up", get(step_up))
        .route("/auth/callback/{provider}", get(callback))
        .route("/auth/back-channel-logout/{provider}", post(back_channel_logout))
}

/// Why a sign-in is refused.
#[derive(Debug)]
pub(super) enum Refused {
    /// For a reason that the page tells by its code.
    Because(&'static str),
    /// Not begun here, too old, or done already.
    StartAgain(&'static str),
    /// Too many were begun from there.
    TooMany,
    /// The provider does not answer.
    Down,
    /// Nobody has given the person a role.
    NoRole,
    /// A fault of ours.
    Fault(super::sign_in::Fault),
}

impl<E: Into<super::sign_in::Fault>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl Auth {
    fn refused(&self, headers: &HeaderMap, way: &str, refused: Refused) -> Response {
        let (reason, notice) = match refused {
            Refused::Because(reason) => (reason, SignInNotice::Refused(reason)),
            Refused::StartAgain(reason) => (reason, SignInNotice::StartAgain),
            Refused::TooMany => return self.too_many(headers, way),
            Refused::Down => ("provider_down", SignInNotice::ProviderDown),
            Refused::NoRole => ("no_role", SignInNotice::NoRole),
            Refused::Fault(error) => return self.unavailable(headers, "nobody could be signed in", &*error),
        };
        tracing::warn!(way, reason, "a sign-in was refused");
        self.refuse(headers, way, reason, notice)
    }

    fn too_many(&self, headers: &HeaderMap, way: &str) -> Response {
        let reason = "too_many";
        tracing::warn!(way, reason, "a sign-in was refused");
        let mut response = self.refuse(headers, way, reason, SignInNotice::StartAgain);
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        response
    }

    fn provider(&self, id: &str) -> Result<&ProviderConfig, Refused> {
        self.app.config.identity.provider(id).ok_or(Refused::Because("unknown_provider"))
    }
}

/// The way in as it is counted: an id that somebody made up is none.
fn way<'a>(auth: &'a Auth, id: &str) -> &'a str {
    auth.app.config.identity.provider(id).map_or("oidc", |provider| &provider.id)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Start {
    provider: Option<String>,
    email: Option<String>,
    back: Option<String>,
}

/// Where to go afterwards: a page of this server, or the first.
fn back(asked: Option<String>) -> String {
    asked.filter(|path| is_local(path)).unwrap_or_else(|| String::from("/"))
}

async fn start(
    State(auth): State<Auth>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    Query(query): Query<Start>,
) -> Response {
    let client = api::client(&auth.app.gateway, peer.map(|peer| peer.0.0.ip()), &headers);
    if !auth.app.providers.admits(client) {
        return auth.too_many(&headers, "oidc");
    }
    let back = back(query.back);
    if let Some(email) = query.email {
        let Some(provider) = auth.app.config.identity.for_email(email.trim()) else {
            return auth.refused(&headers, "oidc", Refused::Because("unknown_domain"));
        };
        // A form may lead to this server only, so the page leads on.
        let mut response = redirect("/");
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().remove(header::LOCATION);
        let mut address = format!("/auth/start?provider={}", provider.id);
        if back != "/" {
            address.push_str("&back=");
            address.extend(byte_serialize(back.as_bytes()));
        }
        response.headers_mut().extend(refresh(&address));
        return response;
    }
    let id = query.provider.unwrap_or_default();
    let address = client.map(|client| discovery::network(client).to_string()).unwrap_or_default();
    let from = auth.app.gateway.pseudonyms.of(Named::Address, &address);
    let begun = async { flow::begin(&auth, auth.provider(&id)?, &back, Who::From(from)).await };
    begun.await.unwrap_or_else(|refused| auth.refused(&headers, way(&auth, &id), refused))
}

/// The person of the session shows once more who they are.
async fn step_up(
    State(auth): State<Auth>,
    permit: Option<Permit>,
    headers: HeaderMap,
    Query(query): Query<Start>,
) -> Response {
    let session = permit.as_ref().and_then(|permit| permit.actor().session.as_ref());
    let Some(session) = session else { return redirect(bailiwick_ui::SIGN_IN_PATH) };
    let Some(id) = &session.provider else {
        return auth.refused(&headers, "oidc", Refused::StartAgain("no_provider"));
    };
    let back = back(query.back);
    let begun = async { flow::begin(&auth, auth.provider(id)?, &back, Who::Again(&session.person)).await };
    begun.await.unwrap_or_else(|refused| auth.refused(&headers, way(&auth, id), refused))
}

/// What a provider sends back with the browser. No `Debug`: a code is a credential.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

async fn callback(
    State(auth): State<Auth>,
    permit: Option<Permit>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Query(answer): Query<Answer>,
) -> Response {
    let finished = async {
        let provider = auth.provider(&id)?;
        flow::finish(&auth, provider, answer, permit.as_ref(), &headers).await
    };
    let mut response = match finished.await {
        Ok(entered) => {
            metrics::sign_in(way(&auth, &id), "done");
            auth.enter(&entered.cookie, &entered.back)
        }
        Err(refused) => auth.refused(&headers, way(&auth, &id), refused),
    };
    response.headers_mut().append(header::SET_COOKIE, flow::clear());
    response
}

/// The body of a back-channel logout.
#[derive(Deserialize)]
struct LogoutForm {
    logout_token: String,
}

/// <https://openid.net/specs/openid-connect-backchannel-1_0.html>, 2.5 to 2.8.
async fn back_channel_logout(
    State(auth): State<Auth>,
    Path(id): Path<String>,
    form: Result<Form<LogoutForm>, FormRejection>,
) -> Response {
    let taken = async {
        let provider = auth.provider(&id)?;
        let Ok(Form(form)) = form else { return Err(Refused::Because("no_logout_token")) };
        logout::take(&auth, provider, &form.logout_token).await
    };
    let (status, body) = match taken.await {
        Ok(()) => (StatusCode::OK, String::new()),
        Err(refused) => {
            let (status, reason) = match refused {
                Refused::Because(reason) | Refused::StartAgain(reason) => (StatusCode::BAD_REQUEST, reason),
                Refused::NoRole => (StatusCode::BAD_REQUEST, "no_role"),
                Refused::TooMany => (StatusCode::TOO_MANY_REQUESTS, "too_many"),
                Refused::Down => (StatusCode::SERVICE_UNAVAILABLE, "provider_down"),
                Refused::Fault(error) => {
                    tracing::error!(%error, "a back-channel logout could not be carried out");
                    (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
                }
            };
            auth.app.gateway.refused.add_sign_in(way(&auth, &id), reason);
            let body = serde_json::json!({ "error": "invalid_request", "error_description": reason });
            (status, body.to_string())
        }
    };
    let mut response = Response::new(axum::body::Body::from(body));
    *response.status_mut() = status;
    let fixed = [(header::CACHE_CONTROL, "no-store"), (header::CONTENT_TYPE, "application/json")];
    for (name, value) in fixed {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
