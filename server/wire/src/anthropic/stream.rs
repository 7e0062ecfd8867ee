//! An answer in events.
//!
//! Window: one event. A reader keeps which blocks are open, a writer which block is; neither keeps their text. In the form
//! one thing follows the other, so a piece of a block that is not the last to have begun is out of order, though the
//! protocol's indices could tell it apart.

use super::answer::{BLOCK, opening, write_end};
use super::{read_stop, read_usage, write_usage};
use crate::form::{Piece, Stop, Usage};
use crate::json::{Json, Members};
use crate::loss::{Broken, Fate, Own, own_of_answer};

/// Blocks of one answer that may be open at once.
const MOST_OPEN: usize = 64;

/// Reads events.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    over: bool,
    open: Vec<(u64, Block)>,
    /// The block that began last.
    latest: Option<u64>,
    calls: u64,
    stopped: bool,
    usage: Usage,
}

/// A block that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Thinking,
    Encrypted,
    /// A call, by its number.
    Call(u64),
}

impl Reader {
    /// Reads the data of one event into pieces. Kinds of events that are not known are passed over, as the vendor asks
    /// of every client (<https://platform.claude.com/docs/en/api/versioning>); kinds of content are not.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn event(&mut self, data: &[u8], out: &mut Vec<Piece>) -> Result<(), Broken> {
        if self.over {
            return Ok(());
        }
        let mut event = Members::of(Json::parse(data)?, "event")?;
        let kind = event.needed("type")?;
        match kind.as_str() {
            "error" => return Err(Broken::Error),
            "message_start" if self.begun => return Err(Broken::Order("a second beginning")),
            "message_start" => {
                self.begun = true;
                let mut message = event.members("message")?.ok_or(Broken::Shape("message"))?;
                out.push(Piece::Start { id: message.needed("id")?, model: message.needed("model")? });
                self.used(message.take("usage"), out);
            }
            "content_block_start"
            | "content_block_delta"
            | "content_block_stop"
            | "message_delta"
            | "message_stop"
                if !self.begun =>
            {
                return Err(Broken::Order("an event before the beginning"));
            }
            "content_block_start" if self.stopped => {
                return Err(Broken::Order("more of an answer after the reason for its end"));
            }
            "content_block_start" => {
                let index = event.whole("index")?.ok_or(Broken::Shape("index"))?;
                let block = event.members("content_block")?.ok_or(Broken::Shape("content_block"))?;
                self.start(index, block, out)?;
            }
            "content_block_delta" => {
                let index = event.whole("index")?.ok_or(Broken::Shape("index"))?;
                let delta = event.members("delta")?.ok_or(Broken::Shape("delta"))?;
                self.delta(index, delta, out)?;
            }
            "content_block_stop" => {
                let index = event.whole("index")?.ok_or(Broken::Shape("index"))?;
                let at = self.open.iter().position(|(open, _)| *open == index);
                let at = at.ok_or(Broken::Order("the end of a block that is not open"))?;
                self.open.remove(at);
            }
            "message_delta" => {
                if let Some(mut delta) = event.members("delta")? {
                    let sequence = delta.text("stop_sequence")?;
                    let reason = delta.text("stop_reason")?;
                    // Once; what comes after it tells the usage anew.
                    if let Some(reason) = reason.filter(|_| !self.stopped) {
                        self.stopped = true;
                        out.push(Piece::Stop(read_stop(&reason, sequence)));
                    }
                }
                self.used(event.take("usage"), out);
            }
            "message_stop" => {
                if !self.open.is_empty() {
                    return Err(Broken::Order("the end while a block is open"));
                }
                if !self.stopped {
                    return Err(Broken::Order("the end without a reason for it"));
                }
                self.over = true;
                out.push(Piece::End);
            }
            _ => {}
        }
        Ok(())
    }

    fn used(&mut self, usage: Option<Json>, out: &mut Vec<Piece>) {
        if let Some(usage) = usage.and_then(read_usage) {
            self.usage = self.usage.and(usage);
            out.push(Piece::Usage(self.usage));
        }
    }

    fn start(&mut self, index: u64, mut block: Members, out: &mut Vec<Piece>) -> Result<(), Broken> {
        if self.open.len() >= MOST_OPEN {
            return Err(Broken::TooMuch("open blocks"));
        }
        if self.open.iter().any(|(open, _)| *open == index) {
            return Err(Broken::Order("a block begins twice"));
        }
        let mut say = |text: Option<String>, piece: fn(String) -> Piece| {
            out.extend(text.filter(|text| !text.is_empty()).map(piece));
        };
        let open = match block.needed("type")?.as_str() {
            "text" => {
                say(block.text("text")?, Piece::Text);
                Block::Text
            }
            "thinking" => {
                say(block.text("thinking")?, Piece::Thinking);
                say(block.text("signature")?, Piece::Signature);
                Block::Thinking
            }
            "redacted_thinking" => {
                say(block.text("data")?, Piece::Encrypted);
                Block::Encrypted
            }
            "tool_use" => {
                let number = self.calls;
                self.calls += 1;
                out.push(Piece::Call { number, id: block.needed("id")?, name: block.needed("name")? });
                // What it is called with comes in pieces; some services say it at once.
                if let Some(input @ Json::Object(_)) = block.take("input")
                    && input != Json::Object(Vec::new())
                {
                    out.push(Piece::Input { number, text: input.write() });
                }
                Block::Call(number)
            }
            _ => return Err(Broken::Content("a block of an answer")),
        };
        self.open.push((index, open));
        self.latest = Some(index);
        let mut own: Vec<Own> = Vec::new();
        own_of_answer(block.rest(), BLOCK, &mut own)?;
        out.extend(own.into_iter().map(Piece::Own));
        Ok(())
    }

    fn delta(&mut self, index: u64, mut delta: Members, out: &mut Vec<Piece>) -> Result<(), Broken> {
        let open = self.open.iter().find(|(open, _)| *open == index).map(|(_, block)| *block);
        let open = open.ok_or(Broken::Order("a piece of a block that is not open"))?;
        if self.latest != Some(index) || self.stopped {
            return Err(Broken::Order("pieces of two blocks alternate"));
        }
        let kind = delta.needed("type")?;
        let piece = match (kind.as_str(), open) {
            ("text_delta", Block::Text) => Piece::Text(delta.needed("text")?),
            ("thinking_delta", Block::Thinking) => Piece::Thinking(delta.needed("thinking")?),
            ("signature_delta", Block::Thinking) => Piece::Signature(delta.needed("signature")?),
            ("input_json_delta", Block::Call(number)) => {
                Piece::Input { number, text: delta.needed("partial_json")? }
            }
            ("citations_delta", Block::Text) => {
                let (known, name) = (Some("citations"), String::from("citations"));
                out.push(Piece::Own(Own { known, name, value: Json::Null, fate: Fate::Warn }));
                return Ok(());
            }
            _ => return Err(Broken::Content("a piece of a block")),
        };
        let empty = match &piece {
            Piece::Text(text)
            | Piece::Thinking(text)
            | Piece::Signature(text)
            | Piece::Input { text, .. } => text.is_empty(),
            _ => false,
        };
        if !empty {
            out.push(piece);
        }
        Ok(())
    }

    /// Whether the end mark has come.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }
}

/// Writes events.
#[derive(Debug, Default)]
pub struct Writer {
    /// Blocks that have begun.
    blocks: u64,
    open: Option<Open>,
    stop: Option<Stop>,
    refused: bool,
    usage: Usage,
}

/// The block that is open; it is the last one that began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking {
        signed: bool,
    },
    /// A call, by its number.
    Call(u64),
}

impl Writer {
    /// Writes the events that a piece becomes.
    ///
    /// # Errors
    /// [`Broken::Order`] where pieces of two calls alternate: here one block follows the other.
    pub fn piece(&mut self, piece: Piece, out: &mut Vec<String>) -> Result<(), Broken> {
        match piece {
            Piece::Start { id, model } => {
                let event =
                    Json::object([("type", "message_start".into()), ("message", opening(&id, &model))]);
                out.push(event.write());
            }
            Piece::Text(text) => self.text(text, out),
            Piece::Refusal(text) => {
                self.refused = true;
                self.text(text, out);
            }
            Piece::Thinking(text) => {
                if !matches!(self.open, Some(Open::Thinking { signed: false })) {
                    let block = Json::object([
                        ("type", "thinking".into()),
                        ("thinking", "".into()),
                        ("signature", "".into()),
                    ]);
                    self.begin(Open::Thinking { signed: false }, block, out);
                }
                out.push(self.delta([("type", "thinking_delta".into()), ("thinking", text.into())]));
            }
            Piece::Signature(signature) => {
                if !matches!(self.open, Some(Open::Thinking { .. })) {
                    let block = Json::object([
                        ("type", "thinking".into()),
                        ("thinking", "".into()),
                        ("signature", "".into()),
                    ]);
                    self.begin(Open::Thinking { signed: true }, block, out);
                }
                self.open = Some(Open::Thinking { signed: true });
                out.push(self.delta([("type", "signature_delta".into()), ("signature", signature.into())]));
            }
            Piece::Encrypted(data) => {
                let block = Json::object([("type", "redacted_thinking".into()), ("data", data.into())]);
                self.begin(Open::Thinking { signed: true }, block, out);
                self.end(out);
            }
            Piece::Call { number, id, name } => {
                let block = Json::object([
                    ("type", "tool_use".into()),
                    ("id", id.into()),
                    ("name", name.into()),
                    ("input", Json::Object(Vec::new())),
                ]);
                self.begin(Open::Call(number), block, out);
            }
            Piece::Input { number, text } => {
                if self.open != Some(Open::Call(number)) {
                    return Err(Broken::Order("pieces of two calls alternate"));
                }
                out.push(self.delta([("type", "input_json_delta".into()), ("partial_json", text.into())]));
            }
            // Whoever holds the stream says so.
            Piece::Logprobs(_) | Piece::Own(_) => {}
            Piece::Stop(stop) => self.stop = Some(stop),
            Piece::Usage(usage) => self.usage = self.usage.and(usage),
            Piece::End => {
                self.end(out);
                let stop = if self.refused { Some(Stop::Refusal) } else { self.stop.take() };
                let mut delta = Json::Object(Vec::new());
                write_end(stop.as_ref().or(Some(&Stop::End)), &mut delta);
                let event = Json::object([
                    ("type", "message_delta".into()),
                    ("delta", delta),
                    ("usage", write_usage(&self.usage)),
                ]);
                out.push(event.write());
                out.push(Json::object([("type", "message_stop".into())]).write());
            }
        }
        Ok(())
    }

    fn text(&mut self, text: String, out: &mut Vec<String>) {
        if self.open != Some(Open::Text) {
            let block = Json::object([("type", "text".into()), ("text", "".into())]);
            self.begin(Open::Text, block, out);
        }
        out.push(self.delta([("type", "text_delta".into()), ("text", text.into())]));
    }

    fn begin(&mut self, open: Open, block: Json, out: &mut Vec<String>) {
        self.end(out);
        let event = Json::object([
            ("type", "content_block_start".into()),
            ("index", self.blocks.into()),
            ("content_block", block),
        ]);
        out.push(event.write());
        self.blocks += 1;
        self.open = Some(open);
    }

    fn end(&mut self, out: &mut Vec<String>) {
        if self.open.take().is_some() {
            let event = Json::object([("type", "content_block_stop".into()), ("index", self.index().into())]);
            out.push(event.write());
        }
    }

    /// The block that began last.
    const fn index(&self) -> u64 {
        self.blocks.saturating_sub(1)
    }

    fn delta(&self, members: [(&str, Json); 2]) -> String {
        let event = Json::object([
            ("type", "content_block_delta".into()),
            ("index", self.index().into()),
            ("delta", Json::object(members)),
        ]);
        event.write()
    }
}
