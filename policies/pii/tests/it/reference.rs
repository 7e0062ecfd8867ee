//! The tables and examples of `docs/reference/pii.md` hold, line by line.

use bailiwick_pii::{EntityType, NumberKind};

use crate::text::scan;

const REFERENCE: &str = include_str!("../../../../docs/reference/pii.md");

/// The lines of the table that begins with `head`, its own head left out.
fn table(head: &str) -> Vec<&'static str> {
    let rest = REFERENCE.split_once(head).map_or("", |(_, rest)| rest);
    rest.lines().skip(2).take_while(|line| line.starts_with('|')).collect()
}

/// What the page has to say instead, ready to paste.
#[track_caller]
fn holds(head: &str, expected: &[String]) {
    let got = table(head);
    assert!(got == *expected, "the table should read:\n{}", expected.join("\n"));
}

#[test]
fn the_table_of_kinds_is_that_of_the_crate() {
    let line = |entity: EntityType| {
        let classes: Vec<&str> = entity.data_classes().iter().map(|class| class.as_str()).collect();
        let classes = if classes.is_empty() { "–".to_owned() } else { classes.join(", ") };
        let on = if entity.is_on() { "always" } else { "where a rule asks" };
        let description = entity.description().trim_end_matches('.');
        format!("| `{entity}` | {description} | {classes} | {on} |")
    };
    holds("| kind | what it is | data class | looked for |", &EntityType::ALL.map(line));
}

#[test]
fn the_table_of_numbers_is_that_of_the_crate() {
    let line = |kind: NumberKind| {
        let forms: Vec<String> = kind.forms.iter().map(|(form, _)| format!("`{form}`")).collect();
        let alone = kind.forms.iter().map(|(_, alone)| *alone).max().unwrap_or(0);
        let alone = if kind.needs_words() { "no".to_owned() } else { format!("0.{alone:02}") };
        let words: Vec<&str> = kind.words.iter().take(3).copied().collect();
        format!(
            "| `{}` | {} | {alone} | {} | [source]({}) |",
            kind.entity,
            forms.join(", "),
            words.join(", "),
            kind.source
        )
    };
    let lines: Vec<String> = NumberKind::all().map(line).collect();
    holds("| kind | forms | alone | words (the first three) | source |", &lines);
}

#[test]
fn every_kind_of_the_crate_is_explained_somewhere() {
    let numbers: Vec<EntityType> = NumberKind::all().map(|kind| kind.entity).collect();
    let explained = table("| kind | what is found | how it is confirmed | what is not found |");
    for entity in EntityType::ALL {
        let row = explained.iter().any(|line| line.contains(&format!("`{entity}`")));
        assert!(row || numbers.contains(&entity), "{entity} is explained nowhere");
    }
}

#[test]
fn the_eighteen_identifiers_are_all_there() {
    let rows = table("| | identifier | what is found | what is not |");
    let letters: Vec<&str> = rows.iter().filter_map(|row| row.split('|').nth(1)).map(str::trim).collect();
    let expected: Vec<String> = ('A'..='R').map(|letter| format!("({letter})")).collect();
    assert_eq!(letters, expected);
    for row in rows {
        for name in row.split('`').skip(1).step_by(2) {
            let kind = name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
            assert!(!kind || name.parse::<EntityType>().is_ok(), "{name} is no kind: {row}");
        }
    }
}

#[test]
fn the_evasions_of_the_table_are_found() {
    let rows = table("| trick | example | is it seen |");
    assert!(rows.len() >= 10, "{} tricks", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let text = serde_json::from_str::<String>(&format!("\"{}\"", cells[2].trim_matches('`'))).unwrap();
        let seen = scan(&text).iter().any(|f| f.confidence.percent() >= 50);
        assert_eq!(seen, cells[3] == "yes", "{row}");
    }
}

#[test]
fn examples_of_the_reference_hold() {
    let mut checked = 0;
    let mut wrong = Vec::new();
    let block =
        REFERENCE.split("```text examples\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    for line in block.lines().filter(|line| !line.is_empty()) {
        let (text, expected) = line.split_once(" → ").unwrap_or_else(|| panic!("no arrow in {line:?}"));
        let text = text.trim_end();
        let got: Vec<String> = scan(text)
            .iter()
            .map(|f| format!("{} {} {}", f.entity, f.confidence.score(), f.value(text).unwrap()))
            .collect();
        let got = if got.is_empty() { "nothing".to_owned() } else { got.join("; ") };
        if got != expected {
            wrong.push(format!("{} → {got}", line.split_once(" → ").unwrap().0));
        }
        checked += 1;
    }
    assert!(wrong.is_empty(), "these hold instead:\n{}", wrong.join("\n"));
    assert!(checked >= 60, "{checked} examples");
}
