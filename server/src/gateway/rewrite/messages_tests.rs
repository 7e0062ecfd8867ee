//! A message of Anthropic's API cut at every place: what a client puts together is what it would have got at once.

use serde_json::{Value, json};

use super::tests::{IBAN, MAIL, rewriter, stopping, texts, vault};
use super::*;

fn bytes(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

fn start(block: &Value) -> Bytes {
    bytes(&json!({ "type": "content_block_start", "index": 3, "content_block": block }))
}

fn delta(delta: &Value) -> Bytes {
    bytes(&json!({ "type": "content_block_delta", "index": 3, "delta": delta }))
}

/// Kinds of blocks: as it opens, the type and the member of its pieces, and whether JSON stands there.
fn blocks() -> [(Value, &'static str, &'static str, bool); 2] {
    [
        (json!({ "type": "text", "text": "" }), "text_delta", "text", false),
        (
            json!({ "type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {} }),
            "input_json_delta",
            "partial_json",
            true,
        ),
    ]
}

/// What a client puts together of a block's text, from the events in order; the end comes last.
fn client(rewriter: &mut Rewriter, events: Vec<Bytes>, member: &str) -> String {
    let mut got = String::new();
    let mut ended = false;
    for event in events {
        let out = rewriter.message_event(event).unwrap();
        for data in out.before.iter().map(String::as_bytes).chain(out.data.as_deref()) {
            let event: Value = serde_json::from_slice(data).unwrap();
            assert!(!ended, "{event} after the end");
            ended = event["type"] == "content_block_stop";
            got.push_str(event["delta"][member].as_str().unwrap_or_default());
        }
    }
    assert!(ended && rewriter.abandon().unwrap().is_empty());
    got
}

#[test]
fn every_block_is_restored_wherever_it_is_cut() {
    let (vault, placeholder) = vault(true);
    for (opened, kind, member, is_json) in blocks() {
        let (sent, wanted) = texts(is_json, &placeholder);
        for size in 1..=sent.len() {
            let mut events = vec![start(&opened)];
            let chars: Vec<char> = sent.chars().collect();
            events.extend(
                chars
                    .chunks(size)
                    .map(|piece| delta(&json!({ "type": kind, member: piece.iter().collect::<String>() }))),
            );
            events.push(bytes(&json!({ "type": "content_block_stop", "index": 3 })));
            assert_eq!(client(&mut rewriter(&vault), events, member), wanted, "{kind} in pieces of {size}");
        }
    }
}

#[test]
fn a_whole_message_is_looked_at_everywhere() {
    let (vault, placeholder) = vault(true);
    let iban = super::tests::IBAN;
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
        "stop_sequence": iban,
        "content": [
            { "type": "text", "text": format!("To {placeholder} from {iban}"), "citations": [{ "cited_text": iban }] },
            { "type": "thinking", "thinking": "Hm.", "signature": iban },
            { "type": "thinking", "thinking": format!("From {iban}"), "signature": "c2ln" },
            { "type": "tool_use", "id": "t", "name": "f", "input": { "to": placeholder, iban: [iban, 1] } },
            { "type": "server_tool_use", "id": "s", "name": "f", "input": { "to": placeholder } },
        ],
        "usage": { "input_tokens": 1, "output_tokens": 2 }, "of_next_month": iban,
    });
    let mut rewriter = rewriter(&vault);
    let out: Value = serde_json::from_slice(&rewriter.message(bytes(&body)).unwrap()).unwrap();
    let expected = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
        "stop_sequence": "****",
        "content": [
            { "type": "text", "text": format!("To {MAIL} from ****"), "citations": [{ "cited_text": "****" }] },
            { "type": "thinking", "thinking": "Hm.", "signature": iban },
            { "type": "thinking", "thinking": "", "signature": "c2ln" },
            { "type": "tool_use", "id": "t", "name": "f", "input": { "to": MAIL, "****": ["****", 1] } },
            { "type": "server_tool_use", "id": "s", "name": "f", "input": { "to": placeholder } },
        ],
        "usage": { "input_tokens": 1, "output_tokens": 2 }, "of_next_month": "****",
    });
    assert_eq!(out, expected);
}

#[test]
fn what_an_open_block_holds_goes_out_when_the_stream_breaks_off_but_not_what_could_be_a_value() {
    let (vault, placeholder) = vault(true);
    let mut rewriter = rewriter(&vault);
    let (opened, kind, member, _) = blocks()[0].clone();
    rewriter.message_event(start(&opened)).unwrap();
    let (head, _) = placeholder.split_at(placeholder.len() - 2);
    let text = format!("To somebody {head}");
    let out = rewriter.message_event(delta(&json!({ "type": kind, member: text }))).unwrap();
    let mut got = String::new();
    let first: Value = serde_json::from_slice(&out.data.unwrap()).unwrap();
    got.push_str(first["delta"]["text"].as_str().unwrap());
    for held in rewriter.abandon().unwrap() {
        let held: Value = serde_json::from_str(&held).unwrap();
        assert_eq!((&held["type"], &held["index"]), (&json!("content_block_delta"), &json!(3)));
        got.push_str(held["delta"]["text"].as_str().unwrap());
    }
    assert_eq!(got, "To somebody ");
}

#[test]
fn events_out_of_order_are_refused() {
    let (vault, _) = vault(true);
    let mut rewriter = rewriter(&vault);
    let (opened, kind, member, _) = blocks()[0].clone();
    assert!(rewriter.message_event(delta(&json!({ "type": kind, member: "x" }))).is_err());
    assert!(rewriter.message_event(bytes(&json!({ "type": "content_block_stop", "index": 3 }))).is_err());
    rewriter.message_event(start(&opened)).unwrap();
    assert!(rewriter.message_event(start(&opened)).is_err());
}

#[test]
fn a_message_ends_before_what_it_has_to_stop_at() {
    let call = json!({ "type": "tool_use", "id": "t", "name": "pay", "input": { "to": "x" } });
    let body = json!({
        "type": "message", "role": "assistant", "stop_reason": "tool_use",
        "content": [
            { "type": "text", "text": "Hello." },
            { "type": "text", "text": format!("Pay to {IBAN} now"), "citations": [{ "cited_text": "of it" }] },
            { "type": "text", "text": "And more." },
            call,
        ],
    });
    let out: Value = serde_json::from_slice(&stopping().message(bytes(&body)).unwrap()).unwrap();
    assert_eq!(out["stop_reason"], "refusal");
    // A call that holds the value is not made, and where nothing came before it nothing is said.
    let paying = json!({ "type": "tool_use", "id": "t", "name": "pay", "input": { "to": IBAN, "much": 5 } });
    let body = json!({ "type": "message", "stop_reason": "tool_use", "content": [paying] });
    let alone: Value = serde_json::from_slice(&stopping().message(bytes(&body)).unwrap()).unwrap();
    assert_eq!(alone, json!({ "type": "message", "stop_reason": "refusal", "content": [] }));
    assert_eq!(
        out["content"],
        json!([
            { "type": "text", "text": "Hello." },
            { "type": "text", "text": "Pay to ", "citations": [{ "cited_text": "of it" }] },
        ])
    );
}

#[test]
fn a_stream_of_a_message_ends_before_what_it_has_to_stop_at_wherever_it_is_cut() {
    let text = format!("Pay to {IBAN} now");
    for cut in 0..=text.len() {
        let (first, second) = text.split_at(cut);
        let piece = |text: &str| delta(&json!({ "type": "text_delta", "text": text }));
        let at = |kind: &str, index: u64| bytes(&json!({ "type": kind, "index": index }));
        let mut call = json!({ "type": "content_block_start", "index": 4 });
        call["content_block"] = json!({ "type": "tool_use", "id": "t", "name": "pay", "input": {} });
        let arguments = json!({ "type": "input_json_delta", "partial_json": "{}" });
        let events = [
            start(&json!({ "type": "text", "text": "" })),
            piece(first),
            piece(second),
            at("content_block_stop", 3),
            bytes(&call),
            bytes(&json!({ "type": "content_block_delta", "index": 4, "delta": arguments })),
            at("content_block_stop", 4),
            bytes(&json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": {} })),
            bytes(&json!({ "type": "message_stop" })),
        ];
        let (mut rewriter, mut said, mut kinds) = (stopping(), String::new(), Vec::new());
        for event in events {
            let out = rewriter.message_event(event).unwrap();
            for data in out.before.iter().map(String::as_bytes).chain(out.data.as_deref()) {
                let event: Value = serde_json::from_slice(data).unwrap();
                said.push_str(event["delta"]["text"].as_str().unwrap_or_default());
                let kind = event["type"].as_str().unwrap().to_owned();
                if kind == "message_delta" {
                    assert_eq!(event["delta"]["stop_reason"], "refusal", "cut at {cut}");
                }
                if kind != "content_block_delta" {
                    kinds.push(kind);
                }
                assert_ne!(event["index"], 4, "cut at {cut}: no tool is called");
            }
        }
        assert_eq!(said, "Pay to ", "cut at {cut}");
        let expected = ["content_block_start", "content_block_stop", "message_delta", "message_stop"];
        assert_eq!(kinds, expected, "cut at {cut}");
    }
}
