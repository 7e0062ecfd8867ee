//! The table in the documentation of what is kept, left out and refused, made from the fixtures.

use std::collections::BTreeMap;
use std::path::Path;

use bailiwick_wire::{Untranslated, Wire, request};

use crate::golden::{fixtures, other};

const BEGIN: &str = "<!-- made from server/wire/tests/golden: do not edit -->\n";
const END: &str = "<!-- end -->\n";

fn cell(from: Wire, text: &str) -> String {
    match request(from, other(from), text.as_bytes(), 4_096) {
        Ok((_, losses)) if losses.is_empty() => String::from("kept"),
        Ok((_, losses)) => {
            let places: Vec<String> = losses.places().map(|place| format!("`{place}`")).collect();
            format!("left out: {}", places.join(", "))
        }
        Err(Untranslated::Refused(refused)) => format!("refused: {}", refused.why),
        Err(Untranslated::Broken(broken)) => panic!("{broken}"),
    }
}

#[test]
fn the_table_is_the_fixtures() {
    let mut rows: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
    for (column, from) in Wire::ALL.into_iter().enumerate() {
        for (name, text) in fixtures(from, "requests") {
            rows.entry(name).or_default()[column] = Some(cell(from, &text));
        }
    }
    let mut table = String::from(BEGIN);
    table.push_str("\n| what a request has | OpenAI's API to Anthropic's wire | Anthropic's API to OpenAI's wire |\n| --- | --- | --- |\n");
    for (name, cells) in rows {
        let [one, two] = cells.map(|cell| cell.unwrap_or_else(|| String::from("not in this API")));
        table.push_str(&format!("| {} | {one} | {two} |\n", name.replace('_', " ")));
    }
    table.push('\n');
    table.push_str(END);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/translation.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let found = format!("{before}{table}{after}");
    if std::env::var_os("BAILIWICK_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), found, "run with BAILIWICK_GOLDEN=write");
}
