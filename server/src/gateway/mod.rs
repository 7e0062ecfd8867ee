//! The request's way, a file a stage.

pub mod document;
pub mod refusal;
pub mod spans;

pub use refusal::{Code, Excluded, Refusal};
