//! OpenAI's Responses: its clients on a service that has them, and on every wire that they are translated into.

use bailiwick::demo::simulator::{Behaviour, BrokenSse, Simulator, SimulatorConfig, SimulatorHandle};
use bailiwick::providers::Dialect;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::messages::{PERSON, sent, tool, with_claude};
use crate::reply::Reply;

const MODEL: &str = "gpt-5";
/// Of no form that a recognizer knows.
const CREDENTIAL: &str = "credential-of-responses";

/// Adds an endpoint, in Germany and our own, of a service that has responses itself.
pub(crate) async fn with_native(app: &TestApp) -> SimulatorHandle {
    let config = SimulatorConfig::new("native", Dialect::OpenAi).chat_model(MODEL).credential(CREDENTIAL);
    let native = Simulator::start(config).await.unwrap();
    let secret = app.data().parent().unwrap().join("native.credential");
    std::fs::write(&secret, CREDENTIAL).unwrap();
    app.apply(json!({ "endpoints": [{
        "name": "native", "scope": "/acme", "dialect": "openai", "base_url": native.url(),
        "models": [{ "alias": "native", "upstream": MODEL }], "credential": { "file": secret },
        "operations": ["chat_completions", "responses"],
        "profile": { "name": "native", "operator": "self", "service": "vllm", "model": MODEL,
            "declared": { "countries": ["DE"], "hosting": "on_premises", "retention_days": 0 } },
        "price": { "input": "3", "output": "15", "web_searches": "10000" }, "simulated": true,
    }] }))
    .await;
    native
}

pub(crate) async fn respond(app: &TestApp, key: &str, body: &Value) -> Reply {
    app.post(key, "/v1/responses", &[], body.to_string()).await
}

fn asked(model: &str, text: &str) -> Value {
    json!({ "model": model, "input": text })
}

fn function() -> Value {
    json!({ "type": "function", "name": "look_up_customer", "description": "Finds a customer.", "strict": false,
        "parameters": tool()["input_schema"] })
}

/// The events of a stream, each named by its type and numbered.
fn events(reply: &Reply) -> Vec<Value> {
    let frames = reply.text().split("\n\n").filter(|frame| !frame.is_empty() && *frame != ":");
    let events: Vec<Value> = frames
        .map(|frame| {
            let (name, data) = frame.split_once('\n').unwrap_or_else(|| panic!("{frame}"));
            let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect(frame)).expect(frame);
            assert_eq!(Some(name), data["type"].as_str().map(|kind| format!("event: {kind}")).as_deref());
            data
        })
        .collect();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    events
}

/// The answer, and the text of all deltas of a stream.
fn answer(reply: &Reply, stream: bool) -> (Value, Option<String>) {
    if !stream {
        return (reply.json(), None);
    }
    let events = events(reply);
    let end = events.last().unwrap();
    assert!(
        matches!(end["type"].as_str(), Some("response.completed" | "response.incomplete")),
        "{}",
        reply.text()
    );
    let said = events.iter().filter_map(|event| event["delta"].as_str()).collect();
    (end["response"].clone(), Some(said))
}

fn item<'a>(answer: &'a Value, kind: &str) -> &'a Value {
    let items = answer["output"].as_array().unwrap_or_else(|| panic!("{answer}"));
    items.iter().find(|item| item["type"] == kind).unwrap_or_else(|| panic!("{kind}: {answer}"))
}

fn text(answer: &Value) -> &str {
    item(answer, "message")["content"][0]["text"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_service_that_has_them_bytes_stay_but_for_the_stated_edits() {
    let app = TestApp::start().await;
    let native = with_native(&app).await;
    let body = concat!(
        r#"{ "input" : [{"content":[{"text":"Grüße","type":"input_text"}],"role":"user"}],"#,
        r#" "temperature":1.0, "model":"native","metadata":{"a":"b"}, "reasoning":{"effort":"low","summary":null} }"#
    );
    let reply = app.post("research", "/v1/responses", &[], body).await.is(200);
    assert_eq!(reply.endpoint(), "native");
    assert_eq!(reply.header("openai-organization"), None);
    assert!(reply.header("x-bailiwick-cost").is_some() && reply.header("x-bailiwick-left-out").is_none());
    let received = native.received();
    assert_eq!((received.len(), received[0].path.as_str()), (1, "/v1/responses"));
    let expected = body.replace(r#""model":"native""#, &format!(r#""model":"{MODEL}""#));
    // A service keeps an answer unless it is told not to, and answers as long as the budget was asked for.
    let expected = expected
        .replace(r#""summary":null} }"#, r#""summary":null} ,"store":false,"max_output_tokens":16384}"#);
    assert_eq!(String::from_utf8_lossy(&received[0].body), expected);
    assert_eq!(reply.json()["store"], false);
    drop(native);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_leave_as_placeholders_and_come_back_on_every_wire() {
    let (app, claude) = with_claude(false).await;
    let native = with_native(&app).await;
    let bedrock = crate::bedrock::add_bedrock(&app).await;
    let prompt = format!("Use look_up_customer for {PERSON} please");
    for model in ["native", "assistant", "claude", "frankfurt"] {
        for (stream, tools) in [(false, false), (true, false), (false, true), (true, true)] {
            [&claude, &native, &bedrock].iter().for_each(|simulator| simulator.clear());
            app.forget();
            let mut body = asked(model, &prompt);
            body["stream"] = json!(stream);
            body["instructions"] = json!(format!("The customer is {PERSON}."));
            if tools {
                body["tools"] = json!([function()]);
            }
            let reply = respond(&app, "support", &body).await.is(200);
            let what = format!("{model}, stream {stream}, tools {tools}: {}", reply.text());
            let mut left = [sent(&claude), sent(&native), sent(&bedrock)].concat();
            app.simulators().for_each(|simulator| left.push_str(&sent(simulator)));
            assert!(!left.contains(PERSON) && left.contains("EMAIL_"), "{what}: {left}");
            assert_eq!(native.received_count() > 0, model == "native", "{what}");
            assert_eq!(claude.received_count() > 0, model == "claude", "{what}");
            assert_eq!(bedrock.received_count() > 0, model == "frankfurt", "{what}");
            assert!(!reply.text().contains("EMAIL_"), "{what}");
            assert_eq!(reply.header("x-bailiwick-redactions"), Some("EMAIL=2"), "{what}");
            let (answer, said) = answer(&reply, stream);
            assert_eq!(
                (&answer["object"], &answer["status"]),
                (&json!("response"), &json!("completed")),
                "{what}"
            );
            assert_eq!(answer["store"], false, "{what}");
            let told = if tools {
                let call = item(&answer, "function_call");
                assert_eq!(call["name"], "look_up_customer", "{what}");
                let arguments = call["arguments"].as_str().unwrap();
                let called: Value = serde_json::from_str(arguments).unwrap();
                assert_eq!(called["key"], PERSON, "{what}");
                arguments
            } else {
                assert!(text(&answer).contains(&prompt), "{what}");
                text(&answer)
            };
            assert!(said.is_none_or(|said| said == told), "{what}");
            for count in ["input_tokens", "output_tokens", "total_tokens"] {
                assert!(answer["usage"][count].as_u64().is_some_and(|tokens| tokens > 0), "{what}");
            }
        }
    }
    drop((claude, native, bedrock));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_with_tools_structured_answers_and_a_limit() {
    let (app, claude) = with_claude(false).await;
    let native = with_native(&app).await;
    for model in ["native", "assistant", "claude"] {
        let mut body = asked(model, "Use look_up_customer please");
        body["tools"] = json!([function()]);
        body["tool_choice"] = json!({ "type": "function", "name": "look_up_customer" });
        let first = respond(&app, "support", &body).await.is(200).json();
        let call = item(&first, "function_call").clone();
        // The output goes back as it came.
        let mut input = vec![json!({ "role": "user", "content": "Use look_up_customer please" })];
        input.extend(first["output"].as_array().unwrap().iter().cloned());
        input.push(json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "Ada" }));
        body["input"] = json!(input);
        body.as_object_mut().unwrap().remove("tool_choice");
        let second = respond(&app, "support", &body).await.is(200).json();
        assert!(text(&second).contains("The tool answered: Ada"), "{model}: {second}");

        let mut body = asked(model, "Who?");
        body["text"] = json!({ "format": { "type": "json_schema", "name": "person", "strict": true, "schema": {
            "type": "object", "properties": { "name": { "type": "string" } }, "required": ["name"],
            "additionalProperties": false } } });
        let reply = respond(&app, "support", &body).await.is(200);
        let left_out = if model == "claude" { Some("text.format.name") } else { None };
        assert_eq!(reply.header("x-bailiwick-left-out"), left_out, "{model}");
        if model != "claude" {
            let told: Value = serde_json::from_str(text(&reply.json())).unwrap();
            assert!(told["name"].is_string(), "{model}: {told}");
        }

        for stream in [false, true] {
            let mut body = asked(model, "A great many words, please, one after the other.");
            body["max_output_tokens"] = json!(16);
            body["stream"] = json!(stream);
            let reply = respond(&app, "support", &body).await.is(200);
            let (cut, _) = answer(&reply, stream);
            assert_eq!(cut["status"], "incomplete", "{model}: {cut}");
            assert_eq!(cut["incomplete_details"], json!({ "reason": "max_output_tokens" }), "{model}");
        }
    }
    drop((claude, native));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_refers_to_what_a_provider_keeps_is_refused_by_name() {
    let app = TestApp::start().await;
    let native = with_native(&app).await;
    let file = json!([{ "role": "user", "content": [{ "type": "input_file", "file_id": "file_1" }] }]);
    let image = json!([{ "role": "user", "content": [{ "type": "input_image", "file_id": "file_1" }] }]);
    let environment = json!({ "type": "container_reference", "container_id": "cntr_1" });
    let shell = json!([{ "type": "shell", "environment": environment }]);
    let shell_call = json!([{ "type": "shell_call", "call_id": "c", "action": { "commands": ["ls"] }, "environment": environment }]);
    let screenshot = json!({ "type": "computer_screenshot", "file_id": "file_1" });
    let screenshot = json!([{ "type": "computer_call_output", "call_id": "c", "output": screenshot }]);
    let kept = json!([{ "type": "code_interpreter", "container": "cntr_1" }]);
    let files =
        json!([{ "type": "code_interpreter", "container": { "type": "auto", "file_ids": ["file_1"] } }]);
    for (member, value, param) in [
        ("previous_response_id", json!("resp_1"), "previous_response_id"),
        ("conversation", json!({ "id": "conv_1" }), "conversation"),
        ("prompt", json!({ "id": "pmpt_1" }), "prompt"),
        ("store", json!(true), "store"),
        ("background", json!(true), "background"),
        ("reasoning", json!({ "mode": "pro" }), "reasoning.mode"),
        (
            "prompt_cache_options",
            json!({ "comparison_response_id": "resp_1" }),
            "prompt_cache_options.comparison_response_id",
        ),
        ("input", json!([{ "type": "item_reference", "id": "msg_1" }]), "/input/0"),
        ("input", json!([{ "id": "msg_1" }]), "/input/0"),
        ("input", file, "/input/0/content/0/file_id"),
        ("input", image, "/input/0/content/0/file_id"),
        ("input", json!([]), "input"),
        ("input", json!({ "role": "user" }), "input"),
        ("input", json!(["Hello"]), "/input/0"),
        ("input", shell_call, "/input/0/environment/container_id"),
        ("input", screenshot, "/input/0/output/file_id"),
        ("input", json!([{ "type": "image_generation_call", "id": "ig_1" }]), "/input/0"),
        ("tools", shell, "/tools/0/environment/container_id"),
        ("tools", kept, "/tools/0/container"),
        ("tools", files, "/tools/0/container/file_ids"),
        ("max_output_tokens", json!(0), "max_output_tokens"),
        ("stream", json!("yes"), "stream"),
    ] {
        let mut body = asked("native", "x");
        body[member] = value;
        let told = respond(&app, "research", &body).await.refused(400, "invalid_request").json();
        assert_eq!(told["error"]["param"], param, "{told}");
        assert!(told["bailiwick"]["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{told}");
    }
    // What says that there is none of it is no reference.
    let mut body = asked("native", "x");
    for name in ["previous_response_id", "conversation", "prompt", "background", "store"] {
        body[name] = Value::Null;
    }
    respond(&app, "research", &body).await.is(200);
    body["store"] = json!(false);
    respond(&app, "research", &body).await.is(200);
    for got in native.received() {
        let got: Value = serde_json::from_slice(&got.body).unwrap();
        assert_eq!(got["store"], false);
    }
    assert_eq!(native.received_count(), 2);
    drop(native);
    app.finish().await;
}

/// A tool that the service runs is a fact that rules ask about, and nothing that another API could stand in for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_of_the_service_reach_the_decision_and_are_not_translated() {
    let (app, claude) = with_claude(false).await;
    let native = with_native(&app).await;
    for (tool, features) in [
        (json!({ "type": "web_search" }), json!(["web_search"])),
        (json!({ "type": "file_search", "vector_store_ids": ["vs_1"] }), json!(["files"])),
        (json!({ "type": "code_interpreter", "container": { "type": "auto" } }), json!(["code_execution"])),
        (
            json!({ "type": "mcp", "server_label": "s", "server_url": "https://mcp.example" }),
            json!(["remote_mcp"]),
        ),
        (json!({ "type": "image_generation" }), json!(["image_generation"])),
    ] {
        let mut body = asked("native", "x");
        body["tools"] = json!([tool]);
        let explained =
            app.post("support", "/v1/decisions:explain", &[], body.to_string()).await.is(200).json();
        assert_eq!(explained["decision"]["facts"]["operation"], "responses", "{explained}");
        assert_eq!(explained["decision"]["facts"]["features"], features, "{tool}");
        for model in ["assistant", "claude"] {
            body["model"] = json!(model);
            let told = respond(&app, "research", &body).await;
            let told = told.refused(400, "not_translatable").json();
            assert_eq!(told["error"]["param"], "tools.0.type", "{told}");
        }
    }
    let mut body = asked("native", "x");
    body["input"] = json!([{ "type": "of_next_year", "text": "x" }]);
    let explained = app.post("support", "/v1/decisions:explain", &[], body.to_string()).await.is(200).json();
    assert!(explained["decision"]["facts"]["features"].as_array().unwrap().len() > 5, "{explained}");
    assert!(app.received().is_empty() && claude.received_count() == 0 && native.received_count() == 0);
    drop((claude, native));
    app.finish().await;
}

/// What is decided about a request, as it is explained: its facts.
async fn facts(app: &TestApp, body: &Value) -> Value {
    let told = app.post("support", "/v1/decisions:explain", &[], body.to_string()).await.is(200).json();
    told["decision"]["facts"].clone()
}

/// Tools may come with an item of the input, and within one another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_reach_the_decision_wherever_they_stand() {
    let app = TestApp::start().await;
    let native = with_native(&app).await;
    let remote = json!({ "type": "mcp", "server_label": "x", "server_url": "https://mcp.example" });
    let crm = json!({ "type": "namespace", "name": "crm", "description": "",
        "tools": [{ "type": "function", "name": "delete_customer" }] });
    let named = json!({ "type": "web_search", "name": "harmless" });
    for (tool, features, tools) in [
        (remote, json!(["remote_mcp"]), json!(["mcp"])),
        (crm, json!([]), json!(["crm", "delete_customer", "namespace"])),
        (named, Value::Null, json!(["harmless", "web_search"])),
    ] {
        let mut body = asked("native", "x");
        body["tools"] = json!([tool]);
        let item = json!({ "type": "tool_search_output", "call_id": "c", "execution": "client", "status": "completed",
            "tools": [tool] });
        let mut brought = asked("native", "x");
        brought["input"] = json!([{ "role": "user", "content": "x" }, item]);
        for body in [body, brought] {
            let facts = facts(&app, &body).await;
            assert_eq!(facts["tools"], tools, "{body}");
            if features.is_null() {
                // It has a member that no such tool has.
                assert!(facts["features"].as_array().unwrap().len() > 5, "{facts}");
            } else {
                assert_eq!(facts["features"], features, "{body}");
            }
        }
    }
    // It is told by any member that only it has.
    for (name, value) in
        [("metadata", json!({ "a": "b" })), ("top_logprobs", json!(1)), ("truncation", json!("auto"))]
    {
        let mut body = asked("native", "x");
        body[name] = value;
        assert_eq!(facts(&app, &body).await["operation"], "responses", "{body}");
    }
    // What a tool holds that cannot be read may be of any class that nobody declared.
    let archive = json!({ "type": "inline", "name": "s", "description": "",
        "source": { "type": "base64", "media_type": "application/zip", "data": "UEsDBAoAAAAA" } });
    let bytes = format!("UEsDBAoAAAAA{}", "Q29udG9zb0FH".repeat(16));
    let (_, plain) = app.create_key(json!({ "scope": "/acme", "name": "plain" })).await;
    respond(&app, &plain, &asked("native", "x")).await.is(200);
    native.clear();
    for tool in [
        json!({ "type": "shell", "environment": { "type": "container_auto", "skills": [archive] } }),
        json!({ "type": "image_generation", "input_image_mask": { "image_url": "data:image/png;base64,AAAA" } }),
        json!({ "type": "function", "name": "f", "parameters": { "default": bytes } }),
    ] {
        let mut body = asked("native", "x");
        body["tools"] = json!([tool]);
        let facts = facts(&app, &body).await;
        assert!(!facts["classes"]["unknown"].as_array().unwrap().is_empty(), "{facts}");
        respond(&app, &plain, &body).await.refused(403, "no_eligible_endpoint");
    }
    assert_eq!(native.received_count(), 0);
    drop(native);
    app.finish().await;
}

/// Of a picture, of a search in files and of the hours of a container no usage tells, so what was held is booked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fees_that_no_usage_tells_are_not_taken_for_nothing() {
    let app = TestApp::start().await;
    let native = with_native(&app).await;
    for (tool, is_paid) in [
        (function(), false),
        (json!({ "type": "image_generation" }), true),
        (json!({ "type": "file_search", "vector_store_ids": ["vs_1"] }), true),
        (json!({ "type": "code_interpreter", "container": { "type": "auto" } }), true),
    ] {
        let mut body = asked("native", "x");
        body["tools"] = json!([tool]);
        body["max_output_tokens"] = json!(1000);
        let reply = respond(&app, "research", &body).await.is(200);
        let records = app.records_of(&reply.decision()).await;
        let used = &records.last().unwrap().sections["usage"];
        let held = &records[0].sections["attempt"]["reserved_nano"];
        assert_eq!(used["doubts"] == json!(["unpriced"]), is_paid, "{tool}: {used}");
        assert_eq!(&used["cost_nano"] == held, is_paid, "{tool}: {used}");
    }
    drop(native);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_leaf_of_an_input_is_looked_at_and_files_within_their_base64() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let app = TestApp::start().await;
    let native = with_native(&app).await;
    let card = "4012888888881881";
    let file = format!("data:text/csv;base64,{}", STANDARD.encode(format!("name;card\nOttilie;{card}\n")));
    let body = json!({ "model": "native", "instructions": format!("Card {card}"), "input": [
        { "role": "user", "content": [
            { "type": "input_text", "text": format!("Card {card}") },
            { "type": "input_file", "filename": "a.csv", "file_data": file },
        ] },
        { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": card }] },
        { "type": "function_call", "call_id": "c", "name": "f", "arguments": format!("{{\"card\":\"{card}\"}}") },
        { "type": "function_call_output", "call_id": "c", "output": [{ "type": "input_text", "text": card }] },
        { "role": "assistant", "content": [{ "type": "output_text", "text": card, "annotations": [] }] },
        { "role": "user", "content": card },
    ], "metadata": { "card": card }, "user": card });
    let reply = respond(&app, "research", &body).await.is(200);
    assert_eq!(reply.header("x-bailiwick-redactions"), Some("CARD=10"));
    let left: Value = serde_json::from_slice(&native.received()[0].body).unwrap();
    assert!(!left.to_string().contains(card), "{left}");
    let data = left["input"][0]["content"][1]["file_data"].as_str().unwrap();
    let told = STANDARD.decode(data.strip_prefix("data:text/csv;base64,").unwrap()).unwrap();
    assert_eq!(String::from_utf8(told).unwrap(), "name;card\nOttilie;****\n");
    let arguments = left["input"][2]["arguments"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(arguments).unwrap(), json!({ "card": "****" }));
    // An image may hold anything.
    let pixels = STANDARD.encode([b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 200]].concat());
    let mut body = asked("native", "x");
    body["input"] = json!([{ "role": "user", "content": [
        { "type": "input_image", "image_url": format!("data:image/png;base64,{pixels}"), "detail": "auto" }] }]);
    let told = app.post("support", "/v1/decisions:explain", &[], body.to_string()).await.is(200).json();
    assert_eq!(told["decision"]["facts"]["features"], json!(["image_input"]), "{told}");
    assert!(!told["decision"]["facts"]["classes"]["unknown"].as_array().unwrap().is_empty(), "{told}");
    drop(native);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thoughts_come_back_to_their_model_as_they_were() {
    let (app, claude) = with_claude(false).await;
    let native = with_native(&app).await;
    for stream in [false, true] {
        for model in ["native", "claude"] {
            claude.clear();
            native.clear();
            if model == "claude" {
                claude.push_behaviour(Behaviour::Say(vec![
                    json!({ "type": "thinking", "thinking": format!("Of {stream}."), "signature": "{signature}" }),
                    json!({ "type": "text", "text": "Yes." }),
                ]));
            }
            let mut body = asked(model, "Nothing of anybody");
            body["stream"] = json!(stream);
            body["reasoning"] = json!({ "effort": "low" });
            body["include"] = json!(["reasoning.encrypted_content"]);
            let reply = respond(&app, "support", &body).await.is(200);
            let (first, _) = answer(&reply, stream);
            let thought = item(&first, "reasoning").clone();
            assert!(thought["encrypted_content"].as_str().unwrap().len() > 128, "{thought}");
            let mut input = vec![json!({ "role": "user", "content": "Nothing of anybody" })];
            input.extend(first["output"].as_array().unwrap().iter().cloned());
            input.push(json!({ "role": "user", "content": "Go on" }));
            body["input"] = json!(input);
            claude.clear();
            native.clear();
            let reply = respond(&app, "support", &body).await.is(200);
            assert_eq!(reply.header("x-bailiwick-left-out"), None, "{model}");
            if model == "native" {
                let left: Value = serde_json::from_str(&sent(&native)).unwrap();
                assert_eq!(left["input"][1], thought);
            } else {
                let left: Value = serde_json::from_str(&sent(&claude)).unwrap();
                let left = &left["messages"][1]["content"][0];
                assert_eq!(left["thinking"], format!("Of {stream}."));
                let seal = thought["encrypted_content"].as_str().unwrap();
                assert!(seal.ends_with(left["signature"].as_str().unwrap()), "{left}");
            }
            // It is known what it was made from, so nothing becomes unknown by it.
            let record = app.records_of(&reply.decision()).await.swap_remove(0);
            assert_eq!(record.sections["facts"]["classes"]["unknown"], json!([]), "{:?}", record.sections);
        }
    }
    // One that no answer told here may hold anything.
    let (_, plain) = app.create_key(json!({ "scope": "/acme", "name": "plain" })).await;
    let mut body = asked("native", "x");
    let strange = bailiwick::demo::simulator::sign("told by somebody else");
    body["input"] = json!([
        { "role": "user", "content": "One" },
        { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": strange },
        { "role": "user", "content": "Two" },
    ]);
    respond(&app, &plain, &body).await.refused(403, "no_eligible_endpoint");
    // A thought that says what a rule redacts in answers goes out, and back, without its text.
    let card = "4111 1111 1111 1111";
    for stream in [false, true] {
        claude.push_behaviour(Behaviour::Say(vec![
            json!({ "type": "thinking", "thinking": format!("The card is {card}, {stream}."), "signature": "{signature}" }),
            json!({ "type": "text", "text": "Yes." }),
        ]));
        let mut body = asked("claude", "x");
        body["stream"] = json!(stream);
        let reply = respond(&app, "support", &body).await.is(200);
        assert!(!reply.text().contains("1111"), "{}", reply.text());
        let (first, _) = answer(&reply, stream);
        let mut thought = item(&first, "reasoning").clone();
        // A client that kept what it was told in pieces.
        thought["summary"] = json!([{ "type": "summary_text", "text": "The card is " }]);
        body["input"] = json!([
            { "role": "user", "content": "x" }, thought, { "role": "assistant", "content": "Yes." },
            { "role": "user", "content": "Go on" },
        ]);
        claude.clear();
        respond(&app, "support", &body).await.is(200);
        let left: Value = serde_json::from_str(&sent(&claude)).unwrap();
        assert_eq!(left["messages"][1]["content"][0]["thinking"], "", "stream {stream}: {left}");
    }
    drop((claude, native));
    app.finish().await;
}

#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
fn said(kind: &str, more: Value) -> Value {
    let mut event = json!({ "type": kind, "sequence_number": 0 });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn told(status: &str) -> Value {
    json!({ "response": { "id": "resp_1", "object": "response", "created_at": 1, "status": status, "model": MODEL,
        "output": [], "usage": { "input_tokens": 5, "output_tokens": 5, "total_tokens": 10 } } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_out_of_order_or_end_too_early_are_failures_in_the_apis_words() {
    let app = TestApp::start().await;
    let native = with_native(&app).await;
    let begin = || said("response.created", told("in_progress"));
    let added = || {
        let item = json!({ "id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": [] });
        said("response.output_item.added", json!({ "output_index": 0, "item": item }))
    };
    let delta = |at: u64| {
        let piece = json!({ "output_index": at, "item_id": "msg_1", "content_index": 0, "delta": "Hi", "logprobs": [] });
        said("response.output_text.delta", piece)
    };
    let end = || said("response.completed", told("completed"));
    let failed = || said("response.failed", told("failed"));
    for (all, result) in [
        (vec![begin(), delta(0), end()], "upstream_malformed"),
        (vec![begin(), added(), delta(0), end()], "upstream_malformed"),
        (vec![begin(), added(), delta(1), end()], "upstream_malformed"),
        (vec![begin(), added(), added(), end()], "upstream_malformed"),
        (vec![begin(), begin(), end()], "upstream_malformed"),
        (vec![begin(), added(), delta(0)], "upstream_malformed"),
        (vec![begin(), json!("[DONE]")], "upstream_malformed"),
        (vec![begin(), added(), failed()], "upstream_error_in_stream"),
        (vec![begin(), said("error", json!({ "message": "x" }))], "upstream_error_in_stream"),
    ] {
        native.push_behaviour(Behaviour::Answer(all.clone()));
        let mut body = asked("native", "x");
        body["stream"] = json!(true);
        let reply = respond(&app, "research", &body).await.is(200);
        let got = events(&reply);
        let last = got.last().unwrap();
        assert_eq!((&last["type"], &last["code"]), (&json!("error"), &json!(result)), "{all:?}: {got:?}");
        assert_eq!(last["error"]["code"], result, "what the vendor's clients raise: {last}");
        assert!(!got.iter().any(|event| event["type"] == "response.completed"), "{got:?}");
        assert_eq!(app.outcome(&reply.decision()).await.sections["outcome"]["result"], result, "{all:?}");
    }
    // What ends before it begins has sent nothing yet, so another endpoint could be tried.
    native.push_behaviour(Behaviour::Answer(vec![end()]));
    let mut body = asked("native", "x");
    body["stream"] = json!(true);
    respond(&app, "research", &body).await.refused(502, "upstream_malformed");
    let mut whole = told("failed")["response"].clone();
    whole["error"] = json!({ "code": "server_error", "message": "x" });
    native.push_behaviour(Behaviour::Answer(vec![whole]));
    respond(&app, "research", &asked("native", "x")).await.refused(502, "upstream_error_in_stream");
    for behaviour in [
        Behaviour::BrokenSse(BrokenSse::HalfJson),
        Behaviour::BrokenSse(BrokenSse::Garbage),
        Behaviour::BrokenSse(BrokenSse::InvalidUtf8),
        Behaviour::BrokenSse(BrokenSse::NoDone),
        Behaviour::BrokenSse(BrokenSse::CutEvent),
        Behaviour::ErrorInStream { after: 4 },
        Behaviour::DieMidStream { after: 4 },
    ] {
        native.push_behaviour(behaviour.clone());
        let reply = respond(&app, "research", &body).await.is(200);
        let got = events(&reply);
        assert_eq!(got.last().unwrap()["type"], "error", "{behaviour:?}: {got:?}");
    }
    drop(native);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probabilities_of_tokens_are_left_out_and_said_to_be() {
    const NOTE: Option<&str> = Some("answer.logprobs");
    let app = TestApp::start().await;
    let native = with_native(&app).await;
    let logprobs = json!([{ "token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": [] }]);
    let part = json!({ "type": "output_text", "text": "Hi", "annotations": [], "logprobs": logprobs });
    let item = json!({ "id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part] });
    for (name, value, is_asked) in [
        ("include", json!(["message.output_text.logprobs"]), true),
        ("top_logprobs", json!(2), true),
        ("top_logprobs", json!(0), false),
        ("include", json!(["reasoning.encrypted_content"]), false),
    ] {
        let mut body = asked("native", "x");
        body[name] = value;
        body["stream"] = json!(true);
        let reply = respond(&app, "research", &body).await.is(200);
        assert_eq!(reply.header("x-bailiwick-left-out") == NOTE, is_asked, "{body}");
    }
    let mut whole = told("completed")["response"].clone();
    whole["output"] = json!([item]);
    native.push_behaviour(Behaviour::Answer(vec![whole]));
    let reply = respond(&app, "research", &asked("native", "x")).await.is(200);
    assert_eq!(reply.header("x-bailiwick-left-out"), NOTE);
    assert_eq!(reply.json()["output"][0]["content"][0]["logprobs"], json!([]));
    drop(native);
    app.finish().await;
}

/// A picture is told as a whole with its item, and once more at the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_a_picture_however_large() {
    let app = TestApp::start().await;
    let native = with_native(&app).await;
    let picture = format!("iVBORw0KGgo{}", "A".repeat(4_400_000));
    let item = |status: &str, result: Value| json!({ "id": "ig_1", "type": "image_generation_call", "status": status, "result": result });
    native.push_behaviour(Behaviour::Answer(vec![
        said("response.created", told("in_progress")),
        said(
            "response.output_item.added",
            json!({ "output_index": 0, "item": item("in_progress", Value::Null) }),
        ),
        said(
            "response.output_item.done",
            json!({ "output_index": 0, "item": item("completed", json!(picture)) }),
        ),
        said("response.completed", told("completed")),
    ]));
    let mut body = asked("native", "x");
    body["stream"] = json!(true);
    body["tools"] = json!([{ "type": "image_generation" }]);
    let reply = respond(&app, "research", &body).await.is(200);
    let got = events(&reply);
    assert_eq!(got.last().unwrap()["type"], "response.completed", "{}", got.len());
    assert!(got[2]["item"]["result"] == *picture, "{}", got[2]["item"]["id"]);
    drop(native);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_comes_back_is_withheld_wherever_it_is_cut() {
    let app = TestApp::start().await;
    let native = with_native(&app).await;
    for stream in [false, true] {
        native.push_behaviour(Behaviour::EchoSecret);
        let mut body = asked("native", "x");
        body["stream"] = json!(stream);
        let reply = respond(&app, "research", &body).await;
        assert!(!reply.text().contains(CREDENTIAL), "{}", reply.text());
        assert!(reply.text().contains("upstream_credential_echo"), "{}", reply.text());
        if stream {
            let said: String = events(&reply)
                .iter()
                .filter_map(|event| event["delta"].as_str().map(str::to_owned))
                .collect();
            assert!(!said.contains("credential-of-"), "{said}");
        }
    }
    drop(native);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_is_told_in_the_shape_of_the_api() {
    let app = TestApp::start().await;
    let native = with_native(&app).await;
    for stream in [false, true] {
        let mut body = asked("native", "x");
        body["stream"] = json!(stream);
        let headers = [("x-bailiwick-dry-run", "1")];
        let reply = app.post("research", "/v1/responses", &headers, body.to_string()).await.is(200);
        let (told, _) = answer(&reply, stream);
        assert!(text(&told).starts_with("Dry run"), "{told}");
        let reasons = if stream { events(&reply).pop().unwrap() } else { told };
        assert_eq!(reasons["bailiwick"]["order"], json!(["native"]), "{reasons}");
    }
    assert_eq!(native.received_count(), 0);
    drop(native);
    app.finish().await;
}
