//! A whole answer.

use super::{object, read_stop, read_usage, write_stop, write_usage};
use crate::form::{Answer, Call, Content, Input, Part};
use crate::json::{Json, Members};
use crate::loss::Broken;

/// Reads an answer with one choice.
///
/// # Errors
/// [`Broken`].
pub fn read_answer(body: Json) -> Result<Answer, Broken> {
    let mut body = Members::of(body, "body")?;
    if body.take("error").is_some() {
        return Err(Broken::Error);
    }
    let choices = body.list("choices")?;
    let [choice] = <[Json; 1]>::try_from(choices).map_err(|_| Broken::Shape("choices"))?;
    let mut choice = object(choice, "choices")?;
    let mut message = choice.members("message")?.ok_or(Broken::Shape("message"))?;
    let mut parts = Vec::new();
    if let Some(text) = thought(&mut message)?.filter(|text| !text.is_empty()) {
        parts.push(Part::new(Content::Thinking { text, signature: None }));
    }
    match message.take("content") {
        None => {}
        Some(Json::Text(text)) if text.is_empty() => {}
        Some(Json::Text(text)) => parts.push(Part::new(Content::Text(text))),
        // Some services answer in parts.
        Some(Json::Array(items)) => {
            for item in items {
                parts.push(read_part(item)?);
            }
        }
        Some(_) => return Err(Broken::Shape("content")),
    }
    if let Some(text) = message.text("refusal")?.filter(|text| !text.is_empty()) {
        parts.push(Part::new(Content::Refusal(text)));
    }
    for call in message.list("tool_calls")? {
        let mut call = object(call, "tool_calls")?;
        let mut function = call.members("function")?.ok_or(Broken::Shape("function"))?;
        let input = Input::of(function.text("arguments")?.unwrap_or_default());
        let call = Call { id: call.needed("id")?, name: function.needed("name")?, input };
        parts.push(Part::new(Content::Call(call)));
    }
    let calls = parts.iter().any(|part| matches!(part.content, Content::Call(_)));
    Ok(Answer {
        id: body.text("id")?.unwrap_or_default(),
        model: body.text("model")?.unwrap_or_default(),
        parts,
        stop: choice.text("finish_reason")?.map(|reason| read_stop(&reason, calls)),
        usage: body.take("usage").and_then(read_usage),
    })
}

/// What the model thought, under either of the names that services give it.
pub(super) fn thought(message: &mut Members) -> Result<Option<String>, Broken> {
    let one = message.text("reasoning_content")?;
    let other = message.take("reasoning");
    Ok(one.or(match other {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }))
}

fn read_part(part: Json) -> Result<Part, Broken> {
    let mut part = object(part, "content")?;
    let content = match part.needed("type")?.as_str() {
        "text" => Content::Text(part.needed("text")?),
        "refusal" => Content::Refusal(part.needed("refusal")?),
        // Mistral's: a list of texts.
        "thinking" => {
            let mut text = String::new();
            for piece in part.list("thinking")? {
                text.push_str(piece.get("text").and_then(Json::text).unwrap_or_default());
            }
            Content::Thinking { text, signature: None }
        }
        _ => return Err(Broken::Content("a part of an answer")),
    };
    Ok(Part::new(content))
}

/// Writes an answer. What has no place here: the signature of a thought, an encrypted thought.
#[must_use]
pub fn write_answer(answer: Answer, created: u64) -> Json {
    let (mut text, mut refusal, mut thought, mut calls) =
        (None::<String>, None::<String>, None::<String>, Vec::new());
    for part in answer.parts {
        match part.content {
            Content::Text(more) => text.get_or_insert_default().push_str(&more),
            Content::Refusal(more) => refusal.get_or_insert_default().push_str(&more),
            Content::Thinking { text: more, .. } => thought.get_or_insert_default().push_str(&more),
            Content::Call(call) => {
                let function =
                    Json::object([("name", call.name.into()), ("arguments", call.input.write().into())]);
                calls.push(Json::object([
                    ("id", call.id.into()),
                    ("type", "function".into()),
                    ("function", function),
                ]));
            }
            _ => {}
        }
    }
    let mut message = Json::object([("role", "assistant".into())]);
    message.set("content", text.map_or(Json::Null, Json::from));
    message.set("refusal", refusal.map_or(Json::Null, Json::from));
    message.set_some("reasoning_content", thought.filter(|thought| !thought.is_empty()));
    if !calls.is_empty() {
        message.set("tool_calls", calls);
    }
    let reason = answer.stop.as_ref().map_or("stop", write_stop);
    let choice = Json::object([
        ("index", 0_u64.into()),
        ("message", message),
        ("logprobs", Json::Null),
        ("finish_reason", reason.into()),
    ]);
    let mut out = Json::object([
        ("id", answer.id.into()),
        ("object", "chat.completion".into()),
        ("created", created.into()),
        ("model", answer.model.into()),
        ("choices", vec![choice].into()),
    ]);
    out.set_some("usage", answer.usage.as_ref().map(write_usage));
    out
}
