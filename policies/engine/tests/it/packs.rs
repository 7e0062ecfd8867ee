//! The packs that ship, and what a bundle makes of one.

use crate::starter::database;
use bailiwick_policy::{
    Bundle, BundleSource, Compiled, Mode, PackCopy, Problem, TestFacts, lint, run_tests, shipped_pack,
    shipped_packs,
};
use chrono::{DateTime, TimeZone, Utc};
use std::sync::Arc;

const NAMES: [&str; 7] = [
    "bank-dora",
    "eu-ai-act-logging",
    "gdpr-residency",
    "gdpr-transfers",
    "hipaa",
    "pci-dss",
    "soc2-baseline",
];

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap()
}

/// A bundle that includes packs and has nothing else.
fn including(names: &[&str], include: &str) -> BundleSource {
    let mut source = BundleSource::starter();
    source.files.retain(|path, _| path.starts_with("rbac/"));
    let manifest = format!("name: acme\nversion: \"1\"\ninclude:\n{include}\n");
    source.files.insert("bundle.yaml".to_owned(), manifest);
    names.iter().for_each(|name| source.files.extend(shipped_pack(name)));
    source
}

fn loaded(source: &BundleSource) -> Bundle {
    Bundle::load(source).unwrap_or_else(|problems| panic!("{}", told(&problems)))
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn refused(include: &str) -> String {
    told(&Bundle::load(&including(&["hipaa", "gdpr-residency"], include)).expect_err(include))
}

#[test]
fn every_pack_loads_says_why_and_passes_its_own_tests() {
    assert_eq!(shipped_packs().into_iter().collect::<Vec<_>>(), NAMES);
    for name in NAMES {
        let bundle = Arc::new(loaded(&including(&[name], &format!("  - pack: {name}"))));
        assert!(!bundle.rules.is_empty());
        for rule in &bundle.rules {
            assert!(rule.id.starts_with(&format!("{name}/")) && rule.scope == "/", "{}", rule.id);
            // Whoever is refused is told a way out.
            let refuses = !rule.require.is_empty() || rule.deny || rule.allow_models.is_some();
            assert!(
                !refuses
                    || rule.message.as_ref().is_some_and(|m| m.contains("Ask for") || m.contains("Send ")),
                "{}",
                rule.id
            );
        }
        let pack = &bundle.packs[0];
        assert_eq!(pack.copy, PackCopy::Same);
        assert!(
            !pack.manifest.beyond.is_empty()
                && pack.alone.tests.len() == run_tests(&bundle, &database(), &[]).unwrap().len()
        );
        let failures: Vec<String> = run_tests(&bundle, &database(), &[])
            .unwrap()
            .iter()
            .filter(|result| !result.passed())
            .map(|result| format!("{} ({}): {}", result.name, result.file, result.failures.join("\n  ")))
            .collect();
        assert!(failures.is_empty(), "{name}: {}", failures.join("\n"));
        // Nothing of it contradicts or shadows itself.
        let mut problems = lint(&bundle, &database(), now());
        // Of certificates the database knows what the public pages say, which may be nothing.
        problems.retain(|p| !p.what.contains("about which the compliance database has no fact"));
        assert_eq!(told(&problems), "", "{name}");
    }
}

/// Each rule is needed by a test of its pack: without it, one fails.
#[test]
fn every_rule_of_a_pack_is_tested() {
    let mut untested = Vec::new();
    for name in NAMES {
        let whole = loaded(&including(&[name], &format!("  - pack: {name}")));
        for rule in &whole.rules {
            let (_, id) = rule.id.split_once('/').unwrap();
            let mut source = including(&[name], &format!("  - pack: {name}"));
            let text = source.files.get_mut(&rule.file).unwrap();
            let documents: Vec<&str> =
                text.split("---\n").filter(|document| !document.contains(&format!("id: {id}\n"))).collect();
            *text = documents.join("---\n");
            let noticed = match Bundle::load(&source) {
                // A test names the rule.
                Err(_) => true,
                Ok(bundle) => {
                    run_tests(&Arc::new(bundle), &database(), &[]).unwrap().iter().any(|r| !r.passed())
                }
            };
            if !noticed {
                untested.push(rule.id.clone());
            }
        }
    }
    // Its own value is every model; `a_parameter_is_what_a_rule_says` is its test.
    assert_eq!(untested, ["eu-ai-act-logging/only-assessed-models"], "no test notices that they are gone");
}

/// The sources that a rule of a pack may follow; a number follows, with or without the letters of a criterion.
const SOURCES: [&str; 8] = [
    "45 CFR ",
    "AI Act Art. ",
    "DORA Art. ",
    "GDPR Art. ",
    "Implementing Decision (EU) ",
    "Implementing Regulation (EU) ",
    "PCI DSS v4.0.1, requirement ",
    "Trust Services Criteria ",
];

/// Whether a reason names an article that one can look up.
fn names_an_article(because: &str) -> bool {
    let place = SOURCES.iter().find_map(|source| because.strip_prefix(source));
    place.is_some_and(|place| place.trim_start_matches('C').starts_with(|c: char| c.is_ascii_digit()))
}

/// The places that a cell of the page names: `164.502(e)`, `CC9.2`, `2024/2956`.
fn places(cell: &str) -> Vec<String> {
    // Of a link, what is read.
    let read: String = cell
        .split("](")
        .enumerate()
        .map(|(at, part)| if at == 0 { part } else { part.split_once(')').map_or("", |(_, rest)| rest) })
        .collect();
    let of_place = |c: char| c.is_ascii_alphanumeric() || "./()_".contains(c);
    read.split(|c| !of_place(c))
        .map(|word| word.trim_matches('.'))
        .filter(|word| word.contains(|c: char| c.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

/// What stands in a rule's `because` can be looked up, and the page of the packs names each rule with the same articles.
#[test]
fn every_rule_names_its_article_and_the_page_names_both() {
    assert!(
        names_an_article("GDPR Art. 44, met") && names_an_article("Trust Services Criteria CC9.2, risks")
    );
    assert!(!names_an_article("GDPR, somewhere") && !names_an_article("Good practice"));
    assert_eq!(
        places("Art. 28(3), 30(2)(b); [ITS (EU) 2024/2956](https://x/2022/1), B_02.02"),
        ["28(3)", "30(2)(b)", "2024/2956", "B_02.02"]
    );
    let page = include_str!("../../../../docs/reference/packs.md");
    for name in NAMES {
        let bundle = loaded(&including(&[name], &format!("  - pack: {name}")));
        let section = page.split("\n## ").find_map(|part| part.strip_prefix(&format!("{name}\n")));
        let section = section.unwrap_or_else(|| panic!("packs.md has nothing on {name}"));
        let rows: Vec<Vec<&str>> = section
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| line.split('|').map(str::trim).collect())
            .collect();
        // `…` stands for several endings of one name.
        let of_row = |row: &[&str], id: &str| {
            let named = row[1].trim_matches('`');
            named.strip_suffix('…').map_or(named == id, |beginning| id.starts_with(beginning))
        };
        for rule in &bundle.rules {
            let (_, id) = rule.id.split_once('/').unwrap();
            for because in &rule.because {
                assert!(
                    names_an_article(because) || because.starts_with("House policy"),
                    "{}: `{because}` names nothing that can be looked up",
                    rule.id
                );
            }
            let told: Vec<_> = rows.iter().filter(|row| of_row(row, id)).collect();
            assert_eq!(told.len(), 1, "packs.md: rows for {}", rule.id);
            let follows = told[0][2];
            let because = rule.because.join("\n");
            let places = places(follows);
            for place in &places {
                assert!(
                    because.contains(place.as_str()),
                    "{}: packs.md says {place}, not {because}",
                    rule.id
                );
            }
            let house = follows.contains("house policy");
            assert!(!house || because.contains("House policy"), "{}: {because}", rule.id);
            assert!(house || !places.is_empty(), "packs.md: {} follows nothing", rule.id);
        }
        for row in &rows {
            let some = bundle.rules.iter().any(|rule| of_row(row, rule.id.split_once('/').unwrap().1));
            assert!(some, "packs.md: {name} has no rule {}", row[1]);
        }
    }
}

#[test]
fn all_packs_together_load_and_none_contradicts_another() {
    let include: String = NAMES.iter().map(|name| format!("  - pack: {name}\n")).collect();
    let bundle = loaded(&including(&NAMES, &include));
    let problems = lint(&bundle, &database(), now());
    assert!(problems.iter().all(|p| !p.what.contains("contradict")), "{}", told(&problems));
}

#[test]
fn a_pack_is_narrowed_to_a_scope_and_set_within_its_bounds() {
    let include = "  - pack: hipaa\n    scope: /acme/clinic\n    parameters: { retain_days: 3650, identifiers: [EMAIL] }\n    modes: { phi-is-not-kept-here: shadow, phi-trains-no-model: \"off\", phi-not-in-what-cannot-be-read: enforce }\n  - { pack: gdpr-residency, as: swiss, scope: /acme/ch, parameters: { regions: [CH, EU] } }\n  - { pack: gdpr-residency, scope: /acme/de, parameters: { regions: [DE] } }";
    let bundle = Arc::new(loaded(&including(&["hipaa", "gdpr-residency"], include)));
    let rule = |id: &str| bundle.rule(id).unwrap_or_else(|| panic!("{id}"));
    assert_eq!(rule("hipaa/phi-needs-a-baa").scope, "/acme/clinic");
    assert_eq!(rule("hipaa/phi-needs-a-baa").file, "packs/hipaa/rules/phi.yaml");
    assert!(rule("hipaa/phi-records-are-kept").line > 1);
    assert_eq!(rule("hipaa/phi-records-are-kept").obligations.retain_days, Some(3650));
    assert_eq!(rule("hipaa/phi-is-not-kept-here").mode, Mode::Shadow);
    assert_eq!(rule("swiss/processed-in-region-of-people-there").scope, "/acme/ch");
    assert!(
        rule("gdpr-residency/processed-in-region-of-people-there").require
            != rule("swiss/processed-in-region-of-people-there").require
    );
    // The packs' own tests are about the packs' own values, once a pack.
    let results = run_tests(&bundle, &database(), &[]).unwrap();
    assert!(results.iter().all(|result| result.passed()), "{results:?}");
    assert_eq!(results.len(), bundle.packs[0].alone.tests.len() + bundle.packs[1].alone.tests.len());

    // What was made weaker is said, with its line.
    let problems = told(&lint(&bundle, &database(), now()));
    for says in [
        "bundle.yaml:4: warning: rule `hipaa/phi-is-not-kept-here` of pack hipaa 2026.11.1 is switched from enforce to shadow: it is reported and not applied",
        "bundle.yaml:4: warning: rule `hipaa/phi-trains-no-model` of pack hipaa 2026.11.1 is switched from enforce to off: it is neither applied nor reported",
        "bundle.yaml:4: note: rule `hipaa/phi-not-in-what-cannot-be-read` of pack hipaa 2026.11.1 is switched from shadow to enforce",
        "bundle.yaml:8: note: included pack `gdpr-residency`: `regions` is [\"CH\",\"EU\"]; the pack's own value is [\"EU\",\"EEA\"]",
        "bundle.yaml:9: note: included pack `gdpr-residency`: `regions` is [\"DE\"]",
    ] {
        assert!(problems.contains(says), "no {says:?} in {problems}");
    }

    // And every explanation says where a rule comes from, and what was switched.
    let endpoints = bundle.packs[0].alone.test_endpoints.clone();
    let compiled =
        Compiled::new(Arc::clone(&bundle), database(), endpoints, now().timestamp_millis()).unwrap();
    let explain = |scope: &str| {
        let facts: TestFacts =
            serde_norway::from_str(&format!("{{ scope: {scope}, model: assistant, data: [phi] }}")).unwrap();
        let facts = facts.at(now());
        let decision = compiled.decide(&facts);
        compiled.explain(&facts, &decision)
    };
    let clinic = explain("/acme/clinic");
    assert_eq!(clinic.switched_off, ["hipaa/phi-trains-no-model"]);
    let part = clinic.rules.iter().find(|r| r.id == "hipaa/phi-needs-a-baa").unwrap();
    assert_eq!(part.pack.as_deref(), Some("hipaa 2026.11.1"));
    let elsewhere = explain("/acme/ch");
    assert!(elsewhere.switched_off.is_empty() && !elsewhere.rules.iter().any(|r| r.id.starts_with("hipaa/")));
}

#[test]
fn a_parameter_is_what_a_rule_says() {
    let include = "  - { pack: eu-ai-act-logging, scope: /hiring, parameters: { models: [\"gpt*\"] } }\n  - { pack: gdpr-transfers, scope: /eu, parameters: { mechanisms: [none, adequacy] } }\n  - { pack: soc2-baseline, scope: /soc, parameters: { assessed_from: public } }";
    let bundle =
        Arc::new(loaded(&including(&["eu-ai-act-logging", "gdpr-transfers", "soc2-baseline"], include)));
    let mut endpoints = bundle.packs[1].alone.test_endpoints.clone();
    endpoints.retain(|endpoint| endpoint.name != "bedrock-us-without-clauses");
    let compiled =
        Compiled::new(Arc::clone(&bundle), database(), endpoints, now().timestamp_millis()).unwrap();
    let decide = |facts: &str| {
        let facts = serde_norway::from_str::<TestFacts>(facts).unwrap().at(now());
        let decision = compiled.decide(&facts);
        let explanation = compiled.explain(&facts, &decision);
        let eligible =
            explanation.endpoints.iter().filter(|e| e.eligible).map(|e| e.name.clone()).collect::<Vec<_>>();
        (eligible, explanation.denied_by)
    };
    assert_eq!(decide("{ scope: /hiring, model: assistant }").1, ["eu-ai-act-logging/only-assessed-models"]);
    assert_eq!(decide("{ scope: /hiring, model: gpt-5 }").1, Vec::<String>::new());
    assert_eq!(decide("{ scope: /eu, model: assistant, data: [personal] }").0, ["bedrock-eu"]);
    assert!(
        !decide("{ scope: /soc, model: assistant, sensitivity: public }").0.contains(&"stranger".to_owned())
    );
}

#[test]
fn a_pack_is_not_widened_nor_misnamed() {
    for (include, says) in [
        (
            "  - pack: hipa",
            "bundle.yaml:4: included pack `hipa`: there is no packs/hipa/pack.yaml; did you mean `hipaa`?",
        ),
        ("  - pack: pci-dss", "`bailiwick policy pack add pci-dss DIR` puts it there"),
        (
            "  - pack: hipaa\n  - pack: hipaa",
            "bundle.yaml:5: included pack `hipaa`: `hipaa` is taken by another include",
        ),
        (
            "  - { pack: hipaa, scope: clinic }",
            "bundle.yaml:4: included pack `hipaa`: the scope `clinic` does not start",
        ),
        ("  - { pack: hipaa, as: HIPAA }", "is no id"),
        (
            "  - { pack: hipaa, parameters: { retain_day: 1 } }",
            "it has no parameter `retain_day`; did you mean `retain_days`?",
        ),
        (
            "  - { pack: hipaa, parameters: { retain_days: 30 } }",
            "parameter `retain_days`: 30 is less than 2190; see packs/hipaa/pack.yaml",
        ),
        ("  - { pack: hipaa, parameters: { retain_days: \"2190 }\\ndeny: true\" } }", "is no whole number"),
        (
            "  - { pack: hipaa, parameters: { identifiers: [EMAILS] } }",
            "`EMAILS` is no kind of finding; did you mean `EMAIL`?",
        ),
        ("  - { pack: hipaa, parameters: { identifiers: [] } }", "is no list of names"),
        ("  - { pack: gdpr-residency, parameters: { regions: [US] } }", "is not within EU, EEA, ADEQUATE"),
        ("  - { pack: gdpr-residency, parameters: { regions: [Bavaria] } }", "`Bavaria` is neither a region"),
        (
            "  - { pack: hipaa, modes: { phi-needs-a-ba: \"off\" } }",
            "it has no rule `phi-needs-a-ba`; did you mean `phi-needs-a-baa`?",
        ),
        ("  - { pack: hipaa, modes: { phi-needs-a-baa: of } }", "did you mean `off`?"),
        ("  - { pack: hipaa, mode: shadow }", "bundle.yaml:4:20: include[0]: unknown field `mode`"),
    ] {
        let text = refused(include);
        assert!(text.contains(says), "{include}: no {says:?} in {text}");
    }
}

#[test]
fn a_copy_that_was_edited_or_is_not_included_is_named_and_a_pack_of_ones_own_is_one() {
    let mut source = including(&["hipaa", "pci-dss"], "  - pack: hipaa");
    let digest = loaded(&source).digest;
    let text = source.files.get_mut("packs/hipaa/rules/phi.yaml").unwrap();
    *text = text.replacen("hipaa_eligible: true", "trains_on_inputs: false", 1);
    // The changed rule no longer passes the pack's tests, and nobody overlooks the change.
    let bundle = Arc::new(loaded(&source));
    assert_ne!(bundle.digest, digest);
    assert!(run_tests(&bundle, &database(), &[]).unwrap().iter().any(|result| !result.passed()));
    let problems = told(&lint(&bundle, &database(), now()));
    assert!(
        problems.contains("packs/hipaa/rules/phi.yaml: warning: the file is not that of pack hipaa"),
        "{problems}"
    );
    assert!(problems.contains("packs/pci-dss: warning: the bundle does not include this pack"), "{problems}");

    let manifest = source.files.get_mut("packs/hipaa/pack.yaml").unwrap();
    *manifest = manifest.replacen("2026.11.1", "2025.1", 1);
    assert!(matches!(loaded(&source).packs[0].copy, PackCopy::OtherVersion(_)));

    let mut own = including(&[], "  - { pack: house, parameters: { days: 7 } }");
    let manifest = "name: house\nversion: \"1\"\ntitle: T\nbecause: [B]\nparameters:\n  days: { means: M, kind: number, default: 30, at_most: 30 }\n";
    own.files.insert("packs/house/pack.yaml".into(), manifest.into());
    let rule = "id: short\ntitle: T\nbecause: [B]\nrequire: { retention_days: { at_most: ${days} } }\n";
    own.files.insert("packs/house/rules/r.yaml".into(), rule.into());
    let bundle = loaded(&own);
    assert_eq!(bundle.rules[0].require.retention_days.unwrap().at_most, 7);
    assert_eq!(bundle.packs[0].copy, PackCopy::Own);

    for (path, text, says) in [
        (
            "packs/house/rules/r.yaml",
            rule.replace("${days}", "${dayz}"),
            "packs/house/rules/r.yaml:4: there is no parameter `dayz`; did you mean `days`?",
        ),
        (
            "packs/house/rules/r.yaml",
            rule.replace("${days} } }", "${days"),
            "packs/house/rules/r.yaml:4: `${` without a `}`",
        ),
        ("packs/house/rules/r.yaml", format!("scope: /acme\n{rule}"), "a rule of a pack has no scope"),
        (
            "packs/house/rules/r.yaml",
            rule.replace("title", "titel"),
            "packs/house/rules/r.yaml:2:1: unknown field `titel`",
        ),
        (
            "packs/house/pack.yaml",
            manifest.replace("default: 30", "default: 31"),
            "packs/house/pack.yaml:6: the default of `days`: 31 is more than 30",
        ),
        ("packs/house/pack.yaml", manifest.replace("house", "hause"), "the pack calls itself `hause`"),
        ("packs/house/exceptions/e.yaml", "id: e".to_owned(), "a bundle keeps no such file"),
    ] {
        let mut source = own.clone();
        source.files.insert(path.into(), text);
        let problems = told(&Bundle::load(&source).expect_err(says));
        assert!(problems.contains(says), "no {says:?} in {problems}");
    }
}
