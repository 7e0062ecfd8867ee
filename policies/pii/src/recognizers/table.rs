//! Table tests of recognizers: the expected finding is marked by brackets in the example.

use std::sync::OnceLock;

use crate::{Detector, EntityType, Finding};

fn detector() -> &'static Detector {
    static DETECTOR: OnceLock<Detector> = OnceLock::new();
    DETECTOR.get_or_init(|| Detector::new().looking_for(crate::EntitySet::all()))
}

fn scan(text: &str, entity: EntityType) -> Vec<Finding> {
    let mut out = Vec::new();
    detector().scan(text, &mut out);
    out.retain(|f| f.entity == entity);
    out
}

/// The text of a marked example and what is marked.
pub(crate) fn marked(example: &str) -> (String, Vec<String>) {
    let mut spans = Vec::new();
    let mut rest = example;
    while let Some((_, after)) = rest.split_once('[') {
        let (value, tail) = after.split_once(']').unwrap();
        spans.push(value.to_owned());
        rest = tail;
    }
    (example.replace(['[', ']'], ""), spans)
}

/// What of the kind is found in `text`.
pub(crate) fn spans(text: &str, entity: EntityType) -> Vec<String> {
    scan(text, entity).iter().map(|f| f.value(text).unwrap().to_owned()).collect()
}

/// Each example holds exactly the spans between brackets, with that confidence, and no other of the kind.
/// Examples that need brackets of their own use only marked ones.
#[track_caller]
pub(crate) fn finds(entity: EntityType, examples: &[(&str, u8)]) {
    let mut wrong = Vec::new();
    for (marked, confidence) in examples {
        let (mut text, mut spans, mut open) = (String::new(), Vec::new(), 0);
        for c in marked.chars() {
            match c {
                '[' => open = text.len(),
                ']' => spans.push((open, text.len(), *confidence)),
                c => text.push(c),
            }
        }
        let got: Vec<_> =
            scan(&text, entity).iter().map(|f| (f.start, f.end, f.confidence.percent())).collect();
        if got != spans {
            wrong.push(format!("{marked:?}: expected {spans:?}, got {got:?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// No example holds an entity of the kind.
#[track_caller]
pub(crate) fn finds_not(entity: EntityType, examples: &[&str]) {
    let wrong: Vec<_> = examples
        .iter()
        .filter_map(|text| scan(text, entity).first().map(|f| format!("{text:?}: {:?}", f.value(text))))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
