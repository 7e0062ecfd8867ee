//! The bodies of the fuzz targets, on generated texts.

use proptest::prelude::*;

use crate::bodies;
use crate::text::mixture;

/// Words of the vocabularies, of addresses, of dates and of encodings, and what stands around them.
fn worded() -> impl Strategy<Value = String> {
    let word = proptest::sample::select(
        &[
            "my",
            "father",
            "has",
            "type",
            "2",
            "diabetes",
            "Dr.",
            "Anna",
            "Schmidt",
            "12",
            "Main",
            "Street",
            "Berliner",
            "Str.",
            "5",
            "born",
            "on",
            "12",
            "March",
            "1980",
            "aged",
            "93",
            "years",
            "old",
            "Catholic",
            "she",
            "multiple",
            "sclerosis",
            "Acme",
            "GmbH",
            "in",
            "New",
            "York",
            "rue",
            "de",
            "la",
            "Paix",
            "lat",
            "52.520008",
            "passport",
            "C01X00T47",
            "anna&#64;b.de",
            "anna%40b.de",
            "YW5uYS5sYW5nQGt1bmRlLmV4YW1wbGU=",
            "<EMAIL_",
            "&lt;",
            "CA",
            "90210",
            "756.4117.3098.50",
            "SW1A",
            "1AA",
            "4",
            "1",
            "1",
            "\n",
            "D-10115",
            "E11.9",
            "ICD",
            "B-AB",
            "1234",
            "Kennzeichen",
            "00:1a:2b:3c:4d:5e",
            "https://example.com/diabetes",
            "(multiple",
            "аnna@example.com",
            "BIC",
            "COBADEFFXXX",
        ][..],
    );
    let gap = prop_oneof![8 => Just(" "), 1 => Just(", "), 1 => Just("."), 1 => Just("-"), 1 => Just("")];
    proptest::collection::vec((word, gap), 0..16)
        .prop_map(|words| words.into_iter().map(|(word, gap)| format!("{word}{gap}")).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn scan(text in prop_oneof![worded(), mixture(), "\\PC{0,120}"]) {
        bodies::scan(&text);
    }

    #[test]
    fn redact_and_restore(text in prop_oneof![worded(), mixture(), "[{}\\[\\]\":,0-9a-z@. ]{0,80}"]) {
        bodies::redact_and_restore(&text);
    }

    #[test]
    fn restore(text in prop_oneof![worded(), "[<>&;@ _A-Za-z0-9\\\\]{0,60}"], cut: usize) {
        bodies::restore(&text, cut);
    }

    #[test]
    fn stream(text in prop_oneof![3 => worded(), 1 => mixture()], cut: usize) {
        bodies::stream(&text, cut);
    }
}
