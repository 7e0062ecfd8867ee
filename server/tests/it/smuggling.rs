//! Requests over raw sockets that two readers could read differently, and values that would end a header.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::TestApp;

/// Everything that the server says to these bytes, until it closes the connection or has been silent for a while.
async fn said(app: &TestApp, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read =
            tokio::time::timeout(std::time::Duration::from_millis(500), stream.read(&mut buffer)).await;
        match read {
            Ok(Ok(0) | Err(_)) | Err(_) => break,
            Ok(Ok(count)) => answer.extend_from_slice(&buffer[..count]),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answer: &str) -> Vec<u16> {
    let lines = answer.split("HTTP/1.1 ").skip(1);
    lines.filter_map(|line| line.get(..3)?.parse().ok()).collect()
}

/// What would be smuggled: served by itself.
fn inner(app: &TestApp) -> String {
    let body = r#"{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"smuggled"}]}"#;
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        app.key("research"),
        body.len()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_part_of_a_body_becomes_a_request() {
    let app = TestApp::start().await;
    let inner = inner(&app);
    // By itself it is served, or the rest would show nothing.
    assert_eq!(statuses(&said(&app, inner.as_bytes()).await), [200]);
    app.forget();
    let first =
        "POST /api/v1/keys:revoke-presented HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let length = inner.len();
    for (name, head) in [
        (
            "both lengths",
            format!("{first}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", length + 5),
        ),
        (
            "both, the other way",
            format!("{first}Transfer-Encoding: chunked\r\nContent-Length: {}\r\n\r\n0\r\n\r\n", length + 5),
        ),
        ("two lengths", format!("{first}Content-Length: 0\r\nContent-Length: {length}\r\n\r\n")),
        ("a list of lengths", format!("{first}Content-Length: 0, {length}\r\n\r\n")),
        ("a signed length", format!("{first}Content-Length: +0\r\n\r\n")),
        ("a length of nothing", format!("{first}Content-Length: \r\n\r\n")),
        ("another coding", format!("{first}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n")),
        (
            "chunked is not the last coding",
            format!("{first}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        ),
        (
            "chunked twice",
            format!("{first}Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n"),
        ),
        ("a space before the colon", format!("{first}Content-Length : 0\r\n\r\n")),
        ("a folded line", format!("{first}X: a\r\n Content-Length: 0\r\n\r\n")),
        ("a byte of nothing", format!("{first}X: a\0b\r\nContent-Length: 0\r\n\r\n")),
        ("a lone carriage return", format!("{first}X: a\rContent-Length: 0\r\nContent-Length: 0\r\n\r\n")),
        ("a chunk with a lone line feed", format!("{first}Transfer-Encoding: chunked\r\n\r\n0\n\n")),
        ("a chunk of a signed size", format!("{first}Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n")),
        (
            "an endless chunk size",
            format!("{first}Transfer-Encoding: chunked\r\n\r\n{}\r\n\r\n", "f".repeat(40)),
        ),
        (
            "chunked in HTTP/1.0",
            format!("{}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", first.replace("1.1", "1.0")),
        ),
    ] {
        let answer = said(&app, format!("{head}{inner}").as_bytes()).await;
        assert!(statuses(&answer).len() <= 1, "{name}: {answer}");
        assert!(!answer.contains("HTTP/1.1 200"), "{name}: {answer}");
        assert!(app.received().is_empty(), "{name}: it was served");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_has_one_host_and_one_target() {
    let app = TestApp::start().await;
    let get = |line: &str, headers: &str| format!("{line}\r\n{headers}Connection: close\r\n\r\n");
    for (request, status) in [
        (get("GET /livez HTTP/1.1", "Host: x\r\n"), 200),
        (get("GET /livez HTTP/1.1", ""), 400),
        (get("GET /livez HTTP/1.1", "Host: x\r\nHost: x\r\n"), 400),
        (get("GET /livez HTTP/1.1", "Host: x\r\nHost: y\r\n"), 400),
        (get("GET http://x/livez HTTP/1.1", "Host: x\r\n"), 200),
        (get("GET http://y/livez HTTP/1.1", "Host: x\r\n"), 400),
        (get("GET /livez\0 HTTP/1.1", "Host: x\r\n"), 400),
        (get("GET /livez HTTP/1.1\rX: y", "Host: x\r\n"), 400),
        (get("GET /livez /metrics HTTP/1.1", "Host: x\r\n"), 400),
        (get("GET  /livez HTTP/1.1", "Host: x\r\n"), 400),
    ] {
        let answer = said(&app, request.as_bytes()).await;
        assert_eq!(statuses(&answer), [status], "{request:?}: {answer}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_ends_a_header_of_an_answer() {
    let app = TestApp::start().await;
    let broken = "%0d%0aset-cookie:%20stolen=1%0d%0a%0d%0a<script>";
    for path in [
        format!("/auth/sign-in?back=/{broken}"),
        format!("/auth/start?provider={broken}&back=/{broken}"),
        format!("/auth/start?email=a@{broken}"),
        format!("/auth/setup?token={broken}"),
        format!("/auth/callback/{broken}?state={broken}&code={broken}&error={broken}"),
        format!("/decisions/{broken}"),
        format!("/v1/decisions/{broken}"),
        format!("/api/v1/endpoints/explain?name={broken}"),
        format!("/{broken}"),
    ] {
        let reply = app.get(&path, "").await;
        assert!(reply.status < 500, "{path}: {}", reply.text());
        for (name, value) in &reply.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            assert!(!value.contains("stolen") || name == "location", "{path}: {name}: {value}");
            assert!(!value.contains(['\r', '\n']), "{path}: {name}: {value}");
        }
    }
    // Nor does a header of the client's come back as another.
    let body = r#"{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"x"}]}"#;
    for name in ["x-bailiwick-session", "x-bailiwick-user", "x-bailiwick-subject", "x-bailiwick-purpose"] {
        let reply =
            app.post("research", "/v1/chat/completions", &[(name, "a\tset-cookie: stolen=1")], body).await;
        assert!(reply.status < 500);
        assert!(
            reply.headers.values().all(|value| !value.as_bytes().windows(6).any(|part| part == b"stolen"))
        );
    }
    app.finish().await;
}

/// A page over TLS says so for later, and one that anybody on the way could have written does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_transport_is_asked_for_where_it_is_spoken() {
    let app = TestApp::with(|config| {
        config.trusted_proxies = vec![String::from("127.0.0.0/8")].try_into().unwrap();
    })
    .await;
    let told = async |proto: Option<&str>| {
        let mut request = app.client.get(format!("{}/auth/sign-in", app.url()));
        if let Some(proto) = proto {
            request = request.header("x-forwarded-for", "192.0.2.1").header("x-forwarded-proto", proto);
        }
        let response = request.send().await.unwrap();
        response.headers().get("strict-transport-security").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(told(None).await, None);
    assert_eq!(told(Some("http")).await, None);
    assert_eq!(told(Some("https")).await.as_deref(), Some("max-age=31536000"));
    assert_eq!(told(Some("https, http")).await, None);
    // Every answer is what it says it is, and of all but the gateway's nobody keeps a copy.
    for (path, cached) in [
        ("/api/v1/me", Some("no-store")),
        ("/v1/models", None),
        ("/v1/nothing", None),
        ("/v1/decisions/dec_none", Some("no-store")),
        ("/nothing", Some("no-store")),
        ("/auth/sign-in", Some("no-store")),
    ] {
        let request = app.client.get(format!("{}{path}", app.url())).bearer_auth(app.token());
        let request = request.header("x-forwarded-for", "192.0.2.1").header("x-forwarded-proto", "https");
        let reply = crate::reply::read(request.send().await.unwrap()).await;
        assert_eq!(
            (
                reply.header("cache-control"),
                reply.header("x-content-type-options"),
                reply.header("strict-transport-security")
            ),
            (cached, Some("nosniff"), Some("max-age=31536000")),
            "{path}"
        );
    }
    let refused = said(&app, b"GET /api/v1/me HTTP/1.1\r\n\r\n").await;
    assert_eq!(statuses(&refused), [400]);
    assert!(refused.contains("x-content-type-options: nosniff"), "{refused}");
    app.finish().await;
    let app = TestApp::start().await;
    let request = app.client.get(format!("{}/auth/sign-in", app.url())).header("x-forwarded-proto", "https");
    let response = request.send().await.unwrap();
    assert!(!response.headers().contains_key("strict-transport-security"), "nobody trusts whoever that was");
    app.finish().await;
}
