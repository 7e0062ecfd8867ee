//! PostgreSQL: what a `postgres://` URL means here, and the two ways to the database that it gives.
//!
//! *The pool* is small and bounded and does everything but one thing. *The writer* is one connection of its own:
//! the group commit runs on it, so that no number of slow readers can make a record wait; see [`Writer`].

mod address;
mod pool;
mod writer;

pub(super) use self::address::Address;
pub(super) use self::pool::{migrate, open};
pub(super) use self::writer::Writer;

/// The first half of the keys of our advisory locks: "bail" in ASCII. They are the database's own, so that two
/// databases of one cluster do not meet.
const LOCKS: i32 = 0x6261_696c;
/// The second half, of the lock that is held while the schema changes.
const MIGRATION: i32 = 1;
