//! The request's way, a file a stage.

pub mod document;
