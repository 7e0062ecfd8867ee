//! An export that comes in pieces of any size, as a browser reads a file.

use super::{Report, Verifier};
use crate::PublicKey;
use crate::export::MAX_LINE;

/// Verifies an export of which piece after piece is known. No more of it is kept than one line.
#[derive(Debug)]
pub struct Pieces {
    verifier: Verifier,
    /// What came of a line that has not ended.
    open: Vec<u8>,
    /// A line was longer than any can be: nothing after it is looked at.
    lost: bool,
}

impl Pieces {
    /// `expected` as for [`verify_export`](super::verify_export).
    #[must_use]
    pub fn new(expected: Option<PublicKey>) -> Self {
        Self { verifier: Verifier::new(expected), open: Vec::new(), lost: false }
    }

    /// Takes the next piece.
    pub fn push(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            if self.lost {
                return;
            }
            let (part, ends) = part.strip_suffix(b"\n").map_or((part, false), |part| (part, true));
            if self.open.len().saturating_add(part.len()) > MAX_LINE {
                self.lost = true;
                self.open = Vec::new();
                self.verifier.broken_line(true);
            } else if ends && self.open.is_empty() {
                self.verifier.line(part);
            } else {
                self.open.extend_from_slice(part);
                if ends {
                    self.verifier.line(&self.open);
                    self.open.clear();
                }
            }
        }
    }

    /// The report, when there are no more pieces.
    #[must_use]
    pub fn finish(mut self) -> Report {
        if !self.open.is_empty() {
            self.verifier.broken_line(false);
        }
        self.verifier.finish()
    }
}
