//! The embedded database, resolved for endpoints that exist, and the loader on files that are wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "clippy's leave for tests covers test functions only, and these files have helpers too"
)]

mod attestations;
mod compare;
mod covered;
mod data;
mod docs;
mod golden;
mod lint;
mod load;
mod matrix;
mod models;
mod own;
mod places;
mod properties;
mod retention;
mod support;
