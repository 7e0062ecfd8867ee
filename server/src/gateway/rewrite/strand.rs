//! One string of a stream: its guard, and what of it is held back because it could be the endpoint's credential.

use bailiwick_pii::stream::Guard;

use super::place::Position;
use crate::gateway::document::NodeId;
use crate::providers::{Echo, EchoScan, UpstreamFailure};

/// One string of a stream, and where its pieces are.
#[derive(Debug)]
pub(super) struct Strand {
    pub(super) position: Position,
    pub(super) flow: Flow,
    /// The last chunk with a piece of it, by number, with the piece and the array member that it is in.
    pub(super) seen: (u64, NodeId, Option<NodeId>),
}

/// What has come of a string and may not go out yet.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) guard: Guard,
    pub(super) echo: Option<EchoScan>,
    /// Cleared by the guard; could be the beginning of the credential.
    pub(super) held: String,
}

impl Flow {
    pub(super) fn new(guard: Guard, echo: Option<EchoScan>) -> Self {
        Self { guard, echo, held: String::new() }
    }

    /// What may go out after one more piece.
    pub(super) fn push(&mut self, text: &str) -> Result<String, UpstreamFailure> {
        let mut out = String::with_capacity(text.len());
        self.guard.push(text, &mut out);
        self.clear(out)
    }

    /// What may go out where the text breaks off.
    pub(super) fn abandon(&mut self) -> Result<String, UpstreamFailure> {
        let mut out = String::new();
        self.guard.abandon(&mut out);
        self.clear(out)
    }

    /// What of the text that the guard has cleared is not the beginning of the credential.
    fn clear(&mut self, out: String) -> Result<String, UpstreamFailure> {
        let Some(echo) = &mut self.echo else { return Ok(out) };
        let Echo::Held(count) = echo.push(out.as_bytes()) else {
            return Err(UpstreamFailure::CredentialEcho);
        };
        self.held.push_str(&out);
        // A beginning of the credential begins where a character does; were it otherwise, all is held.
        let at = self.held.len().saturating_sub(count);
        let keep = if self.held.is_char_boundary(at) {
            self.held.split_off(at)
        } else {
            std::mem::take(&mut self.held)
        };
        let clear = std::mem::replace(&mut self.held, keep);
        Ok(clear)
    }

    pub(super) fn holds(&self) -> bool {
        self.guard.holds() || !self.held.is_empty()
    }

    /// What is left at the end.
    pub(super) fn finish(&mut self) -> Result<String, UpstreamFailure> {
        let mut out = String::new();
        self.guard.finish(&mut out);
        if self.echo.as_mut().is_some_and(|echo| echo.push(out.as_bytes()) == Echo::Found) {
            return Err(UpstreamFailure::CredentialEcho);
        }
        self.held.push_str(&out);
        Ok(std::mem::take(&mut self.held))
    }
}
