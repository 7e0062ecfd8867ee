//! Whether a candidate's bundle may come into force: it loads, lint finds no error, its own tests pass, and it compiles
//! over the endpoints as they are declared.

use std::sync::Arc;

use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, BundleSource, Compiled, Endpoint, Problem, Severity, lint, run_tests};
use chrono::DateTime;

use crate::git::{Candidate, Refused, Stage};
use crate::organisation::EndpointDefinition;
use crate::snapshot::Sources;
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
    let database = Arc::clone(&sources.database);
    let mut endpoints = Vec::new();
    for row in store::endpoints::list(store).await? {
        if let Ok(definition) = serde_json::from_value::<EndpointDefinition>(row.definition) {
            endpoints.push(definition.for_policy(&database));
        }
    }
    let source = BundleSource { files: candidate.files.clone() };
    let now_ms = sources.decide_at_ms.unwrap_or(now_ms);
    // It may take longer than a request may wait for a thread.
    let checked = tokio::task::spawn_blocking(move || bundle(&source, &database, endpoints, now_ms)).await;
    Ok(checked.unwrap_or_else(|error| Err(Refused::new(Stage::Bundle, error.to_string()))))
}

fn bundle(
    source: &BundleSource,
    database: &Arc<Database>,
    endpoints: Vec<Endpoint>,
    now_ms: i64,
) -> Result<String, Refused> {
    let refused = |stage, why: &str, problems: &[Problem]| {
        Refused::new(stage, why).with(problems.iter().map(ToString::to_string))
    };
    let bundle = Bundle::load(source)
        .map_err(|problems| refused(Stage::Bundle, "its bundle does not load:", &problems))?;
    let now = DateTime::from_timestamp_millis(now_ms).unwrap_or_default();
    let mut problems = lint(&bundle, database, now);
    problems.retain(|problem| problem.severity == Severity::Error);
    if !problems.is_empty() {
        return Err(refused(Stage::Bundle, "lint finds errors in its bundle:", &problems));
    }
    let bundle = Arc::new(bundle);
    let results = run_tests(&bundle, database, &bundle.test_endpoints)
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
    Compiled::new(bundle, Arc::clone(database), endpoints, now_ms).map(|_| digest).map_err(|problems| {
        refused(Stage::Endpoints, "it cannot decide over the endpoints that are declared:", &problems)
    })
}
