//! OpenAI's Responses: what a client speaks, and services that have it get as it came.
//!
//! Shape: <https://platform.openai.com/docs/api-reference/responses/create> and
//! <https://platform.openai.com/docs/api-reference/responses-streaming>, member by member as the types of the vendor's SDK have
//! it (<https://github.com/openai/openai-python>, version 3.54.0, read in November 2026). So only requests are read here, and
//! only answers written.
//!
//! A thought that its model signed or sealed goes to the client as `encrypted_content`, under a word that says which of the
//! two it is ([`SIGNED`], [`SEALED`]), and comes back as what it was. One without such a word is of another service, which
//! alone could read it: it is left out, and said to be.

mod answer;
mod read;
mod stream;

pub use answer::write_answer;
pub use read::{MEMBERS, read_request};
pub use stream::Writer;

use crate::form::{Piece, Stop, Usage};
use crate::json::Json;
use crate::loss::Losses;
use crate::openai_chat::STOP_SEQUENCE;

/// What the signature of a thought begins with in `encrypted_content`; of the alphabet of what follows it (RFC 4648, section 5).
pub const SIGNED: &str = "signed-thought-";
/// What a sealed thought begins with there.
pub const SEALED: &str = "sealed-thought-";

/// Says of a piece of another wire's answer that it has no place here.
pub(crate) fn note(piece: &Piece, losses: &mut Losses) {
    if let Piece::Stop(Stop::Sequence(Some(_))) = piece {
        losses.add(STOP_SEQUENCE);
    }
}

/// What the writers of other wires call something, in the words of this one.
pub(crate) fn named(place: &str) -> String {
    if let Some(format) = place.strip_prefix("response_format") {
        return format!("text.format{}", format.strip_prefix(".json_schema").unwrap_or(format));
    }
    match place {
        "max_tokens" => String::from("max_output_tokens"),
        "reasoning_effort" => String::from("reasoning.effort"),
        place => place.replace(".image_url.detail", ".detail").replace(".file.filename", ".filename"),
    }
}

/// Why an answer is not whole, where it is not.
const fn incomplete(stop: &Stop) -> Option<&'static str> {
    match stop {
        Stop::End | Stop::Sequence(_) | Stop::Tools | Stop::Other => None,
        // Whoever pauses has not said all, and this wire has one word for that.
        Stop::Length | Stop::Context | Stop::Pause => Some("max_output_tokens"),
        Stop::Refusal => Some("content_filter"),
    }
}

/// Writes `usage`.
fn write_usage(usage: &Usage) -> Json {
    Json::object([
        ("input_tokens", usage.input.into()),
        (
            "input_tokens_details",
            Json::object([
                ("cached_tokens", usage.cached.into()),
                ("cache_write_tokens", usage.written.into()),
            ]),
        ),
        ("output_tokens", usage.output.into()),
        ("output_tokens_details", Json::object([("reasoning_tokens", usage.reasoning.into())])),
        ("total_tokens", usage.input.saturating_add(usage.output).into()),
    ])
}

/// What every answer begins with. What the request asked is not told again: `null` where the API allows it.
fn head(id: &str, model: &str, created: u64, status: &str) -> Json {
    let id = if id.starts_with("resp_") { id.to_owned() } else { format!("resp_{id}") };
    Json::object([
        ("id", id.into()),
        ("object", "response".into()),
        ("created_at", created.into()),
        ("status", status.into()),
        ("background", false.into()),
        ("error", Json::Null),
        ("instructions", Json::Null),
        ("max_output_tokens", Json::Null),
        ("metadata", Json::Object(Vec::new())),
        ("model", model.into()),
        ("parallel_tool_calls", true.into()),
        ("previous_response_id", Json::Null),
        ("store", false.into()),
        ("temperature", Json::Null),
        ("tool_choice", "auto".into()),
        ("tools", Vec::<Json>::new().into()),
        ("top_p", Json::Null),
    ])
}

/// What an answer that has ended says of its end.
fn write_end(stop: Option<&Stop>, usage: Option<&Usage>, out: &mut Json) {
    let why = stop.and_then(incomplete).map(|reason| Json::object([("reason", reason.into())]));
    out.set("incomplete_details", why.unwrap_or(Json::Null));
    out.set("usage", usage.map_or(Json::Null, write_usage));
}

/// The word for how an answer ended.
fn status(stop: Option<&Stop>) -> &'static str {
    if stop.and_then(incomplete).is_some() { "incomplete" } else { "completed" }
}

/// Text as a part of a message.
fn output_text(text: &str) -> Json {
    Json::object([
        ("type", "output_text".into()),
        ("text", text.into()),
        ("annotations", Vec::<Json>::new().into()),
        ("logprobs", Vec::<Json>::new().into()),
    ])
}

/// A refusal as a part of a message.
fn refusal(text: &str) -> Json {
    Json::object([("type", "refusal".into()), ("refusal", text.into())])
}

/// A message of the model.
fn message(id: &str, status: &str, content: Vec<Json>) -> Json {
    Json::object([
        ("id", id.into()),
        ("type", "message".into()),
        ("status", status.into()),
        ("role", "assistant".into()),
        ("content", content.into()),
    ])
}

/// A thought. `seal` is what of it only its model can read.
fn reasoning(id: &str, text: &str, seal: Option<&str>) -> Json {
    let mut item = Json::object([("id", id.into()), ("type", "reasoning".into())]);
    let summary = if text.is_empty() { Vec::new() } else { vec![summary_text(text)] };
    item.set("summary", summary);
    item.set_some("encrypted_content", seal);
    item
}

/// A thought's text as a part of it.
fn summary_text(text: &str) -> Json {
    Json::object([("type", "summary_text".into()), ("text", text.into())])
}

/// A call of a function.
fn function_call(id: &str, status: &str, (call, name): (&str, &str), arguments: &str) -> Json {
    Json::object([
        ("id", id.into()),
        ("type", "function_call".into()),
        ("status", status.into()),
        ("call_id", call.into()),
        ("name", name.into()),
        ("arguments", arguments.into()),
    ])
}

/// The id of an item: what it is, the how manieth of the answer, and of which.
fn item_id(kind: &str, at: usize, answer: &str) -> String {
    format!("{kind}_{at}_{answer}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_in_the_words_of_this_wire() {
        for (there, here) in [
            ("response_format", "text.format"),
            ("response_format.json_schema.name", "text.format.name"),
            ("max_tokens", "max_output_tokens"),
            ("input.0.content.1.image_url.detail", "input.0.content.1.detail"),
            ("tools.0", "tools.0"),
        ] {
            assert_eq!(named(there), here);
        }
    }
}
