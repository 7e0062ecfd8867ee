//! What a newer database changes, and for whom.

use std::collections::BTreeMap;

use bailiwick_compliance_db::{Attribute, Database, FactId, Listing};

use crate::support::{bedrock, context, countries, database, seven};

/// The shipped database with one file changed.
fn newer(path: &str, from: &str, to: &str) -> Database {
    let mut files: BTreeMap<String, String> = Database::embedded_files().collect();
    let text = files.get_mut(path).unwrap();
    let changed = text.replacen(from, to, 1);
    assert_ne!(*text, changed, "{path} does not have {from}");
    *text = changed;
    files.insert("database.yaml".into(), "version: \"2026.12.1\"".into());
    Database::load(files).unwrap()
}

#[test]
fn a_database_does_not_differ_from_itself() {
    let changes = database().changes(&database());
    assert!(changes.is_empty(), "{changes:?}");
    assert_eq!(database().impact(&database(), &seven(), &context(&[])), []);
}

#[test]
fn facts_and_whose_answers_they_change() {
    let fact = "  - id: amazon-bedrock/training";
    let moved = newer("amazon-bedrock.yaml", fact, &fact.replace("training", "trained"));
    let changes = database().changes(&moved);
    assert_eq!((changes.from.as_str(), changes.to.as_str()), (database().version(), "2026.12.1"));
    assert_eq!(changes.added, [FactId::from("amazon-bedrock/trained")]);
    assert_eq!(changes.removed, [FactId::from("amazon-bedrock/training")]);
    assert_eq!(database().impact(&moved, &seven(), &context(&[])), [], "it says the same by another name");

    let worse = newer(
        "amazon-bedrock.yaml",
        "value: { countries: [DE, SE, IT, ES, IE, FR] }",
        "value: { countries: [DE, SE, IT, ES, IE, FR, GB] }",
    );
    let changes = database().changes(&worse);
    assert_eq!(changes.changed, [FactId::from("amazon-bedrock/eu-profile/processing")]);
    assert!(changes.added.is_empty() && changes.removed.is_empty() && changes.models.is_empty());
    let impact = database().impact(&worse, &seven(), &context(&[]));
    let [one] = impact.as_slice() else { panic!("{impact:?}") };
    assert_eq!((one.endpoint.as_str(), one.attribute), ("bedrock-eu", Attribute::ProcessingCountries));
    assert!(one.after.contains("GB") && !one.before.contains("GB"), "{one}");
    let from_london = [bedrock(Some("eu"), "eu-west-2")];
    assert_eq!(
        database().impact(&worse, &from_london, &context(&[])),
        [],
        "of a call from there another fact tells"
    );
}

#[test]
fn prices_are_named() {
    let dearer = newer("models.yaml", "price: { input: \"0.15\"", "price: { input: \"0.16\"");
    assert_eq!(database().changes(&dearer).models, ["openai-api gpt-4o-mini"]);
}

#[test]
fn subprocessors_that_come_go_and_move() {
    let with = |subprocessors: &str| {
        let mut files: BTreeMap<String, String> = Database::embedded_files().collect();
        files.get_mut("vllm.yaml").unwrap().push_str(subprocessors);
        Database::load(files).unwrap()
    };
    let list = |all: &[(&str, &str)]| {
        let one = |(name, place): &(&str, &str)| {
            format!(
                "  - {{ name: {name}, countries: [{place}], purpose: p, evidence: [{{ url: https://example.org, says: so, observed_from: 2026-01-01, observed_to: 2026-01-01, kind: vendor_doc, confidence: sourced }}] }}\n"
            )
        };
        format!("\nsubprocessors:\n{}", all.iter().map(one).collect::<String>())
    };
    let older = with(&list(&[("A", "DE"), ("B", "US"), ("C", "FR")]));
    let newer = with(&list(&[("A", "DE"), ("C", "GB"), ("D", "IN")]));
    let changes = older.changes(&newer).subprocessors;
    let told: Vec<(&str, Listing)> =
        changes.iter().map(|one| (one.name.as_str(), one.change.clone())).collect();
    assert_eq!(
        told,
        [
            ("C", Listing::Moved { from: countries(&["FR"]), to: countries(&["GB"]) }),
            ("D", Listing::Added { countries: countries(&["IN"]) }),
            ("B", Listing::Removed),
        ]
    );
    assert!(changes[1].to_string().contains("vllm: the subprocessor D is new (IN)"), "{}", changes[1]);
    let first_read = database().changes(&newer).subprocessors;
    assert_eq!(first_read, [], "a list that nobody had read before tells of no change");
}
