//! A whole answer, as it goes out.

use super::parts::{SIGNATURE, is_unsigned_text};
use super::seal::{of_sealed, of_thought};
use super::{Of, of_part, write_logprobs, write_stop, write_usage};
use crate::form::{Answer, Content, Input, Stop, Usage};
use crate::json::Json;
use crate::loss::Losses;
use crate::openai_chat::STOP_SEQUENCE;

/// What of another wire's answer has no place here: a signature that is not base64.
pub(crate) const UNSIGNED: &str = "answer.content.signature";

/// The one member of the arguments of a call whose text was not JSON.
const BROKEN_INPUT: &str = "_not_json";

/// Writes an answer. What has no place here: which sequence ended it, and a signature that is not base64.
#[must_use]
pub fn write_answer(answer: Answer, losses: &mut Losses) -> Json {
    answer.own.iter().for_each(|own| losses.of_answer(own));
    if matches!(answer.stop, Some(Stop::Sequence(Some(_)))) {
        losses.add(STOP_SEQUENCE);
    }
    let mut refused = false;
    let mut parts: Vec<Json> = Vec::with_capacity(answer.parts.len());
    let mut of_call: Option<String> = None;
    for part in answer.parts {
        match part.content {
            Content::Text(text) => parts.push(text_part(&text)),
            Content::Refusal(text) => {
                refused = true;
                parts.push(text_part(&text));
            }
            Content::Thinking { text, signature } => {
                let signature = signature.filter(|signature| !signature.is_empty());
                let told = signature.as_deref().and_then(of_thought);
                if signature.is_some() && told.is_none() {
                    losses.add(UNSIGNED);
                }
                parts.push(thought_part(&text, told));
            }
            Content::Encrypted(seal) => match of_part(&seal) {
                Some((Of::Call, signature)) => of_call = Some(signature.to_owned()),
                Some((Of::Text, signature)) => match parts.last_mut().filter(|part| is_unsigned_text(part)) {
                    Some(part) => part.set(SIGNATURE, signature),
                    None => parts.push(signature_part(signature)),
                },
                None => match of_sealed(&seal) {
                    Some(told) => parts.push(thought_part("", Some(told))),
                    None => losses.add(UNSIGNED),
                },
            },
            Content::Call(call) => {
                parts.push(call_part(&call.id, &call.name, call.input, of_call.take()));
            }
            _ => {}
        }
    }
    let stop = if refused { Some(Stop::Refusal) } else { answer.stop };
    let mut candidate = candidate(parts);
    candidate.set("finishReason", write_stop(stop.as_ref()));
    candidate.set("index", 0_u64);
    if !answer.logprobs.is_empty() {
        candidate.set("logprobsResult", write_logprobs(&answer.logprobs));
    }
    response(Some(candidate), answer.usage.as_ref(), &answer.id, &answer.model)
}

/// A response, or an event of one.
pub(super) fn response(candidate: Option<Json>, usage: Option<&Usage>, id: &str, model: &str) -> Json {
    let mut out = Json::Object(Vec::new());
    out.set_some("candidates", candidate.map(|candidate| vec![candidate]));
    out.set_some("usageMetadata", usage.map(write_usage));
    out.set("modelVersion", model);
    out.set("responseId", id);
    out
}

pub(super) fn candidate(parts: Vec<Json>) -> Json {
    Json::object([("content", Json::object([("parts", parts.into()), ("role", "model".into())]))])
}

pub(super) fn text_part(text: &str) -> Json {
    Json::object([("text", text.into())])
}

/// The signature of a text that is over.
pub(super) fn signature_part(signature: &str) -> Json {
    Json::object([("text", "".into()), (SIGNATURE, signature.into())])
}

pub(super) fn thought_part(text: &str, signature: Option<String>) -> Json {
    let mut out = Json::object([("text", text.into()), ("thought", true.into())]);
    out.set_some(SIGNATURE, signature);
    out
}

pub(super) fn call_part(id: &str, name: &str, input: Input, signature: Option<String>) -> Json {
    let args = match input {
        Input::Json(args) => args,
        // A model that wrote no JSON: what it wrote, under a name of its own, is better than nothing.
        Input::Text(text) => Json::object([(BROKEN_INPUT, text.into())]),
    };
    let call = Json::object([("id", id.into()), ("name", name.into()), ("args", args)]);
    let mut out = Json::object([("functionCall", call)]);
    out.set_some(SIGNATURE, signature);
    out
}
