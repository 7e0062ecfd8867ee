//! Options of the commands that work on a server's files and database themselves.

use std::path::PathBuf;

use super::Failed;
use crate::app::{Config, StartError};

/// Reads it, or takes the defaults.
pub(super) fn configuration(path: Option<PathBuf>) -> Result<Config, Failed> {
    match path {
        Some(path) => Ok(Config::read(&path).map_err(StartError::from)?),
        None => Ok(Config::default()),
    }
}
