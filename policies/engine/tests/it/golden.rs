//! A decision with its whole explanation, over a small database of made-up services, as a golden file.

use crate::starter::bundle;
use bailiwick_compliance_db::{Database, EndpointProfile};
use bailiwick_policy::{Compiled, Endpoint, ModelAlias, Operation, TestFacts};
use chrono::{TimeZone, Utc};
use std::sync::Arc;

fn fact(id: &str, service: &str, attribute: &str, value: &str, when: &str) -> String {
    format!(
        "  - id: {id}\n    scope: {{ operator: [acme-cloud], service: [{service}] }}\n    attribute: {attribute}\n    value: {value}\n    when: {{ {when} }}\n    \
         evidence: [{{ url: https://cloud.example/{service}, says: It is so., observed_from: 2026-06-01, observed_to: 2026-11-01, kind: vendor_doc, confidence: sourced }}]\n"
    )
}

fn database() -> Database {
    let mut files = vec![("database.yaml".to_owned(), "version: \"1\"\n".to_owned())];
    for (service, country) in [("here", "DE"), ("there", "US")] {
        let mut facts = String::from("about: Made up.\nfacts:\n");
        for attribute in ["processing_countries", "storage_countries", "operator_countries"] {
            let id = format!("{service}/{attribute}");
            facts += &fact(&id, service, attribute, &format!("{{ countries: [{country}] }}"), "");
        }
        let (training, baa) = (format!("{service}/training"), format!("{service}/baa"));
        facts += &fact(&training, service, "trains_on_inputs", "false", "without_features: [fine_tuning]");
        facts += &fact(&baa, service, "hipaa_eligible", "true", "attestations: [baa]");
        files.push((format!("{service}.yaml"), facts));
    }
    Database::load(files).unwrap()
}

#[test]
fn phi_of_a_european_with_no_agreement_anywhere() {
    let endpoint = |name: &str, service: &str| Endpoint {
        name: name.into(),
        scope: "/".into(),
        models: vec![ModelAlias { alias: "m".into(), upstream: "m-1".into(), operations: None }],
        operations: vec![Operation::ChatCompletions],
        profile: EndpointProfile {
            operator: "acme-cloud".into(),
            service: service.into(),
            ..EndpointProfile::default()
        },
    };
    let at = Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap();
    let endpoints =
        vec![endpoint("here", "here"), endpoint("there", "there"), endpoint("nowhere", "nowhere")];
    let compiled = Compiled::new(bundle(), Arc::new(database()), endpoints, at.timestamp_millis()).unwrap();
    let facts =
        serde_norway::from_str::<TestFacts>("{ scope: /acme/clinic, model: m, data: [phi] }").unwrap().at(at);
    let decision = compiled.decide(&facts);
    insta::assert_yaml_snapshot!(compiled.explain(&facts, &decision));
}
