//! The seam between the gateway and a wire protocol.
//!
//! A wire never sees a principal, a rule or a budget: it gets a body that is already redacted and answers three
//! questions. Which edits does this provider's dialect need ([`Wire::edits`]; the gateway makes them on the raw
//! bytes, so that unknown fields survive)? How does the request look on the wire ([`Wire::build`])? What does the
//! answer say ([`Wire::check_head`], [`Wire::refusal`], [`Wire::read_answer`], [`Wire::read_event`])?

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use smallvec::SmallVec;

use super::{
    events::Framing,
    failure::{Malformed, UpstreamFailure},
    refusal, sse,
    target::Target,
    usage::Usage,
};

/// The model operations that are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST …/chat/completions`.
    ChatCompletions,
    /// `POST …/responses`.
    Responses,
    /// `POST …/embeddings`.
    Embeddings,
    /// `POST …/messages`.
    Messages,
    /// `POST …/messages/count_tokens`.
    CountTokens,
}

/// Whose API a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// OpenAI's.
    OpenAi,
    /// OpenAI's, of responses: all but its events is told alike.
    OpenAiResponses,
    /// Anthropic's.
    Anthropic,
}

impl Operation {
    /// Whose API it belongs to.
    #[must_use]
    pub const fn api(self) -> Api {
        match self {
            Self::ChatCompletions | Self::Embeddings => Api::OpenAi,
            Self::Responses => Api::OpenAiResponses,
            Self::Messages | Self::CountTokens => Api::Anthropic,
        }
    }

    /// Whether an answer may be asked for in events.
    #[must_use]
    pub const fn streams(self) -> bool {
        matches!(self, Self::ChatCompletions | Self::Responses | Self::Messages)
    }
}

/// What the wire must know of a request body to state its edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestShape {
    /// Which operation.
    pub operation: Operation,
    /// `/stream` is true.
    pub stream: bool,
    /// `/stream_options` is present, whatever it holds.
    pub has_stream_options: bool,
    /// `/stream_options/include_usage` is true: the client wants to see the usage event.
    pub client_wants_usage: bool,
    /// `/max_tokens`, or `/max_output_tokens` of a response, where it is a whole number.
    pub max_tokens: Option<u64>,
    /// `/max_completion_tokens`, where it is a whole number.
    pub max_completion_tokens: Option<u64>,
    /// The most output tokens that the decision and the budgets allow, `None` for no limit.
    pub output_limit: Option<u64>,
}

impl RequestShape {
    /// The shape of an operation whose body sets none of the fields above.
    pub fn plain(operation: Operation) -> Self {
        Self {
            operation,
            stream: false,
            has_stream_options: false,
            client_wants_usage: false,
            max_tokens: None,
            max_completion_tokens: None,
            output_limit: None,
        }
    }
}

/// One change to the raw body, addressed by RFC 6901 JSON pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyEdit {
    /// Sets a member, adding it, and objects on the way to it, where they are missing. A value on the way that is
    /// no object (`"stream_options": null`) is replaced by one.
    Set {
        /// Where.
        pointer: &'static str,
        /// What.
        value: EditValue,
    },
    /// Removes a member, if it is there.
    Remove {
        /// Where.
        pointer: &'static str,
    },
    /// Gives a member another name, if it is there. Its value stays what redaction made of it.
    Rename {
        /// Where.
        pointer: &'static str,
        /// The name.
        to: &'static str,
    },
}

/// A value that an edit sets.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum EditValue {
    /// A JSON string, unescaped.
    Text(String),
    /// A whole number.
    Number(u64),
    /// `true` or `false`.
    Bool(bool),
}

/// The edits of one attempt. More than four are rare.
pub type Edits = SmallVec<[BodyEdit; 4]>;

/// A request as the gateway hands it over: redacted, edited, decided, recorded.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Which operation.
    pub operation: Operation,
    /// Whether the answer is to be a stream.
    pub stream: bool,
    /// The body with the edits made.
    pub body: Bytes,
    /// The client's request headers; only those that the target or the wire lists are sent on.
    pub client_headers: HeaderMap,
    /// When it is sent, in Unix milliseconds: a signature says so.
    pub now_ms: i64,
}

/// What was read from a whole (not streamed) answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The provider's usage, where it sent one.
    pub usage: Option<Usage>,
}

/// What one event of an answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamEvent {
    /// No data: a comment or a keep-alive. May be passed on or dropped.
    Quiet,
    /// The protocol's end mark; whatever follows is not part of the answer.
    Done {
        /// The usage, where the end mark states it.
        usage: Option<Usage>,
    },
    /// A chunk of the answer.
    Chunk {
        /// The usage so far, where this chunk states one.
        usage: Option<Usage>,
        /// The chunk holds usage and nothing of the answer: drop it where the client did not ask for usage.
        usage_only: bool,
    },
}

/// Why a request could not be put on the wire. A fault of configuration, never of the client.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The operation has no counterpart in this protocol or at this service.
    #[error("this endpoint's service does not offer {0:?}; choose an endpoint that does")]
    UnsupportedOperation(Operation),
    /// The parts do not make an HTTP request.
    #[error("the request could not be built: {0}")]
    Http(#[from] http::Error),
    /// No signature could be made.
    #[error("the request could not be signed")]
    Unsigned,
}

/// One wire protocol: how a governed request is put on the wire and how the answer is read.
pub trait Wire: Send + Sync + std::fmt::Debug {
    /// The edits that this target's dialect needs in the body, in an order in which they can be made one by one.
    fn edits(&self, target: &Target, shape: &RequestShape) -> Edits;

    /// The request on the wire: address, headers by allow-list, credential.
    ///
    /// # Errors
    /// [`WireError`] where the target cannot serve the operation.
    fn build(&self, target: &Target, request: Outgoing) -> Result<Request<Full<Bytes>>, WireError>;

    /// Checks the head of a successful (2xx) answer: content type and encoding as asked for.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`].
    fn check_head(&self, stream: bool, headers: &HeaderMap) -> Result<(), UpstreamFailure> {
        check_type(headers, if stream { "text/event-stream" } else { "application/json" })
    }

    /// How a stream is cut into events.
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    /// Reads an answer whose status is not 2xx. `body` may be cut at the limit for error bodies.
    fn refusal(
        &self,
        target: &Target,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> UpstreamFailure {
        UpstreamFailure::Status(refusal::read(target.credential(), status, headers, body))
    }

    /// Reads a whole successful answer.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`] where it is not the protocol's JSON.
    fn read_answer(&self, operation: Operation, body: &[u8]) -> Result<Answer, UpstreamFailure>;

    /// Reads one event of a successful stream.
    ///
    /// # Errors
    /// [`UpstreamFailure::Malformed`] where its data is not the protocol's JSON, and
    /// [`UpstreamFailure::ErrorInStream`] where the provider reports an error instead of a chunk.
    fn read_event(&self, event: &sse::Event) -> Result<StreamEvent, UpstreamFailure>;

    /// The headers of an answer that may be shown to the client: an allow-list, without cookies, hop-by-hop
    /// headers, lengths or anything that names the provider's account.
    fn client_headers(&self, headers: &HeaderMap) -> HeaderMap {
        const SHOWN: [header::HeaderName; 2] = [header::CONTENT_TYPE, header::RETRY_AFTER];
        let mut shown = HeaderMap::with_capacity(SHOWN.len());
        for name in SHOWN {
            if let Some(value) = headers.get(&name) {
                shown.insert(name, value.clone());
            }
        }
        shown
    }
}

/// Whether an answer is of this type, and not encoded.
pub(super) fn check_type(headers: &HeaderMap, wanted: &str) -> Result<(), UpstreamFailure> {
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|e| e.as_bytes() != b"identity") {
        return Err(UpstreamFailure::Malformed(Malformed::ContentEncoding));
    }
    let sent = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        Ok(())
    } else {
        Err(UpstreamFailure::Malformed(Malformed::ContentType))
    }
}

/// A request to an operation's address.
pub(super) fn post(target: &Target, request: Outgoing) -> Result<Request<Full<Bytes>>, WireError> {
    let uri = target.address(request.operation).clone();
    post_to(target, uri, request)
}

/// The request that every wire sends: JSON, with the target's headers and credential.
pub(super) fn post_to(
    target: &Target,
    uri: Uri,
    request: Outgoing,
) -> Result<Request<Full<Bytes>>, WireError> {
    let mut out = Request::builder().method(Method::POST).uri(uri).body(Full::new(request.body))?;
    *out.headers_mut() = target.headers(&request.client_headers);
    let headers = out.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accept = if request.stream { "text/event-stream" } else { "application/json" };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    // A compressed answer could not be inspected.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let agent = concat!("bailiwick/", env!("CARGO_PKG_VERSION"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
    if let Some((name, value)) = target.auth() {
        headers.insert(name.clone(), value.clone());
    }
    Ok(out)
}

/// An answer or event that is not the protocol's JSON.
pub(super) fn malformed() -> UpstreamFailure {
    UpstreamFailure::Malformed(Malformed::Json)
}
