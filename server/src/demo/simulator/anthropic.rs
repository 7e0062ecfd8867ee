//! Simulated messages of Anthropic's API, whole and in events, and the checks that the real one makes:
//! <https://platform.claude.com/docs/en/api/messages>, <https://platform.claude.com/docs/en/api/errors>.
//!
//! Strict where the real one is: a member that is not known, a text without a character, an answer of a tool to no call, a
//! temperature above 1 and a missing version or limit are refused.

use bailiwick_wire::anthropic::{COUNTED, MEMBERS};
use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    text::{self, Prompt},
    thoughts,
    tools::{self, Call},
};

/// Members of a request that the later version of the API does not have:
/// <https://platform.claude.com/docs/en/api/migration-2026-10-21>.
const REMOVED: &[&str] = &["temperature", "top_k", "top_p"];

/// Members that the API takes only with a header that switches them on, and no such header goes through the gateway.
const SWITCHED_ON: &[&str] = &["context_management", "mcp_servers"];

/// What the service complains of, if it does.
pub(super) fn complaint(headers: &HeaderMap, request: &Value, counting: bool) -> Option<String> {
    let version = headers.get("anthropic-version").and_then(|version| version.to_str().ok());
    let latest = match version {
        Some("2023-06-01") => false,
        Some("2026-10-21") => true,
        _ => return Some(String::from("anthropic-version: header is required")),
    };
    let members = if counting { COUNTED } else { MEMBERS };
    let known = |name: &str| {
        members.contains(&name) && !SWITCHED_ON.contains(&name) && !(latest && REMOVED.contains(&name))
    };
    let unknown = request.as_object()?.keys().find(|name| !known(name));
    if let Some(name) = unknown {
        return Some(format!("{name}: Extra inputs are not permitted"));
    }
    if !counting && request.get("max_tokens").and_then(Value::as_u64).is_none() {
        return Some(String::from("max_tokens: Field required"));
    }
    if request.get("temperature").and_then(Value::as_f64).is_some_and(|temperature| temperature > 1.0) {
        return Some(String::from("temperature: range: 0..1"));
    }
    for tool in list(request, "tools") {
        let custom = tool.get("type").is_none_or(|kind| kind == "custom");
        if custom && tool.pointer("/input_schema/type") != Some(&json!("object")) {
            return Some(String::from("tools.0.custom.input_schema.type: Field required"));
        }
    }
    let choice = request.pointer("/tool_choice/type").and_then(Value::as_str);
    if choice.is_some_and(|choice| !["auto", "any", "tool", "none"].contains(&choice)) {
        return Some(String::from("tool_choice: Input tag does not match any of the expected tags"));
    }
    conversation(request)
}

fn conversation(request: &Value) -> Option<String> {
    let messages = list(request, "messages");
    if messages.is_empty() {
        return Some(String::from("messages: at least one message is required"));
    }
    let mut called: Vec<&str> = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
        if !["user", "assistant", "system"].contains(&role) {
            return Some(format!("messages.{at}.role: Input should be 'user' or 'assistant'"));
        }
        let blocks = match message.get("content") {
            Some(Value::String(text)) if !text.is_empty() => continue,
            Some(Value::Array(blocks)) if !blocks.is_empty() => blocks,
            _ => return Some(format!("messages.{at}: all messages must have non-empty content")),
        };
        let mut calls = Vec::new();
        for (number, block) in blocks.iter().enumerate() {
            let place = format!("messages.{at}.content.{number}");
            if let Some(wrong) = block_complaint(block) {
                return Some(format!("{place}.{wrong}"));
            }
            let id = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
            match id("type") {
                "tool_use" => calls.push(id("id")),
                "tool_result" if !called.contains(&id("tool_use_id")) => {
                    return Some(format!(
                        "{place}: unexpected `tool_use_id` found in `tool_result` blocks: each `tool_result` block must \
                         have a corresponding `tool_use` block in the previous message."
                    ));
                }
                _ => {}
            }
        }
        called = calls;
    }
    None
}

/// What is wrong with a block: each kind has members that it needs and members that it may have.
fn block_complaint(block: &Value) -> Option<String> {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or_default();
    let (needs, may): (&[&str], &[&str]) = match kind {
        "text" => (&["text"], &["citations"]),
        "image" => (&["source"], &[]),
        "document" => (&["source"], &["title", "context", "citations"]),
        "thinking" => (&["thinking", "signature"], &[]),
        "redacted_thinking" => (&["data"], &[]),
        "tool_use" => (&["id", "name", "input"], &["caller"]),
        "tool_result" => (&["tool_use_id"], &["content", "is_error"]),
        _ => return Some(String::from("type: Input tag does not match any of the expected tags")),
    };
    let members = block.as_object()?;
    if let Some(missing) = needs.iter().find(|name| !members.contains_key(**name)) {
        return Some(format!("{kind}.{missing}: Field required"));
    }
    let known = |name: &str| {
        needs.contains(&name) || may.contains(&name) || ["type", "cache_control"].contains(&name)
    };
    if members.keys().any(|name| !known(name)) {
        return Some(format!("{kind}: Extra inputs are not permitted"));
    }
    let member = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    match kind {
        "thinking" if !thoughts::holds(member("signature"), member("thinking")) => {
            Some(String::from("thinking: Invalid `signature` in `thinking` block"))
        }
        "text" if block.get("text") == Some(&json!("")) => {
            Some(String::from("text: text content blocks must be non-empty"))
        }
        "tool_use" if !block.get("input").is_some_and(Value::is_object) => {
            Some(String::from("tool_use.input: Input should be a valid dictionary"))
        }
        "image" if block.pointer("/source/type") == Some(&json!("base64")) => {
            let media_type = block.pointer("/source/media_type").and_then(Value::as_str).unwrap_or_default();
            let taken = ["image/jpeg", "image/png", "image/gif", "image/webp"].contains(&media_type);
            (!taken).then(|| String::from("image.source.base64.media_type: Input should be 'image/jpeg'"))
        }
        _ => None,
    }
}

fn list<'a>(request: &'a Value, name: &str) -> &'a [Value] {
    request.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// How many tokens a request counts for.
pub(super) fn count(request: &Value) -> u64 {
    let system = request.get("system").map_or(0, |system| text::count(&system.to_string()));
    let tools = request.get("tools").map_or(0, |tools| text::count(&tools.to_string()));
    prompt(request).tokens + system + tools
}

/// The conversation as the simulated answer speaks of it.
fn prompt(request: &Value) -> Prompt {
    let mut messages = Vec::new();
    for message in list(request, "messages") {
        let content = message.get("content").cloned().unwrap_or_default();
        let blocks = content.as_array().cloned().unwrap_or_default();
        let of = |kind: &str| blocks.iter().filter(|block| block.get("type") == Some(&json!(kind))).collect();
        let results: Vec<&Value> = of("tool_result");
        for result in &results {
            messages.push(json!({ "role": "tool", "content": result.get("content") }));
        }
        let parts: Vec<Value> = blocks
            .iter()
            .map(|block| match block.get("type").and_then(Value::as_str) {
                Some("image") => json!({ "image_url": {} }),
                Some("text") => block.clone(),
                _ => json!({}),
            })
            .collect();
        let said = if blocks.is_empty() { content } else { Value::Array(parts) };
        if results.is_empty() || !of("text").is_empty() {
            messages.push(json!({ "role": message.get("role"), "content": said }));
        }
    }
    Prompt::read(&messages)
}

/// An answer.
#[derive(Debug)]
pub(super) struct Message {
    id: String,
    model: Value,
    pub(super) blocks: Vec<Value>,
    pub(super) stop: &'static str,
    pub(super) usage: Option<Value>,
}

/// Answers a request that was checked. `secret` is worked into the text; `usage` is what is told in place of the truth,
/// null for nothing; `said` are blocks to say in place of an answer.
pub(super) fn answer(
    name: &str,
    request: &Value,
    raw: &[u8],
    secret: Option<&str>,
    usage: Option<Value>,
    said: Option<Vec<Value>>,
) -> Message {
    let prompt = prompt(request);
    let id = format!("msg_{}", hex::encode(Sha256::digest(raw).get(..12).unwrap_or_default()));
    let calls = calls(request, &prompt);
    let spoken = match request.pointer("/output_config/format/schema") {
        Some(schema) => tools::structured(schema, &prompt).to_string(),
        None => prompt.answer(name, secret),
    };
    let mut pieces = text::pieces(&spoken);
    let limit =
        request.get("max_tokens").and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    let cut = limit.is_some_and(|limit| pieces.len() > limit);
    pieces.truncate(limit.unwrap_or(usize::MAX));
    let mut blocks = Vec::new();
    let thinks = request.pointer("/thinking/type").is_some_and(|kind| kind != "disabled");
    if thinks {
        let (thought, signature) = ("Simulated thought.", thoughts::sign("Simulated thought."));
        blocks.push(json!({ "type": "thinking", "thinking": thought, "signature": signature }));
    }
    if calls.is_empty() {
        blocks.push(json!({ "type": "text", "text": pieces.concat() }));
    }
    for (at, call) in calls.iter().enumerate() {
        let input: Value = serde_json::from_str(&call.arguments).unwrap_or_default();
        let id = format!("toolu_{at}{}", id.trim_start_matches("msg_"));
        blocks.push(json!({ "type": "tool_use", "id": id, "name": call.name, "input": input }));
    }
    let blocks = said.map_or(blocks, |said| said.into_iter().map(signed).collect());
    let said = |block: &Value| match block.get("text").and_then(Value::as_str) {
        Some(said) => text::count(said),
        None => text::count(&block.to_string()),
    };
    let output: u64 = blocks.iter().map(said).sum();
    let truth = json!({
        "input_tokens": count(request), "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
        "output_tokens": output, "service_tier": "standard",
    });
    let stop = match (calls.is_empty(), cut) {
        (false, _) => "tool_use",
        (true, true) => "max_tokens",
        (true, false) => "end_turn",
    };
    let usage = Some(usage.unwrap_or(truth)).filter(|usage| !usage.is_null());
    Message { id, model: request.get("model").cloned().unwrap_or_default(), blocks, stop, usage }
}

/// A block that says that its thought is to be signed, with its signature.
fn signed(mut block: Value) -> Value {
    if block.get("signature") == Some(&json!("{signature}")) {
        let signature = thoughts::sign(block.get("thinking").and_then(Value::as_str).unwrap_or_default());
        if let Some(block) = block.as_object_mut() {
            block.insert("signature".into(), json!(signature));
        }
    }
    block
}

/// The same choice as of OpenAI's functions.
fn calls(request: &Value, prompt: &Prompt) -> Vec<Call> {
    let tools: Vec<Value> = list(request, "tools")
        .iter()
        .map(|tool| json!({ "function": { "name": tool.get("name"), "parameters": tool.get("input_schema") } }))
        .collect();
    let choice = match request.pointer("/tool_choice/type").and_then(Value::as_str) {
        Some("tool") => json!({ "function": { "name": request.pointer("/tool_choice/name") } }),
        Some(choice) => json!(choice),
        None => Value::Null,
    };
    let asked = json!({ "tools": tools, "tool_choice": choice });
    let mut calls = tools::calls(&asked, prompt);
    if request.pointer("/tool_choice/disable_parallel_tool_use") == Some(&json!(true)) {
        calls.truncate(1);
    }
    calls
}

impl Message {
    fn head(&self, blocks: &[Value], stop: Option<&str>, usage: Option<Value>) -> Value {
        let mut head = json!({
            "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": blocks,
            "stop_reason": stop, "stop_sequence": null,
        });
        if let (Some(head), Some(usage)) = (head.as_object_mut(), usage) {
            head.insert("usage".into(), usage);
        }
        head
    }

    /// The body of a whole answer.
    pub(super) fn whole(&self) -> Bytes {
        Bytes::from(self.head(&self.blocks, Some(self.stop), self.usage.clone()).to_string())
    }

    /// The events of a stream.
    pub(super) fn events(&self) -> Vec<Bytes> {
        let mut begun = self.usage.clone();
        if let Some(begun) = begun.as_mut().and_then(Value::as_object_mut) {
            begun.insert("output_tokens".into(), json!(1));
        }
        let mut events =
            vec![event(&json!({ "type": "message_start", "message": self.head(&[], None, begun) }))];
        for (index, block) in self.blocks.iter().enumerate() {
            block_events(index, block, &mut events);
            if index == 0 {
                events.insert(3, event(&json!({ "type": "ping" })));
            }
        }
        let mut delta = json!({
            "type": "message_delta", "delta": { "stop_reason": self.stop, "stop_sequence": null },
        });
        let told = self.usage.as_ref().map(|usage| json!({ "output_tokens": usage.get("output_tokens") }));
        if let (Some(delta), Some(told)) = (delta.as_object_mut(), told) {
            delta.insert("usage".into(), told);
        }
        events.push(event(&delta));
        events.push(event(&json!({ "type": "message_stop" })));
        events
    }
}

fn block_events(index: usize, block: &Value, events: &mut Vec<Bytes>) {
    let member = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut opened = block.clone();
    let (pieces, kind, name) = match member("type") {
        "text" => (text::pieces(member("text")), "text_delta", "text"),
        "thinking" => (text::pieces(member("thinking")), "thinking_delta", "thinking"),
        "tool_use" => {
            let input = block.get("input").map(Value::to_string).unwrap_or_default();
            (text::pieces(&input), "input_json_delta", "partial_json")
        }
        _ => (Vec::new(), "", ""),
    };
    if let Some(opened) = opened.as_object_mut() {
        for empty in ["text", "thinking", "signature"] {
            if opened.contains_key(empty) {
                opened.insert(empty.into(), json!(""));
            }
        }
        if opened.contains_key("input") {
            opened.insert("input".into(), json!({}));
        }
    }
    events.push(event(&json!({ "type": "content_block_start", "index": index, "content_block": opened })));
    let mut push = |delta: Value| {
        events.push(event(&json!({ "type": "content_block_delta", "index": index, "delta": delta })));
    };
    for piece in pieces {
        push(json!({ "type": kind, name: piece }));
    }
    if let Some(signature) = block.get("signature") {
        push(json!({ "type": "signature_delta", "signature": signature }));
    }
    events.push(event(&json!({ "type": "content_block_stop", "index": index })));
}

/// One event, named by its type, with its empty line.
pub(super) fn event(data: &Value) -> Bytes {
    let kind = data.get("type").and_then(Value::as_str).unwrap_or_default();
    Bytes::from(format!("event: {kind}\ndata: {data}\n\n"))
}
