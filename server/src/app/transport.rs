//! What every answer says about how it may be read: by TLS only where it came by TLS, as what it says it is, and by who asked
//! alone. [`super::head`] says the same of what it refuses.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};

use super::App;
use crate::keys::came_by_https;

/// A year (RFC 6797). Not for subdomains: those are not ours to speak for.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");
const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// The layer around every route, the gateway's and what is not found included.
pub(super) async fn marked(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let by_tls =
        app.config.tls.is_some() || came_by_https(peer, request.headers(), &app.gateway.trusted_proxies);
    // All but style and scripts is for who asked, and for nobody's cache. What the gateway answers is the policy's to say.
    let path = request.uri().path();
    let gateways = path.starts_with("/v1/") && !path.starts_with("/v1/decisions/");
    let private = !gateways && !path.starts_with("/assets/");
    let mut response = next.run(request).await;
    mark(response.headers_mut(), by_tls, private);
    response
}

/// Marks an answer.
pub(super) fn mark(headers: &mut HeaderMap, by_tls: bool, private: bool) {
    // Over plain HTTP a browser has to ignore it, and anybody on the way could have written it.
    if by_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
    }
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(NO_SNIFFING);
    if private {
        headers.entry(header::CACHE_CONTROL).or_insert(NO_STORE);
    }
}
