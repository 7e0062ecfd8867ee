//! TLS with HTTP/2 and HTTP/1.1.

use bailiwick::app::TlsConfig;
use http_body_util::BodyExt as _;
use serde_json::json;

use crate::app::{TestApp, message};
use crate::reply::read;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_speaks_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let pair =
        rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, pair.cert.pem()).unwrap();
    std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
    let app = TestApp::with(|config| config.tls = Some(TlsConfig::of(certificate, key))).await;
    assert!(app.url().starts_with("https://"));
    let root = reqwest::Certificate::from_pem(pair.cert.pem().as_bytes()).unwrap();
    let client = |http1: bool| {
        let builder = reqwest::Client::builder().no_proxy().tls_certs_only([root.clone()]);
        if http1 { builder.http1_only().build().unwrap() } else { builder.build().unwrap() }
    };
    for (http1, version) in [(false, http::Version::HTTP_2), (true, http::Version::HTTP_11)] {
        let client = client(http1);
        for stream in [false, true] {
            let mut body = message("assistant", "Write to a@kunde.example");
            body["stream"] = json!(stream);
            let response = client
                .post(format!("{}/v1/chat/completions", app.url()))
                .bearer_auth(app.key("support"))
                .json(&body)
                .send()
                .await
                .unwrap();
            assert_eq!(response.version(), version);
            let reply = read(response).await.is(200);
            let said = if stream { reply.streamed() } else { reply.said() };
            assert!(said.contains("a@kunde.example"), "{said}");
        }
    }
    // Somebody who does not know the certificate does not talk to it.
    let stranger = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(stranger.get(format!("{}/livez", app.url())).send().await.is_err());
    // The harness's own client does not know it either.
    let export = client(false)
        .get(format!("{}/api/v1/audit/export", app.url()))
        .bearer_auth(app.token())
        .send()
        .await
        .unwrap();
    let (_, records) = crate::books::read_export(&read(export).await.body, Some(&app.public_key()));
    assert!(records.iter().filter(|record| record.header.kind == "outcome").count() == 4);
    app.finish_with(&client(false)).await;
}

/// A stream's cost comes as a trailer of HTTP/2.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_in_clear_carries_the_cost_as_a_trailer() {
    let app = TestApp::start().await;
    let socket = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    let executor = hyper_util::rt::TokioExecutor::new();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(executor, hyper_util::rt::TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let mut body = message("gpt-4.1-mini", "x");
    body["stream"] = json!(true);
    let request = http::Request::post(format!("{}/v1/chat/completions", app.url()))
        .header("authorization", format!("Bearer {}", app.key("research")))
        .body(http_body_util::Full::new(bytes::Bytes::from(body.to_string())))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let decision = response.headers()["x-bailiwick-decision"].to_str().unwrap().to_owned();
    let collected = response.into_body().collect().await.unwrap();
    let cost = collected.trailers().expect("trailers")["x-bailiwick-cost"].to_str().unwrap().to_owned();
    let outcome = app.outcome(&decision).await;
    let booked = outcome.sections["usage"]["cost_nano"].as_i64().map(bailiwick::budgets::format_usd);
    assert_eq!(booked.as_deref(), Some(cost.as_str()));
    app.finish().await;
}

/// Who presents no certificate of the authority gets no answer, or does where that is optional; a wrong one never.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_present_certificates() {
    use bailiwick::app::ClientCertificates::{Optional, Required};
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    };

    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
    };
    let (ours, another) = (authority(), authority());
    let issue = |by: &CertifiedIssuer<'static, KeyPair>, names: &[&str], purpose| {
        let key = KeyPair::generate().unwrap();
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.extended_key_usages = vec![purpose];
        (params.signed_by(&key, by).unwrap().pem(), key.serialize_pem())
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (chain, key) = issue(&ours, &["127.0.0.1"], ExtendedKeyUsagePurpose::ServerAuth);
    let (certificate, key) = (write("cert.pem", &chain), write("key.pem", &key));
    let client_ca = write("ca.pem", &ours.pem());
    let client = |identity: Option<(String, String)>| {
        let root = reqwest::Certificate::from_pem(ours.pem().as_bytes()).unwrap();
        let builder = reqwest::Client::builder().no_proxy().tls_certs_only([root]);
        let builder = match identity {
            Some((chain, key)) => {
                builder.identity(reqwest::Identity::from_pem(format!("{chain}{key}").as_bytes()).unwrap())
            }
            None => builder,
        };
        builder.build().unwrap()
    };
    let client_of = |authority| client(Some(issue(authority, &["app"], ExtendedKeyUsagePurpose::ClientAuth)));
    for (wanted, without) in [(Required, false), (Optional, true)] {
        let app = TestApp::with(|config| {
            let tls = TlsConfig::of(certificate.clone(), key.clone());
            config.tls =
                Some(TlsConfig { client_ca: Some(client_ca.clone()), client_certificates: wanted, ..tls });
        })
        .await;
        let served = async |client: &reqwest::Client| {
            client.get(format!("{}/livez", app.url())).send().await.is_ok_and(|answer| answer.status() == 200)
        };
        let ours = client_of(&ours);
        assert!(served(&ours).await);
        assert_eq!(served(&client(None)).await, without);
        assert!(!served(&client_of(&another)).await);
        app.finish_with(&ours).await;
    }
}
