//! The connector below the client: TCP, then TLS where the scheme asks for it, all under one time limit.
//!
//! hyper reports every failure to connect alike; this wrapper keeps apart what an operator must tell apart
//! (refused, slow, not trusted).

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::Service;

use super::failure::UpstreamFailure;

/// Why no connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("no connection within the limit")]
    Timeout,
    #[error("the TLS handshake failed")]
    Tls,
    #[error("not reachable")]
    Unreachable,
}

impl From<ConnectError> for UpstreamFailure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Timeout => Self::ConnectTimeout,
            ConnectError::Tls => Self::Tls,
            ConnectError::Unreachable => Self::Connect,
        }
    }
}

/// HTTP/1.1 for `http`; for `https` whichever of HTTP/2 and HTTP/1.1 the server picks by ALPN.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    limit: Duration,
}

impl Connector {
    pub(super) fn new(tls: ClientConfig, limit: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(limit));
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        Self { inner, limit }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.inner.poll_ready(cx).map_err(|error| classify(error.as_ref()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let connecting = self.inner.call(address);
        let limit = self.limit;
        Box::pin(async move {
            match tokio::time::timeout(limit, connecting).await {
                Ok(connected) => connected.map_err(|error| classify(error.as_ref())),
                Err(_) => Err(ConnectError::Timeout),
            }
        })
    }
}

/// hyper-util's TCP connector has an error type of its own; a bare `io::Error` comes from the TLS layer above it.
fn classify(error: &(dyn std::error::Error + Send + Sync + 'static)) -> ConnectError {
    if error.is::<io::Error>() {
        return ConnectError::Tls;
    }
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if current.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::TimedOut) {
            return ConnectError::Timeout;
        }
        cause = current.source();
    }
    ConnectError::Unreachable
}
