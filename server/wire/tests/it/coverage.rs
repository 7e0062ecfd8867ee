//! The tables in the documentation of what is kept, left out and refused, made from the fixtures.

use std::collections::BTreeMap;
use std::path::Path;

use bailiwick_wire::{Losses, Stream, Untranslated, Wire, answer, request};

use crate::golden::{fixtures, other};

const BEGIN: &str = "<!-- made from server/wire/tests/golden: do not edit -->\n";
const END: &str = "<!-- end -->\n";

/// How fixtures begin whose point is where something stands rather than what.
const PLACES: &str = "place_";

fn kept(losses: &Losses) -> String {
    if losses.is_empty() {
        return String::from("kept");
    }
    let places: Vec<String> = losses.places().map(|place| format!("`{place}`")).collect();
    format!("left out: {}", places.join(", "))
}

fn of_request(from: Wire, text: &str) -> String {
    match request(from, other(from), text.as_bytes(), 4_096) {
        Ok((_, losses)) => kept(&losses),
        Err(Untranslated::Refused(refused)) => format!("refused: {}", refused.why),
        Err(Untranslated::Broken(broken)) => panic!("{broken}"),
    }
}

fn of_answer(from: Wire, text: &str) -> String {
    match answer(from, other(from), text.as_bytes(), 0) {
        Ok((_, losses)) => kept(&losses),
        Err(broken) => format!("an error: {broken}"),
    }
}

fn of_stream(from: Wire, text: &str) -> String {
    let mut stream = Stream::new(from, other(from), 0, true);
    for line in text.lines() {
        if let Err(broken) = stream.event(line.as_bytes()) {
            return format!("an error: {broken}");
        }
    }
    if stream.is_over() { kept(stream.losses()) } else { String::from("an error: it breaks off") }
}

/// A table with a row a fixture and a column for each way.
fn table(kind: &str, head: [&str; 4], cell: fn(Wire, &str) -> String) -> String {
    let mut rows: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
    for (column, from) in Wire::ALL.into_iter().enumerate() {
        for (name, text) in fixtures(from, kind) {
            rows.entry(name).or_default()[column] = Some(cell(from, &text));
        }
    }
    let [what, one, two, absent] = head;
    let mut table = format!("{BEGIN}\n| {what} | {one} | {two} |\n| --- | --- | --- |\n");
    for (name, cells) in rows {
        if name.starts_with(PLACES) {
            continue;
        }
        let [one, two] = cells.map(|cell| cell.unwrap_or_else(|| absent.to_owned()));
        table.push_str(&format!("| {} | {one} | {two} |\n", name.replace('_', " ")));
    }
    table.push('\n');
    table.push_str(END);
    table
}

#[test]
fn the_tables_are_the_fixtures() {
    let there = ["OpenAI's API to Anthropic's wire", "Anthropic's API to OpenAI's wire"];
    let back = ["OpenAI's wire to Anthropic's API", "Anthropic's wire to OpenAI's API"];
    let tables = [
        table("requests", ["what a request has", there[0], there[1], "not in this API"], of_request),
        table("answers", ["what an answer has", back[0], back[1], "not on this wire"], of_answer),
        table("streams", ["what a stream has", back[0], back[1], "not on this wire"], of_stream),
    ];
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/translation.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let mut pieces = page.split(BEGIN);
    let mut found = pieces.next().unwrap().to_owned();
    let rest: Vec<&str> = pieces.collect();
    assert_eq!(rest.len(), tables.len(), "a table for each kind of fixture");
    for (piece, table) in rest.into_iter().zip(tables) {
        let (_, after) = piece.split_once(END).unwrap();
        found.push_str(&table);
        found.push_str(after);
    }
    if std::env::var_os("BAILIWICK_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), found, "run with BAILIWICK_GOLDEN=write");
}

/// The lists of members that others ask are those of what is read here: of a listed one it is known what becomes of it, and
/// what the fixtures have is listed.
#[test]
fn the_lists_of_members_are_what_is_read() {
    let sample = |name: &str| match name {
        "messages" => String::from(r#"[{"role": "user", "content": "x"}]"#),
        "model" => String::from(r#""m""#),
        _ => String::from("{}"),
    };
    for from in Wire::ALL {
        let members = match from {
            Wire::OpenAiChat => bailiwick_wire::openai_chat::MEMBERS,
            Wire::Anthropic => bailiwick_wire::anthropic::MEMBERS,
        };
        for name in members {
            let mut names = vec!["model", "messages"];
            names.extend((!names.contains(name)).then_some(*name));
            let body: Vec<String> =
                names.iter().map(|name| format!("\"{name}\": {}", sample(name))).collect();
            let text = format!("{{{}}}", body.join(", "));
            match request(from, other(from), text.as_bytes(), 4_096) {
                Err(Untranslated::Refused(refused)) => assert_ne!(refused.place, "a member", "{name}"),
                // Of another type than this one's.
                Ok(_) | Err(Untranslated::Broken(_)) => {}
            }
        }
        for (fixture, text) in fixtures(from, "requests") {
            let body: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
            for name in body.keys().filter(|_| !fixture.starts_with("unknown_member")) {
                assert!(members.contains(&name.as_str()), "{fixture}: {name}");
            }
        }
    }
    use bailiwick_wire::anthropic::{COUNTED, MEMBERS};
    assert!(COUNTED.iter().all(|name| MEMBERS.contains(name)));
}
