//! What the committer remembers of records between their commit and a later one: rows of the list of
//! decisions that are not written yet, and attempts and administrative acts without an outcome.
//!
//! Both are of this replica's own records, are bounded by what is in flight, and are rebuilt from the log: the
//! replica's row holds, for each, the sequence from which on to read again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bailiwick_ledger::{Draft, Header, Kind};
use tokio::time::Instant;

use crate::app::{ACT, BEGUN, PHASE};
use crate::store::decisions::DecisionRow;

/// How long a row waits for a later one of the same decision, so that most decisions are written once. It waits
/// up to twice as long for company, so that few commits have rows to write.
pub(super) const INDEX_LAG: Duration = Duration::from_millis(250);
/// Rows that one commit writes, unless more come in: a commit is what requests wait for.
pub(super) const INDEX_ROWS: usize = 64;

/// Rows of the list of decisions that are to be written, oldest first.
#[derive(Debug, Default)]
pub(super) struct PendingIndex {
    rows: BTreeMap<u64, Pending>,
    first_sequence: HashMap<String, u64>,
}

#[derive(Debug, Clone)]
pub(super) struct Pending {
    since: Instant,
    sequence: u64,
    row: DecisionRow,
}

impl PendingIndex {
    /// Adds the row as it stands after the record number `sequence`.
    pub(super) fn add(&mut self, sequence: u64, row: DecisionRow, now: Instant) {
        if let Some(pending) = self.first_sequence.get(&row.id).and_then(|first| self.rows.get_mut(first)) {
            pending.sequence = sequence;
            pending.row = row;
            return;
        }
        self.first_sequence.insert(row.id.clone(), sequence);
        self.rows.insert(sequence, Pending { since: now, sequence, row });
    }

    /// When rows are to be written: when enough are due, or when the oldest has waited twice as long.
    pub(super) fn due(&self) -> Option<Instant> {
        let since = |pending: &Pending| pending.since.checked_add(INDEX_LAG);
        let oldest = self.rows.values().next().and_then(since)?.checked_add(INDEX_LAG);
        let enough = self.rows.values().nth(INDEX_ROWS).and_then(since);
        [oldest, enough].into_iter().flatten().min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes the rows that are due at `now` (or, with `all`, any), oldest first, `most` of them.
    pub(super) fn take(&mut self, now: Instant, all: bool, most: usize) -> Vec<(u64, Pending)> {
        let mut taken = Vec::new();
        if !all && self.due().is_none_or(|due| due > now) {
            return taken;
        }
        let due = |pending: &Pending| all || now.saturating_duration_since(pending.since) >= INDEX_LAG;
        while taken.len() < most {
            match self.rows.first_entry() {
                Some(entry) if due(entry.get()) => {
                    let (first, pending) = entry.remove_entry();
                    self.first_sequence.remove(&pending.row.id);
                    taken.push((first, pending));
                }
                _ => break,
            }
        }
        taken
    }

    /// Puts back what a failed commit did not write.
    pub(super) fn restore(&mut self, taken: Vec<(u64, Pending)>) {
        for (first, pending) in taken {
            self.first_sequence.insert(pending.row.id.clone(), first);
            self.rows.insert(first, pending);
        }
    }

    /// Every record below this one is written, where the next one gets the sequence `next`.
    pub(super) fn indexed_to(&self, next: u64) -> u64 {
        self.rows.keys().next().copied().unwrap_or(next).min(next)
    }

    /// The sequence of the record that last changed each row, with the row.
    pub(super) fn rows(taken: &[(u64, Pending)]) -> Vec<(u64, DecisionRow)> {
        taken.iter().map(|(_, pending)| (pending.sequence, pending.row.clone())).collect()
    }
}

/// What a record does to the set of attempts and acts without an outcome.
#[derive(Debug)]
pub(super) enum AttemptChange {
    Opened(String),
    Closed(String),
}

impl AttemptChange {
    pub(super) fn of_draft(draft: &Draft) -> Option<Self> {
        let id = |name: &str| draft.ids.get(name).map(String::as_str);
        Self::of(draft.kind, id)
    }

    pub(super) fn of_header(header: &Header) -> Option<Self> {
        let id = |name: &str| header.ids.get(name).map(String::as_str);
        Self::of(header.known_kind()?, id)
    }

    fn of<'a>(kind: Kind, id: impl Fn(&str) -> Option<&'a str>) -> Option<Self> {
        if let (Kind::Admin | Kind::SignIn | Kind::KillSwitch | Kind::Policy, Some(act)) = (kind, id(ACT)) {
            let begun = id(PHASE) == Some(BEGUN);
            return Some(if begun { Self::Opened(act.to_owned()) } else { Self::Closed(act.to_owned()) });
        }
        let key = format!("{}/{}", id("decision").unwrap_or_default(), id("attempt")?);
        match kind {
            Kind::Decision | Kind::Attempt => Some(Self::Opened(key)),
            Kind::Outcome => Some(Self::Closed(key)),
            _ => None,
        }
    }
}

/// Attempts without an outcome, by the sequence of the record that says so.
#[derive(Debug, Default)]
pub(super) struct OpenAttempts {
    sequence: HashMap<String, u64>,
    sequences: BTreeSet<u64>,
}

impl OpenAttempts {
    pub(super) fn apply(&mut self, sequence: u64, change: AttemptChange) {
        match change {
            AttemptChange::Opened(key) => {
                if let std::collections::hash_map::Entry::Vacant(entry) = self.sequence.entry(key) {
                    entry.insert(sequence);
                    self.sequences.insert(sequence);
                }
            }
            AttemptChange::Closed(key) => {
                if let Some(sequence) = self.sequence.remove(&key) {
                    self.sequences.remove(&sequence);
                }
            }
        }
    }

    /// No attempt below this sequence is without an outcome, where the next record gets the sequence `next`.
    pub(super) fn settled_to(&self, next: u64) -> u64 {
        self.sequences.first().copied().unwrap_or(next).min(next)
    }

    pub(super) fn sequences(&self) -> impl Iterator<Item = u64> {
        self.sequences.iter().copied()
    }
}
