//! Properties of the detector, of redaction and of streams, and the reference's examples.
#![allow(clippy::indexing_slicing, clippy::string_slice, reason = "a test fails by a panic")]

mod any_text;
mod bodies;
mod gold;
mod kinds;
mod logs;
mod properties;
mod redaction;
mod reference;
mod safe_harbor;
mod streams;
mod text;
