//! An answer in events.
//!
//! Window: one event. A reader keeps which blocks are open, and nothing of their text. `messageStop` says why the answer
//! ended and `metadata`, after it, what it used: that is the end.

use super::answer::one;
use super::{read_sequence, read_stop, read_usage};
use crate::form::Piece;
use crate::json::{Json, Members};
use crate::loss::Broken;

/// Blocks of one answer that may be open at once.
const MOST_OPEN: usize = 64;

/// Reads events.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    stopped: bool,
    over: bool,
    open: Vec<(u64, Block)>,
    calls: u64,
}

/// A block that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Thinking,
    /// An encrypted thought, which has been said.
    Encrypted,
    /// A call, by its number.
    Call(u64),
}

impl Reader {
    /// Reads one event into pieces. Kinds of events that are not known are passed over, as the service's own clients do;
    /// kinds of content are not.
    ///
    /// # Errors
    /// [`Broken`].
    pub fn event(&mut self, data: &[u8], out: &mut Vec<Piece>) -> Result<(), Broken> {
        if self.over {
            return Ok(());
        }
        let (kind, value) = one(Json::parse(data)?, "event")?;
        match kind.as_str() {
            "messageStart" if self.begun => return Err(Broken::Order("a second beginning")),
            "messageStart" => {
                self.begun = true;
                if Members::of(value, "messageStart")?.needed("role")? != "assistant" {
                    return Err(Broken::Shape("role"));
                }
                out.push(Piece::Start { id: String::new(), model: String::new() });
            }
            "contentBlockStart" | "contentBlockDelta" | "contentBlockStop" | "messageStop" | "metadata"
                if !self.begun =>
            {
                return Err(Broken::Order("an event before the beginning"));
            }
            "contentBlockStart" | "contentBlockDelta" | "contentBlockStop" | "messageStop"
                if self.stopped =>
            {
                return Err(Broken::Order("more of an answer that has ended"));
            }
            "contentBlockStart" => {
                let mut event = Members::of(value, "contentBlockStart")?;
                let index = index(&mut event)?;
                if let Some(start) = event.take("start").filter(|start| *start != Json::Object(Vec::new())) {
                    self.start(index, start, out)?;
                }
            }
            "contentBlockDelta" => {
                let mut event = Members::of(value, "contentBlockDelta")?;
                let index = index(&mut event)?;
                let delta = event.take("delta").ok_or(Broken::Shape("delta"))?;
                self.delta(index, delta, out)?;
            }
            "contentBlockStop" => {
                let index = index(&mut Members::of(value, "contentBlockStop")?)?;
                self.open.retain(|(open, _)| *open != index);
            }
            "messageStop" => {
                // Whether all of a call was said is known only at its end; of text nothing is lost.
                if self.open.iter().any(|(_, block)| matches!(block, Block::Call(_))) {
                    return Err(Broken::Order("the end while a call is open"));
                }
                self.stopped = true;
                let mut event = Members::of(value, "messageStop")?;
                let sequence = read_sequence(&mut event);
                out.push(Piece::Stop(read_stop(&event.needed("stopReason")?, sequence)?));
            }
            "metadata" if !self.stopped => return Err(Broken::Order("the usage before the end")),
            "metadata" => {
                self.over = true;
                let usage = Members::of(value, "metadata")?.take("usage");
                out.extend(usage.and_then(read_usage).map(Piece::Usage));
                out.push(Piece::End);
            }
            error if error == "error" || error.ends_with("Exception") => return Err(Broken::Error),
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, index: u64, start: Json, out: &mut Vec<Piece>) -> Result<(), Broken> {
        let (kind, value) = one(start, "start")?;
        if kind != "toolUse" {
            return Err(Broken::Content("a block of an answer"));
        }
        let mut call = Members::of(value, "toolUse")?;
        if call.text("type")?.is_some() {
            return Err(Broken::Content("a call of a tool of the service"));
        }
        let number = self.calls;
        self.opened(index, Block::Call(number))?;
        self.calls += 1;
        out.push(Piece::Call { number, id: call.needed("toolUseId")?, name: call.needed("name")? });
        Ok(())
    }

    /// Text and thoughts begin with their first piece.
    fn delta(&mut self, index: u64, delta: Json, out: &mut Vec<Piece>) -> Result<(), Broken> {
        let (kind, value) = one(delta, "delta")?;
        let (block, piece) = match (kind.as_str(), value) {
            ("text", Json::Text(text)) => (Block::Text, Piece::Text(text)),
            ("toolUse", value) => {
                let open = self.open.iter().find(|(open, _)| *open == index);
                let Some((_, block @ Block::Call(number))) = open else {
                    return Err(Broken::Order("a piece of a call that has not begun or has ended"));
                };
                let text = Members::of(value, "toolUse")?.needed("input")?;
                (*block, Piece::Input { number: *number, text })
            }
            ("reasoningContent", value) => match one(value, "reasoningContent")? {
                (kind, Json::Text(text)) if kind == "text" => (Block::Thinking, Piece::Thinking(text)),
                (kind, Json::Text(text)) if kind == "signature" => (Block::Thinking, Piece::Signature(text)),
                (kind, Json::Text(data)) if kind == "redactedContent" => {
                    // Each piece is base64 of its own, so two of them are not one thought.
                    if self.open.iter().any(|(open, _)| *open == index) {
                        return Err(Broken::Order("an encrypted thought in pieces"));
                    }
                    (Block::Encrypted, Piece::Encrypted(data))
                }
                _ => return Err(Broken::Content("a piece of a thought")),
            },
            // Nothing that is translated asks for citations.
            ("citation", _) => return Ok(()),
            _ => return Err(Broken::Content("a piece of a block")),
        };
        match self.open.iter().find(|(open, _)| *open == index) {
            Some((_, open)) if *open != block => {
                return Err(Broken::Order("a piece of another kind of block"));
            }
            Some(_) => {}
            None => self.opened(index, block)?,
        }
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

    fn opened(&mut self, index: u64, block: Block) -> Result<(), Broken> {
        if self.open.len() >= MOST_OPEN {
            return Err(Broken::TooMuch("open blocks"));
        }
        if self.open.iter().any(|(open, _)| *open == index) {
            return Err(Broken::Order("a block begins twice"));
        }
        self.open.push((index, block));
        Ok(())
    }

    /// Whether the end mark has come.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }
}

fn index(event: &mut Members) -> Result<u64, Broken> {
    event.whole("contentBlockIndex")?.ok_or(Broken::Shape("contentBlockIndex"))
}
