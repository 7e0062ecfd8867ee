use bytes::Bytes;
use proptest::prelude::*;

use crate::providers::sse::{Decoder, Event, SseError};

/// All events of a stream cut at `cuts`, and what was left unended.
fn decode(stream: &[u8], cuts: &[usize]) -> (Vec<Event>, Bytes) {
    let mut decoder = Decoder::new(1 << 20);
    let mut events = Vec::new();
    let mut at = 0;
    for &cut in cuts.iter().chain([&stream.len()]) {
        let cut = cut.clamp(at, stream.len());
        decoder.push(Bytes::copy_from_slice(&stream[at..cut]));
        at = cut;
        while let Some(event) = decoder.next_event().unwrap() {
            events.push(event);
        }
    }
    let (last, rest) = decoder.finish();
    events.extend(last);
    (events, rest)
}

fn data(stream: &str) -> Vec<Option<String>> {
    let (events, _) = decode(stream.as_bytes(), &[]);
    events.iter().map(|e| e.data.as_ref().map(|d| String::from_utf8(d.to_vec()).unwrap())).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn the_examples_of_the_specification() {
    assert_eq!(data("data: YHOO\ndata: +2\ndata: 10\n\n"), [some("YHOO\n+2\n10")]);
    let stream =
        ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
    assert_eq!(data(stream), [None, some("first event"), some("second event"), some(" third event")]);
    // The last block has no empty line and is not dispatched.
    assert_eq!(data("data\n\ndata\ndata\n\ndata:"), [some(""), some("\n")]);
    assert_eq!(data("data:test\n\ndata: test\n\n"), [some("test"), some("test")]);
}

#[test]
fn all_line_ends_and_a_byte_order_mark() {
    assert_eq!(data("data: a\r\rdata: b\r\n\r\ndata: c\n\n"), [some("a"), some("b"), some("c")]);
    assert_eq!(data("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n"), [some("a"), None]);
    assert_eq!(data("data: a\r\n\ndata: b\n\r\n"), [some("a"), some("b")]);
}

#[test]
fn other_fields() {
    let (events, rest) =
        decode(b"event: delta\nid: 7\nretry: 250\ndata: x\n\nid: a\0b\nretry: 2x\nwhat: ever\n\n", &[]);
    assert!(rest.is_empty());
    assert_eq!(events[0].event.as_deref(), Some(&b"delta"[..]));
    assert_eq!(events[0].id.as_deref(), Some(&b"7"[..]));
    assert_eq!(events[0].retry, Some(250));
    assert_eq!((&events[1].id, events[1].retry, &events[1].data), (&None, None, &None));
}

#[test]
fn what_did_not_end_is_reported() {
    let (events, rest) = decode(b"data: a\n\ndata: {\"b\"", &[]);
    assert_eq!(events.len(), 1);
    assert_eq!(rest.as_ref(), b"data: {\"b\"");
    // A lone CR ends the last event only when nothing follows.
    let (events, rest) = decode(b"data: a\r\r", &[]);
    assert_eq!((events.len(), rest.len()), (1, 0));
}

#[test]
fn an_event_comes_out_with_its_last_byte() {
    let mut decoder = Decoder::new(100);
    decoder.push(Bytes::from_static(b"data: a\n"));
    assert_eq!(decoder.next_event().unwrap(), None);
    decoder.push(Bytes::from_static(b"\ndata"));
    assert_eq!(decoder.next_event().unwrap().unwrap().raw.as_ref(), b"data: a\n\n");
    assert_eq!(decoder.next_event().unwrap(), None);
}

#[test]
fn an_untouched_event_shares_the_chunk() {
    let chunk = Bytes::from_static(b"data: a\n\ndata: b\n\n");
    let mut decoder = Decoder::new(100);
    decoder.push(chunk.clone());
    let event = decoder.next_event().unwrap().unwrap();
    assert_eq!(event.raw.as_ptr(), chunk.as_ptr());
    assert_eq!(event.data.unwrap().as_ptr(), chunk[6..].as_ptr());
}

#[test]
fn the_limit_holds_whole_or_in_pieces_and_for_good() {
    let mut whole = Decoder::new(16);
    whole.push(Bytes::from_static(b"data: 0123456789\n\n"));
    assert_eq!(whole.next_event(), Err(SseError::TooLarge { limit: 16 }));
    let mut pieces = Decoder::new(16);
    for _ in 0..16 {
        pieces.push(Bytes::from_static(b"d"));
        assert_eq!(pieces.next_event(), Ok(None));
    }
    pieces.push(Bytes::from_static(b"d"));
    assert!(pieces.next_event().is_err());
    pieces.push(Bytes::from_static(b"\n\n"));
    assert!(pieces.next_event().is_err());
    // Many small events are no large one.
    let mut small = Decoder::new(16);
    small.push(Bytes::from("data: 0123456\n\n".repeat(100)));
    for _ in 0..100 {
        assert!(small.next_event().unwrap().is_some());
    }
}

/// An independent, slow reading of the specification: whole text, line by line.
fn reference(stream: &str) -> Vec<String> {
    let text = stream.strip_prefix('\u{FEFF}').unwrap_or(stream);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut events = Vec::new();
    let mut buffer = String::new();
    let Some(end) = text.rfind('\n') else { return events };
    for line in text.get(..end).unwrap().split('\n') {
        if line.is_empty() {
            if !buffer.is_empty() {
                buffer.pop();
                events.push(std::mem::take(&mut buffer));
            }
        } else if let Some(value) = line.strip_prefix("data") {
            let value = match value.strip_prefix(':') {
                Some(value) => value.strip_prefix(' ').unwrap_or(value),
                None if value.is_empty() => "",
                None => continue,
            };
            buffer.push_str(value);
            buffer.push('\n');
        }
    }
    events
}

fn streams() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("data"),
        Just("data:"),
        Just("data: "),
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just("\n\n"),
        Just(":"),
        Just(" "),
        Just("x"),
        Just("event: e"),
        Just("id:"),
        Just("\u{FEFF}"),
        Just("{\"a\":\"ü\"}"),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_chunking_gives_the_same_events(stream in streams(), mut cuts in proptest::collection::vec(0_usize..200, 0..12)) {
        cuts.sort_unstable();
        let whole = decode(stream.as_bytes(), &[]);
        prop_assert_eq!(&decode(stream.as_bytes(), &cuts), &whole);
        let every: Vec<usize> = (1..stream.len()).collect();
        prop_assert_eq!(&decode(stream.as_bytes(), &every), &whole);
    }

    #[test]
    fn the_raw_bytes_are_the_stream(stream in proptest::collection::vec(any::<u8>(), 0..300), cut in 0_usize..300) {
        let (events, rest) = decode(&stream, &[cut]);
        let mut joined: Vec<u8> = events.iter().flat_map(|e| e.raw.to_vec()).collect();
        joined.extend_from_slice(&rest);
        prop_assert_eq!(joined, stream);
    }

    #[test]
    fn the_data_agrees_with_a_plain_reading(stream in streams()) {
        let (events, _) = decode(stream.as_bytes(), &[]);
        let data: Vec<String> =
            events.iter().filter_map(|e| Some(String::from_utf8(e.data.as_ref()?.to_vec()).unwrap())).collect();
        // A trailing event that never ended, or whose last CR could be half of a CRLF, is where readings differ:
        // close the stream well for both.
        let closed = format!("{stream}\n\n\n");
        let (events, rest) = decode(closed.as_bytes(), &[]);
        prop_assert!(rest.is_empty());
        let all: Vec<String> =
            events.iter().filter_map(|e| Some(String::from_utf8(e.data.as_ref()?.to_vec()).unwrap())).collect();
        prop_assert_eq!(&all, &reference(&closed));
        prop_assert!(all.starts_with(&data));
    }
}
