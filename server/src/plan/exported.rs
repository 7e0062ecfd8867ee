//! An export of the log as recorded decisions.
//!
//! It is read twice: verified whole first, then page by page, decision by decision, because the records of one decision
//! need not stand together. Of each record its decision and its line are held in memory, some thirty bytes.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use bailiwick_ledger::disclosure::Sections;
use bailiwick_ledger::verify::verify_export_with;
use bailiwick_ledger::{Header, PublicKey, Report, Section};
use serde::Deserialize;

use super::traffic::KINDS;
use crate::store::StoreError;
use crate::store::replay::DecisionRecord;

/// Before a decision's id.
const DECISION: &str = "dec_";

/// Why an export cannot be planned against.
#[derive(Debug, thiserror::Error)]
pub enum ExportedError {
    /// The file.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It does not verify.
    #[error("the export does not verify, so nothing in it counts:\n{0}")]
    NotVerified(Box<Report>),
    /// A record of it.
    #[error(transparent)]
    Record(#[from] StoreError),
    /// It changed while it was read.
    #[error("the file changes while it is read")]
    Changed,
}

/// An export that verifies.
#[derive(Debug)]
pub struct Exported {
    file: BufReader<File>,
    report: Report,
    /// Decision and offset of a record's line, in order.
    records: Vec<(u128, u64)>,
    /// How many of them were read.
    read: usize,
}

/// A line of a leaf, as far as it is read.
#[derive(Deserialize)]
struct Line {
    leaf: String,
    sections: Sections,
}

impl Exported {
    /// Opens and verifies an export. `expected` is the log's public key; the one inside the file where absent.
    ///
    /// # Errors
    /// [`ExportedError`].
    pub fn open(path: &Path, expected: Option<&PublicKey>) -> Result<Self, ExportedError> {
        let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut records: Vec<(u128, u64)> = Vec::new();
        let report = verify_export_with(&mut file, expected, |record| {
            let decision = record.header.ids.get("decision").and_then(|id| number(id));
            if let Some(decision) = decision.filter(|_| KINDS.contains(&record.header.kind.as_str())) {
                records.push((decision, record.index));
            }
        })?;
        if !report.verified() {
            return Err(ExportedError::NotVerified(Box::new(report)));
        }
        let lines = lines(&mut file)?;
        for (_, place) in &mut records {
            // Line 0 is the header, and a leaf has a line.
            let line = place.checked_sub(report.from).and_then(|leaf| usize::try_from(leaf).ok());
            let offset = line.and_then(|leaf| lines.get(leaf)).ok_or(ExportedError::Changed)?;
            *place = *offset;
        }
        records.sort_unstable();
        Ok(Self { file, report, records, read: 0 })
    }

    /// What its verification found.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// From the first decision to after the last, Unix milliseconds: an id begins with its time.
    pub(super) fn span_ms(&self) -> (i64, i64) {
        let ms = |record: Option<&(u128, u64)>| {
            record.and_then(|(decision, _)| i64::try_from(decision >> 80).ok()).unwrap_or(0)
        };
        (ms(self.records.first()), ms(self.records.last()).saturating_add(1))
    }

    /// Leaves that are there by their hash alone.
    pub(super) fn only_hashes(&self) -> u64 {
        self.report.counts.stubs
    }

    /// At least this many of the records that come next, and all of a decision; none at the end.
    pub(super) fn page(&mut self, least: u64) -> Result<Vec<DecisionRecord>, ExportedError> {
        let rest = self.records.get(self.read..).unwrap_or_default();
        let least = usize::try_from(least).unwrap_or(usize::MAX).min(rest.len());
        let last = least.checked_sub(1).and_then(|at| rest.get(at)).map(|(decision, _)| *decision);
        let Some(last) = last else { return Ok(Vec::new()) };
        let whole = rest.partition_point(|(decision, _)| *decision <= last);
        let mut page = Vec::with_capacity(whole);
        let mut line = Vec::new();
        for (decision, offset) in rest.get(..whole).unwrap_or_default() {
            line.clear();
            self.file.seek(SeekFrom::Start(*offset))?;
            self.file.read_until(b'\n', &mut line)?;
            let Line { leaf, sections } =
                serde_json::from_slice(&line).map_err(|_| ExportedError::Changed)?;
            let header = Header::parse(leaf.as_bytes()).map_err(|_| ExportedError::Changed)?;
            let sections: Vec<Section> = sections
                .into_iter()
                .map(|(name, shown)| Section {
                    name: name.into(),
                    salt: shown.salt.0,
                    bytes: shown.bytes.into_bytes(),
                })
                .collect();
            let id = format!("{DECISION}{decision:032x}");
            page.push(DecisionRecord::new(id, header.kind, leaf.into_bytes(), &sections)?);
        }
        self.read = self.read.saturating_add(whole);
        Ok(page)
    }
}

/// A decision's id as a number, which sorts as the id does.
fn number(decision: &str) -> Option<u128> {
    let digits = decision.strip_prefix(DECISION).filter(|digits| digits.len() == 32)?;
    u128::from_str_radix(digits, 16).ok()
}

/// Where each line but the first begins.
fn lines(file: &mut BufReader<File>) -> io::Result<Vec<u64>> {
    file.rewind()?;
    let (mut lines, mut offset) = (Vec::new(), 0_u64);
    loop {
        let buffer = file.fill_buf()?;
        if buffer.is_empty() {
            return Ok(lines);
        }
        let begins = memchr::memchr_iter(b'\n', buffer).map(|at| offset + at as u64 + 1);
        lines.extend(begins);
        let length = buffer.len();
        offset += length as u64;
        file.consume(length);
    }
}
