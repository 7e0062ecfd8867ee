//! Texts with entities in them.

use std::sync::{Arc, OnceLock};

use bailiwick_pii::{Detector, EntitySet, EntityType, Finding, How, Redaction, RedactionPlan};
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
    "L898902C36UTO7408122F1204159ZE184226B<<<<<10",
    "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<",
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
    let redaction = Redaction {
        how,
        restore_text: true,
        restore_tool_arguments: true,
        min_confidence: 0,
        zip3: false,
        stop: false,
    };
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

/// Values that are found wherever they stand between blanks.
pub(crate) const UNMISTAKABLE: &[&str] =
    &["anna.lang@kunde.example", "DE02120300000000202051", "4111 1111\t1111 1111", "ines@b.example"];

/// A JSON text with JSON texts in its strings.
#[derive(Debug, Clone)]
pub(crate) struct Json {
    pub(crate) written: String,
    depth: usize,
}

impl Json {
    /// What its innermost strings say, keys included; `None` where it is no JSON.
    pub(crate) fn parse(&self, text: &str) -> Option<Vec<String>> {
        let mut said = Vec::new();
        said_by(&serde_json::from_str(text).ok()?, self.depth, &mut said)?;
        Some(said)
    }
}

fn said_by(value: &serde_json::Value, depth: usize, said: &mut Vec<String>) -> Option<()> {
    match value {
        serde_json::Value::String(text) if depth > 0 && text.trim_start().starts_with(['{', '[']) => {
            said_by(&serde_json::from_str(text).ok()?, depth - 1, said)?;
        }
        serde_json::Value::Array(items) => {
            for item in items {
                said_by(item, depth, said)?;
            }
        }
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                said.push(key.clone());
                said_by(member, depth, said)?;
            }
        }
        other => said.push(other.as_str().map_or_else(|| other.to_string(), str::to_owned)),
    }
    Some(())
}

/// `text` as a JSON string, with some of its characters escaped that need not be.
fn written(text: &str, needless: u64) -> String {
    let mut out = String::from("\"");
    for (at, c) in text.chars().enumerate() {
        if needless >> (at % 64) & 1 == 1 {
            out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            let quoted = serde_json::Value::from(c.to_string()).to_string();
            out.push_str(&quoted[1..quoted.len() - 1]);
        }
    }
    out + "\""
}

/// A JSON text that holds unmistakable values among harmless ones, written with needless escapes, up to three levels deep.
pub(crate) fn json() -> impl Strategy<Value = Json> {
    let word = || {
        prop_oneof![
            2 => proptest::sample::select(UNMISTAKABLE).prop_map(str::to_owned),
            1 => proptest::sample::select(&["hello", "é 😀", "a \\ b", "\n", "say \"x\""][..]).prop_map(str::to_owned),
        ]
    };
    let text = proptest::collection::vec(word(), 0..4).prop_map(|words| words.join(" "));
    let member = (word(), text, any::<u64>(), any::<u64>());
    (proptest::collection::vec(member, 0..3), proptest::collection::vec(any::<u64>(), 0..3)).prop_map(
        |(members, levels)| {
            let members: Vec<String> = members
                .iter()
                .enumerate()
                .map(|(at, (key, text, one, other))| {
                    format!("{}:{}", written(&format!("{at} {key}"), *one), written(text, *other))
                })
                .collect();
            let mut json = format!("{{{}}}", members.join(","));
            // An escaped bracket would not begin a text that is followed into: no reader does that.
            for needless in &levels {
                json = format!("[1, {}]", written(&json, needless & !1));
            }
            Json { written: json, depth: levels.len() }
        },
    )
}

#[test]
fn a_detector_that_is_told_to_reports_what_it_is_less_certain_of() {
    let (nhs, passport) = ("it counts 9434765919 things", "it says 483920175 there");
    let kinds = |detector: &Detector, text: &str| {
        let mut found = Vec::new();
        detector.scan(text, &mut found);
        found.iter().map(|finding| (finding.entity, finding.confidence.percent())).collect::<Vec<_>>()
    };
    let usual = Detector::new().looking_for([EntityType::UkNhs, EntityType::Passport].into_iter().collect());
    assert_eq!((kinds(&usual, nhs), kinds(&usual, passport)), (vec![], vec![]));
    let more = usual.at_least(30);
    assert_eq!(kinds(&more, nhs), [(EntityType::UkNhs, 30)]);
    // A word that speaks for another kind makes it less certain.
    assert_eq!(kinds(&more, "my number is 9434765919 now"), []);
    // The check digit still has to hold.
    assert_eq!(kinds(&more, "it counts 9434765918 things"), []);
    assert_eq!(kinds(&more, passport), []);
    assert_eq!(kinds(&usual.at_least(8), passport), [(EntityType::Passport, 8)]);
    assert_eq!(kinds(&usual.at_least(99), "NHS number 943 476 5919"), []);
    assert_ne!(more.digest(), usual.digest());
    assert_eq!(usual.at_least(50).digest(), usual.digest());
}
