//! Integration tests: the starter bundle, decisions against a plain reference, and the reference documentation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod bundles;
mod doubts;
mod explaining;
mod golden;
mod hostile;
mod naive;
mod packs;
mod properties;
mod random;
mod reference;
mod starter;
