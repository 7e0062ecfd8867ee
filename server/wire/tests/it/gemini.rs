//! Google's Gemini API: fixtures of the served wires on it, its answers and streams on them, as files. What Responses makes of
//! them is beside the others of that API.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bailiwick_wire::{Client, Stream, Untold, Untranslated, Upstream, Wire};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::{fixtures, folder, is_written, left_out, pretty, told};

const UNTOLD: Untold<'_> = Untold { created: 1_767_225_600, id: "dec_1", model: "m" };

pub(crate) fn name_of(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => "openai-chat",
        Wire::Anthropic => "anthropic",
    }
}

/// Where the fixtures of the service are.
pub(crate) fn own(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/gemini").join(kind)
}

pub(crate) fn own_fixtures(kind: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::fs::read_dir(own(kind))
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
    for from in Wire::ALL {
        for (name, text) in fixtures(from, "requests") {
            let translated = bailiwick_wire::request(from, Upstream::Gemini, text.as_bytes(), 4_096);
            if let Ok((body, _)) = &translated {
                is_of_the_service(&name, &serde_json::from_str(body).unwrap());
            }
            let found = told(translated);
            let path = folder(from, "requests-on-gemini").join(format!("{name}.txt"));
            if !is_written(&path, &found) {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn only(value: &Value, known: &[&str]) -> bool {
    value.as_object().unwrap().keys().all(|name| known.contains(&name.as_str()))
}

/// What the service's description and its words in the open ask of a request.
pub(crate) fn is_of_the_service(name: &str, body: &Value) {
    const TOP: &[&str] = &["contents", "systemInstruction", "tools", "toolConfig", "generationConfig"];
    const CONFIG: &[&str] = &[
        "maxOutputTokens",
        "temperature",
        "topP",
        "topK",
        "stopSequences",
        "seed",
        "presencePenalty",
        "frequencyPenalty",
        "responseLogprobs",
        "logprobs",
        "responseMimeType",
        "responseJsonSchema",
        "thinkingConfig",
    ];
    assert!(only(body, TOP), "{name}: {body}");
    assert!(body.get("generationConfig").is_none_or(|config| only(config, CONFIG)), "{name}: {body}");
    if let Some(config) = body["generationConfig"].get("thinkingConfig") {
        assert!(only(config, &["includeThoughts", "thinkingBudget", "thinkingLevel"]), "{name}");
        assert!(config.get("thinkingBudget").is_none() || config.get("thinkingLevel").is_none(), "{name}");
    }
    let mut before = "";
    let mut called = Vec::new();
    for content in body["contents"].as_array().unwrap() {
        assert!(only(content, &["role", "parts"]), "{name}: {content}");
        let role = content["role"].as_str().unwrap();
        assert!(["user", "model"].contains(&role) && role != before, "{name}: {body}");
        before = role;
        let parts = content["parts"].as_array().unwrap();
        assert!(!parts.is_empty(), "{name}: {body}");
        let first = parts.iter().find(|part| part.get("functionCall").is_some());
        assert!(first.is_none_or(|call| call["thoughtSignature"].is_string()), "{name}: {body}");
        for part in parts {
            let known =
                ["text", "thought", "thoughtSignature", "inlineData", "functionCall", "functionResponse"];
            assert!(only(part, &known), "{name}: {part}");
            let kinds = ["text", "inlineData", "functionCall", "functionResponse"];
            assert_eq!(kinds.iter().filter(|kind| part.get(**kind).is_some()).count(), 1, "{name}: {part}");
            if let Some(call) = part.get("functionCall") {
                assert!(only(call, &["id", "name", "args"]) && call["args"].is_object(), "{name}");
                called.push(call["id"].clone());
            }
            if let Some(result) = part.get("functionResponse") {
                assert!(only(result, &["id", "name", "response", "parts"]), "{name}");
                assert!(result["response"].is_object() && called.contains(&result["id"]), "{name}");
            }
        }
    }
    assert_ne!(before, "model", "{name}");
}

#[test]
fn answers() {
    let mut wrong = Vec::new();
    for (name, text) in own_fixtures("answers") {
        for to in Wire::ALL {
            let found = match bailiwick_wire::answer(Upstream::Gemini, to, text.as_bytes(), UNTOLD) {
                Ok((body, losses)) => left_out(&losses) + &pretty(&body),
                Err(broken) => format!("broken: {broken}\n"),
            };
            let path = own(&format!("answers-on-{}", name_of(to))).join(format!("{name}.txt"));
            if !is_written(&path, &found) {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a stream becomes, and how it ends.
pub(crate) fn streamed(from: Upstream, to: Client, text: &str) -> String {
    let mut stream = Stream::new(from, to, UNTOLD, true);
    let mut out = String::new();
    for line in text.lines() {
        match stream.event(line.as_bytes()) {
            Ok(events) => events.iter().for_each(|event| out.push_str(&format!("{event}\n"))),
            Err(broken) => {
                out.push_str(&format!("broken: {broken}\n"));
                return out;
            }
        }
    }
    if !stream.is_over() {
        let told: Vec<String> = stream.close().unwrap();
        out.push_str(if stream.is_over() { "closed\n" } else { "cut off\n" });
        told.iter().for_each(|event| out.push_str(&format!("{event}\n")));
    }
    out + &left_out(stream.losses())
}

#[test]
fn streams() {
    let mut wrong = Vec::new();
    for (name, text) in own_fixtures("streams") {
        for to in Wire::ALL {
            let found = streamed(Upstream::Gemini, to.into(), &text);
            let path = own(&format!("streams-on-{}", name_of(to))).join(format!("{name}.txt"));
            if !is_written(&path, &found) {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Words by which clients know that an answer is whole.
const ENDS: [&str; 5] = [
    "[DONE]",
    "\"message_stop\"",
    "\"type\":\"response.completed\"",
    "\"type\":\"response.incomplete\"",
    "\"finishReason\"",
];

#[test]
fn a_stream_that_is_cut_anywhere_is_not_over_and_tells_no_end() {
    for to in Client::ALL {
        for (name, text) in own_fixtures("streams") {
            let lines: Vec<&str> = text.lines().collect();
            for end in 0..lines.len() {
                let mut stream = Stream::new(Upstream::Gemini, to, 0, true);
                let mut said = String::new();
                let mut broken = false;
                for line in lines.iter().take(end) {
                    match stream.event(line.as_bytes()) {
                        Ok(events) => said.extend(events),
                        Err(_) => broken = true,
                    }
                }
                assert!(broken || !stream.is_over(), "{name} cut after {end}");
                assert!(!ENDS.iter().any(|word| said.contains(word)), "{name} cut after {end}: {said}");
            }
        }
    }
}

#[test]
fn a_connection_that_ends_before_the_reason_does_not_make_an_answer_whole() {
    for to in Client::ALL {
        let mut stream = Stream::new(Upstream::Gemini, to, 0, true);
        assert_eq!(stream.close().unwrap(), Vec::<String>::new());
        stream.event(br#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#).unwrap();
        assert_eq!(stream.close().unwrap(), Vec::<String>::new());
        assert!(!stream.is_over());
        stream.event(br#"{"candidates":[{"finishReason":"STOP"}]}"#).unwrap();
        assert!(!stream.is_over() && !stream.close().unwrap().is_empty() && stream.is_over());
        assert_eq!(stream.close().unwrap(), Vec::<String>::new());
    }
}

proptest! {
    /// Whatever a provider sends is an event, an error by name, or passed over; an end is told only where the answer is over.
    #[test]
    fn damaged_events_are_errors_by_name(seed in 0_usize..10_000, at in 0_usize..4_000, byte in any::<u8>()) {
        let all = own_fixtures("streams");
        let (_, text) = &all[seed % all.len()];
        let mut bytes = text.clone().into_bytes();
        let place = at % bytes.len();
        bytes[place] = byte;
        for to in Client::ALL {
            let mut stream = Stream::new(Upstream::Gemini, to, 0, true);
            let mut said = String::new();
            for line in bytes.split(|byte| *byte == b'\n') {
                match stream.event(line) {
                    Ok(events) => said.extend(events),
                    Err(_) => break,
                }
            }
            prop_assert_eq!(ENDS.iter().any(|word| said.contains(word)), stream.is_over());
            if stream.is_over() {
                prop_assert_eq!(stream.event(b"{").unwrap(), Vec::<String>::new());
            }
        }
    }

    /// Members of any kind in any place of an answer.
    #[test]
    fn any_json_in_an_answer_is_an_answer_or_an_error_by_name(
        member in prop::sample::select(MEMBERS), value in hostile(), inner in 0_usize..4,
    ) {
        let mut part = json!({ "text": "a" });
        let mut candidate = json!({ "finishReason": "STOP" });
        let mut body = json!({ "usageMetadata": { "promptTokenCount": 1 } });
        let mut call = json!({ "name": "f", "args": {} });
        match inner {
            0 => part[member] = value,
            1 => candidate[member] = value,
            2 => body[member] = value,
            _ => { call[member] = value; part = json!({ "functionCall": call }); }
        }
        if candidate.get("content").is_none() {
            candidate["content"] = json!({ "role": "model", "parts": [part] });
        }
        if body.get("candidates").is_none() {
            body["candidates"] = json!([candidate]);
        }
        let text = body.to_string();
        for to in Client::ALL {
            let _ = bailiwick_wire::answer(Upstream::Gemini, to, text.as_bytes(), 0);
            let mut stream = Stream::new(Upstream::Gemini, to, 0, true);
            let _ = stream.event(text.as_bytes());
            let _ = stream.close();
        }
    }
}

const MEMBERS: &[&str] = &[
    "text",
    "thought",
    "thoughtSignature",
    "functionCall",
    "inlineData",
    "name",
    "args",
    "id",
    "willContinue",
    "content",
    "parts",
    "role",
    "finishReason",
    "index",
    "logprobsResult",
    "candidates",
    "promptFeedback",
    "usageMetadata",
    "responseId",
    "modelVersion",
    "error",
];

fn hostile() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<f64>().prop_map(|number| json!(number)),
        "[a-zA-Z_{}\\[\\]\"]{0,12}".prop_map(Value::String),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[{}]])),
        Just(json!({ "blockReason": "SAFETY" })),
        Just(json!({ "chosenCandidates": [{ "token": 1 }] })),
        Just(json!({ "parts": [{ "text": "x" }, null] })),
    ]
}

fn written(from: Wire, body: &Value) -> (Value, String) {
    let (body, losses) =
        bailiwick_wire::request(from, Upstream::Gemini, body.to_string().as_bytes(), 1).unwrap();
    (serde_json::from_str(&body).unwrap(), losses.places().collect::<Vec<_>>().join(", "))
}

fn refused(from: Wire, body: &Value) -> String {
    match bailiwick_wire::request(from, Upstream::Gemini, body.to_string().as_bytes(), 1) {
        Err(Untranslated::Refused(refused)) => refused.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn deep_answers_are_not_read() {
    for depth in [100, 200, 100_000] {
        let args = format!("{}{}", "{\"a\":".repeat(depth), "1".to_owned() + &"}".repeat(depth));
        let text = format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"functionCall":{{"name":"f","args":{args}}}}}]}},"finishReason":"STOP"}}]}}"#
        );
        for to in Client::ALL {
            let read = bailiwick_wire::answer(Upstream::Gemini, to, text.as_bytes(), 0);
            assert_eq!(read.is_ok(), depth == 100);
            let mut stream = Stream::new(Upstream::Gemini, to, 0, true);
            assert_eq!(stream.event(text.as_bytes()).is_ok(), depth == 100);
        }
    }
}

#[test]
fn more_calls_than_an_answer_may_hold_are_an_error_by_name() {
    let mut stream = Stream::new(Upstream::Gemini, Wire::OpenAiChat, 0, true);
    let calls = vec![json!({ "functionCall": { "name": "f" } }); 300];
    let event = json!({ "candidates": [{ "content": { "parts": calls } }] }).to_string();
    let broken = (0..5).find_map(|_| stream.event(event.as_bytes()).err()).unwrap();
    assert_eq!(broken.to_string(), "it holds more calls than an answer may");
}

#[test]
fn a_signature_comes_back_to_its_part_through_every_client() {
    let signature = "CrIC+/==";
    let answer = json!({ "candidates": [{ "content": { "role": "model", "parts": [
        { "text": "Let me see." },
        { "functionCall": { "id": "fc_1", "name": "f", "args": { "a": 1 } }, "thoughtSignature": signature },
        { "functionCall": { "id": "fc_2", "name": "f", "args": {} } },
    ] }, "finishReason": "STOP" }], "responseId": "r", "modelVersion": "m" });
    let parts = &answer["candidates"][0]["content"]["parts"];
    for to in Client::ALL {
        let (body, losses) =
            bailiwick_wire::answer(Upstream::Gemini, to, answer.to_string().as_bytes(), 0).unwrap();
        assert!(losses.is_empty(), "{losses:?}");
        let body: Value = serde_json::from_str(&body).unwrap();
        let result = |id: &str| match to {
            Client::Served(Wire::OpenAiChat) => {
                json!({ "role": "tool", "tool_call_id": id, "content": "x" })
            }
            Client::Served(Wire::Anthropic) => {
                json!({ "type": "tool_result", "tool_use_id": id, "content": "x" })
            }
            Client::OpenAiResponses => {
                json!({ "type": "function_call_output", "call_id": id, "output": "x" })
            }
            Client::Gemini => {
                json!({ "functionResponse": { "id": id, "name": "f", "response": { "output": "x" } } })
            }
        };
        let asked = json!({ "role": "user", "content": "Who?" });
        let again = match to {
            Client::Served(Wire::OpenAiChat) => json!({ "model": "m", "messages":
                [asked, body["choices"][0]["message"], result("fc_1"), result("fc_2")] }),
            Client::Served(Wire::Anthropic) => json!({ "model": "m", "max_tokens": 9, "messages": [asked,
                { "role": "assistant", "content": body["content"] },
                { "role": "user", "content": [result("fc_1"), result("fc_2")] }] }),
            Client::OpenAiResponses => {
                let mut input = vec![asked];
                input.extend(body["output"].as_array().unwrap().clone());
                input.extend([result("fc_1"), result("fc_2")]);
                json!({ "model": "m", "input": input })
            }
            Client::Gemini => json!({ "contents": [{ "parts": [{ "text": "Who?" }] },
                body["candidates"][0]["content"], { "parts": [result("fc_1"), result("fc_2")] }] }),
        };
        let (sent, losses) =
            bailiwick_wire::request(to, Upstream::Gemini, again.to_string().as_bytes(), 9).unwrap();
        assert!(losses.is_empty(), "{losses:?}");
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(&sent["contents"][1]["parts"], parts, "{to:?}");
        assert_eq!(sent["contents"][2]["parts"][1]["functionResponse"]["name"], "f");
        // And to no model of another vendor's.
        let (sent, losses) =
            bailiwick_wire::request(to, Upstream::BedrockConverse, with_tools(to, again).as_bytes(), 9)
                .unwrap();
        assert!(!sent.contains("CrIC") && !losses.is_empty(), "{sent}");
    }
}

/// With the tools that Converse asks for.
fn with_tools(to: Client, mut body: Value) -> String {
    body["tools"] = match to {
        Client::Served(Wire::OpenAiChat) => json!([{ "type": "function", "function": { "name": "f" } }]),
        Client::Served(Wire::Anthropic) => json!([{ "name": "f", "input_schema": { "type": "object" } }]),
        Client::OpenAiResponses => json!([{ "type": "function", "name": "f" }]),
        Client::Gemini => json!([{ "functionDeclarations": [{ "name": "f" }] }]),
    };
    body.to_string()
}

#[test]
fn a_call_that_nobody_signed_says_so() {
    let call =
        |id: &str| json!({ "id": id, "type": "function", "function": { "name": "f", "arguments": "" } });
    let result = |id: &str| json!({ "role": "tool", "tool_call_id": id, "content": "4" });
    let body = json!({ "model": "m", "messages": [
        { "role": "user", "content": "Who?" },
        { "role": "assistant", "tool_calls": [call("a"), call("b")] }, result("a"), result("b"),
    ] });
    let (sent, _) = written(Wire::OpenAiChat, &body);
    let parts = &sent["contents"][1]["parts"];
    assert_eq!(parts[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts[1].get("thoughtSignature"), None);
    assert_eq!(sent["contents"][2]["parts"][1]["functionResponse"]["response"], json!({ "output": "4" }));
}

#[test]
fn an_answer_of_a_tool_that_was_not_called_is_refused() {
    let body = json!({ "model": "m", "messages": [
        { "role": "user", "content": "Who?" }, { "role": "tool", "tool_call_id": "a", "content": "4" },
    ] });
    let why = refused(Wire::OpenAiChat, &body);
    assert!(why.contains("`messages.1`") && why.contains("the name of the function"), "{why}");
}

#[test]
fn what_tunes_goes_under_the_names_of_the_api() {
    let body = json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "seed": 7,
        "presence_penalty": 0.50, "frequency_penalty": -1, "logprobs": true, "top_logprobs": 3,
        "stop": ["a"], "temperature": 1.7, "top_p": 0.9, "max_tokens": 5 });
    let (sent, lost) = written(Wire::OpenAiChat, &body);
    assert_eq!(lost, "");
    assert_eq!(
        sent["generationConfig"],
        json!({ "maxOutputTokens": 5, "temperature": 1.7, "topP": 0.9, "stopSequences": ["a"], "seed": 7,
            "presencePenalty": 0.5, "frequencyPenalty": -1, "responseLogprobs": true, "logprobs": 3 })
    );
    let (_, lost) = written(
        Wire::OpenAiChat,
        &json!({ "model": "m", "messages": [{ "role": "user", "content": "x" }], "seed": 12_345_678_901_u64 }),
    );
    assert_eq!(lost, "seed");
}

const BEGIN: &str = "<!-- made from server/wire/tests/golden, on Gemini's wire: do not edit -->\n";
const END: &str = "<!-- end -->\n";

fn cell(from: Wire, text: &str) -> String {
    match bailiwick_wire::request(from, Upstream::Gemini, text.as_bytes(), 4_096) {
        Ok((_, losses)) if losses.is_empty() => String::from("kept"),
        Ok((_, losses)) => {
            let places: Vec<String> = losses.places().map(|place| format!("`{place}`")).collect();
            format!("left out: {}", places.join(", "))
        }
        Err(Untranslated::Refused(refused)) => format!("refused: {}", refused.why),
        Err(Untranslated::Broken(broken)) => panic!("{broken}"),
    }
}

/// The table in the documentation of what is kept, left out and refused on this wire.
#[test]
fn the_table_is_the_fixtures() {
    let mut rows: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
    for (column, from) in Wire::ALL.into_iter().enumerate() {
        for (name, text) in fixtures(from, "requests") {
            rows.entry(name).or_default()[column] = Some(cell(from, &text));
        }
    }
    let mut table = String::from(BEGIN);
    table.push_str("\n| what a request has | OpenAI's API to Gemini, not called yet | Anthropic's API to Gemini, not called yet |\n");
    table.push_str("| --- | --- | --- |\n");
    for (name, cells) in rows {
        if name.starts_with("place_") {
            continue;
        }
        let [one, two] = cells.map(|cell| cell.unwrap_or_else(|| String::from("not in this API")));
        table.push_str(&format!("| {} | {one} | {two} |\n", name.replace('_', " ")));
    }
    table.push('\n');
    table.push_str(END);
    is_in_the_page(BEGIN, &table);
}

/// Compares a table with the one in the page, or writes it there.
pub(crate) fn is_in_the_page(begin: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/translation.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let found = format!("{before}{table}{after}");
    if std::env::var_os("BAILIWICK_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), found, "run with BAILIWICK_GOLDEN=write");
}
