//! Streams that break off or are damaged.

use bailiwick_wire::{Stream, Wire};
use proptest::prelude::*;

use crate::golden::{fixtures, other};

#[test]
fn a_stream_that_is_cut_anywhere_is_not_over() {
    for from in Wire::ALL {
        for (name, text) in fixtures(from, "streams") {
            let lines: Vec<&str> = text.lines().collect();
            for end in 0..lines.len() {
                let mut stream = Stream::new(from, other(from), 0, true);
                let kept = lines.iter().take(end);
                let whole = kept.map(|line| stream.event(line.as_bytes())).all(|event| event.is_ok());
                assert!(!whole || !stream.is_over(), "{name} cut after {end}");
            }
        }
    }
}

proptest! {
    /// Whatever a provider sends is an event, an error by name, or passed over; nothing panics, and what is said after an
    /// end is not heard.
    #[test]
    fn damaged_events_are_errors_by_name(
        seed in 0_usize..10_000,
        at in 0_usize..4_000,
        byte in any::<u8>(),
    ) {
        for from in Wire::ALL {
            let all = fixtures(from, "streams");
            let (_, text) = &all[seed % all.len()];
            let mut bytes = text.clone().into_bytes();
            let place = at % bytes.len();
            bytes[place] = byte;
            let mut stream = Stream::new(from, other(from), 0, true);
            for line in bytes.split(|byte| *byte == b'\n') {
                if stream.event(line).is_err() {
                    break;
                }
            }
            if stream.is_over() {
                prop_assert_eq!(stream.event(b"{").unwrap(), Vec::<String>::new());
            }
        }
    }
}
