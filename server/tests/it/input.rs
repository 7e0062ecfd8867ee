//! What clients get wrong: a clear error in the called API's shape, and nothing sent.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::{TestApp, message};
use crate::reply::read;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_no_requests() {
    let app = TestApp::start().await;
    let nested = |depth: usize| {
        format!(
            r#"{{"model":"assistant","messages":[{{"role":"user","content":"x"}}],"x":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    let hello = r#""messages":[{"role":"user","content":"x"}]"#;
    let chat: Vec<(Vec<u8>, Option<&str>)> = vec![
        (b"".to_vec(), None),
        (b"{\"model\":".to_vec(), None),
        (b"{\"model\":\"assistant\"} trailing".to_vec(), None),
        (b"[]".to_vec(), None),
        (b"\"text\"".to_vec(), None),
        (b"{'model':'assistant'}".to_vec(), None),
        (b"\xEF\xBB\xBF{}".to_vec(), None),
        (
            format!(r#"{{"model":"assistant","messages":[{{"role":"user","content":"{}"}}]}}"#, "\u{1}")
                .into_bytes(),
            None,
        ),
        (
            [
                br#"{"model":"assistant","messages":[{"role":"user","content":""#.as_slice(),
                b"\xC3\x28",
                br#""}]}"#,
            ]
            .concat(),
            None,
        ),
        (br#"{"model":"assistant","messages":[{"role":"user","content":"\ud800"}]}"#.to_vec(), None),
        (nested(65).into_bytes(), None),
        (nested(200_000).into_bytes(), None),
        (format!(r#"{{"model":"assistant","model":"gpt-4.1",{hello}}}"#).into_bytes(), None),
        (format!(r#"{{"model":"assistant","m\u006fdel":"gpt-4.1",{hello}}}"#).into_bytes(), None),
        (format!("{{{hello}}}").into_bytes(), Some("model")),
        (format!(r#"{{"model":7,{hello}}}"#).into_bytes(), Some("model")),
        (format!(r#"{{"model":"",{hello}}}"#).into_bytes(), Some("model")),
        (br#"{"model":"assistant"}"#.to_vec(), Some("messages")),
        (br#"{"model":"assistant","messages":"hello"}"#.to_vec(), Some("messages")),
        (br#"{"model":"assistant","messages":[]}"#.to_vec(), Some("messages")),
        (br#"{"model":"assistant","messages":["hello"]}"#.to_vec(), Some("/messages/0")),
        (format!(r#"{{"model":"assistant","stream":"yes",{hello}}}"#).into_bytes(), Some("stream")),
        (format!(r#"{{"model":"assistant","max_tokens":0,{hello}}}"#).into_bytes(), Some("max_tokens")),
        (format!(r#"{{"model":"assistant","max_tokens":-1,{hello}}}"#).into_bytes(), Some("max_tokens")),
        (format!(r#"{{"model":"assistant","max_tokens":1.5,{hello}}}"#).into_bytes(), Some("max_tokens")),
        (format!(r#"{{"model":"assistant","n":1e99,{hello}}}"#).into_bytes(), Some("n")),
    ];
    for (body, param) in chat {
        let shown = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
        let reply = app.post("support", "/v1/chat/completions", &[], body).await;
        assert_eq!(reply.status, 400, "{shown}: {}", reply.text());
        let reply = reply.refused(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], json!(param), "{shown}");
        assert_eq!(reply.header("x-should-retry"), Some("false"));
    }
    for body in [
        r#"{"model":"embedder"}"#,
        r#"{"model":"embedder","input":[]}"#,
        r#"{"model":"embedder","input":[1,2,3]}"#,
        r#"{"model":"embedder","input":[[1,2],[3]]}"#,
        r#"{"model":"embedder","input":{"text":"x"}}"#,
    ] {
        let reply = app.post("support", "/v1/embeddings", &[], body).await.refused(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], "input", "{body}");
    }
    app.post("support", "/v1/embeddings", &[], r#"{"model":"embedder","input":"x","stream":true}"#)
        .await
        .refused(400, "invalid_request");
    app.post("support", "/v1/chat/completions", &[], nested(40)).await.is(200);
    app.forget();
    app.ask("support", "no-such-model", "x").await.refused(404, "model_not_found");
    assert!(app.received().is_empty(), "{:?}", app.received());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_would_not_protect_anything() {
    let app = TestApp::start().await;
    let long = "x".repeat(300);
    for (name, value) in [
        ("x-bailiwick-data-clas", "phi"),
        ("x-bailiwick-data-class", "secret"),
        ("x-bailiwick-subject-region", "Atlantis"),
        ("x-bailiwick-subject-region", "DE;US"),
        ("x-bailiwick-purpose", "marketing"),
        ("x-bailiwick-dry-run", "yes"),
        ("x-bailiwick-session", long.as_str()),
        ("content-encoding", "gzip"),
    ] {
        let body = message("assistant", "x").to_string();
        let reply = app
            .post("support", "/v1/chat/completions", &[(name, value)], body)
            .await
            .refused(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], name, "{value}");
    }
    assert!(app.received().is_empty());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_that_are_not_served() {
    let app = TestApp::start().await;
    for path in ["/v1/chat/completion", "/v1/completions", "/v1/", "/v1/chat/completions"] {
        app.get(path, "support").await.refused(404, "not_found");
    }
    app.get("/api/v1/nothing", "").await.is(404);
    app.get("/livez", "").await.is(200);
    app.get("/readyz", "").await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_large_or_too_slow() {
    let app = TestApp::with(|config| {
        config.limits.body_bytes = 10_000;
        config.limits.body_seconds = 1;
    })
    .await;
    let large = message("assistant", &"x".repeat(20_000)).to_string();
    app.post("support", "/v1/chat/completions", &[], large.clone()).await.refused(413, "request_too_large");
    // Without a stated length.
    let pieces: Vec<Result<String, std::io::Error>> =
        large.as_bytes().chunks(1_000).map(|piece| Ok(String::from_utf8(piece.to_vec()).unwrap())).collect();
    let body = reqwest::Body::wrap_stream(futures::stream::iter(pieces));
    app.post("support", "/v1/chat/completions", &[], body).await.refused(413, "request_too_large");

    let mut socket = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n{{\"model\"",
        app.key("support")
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    let count =
        tokio::time::timeout(Duration::from_secs(5), socket.read(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("request_timeout"), "{answer}");
    assert!(app.received().is_empty());
    app.ask("support", "assistant", "x").await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_in_the_middle_of_its_body() {
    let app = TestApp::start().await;
    for _ in 0..5 {
        let mut socket = tokio::net::TcpStream::connect(app.address()).await.unwrap();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n{{",
            app.key("support")
        );
        socket.write_all(head.as_bytes()).await.unwrap();
    }
    app.ask("support", "assistant", "x").await.is(200);
    assert_eq!(app.received().values().sum::<u64>(), 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_do_not_work() {
    let app = TestApp::start().await;
    let url = format!("{}/v1/chat/completions", app.url());
    let body = message("assistant", "x").to_string();
    let send = async |headers: &[(&str, &str)]| {
        let mut request = app.client.post(&url).body(body.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send().await.unwrap()).await
    };
    let good = app.key("support");
    let other = app.key("research");
    let bearer = |key: &str| format!("Bearer {key}");
    let reply = send(&[]).await.refused(401, "invalid_api_key");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    // The id of one key with the secret of another; its checksum is made right again by nobody.
    let mut wrong_check = good.clone();
    wrong_check.replace_range(good.len() - 1.., if good.ends_with('a') { "b" } else { "a" });
    for authorization in [
        "Bearer ",
        "Bearer sk-1234",
        "Bearer bwk_",
        "Basic Zm9v",
        &bearer(&wrong_check),
        &good,
        &bearer(&format!("{good} x")),
    ] {
        let reply = send(&[("authorization", authorization)]).await.refused(401, "invalid_api_key");
        assert!(!reply.text().contains(&good[8..]), "{}", reply.text());
    }
    send(&[("authorization", &bearer(&good)), ("x-api-key", &other)]).await.refused(401, "invalid_api_key");
    assert!(app.received().is_empty());
    send(&[("x-api-key", &good)]).await.is(200);
    send(&[("authorization", &format!("bearer {good}")), ("x-api-key", &good)]).await.is(200);
    app.forget();

    // A key that was never issued here and one of here with another secret are told in the same words.
    let elsewhere = TestApp::start().await;
    let unknown =
        send(&[("authorization", &bearer(&elsewhere.key("support")))]).await.refused(401, "invalid_api_key");
    assert!(unknown.text().contains("not known here"), "{}", unknown.text());
    elsewhere.finish().await;

    let (id, key) = app.create_key(json!({ "scope": "/acme/retail/support", "name": "revoked" })).await;
    app.ask(&key, "assistant", "x").await.is(200);
    app.admin(reqwest::Method::POST, &format!("/api/v1/keys/{id}/revoke"), None).await.is(200);
    let reply = app.ask(&key, "assistant", "x").await.refused(401, "invalid_api_key");
    assert!(reply.text().contains("revoked"));

    let soon = chrono::Utc::now() + chrono::Duration::milliseconds(1_200);
    let (_, key) = app
        .create_key(json!({ "scope": "/acme/retail/support", "name": "brief", "expires": soon.to_rfc3339() }))
        .await;
    app.ask(&key, "assistant", "x").await.is(200);
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let reply = app.ask(&key, "assistant", "x").await.refused(401, "invalid_api_key");
    assert!(reply.text().contains("expired"));

    for (overlap, works) in [(0, false), (1, true)] {
        let name = format!("rotated {overlap}");
        let (id, old) = app.create_key(json!({ "scope": "/acme/retail/support", "name": name })).await;
        let path = format!("/api/v1/keys/{id}/rotate");
        let new = app
            .admin(reqwest::Method::POST, &path, Some(&json!({ "overlap_hours": overlap })))
            .await
            .is(200)
            .json();
        app.ask(new["key"].as_str().unwrap(), "assistant", "x").await.is(200);
        let reply = app.ask(&old, "assistant", "x").await;
        if works {
            reply.is(200);
        } else {
            assert!(reply.refused(401, "invalid_api_key").text().contains("replaced"));
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_limit_says_when_to_come_back() {
    let app = TestApp::start().await;
    let (_, key) = app
        .create_key(json!({ "scope": "/acme/retail/support", "name": "slow", "requests_per_minute": 2 }))
        .await;
    app.ask(&key, "assistant", "x").await.is(200);
    app.ask(&key, "assistant", "x").await.is(200);
    let reply = app.ask(&key, "assistant", "x").await.refused(429, "rate_limited");
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=31).contains(&wait), "{wait}");
    assert_eq!(reply.header("x-should-retry"), Some("true"));
    assert_eq!(app.received().values().sum::<u64>(), 2);
    app.finish().await;
}

/// Metrics name endpoints: they are for this machine or a token, unless the configuration says otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_are_for_this_machine_or_a_token() {
    use bailiwick::app::MetricsAccess;

    for (access, local, proxied) in
        [(MetricsAccess::Local, 200, 401), (MetricsAccess::Token, 401, 401), (MetricsAccess::Open, 200, 200)]
    {
        let app = TestApp::with(|config| config.metrics = access).await;
        let ask = |token: String, proxied: bool| {
            let mut request = app.client.get(format!("{}/metrics", app.url()));
            if !token.is_empty() {
                request = request.bearer_auth(token);
            }
            if proxied {
                request = request.header("x-forwarded-for", "192.0.2.7");
            }
            async { request.send().await.unwrap().status().as_u16() }
        };
        assert_eq!(ask(String::new(), false).await, local, "{access:?}");
        assert_eq!(ask(String::new(), true).await, proxied, "{access:?}");
        assert_eq!(ask(app.key("support"), true).await, proxied, "a virtual key is no service token");
        assert_eq!(ask(app.token().to_owned(), true).await, 200);
        app.finish().await;
    }
}
