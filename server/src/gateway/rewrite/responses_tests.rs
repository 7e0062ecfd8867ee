//! An answer of OpenAI's Responses cut at every place: what a client puts together is what it is told at the end, and what it would
//! have got at once.

use serde_json::{Value, json};

use super::tests::{IBAN, MAIL, rewriter, stopping, texts, vault};
use super::*;

fn bytes(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// A text that comes in pieces.
struct Spot {
    name: &'static str,
    /// The item with this text.
    item: fn(&str) -> Value,
    /// The events' name, and the member of the last that has the text.
    stem: (&'static str, &'static str),
    /// Where the item has it.
    at: &'static str,
    is_json: bool,
    restored: bool,
}

const SPOTS: &[Spot] = &[
    Spot {
        name: "text",
        item: |text| {
            json!({ "type": "message", "role": "assistant", "status": "completed", "content": [
            { "type": "output_text", "text": text, "annotations": [], "logprobs": [{ "token": "x" }] }] })
        },
        stem: ("response.output_text", "text"),
        at: "/content/0/text",
        is_json: false,
        restored: true,
    },
    Spot {
        name: "refusal",
        item: |text| {
            json!({ "type": "message", "role": "assistant", "content": [
            { "type": "refusal", "refusal": text }] })
        },
        stem: ("response.refusal", "refusal"),
        at: "/content/0/refusal",
        is_json: false,
        restored: true,
    },
    Spot {
        name: "call",
        item: |text| json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": text }),
        stem: ("response.function_call_arguments", "arguments"),
        at: "/arguments",
        is_json: true,
        restored: true,
    },
    Spot {
        name: "custom call",
        item: |text| json!({ "type": "custom_tool_call", "call_id": "c", "name": "f", "input": text }),
        stem: ("response.custom_tool_call_input", "input"),
        at: "/input",
        is_json: false,
        restored: true,
    },
    Spot {
        name: "command",
        item: |text| json!({ "type": "shell_call", "call_id": "c", "action": { "commands": [text] } }),
        stem: ("response.shell_call_command", "command"),
        at: "/action/commands/0",
        is_json: false,
        restored: true,
    },
    Spot {
        name: "patch",
        item: |text| {
            json!({ "type": "apply_patch_call", "call_id": "c", "status": "completed",
                "operation": { "type": "update_file", "path": "a.txt", "diff": text } })
        },
        stem: ("response.apply_patch_call_operation_diff", "diff"),
        at: "/operation/diff",
        is_json: false,
        restored: true,
    },
    Spot {
        name: "call of the provider",
        item: |text| json!({ "type": "mcp_call", "name": "f", "server_label": "s", "arguments": text }),
        stem: ("response.mcp_call_arguments", "arguments"),
        at: "/arguments",
        is_json: true,
        restored: false,
    },
    Spot {
        name: "code",
        item: |text| json!({ "type": "code_interpreter_call", "code": text }),
        stem: ("response.code_interpreter_call_code", "code"),
        at: "/code",
        is_json: false,
        restored: false,
    },
    Spot {
        name: "of next month",
        item: |text| json!({ "type": "of_next_month", "said": text }),
        stem: ("response.of_next_month", "said"),
        at: "/said",
        is_json: false,
        restored: false,
    },
];

#[expect(clippy::needless_pass_by_value, reason = "it reads better where it is called")]
fn event(kind: &str, more: Value) -> Bytes {
    let mut event = json!({ "type": kind, "sequence_number": 99 });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bytes(&event)
}

fn answer(status: &str, output: &[Value]) -> Value {
    json!({ "id": "resp_1", "object": "response", "model": "m", "status": status, "created_at": 1767225600.0,
        "output": output, "usage": { "input_tokens": 1, "output_tokens": 2, "total_tokens": 3 } })
}

/// The events that say an item whose one text comes in these pieces.
fn events(spot: &Spot, sent: &str, pieces: &[String]) -> Vec<Bytes> {
    let Spot { item, stem: (stem, member), .. } = spot;
    let place = json!({ "item_id": "i", "output_index": 0, "content_index": 0 });
    let with = |more: Value| {
        let mut all = place.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let mut all = vec![
        event("response.created", json!({ "response": answer("in_progress", &[]) })),
        event("response.output_item.added", json!({ "output_index": 0, "item": item("") })),
    ];
    for piece in pieces {
        all.push(event(&format!("{stem}.delta"), with(json!({ "delta": piece, "obfuscation": "x" }))));
    }
    all.push(event(&format!("{stem}.done"), with(json!({ (*member): sent }))));
    all.push(event("response.output_item.done", json!({ "output_index": 0, "item": item(sent) })));
    all.push(event("response.completed", json!({ "response": answer("completed", &[item(sent)]) })));
    all
}

/// What goes out for some events, in order; they are numbered without a gap.
fn run(rewriter: &mut Rewriter, events: impl IntoIterator<Item = Bytes>) -> Vec<Value> {
    let mut got: Vec<Value> = Vec::new();
    for event in events {
        let out = rewriter.response_event(event).unwrap();
        let data = out.before.iter().map(String::as_bytes).chain(out.data.as_deref());
        got.extend(data.map(|data| serde_json::from_slice::<Value>(data).unwrap()));
    }
    for (number, event) in got.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    got
}

fn pieces(sent: &str, size: usize) -> Vec<String> {
    sent.chars().collect::<Vec<_>>().chunks(size).map(|chars| chars.iter().collect()).collect()
}

fn streaming(vault: &Arc<Vault>) -> Rewriter {
    rewriter(vault).in_order()
}

/// What a client puts together of the deltas.
fn said(got: &[Value]) -> String {
    got.iter().filter_map(|event| event["delta"].as_str()).collect()
}

#[test]
fn every_text_is_looked_at_wherever_it_is_cut_and_told_alike_at_the_end() {
    let (vault, placeholder) = vault(true);
    for spot in SPOTS {
        let (sent, mut wanted) = texts(spot.is_json, &placeholder);
        if !spot.restored {
            wanted = wanted.replace(MAIL, &placeholder);
        }
        for size in 1..=sent.len() {
            let mut rewriter = streaming(&vault);
            let got = run(&mut rewriter, events(spot, &sent, &pieces(&sent, size)));
            let what = format!("{} in pieces of {size}: {got:#?}", spot.name);
            assert_eq!(said(&got), wanted, "{what}");
            let [.., text, item, end] = got.as_slice() else { panic!("{what}") };
            assert_eq!(text[spot.stem.1], *wanted, "{what}");
            assert_eq!(item["item"].pointer(spot.at).unwrap(), &*wanted, "{what}");
            assert_eq!(end["response"]["output"][0], item["item"], "{what}");
            assert!(!end.to_string().contains("\"token\""), "probabilities are hidden where a rule redacts");
            // However often it is told, it counts as often as it is there.
            let (mut whole, body) = (streaming(&vault), answer("completed", &[(spot.item)(&sent)]));
            let at_once: Value = serde_json::from_slice(&whole.response(bytes(&body)).unwrap()).unwrap();
            assert_eq!(at_once["output"], end["response"]["output"], "{what}");
            assert_eq!(whole.redacted(), rewriter.redacted(), "{what}");
            assert!(rewriter.abandon().unwrap().is_empty());
        }
    }
}

#[test]
fn what_nothing_changes_goes_out_byte_for_byte() {
    let (vault, _) = vault(true);
    let of = |number: usize, event: &Bytes| {
        let mut event: Value = serde_json::from_slice(event).unwrap();
        event["sequence_number"] = json!(number);
        event.as_object_mut().unwrap().remove("obfuscation");
        event
    };
    for (spot, sent) in SPOTS.iter().zip(["x", "x", "1", "x", "x", "x", "1", "x", "x"]) {
        let mut rewriter = streaming(&vault);
        let mut sizes = Vec::new();
        for (number, event) in events(spot, sent, &[sent.to_owned()]).iter().enumerate() {
            let text =
                String::from_utf8_lossy(event).replace("\"logprobs\":[{\"token\":\"x\"}]", "\"logprobs\":[]");
            let mut event: Value = serde_json::from_str(&text).unwrap();
            event["sequence_number"] = json!(number);
            let event = bytes(&event);
            let out = rewriter.response_event(event.clone()).unwrap();
            for held in &out.before {
                // The piece that was held, under the number that it had.
                let held: Value = serde_json::from_str(held).unwrap();
                let mut piece = of(2, &events(spot, sent, &[sent.to_owned()])[2]);
                if spot.stem.0 == "response.output_text" {
                    piece["logprobs"] = json!([]);
                }
                assert_eq!(held, piece, "{}", spot.name);
            }
            if let Some(data) = &out.data {
                assert_eq!((data, out.changed), (&event, false), "{}", spot.name);
            }
            sizes.push(out.before.len() + usize::from(out.data.is_some()));
        }
        // A piece may be held until its text is told whole, and is no event until then.
        assert!(sizes == [1, 1, 1, 1, 1, 1] || sizes == [1, 1, 0, 2, 1, 1], "{}: {sizes:?}", spot.name);
        assert_eq!(rewriter.events(), 6);
    }
}

#[test]
fn probabilities_of_tokens_are_said_to_be_left_out() {
    let (vault, _) = vault(true);
    let with = |logprobs: Value| {
        let part = json!({ "type": "output_text", "text": "Hi", "annotations": [], "logprobs": logprobs });
        bytes(&answer("completed", &[json!({ "type": "message", "role": "assistant", "content": [part] })]))
    };
    let some = || with(json!([{ "token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": [] }]));
    let places = |rewriter: &Rewriter| rewriter.left_out().places().map(String::from).collect::<Vec<_>>();
    let mut redacting = rewriter(&vault);
    let out: Value = serde_json::from_slice(&redacting.response(some()).unwrap()).unwrap();
    assert_eq!(out["output"][0]["content"][0]["logprobs"], json!([]));
    assert_eq!(places(&redacting), [LOGPROBS]);
    let mut redacting = rewriter(&vault);
    redacting.response(with(json!([]))).unwrap();
    assert!(places(&redacting).is_empty(), "there were none");
    let mut plain = Rewriter::new(
        Arc::clone(&redacting.detector),
        RedactionPlan::empty(),
        redacting.key.clone(),
        vault,
        None,
    );
    assert_eq!(plain.response(some()).unwrap(), some());
    assert!(places(&plain).is_empty());
}

#[test]
fn the_commands_of_one_call_are_texts_of_their_own() {
    let (vault, placeholder) = vault(true);
    let (sent, wanted) = texts(false, &placeholder);
    let item = |commands: &[&str]| json!({ "type": "shell_call", "id": "i", "call_id": "c", "action": { "commands": commands } });
    for size in (1..=sent.len()).step_by(5) {
        let mut all = vec![
            event("response.created", json!({ "response": answer("in_progress", &[]) })),
            event("response.output_item.added", json!({ "output_index": 0, "item": item(&[]) })),
        ];
        let of = |command: u64, name: &str, value: &str| json!({ "output_index": 0, "command_index": command, name: value });
        for command in [0, 1] {
            all.push(event("response.shell_call_command.added", of(command, "command", "")));
        }
        for piece in pieces(&sent, size) {
            for command in [0, 1] {
                all.push(event("response.shell_call_command.delta", of(command, "delta", &piece)));
            }
        }
        for command in [0, 1] {
            all.push(event("response.shell_call_command.done", of(command, "command", &sent)));
        }
        let both = item(&[&sent, &sent]);
        all.push(event("response.output_item.done", json!({ "output_index": 0, "item": both })));
        all.push(event("response.completed", json!({ "response": answer("completed", &[both]) })));
        let got = run(&mut streaming(&vault), all);
        for command in [0, 1] {
            let of = |event: &&Value| event["command_index"] == command;
            let joined: String = got.iter().filter(of).filter_map(|event| event["delta"].as_str()).collect();
            assert_eq!(joined, wanted, "{command} in pieces of {size}: {got:#?}");
            let told: Vec<&str> =
                got.iter().filter(of).filter_map(|event| event["command"].as_str()).collect();
            assert_eq!(told, ["", &wanted], "{command} in pieces of {size}: {got:#?}");
        }
        assert_eq!(got.last().unwrap()["response"]["output"][0], item(&[&wanted, &wanted]));
    }
}

#[test]
fn what_a_shell_says_is_looked_at_as_one_text_for_each_of_its_streams() {
    const ALL: [(u64, &str); 4] = [(0, "stdout"), (1, "stderr"), (1, "stdout"), (0, "stderr")];
    let (vault, placeholder) = vault(true);
    let (sent, wanted) = texts(false, &placeholder);
    let wanted = wanted.replace(MAIL, &placeholder);
    let said =
        |text: &str| json!({ "stdout": text, "stderr": text, "outcome": { "type": "exit", "exit_code": 0 } });
    let item = |outputs: Vec<Value>| json!({ "type": "shell_call_output", "id": "i", "call_id": "c", "output": outputs });
    let whole = || item(vec![said(&sent), said(&sent)]);
    for size in 1..=sent.len() {
        for together in [false, true] {
            let mut all = vec![
                event("response.created", json!({ "response": answer("in_progress", &[]) })),
                event("response.output_item.added", json!({ "output_index": 0, "item": item(vec![]) })),
            ];
            let stem = "response.shell_call_output_content";
            let place = |command: u64| json!({ "output_index": 0, "item_id": "i", "command_index": command });
            let with = |command: u64, name: &str, value: Value| {
                let mut more = place(command);
                more[name] = value;
                more
            };
            for piece in pieces(&sent, size) {
                let deltas: Vec<(u64, Value)> = if together {
                    [0, 1].map(|command| (command, json!({ "stdout": piece, "stderr": piece }))).into()
                } else {
                    ALL.map(|(command, name)| (command, json!({ name: piece }))).into()
                };
                let events = deltas
                    .into_iter()
                    .map(|(command, delta)| event(&format!("{stem}.delta"), with(command, "delta", delta)));
                all.extend(events);
            }
            for command in [0, 1] {
                all.push(event(&format!("{stem}.done"), with(command, "output", json!([said(&sent)]))));
            }
            all.push(event("response.output_item.done", json!({ "output_index": 0, "item": whole() })));
            all.push(event("response.completed", json!({ "response": answer("completed", &[whole()]) })));
            let mut rewriter = streaming(&vault);
            let got = run(&mut rewriter, all);
            for (command, name) in ALL {
                let of = |event: &&Value| event["command_index"] == command && event.get("delta").is_some();
                let joined: String =
                    got.iter().filter(of).filter_map(|event| event["delta"][name].as_str()).collect();
                assert_eq!(joined, wanted, "{name} of {command} in pieces of {size}: {got:#?}");
            }
            let told: Vec<&Value> =
                got.iter().filter(|event| event["type"] == format!("{stem}.done")).collect();
            assert!(
                told.len() == 2 && told.iter().all(|event| event["output"][0]["stderr"] == *wanted),
                "{told:?}"
            );
            let [.., done, end] = got.as_slice() else { panic!("{got:?}") };
            assert_eq!(done["item"]["output"][1]["stdout"], *wanted);
            assert_eq!(end["response"]["output"][0], done["item"]);
            assert!(rewriter.abandon().unwrap().is_empty());
        }
    }
}

fn thought(text: &str, seal: &str) -> Value {
    json!({ "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": text }],
        "encrypted_content": seal })
}

#[test]
fn a_thought_is_left_out_from_where_something_is_redacted_and_what_is_sealed_of_it_is_kept() {
    let (vault, placeholder) = vault(true);
    let (sent, _) = texts(false, &placeholder);
    let before = sent.split(IBAN).next().unwrap();
    let seal = "c2Vh".repeat(40);
    let spot = Spot {
        name: "thought",
        item: |text| thought(text, &"c2Vh".repeat(40)),
        stem: ("response.reasoning_summary_text", "text"),
        at: "/summary/0/text",
        is_json: false,
        restored: false,
    };
    for size in 1..=sent.len() {
        let mut rewriter = streaming(&vault);
        let got = run(&mut rewriter, events(&spot, &sent, &pieces(&sent, size)));
        assert!(before.starts_with(&said(&got)), "in pieces of {size}: {}", said(&got));
        let [.., text, item, end] = got.as_slice() else { panic!("{got:?}") };
        assert_eq!((&text["text"], &item["item"]["encrypted_content"]), (&json!(""), &json!(seal)));
        assert_eq!(end["response"]["output"][0], thought("", &seal));
        let seals = rewriter.take_seals();
        assert!(seals.iter().any(|found| found.value == seal && found.cut), "{seals:?}");
    }
    // One in which nothing is redacted is as it was, placeholders too.
    let plain = format!("To {placeholder}.");
    let mut rewriter = streaming(&vault);
    let got = run(&mut rewriter, events(&spot, &plain, &pieces(&plain, 3)));
    assert_eq!(said(&got), plain);
    assert!(rewriter.take_seals().iter().all(|found| !found.cut));
}

#[test]
fn a_thought_of_several_parts_is_left_out_in_all_that_tells_it() {
    const TEXTS: [(&str, [&str; 2]); 3] = [
        ("the first", ["From DE02120300000000202051.", "Nothing of anybody."]),
        ("the second", ["Nothing of anybody.", "From DE02120300000000202051."]),
        ("none", ["Nothing of anybody.", "Nor here."]),
    ];
    let (vault, _) = vault(true);
    let seal = "c2Vh".repeat(40);
    let part = |text: &str| json!({ "type": "summary_text", "text": text });
    let item = |texts: &[&str]| {
        let parts: Vec<Value> = texts.iter().map(|text| part(text)).collect();
        json!({ "type": "reasoning", "id": "rs_1", "summary": parts, "encrypted_content": seal })
    };
    for (which, parts) in TEXTS {
        for (size, in_pieces) in [(1, true), (3, true), (50, true), (0, false)] {
            let mut all = vec![
                event("response.created", json!({ "response": answer("in_progress", &[]) })),
                event("response.output_item.added", json!({ "output_index": 0, "item": item(&[]) })),
            ];
            for (at, text) in parts.iter().enumerate() {
                let of = |name: &str, value: Value| json!({ "item_id": "rs_1", "output_index": 0, "summary_index": at, name: value });
                let stem = "response.reasoning_summary_text";
                for piece in if in_pieces { pieces(text, size) } else { Vec::new() } {
                    all.push(event(&format!("{stem}.delta"), of("delta", json!(piece))));
                }
                all.push(event(&format!("{stem}.done"), of("text", json!(text))));
                all.push(event("response.reasoning_summary_part.done", of("part", part(text))));
            }
            all.push(event("response.output_item.done", json!({ "output_index": 0, "item": item(&parts) })));
            all.push(event(
                "response.completed",
                json!({ "response": answer("completed", &[item(&parts)]) }),
            ));
            let mut rewriter = streaming(&vault);
            let got = run(&mut rewriter, all);
            let what = format!("{which}, in pieces of {size}: {got:#?}");
            let [.., done, end] = got.as_slice() else { panic!("{what}") };
            let left = if which == "none" { parts } else { ["", ""] };
            assert_eq!(done["item"], item(&left), "{what}");
            assert_eq!(end["response"]["output"][0], item(&left), "{what}");
            // Each part is told at its end as it was in pieces, but what had gone out before there was anything to leave out.
            for (at, text) in parts.iter().enumerate() {
                let mine = |event: &&Value| event["summary_index"] == at;
                let joined: String =
                    got.iter().filter(mine).filter_map(|event| event["delta"].as_str()).collect();
                let ends: Vec<&Value> = got
                    .iter()
                    .filter(mine)
                    .filter_map(|event| event.get("text").or(event["part"].get("text")))
                    .collect();
                let whole = which == "none" || which == "the second" && at == 0;
                let told = if whole { *text } else { "" };
                assert_eq!(ends, [told, told], "{what}");
                if in_pieces {
                    let before = text.split("DE0").next().unwrap();
                    assert!(
                        if whole || at == 1 && which == "the first" {
                            joined == told
                        } else {
                            before.starts_with(&joined)
                        },
                        "{what}"
                    );
                }
            }
            let seals = rewriter.take_seals();
            assert_eq!(seals.iter().any(|found| found.cut), which != "none", "{what}");
            // At once it is told like at the end.
            let (mut at_once, body) = (streaming(&vault), answer("completed", &[item(&parts)]));
            let out: Value = serde_json::from_slice(&at_once.response(bytes(&body)).unwrap()).unwrap();
            assert_eq!(out["output"][0], item(&left), "{what}");
        }
    }
}

#[test]
fn a_whole_answer_is_looked_at_everywhere() {
    let (vault, placeholder) = vault(true);
    let body = json!({
        "id": "resp_1", "object": "response", "status": "completed", "model": "m", "created_at": 1767225600,
        "instructions": format!("Write to {placeholder}."), "metadata": { "who": placeholder },
        "tools": [{ "type": "function", "name": "f", "description": IBAN }],
        "output": [
            { "type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [
                { "type": "output_text", "text": format!("To {placeholder} from {IBAN}"),
                  "annotations": [{ "type": "url_citation", "title": IBAN, "url": placeholder }] }] },
            { "type": "function_call", "id": "fc_1", "call_id": "c", "name": "f",
              "arguments": format!("{{\"to\":\"{placeholder}\"}}") },
            { "type": "shell_call", "call_id": "s", "action": { "commands": [format!("mail {placeholder}")] } },
            { "type": "web_search_call", "id": "ws_1", "action": { "type": "search", "query": placeholder } },
            { "type": IBAN, "id": "x" },
        ],
        "usage": { "input_tokens": 1 }, "of_next_month": IBAN, IBAN: 4_111_111_111_111_111_u64,
    });
    let mut rewriter = rewriter(&vault);
    let out: Value = serde_json::from_slice(&rewriter.response(bytes(&body)).unwrap()).unwrap();
    assert_eq!(out["instructions"], format!("Write to {MAIL}."));
    assert_eq!(out["metadata"]["who"], MAIL);
    assert_eq!(out["tools"][0]["description"], "****");
    assert_eq!(out["output"][0]["content"][0]["text"], format!("To {MAIL} from ****"));
    let citation = &out["output"][0]["content"][0]["annotations"][0];
    assert_eq!((&citation["title"], &citation["url"]), (&json!("****"), &json!(placeholder)));
    assert_eq!(out["output"][1]["arguments"], format!("{{\"to\":\"{MAIL}\"}}"));
    assert_eq!(out["output"][2]["action"]["commands"][0], format!("mail {MAIL}"));
    assert_eq!(out["output"][3]["action"]["query"], *placeholder);
    assert!(!out.to_string().contains(IBAN), "{out}");
    assert_eq!(out["created_at"], 1767225600);
}

#[test]
fn an_answer_ends_before_what_it_has_to_stop_at() {
    let message = |texts: &[&str]| {
        let parts: Vec<Value> = texts
            .iter()
            .map(|text| json!({ "type": "output_text", "text": text, "annotations": [] }))
            .collect();
        json!({ "type": "message", "role": "assistant", "status": "completed", "content": parts })
    };
    let call = json!({ "type": "function_call", "call_id": "c", "name": "pay", "arguments": "{}" });
    let paying = format!("Pay to {IBAN} now");
    let body =
        answer("completed", &[message(&["Hello."]), message(&["Well.", &paying, "More."]), call.clone()]);
    let out: Value = serde_json::from_slice(&stopping().response(bytes(&body)).unwrap()).unwrap();
    assert_eq!(out["status"], "incomplete");
    assert_eq!(out["incomplete_details"], json!({ "reason": "content_filter" }));
    assert_eq!(out["output"].as_array().unwrap().len(), 2, "{out}");
    let parts = out["output"][1]["content"].as_array().unwrap();
    assert_eq!((parts.len(), &out["output"][1]["status"]), (2, &json!("incomplete")));
    assert!(parts[1]["text"].as_str().unwrap().starts_with("Pay to ") && !out.to_string().contains("now"));
    // A call that holds the value is not made, and where nothing came before it nothing is said.
    let holding = json!({ "type": "function_call", "call_id": "c", "name": "pay",
        "arguments": format!("{{\"to\":\"{IBAN}\"}}") });
    let body = answer("completed", &[holding, message(&["More."])]);
    let out: Value = serde_json::from_slice(&stopping().response(bytes(&body)).unwrap()).unwrap();
    assert_eq!(out["output"], json!([]));

    // On a stream what is open is closed, and nothing else goes out.
    let item = message(&[&paying]);
    for size in 1..=paying.len() {
        let mut all = events(&SPOTS[0], &paying, &pieces(&paying, size));
        let end = event(
            "response.completed",
            json!({ "response": answer("completed", &[item.clone(), call.clone()]) }),
        );
        let later = [
            event("response.output_item.added", json!({ "output_index": 1, "item": call })),
            event(
                "response.function_call_arguments.delta",
                json!({ "output_index": 1, "item_id": "f", "delta": "{}" }),
            ),
            event("response.output_item.done", json!({ "output_index": 1, "item": call })),
            end,
        ];
        all.pop();
        all.extend(later);
        let got = run(&mut stopping().in_order(), all);
        let kinds: Vec<&str> = got.iter().filter_map(|event| event["type"].as_str()).collect();
        assert!("Pay to ".starts_with(said(&got).trim_end_matches('*')), "{size}: {}", said(&got));
        assert!(!kinds.iter().any(|kind| kind.contains("function_call")), "{size}: {kinds:?}");
        assert_eq!(kinds.last(), Some(&"response.incomplete"), "{size}: {kinds:?}");
        assert!(kinds.contains(&"response.output_item.done"), "{size}: {kinds:?}");
        let response = &got.last().unwrap()["response"];
        assert_eq!(response["output"].as_array().unwrap().len(), 1, "{size}: {response}");
        assert!(!format!("{got:?}").contains("now"), "{size}: {got:?}");
    }
}

#[test]
fn what_an_answer_tells_again_of_its_request_is_no_part_of_what_it_says() {
    let asked = |mut answer: Value| {
        answer["instructions"] = json!(format!("Never pay to {IBAN} at once"));
        answer["metadata"] = json!({ "iban": IBAN, IBAN: "x" });
        answer["tools"] = json!([{ "type": "function", "name": "f", "description": IBAN,
            "parameters": { "enum": [IBAN, 4_111_111_111_111_111_u64] } }]);
        answer["text"] = json!({ "format": { "type": "json_schema", "schema": { "description": IBAN } } });
        answer
    };
    let (item, said) = (SPOTS[0].item, "Nothing of anybody");
    let body = asked(answer("completed", &[item(said)]));
    let mut whole = stopping();
    let out: Value = serde_json::from_slice(&whole.response(bytes(&body)).unwrap()).unwrap();
    assert_eq!(
        (&out["status"], &out["output"][0]["content"][0]["text"]),
        (&json!("completed"), &json!(said))
    );
    assert!(!out.to_string().contains(IBAN), "it is redacted all the same: {out}");
    assert_eq!((whole.found(), whole.redacted()), (EntityCounts::default(), EntityCounts::default()));

    let with = |mut event: Value| {
        event["response"] = asked(event["response"].take());
        bytes(&event)
    };
    let of = |event: &Bytes| serde_json::from_slice::<Value>(event).unwrap();
    let all = events(&SPOTS[0], said, &pieces(said, 4));
    let all: Vec<Bytes> = all
        .iter()
        .map(|event| if of(event).get("response").is_some() { with(of(event)) } else { event.clone() })
        .collect();
    let mut rewriter = stopping().in_order();
    let got = run(&mut rewriter, all);
    assert_eq!(
        (self::said(&got).as_str(), &got.last().unwrap()["type"]),
        (said, &json!("response.completed"))
    );
    assert!(!format!("{got:?}").contains(IBAN), "{got:?}");
    assert_eq!((rewriter.found(), rewriter.redacted()), (EntityCounts::default(), EntityCounts::default()));

    // What it says beside its items is its own.
    let mut body = answer("completed", &[item(said)]);
    body["of_next_month"] = json!(IBAN);
    let mut rewriter = stopping();
    let out: Value = serde_json::from_slice(&rewriter.response(bytes(&body)).unwrap()).unwrap();
    assert_eq!(out["status"], "incomplete");
    assert_ne!(rewriter.found(), EntityCounts::default());
}

#[test]
fn what_an_open_text_holds_goes_out_when_the_stream_breaks_off_but_not_what_could_be_a_value() {
    let (vault, placeholder) = vault(true);
    let mut rewriter = streaming(&vault);
    let (head, _) = placeholder.split_at(placeholder.len() - 2);
    let text = format!("To somebody {head}");
    let all = events(&SPOTS[0], &text, std::slice::from_ref(&text));
    let mut got = run(&mut rewriter, all.into_iter().take(3));
    for held in rewriter.abandon().unwrap() {
        let held: Value = serde_json::from_str(&held).unwrap();
        assert_eq!(held["type"], "response.output_text.delta");
        assert_eq!(held["sequence_number"], got.len());
        got.push(held);
    }
    assert_eq!(said(&got), "To somebody ");
    assert_eq!(rewriter.events(), u64::try_from(got.len()).unwrap());
}

#[test]
fn events_out_of_order_and_pieces_that_are_no_text_are_refused() {
    let (vault, _) = vault(true);
    let all = events(&SPOTS[0], "x", &[String::from("x")]);
    let mut rewriter = streaming(&vault);
    assert!(rewriter.response_event(all[2].clone()).is_err());
    let mut rewriter = streaming(&vault);
    run(&mut rewriter, all[..2].to_vec());
    let piece = json!({ "output_index": 0, "content_index": 0, "delta": { "text": IBAN } });
    assert!(rewriter.response_event(event("response.output_text.delta", piece)).is_err());
    assert!(rewriter.response_event(Bytes::from_static(b"{\"response\":{}}")).is_err());
}
