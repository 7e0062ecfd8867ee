//! Server-Sent Events, decoded as they arrive, with every byte kept.
//!
//! Follows the WHATWG specification (<https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>):
//! lines end in LF, CR or CRLF; an empty line ends an event; several `data` lines join with LF; a line that begins
//! with a colon is a comment; one byte order mark may lead. Where it departs: data stays bytes (the reader decides
//! about invalid UTF-8), the last event id is not remembered from event to event, and what follows the last empty
//! line is reported instead of dropped, because a provider that stops there has broken off.
//!
//! The raw bytes of all events, joined, are the stream: an event that nobody changes is forwarded byte for byte.
//! The window is one event, bounded by the caller. Blind spot: an event whose final line end is a lone CR is given
//! out only with the next byte (it might be LF) or at the end.

use bytes::{Bytes, BytesMut};

/// One event, or a stretch of comments and blank lines, with the bytes it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The bytes as they came, the ending empty line included.
    pub raw: Bytes,
    /// The joined `data` lines. `None` where there is no `data` field, so that nothing is dispatched.
    pub data: Option<Bytes>,
    /// The last `event` field.
    pub event: Option<Bytes>,
    /// The last `id` field that holds no NUL.
    pub id: Option<Bytes>,
    /// The last `retry` field that is digits only, in milliseconds.
    pub retry: Option<u64>,
}

/// Why decoding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event did not end within the limit.
    #[error("an event was longer than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
}

/// The decoder: [`Self::push`] chunks, take events with [`Self::next_event`], end with [`Self::finish`].
#[derive(Debug)]
pub struct Decoder {
    /// Of the current event, what earlier chunks held.
    head: BytesMut,
    /// Not yet looked at.
    rest: Bytes,
    scan: Scan,
    first: bool,
    max_event_bytes: usize,
}

impl Decoder {
    /// A decoder that refuses events longer than `max_event_bytes` (raw bytes).
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            head: BytesMut::new(),
            rest: Bytes::new(),
            scan: Scan::default(),
            first: true,
            max_event_bytes,
        }
    }

    /// Hands in the next bytes. Call [`Self::next_event`] until it gives `None` before the next push: chunks that
    /// are pushed on top of unread ones are copied.
    pub fn push(&mut self, chunk: Bytes) {
        if self.rest.is_empty() {
            self.rest = chunk;
        } else {
            let mut joined = BytesMut::with_capacity(self.rest.len() + chunk.len());
            joined.extend_from_slice(&self.rest);
            joined.extend_from_slice(&chunk);
            self.rest = joined.freeze();
        }
    }

    /// The next whole event, `None` where more bytes are needed.
    ///
    /// # Errors
    /// [`SseError::TooLarge`]; what was given out before stays valid, and every further call fails alike.
    pub fn next_event(&mut self) -> Result<Option<Event>, SseError> {
        let too_large = SseError::TooLarge { limit: self.max_event_bytes };
        match self.scan.end_of_event(&self.rest) {
            Some(end) => {
                let tail = self.rest.split_to(end);
                let raw = if self.head.is_empty() {
                    tail
                } else {
                    self.head.extend_from_slice(&tail);
                    self.head.split().freeze()
                };
                self.scan = Scan::default();
                if raw.len() > self.max_event_bytes {
                    self.max_event_bytes = 0;
                    return Err(too_large);
                }
                Ok(Some(parse(raw, std::mem::take(&mut self.first))))
            }
            None => {
                let unread = std::mem::take(&mut self.rest);
                if self.head.len().saturating_add(unread.len()) > self.max_event_bytes {
                    self.max_event_bytes = 0;
                    return Err(too_large);
                }
                self.head.extend_from_slice(&unread);
                Ok(None)
            }
        }
    }

    /// The end of the stream: an event that was waiting for a possible LF, and the raw bytes of an event that never
    /// ended (empty where the stream ended well).
    pub fn finish(mut self) -> (Option<Event>, Bytes) {
        self.head.extend_from_slice(&self.rest);
        let raw = self.head.freeze();
        if self.scan.is_complete() { (Some(parse(raw, self.first)), Bytes::new()) } else { (None, raw) }
    }
}

/// Where in a line the scan stands, across chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Scan {
    /// At the start of a line.
    #[default]
    LineStart,
    /// Within a line.
    InLine,
    /// After the CR that ended a line with something in it; LF may follow.
    AfterCr,
    /// After the CR of an empty line; LF may follow and still belongs to the event.
    AfterLastCr,
}

impl Scan {
    /// The index just after the event's last byte. `bytes` must begin where the last call ended without an answer.
    fn end_of_event(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match (*self, byte) {
                (Self::AfterLastCr, b'\n') => return Some(at + 1),
                (Self::AfterLastCr, _) => return Some(at),
                (Self::AfterCr, b'\n') => *self = Self::LineStart,
                (Self::LineStart, b'\n') => return Some(at + 1),
                (Self::InLine, b'\n') => *self = Self::LineStart,
                (Self::LineStart | Self::AfterCr, b'\r') => *self = Self::AfterLastCr,
                (Self::InLine, b'\r') => *self = Self::AfterCr,
                (Self::LineStart | Self::AfterCr | Self::InLine, _) => {
                    *self = Self::InLine;
                    let rest = bytes.get(at..).unwrap_or_default();
                    at += memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
                    continue;
                }
            }
            at += 1;
        }
        None
    }

    fn is_complete(self) -> bool {
        self == Self::AfterLastCr
    }
}

/// Reads the fields of one event. `first` where a byte order mark may lead.
fn parse(raw: Bytes, first: bool) -> Event {
    let mut event = Event { raw: raw.clone(), data: None, event: None, id: None, retry: None };
    let mut joined: Option<BytesMut> = None;
    let mut rest = if first && raw.starts_with(b"\xEF\xBB\xBF") { raw.slice(3..) } else { raw };
    while !rest.is_empty() {
        let end = memchr::memchr2(b'\r', b'\n', &rest).unwrap_or(rest.len());
        let line = rest.split_to(end);
        let skip = if rest.starts_with(b"\r\n") { 2 } else { rest.len().min(1) };
        let _line_end = rest.split_to(skip);
        let (name, value) = field(line);
        match name.as_ref() {
            b"data" => match (&mut joined, event.data.take()) {
                (Some(all), _) => {
                    all.extend_from_slice(b"\n");
                    all.extend_from_slice(&value);
                }
                (None, Some(before)) => {
                    let mut all = BytesMut::from(before.as_ref());
                    all.extend_from_slice(b"\n");
                    all.extend_from_slice(&value);
                    joined = Some(all);
                }
                (None, None) => event.data = Some(value),
            },
            b"event" => event.event = Some(value),
            b"id" if !value.contains(&0) => event.id = Some(value),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                event.retry = std::str::from_utf8(&value).ok().and_then(|digits| digits.parse().ok());
            }
            _ => {}
        }
    }
    if let Some(all) = joined {
        event.data = Some(all.freeze());
    }
    event
}

/// Splits `name: value`, dropping one space after the colon. A comment has an empty name.
fn field(mut line: Bytes) -> (Bytes, Bytes) {
    let Some(colon) = memchr::memchr(b':', &line) else { return (line, Bytes::new()) };
    let name = line.split_to(colon);
    let skip = if line.starts_with(b": ") { 2 } else { 1 };
    (name, line.slice(skip..))
}
