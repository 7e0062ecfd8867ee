//! The audit log's data structures: records, canonical JSON, salted commitments, the Merkle tree, signed
//! checkpoints, exports and receipts.
//!
//! A *record* is one leaf of an RFC 6962 tree over SHA-256. Its bytes are a small disclosed header in
//! canonical JSON (RFC 8785) that commits, with a salt each, to *sections* which can be shown, withheld or
//! destroyed one by one without changing the tree. A *checkpoint* is a signed tree head in the C2SP
//! `tlog-checkpoint` form. An *export* is a file of consecutive leaves that proves its own completeness; a
//! *receipt* is a few records with their inclusion proofs.
//!
//! The crate does no I/O of its own, reads no clock and draws no random numbers: times, salts and keys are
//! arguments. It also builds for `wasm32-unknown-unknown`, so that a browser verifies with the same code as
//! the command line. The formats are specified in `docs/reference/audit-format.md`.

pub mod canonical;
pub mod checkpoint;
pub mod disclosure;
pub mod export;
mod fields;
pub mod key;
pub mod merkle;
pub mod note;
pub mod receipt;
pub mod record;
pub mod verify;

pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use export::{ExportError, ExportWriter};
pub use key::{PublicKey, Signer};
pub use merkle::Hash;
pub use receipt::{Receipt, ReceiptRecord};
pub use record::{Draft, Header, Kind, LogId, Record, RecordError, Section};
pub use verify::{FileKind, Report, Verifier, file_kind, verify_export};
