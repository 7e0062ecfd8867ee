//! A whole answer.

use super::{
    EXTRA, object, read_logprobs, read_stop, read_usage, write_logprobs, write_signature, write_stop,
    write_usage,
};
use crate::form::{Answer, Call, Content, Input, Part, Stop};
use crate::gemini::{self, Of};
use crate::json::{Json, Members};
use crate::loss::{Broken, Fate, Losses, Own, Table, own_of_answer, unless_empty};

/// What an answer or a chunk has besides, and what of it another wire misses. Beside OpenAI's own members those of services
/// with the same wire: <https://docs.perplexity.ai/api-reference/chat-completions-post>,
/// <https://openrouter.ai/docs/api-reference/overview>, <https://console.groq.com/docs/compound>,
/// <https://learn.microsoft.com/en-us/azure/ai-foundry/openai/latest>.
pub(super) const TOP: Table = &[
    ("id", nothing),
    ("model", nothing),
    ("object", nothing),
    ("created", nothing),
    ("system_fingerprint", nothing),
    ("service_tier", nothing),
    // Azure's filters and OpenAI's padding, and which of several providers it was.
    ("prompt_filter_results", nothing),
    ("obfuscation", nothing),
    ("provider", nothing),
    ("x_groq", nothing),
    ("citations", unless_empty),
    ("search_results", unless_empty),
    ("images", unless_empty),
    ("related_questions", unless_empty),
];

pub(super) const CHOICE: Table = &[
    ("content_filter_results", nothing),
    ("native_finish_reason", nothing),
    ("stop_reason", nothing),
    ("matched_stop", nothing),
];

pub(super) const MESSAGE: Table = &[
    ("role", nothing),
    ("annotations", unless_empty),
    ("audio", |_| Fate::Warn),
    ("citations", unless_empty),
    ("executed_tools", unless_empty),
    ("images", unless_empty),
    ("reasoning_details", unless_empty),
    ("context", |_| Fate::Warn),
    // A call without an id, from before there were several: nothing that is translated asks for one.
    ("function_call", |_| Fate::Refuse("a call in the shape of `function_call`")),
];

pub(super) const CALL: Table = &[("index", nothing), ("type", nothing), ("id", nothing)];

const fn nothing(_: &Json) -> Fate {
    Fate::Nothing
}

/// Reads an answer with one choice.
///
/// # Errors
/// [`Broken`]. One without a reason for its end is not whole.
pub fn read_answer(body: Json) -> Result<Answer, Broken> {
    let mut body = Members::of(body, "body")?;
    if body.take("error").is_some() {
        return Err(Broken::Error);
    }
    let choices = body.list("choices")?;
    let [choice] = <[Json; 1]>::try_from(choices).map_err(|_| Broken::Shape("choices"))?;
    let mut choice = object(choice, "choices")?;
    let mut message = choice.members("message")?.ok_or(Broken::Shape("message"))?;
    let (mut parts, mut own) = (Vec::new(), Vec::new());
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
                parts.push(read_part(item, &mut own)?);
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
        let read = Call { id: call.needed("id")?, name: function.needed("name")?, input };
        parts.push(Part::new(Content::Call(read)));
        own_of_answer(call.rest(), CALL, &mut own)?;
        own_of_answer(function.rest(), CALL, &mut own)?;
    }
    let calls = parts.iter().any(|part| matches!(part.content, Content::Call(_)));
    choice.take("index");
    let mut logprobs = Vec::new();
    if let Some(told) = choice.take("logprobs") {
        match read_logprobs(&told) {
            Some(tokens) => logprobs = tokens,
            None => own.push(untold_logprobs(told)),
        }
    }
    let reason = choice.needed("finish_reason")?;
    let (id, model) = (body.text("id")?.unwrap_or_default(), body.text("model")?.unwrap_or_default());
    let usage = body.take("usage").and_then(read_usage);
    own_of_answer(message.rest(), MESSAGE, &mut own)?;
    own_of_answer(choice.rest(), CHOICE, &mut own)?;
    own_of_answer(body.rest(), TOP, &mut own)?;
    Ok(Answer { id, model, parts, stop: Some(read_stop(&reason, calls)), usage, logprobs, own })
}

/// Probabilities in another shape than the API's.
pub(super) fn untold_logprobs(value: Json) -> Own {
    Own { known: Some("logprobs"), name: String::from("logprobs"), value, fate: Fate::Warn }
}

/// What of another wire's answer has no place here.
pub(crate) const SIGNATURE: &str = "answer.content.signature";
pub(crate) const ENCRYPTED: &str = "answer.content.data";
pub(crate) const STOP_SEQUENCE: &str = "answer.stop_sequence";

/// What the model thought, under either of the names that services give it.
pub(super) fn thought(message: &mut Members) -> Result<Option<String>, Broken> {
    let one = message.text("reasoning_content")?;
    let other = message.take("reasoning");
    Ok(one.or(match other {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }))
}

fn read_part(part: Json, own: &mut Vec<Own>) -> Result<Part, Broken> {
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
    own_of_answer(part.rest(), MESSAGE, own)?;
    Ok(Part::new(content))
}

/// Writes an answer. What has no place here: the signature of a thought, an encrypted thought, which sequence ended it.
#[must_use]
pub fn write_answer(answer: Answer, created: u64, losses: &mut Losses) -> Json {
    answer.own.iter().for_each(|own| losses.of_answer(own));
    if matches!(answer.stop, Some(Stop::Sequence(Some(_)))) {
        losses.add(STOP_SEQUENCE);
    }
    let (mut text, mut refusal, mut thought, mut calls) =
        (None::<String>, None::<String>, None::<String>, Vec::new());
    let (mut of_call, mut of_text) = (None::<String>, None::<String>);
    for part in answer.parts {
        match part.content {
            Content::Text(more) => text.get_or_insert_default().push_str(&more),
            Content::Refusal(more) => refusal.get_or_insert_default().push_str(&more),
            Content::Thinking { text: more, signature } => {
                if signature.is_some_and(|signature| !signature.is_empty()) {
                    losses.add(SIGNATURE);
                }
                thought.get_or_insert_default().push_str(&more);
            }
            Content::Encrypted(seal) => match gemini::of_part(&seal) {
                Some((Of::Call, signature)) => of_call = Some(signature.to_owned()),
                Some((Of::Text, signature)) => of_text = Some(signature.to_owned()),
                None => losses.add(ENCRYPTED),
            },
            Content::Call(call) => {
                let function =
                    Json::object([("name", call.name.into()), ("arguments", call.input.write().into())]);
                let mut written = Json::object([
                    ("id", call.id.into()),
                    ("type", "function".into()),
                    ("function", function),
                ]);
                written.set_some(EXTRA, of_call.take().as_deref().map(write_signature));
                calls.push(written);
            }
            _ => {}
        }
    }
    let mut message = Json::object([("role", "assistant".into())]);
    message.set("content", text.map_or(Json::Null, Json::from));
    message.set("refusal", refusal.map_or(Json::Null, Json::from));
    message.set_some("reasoning_content", thought.filter(|thought| !thought.is_empty()));
    message.set_some(EXTRA, of_text.as_deref().map(write_signature));
    if !calls.is_empty() {
        message.set("tool_calls", calls);
    }
    let reason = answer.stop.as_ref().map_or("stop", write_stop);
    let told = !answer.logprobs.is_empty();
    let logprobs = if told { write_logprobs(&answer.logprobs) } else { Json::Null };
    let choice = Json::object([
        ("index", 0_u64.into()),
        ("message", message),
        ("logprobs", logprobs),
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
