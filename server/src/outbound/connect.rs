//! The connector below every client: TCP to an address that the guard has judged, or a tunnel through the proxy; then TLS
//! where the scheme asks for it, all under one time limit.
//!
//! hyper reports every failure to connect alike; this wrapper keeps apart what an operator must tell apart
//! (refused, slow, not trusted, not allowed).

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use http::uri::Scheme;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{HttpConnector, proxy::Tunnel},
    rt::TokioIo,
};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tower::{Service, ServiceExt as _};

use super::{
    guard::{Forbidden, Guard, name_for_others},
    proxy::Proxy,
    resolve::{Names, Resolver},
};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Which way connections take.
#[derive(Clone, Default)]
pub struct Way {
    /// Which addresses may be reached.
    pub guard: Guard,
    /// Through whom.
    pub proxy: Option<Proxy>,
    /// Who is asked for addresses.
    pub(crate) names: Names,
}

impl std::fmt::Debug for Way {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Way")
    }
}

/// Why no connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("no connection within the limit")]
    Timeout,
    #[error("the TLS handshake failed")]
    Tls,
    #[error("not reachable")]
    Unreachable,
    #[error(transparent)]
    Forbidden(Forbidden),
}

/// HTTP/1.1 for `http`; for `https` whichever of HTTP/2 and HTTP/1.1 the server picks by ALPN.
#[derive(Clone)]
pub(crate) struct Connector {
    inner: HttpsConnector<Transport>,
    limit: Duration,
}

impl Connector {
    pub(crate) fn new(tls: ClientConfig, way: &Way, limit: Duration) -> Self {
        let inner = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(Transport::new(way, limit));
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

/// TCP, or a tunnel. Each request clones it, so it is one pointer.
#[derive(Clone)]
struct Transport(Arc<Ways>);

struct Ways {
    guard: Guard,
    direct: HttpConnector<Resolver>,
    /// The proxy's own address is the configuration's word, which nobody else can change: it is not judged.
    tunnel: Option<(Proxy, Tunnel<HttpConnector>)>,
}

impl Transport {
    fn new(way: &Way, limit: Duration) -> Self {
        let direct =
            tcp(HttpConnector::new_with_resolver(Resolver::new(way.names.clone(), way.guard.clone())), limit);
        let tunnel = way.proxy.clone().map(|proxy| {
            let tunnel = Tunnel::new(proxy.address.clone(), tcp(HttpConnector::new(), limit));
            let tunnel = match &proxy.credential {
                Some(credential) => tunnel.with_auth(credential.clone()),
                None => tunnel,
            };
            (proxy, tunnel)
        });
        Self(Arc::new(Ways { guard: way.guard.clone(), direct, tunnel }))
    }
}

/// The same address with the port of its scheme: a tunnel is asked for by host and port (RFC 9110, 9.3.6), and for 443 where
/// none is said.
fn with_port(address: Uri) -> Uri {
    let port = if address.scheme() == Some(&Scheme::HTTP) { 80 } else { 443 };
    let mut parts = address.clone().into_parts();
    let told = match &parts.authority {
        Some(authority) if authority.port().is_none() => format!("{}:{port}", authority.host()).parse(),
        _ => return address,
    };
    parts.authority = told.ok();
    Uri::from_parts(parts).unwrap_or(address)
}

fn tcp<R>(mut connector: HttpConnector<R>, limit: Duration) -> HttpConnector<R> {
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(limit));
    connector.set_keepalive(Some(Duration::from_secs(60)));
    connector
}

impl Service<Uri> for Transport {
    type Response = TokioIo<TcpStream>;
    type Error = Fault;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Fault>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        let ways = Arc::clone(&self.0);
        Box::pin(async move {
            let host = address.host().unwrap_or_default();
            // No resolver is asked for an address, so it is judged here.
            ways.guard.host(host)?;
            match &ways.tunnel {
                Some((proxy, tunnel)) if proxy.is_for(host) => {
                    name_for_others(host)?;
                    Ok(tunnel.clone().oneshot(with_port(address)).await?)
                }
                _ => Ok(ways.direct.clone().oneshot(address).await?),
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
        if let Some(forbidden) = current.downcast_ref::<Forbidden>() {
            tracing::warn!(%forbidden, "an address that may not be reached was asked for");
            return ConnectError::Forbidden(*forbidden);
        }
        if current.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::TimedOut) {
            return ConnectError::Timeout;
        }
        cause = current.source();
    }
    ConnectError::Unreachable
}

#[cfg(test)]
impl Way {
    /// To servers of tests.
    pub(crate) fn here() -> Self {
        Self { guard: Guard::new(crate::keys::Networks::default().and_loopback()), ..Self::default() }
    }
}
