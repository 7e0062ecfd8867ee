//! What is doubtful about an organisation's own facts, settings and names, told where it stands.

use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, BundleSource, Endpoint, Problem, Severity, lint, unknown_names};
use chrono::{TimeZone, Utc};

const OWN: &str = "about: ours
facts:
  # own/nimbus/hosting stands below
  - id: own/nimbus/processing
    scope: { operator: [nimbus-ai], service: [nimbus-api] }
    attribute: processing_countries
    value: { countries: [FI] }
    evidence: &page
      - { url: https://example.org, says: Finland., observed_from: 2026-06-01, observed_to: 2026-06-01, kind: vendor_doc, confidence: sourced }
  - id: own/nimbus/hosting
    scope: { operator: [nimbus-ai], service: [nimbus-api] }
    attribute: hosting
    value: dedicated
    evidence: *page
";

fn with(path: &str, text: &str) -> BundleSource {
    let mut source = BundleSource::starter();
    source.files.insert(path.to_owned(), text.to_owned());
    source
}

/// What is said of the own facts when `from` is `to`: at loading, or else by the lint.
#[track_caller]
fn told(from: &str, to: &str) -> Vec<String> {
    assert!(OWN.contains(from), "{from}");
    told_of(&OWN.replacen(from, to, 1))
}

fn told_of(own: &str) -> Vec<String> {
    let bundle = Bundle::load(&with("compliance/own.yaml", own)).unwrap();
    let now = Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap();
    let problems = bundle.database(Database::embedded_files()).map(|database| {
        let lint = lint(&bundle, &database, now).into_iter();
        lint.chain(unknown_names(&bundle, &database, None)).collect()
    });
    let problems: Vec<Problem> = problems.unwrap_or_else(|problems| problems);
    let own = problems.iter().filter(|problem| problem.file.starts_with(Database::OWN));
    own.map(ToString::to_string).collect()
}

#[test]
fn faults_of_own_facts_are_told_where_they_stand() {
    assert_eq!(told("about: ours", "about: ours"), [""; 0]);
    for (from, to, line, says) in [
        ("https://example.org", "a friend", 4, "without an https:// address"),
        ("value: { countries: [FI] }", "value: { countries: [XX] }", 4, "`XX` is neither a region"),
        ("value: dedicated", "value: 7", 10, "the value is not one of hosting"),
        ("id: own/nimbus/hosting", "id: own/nimbus/processing", 10, "two facts are named"),
        ("value: dedicated", "value: dedicated\n    conflicts_with: [own/none]", 10, "does not exist"),
        ("observed_to: 2026-06-01", "observed_to: 2027-06-01", 4, "is said to have been seen on 2027-06-01"),
        ("value: { countries: [FI] }", "value: nowhere", 4, "is nowhere"),
    ] {
        let told = told(from, to);
        let place = format!("compliance/own.yaml:{line}");
        assert!(
            told.iter().any(|one| one.contains(&place) && one.contains(says)),
            "{place} {says}: {told:?}"
        );
    }
}

#[test]
fn a_value_in_the_wrong_place_of_an_own_fact_is_not_told_whole() {
    let told = told_of("a secret that stands in a file which a link leads to, and more of it\n");
    assert!(!told.is_empty() && !told.iter().any(|one| one.contains("and more of it")), "{told:?}");
}

#[test]
fn a_service_or_an_operator_that_nobody_has_is_doubtful() {
    for (from, to, says) in [
        ("service: [nimbus-api]", "service: [openai-ap]", "the service `openai-ap`"),
        ("service: [nimbus-api]", "service: [nosuchservice]", "the service `nosuchservice`"),
        ("operator: [nimbus-ai]", "operator: [opnai]", "the operator `opnai`"),
    ] {
        let told = told(from, to);
        let one = told.iter().find(|one| one.contains(says)).unwrap_or_else(|| panic!("{says}: {told:?}"));
        assert!(one.contains("compliance/own.yaml:4"), "{one}");
        let near = says
            .contains("openai-ap")
            .then_some("`openai-api`")
            .or(says.contains("opnai").then_some("`openai`"));
        assert!(near.is_none_or(|near| one.contains(&format!("did you mean {near}?"))), "{one}");
    }
    // A pattern is about somebody where it fits somebody.
    assert_eq!(told("service: [nimbus-api]", "service: [nimbus*]"), [""; 0]);
}

/// What is said of a rule about a model where these endpoints are declared.
fn of_model(model: &str, declared: Option<&[Endpoint]>) -> Vec<(Severity, String)> {
    let rule = format!("id: a\ntitle: T\nbecause: [B]\nwhen: {{ model: [{model}] }}\ndeny: true\n");
    let bundle = Bundle::load(&with("rules/a.yaml", &rule)).unwrap();
    let database = bundle.database(Database::embedded_files()).unwrap();
    let problems = unknown_names(&bundle, &database, declared);
    problems.into_iter().map(|problem| (problem.severity, problem.to_string())).collect()
}

#[test]
fn a_model_that_no_declared_endpoint_serves_is_named() {
    let starter = Bundle::load(&BundleSource::starter()).unwrap();
    let declared = Some(starter.test_endpoints.as_slice());
    let told = of_model("gpt-4.l", declared);
    assert_eq!((told.len(), told[0].0), (1, Severity::Warning));
    assert!(
        told[0].1.contains("rules/a.yaml:1:") && told[0].1.contains("is about the model `gpt-4.l`"),
        "{told:?}"
    );
    assert!(told[0].1.contains("did you mean `gpt-4.1`?"), "{told:?}");
    let told = of_model("deepseek*", declared);
    assert_eq!((told.len(), told[0].0), (1, Severity::Note), "a guard against a model to come: {told:?}");
    assert_eq!(of_model("gpt-4*", declared), []);
    assert_eq!(of_model("gpt-4.l", None), [], "nobody knows what is declared");
}

#[test]
fn evidence_may_not_count_for_ever() {
    let manifest = |days: &str| {
        let text = BundleSource::starter().files["bundle.yaml"].clone();
        assert!(text.contains("max_evidence_age_days: 365"));
        with(
            "bundle.yaml",
            &text.replace("max_evidence_age_days: 365", &format!("max_evidence_age_days: {days}")),
        )
    };
    for days in ["3651", "4294967295"] {
        let problems = Bundle::load(&manifest(days)).unwrap_err();
        let told = problems[0].to_string();
        assert!(told.contains("bundle.yaml:5: `max_evidence_age_days` is"), "{told}");
    }
    let now = Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap();
    for (days, doubtful) in [("365", false), ("1095", false), ("1096", true), ("3650", true)] {
        let bundle = Bundle::load(&manifest(days)).unwrap();
        let database = bundle.database(Database::embedded_files()).unwrap();
        let told = lint(&bundle, &database, now);
        let found = told.iter().find(|problem| problem.what.contains("evidence counts for"));
        assert_eq!(
            found.map(|problem| (problem.severity, problem.line)),
            doubtful.then_some((Severity::Warning, Some(5)))
        );
    }
}
