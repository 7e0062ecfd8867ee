//! Which compliance database a command that needs no server reads: the one in the binary, or a signed release, as the server
//! that will decide has it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bailiwick_compliance_db::Database;
use clap::Args;

use super::Failed;
use crate::release::{Release, public_key};

#[derive(Debug, Default, Args)]
pub(super) struct FactsArgs {
    /// The release of the compliance database that the server has, in place of the one in the binary
    #[arg(long, value_name = "FILE", requires = "release_key")]
    release: Option<PathBuf>,
    /// The public key that has to have signed the release
    #[arg(long, value_name = "FILE", requires = "release")]
    release_key: Option<PathBuf>,
}

impl FactsArgs {
    /// Whether a release is named.
    pub(super) fn is_release(&self) -> bool {
        self.release.is_some()
    }

    /// The files.
    pub(super) fn files(&self) -> Result<BTreeMap<String, String>, Failed> {
        let (Some(release), Some(key)) = (&self.release, &self.release_key) else {
            return Ok(Database::embedded_files().collect());
        };
        let said = |error: crate::release::ReleaseError| Failed::Said(error.to_string());
        Ok(Release::open(release, &public_key(key).map_err(said)?).map_err(said)?.files)
    }
}
