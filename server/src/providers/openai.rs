//! The OpenAI-compatible wire: one protocol, six dialects.
//!
//! The dialects differ in path, credential header, and in which request fields they accept:
//!
//! | dialect | prefix | credential | usage on a stream | output limit | source |
//! | --- | --- | --- | --- | --- | --- |
//! | OpenAI | `/v1` | bearer | `stream_options` | `max_completion_tokens` | <https://platform.openai.com/docs/api-reference/chat/create> |
//! | Azure | `/openai/v1` | `api-key` | `stream_options` | `max_completion_tokens` | <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/api-version-lifecycle> |
//! | Bedrock | `/openai/v1` | bearer | `stream_options` | `max_completion_tokens` | <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html> |
//! | Mistral | `/v1` | bearer | always in the last chunk; refuses the option (422 `extra_forbidden`) | `max_tokens`; refuses the other | <https://docs.mistral.ai/api/>, <https://github.com/BerriAI/litellm/issues/8978>, <https://github.com/editor-code-assistant/eca/issues/231> |
//! | vLLM | `/v1` | bearer, optional | `stream_options` | both | <https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html> |
//! | Ollama | `/v1` | none | `stream_options` | `max_tokens`; ignores the other | <https://docs.ollama.com/api/openai-compatibility> |

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    failure::UpstreamFailure,
    sse::Event,
    target::{AuthStyle, Target},
    usage::{RawUsage, Usage},
    wire::{
        Answer, BodyEdit, EditValue, Edits, Operation, Outgoing, RequestShape, StreamEvent, Wire, WireError,
        malformed, post,
    },
};

/// What a service speaks: its reading of the OpenAI-compatible protocol, or a protocol of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// OpenAI's own API, and services that follow it to the letter.
    OpenAi,
    /// Azure OpenAI's `v1` API.
    Azure,
    /// Amazon Bedrock's OpenAI-compatible API.
    Bedrock,
    /// Mistral's API.
    Mistral,
    /// A vLLM server.
    Vllm,
    /// An Ollama server.
    Ollama,
    /// Anthropic's API, which is a protocol of its own: [`super::anthropic`].
    Anthropic,
    /// Amazon Bedrock's own API, which is a protocol of its own: [`super::bedrock`].
    #[serde(rename = "bedrock-converse")]
    BedrockConverse,
}

/// Which field limits the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OutputLimit {
    /// `max_completion_tokens`; `max_tokens` is accepted from clients that set it.
    MaxCompletionTokens,
    /// `max_tokens` only; `max_completion_tokens` is refused or, worse, ignored.
    MaxTokensOnly,
}

impl Dialect {
    /// Every dialect of the OpenAI-compatible protocol.
    pub const OPENAI_COMPATIBLE: [Self; 6] =
        [Self::OpenAi, Self::Azure, Self::Bedrock, Self::Mistral, Self::Vllm, Self::Ollama];

    /// The path before `/chat/completions`.
    pub fn path_prefix(self) -> &'static str {
        match self {
            Self::OpenAi | Self::Mistral | Self::Vllm | Self::Ollama | Self::Anthropic => "/v1",
            Self::Azure | Self::Bedrock => "/openai/v1",
            Self::BedrockConverse => "",
        }
    }

    /// How the service expects its credential.
    pub fn auth(self) -> AuthStyle {
        match self {
            Self::OpenAi | Self::Bedrock | Self::Mistral | Self::Vllm => AuthStyle::Bearer,
            Self::Azure => AuthStyle::ApiKeyHeader,
            Self::Anthropic => AuthStyle::XApiKeyHeader,
            Self::Ollama => AuthStyle::None,
            Self::BedrockConverse => AuthStyle::Aws,
        }
    }

    /// The name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Azure => "azure",
            Self::Bedrock => "bedrock",
            Self::Mistral => "mistral",
            Self::Vllm => "vllm",
            Self::Ollama => "ollama",
            Self::Anthropic => "anthropic",
            Self::BedrockConverse => "bedrock-converse",
        }
    }

    /// Whether the service takes `stream_options.include_usage`. Where not, it reports usage unasked.
    pub fn takes_stream_options(self) -> bool {
        !matches!(self, Self::Mistral)
    }

    fn output_limit(self) -> OutputLimit {
        match self {
            Self::OpenAi | Self::Azure | Self::Bedrock | Self::Vllm => OutputLimit::MaxCompletionTokens,
            Self::Mistral | Self::Ollama | Self::Anthropic | Self::BedrockConverse => {
                OutputLimit::MaxTokensOnly
            }
        }
    }
}

/// The OpenAI-compatible wire. Holds nothing: what differs is in the target's [`Dialect`].
#[derive(Debug, Clone, Copy, Default)]
pub struct OpenAiWire;

const MAX_TOKENS: &str = "/max_tokens";
const MAX_COMPLETION_TOKENS: &str = "/max_completion_tokens";

impl Wire for OpenAiWire {
    fn edits(&self, target: &Target, shape: &RequestShape) -> Edits {
        let dialect = target.dialect();
        let mut edits = Edits::new();
        edits.push(BodyEdit::Set {
            pointer: "/model",
            value: EditValue::Text(target.upstream_model().to_owned()),
        });
        if shape.operation == Operation::ChatCompletions {
            // Of the two names for a limit every service of a preset takes the older.
            let limit = target.preset().map_or(dialect.output_limit(), |_| OutputLimit::MaxTokensOnly);
            limit_output(limit, shape, &mut edits);
            if !dialect.takes_stream_options() {
                if shape.has_stream_options {
                    edits.push(BodyEdit::Remove { pointer: "/stream_options" });
                }
            } else if shape.stream && !shape.client_wants_usage {
                edits.push(BodyEdit::Set {
                    pointer: "/stream_options/include_usage",
                    value: EditValue::Bool(true),
                });
            }
        }
        edits
    }

    fn build(&self, target: &Target, request: Outgoing) -> Result<Request<Full<Bytes>>, WireError> {
        match request.operation {
            Operation::ChatCompletions | Operation::Embeddings => post(target, request),
            other => Err(WireError::UnsupportedOperation(other)),
        }
    }

    fn read_answer(&self, _operation: Operation, body: &[u8]) -> Result<Answer, UpstreamFailure> {
        let whole = Whole::read(body)?;
        if whole.choices.is_none() && whole.data.is_none() {
            return Err(malformed());
        }
        Ok(Answer { usage: whole.usage.and_then(Lenient::reading) })
    }

    fn read_event(&self, event: &Event) -> Result<StreamEvent, UpstreamFailure> {
        let Some(data) = &event.data else { return Ok(StreamEvent::Quiet) };
        if data.trim_ascii() == b"[DONE]" {
            return Ok(StreamEvent::Done { usage: None });
        }
        let chunk = Whole::read(data)?;
        if chunk.error.is_some() || chunk.object.as_deref() == Some("error") {
            return Err(UpstreamFailure::ErrorInStream);
        }
        let usage = chunk.usage.and_then(Lenient::reading);
        let choices = match (&chunk.choices, usage) {
            (Some(choices), _) => choices.len(),
            (None, Some(_)) => 0,
            (None, None) => return Err(malformed()),
        };
        Ok(StreamEvent::Chunk { usage, usage_only: choices == 0 && usage.is_some() })
    }
}

fn limit_output(of_service: OutputLimit, shape: &RequestShape, edits: &mut Edits) {
    let mut set = |pointer, tokens| edits.push(BodyEdit::Set { pointer, value: EditValue::Number(tokens) });
    let lowered = |asked: u64| shape.output_limit.filter(|limit| *limit < asked);
    match (of_service, shape.max_tokens, shape.max_completion_tokens) {
        (OutputLimit::MaxTokensOnly, max_tokens, Some(asked)) => {
            // The stricter of both holds, under the one name that the service knows. The client's number is never
            // written anew: it was read before redaction, so the member keeps its value and takes the other name.
            let strictest = max_tokens.map_or(asked, |other| other.min(asked));
            if let Some(limit) = lowered(strictest) {
                set(MAX_TOKENS, limit);
                edits.push(BodyEdit::Remove { pointer: MAX_COMPLETION_TOKENS });
            } else if max_tokens == Some(strictest) {
                edits.push(BodyEdit::Remove { pointer: MAX_COMPLETION_TOKENS });
            } else {
                edits.push(BodyEdit::Remove { pointer: MAX_TOKENS });
                edits.push(BodyEdit::Rename { pointer: MAX_COMPLETION_TOKENS, to: "max_tokens" });
            }
        }
        (OutputLimit::MaxTokensOnly, None, None) => {
            if let Some(limit) = shape.output_limit {
                set(MAX_TOKENS, limit);
            }
        }
        (OutputLimit::MaxCompletionTokens, None, None) => {
            if let Some(limit) = shape.output_limit {
                set(MAX_COMPLETION_TOKENS, limit);
            }
        }
        (_, max_tokens, max_completion_tokens) => {
            if let Some(limit) = max_tokens.and_then(lowered) {
                set(MAX_TOKENS, limit);
            }
            if let Some(limit) = max_completion_tokens.and_then(lowered) {
                set(MAX_COMPLETION_TOKENS, limit);
            }
        }
    }
}

/// The parts of an answer or a chunk that decide what it is. Members that occur twice are refused.
#[derive(Deserialize)]
struct Whole<'a> {
    #[serde(borrow, default)]
    object: Option<std::borrow::Cow<'a, str>>,
    #[serde(default)]
    choices: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    data: Option<Vec<IgnoredAny>>,
    #[serde(default)]
    usage: Option<Lenient>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

impl<'a> Whole<'a> {
    /// Checks UTF-8 first: serde_json does not look into strings that it skips, and what is not UTF-8 could not
    /// have been inspected either.
    fn read(json: &'a [u8]) -> Result<Self, UpstreamFailure> {
        let text = std::str::from_utf8(json).map_err(|_| malformed())?;
        serde_json::from_str(text).map_err(|_| malformed())
    }
}

/// A usage that is not of the protocol's shape is no usage, but no reason to lose the answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient {
    Usage(RawUsage),
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
