use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Response, Version};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;

use super::here;
use crate::providers::{
    ClientIdentity, ClientOptions, Dialect, OpenAiWire, Operation, Outgoing, Target, TargetSpec, Trust,
    UpstreamClient, UpstreamFailure, Wire,
    client::{ClientError, read_ca_bundle},
};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(
        &self,
        name: &str,
        purpose: ExtendedKeyUsagePurpose,
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        (vec![certificate.der().clone()], key)
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }
}

/// A TLS server for `localhost` that answers every request with the HTTP version that it was asked in.
async fn serve(authority: &Authority, alpn: &[&[u8]], ask_identity: bool) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = if ask_identity {
        let roots = Arc::new(authority.roots());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build().unwrap();
        builder.with_client_cert_verifier(verifier)
    } else {
        builder.with_no_client_auth()
    };
    let (chain, key) = authority.issue("localhost", ExtendedKeyUsagePurpose::ServerAuth);
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            let service = service_fn(|request: http::Request<hyper::body::Incoming>| async move {
                let version = if request.version() == Version::HTTP_2 { "h2" } else { "h1" };
                Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(version))))
            });
            tokio::spawn(async move {
                let served = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
                drop(served);
            });
        }
    });
    address
}

async fn ask(address: SocketAddr, host: &str, options: ClientOptions) -> Result<Bytes, UpstreamFailure> {
    ask_with(&UpstreamClient::new(options).unwrap(), address, host).await
}

async fn ask_with(
    client: &UpstreamClient,
    address: SocketAddr,
    host: &str,
) -> Result<Bytes, UpstreamFailure> {
    let spec = TargetSpec::new(Dialect::Vllm, format!("https://{host}:{}", address.port()), None, "m");
    let target = Target::new(spec).unwrap();
    let outgoing = Outgoing {
        operation: Operation::Embeddings,
        stream: false,
        body: Bytes::from_static(b"{}"),
        client_headers: HeaderMap::new(),
        now_ms: 0,
    };
    let request = OpenAiWire.build(&target, outgoing).unwrap();
    client.send(request, target.limits()).await?.body.collect().await
}

fn trusting(authority: &Authority) -> ClientOptions {
    let bundle = read_ca_bundle(authority.pem().as_bytes()).unwrap();
    ClientOptions { trust: Trust::Only(bundle), ..here() }
}

#[tokio::test]
async fn the_server_picks_the_version() {
    let authority = Authority::new();
    let both = serve(&authority, &[b"h2", b"http/1.1"], false).await;
    assert_eq!(ask(both, "localhost", trusting(&authority)).await.unwrap(), "h2");
    let old = serve(&authority, &[b"http/1.1"], false).await;
    assert_eq!(ask(old, "localhost", trusting(&authority)).await.unwrap(), "h1");
    let silent = serve(&authority, &[], false).await;
    assert_eq!(ask(silent, "localhost", trusting(&authority)).await.unwrap(), "h1");
}

#[tokio::test]
async fn who_is_not_vouched_for_is_refused() {
    let authority = Authority::new();
    let address = serve(&authority, &[], false).await;
    assert_eq!(ask(address, "localhost", here()).await, Err(UpstreamFailure::Tls));
    assert_eq!(ask(address, "localhost", trusting(&Authority::new())).await, Err(UpstreamFailure::Tls));
    // Vouched for, but under another name.
    assert_eq!(ask(address, "127.0.0.1", trusting(&authority)).await, Err(UpstreamFailure::Tls));
}

#[tokio::test]
async fn a_private_bundle_can_be_added_to_the_public_roots() {
    let authority = Authority::new();
    let address = serve(&authority, &[], false).await;
    let bundle = read_ca_bundle(authority.pem().as_bytes()).unwrap();
    let options = ClientOptions { trust: Trust::PublicRootsAnd(bundle), ..here() };
    assert_eq!(ask(address, "localhost", options).await.unwrap(), "h1");
}

#[tokio::test]
async fn mutual_tls() {
    let authority = Authority::new();
    let address = serve(&authority, &[], true).await;
    assert!(ask(address, "localhost", trusting(&authority)).await.is_err());
    let (chain, key) = authority.issue("gateway", ExtendedKeyUsagePurpose::ClientAuth);
    let identity = ClientIdentity::new(chain, key).unwrap();
    let client = UpstreamClient::new(trusting(&authority)).unwrap();
    let presenting = client.presenting(&identity).unwrap();
    assert_eq!(ask_with(&presenting, address, "localhost").await.unwrap(), "h1");
    // A connection that was opened with it serves nobody who has none.
    assert!(ask_with(&client, address, "localhost").await.is_err());
    let (chain, key) = Authority::new().issue("gateway", ExtendedKeyUsagePurpose::ClientAuth);
    let another = client.presenting(&ClientIdentity::new(chain.clone(), key).unwrap()).unwrap();
    assert!(ask_with(&another, address, "localhost").await.is_err());
    let (_, key) = authority.issue("gateway", ExtendedKeyUsagePurpose::ClientAuth);
    assert!(ClientIdentity::new(chain, key).is_err(), "a key of another certificate");
}

#[tokio::test]
async fn a_handshake_that_hangs_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = ClientOptions { connect_timeout: Duration::from_millis(200), ..here() };
    assert_eq!(ask(address, "localhost", options).await, Err(UpstreamFailure::ConnectTimeout));
    drop(listener);
}

#[test]
fn a_bundle_is_whole_or_refused() {
    let good = Authority::new().pem();
    assert_eq!(read_ca_bundle(format!("{good}{good}").as_bytes()).unwrap().len(), 2);
    let cut = good.replace("-----END CERTIFICATE-----", "");
    for bad in
        ["", "not pem", &cut, &format!("{good}-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n")]
    {
        assert!(matches!(read_ca_bundle(bad.as_bytes()), Err(ClientError::Bundle)), "{bad}");
    }
}
