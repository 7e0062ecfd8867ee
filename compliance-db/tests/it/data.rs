//! The files of `data/` as they are.

use std::collections::BTreeMap;

use bailiwick_compliance_db::{Database, EvidenceKind};

use crate::support::database;

fn folder() -> BTreeMap<String, String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/data");
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn every_file_is_compiled_in() {
    let embedded = database();
    let read = Database::load(folder()).unwrap();
    assert_eq!(embedded.digest(), read.digest());
    assert!(embedded.digest().starts_with("sha256:") && embedded.digest().len() == 71);
}

#[test]
fn the_digest_changes_with_any_file() {
    for name in folder().keys() {
        let mut files = folder();
        files.get_mut(name).unwrap().push_str("# changed\n");
        assert_ne!(Database::load(files).unwrap().digest(), database().digest(), "{name}");
    }
}

#[test]
fn no_evidence_is_from_the_future_of_its_release() {
    let database = database();
    let release = chrono::NaiveDate::parse_from_str(database.version(), "%Y.%m.%d").unwrap();
    for fact in database.facts() {
        for evidence in &fact.evidence {
            assert!(evidence.observed_to <= release, "{}", fact.id);
            assert!(evidence.says.len() < 400, "{}: a paraphrase, not a page", fact.id);
            let own = evidence.kind == EvidenceKind::OperatorDeclaration;
            let id = fact.id.as_str();
            let alone = ["vllm/", "ollama/", "presidio/"].iter().any(|service| id.starts_with(service));
            let declares = alone || id.contains("/transfer-");
            assert!(
                !own || declares,
                "{}: only the organisation's own endpoints and agreements are declared",
                fact.id
            );
        }
    }
}

#[test]
fn the_files_fit_their_schemas() {
    let [facts, models, regions] =
        Database::schemas().map(|(_, schema)| jsonschema::validator_for(&schema).unwrap());
    for (name, text) in folder() {
        let value: serde_json::Value = serde_norway::from_str(&text).unwrap();
        let schema = match name.as_str() {
            "database.yaml" => continue,
            "models.yaml" => &models,
            "regions.yaml" => &regions,
            _ => &facts,
        };
        let errors: Vec<String> =
            schema.iter_errors(&value).map(|error| format!("{error} at {}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

#[test]
fn the_schema_refuses_what_the_loader_refuses() {
    let [facts, ..] = Database::schemas().map(|(_, schema)| jsonschema::validator_for(&schema).unwrap());
    let text = folder().remove("vllm.yaml").unwrap();
    for (from, to) in [
        ("value: declared", "value: everywhere"),
        ("attribute: hosting", "attribute: host"),
        ("evidence:", "proof:"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        let mut files = folder();
        files.insert("vllm.yaml".into(), changed.clone());
        assert!(Database::load(files).is_err(), "{to}");
        let value: serde_json::Value = serde_norway::from_str(&changed).unwrap_or_default();
        assert!(!facts.is_valid(&value), "{to}");
    }
}
