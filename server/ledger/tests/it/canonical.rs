//! RFC 8785: the RFC's own examples, and agreement with another implementation.

use std::collections::BTreeMap;

use bailiwick_ledger::canonical::{CanonicalError, MAX_DEPTH, check, is_canonical, to_vec};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

fn text<T: Serialize>(value: &T) -> String {
    String::from_utf8(to_vec(value).unwrap()).unwrap()
}

/// RFC 8785, section 3.2.2.
#[test]
fn primitive_values_as_in_the_rfc() {
    let input = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let expected = "{\"literals\":[null,true,false],\
        \"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
        \"string\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
    assert_eq!(text(&serde_json::from_str::<Value>(input).unwrap()), expected);
    assert!(is_canonical(expected.as_bytes()));
}

/// RFC 8785, section 3.2.3: by UTF-16 code units, in which the emoji comes before the Hebrew letter.
#[test]
fn keys_are_sorted_as_in_the_rfc() {
    let value = json!({
        "\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7
    });
    let expected =
        "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
    assert_eq!(text(&value), expected);
    assert!(is_canonical(expected.as_bytes()));
    assert!(!is_canonical(
        expected.replace("\"\u{1f600}\":5,\"\u{fb33}\":3", "\"\u{fb33}\":3,\"\u{1f600}\":5").as_bytes()
    ));
}

#[test]
fn every_shape_that_serde_has() {
    #[derive(Serialize)]
    enum Shape {
        Unit,
        Newtype(u8),
        Tuple(u8, bool),
        Struct { z: char, a: Option<()> },
    }
    #[derive(Serialize)]
    struct Pair(i8, f32);
    let map = BTreeMap::from([(10, "ten"), (9, "nine")]);
    let shapes = [Shape::Unit, Shape::Newtype(1), Shape::Tuple(2, true), Shape::Struct { z: 'z', a: None }];
    assert_eq!(
        text(&(shapes, Pair(-3, 0.5), map, ())),
        r#"[["Unit",{"Newtype":1},{"Tuple":[2,true]},{"Struct":{"a":null,"z":"z"}}],[-3,0.5],{"10":"ten","9":"nine"},null]"#
    );
}

#[test]
fn what_would_be_altered_is_refused() {
    assert_eq!(to_vec(&((1_u64 << 53) - 1)).unwrap(), b"9007199254740991");
    assert_eq!(to_vec(&(1_u64 << 53)), Err(CanonicalError::Integer));
    assert_eq!(to_vec(&i64::MIN), Err(CanonicalError::Integer));
    assert_eq!(to_vec(&f64::NAN), Err(CanonicalError::NotFinite));
    assert_eq!(to_vec(&f64::NEG_INFINITY), Err(CanonicalError::NotFinite));
    assert_eq!(to_vec(&BTreeMap::from([(true, 1)])), Err(CanonicalError::Key));
    assert_eq!(to_vec(&BTreeMap::from([(None::<u8>, 1)])), Err(CanonicalError::Key));
    struct Twice;
    impl Serialize for Twice {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map([("b", 1), ("a", 2), ("b", 3)])
        }
    }
    assert_eq!(to_vec(&Twice), Err(CanonicalError::DuplicateKey));
}

#[test]
fn other_spellings_are_not_canonical() {
    let spellings: [&[u8]; 34] = [
        b"",
        b" 1",
        b"1 ",
        b"1\n",
        b"01",
        b"-0",
        b"1.0",
        b"1e2",
        b"1E+30",
        b"+1",
        b"1e400",
        b"-",
        b"1.",
        b"9007199254740993",
        b"-9007199254740993",
        b"[1, 2]",
        b"[1,]",
        b"[",
        b"{\"a\":1,}",
        b"{\"b\":1,\"a\":2}",
        b"{\"a\":1,\"a\":1}",
        b"{a:1}",
        b"\"\\u0041\"",
        b"\"\\u000A\"",
        b"\"\\u000a\"",
        b"\"\\u001F\"",
        b"\"\\/\"",
        b"\"\n\"",
        b"\"",
        b"\"\xff\"",
        b"\xef\xbb\xbf1",
        b"nul",
        b"True",
        b"1,2",
    ];
    for spelling in spellings {
        assert!(!is_canonical(spelling), "{:?}", String::from_utf8_lossy(spelling));
    }
    for canonical in
        ["0", "-1", "1e+21", "100000000000000000000", "9007199254740992", "\"\\u001f\\b\u{7f}\"", "{}", "[]"]
    {
        assert_eq!(check(canonical.as_bytes()), Ok(()), "{canonical}");
    }
}

#[test]
fn depth_is_bounded_both_ways() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(is_canonical(nested(MAX_DEPTH).as_bytes()));
    assert!(!is_canonical(nested(MAX_DEPTH + 1).as_bytes()));
    assert!(!is_canonical(nested(1_000_000).as_bytes()));
    let value = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({ "a": inner }));
    assert!(to_vec(&value(MAX_DEPTH)).is_ok());
    assert_eq!(to_vec(&value(MAX_DEPTH + 1)), Err(CanonicalError::Depth));
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53) + 1..1_i64 << 53).prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\x00-\\x20\"\\\\/\u{7f}\u{e000}\u{10000}]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        let keys = prop_oneof![any::<String>(), "[\\x00-\\x20\"\\\\a\u{fb33}\u{1f600}]{0,3}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_another_implementation(value in values()) {
        let ours = to_vec(&value).unwrap();
        prop_assert_eq!(&ours, &serde_json_canonicalizer::to_vec(&value).unwrap());
        prop_assert_eq!(check(&ours), Ok(()));
    }

    /// Whatever passes the check is what the other implementation makes of it.
    #[test]
    fn the_check_accepts_nothing_else(value in values(), at in any::<prop::sample::Index>(), byte: u8) {
        let mut bytes = to_vec(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if is_canonical(&bytes) {
            let text = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(serde_json_canonicalizer::pipe(&text).unwrap(), text);
        }
    }
}
