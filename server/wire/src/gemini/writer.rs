//! An answer in events, as it goes out.
//!
//! A call comes whole here, so a writer keeps what the open one is called with, up to [`MOST`] bytes.

use super::seal::{of_sealed, of_thought};
use super::tell::{call_part, candidate, response, signature_part, text_part, thought_part};
use super::{Of, of_part, write_logprobs, write_stop};
use crate::form::{Input, Piece, Stop, Usage};
use crate::json::Json;
use crate::loss::Broken;

/// Bytes of what one tool is called with.
const MOST: usize = 8 * 1024 * 1024;

/// Writes events.
#[derive(Debug, Default)]
pub struct Writer {
    id: String,
    model: String,
    call: Option<Open>,
    /// The signature of the call that follows.
    of_call: Option<String>,
    /// The signature of a thought, which may come in pieces.
    signature: String,
    refused: bool,
    /// Whether a signature was left out.
    lost: bool,
    stop: Option<Stop>,
    usage: Option<Usage>,
}

/// The call that is open.
#[derive(Debug)]
struct Open {
    number: u64,
    id: String,
    name: String,
    input: String,
    signature: Option<String>,
}

impl Writer {
    /// Writes the events that a piece becomes.
    ///
    /// # Errors
    /// [`Broken::Order`] where pieces of two calls alternate: here one part follows the other. [`Broken::TooMuch`].
    pub fn piece(&mut self, piece: Piece, out: &mut Vec<String>) -> Result<(), Broken> {
        if let Piece::Input { number, text } = piece {
            let Some(open) = self.call.as_mut().filter(|open| open.number == number) else {
                return Err(Broken::Order("pieces of two calls alternate"));
            };
            if open.input.len().saturating_add(text.len()) > MOST {
                return Err(Broken::TooMuch("text"));
            }
            open.input.push_str(&text);
            return Ok(());
        }
        if let Piece::Signature(text) = piece {
            if self.signature.len().saturating_add(text.len()) > MOST {
                return Err(Broken::TooMuch("text"));
            }
            self.signature.push_str(&text);
            return Ok(());
        }
        self.end_part(out);
        match piece {
            Piece::Start { id, model } => (self.id, self.model) = (id, model),
            Piece::Text(text) => self.part(text_part(&text), out),
            Piece::Refusal(text) => {
                self.refused = true;
                self.part(text_part(&text), out);
            }
            Piece::Thinking(text) => self.part(thought_part(&text, None), out),
            Piece::Encrypted(seal) => match of_part(&seal) {
                Some((Of::Call, signature)) => self.of_call = Some(signature.to_owned()),
                Some((Of::Text, signature)) => self.part(signature_part(signature), out),
                None => match of_sealed(&seal) {
                    Some(told) => self.part(thought_part("", Some(told)), out),
                    None => self.lost = true,
                },
            },
            Piece::Call { number, id, name } => {
                let signature = self.of_call.take();
                self.call = Some(Open { number, id, name, input: String::new(), signature });
            }
            Piece::Logprobs(tokens) => {
                let told =
                    Json::object([("index", 0_u64.into()), ("logprobsResult", write_logprobs(&tokens))]);
                out.push(response(Some(told), None, &self.id, &self.model).write());
            }
            Piece::Stop(stop) => self.stop = Some(stop),
            Piece::Usage(usage) => self.usage = Some(self.usage.unwrap_or_default().and(usage)),
            Piece::End => {
                let stop = if self.refused { Some(Stop::Refusal) } else { self.stop.take() };
                let mut last = candidate(vec![text_part("")]);
                last.set("finishReason", write_stop(stop.as_ref()));
                last.set("index", 0_u64);
                out.push(response(Some(last), self.usage.as_ref(), &self.id, &self.model).write());
            }
            // Whoever holds the stream says so.
            Piece::Own(_) | Piece::Input { .. } | Piece::Signature(_) => {}
        }
        Ok(())
    }

    /// Whether a signature was left out because it is not base64.
    pub(crate) const fn has_lost(&self) -> bool {
        self.lost
    }

    fn part(&self, part: Json, out: &mut Vec<String>) {
        let mut said = candidate(vec![part]);
        said.set("index", 0_u64);
        out.push(response(Some(said), None, &self.id, &self.model).write());
    }

    /// Ends the call or the signature that is open.
    fn end_part(&mut self, out: &mut Vec<String>) {
        if !self.signature.is_empty() {
            let signature = std::mem::take(&mut self.signature);
            match of_thought(&signature) {
                Some(told) => self.part(thought_part("", Some(told)), out),
                None => self.lost = true,
            }
        }
        if let Some(open) = self.call.take() {
            let part = call_part(&open.id, &open.name, Input::of(open.input), open.signature);
            self.part(part, out);
        }
    }
}
