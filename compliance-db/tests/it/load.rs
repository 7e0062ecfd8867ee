//! Files that are wrong, and what is said about them.

use bailiwick_compliance_db::{
    Attribute::ProcessingCountries, Context, Database, EndpointProfile, FactId, LoadError, Missing,
};

use crate::support::{at, context, countries};

const REGIONS: &str = "
operators:
  - operator: op
    regions: { north: \"NO\" }
    evidence: [{ url: https://example.org, says: so, observed_from: 2026-01-01, observed_to: 2026-01-01, kind: vendor_doc, confidence: sourced }]
";

const FACT: &str = "
about: a service
facts:
  - id: svc/a
    scope: { operator: [op], service: [svc] }
    attribute: processing_countries
    value: { countries: [DE] }
    evidence:
      - { url: https://example.org, says: so, observed_from: 2026-01-01, observed_to: 2026-02-01, kind: vendor_doc, confidence: sourced }
";

fn load(svc: &str) -> Result<Database, LoadError> {
    let files = [("database.yaml", "version: 2026.1.1"), ("regions.yaml", REGIONS), ("svc.yaml", svc)];
    Database::load(files.map(|(path, text)| (path.to_owned(), text.to_owned())))
}

/// What is said when `from` is replaced by `to` in a file that is right.
#[track_caller]
fn problems(from: &str, to: &str) -> String {
    assert!(FACT.contains(from));
    load(&FACT.replacen(from, to, 1)).expect_err(to).to_string()
}

#[test]
fn a_file_that_is_right_loads() {
    let database = load(FACT).unwrap();
    assert_eq!(database.facts().count(), 1);
    assert!(database.fact(&FactId::from("svc/a")).is_some());
    assert_eq!(database.region("op", "north").map(|country| country.code()), Some("NO"));
    assert_eq!(database.region("other", "north"), None);
}

#[test]
fn impossible_countries_and_values() {
    assert!(problems("[DE]", "[UK]").contains("`UK` is neither a region"));
    assert!(problems("countries: [DE]", "country: [DE]").contains("unknown field `country`"));
    let twice = problems("{ countries: [DE] }", "{ countries: [DE], countries: [US] }");
    assert!(twice.contains("duplicate"), "{twice}");
    assert!(problems("{ countries: [DE] }", "Germany").contains("countries: [..]"));
    assert!(problems("{ countries: [DE] }", "{ countries: [] }").contains("nowhere"));
    assert!(problems("{ countries: [DE] }", "true").contains("not one of processing_countries"));
    assert!(problems("processing_countries", "trains_on_inputs").contains("not one of trains_on_inputs"));
    assert!(problems("processing_countries", "colour").contains("colour"));
}

#[test]
fn evidence_that_proves_nothing() {
    let start = FACT.find("      - { url").unwrap();
    assert!(load(&format!("{}      []\n", &FACT[..start])).unwrap_err().to_string().contains("no evidence"));
    assert!(problems("https://example.org", "a friend").contains("https://"));
    assert!(problems("says: so", "says: ' '").contains("says"));
    assert!(
        problems("observed_to: 2026-02-01", "observed_to: 2025-02-01").contains("before it was first seen")
    );
    assert!(problems("observed_to: 2026-02-01", "observed_to: soon").contains("svc.yaml"));
}

#[test]
fn scopes_and_references_that_point_nowhere() {
    assert!(problems("service: [svc]", "service: [src]").contains("its scope must name"));
    assert!(problems("operator: [op], ", "").contains("its scope must name"));
    assert!(problems("service: [svc]", "service: [svc], source_region: [south]").contains("south"));
    assert!(load(&FACT.replacen("service: [svc]", "service: [svc], source_region: [nor*]", 1)).is_ok());
    assert!(problems("id: svc/a", "id: other/a").contains("named svc/"));
    assert!(problems("attribute:", "conflicts_with: [svc/b]\n    attribute:").contains("svc/b"));
    assert!(problems("service: [svc]", "services: [svc]").contains("services"));
}

#[test]
fn predicates_that_cannot_hold_or_leave_a_gap() {
    let when = |when: &str| problems("attribute:", &format!("when: {when}\n    attribute:"));
    assert!(when("{ attestations: [dpa], without_attestations: [dpa] }").contains("absence"));
    assert!(when("{ with_features: [audio], without_features: [audio] }").contains("absence"));
    assert!(when("{ without_attestations: [dpa] }").contains("what holds with it"));
    assert!(when("{ attestations: [handshake] }").contains("handshake"));
}

#[test]
fn everything_wrong_is_said_at_once() {
    let twice = format!("{FACT}{}", FACT.split_once("facts:\n").unwrap().1.replace("https://", "http://"));
    let LoadError(problems) = load(&twice).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.file == "svc.yaml"));
    let LoadError(problems) = Database::load([("svc.yaml".to_owned(), "facts: [".to_owned())]).unwrap_err();
    assert!(
        problems.iter().any(|problem| problem.file == "svc.yaml" && problem.line.is_some()),
        "{problems:?}"
    );
    assert!(problems.iter().any(|problem| problem.what.contains("version")), "{problems:?}");
}

#[test]
fn a_fresh_fact_speaks_for_an_old_one_that_it_contradicts_unless_that_one_may_grow() {
    let old = FACT.split_once("facts:\n").unwrap().1.replace("[DE]", "[DE, FR]").replace("2026-0", "2024-0");
    let old = old.replace("svc/a", "svc/b").replace("attribute:", "conflicts_with: [svc/a]\n    attribute:");
    let resolve = |old: &str| {
        let endpoint = EndpointProfile {
            operator: "op".into(),
            service: "svc".into(),
            model: "m".into(),
            ..EndpointProfile::default()
        };
        let ctx = Context { now: at("2026-03-01T00:00:00Z"), ..context(&[]) };
        load(&format!("{FACT}{old}")).unwrap().resolve(&endpoint, ProcessingCountries, &ctx)
    };
    let spoken_for = resolve(&old);
    assert!(
        spoken_for.within(countries(&["DE", "FR"])) && !spoken_for.within(countries(&["DE"])),
        "both are joined"
    );
    let grown = resolve(&old.replace("[DE, FR]", "[DE, FR], may_grow: true"));
    assert!(!grown.is_known());
    assert!(
        matches!(grown.missing.as_slice(), [Missing::Evidence { fact, .. }] if fact.as_str() == "svc/b"),
        "{grown:?}"
    );
    let unrelated = resolve(&old.replace("conflicts_with: [svc/a]\n    ", ""));
    assert!(!unrelated.is_known(), "an old claim that nothing contradicts is an old claim");
}

/// What is said of a file of facts about developers when `from` is replaced by `to`.
#[track_caller]
fn developer_problems(from: &str, to: &str) -> Option<String> {
    let right = FACT
        .replace("svc/a", "model-developers/a")
        .replace("operator: [op], service: [svc]", "developer: [maker]")
        .replace("processing_countries", "gpai_code")
        .replace("{ countries: [DE] }", "true");
    assert!(right.contains(from));
    let files =
        [("database.yaml", "version: 2026.1.1"), ("model-developers.yaml", &right.replacen(from, to, 1))];
    Database::load(files.map(|(path, text)| (path.to_owned(), text.to_owned())))
        .err()
        .map(|error| error.to_string())
}

#[test]
fn a_developers_facts_are_about_the_developer_and_nothing_else() {
    assert_eq!(developer_problems("value: true", "value: false"), None);
    let said = |from, to| developer_problems(from, to).unwrap();
    assert!(said("[maker]", "[maker], service: [svc]").contains("nothing else"));
    assert!(said("{ developer: [maker] }", "{}").contains("name the developer"));
    assert!(said("gpai_code", "soc_2").contains("belongs to a service"));
    let elsewhere =
        problems("processing_countries\n    value: { countries: [DE] }", "gpai_code\n    value: true");
    assert!(elsewhere.contains("belongs to model-developers.yaml"), "{elsewhere}");
}

const SUBPROCESSORS: &str = "
subprocessors:
  - name: Carrier, Inc.
    countries: [US, \"NO\"]
    purpose: carrying
    evidence: [{ url: https://example.org, says: so, observed_from: 2026-01-01, observed_to: 2026-02-01, kind: vendor_doc, confidence: sourced }]
";

#[test]
fn subprocessors_are_listed_by_service_with_evidence() {
    let database = load(&format!("{FACT}{SUBPROCESSORS}")).unwrap();
    let all: Vec<_> = database.subprocessors().collect();
    let [("svc", [carrier])] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((carrier.name.as_str(), carrier.countries), ("Carrier, Inc.", countries(&["US", "NO"])));

    let said = |from: &str, to: &str| {
        let changed = SUBPROCESSORS.replacen(from, to, 1);
        assert_ne!(changed, SUBPROCESSORS);
        load(&format!("{FACT}{changed}")).unwrap_err().to_string()
    };
    let again = SUBPROCESSORS.replace("\nsubprocessors:\n", "");
    assert!(load(&format!("{FACT}{SUBPROCESSORS}{again}")).unwrap_err().to_string().contains("twice"));
    assert!(said("purpose: carrying", "purpose: ''").contains("no purpose"));
    assert!(said("https://example.org", "hearsay").contains("https://"));
    assert!(said("[US, \"NO\"]", "[UK]").contains("svc.yaml"));
}
