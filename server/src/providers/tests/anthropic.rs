use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use crate::providers::anthropic::{BETA, BETAS, VERSION};
use crate::providers::{
    AnthropicWire, BodyEdit, Dialect, EditValue, Operation, Outgoing, RequestShape, Secret, StreamEvent,
    Target, TargetSpec, UpstreamFailure, Wire, sse::Decoder,
};

fn target() -> Target {
    let credential = Some(Secret::new("sk-ant-x".into()));
    Target::new(TargetSpec::new(Dialect::Anthropic, "https://host", credential, "upstream-model")).unwrap()
}

fn event(text: &str) -> Result<StreamEvent, UpstreamFailure> {
    let mut decoder = Decoder::new(100_000);
    decoder.push(Bytes::from(format!("event: x\ndata: {text}\n\n")));
    AnthropicWire.read_event(&decoder.next_event().unwrap().unwrap())
}

#[test]
fn the_limit_is_lowered_and_never_raised() {
    let edits = |asked, limit| {
        let shape = RequestShape {
            max_tokens: asked,
            output_limit: limit,
            ..RequestShape::plain(Operation::Messages)
        };
        AnthropicWire.edits(&target(), &shape)[1..].to_vec()
    };
    let set = |tokens| vec![BodyEdit::Set { pointer: "/max_tokens", value: EditValue::Number(tokens) }];
    assert_eq!(edits(Some(100), Some(50)), set(50));
    assert_eq!(edits(Some(100), Some(100)), []);
    assert_eq!(edits(Some(100), Some(200)), []);
    assert_eq!(edits(None, Some(200)), set(200));
    assert_eq!(edits(Some(100), None), []);
}

#[test]
fn the_request_has_its_version_and_what_was_switched_on_and_no_other_header_of_the_client() {
    let mut client = HeaderMap::new();
    client.insert(BETA, HeaderValue::from_static(BETAS[0]));
    client.insert("x-other", HeaderValue::from_static("x"));
    let outgoing = |operation| Outgoing {
        operation,
        stream: true,
        body: Bytes::from_static(b"{}"),
        client_headers: client.clone(),
        now_ms: 0,
    };
    let request = AnthropicWire.build(&target(), outgoing(Operation::Messages)).unwrap();
    assert_eq!(request.uri(), "https://host/v1/messages");
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    assert_eq!(header("x-api-key"), Some("sk-ant-x"));
    assert_eq!((header(VERSION.as_str()), header(BETA.as_str())), (Some("2023-06-01"), Some(BETAS[0])));
    assert_eq!((header("authorization"), header("x-other")), (None, None));
    let counted = AnthropicWire.build(&target(), outgoing(Operation::CountTokens)).unwrap();
    assert_eq!(counted.uri(), "https://host/v1/messages/count_tokens");
    assert!(AnthropicWire.build(&target(), outgoing(Operation::Embeddings)).is_err());
}

#[test]
fn events_are_told_apart_by_their_type() {
    assert_eq!(event(r#"{"type":"ping"}"#), Ok(StreamEvent::Quiet));
    assert_eq!(event(r#"{"type":"message_stop"}"#), Ok(StreamEvent::Done { usage: None }));
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    assert_eq!(event(error), Err(UpstreamFailure::ErrorInStream));
    for broken in ["{", "[DONE]", "{}", r#"{"type":"ping","type":"message_stop"}"#] {
        assert!(matches!(event(broken), Err(UpstreamFailure::Malformed(_))), "{broken}");
    }
    let usage = |text: &str| match event(text).unwrap() {
        StreamEvent::Chunk { usage, usage_only: false } => {
            usage.map(|usage| (usage.input_tokens, usage.output_tokens))
        }
        other => panic!("{other:?}"),
    };
    let start = r#"{"type":"message_start","message":{"id":"msg_1","usage":{"input_tokens":6,"cache_read_input_tokens":4,"output_tokens":1}}}"#;
    assert_eq!(usage(start), Some((10, 1)));
    assert_eq!(
        usage(r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}"#),
        Some((0, 5))
    );
    assert_eq!(usage(r#"{"type":"message_delta","delta":{},"usage":"none"}"#), None);
    assert_eq!(usage(r#"{"type":"of_next_month"}"#), None);
}

#[test]
fn an_answer_is_a_message_or_a_count() {
    let read = |operation, body: &str| AnthropicWire.read_answer(operation, body.as_bytes());
    let message = r#"{"type":"message","content":[],"usage":{"input_tokens":6,"output_tokens":1}}"#;
    assert_eq!(read(Operation::Messages, message).unwrap().usage.unwrap().input_tokens, 6);
    assert_eq!(read(Operation::Messages, r#"{"type":"message","content":[]}"#).unwrap().usage, None);
    assert!(read(Operation::Messages, r#"{"type":"error","error":{}}"#).is_err());
    assert!(read(Operation::Messages, r#"{"choices":[]}"#).is_err());
    let counted = read(Operation::CountTokens, r#"{"input_tokens":6}"#).unwrap().usage.unwrap();
    assert_eq!((counted.input_tokens, counted.is_exact()), (0, true));
    assert!(read(Operation::CountTokens, "{}").is_err());
}
