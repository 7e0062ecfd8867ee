//! A whole answer.

use super::{
    SEALED, SIGNED, function_call, head, item_id, message, output_text, reasoning, refusal, status, write_end,
};
use crate::form::{Answer, Content, Stop};
use crate::json::Json;
use crate::loss::{LOGPROBS, Losses};
use crate::openai_chat::STOP_SEQUENCE;

/// Writes an answer. What has no place here: which sequence ended it.
#[must_use]
pub fn write_answer(answer: Answer, created: u64, losses: &mut Losses) -> Json {
    answer.own.iter().for_each(|own| losses.of_answer(own));
    if matches!(answer.stop, Some(Stop::Sequence(Some(_)))) {
        losses.add(STOP_SEQUENCE);
    }
    if !answer.logprobs.is_empty() {
        losses.add(LOGPROBS);
    }
    let status = status(answer.stop.as_ref());
    let mut items: Vec<Json> = Vec::with_capacity(answer.parts.len());
    let mut said: Vec<Said> = Vec::new();
    for part in answer.parts {
        let other = match part.content {
            Content::Text(more) => {
                match said.last_mut() {
                    Some(Said::Text(text)) => text.push_str(&more),
                    _ => said.push(Said::Text(more)),
                }
                continue;
            }
            Content::Refusal(more) => {
                match said.last_mut() {
                    Some(Said::Refusal(text)) => text.push_str(&more),
                    _ => said.push(Said::Refusal(more)),
                }
                continue;
            }
            other => other,
        };
        end_message(&mut said, &mut items, &answer.id, "completed");
        let at = items.len();
        match other {
            Content::Thinking { text, signature } => {
                let seal = signature.filter(|signature| !signature.is_empty());
                let seal = seal.map(|signature| format!("{SIGNED}{signature}"));
                items.push(reasoning(&item_id("rs", at, &answer.id), &text, seal.as_deref()));
            }
            Content::Encrypted(data) => {
                let seal = format!("{SEALED}{data}");
                items.push(reasoning(&item_id("rs", at, &answer.id), "", Some(&seal)));
            }
            Content::Call(call) => {
                let id = item_id("fc", at, &answer.id);
                let of = (call.id.as_str(), call.name.as_str());
                items.push(function_call(&id, "completed", of, &call.input.write()));
            }
            _ => {}
        }
    }
    end_message(&mut said, &mut items, &answer.id, status);
    let mut out = head(&answer.id, &answer.model, created, status);
    out.set("output", items);
    write_end(answer.stop.as_ref(), answer.usage.as_ref(), &mut out);
    out
}

/// A part of the message that is being put together.
enum Said {
    Text(String),
    Refusal(String),
}

fn end_message(said: &mut Vec<Said>, items: &mut Vec<Json>, answer: &str, status: &str) {
    if said.is_empty() {
        return;
    }
    let content = said.drain(..).map(|said| match said {
        Said::Text(text) => output_text(&text),
        Said::Refusal(text) => refusal(&text),
    });
    let content = content.collect();
    items.push(message(&item_id("msg", items.len(), answer), status, content));
}
