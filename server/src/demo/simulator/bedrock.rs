//! Simulated Converse of Amazon Bedrock, whole and in frames, and the checks that the real one makes:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>, the service's own description
//! (`bedrock-runtime/2023-09-30/service-2.json` in <https://github.com/boto/botocore>), and its complaints as seen in the
//! open: turns that do not alternate (<https://github.com/langchain-ai/langchain-aws/issues/130>), documents of one name
//! (<https://github.com/BerriAI/litellm/pull/30093>), tools that were called and are not there
//! (<https://github.com/patriceckhart/zot/pull/18>).
//!
//! A request is answered as one of Anthropic's API would be, in the words of this one.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Map, Value, json};

use super::anthropic::{self, Message};
use super::behaviour::BrokenSse;
use super::text;

/// Members of a request.
const MEMBERS: &[&str] = &[
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "inferenceConfig",
    "messages",
    "outputConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
    "system",
    "toolConfig",
];

/// What a path asks for: the model, and what of it.
pub(super) fn asked(path: &str) -> Option<(String, &str)> {
    let (model, what) = path.strip_prefix("/model/")?.split_once('/')?;
    Some((decoded(model)?, what))
}

/// Undoes percent-encoding.
fn decoded(segment: &str) -> Option<String> {
    let mut out = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What the service complains of, if it does.
pub(super) fn complaint(request: &Value) -> Option<String> {
    let unknown = request.as_object()?.keys().find(|name| !MEMBERS.contains(&name.as_str()));
    if let Some(name) = unknown {
        return Some(format!("Unexpected field {name}"));
    }
    let temperature = request.pointer("/inferenceConfig/temperature").and_then(Value::as_f64);
    if temperature.is_some_and(|temperature| temperature > 1.0) {
        return Some(String::from("Value at 'inferenceConfig.temperature' must be less than or equal to 1"));
    }
    if request
        .pointer("/inferenceConfig/maxTokens")
        .is_some_and(|most| most.as_u64().is_none_or(|most| most == 0))
    {
        return Some(String::from("Value at 'inferenceConfig.maxTokens' must be greater than or equal to 1"));
    }
    for tool in list(request.get("toolConfig").unwrap_or(&Value::Null), "tools") {
        let spec = tool.get("toolSpec");
        let is_spec =
            spec.is_some_and(|spec| spec.pointer("/inputSchema/json/type") == Some(&json!("object")));
        if !is_spec && tool.get("cachePoint").is_none() {
            return Some(String::from(
                "The value at toolConfig.tools.0.toolSpec.inputSchema.json.type must be one of the following: object.",
            ));
        }
    }
    conversation(request)
}

fn conversation(request: &Value) -> Option<String> {
    let messages = list(request, "messages");
    if messages.is_empty() {
        return Some(String::from("A conversation must start with a user message. Try again."));
    }
    let (mut before, mut names, mut called) = ("", Vec::new(), Vec::new());
    let mut tools = false;
    for (at, message) in messages.iter().enumerate() {
        let role = word(message, "role");
        if !["user", "assistant", "system"].contains(&role) {
            return Some(format!("Value at 'messages.{at}.role' is not a role"));
        }
        if role == before {
            return Some(String::from(
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates \
                 between user and assistant roles and try again.",
            ));
        }
        before = role;
        let blocks = list(message, "content");
        if blocks.is_empty() {
            return Some(format!("The content field in the Message object at messages.{at} is empty."));
        }
        let mut calls = Vec::new();
        for (number, block) in blocks.iter().enumerate() {
            let place = format!("messages.{at}.content.{number}");
            if let Some(wrong) = block_complaint(block, &place, role) {
                return Some(wrong);
            }
            let inner =
                |name: &str, member: &str| block.get(name).map(|value| word(value, member).to_owned());
            if let Some(name) = inner("document", "name") {
                if names.contains(&name) {
                    return Some(String::from(
                        "Messages can't contain duplicate document names. Rename the document and retry your request.",
                    ));
                }
                names.push(name);
                if !blocks.iter().any(|block| block.get("text").is_some()) {
                    return Some(String::from("A document must be accompanied by a text block."));
                }
            }
            calls.extend(inner("toolUse", "toolUseId"));
            if let Some(of) = inner("toolResult", "toolUseId")
                && !called.contains(&of)
            {
                return Some(format!(
                    "The number of toolResult blocks at {place} exceeds the number of toolUse blocks of previous turn."
                ));
            }
            tools |= block.get("toolUse").is_some() || block.get("toolResult").is_some();
        }
        called = calls;
    }
    (tools && request.pointer("/toolConfig/tools").is_none()).then(|| {
        String::from("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
    })
}

fn block_complaint(block: &Value, place: &str, role: &str) -> Option<String> {
    const KINDS: &[(&str, &[&str])] = &[
        ("text", &[]),
        ("image", &["format", "source"]),
        ("document", &["format", "name", "source"]),
        ("toolUse", &["toolUseId", "name", "input"]),
        ("toolResult", &["toolUseId", "content", "status"]),
        ("cachePoint", &["type", "ttl"]),
        ("reasoningContent", &["reasoningText", "redactedContent"]),
    ];
    let members = block.as_object()?;
    let one = members.iter().next().filter(|_| members.len() == 1);
    let Some((kind, value)) = one else {
        return Some(format!(
            "ContentBlock object at {place} must set one of the following keys: text, image"
        ));
    };
    let Some((_, known)) = KINDS.iter().find(|(known, _)| *known == kind.as_str()) else {
        return Some(format!("Unexpected field {kind} at {place}"));
    };
    if let Some(name) =
        value.as_object().and_then(|value| value.keys().find(|name| !known.contains(&name.as_str())))
    {
        return Some(format!("Unexpected field {name} at {place}"));
    }
    match kind.as_str() {
        "text" if value.as_str().is_none_or(|text| text.trim().is_empty()) => Some(format!(
            "The text field in the ContentBlock object at {place} is blank. Add text to the text field, and try again."
        )),
        "image" | "document" if role != "user" => {
            Some(format!("The {kind} at {place} is not in a user's message."))
        }
        "document" => {
            let name = word(value, "name");
            let taken = name.chars().all(|c| c.is_ascii_alphanumeric() || " -()[]".contains(c));
            (name.is_empty() || !taken || name.contains("  ")).then(|| {
                String::from(
                    "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, \
                     parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.",
                )
            })
        }
        "toolUse" if !value.get("input").is_some_and(Value::is_object) => Some(format!(
            "The format of the value at {place}.toolUse.input is invalid. Provide a json object."
        )),
        "toolUse" | "toolResult" => {
            let id = word(value, "toolUseId");
            let taken = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte));
            (id.is_empty() || id.len() > 64 || !taken)
                .then(|| format!("Value at '{place}.toolUseId' failed to satisfy constraint"))
        }
        _ => None,
    }
}

/// The request in the words of Anthropic's API, as far as an answer speaks of it.
fn mapped(request: &Value, model: &str, stream: bool) -> Value {
    let block = |block: &Value| -> Option<Value> {
        let (kind, value) = block.as_object()?.iter().next()?;
        Some(match kind.as_str() {
            "text" => json!({ "type": "text", "text": value }),
            "toolUse" => json!({ "type": "tool_use", "id": value.get("toolUseId"), "name": value.get("name"),
                "input": value.get("input") }),
            "toolResult" => json!({ "type": "tool_result", "tool_use_id": value.get("toolUseId"),
                "content": value.get("content") }),
            "image" | "document" => json!({ "type": kind }),
            _ => return None,
        })
    };
    let messages: Vec<Value> = list(request, "messages")
        .iter()
        .map(|message| {
            let content: Vec<Value> = list(message, "content").iter().filter_map(block).collect();
            json!({ "role": message.get("role"), "content": content })
        })
        .collect();
    let config = request.get("toolConfig").cloned().unwrap_or_default();
    let tools: Vec<Value> = list(&config, "tools")
        .iter()
        .filter_map(|tool| tool.get("toolSpec"))
        .map(|spec| json!({ "name": spec.get("name"), "input_schema": spec.pointer("/inputSchema/json") }))
        .collect();
    let mut out = json!({ "model": model, "stream": stream, "messages": messages, "tools": tools });
    let mut set = |name: &str, value: Option<Value>| {
        if let (Some(out), Some(value)) = (out.as_object_mut(), value) {
            out.insert(name.to_owned(), value);
        }
    };
    set("system", request.get("system").cloned());
    set("max_tokens", request.pointer("/inferenceConfig/maxTokens").cloned());
    set("thinking", request.pointer("/additionalModelRequestFields/thinking").cloned());
    let choice = config.get("toolChoice").and_then(Value::as_object).and_then(|choice| choice.iter().next());
    set("tool_choice", choice.map(|(kind, value)| json!({ "type": kind, "name": value.get("name") })));
    let schema = request.pointer("/outputConfig/textFormat/structure/jsonSchema/schema");
    let schema = schema.and_then(Value::as_str).and_then(|schema| serde_json::from_str::<Value>(schema).ok());
    set("output_config", schema.map(|schema| json!({ "format": { "schema": schema } })));
    out
}

/// Answers a request that was checked, as [`anthropic::answer`] does; `said` are blocks in the words of that API.
pub(super) fn answer(
    name: &str,
    (request, model, stream): (&Value, &str, bool),
    raw: &[u8],
    secret: Option<&str>,
    usage: Option<Value>,
    said: Option<Vec<Value>>,
) -> Told {
    let message = anthropic::answer(name, &mapped(request, model, stream), raw, secret, None, said);
    let truth = message.usage.as_ref().map(|truth| {
        let count = |name: &str| truth.get(name).and_then(Value::as_u64).unwrap_or(0);
        let (input, output) = (count("input_tokens"), count("output_tokens"));
        json!({ "inputTokens": input, "outputTokens": output, "totalTokens": input + output })
    });
    Told { message, usage: usage.or(truth).filter(|usage| !usage.is_null()) }
}

/// How many tokens a request counts for.
pub(super) fn count(request: &Value, model: &str) -> Option<u64> {
    let inner = request.pointer("/input/converse")?;
    Some(anthropic::count(&mapped(inner, model, false)))
}

/// An answer.
#[derive(Debug)]
pub(super) struct Told {
    message: Message,
    usage: Option<Value>,
}

impl Told {
    /// The body of a whole answer.
    pub(super) fn whole(&self) -> Bytes {
        let content: Vec<Value> = self.message.blocks.iter().map(block).collect();
        let mut body = json!({
            "metrics": { "latencyMs": 1 },
            "output": { "message": { "content": content, "role": "assistant" } },
            "stopReason": self.message.stop,
        });
        if let (Some(body), Some(usage)) = (body.as_object_mut(), &self.usage) {
            body.insert("usage".into(), usage.clone());
        }
        Bytes::from(body.to_string())
    }

    /// The frames of a stream.
    pub(super) fn frames(&self) -> Vec<Bytes> {
        let mut frames = vec![event("messageStart", &json!({ "role": "assistant", "p": "abcdefgh" }))];
        for (index, block) in self.message.blocks.iter().enumerate() {
            block_frames(index, block, &mut frames);
        }
        frames.push(event("messageStop", &json!({ "stopReason": self.message.stop })));
        let mut last = json!({ "metrics": { "latencyMs": 1 } });
        if let (Some(last), Some(usage)) = (last.as_object_mut(), &self.usage) {
            last.insert("usage".into(), usage.clone());
        }
        frames.push(event("metadata", &last));
        frames
    }
}

/// A block of Anthropic's API in the words of this one.
fn block(block: &Value) -> Value {
    match word(block, "type") {
        "thinking" => json!({ "reasoningContent": { "reasoningText": {
            "text": block.get("thinking"), "signature": block.get("signature") } } }),
        "tool_use" => json!({ "toolUse": {
            "toolUseId": block.get("id"), "name": block.get("name"), "input": block.get("input") } }),
        _ => json!({ "text": block.get("text") }),
    }
}

fn block_frames(index: usize, block: &Value, frames: &mut Vec<Bytes>) {
    let mut delta = |delta: Value| {
        frames.push(event(
            "contentBlockDelta",
            &json!({ "contentBlockIndex": index, "delta": delta, "p": "abc" }),
        ));
    };
    match word(block, "type") {
        "thinking" => {
            for piece in text::pieces(word(block, "thinking")) {
                delta(json!({ "reasoningContent": { "text": piece } }));
            }
            delta(json!({ "reasoningContent": { "signature": block.get("signature") } }));
        }
        "tool_use" => {
            let start = json!({ "toolUse": { "toolUseId": block.get("id"), "name": block.get("name") } });
            frames.push(event("contentBlockStart", &json!({ "contentBlockIndex": index, "start": start })));
            let input = block.get("input").map(Value::to_string).unwrap_or_default();
            for piece in text::pieces(&input) {
                let delta = json!({ "toolUse": { "input": piece } });
                frames
                    .push(event("contentBlockDelta", &json!({ "contentBlockIndex": index, "delta": delta })));
            }
        }
        _ => text::pieces(word(block, "text")).into_iter().for_each(|piece| delta(json!({ "text": piece }))),
    }
    frames.push(event("contentBlockStop", &json!({ "contentBlockIndex": index })));
}

fn event(name: &str, payload: &Value) -> Bytes {
    frame(&[(":event-type", name), (":message-type", "event")], payload.to_string().as_bytes())
}

/// An exception in the middle of a stream.
pub(super) fn exception(name: &str, message: &str) -> Bytes {
    let payload = Value::Object(Map::from_iter([("message".to_owned(), json!(message))]));
    frame(&[(":exception-type", name), (":message-type", "exception")], payload.to_string().as_bytes())
}

/// One frame: <https://smithy.io/2.0/aws/amazon-eventstream.html>. Headers are strings, type 7.
fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
    let long = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let mut head = BytesMut::new();
    for (name, value) in headers.iter().chain(&[(":content-type", "application/json")]) {
        head.put_u8(short(name.len()).to_be_bytes()[1]);
        head.put(name.as_bytes());
        head.put_u8(7);
        head.put_u16(short(value.len()));
        head.put(value.as_bytes());
    }
    let mut out = BytesMut::new();
    out.put_u32(long(16 + head.len() + payload.len()));
    out.put_u32(long(head.len()));
    out.put_u32(crc32fast::hash(&out));
    out.put(head);
    out.put(payload);
    out.put_u32(crc32fast::hash(&out));
    out.freeze()
}

/// Breaks a stream in one way, after two good frames.
pub(super) fn break_stream(how: BrokenSse, frames: &mut Vec<Bytes>) {
    let third = frames.get(2).cloned().unwrap_or_default();
    let rest = frames.split_off(frames.len().min(2));
    let good =
        |payload: &[u8]| frame(&[(":event-type", "contentBlockDelta"), (":message-type", "event")], payload);
    match how {
        // A byte of the payload is another, and the checksum is not.
        BrokenSse::Garbage => {
            let mut damaged = third.to_vec();
            if let Some(byte) = damaged.iter_mut().rev().nth(6) {
                *byte ^= 1;
            }
            frames.push(Bytes::from(damaged));
            frames.extend(rest.into_iter().skip(1));
        }
        BrokenSse::HalfJson => {
            frames.push(good(br#"{"contentBlockIndex":0,"del"#));
            frames.extend(rest.into_iter().skip(1));
        }
        // The length is another, and the checksum of the prelude is not.
        BrokenSse::MissingBlankLine => {
            let mut damaged = third.to_vec();
            if let Some(byte) = damaged.get_mut(3) {
                *byte = byte.wrapping_add(1);
            }
            frames.push(Bytes::from(damaged));
            frames.extend(rest.into_iter().skip(1));
        }
        BrokenSse::InvalidUtf8 => {
            frames.push(good(b"{\"contentBlockIndex\":0,\"delta\":{\"text\":\"\xC3\x28\"}}"));
            frames.extend(rest.into_iter().skip(1));
        }
        BrokenSse::NoDone => {}
        BrokenSse::CutEvent => frames.push(third.slice(..third.len() / 2)),
    }
}
