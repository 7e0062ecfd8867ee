//! What a rule redacts is in no byte anywhere: random kinds, at random places of random requests in each API, under random
//! actions, held against everything that the server sends, says or keeps. So is what a provider answers, as far as a rule
//! redacts answers; and none of it is kept.
//!
//! The texts are those of the detector's own tables, every kind of number among them, and values that are drawn anew, some of
//! them spelt in another way. What may not be seen is whatever the detector of the policy in force finds in a text: the test
//! knows no values of its own. `BAILIWICK_TEST_SEED` runs one sequence again.

use std::collections::{BTreeMap, BTreeSet};

use bailiwick::demo::simulator::Behaviour;
use bailiwick::git::GitConfig;
use bailiwick_pii::{Detector, EntitySet, EntityType, NumberKind};
use bailiwick_policy::BundleSource;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::app::{logs, metrics, stored};
use crate::git::{following, follows};
use crate::reply::Reply;
use crate::repository::Repository;

/// A shorter value may stand somewhere by chance.
const LONG: usize = 8;

fn cases() -> usize {
    if std::env::var_os("BAILIWICK_TEST_FULL").is_some() { 400 } else { 30 }
}

/// A text with something in it: from the tables, or drawn.
fn text() -> impl Strategy<Value = String> {
    let tables: Vec<String> = NumberKind::all()
        .flat_map(|kind| kind.examples)
        .map(|example| example.replace(['[', ']'], ""))
        .collect();
    let letters = "[a-z]{7,12}";
    let digits = |count: usize| proptest::collection::vec(0..10_u8, count);
    prop_oneof![
        4 => select(tables),
        2 => (letters, letters).prop_map(|(one, two)| format!("write to {one}.{two}@kunde.example")),
        1 => digits(15).prop_map(|digits| format!("card {}", card(digits))),
        1 => digits(18).prop_map(|digits| format!("IBAN {}", iban(&digits))),
        1 => digits(7).prop_map(|digits| format!("call +49 171 {}", joined(&digits))),
        1 => letters.prop_map(|name| format!("see https://intranet.{name}.example/people/{name}")),
        1 => "[A-Z2-7]{16}".prop_map(|key| format!("the key AKIA{key} is ours")),
        1 => "[a-z]{6}[0-9]{4}[a-z]{6}".prop_map(|word| format!("password = {word}")),
        1 => (letters, 10..99_u8).prop_map(|(name, number)| {
            let (first, rest) = name.split_at(1);
            format!("she lives at {number} {}{rest} Street", first.to_uppercase())
        }),
        1 => letters.prop_map(|name| format!("postgres://app:{name}7x@db.internal:5432/app")),
    ]
}

/// A text, sometimes spelt as something that reads the same.
fn spelt() -> impl Strategy<Value = String> {
    let way = prop_oneof![6 => Just(0), 1 => 1..6_u8];
    (text(), way).prop_map(|(text, way)| match way {
        1 => {
            text.chars().flat_map(|c| [Some(c), c.is_ascii_digit().then_some('\u{200b}')]).flatten().collect()
        }
        2 => {
            let wide = |c: char| c.to_digit(10).and_then(|digit| char::from_u32(0xff10 + digit)).unwrap_or(c);
            text.chars().map(wide).collect()
        }
        3 => text.replace('@', "%40"),
        4 => text.replace('@', "&#64;"),
        5 => {
            use base64::Engine as _;
            format!("it is {} so", base64::engine::general_purpose::STANDARD.encode(text))
        }
        _ => text,
    })
}

fn joined(digits: &[u8]) -> String {
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

/// A number with the check digit of ISO/IEC 7812-1.
fn card(mut digits: Vec<u8>) -> String {
    digits[0] = 4;
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let double = u32::from(*digit) * if at % 2 == 0 { 2 } else { 1 };
            if double > 9 { double - 9 } else { double }
        })
        .sum();
    digits.push(u8::try_from((10 - sum % 10) % 10).unwrap());
    joined(&digits)
}

/// A German IBAN with the check digits of ISO 13616-1.
fn iban(digits: &[u8]) -> String {
    let body = joined(digits);
    let rest =
        format!("{body}131400").bytes().fold(0_u32, |rest, digit| (rest * 10 + u32::from(digit - b'0')) % 97);
    format!("DE{:02}{body}", 98 - rest)
}

/// Where a text stands, and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    System,
    Message,
    Part,
    EscapedPart,
    ToolArguments,
    ToolResult,
    ToolDescription,
    KeyOfMetadata,
    Metadata,
    User,
    Unknown,
    JsonInText,
    TextFile,
    Stop,
    /// In Anthropic's API, anywhere.
    OfAMessage,
    /// What is embedded.
    Embedded,
    /// What a provider says.
    Answer,
}

const PLACES: [Place; 14] = [
    Place::System,
    Place::Message,
    Place::Part,
    Place::EscapedPart,
    Place::ToolArguments,
    Place::ToolResult,
    Place::ToolDescription,
    Place::KeyOfMetadata,
    Place::Metadata,
    Place::User,
    Place::Unknown,
    Place::JsonInText,
    Place::TextFile,
    Place::Stop,
];

/// Every character as `\uXXXX`.
fn escaped(text: &str) -> String {
    text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// A body with the texts at their places. As text, since some are written in a way that no library writes.
fn body(model: &str, stream: bool, texts: &[(Place, String)]) -> String {
    let (mut messages, mut members, mut tools) = (Vec::new(), Vec::new(), Vec::new());
    for (at, (place, text)) in texts.iter().enumerate() {
        let quoted = json!(text).to_string();
        let user = |content: String| format!(r#"{{"role":"user","content":{content}}}"#);
        match place {
            Place::System => messages.push(format!(r#"{{"role":"system","content":{quoted}}}"#)),
            Place::Message => messages.push(user(quoted)),
            Place::Part => messages.push(user(format!(r#"[{{"type":"text","text":{quoted}}}]"#))),
            Place::EscapedPart => {
                messages.push(user(format!(r#"[{{"type":"text","text":"{}"}}]"#, escaped(text))));
            }
            Place::ToolArguments => {
                let arguments = json!(json!({ "a": { "b": [text, 7] } }).to_string());
                messages.push(format!(
                    r#"{{"role":"assistant","content":null,"tool_calls":[{{"id":"c{at}","type":"function","function":{{"name":"f","arguments":{arguments}}}}}]}}"#
                ));
                messages.push(format!(r#"{{"role":"tool","tool_call_id":"c{at}","content":"done"}}"#));
            }
            Place::ToolResult => {
                messages.push(format!(
                    r#"{{"role":"assistant","content":null,"tool_calls":[{{"id":"r{at}","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}}"#
                ));
                messages.push(format!(r#"{{"role":"tool","tool_call_id":"r{at}","content":{quoted}}}"#));
            }
            Place::ToolDescription => tools.push(format!(
                r#"{{"type":"function","function":{{"name":"t{at}","description":{quoted}}}}}"#
            )),
            Place::KeyOfMetadata => members.push(format!(r#""m{at}":{{{quoted}:"x"}}"#)),
            Place::Metadata => members.push(format!(r#""m{at}":{{"k":{quoted}}}"#)),
            Place::User => messages.push(format!(r#"{{"role":"user","name":{quoted},"content":"x"}}"#)),
            Place::Unknown => members.push(format!(r#""x{at}":[[{{"deep":{quoted}}}],null]"#)),
            Place::JsonInText => {
                let inner = json!(json!([{ "v": json!({ "w": text }).to_string() }]).to_string());
                messages.push(user(inner.to_string()));
            }
            Place::TextFile => {
                use base64::Engine as _;
                let data = base64::engine::general_purpose::STANDARD.encode(format!("a;b\n{text}\n"));
                messages.push(user(format!(
                    r#"[{{"type":"file","file":{{"filename":"a.csv","file_data":"data:text/csv;base64,{data}"}}}}]"#
                )));
            }
            Place::Stop => members.push(format!(r#""s{at}":[{quoted}]"#)),
            // Not of a request of this API.
            Place::OfAMessage | Place::Embedded | Place::Answer => {}
        }
    }
    if messages.is_empty() {
        messages.push(String::from(r#"{"role":"user","content":"x"}"#));
    }
    members.insert(0, format!(r#""messages":[{}]"#, messages.join(",")));
    if !tools.is_empty() {
        members.push(format!(r#""tools":[{}]"#, tools.join(",")));
    }
    format!(r#"{{"model":"{model}","stream":{stream},{}}}"#, members.join(","))
}

/// The same texts in a body of Anthropic's API, each at another place.
fn body_of_messages(model: &str, stream: bool, texts: &[(Place, String)]) -> Value {
    let text = |at: usize| texts.get(at).map_or("x", |(_, text)| text.as_str());
    let call =
        json!({ "type": "tool_use", "id": "toolu_1", "name": "f", "input": { "a": [text(1), { "n": 7 }] } });
    let result = json!({ "type": "tool_result", "tool_use_id": "toolu_1",
        "content": [{ "type": "text", "text": text(2) }] });
    json!({ "model": model, "max_tokens": 100, "stream": stream,
        "system": [{ "type": "text", "text": text(0) }],
        "tools": [{ "name": "f", "description": text(3), "input_schema": { "type": "object", "properties": {} } }],
        "messages": [
            { "role": "user", "content": text(4) },
            { "role": "assistant", "content": [{ "type": "text", "text": text(3) }, call] },
            { "role": "user", "content": [result, { "type": "text", "text": text(0) }] },
        ] })
}

/// What a provider says, in pieces: a text, or arguments with one.
fn deltas(text: &str, arguments: bool, cut: usize) -> Vec<Value> {
    let whole = if arguments { json!({ "a": text }).to_string() } else { format!("It is {text} .") };
    let mut at = cut % whole.len();
    while !whole.is_char_boundary(at) {
        at -= 1;
    }
    let delta = |piece: &str| {
        if !arguments {
            return json!({ "role": "assistant", "content": piece });
        }
        let function = json!({ "name": "f", "arguments": piece });
        json!({ "role": "assistant", "content": null,
            "tool_calls": [{ "index": 0, "id": "call_1", "type": "function", "function": function }] })
    };
    vec![delta(&whole[..at]), delta(&whole[at..])]
}

/// All that a client puts together of an answer.
fn put_together(reply: &Reply, stream: bool) -> String {
    let of = |message: &Value| {
        let arguments = message["tool_calls"][0]["function"]["arguments"].as_str();
        format!("{}{}", message["content"].as_str().unwrap_or_default(), arguments.unwrap_or_default())
    };
    if !stream {
        return of(&reply.json()["choices"][0]["message"]);
    }
    reply.events().iter().map(|event| of(&event["choices"][0]["delta"])).collect()
}

/// The same as an input for a response. What is no member of the API is none here either.
fn input(model: &str, stream: bool, texts: &[(Place, String)]) -> String {
    let (mut items, mut members, mut tools) = (Vec::new(), Vec::new(), Vec::new());
    for (at, (place, text)) in texts.iter().enumerate() {
        let quoted = json!(text).to_string();
        let user = |content: String| format!(r#"{{"role":"user","content":{content}}}"#);
        let call = |arguments: String| {
            format!(r#"{{"type":"function_call","call_id":"c{at}","name":"f","arguments":{arguments}}}"#)
        };
        let output = |output: String| {
            format!(r#"{{"type":"function_call_output","call_id":"c{at}","output":{output}}}"#)
        };
        match place {
            Place::System => items.push(format!(r#"{{"role":"developer","content":{quoted}}}"#)),
            Place::Message => items.push(user(quoted)),
            Place::Part => items.push(user(format!(r#"[{{"type":"input_text","text":{quoted}}}]"#))),
            Place::EscapedPart => {
                items.push(user(format!(r#"[{{"type":"input_text","text":"{}"}}]"#, escaped(text))));
            }
            Place::ToolArguments => {
                items.push(call(json!(json!({ "a": { "b": [text, 7] } }).to_string()).to_string()));
                items.push(output(String::from("\"done\"")));
            }
            Place::ToolResult => {
                items.push(call(String::from("\"{}\"")));
                items.push(output(format!(r#"[{{"type":"input_text","text":{quoted}}}]"#)));
            }
            Place::ToolDescription => {
                tools.push(format!(r#"{{"type":"function","name":"t{at}","description":{quoted}}}"#));
            }
            Place::JsonInText => {
                let inner = json!(json!([{ "v": json!({ "w": text }).to_string() }]).to_string());
                items.push(user(inner.to_string()));
            }
            Place::TextFile => {
                use base64::Engine as _;
                let data = base64::engine::general_purpose::STANDARD.encode(format!("a;b\n{text}\n"));
                items.push(user(format!(
                    r#"[{{"type":"input_file","filename":"a.csv","file_data":"data:text/csv;base64,{data}"}}]"#
                )));
            }
            Place::User => items.push(format!(
                r#"{{"type":"reasoning","id":"rs_{at}","summary":[{{"type":"summary_text","text":{quoted}}}]}}"#
            )),
            Place::KeyOfMetadata => items.push(format!(r#"{{"role":"user","content":"x",{quoted}:"x"}}"#)),
            Place::Metadata if members.is_empty() => members.push(format!(r#""metadata":{{"k":{quoted}}}"#)),
            Place::Stop if members.is_empty() => members.push(format!(r#""instructions":{quoted}"#)),
            Place::Metadata | Place::Stop | Place::Unknown => items.push(format!(
                r#"{{"role":"assistant","content":[{{"type":"output_text","text":"x","annotations":[[{quoted}]]}}]}}"#
            )),
            Place::OfAMessage | Place::Embedded | Place::Answer => {}
        }
    }
    items.push(String::from(r#"{"role":"user","content":"x"}"#));
    members.insert(0, format!(r#""input":[{}]"#, items.join(",")));
    if !tools.is_empty() {
        members.push(format!(r#""tools":[{}]"#, tools.join(",")));
    }
    format!(r#"{{"model":"{model}","stream":{stream},{}}}"#, members.join(","))
}

/// A bundle that redacts every kind, each in a way that is drawn; and the kinds that it redacts in answers, too.
fn bundle(runner: &mut TestRunner) -> (BTreeMap<String, String>, EntitySet) {
    let mut ways: BTreeMap<(&str, &str, bool, bool), Vec<&str>> = BTreeMap::new();
    let mut answers = EntitySet::EMPTY;
    let way = (
        select(vec!["surrogate", "token", "hash", "mask", "drop"]),
        select(vec!["request", "both"]),
        any::<bool>(),
        any::<bool>(),
    );
    for entity in EntityType::ALL {
        let (how, direction, text, tools) = draw(&way, runner);
        // Secrets are never put back, and no rule may ask for it.
        let (text, tools) = (text && entity.is_restorable(), tools && entity.is_restorable());
        // Of two kinds in one way the stronger holds; each has one.
        ways.entry((how, direction, text, tools)).or_default().push(entity.as_str());
        if direction == "both" {
            answers.insert(entity);
        }
    }
    let mut rules = String::new();
    for (at, ((how, direction, text, tools), kinds)) in ways.iter().enumerate() {
        let restore = if matches!(*how, "surrogate" | "token") && (*text || *tools) {
            format!("\n  restore: {{ text: {text}, tool_arguments: {tools} }}")
        } else {
            String::new()
        };
        rules.push_str(&format!(
            "---\nid: way-{at}\ntitle: One way\nbecause: [A test]\nredact:\n  entities: [{}]\n  how: {how}\n  direction: {direction}{restore}\n",
            kinds.join(", ")
        ));
    }
    let mut files: BTreeMap<String, String> = BundleSource::starter()
        .files
        .into_iter()
        .filter(|(path, _)| {
            !["rules/", "tests/", "exceptions/"].iter().any(|folder| path.starts_with(folder))
        })
        .collect();
    files.insert(String::from("rules/ways.yaml"), rules.trim_start_matches("---\n").to_owned());
    (files, answers)
}

fn draw<S: Strategy>(strategy: &S, runner: &mut TestRunner) -> S::Value {
    strategy.new_tree(runner).unwrap().current()
}

/// What of a text must not be seen, and its kind.
fn withheld(detector: &Detector, text: &str) -> Vec<(EntityType, String)> {
    let mut findings = Vec::new();
    detector.scan(text, &mut findings);
    let values = findings.iter().map(|finding| (finding.entity, finding.value(text).unwrap().to_owned()));
    values.filter(|(_, value)| value.len() >= LONG).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_redacted_is_in_no_byte_anywhere() {
    let seed: u64 = std::env::var("BAILIWICK_TEST_SEED")
        .map_or_else(|_| rand::random(), |seed| seed.parse().expect("a number"));
    eprintln!("BAILIWICK_TEST_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let detector = Detector::new().looking_for(EntitySet::all());

    let repository = Repository::new();
    let git = GitConfig { require_signature: false, allowed_signers: None, ..repository.config() };
    let app = following(git).await;
    let native = crate::responses::with_native(&app).await;
    let mut secrets: BTreeMap<String, (EntityType, Place)> = BTreeMap::new();
    let (mut answered, mut refused, mut others, mut said, mut responses) = (0, 0, 0, 0, 0);
    let mut in_answers = EntitySet::EMPTY;
    for case in 0..cases() {
        if case % 6 == 0 {
            std::fs::remove_dir_all(repository.path().join("policy")).unwrap();
            let (files, answers) = bundle(&mut runner);
            for (path, text) in files {
                repository.write(&path, &text);
            }
            in_answers = answers;
            follows(&app, &repository.commit_unsigned("Other ways")).await;
        }
        let texts: Vec<(Place, String)> =
            draw(&proptest::collection::vec((select(PLACES.to_vec()), spelt()), 1..6), &mut runner);
        for (place, text) in &texts {
            for (entity, value) in withheld(&detector, text) {
                secrets.insert(value, (entity, *place));
            }
        }
        let stream = draw(&any::<bool>(), &mut runner);
        // A provider that objects, and quotes.
        let failing = draw(&proptest::bool::weighted(0.2), &mut runner);
        if failing {
            for simulator in app.simulators() {
                simulator.push_behaviour(Behaviour::Status { code: 400, retry_after: None });
            }
        }
        let reply =
            app.post("research", "/v1/chat/completions", &[], body("gpt-4.1-mini", stream, &texts)).await;
        answered += usize::from(reply.status == 200);
        refused += usize::from(reply.status != 200);
        if reply.status != 200 {
            told_nothing(reply.text(), &texts, &detector);
        }
        // The other ways in.
        let sent = body_of_messages("gpt-4.1-mini", stream, &texts).to_string();
        let reply = app.post("research", "/v1/messages", &[("anthropic-version", "2023-06-01")], sent).await;
        if reply.status == 200 {
            others += 1;
            keep(&mut secrets, Place::OfAMessage, &texts, &detector);
        } else {
            told_nothing(reply.text(), &texts, &detector);
        }
        let inputs: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
        let sent = json!({ "model": "text-embedding-3-small", "input": inputs }).to_string();
        let reply = app.post("research", "/v1/embeddings", &[], sent).await;
        others += usize::from(reply.status == 200);
        keep(&mut secrets, Place::Embedded, &texts, &detector);
        told_nothing(reply.text(), &texts, &detector);
        let sent = body("gpt-4.1-mini", stream, &texts);
        let reply = app.post("research", "/v1/decisions:explain", &[], sent).await;
        told_nothing(reply.text(), &texts, &detector);
        // The way back: what a rule redacts in answers does not reach the client, and nothing of an answer is kept.
        let (arguments, cut, told) = draw(&(any::<bool>(), any::<usize>(), text()), &mut runner);
        let asked: Vec<String> =
            texts.iter().flat_map(|(_, text)| withheld(&detector, text)).map(|(_, value)| value).collect();
        // Of a whole answer there is one piece.
        let pieces =
            if stream { deltas(&told, arguments, cut) } else { deltas(&told, arguments, 0).split_off(1) };
        for simulator in app.simulators() {
            simulator.set_behaviour(Behaviour::Say(pieces.clone()));
        }
        let reply = app
            .post("research", "/v1/chat/completions", &[], body("gpt-4.1-mini", stream, &[]))
            .await
            .is(200);
        app.simulators().for_each(|simulator| simulator.set_behaviour(Behaviour::Normal));
        let got = put_together(&reply, stream);
        for (entity, value) in
            withheld(&detector, &told).into_iter().filter(|(_, value)| !asked.contains(value))
        {
            if in_answers.contains(entity) {
                said += 1;
                assert!(
                    !got.contains(&value) && !reply.text().contains(&value),
                    "{entity} was told: {}",
                    reply.text()
                );
            }
            secrets.insert(value, (entity, Place::Answer));
        }
        for model in ["native", "gpt-4.1-mini"] {
            let reply = app.post("research", "/v1/responses", &[], input(model, stream, &texts)).await;
            responses += usize::from(reply.status == 200);
            if reply.status != 200 {
                told_nothing(reply.text(), &texts, &detector);
            }
        }
        // Ways into an error text: a name that nobody knows, JSON that breaks, a header, a path, a purpose.
        let (_, text) = &texts[0];
        let quoted = json!(text).to_string();
        for broken in [
            body(text.replace(['"', '\\'], " ").as_str(), false, &[]),
            format!(r#"{{"model":"gpt-4.1-mini",{quoted}:"#),
            format!(r#"{{"model":"gpt-4.1-mini",{quoted}:1,{quoted}:2}}"#),
            format!(r#"{{"model":"gpt-4.1-mini","messages":{quoted}}}"#),
        ] {
            let reply = app.post("research", "/v1/chat/completions", &[], broken).await;
            // What is said of a model is said to the one who asked for it.
            if !reply.text().contains("has no model") {
                told_nothing(reply.text(), &texts, &detector);
            }
        }
        if text.is_ascii() {
            for header in ["x-bailiwick-data-class", "x-bailiwick-purpose", "x-bailiwick-subject-region"] {
                let body = body("gpt-4.1-mini", false, &[]);
                let reply =
                    app.post("research", "/v1/chat/completions", &[(header, text)], body).await.is(400);
                told_nothing(reply.text(), &texts, &detector);
            }
        }
    }
    let kinds: BTreeSet<EntityType> = secrets.values().map(|(entity, _)| *entity).collect();
    let places: BTreeSet<Place> = secrets.values().map(|(_, place)| *place).collect();
    eprintln!(
        "{} values of {} kinds at {} places; {answered} answered, {refused} refused, {others} in other APIs, {responses} responses; {said} values of answers",
        secrets.len(),
        kinds.len(),
        places.len()
    );
    assert!(kinds.len() >= 15 && places.len() >= 10 && answered > 5 && responses > 5, "this shows little");
    assert!(others > cases() && said > 3, "this shows little of the other ways");

    for simulator in app.simulators().chain([&native]) {
        for request in simulator.received() {
            for (value, of) in &secrets {
                assert!(
                    !request.contains(value),
                    "{value} {of:?} reached {}: {request:?}",
                    simulator.config().name
                );
            }
        }
    }
    app.settled().await;
    tracing::info!("the log is listened to");
    let (logs, metrics) = (logs(), metrics());
    assert!(logs.contains("the log is listened to"), "an empty log would prove nothing");
    let export = app.export().await;
    drop(native);
    let folder = app.finish().await;
    for (value, of) in &secrets {
        assert!(!logs.contains(value), "{value} {of:?} was logged");
        assert!(!metrics.contains(value), "{value} {of:?} is in a metric");
        assert!(memchr::memmem::find(&export, value.as_bytes()).is_none(), "{value} {of:?} is in the log");
        assert_eq!(stored(folder.path(), value).await, Vec::<String>::new(), "{value} {of:?}");
    }
}

/// Keeps in mind what of some texts must not be seen, which stood at a place.
fn keep(
    secrets: &mut BTreeMap<String, (EntityType, Place)>,
    place: Place,
    texts: &[(Place, String)],
    detector: &Detector,
) {
    for (entity, value) in texts.iter().flat_map(|(_, text)| withheld(detector, text)) {
        // It may have been sent in a chat before.
        secrets.entry(value).or_insert((entity, place));
    }
}

/// An error text holds nothing of what the request held.
fn told_nothing(said: &str, texts: &[(Place, String)], detector: &Detector) {
    for (place, text) in texts {
        for (entity, value) in withheld(detector, text) {
            assert!(!said.contains(&value), "{entity} at {place:?} was told: {said}");
        }
    }
}
