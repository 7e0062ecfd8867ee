//! Bedrock's Converse: fixtures of both served wires on it, its answers and streams on both, as files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bailiwick_wire::{Stream, Untold, Untranslated, Upstream, Wire};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::{fixtures, folder, is_written, pretty, told};

const UNTOLD: Untold<'_> = Untold { created: 1_767_225_600, id: "dec_1", model: "m" };

fn name_of(wire: Wire) -> &'static str {
    match wire {
        Wire::OpenAiChat => "openai-chat",
        Wire::Anthropic => "anthropic",
    }
}

/// Where the fixtures of the service are.
fn own(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bedrock-converse").join(kind)
}

fn own_fixtures(kind: &str) -> Vec<(String, String)> {
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
            let translated = bailiwick_wire::request(from, Upstream::BedrockConverse, text.as_bytes(), 4_096);
            if let Ok((body, _)) = &translated {
                is_of_the_service(&name, &serde_json::from_str(body).unwrap());
            }
            let found = told(translated);
            let path = folder(from, "requests-on-bedrock-converse").join(format!("{name}.txt"));
            if !is_written(&path, &found) {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the service's description and its words in the open ask of a request.
fn is_of_the_service(name: &str, body: &Value) {
    let members = |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    const TOP: &[&str] = &[
        "messages",
        "system",
        "inferenceConfig",
        "toolConfig",
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "outputConfig",
    ];
    assert!(members(body).iter().all(|member| TOP.contains(&member.as_str())), "{name}: {body}");
    let mut before = "";
    let mut tools = false;
    for message in body["messages"].as_array().unwrap() {
        let role = message["role"].as_str().unwrap();
        assert_ne!(role, before, "{name}: {body}");
        before = role;
        let content = message["content"].as_array().unwrap();
        assert!(!content.is_empty(), "{name}: {body}");
        for block in content {
            let kind = members(block);
            assert_eq!(kind.len(), 1, "{name}: {block}");
            tools |= kind[0].starts_with("tool");
            assert_ne!(block["text"], "", "{name}");
        }
    }
    assert!(!tools || body["toolConfig"]["tools"].is_array(), "{name}: {body}");
}

#[test]
fn answers() {
    let mut wrong = Vec::new();
    for (name, text) in own_fixtures("answers") {
        for to in Wire::ALL {
            let found = match bailiwick_wire::answer(Upstream::BedrockConverse, to, text.as_bytes(), UNTOLD) {
                Ok(body) => pretty(&body.0),
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

fn streamed(to: Wire, text: &str) -> String {
    let mut stream = Stream::new(Upstream::BedrockConverse, to, UNTOLD, true);
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
        out.push_str("cut off\n");
    }
    out
}

#[test]
fn streams() {
    let mut wrong = Vec::new();
    for (name, text) in own_fixtures("streams") {
        for to in Wire::ALL {
            let found = streamed(to, &text);
            let path = own(&format!("streams-on-{}", name_of(to))).join(format!("{name}.txt"));
            if !is_written(&path, &found) {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_stream_that_is_cut_anywhere_is_not_over() {
    for to in Wire::ALL {
        for (name, text) in own_fixtures("streams") {
            let lines: Vec<&str> = text.lines().collect();
            for end in 0..lines.len() {
                let mut stream = Stream::new(Upstream::BedrockConverse, to, 0, true);
                let kept = lines.iter().take(end);
                let whole = kept.map(|line| stream.event(line.as_bytes())).all(|event| event.is_ok());
                assert!(!whole || !stream.is_over(), "{name} cut after {end}");
            }
        }
    }
}

proptest! {
    #[test]
    fn damaged_events_are_errors_by_name(seed in 0_usize..10_000, at in 0_usize..4_000, byte in any::<u8>()) {
        let all = own_fixtures("streams");
        let (_, text) = &all[seed % all.len()];
        let mut bytes = text.clone().into_bytes();
        let place = at % bytes.len();
        bytes[place] = byte;
        for to in Wire::ALL {
            let mut stream = Stream::new(Upstream::BedrockConverse, to, 0, true);
            for line in bytes.split(|byte| *byte == b'\n') {
                if stream.event(line).is_err() {
                    break;
                }
            }
            if stream.is_over() {
                prop_assert_eq!(stream.event(b"{").unwrap(), Vec::<String>::new());
            }
        }
    }
}

fn written(from: Wire, body: &Value) -> (Value, String) {
    let (body, losses) =
        bailiwick_wire::request(from, Upstream::BedrockConverse, body.to_string().as_bytes(), 1).unwrap();
    (serde_json::from_str(&body).unwrap(), losses.places().collect::<Vec<_>>().join(", "))
}

fn refused(from: Wire, body: &Value) -> String {
    match bailiwick_wire::request(from, Upstream::BedrockConverse, body.to_string().as_bytes(), 1) {
        Err(Untranslated::Refused(refused)) => refused.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn turns_of_one_side_that_follow_each_other_become_one() {
    let said = |role: &str, text: &str| json!({ "role": role, "content": text });
    let messages = [said("user", "a"), said("user", "b"), said("assistant", ""), said("user", "c")];
    let (body, _) = written(Wire::OpenAiChat, &json!({ "model": "m", "messages": messages }));
    let one = json!([{ "role": "user", "content": [{ "text": "a" }, { "text": "b" }, { "text": "c" }] }]);
    assert_eq!(body["messages"], one);
}

#[test]
fn documents_have_names_that_differ_and_a_text_beside_them() {
    let pdf = |name: &str| {
        json!({ "type": "file",
            "file": { "filename": name, "file_data": "data:application/pdf;base64,JVBERi0xLjcK" } })
    };
    let text = json!({ "type": "text", "text": "Read." });
    let body = |content: Value| json!({ "model": "m", "messages": [{ "role": "user", "content": content }] });
    let (out, _) = written(Wire::OpenAiChat, &body(json!([pdf("a.pdf"), pdf("a.pdf"), text])));
    let content = &out["messages"][0]["content"];
    assert_eq!(content[0]["document"]["name"], "a-pdf");
    assert_eq!(content[1]["document"]["name"], "a-pdf 2");
    assert_eq!(content[1]["document"]["source"]["bytes"], "JVBERi0xLjcK");
    let mut apart = body(json!([pdf("a.pdf")]));
    let why = refused(Wire::OpenAiChat, &apart);
    apart["messages"].as_array_mut().unwrap().push(json!({ "role": "user", "content": "Read." }));
    assert_eq!(written(Wire::OpenAiChat, &apart).0["messages"][0]["content"][1], json!({ "text": "Read." }));
    assert!(why.contains("asks for a text beside a document"), "{why}");
}

#[test]
fn tools_that_were_called_are_asked_for() {
    let mut body = json!({ "model": "m", "max_tokens": 5, "messages": [
        { "role": "user", "content": "Who?" },
        { "role": "assistant", "content": [{ "type": "tool_use", "id": "toolu_1", "name": "f", "input": {} }] },
        { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "toolu_1", "is_error": true }] },
    ] });
    assert!(refused(Wire::Anthropic, &body).contains("`tools`"));
    body["tools"] = json!([{ "name": "f", "input_schema": { "type": "object" } }]);
    let (out, _) = written(Wire::Anthropic, &body);
    assert_eq!(
        out["messages"][2]["content"],
        json!([{ "toolResult": { "toolUseId": "toolu_1", "content": [], "status": "error" } }])
    );
    body["tool_choice"] = json!({ "type": "none" });
    assert!(refused(Wire::Anthropic, &body).contains("cannot forbid tools"));
}

#[test]
fn cache_markers_become_points_after_what_they_mark() {
    let marked = |ttl: Value| json!({ "type": "text", "text": "x", "cache_control": ttl });
    let body = |system: Value| {
        json!({ "model": "m", "max_tokens": 5, "system": [system],
            "messages": [{ "role": "user", "content": "y" }] })
    };
    let (out, lost) = written(Wire::Anthropic, &body(marked(json!({ "type": "ephemeral", "ttl": "1h" }))));
    assert_eq!(out["system"], json!([{ "text": "x" }, { "cachePoint": { "type": "default", "ttl": "1h" } }]));
    assert_eq!(lost, "");
    let (out, lost) = written(Wire::Anthropic, &body(marked(json!({ "type": "lasting" }))));
    assert_eq!((out["system"].clone(), lost.as_str()), (json!([{ "text": "x" }]), "cache_control"));
}

const BEGIN: &str = "<!-- made from server/wire/tests/golden, on Bedrock's Converse: do not edit -->\n";
const END: &str = "<!-- end -->\n";

fn cell(from: Wire, text: &str) -> String {
    match bailiwick_wire::request(from, Upstream::BedrockConverse, text.as_bytes(), 4_096) {
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
    table.push_str("\n| what a request has | OpenAI's API | Anthropic's API |\n| --- | --- | --- |\n");
    for (name, cells) in rows {
        let [one, two] = cells.map(|cell| cell.unwrap_or_else(|| String::from("not in this API")));
        table.push_str(&format!("| {} | {one} | {two} |\n", name.replace('_', " ")));
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
