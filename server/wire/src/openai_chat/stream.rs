//! An answer in chunks.
//!
//! Window: one chunk. A reader keeps how many calls have begun and the id and name of the one that is open; a writer the
//! answer's id and model.

use super::answer::{CALL, CHOICE, MESSAGE, TOP, thought, untold_logprobs};
use super::{
    EXTRA, object, read_logprobs, read_stop, read_usage, write_logprobs, write_signature, write_stop,
    write_usage,
};
use crate::form::{Piece, Stop, Usage};
use crate::gemini::{self, Of};
use crate::json::{Json, Members};
use crate::loss::{Broken, Own, Table, own_of_answer};

/// Calls of one answer.
const MOST_CALLS: u64 = 1_024;

/// Reads chunks.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    /// Calls that have begun.
    calls: u64,
    open: Option<Open>,
    stopped: bool,
    over: bool,
}

/// The call that is open.
#[derive(Debug)]
struct Open {
    /// The index that it has in the chunks.
    index: u64,
    id: String,
    name: String,
}

impl Reader {
    /// Reads the data of one event into pieces.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn event(&mut self, data: &[u8], out: &mut Vec<Piece>) -> Result<(), Broken> {
        if self.over {
            return Ok(());
        }
        if data.trim_ascii() == b"[DONE]" {
            if !self.begun {
                return Err(Broken::Order("the end before the beginning"));
            }
            if !self.stopped {
                return Err(Broken::Order("the end without a reason for it"));
            }
            self.over = true;
            out.push(Piece::End);
            return Ok(());
        }
        let mut chunk = Members::of(Json::parse(data)?, "chunk")?;
        if chunk.take("error").is_some() {
            return Err(Broken::Error);
        }
        let choices = chunk.list("choices")?;
        // A chunk of a filter may come before the answer has an id.
        if !self.begun && !choices.is_empty() {
            self.begun = true;
            let (id, model) =
                (chunk.text("id")?.unwrap_or_default(), chunk.text("model")?.unwrap_or_default());
            out.push(Piece::Start { id, model });
        }
        for choice in choices {
            let mut choice = object(choice, "choices")?;
            if choice.whole("index")?.unwrap_or(0) != 0 {
                return Err(Broken::Content("a second choice"));
            }
            if let Some(delta) = choice.members("delta")? {
                let said = out.len();
                self.delta(delta, out)?;
                let more = out.iter().skip(said).any(|piece| !matches!(piece, Piece::Own(_)));
                if self.stopped && more {
                    return Err(Broken::Order("more of an answer after the reason for its end"));
                }
            }
            if let Some(told) = choice.take("logprobs") {
                out.push(match read_logprobs(&told) {
                    Some(tokens) => Piece::Logprobs(tokens),
                    None => Piece::Own(untold_logprobs(told)),
                });
            }
            if let Some(reason) = choice.text("finish_reason")?.filter(|reason| !reason.is_empty())
                && !self.stopped
            {
                self.stopped = true;
                out.push(Piece::Stop(read_stop(&reason, self.calls > 0)));
            }
            left(choice.rest(), CHOICE, out)?;
        }
        if let Some(usage) = chunk.take("usage").and_then(read_usage) {
            out.push(Piece::Usage(usage));
        }
        left(chunk.rest(), TOP, out)
    }

    fn delta(&mut self, mut delta: Members, out: &mut Vec<Piece>) -> Result<(), Broken> {
        let mut say = |text: Option<String>, piece: fn(String) -> Piece| {
            out.extend(text.filter(|text| !text.is_empty()).map(piece));
        };
        say(thought(&mut delta)?, Piece::Thinking);
        match delta.take("content") {
            None => {}
            Some(Json::Text(text)) => say(Some(text), Piece::Text),
            Some(Json::Array(parts)) => {
                for part in parts {
                    let mut part = object(part, "content")?;
                    match part.needed("type")?.as_str() {
                        "text" => say(part.text("text")?, Piece::Text),
                        "thinking" => {
                            for piece in part.list("thinking")? {
                                say(
                                    piece.get("text").and_then(Json::text).map(str::to_owned),
                                    Piece::Thinking,
                                );
                            }
                        }
                        _ => return Err(Broken::Content("a part of an answer")),
                    }
                }
            }
            Some(_) => return Err(Broken::Shape("content")),
        }
        say(delta.text("refusal")?, Piece::Refusal);
        for (ordinal, call) in delta.list("tool_calls")?.into_iter().enumerate() {
            self.call(call, ordinal, out)?;
        }
        left(delta.rest(), MESSAGE, out)
    }

    fn call(&mut self, call: Json, ordinal: usize, out: &mut Vec<Piece>) -> Result<(), Broken> {
        let mut call = object(call, "tool_calls")?;
        let index = call.whole("index")?.unwrap_or(u64::try_from(ordinal).unwrap_or(u64::MAX));
        let mut function = call.members("function")?.unwrap_or_default();
        let (id, name) = (call.text("id")?, function.text("name")?);
        // Some services say the id again with every piece, or another one, and some the name; some number every call alike.
        let named = name.as_deref().filter(|name| !name.is_empty());
        let goes_on = self.open.as_ref().is_some_and(|open| {
            let same = || id.as_deref().is_none_or(|id| id == open.id) && named == Some(open.name.as_str());
            open.index == index && (named.is_none() || same())
        });
        if !goes_on {
            let (Some(id), Some(name)) = (id, name.filter(|name| !name.is_empty())) else {
                return Err(Broken::Order("a piece of a call that has not begun or has ended"));
            };
            if self.calls >= MOST_CALLS {
                return Err(Broken::TooMuch("calls"));
            }
            out.push(Piece::Call { number: self.calls, id: id.clone(), name: name.clone() });
            self.calls += 1;
            self.open = Some(Open { index, id, name });
        }
        if let Some(text) = function.text("arguments")?.filter(|text| !text.is_empty()) {
            out.push(Piece::Input { number: self.calls.saturating_sub(1), text });
        }
        left(call.rest(), CALL, out)?;
        left(function.rest(), CALL, out)
    }

    /// Whether the end mark has come.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }
}

/// What a chunk has besides.
fn left(rest: Vec<(String, Json)>, table: Table, out: &mut Vec<Piece>) -> Result<(), Broken> {
    let mut own: Vec<Own> = Vec::new();
    own_of_answer(rest, table, &mut own)?;
    out.extend(own.into_iter().map(Piece::Own));
    Ok(())
}

/// Writes chunks.
#[derive(Debug)]
pub struct Writer {
    id: String,
    model: String,
    created: u64,
    usage_wanted: bool,
    usage: Option<Usage>,
    /// The call that is open, and whether anything was said of its input.
    call: Option<(u64, bool)>,
    /// The signature of a thought that comes with the next call.
    signature: Option<String>,
}

impl Writer {
    /// For an answer of this time, in seconds. `usage` is whether the client asked for a chunk with the usage.
    #[must_use]
    pub const fn new(created: u64, usage: bool) -> Self {
        Self {
            id: String::new(),
            model: String::new(),
            created,
            usage_wanted: usage,
            usage: None,
            call: None,
            signature: None,
        }
    }

    /// Writes the chunks that a piece becomes.
    ///
    /// # Errors
    /// [`Broken::Order`] where a piece belongs to a call that is not the last one: clients put pieces together as they come.
    pub fn piece(&mut self, piece: Piece, out: &mut Vec<String>) -> Result<(), Broken> {
        match piece {
            Piece::Start { id, model } => {
                (self.id, self.model) = (id, model);
                let delta = Json::object([("role", "assistant".into()), ("content", "".into())]);
                out.push(self.chunk(delta, None));
            }
            Piece::Text(text) => {
                self.end_call(out);
                out.push(self.chunk(Json::object([("content", text.into())]), None));
            }
            Piece::Refusal(text) => {
                self.end_call(out);
                out.push(self.chunk(Json::object([("refusal", text.into())]), None));
            }
            Piece::Thinking(text) => {
                self.end_call(out);
                out.push(self.chunk(Json::object([("reasoning_content", text.into())]), None));
            }
            Piece::Encrypted(seal) => match gemini::of_part(&seal) {
                Some((Of::Call, signature)) => self.signature = Some(signature.to_owned()),
                Some((Of::Text, signature)) => {
                    self.end_call(out);
                    out.push(self.chunk(Json::object([(EXTRA, write_signature(signature))]), None));
                }
                None => {}
            },
            Piece::Logprobs(tokens) => {
                self.end_call(out);
                let mut choice = choice(Json::Object(Vec::new()), None);
                choice.set("logprobs", write_logprobs(&tokens));
                let mut chunk = self.head();
                chunk.set("choices", vec![choice]);
                out.push(chunk.write());
            }
            // This wire has no place for these; whoever holds the stream says so.
            Piece::Signature(_) | Piece::Own(_) => {}
            Piece::Call { number, id, name } => {
                self.end_call(out);
                self.call = Some((number, false));
                let function = Json::object([("name", name.into()), ("arguments", "".into())]);
                let mut call = Json::object([
                    ("index", number.into()),
                    ("id", id.into()),
                    ("type", "function".into()),
                    ("function", function),
                ]);
                call.set_some(EXTRA, self.signature.take().as_deref().map(write_signature));
                out.push(self.chunk(Json::object([("tool_calls", vec![call].into())]), None));
            }
            Piece::Input { number, text } => {
                if self.call.is_none_or(|(open, _)| open != number) {
                    return Err(Broken::Order("pieces of two calls alternate"));
                }
                self.call = Some((number, true));
                out.push(self.input(number, text));
            }
            Piece::Stop(stop) => {
                self.end_call(out);
                out.push(self.chunk(Json::Object(Vec::new()), Some(&stop)));
            }
            Piece::Usage(usage) => self.usage = Some(self.usage.unwrap_or_default().and(usage)),
            Piece::End => {
                if let Some(usage) = self.usage.filter(|_| self.usage_wanted) {
                    let mut chunk = self.head();
                    chunk.set("choices", Vec::<Json>::new());
                    chunk.set("usage", write_usage(&usage));
                    out.push(chunk.write());
                }
                out.push(String::from("[DONE]"));
            }
        }
        Ok(())
    }

    /// A tool that is called with nothing is called with the empty object.
    fn end_call(&mut self, out: &mut Vec<String>) {
        if let Some((number, false)) = self.call.take() {
            out.push(self.input(number, String::from("{}")));
        }
    }

    fn input(&self, number: u64, text: String) -> String {
        let function = Json::object([("arguments", text.into())]);
        let call = Json::object([("index", number.into()), ("function", function)]);
        self.chunk(Json::object([("tool_calls", vec![call].into())]), None)
    }

    fn head(&self) -> Json {
        Json::object([
            ("id", self.id.as_str().into()),
            ("object", "chat.completion.chunk".into()),
            ("created", self.created.into()),
            ("model", self.model.as_str().into()),
        ])
    }

    fn chunk(&self, delta: Json, stop: Option<&Stop>) -> String {
        let mut chunk = self.head();
        chunk.set("choices", vec![choice(delta, stop)]);
        chunk.write()
    }
}

fn choice(delta: Json, stop: Option<&Stop>) -> Json {
    let mut choice = Json::object([("index", 0_u64.into()), ("delta", delta)]);
    choice.set("finish_reason", stop.map_or(Json::Null, |stop| write_stop(stop).into()));
    choice
}
