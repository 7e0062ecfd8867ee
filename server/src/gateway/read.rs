//! The body: read within limits, kept losslessly, its text collected, its shape understood.

mod messages;
mod responses;
mod tools;

use std::collections::BTreeSet;
use std::time::Duration;

use bailiwick_compliance_db::{Feature, FeatureSet};
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::authenticate::Authenticated;
use super::document::{self, Document, Kind, NodeId};
use super::media::is_read_file;
use super::members;
use super::refusal::{Code, Refusal};
use super::sealed::Known;
use super::spans::Text;
use crate::providers::{MOST_TOKENS, Operation, RequestShape};
use tools::{check_tools, tool_features};

/// Limits on what a client may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes.
    pub bytes: usize,
    /// From the head to the last byte.
    pub time: Duration,
    /// Nesting and number of values.
    pub structure: document::Limits,
}

impl Default for BodyLimits {
    /// 16 MiB within 60 s.
    fn default() -> Self {
        Self {
            bytes: 16 * 1024 * 1024,
            time: Duration::from_secs(60),
            structure: document::Limits::default(),
        }
    }
}

/// A request that was read.
#[derive(Debug)]
pub struct Read {
    pub(super) auth: Authenticated,
    pub(super) operation: Operation,
    pub(super) document: Document,
    pub(super) text: Text,
    pub(super) model: String,
    /// What the client called a model that no endpoint serves, cut short: for its own error alone.
    pub(super) asked_model: Option<String>,
    pub(super) shape: RequestShape,
    pub(super) features: FeatureSet,
    /// Whether the body, or one of its tools, has a member that is not known, which may use any feature.
    pub(super) strange: bool,
    pub(super) tools: Vec<String>,
    /// Whether parts of it cannot be read: media, or parts of a kind that is not known.
    pub(super) opaque: bool,
    /// What is known of thoughts that cannot be read.
    pub(super) sealed: Known,
    /// Whether it may bring in more than the body says: a document with any number of pages, parts of a kind that is not
    /// known.
    pub(super) unbounded: bool,
    /// At most this many tokens go in.
    pub(super) input_tokens: u64,
    /// Tokens that the model is told to think with.
    pub(super) thinking_tokens: Option<u64>,
    /// Searches of the web that the provider makes at most, or is taken to make.
    pub(super) web_searches: u64,
    /// Whether it offers a tool of which each use is paid, and no usage tells how often it was used.
    pub(super) untold_fees: bool,
    /// Answers asked for (`n`), each with its own output.
    pub(super) answers: u64,
    /// The headers of the client's API that go on to a provider of that API.
    pub(super) api_headers: HeaderMap,
    _sealed: (),
}

/// Collects a body within its limits.
///
/// # Errors
/// `invalid_request`, `request_too_large`, `request_timeout`.
pub async fn collect<B>(headers: &HeaderMap, body: B, limits: BodyLimits) -> Result<Bytes, Refusal>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Some(encoding) = headers.get(header::CONTENT_ENCODING)
        && encoding != "identity"
    {
        return Err(Refusal::invalid(
            "content-encoding",
            "compressed request bodies are not read: what cannot be inspected cannot be decided",
        )
        .fix("send the body without `content-encoding`"));
    }
    let too_large = || {
        Refusal::new(
            Code::RequestTooLarge,
            format!("the body is larger than this server's limit of {} bytes", limits.bytes),
        )
        .fix("send less at once, or have the operator raise `limits.body_bytes`")
    };
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if stated.is_some_and(|stated: usize| stated > limits.bytes) {
        return Err(too_large());
    }
    match tokio::time::timeout(limits.time, Limited::new(body, limits.bytes).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Refusal::new(Code::InvalidRequest, "the body broke off before its end")
            .fix("send the whole body, as long as `content-length` says")),
        Err(_) => Err(Refusal::new(
            Code::RequestTimeout,
            format!("the body did not arrive within {} s", limits.time.as_secs()),
        )
        .fix("send it faster, or in a smaller request")),
    }
}

/// Understands a body as a request for `operation`.
///
/// # Errors
/// `invalid_request` with the field's name.
pub fn read(
    auth: Authenticated,
    operation: Operation,
    bytes: Bytes,
    limits: BodyLimits,
) -> Result<Read, Refusal> {
    let document = Document::parse(bytes, limits.structure)
        .map_err(|error| Refusal::new(Code::InvalidRequest, error.to_string()).fix(error.way_out()))?;
    if document.kind(document.root()) != Kind::Object {
        return Err(Refusal::new(Code::InvalidRequest, "the body must be a JSON object")
            .fix("send `{\"model\": …}` with the members that the API names"));
    }
    let model = member(&document, "model")
        .and_then(|id| document.string(id))
        .filter(|model| !model.is_empty())
        .map(std::borrow::Cow::into_owned)
        .ok_or_else(|| {
            Refusal::invalid("model", "`model` must be a string that names a model")
                .fix("name one of those that `GET /v1/models` lists")
        })?;
    if model.len() > MAX_NAME {
        return Err(Refusal::invalid("model", format!("`model` is longer than {MAX_NAME} bytes"))
            .fix("name one of those that `GET /v1/models` lists"));
    }
    counts(&document)?;
    let mut content = Content::default();
    match operation {
        Operation::ChatCompletions => chat(&document, &mut content)?,
        Operation::Responses => responses::responses(&document, &mut content)?,
        Operation::Embeddings => embeddings(&document)?,
        Operation::Messages | Operation::CountTokens => {
            messages::messages(&document, operation, &mut content)?;
        }
    }
    let (of_members, strange) = members::features(&document, operation);
    if of_members.contains(Feature::WebSearch) {
        content.web_searches = content.web_searches.saturating_add(SEARCHES);
    }
    let text = Text::of(&document);
    let shape = shape(&document, operation)?;
    Ok(Read {
        auth,
        operation,
        model,
        asked_model: None,
        shape,
        opaque: text.opaque || content.opaque,
        unbounded: content.unbounded || (text.opaque && content.media == 0),
        thinking_tokens: member(&document, "thinking")
            .and_then(|thinking| document.get(thinking, "budget_tokens"))
            .and_then(|tokens| document.unsigned(tokens)),
        web_searches: content.web_searches,
        untold_fees: content.untold_fees,
        input_tokens: input_tokens(&document, &text, content.media),
        answers: positive(&document, "n", MAX_ANSWERS)?.unwrap_or(1),
        features: content.features.union(of_members),
        strange: strange || content.strange,
        api_headers: HeaderMap::new(),
        sealed: Known::default(),
        tools: content.tools,
        text,
        document,
        _sealed: (),
    })
}

/// Bytes of the name of a model or a tool: names are recorded, and a record is not a place for text.
const MAX_NAME: usize = 256;
/// Different tools in one request, which is as many as OpenAI's API takes.
const MAX_TOOLS: usize = 128;
/// Answers to one request.
const MAX_ANSWERS: u64 = 128;
/// Tool calls, log probabilities and the like.
const MAX_COUNT: u64 = 10_000;

/// Counts that are sent on as they are, and that no service takes when they are absurd.
fn counts(document: &Document) -> Result<(), Refusal> {
    for (key, most) in [
        ("max_output_tokens", MOST_TOKENS),
        ("max_tool_calls", MAX_COUNT),
        ("top_logprobs", MAX_COUNT),
        ("best_of", MAX_ANSWERS),
    ] {
        let number = member(document, key).filter(|id| document.kind(*id) == Kind::Number);
        if number.is_some_and(|id| document.unsigned(id).is_none_or(|number| number > most)) {
            return Err(too_many(key, most));
        }
    }
    Ok(())
}

fn too_many(key: &'static str, most: u64) -> Refusal {
    Refusal::invalid(key, format!("`{key}` must be a whole number of at most {most}"))
        .fix(format!("lower `{key}`, or leave it out"))
}

#[derive(Default)]
struct Content {
    features: FeatureSet,
    tools: Vec<String>,
    opaque: bool,
    media: u64,
    /// Whether a part may be any number of tokens.
    unbounded: bool,
    web_searches: u64,
    untold_fees: bool,
    /// Whether a tool has a member that is not known.
    strange: bool,
}

/// Searches that a request is taken to make where it does not limit them.
const SEARCHES: u64 = 10;

/// Tokens that one image is taken for at most. Providers resize images to a bounded number of tiles; none of the published
/// schemes charges more than this for one. Files and audio are not bounded so: they count by their bytes.
const IMAGE_TOKENS: u64 = 20_000;

/// An upper bound: every tokenizer in use makes at most one token of a byte of text (byte-level BPE), and a chat format
/// adds a few around each value.
fn input_tokens(document: &Document, text: &Text, media: u64) -> u64 {
    const AROUND: u64 = 8;
    let bytes = document.bytes().len().saturating_sub(text.image_bytes).max(text.buffer.len());
    let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
    let values = u64::try_from(text.spans.len()).unwrap_or(u64::MAX);
    bytes.saturating_add(values.saturating_mul(AROUND)).saturating_add(media.saturating_mul(IMAGE_TOKENS))
}

/// The way out of every `messages` that is none.
const MESSAGES: &str = "send `\"messages\": [{\"role\": \"user\", \"content\": \"…\"}]`";

fn chat(document: &Document, content: &mut Content) -> Result<(), Refusal> {
    let messages =
        member(document, "messages").filter(|id| document.kind(*id) == Kind::Array).ok_or_else(|| {
            Refusal::invalid("messages", "`messages` must be an array of messages").fix(MESSAGES)
        })?;
    let mut any = false;
    for message in document.children(messages) {
        any = true;
        if document.kind(message) != Kind::Object {
            return Err(
                Refusal::invalid(document.pointer(message), "every message must be an object").fix(MESSAGES)
            );
        }
        if let Some(parts) = document.get(message, "content").filter(|id| document.kind(*id) == Kind::Array) {
            for part in document.children(parts) {
                part_features(document, part, content);
            }
        }
    }
    if !any {
        return Err(Refusal::invalid("messages", "`messages` must hold at least one message").fix(MESSAGES));
    }
    let mut tools = BTreeSet::new();
    for tool in member(document, "tools").into_iter().flat_map(|tools| document.children(tools)) {
        tool_features(document, tool, content, &mut tools);
    }
    // What came before `tools`, and is still understood.
    for function in
        member(document, "functions").into_iter().flat_map(|functions| document.children(functions))
    {
        if let Some(name) = document.get(function, "name").and_then(|id| document.string(id)) {
            tools.insert(name.into_owned());
        }
    }
    check_tools(&tools)?;
    content.tools = tools.into_iter().collect();
    Ok(())
}

fn part_features(document: &Document, part: NodeId, content: &mut Content) {
    let kind = document.get(part, "type").and_then(|id| document.string(id));
    match kind.as_deref() {
        Some("text" | "refusal") => return,
        Some("image_url") => content.features.insert(Feature::ImageInput),
        Some("input_audio") => content.features.insert(Feature::Audio),
        Some("file") => {
            let uploaded =
                document.get(part, "file").and_then(|file| document.get(file, "file_id")).is_some();
            content.features.insert(if uploaded { Feature::Files } else { Feature::FileInput });
            // A file of text is read like any text.
            if is_read_file(document, part) {
                return;
            }
            content.unbounded = true;
        }
        // A part of a kind that is not known here may hold anything.
        _ => content.unbounded = true,
    }
    content.opaque = true;
    content.media += 1;
}

fn embeddings(document: &Document) -> Result<(), Refusal> {
    let wrong = || {
        Refusal::invalid("input", "`input` must be a string, or an array of strings")
            .fix("send the text itself")
    };
    let input = member(document, "input").ok_or_else(wrong)?;
    match document.kind(input) {
        Kind::String => Ok(()),
        Kind::Array if document.children(input).next().is_some() => {
            let tokens = |id| matches!(document.kind(id), Kind::Number | Kind::Array);
            if document.children(input).any(tokens) {
                // Token ids are text that no recognizer can read; deciding about them would be deciding blind.
                return Err(Refusal::invalid("input", "token arrays cannot be inspected for personal data")
                    .fix("send the text itself"));
            }
            if document.children(input).any(|id| document.kind(id) != Kind::String) {
                return Err(wrong());
            }
            Ok(())
        }
        _ => Err(wrong()),
    }
}

impl Read {
    /// The most output tokens that the client asks for. Of two limits the larger counts: which one a service heeds is
    /// its own affair.
    pub(super) fn asked_output(&self) -> Option<u64> {
        self.shape.max_completion_tokens.max(self.shape.max_tokens)
    }
}

/// The shape of a body.
///
/// # Errors
/// `invalid_request`.
pub(super) fn shape(document: &Document, operation: Operation) -> Result<RequestShape, Refusal> {
    let options = member(document, "stream_options");
    let stream = match member(document, "stream").map(|id| document.kind(id)) {
        None | Some(Kind::Null | Kind::False) => false,
        Some(Kind::True) if operation.streams() => true,
        Some(_) => {
            return Err(Refusal::invalid(
                "stream",
                "`stream` must be true or false, and only what a model says is streamed",
            )
            .fix("leave `stream` out, or send true or false"));
        }
    };
    if operation == Operation::Responses {
        return Ok(RequestShape {
            stream,
            // Its streams tell it in any case.
            client_wants_usage: true,
            max_tokens: positive(document, "max_output_tokens", MOST_TOKENS)?,
            ..RequestShape::plain(operation)
        });
    }
    // With a limit of nothing Anthropic's API fills its cache and answers nothing.
    let nothing = member(document, "max_tokens").and_then(|id| document.unsigned(id)) == Some(0);
    Ok(RequestShape {
        stream,
        has_stream_options: options.is_some(),
        client_wants_usage: options
            .and_then(|options| document.get(options, "include_usage"))
            .is_some_and(|id| document.kind(id) == Kind::True),
        max_tokens: if nothing && operation == Operation::Messages {
            Some(0)
        } else {
            positive(document, "max_tokens", MOST_TOKENS)?
        },
        max_completion_tokens: positive(document, "max_completion_tokens", MOST_TOKENS)?,
        ..RequestShape::plain(operation)
    })
}

/// A whole number from 1 to `most`; absent and null are alike.
fn positive(document: &Document, key: &'static str, most: u64) -> Result<Option<u64>, Refusal> {
    match member(document, key) {
        None => Ok(None),
        Some(id) if document.kind(id) == Kind::Null => Ok(None),
        Some(id) => match document.unsigned(id) {
            Some(number) if number > most => Err(too_many(key, most)),
            Some(number) if number > 0 => Ok(Some(number)),
            _ => Err(Refusal::invalid(key, format!("`{key}` must be a whole number above zero"))
                .fix(format!("send a whole number up to {most}, or leave `{key}` out"))),
        },
    }
}

fn member(document: &Document, key: &str) -> Option<NodeId> {
    document.member(key)
}
