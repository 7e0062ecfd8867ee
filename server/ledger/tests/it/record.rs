//! Sealing and reading back.

use bailiwick_ledger::{
    Draft, Hash, Header, Kind, LogId, RecordError, Section, canonical,
    merkle::leaf_hash,
    record::{UnknownKind, commitment},
};
use proptest::prelude::*;
use serde_json::json;

use crate::sample::{LOG, draft};

fn log() -> LogId {
    LogId::new(LOG).unwrap()
}

#[test]
fn the_header_says_what_the_draft_said() {
    let record = draft(5).seal(&log(), "one", 42).unwrap();
    assert_eq!(record.leaf_hash, leaf_hash(&record.leaf));
    let header = Header::parse(&record.leaf).unwrap();
    assert_eq!(canonical::to_vec(&header).unwrap(), record.leaf);
    assert_eq!(header.known_kind(), Some(Kind::Decision));
    assert_eq!(
        (header.replica.as_str(), header.replica_sequence, header.time),
        ("one", 42, 1_763_800_000_005)
    );
    assert_eq!(header.scope.as_deref(), Some("/acme/retail/support"));
    assert_eq!(header.ids["decision"], "dec_1");
    assert_eq!(header.commitments.len(), 2);
    for section in &record.sections {
        assert_eq!(header.commitments[section.name.as_ref()], commitment(&section.salt, &section.bytes));
    }
}

proptest! {
    /// The hand-written header is what the serializer would have written, for any text.
    #[test]
    fn any_text_seals_canonically(
        scope in any::<Option<String>>(), id: String, replica: String, time in -(1_i64 << 53) + 1..1_i64 << 53,
        sequence in 0_u64..1 << 53,
    ) {
        let mut draft = Draft::new(Kind::Admin, time).id("subject", id);
        draft.scope = scope;
        let leaf = draft.seal(&log(), &replica, sequence).unwrap().leaf;
        let header = Header::parse(&leaf).unwrap();
        prop_assert_eq!(canonical::to_vec(&header).unwrap(), leaf);
        prop_assert_eq!((header.time, header.replica_sequence, header.replica), (time, sequence, replica));
    }

    #[test]
    fn hostile_leaves_are_refused_without_a_panic(bytes: Vec<u8>, at: prop::sample::Index, byte: u8) {
        prop_assert!(Header::parse(&bytes).is_err());
        let mut leaf = draft(1).seal(&log(), "one", 0).unwrap().leaf;
        let at = at.index(leaf.len());
        let same = leaf[at] == byte;
        leaf[at] = byte;
        // It may still be a header, but then not the same one.
        if let Ok(header) = Header::parse(&leaf) {
            prop_assert_eq!(canonical::to_vec(&header).unwrap() == draft(1).seal(&log(), "one", 0).unwrap().leaf, same);
        }
    }
}

#[test]
fn malformed_drafts_are_refused() {
    let section = |name: &'static str| Section::new(name, &json!(1), [0; 32]).unwrap();
    let seal = |draft: Draft| draft.seal(&log(), "one", 0).map(|_| ());
    let start = || Draft::new(Kind::Start, 0);
    assert_eq!(
        seal(start().section(section("facts")).section(section("usage")).section(section("facts"))),
        Err(RecordError::DuplicateSection("facts".to_owned()))
    );
    for name in ["", "Facts", "a b", "ä", "a\"", &"a".repeat(65)] {
        let refused = Err(RecordError::Name(name.to_owned()));
        assert_eq!(seal(start().id(name.to_owned(), "")), refused);
        assert_eq!(seal(start().digest(name.to_owned(), "")), refused);
        assert_eq!(seal(start().section(Section { name: name.to_owned().into(), ..section("a") })), refused);
    }
    assert_eq!(seal(Draft::new(Kind::Start, i64::MIN)), Err(RecordError::Range));
    assert_eq!(start().seal(&log(), "one", 1 << 53), Err(RecordError::Range));
    assert!(matches!(Section::new("facts", &u64::MAX, [0; 32]), Err(RecordError::Section { .. })));
}

#[test]
fn sections_keep_the_order_of_their_names() {
    let section = |name: &'static str| Section::new(name, &json!({}), [1; 32]).unwrap();
    let record =
        Draft::new(Kind::Start, 0).section(section("b")).section(section("a")).seal(&log(), "r", 0).unwrap();
    assert_eq!(record.sections.iter().map(|section| section.name.as_ref()).collect::<Vec<_>>(), ["a", "b"]);
    Header::parse(&record.leaf).unwrap();
}

#[test]
fn a_strict_reader() {
    let leaf = String::from_utf8(draft(1).seal(&log(), "one", 0).unwrap().leaf).unwrap();
    assert!(Header::parse(leaf.as_bytes()).is_ok());
    let unknown_kind = leaf.replace("\"kind\":\"decision\"", "\"kind\":\"from_the_future\"");
    let header = Header::parse(unknown_kind.as_bytes()).unwrap();
    assert_eq!((header.kind.as_str(), header.known_kind()), ("from_the_future", None));
    for (from, to) in [
        ("\"v\":1", "\"v\":2"),
        ("\"v\":1", "\"v\":1,\"w\":1"),
        (",\"v\":1", ""),
        ("\"kind\":\"decision\"", "\"kind\":\"De cision\""),
        ("\"scope\":\"/acme/retail/support\"", "\"scope\":null"),
        ("\"replica_sequence\":0", "\"replica_sequence\":-1"),
        ("\"time\":1763800000001", "\"time\":1763800000000.5"),
        ("\"commitments\":{\"facts\":\"", "\"commitments\":{\"facts\":\"0"),
        ("\"log\":\"audit.example.org/acme\"", "\"log\":\"two words\""),
        ("\"kind\"", " \"kind\""),
    ] {
        let changed = leaf.replace(from, to);
        assert_ne!(changed, leaf);
        assert!(Header::parse(changed.as_bytes()).is_err(), "{changed}");
    }
}

#[test]
fn kinds_are_written_as_they_are_read() {
    for kind in Kind::ALL {
        assert_eq!(kind.as_str().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
    assert_eq!("unheard_of".parse::<Kind>(), Err(UnknownKind));
}

#[test]
fn debug_output_discloses_nothing() {
    let section = Section::new("facts", &json!({"iban": "DE02120300000000202051"}), [0xab; 32]).unwrap();
    let shown = format!("{:?}", Draft::new(Kind::Start, 0).section(section.clone()));
    assert!(!shown.contains("DE02") && !shown.contains("171") && !shown.contains("ab, "), "{shown}");
    let disclosed = bailiwick_ledger::disclosure::disclose([&section]).unwrap();
    assert!(!format!("{disclosed:?}").contains("DE02"));
}

#[test]
fn hashes_have_one_spelling() {
    let hash = Hash::of(b"");
    assert_eq!(hash.to_string().parse(), Ok(hash));
    assert!(hash.to_string().to_uppercase().parse::<Hash>().is_err());
    assert!("00".parse::<Hash>().is_err());
}

#[test]
fn log_ids_have_no_room_for_trouble() {
    for id in ["", "a b", "a+b", "a\"b", "a\\b", "a\nb", "ä", &"a".repeat(256)] {
        assert!(LogId::new(id).is_err(), "{id:?}");
    }
    assert!(LogId::new("a".repeat(255)).is_ok());
}
