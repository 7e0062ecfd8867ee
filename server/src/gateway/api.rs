//! The two ends of a request's way in HTTP: OpenAI's or Anthropic's API in, the same API's errors out.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::routing::{get, post};
use bailiwick_pii::EntityCounts;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::api_headers::api_headers;
use super::classify::Hints;
use super::decide::Decided;
use super::large::on_body;
use super::members::is_of_responses;
use super::refusal::{Code, Refusal};
use super::serve::{Incoming, serve};
use super::{Gateway, dry_run, metrics, read};
use crate::budgets::Rates;
use crate::keys::client_address;
use crate::providers::anthropic::VERSION;
use crate::providers::{Api, Operation};
use crate::router::Candidate;

/// The body of every answer.
pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A whole body.
#[must_use]
pub fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is fed by a task.
#[must_use]
pub fn stream_body(frames: mpsc::Receiver<Result<Frame<Bytes>, std::io::Error>>) -> Body {
    BodyExt::boxed_unsync(StreamBody::new(ReceiverStream::new(frames)))
}

/// Every served route and the stages that it passes, in order. A test walks the router, so that none is missing.
pub const ROUTES: &[(&str, &str, &[&str])] = &[
    ("POST", "/v1/chat/completions", ALL_STAGES),
    ("POST", "/v1/responses", ALL_STAGES),
    ("POST", "/v1/embeddings", ALL_STAGES),
    ("POST", "/v1/messages", ALL_STAGES),
    ("POST", "/v1/messages/count_tokens", ALL_STAGES),
    ("GET", "/v1/models", &["authenticate"]),
    ("GET", "/v1/decisions/{id}", &["authenticate"]),
    ("POST", "/v1/decisions:explain", &["authenticate", "read", "classify", "decide", "route"]),
];

const ALL_STAGES: &[&str] = &[
    "authenticate",
    "read",
    "classify",
    "decide",
    "route",
    "fund",
    "record",
    "forward",
    "respond",
    "settle",
];

/// The routes under `/v1` that models are behind.
pub fn router(gateway: Arc<Gateway>) -> axum::Router {
    axum::Router::new()
        .route("/v1/chat/completions", post(chat_completions))
        .route("/v1/responses", post(responses))
        .route("/v1/embeddings", post(embeddings))
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .route("/v1/models", get(models))
        .route("/v1/decisions:explain", post(explain))
        .with_state(gateway)
}

type Req = Request<axum::body::Body>;

async fn chat_completions(State(gateway): State<Arc<Gateway>>, request: Req) -> Response<Body> {
    run(&gateway, Operation::ChatCompletions, "POST /v1/chat/completions", request).await
}

async fn responses(State(gateway): State<Arc<Gateway>>, request: Req) -> Response<Body> {
    run(&gateway, Operation::Responses, "POST /v1/responses", request).await
}

async fn embeddings(State(gateway): State<Arc<Gateway>>, request: Req) -> Response<Body> {
    run(&gateway, Operation::Embeddings, "POST /v1/embeddings", request).await
}

async fn messages(State(gateway): State<Arc<Gateway>>, request: Req) -> Response<Body> {
    run(&gateway, Operation::Messages, "POST /v1/messages", request).await
}

async fn count_tokens(State(gateway): State<Arc<Gateway>>, request: Req) -> Response<Body> {
    run(&gateway, Operation::CountTokens, "POST /v1/messages/count_tokens", request).await
}

async fn run(
    gateway: &Arc<Gateway>,
    operation: Operation,
    route: &'static str,
    request: Req,
) -> Response<Body> {
    let client = client(gateway, peer(request.extensions()), request.headers());
    let (head, body) = request.into_parts();
    let incoming = Incoming { operation, route, headers: head.headers, client };
    match serve(gateway, incoming, body).await {
        Ok(response) => response,
        Err(refusal) => refused(operation.api(), &refusal),
    }
}

/// Whose API a path belongs to, served or not.
#[must_use]
pub fn api_of(path: &str) -> Api {
    let messages = path.strip_prefix("/v1/messages");
    if messages.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        Api::Anthropic
    } else {
        Api::OpenAi
    }
}

/// Whose API a client speaks on a route that both have. Anthropic's asks for its version with every request.
fn api_of_client(headers: &HeaderMap) -> Api {
    if headers.contains_key(VERSION) { Api::Anthropic } else { Api::OpenAi }
}

/// The address that a connection came from.
pub(crate) fn peer(extensions: &http::Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

/// The address that a request came from.
pub(crate) fn client(gateway: &Gateway, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
    client_address(peer, headers, &gateway.trusted_proxies)
}

/// `GET /v1/models`: only what the key may use.
async fn models(State(gateway): State<Arc<Gateway>>, request: Req) -> Response<Body> {
    let api = api_of_client(request.headers());
    let client = client(&gateway, peer(request.extensions()), request.headers());
    let auth = match gateway.authenticate(request.headers(), client) {
        Ok(auth) => auth,
        Err(refusal) => return refused(api, &refusal),
    };
    let usable = auth.key.models.iter().filter(|model| super::decide::usable(&auth, model));
    let data: Vec<serde_json::Value> = usable
        .map(|model| match api {
            Api::OpenAi | Api::OpenAiResponses => {
                serde_json::json!({ "id": model, "object": "model", "created": 0, "owned_by": "bailiwick" })
            }
            Api::Anthropic => {
                serde_json::json!({ "id": model, "type": "model", "display_name": model, "created_at": UNKNOWN_DATE })
            }
        })
        .collect();
    let id = |model: Option<&serde_json::Value>| model.and_then(|model| model.get("id")).cloned();
    let body = match api {
        Api::OpenAi | Api::OpenAiResponses => serde_json::json!({ "object": "list", "data": data }),
        // One page holds them all.
        Api::Anthropic => serde_json::json!({
            "data": data, "has_more": false, "first_id": id(data.first()), "last_id": id(data.last()),
        }),
    };
    json(StatusCode::OK, &body)
}

/// What Anthropic's API says of a model whose day of release is not known.
const UNKNOWN_DATE: &str = "1970-01-01T00:00:00Z";

/// `POST /v1/decisions:explain`: the body of a chat completion, of a response, of an embeddings request or, with
/// `anthropic-version`, of a message; the answer is the decision that it would get, with all reasons.
async fn explain(State(gateway): State<Arc<Gateway>>, request: Req) -> Response<Body> {
    let api = api_of_client(request.headers());
    match explained(&gateway, request).await {
        Ok(response) => response,
        Err(refusal) => refused(api, &refusal),
    }
}

async fn explained(gateway: &Gateway, request: Req) -> Result<Response<Body>, Refusal> {
    let (parts, body) = request.into_parts();
    let client = client(gateway, peer(&parts.extensions), &parts.headers);
    let auth = gateway.authenticate(&parts.headers, client)?;
    let hints = Hints::read(&parts.headers)?;
    let api = api_of_client(&parts.headers);
    let api_headers = match api {
        Api::OpenAi | Api::OpenAiResponses => HeaderMap::new(),
        Api::Anthropic => api_headers(&parts.headers)?,
    };
    let bytes = read::collect(&parts.headers, body, gateway.limits).await?;
    let size = bytes.len();
    let operation = match api {
        Api::Anthropic => Operation::Messages,
        Api::OpenAi | Api::OpenAiResponses => on_body(size, || told_by(&bytes)),
    };
    let mut read = on_body(size, || read::read(auth, operation, bytes, gateway.limits))?;
    read.api_headers = api_headers;
    super::fund::ticket(&read.auth, &read.model, &gateway.budgets).await?;
    gateway.recall(&mut read).await;
    let classified = on_body(size, || super::classify::classify(read, hints))?;
    let decided = super::decide::decide(classified, String::from("explained"));
    let redacted = on_body(size, || super::redaction::redact_body(&decided, &gateway.token_key));
    let refusal = decided.refusal();
    let allowed = refusal.is_none();
    let routed = super::route::route(decided);
    let order = if allowed { routed.names() } else { Vec::new() };
    let explained = dry_run::explain(&routed.decided, order, &redacted);
    let mut body = serde_json::json!({ "allowed": allowed, "decision": explained });
    if let (Some(refusal), Some(body)) = (refusal, body.as_object_mut()) {
        let told = error(api, &refusal).get_mut("error").map(serde_json::Value::take);
        body.insert(String::from("refusal"), told.unwrap_or_default());
    }
    Ok(json(StatusCode::OK, &body))
}

/// What a body of OpenAI's API asks for. An embeddings request and one for a response have an `input`; the latter is told by
/// what only it has, or by an `input` of items. Everything else has to be a chat.
fn told_by(body: &[u8]) -> Operation {
    let Ok(body) = serde_json::from_slice::<serde_json::Value>(body) else {
        return Operation::ChatCompletions;
    };
    let Some(input) = body.get("input").filter(|_| body.get("messages").is_none()) else {
        return Operation::ChatCompletions;
    };
    let of_items = input.as_array().is_some_and(|items| items.iter().any(serde_json::Value::is_object));
    let mut members = body.as_object().into_iter().flatten();
    if of_items || members.any(|(name, value)| is_of_responses(name, value)) {
        Operation::Responses
    } else {
        Operation::Embeddings
    }
}

/// The headers that tell a client what was done with its request.
pub fn head(
    headers: &mut HeaderMap,
    decided: &Decided,
    candidate: Option<&Candidate<'_>>,
    redactions: &EntityCounts,
) {
    let mut put = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put("x-bailiwick-decision", &decided.id);
    if decided.classified.read.operation.api() == Api::Anthropic {
        put("request-id", &decided.id);
    }
    put("x-bailiwick-policy", &decided.classified.read.auth.snapshot.bundle_digest);
    if let Some(candidate) = candidate {
        put("x-bailiwick-endpoint", &candidate.place.name);
        if !candidate.place.countries_header.is_empty() {
            put("x-bailiwick-countries", &candidate.place.countries_header);
        }
    }
    if !redactions.is_empty() {
        put("x-bailiwick-redactions", &redactions.to_string());
    }
    put("content-type", "application/json");
    // There is no cache here; those on the way to the client are told.
    if decided.decision.obligations.cache_denied {
        put("cache-control", "no-store");
    }
}

/// How the limits stand, under the names that OpenAI's API has for it and its SDKs' users read.
pub(super) fn rate_headers(headers: &mut HeaderMap, rates: &Rates) {
    let names = [
        (
            rates.requests,
            ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
        ),
        (
            rates.tokens,
            ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
        ),
    ];
    for (rate, [limit, remaining, reset]) in names {
        let Some(rate) = rate else { continue };
        headers.insert(limit, rate.limit.into());
        headers.insert(remaining, rate.remaining.into());
        if let Ok(value) = HeaderValue::from_str(&duration(rate.resets_in_ms)) {
            headers.insert(reset, value);
        }
    }
}

/// A duration as OpenAI's API writes one: `17ms`, `1s`, `6m0s`, `1h0m0s`. Never shorter than it is.
fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    if ms < 1_000 {
        return if ms == 0 { String::from("0s") } else { format!("{ms}ms") };
    }
    let seconds = ms.saturating_add(999) / 1_000;
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest}s"),
        (0, _) => format!("{minutes}m{rest}s"),
        _ => format!("{hours}h{minutes}m{rest}s"),
    }
}

/// A refusal in the shape of the API that was called.
#[must_use]
pub fn refused(api: Api, refusal: &Refusal) -> Response<Body> {
    metrics::refused(refusal.code);
    let mut response = json(refusal.code.status(), &error(api, refusal));
    let headers = response.headers_mut();
    if let Some(decision) = refusal.decision.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
        if api == Api::Anthropic {
            headers.insert("request-id", decision.clone());
        }
        headers.insert("x-bailiwick-decision", decision);
    }
    if let Some(seconds) = refusal.retry_after_s {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    rate_headers(headers, &refusal.rates);
    let retry = if refusal.should_retry() { "true" } else { "false" };
    headers.insert("x-should-retry", HeaderValue::from_static(retry));
    if refusal.code == Code::InvalidApiKey {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// The body of a refusal.
#[must_use]
pub fn error(api: Api, refusal: &Refusal) -> serde_json::Value {
    let message = refusal.told.as_ref().unwrap_or(&refusal.message);
    let message = format!("{} To mend it: {}", sentence(message), refusal.fix);
    let mut ours = serde_json::json!({
        "decision": refusal.decision,
        "rules": refusal.rules,
        "excluded": refusal.excluded,
        "fix": refusal.fix,
    });
    match api {
        Api::OpenAi | Api::OpenAiResponses => serde_json::json!({
            "error": {
                "message": message,
                "type": refusal.code.openai_type(),
                "param": refusal.param,
                "code": refusal.code.as_str(),
            },
            "bailiwick": ours,
        }),
        Api::Anthropic => {
            // This API's own error has no place for them.
            if let Some(ours) = ours.as_object_mut() {
                ours.insert(String::from("code"), refusal.code.as_str().into());
                ours.insert(String::from("param"), refusal.param.clone().into());
            }
            serde_json::json!({
                "type": "error",
                "error": { "type": refusal.code.anthropic_type(), "message": message },
                "request_id": refusal.decision,
                "bailiwick": ours,
            })
        }
    }
}

/// A refusal as the last event of a stream of responses: as the API says it, and as a member `error` besides, which is what the
/// vendor's clients raise.
#[must_use]
pub fn error_event(refusal: &Refusal, events: u64) -> serde_json::Value {
    let mut body = error(Api::OpenAiResponses, refusal);
    let told = body.get("error").cloned().unwrap_or_default();
    if let Some(body) = body.as_object_mut() {
        body.insert(String::from("type"), "error".into());
        body.insert(String::from("sequence_number"), events.into());
        for name in ["code", "message", "param"] {
            body.insert(name.to_owned(), told.get(name).cloned().unwrap_or_default());
        }
    }
    body
}

fn sentence(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(full(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_written_as_openai_does() {
        for (ms, text) in [
            (-5, "0s"),
            (0, "0s"),
            (17, "17ms"),
            (1_000, "1s"),
            (1_001, "2s"),
            (59_001, "1m0s"),
            (360_000, "6m0s"),
            (86_399_001, "24h0m0s"),
            (i64::MAX, "2562047788015h12m55s"),
        ] {
            assert_eq!(duration(ms), text, "{ms}");
        }
    }
}
