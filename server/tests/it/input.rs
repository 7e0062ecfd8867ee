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
            r#"{{"model":"assistant","messages":[{{"role":"user","content":"x"}}],"metadata":{}{}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    let hello = r#""messages":[{"role":"user","content":"x"}]"#;
    let tools = |count: usize, length: usize| {
        let name = |at: usize| format!("{at:0>length$}");
        let tools: Vec<_> =
            (0..count).map(|at| json!({ "type": "function", "function": { "name": name(at) } })).collect();
        let mut body = message("assistant", "x");
        body["tools"] = json!(tools);
        body.to_string()
    };
    let mut chat: Vec<(Vec<u8>, Option<&str>)> = vec![
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
        (format!(r#"{{"model":"{}",{hello}}}"#, "x".repeat(257)).into_bytes(), Some("model")),
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
        (format!(r#"{{"model":"assistant","n":129,{hello}}}"#).into_bytes(), Some("n")),
        (format!(r#"{{"model":"assistant","n":1125899906842624,{hello}}}"#).into_bytes(), Some("n")),
        (
            format!(r#"{{"model":"assistant","top_logprobs":4111111111111111,{hello}}}"#).into_bytes(),
            Some("top_logprobs"),
        ),
        (tools(129, 8).into_bytes(), Some("tools")),
        (tools(1, 257).into_bytes(), Some("tools")),
    ];
    for key in ["max_tokens", "max_completion_tokens", "max_output_tokens"] {
        for number in ["100000001", "1125899906842624", "4111111111111111", "99999999999999999999"] {
            let body = format!(r#"{{"model":"assistant","{key}":{number},{hello}}}"#);
            chat.push((body.into_bytes(), Some(key)));
        }
    }
    for (body, param) in chat {
        let shown = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
        let reply = app.post("support", "/v1/chat/completions", &[], body).await;
        assert_eq!(reply.status, 400, "{shown}: {}", reply.text());
        let reply = reply.refused(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], json!(param), "{shown}");
        let fix = &reply.json()["bailiwick"]["fix"];
        assert!(fix.as_str().is_some_and(|fix| !fix.is_empty()), "no way out of {shown}");
        assert_eq!(reply.text().contains("half of a character"), shown.contains("ud800"), "{}", reply.text());
        assert_eq!(reply.header("x-should-retry"), Some("false"));
    }
    for body in [
        r#"{"model":"embedder"}"#,
        r#"{"model":"embedder","input":[]}"#,
        r#"{"model":"embedder","input":[1,2,3]}"#,
        r#"{"model":"embedder","input":[[1,2],[3]]}"#,
        r#"{"model":"embedder","input":{"text":"x"}}"#,
        r#"{"model":"embedder","input":["x",{},null,true]}"#,
        r#"{"model":"embedder","input":[null]}"#,
    ] {
        let reply = app.post("support", "/v1/embeddings", &[], body).await.refused(400, "invalid_request");
        assert_eq!(reply.json()["error"]["param"], "input", "{body}");
        assert!(!reply.text().contains("or tokens"), "{}", reply.text());
    }
    app.chat("support", &serde_json::from_str(&tools(128, 256)).unwrap()).await.is(200);
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
    for path in ["/v1/chat/completion", "/v1/completions", "/v1/"] {
        app.get(path, "support").await.refused(404, "not_found");
    }
    let reply = app.get("/v1/chat/completions", "support").await.refused(405, "method_not_allowed");
    assert_eq!(reply.header("allow"), Some("POST"));
    let reply = app.admin(reqwest::Method::DELETE, "/api/v1/keys", None).await.is(405);
    assert_eq!(reply.header("allow"), Some("GET,HEAD,POST"));
    assert_eq!(reply.json()["code"], "method_not_allowed");
    app.get("/api/v1/nothing", "").await.is(404);
    app.get("/livez", "").await.is(200);
    app.get("/readyz", "").await.is(200);
    app.finish().await;
}

/// A name that no endpoint serves could be any text: its client is told a piece of it, and the log nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_model_that_nobody_serves_is_in_no_record() {
    let app = TestApp::start().await;
    let name = format!("Anna Schmidt and what she plans for the harvest{}", " and so on".repeat(10));
    for dry_run in [false, true] {
        let headers: &[(&str, &str)] = if dry_run { &[("x-bailiwick-dry-run", "1")] } else { &[] };
        let body = message(&name, "x").to_string();
        let reply = app.post("support", "/v1/chat/completions", headers, body).await;
        let reply = reply.refused(404, "model_not_found");
        assert!(reply.text().contains("Anna Schmidt") && !reply.text().contains(&name), "{}", reply.text());
        let export = app.export().await;
        let records = app.records_of(&reply.decision()).await;
        assert_eq!(records[0].sections["facts"]["model"], "[unknown]");
        let list = app.admin(reqwest::Method::GET, "/api/v1/decisions", None).await.is(200);
        for text in [String::from_utf8(export.to_vec()).unwrap(), list.text().to_owned()] {
            assert!(!text.contains("Anna"), "{text}");
        }
    }
    // One that others have is a name, and told by name.
    let (_, key) = app
        .create_key(json!({ "scope": "/acme/research", "name": "one model", "models": ["gpt-4.1-mini"] }))
        .await;
    let reply = app.ask(&key, "gpt-4.1", "x").await.refused(404, "model_not_found");
    assert_eq!(app.records_of(&reply.decision()).await[0].sections["facts"]["model"], "gpt-4.1");
    let folder = app.finish().await;
    assert_eq!(crate::app::stored(folder.path(), "Anna Schmidt").await, Vec::<String>::new());
}

/// What `fix` offers is what `GET /v1/models` lists.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_out_of_an_unknown_model_can_be_taken() {
    let app = TestApp::start().await;
    for key in ["support", "clinic", "research"] {
        let listed = app.get("/v1/models", key).await.is(200).json();
        let listed: Vec<&str> =
            listed["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
        let reply = app.ask(key, "no-such-model", "x").await.refused(404, "model_not_found").json();
        let fix = reply["bailiwick"]["fix"].as_str().unwrap();
        let offered = fix.rsplit_once(": ").unwrap().1;
        for model in offered.split(", ") {
            assert!(listed.contains(&model), "{key}: {model} of {fix}");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_of_another_key_is_not_there() {
    let app = TestApp::start().await;
    let decision = app.ask("support", "assistant", "x").await.is(200).decision();
    app.settled().await;
    let path = format!("/v1/decisions/{decision}");
    app.get(&path, "support").await.is(200);
    app.get(&path, app.token()).await.is(200);
    let other = app.get(&path, "research").await.refused(404, "not_found");
    let none = app.get("/v1/decisions/dec_none", "research").await.refused(404, "not_found");
    assert_eq!(other.text(), none.text(), "nothing tells that it exists");
    let fix = other.json()["bailiwick"]["fix"].as_str().unwrap().to_owned();
    assert!(fix.contains("x-bailiwick-decision") && fix.contains("the key that made the request"), "{fix}");
    let path_of = |id: &str| format!("/api/v1/decisions/{id}/explanation");
    let none = app.get(&path_of("dec_none"), app.token()).await.is(404).json();
    assert_eq!(none["fix"], fix, "{none}");
    for token in ["", "bwk_none", "bwt_none"] {
        let reply = app.get(&path, token).await.refused(401, "invalid_api_key");
        let fix = reply.json()["bailiwick"]["fix"].as_str().unwrap().to_owned();
        assert!(fix.contains("bwk_") && fix.contains("bwt_"), "{fix}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_that_are_not_understood() {
    let app = TestApp::start().await;
    for (path, field) in [
        ("/api/v1/audit/export?from=garbage", "from"),
        ("/api/v1/audit/export?to=1", "to"),
        ("/api/v1/decisions?limit=abc", "limit"),
        ("/api/v1/decisions?limit=0", "limit"),
        ("/api/v1/decisions?limit=1001", "limit"),
        ("/api/v1/decisions?cursor=zz", "cursor"),
        ("/api/v1/decisions?before=zz", "before"),
        ("/api/v1/keys?limit=1&limit=2", "limit"),
        ("/api/v1/endpoints/explain", "name"),
    ] {
        let reply = app.admin(reqwest::Method::GET, path, None).await.is(400);
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{path}");
        let problem = reply.json();
        assert_eq!(problem["code"], "invalid_request");
        assert!(problem["detail"].as_str().unwrap().contains(field), "{path}: {problem}");
        if !path.contains("export") {
            assert_eq!(problem["errors"][0]["parameter"], field, "{path}: {problem}");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_would_not_do_what_is_meant() {
    let app = TestApp::start().await;
    let post =
        async |path: &str, body: serde_json::Value| app.admin(reqwest::Method::POST, path, Some(&body)).await;
    let twin = json!({ "scope": "/acme/research", "name": "twin" });
    let (first, _) = app.create_key(twin.clone()).await;
    let refused = post("/api/v1/keys", twin.clone()).await.is(409).json();
    assert!(refused["detail"].as_str().unwrap().contains(&first), "{refused}");
    app.create_key(json!({ "scope": "/acme/clinic", "name": "twin" })).await;
    app.admin(reqwest::Method::POST, &format!("/api/v1/keys/{first}/revoke"), None).await.is(200);
    app.create_key(twin).await;
    let unknown = json!({ "scope": "/acme/research", "name": "x", "models": ["assistant", "nomodel"] });
    let refused = post("/api/v1/keys", unknown).await.is(400).json();
    assert!(refused["detail"].as_str().unwrap().contains("nomodel"), "{refused}");
    assert!(refused["fix"].as_str().unwrap().contains("gpt-4.1"), "{refused}");

    // What expired is not made anew with the same end.
    let soon = chrono::Utc::now() + chrono::Duration::milliseconds(600);
    let brief = json!({ "scope": "/acme/research", "name": "brief", "expires": soon.to_rfc3339() });
    let (brief, _) = app.create_key(brief).await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    let rotate = format!("/api/v1/keys/{brief}/rotate");
    let refused = post(&rotate, json!({})).await.is(409).json();
    assert!(refused["fix"].as_str().unwrap().contains("expires"), "{refused}");
    post(&rotate, json!({ "expires": "2020-01-01T00:00:00Z" })).await.is(400);
    let new = post(&rotate, json!({ "expires": "2099-01-01T00:00:00Z" })).await.is(200).json();
    app.ask(new["key"].as_str().unwrap(), "assistant", "x").await.is(200);

    // Whoever has the successor may have what it replaced.
    let (one, old) = app.create_key(json!({ "scope": "/acme/research", "name": "line" })).await;
    let two = post(&format!("/api/v1/keys/{one}/rotate"), json!({})).await.is(200).json();
    let two_id = two["id"].as_str().unwrap();
    let three = post(&format!("/api/v1/keys/{two_id}/rotate"), json!({})).await.is(200).json();
    app.ask(&old, "assistant", "x").await.is(200);
    let path = format!("/api/v1/keys/{}/revoke", three["id"].as_str().unwrap());
    let revoked = app.admin(reqwest::Method::POST, &path, None).await.is(200).json();
    assert_eq!(revoked["also_revoked"], json!([two_id, one]));
    for key in [&old, two["key"].as_str().unwrap(), three["key"].as_str().unwrap()] {
        app.ask(key, "assistant", "x").await.refused(401, "invalid_api_key");
    }
    app.finish().await;
}

/// A number that is to be redacted is not written back under the name that another dialect has for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_keeps_its_bytes_under_another_name() {
    let app = TestApp::start().await;
    let (_, model) = app.endpoints().into_iter().find(|(name, _)| name == "mistral-eu").expect("an endpoint");
    let body = format!(
        r#"{{"model":"{model}","max_completion_tokens": 40,"messages":[{{"role":"user","content":"x"}}]}}"#
    );
    app.post("research", "/v1/chat/completions", &[], body).await.is(200);
    let sent = app.only_body("mistral-eu");
    assert!(sent.contains(r#""max_tokens": 40,"#) && !sent.contains("max_completion"), "{sent}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cost_that_no_record_can_hold_is_refused_and_recorded() {
    let app = TestApp::start().await;
    app.edit_endpoint("openai-us", |endpoint| {
        endpoint["price"] = json!({ "input": "1", "output": "1000000000" });
    })
    .await;
    let (_, key) = app.create_key(json!({ "scope": "/acme/research", "name": "costly" })).await;
    for (max_tokens, n) in [(100_000_000, 128), (100_000_000, 1)] {
        let mut body = message("gpt-4.1-mini", "x");
        body["max_tokens"] = json!(max_tokens);
        body["n"] = json!(n);
        let reply = app.chat(&key, &body).await;
        assert!(matches!(reply.status, 400 | 429), "{}", reply.text());
        let records = app.records_of(&reply.decision()).await;
        assert_eq!(records[0].header.kind, "refusal");
    }
    assert!(app.received().is_empty());
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
    assert!((1..=60).contains(&wait), "{wait}");
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
