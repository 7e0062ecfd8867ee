//! The embedded database, resolved for endpoints that exist, and the loader on files that are wrong.

mod attestations;
mod data;
mod golden;
mod load;
mod models;
mod places;
mod properties;
mod retention;
mod support;
