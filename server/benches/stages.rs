//! The gateway's own stages on a 2 KB chat: reading the body, collecting its text, editing it, rewriting an answer.
//! Scanning, deciding and sealing have benches in their own crates.

#![allow(missing_docs, reason = "the macros of criterion write undocumented items")]
#![expect(clippy::expect_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::hint::black_box;
use std::sync::Arc;

use bailiwick::gateway::document::{Document, Edits, Limits};
use bailiwick::gateway::rewrite::Rewriter;
use bailiwick::gateway::spans::Text;
use bailiwick::keys::VirtualKey;
use bailiwick_pii::{Detector, RedactionPlan, TokenKey, Vault};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// A chat whose body is about two kilobytes.
fn chat() -> Bytes {
    let paragraph =
        "The committee met on Tuesday and looked at the figures of the last quarter, which had risen. ";
    let body = serde_json::json!({
        "model": "assistant",
        "temperature": 0.2,
        "messages": [
            { "role": "system", "content": "You answer briefly and name your sources." },
            { "role": "user", "content": paragraph.repeat(20) },
        ],
    });
    Bytes::from(body.to_string())
}

fn stages(criterion: &mut Criterion) {
    let body = chat();
    let mut group = criterion.benchmark_group("gateway");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("read", |bencher| {
        bencher.iter(|| Document::parse(black_box(body.clone()), Limits::default()));
    });
    let document = Document::parse(body, Limits::default()).expect("the body is JSON");
    group.bench_function("text", |bencher| bencher.iter(|| Text::of(black_box(&document))));
    group.bench_function("edit", |bencher| {
        bencher.iter(|| {
            let mut edits = Edits::new();
            let model = document.member("model").expect("the body has a model");
            edits.set_string(&document, model, "gpt-4.1");
            edits.upsert(&document, document.root(), "stream_options", "{\"include_usage\":true}");
            edits.apply(black_box(&document))
        });
    });
    let answer = Bytes::from(
        serde_json::json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4.1",
            "choices": [{ "index": 0, "finish_reason": "stop",
                "message": { "role": "assistant", "content": "It rose by four per cent. ".repeat(40) } }],
            "usage": { "prompt_tokens": 400, "completion_tokens": 300, "total_tokens": 700 },
        })
        .to_string(),
    );
    let detector = Arc::new(Detector::new());
    group.bench_function("rewrite", |bencher| {
        bencher.iter(|| {
            let mut rewriter = Rewriter::new(
                Arc::clone(&detector),
                RedactionPlan::empty(),
                TokenKey::new([7; 32]),
                Arc::new(Vault::new()),
                None,
            );
            rewriter.whole(black_box(answer.clone()))
        });
    });
    group.finish();
    let key = VirtualKey::generate().expect("the system has randomness");
    let (written, kept) = (key.reveal(), key.digest());
    criterion.bench_function("gateway/authenticate", |bencher| {
        bencher.iter(|| VirtualKey::parse(black_box(&written)).is_ok_and(|key| key.matches(&kept)));
    });
}

criterion_group!(benches, stages);
criterion_main!(benches);
