//! Throughput of the scan on clean English, German with findings, and JSON-like code; the time of a prompt.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use bailiwick_pii::{Detector, Finding};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

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

fn repeated(unit: &str, len: usize) -> String {
    unit.chars().cycle().take(len).collect()
}

fn scan(c: &mut Criterion) {
    let detector = Detector::new();
    let mut findings: Vec<Finding> = Vec::new();
    let mut group = c.benchmark_group("scan");
    for (name, text) in [
        ("english_64k", repeated(ENGLISH, 65_536)),
        ("german_with_findings_64k", repeated(GERMAN, 65_536)),
        ("json_64k", repeated(CODE, 65_536)),
        ("english_2k", repeated(ENGLISH, 2048)),
        ("prompt_2k_four_findings", format!("{GERMAN}{}", repeated(ENGLISH, 2048 - GERMAN.len()))),
    ] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| {
                findings.clear();
                detector.scan(std::hint::black_box(&text), &mut findings);
                findings.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, scan);
criterion_main!(benches);
