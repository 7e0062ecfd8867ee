//! Verifying an export, line by line in constant memory.
//!
//! What a verified export shows: its full records, and those sections that are disclosed, are what the log
//! committed to; every leaf of the range is there, in order, in full or as a hash; the range is part of the
//! tree whose head the log's key signed; nothing in the file was changed since the key signed the file.
//! It does not show that the log tells everybody the same story: for that, compare the checkpoint with one
//! from another source. Which records are stubs is the exporter's choice.

mod pieces;
mod report;

use std::{
    collections::BTreeMap,
    io::{self, BufRead, Read as _},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

pub use pieces::Pieces;
pub use report::{Problem, Report, SequenceCheck};

use crate::{
    PublicKey,
    canonical::{self, MAX_SAFE_INTEGER},
    checkpoint::SignedCheckpoint,
    disclosure::{Sections, VerifiedRecord},
    export::{
        Counts, EXPORT_TYPE, EXPORT_VERSION, HeaderLine, LeafLine, MAX_LINE, SignatureLine, TrailerLine,
        signed_message,
    },
    merkle::{Frontier, Hash, leaf_hash, verify_consistency},
    record::FIRST_SEQUENCE,
};

/// The most replicas that are followed; a log with more than this is not one.
const MAX_REPLICAS: usize = 65_536;

/// The two kinds of file that can be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// An export, for [`verify_export`].
    Export,
    /// A receipt, for [`Receipt::parse`](crate::Receipt::parse).
    Receipt,
}

/// Tells the kind of a file by its first bytes (16 are enough); `None` is neither.
#[must_use]
pub fn file_kind(start: &[u8]) -> Option<FileKind> {
    if start.starts_with(b"{\"created\":") {
        Some(FileKind::Export)
    } else if start.starts_with(b"{\"checkpoint\":") {
        Some(FileKind::Receipt)
    } else {
        None
    }
}

/// Verifies an export. `expected` is the log's public key as got from elsewhere; without it the export is
/// only consistent with the key that it names itself, and the report says so.
///
/// # Errors
///
/// Only those of `reader`; whatever is wrong with the export is in the report.
pub fn verify_export(reader: impl BufRead, expected: Option<&PublicKey>) -> io::Result<Report> {
    verify_export_with(reader, expected, |_| ())
}

/// As [`verify_export`], handing out each full record whose header and sections fit together. Whether it is
/// in the log is known only from the report, at the end.
///
/// # Errors
///
/// Only those of `reader`.
pub fn verify_export_with(
    mut reader: impl BufRead,
    expected: Option<&PublicKey>,
    mut each: impl FnMut(VerifiedRecord),
) -> io::Result<Report> {
    let mut verifier = Verifier::new(expected.cloned());
    let mut line = Vec::new();
    loop {
        line.clear();
        reader.by_ref().take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line)?;
        match line.split_last() {
            None => break,
            Some((b'\n', line)) => verifier.line(line).into_iter().for_each(&mut each),
            Some(_) => {
                verifier.broken_line(line.len() > MAX_LINE);
                break;
            }
        }
    }
    Ok(verifier.finish())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Header,
    Leaves,
    Signature,
    Done,
    /// Nothing after this point can be understood.
    Lost,
}

/// Verifies an export that is fed line by line.
#[derive(Debug)]
pub struct Verifier {
    expected: Option<PublicKey>,
    stage: Stage,
    line: u64,
    /// Over all lines before the signature.
    digest: Sha256,
    frontier: Frontier,
    /// The index of the leaf that comes next.
    next: u64,
    /// A leaf was missing or unreadable, so the tree cannot be rebuilt.
    tree_lost: bool,
    counts: Counts,
    sequences: BTreeMap<String, u64>,
    report: Report,
}

impl Verifier {
    /// A verifier; `expected` as for [`verify_export`].
    #[must_use]
    pub fn new(expected: Option<PublicKey>) -> Self {
        Self {
            expected,
            stage: Stage::Header,
            line: 0,
            digest: Sha256::new(),
            frontier: Frontier::new(),
            next: 0,
            tree_lost: false,
            counts: Counts::default(),
            sequences: BTreeMap::new(),
            report: Report::default(),
        }
    }

    /// Takes the next line, without its newline. Returns the record in it, if there is one in full and its
    /// header and sections fit together.
    pub fn line(&mut self, line: &[u8]) -> Option<VerifiedRecord> {
        self.line += 1;
        let before = self.digest.clone();
        self.digest.update(line);
        self.digest.update(b"\n");
        match self.stage {
            Stage::Header => self.header(line),
            Stage::Leaves if line.starts_with(b"{\"checkpoint\":") => self.trailer(line),
            Stage::Leaves => return self.leaf(line),
            Stage::Signature => self.signature(line, before),
            Stage::Done => {
                self.problem(None, "there is more after the signature: something was appended");
                self.stage = Stage::Lost;
            }
            Stage::Lost => {}
        }
        None
    }

    /// The report; call it when there are no more lines.
    #[must_use]
    pub fn finish(mut self) -> Report {
        match self.stage {
            Stage::Done | Stage::Lost => {}
            Stage::Header => self.problem(None, "the file is empty"),
            Stage::Leaves | Stage::Signature => {
                self.problem(None, "the file ends before its signature: its tail was cut off");
            }
        }
        self.report.counts = self.counts;
        if self.report.key.is_some() && self.expected.is_some() {
            self.report.key_expected = true;
        }
        self.report.sequences =
            if self.counts.stubs == 0 { SequenceCheck::Complete } else { SequenceCheck::Partial };
        self.report
    }

    /// The last line has no newline, or a line is longer than any can be.
    fn broken_line(&mut self, too_long: bool) {
        self.line += 1;
        self.problem(
            None,
            if too_long {
                "the line is longer than an export's can be"
            } else {
                "the line does not end: the tail was cut off"
            },
        );
        self.stage = Stage::Lost;
    }

    fn problem(&mut self, leaf: Option<u64>, what: impl Into<String>) {
        self.report.add(Problem { line: self.line, leaf, what: what.into() });
    }

    fn parse<T: DeserializeOwned>(&mut self, line: &[u8], what: &str, leaf: Option<u64>) -> Option<T> {
        let parsed = match canonical::check(line) {
            Ok(()) => serde_json::from_slice(line).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        parsed.map_err(|error| self.problem(leaf, format!("expected {what}: {error}"))).ok()
    }

    fn header(&mut self, line: &[u8]) {
        self.stage = Stage::Lost;
        let Some(header) = self.parse::<HeaderLine>(line, "the header of an export", None) else { return };
        if header.kind != EXPORT_TYPE || header.v != EXPORT_VERSION {
            let what = format!("not an export of a version that this verifier knows ({EXPORT_VERSION})");
            return self.problem(None, what);
        }
        if header.from > header.to || header.to > MAX_SAFE_INTEGER {
            return self.problem(None, format!("leaves {} to {} are no range", header.from, header.to));
        }
        if header.created.unsigned_abs() > MAX_SAFE_INTEGER {
            return self.problem(None, "the time of the export is beyond ±(2^53 - 1)");
        }
        match Frontier::from_parts(header.from, header.prefix) {
            Ok(prefix) => self.frontier = prefix,
            Err(error) => return self.problem(None, format!("the tree before the range: {error}")),
        }
        if header.key.name() != &header.log {
            self.problem(None, format!("the key {} is not of the log {}", header.key, header.log));
        }
        if self.expected.as_ref().is_some_and(|expected| *expected != header.key) {
            self.problem(
                None,
                format!("the export names the key {}, which is not the expected public key", header.key),
            );
        }
        self.next = header.from;
        self.report.log = Some(header.log);
        self.report.key = Some(header.key);
        self.report.from = header.from;
        self.report.to = header.to;
        self.report.created_ms = Some(header.created);
        self.report.filter = Some(header.filter);
        self.stage = Stage::Leaves;
    }

    fn leaf(&mut self, line: &[u8]) -> Option<VerifiedRecord> {
        let at = self.next;
        let Some(leaf) = self.parse::<LeafLine>(line, "a leaf", Some(at)) else {
            self.next += 1;
            self.tree_lost = true;
            return None;
        };
        if leaf.index != at {
            let what = format!("found leaf {} here: a line was removed, added or moved", leaf.index);
            self.problem(Some(at), what);
            self.tree_lost = true;
        }
        if leaf.index >= self.report.to {
            self.problem(Some(at), "the leaf is beyond the range that the header names");
        }
        self.next = leaf.index.saturating_add(1);
        self.frontier.push(leaf.hash);
        match (leaf.leaf, leaf.sections) {
            (Some(text), Some(sections)) => self.record(leaf.index, leaf.hash, &text, sections),
            (None, None) => {
                self.counts.stubs += 1;
                None
            }
            _ => {
                self.problem(Some(at), "neither a full record nor a stub");
                None
            }
        }
    }

    fn record(&mut self, index: u64, hash: Hash, text: &str, sections: Sections) -> Option<VerifiedRecord> {
        self.counts.records += 1;
        self.counts.sections += sections.len() as u64;
        if leaf_hash(text.as_bytes()) != hash {
            self.problem(
                Some(index),
                "the record does not have the hash that is given for it: it was changed",
            );
            return None;
        }
        let record = VerifiedRecord::check(index, text, sections)
            .map_err(|error| self.problem(Some(index), error.to_string()))
            .ok()?;
        self.report.sections_withheld += record.sections.len() as u64 - record.disclosed();
        if Some(&record.header.log) != self.report.log.as_ref() {
            self.problem(Some(index), format!("the record belongs to the log {}", record.header.log));
        }
        self.sequence(index, &record.header.replica, record.header.replica_sequence);
        Some(record)
    }

    /// A replica numbers its records without gaps. Where a stub may hold a number, only the order is known.
    fn sequence(&mut self, index: u64, replica: &str, sequence: u64) {
        let complete = self.counts.stubs == 0;
        let last = self.sequences.get(replica).copied();
        let expected = match last {
            Some(last) => Some(last + 1),
            None if self.report.from == 0 => Some(FIRST_SEQUENCE),
            None => None,
        };
        if let Some(expected) = expected
            && (sequence < expected || (complete && sequence != expected))
        {
            let what = format!(
                "replica {replica:?} numbers this record {sequence} where {expected} comes next: \
                 a record of that replica was lost, repeated or moved before it was integrated"
            );
            self.problem(Some(index), what);
        }
        if last.is_none() && self.sequences.len() >= MAX_REPLICAS {
            self.problem(Some(index), "more replicas than a log can have");
            return;
        }
        self.sequences.insert(replica.to_owned(), sequence);
    }

    fn trailer(&mut self, line: &[u8]) {
        self.stage = Stage::Lost;
        let Some(trailer) = self.parse::<TrailerLine>(line, "the trailer", None) else { return };
        self.stage = Stage::Signature;
        if self.next != self.report.to {
            let what = format!(
                "the leaves end at {} where the header says {}: lines are missing",
                self.next, self.report.to
            );
            self.problem(None, what);
            self.tree_lost = true;
        }
        let TrailerLine { records, sections, stubs, .. } = trailer;
        if (Counts { records, sections, stubs }) != self.counts {
            self.problem(None, "the counts are not those of the lines above");
        }
        let Some(key) = self.report.key.clone() else { return };
        let checkpoint = match SignedCheckpoint::parse(&trailer.checkpoint) {
            Ok(checkpoint) => checkpoint,
            Err(error) => return self.problem(None, format!("the checkpoint: {error}")),
        };
        let head = match checkpoint.verify(&key) {
            Ok(head) => head.clone(),
            Err(error) => return self.problem(None, format!("the checkpoint: {error}")),
        };
        if self.tree_lost {
            self.problem(
                None,
                "without the lines named above, the leaves cannot be checked against the root",
            );
        } else if let Err(error) = verify_consistency(
            self.report.to,
            &self.frontier.root(),
            head.size,
            &head.root,
            &trailer.consistency,
        ) {
            let what = format!("the leaves do not lead to the root that the log signed: {error}");
            self.problem(None, what);
        }
        self.report.checkpoint = Some(head);
    }

    fn signature(&mut self, line: &[u8], before: Sha256) {
        self.stage = Stage::Done;
        let Some(line) = self.parse::<SignatureLine>(line, "the signature", None) else { return };
        let Some(key) = &self.report.key else { return };
        let signature = BASE64.decode(line.signature).ok().and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        if !signature.is_some_and(|signature| key.verifies(&signed_message(before), &signature)) {
            self.problem(None, "the signature over the file does not hold: some byte of it was changed");
        }
    }
}
