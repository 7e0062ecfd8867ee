//! Thoughts that nobody can read but the provider that had them: signed, or encrypted.
//!
//! A client has to send them back with the next turn, and nothing in them can be searched. What one may hold is what the model
//! had been told. So each that an answer tells is remembered before its client gets it, as a keyed digest with the data
//! classes of the request, and one that comes back brings those classes with it, wherever it comes back. One that is not
//! known here may hold anything: then every class that nobody declared is unknown, as with an image.
//!
//! Also remembered is that a client got only a part of a thought's text, because a rule replaces something in it: a part is not
//! what was signed, so such a thought goes back to its provider without any of it.
//!
//! Remembered for [`KEPT_DAYS`], by all servers of one database. *Blind spots:* a thought of an answer that could not be
//! remembered within `PATIENCE` counts as not known; what is asked about is the classes of a request, not what its
//! client declared of its sensitivity and of where the people are whom it is about.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bailiwick_pii::{ClassSet, DataClass};

use super::Gateway;
use super::decide::Decided;
use super::document::{Document, NodeId};
use super::pseudonym::{Named, PseudonymKey};
use super::read::Read;
use super::rewrite::Rewriter;
use crate::store::sealed_thoughts::{self, SealedThought};
use crate::store::{Store, StoreError};

/// How long a thought is known. A conversation that is taken up later begins anew.
pub const KEPT_DAYS: i64 = 30;

/// A shorter string is text, and looked at as such.
pub(super) const SHORTEST: usize = 128;

/// How long an answer waits for its thoughts to be remembered, and a request for what is known.
const PATIENCE: Duration = Duration::from_secs(2);

/// Thoughts of one request that are looked up. A longer conversation has more than fits into any context.
const MOST: usize = 4_096;

/// A sealed thought of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// The signature, or what is sealed.
    pub(super) value: String,
    /// Whether the client gets only a part of its text.
    pub(super) cut: bool,
}

/// What is known of the sealed thoughts of a request.
#[derive(Debug, Default)]
pub struct Known {
    /// Classes that the requests held which they are from.
    pub(super) classes: ClassSet,
    /// Classes that those may have held.
    pub(super) unknown: ClassSet,
    /// Whether one of them is not known here.
    pub(super) strange: bool,
    /// The signatures of those whose text is a part of what was signed.
    pub(super) cut: BTreeSet<NodeId>,
}

impl Gateway {
    /// Tells a request what is known of its sealed thoughts. Only one that has any waits for the database.
    pub(super) async fn recall(&self, read: &mut Read) {
        if !read.text.seals.is_empty() {
            let known = self.sealed.known(&self.pseudonyms, &read.document, &read.text.seals);
            // In a box, because it is seldom asked.
            read.sealed = Box::pin(known).await;
        }
    }

    /// Remembers the sealed thoughts that came in an answer since this was done before.
    pub(super) async fn remember(&self, decided: &Decided, rewriter: &mut Rewriter) {
        let seals = rewriter.take_seals();
        if !seals.is_empty() {
            Box::pin(self.sealed.keep(&self.pseudonyms, decided, seals, self.clock.now_ms())).await;
        }
    }
}

/// Where they are remembered.
#[derive(Debug)]
pub struct SealedThoughts {
    store: Store,
}

impl SealedThoughts {
    /// In this database.
    #[must_use]
    pub const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Remembers thoughts of the answer to a request. Where that fails they will not be known.
    pub(super) async fn keep(&self, key: &PseudonymKey, decided: &Decided, seals: Vec<Seal>, now_ms: i64) {
        let classes = decided.facts.classes;
        let row = |seal: Seal| SealedThought {
            digest: key.of(Named::Thought, &seal.value),
            decision: decided.id.clone(),
            classes: words(classes.yes),
            unknown: words(classes.unknown),
            cut: seal.cut,
            seen_ms: now_ms,
        };
        // By digest, because one statement must not add a row twice.
        let rows: BTreeMap<String, SealedThought> =
            seals.into_iter().map(row).map(|row| (row.digest.clone(), row)).collect();
        let keep = sealed_thoughts::keep(&self.store, rows.into_values().collect());
        let kept = tokio::time::timeout(PATIENCE, keep).await;
        let error = match kept {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the database did not answer within {PATIENCE:?}"),
        };
        tracing::warn!(decision = decided.id, error, "a signed thought could not be remembered");
    }

    /// What is known of the sealed thoughts of a body.
    pub(super) async fn known(&self, key: &PseudonymKey, document: &Document, seals: &[NodeId]) -> Known {
        let mut known = Known::default();
        let mut of: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
        for seal in seals {
            let value = document.string(*seal).unwrap_or_default();
            of.entry(key.of(Named::Thought, &value)).or_default().push(*seal);
        }
        let digests: Vec<String> = of.keys().take(MOST).cloned().collect();
        known.strange = of.len() > digests.len();
        let found = tokio::time::timeout(PATIENCE, sealed_thoughts::find(&self.store, &digests)).await;
        let found =
            found.unwrap_or_else(|_| Err(StoreError::Unavailable(format!("no answer within {PATIENCE:?}"))));
        let found = found.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is known of signed thoughts could not be asked");
            Vec::new()
        });
        let mut seen = BTreeSet::new();
        for thought in &found {
            match (classes(&thought.classes), classes(&thought.unknown)) {
                (Some(yes), Some(unknown)) => {
                    known.classes = known.classes.union(yes);
                    known.unknown = known.unknown.union(unknown);
                    seen.insert(thought.digest.as_str());
                }
                // Of a class that this version does not know nothing is known.
                _ => continue,
            }
            if thought.cut {
                known.cut.extend(of.get(&thought.digest).into_iter().flatten());
            }
        }
        known.strange |= digests.iter().any(|digest| !seen.contains(digest.as_str()));
        known
    }

    /// Forgets what is older than [`KEPT_DAYS`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget(&self, now_ms: i64) -> Result<u64, StoreError> {
        sealed_thoughts::sweep(&self.store, now_ms - KEPT_DAYS * 86_400_000).await
    }
}

fn words(classes: ClassSet) -> String {
    classes.iter().map(DataClass::as_str).collect::<Vec<_>>().join(",")
}

fn classes(words: &str) -> Option<ClassSet> {
    words.split(',').filter(|word| !word.is_empty()).map(|word| word.parse::<DataClass>().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_written_and_read() {
        for set in [ClassSet::EMPTY, ClassSet::all(), DataClass::Phi.into()] {
            assert_eq!(classes(&words(set)), Some(set));
        }
        assert_eq!(classes("personal,of_next_year"), None);
    }
}
