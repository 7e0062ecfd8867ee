//! Credentials of providers: sealed in the database, or referred to (a file, the environment, Vault), and never shown.
//!
//! A credential that is kept here is sealed with AES-256-GCM under a key of its own, and that one under the
//! [master key](MasterKeys), which is not in the database. [`Keyring`] gives what the references stand for now; a
//! snapshot takes it from there, so a request under way goes on with the credential that it began with.

mod envelope;
mod files;
mod keyring;
mod master;
mod references;
mod source;
mod vault;

pub use envelope::{Envelope, SealError};
pub use keyring::{Keyring, Values};
pub use master::{MasterKeySource, MasterKeys};
pub use references::References;
pub(crate) use references::check as check_references;
pub use source::{CredentialDefinition, CredentialSource, VaultSecret};
pub(crate) use source::{read_file, usable};
pub use vault::{Vault, VaultAuth, VaultConfig};
