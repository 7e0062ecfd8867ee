//! Throughput of the scan: clean English by the recognizers of forms alone and with the vocabularies, texts full of findings,
//! German, code; the time of a prompt; hostile texts of growing length, whose throughput must not fall; a stream.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;
use std::sync::Arc;

use bailiwick_pii::stream::Guard;
use bailiwick_pii::{
    Detector, EntitySet, EntityType, Finding, How, Mode, Redaction, RedactionPlan, TokenKey, Vault,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const ENGLISH: &str = "The committee met in the old library to discuss how the new reading room should be lit. \
Some members, who had walked past the building every day for years, said that the tall windows already let in \
enough light; others pointed out that winter afternoons are short, and that nobody reads well in the dark. \
In the end they agreed to try both, and to ask the readers themselves what they preferred after a few weeks.\n\n";

const GERMAN: &str = "Sehr geehrte Frau Müller, bitte überweisen Sie den Betrag auf das Konto \
DE89 3704 0044 0532 0130 00 und melden Sie sich unter 030 901820 oder per Mail an jutta.mueller@example.de. \
Ihre Steuer-ID 86095742719 haben wir vermerkt. Über alles Weitere sprechen wir in der nächsten Woche, sobald die \
Unterlagen aus der Außenstelle eingetroffen sind; bis dahin bleibt der Vorgang offen. Mit freundlichen Grüßen\n\n";

const CODE: &str = r#"{"id": 10482, "ts": 1763832740123, "type": "order.created", "items": [{"sku": "A-1042", "qty": 3,
  "price": 19.99}, {"sku": "B-7", "qty": 1, "price": 4.5}], "trace": "550e8400-e29b-41d4-a716-446655440000",
  "at": "2026-11-22T17:32:20Z", "version": "1.24.3", "fn": "std::vec::Vec::with_capacity(64)"}
"#;

/// What nobody's text looks like.
const HOSTILE: [(&str, &str); 6] = [
    ("digits", "1 "),
    ("addresses", "a@"),
    ("keys", "sk-"),
    ("words", "diabetes "),
    ("references", "&#64;"),
    ("base64", "YW5uYUBiLmRl"),
];

fn repeated(unit: &str, len: usize) -> String {
    unit.chars().cycle().take(len).collect()
}

/// English with a finding every 200 bytes.
fn findings_every_200(len: usize) -> String {
    let values = ["jane.doe@example.com", "4111 1111 1111 1111", "DE89370400440532013000", "+49 30 901820"];
    let mut out = String::new();
    for (at, value) in values.iter().cycle().enumerate() {
        let words: String = ENGLISH.chars().cycle().skip(at * 37 % 300).take(198 - value.len()).collect();
        out += &format!("{words} {value} ");
        if out.len() >= len {
            break;
        }
    }
    out
}

/// Everything that has a form: check digits and patterns.
fn forms() -> EntitySet {
    let words = [
        EntityType::HealthTerm,
        EntityType::HealthCondition,
        EntityType::Religion,
        EntityType::EthnicOrigin,
        EntityType::PoliticalOpinion,
        EntityType::TradeUnion,
        EntityType::SexualOrientation,
        EntityType::GeneticData,
        EntityType::BiometricData,
        EntityType::Person,
        EntityType::City,
        EntityType::Organisation,
    ];
    EntityType::ALL.into_iter().filter(|entity| !words.contains(entity)).collect()
}

fn scan(c: &mut Criterion) {
    let usual = Detector::new();
    let detectors = [
        ("forms", usual.looking_for(forms())),
        ("usual", usual.clone()),
        ("all", usual.looking_for(EntitySet::all())),
    ];
    let texts = [
        ("english_64k", repeated(ENGLISH, 65_536)),
        ("finding_every_200_64k", findings_every_200(65_536)),
        ("german_64k", repeated(GERMAN, 65_536)),
        ("json_64k", repeated(CODE, 65_536)),
        ("english_2k", repeated(ENGLISH, 2048)),
        ("prompt_2k_four_findings", format!("{GERMAN}{}", repeated(ENGLISH, 2048 - GERMAN.len()))),
    ];
    let mut findings: Vec<Finding> = Vec::new();
    for (looked_for, detector) in &detectors {
        let mut group = c.benchmark_group(format!("scan_{looked_for}"));
        for (name, text) in &texts {
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(*name, |b| {
                b.iter(|| {
                    findings.clear();
                    detector.scan(black_box(text), &mut findings);
                    findings.len()
                });
            });
        }
        group.finish();
    }
}

/// The throughput at four lengths: where it falls with the length, the scan is not linear.
fn hostile(c: &mut Criterion) {
    let detector = Detector::new();
    let mut findings: Vec<Finding> = Vec::new();
    let mut group = c.benchmark_group("hostile");
    group.sample_size(10);
    for (name, unit) in HOSTILE {
        for len in [4_096, 16_384, 65_536, 262_144] {
            let text = unit.repeat(len / unit.len());
            group.throughput(Throughput::Bytes(text.len() as u64));
            group.bench_function(BenchmarkId::new(name, len), |b| {
                b.iter(|| {
                    findings.clear();
                    detector.scan(black_box(&text), &mut findings);
                    findings.len()
                });
            });
        }
    }
    group.finish();
}

/// A response of 8 KB in chunks of eight bytes.
fn stream(c: &mut Criterion) {
    let detector = Arc::new(Detector::new());
    let text = findings_every_200(8_192);
    let plan = RedactionPlan::of(forms(), Redaction::new(How::Mask));
    let mut group = c.benchmark_group("stream");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("guard_8k", |b| {
        b.iter(|| {
            let mut guard =
                Guard::new(Arc::clone(&detector), plan, TokenKey::new([7; 32]), &Vault::new(), Mode::Text);
            let mut out = String::new();
            for chunk in text.as_bytes().chunks(8) {
                guard.push(std::str::from_utf8(chunk).unwrap_or_default(), &mut out);
            }
            guard.finish(&mut out);
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, scan, hostile, stream);
criterion_main!(benches);
