//! OpenAI's Responses: its requests on every wire that others are translated into, and answers and streams of each of those in
//! its shape, as files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bailiwick_wire::{Client, Stream, Untold, Untranslated, Upstream, Wire};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::{is_written, left_out, pretty, told};

const UNTOLD: Untold<'_> = Untold { created: 1_767_225_600, id: "dec_1", model: "m" };

const WIRES: [(&str, Upstream); 4] = [
    ("openai-chat", Upstream::Served(Wire::OpenAiChat)),
    ("anthropic", Upstream::Served(Wire::Anthropic)),
    ("bedrock-converse", Upstream::BedrockConverse),
    ("gemini", Upstream::Gemini),
];

fn folder(wire: &str, kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(wire).join(kind)
}

fn fixtures(wire: &str, kind: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::fs::read_dir(folder(wire, kind))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    assert!(found.len() > 10);
    found
}

#[test]
fn requests() {
    let mut wrong = Vec::new();
    for (wire, upstream) in WIRES {
        for (name, text) in fixtures("openai-responses", "requests") {
            let found =
                told(bailiwick_wire::request(Client::OpenAiResponses, upstream, text.as_bytes(), 4_096));
            let path = folder("openai-responses", &format!("requests-on-{wire}")).join(format!("{name}.txt"));
            if !is_written(&path, &found) {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn answers() {
    let mut wrong = Vec::new();
    for (wire, upstream) in WIRES {
        for (name, text) in fixtures(wire, "answers") {
            let back = bailiwick_wire::answer(upstream, Client::OpenAiResponses, text.as_bytes(), UNTOLD);
            let found = match back {
                Ok((body, losses)) => left_out(&losses) + &pretty(&body),
                Err(broken) => format!("broken: {broken}\n"),
            };
            let path = folder(wire, "answers-on-openai-responses").join(format!("{name}.txt"));
            if !is_written(&path, &found) {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The events of a stream, and whether it came to its end.
fn translated(upstream: Upstream, text: &str) -> (Vec<String>, Result<Stream, String>) {
    let mut stream = Stream::new(upstream, Client::OpenAiResponses, UNTOLD, true);
    let mut out = Vec::new();
    for line in text.lines() {
        match stream.event(line.as_bytes()) {
            Ok(events) => out.extend(events),
            Err(broken) => return (out, Err(broken.to_string())),
        }
    }
    (out, Ok(stream))
}

#[test]
fn streams() {
    let mut wrong = Vec::new();
    for (wire, upstream) in WIRES {
        for (name, text) in fixtures(wire, "streams") {
            let (events, end) = translated(upstream, &text);
            let mut found: String = events.iter().map(|event| format!("{event}\n")).collect();
            match end {
                Ok(stream) if stream.is_over() => found.push_str(&left_out(stream.losses())),
                Ok(_) => found.push_str("cut off\n"),
                Err(broken) => found.push_str(&format!("broken: {broken}\n")),
            }
            let path = folder(wire, "streams-on-openai-responses").join(format!("{name}.txt"));
            if !is_written(&path, &found) {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the vendor's clients rely on: numbers that count up, items and parts that begin, are added to and end as what they
/// added up to, and an end that has all of them.
fn is_of_the_api(name: &str, events: &[Value]) {
    let mut items: Vec<Value> = Vec::new();
    let mut texts: BTreeMap<(u64, u64), String> = BTreeMap::new();
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{name}: {event}");
        let at = |member: &str| event[member].as_u64();
        let output = at("output_index").unwrap_or_default();
        let place = (output, at("content_index").or(at("summary_index")).unwrap_or_default());
        match event["type"].as_str().unwrap() {
            "response.created" => assert_eq!(number, 0, "{name}"),
            "response.in_progress" => assert_eq!(number, 1, "{name}"),
            "response.output_item.added" => {
                assert_eq!(usize::try_from(output).unwrap(), items.len(), "{name}: {event}");
                items.push(event["item"].clone());
            }
            "response.output_item.done" => {
                let item = &mut items[usize::try_from(output).unwrap()];
                assert_eq!(item["id"], event["item"]["id"], "{name}");
                *item = event["item"].clone();
            }
            kind if kind.ends_with(".delta") => {
                assert_eq!(event["item_id"], items.last().unwrap()["id"], "{name}: {event}");
                texts.entry(place).or_default().push_str(event["delta"].as_str().unwrap());
            }
            "response.output_text.done" | "response.reasoning_summary_text.done" => {
                assert_eq!(event["text"].as_str(), texts.get(&place).map(String::as_str), "{name}");
            }
            "response.refusal.done" => {
                assert_eq!(event["refusal"].as_str(), texts.get(&place).map(String::as_str), "{name}");
            }
            "response.function_call_arguments.done" => {
                assert_eq!(event["arguments"].as_str(), texts.get(&place).map(String::as_str), "{name}");
            }
            "response.content_part.added"
            | "response.content_part.done"
            | "response.reasoning_summary_part.added"
            | "response.reasoning_summary_part.done" => {}
            "response.completed" | "response.incomplete" => {
                assert_eq!(number + 1, events.len(), "{name}");
                assert_eq!(event["response"]["output"], json!(items), "{name}");
                assert_eq!(
                    event["type"],
                    format!("response.{}", event["response"]["status"].as_str().unwrap())
                );
            }
            other => panic!("{name}: {other}"),
        }
    }
}

#[test]
fn streams_are_what_clients_of_the_api_put_together() {
    let mut whole = 0;
    for (wire, upstream) in WIRES {
        for (name, text) in fixtures(wire, "streams") {
            let (events, end) = translated(upstream, &text);
            let events: Vec<Value> =
                events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
            is_of_the_api(&name, &events);
            whole += usize::from(end.is_ok_and(|stream| stream.is_over()));
        }
    }
    assert!(whole > 20, "{whole}");
}

#[test]
fn a_stream_that_is_cut_anywhere_is_not_over_and_tells_no_end() {
    for (wire, upstream) in WIRES {
        for (name, text) in fixtures(wire, "streams") {
            let lines: Vec<&str> = text.lines().collect();
            for end in 0..lines.len() {
                let (events, over) = translated(upstream, &lines[..end].join("\n"));
                let ended = events.iter().any(|event| {
                    event.contains("\"type\":\"response.completed\"")
                        || event.contains("\"type\":\"response.incomplete\"")
                });
                let is_over = over.is_ok_and(|stream| stream.is_over());
                assert!(!is_over && !ended, "{wire}: {name} cut after {end}");
            }
        }
    }
}

#[test]
fn an_answer_of_more_text_than_is_kept_is_an_error_by_name() {
    let mut stream = Stream::new(Wire::OpenAiChat, Client::OpenAiResponses, UNTOLD, true);
    let chunk = |text: &str| {
        json!({ "id": "a", "model": "m", "choices": [{ "index": 0, "delta": { "content": text } }] })
            .to_string()
    };
    let piece = chunk(&"x".repeat(1024 * 1024));
    let broken = (0..10).find_map(|_| stream.event(piece.as_bytes()).err()).unwrap();
    assert_eq!(broken.to_string(), "it holds more text than an answer may");
}

#[test]
fn what_a_thought_was_it_is_again_when_it_comes_back() {
    let answer = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [
        { "type": "thinking", "thinking": "Hm.", "signature": "EqQB+/==" },
        { "type": "redacted_thinking", "data": "EmwK+/==" },
        { "type": "text", "text": "Two" },
    ], "stop_reason": "end_turn", "usage": { "input_tokens": 1, "output_tokens": 1 } });
    let (body, _) =
        bailiwick_wire::answer(Wire::Anthropic, Client::OpenAiResponses, answer.to_string().as_bytes(), 0)
            .unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    let mut input = body["output"].as_array().unwrap().clone();
    input.insert(0, json!({ "role": "user", "content": "One" }));
    input.push(json!({ "role": "user", "content": "Three" }));
    let again = json!({ "model": "m", "input": input });
    let (sent, losses) =
        bailiwick_wire::request(Client::OpenAiResponses, Wire::Anthropic, again.to_string().as_bytes(), 9)
            .unwrap();
    assert!(losses.is_empty(), "{losses:?}");
    let sent: Value = serde_json::from_str(&sent).unwrap();
    assert_eq!(sent["messages"][1]["content"], answer["content"]);
}

proptest! {
    #[test]
    fn damaged_events_are_errors_by_name(seed in 0_usize..10_000, at in 0_usize..4_000, byte in any::<u8>()) {
        for (wire, upstream) in WIRES {
            let all = fixtures(wire, "streams");
            let (name, text) = &all[seed % all.len()];
            let mut bytes = text.clone().into_bytes();
            let place = at % bytes.len();
            bytes[place] = byte;
            let mut stream = Stream::new(upstream, Client::OpenAiResponses, UNTOLD, true);
            let mut events = Vec::new();
            for line in bytes.split(|byte| *byte == b'\n') {
                match stream.event(line) {
                    Ok(more) => events.extend(more),
                    Err(_) => break,
                }
            }
            let events: Vec<Value> = events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
            is_of_the_api(name, &events);
        }
    }
}

const BEGIN: &str = "<!-- made from server/wire/tests/golden, of the Responses API: do not edit -->\n";
const END: &str = "<!-- end -->\n";

fn cell(upstream: Upstream, text: &str) -> String {
    match bailiwick_wire::request(Client::OpenAiResponses, upstream, text.as_bytes(), 4_096) {
        Ok((_, losses)) if losses.is_empty() => String::from("kept"),
        Ok((_, losses)) => {
            let places: Vec<String> = losses.places().map(|place| format!("`{place}`")).collect();
            format!("left out: {}", places.join(", "))
        }
        Err(Untranslated::Refused(refused)) => format!("refused: {}", refused.why),
        Err(Untranslated::Broken(broken)) => panic!("{broken}"),
    }
}

/// The table in the documentation of what of a request is kept, left out and refused on each wire.
#[test]
fn the_table_is_the_fixtures() {
    let mut table = String::from(BEGIN);
    table.push_str(
        "\n| what a request has | OpenAI's chat | Anthropic's messages | Bedrock's Converse | Gemini, not called yet |\n",
    );
    table.push_str("| --- | --- | --- | --- | --- |\n");
    for (name, text) in fixtures("openai-responses", "requests") {
        if name.starts_with("place_") {
            continue;
        }
        let [one, two, three, four] = WIRES.map(|(_, upstream)| cell(upstream, &text));
        table.push_str(&format!("| {} | {one} | {two} | {three} | {four} |\n", name.replace('_', " ")));
    }
    table.push('\n');
    table.push_str(END);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/translation.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let found = format!("{before}{table}{after}");
    if std::env::var_os("BAILIWICK_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), found, "run with BAILIWICK_GOLDEN=write");
}

/// Of each member that the published API has it is known what becomes of it, and what the fixtures have is listed.
#[test]
fn the_list_of_members_is_what_is_read() {
    use bailiwick_wire::openai_responses::MEMBERS;
    for name in MEMBERS {
        let mut body = json!({ "model": "m", "input": "x" });
        if !["model", "input"].contains(name) {
            body[*name] = json!({});
        }
        let text = body.to_string();
        match bailiwick_wire::request(Client::OpenAiResponses, Wire::Anthropic, text.as_bytes(), 4_096) {
            Err(Untranslated::Refused(refused)) => assert_ne!(refused.place, "a member", "{name}"),
            // Of another type than this one's.
            Ok(_) | Err(Untranslated::Broken(_)) => {}
        }
    }
    for (fixture, text) in fixtures("openai-responses", "requests") {
        let body: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
        for name in body.keys().filter(|_| fixture != "unknown_member") {
            assert!(MEMBERS.contains(&name.as_str()), "{fixture}: {name}");
        }
    }
}
