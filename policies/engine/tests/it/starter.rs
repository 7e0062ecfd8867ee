//! The bundle that ships.

use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, BundleSource, lint, run_tests};
use chrono::{TimeZone, Utc};
use std::sync::{Arc, OnceLock};

pub(crate) fn bundle() -> Arc<Bundle> {
    let bundle = Bundle::load(&BundleSource::starter()).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    });
    Arc::new(bundle)
}

pub(crate) fn database() -> Arc<Database> {
    static LOADED: OnceLock<Arc<Database>> = OnceLock::new();
    Arc::clone(LOADED.get_or_init(|| Arc::new(Database::embedded().unwrap())))
}

#[test]
fn its_own_tests_pass() {
    let bundle = bundle();
    assert!(bundle.tests.len() >= 10 && bundle.test_endpoints.len() == 7);
    let results = run_tests(&bundle, &database(), &bundle.test_endpoints).unwrap();
    let failures: Vec<String> = results
        .iter()
        .filter(|r| !r.passed())
        .map(|r| format!("{} ({}): {}", r.name, r.file, r.failures.join("\n  ")))
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn it_has_nothing_for_the_lint_but_notes_on_what_is_over() {
    let now = Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap();
    let found: Vec<String> = lint(&bundle(), &database(), now).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "exceptions/sample.yaml:2: note: exception `research-card-test-data` ended on 2026-03-16; remove it"
        ]
    );
}

#[test]
fn every_test_of_its_own_can_be_explained() {
    let bundle = bundle();
    let explained = bailiwick_policy::explain_tests(&bundle, &database()).unwrap();
    assert_eq!(explained.len(), bundle.tests.len());
    for (test, why) in bundle.tests.iter().zip(&explained) {
        assert_eq!((&why.name, &why.file), (&test.name, &test.file));
        let allowed = test.expect.outcome == bailiwick_policy::ExpectedOutcome::Allow;
        assert_eq!(why.allowed, allowed, "{}", why.name);
        let excluded = why.explanation.endpoints.iter().filter(|endpoint| !endpoint.eligible);
        for endpoint in excluded {
            let asked = endpoint.reasons.iter().filter(|reason| reason.attribute.is_some());
            for reason in asked {
                let known = reason.actual != "unknown";
                assert!(
                    !known
                        || reason
                            .facts
                            .iter()
                            .flat_map(|fact| &fact.evidence)
                            .all(|page| page.url.starts_with("https://")),
                    "{reason:?}"
                );
            }
        }
        assert!(why.allowed || !why.explanation.summary.is_empty());
    }
}
