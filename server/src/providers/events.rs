//! The events of a streamed answer, read from its body one by one and judged by the wire.
//!
//! The window is one event (bounded by the attempt's limit) and one chunk of the body. A stream must end with the
//! protocol's end mark: one that just ends has broken off, because its last words cannot be told from its middle.

use std::time::Duration;

use bytes::Bytes;

use super::{
    client::UpstreamBody,
    failure::{Malformed, UpstreamFailure},
    frames::{self, FrameError},
    sse::{self, Event},
    wire::{StreamEvent, Wire},
};

/// How long the end of the body may take after the end mark. It comes in the same packet, as a rule; waiting for it
/// lets the connection be kept.
const END_AFTER_DONE: Duration = Duration::from_millis(100);

/// How a stream is cut into events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Server-Sent Events.
    Sse,
    /// AWS's frames.
    AwsEventStream,
}

#[derive(Debug)]
enum Decoder {
    Sse(sse::Decoder),
    Frames(frames::Decoder),
}

impl Decoder {
    fn push(&mut self, chunk: Bytes) {
        match self {
            Self::Sse(decoder) => decoder.push(chunk),
            Self::Frames(decoder) => decoder.push(&chunk),
        }
    }

    fn next_event(&mut self) -> Result<Option<Event>, UpstreamFailure> {
        match self {
            Self::Sse(decoder) => decoder.next_event().map_err(|_| UpstreamFailure::TooLarge),
            Self::Frames(decoder) => decoder.next_event().map_err(|error| match error {
                FrameError::TooLarge => UpstreamFailure::TooLarge,
                FrameError::Damaged => UpstreamFailure::Malformed(Malformed::EventStream),
            }),
        }
    }

    /// What is left at the end of the body. Of a frame that was cut nothing is.
    fn finish(self) -> Option<Event> {
        match self {
            Self::Sse(decoder) => decoder.finish().0,
            Self::Frames(_) => None,
        }
    }
}

/// A streamed answer. Dropping it closes the connection, which tells the provider to stop.
#[derive(Debug)]
pub struct UpstreamEvents {
    body: UpstreamBody,
    decoder: Option<Decoder>,
}

impl UpstreamEvents {
    /// Reads events from a body that [`Wire::check_head`] found to be a stream.
    pub fn new(body: UpstreamBody, framing: Framing, max_event_bytes: usize) -> Self {
        let decoder = match framing {
            Framing::Sse => Decoder::Sse(sse::Decoder::new(max_event_bytes)),
            Framing::AwsEventStream => Decoder::Frames(frames::Decoder::new(max_event_bytes)),
        };
        Self { body, decoder: Some(decoder) }
    }

    /// The next event and what it is, the end mark included; `None` after that. Dropping the future loses nothing.
    ///
    /// # Errors
    /// Every [`UpstreamFailure`] of a body, and those of [`Wire::read_event`]. After an error the stream is over.
    pub async fn next(&mut self, wire: &dyn Wire) -> Result<Option<(Event, StreamEvent)>, UpstreamFailure> {
        loop {
            let Some(decoder) = &mut self.decoder else { return Ok(None) };
            if let Some(event) = decoder.next_event()? {
                return self.judge(wire, event).map(Some);
            }
            if let Some(chunk) = self.body.chunk().await? {
                decoder.push(chunk);
                continue;
            }
            let last = self.decoder.take().and_then(Decoder::finish);
            return match last.map(|event| self.judge(wire, event)).transpose()? {
                Some((event, done @ StreamEvent::Done { .. })) => Ok(Some((event, done))),
                Some(_) | None => Err(UpstreamFailure::Malformed(Malformed::EventStream)),
            };
        }
    }

    /// Gives the connection back to the pool, after the end mark; whatever else still comes is not read.
    pub async fn close(mut self) {
        // Time or an error: either way the connection is closed instead of kept, which is all that is at stake.
        let _ended = tokio::time::timeout(END_AFTER_DONE, self.body.chunk()).await;
    }

    fn judge(&mut self, wire: &dyn Wire, event: Event) -> Result<(Event, StreamEvent), UpstreamFailure> {
        let judged = wire.read_event(&event);
        if !matches!(judged, Ok(StreamEvent::Quiet | StreamEvent::Chunk { .. })) {
            self.decoder = None;
        }
        judged.map(|kind| (event, kind))
    }
}
