//! Thoughts that a provider signed: they go back as they came, or without their text, and what they may hold is known.

use bailiwick::demo::simulator::{Behaviour, sign};
use serde_json::{Value, json};

use crate::messages::{PERSON, answer, asked, messages, refused, sent, with_claude};

/// What a client adds to a conversation: what it was answered, and what it says to that.
fn next_turn(blocks: &[Value]) -> [Value; 2] {
    [json!({ "role": "assistant", "content": blocks }), json!({ "role": "user", "content": "Go on" })]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thoughts_and_their_signatures_are_never_altered() {
    let (app, claude) = with_claude(false).await;
    for stream in [false, true] {
        let mut body = asked("claude", &format!("Write to {PERSON}"));
        body["stream"] = json!(stream);
        body["thinking"] = json!({ "type": "enabled", "budget_tokens": 1024 });
        let reply = messages(&app, "support", &body).await.is(200);
        let (blocks, _, _) = answer(&reply, stream);
        let signature = blocks[0]["signature"].as_str().unwrap().to_owned();
        assert_eq!(
            (&blocks[0]["type"], &blocks[0]["thinking"]),
            (&json!("thinking"), &json!("Simulated thought."))
        );
        assert!(signature.len() > 200);
        claude.clear();
        body["messages"].as_array_mut().unwrap().extend(next_turn(&blocks));
        messages(&app, "support", &body).await.is(200);
        let left: Value = serde_json::from_str(&sent(&claude)).unwrap();
        assert_eq!(left["messages"][1]["content"][0], blocks[0]);
    }
    // A thought that says what a rule redacts in answers is left out, not altered.
    let card = "4111 1111 1111 1111";
    let thought = json!({ "type": "thinking", "thinking": format!("The card is {card}, I think."), "signature": "{signature}" });
    let said = json!({ "type": "text", "text": format!("The card is {card}.") });
    for stream in [false, true] {
        claude.push_behaviour(Behaviour::Say(vec![thought.clone(), said.clone()]));
        let mut body = asked("claude", "x");
        body["stream"] = json!(stream);
        let reply = messages(&app, "support", &body).await.is(200);
        assert!(!reply.text().contains("1111"), "{}", reply.text());
        let (blocks, _, _) = answer(&reply, stream);
        assert_eq!(blocks[0]["signature"], sign(thought["thinking"].as_str().unwrap()));
        let left = blocks[0]["thinking"].as_str().unwrap();
        assert!("The card is ".starts_with(left), "{left}");
        // It goes back without any of its text, which the provider takes; a part of it is not what was signed.
        claude.clear();
        body["messages"].as_array_mut().unwrap().extend(next_turn(&blocks));
        messages(&app, "support", &body).await.is(200);
        let sent: Value = serde_json::from_str(&sent(&claude)).unwrap();
        assert_eq!((&sent["messages"][1]["content"][0]["thinking"]), &json!(""), "stream {stream}");
    }
    drop(claude);
    app.finish().await;
}

/// The model thought of somebody, whom a rule has replaced in requests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thought_that_may_not_leave_leaves_without_its_text_and_never_in_part() {
    let (app, claude) = with_claude(false).await;
    let thought =
        json!({ "type": "thinking", "thinking": format!("Write to {PERSON}."), "signature": "{signature}" });
    let said = json!({ "type": "text", "text": "Done." });
    for stream in [false, true] {
        claude.push_behaviour(Behaviour::Say(vec![thought.clone(), said.clone()]));
        let mut body = asked("claude", "Hello");
        body["stream"] = json!(stream);
        let (blocks, _, _) = answer(&messages(&app, "support", &body).await.is(200), stream);
        assert!(blocks[0]["thinking"].as_str().unwrap().contains(PERSON), "{blocks:?}");
        claude.clear();
        body["messages"].as_array_mut().unwrap().extend(next_turn(&blocks));
        let reply = messages(&app, "support", &body).await.is(200);
        assert_eq!(reply.header("x-bailiwick-redactions"), Some("EMAIL=1"));
        let left: Value = serde_json::from_str(&sent(&claude)).unwrap();
        let left = &left["messages"][1]["content"][0];
        assert_eq!((&left["thinking"], &left["signature"]), (&json!(""), &blocks[0]["signature"]));
        assert!(!sent(&claude).contains(PERSON));
    }
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sealed_thought_brings_the_classes_of_what_it_was_made_from_and_a_strange_one_all() {
    let (app, claude) = with_claude(false).await;
    let (_, plain) = app.create_key(json!({ "scope": "/acme", "name": "plain" })).await;
    let version = ("anthropic-version", "2023-06-01");
    for stream in [false, true] {
        let mut body = asked("claude", "Nothing of anybody");
        body["stream"] = json!(stream);
        body["thinking"] = json!({ "type": "enabled", "budget_tokens": 1024 });
        let declared = [version, ("x-bailiwick-data-class", "personal")];
        // Each conversation has a thought of its own.
        let thought = format!("Of stream {stream}.");
        claude.push_behaviour(Behaviour::Say(vec![
            json!({ "type": "thinking", "thinking": thought, "signature": "{signature}" }),
            json!({ "type": "redacted_thinking", "data": sign(&format!("hidden, {thought}")) }),
            json!({ "type": "text", "text": "Yes." }),
        ]));
        let reply = app.post(&plain, "/v1/messages", &declared, body.to_string()).await.is(200);
        let (blocks, _, _) = answer(&reply, stream);
        for sealed in 0..2 {
            // Nothing is declared any more, and nothing else is left of what was said.
            let mut next = asked("claude", "x");
            let turn = next_turn(&[blocks[sealed].clone(), blocks[2].clone()]);
            next["messages"].as_array_mut().unwrap().extend(turn);
            let reply = messages(&app, &plain, &next).await.is(200);
            let record = app.records_of(&reply.decision()).await.swap_remove(0);
            assert_eq!(
                record.sections["facts"]["classes"]["yes"],
                json!(["personal"]),
                "{:?}",
                record.sections
            );
            let sources = &record.sections["decision"]["class_sources"];
            assert_eq!(*sources, json!([{ "value": "personal", "source": "thought" }]));
            let explained = app.post(&plain, "/v1/decisions:explain", &[version], next.to_string()).await;
            assert_eq!(explained.is(200).json()["decision"]["facts"]["classes"]["yes"], json!(["personal"]));

            // One that no answer told here may hold anything.
            let strange = sign("told by somebody else");
            let name = if sealed == 0 { "signature" } else { "data" };
            next["messages"][1]["content"][0][name] = json!(strange);
            if sealed == 0 {
                next["messages"][1]["content"][0]["thinking"] = json!("");
            }
            claude.clear();
            let told =
                refused(messages(&app, &plain, &next).await, 403, "permission_error", "no_eligible_endpoint");
            assert!(told["bailiwick"]["fix"].as_str().unwrap().contains("thought"), "{told}");
            assert_eq!(claude.received_count(), 0);
        }
    }
    // They are forgotten in the end.
    let forget =
        |days: i64| app.app().gateway.sealed.forget(app.app().gateway.clock.now_ms() + days * 86_400_000);
    assert_eq!(forget(29).await.unwrap(), 0);
    assert_eq!(forget(31).await.unwrap(), 4);
    drop(claude);
    app.finish().await;
}
