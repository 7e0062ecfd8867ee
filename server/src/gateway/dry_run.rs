//! `x-bailiwick-dry-run: 1`: the decision without its consequences, in the shape of the API that was called, so that an
//! unmodified SDK can read it. Nothing is sent or held; the decision is recorded as a dry run.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Response, header};
use serde::Serialize;

use super::api::{Body, full, head};
use super::decide::Decided;
use super::redaction::Redacted;
use super::respond;
use super::route::Routed;
use crate::providers::{Api, Operation};

/// A decision with all its reasons.
#[derive(Debug, Serialize)]
pub(super) struct Explained {
    /// Nothing came of it.
    pub(super) dry_run: bool,
    /// The endpoints that would be tried, in order.
    pub(super) order: Vec<String>,
    /// What would be redacted, by kind.
    pub(super) redactions: bailiwick_pii::EntityCounts,
    /// What it was decided by, as a record names it: the digests of bundle, catalog and endpoints, the bundle's commit.
    pub(super) made_from: BTreeMap<&'static str, String>,
    /// The facts that it was decided on.
    pub(super) facts: bailiwick_policy::RequestFacts,
    /// Why.
    pub(super) explanation: bailiwick_policy::Explanation,
}

/// The explanation of a decision.
#[must_use]
pub(super) fn explain(decided: &Decided, order: Vec<String>, redacted: &Redacted) -> Explained {
    Explained {
        dry_run: true,
        order,
        redactions: redacted.counts,
        made_from: decided.classified.read.auth.snapshot.digests.iter().cloned().collect(),
        facts: decided.facts.clone(),
        explanation: decided.classified.read.auth.snapshot.policy.explain(&decided.facts, &decided.decision),
    }
}

/// The answer of a dry run that would be allowed.
#[must_use]
pub(super) fn answer(routed: &Routed, redacted: &Redacted) -> Response<Body> {
    let decided = &routed.decided;
    let explained = explain(decided, routed.names(), redacted);
    let first = routed.candidates().next();
    let text = format!(
        "Dry run, nothing was sent. {} It would go to: {}.",
        explained.explanation.summary,
        explained.order.join(", then ")
    );
    let read = &decided.classified.read;
    let created = read.auth.now_ms / 1000;
    let usage = serde_json::json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 });
    let message = serde_json::json!({ "role": "assistant", "content": text });
    let (body, kind): (Bytes, _) = match (read.operation, read.shape.stream) {
        (Operation::Embeddings, _) => {
            let json = serde_json::json!({
                "object": "list", "data": [], "model": read.model, "usage": usage, "bailiwick": explained,
            });
            (json.to_string().into(), "application/json")
        }
        (Operation::CountTokens, _) => {
            let json = serde_json::json!({ "input_tokens": 0, "bailiwick": explained });
            (json.to_string().into(), "application/json")
        }
        (Operation::Responses, stream) => of_responses(
            (&decided.id, &read.model, u64::try_from(created).unwrap_or(0)),
            text,
            &explained,
            stream,
        ),
        (Operation::Messages, stream) => of_messages(&decided.id, &read.model, &text, &explained, stream),
        (Operation::ChatCompletions, false) => {
            let json = serde_json::json!({
                "id": decided.id, "object": "chat.completion", "created": created, "model": read.model,
                "choices": [{ "index": 0, "message": message, "finish_reason": "stop", "logprobs": null }],
                "usage": usage, "bailiwick": explained,
            });
            (json.to_string().into(), "application/json")
        }
        (Operation::ChatCompletions, true) => {
            let chunk = |delta: serde_json::Value, end: Option<&str>| {
                serde_json::json!({
                    "id": decided.id, "object": "chat.completion.chunk", "created": created, "model": read.model,
                    "choices": [{ "index": 0, "delta": delta, "finish_reason": end }],
                })
            };
            let mut last = chunk(serde_json::json!({}), Some("stop"));
            if let Some(last) = last.as_object_mut() {
                last.insert(String::from("bailiwick"), serde_json::json!(explained));
            }
            let mut out = respond::data(chunk(message, None).to_string().as_bytes()).to_vec();
            out.extend_from_slice(&respond::data(last.to_string().as_bytes()));
            out.extend_from_slice(&respond::data(b"[DONE]"));
            (out.into(), "text/event-stream")
        }
    };
    let mut response = Response::new(full(body));
    head(response.headers_mut(), decided, first.as_ref(), &redacted.counts);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert("x-bailiwick-dry-run", HeaderValue::from_static("1"));
    response
}

/// The answer in the shape of OpenAI's Responses.
fn of_responses(
    (id, model, created): (&str, &str, u64),
    text: String,
    explained: &Explained,
    stream: bool,
) -> (Bytes, &'static str) {
    use bailiwick_wire::form::{Answer, Content, Part, Piece, Stop, Usage};
    use bailiwick_wire::{Losses, openai_responses};
    let reasons = serde_json::json!(explained);
    // With the reasons in the answer, or in the last event's.
    let with_reasons = |json: &str, last: bool| {
        let mut json: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        if let Some(members) = json.as_object_mut().filter(|_| last) {
            members.insert(String::from("bailiwick"), reasons.clone());
        }
        json.to_string()
    };
    let usage = Some(Usage::default());
    let (id, model) = (id.to_owned(), model.to_owned());
    if !stream {
        let parts = vec![Part::new(Content::Text(text))];
        let answer = Answer { id, model, parts, stop: Some(Stop::End), usage, ..Answer::default() };
        let body = openai_responses::write_answer(answer, created, &mut Losses::default()).write();
        return (with_reasons(&body, true).into(), "application/json");
    }
    let mut writer = openai_responses::Writer::new(created);
    let mut events = Vec::new();
    let end = [Piece::Stop(Stop::End), Piece::Usage(Usage::default()), Piece::End];
    for piece in [Piece::Start { id, model }, Piece::Text(text)].into_iter().chain(end) {
        // A text that is short is written.
        if writer.piece(piece, &mut events).is_err() {
            break;
        }
    }
    let last = events.len().saturating_sub(1);
    let mut out = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let event = with_reasons(event, at == last);
        out.extend_from_slice(&respond::framed(Api::OpenAiResponses, event.as_bytes()));
    }
    (out.into(), "text/event-stream")
}

/// The answer in the shape of Anthropic's API.
fn of_messages(
    id: &str,
    model: &str,
    text: &str,
    explained: &Explained,
    stream: bool,
) -> (Bytes, &'static str) {
    let usage = serde_json::json!({ "input_tokens": 0, "output_tokens": 0 });
    let whole = |content: serde_json::Value, reason: Option<&str>| {
        serde_json::json!({
            "id": id, "type": "message", "role": "assistant", "model": model, "content": content,
            "stop_reason": reason, "stop_sequence": null, "usage": usage,
        })
    };
    if !stream {
        let mut body = whole(serde_json::json!([{ "type": "text", "text": text }]), Some("end_turn"));
        if let Some(body) = body.as_object_mut() {
            body.insert(String::from("bailiwick"), serde_json::json!(explained));
        }
        return (body.to_string().into(), "application/json");
    }
    let events = [
        serde_json::json!({ "type": "message_start", "message": whole(serde_json::json!([]), None) }),
        serde_json::json!({
            "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" },
        }),
        serde_json::json!({
            "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": text },
        }),
        serde_json::json!({ "type": "content_block_stop", "index": 0 }),
        serde_json::json!({
            "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": usage,
            "bailiwick": explained,
        }),
        serde_json::json!({ "type": "message_stop" }),
    ];
    let mut out = Vec::new();
    for event in events {
        out.extend_from_slice(&respond::framed(Api::Anthropic, event.to_string().as_bytes()));
    }
    (out.into(), "text/event-stream")
}
