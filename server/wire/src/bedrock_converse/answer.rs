//! A whole answer.

use super::{read_sequence, read_stop, read_usage};
use crate::form::{Answer, Call, Content, Input, Part};
use crate::json::{Json, Members};
use crate::loss::Broken;

/// Reads an answer.
///
/// # Errors
/// [`Broken`].
pub fn read_answer(body: Json) -> Result<Answer, Broken> {
    let mut body = Members::of(body, "body")?;
    let mut output = body.members("output")?.ok_or(Broken::Shape("output"))?;
    let mut message = output.members("message")?.ok_or(Broken::Shape("message"))?;
    if message.needed("role")? != "assistant" {
        return Err(Broken::Shape("role"));
    }
    let mut parts = Vec::new();
    for block in message.list("content")? {
        parts.push(read_block(block)?);
    }
    let sequence = read_sequence(&mut body);
    let reason = body.needed("stopReason")?;
    Ok(Answer {
        parts,
        stop: Some(read_stop(&reason, sequence)?),
        usage: body.take("usage").and_then(read_usage),
        ..Answer::default()
    })
}

fn read_block(block: Json) -> Result<Part, Broken> {
    let (kind, value) = one(block, "content")?;
    let content = match (kind.as_str(), value) {
        ("text", Json::Text(text)) => Content::Text(text),
        // Nothing that is translated asks for citations; where they come all the same, what is said is kept.
        ("citationsContent", value) => {
            let mut text = String::new();
            for piece in Members::of(value, "citationsContent")?.list("content")? {
                text.push_str(piece.get("text").and_then(Json::text).unwrap_or_default());
            }
            Content::Text(text)
        }
        ("reasoningContent", value) => match one(value, "reasoningContent")? {
            (kind, value) if kind == "reasoningText" => {
                let mut thought = Members::of(value, "reasoningText")?;
                Content::Thinking { text: thought.needed("text")?, signature: thought.text("signature")? }
            }
            (kind, Json::Text(data)) if kind == "redactedContent" => Content::Encrypted(data),
            _ => return Err(Broken::Content("a thought")),
        },
        ("toolUse", value) => {
            let mut call = Members::of(value, "toolUse")?;
            // What the service calls by itself.
            if call.text("type")?.is_some() {
                return Err(Broken::Content("a call of a tool of the service"));
            }
            Content::Call(Call {
                id: call.needed("toolUseId")?,
                name: call.needed("name")?,
                input: match call.take("input") {
                    Some(input @ Json::Object(_)) => Input::Json(input),
                    _ => return Err(Broken::Shape("input")),
                },
            })
        }
        _ => return Err(Broken::Content("a block of an answer")),
    };
    Ok(Part::new(content))
}

/// The one member of a union.
pub(super) fn one(value: Json, what: &'static str) -> Result<(String, Json), Broken> {
    let Json::Object(members) = value else { return Err(Broken::Shape(what)) };
    let mut told = members.into_iter().filter(|(_, value)| *value != Json::Null);
    match (told.next(), told.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(Broken::Shape(what)),
    }
}
