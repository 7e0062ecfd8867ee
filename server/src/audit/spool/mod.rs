//! The spool: where a replica makes records durable while it is cut off from its database.
//!
//! A file in the data directory, which takes what a group commit would have taken, one [`Frame`] a group. What is in it
//! is handed in to the database in order before anything newer, by this process, or by the next one that starts in the
//! directory. A replica's records are numbered without a gap, so whoever hands in asks the database for the next
//! number and begins there: handing in twice changes nothing.
//!
//! What others may do with the replica meanwhile is told by its row: see `store::replicas::spools`.

mod cut;
mod file;
mod frame;
mod hand_in;

use std::path::PathBuf;
use std::time::Duration;

pub(super) use cut::{Cut, Worked, worked};
pub(super) use file::Spool;
pub use file::SpoolError;
pub(crate) use file::{Left, read};
pub(crate) use frame::Frame;
pub(crate) use hand_in::{By, hand_in, same};

/// How a log spools.
#[derive(Clone, Debug)]
pub struct SpoolConfig {
    /// The file.
    pub path: PathBuf,
    /// The most that it may hold, in bytes.
    pub bytes: u64,
    /// For how long new requests are let in while the database is away. What came of those that were sent is taken for
    /// longer, as long as there is room.
    pub bound: Duration,
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
