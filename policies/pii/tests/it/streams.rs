//! Properties of streams: chunks do not matter, and no part of a redacted value gets out.

use bailiwick_pii::stream::{Guard, Restorer};
use bailiwick_pii::{EntityCounts, How, Mode, RedactionPlan, TokenKey, Vault, redact};
use proptest::prelude::*;

use crate::text::{UNMISTAKABLE, VALUES, cut, detector, json, mixture, plan, scan};

const KEY: TokenKey = TokenKey::new([9; 32]);

fn guard(plan: RedactionPlan, vault: &Vault, mode: Mode) -> Guard {
    Guard::new(detector(), plan, KEY, vault, mode)
}

fn run(guard: &mut Guard, chunks: &[&str]) -> String {
    let mut out = String::new();
    for chunk in chunks {
        guard.push(chunk, &mut out);
    }
    guard.finish(&mut out);
    out
}

fn cuts() -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(any::<u16>(), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn restoring_does_not_depend_on_chunks(text in mixture(), cuts in cuts(), json: bool, surrogate: bool) {
        let mode = if json { Mode::JsonString } else { Mode::Text };
        let mut vault = Vault::new();
        let mut counts = EntityCounts::default();
        let how = if surrogate { How::Surrogate } else { How::Token };
        let sent = redact(&text, &scan(&text), &plan(how), &KEY, &mut vault, &mut counts).unwrap_or(text);
        let all = |chunks: &[&str]| {
            let mut out = String::new();
            let mut restorer = Restorer::new(&vault, mode);
            for chunk in chunks {
                restorer.push(chunk, &mut out);
            }
            restorer.finish(&mut out);
            out
        };
        prop_assert_eq!(all(&cut(&sent, &cuts)), all(&[&sent]));
    }

    #[test]
    fn guarding_does_not_depend_on_chunks(text in mixture(), cuts in cuts(), how in proptest::sample::select(&How::ALL[..])) {
        let vault = Vault::new();
        let (mut one, mut many) = (guard(plan(how), &vault, Mode::Text), guard(plan(how), &vault, Mode::Text));
        let whole = run(&mut one, &[&text]);
        let pieces = run(&mut many, &cut(&text, &cuts));
        prop_assert_eq!(&whole, &pieces, "{:?}", text);
        prop_assert_eq!(one.found(), many.found());
        // And it is what redacting the whole text gives, up to placeholders that the text holds already. What begins like
        // JSON is read as JSON, so that a number in it becomes a string.
        if text.trim_start().starts_with(['{', '[']) {
            return Ok(());
        }
        let mut counts = EntityCounts::default();
        let redacted = redact(&text, &scan(&text), &plan(how), &KEY, &mut Vault::new(), &mut counts).unwrap_or(text);
        prop_assert_eq!(whole, redacted);
    }

    #[test]
    fn without_redactions_only_a_placeholder_delays(text in mixture(), cuts in cuts()) {
        let mut guard = guard(RedactionPlan::empty(), &Vault::new(), Mode::Text);
        let mut out = String::new();
        let mut sent = String::new();
        for chunk in cut(&text, &cuts) {
            guard.push(chunk, &mut out);
            sent.push_str(chunk);
            prop_assert_eq!(&out, &sent);
        }
        guard.finish(&mut out);
        prop_assert_eq!(out, text);
    }

    #[test]
    fn json_arguments_stay_json(text in mixture(), cuts in cuts(), how in proptest::sample::select(&How::ALL[..])) {
        let json = serde_json::json!({ "card": 4_111_111_111_111_111u64, "t": text, "x": [-4_111_111_111_111_111i64, text] }).to_string();
        let out = run(&mut guard(plan(how), &Vault::new(), Mode::JsonString), &cut(&json, &cuts));
        prop_assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{:?}", out);
        prop_assert!(!out.contains("4111111111111111"));
    }
}

proptest! {
    // Each case runs once for every place to cut at.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_escape_hides_a_value_however_it_is_cut(json in json(), text: bool, how in proptest::sample::select(&How::ALL[..])) {
        let mode = if text { Mode::Text } else { Mode::JsonString };
        let written = json.written.as_str();
        let whole = run(&mut guard(plan(how), &Vault::new(), mode), &[written]);
        let parsed = json.parse(&whole);
        prop_assert!(parsed.is_some(), "{:?}", whole);
        for said in parsed.iter().flatten() {
            for value in UNMISTAKABLE {
                prop_assert!(!said.contains(value), "{:?} in {:?}", value, whole);
            }
        }
        for cut in (1..written.len()).filter(|cut| written.is_char_boundary(*cut)) {
            let (head, tail) = written.split_at(cut);
            prop_assert_eq!(&run(&mut guard(plan(how), &Vault::new(), mode), &[head, tail]), &whole, "{}", cut);
        }
        let single: Vec<&str> = written.split("").collect();
        prop_assert_eq!(&run(&mut guard(plan(how), &Vault::new(), mode), &single), &whole);
    }
}

#[test]
fn never_emits_the_beginning_of_a_redacted_value() {
    for value in VALUES {
        let text = format!("so {value} ");
        let findings = scan(&text);
        let start = findings.first().unwrap().start;
        let mut guard = guard(plan(How::Mask), &Vault::new(), Mode::Text);
        let mut out = String::new();
        for (i, c) in text.char_indices() {
            guard.push(c.encode_utf8(&mut [0; 4]), &mut out);
            let masked = out.find('*').unwrap_or(out.len());
            assert!(masked <= start, "{value:?} at {i}: {out:?}");
        }
        guard.finish(&mut out);
        assert!(out.starts_with(&text[..start]) && out[start..].starts_with("****"), "{value:?}: {out:?}");
    }
}

#[test]
fn scans_before_it_restores() {
    let text = "write to jane@example.com or 203.0.113.7";
    for how in [How::Token, How::Surrogate] {
        let mut vault = Vault::new();
        let sent =
            redact(text, &scan(text), &plan(how), &KEY, &mut vault, &mut EntityCounts::default()).unwrap();
        let mut guard = guard(plan(How::Mask), &vault, Mode::Text);
        let answer = format!("{sent} and other@example.com");
        assert_eq!(run(&mut guard, &[&answer]), format!("{text} and ****"));
        assert_eq!(guard.found().to_string(), "EMAIL=1");
        assert_eq!(guard.redacted().to_string(), "EMAIL=1");
    }
}

#[test]
fn what_the_response_redacts_is_not_restored() {
    let text = "jane@example.com";
    let mut vault = Vault::new();
    let token =
        redact(text, &scan(text), &plan(How::Token), &KEY, &mut vault, &mut EntityCounts::default()).unwrap();
    // The model guessed the value: it is redacted to the very token that would be restored.
    let mut guard = guard(plan(How::Token), &vault, Mode::Text);
    assert_eq!(run(&mut guard, &["it is jane@example.com"]), format!("it is {token}"));
}

#[test]
fn a_word_longer_than_the_window_is_swallowed() {
    let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    let text = format!("t {header}.{}.sig next", "QUJD".repeat(Guard::WINDOW / 2));
    let mut guard = guard(plan(How::Mask), &Vault::new(), Mode::Text);
    let chunks: Vec<&str> = text.as_bytes().chunks(1000).map(|c| std::str::from_utf8(c).unwrap()).collect();
    let out = run(&mut guard, &chunks);
    assert!(out == "t **** next", "{} bytes: {:.60}", out.len(), out);
}

#[test]
fn a_long_stream_is_not_held() {
    let mut guard = guard(plan(How::Mask), &Vault::new(), Mode::Text);
    let (mut sent, mut out) = (0, String::new());
    for i in 0..20_000 {
        let word = format!("word{} ", i % 7);
        sent += word.len();
        guard.push(&word, &mut out);
        assert!(sent - out.len() <= 160, "{} held", sent - out.len());
    }
}

#[test]
fn what_breaks_off_keeps_its_words_and_loses_half_a_value() {
    for (text, kept) in [
        ("All is well, he said", "All is well, he said"),
        ("the number is 4111 1111 1111", "the number is "),
        ("her address is anna.lang@kun", "her address is "),
        ("it is DE02120300000000", "it is "),
        ("a key: sk-abcdefghij", "a key: "),
    ] {
        let mut guard = guard(plan(How::Mask), &Vault::new(), Mode::Text);
        let mut out = String::new();
        guard.push(text, &mut out);
        guard.abandon(&mut out);
        assert_eq!(out, kept);
    }
    let mut guard = guard(RedactionPlan::empty(), &Vault::new(), Mode::Text);
    let mut out = String::new();
    guard.push("half of 4111 1111", &mut out);
    guard.abandon(&mut out);
    assert_eq!(out, "half of 4111 1111");
}

/// The ways to write one number that are claimed to be found, and what may stand before and after each.
const CARDS: &[&str] = &[
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111  1111  1111  1111",
    "4111 - 1111 - 1111 - 1111",
    "4111 1111\n1111 1111",
    "4111\r\n1111\r\n1111\r\n1111",
    "4111\u{a0}1111\u{a0}1111\u{a0}1111",
    "4111\u{200b}111111111111",
    "4111111111111111.0",
    "4111111111111111e0000",
    "4.1111111111111110000e+0015",
    "411111111111111100000000000000000000e-0020",
    "0.00000000004111111111111111e26",
];
const BEFORE: &[&str] =
    &["", " ", "Visa-", "card/", "Ende.", "pan_", "no:", "(", "\"", "=", "https://x.example/c/", "12/27 "];
const AFTER: &[&str] =
    &["", " ", ".", ",", ")", "/ab", "-ab", "_ab", "\"", ".png", "; x", " 12/27", "\nNext"];

#[test]
fn no_border_and_no_cut_lets_a_number_through() {
    for card in CARDS {
        for (at, before) in BEFORE.iter().enumerate() {
            // Every border with some other, and every cut of it.
            let after = AFTER[at % AFTER.len()];
            for (before, after) in
                [(*before, " so"), ("so ", AFTER[(at + 1) % AFTER.len()]), (*before, after)]
            {
                let text = format!("{before}{card}{after}");
                let whole = run(&mut guard(plan(How::Mask), &Vault::new(), Mode::Text), &[&text]);
                let digits: String = whole.chars().filter(char::is_ascii_digit).collect();
                assert!(!digits.contains("111") && whole.contains("****"), "{text:?}: {whole:?}");
                for cut in (1..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
                    let (head, tail) = text.split_at(cut);
                    let pieces = run(&mut guard(plan(How::Mask), &Vault::new(), Mode::Text), &[head, tail]);
                    assert_eq!(pieces, whole, "{head:?} {tail:?}");
                }
            }
        }
    }
}

/// However hostile a stream, it takes no more than it may. What is counted is what a guard holds, so this is no measurement.
#[test]
fn a_stream_takes_no_more_than_it_may() {
    let escaped: String = "ab@c.de".chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let hostile = [
        ("words", "lorem ipsum ".repeat(20_000)),
        ("one word", "a".repeat(300_000)),
        ("one word of escapes", format!("{{\"a\":\"{}", escaped.repeat(6_000))),
        ("escapes within escapes", format!("{{\"a\":\"{}", "\\\\u0061".repeat(40_000))),
        ("addresses", (0..20_000).map(|n| format!("a{n}@b{n}.example ")).collect()),
        ("one address", format!("{}@b.example", "a.".repeat(100_000))),
        ("digits", "4111 ".repeat(50_000)),
        (
            "a key that does not end",
            format!("-----BEGIN PRIVATE KEY-----\n{}", "MIIBOgIBAAJB\n".repeat(20_000)),
        ),
        ("placeholders that are none", "<EMAIL_".repeat(30_000)),
        ("other scripts", "電話番号".repeat(20_000)),
    ];
    let (mut vault, mut counts) = (Vault::new(), EntityCounts::default());
    redact(
        "jane.doe@example.com",
        &scan("jane.doe@example.com"),
        &plan(How::Token),
        &KEY,
        &mut vault,
        &mut counts,
    );
    let mut most = 0;
    for (name, text) in hostile {
        let text: String = text.chars().take(60_000).collect();
        for how in [How::Token, How::Mask] {
            for len in [61, 1_000] {
                let mut guard = guard(plan(how), &vault, Mode::Text);
                let (mut out, mut rest) = (String::new(), text.as_str());
                while !rest.is_empty() {
                    let mut at = len.min(rest.len());
                    while !rest.is_char_boundary(at) {
                        at += 1;
                    }
                    let (chunk, later) = rest.split_at(at);
                    guard.push(chunk, &mut out);
                    out.clear();
                    rest = later;
                    most = most.max(guard.size());
                    assert!(guard.size() <= Guard::SIZE, "{name} in chunks of {len}: {} bytes", guard.size());
                }
            }
        }
    }
    // The bound is not far from what is needed.
    assert!(most > Guard::SIZE / 2, "{most}");
}
