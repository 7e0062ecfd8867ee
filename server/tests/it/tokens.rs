//! Reversible placeholders: out as placeholders, back as values, for the same client only.

use std::collections::BTreeSet;

use bailiwick::demo::simulator::Behaviour;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::app::{TestApp, message};

const PERSON: &str = "ottilie.brandt@kunde.example";

fn placeholders(text: &str) -> BTreeSet<String> {
    text.split('<')
        .skip(1)
        .filter_map(|rest| Some(format!("<{}>", rest.split_once('>')?.0)))
        .filter(|p| p.contains('_'))
        .collect()
}

fn tool() -> Value {
    json!({ "type": "function", "function": { "name": "look_up_customer", "parameters": {
        "type": "object", "properties": { "key": { "type": "string" }, "limit": { "type": "integer" } } } } })
}

fn upstream(app: &TestApp) -> String {
    app.simulators()
        .flat_map(|simulator| simulator.received())
        .map(|got| String::from_utf8_lossy(&got.body).into_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_come_back_in_text_and_tool_calls_streamed_or_not() {
    let app = TestApp::start().await;
    let text = format!("Use look_up_customer for {PERSON} and IBAN DE89 3704 0044 0532 0130 00 please");
    for stream in [false, true] {
        for tools in [false, true] {
            app.forget();
            let mut body = message("assistant", &text);
            body["stream"] = json!(stream);
            if tools {
                body["tools"] = json!([tool()]);
            }
            let reply = app.chat("support", &body).await.is(200);
            let sent = upstream(&app);
            assert!(!sent.contains(PERSON) && !sent.contains("0532"), "{sent}");
            assert_eq!(placeholders(&sent).len(), 2, "{sent}");
            let said = match (stream, tools) {
                (false, false) => reply.said(),
                (true, false) => reply.streamed(),
                (false, true) => {
                    reply.json()["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
                        .as_str()
                        .unwrap()
                        .to_owned()
                }
                (true, true) => reply
                    .events()
                    .iter()
                    .filter_map(|event| {
                        event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"]
                            .as_str()
                            .map(str::to_owned)
                    })
                    .collect(),
            };
            if tools {
                let arguments: Value = serde_json::from_str(&said).expect(&said);
                assert_eq!(arguments["key"], PERSON, "{said}");
            } else {
                assert!(said.contains(&text), "{said}");
            }
            assert!(placeholders(reply.text()).is_empty(), "{}", reply.text());
            assert_eq!(reply.header("x-bailiwick-redactions"), Some("EMAIL=1,IBAN=1"));
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tools_results_and_history_are_replaced_too() {
    let app = TestApp::start().await;
    let body = json!({
        "model": "assistant", "tools": [tool()],
        "messages": [
            { "role": "user", "content": "Look the customer up" },
            { "role": "assistant", "tool_calls": [{ "id": "c1", "type": "function", "function": {
                "name": "look_up_customer", "arguments": format!("{{\"key\":\"{PERSON}\"}}") } }] },
            { "role": "tool", "tool_call_id": "c1", "content": format!("{PERSON} lives in Hamburg") },
        ],
    });
    let reply = app.chat("support", &body).await.is(200);
    let sent = upstream(&app);
    assert!(!sent.contains(PERSON), "{sent}");
    assert_eq!(placeholders(&sent).len(), 1, "one value, one placeholder: {sent}");
    assert!(reply.said().contains(PERSON), "{}", reply.said());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_placeholder_is_stable_within_a_session_of_one_key() {
    let app = TestApp::start().await;
    let body = message("assistant", &format!("Write to {PERSON}")).to_string();
    let (_, second) = app.create_key(json!({ "scope": "/acme/retail/support", "name": "second" })).await;
    let mut seen = Vec::new();
    for (key, session) in [
        ("support", "a"),
        ("support", "a"),
        ("support", "b"),
        (second.as_str(), "a"),
        ("support", ""),
        ("support", ""),
    ] {
        app.forget();
        app.post(key, "/v1/chat/completions", &[("x-bailiwick-session", session)], body.clone())
            .await
            .is(200);
        seen.push(placeholders(&upstream(&app)));
    }
    assert!(seen.iter().all(|found| found.len() == 1), "{seen:?}");
    assert_eq!(seen[0], seen[1]);
    let different: BTreeSet<_> = seen.iter().flatten().collect();
    assert_eq!(different.len(), 5, "{seen:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_placeholder_of_another_session_is_not_restored() {
    let app = TestApp::start().await;
    let body = message("assistant", &format!("Write to {PERSON}")).to_string();
    app.post("support", "/v1/chat/completions", &[("x-bailiwick-session", "a")], body).await.is(200);
    let placeholder = placeholders(&upstream(&app)).pop_first().unwrap();
    let asked = message("assistant", &format!("Who is {placeholder}?")).to_string();
    for session in ["b", "a"] {
        let reply = app
            .post("support", "/v1/chat/completions", &[("x-bailiwick-session", session)], asked.clone())
            .await
            .is(200);
        assert!(reply.said().contains(&placeholder) && !reply.text().contains(PERSON), "{}", reply.text());
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn credentials_and_cards_never_come_back() {
    let app = TestApp::start().await;
    let secret = "AKIAZ7QX3MPL5TRW2KVN";
    let text = format!("My key is {secret} and my card 5555 5555 5555 4444.");
    for stream in [false, true] {
        let mut body = message("assistant", &text);
        body["stream"] = json!(stream);
        let reply = app.chat("support", &body).await.is(200);
        let said = if stream { reply.streamed() } else { reply.said() };
        assert!(!said.contains(secret) && !said.contains("5555 5555"), "{said}");
        assert_eq!(reply.header("x-bailiwick-redactions"), Some("CARD=1,CREDENTIAL=1"));
    }
    let sent = upstream(&app);
    assert!(!sent.contains(secret) && !sent.contains("5555 5555"), "{sent}");
    app.finish().await;
}

/// The client splits a number over two parts, which no scan of a request sees; the model puts it together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_number_in_an_answer_is_masked() {
    let app = TestApp::start().await;
    for stream in [false, true] {
        let parts = json!([{ "type": "text", "text": "Say 5555 5555" }, { "type": "text", "text": "5555 4444 twice" }]);
        let body = json!({ "model": "assistant", "stream": stream, "messages": [{ "role": "user", "content": parts }] });
        let reply = app.chat("support", &body).await.is(200);
        let said = if stream { reply.streamed() } else { reply.said() };
        assert!(said.contains("Say") && said.contains("twice"), "{said}");
        assert!(!said.contains("4444"), "{said}");
        let outcome = app.outcome(&reply.decision()).await;
        assert_eq!(outcome.sections["outcome"]["response_redactions"], json!({ "CARD": 1 }));
    }
    app.finish().await;
}

/// Every answer of several is restored on its own, however their pieces come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_several_answers_is_restored() {
    let app = TestApp::start().await;
    let text = format!(
        "{PERSON} wrote; answer {PERSON} or ines.kohl@kunde.example, not <EMAIL_AAAAAAAA> {}",
        "again ".repeat(60)
    );
    for stream in [false, true] {
        let mut body = message("assistant", &text);
        body["n"] = json!(3);
        body["stream"] = json!(stream);
        let reply = app.chat("support", &body).await.is(200);
        let mut said = vec![String::new(); 3];
        let bodies = if stream { reply.events() } else { vec![reply.json()] };
        for choice in bodies.iter().filter_map(|body| body["choices"].as_array()).flatten() {
            let part = if stream { &choice["delta"]["content"] } else { &choice["message"]["content"] };
            said[choice["index"].as_u64().unwrap() as usize].push_str(part.as_str().unwrap_or_default());
        }
        for said in said {
            assert!(said.contains(text.trim_end()), "{said}");
        }
        assert_eq!(reply.header("x-bailiwick-redactions"), Some("EMAIL=3"));
    }
    let sent = upstream(&app);
    assert!(!sent.contains("kunde.example"), "{sent}");
    app.finish().await;
}

/// The one endpoint that is asked answers with just this; what the client gets, streamed and whole.
async fn told(app: &TestApp, said: &[Value]) -> (Vec<Value>, Value) {
    app.simulator("vllm-germany").set_behaviour(Behaviour::Say(said.to_vec()));
    let mut body = message("gpt-oss-120b", &format!("It is {PERSON}"));
    let whole = app.chat("support", &body).await.is(200).json()["choices"][0]["message"].clone();
    body["stream"] = json!(true);
    let reply = app.chat("support", &body).await.is(200);
    let deltas: Vec<Value> = reply
        .events()
        .iter()
        .map(|event| event["choices"][0]["delta"].clone())
        .filter(|delta| delta.as_object().is_some_and(|delta| !delta.is_empty()))
        .collect();
    (deltas, whole)
}

/// A message or delta with a text at one position.
type Spot = fn(&str) -> Value;

/// Wherever a model puts a placeholder, in two pieces or whole, the client finds the value there and nowhere else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_come_back_at_the_position_of_their_placeholder() {
    let app = TestApp::start().await;
    let spots: [(&str, Spot); 8] = [
        ("/content", |t| json!({ "content": t })),
        ("/refusal", |t| json!({ "refusal": t })),
        ("/reasoning_content", |t| json!({ "reasoning_content": t })),
        ("/content/0/text", |t| json!({ "content": [{ "type": "text", "text": t }] })),
        (
            "/tool_calls/0/custom/input",
            |t| json!({ "tool_calls": [{ "index": 0, "id": "c", "type": "custom", "custom": { "name": "run", "input": t } }] }),
        ),
        (
            "/tool_calls/0/function/arguments",
            |t| json!({ "tool_calls": [{ "index": 3, "function": { "arguments": t } }] }),
        ),
        (
            "/tool_calls/0/function/arguments",
            |t| json!({ "tool_calls": [{ "id": "c", "type": "function", "function": { "arguments": t } }] }),
        ),
        ("/function_call/arguments", |t| json!({ "function_call": { "arguments": t } })),
    ];
    for (pointer, spot) in spots {
        let pieces = ["{\"to\":\"{0<}", "{0>}", " or {0} or <EMAIL_23456789>", "\"}"];
        let said: Vec<Value> = pieces.iter().map(|piece| spot(piece)).collect();
        let (deltas, _) = told(&app, &said).await;
        let got: String = deltas
            .iter()
            .map(|delta| delta.pointer(pointer).and_then(Value::as_str).expect(pointer))
            .collect();
        let wanted = format!("{{\"to\":\"{PERSON} or {PERSON} or <EMAIL_23456789>\"}}");
        assert_eq!(got, wanted, "{deltas:?}");
        let (_, whole) = told(&app, &[spot(&pieces.concat().replace("{0<}{0>}", "{0}"))]).await;
        assert_eq!(whole.pointer(pointer).and_then(Value::as_str), Some(wanted.as_str()), "{whole}");
    }
    assert!(!upstream(&app).contains(PERSON));
    app.finish().await;
}

/// What a JSON text in a string says behind its escapes is found, and what is sent on is JSON again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn escapes_in_json_within_strings_hide_nothing() {
    let app = TestApp::start().await;
    let escaped = PERSON.replace('@', "\\u0040").replace('o', "\\u006F");
    let inner = format!("{{\"mail\":\"{escaped}\",\"{escaped}\":[\"\\n{PERSON}\",4111111111111111]}}");
    let nested = json!({ "text": inner }).to_string();
    let call = |arguments: &str| json!({ "name": "f", "arguments": arguments });
    let body = json!({ "model": "gpt-oss-120b", "messages": [
        { "role": "user", "content": "x" },
        { "role": "assistant", "tool_calls": [{ "id": "a", "type": "function", "function": call(&inner) }] },
        { "role": "tool", "tool_call_id": "a", "content": nested },
        { "role": "assistant", "function_call": call(&format!("\"{escaped}\"")) },
        { "role": "assistant", "tool_calls": [{ "id": "b", "type": "custom", "custom": { "name": "g", "input": inner } }] },
    ] });
    let reply = app.chat("support", &body).await.is(200);
    assert_eq!(reply.header("x-bailiwick-redactions"), Some("EMAIL=10,CARD=3"));
    let sent: Value = serde_json::from_str(&app.only_body("vllm-germany")).unwrap();
    let messages = &sent["messages"];
    let read = |text: &Value| -> Value { serde_json::from_str(text.as_str().unwrap()).unwrap() };
    let outer = read(&messages[2]["content"]);
    for got in [
        read(&messages[1]["tool_calls"][0]["function"]["arguments"]),
        read(&outer["text"]),
        read(&messages[4]["tool_calls"][0]["custom"]["input"]),
    ] {
        let placeholder = got["mail"].as_str().unwrap();
        assert!(placeholder.starts_with("<EMAIL_") && placeholder.ends_with('>'), "{got}");
        assert_eq!(got[placeholder], json!([format!("\n{placeholder}"), "****"]), "{got}");
    }
    assert!(read(&messages[3]["function_call"]["arguments"]).as_str().unwrap().starts_with("<EMAIL_"));
    app.finish().await;
}

/// Two members of one object whose names are masked stay two.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn masked_names_stay_apart() {
    let app = TestApp::start().await;
    let cards =
        json!({ "4111 1111 1111 1111": 1, "5555 5555 5555 4444": 2, "****": 3, "of 4111111111111111": 4 });
    let mut body = message("gpt-oss-120b", "x");
    body["metadata"] = cards.clone();
    body["messages"][0]["tool_calls"] = json!([{ "id": "a", "type": "function", "function": { "name": "f", "arguments": cards.to_string() } }]);
    app.chat("support", &body).await.is(200);
    let sent: Value = serde_json::from_str(&app.only_body("vllm-germany")).unwrap();
    let inner = sent["messages"][0]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
    for object in [&sent["metadata"], &serde_json::from_str(inner).unwrap()] {
        let members = object.as_object().unwrap();
        let mut values: Vec<i64> = members.values().map(|value| value.as_i64().unwrap()).collect();
        values.sort_unstable();
        assert_eq!(values, [1, 2, 3, 4], "{object}");
        assert!(members.keys().all(|name| name.contains("****")), "{object}");
    }
    app.finish().await;
}

/// Everything that a body says, decoded, JSON in strings included.
fn said_by(value: &Value, said: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(key, member)| {
            said.push(key.clone());
            said_by(member, said);
        }),
        Value::Array(items) => items.iter().for_each(|item| said_by(item, said)),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(inner) if text.starts_with(['{', '[']) => said_by(&inner, said),
            _ => said.push(text.clone()),
        },
        other => said.push(other.to_string()),
    }
}

/// Bodies of any shape: nothing of a value arrives, every body that arrives has the shape that was sent, and what the
/// model says back arrives as it was written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_any_shape_are_redacted_and_restored() {
    let app = TestApp::start().await;
    let values = [PERSON, "DE02120300000000202051", "ines.kohl@kunde.example"];
    let text = proptest::collection::vec(
        proptest::sample::select(vec![
            values[0],
            values[1],
            values[2],
            "and",
            "\n",
            "say \"so\"",
            "\\ \u{e9}",
        ]),
        0..5,
    )
    .prop_map(|words| words.join(" "));
    let leaf = prop_oneof![4 => text.clone().prop_map(Value::from), 1 => any::<i16>().prop_map(Value::from)];
    let shape = leaf.prop_recursive(3, 24, 4, move |inner| {
        let member = (text.clone(), inner.clone());
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(member, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
            // The same again as JSON in a string, with more escapes than it needs.
            inner.prop_map(|inner| json!([inner]).to_string().replace('@', "\\u0040").into()),
        ]
    });
    let mut runner = TestRunner::deterministic();
    for _ in 0..60 {
        app.forget();
        let shape = shape.new_tree(&mut runner).unwrap().current();
        let asked = format!("{} and {}", values[0], shape).chars().take(600).collect::<String>();
        // A value that is cut off in the middle is none.
        let asked = format!("{} and", asked.rsplit_once(" and").unwrap().0);
        let mut body = message("gpt-oss-120b", &asked);
        body["metadata"] = json!({ "shape": shape });
        body["messages"][0]["tool_calls"] = json!([{ "id": "a", "type": "function",
            "function": { "name": "f", "arguments": json!({ "shape": shape }).to_string() } }]);
        let reply = app.chat("support", &body).await.is(200);
        let sent: Value = serde_json::from_str(&app.only_body("vllm-germany")).unwrap();
        let (mut before, mut after) = (Vec::new(), Vec::new());
        said_by(&body["metadata"], &mut before);
        said_by(&sent["metadata"], &mut after);
        assert_eq!(before.len(), after.len(), "{body} {sent}");
        said_by(&sent, &mut after);
        for said in &after {
            assert!(values.iter().all(|value| !said.contains(value)), "{said:?} in {sent}");
        }
        let arguments = sent["messages"][0]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
        assert!(serde_json::from_str::<Value>(arguments).is_ok(), "{arguments}");
        assert!(reply.said().contains(&asked), "{asked:?} became {:?}", reply.said());
    }
    app.finish().await;
}
