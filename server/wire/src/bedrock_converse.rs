//! Amazon Bedrock's Converse: what a provider speaks, and no client here does.
//!
//! Shape: <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> and
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>, member by member as the
//! service's own description has it (`bedrock-runtime/2023-09-30/service-2.json` in
//! <https://github.com/boto/botocore>, version 1.44.5, read in November 2026). The model is in the address and not in the
//! body, and so is whether the answer comes in events.
//!
//! An event here is the JSON of the service's union: `{"contentBlockDelta": {…}}`, the frame's name and its payload. An
//! answer has neither an id nor the model's name: whoever asked knows them ([`crate::Untold`]).

mod answer;
mod parts;
mod stream;
mod write;

pub use answer::read_answer;
pub use stream::Reader;
pub use write::write_request;

use crate::form::{Stop, Usage};
use crate::json::{Json, Members};
use crate::loss::Broken;

/// Why an answer ended, from `stopReason`. What the service itself calls malformed is no answer.
fn read_stop(reason: &str, sequence: Option<String>) -> Result<Stop, Broken> {
    Ok(match reason {
        "end_turn" => Stop::End,
        "max_tokens" => Stop::Length,
        "stop_sequence" => Stop::Sequence(sequence),
        "tool_use" => Stop::Tools,
        "guardrail_intervened" | "content_filtered" => Stop::Refusal,
        "model_context_window_exceeded" => Stop::Context,
        "malformed_model_output" | "malformed_tool_use" => {
            return Err(Broken::Content("what the service calls malformed"));
        }
        _ => Stop::Other,
    })
}

/// What of the model's own members was asked for ([`write`]): which sequence ended the answer.
fn read_sequence(members: &mut Members) -> Option<String> {
    let more = members.take("additionalModelResponseFields")?;
    more.get("stop_sequence").and_then(Json::text).map(str::to_owned)
}

/// Reads `usage`. The tokens of the prompt are told in three parts that do not overlap:
/// <https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html>.
fn read_usage(usage: Json) -> Option<Usage> {
    let mut usage = Members::of(usage, "usage").ok()?;
    let mut whole = |name: &'static str| usage.whole(name).ok().flatten().unwrap_or(0);
    let (cached, written) = (whole("cacheReadInputTokens"), whole("cacheWriteInputTokens"));
    let input = whole("inputTokens").saturating_add(cached).saturating_add(written);
    let output = whole("outputTokens");
    Some(Usage { input, cached, written, output, ..Usage::default() })
}
