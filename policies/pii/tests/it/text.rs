//! Texts with entities in them.

use std::sync::{Arc, OnceLock};

use bailiwick_pii::{Detector, EntitySet, Finding, How, Redaction, RedactionPlan};
use proptest::prelude::*;

/// One detector for all tests.
pub(crate) fn detector() -> Arc<Detector> {
    static DETECTOR: OnceLock<Arc<Detector>> = OnceLock::new();
    Arc::clone(DETECTOR.get_or_init(|| Arc::new(Detector::new())))
}

pub(crate) fn scan(text: &str) -> Vec<Finding> {
    let mut out = Vec::new();
    detector().scan(text, &mut out);
    out
}

/// Values that are found wherever a word may stand.
pub(crate) const VALUES: &[&str] = &[
    "jane.doe@example.com",
    "jürgen@müller.de",
    "+49 30 901820",
    "+49 (0)30 901820",
    "(415) 555-2671",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111\u{a0}1111\u{a0}1111\u{a0}1111",
    "DE89 3704 0044 0532 0130 00",
    "GB82 WEST 1234 5698 7654 32",
    "203.0.113.77",
    "2001:db8::8a2e:370:7334",
    "https://intranet.example.com/people/42?mail=a@b.de",
    "postgres://app:s3cr3t@db.internal/app",
    "536-22-1234",
    "47 036 892 816",
    "AKIAIOSFODNN7EXAMPLE",
    "sk-proj-abcDEF123456abcDEF123456",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "password = hunter2",
    "-----BEGIN PRIVATE KEY-----\nMIIBOgIBAAJBAK\nabc=\n-----END PRIVATE KEY-----",
];

const FILLERS: &[&str] = &[
    "hello",
    "the order",
    "12",
    "1,5",
    "is my",
    "IBAN",
    "call",
    "ok.",
    "\n",
    "\"",
    "{\"a\":",
    "}",
    "电邮",
    "Straße",
    "<EMAIL_",
    "<EMAIL_23456789>",
    "@",
    "://",
    "2024-01-02",
    "😀",
    "\u{200b}",
    "v1.2.3",
    "card",
    "-",
    "+",
    "(",
    "07",
    "password is",
    "\\n",
];

/// Prose, values and oddities in a row.
pub(crate) fn mixture() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(FILLERS).prop_map(str::to_owned),
        3 => proptest::sample::select(VALUES).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
        1 => "[0-9 .-]{0,12}",
    ];
    let gap = prop_oneof![6 => Just(" "), 1 => Just(""), 1 => Just("\n"), 1 => Just(", ")];
    proptest::collection::vec((piece, gap), 0..12)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, gap)| piece + gap).collect())
}

/// The same redaction for every kind, restored everywhere.
pub(crate) fn plan(how: How) -> RedactionPlan {
    let redaction = Redaction { how, restore_text: true, restore_tool_arguments: true, min_confidence: 0 };
    RedactionPlan::of(EntitySet::all(), redaction)
}

/// `text` cut at the given fractions of its length.
pub(crate) fn cut<'t>(text: &'t str, cuts: &[u16]) -> Vec<&'t str> {
    let mut places: Vec<usize> = cuts
        .iter()
        .map(|cut| usize::from(*cut) * text.len() / usize::from(u16::MAX))
        .filter(|place| text.is_char_boundary(*place))
        .chain([0, text.len()])
        .collect();
    places.sort_unstable();
    places.windows(2).map(|w| &text[w[0]..w[1]]).collect()
}
