//! Which policy is in force, and the webhook by which a Git server says that there may be another one.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use bailiwick_policy::scope;
use futures::StreamExt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::Problem;
use crate::app::{App, PolicyStatus};
use crate::identity::Permit;

/// A hook's body, which is hashed and not kept. GitHub sends 25 MB at most:
/// <https://docs.github.com/en/webhooks/webhook-events-and-payloads>.
const MOST_BYTES: usize = 25 << 20;
/// Shortest secret of a hook, in bytes.
const LEAST_SECRET: usize = 16;

/// `GET /api/v1/policy`.
pub(super) async fn status(State(app): State<Arc<App>>) -> Result<Json<PolicyStatus>, Problem> {
    Ok(Json(app.policy_status().await?))
}

/// `GET /api/v1/policy/rules`: rules, exceptions and attestations of the policy in force that concern the actor's scopes, in the
/// order of their files.
pub(super) async fn rules(State(app): State<Arc<App>>, permit: Permit) -> Json<Value> {
    let snapshot = app.gateway.snapshot.load_full();
    let bundle = snapshot.policy.bundle();
    let now_ms = snapshot.decide_at_ms.unwrap_or_else(|| app.gateway.clock.now_ms());
    let scopes = permit.scopes();
    let concerns = |of: &str| scopes.iter().any(|scope| scope::overlap(scope, of));
    let rules: Vec<Value> = bundle
        .rules
        .iter()
        .filter(|rule| concerns(&rule.scope))
        .map(|rule| {
            let pack = rule.origin.as_ref().map(|origin| origin.pack.clone());
            with(json!(rule), json!({ "file": rule.file, "line": rule.line, "pack": pack }))
        })
        .collect();
    let stands = |from: i64, until: Option<i64>| match () {
        () if now_ms < from => "to_come",
        () if until.is_some_and(|until| until <= now_ms) => "over",
        () => "holds",
    };
    let exceptions: Vec<Value> = bundle
        .exceptions
        .iter()
        .filter(|exception| concerns(&exception.scope))
        .map(|exception| {
            let (from, until) = (exception.from.timestamp_millis(), exception.until.timestamp_millis());
            let told =
                json!({ "file": exception.file, "line": exception.line, "state": stands(from, Some(until)) });
            with(json!(exception), told)
        })
        .collect();
    let attestations: Vec<Value> = bundle
        .attestations
        .iter()
        .filter(|attestation| attestation.scope.as_deref().is_none_or(concerns))
        .map(|attestation| {
            let until = attestation.valid_to.map(|until| until.timestamp_millis());
            let state = stands(attestation.valid_from.timestamp_millis(), until);
            with(json!(attestation), json!({ "state": state }))
        })
        .collect();
    Json(json!({ "rules": rules, "exceptions": exceptions, "attestations": attestations }))
}

/// A thing with more about it.
fn with(mut thing: Value, more: Value) -> Value {
    if let (Some(thing), Value::Object(more)) = (thing.as_object_mut(), more) {
        thing.extend(more);
    }
    thing
}

/// `POST /api/v1/policy:notify`: has the repository looked at now. What the hook says is not read: who knows the secret
/// can cause a look and nothing else.
pub(super) async fn notify(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let file = app.config.policy.git.as_ref().and_then(|git| git.webhook_secret_file.as_ref());
    let Some(file) = file else {
        return Err(Problem::not_found("webhook").fix("set `policy.git.webhook_secret_file`"));
    };
    let unusable = |why: String| {
        tracing::error!(why, "the secret of the policy's webhook cannot be used");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The webhook cannot be used")
            .detail("its secret cannot be read; the server's log says why")
    };
    let secret =
        tokio::fs::read(file).await.map_err(|error| unusable(format!("{}: {error}", file.display())))?;
    let secret = secret.trim_ascii();
    if secret.len() < LEAST_SECRET {
        return Err(unusable(format!("{} has fewer than {LEAST_SECRET} bytes", file.display())));
    }
    if !authentic(secret, &headers, body).await? {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "The hook does not know the secret")
            .detail(
                "send `x-hub-signature-256: sha256=HEX`, the HMAC-SHA256 of the body (GitHub, Gitea, Forgejo), or the \
                 secret itself as `x-gitlab-token` (GitLab)",
            ));
    }
    app.policy_changed();
    Ok((StatusCode::ACCEPTED, Json(json!({ "looked": "soon" }))))
}

async fn authentic(secret: &[u8], headers: &HeaderMap, body: Body) -> Result<bool, Problem> {
    if let Some(token) = headers.get("x-gitlab-token") {
        return Ok(bool::from(token.as_bytes().ct_eq(secret)));
    }
    let signature = headers
        .get("x-hub-signature-256")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("sha256="))
        .and_then(|value| hex::decode(value).ok());
    let Some(signature) = signature else { return Ok(false) };
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return Ok(false) };
    let (mut chunks, mut bytes) = (body.into_data_stream(), 0_usize);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Problem::invalid(format!("the body broke off: {error}")))?;
        bytes = bytes.saturating_add(chunk.len());
        if bytes > MOST_BYTES {
            return Err(Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "request_too_large",
                "The body is too large",
            ));
        }
        mac.update(&chunk);
    }
    Ok(mac.verify_slice(&signature).is_ok())
}
