//! What must hold of any text: the bodies of the fuzz targets in `fuzz/`, which the property tests run as well.

use std::sync::{Arc, OnceLock};

use bailiwick_pii::stream::{Guard, Restorer};
use bailiwick_pii::{
    Detector, Embedded, EntityCounts, EntitySet, EntityType, Finding, How, Mode, Redaction, RedactionPlan,
    TokenKey, Vault, redact, redact_embedded,
};

const KEY: TokenKey = TokenKey::new([7; 32]);

/// Looks for every kind.
fn detector() -> &'static Arc<Detector> {
    static DETECTOR: OnceLock<Arc<Detector>> = OnceLock::new();
    DETECTOR.get_or_init(|| Arc::new(Detector::new().looking_for(EntitySet::all())))
}

fn findings(text: &str) -> Vec<Finding> {
    let mut out = Vec::new();
    detector().scan(text, &mut out);
    out
}

fn plan(how: How) -> RedactionPlan {
    let entities =
        EntityType::ALL.into_iter().filter(|e| e.is_restorable() || !how.is_reversible()).collect();
    let restore = how.is_reversible();
    RedactionPlan::of(
        entities,
        Redaction {
            how,
            restore_text: restore,
            restore_tool_arguments: restore,
            min_confidence: 0,
            zip3: false,
            stop: false,
        },
    )
}

fn restored(text: &str, vault: &Vault, mode: Mode) -> String {
    let (mut restorer, mut out) = (Restorer::new(vault, mode), String::new());
    restorer.push(text, &mut out);
    restorer.finish(&mut out);
    out
}

/// Findings are in order, do not overlap, lie on boundaries of characters, and are as sure as reported ones are.
pub(crate) fn scan(text: &str) {
    let mut end = 0;
    for finding in findings(text) {
        assert!(finding.start >= end, "{finding:?}");
        assert!(finding.value(text).is_some_and(|value| !value.is_empty()), "{finding:?}");
        assert!((50..=100).contains(&finding.confidence.percent()), "{finding:?}");
        end = finding.end;
    }
}

/// What is redacted reversibly comes back; JSON stays JSON.
pub(crate) fn redact_and_restore(text: &str) {
    let found = findings(text);
    for how in [How::Token, How::Surrogate] {
        let (mut vault, mut counts) = (Vault::new(), EntityCounts::default());
        let sent = redact(text, &found, &plan(how), &KEY, &mut vault, &mut counts);
        if let Some(sent) = sent {
            assert_eq!(restored(&sent, &vault, Mode::Text), text, "{how:?}: {sent:?}");
        }
    }
    if serde_json::from_str::<serde_json::Value>(text).is_ok() {
        let embedded = Embedded::new(text);
        let (mut vault, mut counts) = (Vault::new(), EntityCounts::default());
        let found = findings(embedded.text());
        let sent = redact_embedded(
            Mode::JsonString,
            &embedded,
            &found,
            &plan(How::Mask),
            &KEY,
            &mut vault,
            &mut counts,
        );
        assert!(sent.is_none_or(|sent| serde_json::from_str::<serde_json::Value>(&sent).is_ok()), "{text:?}");
    }
}

/// However a text is cut, the same is restored; and nothing, where nothing may be.
pub(crate) fn restore(text: &str, cut: usize) {
    let value = "jane.doe@example.com";
    let (mut vault, mut counts) = (Vault::new(), EntityCounts::default());
    let token =
        redact(value, &findings(value), &plan(How::Token), &KEY, &mut vault, &mut counts).unwrap_or_default();
    for text in [text.to_owned(), text.replace('@', &token)] {
        let whole = restored(&text, &vault, Mode::Text);
        let at = boundary(&text, cut);
        let (mut restorer, mut out) = (Restorer::new(&vault, Mode::Text), String::new());
        for piece in [text.get(..at), text.get(at..)].into_iter().flatten() {
            restorer.push(piece, &mut out);
        }
        restorer.finish(&mut out);
        assert_eq!(out, whole, "{text:?} at {at}");
        assert_eq!(restored(&text, &Vault::new(), Mode::Text), text);
    }
}

/// However a text is cut, the guard says the same, and what it says is what a scan of the whole says.
pub(crate) fn stream(text: &str, cut: usize) {
    let run = |pieces: &[&str]| {
        let mut guard = Guard::new(Arc::clone(detector()), plan(How::Mask), KEY, &Vault::new(), Mode::Text);
        let mut out = String::new();
        for piece in pieces {
            guard.push(piece, &mut out);
        }
        guard.finish(&mut out);
        (out, guard.redacted().total())
    };
    // A longer word is decided on what there is of it.
    if text.len() > Guard::WINDOW {
        return;
    }
    let whole = run(&[text]);
    let at = boundary(text, cut);
    let (head, tail) = text.split_at(at);
    assert_eq!(run(&[head, tail]), whole, "{head:?} {tail:?}");
}

fn boundary(text: &str, cut: usize) -> usize {
    let mut at = cut % (text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
