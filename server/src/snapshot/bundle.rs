//! The bundle in force: the one that the server was started with, or the last one that came out of the repository.

use std::sync::Arc;

use bailiwick_policy::Bundle;

use super::archive::recall_bundle;
use super::{BuildError, Snapshot, Sources};
use crate::store::policy_versions::PolicyVersion;
use crate::store::{self, Store};

/// The bundle and, where it comes from a repository, its version there.
pub(super) async fn in_force(
    store: &Store,
    sources: &Sources,
    previous: Option<&Snapshot>,
) -> Result<(Arc<Bundle>, Option<PolicyVersion>), BuildError> {
    if let Some(bundle) = &sources.bundle {
        return Ok((Arc::clone(bundle), None));
    }
    let failed = |commit: &str, why: String| BuildError::Bundle { commit: commit.to_owned(), why };
    let Some(version) = store::policy_versions::current(store).await? else {
        return Err(failed("(none)", String::from("no commit of the repository has come into force yet")));
    };
    if let Some(previous) = previous.filter(|previous| previous.bundle_digest == version.digest) {
        return Ok((Arc::clone(previous.policy.bundle()), Some(version)));
    }
    let Some(source) = recall_bundle(store, &version.digest).await? else {
        return Err(failed(
            &version.commit_id,
            String::from("its files are not in the database, or not as they were"),
        ));
    };
    // Reading a large bundle takes longer than a request may wait for a thread.
    let loaded = tokio::task::spawn_blocking(move || Bundle::load(&source)).await;
    match loaded {
        Ok(Ok(bundle)) => Ok((Arc::new(bundle), Some(version))),
        Ok(Err(problems)) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Err(failed(&version.commit_id, problems.join("; ")))
        }
        Err(error) => Err(failed(&version.commit_id, error.to_string())),
    }
}
