//! An answer in events.
//!
//! Window: one event. A reader keeps how many calls there were and what was used. The answer is over with the event that has
//! the reason for its end and the usage; where that one has no usage, with one after it that has.

use super::answer::{CANDIDATE, TOP, content, read_part, untold_logprobs};
use super::{NO_REASON, is_blocked, read_logprobs, read_stop, read_usage};
use crate::form::{Content, Part, Piece, Stop, Usage};
use crate::json::{Json, Members};
use crate::loss::{Broken, Own, own_of_answer};

/// Calls of one answer.
const MOST_CALLS: u64 = 1_024;

/// Reads events.
#[derive(Debug, Default)]
pub struct Reader {
    begun: bool,
    stopped: bool,
    over: bool,
    calls: u64,
    usage: Usage,
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
        let mut event = Members::of(Json::parse(data)?, "event")?;
        if event.take("error").is_some() {
            return Err(Broken::Error);
        }
        let (id, model) =
            (event.text("responseId")?.unwrap_or_default(), event.text("modelVersion")?.unwrap_or_default());
        let usage = event.take("usageMetadata").and_then(read_usage);
        let candidates = event.list("candidates")?;
        let rest = event.rest();
        let blocked = rest.iter().any(|(name, value)| name == "promptFeedback" && is_blocked(value));
        if !self.begun && (blocked || !candidates.is_empty()) {
            self.begun = true;
            out.push(Piece::Start { id, model });
        }
        let mut own: Vec<Own> = Vec::new();
        own_of_answer(rest, TOP, &mut own)?;
        out.extend(own.into_iter().map(Piece::Own));
        for candidate in candidates {
            self.candidate(candidate, out)?;
        }
        if blocked && !self.stopped {
            if self.calls > 0 {
                return Err(Broken::Order("the prompt is refused after an answer to it"));
            }
            self.stopped = true;
            out.push(Piece::Stop(Stop::Refusal));
        }
        let told = usage.is_some();
        if let Some(usage) = usage {
            self.usage = self.usage.and(usage);
            out.push(Piece::Usage(self.usage));
        }
        if self.stopped && (told || blocked) {
            self.over = true;
            out.push(Piece::End);
        }
        Ok(())
    }

    /// The connection has ended: an answer that has a reason for its end is whole without its usage.
    pub fn close(&mut self, out: &mut Vec<Piece>) {
        if self.stopped && !self.over {
            self.over = true;
            out.push(Piece::End);
        }
    }

    fn candidate(&mut self, candidate: Json, out: &mut Vec<Piece>) -> Result<(), Broken> {
        let mut candidate = Members::of(candidate, "candidates")?;
        if candidate.whole("index")?.unwrap_or(0) != 0 {
            return Err(Broken::Content("a second candidate"));
        }
        let (mut parts, mut own) = (Vec::new(), Vec::new());
        for part in content(&mut candidate)? {
            read_part(part, &mut parts, &mut own)?;
        }
        if self.stopped && !parts.is_empty() {
            return Err(Broken::Order("more of an answer after the reason for its end"));
        }
        for part in parts {
            self.part(part, out)?;
        }
        if let Some(told) = candidate.take("logprobsResult") {
            match read_logprobs(&told) {
                Some(tokens) => out.push(Piece::Logprobs(tokens)),
                None => own.push(untold_logprobs(told)),
            }
        }
        let reason = candidate.text("finishReason")?;
        let reason = reason.filter(|reason| !reason.is_empty() && reason != NO_REASON);
        if let Some(reason) = reason.filter(|_| !self.stopped) {
            self.stopped = true;
            out.push(Piece::Stop(read_stop(&reason, self.calls > 0)?));
        }
        own_of_answer(candidate.rest(), CANDIDATE, &mut own)?;
        out.extend(own.into_iter().map(Piece::Own));
        Ok(())
    }

    fn part(&mut self, part: Part, out: &mut Vec<Piece>) -> Result<(), Broken> {
        match part.content {
            Content::Text(text) => out.push(Piece::Text(text)),
            Content::Thinking { text, signature } => {
                out.extend(Some(text).filter(|text| !text.is_empty()).map(Piece::Thinking));
                out.extend(signature.map(Piece::Signature));
            }
            Content::Encrypted(seal) => out.push(Piece::Encrypted(seal)),
            // A call comes whole.
            Content::Call(call) => {
                if self.calls >= MOST_CALLS {
                    return Err(Broken::TooMuch("calls"));
                }
                let number = self.calls;
                self.calls += 1;
                out.push(Piece::Call { number, id: call.id, name: call.name });
                out.push(Piece::Input { number, text: call.input.write() });
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the end has come.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.over
    }
}
