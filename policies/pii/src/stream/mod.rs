//! Redaction and restoring on streams, without holding the stream.

mod guard;
mod restorer;

pub use guard::Guard;
pub use restorer::Restorer;
