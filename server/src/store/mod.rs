//! The database: sea-orm entities and the queries over them, a file a resource. No other module knows SQL.
//!
//! Every function returns [`StoreError`], which says what the caller can do: try again, choose another name,
//! tell that there is no such thing, or call a person. A read may be a moment behind a write that has not
//! returned yet. On SQLite writes run one after the other, on PostgreSQL beside one another: what reads and then
//! writes does so in one transaction, with the rows locked that it read.

pub mod alert_messages;
pub mod alerts;
pub mod budgets;
pub(crate) mod commit;
mod connect;
pub(crate) mod copy;
pub mod credentials;
pub mod decisions;
pub mod done_once;
pub mod endpoints;
pub mod entities;
mod error;
pub mod identities;
pub mod keys;
pub mod kill_switches;
pub(crate) mod leases;
pub mod leaving;
pub mod model_groups;
pub(crate) mod notices;
pub mod people;
pub mod policy_versions;
mod postgres;
pub(crate) mod records;
pub mod replay;
pub(crate) mod replicas;
pub mod requests;
pub(crate) mod retry;
pub mod revision;
pub(crate) mod runs;
pub mod scim_groups;
pub mod scim_users;
pub mod scopes;
pub mod sealed_thoughts;
pub(crate) mod sections;
mod seen;
pub(crate) mod sequence;
pub mod service_tokens;
pub mod sessions;
pub mod settings;
pub mod setup_links;
pub mod sign_ins;
pub(crate) mod standing;
pub mod traffic;
pub(crate) mod tree;
mod whole;
mod within;
pub mod workloads;
mod writes;

pub(crate) use connect::Location;
pub use connect::Store;
pub use error::StoreError;
pub use whole::MayBeOfStore;

#[cfg(test)]
mod tests;
