//! The values behind the placeholders of one request.

use std::collections::{HashMap, HashSet};
use std::fmt;

use zeroize::Zeroizing;

use super::key::{Digest, Purpose, TokenKey};
use super::placeholder::{self, CODE_LEN, CODE_MAX};
use super::surrogate;
use crate::{EntityCounts, EntityType, How, Redaction};

/// What stands behind one placeholder.
struct Entry {
    entity: EntityType,
    /// Tells two values apart without keeping either.
    digest: Digest,
    /// Kept only if it may be restored somewhere. Wiped when dropped.
    value: Option<Zeroizing<String>>,
    restore_text: bool,
    restore_tool_arguments: bool,
}

/// Maps the placeholders of one request to their values. Only what is in it can be restored, so a client
/// that writes somebody else's placeholder gets that placeholder back. Values are wiped when it is dropped;
/// its `Debug` shows counts only.
#[derive(Default)]
pub struct Vault {
    entries: HashMap<String, Entry>,
}

impl Vault {
    /// A vault that holds nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many placeholders it holds.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it holds no placeholder.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether some value may be restored into text, or into the arguments of tool calls.
    pub fn restores(&self, tool_arguments: bool) -> bool {
        self.entries.values().any(|entry| entry.restored(tool_arguments).is_some())
    }

    /// How many placeholders of each kind.
    pub fn counts(&self) -> EntityCounts {
        let mut counts = EntityCounts::default();
        for entry in self.entries.values() {
            counts.add(entry.entity);
        }
        counts
    }

    /// Whether `text` is a placeholder of this vault.
    pub fn holds(&self, text: &str) -> bool {
        self.entries.contains_key(text)
    }

    /// The placeholders, in no order.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Placeholder and value of what may be restored there.
    pub(crate) fn restorable(
        &self,
        tool_arguments: bool,
    ) -> impl Iterator<Item = (&str, &Zeroizing<String>)> + '_ {
        self.entries.iter().filter_map(move |(placeholder, entry)| {
            Some((placeholder.as_str(), entry.restored(tool_arguments)?))
        })
    }

    /// The placeholder for `value`, one that `text` (the text around the value) does not hold already and
    /// that stands for no other value. `None` if there is none left.
    pub(crate) fn placeholder(
        &mut self,
        entity: EntityType,
        value: &str,
        redaction: Redaction,
        key: &TokenKey,
        text: &Around<'_>,
    ) -> Option<String> {
        let surrogate = match redaction.how {
            How::Surrogate => {
                let digest = key.digest(Purpose::Surrogate, entity, value);
                let candidates = surrogate::candidates(entity, value, &digest);
                self.claim(entity, value, redaction, &digest, text, candidates)
            }
            _ => None,
        };
        // Where the made-up values of a kind run out, a token says the same.
        surrogate.or_else(|| {
            let digest = key.digest(Purpose::Token, entity, value);
            let candidates =
                (CODE_LEN..=CODE_MAX).step_by(4).map(|len| placeholder::token(entity, &digest, len));
            self.claim(entity, value, redaction, &digest, text, candidates)
        })
    }

    fn claim(
        &mut self,
        entity: EntityType,
        value: &str,
        redaction: Redaction,
        digest: &Digest,
        text: &Around<'_>,
        candidates: impl Iterator<Item = String>,
    ) -> Option<String> {
        for candidate in candidates {
            if text.holds(&candidate) {
                continue;
            }
            match self.entries.get_mut(&candidate) {
                Some(entry) if entry.digest == *digest => {
                    entry.restrict(redaction);
                    return Some(candidate);
                }
                Some(_) => {}
                None => {
                    self.entries.insert(candidate.clone(), Entry::new(entity, *digest, value, redaction));
                    return Some(candidate);
                }
            }
        }
        None
    }
}

/// The text around a value, in which a placeholder must not stand already.
#[derive(Debug, Default)]
pub(crate) struct Around<'t> {
    text: &'t str,
    /// Everything in it that has the form of a token: looked through once, not once a finding.
    tokens: HashSet<&'t str>,
}

impl<'t> Around<'t> {
    pub(crate) fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let tokens = memchr::memchr_iter(b'<', bytes)
            .filter_map(|start| {
                let rest = bytes.get(start..)?;
                let longest = rest.get(..rest.len().min(LONGEST_TOKEN))?;
                text.get(start..=start + memchr::memchr(b'>', longest)?)
            })
            .collect();
        Self { text, tokens }
    }

    fn holds(&self, candidate: &str) -> bool {
        if candidate.starts_with('<') {
            return self.tokens.contains(candidate);
        }
        self.text.contains(candidate)
    }
}

/// No token is longer, in bytes.
const LONGEST_TOKEN: usize = 96;

impl Entry {
    fn new(entity: EntityType, digest: Digest, value: &str, redaction: Redaction) -> Self {
        let Redaction { restore_text, restore_tool_arguments, .. } = redaction;
        let value = (restore_text || restore_tool_arguments).then(|| Zeroizing::new(value.to_owned()));
        Self { entity, digest, value, restore_text, restore_tool_arguments }
    }

    fn restrict(&mut self, redaction: Redaction) {
        self.restore_text &= redaction.restore_text;
        self.restore_tool_arguments &= redaction.restore_tool_arguments;
        if !self.restore_text && !self.restore_tool_arguments {
            self.value = None;
        }
    }

    fn restored(&self, tool_arguments: bool) -> Option<&Zeroizing<String>> {
        let allowed = if tool_arguments { self.restore_tool_arguments } else { self.restore_text };
        self.value.as_ref().filter(|_| allowed)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vault").field(&self.counts()).finish()
    }
}
