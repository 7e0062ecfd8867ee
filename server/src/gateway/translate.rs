//! Between the API that a client speaks and the one that an endpoint speaks.
//!
//! Where they are the same nothing happens here, and bytes stay as they came. Where not, the redacted body is translated
//! before anything is funded or recorded, so that an endpoint whose wire has no place for something in the request is
//! passed over with a refusal that names it; and an answer is translated before it is looked at, so that what is scanned
//! is what the client gets.

use std::sync::Arc;

use bailiwick_wire::{Client as Format, Losses, Stream, Untold, Untranslated, Upstream as Spoken, Wire};
use bytes::Bytes;

use super::decide::Decided;
use super::document::{Document, Kind, Limits};
use super::large::on_body;
use super::read::{self, Read};
use super::redaction::Redacted;
use super::refusal::{Code, Refusal};
use super::route::{MAX_ATTEMPTS, Routed};
use crate::providers::anthropic::BETA;
use crate::providers::presets::Members;
use crate::providers::{Dialect, Operation, RequestShape, UpstreamFailure, failure::Malformed};
use crate::router::Candidate;

/// The limit on output that a wire is given that asks for one, where neither client nor catalog knows one. Every model that
/// such a wire serves gives as much.
const MOST_OUTPUT: u64 = 4_096;

/// What translation makes of a body nests no deeper and holds hardly more than the body.
const LIMITS: Limits = Limits { depth: 80, nodes: 4_000_000 };

/// A request in the shape of one endpoint's wire.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What it asks for, on the wire.
    pub(super) operation: Operation,
    /// Its shape, on the wire.
    pub(super) shape: RequestShape,
    /// The body, where it is not the client's own.
    translated: Option<Arc<Translated>>,
    /// What the rules do not let the provider be asked for.
    ruled_out: Losses,
}

/// A body that was translated.
#[derive(Debug)]
struct Translated {
    document: Document,
    shape: RequestShape,
    /// What the endpoint speaks.
    spoken: Spoken,
    /// What the wire has no place for, by its place in the request.
    left_out: Losses,
}

/// Why a body was not translated: in words, and which part of it.
#[derive(Debug, Clone)]
struct Unable(String, Option<String>);

/// How an answer is brought back into the client's shape.
#[derive(Debug, Clone)]
pub struct Translation {
    from: Spoken,
    to: Format,
    /// The decision's id and the model as it was asked for, for a wire whose answers have neither.
    id: String,
    model: String,
    /// Seconds since the epoch, for an API that tells when an answer was made.
    created: u64,
    /// Whether the client asked for the usage on a stream.
    usage: bool,
}

/// The wire format of an operation, where it is one that can be translated.
const fn format(operation: Operation) -> Option<Format> {
    match operation {
        Operation::ChatCompletions => Some(Format::Served(Wire::OpenAiChat)),
        Operation::Responses => Some(Format::OpenAiResponses),
        Operation::Messages => Some(Format::Served(Wire::Anthropic)),
        Operation::Embeddings | Operation::CountTokens => None,
    }
}

/// What an operation is on the wire of a dialect, and what it is translated into, where it is. `None` where it has no
/// counterpart. On Bedrock's wire a chat is one operation, whichever API it was asked for in. `responses` is whether the
/// service has these itself.
const fn on_the_wire(
    operation: Operation,
    dialect: Dialect,
    responses: bool,
) -> Option<(Operation, Option<Spoken>)> {
    match (operation, dialect) {
        (Operation::ChatCompletions | Operation::Responses, Dialect::Anthropic) => {
            Some((Operation::Messages, Some(Spoken::Served(Wire::Anthropic))))
        }
        (Operation::Responses, Dialect::BedrockConverse) => {
            Some((Operation::ChatCompletions, Some(Spoken::BedrockConverse)))
        }
        (Operation::Responses, _) if responses => Some((operation, None)),
        (Operation::ChatCompletions | Operation::Messages, Dialect::BedrockConverse) => {
            Some((operation, Some(Spoken::BedrockConverse)))
        }
        (Operation::Messages | Operation::CountTokens, Dialect::Anthropic) => Some((operation, None)),
        (Operation::Embeddings, Dialect::Anthropic | Dialect::BedrockConverse)
        | (Operation::CountTokens, _) => None,
        (Operation::Messages | Operation::Responses, _) => {
            Some((Operation::ChatCompletions, Some(Spoken::Served(Wire::OpenAiChat))))
        }
        (operation, _) => Some((operation, None)),
    }
}

/// The endpoints to try, best first, each with the request in the shape of its wire. An endpoint whose wire cannot carry the
/// request is passed over; what stands in the way of the first such is told, for where nothing is left.
pub(super) fn carried<'a>(
    routed: &'a Routed,
    redacted: &Redacted,
) -> (Vec<(Candidate<'a>, Prepared)>, Option<Refusal>) {
    let read = &routed.decided.classified.read;
    let (mut carried, mut unable) = (Vec::new(), None);
    // The same body is translated once for all endpoints that it is the same for.
    let mut made: Vec<(Spoken, u64, Result<Arc<Translated>, Unable>)> = Vec::new();
    for candidate in routed.candidates() {
        // What the request says itself is the same for all.
        let most = match read.asked_output() {
            None => candidate.route.max_output_tokens.unwrap_or(MOST_OUTPUT),
            Some(_) => MOST_OUTPUT,
        };
        let target = &candidate.route.target;
        let result = match on_the_wire(read.operation, target.dialect(), target.has_responses()) {
            None => Err(Unable(String::from("this endpoint's API has no such operation"), None)),
            Some((operation, None)) => Ok(Prepared {
                operation,
                shape: read.shape,
                translated: None,
                ruled_out: redacted.left_out.clone(),
            }),
            Some((operation, Some(spoken))) => {
                let before = made.iter().find(|(for_what, limit, _)| (*for_what, *limit) == (spoken, most));
                let translated = match before {
                    Some((_, _, before)) => before.clone(),
                    None => {
                        let translated = translate(read, redacted, (operation, spoken), most).map(Arc::new);
                        made.push((spoken, most, translated.clone()));
                        translated
                    }
                };
                translated.map(|translated| Prepared {
                    operation,
                    shape: translated.shape,
                    translated: Some(translated),
                    ruled_out: redacted.left_out.clone(),
                })
            }
        };
        let result = result.and_then(|prepared| {
            let document = prepared.document().unwrap_or(&read.document);
            let chats = prepared.operation == Operation::ChatCompletions;
            let preset = candidate.route.target.preset().filter(|_| chats);
            match preset.and_then(|preset| preset.refuses(&Asked(document))) {
                None => Ok(prepared),
                Some(member) => {
                    let what = format!("this endpoint's service refuses `{member}`");
                    Err(Unable(what, Some(member.to_owned())))
                }
            }
        });
        match result {
            Ok(prepared) => carried.push((candidate, prepared)),
            Err(Unable(what, param)) => {
                unable.get_or_insert_with(|| {
                    let message = format!("{}: {what}", candidate.place.name);
                    let mut refusal =
                        Refusal::new(Code::NotTranslatable, message).decision(&routed.decided.id);
                    refusal.param = param;
                    refusal
                });
            }
        }
        if carried.len() == MAX_ATTEMPTS {
            break;
        }
    }
    (carried, unable)
}

/// The body of a chat.
struct Asked<'a>(&'a Document);

impl Members for Asked<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.member(name).is_some_and(|member| self.0.kind(member) != Kind::Null)
    }

    fn answers(&self) -> u64 {
        self.0.member("n").and_then(|n| self.0.unsigned(n)).unwrap_or(1)
    }

    fn names_participants(&self) -> bool {
        let mut messages =
            self.0.member("messages").into_iter().flat_map(|messages| self.0.children(messages));
        messages.any(|message| self.0.get(message, "name").is_some())
    }
}

/// Brings the redacted body into the shape of an operation of another API.
fn translate(
    read: &Read,
    redacted: &Redacted,
    (operation, spoken): (Operation, Spoken),
    most: u64,
) -> Result<Translated, Unable> {
    let Some(from) = format(read.operation) else {
        return Err(Unable(String::from("nothing is translated for this operation"), None));
    };
    let body = redacted.edits.apply(&read.document);
    let translated = on_body(body.len(), || bailiwick_wire::request(from, spoken, &body, most));
    let (body, left_out) = translated.map_err(|error| match error {
        Untranslated::Refused(error) => {
            let what = format!("this endpoint speaks another API, which cannot carry {error}");
            Unable(what, Some(error.place))
        }
        Untranslated::Broken(error) => {
            let what = "this endpoint speaks another API, and the request is not what its own says";
            Unable(format!("{what}: {error}"), None)
        }
    })?;
    let unreadable = || Unable(String::from("the request could not be translated"), None);
    let document = Document::parse(Bytes::from(body), LIMITS).map_err(|_| unreadable())?;
    let shape = match spoken {
        Spoken::Served(_) => read::shape(&document, operation).map_err(|_| unreadable())?,
        Spoken::BedrockConverse => of_converse(&document, operation, read.shape.stream),
        // No dialect is of it.
        Spoken::Gemini => return Err(Unable(String::from("no endpoint here speaks Gemini's API"), None)),
    };
    Ok(Translated { document, shape, spoken, left_out })
}

/// The shape of a request to Bedrock, which says in its address whether the answer comes in events.
fn of_converse(document: &Document, operation: Operation, stream: bool) -> RequestShape {
    let limit = document.member("inferenceConfig").and_then(|config| document.get(config, "maxTokens"));
    RequestShape {
        stream,
        max_tokens: limit.and_then(|limit| document.unsigned(limit)),
        ..RequestShape::plain(operation)
    }
}

impl Prepared {
    /// How the answer is brought back, where it has to be.
    pub(super) fn back(&self, decided: &Decided) -> Option<Translation> {
        let read = &decided.classified.read;
        Some(Translation {
            from: self.translated.as_ref()?.spoken,
            to: format(read.operation)?,
            id: decided.id.clone(),
            model: read.model.clone(),
            created: u64::try_from(read.auth.now_ms / 1_000).unwrap_or(0),
            usage: read.shape.client_wants_usage,
        })
    }

    /// The body, where it is not the client's own.
    pub(super) fn document(&self) -> Option<&Document> {
        self.translated.as_ref().map(|translated| &translated.document)
    }

    /// What was left out of the request, and of the answer as far as it is known, for the client.
    pub(super) fn left_out(&self, decided: &Decided, answer: Option<&Losses>) -> Option<String> {
        let translated = self.translated.as_ref();
        let betas = translated.and(decided.classified.read.api_headers.get(BETA)).map(|_| "anthropic-beta");
        let of_request = translated.into_iter().flat_map(|translated| translated.left_out.places());
        let of_answer = answer.into_iter().flat_map(Losses::places);
        let ruled_out = self.ruled_out.places();
        let places: Vec<&str> = ruled_out.chain(betas).chain(of_request).chain(of_answer).collect();
        (!places.is_empty()).then(|| places.join(", "))
    }
}

impl Translation {
    /// Brings a whole answer back, and tells what of it was left out.
    pub(super) fn whole(&self, body: &[u8]) -> Result<(Bytes, Losses), UpstreamFailure> {
        let back = bailiwick_wire::answer(self.from, self.to, body, self.untold()).map_err(broken)?;
        Ok((Bytes::from(back.0), back.1))
    }

    /// For an answer in events.
    pub(super) fn stream(&self) -> Stream {
        Stream::new(self.from, self.to, self.untold(), self.usage)
    }

    fn untold(&self) -> Untold<'_> {
        Untold { created: self.created, id: &self.id, model: &self.model }
    }
}

/// What is wrong with an answer, by name.
pub(super) fn broken(broken: bailiwick_wire::Broken) -> UpstreamFailure {
    use bailiwick_wire::Broken;
    match broken {
        Broken::Error => UpstreamFailure::ErrorInStream,
        Broken::Json => UpstreamFailure::Malformed(Malformed::Json),
        Broken::Shape(_) | Broken::Content(_) => UpstreamFailure::Malformed(Malformed::Untranslatable),
        Broken::Order(_) => UpstreamFailure::Malformed(Malformed::EventStream),
        Broken::TooMuch(_) => UpstreamFailure::TooLarge,
    }
}
