//! The HTTP client towards providers: pooled connections, and a limit on everything that a provider can do to us.
//!
//! No redirect is followed, no cookie kept, no answer decompressed. A request is sent at most once: the pool repeats
//! one only where a kept connection turned out to be closed before any byte of it was written.

use std::{
    collections::HashMap,
    error::Error as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, Client},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use tokio::time::{Instant, timeout_at};

use super::{
    failure::{Malformed, UpstreamFailure},
    identity::ClientIdentity,
    target::Limits,
};
use crate::outbound::{ConnectError, Connector, Way};

/// Certificates of our own that pools are kept for.
const MOST_IDENTITIES: usize = 64;

/// Whose certificates are believed.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// The roots that browsers ship (Mozilla's list, compiled in).
    #[default]
    PublicRoots,
    /// Those, and a private bundle.
    PublicRootsAnd(Vec<CertificateDer<'static>>),
    /// Only a private bundle: for networks that no public authority speaks for.
    Only(Vec<CertificateDer<'static>>),
}

/// Settings of the client. They hold for every endpoint.
#[derive(Debug)]
pub struct ClientOptions {
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Which addresses may be reached, and through whom.
    pub way: Way,
    /// For name lookup, TCP and TLS together.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Duration,
    /// How many unused connections are kept for one host.
    pub pool_max_idle_per_host: usize,
}

impl Default for ClientOptions {
    /// Public roots and addresses, 10 s to connect, unused connections kept for 60 s, at most 128 a host.
    fn default() -> Self {
        Self {
            trust: Trust::PublicRoots,
            way: Way::default(),
            connect_timeout: Duration::from_secs(10),
            pool_idle_timeout: Duration::from_secs(60),
            pool_max_idle_per_host: 128,
        }
    }
}

/// Why the client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The bundle is not PEM, or holds no certificate.
    #[error("the CA bundle must be a PEM file with at least one certificate")]
    Bundle,
    /// A certificate or key that TLS refuses.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
}

/// Reads the certificates of a PEM bundle.
///
/// # Errors
/// [`ClientError::Bundle`] where any part is broken or there is none: a bundle that is half read is half trusted.
pub fn read_ca_bundle(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| ClientError::Bundle)?;
    if certificates.is_empty() { Err(ClientError::Bundle) } else { Ok(certificates) }
}

/// The client. Cheap to clone; clones share the pool.
#[derive(Clone)]
pub struct UpstreamClient {
    inner: Pool,
    options: Arc<ClientOptions>,
    /// A pool for each certificate that is presented, by its digest: a connection belongs to who opened it.
    presenting: Arc<Mutex<HashMap<[u8; 32], Pool>>>,
}

type Pool = Client<Connector, Full<Bytes>>;

impl std::fmt::Debug for UpstreamClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("UpstreamClient")
    }
}

impl UpstreamClient {
    /// Sets up the client; connects to nothing yet.
    ///
    /// # Errors
    /// [`ClientError`] where certificates or keys do not fit.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let inner = pool(&options, None)?;
        Ok(Self { inner, options: Arc::new(options), presenting: Arc::default() })
    }

    /// The same client with a certificate of our own, for providers that ask for mutual TLS.
    ///
    /// # Errors
    /// [`ClientError`] where certificate and key do not fit.
    pub fn presenting(&self, identity: &ClientIdentity) -> Result<Self, ClientError> {
        let mut pools = self.presenting.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = match pools.get(identity.digest()) {
            Some(known) => known.clone(),
            None => {
                let made = pool(&self.options, Some(identity))?;
                // Certificates are replaced: what nobody presents any more is not kept for ever.
                if pools.len() >= MOST_IDENTITIES {
                    pools.clear();
                }
                pools.insert(*identity.digest(), made.clone());
                made
            }
        };
        Ok(Self { inner, options: Arc::clone(&self.options), presenting: Arc::clone(&self.presenting) })
    }

    /// Sends one request and waits for the head of the answer, whatever its status.
    ///
    /// # Errors
    /// Every [`UpstreamFailure`] that can happen before a body begins.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        limits: &Limits,
    ) -> Result<UpstreamResponse, UpstreamFailure> {
        let started = Instant::now();
        let deadline = started + limits.first_byte.min(limits.total);
        let answered = timeout_at(deadline, self.inner.request(request)).await;
        let response = answered
            .map_err(|_| UpstreamFailure::FirstByteTimeout)?
            .map_err(|error| before_answer(&error))?;
        let (head, body) = response.into_parts();
        let max_bytes =
            if head.status.is_success() { limits.max_body_bytes } else { limits.max_error_bytes as u64 };
        let body = UpstreamBody { body, limits: *limits, started, received: 0, max_bytes };
        Ok(UpstreamResponse { status: head.status, headers: head.headers, body })
    }
}

/// The head of an answer, and its body still to come.
#[derive(Debug)]
pub struct UpstreamResponse {
    /// As the provider sent it.
    pub status: StatusCode,
    /// As the provider sent them; [`super::Wire::client_headers`] picks what may be shown.
    pub headers: HeaderMap,
    /// Under the limits of the attempt.
    pub body: UpstreamBody,
}

/// A body that is still arriving. Dropping it closes the connection, which tells the provider to stop.
#[derive(Debug)]
pub struct UpstreamBody {
    body: Incoming,
    limits: Limits,
    started: Instant,
    received: u64,
    max_bytes: u64,
}

impl UpstreamBody {
    /// The next bytes, as they came, never empty; `None` at the end. Dropping the future loses nothing.
    ///
    /// # Errors
    /// A time or size limit, or a connection that broke. After an error the body is over.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, UpstreamFailure> {
        loop {
            let total = self.started + self.limits.total;
            let (deadline, late) = if self.received == 0 {
                (self.started + self.limits.first_byte, UpstreamFailure::FirstByteTimeout)
            } else {
                (Instant::now() + self.limits.idle, UpstreamFailure::IdleTimeout)
            };
            let (deadline, late) =
                if total < deadline { (total, UpstreamFailure::TotalTimeout) } else { (deadline, late) };
            let Some(frame) = timeout_at(deadline, self.body.frame()).await.map_err(|_| late)? else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| in_body(&error, self.received))?;
            let Ok(data) = frame.into_data() else { continue };
            if data.is_empty() {
                continue;
            }
            self.received = self.received.saturating_add(data.len() as u64);
            if self.received > self.max_bytes {
                return Err(UpstreamFailure::TooLarge);
            }
            return Ok(Some(data));
        }
    }

    /// The whole body.
    ///
    /// # Errors
    /// As [`Self::chunk`].
    pub async fn collect(mut self) -> Result<Bytes, UpstreamFailure> {
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.chunk().await? else { return Ok(first) };
        let mut whole = BytesMut::with_capacity((first.len() + second.len()) * 2);
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(more) = self.chunk().await? {
            whole.extend_from_slice(&more);
        }
        Ok(whole.freeze())
    }

    /// As much of an error's body as is worth reading; what is too large, slow or broken ends it early, because
    /// the status alone already is the failure.
    pub async fn collect_error(mut self) -> Bytes {
        let mut whole = BytesMut::new();
        while let Ok(Some(more)) = self.chunk().await {
            whole.extend_from_slice(&more);
        }
        whole.freeze()
    }
}

fn pool(options: &ClientOptions, identity: Option<&ClientIdentity>) -> Result<Pool, ClientError> {
    let tls = tls_config(options.trust.clone(), identity)?;
    Ok(Client::builder(TokioExecutor::new())
        .pool_idle_timeout(options.pool_idle_timeout)
        .pool_max_idle_per_host(options.pool_max_idle_per_host)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        .http1_max_headers(128)
        .http2_adaptive_window(true)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .build(Connector::new(tls, &options.way, options.connect_timeout)))
}

/// TLS with *ring* towards who is trusted.
pub(crate) fn tls_config(
    trust: Trust,
    identity: Option<&ClientIdentity>,
) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    let (public, private) = match trust {
        Trust::PublicRoots => (true, Vec::new()),
        Trust::PublicRootsAnd(bundle) => (true, bundle),
        Trust::Only(bundle) => (false, bundle),
    };
    if public {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for certificate in private {
        roots.add(certificate)?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(match identity {
        Some(identity) => builder.with_client_auth_cert(identity.chain(), identity.key())?,
        None => builder.with_no_client_auth(),
    })
}

/// Names an error that came instead of a response head.
fn before_answer(error: &legacy::Error) -> UpstreamFailure {
    let mut cause = error.source();
    while let Some(current) = cause {
        if let Some(connect) = current.downcast_ref::<ConnectError>() {
            return (*connect).into();
        }
        if let Some(http) = current.downcast_ref::<hyper::Error>() {
            if http.is_parse_too_large() {
                return UpstreamFailure::TooLarge;
            }
            if http.is_parse() {
                return UpstreamFailure::Malformed(Malformed::Http);
            }
        }
        cause = current.source();
    }
    if error.is_connect() { UpstreamFailure::Connect } else { UpstreamFailure::Closed }
}

/// Names an error that came in a body.
fn in_body(error: &hyper::Error, received: u64) -> UpstreamFailure {
    if error.is_parse() {
        UpstreamFailure::Malformed(Malformed::Http)
    } else if received == 0 {
        UpstreamFailure::Closed
    } else {
        UpstreamFailure::DiedMidStream
    }
}
