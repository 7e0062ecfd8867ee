//! Checkpoints: signed tree heads (C2SP `tlog-checkpoint`, <https://c2sp.org/tlog-checkpoint>).
//!
//! The text of the note is three lines: the log's id, the number of leaves, the root in base64; further
//! lines are extensions, kept and otherwise ignored. It carries no time: when a record was made, the record
//! says.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::Serialize;

use crate::{
    Hash, LogId,
    canonical::MAX_SAFE_INTEGER,
    key::{PublicKey, Signer},
    note::{Note, NoteError},
};

/// A tree head: how many leaves, and their root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checkpoint {
    /// The log's id, as the origin line.
    pub origin: LogId,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree of that size.
    pub root: Hash,
}

impl Checkpoint {
    /// Signs the checkpoint with the log's key.
    ///
    /// # Errors
    ///
    /// [`NoteError::Form`] where the signer belongs to another log.
    pub fn sign(&self, signer: &Signer) -> Result<SignedCheckpoint, NoteError> {
        if signer.public().name() != &self.origin {
            return Err(NoteError::Form("the key belongs to another log"));
        }
        Ok(SignedCheckpoint { note: Note::sign(self.to_string(), signer)?, checkpoint: self.clone() })
    }

    fn parse(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.lines();
        let origin = lines.next().and_then(|line| LogId::new(line).ok());
        let size = lines.next().and_then(parse_size);
        let root = lines.next().and_then(|line| BASE64.decode(line).ok());
        let root = root.and_then(|bytes| Hash::try_from(bytes.as_slice()).ok());
        Ok(Self {
            origin: origin.ok_or(NoteError::Form("the first line is no log id"))?,
            size: size.ok_or(NoteError::Form("the second line is no tree size"))?,
            root: root.ok_or(NoteError::Form("the third line is no root hash in base64"))?,
        })
    }
}

fn parse_size(line: &str) -> Option<u64> {
    let canonical = line == "0" || (!line.starts_with('0') && line.bytes().all(|byte| byte.is_ascii_digit()));
    line.parse().ok().filter(|size| canonical && *size <= MAX_SAFE_INTEGER)
}

/// The text that is signed.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64.encode(self.root))
    }
}

/// A checkpoint with its signatures; `Display` gives the note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    note: Note,
    checkpoint: Checkpoint,
}

impl SignedCheckpoint {
    /// Reads a note that holds a checkpoint. Its signatures are not checked yet.
    ///
    /// # Errors
    ///
    /// [`NoteError::Form`] says what is wrong with it.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let note = Note::parse(note)?;
        Ok(Self { checkpoint: Checkpoint::parse(note.text())?, note })
    }

    /// The checkpoint, once `key` is seen to have signed it for the key's own log.
    ///
    /// # Errors
    ///
    /// [`NoteError`] where it did not.
    pub fn verify(&self, key: &PublicKey) -> Result<&Checkpoint, NoteError> {
        if &self.checkpoint.origin != key.name() {
            return Err(NoteError::Form("the checkpoint is of another log than the key"));
        }
        self.note.verify(key)?;
        Ok(&self.checkpoint)
    }

    /// The checkpoint as it stands, signed or not.
    #[must_use]
    pub const fn unverified(&self) -> &Checkpoint {
        &self.checkpoint
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.note.fmt(f)
    }
}
