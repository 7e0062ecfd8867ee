//! OpenAI's Responses, of services that have them:
//! <https://platform.openai.com/docs/api-reference/responses>, and for events
//! <https://platform.openai.com/docs/api-reference/responses-streaming>.
//!
//! What a client sends goes on as it came, but for the model, an output limit and `store`: a service keeps an answer unless it
//! is told not to, and nobody here could say later whose it was. A stream ends with `response.completed` or
//! `response.incomplete`, which tells the usage; there is no other end mark.

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    failure::UpstreamFailure,
    sse::Event,
    target::Target,
    usage::{RawResponsesUsage, Usage},
    wire::{
        Answer, BodyEdit, EditValue, Edits, Operation, Outgoing, RequestShape, StreamEvent, Wire, WireError,
        malformed, post,
    },
};

/// Searches of the web for one answer.
const MOST_SEARCHES: u64 = 10_000;

/// The wire of responses. Holds nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenAiResponsesWire;

impl Wire for OpenAiResponsesWire {
    fn edits(&self, target: &Target, shape: &RequestShape) -> Edits {
        let mut edits = Edits::new();
        let model = EditValue::Text(target.upstream_model().to_owned());
        edits.push(BodyEdit::Set { pointer: "/model", value: model });
        edits.push(BodyEdit::Set { pointer: "/store", value: EditValue::Bool(false) });
        if let Some(limit) =
            shape.output_limit.filter(|limit| shape.max_tokens.is_none_or(|asked| *limit < asked))
        {
            edits.push(BodyEdit::Set { pointer: "/max_output_tokens", value: EditValue::Number(limit) });
        }
        edits
    }

    fn build(&self, target: &Target, request: Outgoing) -> Result<Request<Full<Bytes>>, WireError> {
        match request.operation {
            Operation::Responses if target.has_responses() => post(target, request),
            other => Err(WireError::UnsupportedOperation(other)),
        }
    }

    fn read_answer(&self, _operation: Operation, body: &[u8]) -> Result<Answer, UpstreamFailure> {
        let whole: Response<'_> = read(body)?;
        match (whole.object.as_deref(), whole.status.as_deref()) {
            (Some("response"), Some("completed" | "incomplete")) if whole.output.is_some() => {
                Ok(Answer { usage: whole.usage() })
            }
            (Some("response"), Some("failed")) => Err(UpstreamFailure::ErrorInStream),
            _ => Err(malformed()),
        }
    }

    fn read_event(&self, event: &Event) -> Result<StreamEvent, UpstreamFailure> {
        let Some(data) = &event.data else { return Ok(StreamEvent::Quiet) };
        let told: Told<'_> = read(data)?;
        let usage = || told.response.and_then(Response::usage);
        match told.kind.as_deref() {
            None => Err(malformed()),
            Some("error" | "response.failed") => Err(UpstreamFailure::ErrorInStream),
            // Some services keep a connection alive with one.
            Some("keepalive" | "ping") => Ok(StreamEvent::Quiet),
            Some("response.completed" | "response.incomplete") => Ok(StreamEvent::Done { usage: usage() }),
            Some(_) => Ok(StreamEvent::Chunk { usage: None, usage_only: false }),
        }
    }
}

/// The parts of an event that decide what it is. Members that occur twice are refused.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    response: Option<Response<'a>>,
}

/// The parts of a response that decide what it is.
#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    object: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    status: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    output: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    usage: Option<Lenient>,
    #[serde(default)]
    tool_usage: Option<Tools>,
}

impl Response<'_> {
    fn usage(self) -> Option<Usage> {
        let Some(Lenient::Usage(usage)) = self.usage else { return None };
        let searches = match self.tool_usage {
            // More than any request makes is not believed, and counts as not told.
            Some(Tools::Usage { web_search: Some(search) }) => {
                search.num_requests.filter(|searches| *searches <= MOST_SEARCHES)
            }
            _ => None,
        };
        usage.reading().map(|usage| Usage { web_searches: searches, ..usage })
    }
}

/// How often the service's own tools were used. What is not of the protocol's shape says nothing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tools {
    Usage {
        #[serde(default)]
        web_search: Option<Searches>,
    },
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Searches {
    #[serde(default)]
    num_requests: Option<u64>,
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
    Usage(RawResponsesUsage),
    Other(IgnoredAny),
}
