//! What unit tests and integration tests share.

pub(crate) mod database;
pub(crate) mod disk;
