//! Signed notes (C2SP `signed-note`, <https://c2sp.org/signed-note>): text, an empty line, and one line a
//! signature.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use crate::key::{PublicKey, Signer};

/// The longest note that is read, in bytes.
pub const MAX_NOTE: usize = 64 * 1024;

/// The most signatures that are read.
const MAX_SIGNATURES: usize = 100;

/// Why text is not a signed note, or not signed by whom it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Not in the form that the specification gives.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// No signature of the key.
    #[error("no signature by the key {0}")]
    Unsigned(String),
    /// A signature of the key that does not hold.
    #[error("the signature by the key {0} does not hold: the text was changed, or another key signed it")]
    Signature(String),
}

/// A note with at least one signature, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct NoteSignature {
    name: String,
    /// The key id, then the signature itself.
    bytes: Vec<u8>,
}

impl Note {
    /// Signs `text`, which must end with a newline and hold no other control character and no empty line.
    ///
    /// # Errors
    ///
    /// [`NoteError::Form`] where `text` cannot be a note's.
    pub fn sign(text: String, signer: &Signer) -> Result<Self, NoteError> {
        check_text(&text)?;
        let signature = signer.sign(text.as_bytes());
        let bytes = [signer.public().id().as_slice(), &signature].concat();
        Ok(Self { text, signatures: vec![NoteSignature { name: signer.public().name().to_string(), bytes }] })
    }

    /// Reads a note, strictly.
    ///
    /// # Errors
    ///
    /// [`NoteError::Form`] says what is wrong with it.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE {
            return Err(NoteError::Form("it is too long"));
        }
        let (text, signatures) =
            note.rsplit_once("\n\n").ok_or(NoteError::Form("no empty line before the signatures"))?;
        let text = format!("{text}\n");
        check_text(&text)?;
        let signatures = signatures.strip_suffix('\n').ok_or(NoteError::Form("the last line is cut"))?;
        let signatures: Vec<_> =
            signatures.split('\n').map(NoteSignature::parse).collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::Form("too many signatures"));
        }
        Ok(Self { text, signatures })
    }

    /// The signed text, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Checks that `key` signed the note. Signatures by other keys are ignored.
    ///
    /// # Errors
    ///
    /// [`NoteError::Unsigned`] without a signature by that key, [`NoteError::Signature`] if any of them
    /// does not hold.
    pub fn verify(&self, key: &PublicKey) -> Result<(), NoteError> {
        let id = key.id();
        let mut signed = false;
        for signature in &self.signatures {
            let Some((its_id, bytes)) = signature.bytes.split_first_chunk::<4>() else { continue };
            if signature.name != key.name().as_str() || *its_id != id {
                continue;
            }
            match bytes.try_into() {
                Ok(bytes) if key.verifies(self.text.as_bytes(), bytes) => signed = true,
                _ => return Err(NoteError::Signature(key.to_string())),
            }
        }
        if signed { Ok(()) } else { Err(NoteError::Unsigned(key.to_string())) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            writeln!(f, "\u{2014} {} {}", signature.name, BASE64.encode(&signature.bytes))?;
        }
        Ok(())
    }
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if text.len() < 2 || !text.ends_with('\n') {
        return Err(NoteError::Form("the text must be whole lines"));
    }
    if text.starts_with('\n') || text.contains("\n\n") {
        return Err(NoteError::Form("an empty line in the text"));
    }
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        return Err(NoteError::Form("a control character"));
    }
    Ok(())
}

impl NoteSignature {
    fn parse(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Form("a signature line is not '\u{2014} <name> <base64>'");
        let (name, encoded) =
            line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' ')).ok_or(malformed.clone())?;
        let bad = |c: char| c.is_whitespace() || c == '+' || c < ' ';
        let bytes = BASE64.decode(encoded).map_err(|_| malformed.clone())?;
        if name.is_empty() || name.contains(bad) || bytes.len() < 5 {
            return Err(malformed);
        }
        Ok(Self { name: name.to_owned(), bytes })
    }
}
