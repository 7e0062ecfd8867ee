//! The database: sea-orm entities and the queries over them, a file a resource. No other module knows SQL.
//!
//! Every function returns [`StoreError`], which says what the caller can do: try again, choose another name,
//! tell that there is no such thing, or call a person. Reads run on the read pool and may be a moment behind a
//! write that has not returned yet; writes run one after the other.

pub mod budgets;
mod connect;
//DD
pub mod endpoints;
mod entities;
mod error;
pub mod keys;
pub mod people;
//RR
pub mod scopes;
pub mod service_tokens;
pub mod sessions;
pub mod settings;
pub mod setup_links;
//TT

pub use connect::Store;
pub use error::StoreError;
