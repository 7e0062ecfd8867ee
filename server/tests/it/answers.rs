//! What rules do to answers: a value is replaced, or the answer ends before it, as each API ends one; and what is heavy is
//! replaced like anything else.

use std::time::{Duration, Instant};

use bailiwick::demo::simulator::Behaviour;
use bailiwick::git::GitConfig;
use serde_json::{Value, json};

use crate::app::{TestApp, message};
use crate::git::{following, follows};
use crate::messages::{answer, asked, messages};
use crate::repository::Repository;

const MODEL: &str = "gpt-4.1-mini";

const RULES: &str = "\
id: answers-end-before-an-account
title: An answer ends before an account
because: [House policy]
scope: /acme/research
redact: { entities: [IBAN], how: mask, direction: response, stop: true }
---
id: addresses-in-answers-are-masked
title: Addresses in answers are masked
because: [House policy]
scope: /acme/research
redact: { entities: [EMAIL], how: mask, direction: response }
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_redacted_or_ends_as_its_api_ends_one() {
    let repository = Repository::new();
    let git = GitConfig { require_signature: false, allowed_signers: None, ..repository.config() };
    let app = following(git).await;
    std::fs::remove_dir_all(repository.path().join("policy/tests")).unwrap();
    repository.write("rules/answers.yaml", RULES);
    follows(&app, &repository.commit_unsigned("Answers")).await;
    let simulator = app.simulator("openai-us");
    let redacted = (["Write to ottilie@kun", "de.example today"], "Write to **** today", "stop", "end_turn");
    let ended = (["Pay to DE02 1203 00", "00 0000 2020 51 today"], "Pay to ", "content_filter", "refusal");
    for ([head, tail], left, finish, stop) in [redacted, ended] {
        for stream in [false, true] {
            let pieces =
                if stream { vec![head.to_owned(), tail.to_owned()] } else { vec![format!("{head}{tail}")] };
            let said: Vec<Value> =
                pieces.iter().map(|piece| json!({ "role": "assistant", "content": piece })).collect();
            simulator.push_behaviour(Behaviour::Say(said.clone()));
            let mut body = message(MODEL, "x");
            body["stream"] = json!(stream);
            let reply = app.chat("research", &body).await.is(200);
            if stream {
                assert_eq!(reply.streamed(), left);
                let events = reply.events();
                assert_eq!(events.last(), Some(&json!("[DONE]")), "{events:?}");
                let reasons: Vec<&Value> = events
                    .iter()
                    .map(|event| &event["choices"][0]["finish_reason"])
                    .filter(|r| !r.is_null())
                    .collect();
                assert_eq!(reasons, [finish], "{events:?}");
            } else {
                assert_eq!(
                    (reply.said().as_str(), &reply.json()["choices"][0]["finish_reason"]),
                    (left, &json!(finish))
                );
            }
            // The same to a client of Anthropic's API.
            simulator.push_behaviour(Behaviour::Say(said));
            let mut body = asked(MODEL, "x");
            body["stream"] = json!(stream);
            let reply = messages(&app, "research", &body).await.is(200);
            let (blocks, reason, _) = answer(&reply, stream);
            assert_eq!(
                (blocks.len(), &blocks[0]["text"], reason),
                (1, &json!(left), json!(stop)),
                "{}",
                reply.text()
            );
            let outcome = app.outcome(&reply.decision()).await;
            assert_eq!(outcome.sections["outcome"]["result"], "answered", "{outcome:?}");
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_findings_and_words_of_a_megabyte_are_replaced_in_bounded_time() {
    const MANY: usize = 100_000;
    /// Many times what it takes, without optimisation and beside other tests; what is quadratic takes hours.
    const MOST: Duration = Duration::from_secs(120);
    let app = TestApp::start().await;
    let many: String = (0..MANY).map(|n| format!("u{n}@k.example ")).collect();
    let word = "a".repeat(1 << 20);
    let digits = "4".repeat(1 << 20);
    for (text, count) in [
        (many, MANY),
        (format!("{word} u1@k.example {word}"), 1),
        (format!("{digits} u1@k.example {digits}"), 1),
    ] {
        app.forget();
        let started = Instant::now();
        let reply = app.ask("support", "assistant", &text).await.is(200);
        assert!(started.elapsed() < MOST, "{:?}", started.elapsed());
        let told = reply.header("x-bailiwick-redactions");
        assert_eq!(told, Some(format!("EMAIL={count}").as_str()));
        let sent: String = app
            .simulators()
            .flat_map(|simulator| simulator.received())
            .map(|got| String::from_utf8_lossy(&got.body).into_owned())
            .collect();
        assert!(sent.len() > 1_000_000 && !sent.contains("u1@k.example"), "{told:?}");
    }
    app.finish().await;
}
