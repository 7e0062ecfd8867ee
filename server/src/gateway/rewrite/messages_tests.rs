//! A message of Anthropic's API cut at every place: what a client puts together is what it would have got at once.

use serde_json::{Value, json};

use super::tests::{IBAN, MAIL, rewriter, stopping, texts, vault};

/// A number that is a card's.
const CARD: u64 = 4_111_111_111_111_111;
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

/// A string of a block that comes in pieces.
struct Spot {
    name: &'static str,
    /// The block as it opens.
    opened: Value,
    /// A delta with a piece of it.
    piece: fn(&str) -> Value,
    /// Where a client finds the piece.
    at: &'static str,
    /// Whether JSON stands there.
    is_json: bool,
    /// Whether values are put back.
    restored: bool,
}

fn spots() -> Vec<Spot> {
    let json_delta: fn(&str) -> Value = |text| json!({ "type": "input_json_delta", "partial_json": text });
    let call = |kind: &str| json!({ "type": kind, "id": "toolu_1", "name": "look_up", "input": {} });
    let spot =
        |name, opened, piece, at, is_json, restored| Spot { name, opened, piece, at, is_json, restored };
    vec![
        spot(
            "text",
            json!({ "type": "text", "text": "" }),
            |text| json!({ "type": "text_delta", "text": text }),
            "/delta/text",
            false,
            true,
        ),
        spot("call", call("tool_use"), json_delta, "/delta/partial_json", true, true),
        spot("call of the provider", call("server_tool_use"), json_delta, "/delta/partial_json", true, false),
        spot("call over MCP", call("mcp_tool_use"), json_delta, "/delta/partial_json", true, false),
        spot("unknown call", call("of_next_month"), json_delta, "/delta/partial_json", true, false),
        spot(
            "unknown block",
            json!({ "type": "compaction", "content": null }),
            |text| json!({ "type": "compaction_delta", "content": text }),
            "/delta/content",
            false,
            false,
        ),
        spot(
            "unknown delta",
            json!({ "type": "text", "text": "" }),
            |text| json!({ "type": "of_next_month", "deep": { "said": text } }),
            "/delta/deep/said",
            false,
            false,
        ),
        spot(
            "text in an unknown block",
            json!({ "type": "of_next_month" }),
            |text| json!({ "type": "text_delta", "text": text }),
            "/delta/text",
            false,
            false,
        ),
    ]
}

fn stop_event() -> Bytes {
    bytes(&json!({ "type": "content_block_stop", "index": 3 }))
}

/// What goes out for some events, in order.
fn run(rewriter: &mut Rewriter, events: impl IntoIterator<Item = Bytes>) -> Vec<Value> {
    let mut got = Vec::new();
    for event in events {
        let out = rewriter.message_event(event).unwrap();
        let data = out.before.iter().map(String::as_bytes).chain(out.data.as_deref());
        got.extend(data.map(|data| serde_json::from_slice::<Value>(data).unwrap()));
    }
    got
}

/// What a client puts together of a block's text, from its events; the end comes last.
fn client(rewriter: &mut Rewriter, events: Vec<Bytes>, at: &str) -> String {
    let got = run(rewriter, events);
    let (last, before) = got.split_last().unwrap();
    assert_eq!(last["type"], "content_block_stop");
    assert!(before.iter().all(|event| event["type"] != "content_block_stop"));
    assert!(rewriter.abandon().unwrap().is_empty());
    got.iter().filter_map(|event| event.pointer(at)?.as_str()).collect()
}

#[test]
fn every_block_is_looked_at_wherever_it_is_cut() {
    let (vault, placeholder) = vault(true);
    for Spot { name, opened, piece, at, is_json, restored } in spots() {
        let (sent, mut wanted) = texts(is_json, &placeholder);
        if !restored {
            wanted = wanted.replace(MAIL, &placeholder);
        }
        for size in 1..=sent.len() {
            let chars: Vec<char> = sent.chars().collect();
            let pieces = chars.chunks(size).map(|chars| delta(&piece(&chars.iter().collect::<String>())));
            let events = std::iter::once(start(&opened)).chain(pieces).chain([stop_event()]).collect();
            assert_eq!(client(&mut rewriter(&vault), events, at), wanted, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn a_thought_is_left_out_from_where_something_is_redacted_wherever_it_is_cut() {
    let (vault, placeholder) = vault(true);
    let (sent, _) = texts(false, &placeholder);
    let before = sent.split(IBAN).next().unwrap();
    for cut in 0..=sent.len() {
        let (first, second) = sent.split_at(cut);
        let piece = |text: &str| delta(&json!({ "type": "thinking_delta", "thinking": text }));
        let signed = delta(&json!({ "type": "signature_delta", "signature": IBAN }));
        let opened = start(&json!({ "type": "thinking", "thinking": "", "signature": "" }));
        let events = [opened, piece(first), piece(second), signed, stop_event()];
        let got = run(&mut rewriter(&vault), events);
        let said: String = got.iter().filter_map(|event| event["delta"]["thinking"].as_str()).collect();
        assert!(before.starts_with(&said), "cut at {cut}: {said}");
        assert!(got.iter().any(|event| event["delta"]["signature"] == IBAN), "a signature is never altered");
    }
}

#[test]
fn what_a_block_begins_with_is_looked_at_with_what_follows() {
    let (vault, _) = vault(true);
    let text = format!("Pay to {IBAN} now");
    for cut in 0..=text.len() {
        let (first, second) = text.split_at(cut);
        let opened = start(&json!({ "type": "text", "text": first }));
        let piece = delta(&json!({ "type": "text_delta", "text": second }));
        let got = run(&mut rewriter(&vault), [opened, piece, stop_event()]);
        let said = |event: &Value| {
            let begun = event["content_block"]["text"].as_str().unwrap_or_default();
            format!("{begun}{}", event["delta"]["text"].as_str().unwrap_or_default())
        };
        assert_eq!(got.iter().map(said).collect::<String>(), "Pay to **** now", "cut at {cut}");

        // Of a block that nobody knows all that it begins with goes out, because nobody knows how it would go on.
        let opened = start(&json!({ "type": "compaction", "content": first }));
        let piece = delta(&json!({ "type": "compaction_delta", "content": second }));
        let got = run(&mut rewriter(&vault), [opened, piece, stop_event()]);
        let begun = got[0]["content_block"]["content"].as_str().unwrap().to_owned();
        let rest: String = got.iter().filter_map(|event| event["delta"]["content"].as_str()).collect();
        let within = (8..7 + IBAN.len()).contains(&cut);
        let expected = if within { format!("{first}**** now") } else { String::from("Pay to **** now") };
        assert_eq!(format!("{begun}{rest}"), expected, "cut at {cut}");
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
            { "type": "server_tool_use", "id": "s", "name": "f", "input": { "to": placeholder, "type": iban } },
            { "type": iban, "id": "x" },
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
            { "type": "server_tool_use", "id": "s", "name": "f", "input": { "to": placeholder, "type": "****" } },
            { "type": "****", "id": "x" },
        ],
        "usage": { "input_tokens": 1, "output_tokens": 2 }, "of_next_month": "****",
    });
    assert_eq!(out, expected);
    // A stop sequence is the client's own.
    let body = json!({ "type": "message", "stop_reason": "stop_sequence", "stop_sequence": placeholder, "content": [] });
    let out: Value = serde_json::from_slice(&rewriter.message(bytes(&body)).unwrap()).unwrap();
    assert_eq!(out["stop_sequence"], MAIL);
    let end = json!({ "type": "message_delta", "delta": { "stop_reason": "stop_sequence", "stop_sequence": placeholder } });
    assert_eq!(run(&mut rewriter, [bytes(&end)])[0]["delta"]["stop_sequence"], MAIL);
}

#[test]
fn what_an_open_block_holds_goes_out_when_the_stream_breaks_off_but_not_what_could_be_a_value() {
    let (vault, placeholder) = vault(true);
    let mut rewriter = rewriter(&vault);
    let Spot { opened, piece, .. } = spots().swap_remove(0);
    rewriter.message_event(start(&opened)).unwrap();
    let (head, _) = placeholder.split_at(placeholder.len() - 2);
    let text = format!("To somebody {head}");
    let out = rewriter.message_event(delta(&piece(&text))).unwrap();
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
    let Spot { opened, piece, .. } = spots().swap_remove(0);
    assert!(rewriter.message_event(delta(&piece("x"))).is_err());
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
fn a_whole_message_ends_wherever_the_value_stands() {
    let text = |text: &str| json!({ "type": "text", "text": text });
    let call = |input: Value| json!({ "type": "tool_use", "id": "t", "name": "pay", "input": input });
    let pay = call(json!({ "much": 5 }));
    let key = {
        let mut input = json!({});
        input[IBAN] = json!(1);
        call(input)
    };
    let thought = json!({ "type": "thinking", "thinking": format!("From {IBAN}"), "signature": "c2ln" });
    let hidden = json!({ "type": "thinking", "thinking": "", "signature": "c2ln" });
    let hello = text("Hello.");
    for (blocks, left) in [
        // A number and a name of what a tool is called with, as in a string of arguments.
        (json!([hello, call(json!({ "card": CARD })), pay]), json!([hello])),
        (json!([hello, key, pay]), json!([hello])),
        (json!([hello, thought, pay]), json!([hello, hidden])),
        (json!([hello, { "type": "of_next_month", "do": IBAN }, pay]), json!([hello])),
        (
            json!([hello, { "type": "server_tool_use", "id": "s", "name": "f", "input": { "type": IBAN } }, pay]),
            json!([hello]),
        ),
    ] {
        let body = json!({ "type": "message", "content": blocks });
        let out: Value = serde_json::from_slice(&stopping().message(bytes(&body)).unwrap()).unwrap();
        assert_eq!(out, json!({ "type": "message", "content": left, "stop_reason": "refusal" }), "{blocks}");
    }
    // Before all that is said.
    let body = json!({ "type": "message", "of_next_month": IBAN, "content": [hello, pay], "stop_reason": "tool_use" });
    let out: Value = serde_json::from_slice(&stopping().message(bytes(&body)).unwrap()).unwrap();
    assert_eq!((&out["content"], &out["stop_reason"]), (&json!([]), &json!("refusal")));
}

/// What comes of a stream in which the block 3 is followed by a call, as far as it is told: the events without those that bring
/// pieces, and all pieces.
fn stopped(block: Vec<Bytes>) -> (Vec<String>, String) {
    let call = json!({ "type": "tool_use", "id": "t", "name": "pay", "input": {} });
    let after = [
        json!({ "type": "content_block_start", "index": 4, "content_block": call }),
        json!({ "type": "content_block_delta", "index": 4, "delta": { "type": "input_json_delta", "partial_json": "{}" } }),
        json!({ "type": "content_block_stop", "index": 4 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": {} }),
        json!({ "type": "message_stop" }),
    ];
    let events = block.into_iter().chain(after.iter().map(bytes));
    let (mut kinds, mut said) = (Vec::new(), String::new());
    for event in run(&mut stopping(), events) {
        let kind = event["type"].as_str().unwrap().to_owned();
        assert_ne!(event["index"], 4, "no tool is called: {event}");
        if kind == "message_delta" {
            assert_eq!(event["delta"]["stop_reason"], "refusal");
        }
        if kind == "content_block_delta" {
            said.push_str(&event["delta"].to_string());
        } else {
            kinds.push(kind);
        }
    }
    (kinds, said)
}

#[test]
fn a_stream_of_a_message_ends_before_what_it_has_to_stop_at_wherever_it_is_cut() {
    let closed = ["content_block_start", "content_block_stop", "message_delta", "message_stop"];
    for Spot { name, opened, piece, is_json, .. } in spots() {
        let text = if is_json {
            format!("{{\"to\":\"{IBAN}\",\"a\":\"after\"}}")
        } else {
            format!("Pay to {IBAN} after")
        };
        for cut in 0..=text.len() {
            let (first, second) = text.split_at(cut);
            let block = vec![start(&opened), delta(&piece(first)), delta(&piece(second)), stop_event()];
            let (kinds, said) = stopped(block);
            assert_eq!(kinds, closed, "{name} cut at {cut}");
            assert!(!said.contains("after") && !said.contains("0000002020"), "{name} cut at {cut}: {said}");
        }
    }
    // A thought at whose end the value stands, which is known only when it is signed.
    let thought = format!("Pay to {IBAN}");
    for cut in 0..=thought.len() {
        let (first, second) = thought.split_at(cut);
        let piece = |text: &str| delta(&json!({ "type": "thinking_delta", "thinking": text }));
        let opened = start(&json!({ "type": "thinking", "thinking": "", "signature": "" }));
        let signed = delta(&json!({ "type": "signature_delta", "signature": "c2ln" }));
        let (kinds, said) = stopped(vec![opened, piece(first), piece(second), signed, stop_event()]);
        assert_eq!(kinds, closed, "cut at {cut}");
        assert!(!said.contains("202051"), "cut at {cut}: {said}");
    }
}

#[test]
fn a_stream_of_a_message_ends_wherever_the_value_stands() {
    let piece = |text: &str| delta(&json!({ "type": "text_delta", "text": text }));
    let opened = start(&json!({ "type": "text", "text": "" }));
    let closed = ["content_block_start", "content_block_stop", "message_delta", "message_stop"];
    // In a citation, or in what the block begins with: nothing of the block follows.
    let cited =
        json!({ "type": "citations_delta", "citation": { "type": "char_location", "cited_text": IBAN } });
    let (kinds, said) = stopped(vec![opened.clone(), delta(&cited), piece("after"), stop_event()]);
    assert_eq!(kinds, closed);
    assert!(!said.contains("after") && !said.contains(IBAN), "{said}");
    let begun = start(&json!({ "type": "text", "text": format!("Pay to {IBAN} now") }));
    let (kinds, said) = stopped(vec![begun, piece("after"), stop_event()]);
    assert_eq!(kinds, closed);
    assert!(!said.contains("after") && !said.contains("now"), "{said}");
    // A call that begins with it is not begun.
    let call = json!({ "type": "tool_use", "id": "t", "name": "pay", "input": { "card": CARD } });
    let (kinds, said) = stopped(vec![start(&call), piece("after"), stop_event()]);
    assert_eq!(
        (kinds, said),
        (vec![String::from("message_delta"), String::from("message_stop")], String::new())
    );
    // Before all blocks.
    let begin =
        bytes(&json!({ "type": "message_start", "message": { "content": [], "of_next_month": IBAN } }));
    let (kinds, said) = stopped(vec![begin, opened.clone(), piece("after"), stop_event()]);
    let ends = ["message_start", "message_delta", "message_stop"].map(String::from);
    assert_eq!((kinds.as_slice(), said.as_str()), (ends.as_slice(), ""));

    // What is held when the end is told is looked at before it is; and who does not tell it has it told.
    let end = bytes(&json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use" }, "usage": {} }));
    let last = bytes(&json!({ "type": "message_stop" }));
    let text = piece(&format!("Pay to {IBAN}"));
    for events in [vec![opened.clone(), text.clone(), end, last.clone()], vec![opened, text, last]] {
        let got = run(&mut stopping(), events);
        let kinds: Vec<&str> = got.iter().filter_map(|event| event["type"].as_str()).collect();
        let ends = ["content_block_stop", "message_delta", "message_stop"];
        let told: Vec<&&str> = kinds.iter().filter(|kind| ends.contains(kind)).collect();
        assert_eq!(told.len(), 3, "{kinds:?}");
        assert_eq!(kinds.last(), Some(&"message_stop"));
        let reason = got.iter().find(|event| event["type"] == "message_delta").unwrap();
        assert_eq!(reason["delta"]["stop_reason"], "refusal", "{reason}");
    }
}
