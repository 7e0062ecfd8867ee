//! Finds personal data, card numbers and credentials in text, redacts them, and restores them, also on
//! streams. Pure: no I/O, no clock, no global state; keys come in as arguments. Compiles to wasm.
//!
//! [`Detector::scan`] gives [`Finding`]s: byte spans over UTF-8. [`redact`] replaces their values as a
//! [`RedactionPlan`] says and keeps what may be restored in a [`Vault`]. On the way back [`stream::Guard`]
//! scans, redacts and restores a stream; [`stream::Restorer`] only restores.

mod bytes;
mod class;
mod detector;
mod entity;
mod error;
pub mod eval;
mod finding;
mod fold;
mod json;
mod phone_regions;
mod recognizers;
mod redact;
pub mod stream;

pub use class::{ClassSet, DataClass, Sensitivity};
pub use detector::Detector;
pub use entity::{EntityCounts, EntitySet, EntityType};
pub use error::UnknownName;
pub use finding::{Confidence, Finding, Score};
pub use json::Embedded;
pub use phone_regions::PhoneRegions;
pub use recognizers::numbered::NumberKind;
pub use redact::{How, Mode, Redaction, RedactionPlan, TokenKey, Vault, redact, redact_embedded};
