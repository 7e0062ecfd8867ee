//! One attempt on the wire. Takes only what was recorded.

use bytes::Bytes;
use http::HeaderMap;

use super::Gateway;
use super::decide::Decided;
use super::document::{Document, Edits, Kind, NodeId};
use super::fund::Funded;
use super::record::Recorded;
use super::redaction::Redacted;
use super::translate::Prepared;
use crate::providers::failure::Malformed;
use crate::providers::{
    AnthropicWire, BedrockConverseWire, BodyEdit, Dialect, EditValue, OpenAiResponsesWire, OpenAiWire,
    Operation, Outgoing, RequestShape, StreamEvent, UpstreamEvents, UpstreamFailure, Wire, WireError, sse,
};
use crate::router::Candidate;

/// The wire of an endpoint for what is asked of it there.
#[must_use]
pub fn wire_of(candidate: &Candidate<'_>, prepared: &Prepared) -> &'static dyn Wire {
    match (candidate.route.target.dialect(), prepared.operation) {
        (Dialect::Anthropic, _) => &AnthropicWire,
        (Dialect::BedrockConverse, _) => &BedrockConverseWire,
        (_, Operation::Responses) => &OpenAiResponsesWire,
        _ => &OpenAiWire,
    }
}

/// A provider's answer whose first bytes have come.
#[derive(Debug)]
pub enum Answer {
    /// A whole body.
    Whole(Bytes),
    /// A stream, its first event already here.
    Stream {
        /// The first event and what it is.
        first: Box<(sse::Event, StreamEvent)>,
        /// The rest.
        events: Box<UpstreamEvents>,
    },
}

/// Sends the redacted request and waits until the answer has begun (a stream) or is complete.
///
/// # Errors
/// [`UpstreamFailure`]. Nothing of the answer has gone to the client then, so that another endpoint may be tried.
pub async fn forward(
    gateway: &Gateway,
    decided: &Decided,
    redacted: &Redacted,
    prepared: &Prepared,
    candidate: &Candidate<'_>,
    funded: &Funded,
    _recorded: &Recorded,
) -> Result<Answer, UpstreamFailure> {
    let wire = wire_of(candidate, prepared);
    let shape = RequestShape { output_limit: funded.output_limit, ..prepared.shape };
    let now_ms = gateway.clock.now_ms();
    let request = build(wire, decided, redacted, prepared, candidate, (shape, now_ms)).map_err(|error| {
        tracing::error!(endpoint = candidate.place.name, %error, "the request could not be put on the wire");
        UpstreamFailure::Connect
    })?;
    let (client, target) = (&gateway.client, &candidate.route.target);
    let presenting = target.identity().map(|identity| client.presenting(identity)).transpose().map_err(|error| {
        tracing::error!(endpoint = candidate.place.name, %error, "the endpoint's certificate cannot be presented");
        UpstreamFailure::Tls
    })?;
    let response = presenting.as_ref().unwrap_or(client).send(request, target.limits()).await?;
    if !response.status.is_success() {
        let body = response.body.collect_error().await;
        return Err(wire.refusal(target, response.status, &response.headers, &body));
    }
    let stream = decided.classified.read.shape.stream;
    wire.check_head(stream, &response.headers)?;
    if stream {
        let most = target.limits().event_bytes(prepared.operation);
        let mut events = UpstreamEvents::new(response.body, wire.framing(), most);
        let first = events.next(wire).await?.ok_or(UpstreamFailure::Closed)?;
        // What ends before it begins is no answer.
        if matches!(first.1, StreamEvent::Done { .. }) {
            return Err(UpstreamFailure::Malformed(Malformed::EventStream));
        }
        return Ok(Answer::Stream { first: Box::new(first), events: Box::new(events) });
    }
    let whole = response.body.collect().await?;
    if target.credential().is_some_and(|credential| credential.occurs_in(&whole)) {
        return Err(UpstreamFailure::CredentialEcho);
    }
    Ok(Answer::Whole(whole))
}

fn build(
    wire: &dyn Wire,
    decided: &Decided,
    redacted: &Redacted,
    prepared: &Prepared,
    candidate: &Candidate<'_>,
    (shape, now_ms): (RequestShape, i64),
) -> Result<http::Request<http_body_util::Full<Bytes>>, WireError> {
    let read = &decided.classified.read;
    // A body that was translated was redacted before.
    let (document, mut edits) = match prepared.document() {
        Some(document) => (document, Edits::new()),
        None => (&read.document, redacted.edits.clone()),
    };
    for edit in wire.edits(&candidate.route.target, &shape) {
        apply(document, &mut edits, &edit);
    }
    // Of the client's head goes out what was read from it against a list.
    let client_headers =
        if prepared.document().is_none() { read.api_headers.clone() } else { HeaderMap::new() };
    let outgoing = Outgoing {
        operation: prepared.operation,
        stream: shape.stream,
        body: edits.apply(document),
        client_headers,
        now_ms,
    };
    wire.build(&candidate.route.target, outgoing)
}

/// Makes a wire's edit on the raw body.
fn apply(document: &Document, edits: &mut Edits, edit: &BodyEdit) {
    match edit {
        BodyEdit::Set { pointer, value } => {
            let json = match value {
                EditValue::Text(text) => serde_json::to_string(text).unwrap_or_default(),
                EditValue::Number(number) => number.to_string(),
                EditValue::Bool(flag) => flag.to_string(),
            };
            set(document, edits, document.root(), pointer.trim_start_matches('/'), json);
        }
        BodyEdit::Remove { pointer } => {
            if let Some(found) = at(document, pointer) {
                edits.remove(document, found);
            }
        }
        BodyEdit::Rename { pointer, to } => {
            if let Some(found) = at(document, pointer) {
                edits.set_key(document, found, to);
            }
        }
    }
}

/// The value at a wire's pointer.
fn at(document: &Document, pointer: &str) -> Option<NodeId> {
    let mut keys = pointer.trim_start_matches('/').split('/');
    keys.try_fold(document.root(), |at, key| document.get(at, key))
}

/// Sets the member at `path` (keys joined by `/`) below `object`, adding objects on the way.
fn set(document: &Document, edits: &mut Edits, object: NodeId, path: &str, json: String) {
    let (key, rest) = path.split_once('/').map_or((path, None), |(key, rest)| (key, Some(rest)));
    match (rest, document.get(object, key)) {
        (None, _) => edits.upsert(document, object, key, &json),
        (Some(rest), Some(inner)) if document.kind(inner) == Kind::Object => {
            set(document, edits, inner, rest, json);
        }
        (Some(rest), _) => {
            let nested = rest.rsplit('/').fold(json, |inner, key| {
                format!("{{{}:{inner}}}", serde_json::to_string(key).unwrap_or_default())
            });
            edits.upsert(document, object, key, &nested);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::Limits;
    use super::*;

    #[test]
    fn edits_are_made_on_the_raw_body() {
        for (text, expected) in [
            (r#"{"model":"a"}"#, r#"{"model":"b","stream_options":{"include_usage":true}}"#),
            (
                r#"{"model":"a","stream_options":null}"#,
                r#"{"model":"b","stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{ "model":"a","stream_options":{"x":1} }"#,
                r#"{ "model":"b","stream_options":{"x":1,"include_usage":true} }"#,
            ),
        ] {
            let document =
                Document::parse(Bytes::copy_from_slice(text.as_bytes()), Limits::default()).unwrap();
            let mut edits = Edits::new();
            let set = |pointer, value| BodyEdit::Set { pointer, value };
            apply(&document, &mut edits, &set("/model", EditValue::Text("b".into())));
            apply(&document, &mut edits, &set("/stream_options/include_usage", EditValue::Bool(true)));
            assert_eq!(edits.apply(&document), expected);
        }
    }

    #[test]
    fn a_renamed_member_keeps_what_redaction_made_of_it() {
        for (text, expected) in [
            (r#"{"max_completion_tokens":123}"#, r#"{"max_tokens":"[X]"}"#),
            (r#"{"max_tokens":null, "max_completion_tokens":123}"#, r#"{ "max_tokens":"[X]"}"#),
            (r#"{"max_completion_tokens":123,"max_tokens":null}"#, r#"{"max_tokens":"[X]"}"#),
        ] {
            let document =
                Document::parse(Bytes::copy_from_slice(text.as_bytes()), Limits::default()).unwrap();
            let mut edits = Edits::new();
            edits.set_string(&document, document.member("max_completion_tokens").unwrap(), "[X]");
            apply(&document, &mut edits, &BodyEdit::Remove { pointer: "/max_tokens" });
            let rename = BodyEdit::Rename { pointer: "/max_completion_tokens", to: "max_tokens" };
            apply(&document, &mut edits, &rename);
            assert_eq!(edits.apply(&document), expected);
        }
    }
}
