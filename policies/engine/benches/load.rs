//! Loading a bundle of 2,000 rules in 200 files, compiling it over 1,000 endpoints, and its lint.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench"
)]

use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, BundleSource, Compiled, Endpoint, lint};
use chrono::{TimeZone, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use std::fmt::Write as _;
use std::sync::Arc;

const ENDPOINTS: usize = 1000;
const RULES: usize = 2000;
const FILES: usize = 200;
const SCOPES: usize = 100;

fn source() -> BundleSource {
    let mut source = BundleSource::starter();
    source.files.retain(|path, _| path == "bundle.yaml" || path.starts_with("rbac/"));
    let regions = ["EU", "EEA", "US", "CH", "DE", "FR", "IT", "JP", "GB", "CA", "SG", "AU"];
    let classes = ["personal", "special_category", "phi", "pci", "credentials"];
    for i in 0..RULES {
        // Half of them hold everywhere, the others somewhere; no two are the same.
        let scope = if i % 2 == 0 { "/".to_owned() } else { format!("/acme/team-{}", i % SCOPES) };
        let (region, other) = (regions[i % 12], regions[(i / 12) % 12]);
        let when = match i % 4 {
            0 => format!("{{ data: [{}], subject_region: [{region}] }}", classes[i % 5]),
            1 => "{ sensitivity: { at_least: confidential } }".to_owned(),
            2 => format!("{{ model: [model-{}*], purpose: [support-{i}] }}", i % 50),
            _ => format!("{{ tools: [tool-{i}*], controller: [{other}] }}"),
        };
        let body = match i % 5 {
            0 => format!("require: {{ processing_countries: {{ within: [{region}, {other}, US] }} }}"),
            1 => {
                format!("require: {{ retention_days: {{ at_most: {} }}, trains_on_inputs: false }}", i % 400)
            }
            2 => "redact: { entities: [EMAIL, PHONE], how: token, direction: request }".to_owned(),
            3 => format!("deny_tools: [shell-{i}*]"),
            _ => format!("obligations: {{ cache: deny, retain_days: {i} }}"),
        };
        let text = source.files.entry(format!("rules/r{:03}.yaml", i % FILES)).or_default();
        writeln!(
            text,
            "---\nid: r{i}\ntitle: What rule {i} demands of whoever it is about\nbecause: [House policy {i}]\nscope: {scope}\nwhen: {when}\n{body}\nmessage: None of the endpoints for {{model}} does what rule {i} asks."
        )
        .unwrap();
    }
    source
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

fn load(c: &mut Criterion) {
    let source = source();
    let database = Arc::new(Database::embedded().unwrap());
    let now = Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap();
    let bundle = Arc::new(Bundle::load(&source).unwrap());
    assert_eq!(bundle.rules.len(), RULES);
    let endpoints = endpoints();

    let mut group = c.benchmark_group("load");
    group.sample_size(10);
    group.bench_function("2000 rules", |b| b.iter(|| Bundle::load(&source).unwrap()));
    group.bench_function("2000 rules, and compile over 1000 endpoints", |b| {
        b.iter(|| {
            let bundle = Arc::new(Bundle::load(&source).unwrap());
            Compiled::new(bundle, Arc::clone(&database), endpoints.clone(), now.timestamp_millis()).unwrap()
        });
    });
    group.bench_function("lint of 2000 rules", |b| b.iter(|| lint(&bundle, &database, now)));
    group.finish();
}

criterion_group!(benches, load);
criterion_main!(benches);
