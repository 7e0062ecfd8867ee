//! Whether a candidate's bundle may come into force: it loads, lint finds no error, its own tests pass, and it compiles
//! over the endpoints as they are declared.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailiwick_policy::{BundleSource, Compiled, Problem, Severity, lint, run_tests};
use chrono::DateTime;

use crate::git::{Candidate, Refused, Stage};
use crate::organisation::EndpointDefinition;
use crate::snapshot::{LoadedBundle, Sources};
use crate::store::{self, Store, StoreError};

/// The digest of the bundle.
///
/// # Errors
/// [`StoreError`] outside; inside why it may not.
pub(super) async fn check(
    store: &Store,
    sources: &Sources,
    candidate: &Candidate,
    now_ms: i64,
) -> Result<Result<String, Refused>, StoreError> {
    let mut definitions = Vec::new();
    for row in store::endpoints::list(store).await? {
        definitions.extend(serde_json::from_value::<EndpointDefinition>(row.definition));
    }
    let source = BundleSource { files: candidate.files.clone() };
    let shipped = Arc::clone(&sources.shipped);
    let now_ms = sources.decide_at_ms.unwrap_or(now_ms);
    // It may take longer than a request may wait for a thread.
    let checked = tokio::task::spawn_blocking(move || bundle(source, &shipped, &definitions, now_ms)).await;
    Ok(checked.unwrap_or_else(|error| Err(Refused::new(Stage::Bundle, error.to_string()))))
}

fn bundle(
    source: BundleSource,
    shipped: &BTreeMap<String, String>,
    endpoints: &[EndpointDefinition],
    now_ms: i64,
) -> Result<String, Refused> {
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
    let endpoints = endpoints.iter().map(|endpoint| endpoint.for_policy(&database)).collect();
    Compiled::new(bundle, database, endpoints, now_ms).map(|_| digest).map_err(|problems| {
        refused(Stage::Endpoints, "it cannot decide over the endpoints that are declared:", &problems)
    })
}
