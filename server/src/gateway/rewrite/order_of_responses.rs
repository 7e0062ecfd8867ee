//! The order of the events of OpenAI's Responses, as far as an answer's end hangs on it: an answer begins once, begins its items one
//! after the other, says more only of one that is open, ends each, and only then is complete. A stream that says less was cut
//! off, whatever its last event is.
//!
//! Kept of a stream: how many items have begun, and the places of those that are open, of which there are at most
//! [`MOST_OPEN`].

use crate::providers::UpstreamFailure;
use crate::providers::failure::Malformed;

/// Items that may be open at once.
const MOST_OPEN: usize = 64;

/// How far an answer has come.
#[derive(Debug, Default)]
pub(super) struct Order {
    begun: bool,
    items: u64,
    open: Vec<u64>,
}

impl Order {
    /// Takes note of an event as the provider sent it; `output` is the place of the item that it is about.
    ///
    /// # Errors
    /// [`Malformed::EventStream`].
    pub(super) fn event(&mut self, kind: &str, output: Option<u64>) -> Result<(), UpstreamFailure> {
        let in_order = match (kind, output) {
            ("response.created", _) => !std::mem::replace(&mut self.begun, true),
            ("response.output_item.added", Some(at)) => {
                let is_next = at == self.items;
                self.items += 1;
                self.open.push(at);
                self.begun && is_next && self.open.len() <= MOST_OPEN
            }
            ("response.output_item.done", Some(at)) => {
                let was_open = self.open.contains(&at);
                self.open.retain(|open| *open != at);
                was_open
            }
            ("response.output_item.added" | "response.output_item.done", None) => false,
            ("response.completed", _) => self.begun && self.open.is_empty(),
            (_, Some(at)) => self.open.contains(&at),
            (_, None) => self.begun,
        };
        if in_order { Ok(()) } else { Err(UpstreamFailure::Malformed(Malformed::EventStream)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: (&str, Option<u64>) = ("response.created", None);
    const ADDED: (&str, Option<u64>) = ("response.output_item.added", Some(0));
    const DELTA: (&str, Option<u64>) = ("response.output_text.delta", Some(0));
    const DONE: (&str, Option<u64>) = ("response.output_item.done", Some(0));
    const NEXT: (&str, Option<u64>) = ("response.output_item.added", Some(1));
    const COMPLETED: (&str, Option<u64>) = ("response.completed", None);
    const INCOMPLETE: (&str, Option<u64>) = ("response.incomplete", None);

    /// Whether all events are in order.
    fn all(events: &[(&str, Option<u64>)]) -> bool {
        let mut order = Order::default();
        events.iter().all(|(kind, output)| order.event(kind, *output).is_ok())
    }

    #[test]
    fn an_end_that_nobody_said_is_none() {
        assert!(all(&[CREATED, ("response.in_progress", None), ADDED, DELTA, DONE, COMPLETED]));
        assert!(all(&[CREATED, COMPLETED]));
        assert!(all(&[CREATED, ADDED, DELTA, INCOMPLETE]));
        assert!(all(&[CREATED, ADDED, NEXT, DONE, ("response.output_item.done", Some(1)), COMPLETED]));
        for events in [
            &[COMPLETED][..],
            &[INCOMPLETE],
            &[ADDED],
            &[CREATED, CREATED],
            &[CREATED, DELTA],
            &[CREATED, NEXT],
            &[CREATED, DONE],
            &[CREATED, ADDED, COMPLETED],
            &[CREATED, ADDED, ADDED],
            &[CREATED, ADDED, DONE, DELTA],
            &[CREATED, ADDED, DONE, DONE],
            &[("response.in_progress", None)],
        ] {
            assert!(!all(events), "{events:?}");
        }
    }
}
