//! Properties of the detector, of redaction and of streams, and the reference's examples.

mod properties;
mod redaction;
mod reference;
mod streams;
mod text;
