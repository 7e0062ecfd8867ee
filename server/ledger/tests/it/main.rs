//! Integration tests of the ledger: known vectors, properties, tampering, and the second verifier.
#![allow(missing_docs, reason = "tests name themselves")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod canonical;
mod checkpoint;
mod document;
mod export;
mod hostile;
mod merkle;
mod receipt;
mod record;
mod sample;
mod second_verifier;
