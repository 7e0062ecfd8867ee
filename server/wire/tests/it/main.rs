//! The wires against fixtures, and against one another.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bedrock;
mod coverage;
mod gemini;
mod gemini_client;
mod golden;
mod properties;
mod responses;
mod streams;
