//! Options of the commands that work on a server's files and database themselves.

use std::path::PathBuf;

use clap::Args;

use super::Failed;
use crate::app::{Config, DatabaseUrl, StartError};
use crate::transfer::Place;

#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    /// The server's configuration; defaults where absent
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory, in place of the configuration's
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// The database, in place of the configuration's: a URL with a password is better kept in the variable
    #[arg(long, env = "BAILIWICK_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<DatabaseUrl>,
}

impl PlaceArgs {
    /// The place, and the name of its server.
    pub(super) fn place(self) -> Result<(Place, String), Failed> {
        let config = configuration(self.config)?;
        let place = Place {
            data_dir: self.data_dir.unwrap_or(config.data_dir),
            database_url: self.database_url.or(config.database_url),
        };
        Ok((place, config.replica))
    }
}

/// Reads it, or takes the defaults.
pub(super) fn configuration(path: Option<PathBuf>) -> Result<Config, Failed> {
    match path {
        Some(path) => Ok(Config::read(&path).map_err(StartError::from)?),
        None => Ok(Config::default()),
    }
}
