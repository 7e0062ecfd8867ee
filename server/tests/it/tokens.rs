//! Reversible placeholders: out as placeholders, back as values, for the same client only.

use std::collections::BTreeSet;

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
