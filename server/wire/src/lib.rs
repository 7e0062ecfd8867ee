//! The wire formats of model providers, and the one form between them.
//!
//! Each wire reads its own requests, answers and events into the [`form`] and writes them out of it; nobody translates
//! one wire into another directly. [`request`] and [`answer`] do both steps at once, [`Stream`] does for events. What the
//! other side has no place for is refused or named ([`Refused`], [`Losses`]; the rule is in [`loss`]), never dropped
//! silently. Where client and provider speak the same wire nothing here is needed: bytes stay as they came.
//!
//! Pure: no input or output, no clock, no globals. A stream's memory is a few counters and the name of what is open;
//! nothing of the answer is kept, but where the client's wire tells all of it again at the end ([`openai_responses`]).
//!
//! A wire that is translated both ways is a [`Wire`]; what clients speak is a [`Client`], and what providers speak an
//! [`Upstream`].
//!
//! Sources: <https://platform.openai.com/docs/api-reference/chat>,
//! <https://platform.openai.com/docs/api-reference/responses>, <https://platform.claude.com/docs/en/api/messages>,
//! and the types of the SDKs that both vendors generate from their OpenAPI descriptions
//! (<https://github.com/openai/openai-python>, <https://github.com/anthropics/anthropic-sdk-python>).

pub mod anthropic;
pub mod bedrock_converse;
pub mod form;
pub mod gemini;
pub mod json;
pub mod loss;
pub mod openai_chat;
pub mod openai_responses;
pub mod place;

use form::Piece;
pub use json::Json;
pub use loss::{Broken, Fate, Losses, Own, Refused};
pub use place::Place;

/// A wire that clients speak, and providers that others are translated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wire {
    /// OpenAI's chat completions.
    OpenAiChat,
    /// Anthropic's messages.
    Anthropic,
}

impl Wire {
    /// Every wire.
    pub const ALL: [Self; 2] = [Self::OpenAiChat, Self::Anthropic];

    /// Its name in documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenAiChat => "OpenAI chat completions",
            Self::Anthropic => "Anthropic messages",
        }
    }
}

/// What a provider speaks: a wire that clients speak too, or one that only providers do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Upstream {
    /// A wire that clients speak too.
    Served(Wire),
    /// Amazon Bedrock's Converse.
    BedrockConverse,
    /// Google's Gemini API.
    Gemini,
}

impl From<Wire> for Upstream {
    fn from(wire: Wire) -> Self {
        Self::Served(wire)
    }
}

/// What a client speaks: a wire that providers are translated for too, or one that only clients are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Client {
    /// A wire that providers are translated for too.
    Served(Wire),
    /// OpenAI's Responses. A service that has it gets it as it came.
    OpenAiResponses,
    /// Google's Gemini API. Where a request goes and whether its answer comes in events is in the address ([`Address`]).
    Gemini,
}

impl Client {
    /// Every one.
    pub const ALL: [Self; 4] =
        [Self::Served(Wire::OpenAiChat), Self::Served(Wire::Anthropic), Self::OpenAiResponses, Self::Gemini];
}

impl From<Wire> for Client {
    fn from(wire: Wire) -> Self {
        Self::Served(wire)
    }
}

/// What an answer is told with where its own wire does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Untold<'a> {
    /// When it was made, in seconds since the epoch.
    pub created: u64,
    /// Its id.
    pub id: &'a str,
    /// The model that made it.
    pub model: &'a str,
}

impl From<u64> for Untold<'_> {
    /// Only when it was made.
    fn from(created: u64) -> Self {
        Self { created, ..Self::default() }
    }
}

/// What the address of a request says, for an API that says it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Address<'a> {
    /// The model.
    pub model: &'a str,
    /// Whether the answer comes in events.
    pub stream: bool,
}

/// Why a request was not translated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untranslated {
    /// It is not what its own wire says.
    #[error("the request is not what the API says: {0}")]
    Broken(#[from] Broken),
    /// The other wire has no place for something in it.
    #[error("{0}")]
    Refused(#[from] Refused),
}

/// Translates a request whose body says all. `most` is the limit on output for a wire that asks for one where the request
/// has none.
///
/// # Errors
/// [`Untranslated`].
pub fn request(
    from: impl Into<Client>,
    to: impl Into<Upstream>,
    body: &[u8],
    most: u64,
) -> Result<(String, Losses), Untranslated> {
    request_at(from, to, body, most, Address::default())
}

/// Translates a request, with what its address says. An API that says all in the body is not asked for it.
///
/// # Errors
/// [`Untranslated`].
pub fn request_at(
    from: impl Into<Client>,
    to: impl Into<Upstream>,
    body: &[u8],
    most: u64,
    address: Address<'_>,
) -> Result<(String, Losses), Untranslated> {
    let json = Json::parse(body)?;
    let from = from.into();
    let form = match from {
        Client::Served(Wire::OpenAiChat) => openai_chat::read_request(json)?,
        Client::Served(Wire::Anthropic) => anthropic::read_request(json)?,
        Client::OpenAiResponses => openai_responses::read_request(json)?,
        Client::Gemini => gemini::read_request(json, address)?,
    };
    let mut losses = Losses::default();
    let out = match to.into() {
        Upstream::Served(Wire::OpenAiChat) => openai_chat::write_request(form, &mut losses),
        Upstream::Served(Wire::Anthropic) => anthropic::write_request(form, most, &mut losses),
        Upstream::BedrockConverse => bedrock_converse::write_request(form, &mut losses),
        Upstream::Gemini => gemini::write_request(form, &mut losses),
    };
    // What the writers of other wires call something, in the words of the client's.
    let named: fn(&str) -> String = match from {
        Client::Served(Wire::OpenAiChat) => return Ok((out?.write(), losses)),
        Client::Served(Wire::Anthropic) => anthropic::named,
        Client::OpenAiResponses => openai_responses::named,
        Client::Gemini => gemini::named,
    };
    let out = out.map_err(|refused| Refused { place: named(&refused.place), why: refused.why })?;
    Ok((out.write(), losses.renamed(named)))
}

/// Translates a whole answer, and tells what was left out of it.
///
/// # Errors
/// [`Broken`].
pub fn answer<'a>(
    from: impl Into<Upstream>,
    to: impl Into<Client>,
    body: &[u8],
    untold: impl Into<Untold<'a>>,
) -> Result<(String, Losses), Broken> {
    let json = Json::parse(body)?;
    let mut form = match from.into() {
        Upstream::Served(Wire::OpenAiChat) => openai_chat::read_answer(json)?,
        Upstream::Served(Wire::Anthropic) => anthropic::read_answer(json)?,
        Upstream::BedrockConverse => bedrock_converse::read_answer(json)?,
        Upstream::Gemini => gemini::read_answer(json)?,
    };
    let untold = untold.into();
    or(&mut form.id, untold.id);
    or(&mut form.model, untold.model);
    name_calls(&mut form);
    let mut losses = Losses::default();
    let out = match to.into() {
        Client::Served(Wire::OpenAiChat) => openai_chat::write_answer(form, untold.created, &mut losses),
        Client::Served(Wire::Anthropic) => anthropic::write_answer(form, &mut losses),
        Client::OpenAiResponses => openai_responses::write_answer(form, untold.created, &mut losses),
        Client::Gemini => gemini::write_answer(form, &mut losses),
    };
    Ok((out.write(), losses))
}

/// What is said, or else what is known.
fn or(said: &mut String, known: &str) {
    if said.is_empty() {
        known.clone_into(said);
    }
}

/// The id of a call whose own wire gives it none: the how manieth it is, and of which answer. Other wires take letters,
/// digits, `_` and `-`, and no more than 64 of them.
fn id_of_call(number: usize, answer: &str) -> String {
    let known = |character: &char| character.is_ascii_alphanumeric() || "_-".contains(*character);
    format!("call_{number}_{}", answer.chars().filter(known).take(40).collect::<String>())
}

fn name_calls(answer: &mut form::Answer) {
    let calls = answer.parts.iter_mut().filter_map(|part| match &mut part.content {
        form::Content::Call(call) => Some(call),
        _ => None,
    });
    for (number, call) in calls.enumerate().filter(|(_, call)| call.id.is_empty()) {
        call.id = id_of_call(number, &answer.id);
    }
}

/// Translates the events of one answer.
#[derive(Debug)]
pub struct Stream {
    reader: Reader,
    writer: Writer,
    /// What the answer is called where its own wire does not say it: its id and the model.
    untold: (String, String),
    losses: Losses,
}

#[derive(Debug)]
enum Reader {
    OpenAiChat(openai_chat::Reader),
    Anthropic(anthropic::Reader),
    BedrockConverse(bedrock_converse::Reader),
    Gemini(gemini::Reader),
}

#[derive(Debug)]
enum Writer {
    OpenAiChat(openai_chat::Writer),
    Anthropic(anthropic::Writer),
    OpenAiResponses(openai_responses::Writer),
    Gemini(gemini::Writer),
}

impl Stream {
    /// For an answer that begins. `usage` is whether a client whose wire asks for it wants to see the usage.
    #[must_use]
    pub fn new<'a>(
        from: impl Into<Upstream>,
        to: impl Into<Client>,
        untold: impl Into<Untold<'a>>,
        usage: bool,
    ) -> Self {
        let untold = untold.into();
        Self {
            reader: match from.into() {
                Upstream::Served(Wire::OpenAiChat) => Reader::OpenAiChat(openai_chat::Reader::default()),
                Upstream::Served(Wire::Anthropic) => Reader::Anthropic(anthropic::Reader::default()),
                Upstream::BedrockConverse => Reader::BedrockConverse(bedrock_converse::Reader::default()),
                Upstream::Gemini => Reader::Gemini(gemini::Reader::default()),
            },
            writer: match to.into() {
                Client::Served(Wire::OpenAiChat) => {
                    Writer::OpenAiChat(openai_chat::Writer::new(untold.created, usage))
                }
                Client::Served(Wire::Anthropic) => Writer::Anthropic(anthropic::Writer::default()),
                Client::OpenAiResponses => {
                    Writer::OpenAiResponses(openai_responses::Writer::new(untold.created))
                }
                Client::Gemini => Writer::Gemini(gemini::Writer::default()),
            },
            untold: (untold.id.to_owned(), untold.model.to_owned()),
            losses: Losses::default(),
        }
    }

    /// The data of the events that the data of one event becomes. The end mark of the one wire becomes that of the
    /// other.
    ///
    /// # Errors
    /// [`Broken`]; the stream is over then.
    pub fn event(&mut self, data: &[u8]) -> Result<Vec<String>, Broken> {
        let mut pieces = Vec::with_capacity(4);
        match &mut self.reader {
            Reader::OpenAiChat(reader) => reader.event(data, &mut pieces)?,
            Reader::Anthropic(reader) => reader.event(data, &mut pieces)?,
            Reader::BedrockConverse(reader) => reader.event(data, &mut pieces)?,
            Reader::Gemini(reader) => reader.event(data, &mut pieces)?,
        }
        self.write(pieces)
    }

    /// What is said when the connection has ended as it should: a wire without an end mark may have told all by then. Whether
    /// it has, [`Self::is_over`] says.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn close(&mut self) -> Result<Vec<String>, Broken> {
        let mut pieces = Vec::new();
        if let Reader::Gemini(reader) = &mut self.reader {
            reader.close(&mut pieces);
        }
        self.write(pieces)
    }

    fn write(&mut self, pieces: Vec<Piece>) -> Result<Vec<String>, Broken> {
        let mut out = Vec::with_capacity(pieces.len());
        for mut piece in pieces {
            match &mut piece {
                Piece::Start { id, model } => {
                    or(id, &self.untold.0);
                    or(model, &self.untold.1);
                    self.untold.0.clone_from(id);
                }
                Piece::Call { number, id, .. } if id.is_empty() => {
                    *id = id_of_call(usize::try_from(*number).unwrap_or(usize::MAX), &self.untold.0);
                }
                Piece::Own(own) => self.losses.of_answer(own),
                Piece::Logprobs(_) if !matches!(self.writer, Writer::OpenAiChat(_) | Writer::Gemini(_)) => {
                    self.losses.add(loss::LOGPROBS);
                }
                _ => {}
            }
            match &mut self.writer {
                Writer::OpenAiChat(writer) => {
                    openai_chat::note(&piece, &mut self.losses);
                    writer.piece(piece, &mut out)?;
                }
                Writer::Anthropic(writer) => writer.piece(piece, &mut out)?,
                Writer::OpenAiResponses(writer) => {
                    openai_responses::note(&piece, &mut self.losses);
                    writer.piece(piece, &mut out)?;
                }
                Writer::Gemini(writer) => {
                    openai_responses::note(&piece, &mut self.losses);
                    writer.piece(piece, &mut out)?;
                    if writer.has_lost() {
                        self.losses.add(gemini::UNSIGNED);
                    }
                }
            }
        }
        Ok(out)
    }

    /// What was left out so far.
    #[must_use]
    pub const fn losses(&self) -> &Losses {
        &self.losses
    }

    /// Whether the end mark has come: a stream that ends without has broken off.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        match &self.reader {
            Reader::OpenAiChat(reader) => reader.is_over(),
            Reader::Anthropic(reader) => reader.is_over(),
            Reader::BedrockConverse(reader) => reader.is_over(),
            Reader::Gemini(reader) => reader.is_over(),
        }
    }
}
