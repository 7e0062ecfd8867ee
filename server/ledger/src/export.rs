//! Writing an export: a range of the log as JSON Lines, in constant memory.
//!
//! Line 1 is the header, then comes one line for each leaf of the range in order (a full record or a stub
//! that holds only the leaf's hash), then the trailer with a signed checkpoint, and last a signature over
//! every byte before it. The tree proves the leaves; the signature covers what the tree does not: which
//! sections are shown, the filter, the counts. [`verify`](crate::verify) reads it back.

use std::io::{self, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    Hash, LogId, Section,
    canonical::{self, CanonicalError, MAX_SAFE_INTEGER},
    checkpoint::SignedCheckpoint,
    disclosure::{Sections, disclose},
    fields::present,
    key::{PublicKey, Signer},
    merkle::{Frontier, ProofError, leaf_hash, verify_consistency},
    note::NoteError,
    record::RecordError,
};

/// What `type` says in the header of an export.
pub(crate) const EXPORT_TYPE: &str = "bailiwick-audit-export";

/// The version of the export format.
pub(crate) const EXPORT_VERSION: u64 = 1;

/// The longest line, in bytes without its newline.
pub const MAX_LINE: usize = 16 * 1024 * 1024;

/// What the last line's signature covers, before the SHA-256 of all bytes above it. A log id holds no
/// space, so no checkpoint begins like this.
const SIGNATURE_TAG: &[u8] = b"bailiwick export v1\0";

/// Why an export cannot be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The writer failed.
    #[error("cannot write the export: {0}")]
    Io(#[from] io::Error),
    /// A record that cannot be written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A value without a canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// A line longer than [`MAX_LINE`].
    #[error("leaf {0} makes a line longer than {MAX_LINE} bytes: withhold its largest section")]
    TooLong(u64),
    /// More or fewer leaves than the header announced.
    #[error("the export announced leaves up to {to} and was given {given}")]
    Count {
        /// End of the range announced.
        to: u64,
        /// Where the leaves given end.
        given: u64,
    },
    /// A range whose end is before its start, or beyond 2^53 - 1.
    #[error("leaves {from} to {to} are no range")]
    Range {
        /// First leaf.
        from: u64,
        /// End, exclusive.
        to: u64,
    },
    /// The signer or the checkpoint is not this log's.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
    /// Another key than at the beginning.
    #[error("the key that ends the export is not the one that began it")]
    Key,
    /// The leaves do not lead to the checkpoint: what the store holds is not what was signed.
    #[error("the stored leaves do not lead to the signed checkpoint: {0}")]
    Tree(#[from] ProofError),
}

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderLine {
    pub(crate) created: i64,
    pub(crate) filter: String,
    pub(crate) from: u64,
    pub(crate) key: PublicKey,
    pub(crate) log: LogId,
    pub(crate) prefix: Vec<Hash>,
    pub(crate) to: u64,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) v: u64,
}

/// A line for one leaf: with `leaf` and `sections` a full record, without both a stub.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeafLine {
    pub(crate) hash: Hash,
    pub(crate) index: u64,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub(crate) leaf: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub(crate) sections: Option<Sections>,
}

/// The last line but one.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrailerLine {
    pub(crate) checkpoint: String,
    pub(crate) consistency: Vec<Hash>,
    pub(crate) records: u64,
    pub(crate) sections: u64,
    pub(crate) stubs: u64,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureLine {
    pub(crate) signature: String,
}

/// What an export holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Full records.
    pub records: u64,
    /// Disclosed sections.
    pub sections: u64,
    /// Leaves of which only the hash is given.
    pub stubs: u64,
}

/// The message that the last line signs.
pub(crate) fn signed_message(preceding: Sha256) -> Vec<u8> {
    let digest: [u8; 32] = preceding.finalize().into();
    [SIGNATURE_TAG, &digest].concat()
}

/// Writes an export, leaf by leaf.
#[derive(Debug)]
pub struct ExportWriter<W> {
    writer: W,
    key: PublicKey,
    to: u64,
    frontier: Frontier,
    counts: Counts,
    digest: Sha256,
    line: Vec<u8>,
}

impl<W: Write> ExportWriter<W> {
    /// Begins an export of the leaves from `prefix.size()` up to, but not including, `to`. `prefix` is the
    /// frontier of the leaves before the range; `filter` tells people what was selected as full records.
    ///
    /// # Errors
    ///
    /// [`ExportError`] where the range is none or the writer fails.
    pub fn begin(
        writer: W,
        signer: &Signer,
        created_ms: i64,
        filter: &str,
        prefix: Frontier,
        to: u64,
    ) -> Result<Self, ExportError> {
        let from = prefix.size();
        if from > to || to > MAX_SAFE_INTEGER {
            return Err(ExportError::Range { from, to });
        }
        let key = signer.public().clone();
        let header = HeaderLine {
            created: created_ms,
            filter: filter.to_owned(),
            from,
            log: key.name().clone(),
            key: key.clone(),
            prefix: prefix.nodes().to_vec(),
            to,
            kind: EXPORT_TYPE.to_owned(),
            v: EXPORT_VERSION,
        };
        let (counts, digest) = (Counts::default(), Sha256::new());
        let mut export = Self { writer, key, to, frontier: prefix, counts, digest, line: Vec::new() };
        export.write(&header)?;
        Ok(export)
    }

    /// The index of the leaf that is expected next.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.frontier.size()
    }

    /// Writes the next leaf in full. `sections` are those to disclose; the others count as withheld.
    ///
    /// # Errors
    ///
    /// [`ExportError`] where the leaf is not UTF-8, the line too long, the range full, or the writer fails.
    pub fn record<'a>(
        &mut self,
        leaf: &[u8],
        sections: impl IntoIterator<Item = &'a Section>,
    ) -> Result<(), ExportError> {
        let text = str::from_utf8(leaf)
            .map_err(|_| RecordError::Header(format!("leaf {} is not UTF-8", self.next())))?;
        let sections = disclose(sections)?;
        self.counts.records += 1;
        self.counts.sections += sections.len() as u64;
        self.leaf(leaf_hash(leaf), Some(text.to_owned()), Some(sections))
    }

    /// Writes the next leaf as a stub.
    ///
    /// # Errors
    ///
    /// [`ExportError`] where the range is full or the writer fails.
    pub fn stub(&mut self, hash: Hash) -> Result<(), ExportError> {
        self.counts.stubs += 1;
        self.leaf(hash, None, None)
    }

    fn leaf(
        &mut self,
        hash: Hash,
        leaf: Option<String>,
        sections: Option<Sections>,
    ) -> Result<(), ExportError> {
        let index = self.next();
        if index >= self.to {
            return Err(ExportError::Count { to: self.to, given: index + 1 });
        }
        self.write(&LeafLine { hash, index, leaf, sections })?;
        self.frontier.push(hash);
        Ok(())
    }

    /// Ends the export: `checkpoint` is a signed tree head at least as large as the range's end, and
    /// `consistency` the proof from that end to the checkpoint. What was written is checked against it,
    /// so an export that was finished is one that verifies.
    ///
    /// # Errors
    ///
    /// [`ExportError`]; the file is then incomplete and must be thrown away.
    pub fn finish(
        mut self,
        checkpoint: &SignedCheckpoint,
        consistency: Vec<Hash>,
        signer: &Signer,
    ) -> Result<(W, Counts), ExportError> {
        if *signer.public() != self.key {
            return Err(ExportError::Key);
        }
        if self.next() != self.to {
            return Err(ExportError::Count { to: self.to, given: self.next() });
        }
        let head = checkpoint.verify(&self.key)?;
        verify_consistency(self.to, &self.frontier.root(), head.size, &head.root, &consistency)?;
        let counts = self.counts;
        let Counts { records, sections, stubs } = counts;
        let checkpoint = checkpoint.to_string();
        self.write(&TrailerLine { checkpoint, consistency, records, sections, stubs })?;
        let signature = signer.sign(&signed_message(self.digest.clone()));
        self.write(&SignatureLine { signature: BASE64.encode(signature) })?;
        self.writer.flush()?;
        Ok((self.writer, counts))
    }

    fn write<T: Serialize>(&mut self, line: &T) -> Result<(), ExportError> {
        self.line.clear();
        canonical::write(&mut self.line, line)?;
        if self.line.len() > MAX_LINE {
            return Err(ExportError::TooLong(self.next()));
        }
        self.line.push(b'\n');
        self.digest.update(&self.line);
        self.writer.write_all(&self.line)?;
        Ok(())
    }
}
