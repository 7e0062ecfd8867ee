//! Anthropic's API: its clients on its own wire and on OpenAI's, and OpenAI's clients on its wire.

use bailiwick::demo::simulator::{Behaviour, BrokenSse, Simulator, SimulatorConfig, SimulatorHandle};
use bailiwick::providers::Dialect;
use serde_json::{Value, json};

use crate::app::{TestApp, message};
use crate::reply::Reply;

pub(crate) const PERSON: &str = "ottilie.brandt@kunde.example";
/// Of no form that a recognizer knows: those are redacted before anybody looks for the credential.
const CREDENTIAL: &str = "credential-of-claude";
const MODEL: &str = "claude-sonnet-4-5";

/// A server with an endpoint that speaks Anthropic's wire, in Germany and our own, and `assistant` on it too where asked.
pub(crate) async fn with_claude(also_assistant: bool) -> (TestApp, SimulatorHandle) {
    let app = TestApp::start().await;
    let claude = add_claude(&app, also_assistant).await;
    (app, claude)
}

/// Adds that endpoint.
pub(crate) async fn add_claude(app: &TestApp, also_assistant: bool) -> SimulatorHandle {
    let config = SimulatorConfig::new("claude", Dialect::Anthropic).chat_model(MODEL).credential(CREDENTIAL);
    let claude = Simulator::start(config).await.unwrap();
    let secret = app.data().parent().unwrap().join("claude.credential");
    std::fs::write(&secret, CREDENTIAL).unwrap();
    let mut models = vec![json!({ "alias": "claude", "upstream": MODEL })];
    if also_assistant {
        models.push(json!({ "alias": "assistant", "upstream": MODEL }));
    }
    app.apply(json!({ "endpoints": [{
        "name": "claude", "scope": "/acme", "dialect": "anthropic", "base_url": claude.url(),
        "models": models, "credential": { "file": secret },
        "profile": { "name": "claude", "operator": "self", "service": "vllm", "model": MODEL,
            "declared": { "countries": ["DE"], "hosting": "on_premises", "retention_days": 0 } },
        "price": { "input": "3", "cached_input": "0.3", "cache_write": "3.75", "cache_write_1h": "6", "output": "15",
            "web_searches": "10000" },
        "simulated": true,
    }] }))
    .await;
    claude
}

pub(crate) fn asked(model: &str, text: &str) -> Value {
    json!({ "model": model, "max_tokens": 400, "messages": [{ "role": "user", "content": text }] })
}

pub(crate) async fn messages(app: &TestApp, key: &str, body: &Value) -> Reply {
    app.post(key, "/v1/messages", &[("anthropic-version", "2023-06-01")], body.to_string()).await
}

/// The events of a stream of this API; each is named by its type.
pub(crate) fn events(reply: &Reply) -> Vec<Value> {
    let frames = reply.text().split("\n\n").filter(|frame| !frame.is_empty());
    frames
        .map(|frame| {
            let (name, data) = frame.split_once('\n').unwrap_or_else(|| panic!("{frame}"));
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect(frame)).expect(frame);
            assert_eq!(Some(name), data["type"].as_str().map(|kind| format!("event: {kind}")).as_deref());
            data
        })
        .collect()
}

/// The blocks of an answer, put together from its events as a client does.
fn accumulated(events: &[Value]) -> (Vec<Value>, Value, Value) {
    let (mut blocks, mut open, mut stop, mut usage) = (Vec::new(), None, Value::Null, Value::Null);
    let mut input = String::new();
    assert_eq!(events.first().map(|event| &event["type"]), Some(&json!("message_start")), "{events:?}");
    assert_eq!(events.last().map(|event| &event["type"]), Some(&json!("message_stop")), "{events:?}");
    for event in events {
        match event["type"].as_str().unwrap() {
            "message_start" => usage = event["message"]["usage"].clone(),
            "content_block_start" => {
                assert_eq!(event["index"], blocks.len(), "{events:?}");
                assert!(open.is_none(), "{events:?}");
                open = Some(event["content_block"].clone());
                input.clear();
            }
            "content_block_delta" => {
                let block = open.as_mut().expect("an open block");
                let delta = &event["delta"];
                let mut add = |name: &str| {
                    let more = delta[name].as_str().unwrap();
                    block[name] = json!(format!("{}{more}", block[name].as_str().unwrap()));
                };
                match delta["type"].as_str().unwrap() {
                    "text_delta" => add("text"),
                    "thinking_delta" => add("thinking"),
                    "signature_delta" => add("signature"),
                    "input_json_delta" => input.push_str(delta["partial_json"].as_str().unwrap()),
                    other => panic!("{other}"),
                }
            }
            "content_block_stop" => {
                let mut block = open.take().expect("an open block");
                if block["type"] == "tool_use" && !input.is_empty() {
                    block["input"] = serde_json::from_str(&input).expect(&input);
                }
                blocks.push(block);
            }
            "message_delta" => {
                stop = event["delta"]["stop_reason"].clone();
                for (name, count) in event["usage"].as_object().into_iter().flatten() {
                    usage[name] = count.clone();
                }
            }
            _ => {}
        }
    }
    (blocks, stop, usage)
}

pub(crate) fn answer(reply: &Reply, stream: bool) -> (Vec<Value>, Value, Value) {
    if stream {
        return accumulated(&events(reply));
    }
    let body = reply.json();
    assert_eq!(body["type"], "message", "{body}");
    (body["content"].as_array().unwrap().clone(), body["stop_reason"].clone(), body["usage"].clone())
}

pub(crate) fn tool() -> Value {
    json!({ "name": "look_up_customer", "description": "Finds a customer.", "input_schema": {
        "type": "object", "properties": { "key": { "type": "string" }, "limit": { "type": "integer" } } } })
}

/// An error in Anthropic's shape with this code of ours.
#[track_caller]
pub(crate) fn refused(reply: Reply, status: u16, kind: &str, code: &str) -> Value {
    let body = reply.is(status).json();
    assert_eq!(body["type"], "error", "{body}");
    assert_eq!(body["error"]["type"], kind, "{body}");
    assert!(body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
    assert_eq!(body["bailiwick"]["code"], code, "{body}");
    for name in ["decision", "rules", "excluded", "fix", "param"] {
        assert!(body["bailiwick"].as_object().unwrap().contains_key(name), "{name}: {body}");
    }
    body
}

pub(crate) fn sent(simulator: &SimulatorHandle) -> String {
    simulator.received().iter().map(|got| String::from_utf8_lossy(&got.body).into_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_its_own_wire_bytes_stay_but_for_the_stated_edits() {
    let (app, claude) = with_claude(false).await;
    let body = concat!(
        r#"{ "messages" : [{"content":[{"text":"Grüße","type":"text","cache_control":{"type":"ephemeral"}}],"role":"user"}],"#,
        r#" "max_tokens": 1e2, "temperature":1.0, "model":"claude","metadata":{"user_id":"u-1"} }"#
    );
    // A limit that is not written as a whole number is refused, here as there.
    let headers = [
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "prompt-caching-2024-07-31, pdfs-2024-09-25"),
    ];
    refused(
        app.post("research", "/v1/messages", &headers, body).await,
        400,
        "invalid_request_error",
        "invalid_request",
    );
    let body = body.replace("1e2", "100");
    let reply = app.post("research", "/v1/messages", &headers, body.clone()).await.is(200);
    assert_eq!(reply.endpoint(), "claude");
    assert_eq!(reply.header("request-id"), reply.header("x-bailiwick-decision"));
    assert_eq!(reply.header("anthropic-organization-id"), None);
    let received = claude.received();
    assert_eq!(received.len(), 1);
    let expected = body.replace(r#""model":"claude""#, &format!(r#""model":"{MODEL}""#));
    assert_eq!(String::from_utf8_lossy(&received[0].body), expected);
    let header = |name: &str| {
        received[0].headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone())
    };
    assert_eq!(header("x-api-key").as_deref(), Some(CREDENTIAL));
    assert_eq!(header("anthropic-version").as_deref(), Some("2023-06-01"));
    assert_eq!(header("anthropic-beta").as_deref(), Some("prompt-caching-2024-07-31,pdfs-2024-09-25"));
    assert_eq!(header("authorization"), None);
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_leave_as_placeholders_and_come_back_on_every_pair_of_wires() {
    let (app, claude) = with_claude(false).await;
    let text = format!("Use look_up_customer for {PERSON} please");
    for model in ["claude", "assistant"] {
        for (stream, tools) in [(false, false), (true, false), (false, true), (true, true)] {
            claude.clear();
            app.forget();
            let mut body = asked(model, &text);
            body["stream"] = json!(stream);
            body["system"] = json!([{ "type": "text", "text": format!("The customer is {PERSON}.") }]);
            if tools {
                body["tools"] = json!([tool()]);
            }
            let reply = messages(&app, "support", &body).await.is(200);
            let what = format!("{model}, stream {stream}, tools {tools}: {}", reply.text());
            let mut left = sent(&claude);
            app.simulators().for_each(|simulator| left.push_str(&sent(simulator)));
            assert!(!left.contains(PERSON) && left.contains("EMAIL_"), "{what}: {left}");
            assert_eq!(claude.received_count() > 0, model == "claude", "{what}");
            assert!(!reply.text().contains("EMAIL_"), "{what}");
            assert_eq!(reply.header("x-bailiwick-redactions"), Some("EMAIL=2"), "{what}");
            let (blocks, stop, usage) = answer(&reply, stream);
            if tools {
                assert_eq!(stop, "tool_use", "{what}");
                let call = blocks.last().unwrap();
                assert_eq!(
                    (&call["type"], &call["name"]),
                    (&json!("tool_use"), &json!("look_up_customer")),
                    "{what}"
                );
                assert_eq!(call["input"]["key"], PERSON, "{what}");
            } else {
                assert_eq!(stop, "end_turn", "{what}");
                assert!(blocks[0]["text"].as_str().unwrap().contains(&text), "{what}");
            }
            assert!(usage["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{what}");
            assert!(usage["output_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{what}");
        }
    }
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_client_on_an_anthropic_endpoint() {
    let (app, claude) = with_claude(false).await;
    let tool = json!({ "type": "function", "function": { "name": "look_up_customer",
        "parameters": tool()["input_schema"] } });
    let text = format!("Use look_up_customer for {PERSON} please");
    for (stream, tools) in [(false, false), (true, false), (false, true), (true, true)] {
        claude.clear();
        let mut body = message("claude", &text);
        body["stream"] = json!(stream);
        body["seed"] = json!(7);
        if stream {
            body["stream_options"] = json!({ "include_usage": true });
        }
        if tools {
            body["tools"] = json!([tool]);
        }
        let reply = app.chat("support", &body).await.is(200);
        assert_eq!(reply.header("x-bailiwick-left-out"), Some("seed"));
        let left = sent(&claude);
        assert!(
            !left.contains(PERSON) && left.contains("EMAIL_") && left.contains(r#""max_tokens":"#),
            "{left}"
        );
        assert!(!reply.text().contains("EMAIL_"), "{}", reply.text());
        let (said, usage) = if stream {
            let events = reply.events();
            assert_eq!(events.last(), Some(&json!("[DONE]")));
            let calls = |event: &Value| {
                let call = &event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"];
                call.as_str().map(str::to_owned)
            };
            let said = if tools { events.iter().filter_map(calls).collect() } else { reply.streamed() };
            let reasons: Vec<&Value> = events
                .iter()
                .map(|event| &event["choices"][0]["finish_reason"])
                .filter(|r| r.is_string())
                .collect();
            assert_eq!(reasons, [if tools { "tool_calls" } else { "stop" }]);
            (said, events[events.len() - 2]["usage"].clone())
        } else {
            let body = reply.json();
            let message = &body["choices"][0]["message"];
            let arguments = &message["tool_calls"][0]["function"]["arguments"];
            let said = if tools { arguments } else { &message["content"] };
            (said.as_str().unwrap().to_owned(), body["usage"].clone())
        };
        assert!(said.contains(PERSON), "{said}");
        assert!(usage["prompt_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{usage}");
    }
    // The whole of a conversation with tools.
    let call = json!({ "id": "call_1", "type": "function",
        "function": { "name": "look_up_customer", "arguments": "{\"key\":\"x\"}" } });
    let mut body = message("claude", "Who?");
    body["tools"] = json!([tool]);
    body["messages"].as_array_mut().unwrap().extend([
        json!({ "role": "assistant", "content": null, "tool_calls": [call] }),
        json!({ "role": "tool", "tool_call_id": "call_1", "content": "Ada" }),
    ]);
    assert!(app.chat("support", &body).await.is(200).said().contains("The tool answered: Ada"));
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_in_the_shape_of_the_api() {
    let (app, claude) = with_claude(false).await;
    let wrong = messages(&app, "bwk_wrong", &asked("claude", "x")).await;
    refused(wrong, 401, "authentication_error", "invalid_api_key");
    refused(messages(&app, "support", &asked("none", "x")).await, 404, "not_found_error", "model_not_found");
    let denied = messages(&app, "support", &asked("nimbus-1", "x")).await;
    assert_eq!(denied.header("x-should-retry"), Some("false"));
    let body = refused(denied, 403, "permission_error", "no_eligible_endpoint");
    assert_eq!(body["request_id"], body["bailiwick"]["decision"]);
    let mut without = asked("claude", "x");
    without.as_object_mut().unwrap().remove("max_tokens");
    let body =
        refused(messages(&app, "support", &without).await, 400, "invalid_request_error", "invalid_request");
    assert_eq!(body["bailiwick"]["param"], "max_tokens");
    let mut elsewhere = asked("claude", "x");
    elsewhere["inference_geo"] = json!("us");
    let body =
        refused(messages(&app, "support", &elsewhere).await, 400, "invalid_request_error", "invalid_request");
    assert_eq!(body["bailiwick"]["param"], "inference_geo");
    let beta = [("anthropic-beta", "files-api-2025-04-14")];
    let reply = app.post("support", "/v1/messages", &beta, asked("claude", "x").to_string()).await;
    refused(reply, 400, "invalid_request_error", "invalid_request");
    let reply = app.post("support", "/v1/messages/batches", &[], "{}").await;
    refused(reply, 404, "not_found_error", "not_found");
    refused(app.get("/v1/messages", "support").await, 405, "not_found_error", "method_not_allowed");
    let (_, broke) =
        app.create_key(json!({ "scope": "/acme/research", "name": "broke", "budget_usd": "0" })).await;
    let reply = messages(&app, &broke, &asked("claude", "x")).await;
    refused(reply, 429, "rate_limit_error", "budget_exceeded");
    assert_eq!(claude.received_count(), 0);
    claude.push_behaviour(Behaviour::Status { code: 429, retry_after: Some(7) });
    let reply = messages(&app, "support", &asked("claude", "x")).await;
    assert_eq!(reply.header("retry-after"), Some("7"));
    refused(reply, 429, "rate_limit_error", "upstream_rate_limited");
    // What the provider objects to is told in its own words.
    let mut hot = asked("claude", "x");
    hot["temperature"] = json!(1.5);
    let body =
        refused(messages(&app, "support", &hot).await, 400, "invalid_request_error", "upstream_refused");
    assert!(body["error"]["message"].as_str().unwrap().contains("range: 0..1"), "{body}");
    // The provider answers in the version that the client speaks.
    hot["temperature"] = json!(0.5);
    for (version, status) in [("2023-06-01", 200), ("2026-10-21", 400)] {
        claude.clear();
        let header = [("anthropic-version", version)];
        let reply = app.post("support", "/v1/messages", &header, hot.to_string()).await.is(status);
        assert_eq!(claude.received()[0].header("anthropic-version"), Some(version));
        assert_eq!(reply.text().contains("temperature: Extra inputs"), status == 400, "{}", reply.text());
    }
    let header = [("anthropic-version", "2024-01-01")];
    let reply = app.post("support", "/v1/messages", &header, hot.to_string()).await;
    let body = refused(reply, 400, "invalid_request_error", "invalid_request");
    assert_eq!(body["bailiwick"]["param"], "anthropic-version");
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_endpoint_cannot_carry_goes_to_one_that_can_or_is_refused_by_name() {
    let (app, claude) = with_claude(true).await;
    // Only Anthropic's own wire carries this; the other endpoints of `assistant` are passed over.
    let mut body = asked("assistant", "x");
    let source = json!({ "type": "url", "url": "https://example.org/a.pdf" });
    body["messages"][0]["content"] =
        json!([{ "type": "document", "source": source }, { "type": "text", "text": "x" }]);
    let reply = messages(&app, "research", &body).await.is(200);
    assert_eq!(reply.endpoint(), "claude");
    assert!(app.received().is_empty());
    body["model"] = json!("gpt-4.1-mini");
    let reply = messages(&app, "research", &body).await;
    let body = refused(reply, 400, "invalid_request_error", "not_translatable");
    assert_eq!(body["bailiwick"]["param"], "messages.0.content.0");
    let mut chat = message("claude", "x");
    chat["n"] = json!(2);
    let reply = app.chat("research", &chat).await.refused(400, "not_translatable").json();
    assert_eq!(reply["error"]["param"], "n");
    // A name that nobody knows could be anybody's.
    let mut chat = message("claude", "x");
    chat[PERSON] = json!(1);
    let reply = app.chat("research", &chat).await.refused(400, "not_translatable");
    assert!(!reply.text().contains(PERSON), "{}", reply.text());
    assert_eq!(claude.received_count(), 1);
    assert!(app.received().is_empty());
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_is_booked_cached_tokens_at_their_price() {
    let (app, claude) = with_claude(false).await;
    let usage = json!({ "input_tokens": 1000, "cache_read_input_tokens": 10000, "cache_creation_input_tokens": 2000,
        "output_tokens": 500, "output_tokens_details": { "thinking_tokens": 100 } });
    for stream in [false, true] {
        claude.push_behaviour(Behaviour::ReportUsage(usage.clone()));
        let mut body = asked("claude", "x");
        body["stream"] = json!(stream);
        let reply = messages(&app, "research", &body).await.is(200);
        let outcome = app.outcome(&reply.decision()).await;
        let used = &outcome.sections["usage"];
        assert_eq!(used["source"], "reported", "{used}");
        assert_eq!((&used["input_tokens"], &used["output_tokens"]), (&json!(13_000), &json!(500)), "{used}");
        assert_eq!(
            (&used["cached_input_tokens"], &used["cache_write_tokens"]),
            (&json!(10_000), &json!(2_000))
        );
        // 1,000 at $3, 10,000 at $0.30, 2,000 at $3.75 and 500 at $15 a million.
        assert_eq!(used["cost_nano"], 21_000_000, "{used}");
    }
    // A usage that is missing is booked as what was held.
    claude.push_behaviour(Behaviour::OmitUsage);
    let reply = messages(&app, "research", &asked("claude", "x")).await.is(200);
    assert_eq!(app.outcome(&reply.decision()).await.sections["usage"]["source"], "reservation");
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_counted_by_the_provider_of_the_model_for_nothing() {
    let (app, claude) = with_claude(false).await;
    let mut body = asked("claude", &format!("Write to {PERSON}"));
    body.as_object_mut().unwrap().remove("max_tokens");
    let reply = app.post("support", "/v1/messages/count_tokens", &[], body.to_string()).await.is(200);
    assert!(reply.json()["input_tokens"].as_u64().unwrap() > 0);
    assert_eq!(claude.received()[0].path, "/v1/messages/count_tokens");
    assert!(!sent(&claude).contains(PERSON));
    let used = app.outcome(&reply.decision()).await;
    assert_eq!(
        (&used.sections["usage"]["cost_nano"], &used.sections["usage"]["source"]),
        (&json!(0), &json!("reported"))
    );
    body["model"] = json!("assistant");
    let reply = app.post("support", "/v1/messages/count_tokens", &[], body.to_string()).await;
    refused(reply, 400, "invalid_request_error", "not_translatable");
    assert!(app.received().is_empty());
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_break_are_told_in_the_api_and_recorded() {
    let (app, claude) = with_claude(false).await;
    let cases = [
        (Behaviour::ErrorInStream { after: 4 }, "upstream_error_in_stream"),
        (Behaviour::BrokenSse(BrokenSse::HalfJson), "upstream_malformed"),
        (Behaviour::BrokenSse(BrokenSse::NoDone), "upstream_malformed"),
        (Behaviour::BrokenSse(BrokenSse::CutEvent), "upstream_malformed"),
        (Behaviour::DieMidStream { after: 5 }, "upstream_broke_off"),
        (Behaviour::EchoSecret, "upstream_credential_echo"),
    ];
    for (behaviour, code) in cases {
        for chat in [false, true] {
            claude.push_behaviour(behaviour.clone());
            let mut body = if chat { message("claude", "Hello") } else { asked("claude", "Hello") };
            body["stream"] = json!(true);
            let reply = if chat {
                app.chat("research", &body).await
            } else {
                messages(&app, "research", &body).await
            };
            assert!(!reply.text().contains(CREDENTIAL), "{}", reply.text());
            let decision = reply.decision();
            let told = if chat {
                reply.is(200).events().last().unwrap()["error"]["code"].clone()
            } else {
                let events = events(&reply.is(200));
                assert_eq!(events.last().unwrap()["type"], "error", "{behaviour:?}");
                events.last().unwrap()["bailiwick"]["code"].clone()
            };
            assert_eq!(told, code, "{behaviour:?}, chat {chat}");
            assert_eq!(app.outcome(&decision).await.sections["outcome"]["result"], code, "{behaviour:?}");
        }
    }
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn models_dry_runs_and_explanations_speak_the_api() {
    let (app, claude) = with_claude(false).await;
    let version = [("anthropic-version", "2023-06-01")];
    let request = app.client.get(format!("{}/v1/models", app.url())).header("x-api-key", app.key("support"));
    let listed: Value =
        request.header("anthropic-version", "2023-06-01").send().await.unwrap().json().await.unwrap();
    assert_eq!(listed["has_more"], false);
    assert_eq!(listed["first_id"], listed["data"][0]["id"]);
    let claude_model =
        listed["data"].as_array().unwrap().iter().find(|model| model["id"] == "claude").unwrap();
    assert_eq!((&claude_model["type"], &claude_model["display_name"]), (&json!("model"), &json!("claude")));
    for stream in [false, true] {
        let mut body = asked("claude", &format!("Write to {PERSON}"));
        body["stream"] = json!(stream);
        let headers = [version[0], ("x-bailiwick-dry-run", "1")];
        let reply = app.post("support", "/v1/messages", &headers, body.to_string()).await.is(200);
        let (blocks, stop, _) = answer(&reply, stream);
        assert!(blocks[0]["text"].as_str().unwrap().starts_with("Dry run"), "{blocks:?}");
        assert_eq!(stop, "end_turn");
        let explained =
            app.post("support", "/v1/decisions:explain", &version, body.to_string()).await.is(200).json();
        assert_eq!(explained["decision"]["facts"]["operation"], "messages");
        assert_eq!(explained["decision"]["redactions"]["EMAIL"], 1, "{explained}");
    }
    assert_eq!(claude.received_count(), 0);
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_text_makes_the_body_opaque_wherever_it_stands() {
    let (app, claude) = with_claude(false).await;
    let image =
        json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } });
    let called = json!({ "type": "tool_use", "id": "toolu_1", "name": "look_up_customer", "input": {} });
    let result = json!({ "type": "tool_result", "tool_use_id": "toolu_1", "content": [image] });
    let (_, plain) = app.create_key(json!({ "scope": "/acme", "name": "plain" })).await;
    let mut body = asked("claude", "x");
    body["tools"] = json!([tool()]);
    messages(&app, &plain, &body).await.is(200);
    let mut direct = body.clone();
    direct["messages"][0]["content"] = json!([image]);
    let mut nested = body.clone();
    nested["messages"].as_array_mut().unwrap().extend([
        json!({ "role": "assistant", "content": [called] }),
        json!({ "role": "user", "content": [result] }),
    ]);
    let mut unknown = body.clone();
    unknown["messages"][0]["content"] = json!([{ "type": "hologram", "text": "x" }]);
    for body in [direct, nested, unknown] {
        refused(messages(&app, &plain, &body).await, 403, "permission_error", "no_eligible_endpoint");
    }
    // What stands before the messages is text: no image that a provider would fetch.
    for system in [
        json!([{ "type": "text", "text": "x" }, image]),
        json!(["x"]),
        json!({ "type": "text", "text": "x" }),
    ] {
        let mut body = body.clone();
        body["system"] = system;
        let told =
            refused(messages(&app, &plain, &body).await, 400, "invalid_request_error", "invalid_request");
        assert!(told["bailiwick"]["param"].as_str().unwrap().contains("system"), "{told}");
    }
    // A tool of the provider takes the request elsewhere: what it uses is a fact that rules ask about.
    body["tools"] = json!([{ "type": "web_search_20250305", "name": "web_search" }]);
    let explained = app
        .post("support", "/v1/decisions:explain", &[("anthropic-version", "2023-06-01")], body.to_string())
        .await
        .is(200)
        .json();
    assert_eq!(explained["decision"]["facts"]["features"], json!(["web_search"]));
    assert_eq!(claude.received_count(), 1);
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_text_is_redacted_within_its_base64() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let (app, claude) = with_claude(false).await;
    let table = "name;card\nOttilie;4012888888881881\n";
    let source = json!({ "type": "base64", "media_type": "text/csv", "data": STANDARD.encode(table) });
    let part = json!({ "type": "document", "source": source });
    let call = json!({ "type": "tool_use", "id": "toolu_1", "name": "look_up_customer", "input": {} });
    let direct = json!([{ "role": "user", "content": [part] }]);
    let nested = json!([
        { "role": "user", "content": "x" },
        { "role": "assistant", "content": [call] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "toolu_1", "content": [part] }] },
    ]);
    for (turns, at) in [(direct, "/messages/0/content/0"), (nested, "/messages/2/content/0/content/0")] {
        let mut body = asked("claude", "x");
        body["messages"] = turns;
        claude.clear();
        let reply = messages(&app, "research", &body).await.is(200);
        assert_eq!(reply.header("x-bailiwick-redactions"), Some("CARD=1"));
        let left: Value = serde_json::from_str(&sent(&claude)).unwrap();
        let data = left.pointer(at).unwrap()["source"]["data"].as_str().unwrap();
        let text = String::from_utf8(STANDARD.decode(data).unwrap()).unwrap();
        assert_eq!(text, "name;card\nOttilie;****\n");
        // OpenAI's API takes no such file.
        body["model"] = json!("assistant");
        let reply = messages(&app, "research", &body).await;
        refused(reply, 400, "invalid_request_error", "not_translatable");
    }
    assert!(app.received().is_empty());
    drop(claude);
    app.finish().await;
}
