//! The server's socket: HTTP/1.1 and HTTP/2, with TLS where it is configured, and an orderly end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::first::FirstBytes;
use super::{ClientCertificates, StartError, TlsConfig, head, transport};

/// A client that has not sent its head by then is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// A TLS handshake that takes longer is cut off.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A bound socket that is served.
#[derive(Debug)]
pub struct Listening {
    /// The address it is bound to.
    pub address: SocketAddr,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Listening {
    /// Takes no more connections, lets those that are open finish their request, up to `grace`.
    pub async fn stop(self, grace: Duration) {
        self.stop.cancel();
        if tokio::time::timeout(grace, self.task).await.is_err() {
            tracing::warn!("connections were cut off at the end of the grace period");
        }
    }
}

/// Serves `router` on a bound socket.
///
/// # Errors
/// [`StartError::System`].
pub fn serve_on(
    socket: std::net::TcpListener,
    tls: Option<&TlsConfig>,
    router: axum::Router,
) -> Result<Listening, StartError> {
    let failed = |error: std::io::Error| StartError::System {
        what: String::from("the socket cannot be served"),
        why: error.to_string(),
    };
    socket.set_nonblocking(true).map_err(failed)?;
    let address = socket.local_addr().map_err(failed)?;
    let listener = TcpListener::from_std(socket).map_err(failed)?;
    let acceptor = tls.map(acceptor).transpose()?;
    let stop = CancellationToken::new();
    let task = tokio::spawn(accept(listener, acceptor, router, stop.clone()));
    Ok(Listening { address, stop, task })
}

async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    router: axum::Router,
    stop: CancellationToken,
) {
    let graceful = Arc::new(GracefulShutdown::new());
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    server.http2().timer(TokioTimer::new()).keep_alive_interval(Some(Duration::from_secs(30)));
    let server = Arc::new(server);
    loop {
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most often: waiting lets some be closed.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        // Small writes of a stream must not wait for an acknowledgement; failing to ask for that is no reason to fail.
        let _ = stream.set_nodelay(true);
        let service = router.clone();
        let (server, acceptor, watcher) = (Arc::clone(&server), acceptor.clone(), graceful.watcher());
        tokio::spawn(async move {
            match acceptor {
                None => connection(&server, stream, service, peer, false, watcher).await,
                Some(acceptor) => {
                    if let Some(stream) = handshake(&acceptor, stream).await {
                        connection(&server, stream, service, peer, true, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    if let Some(graceful) = Arc::into_inner(graceful) {
        graceful.shutdown().await;
    }
}

async fn handshake(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => None,
    }
}

async fn connection<S>(
    server: &auto::Builder<TokioExecutor>,
    stream: S,
    router: axum::Router,
    peer: SocketAddr,
    by_tls: bool,
    watcher: hyper_util::server::graceful::Watcher,
) where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
{
    let io = TokioIo::new(FirstBytes::within(HEAD_TIMEOUT, stream));
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        let (refused, last) = (head::refusal(&request), head::is_last(&request));
        request.extensions_mut().insert(ConnectInfo(peer));
        let answering = refused.is_none().then(|| router.clone().oneshot(request.map(axum::body::Body::new)));
        async move {
            let mut response = match (refused, answering) {
                (_, Some(answering)) => answering.await?,
                (Some(mut refused), None) => {
                    transport::mark(refused.headers_mut(), by_tls, true);
                    refused
                }
                (None, None) => http::Response::default(),
            };
            if last {
                head::end(response.headers_mut());
            }
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let connection = watcher.watch(server.serve_connection_with_upgrades(io, service).into_owned());
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn acceptor(tls: &TlsConfig) -> Result<TlsAcceptor, StartError> {
    let failed = |path: &Path, why: String| StartError::System { what: path.display().to_string(), why };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| failed(&tls.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|error| failed(&tls.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = tls.client_ca.as_deref().map(|path| clients(path, tls.client_certificates, &provider));
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&tls.certificate, error.to_string()))
        .and_then(|config| {
            Ok(match clients.transpose()? {
                Some(verifier) => config.with_client_cert_verifier(verifier),
                None => config.with_no_client_auth(),
            })
        })?
        .with_single_cert(chain, key)
        .map_err(|error| failed(&tls.certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Who verifies the certificates of clients.
fn clients(
    path: &Path,
    wanted: ClientCertificates,
    provider: &Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, StartError> {
    let failed = |why: String| StartError::System { what: format!("tls.client_ca {}", path.display()), why };
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    let mut roots = rustls::RootCertStore::empty();
    for certificate in
        crate::providers::client::read_ca_bundle(&pem).map_err(|error| failed(error.to_string()))?
    {
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    let builder =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = match wanted {
        ClientCertificates::Required => builder,
        ClientCertificates::Optional => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| failed(error.to_string()))
}
