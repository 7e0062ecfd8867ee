//! The verification, told step by step.
//!
//! The ledger verifies in a fixed order and names the first thing that does not hold. Here each step before it has passed, that
//! one has failed, and none after it was looked at: a step is never called good without having been checked.

use bailiwick_ledger::merkle::leaf_hash;
use bailiwick_ledger::receipt::{ReceiptError, VerifiedReceipt};
use bailiwick_ledger::{PublicKey, Receipt};

use super::Expected;
use crate::format;
use crate::text::Lang;

/// One thing that is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Fetch,
    Form,
    Key,
    Checkpoint,
    Inclusion,
    Sections,
    Page,
}

impl What {
    /// In the order in which the ledger checks.
    const ALL: [Self; 7] =
        [Self::Fetch, Self::Form, Self::Key, Self::Checkpoint, Self::Inclusion, Self::Sections, Self::Page];
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Passed,
    Failed,
    Skipped,
}

/// A step with what there is to see of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) what: What,
    pub(super) state: State,
    /// What does not hold.
    pub(super) problem: Option<String>,
    /// Labels and values, for example hashes.
    pub(super) details: Vec<(String, String)>,
}

/// True if every step has passed.
pub(super) fn passed(steps: &[Step]) -> bool {
    !steps.is_empty() && steps.iter().all(|step| step.state == State::Passed)
}

/// The steps where the receipt could not be had; status 0 means that there was no answer.
pub(super) fn not_fetched(status: u16, lang: Lang) -> Vec<Step> {
    stopped_at(What::Fetch, (lang.text().verify.fetch_failed)(status))
}

fn stopped_at(failed: What, problem: String) -> Vec<Step> {
    let mut problem = Some(problem);
    let mut before = true;
    What::ALL
        .into_iter()
        .map(|what| {
            let here = what == failed;
            before &= !here;
            let state = match (here, before) {
                (true, _) => State::Failed,
                (_, true) => State::Passed,
                _ => State::Skipped,
            };
            Step { what, state, problem: if here { problem.take() } else { None }, details: Vec::new() }
        })
        .collect()
}

/// Verifies the receipt and holds it against what the page claims.
pub(super) fn verify(bytes: &[u8], expected: &Expected, lang: Lang) -> Vec<Step> {
    let receipt = match Receipt::parse(bytes) {
        Ok(receipt) => receipt,
        Err(error) => return stopped_at(What::Form, error.to_string()),
    };
    // A page that names a key which is none is as wrong as a receipt under another key.
    let key = match expected.verifier_key.as_deref().map(str::parse::<PublicKey>).transpose() {
        Ok(key) => key,
        Err(error) => return stopped_at(What::Key, error.to_string()),
    };
    let verified = match receipt.verify(key.as_ref()) {
        Ok(verified) => verified,
        Err(error) => {
            let mut steps = stopped_at(failed_at(&error), error.to_string());
            detail(&mut steps, What::Inclusion, leaves(&receipt, lang));
            return steps;
        }
    };
    let mut steps = match page_mismatch(&receipt, expected) {
        None => What::ALL
            .map(|what| Step { what, state: State::Passed, problem: None, details: Vec::new() })
            .to_vec(),
        Some((computed, shown)) => {
            let t = &lang.text().verify;
            let mut steps = stopped_at(What::Page, String::new());
            if let Some(step) = steps.last_mut() {
                step.problem = None;
            }
            let compare = vec![(t.computed.to_owned(), computed), (t.expected.to_owned(), shown)];
            detail(&mut steps, What::Page, compare);
            steps
        }
    };
    explain(&mut steps, &receipt, &verified, bytes.len(), lang);
    steps
}

/// Which step the ledger's error belongs to.
fn failed_at(error: &ReceiptError) -> What {
    match error {
        ReceiptError::Key(_) => What::Key,
        ReceiptError::Checkpoint(_) => What::Checkpoint,
        ReceiptError::Proof { .. } => What::Inclusion,
        ReceiptError::Record { .. } | ReceiptError::Log(_) => What::Sections,
        _ => What::Form,
    }
}

/// The leaf hashes of receipt and page where they differ.
fn page_mismatch(receipt: &Receipt, expected: &Expected) -> Option<(String, String)> {
    let computed: Vec<String> =
        receipt.records().iter().map(|record| leaf_hash(record.leaf.as_bytes()).to_string()).collect();
    (computed != expected.leaf_hashes).then(|| (computed.join(" "), expected.leaf_hashes.join(" ")))
}

fn leaves(receipt: &Receipt, lang: Lang) -> Vec<(String, String)> {
    let t = &lang.text().decision;
    receipt
        .records()
        .iter()
        .map(|record| {
            let label = format!("{} {}", t.leaf, format::integer(record.index, lang));
            (label, leaf_hash(record.leaf.as_bytes()).to_string())
        })
        .collect()
}

fn explain(steps: &mut [Step], receipt: &Receipt, verified: &VerifiedReceipt, length: usize, lang: Lang) {
    let (t, d) = (&lang.text().verify, &lang.text().decision);
    let size = format::bytes(length as u64, lang);
    let whose = if verified.key_expected { t.detail_key_pinned } else { t.detail_key_embedded };
    let mut inclusion = leaves(receipt, lang);
    inclusion.push((d.root.to_owned(), verified.checkpoint.root.to_string()));
    let sections = verified.records.iter().map(|record| {
        let shown = record.disclosed();
        let withheld = record.sections.len() as u64 - shown;
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let label = format!("{} {}", d.leaf, format::integer(record.index, lang));
        (label, (t.section_counts)(count(shown), count(withheld)))
    });
    detail(steps, What::Fetch, vec![(t.size.to_owned(), size)]);
    detail(steps, What::Key, vec![(whose.to_owned(), verified.key.to_string())]);
    let head = vec![
        (d.origin.to_owned(), verified.checkpoint.origin.to_string()),
        (d.tree_size.to_owned(), format::integer(verified.checkpoint.size, lang)),
    ];
    detail(steps, What::Checkpoint, head);
    detail(steps, What::Inclusion, inclusion);
    detail(steps, What::Sections, sections.collect());
}

fn detail(steps: &mut [Step], what: What, details: Vec<(String, String)>) {
    if let Some(step) = steps.iter_mut().find(|step| step.what == what && step.state != State::Skipped) {
        step.details = details;
    }
}

/// Changes one digit inside the first record, so that the receipt still reads well and yet proves nothing.
pub(super) fn change_one_byte(bytes: &mut [u8]) {
    const LEAF: &[u8] = b"\"leaf\":\"";
    let start = bytes.windows(LEAF.len()).position(|window| window == LEAF).map_or(0, |at| at + LEAF.len());
    if let Some(byte) = bytes.iter_mut().skip(start).find(|byte| matches!(byte, b'1'..=b'8')) {
        // 1 becomes 2, 3 becomes 4: another digit, never a leading zero.
        *byte = if *byte % 2 == 1 { *byte + 1 } else { *byte - 1 };
    }
}

#[cfg(test)]
mod tests;
