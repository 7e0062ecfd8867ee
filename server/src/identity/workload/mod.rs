//! Workload identity: the OIDC token of a job or a pod is exchanged for a short-lived virtual key (RFC 8693).
//!
//! A token is believed if the issuer that it names is one that a workload is declared for, one of that issuer's own keys
//! has signed it, it is for the workload's audience and its time is now; and it is for a workload whose conditions its
//! claims meet. Of two that it could be for none is taken by chance.

mod issuers;
mod token;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::rejection::FormRejection;
use axum::extract::{ConnectInfo, Extension, Form, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use bailiwick_ledger::Kind;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

pub use issuers::Issuers;
use token::Subject;

use super::routes::Auth;
use super::sign_in::Fault;
use crate::app::Act;
use crate::gateway::{api, metrics};
use crate::keys::{VirtualKey, secret};
use crate::organisation::{KeyDefinition, WorkloadDefinition, key_row};
use crate::store;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// The longest token.
const LONGEST: usize = 16 * 1024;
/// Characters of a claim that is recorded.
const LONGEST_RECORDED: usize = 256;
/// Exchanges that one address may ask for in a minute, and addresses that are counted. Many runners share one.
const MOST_ASKED: u32 = 300;
const MOST_CLIENTS: usize = 10_000;
const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn router() -> axum::Router<Auth> {
    axum::Router::new().route("/auth/token", post(exchange))
}

/// Why no key is given: an error of RFC 6749 (5.2) or RFC 8693 (2.2.2), and why, for people. Which of several things is
/// not right with a token that is not believed, the server's own log tells.
#[derive(Debug)]
enum Refused {
    /// The request itself.
    Invalid(&'static str),
    /// Another error of OAuth.
    Named(&'static str, &'static str),
    /// The token; the reason is for the log.
    Token(&'static str),
    /// Later.
    Busy(&'static str),
    /// The issuer does not answer, or a fault of ours.
    Unavailable(&'static str),
    Fault(Fault),
}

impl<E: Into<Fault>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Fault(error.into())
    }
}

impl Refused {
    fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_request",
            Self::Named(error, _) => error,
            Self::Token(reason) | Self::Busy(reason) | Self::Unavailable(reason) => reason,
            Self::Fault(_) => "unavailable",
        }
    }

    fn response(self) -> Response {
        let (status, error, why) = match self {
            Self::Invalid(why) => (StatusCode::BAD_REQUEST, "invalid_request", why),
            Self::Named(error, why) => (StatusCode::BAD_REQUEST, error, why),
            Self::Token(_) => (
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "the subject token is not one that a workload is declared for, has expired, or was exchanged before",
            ),
            Self::Busy(_) => (
                StatusCode::TOO_MANY_REQUESTS,
                "temporarily_unavailable",
                "too many keys were asked for; wait, or use the ones that were given",
            ),
            Self::Unavailable(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                "the issuer does not answer; try again",
            ),
            Self::Fault(error) => {
                let reference = secret::random::<4>().map(hex::encode).unwrap_or_default();
                tracing::error!(%error, reference, "a token could not be exchanged");
                (
                    StatusCode::SERVICE_UNAVAILABLE,
                    "temporarily_unavailable",
                    "the server could not do it; its log says why",
                )
            }
        };
        let mut response =
            (status, json!({ "error": error, "error_description": why }).to_string()).into_response();
        if status != StatusCode::BAD_REQUEST {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
        }
        private(response)
    }
}

/// RFC 6749, 5.1: a token is in no cache.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}

/// The body (RFC 8693, 2.1), and which workload is meant where a token is for several. No `Debug`: it holds a token.
#[derive(Deserialize)]
struct Asked {
    grant_type: String,
    #[serde(default)]
    subject_token: String,
    #[serde(default)]
    subject_token_type: String,
    #[serde(default)]
    requested_token_type: Option<String>,
    #[serde(default)]
    audience: Option<String>,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    actor_token: Option<String>,
    #[serde(default)]
    workload: Option<String>,
}

impl Asked {
    fn check(&self) -> Result<(), Refused> {
        let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        if self.grant_type != GRANT {
            return Err(Refused::Named(
                "unsupported_grant_type",
                "the grant type is that of token exchange (RFC 8693)",
            ));
        }
        if ![JWT, ID_TOKEN].contains(&self.subject_token_type.as_str()) {
            return Err(Refused::Invalid("subject_token_type is that of a JWT or an ID token"));
        }
        if self.subject_token.is_empty() || self.subject_token.len() > LONGEST {
            return Err(Refused::Invalid("subject_token is a JWT of at most 16384 bytes"));
        }
        if self.requested_token_type.as_deref().is_some_and(|wanted| wanted != ACCESS_TOKEN) {
            return Err(Refused::Invalid("the token that is given is an access token"));
        }
        if given(&self.actor_token) {
            return Err(Refused::Invalid("nobody acts for somebody else here: leave actor_token out"));
        }
        if given(&self.scope) {
            return Err(Refused::Named("invalid_scope", "what the key may do is declared: leave scope out"));
        }
        if given(&self.resource) {
            return Err(Refused::Named("invalid_target", "a key is for this server: leave resource out"));
        }
        Ok(())
    }
}

async fn exchange(
    State(auth): State<Auth>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    form: Result<Form<Asked>, FormRejection>,
) -> Response {
    let client = api::client(&auth.app.gateway, peer.map(|peer| peer.0.0.ip()), &headers);
    let given = async {
        if !auth.app.issuers.admits(client) {
            return Err(Refused::Busy("too_many"));
        }
        let Ok(Form(asked)) = form else {
            return Err(Refused::Invalid("the body is a form, with each parameter once"));
        };
        asked.check()?;
        give(&auth, &asked).await
    };
    match given.await {
        Ok(answer) => {
            metrics::sign_in("workload", "done");
            private((StatusCode::OK, answer.to_string()).into_response())
        }
        Err(refused) => {
            tracing::warn!(reason = refused.reason(), "a workload's token was refused");
            auth.app.gateway.refused.add_sign_in("workload", refused.reason());
            metrics::sign_in("workload", "refused");
            refused.response()
        }
    }
}

async fn workloads(auth: &Auth) -> Result<Vec<WorkloadDefinition>, Refused> {
    let rows = store::workloads::list(&auth.app.store).await?;
    // One that this version does not understand lets nobody in.
    Ok(rows.into_iter().filter_map(|row| serde_json::from_value(row.definition).ok()).collect())
}

/// The workload that a token is for.
async fn believed(auth: &Auth, asked: &Asked, now_ms: i64) -> Result<(WorkloadDefinition, Subject), Refused> {
    let unverified = token::Unverified::read(&asked.subject_token).map_err(Refused::Token)?;
    let mut workloads = workloads(auth).await?;
    // By what nobody has signed yet: only to find out whose keys to ask for.
    workloads.retain(|it| it.issuer == unverified.issuer());
    let Some(issuer) = workloads.first().map(|it| it.issuer.clone()) else {
        return Err(Refused::Token("unknown_issuer"));
    };
    let subject =
        token::verified(unverified, &issuer, &auth.app.issuers, auth.app.providers.http(), now_ms).await?;
    workloads.retain(|it| subject.is_for(&it.audience));
    if workloads.is_empty() {
        return Err(Refused::Token("wrong_audience"));
    }
    if let Some(wanted) = asked.audience.as_ref().filter(|audience| !audience.is_empty())
        && !workloads.iter().any(|it| it.audience == *wanted)
    {
        return Err(Refused::Named(
            "invalid_target",
            "audience is the one that the token is for, or left out",
        ));
    }
    workloads.retain(|it| it.is_for(subject.claims()));
    if let Some(name) = &asked.workload {
        workloads.retain(|it| it.name == *name);
    }
    match workloads.len() {
        0 => Err(Refused::Token("no_workload")),
        1 => workloads.pop().map(|it| (it, subject)).ok_or(Refused::Token("no_workload")),
        _ => Err(Refused::Invalid("the token is for several workloads: say which one with `workload`")),
    }
}

/// What came of a token that is believed.
#[derive(PartialEq)]
enum Given {
    /// A key.
    Now,
    /// Nothing: a key was given for it before.
    Before,
    /// Nothing: there are as many keys as there may be.
    Full,
}

async fn give(auth: &Auth, asked: &Asked) -> Result<Value, Refused> {
    let app = &auth.app;
    let now_ms = app.gateway.clock.now_ms();
    let (workload, subject) = believed(auth, asked, now_ms).await?;
    let full = async || -> Result<bool, Fault> {
        let open = store::workloads::open_keys(&app.store, &workload.name, now_ms).await?;
        Ok(open >= u64::from(workload.most_keys))
    };
    if full().await.map_err(Refused::Fault)? {
        return Err(Refused::Busy("most_keys"));
    }
    let key = VirtualKey::generate()?;
    let expires_ms = now_ms.saturating_add(i64::from(workload.lifetime_s) * 1_000);
    let definition = KeyDefinition {
        scope: workload.scope.clone(),
        name: format!("{}-{}", workload.name, key.id()),
        expires: chrono::DateTime::from_timestamp_millis(expires_ms),
        settings: workload.key.clone(),
    };
    let mut row = key_row(&key, &definition, now_ms)?;
    row.workload = Some(workload.name.clone());
    let told =
        |claim: &str| subject.text(claim).map(|text| text.chars().take(LONGEST_RECORDED).collect::<String>());
    let what = json!({
        "key": key.id(), "workload": workload.name, "issuer": workload.issuer, "subject": told("sub"),
        "token": told("jti"), "expires_ms": expires_ms,
    });
    let principal = format!("workload:{}", workload.name);
    let act = Act {
        kind: Kind::Admin,
        principal: &principal,
        scope: Some(&workload.scope),
        name: "workload_key_created",
        what,
    };
    let change = async {
        // Again: others may have come first.
        if full().await? {
            return Ok::<_, Fault>(Given::Full);
        }
        // Of two that bring the same token at once, one gets a key.
        if !workload.reusable {
            let id = secret::digest(&format!("{}\n{}", workload.issuer, subject.id()));
            if !store::workloads::take_token(&app.store, &id, subject.until_ms(), now_ms).await? {
                return Ok(Given::Before);
            }
        }
        store::keys::create(&app.store, row).await?;
        Ok(Given::Now)
    };
    let told = |given: &Given| json!({ "given": *given == Given::Now });
    match app.act(act, told, change).await.map_err(Refused::Fault)? {
        Given::Now => {}
        Given::Before => return Err(Refused::Token("replayed")),
        Given::Full => return Err(Refused::Busy("most_keys")),
    }
    Ok(json!({
        "access_token": key.reveal(), "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
        "expires_in": workload.lifetime_s,
    }))
}

/// How often clients ask, each server for itself.
#[derive(Debug, Default)]
struct Throttle(Mutex<(Option<Instant>, HashMap<IpAddr, u32>)>);

impl Throttle {
    fn admits(&self, client: Option<IpAddr>) -> bool {
        // Those whose address nobody knows are one client.
        let client = client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), super::oidc::network);
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.0.is_none_or(|since| since.elapsed() >= MINUTE) {
            *asked = (Some(Instant::now()), HashMap::new());
        }
        if asked.1.len() >= MOST_CLIENTS && !asked.1.contains_key(&client) {
            return false;
        }
        let count = asked.1.entry(client).or_default();
        *count = count.saturating_add(1);
        *count <= MOST_ASKED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_address_nobody_knows_are_counted_as_one() {
        let throttle = Throttle::default();
        let asked = (0..MOST_ASKED).all(|_| throttle.admits(None));
        assert!(asked && !throttle.admits(None), "there is an end of it");
        assert!(throttle.admits(Some(IpAddr::from([192, 0, 2, 1]))), "and nobody else is in their way");
    }
}
