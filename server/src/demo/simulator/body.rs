//! Bodies of simulated answers: events one by one, slowly if told so, and filler without end in memory.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame};
use tokio::time::{Sleep, sleep};

/// Sends one piece a frame, with a wait before each where there is a delay.
pub(super) struct Events {
    pieces: VecDeque<Bytes>,
    delay: Option<Duration>,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Events {
    pub(super) fn new(pieces: Vec<Bytes>, delay: Option<Duration>) -> Self {
        Self { pieces: pieces.into(), delay, waiting: None }
    }
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let (Some(delay), false) = (self.delay, self.pieces.is_empty()) {
            let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(delay)));
            ready!(waiting.as_mut().poll(cx));
            self.waiting = None;
        }
        Poll::Ready(self.pieces.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// Sends something, then a letter many times, then something.
pub(super) struct Filler {
    before: Bytes,
    remaining: u64,
    after: Bytes,
}

/// As much filler as is sent in one frame.
static BLOCK: [u8; 65_536] = [b'x'; 65_536];

impl Filler {
    pub(super) fn new(before: &'static [u8], bytes: u64, after: &'static [u8]) -> Self {
        Self { before: Bytes::from_static(before), remaining: bytes, after: Bytes::from_static(after) }
    }
}

impl Body for Filler {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let block = if !self.before.is_empty() {
            std::mem::take(&mut self.before)
        } else if self.remaining > 0 {
            let mut block = Bytes::from_static(&BLOCK);
            block.truncate(usize::try_from(self.remaining).unwrap_or(usize::MAX));
            self.remaining -= block.len() as u64;
            block
        } else {
            std::mem::take(&mut self.after)
        };
        Poll::Ready((!block.is_empty()).then(|| Ok(Frame::data(block))))
    }
}
