//! The wire of OpenAI's Responses, against the simulated service.

use bytes::Bytes;
use http::HeaderMap;

use crate::providers::{
    AnthropicWire, BodyEdit, Dialect, EditValue, OpenAiResponsesWire, OpenAiWire, Operation, Outgoing,
    RequestShape, StreamEvent, Target, TargetSpec, UpstreamFailure, Wire, sse,
};

fn target(responses: bool) -> Target {
    let mut spec = TargetSpec::new(Dialect::Azure, "https://host.example", None, "deployed");
    spec.responses = responses;
    Target::new(spec).unwrap()
}

fn outgoing(operation: Operation) -> Outgoing {
    Outgoing {
        operation,
        stream: false,
        body: Bytes::from_static(b"{}"),
        client_headers: HeaderMap::new(),
        now_ms: 0,
    }
}

#[test]
fn only_a_service_that_has_them_is_asked() {
    let request = OpenAiResponsesWire.build(&target(true), outgoing(Operation::Responses)).unwrap();
    assert_eq!(request.uri(), "https://host.example/openai/v1/responses");
    assert!(OpenAiResponsesWire.build(&target(false), outgoing(Operation::Responses)).is_err());
    assert!(OpenAiResponsesWire.build(&target(true), outgoing(Operation::ChatCompletions)).is_err());
    assert!(OpenAiWire.build(&target(true), outgoing(Operation::Responses)).is_err());
    assert!(AnthropicWire.build(&target(true), outgoing(Operation::Responses)).is_err());
    let mut other = TargetSpec::new(Dialect::Anthropic, "https://host.example", None, "m");
    other.responses = true;
    assert!(!Target::new(other).unwrap().has_responses());
}

#[test]
fn nothing_is_kept_and_the_stricter_limit_holds() {
    let store = BodyEdit::Set { pointer: "/store", value: EditValue::Bool(false) };
    let limited = |number| BodyEdit::Set { pointer: "/max_output_tokens", value: EditValue::Number(number) };
    for (asked, limit, expected) in [
        (None, None, None),
        (Some(50), None, None),
        (Some(50), Some(60), None),
        (Some(60), Some(50), Some(50)),
        (None, Some(50), Some(50)),
    ] {
        let shape = RequestShape {
            max_tokens: asked,
            output_limit: limit,
            ..RequestShape::plain(Operation::Responses)
        };
        let edits = OpenAiResponsesWire.edits(&target(true), &shape);
        assert!(edits.contains(&store), "{edits:?}");
        assert_eq!(edits.len(), 2 + usize::from(expected.is_some()), "{edits:?}");
        assert!(expected.is_none_or(|number| edits.contains(&limited(number))), "{edits:?}");
    }
}

#[test]
fn an_answer_is_whole_or_none() {
    let read = |body: &str| OpenAiResponsesWire.read_answer(Operation::Responses, body.as_bytes());
    let usage = r#""usage":{"input_tokens":6,"output_tokens":2,"total_tokens":8}"#;
    let whole = format!(r#"{{"object":"response","status":"completed","output":[],{usage}}}"#);
    let told = read(&whole).unwrap().usage.unwrap();
    assert_eq!((told.input_tokens, told.output_tokens, told.web_searches), (6, 2, None));
    let searched =
        whole.replace(r#""output":[]"#, r#""output":[],"tool_usage":{"web_search":{"num_requests":3}}"#);
    assert_eq!(read(&searched).unwrap().usage.unwrap().web_searches, Some(3));
    let lies = searched.replace(":3}", ":99999999}");
    assert_eq!(read(&lies).unwrap().usage.unwrap().web_searches, None);
    assert!(read(&whole.replace("completed", "incomplete")).is_ok());
    assert_eq!(read(&whole.replace(usage, r#""usage":7"#)).unwrap().usage, None);
    assert_eq!(read(&whole.replace("completed", "failed")), Err(UpstreamFailure::ErrorInStream));
    for wrong in ["{}", "[]", r#"{"choices":[]}"#, r#"{"object":"response","status":"completed"}"#] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    for status in ["queued", "in_progress", "cancelled"] {
        assert!(read(&whole.replace("completed", status)).is_err(), "{status}");
    }
    assert!(OpenAiResponsesWire.read_answer(Operation::Responses, b"{\"object\":\"\xff\"}").is_err());
}

#[test]
fn a_stream_ends_where_the_answer_does() {
    let event = |text: String| {
        let mut decoder = sse::Decoder::new(1 << 16);
        decoder.push(Bytes::from(text));
        OpenAiResponsesWire.read_event(&decoder.next_event().unwrap().unwrap())
    };
    let read = |data: &str| event(format!("event: of.any.name\ndata: {data}\n\n"));
    let response = r#""response":{"usage":{"input_tokens":6,"output_tokens":2,"total_tokens":8}}"#;
    for end in ["response.completed", "response.incomplete"] {
        let Ok(StreamEvent::Done { usage: Some(usage) }) = read(&format!(r#"{{"type":"{end}",{response}}}"#))
        else {
            panic!("{end}");
        };
        assert_eq!(usage.output_tokens, 2);
    }
    let more = StreamEvent::Chunk { usage: None, usage_only: false };
    for kind in ["response.created", "response.output_text.delta", "response.of_next_month"] {
        assert_eq!(read(&format!(r#"{{"type":"{kind}"}}"#)).unwrap(), more);
    }
    for kind in ["error", "response.failed"] {
        assert_eq!(read(&format!(r#"{{"type":"{kind}"}}"#)), Err(UpstreamFailure::ErrorInStream));
    }
    for wrong in ["[DONE]", "{}", r#"{"type":7}"#, r#"{"type":"a","type":"b"}"#, r#"{"choices":[]}"#] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
    assert_eq!(event(String::from(": here\n\n")).unwrap(), StreamEvent::Quiet);
}
