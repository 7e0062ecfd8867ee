//! Streams: metered usage that a client sees only where it asked, true cost, and settlement without the client.

use std::time::Duration;

use bailiwick::demo::simulator::Behaviour;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::app::{TestApp, message};

fn streamed(model: &str, text: &str, options: Value) -> Value {
    let mut body = message(model, text);
    body["stream"] = json!(true);
    if !options.is_null() {
        body["stream_options"] = options;
    }
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_is_metered_everywhere_and_shown_to_who_asked() {
    let app = TestApp::start().await;
    for (name, model) in app.endpoints() {
        for (options, shown) in [
            (Value::Null, false),
            (json!({}), false),
            (json!({ "include_usage": false }), false),
            (json!({ "include_usage": true }), true),
        ] {
            app.forget();
            let reply = app.chat("research", &streamed(&model, "Count this", options.clone())).await.is(200);
            assert_eq!(
                (reply.endpoint(), reply.header("content-type")),
                (name.as_str(), Some("text/event-stream"))
            );
            assert!(reply.streamed().contains("You wrote: Count this"), "{name}");
            assert_eq!(reply.events().last(), Some(&json!("[DONE]")));
            assert_eq!(reply.text().contains("\"usage\""), shown, "{name} {options}: {}", reply.text());
            let got: Value = serde_json::from_str(&app.only_body(&name)).unwrap();
            if name == "mistral-eu" {
                assert_eq!(got.get("stream_options"), None, "Mistral refuses it");
            } else {
                assert_eq!(got["stream_options"]["include_usage"], true, "{name} {options}");
            }
            let outcome = app.outcome(&reply.decision()).await;
            let usage = &outcome.sections["usage"];
            assert_eq!(usage["source"], "reported", "{name}");
            assert!(
                usage["input_tokens"].as_u64() > Some(0) && usage["output_tokens"].as_u64() > Some(0),
                "{usage}"
            );
            if shown {
                let told = reply
                    .events()
                    .iter()
                    .rev()
                    .find_map(|event| event["usage"].as_object().cloned())
                    .unwrap();
                assert_eq!(told["prompt_tokens"], usage["input_tokens"]);
            } else {
                assert!(reply.events().iter().all(|event| event == "[DONE]"
                    || event["choices"] != json!([])
                    || event.get("prompt_filter_results").is_some()));
            }
        }
    }
    app.finish().await;
}

/// Reads a chunked answer over a bare socket; gives the whole exchange as text.
async fn bare(app: &TestApp, extra: &str, body: &str) -> String {
    let mut socket = tokio::net::TcpStream::connect(app.address()).await.unwrap();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n{extra}content-length: {}\r\n\r\n",
        app.key("research"),
        body.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket.write_all(body.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cost_of_a_stream_is_in_a_trailer() {
    let app = TestApp::start().await;
    let body = streamed("gpt-4.1-mini", "Count this", Value::Null).to_string();
    let with = bare(&app, "te: trailers\r\n", &body).await;
    let (_, trailer) = with.rsplit_once("\r\n0\r\n").expect("chunked");
    let cost = trailer.trim().strip_prefix("x-bailiwick-cost: ").unwrap_or_else(|| panic!("{with}"));
    let without = bare(&app, "", &body).await;
    let (_, end) = without.rsplit_once("\r\n0\r\n").expect("chunked");
    assert_eq!(end, "\r\n", "{without}");
    let outcomes: Vec<_> =
        app.records().await.into_iter().filter(|record| record.header.kind == "outcome").collect();
    assert_eq!(outcomes.len(), 2);
    for outcome in &outcomes {
        assert_eq!(
            outcome.sections["usage"]["cost_nano"].as_i64().map(bailiwick::budgets::format_usd).as_deref(),
            Some(cost)
        );
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_leaves_is_settled() {
    let app = TestApp::start().await;
    app.simulator("openai-us").set_behaviour(Behaviour::SlowTokens { delay: Duration::from_millis(30) });
    let body = streamed("gpt-4.1-mini", &"A long story, with many words in it. ".repeat(4), Value::Null);
    let response = app
        .client
        .post(format!("{}/v1/chat/completions", app.url()))
        .bearer_auth(app.key("research"))
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    let decision = response.headers()["x-bailiwick-decision"].to_str().unwrap().to_owned();
    let mut chunks = response.bytes_stream();
    chunks.next().await.unwrap().unwrap();
    drop(chunks);
    app.settled().await;
    // The provider ends within what a stream is read on for, so that its usage is known and is what is booked.
    let records = app.records_of(&decision).await;
    let outcome = records.last().unwrap();
    assert_eq!(outcome.sections["outcome"]["result"], "client_gone");
    let usage = &outcome.sections["usage"];
    let held = records[0].sections["attempt"]["reserved_nano"].as_i64().unwrap();
    assert_eq!(usage["source"], "reported", "{usage}");
    assert!((1..held).contains(&usage["cost_nano"].as_i64().unwrap()), "{usage} of {held}");
    assert_eq!(app.spent_on("/acme/research").await, usage["cost_nano"].as_i64().unwrap());

    // One whose end is not seen costs what was held.
    app.simulator("openai-us").set_behaviour(Behaviour::HangMidStream { after: 2 });
    let url = format!("{}/v1/chat/completions", app.url());
    let response = app.client.post(url).bearer_auth(app.key("research")).json(&body).send().await.unwrap();
    let decision = response.headers()["x-bailiwick-decision"].to_str().unwrap().to_owned();
    drop(response);
    app.settled().await;
    let records = app.records_of(&decision).await;
    let usage = &records.last().unwrap().sections["usage"];
    assert_eq!(
        (&usage["cost_nano"], &usage["source"]),
        (&records[0].sections["attempt"]["reserved_nano"], &json!("reservation"))
    );

    // One that leaves before anything came.
    app.simulator("openai-us").set_behaviour(Behaviour::SlowTokens { delay: Duration::from_millis(300) });
    let send = app
        .client
        .post(format!("{}/v1/chat/completions", app.url()))
        .bearer_auth(app.key("research"))
        .json(&message("gpt-4.1-mini", "x"))
        .send();
    assert!(tokio::time::timeout(Duration::from_millis(150), send).await.is_err());
    app.settled().await;
    let outcomes: Vec<_> =
        app.records().await.into_iter().filter(|record| record.header.kind == "outcome").collect();
    assert_eq!(outcomes.len(), 3, "{outcomes:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_shows_the_true_cost() {
    let app = TestApp::start().await;
    let mut sum = 0;
    for stream in [false, true] {
        for model in ["gpt-4.1-mini", "gpt-4.1", "anthropic.claude-sonnet-4-5", "nimbus-1"] {
            let mut body = message(model, "What does this cost?");
            body["stream"] = json!(stream);
            let reply = app.chat("research", &body).await.is(200);
            let outcome = app.outcome(&reply.decision()).await;
            let usage = &outcome.sections["usage"];
            assert_eq!(usage["source"], "reported");
            let cost = usage["cost_nano"].as_i64().unwrap();
            assert!(cost > 0, "{model}");
            if !stream {
                assert_eq!(
                    reply.header("x-bailiwick-cost"),
                    Some(bailiwick::budgets::format_usd(cost).as_str())
                );
            }
            sum += cost;
        }
    }
    assert_eq!(app.spent_on("/acme/research").await, sum);
    assert_eq!(app.spent_on("/acme").await, sum);
    let told = app.admin(reqwest::Method::GET, "/api/v1/budgets", None).await.is(200).json();
    let research = told["budgets"]
        .as_array()
        .unwrap()
        .iter()
        .find(|budget| budget["name"] == "/acme/research")
        .unwrap()
        .clone();
    assert_eq!(
        (&research["settled_usd"], &research["reserved_usd"]),
        (&json!(bailiwick::budgets::format_usd(sum)), &json!("0"))
    );
    app.finish().await;
}

/// A choice as OpenAI says it, with the probabilities of its tokens.
#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
fn with_logprobs(holder: &str, text: &str, finish: Value) -> Value {
    let tokens: Vec<Value> = text
        .split_inclusive(' ')
        .map(
            |token| json!({ "token": token, "logprob": -0.1, "bytes": token.as_bytes(), "top_logprobs": [] }),
        )
        .collect();
    let object = if holder == "delta" { "chat.completion.chunk" } else { "chat.completion" };
    json!({ "id": "c", "object": object, "created": 1, "model": "gpt-4.1-mini",
        "choices": [{ "index": 0, holder: { "role": "assistant", "content": text }, "finish_reason": finish,
            "logprobs": { "content": tokens } }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 2 } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_probabilities_that_would_tell_a_value_are_left_out_and_said_to_be() {
    const CARD: &str = "4012 8888 8888 1881";
    const NOTE: Option<&str> = Some("answer.logprobs");
    let app = TestApp::start().await;
    let simulator = app.simulator("openai-us");
    let text = format!("It is {CARD} .");
    let mut body = message("gpt-4.1-mini", "x");
    body["logprobs"] = json!(true);
    simulator.push_behaviour(Behaviour::Answer(vec![with_logprobs("message", &text, json!("stop"))]));
    let reply = app.chat("research", &body).await.is(200);
    assert_eq!(reply.header("x-bailiwick-left-out"), NOTE);
    let choice = &reply.json()["choices"][0];
    assert_eq!(choice["logprobs"], Value::Null);
    assert_eq!(choice["message"]["content"], "It is **** .");
    assert!(!reply.text().contains("8888"), "{}", reply.text());

    // On a stream: before it begins where they were asked for, and after it in any case.
    for asked in [true, false] {
        let events = vec![
            with_logprobs("delta", &text, Value::Null),
            with_logprobs("delta", "", json!("stop")),
            json!("[DONE]"),
        ];
        simulator.push_behaviour(Behaviour::Answer(events));
        let mut body = streamed("gpt-4.1-mini", "x", Value::Null);
        body["logprobs"] = json!(asked);
        let all = bare(&app, "te: trailers\r\n", &body.to_string()).await;
        let (head, rest) = all.split_once("\r\n\r\n").unwrap();
        let (_, trailer) = rest.rsplit_once("\r\n0\r\n").expect("chunked");
        let told = |part: &str| part.lines().any(|line| line == "x-bailiwick-left-out: answer.logprobs");
        assert_eq!((told(head), told(trailer)), (asked, true), "{all}");
        assert!(!rest.contains("8888") && rest.contains("\"logprobs\":null"), "{all}");
    }
    // Where there are none, nothing is said to be left out.
    let reply = app.ask("research", "gpt-4.1-mini", "x").await.is(200);
    assert_eq!(reply.header("x-bailiwick-left-out"), None);
    app.finish().await;
}
