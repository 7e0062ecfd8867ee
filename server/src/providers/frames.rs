//! AWS's event stream encoding, decoded as it arrives: frames with a length, headers, a payload and two checksums
//! (<https://smithy.io/2.0/aws/amazon-eventstream.html>).
//!
//! A frame becomes one [`Event`]: its name is the frame's event or exception type, its data the JSON of the service's
//! union, `{"name": payload}`. Checksums and headers are read by AWS's own library; the length is believed only once its
//! own checksum holds and it is within the limit. The window is one frame.

use aws_smithy_eventstream::frame::read_message_from;
use aws_smithy_eventstream::smithy::parse_response_headers;
use bytes::{Buf, Bytes, BytesMut};

use super::sse::Event;

/// Length of the frame, length of its headers, checksum of both.
const PRELUDE: usize = 12;
/// The prelude, and the checksum at the end.
const SHORTEST: usize = PRELUDE + 4;

/// Why decoding stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame is longer than the limit.
    #[error("a frame was longer than the limit")]
    TooLarge,
    /// A checksum does not hold, or a frame is not one of an event stream.
    #[error("a frame was damaged")]
    Damaged,
}

/// The decoder: [`Self::push`] chunks, take events with [`Self::next_event`]. After an error nothing more can be read.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    max_event_bytes: usize,
}

impl Decoder {
    /// A decoder that refuses frames longer than `max_event_bytes`.
    pub fn new(max_event_bytes: usize) -> Self {
        Self { buffer: BytesMut::new(), max_event_bytes }
    }

    /// Hands in the next bytes.
    pub fn push(&mut self, chunk: &Bytes) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The next whole event, `None` where more bytes are needed.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn next_event(&mut self) -> Result<Option<Event>, FrameError> {
        let Some(mut prelude) = self.buffer.get(..PRELUDE) else { return Ok(None) };
        let checked = crc32fast::hash(prelude.get(..8).unwrap_or_default());
        let length = usize::try_from(prelude.get_u32()).unwrap_or(usize::MAX);
        let _headers = prelude.get_u32();
        if prelude.get_u32() != checked || length < SHORTEST {
            return Err(FrameError::Damaged);
        }
        if length > self.max_event_bytes {
            return Err(FrameError::TooLarge);
        }
        if self.buffer.len() < length {
            return Ok(None);
        }
        let raw = self.buffer.split_to(length).freeze();
        read(raw).map(Some).ok_or(FrameError::Damaged)
    }
}

fn read(raw: Bytes) -> Option<Event> {
    let message = read_message_from(raw.clone()).ok()?;
    let unmodeled = message.headers().iter().any(|header| {
        header.name().as_str() == ":message-type"
            && header.value().as_string().is_ok_and(|kind| kind.as_str() == "error")
    });
    if unmodeled {
        // An error that the service's description does not have: its words are for operators of the service.
        let (name, data) = (Bytes::from_static(b"error"), Bytes::from_static(b"{\"error\":{}}"));
        return Some(Event { raw, data: Some(data), event: Some(name), id: None, retry: None });
    }
    let headers = parse_response_headers(&message).ok()?;
    let name = headers.smithy_type.as_str();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let payload = message.payload();
    let mut data = BytesMut::with_capacity(payload.len() + name.len() + 5);
    data.extend_from_slice(b"{\"");
    data.extend_from_slice(name.as_bytes());
    data.extend_from_slice(b"\":");
    data.extend_from_slice(payload);
    data.extend_from_slice(b"}");
    let event = Some(Bytes::copy_from_slice(name.as_bytes()));
    Some(Event { raw, data: Some(data.freeze()), event, id: None, retry: None })
}
