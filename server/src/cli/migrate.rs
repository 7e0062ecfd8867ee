//! `bailiwick migrate`.

use std::path::PathBuf;

use clap::Args;

use super::place::configuration;
use super::{Failed, Output};
use crate::app::DatabaseUrl;
use crate::transfer::{Place, migrate};

#[derive(Debug, Args)]
pub(super) struct MigrateArgs {
    /// The server's configuration; defaults where absent
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory with the SQLite database, in place of the configuration's
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// The empty PostgreSQL database, in place of what the configuration says: a URL with a password is better kept in
    /// the variable
    #[arg(long, env = "BAILIWICK_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    to: Option<DatabaseUrl>,
}

pub(super) async fn run(args: MigrateArgs, output: Output) -> Result<(), Failed> {
    let config = configuration(args.config)?;
    let is_sqlite = |url: &DatabaseUrl| url.as_str().starts_with("sqlite:");
    // What the configuration says is the old database, or already the new one.
    let (old, new) = match config.database_url {
        Some(url) if is_sqlite(&url) => (Some(url), None),
        url => (None, url),
    };
    let Some(to) = args.to.or(new) else {
        return Err(Failed::Said(String::from(
            "where to? Set BAILIWICK_DATABASE_URL, `database_url` in the configuration, or `--to`, to the URL of an empty \
             PostgreSQL database",
        )));
    };
    let from = match args.from {
        Some(data_dir) => Place { data_dir, database_url: None },
        None => Place { data_dir: config.data_dir, database_url: old },
    };
    let moved = migrate(&from, &to, |what| output.note(what)).await?;
    output.result(&moved, || {
        let rows: u64 = moved.rows.values().sum();
        format!(
            "moved {rows} rows to {}. The log {} has {} leaves with the root {}, as before; {} checkpoints hold. The old \
             database is out of service; serve the new one with the same data directory",
            moved.to, moved.log, moved.size, moved.root, moved.checkpoints
        )
    });
    Ok(())
}
