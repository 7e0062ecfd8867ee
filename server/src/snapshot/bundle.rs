//! The bundle in force: the one that the server was started with, or the last one that came out of the repository.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, BundleSource, Problem, lint};
use chrono::DateTime;

use super::archive::recall_bundle;
use super::{Archive, BuildError, Snapshot, Sources};
use crate::store::policy_versions::PolicyVersion;
use crate::store::{self, Store};

/// A bundle, and the compliance database as this bundle has it.
#[derive(Debug)]
pub struct LoadedBundle {
    /// The bundle.
    pub bundle: Arc<Bundle>,
    /// The database, with what the bundle adds to it.
    pub database: Arc<Database>,
    /// The files that both were loaded from, to be kept as long as records name them.
    pub archive: Archive,
    /// Looked for once, when somebody asks.
    doubts: OnceLock<Vec<Problem>>,
}

impl LoadedBundle {
    /// Loads both from the bundle's files and those of the database that are `shipped`.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn of(source: BundleSource, shipped: &BTreeMap<String, String>) -> Result<Self, Vec<Problem>> {
        let bundle = Bundle::load(&source)?;
        let database = bundle.database(shipped.clone())?;
        let archive = Archive::new(source.files, bundle.catalog(shipped.clone()));
        Ok(Self { bundle: Arc::new(bundle), database: Arc::new(database), archive, doubts: OnceLock::new() })
    }

    /// What [`doubts`](Self::doubts) said when it was asked first.
    #[must_use]
    pub fn known_doubts(&self) -> Option<&[Problem]> {
        self.doubts.get().map(Vec::as_slice)
    }

    /// What the lint says of the bundle, as of the instant at which it was asked first. It may take a while.
    pub fn doubts(&self, now_ms: i64) -> &[Problem] {
        self.doubts.get_or_init(|| {
            let now = DateTime::from_timestamp_millis(now_ms).unwrap_or_default();
            lint(&self.bundle, &self.database, now)
        })
    }
}

/// The bundle and, where it comes from a repository, its version there.
pub(super) async fn in_force(
    store: &Store,
    sources: &Sources,
    previous: Option<&Snapshot>,
) -> Result<(Arc<LoadedBundle>, Option<PolicyVersion>), BuildError> {
    if let Some(loaded) = &sources.bundle {
        return Ok((Arc::clone(loaded), None));
    }
    let failed = |commit: &str, why: String| BuildError::Bundle { commit: commit.to_owned(), why };
    let Some(version) = store::policy_versions::current(store).await? else {
        return Err(failed("(none)", String::from("no commit of the repository has come into force yet")));
    };
    if let Some(previous) = previous.filter(|previous| previous.bundle_digest == version.digest) {
        return Ok((Arc::clone(&previous.loaded), Some(version)));
    }
    let Some(source) = recall_bundle(store, &version.digest).await? else {
        let why = "its files are not in the database, or not as they were";
        return Err(failed(&version.commit_id, why.to_owned()));
    };
    // Reading a large bundle takes longer than a request may wait for a thread.
    let shipped = Arc::clone(&sources.shipped);
    let loaded = crate::background::soon(move || LoadedBundle::of(source.clone(), &shipped)).await;
    match loaded {
        Ok(Ok(loaded)) => Ok((Arc::new(loaded), Some(version))),
        Ok(Err(problems)) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Err(failed(&version.commit_id, problems.join("; ")))
        }
        Err(error) => Err(failed(&version.commit_id, error.to_string())),
    }
}
