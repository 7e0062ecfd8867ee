//! Anthropic's wire: <https://platform.claude.com/docs/en/api/messages>, and for events
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>.
//!
//! Of a client's headers two reach the provider: `anthropic-version`, where it is one of [`VERSIONS`], and of
//! `anthropic-beta` the values in [`BETAS`]: those that change how an answer is made, not where data goes or what is kept.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};
use http_body_util::Full;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    failure::UpstreamFailure,
    sse::Event,
    target::Target,
    usage::{RawMessagesUsage, Usage},
    wire::{
        Answer, BodyEdit, EditValue, Edits, Operation, Outgoing, RequestShape, StreamEvent, Wire, WireError,
        malformed, post,
    },
};

/// The header with the version of the API.
pub const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// The header that switches on what is not yet part of the API.
pub const BETA: HeaderName = HeaderName::from_static("anthropic-beta");
/// The versions that are spoken: <https://platform.claude.com/docs/en/api/versioning>. The first is that of a request which
/// names none, and of one that was translated, as only it has a temperature. The second refuses three things of the first
/// and changes nothing else of a message: <https://platform.claude.com/docs/en/api/migration-2026-10-21>.
pub const VERSIONS: [&str; 2] = [FIRST, "2026-10-21"];
const FIRST: &str = "2023-06-01";

/// What a client may switch on: <https://platform.claude.com/docs/en/api/beta-headers>. Not among them is what uploads
/// files, runs code, calls servers, edits the context or has a price of its own.
pub const BETAS: &[&str] = &[
    "extended-cache-ttl-2025-04-11",
    "fine-grained-tool-streaming-2025-05-14",
    "interleaved-thinking-2025-05-14",
    "model-context-window-exceeded-2025-08-26",
    "output-128k-2025-02-19",
    "pdfs-2024-09-25",
    "prompt-caching-2024-07-31",
    "structured-outputs-2025-11-13",
    "token-counting-2024-11-01",
    "token-efficient-tools-2025-02-19",
];

/// Anthropic's wire. Holds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct AnthropicWire;

impl Wire for AnthropicWire {
    fn edits(&self, target: &Target, shape: &RequestShape) -> Edits {
        let mut edits = Edits::new();
        let model = EditValue::Text(target.upstream_model().to_owned());
        edits.push(BodyEdit::Set { pointer: "/model", value: model });
        if shape.operation == Operation::Messages
            && let Some(limit) =
                shape.output_limit.filter(|limit| shape.max_tokens.is_none_or(|asked| *limit < asked))
        {
            edits.push(BodyEdit::Set { pointer: "/max_tokens", value: EditValue::Number(limit) });
        }
        edits
    }

    fn build(&self, target: &Target, request: Outgoing) -> Result<Request<Full<Bytes>>, WireError> {
        match request.operation {
            Operation::Messages | Operation::CountTokens => {}
            other => return Err(WireError::UnsupportedOperation(other)),
        }
        let beta = request.client_headers.get(BETA).cloned();
        let version = request.client_headers.get(VERSION).cloned();
        let mut out = post(target, request)?;
        out.headers_mut().insert(VERSION, version.unwrap_or_else(|| HeaderValue::from_static(FIRST)));
        if let Some(beta) = beta {
            out.headers_mut().insert(BETA, beta);
        }
        Ok(out)
    }

    fn read_answer(&self, operation: Operation, body: &[u8]) -> Result<Answer, UpstreamFailure> {
        let whole = Whole::read(body)?;
        if operation == Operation::CountTokens {
            // Counting is free: https://platform.claude.com/docs/en/build-with-claude/token-counting
            return whole
                .input_tokens
                .map(|_| Answer { usage: Some(Usage::default()) })
                .ok_or_else(malformed);
        }
        if whole.kind.as_deref() != Some("message") || whole.content.is_none() {
            return Err(malformed());
        }
        Ok(Answer { usage: whole.usage.and_then(Lenient::reading) })
    }

    fn read_event(&self, event: &Event) -> Result<StreamEvent, UpstreamFailure> {
        let Some(data) = &event.data else { return Ok(StreamEvent::Quiet) };
        let whole = Whole::read(data)?;
        let is_first = whole.kind.as_deref() == Some("message_start");
        let usage = match whole.kind.as_deref() {
            None => return Err(malformed()),
            Some("error") => return Err(UpstreamFailure::ErrorInStream),
            Some("ping") => return Ok(StreamEvent::Quiet),
            Some("message_stop") => return Ok(StreamEvent::Done { usage: None }),
            Some("message_start") => whole.message.and_then(|message| message.usage),
            Some("message_delta") => whole.usage,
            Some(_) => None,
        };
        let usage = usage.and_then(Lenient::reading);
        let usage = if is_first { usage.map(Usage::provisional) } else { usage };
        Ok(StreamEvent::Chunk { usage, usage_only: false })
    }
}

/// The parts of an answer or an event that decide what it is. Members that occur twice are refused.
#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    content: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    usage: Option<Lenient>,
    #[serde(default)]
    message: Option<Message>,
    #[serde(default)]
    input_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    usage: Option<Lenient>,
}

impl<'a> Whole<'a> {
    /// Checks UTF-8 first: serde_json does not look into strings that it skips.
    fn read(json: &'a [u8]) -> Result<Self, UpstreamFailure> {
        let text = std::str::from_utf8(json).map_err(|_| malformed())?;
        serde_json::from_str(text).map_err(|_| malformed())
    }
}

/// A usage that is not of the protocol's shape is no usage, but no reason to lose the answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient {
    Usage(RawMessagesUsage),
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
