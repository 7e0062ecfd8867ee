//! The examples of `docs/reference/policy.md` are one bundle, which loads and passes its own test.

use crate::starter::{bundle, database};
use bailiwick_policy::{Bundle, BundleSource, run_tests};
use std::sync::Arc;

const REFERENCE: &str = include_str!("../../../../docs/reference/policy.md");

/// Blocks that open with a language and a path.
fn examples() -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut lines = REFERENCE.lines();
    while let Some(line) = lines.next() {
        let Some(head) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
        if let Some((_, path)) = head.split_once(' ') {
            out.push((path.to_owned(), body.join("\n") + "\n"));
        }
    }
    out
}

#[test]
fn the_examples_load_and_decide_as_they_say() {
    let mut source = BundleSource { files: examples().into_iter().collect() };
    assert_eq!(source.files.len(), 11, "{:?}", source.files.keys());
    let starter = BundleSource::starter();
    for path in ["rbac/model.conf", "tests/endpoints.yaml"] {
        source.files.insert(path.to_owned(), starter.files[path].clone());
    }
    let loaded = Bundle::load(&source).unwrap_or_else(|problems| panic!("{problems:#?}"));
    let results = run_tests(&Arc::new(loaded), &database(), &bundle().test_endpoints).unwrap();
    assert_eq!(results.len(), 1);
    assert!(results.iter().all(|r| r.passed()), "{results:?}");
}

#[test]
fn every_key_of_a_rule_is_in_the_reference() {
    let (_, schema) = bailiwick_policy::schemas().into_iter().find(|(name, _)| *name == "rule").unwrap();
    let keys = |schema: &serde_json::Value| -> Vec<String> {
        schema["properties"].as_object().map(|o| o.keys().cloned().collect()).unwrap_or_default()
    };
    let mut all = keys(&schema);
    for definition in ["When", "Require", "Redact", "RuleObligations"] {
        let of = keys(&schema["$defs"][definition]);
        assert!(!of.is_empty(), "{definition}");
        all.extend(of);
    }
    for key in all {
        assert!(REFERENCE.contains(&key), "`{key}` is not in docs/reference/policy.md");
    }
}
