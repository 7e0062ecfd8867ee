//! Whether a provider takes a credential: one request for its list of models, or for a count of tokens where it has no
//! such list beside its models, which costs nothing and says nothing.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

use super::bedrock;
use super::client::UpstreamClient;
use super::openai::Dialect;
use super::target::{Limits, Target};

/// For the whole of it.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a provider says to a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Tested {
    /// It takes it.
    Accepted,
    /// It refuses it.
    Refused,
    /// It cannot be reached, or has trouble of its own.
    Unreachable,
    /// It answers something else: it has no list of models, for example.
    Unclear,
}

/// Asks. The words hold no part of the credential or the answer.
pub async fn probe(client: &UpstreamClient, target: &Target, now_ms: i64) -> (Tested, String) {
    let request = if target.dialect() == Dialect::BedrockConverse {
        match bedrock::probe(target, now_ms) {
            Ok(request) => request,
            Err(why) => return (Tested::Unclear, why.to_string()),
        }
    } else {
        list_of_models(target)
    };
    let limits = Limits { first_byte: PATIENCE, total: PATIENCE, ..*target.limits() };
    let answer = match client.send(request, &limits).await {
        Ok(answer) => answer,
        Err(failure) => return (Tested::Unreachable, format!("no answer: {failure}")),
    };
    let status = answer.status;
    let tested = match status {
        _ if status.is_success() => Tested::Accepted,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Tested::Refused,
        StatusCode::TOO_MANY_REQUESTS => Tested::Unreachable,
        _ if status.is_server_error() => Tested::Unreachable,
        _ => Tested::Unclear,
    };
    (tested, format!("it answers {status}"))
}

fn list_of_models(target: &Target) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = Method::GET;
    request.uri_mut().clone_from(target.models());
    *request.headers_mut() = target.headers(&http::HeaderMap::new());
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, http::HeaderValue::from_static("application/json"));
    let agent = concat!("bailiwick/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, http::HeaderValue::from_static(agent));
    if let Some((name, value)) = target.auth() {
        headers.insert(name.clone(), value.clone());
    }
    request
}
