//! What the lint finds in files that load, and in those of `data/`.

use bailiwick_compliance_db::{Attribute, Database, Doubt, Known};
use chrono::NaiveDate;

use crate::support::database;

const DAY: &str = "2026-03-01";

fn day(day: &str) -> NaiveDate {
    day.parse().unwrap()
}

/// A file of facts with these, each given as (name, the rest of its lines).
fn facts(facts: &[(&str, &str)]) -> String {
    let mut text =
        "about: a service\nnames: { hosting_option: { zone: a zone }, tier: { paid: who pays } }\nfacts:\n"
            .to_owned();
    for (name, rest) in facts {
        text.push_str(&format!("  - id: svc/{name}\n"));
        let evidence = "evidence: [{ url: https://example.org, says: so, observed_from: 2026-01-01, observed_to: 2026-02-01, kind: vendor_doc, confidence: sourced }]";
        let rest =
            if rest.contains("evidence:") { (*rest).to_owned() } else { format!("{rest}\n{evidence}") };
        for line in rest.lines() {
            text.push_str(&format!("    {}\n", line.trim()));
        }
    }
    text
}

const DE: &str =
    "scope: { operator: [op], service: [svc] }\nattribute: processing_countries\nvalue: { countries: [DE] }";

/// The doubts about these facts, with `north` in Norway and `south` in Germany.
fn doubts(of: &[(&str, &str)]) -> Vec<(Doubt, String)> {
    let regions = "operators: [{ operator: op, regions: { north: \"NO\", south: DE }, evidence: [{ url: https://example.org, says: so, observed_from: 2026-01-01, observed_to: 2026-01-01, kind: vendor_doc, confidence: sourced }] }]";
    let models = "models: [{ service: svc, model: large-1, kind: chat, price: { input: '1', output: '2' }, input: [text], evidence: [{ url: https://example.org, says: so, observed_from: 2026-01-01, observed_to: 2026-01-01, kind: vendor_doc, confidence: sourced }] }]";
    let files = [
        ("database.yaml", "version: 2026.1.1"),
        ("regions.yaml", regions),
        ("models.yaml", models),
        ("svc.yaml", &facts(of)),
    ];
    let database = Database::load(files.map(|(path, text)| (path.to_owned(), text.to_owned()))).unwrap();
    database.lint(day(DAY), 365).into_iter().map(|doubt| (doubt.doubt, doubt.what)).collect()
}

/// The one doubt about a fact that is right but for `from` being `to`.
#[track_caller]
fn doubt(from: &str, to: &str) -> (Doubt, String) {
    assert!(DE.contains(from));
    let found = doubts(&[("a", &DE.replace(from, to))]);
    let [one] = found.as_slice() else { panic!("{found:?}") };
    one.clone()
}

#[test]
fn a_database_that_is_right_raises_no_doubt() {
    assert_eq!(doubts(&[("a", DE)]), []);
}

#[test]
fn a_scope_that_nobody_can_match() {
    for (scope, word) in [
        ("hosting_option: [zones]", "zones"),
        ("tier: [free*]", "free*"),
        ("profile: [eu]", "eu"),
        ("developer: [nobody]", "nobody"),
    ] {
        let (sort, what) = doubt("service: [svc]", &format!("service: [svc], {scope}"));
        assert_eq!(sort, Doubt::DanglingScope);
        assert!(what.contains(word), "{what}");
    }
    let scope = "service: [svc], hosting_option: [z*], tier: [paid], profile: [none], model: [large*]";
    assert_eq!(doubts(&[("a", &DE.replace("service: [svc]", scope))]), []);
}

#[test]
fn places_that_cannot_be() {
    let (sort, what) = doubt("{ countries: [DE] }", "nowhere");
    assert_eq!(sort, Doubt::ImpossibleCountries, "{what}");
    let (sort, what) = doubt("service: [svc]", "service: [svc], source_region: [north]");
    assert!(sort == Doubt::ImpossibleCountries && what.contains("NO"), "{what}");
    assert_eq!(
        doubts(&[("a", &DE.replace("service: [svc]", "service: [svc], source_region: [north, south]"))]),
        []
    );
    let ground =
        DE.replace("processing_countries", "transfer_mechanism").replace("{ countries: [DE] }", "[none]");
    assert_eq!(
        doubts(&[("a", &ground.replace("service: [svc]", "service: [svc], source_region: [north]"))]),
        []
    );
}

#[test]
fn evidence_that_is_old_or_from_the_future() {
    let seen = |seen: &str, confidence: &str| {
        let evidence = format!(
            "evidence: [{{ url: https://example.org, says: so, observed_from: 2020-01-01, observed_to: {seen}, kind: vendor_doc, confidence: {confidence} }}]"
        );
        doubts(&[("a", &format!("{DE}\n{evidence}"))])
    };
    assert_eq!(seen("2025-03-01", "sourced"), []);
    assert_eq!(seen("2025-02-28", "sourced")[0].0, Doubt::OverAge);
    assert_eq!(seen("2026-03-02", "sourced")[0].0, Doubt::FromTheFuture);
    assert_eq!(
        seen("2020-01-01", "unverified"),
        [],
        "what nobody read does not count, so its age does not either"
    );
}

#[test]
fn contradictions_are_marked_and_twins_are_one() {
    let other = DE.replace("[DE]", "[DE, FR]");
    let found = doubts(&[("a", DE), ("b", &other)]);
    assert!(
        matches!(found.as_slice(), [(Doubt::UnmarkedContradiction, what)] if what.contains("svc/a")),
        "{found:?}"
    );
    assert_eq!(doubts(&[("a", DE), ("b", &format!("{other}\nconflicts_with: [svc/a]"))]), []);
    assert_eq!(doubts(&[("a", &format!("{DE}\nconflicts_with: [svc/b]")), ("b", &other)]), []);
    assert_eq!(doubts(&[("a", DE), ("b", DE)])[0].0, Doubt::Twice);
    let elsewhere = other.replace("service: [svc]", "service: [svc], tier: [paid]");
    assert_eq!(doubts(&[("a", DE), ("b", &elsewhere)]), [], "another scope is another claim");
    let with = format!("{other}\nwhen: {{ with_features: [audio] }}");
    assert_eq!(doubts(&[("a", DE), ("b", &with)]), [], "another condition is another claim");
}

#[test]
fn nothing_about_the_data_that_ships_is_doubtful() {
    let database = database();
    let release = NaiveDate::parse_from_str(database.version(), "%Y.%m.%d").unwrap();
    let doubts: Vec<String> = database.lint(release, 365).iter().map(ToString::to_string).collect();
    assert!(doubts.is_empty(), "{doubts:#?}");
    let old = database.lint(release + chrono::Days::new(366), 365);
    let aged = old.iter().filter(|doubt| doubt.doubt == Doubt::OverAge).count();
    assert!(
        aged > 0 && aged == old.len(),
        "a year later all that ages has aged, and nothing else has changed"
    );
}

#[test]
fn the_report_counts_what_is_known() {
    let day = day("2026-11-22");
    let report = database().coverage(day, 365);
    assert_eq!(report.facts, report.services.iter().map(|service| service.facts).sum::<usize>());
    let of = |service: &str, attribute| {
        let service = report.services.iter().find(|one| one.service == service).unwrap();
        service.attributes[&attribute].known
    };
    assert_eq!(of("amazon-bedrock", Attribute::ProcessingCountries), Known::Known);
    assert_eq!(of("azure-openai", Attribute::HipaaEligible), Known::OnlyIf, "an agreement");
    assert_eq!(of("vllm", Attribute::ProcessingCountries), Known::OnlyIf, "a declaration");
    assert_eq!(of("ollama", Attribute::BsiC5), Known::Unknown);
    let aged = database().coverage(day + chrono::Days::new(800), 365);
    let still = aged.services.iter().flat_map(|service| service.attributes.values());
    assert!(still.filter(|one| one.known == Known::Known).count() < 20, "only declarations do not age");
    for service in &report.services {
        assert!(
            service.attributes.values().map(|one| one.facts).sum::<usize>() == service.facts,
            "{service:?}"
        );
        assert!(service.oldest.is_none_or(|oldest| oldest <= day), "{service:?}");
    }
}

#[test]
fn the_database_is_wide_enough() {
    let report = database().coverage(day("2026-11-22"), 365);
    assert!(report.services.len() > 20, "{} services", report.services.len());
    assert!(report.facts >= 300, "{} facts", report.facts);
    let vendor: usize = report.services.iter().map(|service| service.by_the_vendor).sum();
    assert!(vendor * 2 > report.facts, "{vendor} of {} facts rest on the vendors' own pages", report.facts);
}
