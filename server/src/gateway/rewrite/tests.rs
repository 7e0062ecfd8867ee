//! Every position of a stream, cut at every place: what a client puts together is what it would have got at once, at the
//! very same position.

use std::collections::BTreeMap;

use bailiwick_pii::{EntityType, How, Redaction, redact};
use serde_json::{Value, json};

use super::*;

pub(super) const MAIL: &str = "anna.lang@kunde.example";
pub(super) const IBAN: &str = "DE02120300000000202051";

fn key() -> TokenKey {
    TokenKey::new([3; 32])
}

/// A vault that holds the address, and its placeholder.
pub(super) fn vault(tools: bool) -> (Arc<Vault>, String) {
    let mut plan = RedactionPlan::empty();
    let restored = Redaction {
        how: How::Token,
        restore_text: true,
        restore_tool_arguments: tools,
        min_confidence: 0,
        zip3: false,
        stop: false,
    };
    plan.add(EntityType::Email, restored);
    let (mut vault, mut counts, mut found) = (Vault::new(), EntityCounts::default(), Vec::new());
    detector().scan(MAIL, &mut found);
    let placeholder = redact(MAIL, &found, &plan, &key(), &mut vault, &mut counts).unwrap();
    (Arc::new(vault), placeholder)
}

/// One detector for all tests: making one takes its time.
fn detector() -> Arc<Detector> {
    static DETECTOR: std::sync::OnceLock<Arc<Detector>> = std::sync::OnceLock::new();
    Arc::clone(DETECTOR.get_or_init(|| Arc::new(Detector::new())))
}

pub(super) fn rewriter(vault: &Arc<Vault>) -> Rewriter {
    let mut plan = RedactionPlan::empty();
    plan.add(EntityType::Iban, Redaction::new(How::Mask));
    Rewriter::new(detector(), plan, key(), Arc::clone(vault), None)
}

/// A position of a message: its name, whether JSON stands there, and a delta with a piece of it.
type Spot = (&'static str, bool, fn(&str) -> Value);

const SPOTS: &[Spot] = &[
    ("content", false, |t| json!({ "content": t })),
    ("refusal", false, |t| json!({ "refusal": t })),
    ("reasoning_content", false, |t| json!({ "reasoning_content": t })),
    ("reasoning", false, |t| json!({ "reasoning": t })),
    ("part", false, |t| json!({ "content": [{ "type": "text", "text": t }] })),
    ("refused part", false, |t| json!({ "content": [{ "type": "refusal", "refusal": t }] })),
    ("part with index", false, |t| json!({ "content": [{ "index": 4, "type": "text", "text": t }] })),
    (
        "thinking",
        false,
        |t| json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": t }] }] }),
    ),
    ("function", true, |t| json!({ "tool_calls": [{ "index": 1, "function": { "arguments": t } }] })),
    (
        "function without index",
        true,
        |t| json!({ "tool_calls": [{ "id": "c7", "type": "function", "function": { "arguments": t } }] }),
    ),
    (
        "custom",
        false,
        |t| json!({ "tool_calls": [{ "index": 0, "type": "custom", "custom": { "input": t } }] }),
    ),
    ("custom JSON", true, |t| json!({ "tool_calls": [{ "index": 2, "custom": { "input": t } }] })),
    ("legacy", true, |t| json!({ "function_call": { "arguments": t } })),
];

fn chunk(delta: &Value, finish: Option<&str>) -> Bytes {
    let chunk = json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{ "index": 2, "delta": delta, "finish_reason": finish }] });
    Bytes::from(chunk.to_string())
}

/// What a client puts together: the text at each position.
fn gather(into: &mut BTreeMap<String, String>, at: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (key, member) in
                members.iter().filter(|(key, _)| !matches!(key.as_str(), "index" | "id" | "type"))
            {
                gather(into, &format!("{at}/{key}"), member);
            }
        }
        Value::Array(items) => {
            for item in items {
                // What has an index is told by it alone.
                let name = match item["index"].as_u64() {
                    Some(index) => format!("{at}/{index}"),
                    None => format!("{at}/{} {}", item["id"], item["type"]),
                };
                gather(into, &name, item);
            }
        }
        Value::String(text) => into.entry(at.to_owned()).or_default().push_str(text),
        _ => {}
    }
}

fn client(rewriter: &mut Rewriter, chunks: &[Bytes]) -> BTreeMap<String, String> {
    let mut got = BTreeMap::new();
    let mut take = |data: &[u8]| {
        let chunk: Value = serde_json::from_slice(data).unwrap();
        assert_eq!((&chunk["id"], &chunk["choices"][0]["index"]), (&json!("x"), &json!(2)), "{chunk}");
        gather(&mut got, "", &chunk["choices"][0]["delta"]);
    };
    for data in chunks {
        let out = rewriter.chunk(data.clone(), false).unwrap();
        out.before.iter().for_each(|held| take(held.as_bytes()));
        out.data.iter().for_each(|data| take(data));
    }
    rewriter.finish().unwrap().iter().for_each(|held| take(held.as_bytes()));
    got.retain(|_, text| !text.is_empty());
    got
}

pub(super) fn texts(json: bool, placeholder: &str) -> (String, String) {
    if json {
        let escaped = "DE021203000000002020\\u0035\\u0031";
        (
            format!("{{\"to\":\"{placeholder}\",\"iban\":\"{escaped}\",\"{IBAN}\":[\"\\n{IBAN}\"]}}"),
            format!("{{\"to\":\"{MAIL}\",\"iban\":\"****\",\"****\":[\"\\n****\"]}}"),
        )
    } else {
        (format!("To {placeholder}, from {IBAN}, {placeholder}"), format!("To {MAIL}, from ****, {MAIL}"))
    }
}

#[test]
fn every_position_is_restored_wherever_it_is_cut() {
    let (vault, placeholder) = vault(true);
    for (name, json, spot) in SPOTS {
        let (sent, wanted) = texts(*json, &placeholder);
        let mut expected = BTreeMap::new();
        gather(&mut expected, "", &spot(&wanted));
        for cut in 0..=sent.len() {
            let (head, tail) = sent.split_at(cut);
            for end in 0..3 {
                let mut chunks = vec![chunk(&json!({ "role": "assistant" }), None), chunk(&spot(head), None)];
                chunks.push(chunk(&spot(tail), (end == 1).then_some("stop")));
                chunks.extend((end == 0).then(|| chunk(&json!({}), Some("stop"))));
                let mut got = client(&mut rewriter(&vault), &chunks);
                got.remove("/role");
                assert_eq!(got, expected, "{name} cut at {cut}, ended in way {end}");
            }
        }
        let pieces: Vec<Bytes> = sent.chars().map(|c| chunk(&spot(&c.to_string()), None)).collect();
        assert_eq!(client(&mut rewriter(&vault), &pieces), expected, "{name}, a character a chunk");
    }
}

#[test]
fn every_position_of_a_whole_answer_is_restored() {
    let (allowed, placeholder) = vault(true);
    let (text_only, _) = vault(false);
    for (name, json, spot) in SPOTS {
        let (sent, wanted) = texts(*json, &placeholder);
        let answer = json!({ "choices": [{ "index": 0, "message": spot(&sent) }] });
        let whole = |vault: &Arc<Vault>| -> Value {
            let body = rewriter(vault).whole(Bytes::from(answer.to_string())).unwrap();
            serde_json::from_slice(&body).unwrap()
        };
        assert_eq!(whole(&allowed)["choices"][0]["message"], spot(&wanted), "{name}");
        let tool = spot("").get("content").is_none() && spot("").to_string().contains("call");
        let kept = if tool { wanted.replace(MAIL, &placeholder) } else { wanted };
        assert_eq!(whole(&text_only)["choices"][0]["message"], spot(&kept), "{name}, text only");
    }
}

#[test]
fn members_without_an_index_are_kept_apart() {
    let (vault, placeholder) = vault(true);
    let call =
        |id: &str, text: &str| json!({ "id": id, "type": "function", "function": { "arguments": text } });
    let part = |text: &str| json!({ "content": [{ "type": "text", "text": text }] });
    let (head, tail) = placeholder.split_at(4);
    // Two calls in one chunk, then a third; what each holds stays with it, in order.
    let calls = json!({ "tool_calls": [call("a", "{\"a\":1}"), call("b", &format!("\"{placeholder}\""))] });
    let third = json!({ "tool_calls": [call("c", &format!("\"{IBAN}\""))] });
    let got = client(&mut rewriter(&vault), &[chunk(&calls, None), chunk(&third, None)]);
    let texts: Vec<&str> = got.values().map(String::as_str).collect();
    assert_eq!(texts, ["{\"a\":1}", &format!("\"{MAIL}\""), "\"****\""], "{got:?}");
    // Parts go on from chunk to chunk.
    let got = client(
        &mut rewriter(&vault),
        &[chunk(&part(&format!("to {head}")), None), chunk(&part(&format!("{tail}!")), Some("stop"))],
    );
    assert_eq!(got.into_values().collect::<Vec<_>>(), [format!("to {MAIL}!")]);
}

#[test]
fn what_the_protocol_says_is_neither_held_nor_changed() {
    let (vault, placeholder) = vault(true);
    let delta = json!({ "role": "assistant", "tool_calls": [{ "index": 0, "id": IBAN, "type": "function",
        "function": { "name": placeholder, "arguments": "" } }] });
    let out = rewriter(&vault).chunk(chunk(&delta, None), false).unwrap();
    assert!(!out.changed && out.before.is_empty());
    // A placeholder that nobody was given is nobody's, and what is signed keeps what it has.
    let made_up = placeholder.replace('_', "_ZZ");
    let parts = json!({ "content": [{ "type": "text", "text": made_up },
        { "type": "thinking", "thinking": placeholder, "signature": "s" }] });
    let mut expected = BTreeMap::new();
    gather(&mut expected, "", &parts);
    assert_eq!(client(&mut rewriter(&vault), &[chunk(&parts, Some("stop"))]), expected);
}

#[test]
fn a_tool_call_within_the_content_is_a_tool_call() {
    let (text_only, placeholder) = vault(false);
    let (tools, _) = vault(true);
    let deep = |t: &str| {
        json!({ "content": [
            { "type": "text", "text": t },
            { "type": "tool_use", "name": "send", "input": { "text": t, "to": [{ "type": "text", "text": t }] } },
            { "type": "function", "arguments": { "text": t } },
            { "type": "tool_use", "text": t },
            { "type": "text", "nested": { "text": t } },
        ] })
    };
    let whole = |vault: &Arc<Vault>| -> Value {
        let answer = json!({ "choices": [{ "index": 0, "message": deep(&placeholder) }] });
        let body = rewriter(vault).whole(Bytes::from(answer.to_string())).unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()["choices"][0]["message"]["content"].clone()
    };
    let mut expected = deep(&placeholder)["content"].clone();
    expected[0]["text"] = json!(MAIL);
    assert_eq!(whole(&text_only), expected);
    expected[1]["input"] = json!({ "text": MAIL, "to": [{ "type": "text", "text": MAIL }] });
    expected[2]["arguments"] = json!({ "text": MAIL });
    assert_eq!(whole(&tools), expected);
}

#[test]
fn everything_of_a_whole_answer_is_scanned() {
    let (vault, _) = vault(true);
    let answer = json!({ "id": "x", "created": 1_763_832_740, "note": IBAN, IBAN: [true, { IBAN: 1 }],
        "choices": [{ "index": 0, "text": IBAN, "message": { "content": "fine", IBAN: IBAN,
            "parts": { "iban": [IBAN, 7] } } }], "usage": { "total_tokens": 12 } });
    let mut rewriter = rewriter(&vault);
    let body = rewriter.whole(Bytes::from(answer.to_string())).unwrap();
    let said = std::str::from_utf8(&body).unwrap();
    assert!(!said.contains(IBAN), "{said}");
    let value: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(value["choices"][0]["text"], json!("****"));
    assert_eq!((&value["created"], &value["usage"]["total_tokens"]), (&json!(1_763_832_740), &json!(12)));
    assert_eq!(rewriter.redacted().get(EntityType::Iban), 7);
    // A number of a message too.
    let mut plan = RedactionPlan::empty();
    plan.add(EntityType::Card, Redaction::new(How::Mask));
    let mut rewriter = Rewriter::new(detector(), plan, key(), Arc::clone(&vault), None);
    let answer = Bytes::from_static(b"{\"choices\":[{\"message\":{\"card\":4111111111111111}}]}");
    assert_eq!(&*rewriter.whole(answer).unwrap(), b"{\"choices\":[{\"message\":{\"card\":\"****\"}}]}");
    assert_eq!(rewriter.said("card 4111111111111111 is bad").unwrap(), "card **** is bad");
}

#[test]
fn a_stream_that_breaks_off_keeps_its_words() {
    let (vault, placeholder) = vault(true);
    let end = |text: &str| {
        let mut rewriter = rewriter(&vault);
        let mut out =
            rewriter.chunk(chunk(&json!({ "content": text }), None), false).unwrap().data.unwrap().to_vec();
        rewriter.abandon().unwrap().iter().for_each(|held| out.extend_from_slice(held.as_bytes()));
        String::from_utf8(out).unwrap()
    };
    assert!(end("all is well").contains("well"));
    assert!(end(&format!("to {placeholder}")).contains("to "));
    assert!(!end("from DE021203000000002020").contains("DE02"));
}

#[test]
fn no_finish_reason_ends_the_search() {
    let (vault, placeholder) = vault(true);
    for (name, json, spot) in SPOTS {
        let (sent, wanted) = texts(*json, &placeholder);
        let mut expected = BTreeMap::new();
        gather(&mut expected, "", &spot(&wanted));
        for reason in ["", "null", "stop", "length", "tool_calls", "eos", "STOP"] {
            // Said with every chunk, at every place to cut at.
            for cut in 0..=sent.len() {
                let (head, tail) = sent.split_at(cut);
                let chunks = [chunk(&spot(head), Some(reason)), chunk(&spot(tail), Some(reason))];
                assert_eq!(
                    client(&mut rewriter(&vault), &chunks),
                    expected,
                    "{name} cut at {cut}, {reason:?}"
                );
            }
            let pieces: Vec<Bytes> =
                sent.chars().map(|c| chunk(&spot(&c.to_string()), Some(reason))).collect();
            assert_eq!(client(&mut rewriter(&vault), &pieces), expected, "{name}, {reason:?}");
        }
    }
}

#[test]
fn the_reason_comes_after_the_text_and_the_usage_last() {
    let (vault, _) = vault(true);
    let usage = Bytes::from_static(br#"{"id":"x","choices":[],"usage":{"total_tokens":3}}"#);
    let mut rewriter = rewriter(&vault);
    let first = rewriter.chunk(chunk(&json!({ "content": "it is 4111 11" }), Some("stop")), false).unwrap();
    let first: Value = serde_json::from_slice(&first.data.unwrap()).unwrap();
    assert_eq!(
        first["choices"][0],
        json!({ "index": 2, "delta": { "content": "it is " }, "finish_reason": null })
    );
    assert!(rewriter.chunk(usage.clone(), false).unwrap().data.is_none());
    let rest: Vec<Value> =
        rewriter.finish().unwrap().iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    assert_eq!(rest.len(), 3, "{rest:?}");
    assert_eq!(
        rest[0]["choices"][0],
        json!({ "index": 2, "delta": { "content": "4111 11" }, "finish_reason": null })
    );
    assert_eq!(rest[1]["choices"][0], json!({ "index": 2, "delta": {}, "finish_reason": "stop" }));
    assert_eq!(rest[2], serde_json::from_slice::<Value>(&usage).unwrap());
    // Where nothing is held, nothing waits.
    let mut rewriter = self::rewriter(&vault);
    let out = rewriter.chunk(chunk(&json!({ "content": "done\n" }), Some("stop")), false).unwrap();
    assert!(!out.changed && rewriter.chunk(usage, false).unwrap().data.is_some());
    assert!(rewriter.finish().unwrap().is_empty());
    // What broke off after its end was whole.
    let mut rewriter = self::rewriter(&vault);
    rewriter.chunk(chunk(&json!({ "content": "room 12" }), Some("stop")), false).unwrap();
    let rest = rewriter.abandon().unwrap();
    assert!(rest.len() == 2 && rest[0].contains("room 12") | rest[0].contains("12"), "{rest:?}");
}

#[test]
fn everything_of_a_chunk_is_scanned() {
    let (vault, _) = vault(true);
    let chunk = json!({ "id": "x", "created": 1_763_832_740, "note": IBAN,
        "choices": [{ "index": 2, "text": IBAN, "message": { "content": IBAN }, "finish_reason": IBAN,
            "delta": { "content": "fine\n", IBAN: { "x": IBAN } } }] });
    let mut rewriter = rewriter(&vault);
    let out = rewriter.chunk(Bytes::from(chunk.to_string()), false).unwrap();
    let rest = rewriter.finish().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.data.unwrap()), rest.concat());
    assert!(!said.contains(IBAN) && said.contains("1763832740"), "{said}");
}

#[test]
fn what_stands_beside_vectors_is_scanned() {
    let (vault, _) = vault(true);
    let answer = json!({ "object": "list", "note": format!("from {IBAN}"), "model": "m",
        "data": [{ "object": "embedding", "index": 0, "embedding": [0.25, -0.1234567890123], "said": IBAN }] });
    let body = rewriter(&vault).vectors(Bytes::from(answer.to_string())).unwrap();
    let mut expected = answer;
    expected["note"] = json!("from ****");
    expected["data"][0]["said"] = json!("****");
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
}

/// A rewriter whose answers end before an IBAN or a card.
pub(super) fn stopping() -> Rewriter {
    let mut plan = RedactionPlan::empty();
    plan.add(EntityType::Iban, Redaction { stop: true, ..Redaction::new(How::Mask) });
    plan.add(EntityType::Card, Redaction { stop: true, ..Redaction::new(How::Mask) });
    Rewriter::new(detector(), plan, key(), Arc::default(), None)
}

#[test]
fn probabilities_of_tokens_are_left_out_where_answers_are_redacted() {
    let (vault, _) = vault(false);
    let logprobs = json!({ "content": [{ "token": IBAN.get(..9), "logprob": -0.1, "top_logprobs": [] }] });
    let choice = |of: &str| {
        let choice =
            json!({ "index": 0, of: { "content": "x" }, "logprobs": logprobs, "finish_reason": "stop" });
        Bytes::from(json!({ "choices": [choice] }).to_string())
    };
    let left = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap()["choices"][0]["logprobs"].clone();
    for redacts in [true, false] {
        let new = || match redacts {
            true => rewriter(&vault),
            false => Rewriter::new(detector(), RedactionPlan::empty(), key(), Arc::clone(&vault), None),
        };
        let expected = if redacts { Value::Null } else { logprobs.clone() };
        let told: &[&str] = if redacts { &[LOGPROBS] } else { &[] };
        let mut whole = new();
        assert!(whole.left_out().is_empty());
        assert_eq!(left(&whole.whole(choice("message")).unwrap()), expected);
        assert_eq!(whole.left_out().places().collect::<Vec<_>>(), told);
        let mut stream = new();
        assert_eq!(left(&stream.chunk(choice("delta"), false).unwrap().data.unwrap()), expected);
        assert_eq!(stream.left_out().places().collect::<Vec<_>>(), told);
    }
}

#[test]
fn an_answer_ends_before_what_it_has_to_stop_at() {
    let said = json!({ "choices": [
        { "index": 0, "finish_reason": "tool_calls", "message": {
            "content": format!("Pay to {IBAN} please"), "tool_calls": [{ "function": { "arguments": "{}" } }] } },
        { "index": 1, "finish_reason": "stop", "message": { "content": "Nothing to pay" } },
    ] });
    let mut rewriter = stopping();
    let whole: Value = serde_json::from_slice(&rewriter.whole(said.to_string().into()).unwrap()).unwrap();
    let choices = &whole["choices"];
    assert_eq!(
        choices[0],
        json!({ "index": 0, "finish_reason": "content_filter", "message": { "content": "Pay to " } })
    );
    assert_eq!(choices[1], said["choices"][1]);
    assert_eq!(rewriter.redacted().get(EntityType::Iban), 1);
}

#[test]
fn an_answer_ends_at_numbers_and_names_too() {
    const CARD: u64 = 4_111_111_111_111_111;
    let mut named = json!({ "content": "Before." });
    named[IBAN] = json!(1);
    for (message, left) in [
        (json!({ "content": "Before.", "of_next_month": CARD, "refusal": "after" }), json!("Before.")),
        (
            json!({ "content": [{ "type": "tool_use", "input": { "card": CARD } }], "refusal": "after" }),
            Value::Null,
        ),
        // A name that stands before all that is said.
        (named, json!("")),
    ] {
        let message = {
            let mut message = message;
            message["tool_calls"] = json!([{ "function": { "arguments": "{}" } }]);
            message
        };
        let choice =
            |of: &str| json!({ "choices": [{ "index": 0, of: message, "finish_reason": "tool_calls" }] });
        let whole = stopping().whole(choice("message").to_string().into()).unwrap();
        let whole: Value = serde_json::from_slice(&whole).unwrap();
        let said = &whole["choices"][0];
        assert_eq!(said["finish_reason"], "content_filter", "{whole}");
        assert!(
            said["message"].get("tool_calls").is_none() && said["message"]["refusal"] != "after",
            "{whole}"
        );
        assert!(left.is_null() || said["message"]["content"] == left, "{whole}");

        let mut rewriter = stopping();
        let out = rewriter.chunk(choice("delta").to_string().into(), false).unwrap();
        let next = json!({ "choices": [{ "index": 0, "delta": { "content": "after" } }] });
        let next = rewriter.chunk(next.to_string().into(), false).unwrap();
        let rest = rewriter.finish().unwrap();
        let all: String = [out.data, next.data]
            .into_iter()
            .flatten()
            .map(|data| String::from_utf8_lossy(&data).into_owned())
            .collect();
        assert!(!all.contains("after") && !all.contains("\"finish_reason\":\"tool_calls\""), "{all}");
        assert!(rest.last().unwrap().contains("\"finish_reason\":\"content_filter\""), "{rest:?}");
    }
    // The client's own stop sequence, as some services tell it.
    let (vault, placeholder) = vault(true);
    let told =
        json!({ "choices": [{ "index": 0, "message": { "content": "x" }, "stop_reason": placeholder }] });
    let told: Value =
        serde_json::from_slice(&rewriter(&vault).whole(told.to_string().into()).unwrap()).unwrap();
    assert_eq!(told["choices"][0]["stop_reason"], MAIL);
}

#[test]
fn a_stream_ends_before_what_it_has_to_stop_at_wherever_it_is_cut() {
    let text = format!("Pay to {IBAN} please, by Friday");
    for step in [1, 3, 7, 64] {
        for last in ["stop", ""] {
            let mut rewriter = stopping();
            let (mut content, mut reasons) = (String::new(), Vec::new());
            let mut chunks: Vec<Value> = text
                .as_bytes()
                .chunks(step)
                .map(|piece| json!({ "choices": [{ "index": 0, "delta": { "content": std::str::from_utf8(piece).unwrap() }, "finish_reason": null }] }))
                .collect();
            if !last.is_empty() {
                chunks.push(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": last }] }));
            }
            chunks.push(json!({ "choices": [], "usage": { "total_tokens": 9 } }));
            let mut out: Vec<Value> = Vec::new();
            for chunk in chunks {
                let chunk = rewriter.chunk(chunk.to_string().into(), false).unwrap();
                out.extend(chunk.before.iter().map(|data| serde_json::from_str::<Value>(data).unwrap()));
                out.extend(chunk.data.map(|data| serde_json::from_slice::<Value>(&data).unwrap()));
            }
            out.extend(
                rewriter.finish().unwrap().iter().map(|data| serde_json::from_str::<Value>(data).unwrap()),
            );
            for chunk in &out {
                for choice in chunk["choices"].as_array().unwrap() {
                    content.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
                    reasons.extend(choice["finish_reason"].as_str().map(str::to_owned));
                }
            }
            assert_eq!(
                (content.as_str(), reasons),
                ("Pay to ", vec![String::from("content_filter")]),
                "{step} {last}"
            );
            assert_eq!(out.last().unwrap()["usage"]["total_tokens"], 9, "the usage comes last");
        }
    }
}
