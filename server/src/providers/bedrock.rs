//! Amazon Bedrock's Converse, whole and in events:
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>.
//!
//! No client speaks it: a chat of either served API is translated into it before it gets here and its answer translated
//! back, so what stands in a body here is never a client's own. Model and kind of answer are in the address. A stream ends
//! with `metadata`, which comes after `messageStop` and holds the usage: one that ends before has broken off.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::Full;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    aws,
    events::Framing,
    failure::UpstreamFailure,
    refusal,
    sse::Event,
    target::Target,
    usage::{RawConverseUsage, Usage},
    wire::{
        Answer, BodyEdit, EditValue, Edits, Operation, Outgoing, RequestShape, StreamEvent, Wire, WireError,
        check_type, malformed, post_to,
    },
};

/// What a stream of events is called.
const EVENT_STREAM: &str = "application/vnd.amazon.eventstream";

/// Names an error that comes instead of an answer: <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>.
const ERROR_TYPE: &str = "x-amzn-errortype";

/// Bedrock's wire. Holds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct BedrockConverseWire;

impl Wire for BedrockConverseWire {
    fn edits(&self, _target: &Target, shape: &RequestShape) -> Edits {
        let mut edits = Edits::new();
        if let Some(limit) =
            shape.output_limit.filter(|limit| shape.max_tokens.is_none_or(|asked| *limit < asked))
        {
            let value = EditValue::Number(limit);
            edits.push(BodyEdit::Set { pointer: "/inferenceConfig/maxTokens", value });
        }
        edits
    }

    fn build(&self, target: &Target, request: Outgoing) -> Result<Request<Full<Bytes>>, WireError> {
        // A chat, whichever of the served APIs it was asked for in.
        match request.operation {
            Operation::ChatCompletions | Operation::Messages => {}
            other => return Err(WireError::UnsupportedOperation(other)),
        }
        let uri = target.converse(request.stream).clone();
        let (body, now_ms) = (request.body.clone(), request.now_ms);
        let accept = if request.stream { EVENT_STREAM } else { "application/json" };
        let mut out = post_to(target, uri, request)?;
        out.headers_mut().insert(header::ACCEPT, HeaderValue::from_static(accept));
        if let Some((keys, region)) = target.aws() {
            aws::sign_request(&mut out, &body, keys, region, now_ms)?;
        }
        Ok(out)
    }

    fn framing(&self) -> Framing {
        Framing::AwsEventStream
    }

    fn check_head(&self, stream: bool, headers: &HeaderMap) -> Result<(), UpstreamFailure> {
        check_type(headers, if stream { EVENT_STREAM } else { "application/json" })
    }

    fn refusal(
        &self,
        target: &Target,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> UpstreamFailure {
        let mut refusal = refusal::read(target.credential(), status, headers, body);
        // `ThrottlingException:http://internal.amazon.com/coral/…`
        let named = headers.get(ERROR_TYPE).and_then(|name| name.to_str().ok());
        let named = named.map(|name| name.split(':').next().unwrap_or_default());
        let plain = |name: &&str| {
            (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if let Some(named) = named.filter(plain) {
            refusal.kind = Some(named.to_owned());
        }
        UpstreamFailure::Status(refusal)
    }

    fn read_answer(&self, _operation: Operation, body: &[u8]) -> Result<Answer, UpstreamFailure> {
        let whole: Whole = read(body)?;
        if whole.output.is_none() || whole.stop_reason.is_none() {
            return Err(malformed());
        }
        Ok(Answer { usage: whole.usage.and_then(Lenient::reading) })
    }

    fn read_event(&self, event: &Event) -> Result<StreamEvent, UpstreamFailure> {
        let (Some(name), Some(data)) = (&event.event, &event.data) else { return Err(malformed()) };
        let named: Named = read(data)?;
        match name.as_ref() {
            b"error" => Err(UpstreamFailure::ErrorInStream),
            name if name.ends_with(b"Exception") => Err(UpstreamFailure::ErrorInStream),
            b"metadata" => {
                let usage = named.metadata.and_then(|metadata| metadata.usage).and_then(Lenient::reading);
                Ok(StreamEvent::Done { usage })
            }
            _ => Ok(StreamEvent::Chunk { usage: None, usage_only: false }),
        }
    }
}

/// The parts of an answer that decide what it is. Members that occur twice are refused.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Whole {
    #[serde(default)]
    output: Option<IgnoredAny>,
    #[serde(default)]
    stop_reason: Option<IgnoredAny>,
    #[serde(default)]
    usage: Option<Lenient>,
}

/// The parts of an event.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    usage: Option<Lenient>,
}

/// Checks UTF-8 first: serde_json does not look into strings that it skips.
fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, UpstreamFailure> {
    let text = std::str::from_utf8(json).map_err(|_| malformed())?;
    serde_json::from_str(text).map_err(|_| malformed())
}

/// A usage that is not of the protocol's shape is no usage, but no reason to lose the answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient {
    Usage(RawConverseUsage),
    Other(IgnoredAny),
}

impl Lenient {
    fn reading(self) -> Option<Usage> {
        match self {
            Self::Usage(usage) => usage.reading(),
            Self::Other(_) => None,
        }
    }
}

/// Asks whether a credential is taken: for a count of tokens, which costs nothing
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/count-tokens.html>).
///
/// # Errors
/// [`WireError`].
pub(super) fn probe(target: &Target, now_ms: i64) -> Result<Request<Full<Bytes>>, WireError> {
    const BODY: &[u8] = br#"{"input":{"converse":{"messages":[{"role":"user","content":[{"text":"."}]}]}}}"#;
    let outgoing = Outgoing {
        operation: Operation::CountTokens,
        stream: false,
        body: Bytes::from_static(BODY),
        client_headers: HeaderMap::new(),
        now_ms,
    };
    let mut out = post_to(target, target.converse_count().clone(), outgoing)?;
    if let Some((keys, region)) = target.aws() {
        aws::sign_request(&mut out, BODY, keys, region, now_ms)?;
    }
    Ok(out)
}
