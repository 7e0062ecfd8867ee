//! How an answer is made, as it goes out.

use crate::form::{Format, Request, Thinking};
use crate::json::Json;
use crate::loss::{Losses, Refused};

/// How many stop sequences this wire takes.
const MOST_STOPS: usize = 5;

/// Writes `generationConfig`.
pub(super) fn write_config(request: &mut Request, losses: &mut Losses) -> Result<Json, Refused> {
    let mut out = Json::Object(Vec::new());
    if request.max_tokens == Some(0) {
        return Err(Refused::new("max_tokens", "the other API cannot fill a cache without an answer"));
    }
    out.set_some("maxOutputTokens", request.max_tokens);
    out.set_some("temperature", request.temperature.take().map(Json::Number));
    out.set_some("topP", request.top_p.take().map(Json::Number));
    out.set_some("topK", request.top_k.take().map(Json::Number));
    if request.stop.len() > MOST_STOPS {
        return Err(Refused::new("stop", "the other API takes no more than five stop sequences"));
    }
    if !request.stop.is_empty() {
        let stops = std::mem::take(&mut request.stop);
        out.set("stopSequences", stops.into_iter().map(Json::from).collect::<Vec<_>>());
    }
    match request.seed.take() {
        // Of 32 bits here.
        Some(seed) if seed.parse::<i32>().is_ok() => out.set("seed", Json::Number(seed)),
        Some(_) => losses.add("seed"),
        None => {}
    }
    out.set_some("presencePenalty", request.presence_penalty.take().map(Json::Number));
    out.set_some("frequencyPenalty", request.frequency_penalty.take().map(Json::Number));
    if let Some(others) = request.logprobs {
        out.set("responseLogprobs", true);
        out.set_some("logprobs", Some(others).filter(|others| *others > 0));
    }
    if let Some(format) = request.format.take() {
        write_format(format, &mut out, losses);
    }
    let thinking = write_thinking(request, losses)?;
    if thinking != Json::Object(Vec::new()) {
        out.set("thinkingConfig", thinking);
    }
    Ok(out)
}

fn write_format(format: Format, out: &mut Json, losses: &mut Losses) {
    out.set("responseMimeType", "application/json");
    if let Format::JsonSchema { schema, description, name, strict } = format {
        // What it is called, and that it need not be followed to the letter, has no place here.
        let only_there = [
            (name.is_some(), "response_format.json_schema.name"),
            (description.is_some(), "response_format.json_schema.description"),
            (strict == Some(false), "response_format.json_schema.strict"),
        ];
        only_there.iter().filter(|(said, _)| *said).for_each(|(_, place)| losses.add(*place));
        out.set("responseJsonSchema", schema);
    }
}

/// Models up to 2.5 are told how many tokens to think with and refuse a level; later ones are told a level, still take a
/// number, and refuse both at once (<https://ai.google.dev/gemini-api/docs/thinking>). The numbers for the levels are
/// those of Google's own service with OpenAI's API (<https://ai.google.dev/gemini-api/docs/openai>).
fn write_thinking(request: &mut Request, losses: &mut Losses) -> Result<Json, Refused> {
    let by_number = request.model.contains("gemini-2.");
    let (mut thinking, mut effort) = (request.thinking.take(), request.effort.take());
    if effort.as_deref() == Some("none") {
        effort = None;
        thinking.get_or_insert(Thinking::Off);
    }
    let mut out = Json::Object(Vec::new());
    let number = match &thinking {
        // A model that always thinks says so.
        Some(Thinking::Off) => Some(0),
        Some(Thinking::Budget(tokens)) => Some(*tokens),
        _ => None,
    };
    // Whoever switches thinking on sees thoughts.
    if matches!(thinking, Some(Thinking::Adaptive | Thinking::Budget(_))) {
        out.set("includeThoughts", true);
    }
    if thinking == Some(Thinking::BetweenTools) {
        losses.add("thinking");
    }
    if let Some(number) = number {
        if effort.is_some() {
            losses.add("reasoning_effort");
        }
        out.set("thinkingBudget", number);
        return Ok(out);
    }
    let (level, tokens) = match effort.as_deref() {
        None => {
            if by_number && thinking == Some(Thinking::Adaptive) {
                out.set("thinkingBudget", Json::Number(String::from("-1")));
            }
            return Ok(out);
        }
        Some("minimal") => ("MINIMAL", 1_024_u64),
        Some("low") => ("LOW", 1_024),
        Some("medium") => ("MEDIUM", 8_192),
        // The most that this wire has.
        Some("high" | "xhigh" | "max") => ("HIGH", 24_576),
        Some(_) => {
            return Err(Refused::new("reasoning_effort", "the other API has no such degree of thinking"));
        }
    };
    if by_number {
        out.set("thinkingBudget", tokens);
    } else {
        out.set("thinkingLevel", level);
    }
    Ok(out)
}
