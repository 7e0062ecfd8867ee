//! Google's Gemini API: what providers and clients speak.
//!
//! Shape: <https://ai.google.dev/api/generate-content>, member by member as the vendor's SDKs write it for the Gemini API and
//! not for Vertex (`_…_to_mldev` in `google/genai/models.py` and `google/genai/types.py` of
//! <https://github.com/googleapis/python-genai>, version 2.19.0, and `node/index.mjs` of `@google/genai`, version 2.32.0,
//! both read in November 2026). The model is in the address and not in the body, and so is whether the answer comes in events.
//!
//! An event is a whole response with what is new, and no event says that it was the last: the one with the reason for the
//! end is (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
//!
//! Thoughts are signed here on the part that followed from them: a call, or a text. Where another API carries such a
//! signature, a word before it says whose it is and of which part ([`SIGNED`], [`OF_TEXT`], [`OF_CALL`]), so that it comes
//! back to the same part and goes to no model of another vendor's, which would refuse it. The signature itself stays as
//! it is. The words are eight digits of base64 each (RFC 4648, section 4), so that what they begin is still base64.

mod answer;
mod config;
mod parts;
mod read;
mod read_config;
mod read_parts;
mod schema;
mod seal;
mod stream;
mod tell;
mod write;
mod writer;

pub use answer::read_answer;
pub use read::{MEMBERS, read_request};
pub use stream::Reader;
pub(crate) use tell::UNSIGNED;
pub use tell::write_answer;
pub use write::write_request;
pub use writer::Writer;

use crate::form::{Stop, Token, Usage};
use crate::json::{Json, Members};
use crate::loss::Broken;

/// What the signature of a thought itself begins with in another API.
pub const SIGNED: &str = "gemini//";
/// What a signature begins with there that stands on the text before it.
pub const OF_TEXT: &str = "gemini/t";
/// What a signature begins with there that stands on the call after it.
pub const OF_CALL: &str = "gemini/c";

/// Which part a signature stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// The text before it.
    Text,
    /// The call after it.
    Call,
}

/// Whether a signature is of this wire.
pub(crate) fn is_geminis(seal: &str) -> bool {
    [SIGNED, OF_TEXT, OF_CALL].iter().any(|word| seal.starts_with(word))
}

/// The signature of a part that is no thought, and of which.
pub(crate) fn of_part(seal: &str) -> Option<(Of, &str)> {
    let of = |word: &str, of: Of| seal.strip_prefix(word).map(|signature| (of, signature));
    of(OF_TEXT, Of::Text).or_else(|| of(OF_CALL, Of::Call))
}

/// Why an answer ended, from `finishReason`. What the service itself calls malformed is no answer. That it was a stop
/// sequence is not told apart from the end.
fn read_stop(reason: &str, calls: bool) -> Result<Stop, Broken> {
    Ok(match reason {
        "STOP" if calls => Stop::Tools,
        "STOP" => Stop::End,
        "MAX_TOKENS" => Stop::Length,
        "CONTINUATION" => Stop::Pause,
        // `OTHER` is the service's word for ending an answer without saying why, and never the model's own end.
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "OTHER"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "IMAGE_OTHER"
        | "NO_IMAGE" => Stop::Refusal,
        "MALFORMED_FUNCTION_CALL"
        | "MALFORMED_RESPONSE"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE" => {
            return Err(Broken::Content("what the service calls malformed"));
        }
        _ => Stop::Other,
    })
}

/// The `finishReason` for it.
const fn write_stop(stop: Option<&Stop>) -> &'static str {
    match stop {
        None | Some(Stop::End | Stop::Sequence(_) | Stop::Tools | Stop::Other) => "STOP",
        // Whoever pauses has not said all, and clients know one word for that.
        Some(Stop::Length | Stop::Context | Stop::Pause) => "MAX_TOKENS",
        Some(Stop::Refusal) => "SAFETY",
    }
}

/// What the writers of other wires call something, in the words of this one.
pub(crate) fn named(place: &str) -> String {
    let full = match place {
        "max_tokens" => "generationConfig.maxOutputTokens",
        "temperature" => "generationConfig.temperature",
        "top_k" => "generationConfig.topK",
        "stop" => "generationConfig.stopSequences",
        "seed" => "generationConfig.seed",
        "presence_penalty" => "generationConfig.presencePenalty",
        "frequency_penalty" => "generationConfig.frequencyPenalty",
        "logprobs" => "generationConfig.responseLogprobs",
        "response_format" => "generationConfig.responseMimeType",
        "reasoning_effort" => "generationConfig.thinkingConfig.thinkingLevel",
        "thinking" => "generationConfig.thinkingConfig",
        "tool_choice" => "toolConfig.functionCallingConfig",
        // Functions stand in lists within a list, and are one list elsewhere.
        place => match place.strip_prefix("tools.").and_then(|tool| tool.split_once('.')) {
            Some((at, member)) if at.parse::<u32>().is_ok() => return format!("tools.{member}"),
            _ => place,
        },
    };
    full.to_owned()
}

/// What stands for no reason.
const NO_REASON: &str = "FINISH_REASON_UNSPECIFIED";

/// Whether the prompt was refused, from `promptFeedback`.
fn is_blocked(feedback: &Json) -> bool {
    let reason = feedback.get("blockReason").and_then(Json::text).unwrap_or_default();
    !["", "BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED"].contains(&reason)
}

/// Reads `usageMetadata`. Tokens of the cache are among those of the prompt, and those of thoughts are not among those of the
/// candidates: the total is the sum of the prompt, the results of tools, the candidates and the thoughts.
fn read_usage(usage: Json) -> Option<Usage> {
    let mut usage = Members::of(usage, "usageMetadata").ok()?;
    let mut whole = |name: &'static str| usage.whole(name).ok().flatten().unwrap_or(0);
    let reasoning = whole("thoughtsTokenCount");
    Some(Usage {
        input: whole("promptTokenCount").saturating_add(whole("toolUsePromptTokenCount")),
        cached: whole("cachedContentTokenCount"),
        written: 0,
        output: whole("candidatesTokenCount").saturating_add(reasoning),
        reasoning,
    })
}

/// Writes `usageMetadata`.
fn write_usage(usage: &Usage) -> Json {
    let mut out = Json::object([
        ("promptTokenCount", usage.input.into()),
        ("candidatesTokenCount", usage.output.saturating_sub(usage.reasoning).into()),
        ("totalTokenCount", usage.input.saturating_add(usage.output).into()),
    ]);
    out.set_some("cachedContentTokenCount", Some(usage.cached).filter(|cached| *cached > 0));
    out.set_some("thoughtsTokenCount", Some(usage.reasoning).filter(|thoughts| *thoughts > 0));
    out
}

/// Writes `logprobsResult`.
fn write_logprobs(tokens: &[Token]) -> Json {
    let one = |text: &str, logprob: &str| {
        Json::object([("token", text.into()), ("logProbability", Json::Number(logprob.to_owned()))])
    };
    let chosen: Vec<Json> = tokens.iter().map(|token| one(&token.text, &token.logprob)).collect();
    let mut out = Json::object([("chosenCandidates", chosen.into())]);
    if tokens.iter().any(|token| !token.top.is_empty()) {
        let top = tokens.iter().map(|token| {
            let others: Vec<Json> = token.top.iter().map(|(text, logprob)| one(text, logprob)).collect();
            Json::object([("candidates", others.into())])
        });
        out.set("topCandidates", top.collect::<Vec<_>>());
    }
    out
}

/// Reads `logprobsResult`. `None` for what is not what the API says.
fn read_logprobs(result: &Json) -> Option<Vec<Token>> {
    let Some(Json::Array(chosen)) = result.get("chosenCandidates") else { return None };
    let top = match result.get("topCandidates") {
        Some(Json::Array(top)) => top.as_slice(),
        _ => &[],
    };
    let one = |candidate: &Json| {
        let Some(Json::Number(logprob)) = candidate.get("logProbability") else { return None };
        Some((candidate.get("token")?.text()?.to_owned(), logprob.clone()))
    };
    let read = |(at, candidate): (usize, &Json)| {
        let (text, logprob) = one(candidate)?;
        let others = match top.get(at).and_then(|step| step.get("candidates")) {
            Some(Json::Array(others)) => others.iter().map(one).collect::<Option<_>>()?,
            _ => Vec::new(),
        };
        Some(Token { text, logprob, top: others })
    };
    chosen.iter().enumerate().map(read).collect()
}
