//! How a simulator misbehaves.

use std::time::Duration;

/// What a simulator does with a model request (chat or embeddings). Its list of models and `/_received` always work.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// As the real service does.
    #[default]
    Normal,
    /// Reads the request and never answers.
    Hang,
    /// Sends a head and `after` events (of a whole answer: half of it), then nothing more.
    HangMidStream {
        /// Events that are sent.
        after: usize,
    },
    /// Sends a head and `after` events (of a whole answer: half of it), then resets the connection.
    DieMidStream {
        /// Events that are sent.
        after: usize,
    },
    /// Closes the connection without an answer.
    Close,
    /// Sends a `content-length` that is wrong by this many bytes; then closes the connection.
    LieAboutLength {
        /// Positive: more is promised than sent. Negative: more is sent than promised.
        by: i64,
    },
    /// Answers with bytes that are not HTTP.
    NotHttp,
    /// Sends a stream that is broken in one way. A whole answer is as always.
    BrokenSse(BrokenSse),
    /// Answers 200 with a body that is not JSON (of a stream: events whose data is not JSON).
    NotJson,
    /// Answers with this status and the service's error shape.
    Status {
        /// The status code.
        code: u16,
        /// `retry-after`, in seconds.
        retry_after: Option<u64>,
    },
    /// Answers with a redirect to an address that must never be asked.
    Redirect {
        /// The `location`.
        to: String,
    },
    /// Waits before every event (of a whole answer: once).
    SlowTokens {
        /// How long.
        delay: Duration,
    },
    /// Sends a body of this size: one endless JSON string, or one endless event.
    HugeBody {
        /// Bytes, about.
        bytes: u64,
    },
    /// Reports this as the usage of a chat, whatever it is.
    ReportUsage(serde_json::Value),
    /// Leaves usage out, whether asked for or not.
    OmitUsage,
    /// Sends the right body as `text/html`.
    WrongContentType,
    /// Claims a `content-encoding` that nobody asked for.
    Compressed,
    /// Puts the request's credential header into the answer's text.
    EchoSecret,
    /// Says just this: of a stream, one delta after the other; of a whole answer, the first as its message. `{0}` in it
    /// stands for the first placeholder of the request, `{1}` for the next other one, and so on; `{0<}` for its
    /// beginning and `{0>}` for the rest. The signature `{signature}` of a thought becomes one that holds for it.
    Say(Vec<serde_json::Value>),
    /// Answers with this and nothing else: of a stream, the data of its events (a string as it stands), of a whole answer the
    /// first as its body.
    Answer(Vec<serde_json::Value>),
    /// Reports an error inside a stream after `after` events, as vLLM does. A whole answer is as always.
    ErrorInStream {
        /// Events that are sent before.
        after: usize,
    },
}

/// One way of breaking a stream, each after two good events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokenSse {
    /// Bytes that are no field of an event.
    Garbage,
    /// An event whose JSON stops in the middle.
    HalfJson,
    /// Two events without the empty line between them.
    MissingBlankLine,
    /// An event with bytes that are not UTF-8.
    InvalidUtf8,
    /// The connection ends well, but without `[DONE]` and in the middle of the answer.
    NoDone,
    /// The stream ends in the middle of an event.
    CutEvent,
}
