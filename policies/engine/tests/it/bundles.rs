//! Loading and linting bundles that are not as they should be.

use crate::starter::database;
use bailiwick_policy::{Bundle, BundleSource, Problem, Severity, lint, schemas};
use chrono::{TimeZone, Utc};

fn with(files: &[(&str, &str)]) -> BundleSource {
    let mut source = BundleSource::starter();
    source.files.retain(|path, _| path == "bundle.yaml" || path.starts_with("rbac/"));
    source.files.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    source
}

fn refused(files: &[(&str, &str)]) -> String {
    let problems = Bundle::load(&with(files)).expect_err("must be refused");
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn linted(rules: &str) -> Vec<Problem> {
    let bundle = Bundle::load(&with(&[("rules/r.yaml", rules)])).unwrap_or_else(|p| panic!("{p:?}"));
    lint(&bundle, &database(), Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap())
}

fn rule(id: &str, rest: &str) -> String {
    format!("---\nid: {id}\ntitle: T\nbecause: [B]\n{rest}\n")
}

#[test]
fn every_fault_is_reported_at_once_with_its_place() {
    let text = refused(&[
        ("rules/a.yaml", "id: a\ntitle: A\nbecause: [x]\nrequires: {}\n"),
        (
            "rules/b.yaml",
            "id: B!\ntitle: ''\nbecause: []\nscope: acme\nwhen: { data: [], subject_region: [EUU], model: ['a*b'] }\n",
        ),
        ("rule/c.yaml", "id: c\n"),
        ("notes/a\nb.txt", "two lines of a list\n"),
        ("exceptions/e.yaml", "id: e\nrule: zz\n"),
    ]);
    for expected in [
        "rule/c.yaml: a bundle keeps no such file",
        "notes/a\\nb.txt: the name holds a control character",
        "rules/a.yaml:4:1: unknown field `requires`",
        "did you mean `require`?",
        "`B!` is no id",
        "it has no title",
        "it gives no reason",
        "the scope `acme` does not start with `/`",
        "it asks nothing",
        "`data` is an empty list",
        "`EUU` is neither a region",
        "`*` that is not at its end",
        "exceptions/e.yaml:1:1: missing field",
    ] {
        assert!(text.contains(expected), "no {expected:?} in:\n{text}");
    }
}

#[test]
fn a_rule_that_a_client_could_escape_by_saying_more_does_not_load() {
    let text = refused(&[(
        "rules/a.yaml",
        &rule("a", "when: { sensitivity: [internal, confidential] }\ndeny: true"),
    )]);
    assert!(text.contains("leaves out `restricted`") && text.contains("{ at_least: internal }"), "{text}");
    Bundle::load(&with(&[(
        "rules/a.yaml",
        &rule("a", "when: { sensitivity: [confidential, restricted] }\ndeny: true"),
    )]))
    .unwrap();
}

#[test]
fn what_a_rule_cannot_mean_does_not_load() {
    for (rest, says) in [
        ("require: { processing_countries: { within: [] } }", "empty list of regions"),
        ("require: { processing_countries: {} }", "write `within"),
        ("require: { processing_countries: { known: false } }", "cannot be required"),
        ("require: { hosting: [] }", "hosting: an empty list"),
        ("require: { hosting: cloud }", "require.hosting: unknown variant `cloud`"),
        ("require: { hosting: [dedicatd] }", "did you mean `dedicated`?"),
        ("when: { sensitivity: { at_least: publik } }\ndeny: true", "did you mean `public`?"),
        ("redact: { entities: [], how: mask }", "empty list of entities"),
        ("redact: { entities: [EMAIL], how: mask, restore: { text: true } }", "cannot be restored"),
        ("redact: { entities: [CREDENTIAL], how: token, restore: { text: true } }", "never restored"),
        ("redact: { entities: [EMAIL], how: mask, min_confidence: 101 }", "above 100"),
        ("allow_models: []", "`allow_models` is an empty list"),
        ("limit_output_tokens: 0", "leaves no answer"),
        ("deny: true\nmessage: 'no {modell}'", "placeholder"),
        ("mode: enforced\ndeny: true", "did you mean `enforce`?"),
    ] {
        let text = refused(&[("rules/a.yaml", &rule("a", rest))]);
        assert!(text.contains(says), "{rest}: no {says:?} in {text}");
    }
    assert!(
        refused(&[("rules/a.yaml", &rule("a", "deny: true")), ("rules/b.yaml", &rule("a", "deny: true"))])
            .contains("taken")
    );
}

#[test]
fn exceptions_are_reasoned_approved_and_short() {
    let exception = |change: &str, to: &str| {
        let text = "id: e\nrule: a\nscope: /acme\nreason: R\napproved_by: A\napproved_on: 2026-01-01\nfrom: 2026-01-02\nuntil: 2026-02-01\n";
        assert!(text.contains(change));
        text.replacen(change, to, 1)
    };
    let deny = rule("a", "scope: /acme\ndeny: true");
    let load = |text: &str| Bundle::load(&with(&[("rules/a.yaml", &deny), ("exceptions/e.yaml", text)]));
    load(&exception("id: e", "id: e")).unwrap();
    for (change, to, says) in [
        ("rule: a", "rule: b", "there is no rule `b`"),
        ("scope: /acme", "scope: /other", "does not hold in /other"),
        ("reason: R", "reason: ' '", "`reason` is empty"),
        ("approved_by: A", "approved_by: ''", "`approved_by` is empty"),
        ("until: 2026-02-01", "until: 2026-01-02", "ends before it begins"),
        ("until: 2026-02-01", "until: 2026-12-01", "longer than 90 days"),
        ("approved_on: 2026-01-01", "approved_on: 2026-01-03", "before it was approved"),
        ("from: 2026-01-02", "from: yesterday", "neither a date"),
    ] {
        let problems = load(&exception(change, to)).expect_err(says);
        assert!(problems.iter().any(|p| p.to_string().contains(says)), "{to}: {problems:?}");
    }
}

#[test]
fn contradicting_shadowed_and_pointless_rules_are_named_in_pairs() {
    let found = |rules: &str, severity: Severity, says: &[&str]| {
        let problems = linted(rules);
        assert!(
            problems.iter().any(|p| p.severity == severity && says.iter().all(|s| p.what.contains(s))),
            "no {says:?} in {problems:?}"
        );
    };
    let two = |a: &str, b: &str| [rule("one", a), rule("two", b)].concat();
    found(
        &two(
            "require: { processing_countries: { within: [EU] } }",
            "scope: /acme\nrequire: { processing_countries: { within: [US] } }",
        ),
        Severity::Warning,
        &["`one` and `two` contradict", "processing_countries"],
    );
    found(
        &two("require: { human_review: true }", "require: { human_review: false }"),
        Severity::Warning,
        &["contradict"],
    );
    found(
        &two("allow_models: [gpt*]", "allow_models: [claude*]"),
        Severity::Warning,
        &["contradict", "none in common"],
    );
    found(
        &two(
            "when: { data: [personal, phi] }\nrequire: { retention_days: { at_most: 0 } }",
            "scope: /acme\nwhen: { data: [phi] }\nrequire: { retention_days: { at_most: 30 } }",
        ),
        Severity::Warning,
        &["`two` adds nothing", "`one`"],
    );
    found(&two("deny: true", "require: { human_review: false }"), Severity::Warning, &["`two` adds nothing"]);
    found(
        &two("redact: { entities: [EMAIL], how: token }", "redact: { entities: [EMAIL], how: mask }"),
        Severity::Note,
        &["EMAIL is redacted by `two`"],
    );
    found(
        &rule("one", "when: { model: [gpt-5] }\nallow_models: [gpt*]"),
        Severity::Warning,
        &["can never refuse"],
    );
    found(&rule("one", "when: { role: [develper] }\ndeny: true"), Severity::Warning, &["develper"]);
}

#[test]
fn rules_that_cannot_meet_are_not_called_contradictory() {
    let rules = [
        rule("one", "when: { operation: [embeddings] }\nrequire: { human_review: true }"),
        rule("two", "when: { operation: [responses] }\nrequire: { human_review: false }"),
        rule("three", "scope: /a\nwhen: { model: [x*] }\nrequire: { human_review: true }"),
        rule("four", "scope: /b\nrequire: { human_review: false }"),
    ]
    .concat();
    let pairs: Vec<String> =
        linted(&rules).into_iter().map(|p| p.what).filter(|w| w.contains("contradict")).collect();
    let named = |a: &str, b: &str| pairs.iter().any(|p| p.contains(&format!("`{a}` and `{b}`")));
    // Not `one` and `two` (no request is for both operations), nor `three` and `four` (no scope is in both).
    assert!(pairs.len() == 2 && named("one", "four") && named("two", "three"), "{pairs:?}");
}

#[test]
fn the_digest_is_what_sha256sum_would_give_and_moves_with_any_byte() {
    let source = BundleSource {
        files: [("b.md".to_owned(), "b".to_owned()), ("a.md".to_owned(), String::new())].into(),
    };
    // printf '' > a.md; printf b > b.md; sha256sum a.md b.md | sha256sum
    assert_eq!(source.digest(), "sha256:9638aaf6ef98c44261d1747aaf69cffa7a6d14a81ddd49ac10dc7ed879510310");
    let mut other = source.clone();
    other.files.insert("b.md".to_owned(), "c".to_owned());
    assert_ne!(source.digest(), other.digest());
    other.files.insert("b.md".to_owned(), "b".to_owned());
    other.files.insert(".git/HEAD".to_owned(), "x".to_owned());
    assert_eq!(source.digest(), other.digest());
}

#[test]
fn the_starter_bundle_fits_the_schemas() {
    use serde::Deserialize as _;
    let schemas = schemas();
    let validator = |name: &str| {
        let (_, schema) = schemas.iter().find(|(n, _)| *n == name).unwrap();
        jsonschema::validator_for(schema).unwrap()
    };
    let mut seen = 0;
    for (path, text) in &BundleSource::starter().files {
        let name = match path.as_str() {
            "bundle.yaml" => "bundle",
            "tests/endpoints.yaml" => "test-endpoints",
            p if p.starts_with("rules/") => "rule",
            p if p.starts_with("exceptions/") => "exception",
            p if p.starts_with("attestations/") => "attestation",
            p if p.starts_with("tests/") => "test",
            _ => continue,
        };
        for document in serde_norway::Deserializer::from_str(text) {
            let value = serde_json::Value::deserialize(document).unwrap();
            let errors: Vec<String> = validator(name)
                .iter_errors(&value)
                .map(|e| format!("{path}: {e} at {}", e.instance_path()))
                .collect();
            assert_eq!(errors, Vec::<String>::new());
            seen += 1;
        }
    }
    assert!(seen > 20);
    let wrong = serde_json::json!({ "id": "a", "title": "A", "because": ["B"], "requires": {} });
    assert!(!validator("rule").is_valid(&wrong), "unknown fields must not fit");
}

#[test]
fn a_group_that_is_named_like_an_id_is_pointed_out() {
    let id = "5f1c0a52-6f0e-4c1a-9a53-0d7c6e1b2a10";
    let csv = "rbac/policy.csv";
    let looked = |line: &str| {
        let starter = &BundleSource::starter().files[csv];
        let bundle =
            Bundle::load(&with(&[(csv, &format!("{starter}{line}\n"))])).unwrap_or_else(|p| panic!("{p:?}"));
        let problems = lint(&bundle, &database(), Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap());
        problems.into_iter().find(|problem| problem.fix.contains(&format!("write `group-id:corp:{id}`")))
    };
    let found = looked(&format!("g, group:corp:{id}, role:viewer, /")).unwrap();
    assert_eq!(found.severity, Severity::Note);
    assert!(looked(&format!("g, group-id:corp:{id}, role:viewer, /")).is_none());
    assert!(looked("g, group:corp:platform-team, role:viewer, /").is_none());
}
