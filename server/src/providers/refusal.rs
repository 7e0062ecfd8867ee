//! Reads an error answer of a service into a [`Refusal`] that may be shown.
//!
//! Services disagree on the shape: `{"error": {message, type, code}}` (OpenAI, Azure, vLLM, Anthropic), `{"error": "text"}`,
//! `{"object": "error", "message", "type", "code"}` and `{"detail": …}` (Mistral), `{"Message"}` (Bedrock).

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::{failure::Refusal, secret::Secret};

/// Characters of the provider's message that are kept.
const MAX_MESSAGE_CHARS: usize = 1_000;
/// Longer waits are cut to this: a header must not park an endpoint for ever.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// Reads status, headers and body; the body may be anything.
pub(super) fn read(
    credential: Option<&Secret>,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Refusal {
    let parsed: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let mut refusal =
        Refusal { status, retry_after: retry_after(headers), message: None, kind: kind(&parsed) };
    if refusal.is_about_the_request() {
        refusal.message = message(&parsed).and_then(|text| presentable(&text, credential));
    }
    if let (Some(kind), Some(credential)) = (&refusal.kind, credential)
        && credential.occurs_in(kind.as_bytes())
    {
        refusal.kind = None;
    }
    refusal
}

fn message(body: &Value) -> Option<String> {
    let error = body.get("error").unwrap_or(body);
    if let Value::String(text) = error {
        return Some(text.clone());
    }
    let said = ["message", "Message", "detail"].iter().find_map(|name| error.get(name))?;
    match said {
        Value::String(text) => Some(text.clone()),
        // Validation errors: name the place and the complaint, never the value ("input") that is complained of.
        Value::Object(map) => map.get("detail").map(complaints),
        Value::Array(_) => Some(complaints(said)),
        _ => None,
    }
}

fn complaints(detail: &Value) -> String {
    let mut text = String::new();
    for complaint in detail.as_array().into_iter().flatten() {
        let place = complaint.get("loc").and_then(Value::as_array);
        let place: Vec<String> = place
            .into_iter()
            .flatten()
            .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
            .collect();
        let said = complaint.get("msg").and_then(Value::as_str).unwrap_or("invalid");
        if !text.is_empty() {
            text.push_str("; ");
        }
        // Each part is a word of its own to whoever searches the text: `0.` before a number would make it a fraction.
        text.push_str(&place.join(" > "));
        text.push_str(": ");
        text.push_str(said);
    }
    text
}

fn kind(body: &Value) -> Option<String> {
    let error = body.get("error").unwrap_or(body);
    let name = ["code", "type"].iter().find_map(|name| error.get(name).and_then(Value::as_str))?;
    let plain = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    (plain && !name.is_empty()).then(|| name.to_owned())
}

/// Bounded and printable; withheld whole where the credential occurs in it.
fn presentable(text: &str, credential: Option<&Secret>) -> Option<String> {
    if credential.is_some_and(|secret| secret.occurs_in(text.as_bytes())) {
        return None;
    }
    let kept: String = text.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE_CHARS).collect();
    (!kept.trim().is_empty()).then_some(kept)
}

/// `retry-after` in seconds, or `retry-after-ms` (OpenAI, Azure). The date form is ignored: it would need a clock.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    let wait = number("retry-after-ms")
        .map(Duration::from_millis)
        .or_else(|| number(header::RETRY_AFTER.as_str()).map(Duration::from_secs))?;
    Some(wait.min(MAX_RETRY_AFTER))
}
