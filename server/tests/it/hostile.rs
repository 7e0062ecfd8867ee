//! Providers that misbehave in every way that a simulator knows: a clear error, one outcome, a settled budget, and a
//! fallback only before the first byte and only to eligible endpoints.

use bailiwick::demo::simulator::{Behaviour, BrokenSse};
use serde_json::{Value, json};

use crate::app::{TestApp, message};
use crate::reply::Reply;

/// Served by one endpoint only.
const MODEL: &str = "gpt-4.1-mini";
const ENDPOINT: &str = "openai-us";

fn status(code: u16) -> Behaviour {
    Behaviour::Status { code, retry_after: None }
}

async fn asked(app: &TestApp, stream: bool) -> Reply {
    let mut body = message(MODEL, "Tell me a story of some length, please");
    body["stream"] = json!(stream);
    app.chat("research", &body).await
}

/// The outcome is recorded as `result`, and the money is where the log says.
async fn settled_as(app: &TestApp, reply: &Reply, result: &str, status: u16) {
    let outcome = app.outcome(&reply.decision()).await;
    let told = &outcome.sections["outcome"];
    assert_eq!(
        (&told["result"], &told["status"], &told["endpoint"]),
        (&json!(result), &json!(status), &json!(ENDPOINT))
    );
    assert_eq!(told["ok"], json!(result == "answered"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_before_the_first_byte_is_a_clear_error() {
    let app = TestApp::start().await;
    app.impatient().await;
    let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = format!("http://{}/v1/chat/completions", trap.local_addr().unwrap());
    let cases: Vec<(Behaviour, bool, u16, &str)> = vec![
        (Behaviour::Hang, false, 504, "upstream_timeout"),
        (Behaviour::Hang, true, 504, "upstream_timeout"),
        (Behaviour::HangMidStream { after: 0 }, false, 504, "upstream_stalled"),
        (Behaviour::HangMidStream { after: 0 }, true, 504, "upstream_timeout"),
        (Behaviour::DieMidStream { after: 0 }, false, 502, "upstream_broke_off"),
        (Behaviour::Close, false, 502, "upstream_closed"),
        (Behaviour::Close, true, 502, "upstream_closed"),
        (Behaviour::LieAboutLength { by: 10 }, false, 502, "upstream_broke_off"),
        (Behaviour::LieAboutLength { by: -10 }, false, 502, "upstream_malformed"),
        (Behaviour::NotHttp, false, 502, "upstream_malformed"),
        (Behaviour::NotJson, false, 502, "upstream_malformed"),
        (Behaviour::NotJson, true, 502, "upstream_malformed"),
        (Behaviour::WrongContentType, false, 502, "upstream_malformed"),
        (Behaviour::WrongContentType, true, 502, "upstream_malformed"),
        (Behaviour::Compressed, false, 502, "upstream_malformed"),
        (Behaviour::EchoSecret, false, 502, "upstream_credential_echo"),
        (Behaviour::ErrorInStream { after: 0 }, true, 502, "upstream_error_in_stream"),
        (Behaviour::HugeBody { bytes: 66 << 20 }, false, 502, "upstream_too_large"),
        (Behaviour::HugeBody { bytes: 5 << 20 }, true, 502, "upstream_too_large"),
        (Behaviour::Redirect { to }, false, 502, "upstream_redirect"),
        (status(400), false, 400, "upstream_refused"),
        (status(401), false, 502, "upstream_credential_refused"),
        (status(404), false, 502, "upstream_model_unknown"),
        (Behaviour::Status { code: 429, retry_after: Some(7) }, true, 429, "upstream_rate_limited"),
        (status(500), false, 502, "upstream_failed"),
        (status(529), true, 502, "upstream_failed"),
    ];
    for (behaviour, stream, status, code) in cases {
        app.forget();
        app.simulator(ENDPOINT).set_behaviour(behaviour.clone());
        let reply = asked(&app, stream).await;
        let told = format!("{behaviour:?} {stream}: {}", reply.text());
        assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (status, Some(code)), "{told}");
        let reply = reply.refused(status, code);
        assert!(reply.text().contains(ENDPOINT), "{told}");
        if status == 429 {
            assert_eq!(
                (reply.header("retry-after"), reply.header("x-should-retry")),
                (Some("7"), Some("true"))
            );
        }
        assert_eq!(app.received().into_iter().collect::<Vec<_>>(), [(ENDPOINT.to_owned(), 1)], "{told}");
        settled_as(&app, &reply, code, status).await;
    }
    let followed = tokio::time::timeout(std::time::Duration::from_millis(50), trap.accept()).await;
    assert!(followed.is_err(), "a redirect was followed");
    app.simulator(ENDPOINT).set_behaviour(Behaviour::Normal);
    asked(&app, true).await.is(200);
    app.finish().await;
}

/// The stream that the client got ends with an error, not as if it were whole.
fn broken_off(reply: &Reply, code: &str) {
    let events = reply.events();
    let last = events.last().unwrap();
    assert_eq!(last["error"]["code"], code, "{}", reply.text());
    assert!(last["error"]["message"].is_string() && last["bailiwick"]["decision"].is_string());
    assert!(!events.contains(&json!("[DONE]")), "{}", reply.text());
    assert!(events.len() > 1, "{}", reply.text());
    assert!(events.iter().rev().skip(1).all(|event| event.get("error").is_none()), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_ends_with_an_error_event() {
    let app = TestApp::start().await;
    app.impatient().await;
    let broken = |how| Behaviour::BrokenSse(how);
    for (behaviour, code) in [
        (Behaviour::DieMidStream { after: 3 }, "upstream_broke_off"),
        (Behaviour::HangMidStream { after: 3 }, "upstream_stalled"),
        (Behaviour::ErrorInStream { after: 3 }, "upstream_error_in_stream"),
        (Behaviour::LieAboutLength { by: 10 }, "upstream_broke_off"),
        (Behaviour::LieAboutLength { by: -40 }, "upstream_malformed"),
        (broken(BrokenSse::HalfJson), "upstream_malformed"),
        (broken(BrokenSse::MissingBlankLine), "upstream_malformed"),
        (broken(BrokenSse::InvalidUtf8), "upstream_malformed"),
        (broken(BrokenSse::Garbage), "upstream_malformed"),
        (broken(BrokenSse::NoDone), "upstream_malformed"),
        (broken(BrokenSse::CutEvent), "upstream_malformed"),
    ] {
        app.forget();
        app.simulator(ENDPOINT).set_behaviour(behaviour.clone());
        let reply = asked(&app, true).await;
        let lied_after_done = matches!(behaviour, Behaviour::LieAboutLength { by: 10 });
        if lied_after_done && reply.events().last() == Some(&json!("[DONE]")) {
            // Everything came, `[DONE]` included; bytes that were promised after it are nobody's loss.
            settled_as(&app, &reply, "answered", 200).await;
            continue;
        }
        let reply = reply.is(200);
        broken_off(&reply, code);
        assert_eq!(
            app.received().into_iter().collect::<Vec<_>>(),
            [(ENDPOINT.to_owned(), 1)],
            "{behaviour:?}"
        );
        settled_as(&app, &reply, code, 200).await;
        let outcome = app.outcome(&reply.decision()).await;
        assert!(
            outcome.sections["usage"]["cost_nano"].as_i64().unwrap() > 0,
            "doubt never refunds: {behaviour:?}"
        );
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_is_said_back_does_not_reach_the_client() {
    let app = TestApp::start().await;
    let secret = std::fs::read_to_string(app.data().join("simulator.credential")).unwrap().trim().to_owned();
    app.simulator(ENDPOINT).set_behaviour(Behaviour::EchoSecret);
    for stream in [false, true] {
        let reply = asked(&app, stream).await;
        assert!(reply.text().contains("upstream_credential_echo"), "{}", reply.text());
        let said = if stream { reply.streamed() } else { reply.text().to_owned() };
        assert!(!said.contains(&secret), "{said}");
        // Not in pieces either: no long part of it.
        assert!(!said.contains(&secret[..12]), "{said}");
    }
    assert!(!crate::app::logs().contains(&secret));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_usage_costs_what_was_held() {
    let app = TestApp::start().await;
    app.simulator(ENDPOINT).set_behaviour(Behaviour::OmitUsage);
    for stream in [false, true] {
        let reply = asked(&app, stream).await.is(200);
        let records = app.records_of(&reply.decision()).await;
        let held = &records[0].sections["attempt"]["reserved_nano"];
        let usage = &records[1].sections["usage"];
        assert!(held.as_i64().unwrap() > 0);
        assert_eq!((&usage["cost_nano"], &usage["source"]), (held, &json!("reservation")));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_endpoint_is_tried_only_before_the_first_byte() {
    let app = TestApp::start().await;
    app.impatient().await;
    let ask = async |stream: bool| {
        let mut body = message("assistant", "Tell me a story of some length");
        body["stream"] = json!(stream);
        app.chat("support", &body).await
    };
    let first = ask(false).await.is(200).endpoint().to_owned();
    for behaviour in [status(500), status(429), Behaviour::Close, Behaviour::Hang, Behaviour::NotJson] {
        for stream in [false, true] {
            app.forget();
            app.simulator(&first).push_behaviour(behaviour.clone());
            let reply = ask(stream).await.is(200);
            if app.received().contains_key(&first) && app.received().len() == 2 {
                assert_ne!(reply.endpoint(), first, "{behaviour:?}");
            } else {
                // It rests after its failures, so that it was not asked at all: bring it back.
                assert_eq!(app.received().len(), 1, "{behaviour:?}");
                app.simulator(&first).set_behaviour(Behaviour::Normal);
            }
        }
    }
    app.finish().await;

    let app = TestApp::start().await;
    app.simulator(&first).set_behaviour(Behaviour::DieMidStream { after: 4 });
    let mut body = message("assistant", "Tell me a story of some length");
    body["stream"] = json!(true);
    let reply = app.chat("support", &body).await.is(200);
    broken_off(&reply, "upstream_broke_off");
    assert_eq!(app.received().into_keys().collect::<Vec<_>>(), std::slice::from_ref(&first));
    app.forget();
    // What the provider finds wrong with the request itself, another would too.
    app.simulator(&first).set_behaviour(status(400));
    while app.received().is_empty() {
        let reply = app.ask("support", "assistant", "Hello").await;
        if reply.status == 400 {
            assert_eq!(app.received().into_keys().collect::<Vec<_>>(), std::slice::from_ref(&first));
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embeddings_of_a_broken_provider_are_refused_likewise() {
    let app = TestApp::start().await;
    app.impatient().await;
    for (behaviour, code) in [
        (Behaviour::NotJson, "upstream_malformed"),
        (Behaviour::Close, "upstream_closed"),
        (status(500), "upstream_failed"),
        (Behaviour::LieAboutLength { by: 5 }, "upstream_broke_off"),
    ] {
        app.simulator("vllm-germany").set_behaviour(behaviour.clone());
        let body: Value = json!({ "model": "bge-m3", "input": "x" });
        app.post("support", "/v1/embeddings", &[], body.to_string()).await.refused(502, code);
    }
    app.finish().await;
}
