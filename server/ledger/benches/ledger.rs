//! Benches of what a request pays for (a section, a sealed record, a pushed leaf) and of verification.

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use bailiwick_ledger::{
    Checkpoint, Draft, ExportWriter, Kind, LogId, Section, Signer, canonical, merkle::Frontier, verify_export,
};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use serde::Serialize;

#[derive(Serialize)]
struct Facts {
    model: &'static str,
    classes: [&'static str; 2],
    subject_regions: [&'static str; 1],
    findings: [Finding; 3],
    eligible: [u32; 12],
    tokens: u64,
}

#[derive(Clone, Copy, Serialize)]
struct Finding {
    kind: &'static str,
    start: u32,
    end: u32,
    confidence_permille: u16,
}

fn facts() -> Facts {
    let finding = Finding { kind: "EMAIL", start: 17, end: 40, confidence_permille: 990 };
    Facts {
        model: "gpt-5-mini",
        classes: ["personal", "special_category"],
        subject_regions: ["DE"],
        findings: [finding; 3],
        eligible: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
        tokens: 1234,
    }
}

fn draft() -> Draft {
    let section = |name| Section::new(name, &facts(), [7; 32]).unwrap();
    Draft::new(Kind::Decision, 1_763_800_000_000)
        .scope("/acme/retail/support")
        .id("decision", "0199d5a2-7c4e-7000-8000-0123456789ab")
        .id("key", "k3y1d")
        .id("principal", "0199d5a2-7c4e-7000-8000-0123456789ac")
        .digest("bundle", "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4")
        .digest("catalog", "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4")
        .section(section("facts"))
        .section(section("principal"))
        .section(section("network"))
}

fn request(c: &mut Criterion) {
    let log = LogId::new("audit.example.org/acme").unwrap();
    c.bench_function("section", |b| b.iter(|| Section::new("facts", black_box(&facts()), [7; 32])));
    c.bench_function("section by serde_json, not canonical", |b| {
        b.iter(|| serde_json::to_vec(black_box(&facts())));
    });
    let draft = draft();
    c.bench_function("seal", |b| {
        b.iter_batched(
            || draft.clone(),
            |draft| draft.seal(&log, "replica-1", 123_456),
            BatchSize::SmallInput,
        );
    });
    let hash = draft.clone().seal(&log, "replica-1", 0).unwrap().leaf_hash;
    let mut frontier = Frontier::new();
    c.bench_function("push", |b| b.iter(|| frontier.push(black_box(hash))));
    c.bench_function("root", |b| b.iter(|| black_box(&frontier).root()));
}

fn verification(c: &mut Criterion) {
    const RECORDS: u64 = 1000;
    let origin = LogId::new("audit.example.org/acme").unwrap();
    let signer = Signer::new(origin.clone(), ed25519_dalek::SigningKey::from_bytes(&[7; 32]));
    let mut export = ExportWriter::begin(Vec::new(), &signer, 0, "", Frontier::new(), RECORDS).unwrap();
    let mut frontier = Frontier::new();
    for sequence in 0..RECORDS {
        let record = draft().seal(&origin, "replica-1", sequence).unwrap();
        frontier.push(record.leaf_hash);
        export.record(&record.leaf, &record.sections).unwrap();
    }
    let head = Checkpoint { origin, size: RECORDS, root: frontier.root() }.sign(&signer).unwrap();
    let (file, _) = export.finish(&head, Vec::new(), &signer).unwrap();
    let mut group = c.benchmark_group("verify");
    group.throughput(Throughput::Bytes(file.len() as u64));
    group.bench_function("export of 1000 records", |b| {
        b.iter(|| assert!(verify_export(black_box(file.as_slice()), None).unwrap().verified()));
    });
    group.bench_function("canonical::check alone", |b| {
        b.iter(|| file.split(|&byte| byte == b'\n').filter(|line| canonical::is_canonical(line)).count());
    });
    group.finish();
}

criterion_group!(benches, request, verification);
criterion_main!(benches);
