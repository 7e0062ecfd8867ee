//! Every route of the server in one place.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, Extension};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, Uri, header};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::{App, MetricsAccess};
use crate::console::{self, ServerConsole};
use crate::gateway::refusal::{Code, Refusal};
use crate::gateway::{self};
use crate::identity::Permit;
use crate::{admin, identity, scim};

/// How long a body of the API may pause. The gateway's bodies have a deadline of their own.
const BODY_PAUSE: Duration = Duration::from_secs(30);

/// Puts the server's routes together.
pub fn router(app: &Arc<App>, base_url: &str, metrics: Option<PrometheusHandle>) -> axum::Router {
    let assets = console::assets();
    let pages = bailiwick_ui::router(
        Arc::new(ServerConsole::new(Arc::clone(app), base_url.to_owned())),
        assets.clone(),
        identity::ways(&app.config.identity),
    )
    .layer(tower_http::compression::CompressionLayer::new());
    let (health, measured) = (Arc::clone(app), Arc::clone(app));
    let gated = axum::Router::new()
        .merge(admin::router(Arc::clone(app)))
        .merge(scim::router(Arc::clone(app), base_url))
        .merge(identity::router(Arc::clone(app), assets, base_url))
        .merge(console::asset_router())
        .merge(pages)
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(move || ready(Arc::clone(&health))))
        .route(
            "/metrics",
            get(
                move |peer: Option<Extension<ConnectInfo<SocketAddr>>>,
                      permit: Option<Permit>,
                      headers: HeaderMap| {
                    let (app, metrics) = (Arc::clone(&measured), metrics.clone());
                    async move {
                        may_read_metrics(&app, peer.map(|peer| peer.0.0), permit.as_ref(), &headers)?;
                        Ok::<_, admin::Problem>(
                            metrics.as_ref().map(PrometheusHandle::render).unwrap_or_default(),
                        )
                    }
                },
            ),
        )
        // In front of every one of them: who calls it, and whether they may.
        .route_layer(axum::middleware::from_fn_with_state(Arc::clone(app), identity::gate))
        .layer(tower_http::timeout::RequestBodyTimeoutLayer::new(BODY_PAUSE));
    axum::Router::new()
        .merge(gateway::api::router(Arc::clone(&app.gateway)))
        .merge(gated)
        .fallback(not_found)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(app), super::transport::marked))
}

/// Metrics name endpoints and tell how much they are used: see [`MetricsAccess`].
fn may_read_metrics(
    app: &App,
    peer: Option<SocketAddr>,
    permit: Option<&Permit>,
    headers: &HeaderMap,
) -> Result<(), admin::Problem> {
    let open = match app.config.metrics {
        MetricsAccess::Open => true,
        MetricsAccess::Token => false,
        MetricsAccess::Local => {
            let here = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
            // A proxy on this machine asks for somebody else.
            here && !["forwarded", "x-forwarded-for", "x-real-ip", "via"]
                .into_iter()
                .any(|name| headers.contains_key(name))
        }
    };
    match permit {
        _ if open => Ok(()),
        Some(permit) => permit.at("/", "path"),
        None => Err(identity::nobody()),
    }
}

/// Installs the recorder of metrics; `None` where the process has one already.
#[must_use]
pub fn metrics_recorder() -> Option<PrometheusHandle> {
    const SECONDS: &[f64] = &[
        0.000_025, 0.000_05, 0.000_075, 0.000_1, 0.000_15, 0.000_2, 0.000_3, 0.000_5, 0.001, 0.002, 0.005,
        0.01, 0.05, 0.25, 1.0, 5.0, 30.0,
    ];
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix(String::from("_seconds")), SECONDS)
        .and_then(PrometheusBuilder::install_recorder)
        .ok()
        // Descriptions go to the recorder that is installed, so not before.
        .inspect(|recorder| {
            gateway::metrics::describe();
            digest(recorder.clone());
        })
}

/// Has `recorder` count what was measured into its buckets now and then. Until then it keeps each measurement, and
/// nobody may ever ask for the metrics.
fn digest(recorder: PrometheusHandle) {
    const EVERY: Duration = Duration::from_secs(1);
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                recorder.run_upkeep();
            }
        });
    }
}

/// Ready means that a request could be served: the database answers, the log can be written, and what is configured is
/// known to be in force.
async fn ready(app: Arc<App>) -> (StatusCode, &'static str) {
    match app.store.ping().await {
        _ if app.gateway.freshness.is_stale() => {
            (StatusCode::SERVICE_UNAVAILABLE, "what is configured could not be asked for\n")
        }
        _ if !app.gateway.audit.is_writable() => {
            (StatusCode::SERVICE_UNAVAILABLE, "the audit log cannot be written\n")
        }
        Ok(()) if !app.gateway.stopping.is_cancelled() => (StatusCode::OK, "ready\n"),
        Ok(()) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        Err(_) if app.gateway.audit.can_spool() && !app.gateway.stopping.is_cancelled() => {
            (StatusCode::OK, "ready for a while: the database does not answer\n")
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

/// A path that is served with another method; axum names those in `allow`.
async fn wrong_method(uri: Uri) -> Response {
    if uri.path().starts_with("/v1/") {
        let refusal = Refusal::new(Code::MethodNotAllowed, "this path is served with another method")
            .fix("use the method that the `allow` header names");
        let api = gateway::api::api_of(uri.path());
        return gateway::api::refused(api, &refusal).map(axum::body::Body::new);
    }
    let title = "This path is served with another method";
    let problem = admin::Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", title)
        .detail("the `allow` header names it");
    if uri.path().starts_with("/scim/") {
        return scim::ScimError::from(problem).into_response();
    }
    problem.into_response()
}

/// What is not served, in the shape of the API that was meant.
async fn not_found(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if path.starts_with("/v1/") || path == "/v1" {
        let refusal = Refusal::new(Code::NotFound, "this path is not served")
            .fix("POST /v1/chat/completions, POST /v1/responses, POST /v1/embeddings, POST /v1/messages and GET /v1/models are");
        let api = gateway::api::api_of(path);
        return gateway::api::refused(api, &refusal).map(axum::body::Body::new);
    }
    if path.starts_with("/scim/") {
        return scim::ScimError::from(admin::Problem::not_found("path")).into_response();
    }
    if path.starts_with("/api/") {
        return admin::Problem::not_found("path").into_response();
    }
    let html = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if html {
        return bailiwick_ui::error_page(
            &headers,
            &console::assets(),
            None,
            bailiwick_ui::PageError::NotFound,
        );
    }
    (StatusCode::NOT_FOUND, "not found\n").into_response()
}
