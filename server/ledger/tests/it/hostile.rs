//! Files made to hurt: every reader must refuse them, quickly and without a panic.

use bailiwick_ledger::{Receipt, merkle::Frontier, verify_export};
use proptest::prelude::*;

use crate::sample::Log;

fn refused(bytes: &[u8]) {
    assert!(!verify_export(bytes, None).unwrap().verified());
    assert!(Receipt::parse(bytes).and_then(|receipt| receipt.verify(None).map(drop)).is_err());
}

#[test]
fn absurd_nesting() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = open.repeat(200_000) + "1" + &close.repeat(200_000) + "\n";
        refused(nested.as_bytes());
        refused(open.repeat(200_000).as_bytes());
        // Deep inside a line that is otherwise right.
        let file = String::from_utf8(Log::new(2).export(0, 2, false)).unwrap();
        let deep = open.repeat(100_000) + "1" + &close.repeat(100_000);
        refused(file.replacen("\"filter\":\"scope=/acme\"", &format!("\"filter\":{deep}"), 1).as_bytes());
    }
}

#[test]
fn absurd_lengths() {
    refused(&vec![b'1'; 17 * 1024 * 1024]);
    refused(&[b"{\"created\":0,\"filter\":\"".as_slice(), &vec![b'a'; 17 * 1024 * 1024], b"\"}\n"].concat());
    refused(&b"\n".repeat(1_000_000));
}

#[test]
fn absurd_numbers() {
    let file = String::from_utf8(Log::new(2).export(0, 2, true)).unwrap();
    for number in
        ["-1", "9007199254740991", "9007199254740992", "18446744073709551615", "1e+300", "0.5", "null"]
    {
        for field in ["\"from\":0", "\"to\":2", "\"index\":1", "\"created\":1763900000000", "\"stubs\":1"] {
            let name = field.split_once(':').unwrap().0;
            let changed = file.replacen(field, &format!("{name}:{number}"), 1);
            assert_ne!(changed, file);
            refused(changed.as_bytes());
        }
    }
}

#[test]
fn a_range_up_to_the_largest_size_is_only_a_short_file() {
    let file = String::from_utf8(Log::new(2).export(0, 2, true)).unwrap();
    let report =
        verify_export(file.replacen("\"to\":2", "\"to\":9007199254740991", 1).as_bytes(), None).unwrap();
    assert!(report.problems[0].what.contains("lines are missing"), "{report}");
}

proptest! {
    #[test]
    fn noise(bytes: Vec<u8>, text: String) {
        refused(&bytes);
        refused(text.as_bytes());
        let _ = Frontier::from_bytes(&bytes);
    }

    /// JSON-like noise gets further into the parsers than bytes at random.
    #[test]
    fn structured_noise(lines in prop::collection::vec("[\\[\\]{}:,\"\\\\a-z0-9.e-]{0,60}", 0..5)) {
        refused(lines.join("\n").as_bytes());
        refused(format!("{{\"created\":{}}}\n{{\"hash\":{}}}\n", lines.concat(), lines.join(",")).as_bytes());
    }

    /// Right lines of different files, shuffled together.
    #[test]
    fn mixtures(picks in prop::collection::vec((0_usize..3, any::<prop::sample::Index>()), 0..12)) {
        let log = Log::new(6);
        let files = [log.export(0, 6, false), log.export(2, 6, true), log.export(0, 4, true)];
        let lines = files.each_ref().map(|file| file.split_inclusive(|&byte| byte == b'\n').collect::<Vec<_>>());
        let mixed: Vec<_> = picks.iter().map(|(file, at)| lines[*file][at.index(lines[*file].len())]).collect();
        let mixed = mixed.concat();
        prop_assume!(!files.contains(&mixed));
        refused(&mixed);
    }
}
