//! Every row of every table, out of one database and into another: what `migrate`, `backup` and `restore` share.
//!
//! Rows are read page by page in the order of their key, from one snapshot of the database, and written in short
//! transactions, tables after those that they refer to. A database that is being filled is marked, so that nobody
//! serves half of one. A row has one written form, whichever database it comes from; the digest over these forms
//! says whether two tables hold the same.

mod row;
mod snapshot;
mod table;
mod target;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub(crate) use self::row::{Row, line};
pub(crate) use self::snapshot::Snapshot;
pub(crate) use self::table::{Part, Table, tables};
pub(crate) use self::target::Target;

/// Rows that are read or written at once.
pub(crate) const PAGE: u64 = 256;

/// How many rows a table has, and the digest over their written forms in the order of its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Count {
    pub(crate) rows: u64,
    pub(crate) sha256: String,
}

/// A [`Count`] that is being made.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    rows: u64,
    hash: Sha256,
}

impl Tally {
    /// The next row, as [`row::line`] writes it.
    pub(crate) fn add(&mut self, line: &str) {
        self.rows = self.rows.saturating_add(1);
        self.hash.update(line);
        self.hash.update(b"\n");
    }

    pub(crate) fn count(self) -> Count {
        Count { rows: self.rows, sha256: hex::encode(self.hash.finalize()) }
    }
}

#[cfg(test)]
mod tests;
