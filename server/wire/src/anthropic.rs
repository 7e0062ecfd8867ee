//! Anthropic's messages.
//!
//! Shape: <https://platform.claude.com/docs/en/api/messages>, and for events
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>.

mod answer;
mod read;
mod stream;
mod write;

pub use answer::{read_answer, write_answer};
pub use read::{COUNTED, MEMBERS, read_request};
pub use stream::{Reader, Writer};
pub use write::write_request;

use crate::form::{Stop, Usage};
use crate::json::{Json, Members};

/// What the writers of other wires call something, in the words of this one.
pub(crate) fn named(place: &str) -> String {
    match place {
        "reasoning_effort" => String::from("output_config.effort"),
        place => place.replace(".file.filename", ".title"),
    }
}

/// Why an answer ended, from `stop_reason` and `stop_sequence`.
fn read_stop(reason: &str, sequence: Option<String>) -> Stop {
    match reason {
        "end_turn" => Stop::End,
        "max_tokens" => Stop::Length,
        "stop_sequence" => Stop::Sequence(sequence),
        "tool_use" => Stop::Tools,
        "refusal" => Stop::Refusal,
        "pause_turn" => Stop::Pause,
        "model_context_window_exceeded" => Stop::Context,
        _ => Stop::Other,
    }
}

/// The `stop_reason` for it.
const fn write_stop(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Other => "end_turn",
        Stop::Length => "max_tokens",
        Stop::Sequence(_) => "stop_sequence",
        Stop::Tools => "tool_use",
        Stop::Refusal => "refusal",
        Stop::Pause => "pause_turn",
        Stop::Context => "model_context_window_exceeded",
    }
}

/// Reads `usage`. Here the tokens of the prompt are told in three parts that do not overlap.
fn read_usage(usage: Json) -> Option<Usage> {
    let mut usage = Members::of(usage, "usage").ok()?;
    let mut whole = |name: &'static str| usage.whole(name).ok().flatten().unwrap_or(0);
    let (cached, written) = (whole("cache_read_input_tokens"), whole("cache_creation_input_tokens"));
    let input = whole("input_tokens").saturating_add(cached).saturating_add(written);
    let output = whole("output_tokens");
    let mut details = usage.members("output_tokens_details").ok().flatten().unwrap_or_default();
    let reasoning = details.whole("thinking_tokens").ok().flatten().unwrap_or(0);
    Some(Usage { input, cached, written, output, reasoning })
}

/// Writes `usage`.
fn write_usage(usage: &Usage) -> Json {
    let plain = usage.input.saturating_sub(usage.cached).saturating_sub(usage.written);
    let mut out = Json::object([
        ("input_tokens", plain.into()),
        ("cache_creation_input_tokens", usage.written.into()),
        ("cache_read_input_tokens", usage.cached.into()),
        ("output_tokens", usage.output.into()),
    ]);
    if usage.reasoning > 0 {
        out.set("output_tokens_details", Json::object([("thinking_tokens", usage.reasoning.into())]));
    }
    out
}
