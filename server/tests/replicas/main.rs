//! Servers as they run in production: real processes of the real binary, each with a data directory of its own, on one
//! PostgreSQL; or, where the run is one on SQLite, one process alone.
#![allow(missing_docs, reason = "tests name themselves")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    clippy::float_arithmetic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking"
)]

mod alerts;
#[path = "../it/books.rs"]
mod books;
mod changes;
mod connections;
mod credentials;
mod cut_off;
mod database_disk;
mod deaths;
mod fleet;
#[allow(dead_code, reason = "the other tests' receiver can do more")]
#[path = "../it/hook.rs"]
mod hook;
#[allow(dead_code, reason = "the other tests' provider can do more")]
#[path = "../it/idp.rs"]
mod idp;
mod load;
mod money;
mod outages;
mod process;
mod proxy;
mod spool;
mod spool_disk;
#[path = "../support/mod.rs"]
mod support;
mod upgrade;
