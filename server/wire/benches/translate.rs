//! Benches of the translation of a request of 4 KB, of an answer, and of one event of a stream.

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use bailiwick_wire::{Stream, Upstream, Wire, answer, request};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};

fn chat(bytes: usize) -> String {
    let tool = r#"{"type":"function","function":{"name":"look_up","description":"Finds a customer.","parameters":{"type":"object","properties":{"zip":{"type":"string"},"age":{"type":"integer"}},"required":["zip"]}}}"#;
    let turn = r#"{"role":"user","content":"Please summarise what the customer wrote about the delivery of the parcel."},{"role":"assistant","content":"She says that it came late and that one of the boxes was open."}"#;
    let turns = vec![turn; (bytes - tool.len()).div_ceil(turn.len())].join(",");
    format!(
        r#"{{"model":"m","max_tokens":100,"temperature":0.5,"messages":[{turns},{{"role":"user","content":"And now?"}}],"tools":[{tool}]}}"#
    )
}

fn benches(criterion: &mut Criterion) {
    let body = chat(4_096);
    criterion.bench_function("request_4kb_chat_to_anthropic", |bench| {
        bench.iter(|| request(Wire::OpenAiChat, Wire::Anthropic, black_box(body.as_bytes()), 4_096).unwrap());
    });
    let (body, _) = request(Wire::OpenAiChat, Wire::Anthropic, body.as_bytes(), 4_096).unwrap();
    criterion.bench_function("request_4kb_anthropic_to_chat", |bench| {
        bench.iter(|| request(Wire::Anthropic, Wire::OpenAiChat, black_box(body.as_bytes()), 4_096).unwrap());
    });
    let chat = chat(4_096);
    criterion.bench_function("request_4kb_chat_to_bedrock", |bench| {
        let body = black_box(chat.as_bytes());
        bench.iter(|| request(Wire::OpenAiChat, Upstream::BedrockConverse, body, 4_096).unwrap());
    });
    criterion.bench_function("request_4kb_chat_to_gemini", |bench| {
        let body = black_box(chat.as_bytes());
        bench.iter(|| request(Wire::OpenAiChat, Upstream::Gemini, body, 4_096).unwrap());
    });
    let text = "She says that it came late. ".repeat(140);
    let whole = format!(
        r#"{{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","usage":{{"input_tokens":10,"output_tokens":5}}}}"#
    );
    criterion.bench_function("answer_4kb_anthropic_to_chat", |bench| {
        bench.iter(|| answer(Wire::Anthropic, Wire::OpenAiChat, black_box(whole.as_bytes()), 0).unwrap());
    });
    let start = br#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":10,"output_tokens":1}}}"#;
    let open = br#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let event = br#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":" parcel"}}"#;
    let begun = || {
        let mut stream = Stream::new(Wire::Anthropic, Wire::OpenAiChat, 0, true);
        stream.event(start).unwrap();
        stream.event(open).unwrap();
        stream
    };
    criterion.bench_function("event_anthropic_to_chat", |bench| {
        bench.iter_batched_ref(
            begun,
            |stream| stream.event(black_box(event)).unwrap(),
            BatchSize::SmallInput,
        );
    });
    let event = br#"{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":" parcel"},"p":"abcdefgh"}}"#;
    let begun = || {
        let mut stream = Stream::new(Upstream::BedrockConverse, Wire::OpenAiChat, 0, true);
        stream.event(br#"{"messageStart":{"role":"assistant"}}"#).unwrap();
        stream
    };
    criterion.bench_function("event_bedrock_to_chat", |bench| {
        bench.iter_batched_ref(
            begun,
            |stream| stream.event(black_box(event)).unwrap(),
            BatchSize::SmallInput,
        );
    });
    let event = br#"{"candidates":[{"content":{"parts":[{"text":" parcel"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"m","responseId":"r"}"#;
    let begun = || {
        let mut stream = Stream::new(Upstream::Gemini, Wire::OpenAiChat, 0, true);
        stream.event(event).unwrap();
        stream
    };
    criterion.bench_function("event_gemini_to_chat", |bench| {
        bench.iter_batched_ref(
            begun,
            |stream| stream.event(black_box(event)).unwrap(),
            BatchSize::SmallInput,
        );
    });
    let chunk = br#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"m","choices":[{"index":0,"delta":{"content":" parcel"},"finish_reason":null}]}"#;
    criterion.bench_function("event_chat_to_anthropic", |bench| {
        let begun = || {
            let mut stream = Stream::new(Wire::OpenAiChat, Wire::Anthropic, 0, true);
            stream.event(chunk).unwrap();
            stream
        };
        bench.iter_batched_ref(
            begun,
            |stream| stream.event(black_box(chunk)).unwrap(),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(translate, benches);
criterion_main!(translate);
