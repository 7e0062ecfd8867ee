//! The order of the events of Anthropic's API, as far as an answer's end hangs on it: a message begins once, says why it
//! ended, closes what it opened, and only then is over. A stream that says less was cut off, whatever its last event is.
//!
//! Kept of a stream: the indices of its open blocks, of which the rewriter bounds the number.

use crate::gateway::document::Document;
use crate::providers::UpstreamFailure;
use crate::providers::failure::Malformed;

/// How far a message has come.
#[derive(Debug, Default)]
pub(super) struct Order {
    begun: bool,
    /// Whether it was said why it ended.
    reasoned: bool,
    open: Vec<u64>,
}

impl Order {
    /// Takes note of an event as the provider sent it.
    ///
    /// # Errors
    /// [`Malformed::EventStream`].
    pub(super) fn event(
        &mut self,
        document: &Document,
        kind: &str,
        index: Option<u64>,
    ) -> Result<(), UpstreamFailure> {
        let in_order = match kind {
            "message_start" => !std::mem::replace(&mut self.begun, true),
            "content_block_start" => {
                self.open.extend(index);
                self.begun && !self.reasoned
            }
            "content_block_delta" => self.begun && !self.reasoned,
            "content_block_stop" => {
                self.open.retain(|open| Some(*open) != index);
                self.begun
            }
            "message_delta" => {
                let delta = document.member("delta");
                let reason = delta.and_then(|delta| document.get(delta, "stop_reason"));
                self.reasoned |= reason.is_some_and(|reason| document.string(reason).is_some());
                self.begun
            }
            "message_stop" => self.begun && self.reasoned && self.open.is_empty(),
            _ => true,
        };
        if in_order { Ok(()) } else { Err(UpstreamFailure::Malformed(Malformed::EventStream)) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::gateway::document::Limits;

    const START: &str = r#"{"type":"message_start","message":{}}"#;
    const OPEN: &str = r#"{"type":"content_block_start","index":0,"content_block":{}}"#;
    const SAID: &str = r#"{"type":"content_block_delta","index":0,"delta":{}}"#;
    const CLOSE: &str = r#"{"type":"content_block_stop","index":0}"#;
    const REASON: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#;
    const USAGE: &str = r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":{}}"#;
    const STOP: &str = r#"{"type":"message_stop"}"#;

    /// Whether all events are in order.
    fn all(events: &[&str]) -> bool {
        let mut order = Order::default();
        events.iter().all(|event| {
            let bytes = Bytes::copy_from_slice(event.as_bytes());
            let document = Document::parse(bytes, Limits::default()).unwrap();
            let kind = document.string(document.member("type").unwrap()).unwrap();
            let index = document.member("index").and_then(|id| document.unsigned(id));
            order.event(&document, &kind, index).is_ok()
        })
    }

    #[test]
    fn an_end_that_nobody_said_is_none() {
        assert!(all(&[START, OPEN, SAID, CLOSE, REASON, STOP]));
        assert!(all(&[START, r#"{"type":"ping"}"#, USAGE, REASON, USAGE, STOP]));
        for events in [
            &[STOP][..],
            &[START, STOP],
            &[START, OPEN, SAID, CLOSE, STOP],
            &[START, OPEN, SAID, CLOSE, USAGE, STOP],
            &[START, OPEN, SAID, REASON, STOP],
            &[START, START],
            &[OPEN],
            &[REASON],
            &[START, REASON, OPEN],
            &[START, OPEN, REASON, SAID],
        ] {
            assert!(!all(events), "{events:?}");
        }
    }
}
