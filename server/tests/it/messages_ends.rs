//! How answers end between the APIs, and what is left out of them.

use bailiwick::demo::simulator::Behaviour;
use serde_json::{Value, json};

use crate::app::{TestApp, message};
use crate::messages::{answer, asked, events, messages, with_claude};

const MODEL: &str = "gpt-4.1-mini";

fn begin() -> Value {
    json!({ "type": "message_start", "message": { "id": "msg_1", "type": "message", "role": "assistant",
        "model": "claude-sonnet-4-5", "content": [], "stop_reason": null, "stop_sequence": null,
        "usage": { "input_tokens": 10, "output_tokens": 1 } } })
}

fn text() -> [Value; 2] {
    [
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Hi" } }),
    ]
}

fn closed() -> Value {
    json!({ "type": "content_block_stop", "index": 0 })
}

fn reason() -> Value {
    json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null },
        "usage": { "output_tokens": 5 } })
}

fn stop() -> Value {
    json!({ "type": "message_stop" })
}

/// Streams of Anthropic's that end without having said all.
fn cut() -> Vec<Vec<Value>> {
    let [open, said] = text();
    vec![
        vec![begin(), stop()],
        vec![begin(), open.clone(), said.clone(), closed(), stop()],
        vec![begin(), open, said, reason(), stop()],
    ]
}

async fn result_of(app: &TestApp, decision: &str) -> Value {
    app.outcome(decision).await.sections["outcome"]["result"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_nobody_said_is_a_failure_in_both_apis() {
    let (app, claude) = with_claude(false).await;
    for all in cut() {
        claude.push_behaviour(Behaviour::Answer(all.clone()));
        let mut body = asked("claude", "x");
        body["stream"] = json!(true);
        let reply = messages(&app, "research", &body).await.is(200);
        let told = events(&reply);
        assert_eq!(told.last().unwrap()["type"], "error", "{all:?}: {told:?}");
        assert!(!told.iter().any(|event| event["type"] == "message_stop"), "{told:?}");
        assert_eq!(result_of(&app, &reply.decision()).await, "upstream_malformed", "{all:?}");
        claude.push_behaviour(Behaviour::Answer(all.clone()));
        let mut body = message("claude", "x");
        body["stream"] = json!(true);
        let reply = app.chat("research", &body).await.is(200);
        assert!(!reply.text().contains("[DONE]") && reply.text().contains("\"error\""), "{}", reply.text());
        assert_eq!(result_of(&app, &reply.decision()).await, "upstream_malformed", "{all:?}");
    }
    // What ends before it begins has sent nothing yet, so another endpoint could be tried.
    claude.push_behaviour(Behaviour::Answer(vec![stop()]));
    let mut body = asked("claude", "x");
    body["stream"] = json!(true);
    messages(&app, "research", &body).await.is(502);
    // A reason that is told again tells nothing new.
    let [open, said] = text();
    let again = vec![begin(), open, said, closed(), reason(), reason(), stop()];
    for chat in [false, true] {
        claude.push_behaviour(Behaviour::Answer(again.clone()));
        let mut body = if chat { message("claude", "x") } else { asked("claude", "x") };
        body["stream"] = json!(true);
        if chat {
            let reply = app.chat("research", &body).await.is(200);
            assert_eq!(reply.text().matches("\"finish_reason\":\"stop\"").count(), 1, "{}", reply.text());
        } else {
            let reply = messages(&app, "research", &body).await.is(200);
            assert_eq!(answer(&reply, true).1, "end_turn");
        }
    }
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_of_openais_that_nobody_said_is_none_for_an_anthropic_client() {
    let app = TestApp::start().await;
    let chunk = |delta: Value, reason: Value| {
        json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
            "choices": [{ "index": 0, "delta": delta, "finish_reason": reason }] })
    };
    let said = chunk(json!({ "role": "assistant", "content": "Hi" }), Value::Null);
    let simulator = app.simulator("openai-us");
    simulator.push_behaviour(Behaviour::Answer(vec![said.clone(), json!("[DONE]")]));
    let mut body = asked(MODEL, "x");
    body["stream"] = json!(true);
    let reply = messages(&app, "research", &body).await.is(200);
    let told = events(&reply);
    assert_eq!(told.last().unwrap()["type"], "error", "{told:?}");
    assert_eq!(result_of(&app, &reply.decision()).await, "upstream_malformed");
    let end = chunk(json!({}), json!("stop"));
    simulator.push_behaviour(Behaviour::Answer(vec![said, end, json!("[DONE]")]));
    let reply = messages(&app, "research", &body).await.is(200);
    assert_eq!(answer(&reply, true).1, "end_turn");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_api_has_no_place_for_in_an_answer_is_named() {
    let app = TestApp::start().await;
    let body = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [{ "index": 0,
        "message": { "role": "assistant", "content": "Hi", "annotations": [{ "type": "url_citation" }],
            "ann@b.example": 1 }, "finish_reason": "stop" }],
        "citations": ["https://a.example"], "usage": { "prompt_tokens": 5, "completion_tokens": 2 } });
    let simulator = app.simulator("openai-us");
    simulator.push_behaviour(Behaviour::Answer(vec![body.clone()]));
    let reply = messages(&app, "research", &asked(MODEL, "x")).await.is(200);
    assert_eq!(
        reply.header("x-bailiwick-left-out"),
        Some("a member of the answer, answer.annotations, answer.citations")
    );
    // Where the client speaks the provider's API nothing is left out.
    simulator.push_behaviour(Behaviour::Answer(vec![body]));
    let reply = app.ask("research", MODEL, "x").await.is(200);
    assert_eq!(reply.header("x-bailiwick-left-out"), None);
    assert_eq!(reply.json()["citations"], json!(["https://a.example"]));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_of_a_preset_is_not_asked_for_what_it_refuses() {
    let (app, claude) = with_claude(false).await;
    let simulator = bailiwick::demo::simulator::Simulator::start(
        bailiwick::demo::simulator::SimulatorConfig::new("groq", bailiwick::providers::Dialect::OpenAi)
            .chat_model("m"),
    )
    .await
    .unwrap();
    app.apply(json!({ "endpoints": [{
        "name": "groq", "scope": "/acme", "dialect": "openai", "preset": "groq",
        "base_url": simulator.url(), "models": [{ "alias": "quick", "upstream": "m" }],
        "profile": { "name": "groq", "operator": "self", "service": "vllm", "model": "m",
            "declared": { "countries": ["DE"], "hosting": "on_premises", "retention_days": 0 } },
        "price": { "input": "1", "output": "1" }, "simulated": true,
    }] }))
    .await;
    for (member, value, param) in [
        ("logprobs", json!(true), "logprobs"),
        ("logit_bias", json!({}), "logit_bias"),
        ("n", json!(2), "n"),
        ("messages", json!([{ "role": "user", "name": "ann", "content": "x" }]), "messages.name"),
    ] {
        let mut body = message("quick", "x");
        body[member] = value;
        let refused = app.chat("research", &body).await.refused(400, "not_translatable").json();
        assert_eq!(refused["error"]["param"], param, "{refused}");
    }
    assert_eq!(simulator.received_count(), 0);
    // The limit goes under the name that every such service takes, to the service's own path.
    let mut body = message("quick", "x");
    body["max_completion_tokens"] = json!(7);
    body["n"] = json!(1);
    app.chat("research", &body).await;
    let got = simulator.received();
    assert_eq!(got[0].path, "/openai/v1/chat/completions");
    let left: Value = serde_json::from_slice(&got[0].body).unwrap();
    assert_eq!((&left["max_tokens"], &left["max_completion_tokens"]), (&json!(7), &Value::Null));
    drop(claude);
    app.finish().await;
}
