use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), Limits::default()).unwrap()
}

fn refusal(bytes: &[u8]) -> Malformed {
    Document::parse(Bytes::copy_from_slice(bytes), Limits::default()).unwrap_err()
}

#[test]
fn finds_values_keys_and_positions() {
    let document = parse(r#" { "a" : [1.0, {"b\u002fc" : "x\ny"}], "t":true , "n":null}"#);
    let array = document.member("a").unwrap();
    let items: Vec<_> = document.children(array).collect();
    assert_eq!(document.raw(items[0]), "1.0");
    let inner = document.children(items[1]).next().unwrap();
    assert_eq!(document.key(inner).unwrap(), "b/c");
    assert_eq!(document.text(inner).unwrap(), "x\ny");
    assert_eq!(document.pointer(inner), "/a/1/b~1c");
    assert_eq!(document.kind(document.member("t").unwrap()), Kind::True);
    assert_eq!(document.kind(document.member("n").unwrap()), Kind::Null);
    assert_eq!(document.raw(NodeId::nth(0)).len(), document.bytes().len() - 1);
}

#[test]
fn unedited_bytes_survive() {
    let text = "{ \"model\" : \"m\",\t\"x\": 1e400, \"temperature\":0.70, \"u\":\"\\u00e4\" }";
    let document = parse(text);
    let mut edits = Edits::new();
    assert_eq!(edits.apply(&document), document.bytes());
    edits.set_string(&document, document.member("model").unwrap(), "new \"one\"");
    edits.insert(&document, document.root(), "stream", "true");
    assert_eq!(
        edits.apply(&document),
        "{ \"model\" : \"new \\\"one\\\"\",\t\"x\": 1e400, \"temperature\":0.70, \"u\":\"\\u00e4\" ,\"stream\":true}"
    );
}

#[test]
fn inserts_into_an_empty_object_twice() {
    let document = parse("{}");
    let mut edits = Edits::new();
    edits.insert(&document, document.root(), "a", "1");
    edits.upsert(&document, document.root(), "b", "2");
    assert_eq!(edits.apply(&document), "{\"a\":1,\"b\":2}");
}

#[test]
fn removes_members_with_their_comma() {
    for (text, expected) in [
        ("{\"a\":1, \"usage\" : null , \"b\":2}", "{\"a\":1 , \"b\":2}"),
        ("{\"usage\":null,\"b\":2}", "{\"b\":2}"),
        ("{\"a\":1,\"usage\":null}", "{\"a\":1}"),
        ("{\"usage\":null}", "{}"),
    ] {
        let document = parse(text);
        let mut edits = Edits::new();
        edits.remove(&document, document.member("usage").unwrap());
        assert_eq!(edits.apply(&document), expected);
    }
}

#[test]
fn removes_neighbours() {
    let document = parse(r#"{"stream_options":null,"max_completion_tokens":5,"model":"m"}"#);
    let mut edits = Edits::new();
    edits.remove(&document, document.member("stream_options").unwrap());
    edits.remove(&document, document.member("max_completion_tokens").unwrap());
    assert_eq!(edits.apply(&document), r#"{"model":"m"}"#);
    let document = parse(r#"{"model":"m","stream_options":null,"max_completion_tokens":5}"#);
    let mut edits = Edits::new();
    edits.remove(&document, document.member("stream_options").unwrap());
    edits.remove(&document, document.member("max_completion_tokens").unwrap());
    assert_eq!(edits.apply(&document), r#"{"model":"m"}"#);
}

#[test]
fn renames_keys() {
    let document = parse(r#"{"mail@example.com":{"k":1}}"#);
    let mut edits = Edits::new();
    edits.set_key(&document, document.children(document.root()).next().unwrap(), "<EMAIL \"1\">");
    assert_eq!(edits.apply(&document), r#"{"<EMAIL \"1\">":{"k":1}}"#);
}

#[test]
fn refuses_what_two_readers_could_read_differently() {
    assert!(matches!(refusal(br#"{"model":"a","mod\u0065l":"b"}"#), Malformed::DuplicateKey { .. }));
    assert!(matches!(refusal(br#"{"a":{"x":1,"x":2}}"#), Malformed::DuplicateKey { at: 5 }));
    assert!(matches!(refusal(b"{\"a\":\"\xff\"}"), Malformed::NotUtf8 { at: 6 }));
    for bad in [
        &b""[..],
        b"{",
        b"{\"a\":1,}",
        b"{} {}",
        b"{\"a\":01}",
        b"{\"a\":NaN}",
        b"{\"a\":\"\\ud800\"}",
        b"{'a':1}",
        b"\"\x01\"",
    ] {
        let half = matches!(refusal(bad), Malformed::LoneSurrogate { .. });
        assert_eq!(half, bad.windows(3).any(|three| three == b"\\ud"), "{:?}", String::from_utf8_lossy(bad));
        assert!(
            half || matches!(refusal(bad), Malformed::NotJson { .. }),
            "{:?}",
            String::from_utf8_lossy(bad)
        );
    }
}

#[test]
fn depth_is_a_limit() {
    let deep = "[".repeat(100_000);
    assert_eq!(refusal(deep.as_bytes()), Malformed::TooDeep { limit: 64 });
    let objects = "{\"a\":".repeat(100_000);
    assert_eq!(refusal(objects.as_bytes()), Malformed::TooDeep { limit: 64 });
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".*".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(".*", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_serde_json(value in json()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let document = parse(&text);
        for id in document.ids() {
            let pointed = value.pointer(&document.pointer(id)).unwrap();
            let raw: serde_json::Value = serde_json::from_str(document.raw(id)).unwrap();
            prop_assert_eq!(pointed, &raw);
            if let Some(text) = document.string(id) {
                prop_assert_eq!(pointed.as_str().unwrap(), &*text);
            }
        }
    }

    #[test]
    fn replaced_strings_read_back(value in json(), text in ".*") {
        let document = parse(&serde_json::to_string(&value).unwrap());
        let mut edits = Edits::new();
        let strings: Vec<_> = document.ids().filter(|id| document.kind(*id) == Kind::String).collect();
        for id in &strings {
            edits.set_string(&document, *id, &text);
        }
        let changed = Document::parse(edits.apply(&document), Limits::default()).unwrap();
        for id in strings {
            prop_assert_eq!(&*changed.string(id).unwrap(), &text);
        }
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let parsed = Document::parse(Bytes::from(bytes.clone()), Limits::default());
        if parsed.is_ok() {
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
        }
    }
}

#[test]
fn names_that_become_the_same_are_told_apart() {
    let document = parse(r#"{"x":[{"a":1,"b":2,"****":3,"c":{"a":4}}],"a":5}"#);
    let keys = document.ids().filter(|id| document.key(*id).is_some_and(|key| matches!(&*key, "a" | "b")));
    let keys = keys.map(|id| (id, String::from("****"))).collect();
    let mut edits = Edits::new();
    rename(&document, keys, &mut edits);
    assert_eq!(edits.apply(&document), r#"{"x":[{"****_2":1,"****_3":2,"****":3,"c":{"****":4}}],"****":5}"#);
    let (before, after) = (r#"["{\"a\":1,\"b\":2}",{"c":3}]"#, r#"["{\"*\":1,\"*\":2}",{"c":3}]"#);
    assert_eq!(tell_apart(before, after.to_owned()), r#"["{\"*\":1,\"*_2\":2}",{"c":3}]"#);
    assert_eq!(tell_apart("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}".to_owned()), "{\"a\":1,\"a\":2}");
    assert_eq!(tell_apart("{\"a\"", "{\"*\"".to_owned()), "{\"*\"");
}
