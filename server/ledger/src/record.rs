//! A record: what one leaf of the log holds, and how it is sealed.
//!
//! The leaf is the *header*: a canonical JSON object that anyone may read. The rest of what happened is in
//! named *sections*, of which the header holds only a commitment, `SHA-256(tag || salt || bytes)`. With its
//! salt a section can be shown and checked; without, nothing is learnt about it, and once salt and bytes
//! are destroyed nobody can. The tree hashes only the header, so it never notices.

mod header;
mod kind;
mod log_id;

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::Serialize;
use sha2::{Digest, Sha256};

pub use header::{FORMAT_VERSION, Header};
pub use kind::{Kind, UnknownKind};
pub use log_id::{LogId, LogIdError};

use crate::{
    canonical::{self, CanonicalError, MAX_SAFE_INTEGER, write_string, write_u64},
    merkle::{Hash, leaf_hash},
};

/// What a replica's first record has as its `replica_sequence`; each later one has one more.
pub const FIRST_SEQUENCE: u64 = 0;

/// The longest name of a section, id, digest or kind, in bytes.
pub const MAX_NAME: usize = 64;

/// Domain tag of a section's commitment; no other message that is hashed or signed begins with it.
const SECTION_TAG: &[u8] = b"bailiwick section v1\0";

/// A salt: 32 bytes from a cryptographic generator, never used twice.
pub type Salt = [u8; 32];

/// Why a record cannot be made, or bytes are not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A name that is not 1 to 64 of `a-z`, `0-9` and `_`.
    #[error("{0:?} is not a name: use 1 to {MAX_NAME} of a-z, 0-9 and _")]
    Name(String),
    /// A section name used twice.
    #[error("section {0:?} is there twice: merge the two or rename one")]
    DuplicateSection(String),
    /// A section's value has no canonical form.
    #[error("section {section:?}: {source}")]
    Section {
        /// The section's name.
        section: String,
        /// What is wrong with its value.
        source: CanonicalError,
    },
    /// A time or sequence beyond what JSON holds exactly.
    #[error("a time or sequence is beyond ±(2^53 - 1)")]
    Range,
    /// A leaf that is not a header in canonical form.
    #[error("not a record header: {0}")]
    Header(String),
}

/// One part of a record, disclosed or destroyed on its own.
#[derive(Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name, unique within the record: 1 to 64 of `a-z`, `0-9`, `_`.
    pub name: Cow<'static, str>,
    /// Keeps the commitment from being guessed; destroy it together with the bytes.
    pub salt: Salt,
    /// Canonical JSON.
    pub bytes: Vec<u8>,
}

impl Section {
    /// A section that holds `value`.
    ///
    /// # Errors
    ///
    /// [`RecordError::Section`] where `value` has no canonical form.
    pub fn new<T: Serialize + ?Sized>(
        name: impl Into<Cow<'static, str>>,
        value: &T,
        salt: Salt,
    ) -> Result<Self, RecordError> {
        let name = name.into();
        match canonical::to_vec(value) {
            Ok(bytes) => Ok(Self { name, salt, bytes }),
            Err(source) => Err(RecordError::Section { section: name.into_owned(), source }),
        }
    }

    /// What the header says about this section.
    #[must_use]
    pub fn commitment(&self) -> Hash {
        commitment(&self.salt, &self.bytes)
    }
}

// Neither the salt nor the bytes: a debug line must not disclose what the log withholds.
impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section")
            .field("name", &self.name)
            .field("length", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// `SHA-256("bailiwick section v1" || 0x00 || salt || bytes)`.
#[must_use]
pub fn commitment(salt: &Salt, bytes: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(SECTION_TAG).chain_update(salt).chain_update(bytes).finalize().into())
}

/// A record before it has a place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Unix milliseconds.
    pub time_ms: i64,
    /// What happened.
    pub kind: Kind,
    /// The scope that it concerns, as a path.
    pub scope: Option<String>,
    /// Random or otherwise meaningless ids: decision, attempt, key, principal, …
    pub ids: BTreeMap<Cow<'static, str>, String>,
    /// Digests of what is kept elsewhere: bundle, catalog, …
    pub digests: BTreeMap<Cow<'static, str>, String>,
    /// What the header only commits to.
    pub sections: Vec<Section>,
}

impl Draft {
    /// A draft with nothing but a kind and a time in Unix milliseconds.
    #[must_use]
    pub const fn new(kind: Kind, time_ms: i64) -> Self {
        Self {
            time_ms,
            kind,
            scope: None,
            ids: BTreeMap::new(),
            digests: BTreeMap::new(),
            sections: Vec::new(),
        }
    }

    /// Sets the scope.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Adds an id.
    #[must_use]
    pub fn id(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.ids.insert(name.into(), value.into());
        self
    }

    /// Adds a digest.
    #[must_use]
    pub fn digest(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) -> Self {
        self.digests.insert(name.into(), value.into());
        self
    }

    /// Adds a section.
    #[must_use]
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Fixes the record's bytes as number `replica_sequence` of `replica` in `log`. The sections come out
    /// sorted by name.
    ///
    /// # Errors
    ///
    /// [`RecordError`] where a name is malformed or repeats, or a number is out of range.
    pub fn seal(mut self, log: &LogId, replica: &str, replica_sequence: u64) -> Result<Record, RecordError> {
        self.sections.sort_by(|a, b| a.name.cmp(&b.name));
        let leaf = self.header(log, replica, replica_sequence)?;
        Ok(Record { leaf_hash: leaf_hash(&leaf), leaf, sections: self.sections })
    }

    /// Writes the header by hand, its keys in canonical order: this is on every request's way, twice.
    fn header(&self, log: &LogId, replica: &str, replica_sequence: u64) -> Result<Vec<u8>, RecordError> {
        let time = self.time_ms.unsigned_abs();
        if time > MAX_SAFE_INTEGER || replica_sequence > MAX_SAFE_INTEGER {
            return Err(RecordError::Range);
        }
        let pairs = self.sections.len() + self.ids.len() + self.digests.len();
        let mut out = Vec::with_capacity(256 + 96 * pairs);
        out.extend_from_slice(b"{\"commitments\":{");
        let mut last: Option<&str> = None;
        for section in &self.sections {
            if last == Some(&section.name) {
                return Err(RecordError::DuplicateSection(section.name.clone().into_owned()));
            }
            write_name(&mut out, last.is_none(), &section.name)?;
            out.push(b'"');
            out.extend_from_slice(&section.commitment().to_hex());
            out.push(b'"');
            last = Some(&section.name);
        }
        out.extend_from_slice(b"},\"digests\":{");
        write_pairs(&mut out, &self.digests)?;
        out.extend_from_slice(b"},\"ids\":{");
        write_pairs(&mut out, &self.ids)?;
        out.extend_from_slice(b"},\"kind\":");
        write_string(&mut out, self.kind.as_str());
        out.extend_from_slice(b",\"log\":");
        write_string(&mut out, log.as_str());
        out.extend_from_slice(b",\"replica\":");
        write_string(&mut out, replica);
        out.extend_from_slice(b",\"replica_sequence\":");
        write_u64(&mut out, replica_sequence);
        if let Some(scope) = &self.scope {
            out.extend_from_slice(b",\"scope\":");
            write_string(&mut out, scope);
        }
        out.extend_from_slice(b",\"time\":");
        if self.time_ms < 0 {
            out.push(b'-');
        }
        write_u64(&mut out, time);
        out.extend_from_slice(b",\"v\":");
        write_u64(&mut out, FORMAT_VERSION);
        out.push(b'}');
        Ok(out)
    }
}

fn write_pairs(out: &mut Vec<u8>, pairs: &BTreeMap<Cow<'static, str>, String>) -> Result<(), RecordError> {
    for (at, (name, value)) in pairs.iter().enumerate() {
        write_name(out, at == 0, name)?;
        write_string(out, value);
    }
    Ok(())
}

fn write_name(out: &mut Vec<u8>, first: bool, name: &str) -> Result<(), RecordError> {
    if !is_name(name) {
        return Err(RecordError::Name(name.to_owned()));
    }
    if !first {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    Ok(())
}

/// Names are ASCII so that their order is the same in every language's sort.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
}

/// A sealed record: a leaf, its hash, and the sections that it commits to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The exact bytes that are hashed: the header in canonical JSON.
    pub leaf: Vec<u8>,
    /// The hash of `leaf` in the tree.
    pub leaf_hash: Hash,
    /// The sections, sorted by name.
    pub sections: Vec<Section>,
}
