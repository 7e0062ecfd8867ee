//! The answer on its way to the client: usage metered, findings counted, placeholders restored.
//!
//! A stream is passed on event by event. An event that nothing changes goes out byte for byte as it came. The task that
//! runs the attempt owns the provider's stream; the client's body is only its far end, so that settlement does not
//! depend on the client. When the client leaves, the provider's stream is read on for a short while, because its last
//! event says what it cost; after that the connection is closed and the reservation is booked.

use std::time::Duration;

use bailiwick_wire::Losses;
use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio::sync::mpsc;

use super::Gateway;
use super::decide::Decided;
use super::rewrite::{Chunk, Rewriter};
use super::translate::{Translation, broken};
use crate::providers::{Api, Operation, StreamEvent, UpstreamEvents, UpstreamFailure, Usage, Wire, sse};
use crate::router::Candidate;

/// Chunks that may wait for a slow client.
pub const QUEUE: usize = 32;

/// How long a client may take nothing of a stream.
const CLIENT_STALL: Duration = Duration::from_secs(60);

/// How long a stream is read on for its usage after the client has left.
const AFTERLIFE: Duration = Duration::from_secs(5);

/// What goes to the client of a stream.
pub type Frames = mpsc::Sender<Result<Frame<Bytes>, std::io::Error>>;

/// A whole answer, ready for the client.
#[derive(Debug)]
pub struct Whole {
    /// The body.
    pub body: Bytes,
    /// The provider's usage.
    pub usage: Option<Usage>,
    /// What of it the client's API has no place for, or would have told what is redacted.
    pub left_out: Losses,
}

/// Reads an answer to `asked` on the wire, brings it back into the client's shape, and rewrites it there as one to
/// `operation`.
///
/// # Errors
/// [`UpstreamFailure::Malformed`].
pub fn whole(
    wire: &dyn Wire,
    (asked, operation): (Operation, Operation),
    back: Option<&Translation>,
    body: Bytes,
    rewriter: &mut Rewriter,
) -> Result<Whole, UpstreamFailure> {
    let usage = wire.read_answer(asked, &body)?.usage;
    let (body, mut left_out) = match back {
        Some(back) => back.whole(&body)?,
        None => (body, Losses::default()),
    };
    let body = match operation {
        Operation::ChatCompletions => rewriter.whole(body)?,
        Operation::Responses => rewriter.response(body)?,
        Operation::Messages | Operation::CountTokens => rewriter.message(body)?,
        // Vectors hold no text, and what stands beside them is scanned.
        Operation::Embeddings => rewriter.vectors(body)?,
    };
    left_out.merge(&rewriter.left_out());
    Ok(Whole { body, usage, left_out })
}

/// How a stream ended.
#[derive(Debug, Default)]
pub struct StreamEnd {
    /// What went wrong, if something did.
    pub failure: Option<UpstreamFailure>,
    /// The provider's usage.
    pub usage: Option<Usage>,
    /// Whether the client left first.
    pub client_gone: bool,
    /// Whether the provider's own end was seen, be it after the client had left.
    pub complete: bool,
    /// Microseconds of waiting for the provider between its chunks.
    pub waited_us: u64,
    /// What of it the client's API has no place for, or would have told what is redacted.
    pub left_out: Losses,
}

/// A stream between provider and client.
#[derive(Debug)]
pub struct Relay<'a> {
    gateway: &'a Gateway,
    decided: &'a Decided,
    wire: &'a dyn Wire,
    candidate: Candidate<'a>,
    rewriter: &'a mut Rewriter,
    /// Whose API the client speaks.
    api: Api,
    /// Brings events back into the client's shape, where they are not in it.
    back: Option<bailiwick_wire::Stream>,
    /// Whether the client did not ask for usage and is not to see it.
    hide_usage: bool,
    client: Frames,
    end: StreamEnd,
}

impl<'a> Relay<'a> {
    /// Sets up a relay to `client`.
    pub fn new(
        (gateway, decided): (&'a Gateway, &'a Decided),
        wire: &'a dyn Wire,
        candidate: Candidate<'a>,
        rewriter: &'a mut Rewriter,
        (api, back): (Api, Option<Translation>),
        hide_usage: bool,
        client: Frames,
    ) -> Self {
        let back = back.map(|back| back.stream());
        Self {
            gateway,
            decided,
            wire,
            candidate,
            rewriter,
            api,
            back,
            hide_usage,
            client,
            end: StreamEnd::default(),
        }
    }

    /// Passes the stream on to its end, from its first event on.
    pub async fn run(
        mut self,
        first: (sse::Event, StreamEvent),
        events: UpstreamEvents,
    ) -> (StreamEnd, Frames) {
        if let Err(failure) = self.pass(first, events).await {
            // What is held of the text was said before it broke off. After a credential nothing is let out.
            if !matches!(failure, UpstreamFailure::CredentialEcho)
                && let Ok(held) = self.rewriter.abandon()
            {
                for held in held {
                    self.send(framed(self.api, held.as_bytes())).await;
                }
            }
            self.end.failure = Some(failure);
        }
        if let Some(back) = &self.back {
            self.end.left_out = back.losses().clone();
        }
        self.end.left_out.merge(&self.rewriter.left_out());
        (self.end, self.client)
    }

    async fn pass(
        &mut self,
        first: (sse::Event, StreamEvent),
        mut events: UpstreamEvents,
    ) -> Result<(), UpstreamFailure> {
        let mut next = Some(first);
        let mut left_at = None;
        while let Some((event, kind)) = next {
            let done = matches!(kind, StreamEvent::Done { .. });
            self.event(&event, kind).await?;
            if done {
                self.end.complete = true;
                events.close().await;
                return Ok(());
            }
            let waiting = std::time::Instant::now();
            next = loop {
                if self.end.client_gone {
                    let left = *left_at.get_or_insert_with(tokio::time::Instant::now);
                    match tokio::time::timeout_at(left + AFTERLIFE, events.next(self.wire)).await {
                        Ok(Ok(next)) => break next,
                        _ => return Ok(()),
                    }
                }
                tokio::select! {
                    next = events.next(self.wire) => break next?,
                    () = self.client.closed() => self.end.client_gone = true,
                }
            };
            self.end.waited_us += u64::try_from(waiting.elapsed().as_micros()).unwrap_or(0);
        }
        Ok(())
    }

    async fn event(&mut self, event: &sse::Event, kind: StreamEvent) -> Result<(), UpstreamFailure> {
        if self.candidate.route.target.credential().is_some_and(|credential| credential.occurs_in(&event.raw))
        {
            return Err(UpstreamFailure::CredentialEcho);
        }
        if let StreamEvent::Chunk { usage: Some(usage), .. } | StreamEvent::Done { usage: Some(usage) } = kind
        {
            self.end.usage = Some(self.end.usage.map_or(usage, |before| before.at_least(usage)));
        }
        if kind == StreamEvent::Quiet {
            // Comments keep a connection alive. What they say is not for the client, and nobody has scanned it.
            let quiet = match self.api {
                Api::OpenAi | Api::OpenAiResponses => ":\n\n",
                Api::Anthropic => "event: ping\ndata: {\"type\":\"ping\"}\n\n",
            };
            self.send(Bytes::from_static(quiet.as_bytes())).await;
            return Ok(());
        }
        let Some(bytes) = event.data.clone() else { return Ok(()) };
        let Some(back) = &mut self.back else {
            let hidden = matches!(kind, StreamEvent::Chunk { usage_only: true, .. }) && self.hide_usage;
            return if hidden { Ok(()) } else { self.pass_on(bytes, Some(&event.raw)).await };
        };
        for event in back.event(&bytes).map_err(broken)? {
            self.pass_on(Bytes::from(event), None).await?;
        }
        Ok(())
    }

    /// Rewrites an event in the client's shape and sends it: as it came (`raw`) where nothing changes.
    async fn pass_on(&mut self, bytes: Bytes, raw: Option<&Bytes>) -> Result<(), UpstreamFailure> {
        let chunk = match self.api {
            Api::OpenAi if bytes.trim_ascii() == b"[DONE]" => {
                Chunk { before: self.rewriter.finish()?, data: Some(bytes), changed: false }
            }
            Api::OpenAi => self.rewriter.chunk(bytes, self.hide_usage)?,
            Api::OpenAiResponses => self.rewriter.response_event(bytes)?,
            Api::Anthropic => self.rewriter.message_event(bytes)?,
        };
        // Before the client has it, or it could send it back before it is known.
        self.gateway.remember(self.decided, self.rewriter).await;
        for held in &chunk.before {
            self.send(framed(self.api, held.as_bytes())).await;
        }
        let Some(rewritten) = chunk.data else { return Ok(()) };
        let name = name_of(self.api, &rewritten);
        let bytes = match raw {
            Some(raw) if !chunk.changed && says_only(raw, name.as_deref()) => raw.clone(),
            _ => named(name.as_deref(), &rewritten),
        };
        self.send(bytes).await;
        Ok(())
    }

    async fn send(&mut self, bytes: Bytes) {
        if self.end.client_gone {
            return;
        }
        self.end.client_gone = !give(&self.client, Frame::data(bytes)).await;
    }
}

/// Gives a client its next frame, and tells whether it took it. One that takes nothing for [`CLIENT_STALL`] counts as gone:
/// it must not hold a reservation for ever.
pub(super) async fn give(client: &Frames, frame: Frame<Bytes>) -> bool {
    matches!(tokio::time::timeout(CLIENT_STALL, client.send(Ok(frame))).await, Ok(Ok(())))
}

/// Whether an event has no line but its data and, where its API names events, the name that it should have: nothing that
/// was not scanned.
fn says_only(raw: &[u8], name: Option<&str>) -> bool {
    let is_name = |line: &[u8]| {
        let said = line.strip_prefix(b"event:").map(<[u8]>::trim_ascii);
        said.is_some_and(|said| name.is_some_and(|name| said == name.as_bytes()))
    };
    raw.split(|byte| matches!(byte, b'\n' | b'\r'))
        .all(|line| line.is_empty() || line.starts_with(b"data:") || is_name(line))
}

/// The name that an event has by its data: Anthropic's events are named by their type, and so are those of a response.
fn name_of(api: Api, json: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Typed<'a> {
        #[serde(borrow, rename = "type")]
        kind: std::borrow::Cow<'a, str>,
    }
    let plain =
        |kind: &str| kind.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.'));
    match api {
        Api::OpenAi => None,
        Api::OpenAiResponses | Api::Anthropic => {
            let typed = serde_json::from_slice::<Typed<'_>>(json).ok();
            typed.map(|typed| typed.kind.into_owned()).filter(|kind| plain(kind))
        }
    }
}

/// One event of an API with `json` as its data.
#[must_use]
pub fn framed(api: Api, json: &[u8]) -> Bytes {
    named(name_of(api, json).as_deref(), json)
}

fn named(name: Option<&str>, json: &[u8]) -> Bytes {
    let Some(name) = name else { return data(json) };
    let mut out = format!("event: {name}\n").into_bytes();
    out.extend_from_slice(&data(json));
    Bytes::from(out)
}

/// One event with `json` as its data. JSON on one line: the rewriter keeps the provider's, which SSE has joined, so a
/// line break within it gets a field of its own again.
#[must_use]
pub fn data(json: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(json.len() + 8);
    for line in json.split(|byte| *byte == b'\n') {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.push(b'\n');
    Bytes::from(out)
}

/// The trailers that a stream may have.
pub const TRAILERS: &str = "x-bailiwick-cost, x-bailiwick-left-out";

/// The trailers that tell a stream's cost and what was left out of it, where HTTP carries trailers.
#[must_use]
pub fn trailers(cost: Option<&str>, left_out: &Losses) -> Option<HeaderMap> {
    let left_out = left_out.places().collect::<Vec<_>>().join(", ");
    let told = [("x-bailiwick-cost", cost.unwrap_or_default()), ("x-bailiwick-left-out", &left_out)];
    let told = told.into_iter().filter(|(_, text)| !text.is_empty()).filter_map(|(name, text)| {
        Some((http::HeaderName::from_static(name), http::HeaderValue::from_str(text).ok()?))
    });
    Some(HeaderMap::from_iter(told)).filter(|trailers| !trailers.is_empty())
}
