//! Bundles that nobody meant well: each is refused, with file and line, and before it costs anything.

use crate::starter::database;
use bailiwick_policy::{
    Bundle, BundleSource, MAX_FILE_BYTES, MAX_FILES, MAX_OTHERS, MAX_RULES, MAX_TOTAL_BYTES, Severity, lint,
    unknown_scopes,
};
use chrono::{TimeZone, Utc};
use std::collections::BTreeSet;

fn starter_with(files: &[(&str, &str)]) -> BundleSource {
    let mut source = BundleSource::starter();
    source.files.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    source
}

/// What is wrong with the starter bundle with another rules file: its place and words.
fn refused(text: &str) -> String {
    let problems = Bundle::load(&starter_with(&[("rules/hostile.yaml", text)])).expect_err("must be refused");
    assert!(problems.iter().all(|p| p.severity == Severity::Error && !p.fix.is_empty()), "{problems:?}");
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn aliases_that_unfold_to_more_than_is_written() {
    // Nine lists, each of nine times the one before: 9^9 texts.
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for i in 1..10 {
        let names = vec![format!("*a{}", i - 1); 9].join(", ");
        laughs.push_str(&format!("a{i}: &a{i} [{names}]\n"));
    }
    assert!(refused(&laughs).contains("rules/hostile.yaml:2: its aliases"), "{}", refused(&laughs));
    // A name with a star is no alias, and neither is what a comment says.
    let late = format!("# [*a0]\nmodels: [gpt*, '*'] # *a0\n{laughs}");
    assert!(refused(&late).contains("rules/hostile.yaml:4: its aliases"), "{}", refused(&late));
    assert!(refused(&laughs).contains("unfold to far more than is written"));
    // One long text, named again and again: few aliases, much text.
    let long = format!("title: &t {}\nbecause: [{}]\n", "x".repeat(500_000), vec!["*t"; 1000].join(", "));
    assert!(refused(&long).contains("unfold to far more"));
    // A list that holds itself.
    let circle = refused("id: a\ntitle: T\nbecause: &b [*b]\ndeny: true\n");
    assert!(circle.contains("rules/hostile.yaml:"), "{circle}");
    // The starter's own tests use aliases, and a few are fine.
    Bundle::load(&BundleSource::starter()).unwrap();
}

#[test]
fn own_facts_are_held_to_the_same_limits() {
    let told = |text: &str| {
        let problems =
            Bundle::load(&starter_with(&[("compliance/own.yaml", text)])).expect_err("must be refused");
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let page = "{ url: \"https://x.example\", says: WORDS, observed_from: 2026-06-01, observed_to: 2026-06-01, kind: vendor_doc, confidence: sourced }";
    let long = format!(
        "about: x\nfacts:\n  - id: own/a\n    scope: {{ operator: [z], service: [z-api] }}\n    attribute: hipaa_eligible\n    value: true\n    evidence: [&e {}, {}]\n",
        page.replace("WORDS", &"y".repeat(20_000)),
        vec!["*e"; 10_000].join(", ")
    );
    assert!(told(&long).contains("compliance/own.yaml:") && told(&long).contains("unfold to far more"));
    let deep = told(&"[".repeat(40_000));
    assert!(deep.contains("compliance/own.yaml:") && deep.contains("nests deeper"), "{deep}");
}

#[test]
fn more_of_a_kind_than_anybody_writes() {
    let told = |source: &BundleSource| {
        let problems = Bundle::load(source).expect_err("must be refused");
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let rules: Vec<String> =
        (0..=MAX_RULES).map(|i| format!("id: r{i}\ntitle: T\nbecause: [B]\ndeny: true\n")).collect();
    let many = told(&starter_with(&[("rules/many.yaml", &rules.join("---\n"))]));
    assert!(many.contains("rules; it may have 5000"), "{many}");
    let attestations: Vec<String> = (0..=MAX_OTHERS)
        .map(|i| {
            format!("id: a{i}\nkind: baa\noperator: o\nservices: [s]\ndocument: D\nvalid_from: 2026-01-01\n")
        })
        .collect();
    let many = told(&starter_with(&[("attestations/many.yaml", &attestations.join("---\n"))]));
    assert!(many.contains("attestations; it may have 10000"), "{many}");
}

#[test]
fn documents_that_nest_too_deep() {
    for text in [
        "[".repeat(MAX_FILE_BYTES - 1),
        "{a: ".repeat(100_000),
        "- ".repeat(400_000),
        "? ".repeat(400_000),
        format!("id: a\ntitle: T\nbecause:\n  {}\n", "- ".repeat(1000)),
        "a:\n".lines().cycle().take(1400).enumerate().fold(String::new(), |mut text, (i, line)| {
            text.push_str(&" ".repeat(i));
            text.push_str(line);
            text.push('\n');
            text
        }),
    ] {
        let told = refused(&text);
        assert!(told.contains("rules/hostile.yaml:"), "{}", told.chars().take(300).collect::<String>());
    }
}

#[test]
fn bundles_that_are_too_large() {
    let told = |source: &BundleSource| {
        let problems = Bundle::load(source).expect_err("must be refused");
        assert_eq!(problems.len(), 1, "nothing of it is read");
        problems[0].to_string()
    };
    let file = told(&starter_with(&[("rules/large.yaml", &"#".repeat(MAX_FILE_BYTES + 1))]));
    assert!(file.starts_with("rules/large.yaml: the file has 1048577 bytes"), "{file}");
    // 50 MB, in one file.
    let large = Bundle::load(&starter_with(&[("rules/large.yaml", &"#".repeat(50 << 20))])).unwrap_err();
    assert!(large.iter().any(|p| p.file == "rules/large.yaml"), "{large:?}");
    let mut many = BundleSource::starter();
    for i in 0..=MAX_FILES {
        many.files.insert(format!("rules/{i}.yaml"), String::new());
    }
    assert!(told(&many).contains("files; it may have"), "{}", told(&many));
    let mut total = BundleSource::starter();
    let text = format!("#{}", " ".repeat(MAX_FILE_BYTES - 1));
    for i in 0..=MAX_TOTAL_BYTES / MAX_FILE_BYTES {
        // Not only what is read counts: all of it is kept.
        total.files.insert(format!("notes/{i}.md"), text.clone());
    }
    assert!(told(&total).contains("bytes; it may have"), "{}", told(&total));
}

#[test]
fn every_fault_has_its_line() {
    let rule = |id: &str, rest: &str| format!("id: {id}\ntitle: T\nbecause: [B]\n{rest}\n");
    let two = |a: String, b: String| format!("# A comment.\n\n{a}---\n# Another.\n{b}");
    for (text, says) in [
        (
            two(rule("a", "deny: true"), rule("b", "dny: true")),
            "rules/hostile.yaml:12:1: unknown field `dny`",
        ),
        (
            two(rule("a", "deny: true"), rule("b", "deny: yes please")),
            "rules/hostile.yaml:12:7: deny: invalid type",
        ),
        (
            two(rule("a", "deny: true"), rule("a", "deny: true")),
            "rules/hostile.yaml:9: rule `a`: the id is taken by a rule in rules/hostile.yaml:3",
        ),
        (
            two(rule("a", "deny: true"), rule("b", "scope: acme\ndeny: true")),
            "rules/hostile.yaml:9: rule `b`: the scope `acme` does not start",
        ),
        (two(rule("a", "deny: true"), rule("b", "")), "rules/hostile.yaml:9: rule `b`: it asks nothing"),
        (rule("a", "deny: true\n  mode: off"), "rules/hostile.yaml:4:7: deny: invalid type"),
    ] {
        let told = refused(&text);
        assert!(told.contains(says), "no {says:?} in {told}");
    }

    let exception = "id: e\nrule: phi-needs-a-ba\nscope: /acme\nreason: R\napproved_by: A\napproved_on: 2026-01-01\nfrom: 2026-01-02\nuntil: 2026-02-01\n";
    let attestation = "id: a\nkind: baa\noperator: aws\nservices: []\ndocument: D\nvalid_from: 2026-01-01\n";
    let test = "name: n\nat: 2026-01-01\nfacts: { scope: /acme, model: m }\nexpect: { outcome: allow, eligible: [bedrock-uk], waived: [no-such-rule] }\n";
    let source = starter_with(&[
        ("exceptions/e.yaml", &format!("---\n{exception}")),
        ("tests/t.yaml", &format!("# One.\n{test}")),
    ]);
    let told =
        Bundle::load(&source).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    for says in [
        "exceptions/e.yaml:2: exception `e`: there is no rule `phi-needs-a-ba`; did you mean `phi-needs-a-baa`?",
        "tests/t.yaml:2: test `n`: there is no endpoint `bedrock-uk`; did you mean `bedrock-eu`?",
        "tests/t.yaml:2: test `n`: there is no rule `no-such-rule`",
    ] {
        assert!(told.contains(says), "no {says:?} in {told}");
    }
    let told = Bundle::load(&starter_with(&[("attestations/a.yaml", attestation)])).unwrap_err();
    assert!(
        told[0].to_string().starts_with("attestations/a.yaml:1: attestation `a`: it names no service"),
        "{told:?}"
    );

    let circle = format!(
        "{}\ng, role:a, role:b, /\ng, role:b, role:a, /\n",
        BundleSource::starter().files["rbac/policy.csv"]
    );
    let told = Bundle::load(&starter_with(&[("rbac/policy.csv", &circle)])).unwrap_err();
    assert!(told.iter().any(|p| p.file == "rbac/policy.csv" && p.line.is_some()), "{told:?}");
}

#[test]
fn exceptions_that_overlap_or_waive_nothing_are_named() {
    let exception = |id: &str, rule: &str, scope: &str, from: &str, until: &str| {
        format!(
            "---\nid: {id}\nrule: {rule}\nscope: {scope}\nreason: R\napproved_by: A\napproved_on: 2026-11-01\nfrom: {from}\nuntil: {until}\n"
        )
    };
    let text = [
        exception("one", "phi-needs-a-baa", "/acme", "2026-11-02", "2026-12-31"),
        exception("two", "phi-needs-a-baa", "/acme/clinic", "2026-12-01", "2027-01-31"),
        exception("three", "phi-needs-a-baa", "/acme/clinic", "2027-01-31", "2027-02-28"),
        exception("four", "phi-needs-a-baa", "/other", "2026-11-02", "2026-12-31"),
        exception("five", "no-web-search-with-personal-data", "/acme", "2026-11-02", "2027-01-30"),
    ]
    .concat();
    let bundle = Bundle::load(&starter_with(&[("exceptions/more.yaml", &text)])).unwrap();
    let now = Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap();
    let told: Vec<String> = lint(&bundle, &database(), now)
        .iter()
        .filter(|p| p.file == "exceptions/more.yaml")
        .map(|p| format!("{}: {}", p.line.unwrap(), p.what))
        .collect();
    assert_eq!(
        told,
        [
            "38: exception `five` waives rule `no-web-search-with-personal-data`, which is in shadow mode and not applied",
            "11: exceptions `one` and `two` waive rule `phi-needs-a-baa` at the same time in /acme/clinic",
        ]
    );
}

#[test]
fn scopes_that_the_organisation_does_not_have_are_named_where_they_stand() {
    let rule = "id: a\ntitle: T\nbecause: [B]\nscope: /acme/clinik\ndeny: true\n";
    let bundle = Bundle::load(&starter_with(&[("rules/a.yaml", rule)])).unwrap();
    let scopes: BTreeSet<String> = ["/acme", "/acme/clinic", "/acme/research"].map(str::to_owned).into();
    let told: Vec<String> = unknown_scopes(&bundle, &scopes).iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "rules/a.yaml:1: warning: rule `a`: the organisation has no scope /acme/clinik; did you mean `/acme/clinic`?"
        ]
    );
    let fewer: BTreeSet<String> = ["/acme".to_owned()].into();
    let files: Vec<String> = unknown_scopes(&bundle, &fewer).into_iter().map(|p| p.file).collect();
    assert_eq!(
        files,
        ["rules/a.yaml", "exceptions/sample.yaml", "attestations/clinic.yaml", "attestations/clinic.yaml"]
    );
}

#[test]
fn thousands_of_rules_that_shadow_each_other_are_told_in_bounds() {
    let mut text = String::new();
    for i in 0..600 {
        text.push_str(&format!(
            "---\nid: r{i}\ntitle: T\nbecause: [B]\nrequire: {{ trains_on_inputs: {} }}\n",
            i % 2 == 0
        ));
    }
    let bundle = Bundle::load(&starter_with(&[("rules/many.yaml", &text)])).unwrap();
    let now = Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap();
    let told = lint(&bundle, &database(), now);
    assert!(told.len() < 250, "{}", told.len());
    assert!(told.iter().any(|p| p.what.contains("more pairs of rules")), "{:?}", told.last());
}
