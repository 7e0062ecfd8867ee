//! Whether a candidate's bundle may come into force: it loads, its rules are about scopes that there are unless that is not
//! asked for, its own tests pass, the detectors that it asks for are there, and it compiles over the endpoints as they are
//! declared.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bailiwick_policy::{
    Bundle, BundleSource, Compiled, Mode, Operation, Problem, Severity, did_you_mean, lint, run_tests, scope,
    unknown_names, unknown_scopes,
};
use chrono::DateTime;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::git::{Candidate, Refused, Stage};
use crate::organisation::EndpointDefinition;
use crate::snapshot::{LoadedBundle, Sources};
use crate::store::{self, Store, StoreError};

/// What a bundle has to know of the organisation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Known {
    /// Nothing: there may be no organisation yet.
    Nothing,
    /// Its detectors, and where `scopes` says so its scopes, as soon as it has one.
    Organisation {
        /// Whether rules may only be about scopes that it has.
        scopes: bool,
    },
}

/// The digest of the bundle. What is probably a mistake and keeps nothing from being used is logged.
///
/// # Errors
/// [`StoreError`] outside; inside why it may not.
pub(super) async fn check(
    store: &Store,
    sources: &Sources,
    candidate: &Candidate,
    known: Known,
    now_ms: i64,
) -> Result<Result<String, Refused>, StoreError> {
    let scopes = scopes(store).await?;
    let reading = {
        let store = store.clone();
        crate::background::run_waiting(async move || definitions(&store).await)
    };
    let definitions = reading.await.map_err(|error| StoreError::Unavailable(error.to_string()))??;
    let source = BundleSource { files: candidate.files.clone() };
    let shipped = Arc::clone(&sources.shipped);
    let now_ms = sources.decide_at_ms.unwrap_or(now_ms);
    // It may take longer than a request may wait for a thread.
    let look = move || {
        let (digest, doubts) = bundle(source.clone(), &shipped, &definitions, &scopes, known, now_ms)?;
        for problem in doubts {
            tracing::warn!(%problem, "what the policy says is probably not what is meant");
        }
        Ok(digest)
    };
    within(LONGEST, look).await
}

/// The endpoints as they are declared, but for what cannot be read.
async fn definitions(store: &Store) -> Result<Vec<EndpointDefinition>, StoreError> {
    let rows = store::endpoints::list(store).await?;
    Ok(rows.into_iter().filter_map(|row| serde_json::from_value(row.definition).ok()).collect())
}

/// The scopes of the organisation, and all above them; none before the first is declared.
pub(super) async fn scopes(store: &Store) -> Result<BTreeSet<String>, StoreError> {
    let rows = store::scopes::list(store).await?;
    let declared = rows.iter().filter(|row| row.path != "/");
    Ok(declared.flat_map(|row| scope::ancestors(&row.path)).map(str::to_owned).collect())
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

/// The digest, and what is doubtful.
fn bundle(
    source: BundleSource,
    shipped: &BTreeMap<String, String>,
    endpoints: &[EndpointDefinition],
    scopes: &BTreeSet<String>,
    known: Known,
    now_ms: i64,
) -> Result<(String, Vec<Problem>), Refused> {
    let refused = |stage, why: &str, problems: &[Problem]| {
        Refused::new(stage, why).with(problems.iter().map(ToString::to_string))
    };
    let LoadedBundle { bundle, database, .. } = LoadedBundle::of(source, shipped)
        .map_err(|problems| refused(Stage::Bundle, "its bundle does not load:", &problems))?;
    let now = DateTime::from_timestamp_millis(now_ms).unwrap_or_default();
    let unknown = unknown_scopes(&bundle, scopes);
    if let Known::Organisation { scopes: true } = known
        && !scopes.is_empty()
    {
        let protects_nobody: Vec<Problem> =
            unknown.iter().filter(|problem| problem.severity > Severity::Note).cloned().collect();
        if !protects_nobody.is_empty() {
            let why = "it speaks of scopes that the organisation does not have:";
            return Err(refused(Stage::Bundle, why, &protects_nobody));
        }
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
    if let Known::Organisation { .. } = known {
        let nobody = unserved_detectors(&bundle, endpoints);
        if !nobody.is_empty() {
            let why = "it asks for detectors that no endpoint of their scope serves:";
            return Err(refused(Stage::Endpoints, why, &nobody));
        }
    }
    let digest = bundle.digest.clone();
    let mut doubts = lint(&bundle, &database, now);
    doubts.extend(unknown);
    let endpoints: Vec<_> = endpoints.iter().map(|endpoint| endpoint.for_policy(&database)).collect();
    if let Known::Organisation { .. } = known {
        doubts.extend(unknown_names(&bundle, &database, Some(&endpoints)));
    }
    Compiled::new(bundle, database, endpoints, now_ms).map(|_| (digest, doubts)).map_err(|problems| {
        refused(Stage::Endpoints, "it cannot decide over the endpoints that are declared:", &problems)
    })
}

/// Rules in force that ask for a detector which no endpoint at, above or below their scope is: each request that they apply
/// to would be refused for ever.
fn unserved_detectors(bundle: &Bundle, endpoints: &[EndpointDefinition]) -> Vec<Problem> {
    let detectors: Vec<(&str, &str)> = endpoints
        .iter()
        .filter(|endpoint| endpoint.operations.contains(&Operation::Analyze))
        .flat_map(|endpoint| {
            endpoint.models.iter().map(|model| (endpoint.scope.as_str(), model.alias.as_str()))
        })
        .collect();
    let asking = bundle.rules.iter().filter(|rule| rule.mode == Mode::Enforce);
    asking
        .filter_map(|rule| {
            let name = rule.analyze.as_deref()?;
            let near = |at: &str| scope::covers(at, &rule.scope) || scope::covers(&rule.scope, at);
            if detectors.iter().any(|(at, served)| *served == name && near(at)) {
                return None;
            }
            let fix = match did_you_mean(name, detectors.iter().map(|(_, served)| *served)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => String::from("declare an endpoint with `operations: [analyze]` that serves it"),
            };
            let what =
                format!("rule `{}`: no endpoint serves the detector `{name}` in {}", rule.id, rule.scope);
            Some(Problem::error(rule.file.as_str(), what, fix).at(rule.line, None))
        })
        .collect()
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
