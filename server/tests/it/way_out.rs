//! The way out as it is configured: through a proxy, to a provider with a certificate of a private authority that asks for
//! one of ours.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use reqwest::Method;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::app::TestApp;

/// Where what is behind the proxy listens, once that is known.
type Behind = Arc<Mutex<Option<SocketAddr>>>;
/// The certificates that were presented, in DER.
type Presented = Arc<Mutex<Vec<Vec<u8>>>>;

/// A name that nothing resolves: it is reached through the proxy or not at all.
const HOST: &str = "models.example";
const ENDPOINT: &str = "vllm-germany";
const CREDENTIAL: &str = "gateway:proxy-canary-7d31";

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Issuer {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issue(by: &Issuer, name: &str, purpose: ExtendedKeyUsagePurpose) -> (rcgen::Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.extended_key_usages = vec![purpose];
    (params.signed_by(&key, by).unwrap(), key)
}

/// TLS in front of a provider, for whoever presents a certificate of the authority; whose certificates were presented.
struct Front {
    address: SocketAddr,
    behind: Arc<Mutex<Option<SocketAddr>>>,
    presented: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Front {
    async fn start(authority: &Issuer) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let (certificate, key) = issue(authority, HOST, ExtendedKeyUsagePurpose::ServerAuth);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (behind, presented): (Behind, Presented) = Default::default();
        let front = Self { address: listener.local_addr().unwrap(), behind, presented };
        let (behind, presented) = (Arc::clone(&front.behind), Arc::clone(&front.presented));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let own = stream.get_ref().1.peer_certificates().map(|chain| chain[0].to_vec());
                presented.lock().unwrap().extend(own);
                let to = behind.lock().unwrap().unwrap();
                tokio::spawn(async move {
                    let mut provider = TcpStream::connect(to).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut provider).await;
                });
            }
        });
        front
    }
}

/// A proxy that knows one host; what it was asked.
async fn proxy(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<String>>>::default());
    let told = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let told = Arc::clone(&told);
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else { return };
                    head.push(byte);
                }
                told.lock().unwrap().push(String::from_utf8(head).unwrap());
                let mut on = TcpStream::connect(to).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut on).await;
            });
        }
    });
    (address, asked)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_is_reached_by_the_proxy_the_bundle_and_the_certificate_that_are_configured() {
    let (ours, another) = (authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = |by: &Issuer, name: &str| {
        let (certificate, key) = issue(by, "gateway", ExtendedKeyUsagePurpose::ClientAuth);
        let files = json!({
            "certificate": write(&format!("{name}.pem"), &certificate.pem()),
            "key": write(&format!("{name}.key"), &key.serialize_pem()),
        });
        (certificate.der().to_vec(), files)
    };
    let (own, files) = certificate(&ours, "own");
    let (_, stranger) = certificate(&another, "stranger");
    let front = Front::start(&ours).await;
    let (through, asked) = proxy(front.address).await;
    let (bundle, credential) = (write("bundle.pem", &ours.pem()), write("proxy.credential", CREDENTIAL));
    let app = TestApp::with(|config| {
        config.upstream.ca_bundle = Some(bundle);
        // The simulators are reached without it.
        let proxy = format!(
            "url = 'http://{through}'\ncredential_file = '{}'\nexcept = ['127.0.0.0/8']",
            credential.display()
        );
        config.upstream.proxy = Some(toml::from_str(&proxy).unwrap());
    })
    .await;
    let simulator: SocketAddr =
        app.simulator(ENDPOINT).url().split_once("://").unwrap().1.trim_end_matches('/').parse().unwrap();
    *front.behind.lock().unwrap() = Some(simulator);
    let base_url = format!("https://{HOST}:{}", front.address.port());
    let presenting = async |files: &Value| {
        app.edit_endpoint(ENDPOINT, |definition| {
            definition["base_url"] = json!(base_url);
            definition["client_certificate"] = files.clone();
            // No other endpoint serves it: nothing falls back.
            definition["models"][0]["alias"] = json!("behind-the-proxy");
        })
        .await;
    };
    let ask = async || app.ask("research", "behind-the-proxy", "Hello").await;

    presenting(&files).await;
    let answered = ask().await.is(200);
    assert_eq!(answered.endpoint(), ENDPOINT);
    assert_eq!(app.simulator(ENDPOINT).received_count(), 1);
    assert_eq!(*front.presented.lock().unwrap(), [own]);
    let heads = asked.lock().unwrap().clone();
    assert_eq!(heads.len(), 1, "{heads:?}");
    let connect = format!("CONNECT {HOST}:{} HTTP/1.1\r\n", front.address.port());
    assert!(heads[0].starts_with(&connect), "{heads:?}");
    assert!(heads[0].to_lowercase().contains("proxy-authorization: basic "), "{heads:?}");

    // Without one of ours, or with one that the provider does not know, there is no answer; nor is it in anybody's words.
    for files in [Value::Null, stranger] {
        presenting(&files).await;
        let refused = ask().await;
        assert_eq!(refused.status, 502, "{}", refused.text());
        assert!(!refused.text().contains("canary"), "{}", refused.text());
    }
    assert_eq!(app.simulator(ENDPOINT).received_count(), 1);
    let listed = app.admin(Method::GET, "/api/v1/organisation", None).await.is(200).text().to_owned();
    assert!(!listed.contains("canary"));
    let folder = app.finish().await;
    assert!(crate::app::stored(folder.path(), "proxy-canary-7d31").await.is_empty());
}
