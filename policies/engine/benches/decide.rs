//! Deciding over 1,000 endpoints, all of which serve the model, with 200 rules of which half apply.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench"
)]

use bailiwick_compliance_db::{Database, FeatureSet};
use bailiwick_pii::{ClassSet, DataClass};
use bailiwick_policy::{Bundle, BundleSource, Compiled, Endpoint, RequestFacts, TestFacts};
use chrono::{TimeZone, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;

const ENDPOINTS: usize = 1000;
const RULES: usize = 200;

fn bundle() -> Bundle {
    let mut source = BundleSource::starter();
    source.files.retain(|path, _| path == "bundle.yaml" || path.starts_with("rbac/"));
    let conditions = [
        "{ data: [personal], subject_region: [EU] }",
        "{ data: [pci] }",
        "{ sensitivity: { at_least: internal }, model: [assist*] }",
        "{ role: [auditor], purpose: [marketing] }",
        "{ operation: [chat_completions], subject_region: [DE, FR, IT] }",
        "{ features: [web_search] }",
        "{ entities: [EMAIL] }",
        "{ model: [other*] }",
    ];
    let bodies = [
        "require: { processing_countries: { within: [EU, EEA, US, CH] }, trains_on_inputs: false }",
        "require: { storage_countries: { within: [EU, EEA, US] } }",
        "require: { operator_countries: { known: true }, retention_days: { at_most: 3650 } }",
        "redact: { entities: [EMAIL, PHONE, IBAN], how: token, restore: { text: true } }",
        "obligations: { cache: deny }",
    ];
    for i in 0..RULES {
        let text = format!(
            "id: r{i}\ntitle: T\nbecause: [B]\nscope: /acme\nwhen: {}\n{}\n",
            conditions[i % conditions.len()],
            bodies[(i / conditions.len()) % bodies.len()]
        );
        source.files.insert(format!("rules/r{i:03}.yaml"), text);
    }
    Bundle::load(&source).unwrap()
}

fn endpoints() -> Vec<Endpoint> {
    let seven = Bundle::load(&BundleSource::starter()).unwrap().test_endpoints;
    (0..ENDPOINTS)
        .map(|i| {
            let mut endpoint = seven[i % seven.len()].clone();
            endpoint.name = format!("{}-{i}", endpoint.name);
            endpoint
        })
        .collect()
}

fn decide(c: &mut Criterion) {
    let at = Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap();
    let text = "scope: /acme/retail/support\nmodel: assistant\nsubject_region: [DE]\nroles: [developer]\nentities: { EMAIL: 2 }\n";
    let short: TestFacts = serde_norway::from_str(text).unwrap();
    let mut facts: RequestFacts = short.at(at);
    facts.classes.yes = [DataClass::Personal].into_iter().collect::<ClassSet>();
    let compiled = Compiled::new(
        Arc::new(bundle()),
        Arc::new(Database::embedded().unwrap()),
        endpoints(),
        facts.time_ms,
    )
    .unwrap();
    let decision = compiled.decide(&facts);
    assert_eq!(decision.candidates.len(), ENDPOINTS);
    assert!((80..=120).contains(&decision.rules.len()), "about half apply: {}", decision.rules.len());
    assert!(decision.is_allowed() && decision.eligible.len() < ENDPOINTS);

    let mut group = c.benchmark_group("decide");
    group.bench_function("1000 endpoints, 200 rules", |b| b.iter(|| compiled.decide(black_box(&facts))));
    let mut featured = facts.clone();
    featured.features = FeatureSet::all();
    group.bench_function("the same with every feature", |b| b.iter(|| compiled.decide(black_box(&featured))));
    group.finish();
}

fn compile(c: &mut Criterion) {
    let bundle = Arc::new(bundle());
    let database = Arc::new(Database::embedded().unwrap());
    let now = Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap().timestamp_millis();
    let mut group = c.benchmark_group("compile");
    group.sample_size(10);
    group.bench_function("1000 endpoints, 200 rules", |b| {
        b.iter(|| Compiled::new(Arc::clone(&bundle), Arc::clone(&database), endpoints(), now).unwrap());
    });
    group.finish();
}

criterion_group!(benches, decide, compile);
criterion_main!(benches);
