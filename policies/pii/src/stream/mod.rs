//! Redaction and restoring on streams, without holding the stream.

mod guard;
mod restorer;
mod window;

pub use guard::Guard;
pub use restorer::Restorer;
