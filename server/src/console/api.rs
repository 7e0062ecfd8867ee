//! The API, asked in the name of who looks at a page.
//!
//! A page's question goes through the gate and the handlers as any client's does: with the cookie or token that asked for
//! the page, the address that it came from, and the token that the form carried. So there is one place that decides who
//! may, and one that records.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use bailiwick_ui::api::{Call, Caller, Problem};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;
use tower::ServiceExt as _;

use crate::app::App;
use crate::{admin, identity};

/// Bytes of an answer that a page reads, at most.
const LARGEST: usize = 16 << 20;

const CSRF: HeaderName = HeaderName::from_static(identity::CSRF_HEADER);
const ONCE: HeaderName = HeaderName::from_static("idempotency-key");

/// Headers of the request for the page that speak of its own body, or of what it wants to get.
const OF_THE_PAGE: [HeaderName; 9] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::TRANSFER_ENCODING,
    header::EXPECT,
    header::ACCEPT_ENCODING,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::RANGE,
];

/// The API behind its gate.
#[derive(Debug, Clone)]
pub(super) struct Api(axum::Router);

impl Api {
    pub(super) fn new(app: &Arc<App>) -> Self {
        let gate = axum::middleware::from_fn_with_state(Arc::clone(app), identity::gate);
        Self(admin::router(Arc::clone(app)).route_layer(gate))
    }

    /// What it answers.
    pub(super) async fn call(&self, caller: &Caller, call: Call) -> Result<Value, Problem> {
        let request = request(caller, call).ok_or_else(|| Problem {
            status: StatusCode::BAD_REQUEST.as_u16(),
            code: String::from("invalid_request"),
            title: String::from("The request is not right"),
            ..Problem::default()
        })?;
        let answered = self.0.clone().oneshot(request).await;
        let response = answered.unwrap_or_else(|never| match never {});
        read(response).await
    }
}

/// The same caller, another question.
fn request(caller: &Caller, call: Call) -> Option<Request> {
    let body = call.body.map(|body| body.to_string());
    let mut headers: HeaderMap = caller.headers.clone();
    for name in OF_THE_PAGE {
        headers.remove(name);
    }
    // Of what a client sent itself nothing stays: only a form says these.
    headers.remove(CSRF);
    headers.remove(ONCE);
    if !call.csrf.is_empty() {
        headers.insert(CSRF, HeaderValue::from_str(&call.csrf).ok()?);
    }
    if let Some(once) = call.once {
        headers.insert(ONCE, HeaderValue::from_str(&once).ok()?);
    }
    if body.is_some() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    let mut request = Request::builder()
        .method(call.method)
        .uri(call.target)
        .body(body.map_or_else(Body::empty, Body::from))
        .ok()?;
    *request.headers_mut() = headers;
    if let Some(peer) = caller.extensions.get::<ConnectInfo<std::net::SocketAddr>>() {
        request.extensions_mut().insert(*peer);
    }
    Some(request)
}

async fn read(response: Response) -> Result<Value, Problem> {
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, LARGEST).await;
    let text =
        head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    let answer: Option<Value> = bytes.ok().and_then(|bytes| match text {
        // A signed note, a key: a text as it is.
        true => String::from_utf8(bytes.to_vec()).ok().map(Value::from),
        false => serde_json::from_slice(&bytes).ok(),
    });
    let status = head.status.as_u16();
    match answer {
        Some(answer) if head.status.is_success() => Ok(answer),
        Some(answer) => Err(Problem { status, ..serde_json::from_value(answer).unwrap_or_default() }),
        None => {
            Err(Problem { status: if head.status.is_success() { 500 } else { status }, ..Problem::default() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_carries_who_asks_and_nothing_else_of_the_page() {
        let mut caller = Caller::default();
        for (name, value) in [
            ("cookie", "__Host-bailiwick=x"),
            ("origin", "https://gw"),
            ("x-forwarded-for", "192.0.2.7"),
            ("content-length", "12"),
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-csrf-token", "smuggled"),
            ("idempotency-key", "smuggled-smuggled"),
            ("if-match", "\"x\""),
        ] {
            caller.headers.insert(name, HeaderValue::from_static(value));
        }
        let peer: std::net::SocketAddr = "192.0.2.1:9".parse().unwrap();
        caller.extensions.insert(ConnectInfo(peer));
        let call = Call {
            method: http::Method::POST,
            target: String::from("/api/v1/keys"),
            body: Some(serde_json::json!({})),
            csrf: String::new(),
            once: None,
        };
        let asked = request(&caller, call.clone()).unwrap();
        let has = |name: &str| asked.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(has("cookie"), Some("__Host-bailiwick=x"));
        assert_eq!((has("origin"), has("x-forwarded-for")), (Some("https://gw"), Some("192.0.2.7")));
        assert_eq!(has("content-type"), Some("application/json"));
        for gone in ["content-length", "x-csrf-token", "idempotency-key", "if-match"] {
            assert_eq!(has(gone), None, "{gone}");
        }
        assert_eq!(asked.extensions().get::<ConnectInfo<std::net::SocketAddr>>().unwrap().0, peer);
        let asked = request(&caller, Call { csrf: String::from("form"), ..call.clone() }).unwrap();
        assert_eq!(asked.headers()["x-csrf-token"], "form");
        // What would end a header is no request at all.
        assert!(request(&caller, Call { csrf: String::from("a\r\nb"), ..call }).is_none());
    }
}
