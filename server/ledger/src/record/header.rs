//! Reading a leaf back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Kind, LogId, RecordError, is_name};
use crate::{
    canonical::{self, MAX_SAFE_INTEGER},
    fields::present,
    merkle::Hash,
};

/// The version of the record format, `v` in the header.
pub const FORMAT_VERSION: u64 = 1;

/// The disclosed part of a record, as parsed from its leaf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Section name to commitment.
    pub commitments: BTreeMap<String, Hash>,
    /// Digests of what is kept elsewhere.
    pub digests: BTreeMap<String, String>,
    /// Ids of what the record concerns.
    pub ids: BTreeMap<String, String>,
    /// What happened: a [`Kind`], or one that this version does not know.
    pub kind: String,
    /// The log that the record belongs to.
    pub log: LogId,
    /// The replica that appended it.
    pub replica: String,
    /// Its number among that replica's records, without gaps.
    pub replica_sequence: u64,
    /// The scope that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub scope: Option<String>,
    /// Unix milliseconds.
    pub time: i64,
    /// Version of the format.
    pub v: u64,
}

impl Header {
    /// Reads a leaf, strictly: canonical form, exactly the known fields, well-formed names.
    ///
    /// # Errors
    ///
    /// [`RecordError::Header`] or [`RecordError::Name`] says what does not hold.
    pub fn parse(leaf: &[u8]) -> Result<Self, RecordError> {
        canonical::check(leaf).map_err(|error| RecordError::Header(error.to_string()))?;
        let header: Self =
            serde_json::from_slice(leaf).map_err(|error| RecordError::Header(error.to_string()))?;
        if header.v != FORMAT_VERSION {
            return Err(RecordError::Header(format!(
                "its format version is {}, this verifier knows {FORMAT_VERSION}",
                header.v
            )));
        }
        if header.time.unsigned_abs() > MAX_SAFE_INTEGER || header.replica_sequence > MAX_SAFE_INTEGER {
            return Err(RecordError::Range);
        }
        let names = header.commitments.keys().chain(header.digests.keys()).chain(header.ids.keys());
        if let Some(name) = names.chain([&header.kind]).find(|name| !is_name(name)) {
            return Err(RecordError::Name(name.clone()));
        }
        Ok(header)
    }

    /// The kind, where this version knows it.
    #[must_use]
    pub fn known_kind(&self) -> Option<Kind> {
        self.kind.parse().ok()
    }
}
