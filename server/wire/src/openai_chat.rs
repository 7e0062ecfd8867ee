//! OpenAI's chat completions, and what speaks the same.
//!
//! Shape: <https://platform.openai.com/docs/api-reference/chat/create>. Beyond it two things that services with the same
//! wire add and clients know: `reasoning_content` of a message (or `reasoning`) is what the model thought, and
//! `cache_control` of a part is a cache marker.

mod answer;
mod read;
mod stream;
mod write;

pub(crate) use answer::STOP_SEQUENCE;
pub use answer::{read_answer, write_answer};
pub use read::{MEMBERS, read_request};
pub(crate) use read::{has_only, is_data, read_source};
pub use stream::{Reader, Writer};
pub use write::write_request;

use crate::form::{Piece, Stop, Token, Usage};
use crate::gemini;
use crate::json::{Json, Members};
use crate::loss::{Broken, Losses};

/// Says of a piece of another wire's answer that it has no place here.
pub(crate) fn note(piece: &Piece, losses: &mut Losses) {
    match piece {
        Piece::Signature(_) => losses.add(answer::SIGNATURE),
        Piece::Encrypted(seal) if gemini::of_part(seal).is_none() => losses.add(answer::ENCRYPTED),
        Piece::Stop(Stop::Sequence(Some(_))) => losses.add(answer::STOP_SEQUENCE),
        _ => {}
    }
}

/// Why an answer ended, from `finish_reason`. Where one function was asked for by name, it is `stop` though the answer
/// calls it: <https://github.com/vllm-project/vllm/pull/25054>.
fn read_stop(reason: &str, calls: bool) -> Stop {
    match reason {
        "stop" if calls => Stop::Tools,
        "stop" => Stop::End,
        "length" => Stop::Length,
        "tool_calls" | "function_call" => Stop::Tools,
        "content_filter" => Stop::Refusal,
        _ => Stop::Other,
    }
}

/// The `finish_reason` for it.
const fn write_stop(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Sequence(_) | Stop::Other => "stop",
        // Whoever pauses has not said all, and this wire has one word for that.
        Stop::Length | Stop::Context | Stop::Pause => "length",
        Stop::Tools => "tool_calls",
        Stop::Refusal => "content_filter",
    }
}

/// Reads `usage`. What is no count counts as nothing: whoever books it reads it again, and doubts.
fn read_usage(usage: Json) -> Option<Usage> {
    let mut usage = Members::of(usage, "usage").ok()?;
    let whole = |members: &mut Members, name: &'static str| members.whole(name).ok().flatten().unwrap_or(0);
    let input = usage.whole("prompt_tokens").ok()??;
    let output = whole(&mut usage, "completion_tokens");
    let mut prompt = usage.members("prompt_tokens_details").ok().flatten().unwrap_or_default();
    let mut answer = usage.members("completion_tokens_details").ok().flatten().unwrap_or_default();
    Some(Usage {
        input,
        cached: whole(&mut prompt, "cached_tokens"),
        written: whole(&mut prompt, "cache_write_tokens")
            .max(whole(&mut usage, "cache_creation_input_tokens")),
        output,
        reasoning: whole(&mut answer, "reasoning_tokens"),
    })
}

/// Writes `usage`.
fn write_usage(usage: &Usage) -> Json {
    let mut out = Json::object([
        ("prompt_tokens", usage.input.into()),
        ("completion_tokens", usage.output.into()),
        ("total_tokens", usage.input.saturating_add(usage.output).into()),
    ]);
    let mut prompt = Json::object([("cached_tokens", usage.cached.into())]);
    if usage.written > 0 {
        prompt.set("cache_write_tokens", usage.written);
    }
    out.set("prompt_tokens_details", prompt);
    if usage.reasoning > 0 {
        out.set("completion_tokens_details", Json::object([("reasoning_tokens", usage.reasoning.into())]));
    }
    out
}

/// Reads `logprobs`. `None` for what is not what the API says.
fn read_logprobs(logprobs: &Json) -> Option<Vec<Token>> {
    let Some(Json::Array(tokens)) = logprobs.get("content") else { return None };
    let one = |token: &Json| {
        let Some(Json::Number(logprob)) = token.get("logprob") else { return None };
        Some((token.get("token")?.text()?.to_owned(), logprob.clone()))
    };
    let read = |token: &Json| {
        let (text, logprob) = one(token)?;
        let top = match token.get("top_logprobs") {
            Some(Json::Array(top)) => top.iter().map(one).collect::<Option<_>>()?,
            _ => Vec::new(),
        };
        Some(Token { text, logprob, top })
    };
    tokens.iter().map(read).collect()
}

/// Writes `logprobs`.
fn write_logprobs(tokens: &[Token]) -> Json {
    let one = |text: &str, logprob: &str| {
        let bytes: Vec<Json> = text.bytes().map(|byte| u64::from(byte).into()).collect();
        Json::object([
            ("token", text.into()),
            ("logprob", Json::Number(logprob.to_owned())),
            ("bytes", bytes.into()),
        ])
    };
    let written = tokens.iter().map(|token| {
        let mut written = one(&token.text, &token.logprob);
        let top: Vec<Json> = token.top.iter().map(|(text, logprob)| one(text, logprob)).collect();
        written.set("top_logprobs", top);
        written
    });
    Json::object([("content", written.collect::<Vec<_>>().into()), ("refusal", Json::Null)])
}

/// The type of a `data:` URL of base64 (RFC 2397) without any other parameter, and where its bytes begin.
fn data_url_at(url: &str) -> Option<(&str, usize)> {
    let (media_type, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    (!media_type.contains(';')).then_some((media_type, url.len() - data.len()))
}

/// What Google's own service with this wire says of a message or of a call besides: the signature of a thought, as
/// `google.thought_signature` (<https://ai.google.dev/gemini-api/docs/thought-signatures>).
const EXTRA: &str = "extra_content";

fn write_signature(signature: &str) -> Json {
    Json::object([("google", Json::object([("thought_signature", signature.into())]))])
}

/// Refuses what is not an object of the name.
fn object(value: Json, what: &'static str) -> Result<Members, Broken> {
    Members::of(value, what)
}
