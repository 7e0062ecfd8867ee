//! Whether a candidate's bundle may come into force: it loads, lint finds no error, its own tests pass, it compiles over the
//! endpoints as they are declared, and, where that is asked for, it speaks of no scope that there is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bailiwick_policy::{BundleSource, Compiled, Problem, Severity, lint, run_tests, scope, unknown_scopes};
use chrono::DateTime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::git::{Candidate, Refused, Stage};
use crate::organisation::EndpointDefinition;
use crate::snapshot::{LoadedBundle, Sources};
use crate::store::{self, Store, StoreError};

/// The digest of the bundle. `known_scopes`: it may speak of no scope that the organisation does not have; else that is
/// logged.
///
/// # Errors
/// [`StoreError`] outside; inside why it may not.
pub(super) async fn check(
    store: &Store,
    sources: &Sources,
    candidate: &Candidate,
    known_scopes: bool,
    now_ms: i64,
) -> Result<Result<String, Refused>, StoreError> {
    let mut scopes = BTreeSet::new();
    for row in store::scopes::list(store).await? {
        scopes.extend(scope::ancestors(&row.path).map(str::to_owned));
    }
    let mut definitions = Vec::new();
    for row in store::endpoints::list(store).await? {
        definitions.extend(serde_json::from_value::<EndpointDefinition>(row.definition));
    }
    let source = BundleSource { files: candidate.files.clone() };
    let shipped = Arc::clone(&sources.shipped);
    let now_ms = sources.decide_at_ms.unwrap_or(now_ms);
    // It may take longer than a request may wait for a thread.
    let look = move || {
        let (digest, unknown) = bundle(source.clone(), &shipped, &definitions, &scopes, now_ms)?;
        if known_scopes && !unknown.is_empty() {
            let why = "it speaks of scopes that the organisation does not have:";
            return Err(Refused::new(Stage::Bundle, why).with(unknown));
        }
        for problem in unknown {
            tracing::warn!(problem, "the policy speaks of a scope that the organisation does not have");
        }
        Ok(digest)
    };
    within(LONGEST, look).await
}

/// The longest that a candidate is looked at. What takes longer is refused and recorded, instead of keeping the policy from
/// being followed for ever.
const LONGEST: Duration = Duration::from_secs(60);

/// What `look` says, on a thread of its own, or that it takes too long. It then works on until it is done, and meanwhile
/// nothing else is looked at.
async fn within<T: Send + 'static>(
    longest: Duration,
    look: impl Fn() -> Result<T, Refused> + Send + Sync + 'static,
) -> Result<Result<T, Refused>, StoreError> {
    static UNDER_WAY: Semaphore = Semaphore::const_new(1);
    let too_long = |what: &str| {
        let why = format!("{what} to look at within {} s: make the bundle smaller", longest.as_secs());
        Ok(Err(Refused::new(Stage::Bundle, why)))
    };
    let Ok(Ok(one)) = timeout(longest, UNDER_WAY.acquire()).await else {
        return too_long("the commit before it is still too much");
    };
    let looking = crate::background::soon(move || {
        let _one = &one;
        look()
    });
    match timeout(longest, looking).await {
        Ok(looked) => Ok(looked.unwrap_or_else(|error| Err(Refused::new(Stage::Bundle, error.to_string())))),
        Err(_) => too_long("it is too much"),
    }
}

fn bundle(
    source: BundleSource,
    shipped: &BTreeMap<String, String>,
    endpoints: &[EndpointDefinition],
    scopes: &BTreeSet<String>,
    now_ms: i64,
) -> Result<(String, Vec<String>), Refused> {
    let refused = |stage, why: &str, problems: &[Problem]| {
        Refused::new(stage, why).with(problems.iter().map(ToString::to_string))
    };
    let LoadedBundle { bundle, database, .. } = LoadedBundle::of(source, shipped)
        .map_err(|problems| refused(Stage::Bundle, "its bundle does not load:", &problems))?;
    let now = DateTime::from_timestamp_millis(now_ms).unwrap_or_default();
    let mut problems = lint(&bundle, &database, now);
    problems.retain(|problem| problem.severity == Severity::Error);
    if !problems.is_empty() {
        return Err(refused(Stage::Bundle, "lint finds errors in its bundle:", &problems));
    }
    let results = run_tests(&bundle, &database, &bundle.test_endpoints)
        .map_err(|problems| refused(Stage::Tests, "its tests cannot be run:", &problems))?;
    let failures: Vec<String> = results
        .iter()
        .flat_map(|test| {
            test.failures.iter().map(move |failure| format!("{}: {}: {failure}", test.file, test.name))
        })
        .collect();
    if !failures.is_empty() {
        return Err(Refused::new(Stage::Tests, "its own tests fail:").with(failures));
    }
    let digest = bundle.digest.clone();
    let unknown = unknown_scopes(&bundle, scopes).iter().map(ToString::to_string).collect();
    let endpoints = endpoints.iter().map(|endpoint| endpoint.for_policy(&database)).collect();
    Compiled::new(bundle, database, endpoints, now_ms).map(|_| (digest, unknown)).map_err(|problems| {
        refused(Stage::Endpoints, "it cannot decide over the endpoints that are declared:", &problems)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_too_long_is_refused_and_holds_up_nothing_else_for_ever() {
        let short = Duration::from_millis(50);
        assert_eq!(within(short, || Ok(1)).await.unwrap().unwrap(), 1);
        let slow = || {
            std::thread::sleep(Duration::from_millis(200));
            Ok(2)
        };
        let refused = within(short, slow).await.unwrap().unwrap_err();
        assert!(refused.why.contains("too much to look at"), "{refused}");
        let refused = within(short, || Ok(3)).await.unwrap().unwrap_err();
        assert!(refused.why.contains("the commit before it"), "{refused}");
        assert_eq!(within(Duration::from_secs(10), || Ok(4)).await.unwrap().unwrap(), 4);
    }
}
