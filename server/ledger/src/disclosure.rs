//! Sections as exports and receipts carry them, and the check of a record against its header.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Hash, Header, Section, canonical,
    record::{RecordError, commitment},
};

/// A disclosed section: what was committed to, and the salt.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosed {
    /// The section's canonical JSON.
    pub bytes: String,
    /// The salt; 64 hex digits in the file.
    pub salt: Hash,
}

/// Disclosed sections by name.
pub type Sections = BTreeMap<String, Disclosed>;

// As for `Section`: no content and no salt in debug output.
impl std::fmt::Debug for Disclosed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disclosed").field("length", &self.bytes.len()).finish_non_exhaustive()
    }
}

/// The sections of a record in the form that files carry.
///
/// # Errors
///
/// [`RecordError::Header`] for a section that is not UTF-8 and so no JSON.
pub fn disclose<'a>(sections: impl IntoIterator<Item = &'a Section>) -> Result<Sections, RecordError> {
    let one = |section: &Section| {
        let bytes = String::from_utf8(section.bytes.clone())
            .map_err(|_| RecordError::Header(format!("section {:?} is not UTF-8", section.name)))?;
        Ok((section.name.clone().into_owned(), Disclosed { bytes, salt: Hash(section.salt) }))
    };
    sections.into_iter().map(one).collect()
}

/// What became of a section in a file.
#[derive(Clone, PartialEq, Eq)]
pub enum SectionState {
    /// Shown, and it matches its commitment: its canonical JSON.
    Disclosed(String),
    /// Not shown; only its commitment is known. Where it was destroyed, a later record of kind `prune`
    /// names it.
    Withheld,
}

// Verified content is still content.
impl std::fmt::Debug for SectionState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Disclosed(_) => "Disclosed",
            Self::Withheld => "Withheld",
        })
    }
}

/// A record whose header is well-formed and whose disclosed sections match it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRecord {
    /// Its number in the log, from 0.
    pub index: u64,
    /// What is always disclosed.
    pub header: Header,
    /// Every section that the header commits to.
    pub sections: BTreeMap<String, SectionState>,
}

impl VerifiedRecord {
    /// Checks the leaf and its sections against each other; not that the leaf is in the tree.
    pub(crate) fn check(index: u64, leaf: &str, mut shown: Sections) -> Result<Self, Mismatch> {
        let header = Header::parse(leaf.as_bytes())?;
        let mut sections = BTreeMap::new();
        for (name, expected) in &header.commitments {
            let state = match shown.remove(name) {
                None => SectionState::Withheld,
                Some(section) if commitment(&section.salt.0, section.bytes.as_bytes()) != *expected => {
                    return Err(Mismatch::Commitment(name.clone()));
                }
                Some(section) => {
                    canonical::check(section.bytes.as_bytes())
                        .map_err(|error| Mismatch::Section(name.clone(), error.to_string()))?;
                    SectionState::Disclosed(section.bytes)
                }
            };
            sections.insert(name.clone(), state);
        }
        match shown.into_keys().next() {
            Some(name) => Err(Mismatch::Uncommitted(name)),
            None => Ok(Self { index, header, sections }),
        }
    }

    /// How many sections are disclosed.
    #[must_use]
    pub fn disclosed(&self) -> u64 {
        self.sections.values().filter(|state| matches!(state, SectionState::Disclosed(_))).count() as u64
    }
}

/// Why a record and its sections do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The leaf is no header.
    #[error(transparent)]
    Header(#[from] RecordError),
    /// A section was changed after it was recorded.
    #[error("section {0:?} does not match the commitment in its record: the section or its salt was changed")]
    Commitment(String),
    /// A section that is committed to but malformed.
    #[error("section {0:?} is {1}")]
    Section(String, String),
    /// A section that the header does not mention.
    #[error("section {0:?} is not part of this record: it was added later")]
    Uncommitted(String),
}
