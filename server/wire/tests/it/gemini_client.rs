//! Google's Gemini API as clients speak it: its requests on every wire, and answers and streams of each in its shape, as files.

use std::path::{Path, PathBuf};

use bailiwick_wire::{Address, Client, Losses, Stream, Untold, Untranslated, Upstream, Wire};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::gemini::{is_in_the_page, is_of_the_service, streamed};
use crate::golden::{is_written, left_out, pretty, told};

const UNTOLD: Untold<'_> = Untold { created: 1_767_225_600, id: "dec_1", model: "m" };
const ADDRESS: Address<'_> = Address { model: "m", stream: false };

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

fn request(to: Upstream, text: &str) -> Result<(String, Losses), Untranslated> {
    let address = Address { stream: text.contains("streamed"), ..ADDRESS };
    bailiwick_wire::request_at(Client::Gemini, to, text.as_bytes(), 4_096, address)
}

#[test]
fn requests() {
    let mut wrong = Vec::new();
    for (wire, upstream) in WIRES {
        for (name, text) in fixtures("gemini", "requests") {
            let translated = request(upstream, &text);
            if let (Upstream::Gemini, Ok((body, _))) = (upstream, &translated) {
                is_of_the_service(&name, &serde_json::from_str(body).unwrap());
            }
            let found = match translated {
                Err(Untranslated::Broken(broken)) => format!("broken: {broken}\n"),
                translated => told(translated),
            };
            let path = folder("gemini", &format!("requests-on-{wire}")).join(format!("{name}.txt"));
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
            let back = bailiwick_wire::answer(upstream, Client::Gemini, text.as_bytes(), UNTOLD);
            let found = match back {
                Ok((body, losses)) => {
                    is_an_answer(&name, &serde_json::from_str(&body).unwrap());
                    left_out(&losses) + &pretty(&body)
                }
                Err(broken) => format!("broken: {broken}\n"),
            };
            let path = folder(wire, "answers-on-gemini").join(format!("{name}.txt"));
            if !is_written(&path, &found) {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the vendor's clients rely on.
fn is_an_answer(name: &str, body: &Value) {
    let candidate = &body["candidates"][0];
    assert!(
        ["STOP", "MAX_TOKENS", "SAFETY"].contains(&candidate["finishReason"].as_str().unwrap()),
        "{name}"
    );
    assert_eq!(candidate["content"]["role"], "model", "{name}");
    for part in candidate["content"]["parts"].as_array().unwrap() {
        assert!(part["text"].is_string() != part["functionCall"]["args"].is_object(), "{name}: {part}");
    }
}

#[test]
fn streams() {
    let mut wrong = Vec::new();
    for (wire, upstream) in WIRES {
        for (name, text) in fixtures(wire, "streams") {
            let found = streamed(upstream, Client::Gemini, &text);
            let path = folder(wire, "streams-on-gemini").join(format!("{name}.txt"));
            if !is_written(&path, &found) {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

proptest! {
    /// Whatever providers send: an end is told only where the answer is over.
    #[test]
    fn damaged_events_are_errors_by_name(seed in 0_usize..10_000, at in 0_usize..4_000, byte in any::<u8>()) {
        for (wire, upstream) in WIRES {
            let all = fixtures(wire, "streams");
            let (_, text) = &all[seed % all.len()];
            let mut bytes = text.clone().into_bytes();
            let place = at % bytes.len();
            bytes[place] = byte;
            let mut stream = Stream::new(upstream, Client::Gemini, UNTOLD, true);
            let mut said = Vec::new();
            for line in bytes.split(|byte| *byte == b'\n') {
                match stream.event(line) {
                    Ok(events) => said.extend(events),
                    Err(_) => break,
                }
            }
            let said: Vec<Value> = said.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
            let ended = said.iter().any(|event| event["candidates"][0]["finishReason"].is_string());
            prop_assert_eq!(ended, stream.is_over());
        }
    }

    /// Members of any kind in any place of a request.
    #[test]
    fn any_json_in_a_request_is_written_refused_or_an_error(
        place in prop::sample::select(PLACES), value in hostile(),
    ) {
        let mut body = json!({
            "systemInstruction": { "parts": [{ "text": "s" }] },
            "contents": [
                { "role": "user", "parts": [{ "text": "a" }] },
                { "role": "model", "parts": [{ "functionCall": { "name": "f", "args": {} } }] },
                { "role": "user", "parts": [{ "functionResponse": { "name": "f", "response": {} } }] },
            ],
            "tools": [{ "functionDeclarations": [{ "name": "f", "parameters": { "type": "OBJECT" } }] }],
            "toolConfig": { "functionCallingConfig": { "mode": "ANY" } },
            "generationConfig": { "thinkingConfig": {}, "responseSchema": { "type": "OBJECT" },
                "responseMimeType": "application/json" },
        });
        *at(&mut body, place) = value;
        for (_, upstream) in WIRES {
            let _ = request(upstream, &body.to_string());
        }
    }
}

/// The value at a path, made where it is not there.
fn at<'a>(body: &'a mut Value, path: &str) -> &'a mut Value {
    path.split('.').fold(body, |value, step| match step.parse::<usize>() {
        Ok(number) => &mut value[number],
        Err(_) => &mut value[step],
    })
}

const PLACES: &[&str] = &[
    "systemInstruction",
    "systemInstruction.parts",
    "contents",
    "contents.0",
    "contents.0.role",
    "contents.0.parts",
    "contents.0.parts.0",
    "contents.0.parts.0.text",
    "contents.0.parts.0.inlineData",
    "contents.0.parts.0.thought",
    "contents.0.parts.0.thoughtSignature",
    "contents.1.parts.0.functionCall",
    "contents.1.parts.0.functionCall.name",
    "contents.1.parts.0.functionCall.args",
    "contents.1.parts.0.functionCall.id",
    "contents.2.parts.0.functionResponse",
    "contents.2.parts.0.functionResponse.name",
    "contents.2.parts.0.functionResponse.id",
    "contents.2.parts.0.functionResponse.response",
    "contents.2.parts.0.functionResponse.parts",
    "tools",
    "tools.0",
    "tools.0.functionDeclarations",
    "tools.0.functionDeclarations.0.parameters",
    "tools.0.functionDeclarations.0.parameters.properties",
    "tools.0.functionDeclarations.0.name",
    "toolConfig.functionCallingConfig",
    "toolConfig.functionCallingConfig.mode",
    "toolConfig.functionCallingConfig.allowedFunctionNames",
    "generationConfig",
    "generationConfig.stopSequences",
    "generationConfig.thinkingConfig.thinkingBudget",
    "generationConfig.thinkingConfig.thinkingLevel",
    "generationConfig.responseSchema",
    "generationConfig.responseMimeType",
    "generationConfig.seed",
    "generationConfig.candidateCount",
    "safetySettings",
    "newThing",
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
        Just(json!(["a", "b"])),
        Just(json!([{ "text": "x" }, null])),
        Just(json!({ "mime_type": "image/png", "mimeType": "image/png", "data": "" })),
        Just(
            json!({ "properties": { "a": { "anyOf": [1, { "type": [] }] } }, "propertyOrdering": [1, "a"] })
        ),
    ]
}

#[test]
fn deep_requests_are_not_read() {
    for depth in [100, 100_000] {
        let schema = format!("{}1{}", "{\"items\":".repeat(depth), "}".repeat(depth));
        let text = format!(
            r#"{{"contents":[{{"parts":[{{"text":"a"}}]}}],"tools":[{{"functionDeclarations":[{{"name":"f","parameters":{schema}}}]}}]}}"#
        );
        for (_, upstream) in WIRES {
            assert_eq!(request(upstream, &text).is_ok(), depth == 100);
        }
    }
}

fn written(to: Upstream, body: &Value) -> (Value, String) {
    let (body, losses) = request(to, &body.to_string()).unwrap();
    (serde_json::from_str(&body).unwrap(), losses.places().collect::<Vec<_>>().join(", "))
}

#[test]
fn the_address_says_the_model_and_whether_the_answer_is_streamed() {
    let body = json!({ "contents": [{ "parts": [{ "text": "x" }] }], "model": "models/other" });
    for wire in Wire::ALL {
        for stream in [false, true] {
            let address = Address { model: "m", stream };
            let text = body.to_string();
            let (out, losses) =
                bailiwick_wire::request_at(Client::Gemini, wire, text.as_bytes(), 9, address).unwrap();
            let out: Value = serde_json::from_str(&out).unwrap();
            assert!(losses.is_empty());
            assert_eq!((out["model"].as_str(), out["stream"] == true), (Some("m"), stream), "{out}");
        }
    }
}

#[test]
fn calls_without_ids_are_matched_by_their_names_in_order() {
    let call = |name: &str| json!({ "functionCall": { "name": name, "args": {} } });
    let result =
        |name: &str, of: &str| json!({ "functionResponse": { "name": name, "response": { "output": of } } });
    let body = json!({ "contents": [
        { "role": "user", "parts": [{ "text": "x" }] },
        { "role": "model", "parts": [call("f"), call("g"), call("f")] },
        { "role": "user", "parts": [result("g", "2"), result("f", "1"), result("f", "3")] },
    ] });
    let (out, _) = written(Wire::OpenAiChat.into(), &body);
    let ids: Vec<&str> = out["messages"][1]["tool_calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| call["id"].as_str().unwrap())
        .collect();
    let answered: Vec<(&str, &str)> = out["messages"].as_array().unwrap()[2..]
        .iter()
        .map(|message| (message["tool_call_id"].as_str().unwrap(), message["content"].as_str().unwrap()))
        .collect();
    assert_eq!(answered, [(ids[1], "2"), (ids[0], "1"), (ids[2], "3")]);
}

/// What a model of another vendor's signed comes back to it through a client of this API.
#[test]
fn what_another_model_signed_it_gets_back() {
    let answer = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [
        { "type": "thinking", "thinking": "Hm.", "signature": "EqQB+/==" },
        { "type": "redacted_thinking", "data": "EmwK+/==" },
        { "type": "text", "text": "Two" },
    ], "stop_reason": "end_turn", "usage": { "input_tokens": 1, "output_tokens": 1 } });
    let (body, losses) =
        bailiwick_wire::answer(Wire::Anthropic, Client::Gemini, answer.to_string().as_bytes(), 0).unwrap();
    assert!(losses.is_empty());
    // Clients read bytes and write them in the other alphabet.
    let body: Value = serde_json::from_str(&body.replace("+/", "-_")).unwrap();
    let again = json!({ "contents": [
        { "role": "user", "parts": [{ "text": "One" }] },
        body["candidates"][0]["content"],
        { "role": "user", "parts": [{ "text": "Three" }] },
    ] });
    let (sent, lost) = written(Wire::Anthropic.into(), &again);
    assert_eq!((sent["messages"][1]["content"].clone(), lost.as_str()), (answer["content"].clone(), ""));
    let (sent, lost) = written(Upstream::Gemini, &again);
    assert!(!sent.to_string().contains("EqQB") && !lost.is_empty(), "{sent}");
}

/// The same where the answer came in events, of which a client keeps every part.
#[test]
fn what_another_model_signed_in_pieces_it_gets_back() {
    let events = [
        r#"{"type":"message_start","message":{"id":"msg_1","model":"m","usage":{}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm, "}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm."}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"Two"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let told = streamed(Wire::Anthropic.into(), Client::Gemini, &events.join("\n"));
    let parts: Vec<Value> = told
        .lines()
        .flat_map(|line| {
            let event: Value = serde_json::from_str(line).unwrap();
            event["candidates"][0]["content"]["parts"].as_array().unwrap().clone()
        })
        .collect();
    let again = json!({ "contents": [
        { "role": "user", "parts": [{ "text": "One" }] },
        { "role": "model", "parts": parts },
        { "role": "user", "parts": [{ "text": "Three" }] },
    ] });
    let (sent, lost) = written(Wire::Anthropic.into(), &again);
    assert_eq!(
        (sent["messages"][1]["content"].clone(), lost.as_str()),
        (
            json!([{ "type": "thinking", "thinking": "Hm, hm.", "signature": "EqQB" },
                { "type": "text", "text": "Two" }]),
            ""
        )
    );
}

#[test]
fn a_request_on_its_own_wire_stays_what_it_was() {
    for (name, text) in fixtures("gemini", "requests") {
        let Ok((once, losses)) = request(Upstream::Gemini, &text) else { continue };
        // That the model may think as it sees fit is what it does when nothing is said.
        if losses.is_empty() && name != "thinking_as_the_model_sees_fit" {
            let (twice, _) = request(Upstream::Gemini, &once).unwrap();
            assert_eq!(once, twice, "{name}");
        }
    }
}

const BEGIN: &str = "<!-- made from server/wire/tests/golden, of the Gemini API: do not edit -->\n";
const END: &str = "<!-- end -->\n";

fn cell(upstream: Upstream, text: &str) -> String {
    match request(upstream, text) {
        Ok((_, losses)) if losses.is_empty() => String::from("kept"),
        Ok((_, losses)) => {
            let places: Vec<String> = losses.places().map(|place| format!("`{place}`")).collect();
            format!("left out: {}", places.join(", "))
        }
        Err(Untranslated::Refused(refused)) => format!("refused: {}", refused.why),
        Err(Untranslated::Broken(broken)) => format!("an error: {broken}"),
    }
}

/// The table in the documentation of what of a request is kept, left out and refused on each wire.
#[test]
fn the_table_is_the_fixtures() {
    let mut table = String::from(BEGIN);
    table.push_str("\n| what a request of Gemini's API has, not served yet ");
    table.push_str("| OpenAI's chat | Anthropic's messages | Bedrock's Converse |\n");
    table.push_str("| --- | --- | --- | --- |\n");
    for (name, text) in fixtures("gemini", "requests") {
        let [one, two, three, _] = WIRES.map(|(_, upstream)| cell(upstream, &text));
        table.push_str(&format!("| {} | {one} | {two} | {three} |\n", name.replace('_', " ")));
    }
    table.push('\n');
    table.push_str(END);
    is_in_the_page(BEGIN, &table);
}

/// Of each member that the published API has it is known what becomes of it, and what the fixtures have is listed.
#[test]
fn the_list_of_members_is_what_is_read() {
    use bailiwick_wire::gemini::MEMBERS;
    for name in MEMBERS {
        let mut body = json!({ "contents": [{ "parts": [{ "text": "x" }] }] });
        if *name != "contents" {
            body[*name] = json!({});
        }
        match request(Wire::Anthropic.into(), &body.to_string()) {
            Err(Untranslated::Refused(refused)) => assert_ne!(refused.place, "a member", "{name}"),
            // Of another type than this one's.
            Ok(_) | Err(Untranslated::Broken(_)) => {}
        }
    }
    for (fixture, text) in fixtures("gemini", "requests") {
        let body: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
        let told = !fixture.starts_with("unknown_member") && fixture != "names_in_the_other_spelling";
        for name in body.keys().filter(|_| told) {
            assert!(MEMBERS.contains(&name.as_str()), "{fixture}: {name}");
        }
    }
}
