use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::here;
use crate::demo::simulator::{Behaviour, BrokenSse, Simulator, SimulatorConfig, SimulatorHandle};
use crate::providers::{
    BedrockConverseWire, BodyEdit, Dialect, Doubt, EditValue, Limits, Operation, Outgoing, RequestShape,
    Secret, StreamEvent, Target, TargetSpec, UpstreamClient, UpstreamEvents, UpstreamFailure, Usage, Wire,
    failure::Malformed,
    frames::{Decoder, FrameError},
    target::TargetError,
};

const MODEL: &str = "eu.anthropic.claude-haiku-4-5-20251001-v1:0";
const KEYS: &str = "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY:dG9rZW4=";
const NOW: i64 = 1_767_225_600_000;

fn spec(base_url: &str, credential: &str, region: Option<&str>) -> TargetSpec {
    let credential = Some(Secret::new(credential.to_owned()));
    let mut spec = TargetSpec::new(Dialect::BedrockConverse, base_url, credential, MODEL);
    spec.region = region.map(str::to_owned);
    spec
}

fn outgoing(stream: bool) -> Outgoing {
    let body = br#"{"messages":[{"role":"user","content":[{"text":"Hello"}]}]}"#;
    Outgoing {
        operation: Operation::Messages,
        stream,
        body: Bytes::from_static(body),
        client_headers: HeaderMap::new(),
        now_ms: NOW,
    }
}

#[test]
fn the_region_is_the_hosts_or_declared_and_never_two() {
    const HOST: &str = "https://bedrock-runtime.eu-central-1.amazonaws.com";
    for (url, region) in [(HOST, None), (HOST, Some("eu-central-1")), ("https://host", Some("eu-central-1"))]
    {
        let target = Target::new(spec(url, KEYS, region)).unwrap();
        assert_eq!(target.aws().unwrap().1, "eu-central-1");
    }
    let refusal = |spec| Target::new(spec).unwrap_err();
    assert_eq!(refusal(spec("https://host", KEYS, None)), TargetError::NoRegion);
    let other = TargetError::OtherRegion { host: "eu-central-1".into() };
    assert_eq!(refusal(spec(HOST, KEYS, Some("us-east-1"))), other);
    // A bearer token is not signed for a Region, and yet the facts are those of one.
    assert_eq!(refusal(spec(HOST, "ABSKa2V5", Some("us-east-1"))), other);
    assert!(Target::new(spec("https://host", "ABSKa2V5", None)).is_ok());
    let mut compatible = spec(HOST, "ABSKa2V5", Some("us-east-1"));
    compatible.dialect = Dialect::Bedrock;
    assert_eq!(refusal(compatible), other);
    for wrong in ["AKIAIOSFODNN7EXAMPLE:", "{\"AccessKeyId\":1}", ":"] {
        let error = refusal(spec(HOST, wrong, None));
        assert_eq!(error, TargetError::AwsKeys, "{wrong}");
    }
    assert_eq!(refusal(spec(HOST, " ", None)), TargetError::AwsKeys);
    let target = Target::new(spec(HOST, KEYS, None)).unwrap();
    assert!(
        !format!("{target:?}").contains("AKIA") && !format!("{target:?}").contains("wJalr"),
        "{target:?}"
    );
}

#[test]
fn the_model_is_a_segment_of_the_address() {
    let host = "https://bedrock-runtime.eu-central-1.amazonaws.com";
    let path = |model: &str, stream| {
        let mut spec = spec(host, "ABSKa2V5", None);
        spec.upstream_model = model.to_owned();
        let request = BedrockConverseWire.build(&Target::new(spec).unwrap(), outgoing(stream)).unwrap();
        (request.uri().path().to_owned(), request.headers().clone())
    };
    let (whole, headers) = path(MODEL, false);
    assert_eq!(whole, "/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse");
    assert_eq!(headers["authorization"], "Bearer ABSKa2V5");
    assert_eq!(headers["accept"], "application/json");
    let (events, headers) = path("arn:aws:bedrock:eu-central-1:1:inference-profile/eu.x", true);
    assert_eq!(
        events,
        "/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A1%3Ainference-profile%2Feu.x/converse-stream"
    );
    assert_eq!(headers["accept"], "application/vnd.amazon.eventstream");
}

#[test]
fn a_limit_is_lowered_and_never_raised() {
    let target = Target::new(spec("https://host", "ABSKa2V5", None)).unwrap();
    let edits = |max_tokens, output_limit| {
        let plain = RequestShape::plain(Operation::ChatCompletions);
        BedrockConverseWire.edits(&target, &RequestShape { max_tokens, output_limit, ..plain })
    };
    let set = BodyEdit::Set { pointer: "/inferenceConfig/maxTokens", value: EditValue::Number(9) };
    assert_eq!(edits(None, Some(9)), edits(Some(20), Some(9)));
    assert_eq!(edits(Some(20), Some(9)).as_slice(), [set]);
    assert!(edits(Some(5), Some(9)).is_empty() && edits(Some(5), None).is_empty());
}

#[test]
fn refusals_are_named_by_their_header() {
    let target = Target::new(spec("https://host", "ABSKa2V5", None)).unwrap();
    let read = |status: u16, name: &'static str, body: &str| {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-amzn-errortype"),
            HeaderValue::from_static(name),
        )]);
        let status = StatusCode::from_u16(status).unwrap();
        BedrockConverseWire.refusal(&target, status, &headers, body.as_bytes())
    };
    let named = "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/";
    let UpstreamFailure::Status(refusal) = read(400, named, r#"{"message":"Too long."}"#) else { panic!() };
    assert_eq!(refusal.kind.as_deref(), Some("ValidationException"));
    assert_eq!(refusal.message.as_deref(), Some("Too long."));
    // A model ran and failed: it may have cost, and another endpoint may do better.
    let failed = read(424, "ModelErrorException", "{}");
    assert!(failed.may_have_cost() && failed.may_fall_back(false), "{failed:?}");
    assert_eq!(failed.code(), "upstream_failed");
    assert!(!read(403, "AccessDeniedException", "{}").may_have_cost());
}

/// A stream as the simulator frames it, byte for byte.
async fn streamed(behaviour: Behaviour) -> (SimulatorHandle, Target, Bytes) {
    let mut config = SimulatorConfig::new("bedrock", Dialect::BedrockConverse);
    config.behaviour = behaviour;
    let simulator = Simulator::start(config.chat_model(MODEL).credential(KEYS)).await.unwrap();
    let target = Target::new(spec(simulator.url(), KEYS, Some("eu-central-1"))).unwrap();
    let client = UpstreamClient::new(here()).unwrap();
    let request = BedrockConverseWire.build(&target, outgoing(true)).unwrap();
    let response = client.send(request, target.limits()).await.unwrap();
    assert_eq!(response.status, 200);
    BedrockConverseWire.check_head(true, &response.headers).unwrap();
    let body = response.body.collect().await.unwrap();
    (simulator, target, body)
}

/// Events as they are decoded from pieces of this size; whether the end mark came.
fn decoded(bytes: &[u8], size: usize) -> Result<(usize, Option<StreamEvent>), UpstreamFailure> {
    let mut decoder = Decoder::new(1 << 16);
    let (mut count, mut last) = (0, None);
    for piece in bytes.chunks(size) {
        decoder.push(&Bytes::copy_from_slice(piece));
        while let Some(event) =
            decoder.next_event().map_err(|_| UpstreamFailure::Malformed(Malformed::EventStream))?
        {
            count += 1;
            last = Some(BedrockConverseWire.read_event(&event)?);
        }
    }
    Ok((count, last))
}

#[tokio::test]
async fn a_stream_in_any_pieces_is_the_same_and_cut_anywhere_no_end() {
    let (simulator, _, body) = streamed(Behaviour::Normal).await;
    let (count, last) = decoded(&body, body.len()).unwrap();
    assert!(count > 5);
    assert!(matches!(last, Some(StreamEvent::Done { usage: Some(usage) }) if usage.is_exact()), "{last:?}");
    for size in [1, 2, 3, 7, 64] {
        assert_eq!(decoded(&body, size).unwrap(), (count, last.clone()), "{size}");
    }
    for end in 0..body.len() {
        let (_, last) = decoded(&body[..end], 50).unwrap();
        assert!(!matches!(last, Some(StreamEvent::Done { .. })), "cut after {end}");
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_byte_that_is_another_is_seen_wherever_it_stands() {
    let (simulator, _, body) = streamed(Behaviour::Normal).await;
    let whole = decoded(&body, body.len()).unwrap();
    for at in 0..body.len() {
        let mut damaged = body.to_vec();
        damaged[at] ^= 0x10;
        assert_ne!(decoded(&damaged, damaged.len()), Ok(whole.clone()), "{at}");
    }
    simulator.shutdown().await;
}

#[test]
fn a_length_is_believed_only_with_its_checksum_and_within_the_limit() {
    let prelude = |length: u32, checked: bool| {
        let mut out = [length.to_be_bytes(), 0_u32.to_be_bytes()].concat();
        let sum = crc32fast::hash(&out) ^ u32::from(!checked);
        out.extend_from_slice(&sum.to_be_bytes());
        out
    };
    for (bytes, expected) in [
        (prelude(1 << 20, true), Err(FrameError::TooLarge)),
        (prelude(1 << 20, false), Err(FrameError::Damaged)),
        (prelude(15, true), Err(FrameError::Damaged)),
        (prelude(100, true), Ok(None)),
    ] {
        let mut decoder = Decoder::new(1 << 16);
        decoder.push(&Bytes::from(bytes));
        assert_eq!(decoder.next_event(), expected);
    }
}

#[tokio::test]
async fn what_breaks_a_stream_is_named() {
    let malformed = |what| UpstreamFailure::Malformed(what);
    for (behaviour, failure) in [
        (Behaviour::BrokenSse(BrokenSse::Garbage), malformed(Malformed::EventStream)),
        (Behaviour::BrokenSse(BrokenSse::MissingBlankLine), malformed(Malformed::EventStream)),
        (Behaviour::BrokenSse(BrokenSse::HalfJson), malformed(Malformed::Json)),
        (Behaviour::BrokenSse(BrokenSse::InvalidUtf8), malformed(Malformed::Json)),
        (Behaviour::BrokenSse(BrokenSse::NoDone), malformed(Malformed::EventStream)),
        (Behaviour::BrokenSse(BrokenSse::CutEvent), malformed(Malformed::EventStream)),
        (Behaviour::ErrorInStream { after: 3 }, UpstreamFailure::ErrorInStream),
    ] {
        let mut config = SimulatorConfig::new("bedrock", Dialect::BedrockConverse);
        config.behaviour = behaviour.clone();
        let simulator = Simulator::start(config.chat_model(MODEL)).await.unwrap();
        let target = Target::new(spec(simulator.url(), KEYS, Some("eu-central-1"))).unwrap();
        let client = UpstreamClient::new(here()).unwrap();
        let request = BedrockConverseWire.build(&target, outgoing(true)).unwrap();
        let response = client.send(request, &Limits::default()).await.unwrap();
        let wire = BedrockConverseWire;
        let mut events = UpstreamEvents::new(response.body, wire.framing(), 1 << 16);
        let mut seen = 0;
        let told = loop {
            match events.next(&wire).await {
                Ok(Some((_, StreamEvent::Done { .. })) | None) => panic!("{behaviour:?} ended well"),
                Ok(Some(_)) => seen += 1,
                Err(failure) => break failure,
            }
        };
        assert_eq!((told, seen >= 2), (failure, true), "{behaviour:?}");
        simulator.shutdown().await;
    }
}

#[tokio::test]
async fn usage_is_read_of_whole_answers_and_of_the_end_of_streams() {
    let told = serde_json::json!({ "inputTokens": 3, "cacheReadInputTokens": 4, "outputTokens": 5, "totalTokens": 12 });
    let expected = Usage { input_tokens: 7, cached_input_tokens: 4, output_tokens: 5, ..Usage::default() };
    let (simulator, _, body) = streamed(Behaviour::ReportUsage(told)).await;
    assert_eq!(decoded(&body, 999).unwrap().1, Some(StreamEvent::Done { usage: Some(expected) }));
    simulator.shutdown().await;
    let (simulator, _, body) = streamed(Behaviour::OmitUsage).await;
    assert_eq!(decoded(&body, 999).unwrap().1, Some(StreamEvent::Done { usage: None }));
    simulator.shutdown().await;
    let whole = |usage: &str| {
        let body = format!(
            r#"{{"output":{{"message":{{"role":"assistant","content":[]}}}},"stopReason":"end_turn","usage":{usage}}}"#
        );
        BedrockConverseWire.read_answer(Operation::Messages, body.as_bytes()).unwrap().usage
    };
    assert_eq!(whole("7"), None);
    let half = whole(r#"{"inputTokens":3}"#).unwrap();
    assert_eq!(half.doubts.iter().collect::<Vec<_>>(), [Doubt::Contradictory]);
    for wrong in ["{}", "[]", r#"{"output":{}}"#, r#"{"stopReason":"end_turn"}"#, "{"] {
        let read = BedrockConverseWire.read_answer(Operation::Messages, wrong.as_bytes());
        assert_eq!(read, Err(UpstreamFailure::Malformed(Malformed::Json)), "{wrong}");
    }
}
