//! What an organisation adds to the facts that ship, or puts in their place.

use bailiwick_compliance_db::{
    Attribute::{PciDss, ProcessingCountries, RetentionDays},
    Context, Database, Doubt, EndpointProfile, FactId, FactValue, LoadError, Regulation, Resolved, Value,
};

use crate::support::{at, azure, bedrock, context, mystery};

const OWN: &str = "
about: What our own people have read.
facts:
  - id: own/bedrock-pci
    scope: { operator: [aws], service: [amazon-bedrock] }
    attribute: pci_dss
    value: true
    replaces: { fact: amazon-bedrock/pci-dss, because: we have read the attestation of 2026 }
    evidence:
      - { url: contracts/aoc-2026.pdf, says: The service is on page 14., observed_from: 2026-10-01, observed_to: 2026-10-01, kind: operator_declaration, confidence: sourced }
  - id: own/nimbus/processing
    scope: { operator: [nimbus-ai], service: [nimbus-api] }
    attribute: processing_countries
    value: { countries: [FI] }
    evidence:
      - { url: https://example.org/nimbus, says: Finland., observed_from: 2026-10-01, observed_to: 2026-10-01, kind: vendor_contract, confidence: sourced }
";

fn load(own: &[(&str, &str)]) -> Result<Database, LoadError> {
    let own = own.iter().map(|(path, text)| (format!("{}{path}", Database::OWN), (*text).to_owned()));
    Database::load(Database::embedded_files().chain(own))
}

#[test]
fn an_own_fact_that_contradicts_one_that_ships_is_the_doubtful_one() {
    let own = "about: ours
facts:
  - id: own/deepseek/processing
    scope: { operator: [deepseek], service: [deepseek] }
    attribute: trains_on_inputs
    value: false
    evidence:
      - { url: https://example.org/deepseek, says: It does not., observed_from: 2026-10-01, observed_to: 2026-10-01, kind: vendor_contract, confidence: sourced }
";
    let shipped = load(&[]).unwrap();
    let twin = shipped
        .facts()
        .find(|fact| {
            fact.when == Default::default() && matches!(fact.value, FactValue::Fixed(Value::Bool(_)))
        })
        .unwrap();
    let (contradicted, attribute) = (twin.id.clone(), twin.attribute);
    let scope = serde_json::to_string(&twin.scope).unwrap();
    let value = twin.value == FactValue::Fixed(Value::Bool(false));
    // The same scope and conditions as one that ships, and the other answer.
    let own = own
        .replace("{ operator: [deepseek], service: [deepseek] }", &scope)
        .replace("trains_on_inputs", attribute.name())
        .replace("value: false", &format!("value: {value}"));
    let database = load(&[("read.yaml", &own)]).unwrap();
    let day = "2026-11-22".parse().unwrap();
    let doubts = database.lint(day, 365);
    let told = doubts.iter().find(|doubt| doubt.of.starts_with("own/")).expect("told of the own fact");
    assert_eq!(told.doubt, Doubt::UnmarkedContradiction);
    assert!(told.what.contains(contradicted.as_str()), "{told}");
    assert!(!doubts.iter().any(|doubt| doubt.of == contradicted.as_str()), "once: {doubts:?}");
}

fn resolve(
    database: &Database,
    endpoint: &EndpointProfile,
    attribute: bailiwick_compliance_db::Attribute,
) -> Resolved {
    database.resolve(endpoint, attribute, &context(&[]))
}

/// What is said when `from` is replaced by `to`.
#[track_caller]
fn problems(from: &str, to: &str) -> String {
    assert!(OWN.contains(from));
    load(&[("read.yaml", &OWN.replacen(from, to, 1))]).expect_err(to).to_string()
}

#[test]
fn an_own_fact_joins_or_replaces() {
    let shipped = load(&[]).unwrap();
    let database = load(&[("read.yaml", OWN)]).unwrap();
    assert_ne!(database.digest(), shipped.digest(), "a decision names what it was made with");

    assert!(!resolve(&shipped, &bedrock(None, "us-east-1"), PciDss).is(true));
    let pci = resolve(&database, &bedrock(None, "us-east-1"), PciDss);
    assert!(pci.is(true), "{pci:?}");
    assert_eq!(pci.facts, [FactId::from("own/bedrock-pci")]);
    let judged = database.judge(&bedrock(None, "us-east-1"), Regulation::PciDss, &context(&[]));
    assert_eq!(judged.to_string(), "yes");

    let replaced = FactId::from("amazon-bedrock/pci-dss");
    assert!(database.fact(&replaced).is_none() && database.replaced(&replaced).is_some());
    let own = database.fact(&FactId::from("own/bedrock-pci")).unwrap();
    assert_eq!(own.replaces.as_ref().map(|one| one.fact.clone()), Some(replaced));

    assert_eq!(resolve(&database, &mystery(), ProcessingCountries).value.unwrap().to_string(), "{FI}");
    let day = "2026-11-22".parse().unwrap();
    assert_eq!(database.lint(day, 365), [], "the lint looks at them too");
}

#[test]
fn an_own_fact_that_replaces_nothing_can_only_make_it_stricter() {
    let longer = OWN.replace("pci_dss\n    value: true", "retention_days\n    value: 400").replace(
        "replaces: { fact: amazon-bedrock/pci-dss, because: we have read the attestation of 2026 }",
        "note: n",
    );
    let database = load(&[("read.yaml", &longer)]).unwrap();
    assert_eq!(
        resolve(&database, &bedrock(None, "us-east-1"), RetentionDays).value.unwrap().to_string(),
        "400 days"
    );
    let shorter = longer.replace("400", "0");
    let database = load(&[("read.yaml", &shorter)]).unwrap();
    let keeps = EndpointProfile { model: "anthropic.claude-fable-5".into(), ..bedrock(None, "us-east-1") };
    assert_eq!(resolve(&database, &keeps, RetentionDays).value.unwrap().to_string(), "30 days");
}

#[test]
fn what_is_wrong_with_an_own_file_is_named() {
    assert!(problems("id: own/bedrock-pci", "id: amazon-bedrock/pci").contains("is named own/"));
    assert!(problems("fact: amazon-bedrock/pci-dss", "fact: amazon-bedrock/pci").contains("does not exist"));
    assert!(
        problems("fact: amazon-bedrock/pci-dss", "fact: amazon-bedrock/soc-2").contains("not about pci_dss")
    );
    assert!(
        problems("fact: amazon-bedrock/pci-dss", "fact: own/nimbus/processing").contains("change that one")
    );
    assert!(problems("because: we have read the attestation of 2026", "because: ' '").contains("why"));
    assert!(problems("contracts/aoc-2026.pdf", "''").contains("https://"));
    assert!(
        problems("https://example.org/nimbus", "contracts/nimbus.pdf").contains("https://"),
        "a vendor's is a page"
    );
    assert!(problems("operator: [nimbus-ai], ", "").contains("must name the operator"));
    assert!(problems("value: true", "value: { countries: [DE] }").contains("not one of pci_dss"));
    assert!(problems("replaces: {", "replace: {").contains("compliance/read.yaml"));
    let twice = OWN
        .replace("own/nimbus/processing", "own/b")
        .replace("nimbus-ai", "aws")
        .replace("nimbus-api", "amazon-bedrock");
    let twice = twice.replace(
        "processing_countries\n    value: { countries: [FI] }",
        "pci_dss\n    value: true\n    replaces: { fact: amazon-bedrock/pci-dss, because: again }",
    );
    assert!(load(&[("read.yaml", &twice)]).unwrap_err().to_string().contains("replaced twice"));
    let shipped = Database::embedded_files().map(|(path, text)| match path.as_str() {
        "vllm.yaml" => (
            path,
            text.replacen(
                "    attribute:",
                "    replaces: { fact: vllm/hosting, because: b }\n    attribute:",
                1,
            ),
        ),
        _ => (path, text),
    });
    assert!(Database::load(shipped).unwrap_err().to_string().contains("only an organisation's own fact"));
}

const REGIONS: &str = "operators: [{ operator: microsoft, regions: { moon-north: CH }, evidence: [{ url: https://example.org, says: so, observed_from: 2026-01-01, observed_to: 2026-01-01, kind: vendor_doc, confidence: sourced }] }]";

const MODELS: &str = "models: [{ service: openai-api, model: gpt-4o-mini, kind: chat, price: { input: '0.10', output: '0.40' }, input: [text], evidence: [{ url: https://example.org, says: so, observed_from: 2026-01-01, observed_to: 2026-01-01, kind: vendor_contract, confidence: sourced }] }]";

#[test]
fn own_regions_and_prices() {
    let database = load(&[("regions.yaml", REGIONS), ("models.yaml", MODELS)]).unwrap();
    assert_eq!(database.region("microsoft", "moon-north").map(|country| country.code()), Some("CH"));
    assert!(database.region("microsoft", "swedencentral").is_some());
    let zone = azure("standard", "moon-north");
    assert!(!resolve(&database, &zone, ProcessingCountries).is_known(), "a region alone is no promise");
    let mini = database.model("openai-api", "gpt-4o-mini").unwrap();
    assert_eq!(mini.price.input.nano_dollars(), 100_000_000);
    let snapshot = database.model("openai-api", "gpt-4o-mini-2024-07-18");
    assert!(
        snapshot.is_none_or(|model| !model.is_named("gpt-4o-mini-2024-07-18")),
        "it went with the entry that named it"
    );
    assert_eq!(
        database
            .models()
            .filter(|model| model.service == "openai-api" && model.is_named("gpt-4o-mini"))
            .count(),
        1
    );

    let moved =
        load(&[("regions.yaml", &REGIONS.replace("moon-north", "swedencentral"))]).unwrap_err().to_string();
    assert!(moved.contains("known already: it stands in SE"), "{moved}");
}

/// What is known at an instant of where `mystery` processes, where the only evidence has these days.
fn seen(from: &str, to: &str, kind: &str, at_instant: &str, known_by: Option<&str>) -> Resolved {
    let own = OWN.replace(
        "observed_from: 2026-10-01, observed_to: 2026-10-01, kind: vendor_contract",
        &format!("observed_from: {from}, observed_to: {to}, kind: {kind}"),
    );
    assert!(own.contains(kind));
    let mut database = load(&[("read.yaml", &own)]).unwrap();
    if let Some(day) = known_by {
        database = database.known_by(day.parse().unwrap());
    }
    let context = Context { now: at(at_instant), ..context(&[]) };
    database.resolve(&mystery(), ProcessingCountries, &context)
}

#[test]
fn evidence_from_the_future_is_none_until_its_day_begins_somewhere() {
    for kind in ["vendor_contract", "operator_declaration"] {
        let before = seen("2026-12-02", "2026-12-02", kind, "2026-12-01T09:59:59Z", None);
        assert_eq!(before.value, None, "{kind}: {before:?}");
        assert!(
            before.missing.iter().any(|missing| missing.to_string().contains("own/nimbus/processing")),
            "{before:?}"
        );
        assert_eq!(before.valid_until, Some(at("2026-12-01T10:00:00Z")), "{kind}: it is asked again then");
        let after = seen("2026-12-02", "2026-12-02", kind, "2026-12-01T10:00:00Z", None);
        assert!(after.value.is_some(), "{kind}: {after:?}");
    }
}

#[test]
fn a_day_to_come_makes_evidence_no_younger() {
    let claimed = |now: &str| seen("2026-10-01", "2030-01-01", "vendor_contract", now, None);
    let now = claimed("2026-11-22T12:00:00Z");
    assert_eq!((now.value.is_some(), now.valid_until), (true, Some(at("2027-10-02T00:00:00Z"))), "{now:?}");
    let over = claimed("2027-10-02T00:00:00Z");
    assert_eq!(over.value, None, "a year after the first day: {over:?}");
    assert_eq!(over.valid_until, Some(at("2029-12-31T10:00:00Z")), "when the last day begins");
    assert!(claimed("2029-12-31T10:00:00Z").value.is_some());
}

#[test]
fn what_is_asked_of_the_past_may_have_been_learnt_since() {
    let of_the_past =
        |known_by| seen("2026-11-20", "2026-11-20", "vendor_contract", "2026-11-01T00:00:00Z", known_by);
    assert_eq!(of_the_past(None).value, None);
    assert!(of_the_past(Some("2026-11-22")).value.is_some());
    assert_eq!(
        of_the_past(Some("2026-11-19")).value,
        None,
        "what is yet to come on the day of asking stays so"
    );
}
