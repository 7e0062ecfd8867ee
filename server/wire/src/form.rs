//! The one form between the wires: what a request asks and an answer says, with the names of no wire.

use crate::place::Place;
use crate::{Json, Losses, Own, Refused};

/// A request for a chat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The model.
    pub model: String,
    /// What precedes the conversation.
    pub system: Vec<System>,
    /// The conversation.
    pub turns: Vec<Turn>,
    /// Functions that the model may call.
    pub tools: Vec<Tool>,
    /// Whether it may, or must.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several at once.
    pub parallel_tools: Option<bool>,
    /// The most tokens of the answer.
    pub max_tokens: Option<u64>,
    /// As it is written.
    pub temperature: Option<String>,
    /// As it is written.
    pub top_p: Option<String>,
    /// As it is written.
    pub top_k: Option<String>,
    /// As it is written.
    pub seed: Option<String>,
    /// As it is written; none where it is zero.
    pub presence_penalty: Option<String>,
    /// As it is written; none where it is zero.
    pub frequency_penalty: Option<String>,
    /// Whether the probability of each token of the answer is told, and that of how many others in its place.
    pub logprobs: Option<u64>,
    /// What ends the answer.
    pub stop: Vec<String>,
    /// Whether the answer comes in events.
    pub stream: bool,
    /// Whether a stream tells the usage.
    pub stream_usage: bool,
    /// What the answer has to look like.
    pub format: Option<Format>,
    /// How hard the model should think, in the word of the wire.
    pub effort: Option<String>,
    /// How its thinking is switched.
    pub thinking: Option<Thinking>,
    /// Whether the answer goes on with the last turn, which is the model's.
    pub prefilled: bool,
    /// On whose behalf.
    pub user: Option<String>,
    /// What only the wire has that it came from.
    pub own: Vec<Own>,
}

impl Request {
    /// For a wire that has no seed, no penalties and no probabilities.
    ///
    /// # Errors
    /// [`Refused`] where probabilities are asked for.
    pub(crate) fn untuned(&self, losses: &mut Losses) -> Result<(), Refused> {
        if self.logprobs.is_some() {
            return Err(Refused::new("logprobs", "the other API tells no probabilities of tokens"));
        }
        let tuned = [
            ("seed", &self.seed),
            ("presence_penalty", &self.presence_penalty),
            ("frequency_penalty", &self.frequency_penalty),
        ];
        tuned.iter().filter(|(_, value)| value.is_some()).for_each(|(name, _)| losses.add(*name));
        Ok(())
    }
}

/// One text before the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// The text.
    pub text: String,
    /// Whether it is the application's rather than the platform's, where a wire tells them apart.
    pub developer: bool,
    /// A cache marker.
    pub cache: Option<Json>,
    /// Where it stood.
    pub at: Place,
    /// What only the wire has that it came from.
    pub own: Vec<Own>,
}

/// Whose turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person or the tools.
    User,
    /// The model.
    Assistant,
    /// An instruction in the middle of the conversation.
    System,
    /// The same, told apart where a wire does.
    Developer,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Whose.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part>,
    /// Where it stood; of several messages the first.
    pub at: Place,
    /// What only the wire has that it came from.
    pub own: Vec<Own>,
}

/// A piece of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub content: Content,
    /// A cache marker.
    pub cache: Option<Json>,
    /// Where it stood.
    pub at: Place,
    /// What only the wire has that it came from.
    pub own: Vec<Own>,
}

impl Part {
    /// A part with nothing beside its content.
    #[must_use]
    pub const fn new(content: Content) -> Self {
        Self::at(content, Place::REQUEST)
    }

    /// A part that stood there, with nothing beside its content.
    #[must_use]
    pub const fn at(content: Content, at: Place) -> Self {
        Self { content, cache: None, at, own: Vec::new() }
    }
}

/// What a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text.
    Text(String),
    /// The model's refusal to answer.
    Refusal(String),
    /// An image.
    Image {
        /// Where it is.
        source: Source,
        /// How closely to look.
        detail: Option<String>,
    },
    /// A document.
    Document {
        /// Where it is.
        source: Source,
        /// Its name.
        title: Option<String>,
    },
    /// What the model thought, with the signature of the model that did.
    Thinking {
        /// The thought.
        text: String,
        /// The signature.
        signature: Option<String>,
    },
    /// What the model thought, encrypted.
    Encrypted(String),
    /// A call of a tool.
    Call(Call),
    /// What a tool answered.
    Result {
        /// Which call.
        id: String,
        /// The answer.
        parts: Vec<Part>,
        /// Whether it failed, where that is said.
        failed: Option<bool>,
    },
    /// A part of a kind that only the wire has that it came from.
    Other {
        /// The kind, where it is one of the published API's.
        known: Option<&'static str>,
        /// All of it.
        value: Json,
    },
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its id.
    pub id: String,
    /// The tool's name.
    pub name: String,
    /// What it is called with.
    pub input: Input,
}

/// What a tool is called with: an object, or text that should be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// An object.
    Json(Json),
    /// Text that is not the JSON of an object.
    Text(String),
}

impl Input {
    /// Reads the text of an object. No text is the empty object, as models write it for tools without parameters.
    #[must_use]
    pub fn of(text: String) -> Self {
        if text.trim().is_empty() {
            return Self::Json(Json::Object(Vec::new()));
        }
        match Json::parse(text.as_bytes()) {
            Ok(json @ Json::Object(_)) => Self::Json(json),
            _ => Self::Text(text),
        }
    }

    /// As text.
    #[must_use]
    pub fn write(&self) -> String {
        match self {
            Self::Json(json) => json.write(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// Where an image or a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In the request, as base64.
    Base64 {
        /// `image/png`.
        media_type: String,
        /// The bytes.
        data: String,
    },
    /// At an address.
    Url(String),
    /// In the request, as text.
    Text(String),
}

/// A function that the model may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: Option<String>,
    /// The JSON Schema of its input.
    pub schema: Option<Json>,
    /// Whether the input has to follow the schema to the letter.
    pub strict: Option<bool>,
    /// A cache marker.
    pub cache: Option<Json>,
    /// What only the wire has that it came from.
    pub own: Vec<Own>,
}

/// Whether tools may or must be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model sees fit.
    Auto,
    /// None.
    None,
    /// At least one.
    Any,
    /// This one.
    Named(String),
}

/// What an answer has to look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// Some JSON object.
    JsonObject,
    /// JSON of a schema.
    JsonSchema {
        /// Its name, where it has one.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The schema.
        schema: Json,
        /// Whether to follow it to the letter; where not said, a wire's own default holds.
        strict: Option<bool>,
    },
}

/// How thinking is switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thinking {
    /// Off.
    Off,
    /// As the model sees fit.
    Adaptive,
    /// Only between the calls of tools.
    BetweenTools,
    /// On, with so many tokens.
    Budget(u64),
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Its id.
    pub id: String,
    /// The model.
    pub model: String,
    /// What was said: text, thinking, calls, refusals.
    pub parts: Vec<Part>,
    /// Why it ended.
    pub stop: Option<Stop>,
    /// What it used.
    pub usage: Option<Usage>,
    /// Its tokens, where they are told.
    pub logprobs: Vec<Token>,
    /// What only the wire has that it came from.
    pub own: Vec<Own>,
}

/// A token of an answer and how probable it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it says.
    pub text: String,
    /// The logarithm of its probability, as it is written.
    pub logprob: String,
    /// The most probable ones in its place, with the logarithms of theirs.
    pub top: Vec<(String, String)>,
}

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// All was said.
    End,
    /// At the limit of tokens.
    Length,
    /// At what should end it.
    Sequence(Option<String>),
    /// For tools to be called.
    Tools,
    /// A filter or the model refused.
    Refusal,
    /// To be asked to go on.
    Pause,
    /// The context is full.
    Context,
    /// Something that is not known.
    Other,
}

/// Tokens of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Of the prompt, those of the cache included.
    pub input: u64,
    /// Of them read from a cache.
    pub cached: u64,
    /// Of them written into a cache.
    pub written: u64,
    /// Of the answer, thinking included.
    pub output: u64,
    /// Of them thinking.
    pub reasoning: u64,
}

impl Usage {
    /// With what a later event of a stream says.
    #[must_use]
    pub fn and(self, later: Self) -> Self {
        Self {
            input: self.input.max(later.input),
            cached: self.cached.max(later.cached),
            written: self.written.max(later.written),
            output: self.output.max(later.output),
            reasoning: self.reasoning.max(later.reasoning),
        }
    }
}

/// A piece of an answer that comes in events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// The answer begins.
    Start {
        /// Its id.
        id: String,
        /// The model.
        model: String,
    },
    /// More text.
    Text(String),
    /// More of a refusal.
    Refusal(String),
    /// More of a thought.
    Thinking(String),
    /// The signature of the thought before.
    Signature(String),
    /// A thought, encrypted.
    Encrypted(String),
    /// A call begins.
    Call {
        /// The how manieth of the answer, from 0.
        number: u64,
        /// Its id.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// More of what a tool is called with: the text of an object.
    Input {
        /// Of which call.
        number: u64,
        /// The text.
        text: String,
    },
    /// Tokens of what was said last.
    Logprobs(Vec<Token>),
    /// It ended, for this reason.
    Stop(Stop),
    /// What it used so far.
    Usage(Usage),
    /// What only the wire has that it came from.
    Own(Own),
    /// Nothing more comes.
    End,
}
