//! Properties of the detector.

use crate::text::{VALUES, mixture, scan};
use bailiwick_pii::Finding;
use proptest::prelude::*;

fn is_well_formed(text: &str, findings: &[Finding]) {
    for finding in findings {
        assert!(finding.value(text).is_some_and(|value| !value.is_empty()), "{finding:?}");
        assert!((50..=100).contains(&finding.confidence.percent()), "{finding:?}");
    }
    for pair in findings.windows(2) {
        assert!(pair[0].end <= pair[1].start, "{pair:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn any_text_gives_ordered_spans_on_boundaries(text in "\\PC{0,200}|[ -~\u{80}-\u{2ff}\u{200b}\u{ff10}-\u{ff20}\n]{0,120}") {
        is_well_formed(&text, &scan(&text));
    }

    #[test]
    fn mixtures_give_ordered_spans_on_boundaries(text in mixture()) {
        is_well_formed(&text, &scan(&text));
    }

    #[test]
    fn escapes_give_ordered_spans(text in "(\\\\[unt\"]|[0-9a-fA-F ]|key-|12 March|4111 1111 1111 1111|0x){0,40}") {
        is_well_formed(&text, &scan(&text));
    }

    #[test]
    fn structured_noise_gives_ordered_spans(text in "[0-9a-fA-F:.@/ +()=_-]{0,150}") {
        is_well_formed(&text, &scan(&text));
    }
}

#[test]
fn every_value_is_found_whole_between_words() {
    for value in VALUES {
        let text = format!("so {value}, yes");
        let found: Vec<_> = scan(&text).iter().filter_map(|f| f.value(&text)).collect();
        let expected = value.strip_prefix("password = ").unwrap_or(value);
        let whole = expected.split("a@b.de").next().unwrap();
        assert!(found.contains(&expected) || found.contains(&whole), "{value:?}: {found:?}");
    }
}

#[test]
fn of_two_that_overlap_the_loser_keeps_what_is_left() {
    for text in ["+49 30 901820 4111 1111 1111 1111", "ring 030 901820 4111 1111 1111 1111"] {
        let found = scan(text);
        let bare: Vec<_> = text
            .char_indices()
            .filter(|(i, c)| c.is_ascii_digit() && !found.iter().any(|f| (f.start..f.end).contains(i)))
            .collect();
        assert!(bare.is_empty(), "{text:?}: {found:?} leave {bare:?}");
    }
}

#[test]
fn long_hostile_texts_are_scanned_in_linear_time() {
    for unit in [
        "1 ",
        "1",
        "1.",
        "a@",
        "://",
        "http://",
        "http://a:b@",
        ":",
        "1:",
        "eyJ",
        "eyJ.",
        "password=",
        "sk-",
        "-----BEGIN PRIVATE KEY-----",
        "DE89 ",
        "www.a",
        "0-",
        "(1)",
        "<<<",
        "7408122F1204159",
        "born in 1930 ",
    ] {
        let time = |len: usize| {
            let text = unit.repeat(len / unit.len());
            let started = std::time::Instant::now();
            std::hint::black_box(scan(&text));
            started.elapsed()
        };
        time(1000);
        let (short, long) = (time(50_000), time(800_000));
        // Sixteen times the text; a quadratic scan takes 256 times as long.
        assert!(
            long < short * 80 + std::time::Duration::from_millis(100),
            "{unit:?}: {short:?}, then {long:?}"
        );
    }
}

#[test]
fn nothing_that_is_not_shown_hides_a_value() {
    let hidden = "\0\u{7}\u{8}\u{1b}\u{1f}\u{7f}\u{80}\u{301}\u{200b}\u{20e3}\u{2060}\u{fff9}\u{fffb}\u{fffc}\u{1d159}\u{e0001}";
    for c in hidden.chars() {
        for value in ["4111111111111111", "anna.schmidt@example.de", "536-22-1234", "DE89370400440532013000"]
        {
            let text: String = value.chars().flat_map(|of| [of, c]).collect();
            let text = format!("so {text} yes");
            assert_eq!(scan(&text).len(), 1, "{text:?}");
        }
    }
    for text in [
        "𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏",
        "⁴¹¹¹¹¹¹¹¹¹¹¹¹¹¹¹",
        "④①①①①①①①①①①①①①①①",
        "anna﹫example.de",
        "𝐚𝐧𝐧𝐚@example.de",
        "4111\u{2028}1111\u{2028}1111\u{2028}1111",
        "4111\u{2800}1111\u{2800}1111\u{2800}1111",
        "4111 1111 1111 1111¹",
        "๔๑๑๑๑๑๑๑๑๑๑๑๑๑๑๑",
    ] {
        assert_eq!(scan(text).len(), 1, "{text:?}");
    }
}
