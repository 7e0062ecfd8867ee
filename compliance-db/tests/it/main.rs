//! The embedded database, resolved for endpoints that exist.

mod data;
