//! A whole answer.

use super::{read_stop, read_usage, write_stop, write_usage};
use crate::form::{Answer, Call, Content, Input, Part, Stop, Usage};
use crate::json::{Json, Members};
use crate::loss::{Broken, Fate, LOGPROBS, Losses, Own, Table, own_of_answer, unless_empty};

/// What an answer has besides, and what of it another wire misses.
const TOP: Table = &[
    ("role", |_| Fate::Nothing),
    ("container", |_| Fate::Warn),
    ("context_management", |_| Fate::Warn),
    ("stop_details", |_| Fate::Warn),
];

/// The same of a block.
pub(super) const BLOCK: Table = &[
    ("citations", unless_empty),
    ("caller", |value| match value.get("type").and_then(Json::text) {
        Some("direct") => Fate::Nothing,
        _ => Fate::Warn,
    }),
];

/// Reads an answer.
///
/// # Errors
/// [`Broken`]. One without a reason for its end is not whole.
pub fn read_answer(body: Json) -> Result<Answer, Broken> {
    let mut body = Members::of(body, "body")?;
    match body.text("type")?.as_deref() {
        Some("message") => {}
        Some("error") => return Err(Broken::Error),
        _ => return Err(Broken::Shape("type")),
    }
    let sequence = body.text("stop_sequence")?;
    let (id, model) = (body.needed("id")?, body.needed("model")?);
    let mut own = Vec::new();
    let mut parts = Vec::new();
    for block in body.list("content")? {
        parts.push(read_block(block, &mut own)?);
    }
    let stop = read_stop(&body.needed("stop_reason")?, sequence);
    let usage = body.take("usage").and_then(read_usage);
    own_of_answer(body.rest(), TOP, &mut own)?;
    Ok(Answer { id, model, parts, stop: Some(stop), usage, logprobs: Vec::new(), own })
}

fn read_block(block: Json, own: &mut Vec<Own>) -> Result<Part, Broken> {
    let mut block = Members::of(block, "content")?;
    let content = match block.needed("type")?.as_str() {
        "text" => Content::Text(block.needed("text")?),
        "thinking" => {
            Content::Thinking { text: block.needed("thinking")?, signature: block.text("signature")? }
        }
        "redacted_thinking" => Content::Encrypted(block.needed("data")?),
        "tool_use" => Content::Call(Call {
            id: block.needed("id")?,
            name: block.needed("name")?,
            input: match block.take("input") {
                Some(input @ Json::Object(_)) => Input::Json(input),
                _ => return Err(Broken::Shape("input")),
            },
        }),
        _ => return Err(Broken::Content("a block of an answer")),
    };
    own_of_answer(block.rest(), BLOCK, own)?;
    Ok(Part::new(content))
}

/// Writes an answer. A thought that nobody signed has an empty signature.
#[must_use]
pub fn write_answer(answer: Answer, losses: &mut Losses) -> Json {
    answer.own.iter().for_each(|own| losses.of_answer(own));
    if !answer.logprobs.is_empty() {
        losses.add(LOGPROBS);
    }
    let mut refused = false;
    let mut blocks = Vec::with_capacity(answer.parts.len());
    for part in answer.parts {
        match part.content {
            Content::Refusal(text) => {
                refused = true;
                blocks.push(text_block(text));
            }
            Content::Text(text) => blocks.push(text_block(text)),
            Content::Thinking { text, signature } => blocks.push(Json::object([
                ("type", "thinking".into()),
                ("thinking", text.into()),
                ("signature", signature.unwrap_or_default().into()),
            ])),
            Content::Encrypted(data) => {
                blocks.push(Json::object([("type", "redacted_thinking".into()), ("data", data.into())]));
            }
            Content::Call(call) => {
                let input = match call.input {
                    Input::Json(input) => input,
                    // A model that wrote no JSON: what it wrote, under a name of its own, is better than nothing.
                    Input::Text(text) => Json::object([(BROKEN_INPUT, text.into())]),
                };
                blocks.push(Json::object([
                    ("type", "tool_use".into()),
                    ("id", call.id.into()),
                    ("name", call.name.into()),
                    ("input", input),
                ]));
            }
            _ => {}
        }
    }
    let stop = if refused { Some(Stop::Refusal) } else { answer.stop };
    let mut out = head(&answer.id, &answer.model);
    out.set("content", blocks);
    write_end(stop.as_ref().or(Some(&Stop::End)), &mut out);
    out.set("usage", write_usage(&answer.usage.unwrap_or_default()));
    out
}

/// The one member of a tool's input whose text was not JSON.
const BROKEN_INPUT: &str = "_not_json";

fn text_block(text: String) -> Json {
    Json::object([("type", "text".into()), ("text", text.into())])
}

/// What an answer begins with.
pub(super) fn head(id: &str, model: &str) -> Json {
    Json::object([
        ("id", id.into()),
        ("type", "message".into()),
        ("role", "assistant".into()),
        ("model", model.into()),
    ])
}

/// Why it ended, if it has.
pub(super) fn write_end(stop: Option<&Stop>, out: &mut Json) {
    out.set("stop_reason", stop.map_or(Json::Null, |stop| write_stop(stop).into()));
    let sequence = match stop {
        Some(Stop::Sequence(Some(sequence))) => sequence.as_str().into(),
        _ => Json::Null,
    };
    out.set("stop_sequence", sequence);
}

/// The message that a stream begins with.
pub(super) fn opening(id: &str, model: &str) -> Json {
    let mut message = head(id, model);
    message.set("content", Vec::<Json>::new());
    write_end(None, &mut message);
    message.set("usage", write_usage(&Usage::default()));
    message
}
