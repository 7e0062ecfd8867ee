//! Simulated chat completions, whole and in chunks, as each service sends them.

use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::providers::Dialect;

use super::{
    text::{self, Prompt},
    tools::{self, Call},
};

/// 2026-01-01, so that the same request has the same answer.
pub(super) const CREATED: u64 = 1_767_225_600;

/// An answer, not yet in a wire format.
#[derive(Debug)]
pub(super) struct Completion {
    id: String,
    model: String,
    dialect: Dialect,
    choices: u64,
    pieces: Vec<String>,
    calls: Vec<Call>,
    cut: bool,
    input_tokens: u64,
    with_usage: bool,
    omit_usage: bool,
    /// What is reported in place of the true usage.
    pub(super) told_usage: Option<Value>,
}

/// Answers a request whose `model` and `messages` were checked. `secret` is worked into the text; `omit_usage`
/// leaves usage out.
pub(super) fn complete(
    name: &str,
    dialect: Dialect,
    request: &Value,
    raw: &[u8],
    secret: Option<&str>,
    omit_usage: bool,
) -> Completion {
    let messages = request.get("messages").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let prompt = Prompt::read(messages);
    let calls = tools::calls(request, &prompt);
    let answer = match request.pointer("/response_format/type").and_then(Value::as_str) {
        Some("json_schema") => {
            let schema = request.pointer("/response_format/json_schema/schema").unwrap_or(&Value::Null);
            tools::structured(schema, &prompt).to_string()
        }
        Some("json_object") => json!({"simulated": true, "answer": prompt.answer(name, secret)}).to_string(),
        _ => prompt.answer(name, secret),
    };
    let mut pieces = if calls.is_empty() { text::pieces(&answer) } else { Vec::new() };
    let limits =
        ["max_completion_tokens", "max_tokens"].iter().filter_map(|field| request.get(field)?.as_u64());
    let limit = limits.min().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let cut = pieces.len() > limit;
    pieces.truncate(limit);
    let tools = request.get("tools").map_or(0, |tools| text::count(&tools.to_string()));
    Completion {
        id: format!("chatcmpl-{}", hex::encode(Sha256::digest(raw).get(..12).unwrap_or_default())),
        model: request.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
        dialect,
        choices: request.get("n").and_then(Value::as_u64).unwrap_or(1).clamp(1, 8),
        pieces,
        calls,
        cut,
        input_tokens: prompt.tokens + tools,
        with_usage: request.pointer("/stream_options/include_usage") == Some(&Value::Bool(true)),
        omit_usage,
        told_usage: None,
    }
}

impl Completion {
    /// The body of a whole answer.
    pub(super) fn whole(&self) -> Bytes {
        let mut message = json!({"role": "assistant", "content": self.pieces.concat()});
        if let Some(fields) = message.as_object_mut() {
            if !self.calls.is_empty() {
                fields.insert(
                    "content".into(),
                    if self.dialect == Dialect::Mistral { json!("") } else { Value::Null },
                );
                let calls: Vec<Value> =
                    self.calls.iter().enumerate().map(|(i, call)| self.whole_call(i, call)).collect();
                fields.insert("tool_calls".into(), Value::Array(calls));
            }
            if self.is_openai_like() {
                fields.insert("refusal".into(), Value::Null);
                fields.insert("annotations".into(), json!([]));
            }
        }
        let choices: Vec<Value> = (0..self.choices)
            .map(|index| {
                let mut choice =
                    json!({"index": index, "message": message.clone(), "finish_reason": self.finish_reason()});
                self.decorate(&mut choice, &[("logprobs", Value::Null)]);
                if let (Dialect::Azure, Some(fields)) = (self.dialect, choice.as_object_mut()) {
                    fields.insert("content_filter_results".into(), filters());
                }
                choice
            })
            .collect();
        let mut body = json!({
            "id": self.id, "object": "chat.completion", "created": CREATED, "model": self.model, "choices": choices,
        });
        let extra = [("system_fingerprint", json!("fp_simulated")), ("service_tier", json!("default"))];
        self.decorate(&mut body, &extra);
        if let Some(fields) = body.as_object_mut() {
            if !self.omit_usage {
                fields.insert("usage".into(), self.usage());
            }
            if self.dialect == Dialect::Azure {
                fields.insert("prompt_filter_results".into(), prompt_filters());
            }
        }
        Bytes::from(body.to_string())
    }

    /// The events of a stream, each with its empty line, `[DONE]` last.
    pub(super) fn events(&self) -> Vec<Bytes> {
        let mut events = Vec::with_capacity(self.pieces.len() + 6);
        if self.dialect == Dialect::Azure {
            let chunk = json!({
                "id": "", "object": "", "created": 0, "model": "", "choices": [],
                "prompt_filter_results": prompt_filters(),
            });
            events.push(event(&chunk));
        }
        for index in 0..self.choices {
            self.choice_events(index, &mut events);
        }
        if self.with_usage && !self.omit_usage && self.dialect.takes_stream_options() {
            events.push(event(&self.chunk(&[], Some(self.usage()))));
        }
        events.push(Bytes::from_static(b"data: [DONE]\n\n"));
        events
    }

    fn choice_events(&self, index: u64, events: &mut Vec<Bytes>) {
        let mut push = |delta: Value, finish: Option<&str>, usage: Option<Value>| {
            let mut choice = json!({"index": index, "delta": delta, "finish_reason": finish});
            self.decorate(&mut choice, &[("logprobs", Value::Null)]);
            if let (Dialect::Azure, Some(fields)) = (self.dialect, choice.as_object_mut()) {
                fields.insert("content_filter_results".into(), json!({}));
            }
            events.push(event(&self.chunk(&[choice], usage)));
        };
        let content = if self.calls.is_empty() { json!("") } else { Value::Null };
        let mut first = json!({"role": "assistant", "content": content});
        self.decorate(&mut first, &[("refusal", Value::Null)]);
        push(first, None, None);
        for piece in &self.pieces {
            push(json!({"content": piece}), None, None);
        }
        // Mistral sends calls whole, and usage with the last chunk, whether asked for or not.
        if self.dialect == Dialect::Mistral {
            let mut delta = json!({"content": ""});
            if let (false, Some(fields)) = (self.calls.is_empty(), delta.as_object_mut()) {
                let calls: Vec<Value> =
                    self.calls.iter().enumerate().map(|(i, call)| self.whole_call(i, call)).collect();
                fields.insert("tool_calls".into(), Value::Array(calls));
            }
            let usage = (!self.omit_usage && index + 1 == self.choices).then(|| self.usage());
            push(delta, Some(self.finish_reason()), usage);
            return;
        }
        for (at, call) in self.calls.iter().enumerate() {
            let function = json!({"name": call.name, "arguments": ""});
            let opened =
                json!({"index": at, "id": self.call_id(at), "type": "function", "function": function});
            push(json!({"tool_calls": [opened]}), None, None);
            for piece in text::pieces(&call.arguments) {
                push(json!({"tool_calls": [{"index": at, "function": {"arguments": piece}}]}), None, None);
            }
        }
        push(json!({}), Some(self.finish_reason()), None);
    }

    fn chunk(&self, choices: &[Value], usage: Option<Value>) -> Value {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": CREATED, "model": self.model,
            "choices": choices,
        });
        let extra = [("system_fingerprint", json!("fp_simulated")), ("service_tier", json!("default"))];
        self.decorate(&mut chunk, &extra);
        if let Some(fields) = chunk.as_object_mut() {
            match usage {
                Some(usage) => drop(fields.insert("usage".into(), usage)),
                // Once asked for usage, OpenAI puts the member into every chunk, null until the last.
                None if self.with_usage && self.is_openai_like() => {
                    drop(fields.insert("usage".into(), Value::Null));
                }
                None => {}
            }
        }
        chunk
    }

    fn is_openai_like(&self) -> bool {
        matches!(self.dialect, Dialect::OpenAi | Dialect::Azure | Dialect::Bedrock)
    }

    /// Members that only OpenAI and those who run its stack send.
    fn decorate(&self, object: &mut Value, extra: &[(&str, Value)]) {
        if let (true, Some(fields)) = (self.is_openai_like(), object.as_object_mut()) {
            let extra = extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
            fields.extend(extra.collect::<Map<_, _>>());
        }
    }

    fn whole_call(&self, at: usize, call: &Call) -> Value {
        let function = json!({"name": call.name, "arguments": call.arguments});
        let mut whole = json!({"id": self.call_id(at), "type": "function", "function": function});
        if let (Dialect::Mistral, Some(fields)) = (self.dialect, whole.as_object_mut()) {
            fields.insert("index".into(), json!(at));
        }
        whole
    }

    /// Mistral's ids have nine characters, and it refuses longer ones when they are sent back.
    fn call_id(&self, at: usize) -> String {
        let digest = hex::encode(Sha256::digest(format!("{}/{at}", self.id)));
        let length = if self.dialect == Dialect::Mistral { 9 } else { 24 };
        let id: String = digest.chars().take(length).collect();
        if self.dialect == Dialect::Mistral { id } else { format!("call_{id}") }
    }

    fn finish_reason(&self) -> &'static str {
        if !self.calls.is_empty() {
            "tool_calls"
        } else if self.cut {
            "length"
        } else {
            "stop"
        }
    }

    fn usage(&self) -> Value {
        if let Some(told) = &self.told_usage {
            return told.clone();
        }
        let spoken = self.pieces.len() as u64;
        let called: u64 =
            self.calls.iter().map(|call| text::count(&call.arguments) + text::count(&call.name)).sum();
        let output = (spoken + called) * self.choices;
        let mut usage = json!({
            "prompt_tokens": self.input_tokens,
            "completion_tokens": output,
            "total_tokens": self.input_tokens + output,
        });
        self.decorate(
            &mut usage,
            &[
                ("prompt_tokens_details", json!({"cached_tokens": 0, "audio_tokens": 0})),
                ("completion_tokens_details", json!({"reasoning_tokens": 0, "audio_tokens": 0})),
            ],
        );
        usage
    }
}

/// One event with its empty line.
pub(super) fn event(data: &Value) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

fn filters() -> Value {
    let safe = json!({"filtered": false, "severity": "safe"});
    json!({"hate": safe, "self_harm": safe, "sexual": safe, "violence": safe})
}

fn prompt_filters() -> Value {
    json!([{"prompt_index": 0, "content_filter_results": filters()}])
}
