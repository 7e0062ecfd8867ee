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
    let app = TestApp::with(|config| config.tls = Some(TlsConfig { certificate, key })).await;
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
