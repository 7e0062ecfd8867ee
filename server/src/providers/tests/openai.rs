use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::providers::{
    BodyEdit, Dialect, EditValue, OpenAiWire, Operation, Outgoing, RequestShape, Secret, StreamEvent, Target,
    TargetSpec, UpstreamFailure, Wire, failure::Malformed, sse::Decoder, wire::Edits,
};

fn spec(dialect: Dialect) -> TargetSpec {
    TargetSpec::new(dialect, "https://host", Some(Secret::new("sk-x".into())), "upstream-model")
}

fn edits(dialect: Dialect, shape: RequestShape) -> Edits {
    OpenAiWire.edits(&Target::new(spec(dialect)).unwrap(), &shape)
}

fn chat() -> RequestShape {
    RequestShape::plain(Operation::ChatCompletions)
}

fn model() -> BodyEdit {
    BodyEdit::Set { pointer: "/model", value: EditValue::Text("upstream-model".into()) }
}

fn number(pointer: &'static str, value: u64) -> BodyEdit {
    BodyEdit::Set { pointer, value: EditValue::Number(value) }
}

#[test]
fn the_model_is_always_replaced_and_nothing_else_without_need() {
    for dialect in Dialect::OPENAI_COMPATIBLE {
        assert_eq!(edits(dialect, chat()).as_slice(), [model()], "{dialect:?}");
        let embeddings = RequestShape { output_limit: Some(5), ..RequestShape::plain(Operation::Embeddings) };
        assert_eq!(edits(dialect, embeddings).as_slice(), [model()], "{dialect:?}");
    }
}

#[test]
fn usage_is_asked_for_on_streams_where_the_service_takes_the_question() {
    let ask = BodyEdit::Set { pointer: "/stream_options/include_usage", value: EditValue::Bool(true) };
    let stream = RequestShape { stream: true, ..chat() };
    for dialect in Dialect::OPENAI_COMPATIBLE {
        let expected = if dialect == Dialect::Mistral { vec![model()] } else { vec![model(), ask.clone()] };
        assert_eq!(edits(dialect, stream).as_slice(), expected, "{dialect:?}");
    }
    let asked = RequestShape { stream: true, has_stream_options: true, client_wants_usage: true, ..chat() };
    assert_eq!(edits(Dialect::OpenAi, asked).as_slice(), [model()]);
    let removed = BodyEdit::Remove { pointer: "/stream_options" };
    assert_eq!(edits(Dialect::Mistral, asked).as_slice(), [model(), removed]);
}

#[test]
fn an_output_limit_lowers_and_never_raises() {
    let limited = |max_tokens, max_completion_tokens, output_limit| RequestShape {
        max_tokens,
        max_completion_tokens,
        output_limit,
        ..chat()
    };
    let of = |dialect, shape| edits(dialect, shape)[1..].to_vec();
    let (new, old) = ("/max_completion_tokens", "/max_tokens");
    assert_eq!(of(Dialect::OpenAi, limited(None, None, Some(9))), [number(new, 9)]);
    assert_eq!(of(Dialect::OpenAi, limited(None, Some(20), Some(9))), [number(new, 9)]);
    assert_eq!(of(Dialect::OpenAi, limited(Some(20), None, Some(9))), [number(old, 9)]);
    assert_eq!(of(Dialect::OpenAi, limited(Some(20), Some(30), Some(9))), [number(old, 9), number(new, 9)]);
    assert_eq!(of(Dialect::OpenAi, limited(Some(5), None, Some(9))), []);
    assert_eq!(of(Dialect::OpenAi, limited(None, Some(9), Some(9))), []);
    // The others know one name only: a limit under the other name would be refused or, worse, ignored.
    for dialect in [Dialect::Mistral, Dialect::Ollama] {
        let remove = BodyEdit::Remove { pointer: new };
        assert_eq!(of(dialect, limited(None, None, Some(9))), [number(old, 9)]);
        // The client's own number is never written anew: redaction may have replaced it.
        let renamed =
            [BodyEdit::Remove { pointer: old }, BodyEdit::Rename { pointer: new, to: "max_tokens" }];
        assert_eq!(of(dialect, limited(None, Some(7), None)), renamed);
        assert_eq!(of(dialect, limited(Some(8), Some(7), Some(9))), renamed);
        assert_eq!(of(dialect, limited(Some(5), Some(7), Some(9))), std::slice::from_ref(&remove));
        assert_eq!(of(dialect, limited(Some(20), None, Some(9))), [number(old, 9)]);
        assert_eq!(of(dialect, limited(Some(20), Some(30), Some(9))), [number(old, 9), remove]);
    }
}

#[test]
fn only_listed_headers_leave() {
    let mut spec = spec(Dialect::Azure);
    spec.forward_headers = vec![HeaderName::from_static("openai-beta")];
    spec.extra_headers =
        HeaderMap::from_iter([(HeaderName::from_static("x-tenant"), HeaderValue::from_static("t1"))]);
    let target = Target::new(spec).unwrap();
    let mut client = HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer bwk_secret"),
        ("x-api-key", "bwk_secret"),
        ("cookie", "c"),
        ("openai-beta", "b=1"),
        ("openai-organization", "org"),
        ("x-bailiwick-user", "u"),
        ("x-stainless-os", "Linux"),
        ("user-agent", "App/1"),
        ("content-type", "text/plain"),
        ("accept", "*/*"),
        ("x-tenant", "spoofed"),
    ] {
        client.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let body = Bytes::from_static(b"{}");
    let outgoing = Outgoing {
        operation: Operation::ChatCompletions,
        stream: true,
        body,
        client_headers: client,
        now_ms: 0,
    };
    let request = OpenAiWire.build(&target, outgoing).unwrap();
    let mut sent: Vec<(&str, &str)> =
        request.headers().iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
    sent.sort_unstable();
    let agent = format!("bailiwick/{}", env!("CARGO_PKG_VERSION"));
    let expected = [
        ("accept", "text/event-stream"),
        ("accept-encoding", "identity"),
        ("api-key", "sk-x"),
        ("content-type", "application/json"),
        ("openai-beta", "b=1"),
        ("user-agent", agent.as_str()),
        ("x-tenant", "t1"),
    ];
    assert_eq!(sent, expected);
    assert!(request.headers()["api-key"].is_sensitive());
    assert_eq!(request.uri(), "https://host/openai/v1/chat/completions");
}

#[test]
fn answers() {
    let read = |body: &str| OpenAiWire.read_answer(Operation::ChatCompletions, body.as_bytes());
    let usage =
        read(r#"{"choices":[{}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#);
    assert_eq!(usage.unwrap().usage.unwrap().output_tokens, 4);
    for without in [r#"{"choices":[]}"#, r#"{"data":[],"usage":null}"#, r#"{"choices":[],"usage":["x"]}"#] {
        assert_eq!(read(without).unwrap().usage, None, "{without}");
    }
    for broken in ["", "null", "[]", "{}", "<html>", r#"{"choices":{}}"#, r#"{"choices":[],"choices":[]}"#] {
        assert_eq!(read(broken), Err(UpstreamFailure::Malformed(Malformed::Json)), "{broken}");
    }
    let not_utf8 = b"{\"choices\":[{\"text\":\"\xC3(\"}]}";
    assert!(OpenAiWire.read_answer(Operation::ChatCompletions, not_utf8).is_err());
}

fn event(data: &str) -> Result<StreamEvent, UpstreamFailure> {
    let mut decoder = Decoder::new(1 << 16);
    decoder.push(Bytes::from(format!("{data}\n\n")));
    OpenAiWire.read_event(&decoder.next_event().unwrap().unwrap())
}

#[test]
fn events_of_a_stream() {
    assert_eq!(event("data: [DONE]"), Ok(StreamEvent::Done { usage: None }));
    assert_eq!(event(": keep-alive"), Ok(StreamEvent::Quiet));
    let chunk = |usage_only: bool, data: &str| match event(data).unwrap() {
        StreamEvent::Chunk { usage, usage_only: only } => {
            (only == usage_only, usage.map(|u| u.output_tokens))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(chunk(false, r#"data: {"choices":[{"delta":{}}],"usage":null}"#), (true, None));
    let usage = r#""usage":{"prompt_tokens":1,"completion_tokens":2}"#;
    assert_eq!(chunk(true, &format!(r#"data: {{"choices":[],{usage}}}"#)), (true, Some(2)));
    // Mistral: usage rides on the last chunk of content, which must not be dropped.
    assert_eq!(chunk(false, &format!(r#"data: {{"choices":[{{}}],{usage}}}"#)), (true, Some(2)));
    // Azure: the first chunk has no choices, and no usage either.
    assert_eq!(chunk(false, r#"data: {"choices":[],"prompt_filter_results":[]}"#), (true, None));
}

#[test]
fn broken_and_failing_events() {
    for broken in [
        "data: {\"choices\":[",
        "data: }{",
        "data: ",
        "data: {}",
        "data: {\"choices\":[]}\ndata: {\"choices\":[]}",
    ] {
        assert_eq!(event(broken), Err(UpstreamFailure::Malformed(Malformed::Json)), "{broken}");
    }
    for failing in [r#"data: {"error":{"message":"boom"}}"#, r#"data: {"object":"error","message":"boom"}"#] {
        assert_eq!(event(failing), Err(UpstreamFailure::ErrorInStream), "{failing}");
    }
}

#[test]
fn heads_are_checked_and_only_two_headers_shown() {
    let head = |name: HeaderName, value| HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
    let kind = |stream, value| OpenAiWire.check_head(stream, &head(header::CONTENT_TYPE, value));
    assert_eq!(kind(false, "application/json; charset=utf-8"), Ok(()));
    assert_eq!(kind(true, "Text/Event-Stream"), Ok(()));
    let wrong = Err(UpstreamFailure::Malformed(Malformed::ContentType));
    assert_eq!(kind(true, "application/json"), wrong);
    assert_eq!(kind(false, "text/html"), wrong);
    assert_eq!(OpenAiWire.check_head(false, &HeaderMap::new()), wrong);
    let mut compressed = head(header::CONTENT_TYPE, "application/json");
    compressed.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let refused = OpenAiWire.check_head(false, &compressed);
    assert_eq!(refused, Err(UpstreamFailure::Malformed(Malformed::ContentEncoding)));
    compressed.insert(header::SET_COOKIE, HeaderValue::from_static("c"));
    compressed.insert("openai-organization", HeaderValue::from_static("o"));
    let shown = OpenAiWire.client_headers(&compressed);
    assert_eq!(shown, head(header::CONTENT_TYPE, "application/json"));
}
