//! Simulated Responses of OpenAI's API, whole and in events, and the checks that the real one makes:
//! <https://platform.openai.com/docs/api-reference/responses>.
//!
//! Strict where the real one is: a member or an item that is not known, an answer of a tool to no call, a sealed thought that is
//! not its own, and an answer before that it does not have are refused.

use bailiwick_wire::openai_responses::MEMBERS;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    anthropic::event,
    chat::CREATED,
    text::{self, Prompt},
    thoughts,
    tools::{self, Call},
};

/// Items of an input that it knows.
const ITEMS: [&str; 6] = [
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "reasoning",
];

/// What the service complains of, if it does.
pub(super) fn complaint(request: &Value) -> Option<String> {
    let unknown = request.as_object()?.keys().find(|name| !MEMBERS.contains(&name.as_str()));
    if let Some(name) = unknown {
        return Some(format!("Unknown parameter: '{name}'."));
    }
    if request.get("previous_response_id").is_some_and(|id| !id.is_null()) {
        return Some(String::from("Previous response with that id not found."));
    }
    let items = match request.get("input") {
        Some(Value::String(_)) => return None,
        Some(Value::Array(items)) if !items.is_empty() => items,
        _ => return Some(String::from("Missing required parameter: 'input'.")),
    };
    let mut called: Vec<&Value> = Vec::new();
    for item in items {
        let kind = item.get("type").and_then(Value::as_str).unwrap_or("message");
        if !ITEMS.contains(&kind) {
            return Some(format!("Invalid value: '{kind}'."));
        }
        let call = item.get("call_id").unwrap_or(&Value::Null);
        match kind {
            "message" if item.get("role").and_then(Value::as_str).is_none() => {
                return Some(String::from("Missing required parameter: 'input[0].role'."));
            }
            "function_call" | "custom_tool_call" => called.push(call),
            "function_call_output" | "custom_tool_call_output" if !called.contains(&call) => {
                return Some(String::from("No tool call found for function call output."));
            }
            "reasoning" => {
                let sealed = item.get("encrypted_content").and_then(Value::as_str);
                if sealed.is_some_and(|sealed| !thoughts::holds(sealed, "")) {
                    return Some(String::from("The encrypted content could not be verified."));
                }
            }
            _ => {}
        }
    }
    None
}

/// An answer, not yet in a wire format.
#[derive(Debug)]
pub(super) struct Answered {
    response: Value,
    items: Vec<Value>,
    cut: bool,
    usage: Option<Value>,
}

/// Answers a request that was checked. `said` is what is said in place of an answer, item by item.
pub(super) fn answer(
    name: &str,
    request: &Value,
    raw: &[u8],
    secret: Option<&str>,
    usage: Option<Value>,
    said: Option<Vec<Value>>,
) -> Answered {
    let messages = messages(request);
    let prompt = Prompt::read(&messages);
    let calls = calls(request, &prompt);
    let answer = match request.pointer("/text/format/type").and_then(Value::as_str) {
        Some("json_schema") => {
            let schema = request.pointer("/text/format/schema").unwrap_or(&Value::Null);
            tools::structured(schema, &prompt).to_string()
        }
        Some("json_object") => json!({"simulated": true, "answer": prompt.answer(name, secret)}).to_string(),
        _ => prompt.answer(name, secret),
    };
    let mut pieces = if calls.is_empty() { text::pieces(&answer) } else { Vec::new() };
    let limit = request.get("max_output_tokens").and_then(Value::as_u64);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let cut = pieces.len() > limit;
    pieces.truncate(limit);
    let id = hex::encode(Sha256::digest(raw).get(..12).unwrap_or_default());
    let mut items = Vec::new();
    if request.pointer("/reasoning/effort").is_some_and(|effort| effort != "none") {
        let thought = "Simulated thought.";
        let mut item = json!({ "id": format!("rs_{id}"), "type": "reasoning",
            "summary": [{ "type": "summary_text", "text": thought }] });
        let asked = request.get("include").and_then(Value::as_array).into_iter().flatten();
        if asked.into_iter().any(|asked| asked == "reasoning.encrypted_content")
            && let Some(item) = item.as_object_mut()
        {
            item.insert("encrypted_content".into(), json!(thoughts::sign(thought)));
        }
        items.push(item);
    }
    if calls.is_empty() {
        let part =
            json!({ "type": "output_text", "text": pieces.concat(), "annotations": [], "logprobs": [] });
        items.push(json!({ "id": format!("msg_{id}"), "type": "message", "role": "assistant",
            "status": if cut { "incomplete" } else { "completed" }, "content": [part] }));
    }
    for (at, call) in calls.iter().enumerate() {
        items.push(json!({ "id": format!("fc_{at}{id}"), "type": "function_call", "status": "completed",
            "call_id": format!("call_{at}{id}"), "name": call.name, "arguments": call.arguments }));
    }
    let items = said.unwrap_or(items);
    let output: u64 = items.iter().map(|item| text::count(&item.to_string())).sum();
    let output = if calls.is_empty() { output.min(pieces.len() as u64).max(1) } else { output };
    let truth = json!({
        "input_tokens": prompt.tokens, "input_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 0 },
        "output_tokens": output, "output_tokens_details": { "reasoning_tokens": 0 },
        "total_tokens": prompt.tokens + output,
    });
    let echo = |name: &str, otherwise: Value| request.get(name).cloned().unwrap_or(otherwise);
    let response = json!({
        "id": format!("resp_{id}"), "object": "response", "created_at": CREATED, "background": false,
        "error": null, "instructions": echo("instructions", Value::Null), "metadata": echo("metadata", json!({})),
        "max_output_tokens": echo("max_output_tokens", Value::Null), "model": request.get("model"),
        "parallel_tool_calls": echo("parallel_tool_calls", json!(true)), "previous_response_id": null,
        "store": echo("store", json!(true)), "temperature": echo("temperature", json!(1.0)),
        "text": echo("text", json!({ "format": { "type": "text" } })),
        "tool_choice": echo("tool_choice", json!("auto")), "tools": echo("tools", json!([])),
        "top_p": echo("top_p", json!(1.0)), "truncation": "disabled", "service_tier": "default",
    });
    let usage = Some(usage.unwrap_or(truth)).filter(|usage| !usage.is_null());
    Answered { response, items, cut, usage }
}

/// The input as messages of a chat.
fn messages(request: &Value) -> Vec<Value> {
    let mut messages = Vec::new();
    if let Some(text) = request.get("instructions").and_then(Value::as_str) {
        messages.push(json!({ "role": "system", "content": text }));
    }
    let parts = |content: &Value| match content {
        Value::Array(parts) => parts
            .iter()
            .map(|part| match part.get("image_url") {
                Some(url) => json!({ "type": "image_url", "image_url": { "url": url } }),
                None => json!({ "type": "text", "text": part.get("text") }),
            })
            .collect(),
        text => text.clone(),
    };
    match request.get("input") {
        Some(Value::Array(items)) => messages.extend(items.iter().filter_map(|item| {
            let member = |name: &str| item.get(name).cloned().unwrap_or_default();
            match item.get("type").and_then(Value::as_str).unwrap_or("message") {
                "message" => Some(json!({ "role": member("role"), "content": parts(&member("content")) })),
                "function_call" | "custom_tool_call" => {
                    Some(json!({ "role": "assistant", "content": null, "tool_calls": [item] }))
                }
                "function_call_output" | "custom_tool_call_output" => {
                    Some(json!({ "role": "tool", "content": parts(&member("output")) }))
                }
                _ => None,
            }
        })),
        Some(text) => messages.push(json!({ "role": "user", "content": text })),
        None => {}
    }
    messages
}

/// The same choice as of a chat's functions.
fn calls(request: &Value, prompt: &Prompt) -> Vec<Call> {
    let tools = request.get("tools").and_then(Value::as_array).into_iter().flatten();
    let tools: Vec<Value> = tools
        .filter(|tool| tool.get("type") == Some(&json!("function")))
        .map(|tool| json!({ "function": { "name": tool.get("name"), "parameters": tool.get("parameters") } }))
        .collect();
    let choice = match request.get("tool_choice") {
        Some(choice) if choice.get("name").is_some() => {
            json!({ "function": { "name": choice.get("name") } })
        }
        choice => choice.cloned().unwrap_or_default(),
    };
    tools::calls(&json!({ "tools": tools, "tool_choice": choice }), prompt)
}

impl Answered {
    fn told(&self, status: &str, items: &[Value]) -> Value {
        let mut response = self.response.clone();
        if let Some(members) = response.as_object_mut() {
            members.insert("status".into(), json!(status));
            members.insert("output".into(), json!(items));
            let why = (status == "incomplete").then(|| json!({ "reason": "max_output_tokens" }));
            members.insert("incomplete_details".into(), why.unwrap_or_default());
            let usage = self.usage.clone().filter(|_| status != "in_progress");
            members.insert("usage".into(), usage.unwrap_or_default());
        }
        response
    }

    const fn status(&self) -> &'static str {
        if self.cut { "incomplete" } else { "completed" }
    }

    /// The body of a whole answer.
    pub(super) fn whole(&self) -> Bytes {
        Bytes::from(self.told(self.status(), &self.items).to_string())
    }

    /// The events of a stream.
    pub(super) fn events(&self) -> Vec<Bytes> {
        let mut all: Vec<Value> = Vec::new();
        for kind in ["response.created", "response.in_progress"] {
            all.push(json!({ "type": kind, "response": self.told("in_progress", &[]) }));
        }
        for (at, item) in self.items.iter().enumerate() {
            item_events(at, item, &mut all);
        }
        let status = self.status();
        all.push(json!({ "type": format!("response.{status}"), "response": self.told(status, &self.items) }));
        let numbered = all.into_iter().enumerate().map(|(number, mut event)| {
            if let Some(members) = event.as_object_mut() {
                members.insert("sequence_number".into(), json!(number));
            }
            event
        });
        numbered.map(|data| event(&data)).collect()
    }
}

fn item_events(at: usize, item: &Value, all: &mut Vec<Value>) {
    let text_of =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut opened = item.clone();
    if let Some(members) = opened.as_object_mut() {
        for (name, empty) in
            [("content", json!([])), ("summary", json!([])), ("arguments", json!("")), ("input", json!(""))]
        {
            if members.contains_key(name) {
                members.insert(name.into(), empty);
            }
        }
        members.remove("encrypted_content");
        if members.contains_key("status") {
            members.insert("status".into(), json!("in_progress"));
        }
    }
    let with = |mut event: Value, more: Value| {
        let more = more.as_object().cloned().unwrap_or_default();
        if let Some(event) = event.as_object_mut() {
            event.insert("output_index".into(), json!(at));
            event.extend(more);
        }
        event
    };
    let id = json!({ "item_id": item.get("id") });
    all.push(with(json!({ "type": "response.output_item.added", "item": opened }), json!({})));
    for (list, index, part_name) in [
        ("content", "content_index", "response.content_part"),
        ("summary", "summary_index", "response.reasoning_summary_part"),
    ] {
        let parts = item.get(list).and_then(Value::as_array).into_iter().flatten();
        for (number, part) in parts.enumerate() {
            let (stem, member) = match part.get("type").and_then(Value::as_str) {
                Some("output_text") => ("response.output_text", "text"),
                Some("refusal") => ("response.refusal", "refusal"),
                Some("summary_text") => ("response.reasoning_summary_text", "text"),
                _ => ("response.reasoning_text", "text"),
            };
            let text = text_of(part, member);
            let mut empty = part.clone();
            if let Some(empty) = empty.as_object_mut() {
                empty.insert(member.into(), json!(""));
            }
            let place = || {
                let mut place = id.clone();
                if let Some(place) = place.as_object_mut() {
                    place.insert(index.into(), json!(number));
                    if stem == "response.output_text" {
                        place.insert("logprobs".into(), json!([]));
                    }
                }
                place
            };
            all.push(with(json!({ "type": format!("{part_name}.added"), "part": empty }), place()));
            for piece in text::pieces(&text) {
                all.push(with(json!({ "type": format!("{stem}.delta"), "delta": piece }), place()));
            }
            all.push(with(json!({ "type": format!("{stem}.done"), member: text }), place()));
            all.push(with(json!({ "type": format!("{part_name}.done"), "part": part }), place()));
        }
    }
    for (member, stem) in
        [("arguments", "response.function_call_arguments"), ("input", "response.custom_tool_call_input")]
    {
        if item.get(member).is_some_and(Value::is_string) {
            let text = text_of(item, member);
            for piece in text::pieces(&text) {
                all.push(with(json!({ "type": format!("{stem}.delta"), "delta": piece }), id.clone()));
            }
            all.push(with(json!({ "type": format!("{stem}.done"), member: text }), id.clone()));
        }
    }
    all.push(with(json!({ "type": "response.output_item.done", "item": item }), json!({})));
}
