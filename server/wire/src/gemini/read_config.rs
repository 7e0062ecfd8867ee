//! How an answer is made, as it comes in.

use super::read::{Within, inner, off, within};
use super::schema::{closed, json_schema};
use crate::form::{Format, Request, Thinking, ToolChoice};
use crate::json::{Json, Members};
use crate::loss::{Broken, Fate, Own};

/// What only this wire has in `generationConfig`.
const CONFIG: Within = &[
    ("audioTimestamp", "generationConfig.audioTimestamp", |value| off(value, NO_AUDIO)),
    ("audioTranscriptionConfig", "generationConfig.audioTranscriptionConfig", |_| Fate::Refuse(NO_AUDIO)),
    ("candidateCount", "generationConfig.candidateCount", |value| match value.whole() {
        Some(1) => Fate::Nothing,
        _ => Fate::Refuse("the other API gives one answer to a request"),
    }),
    ("enableAffectiveDialog", "generationConfig.enableAffectiveDialog", |value| off(value, NO_AUDIO)),
    ("enableEnhancedCivicAnswers", "generationConfig.enableEnhancedCivicAnswers", |_| Fate::Warn),
    ("imageConfig", "generationConfig.imageConfig", |_| Fate::Refuse(ONLY_TEXT)),
    ("mediaResolution", "generationConfig.mediaResolution", |_| Fate::Warn),
    ("modelSelectionConfig", "generationConfig.modelSelectionConfig", |_| Fate::Refuse(MODEL)),
    ("responseFormat", "generationConfig.responseFormat", |_| {
        Fate::Refuse("the other API has no such format: send `responseJsonSchema`")
    }),
    ("responseModalities", "generationConfig.responseModalities", |value| match value {
        Json::Array(items) if items.iter().all(|item| item.text() == Some("TEXT")) => Fate::Nothing,
        _ => Fate::Refuse(ONLY_TEXT),
    }),
    ("routingConfig", "generationConfig.routingConfig", |_| Fate::Refuse(MODEL)),
    ("speechConfig", "generationConfig.speechConfig", |_| Fate::Refuse(ONLY_TEXT)),
    ("translationConfig", "generationConfig.translationConfig", |_| {
        Fate::Refuse("the other API translates nothing by itself")
    }),
];

const NO_AUDIO: &str = "the other API takes no audio";
const ONLY_TEXT: &str = "the other API answers with text only";
const MODEL: &str = "which model answers is the endpoint's to say";

/// Of `thinkingConfig`. Thoughts that come are told in any case.
const THINKING: Within =
    &[("includeThoughts", "generationConfig.thinkingConfig.includeThoughts", |_| Fate::Nothing)];

/// Of `toolConfig`.
const TOOLS: Within = &[
    ("includeServerSideToolInvocations", "toolConfig.includeServerSideToolInvocations", |_| Fate::Nothing),
    ("retrievalConfig", "toolConfig.retrievalConfig", |_| Fate::Warn),
];

/// Of `functionCallingConfig`.
const CALLING: Within = &[(
    "streamFunctionCallArguments",
    "toolConfig.functionCallingConfig.streamFunctionCallArguments",
    |value| off(value, "the other API has no calls in pieces"),
)];

/// Something that is asked for and that the other API has no place for.
fn other(known: &'static str, fate: Fate) -> Own {
    Own { known: Some(known), name: known.to_owned(), value: Json::Null, fate }
}

/// Reads `generationConfig`.
pub(super) fn read_config(mut config: Members, request: &mut Request) -> Result<(), Broken> {
    request.max_tokens = config.whole("maxOutputTokens")?;
    request.temperature = config.number("temperature")?;
    request.top_p = config.number("topP")?;
    request.top_k = config.number("topK")?;
    request.seed = config.number("seed")?;
    let is_penalty = |digits: &String| !digits.parse::<f64>().is_ok_and(|number| number == 0.0);
    request.presence_penalty = config.number("presencePenalty")?.filter(is_penalty);
    request.frequency_penalty = config.number("frequencyPenalty")?.filter(is_penalty);
    let others = config.whole("logprobs")?.unwrap_or(0);
    if config.flag("responseLogprobs")? == Some(true) {
        request.logprobs = Some(others);
    }
    let text =
        |stop| if let Json::Text(stop) = stop { Ok(stop) } else { Err(Broken::Shape("stopSequences")) };
    request.stop = config.list("stopSequences")?.into_iter().map(text).collect::<Result<_, _>>()?;
    read_format(&mut config, request)?;
    if let Some(thinking) = inner(&mut config, "thinkingConfig")? {
        read_thinking(thinking, request)?;
    }
    request.own.extend(within(config.rest(), CONFIG));
    Ok(())
}

fn read_format(config: &mut Members, request: &mut Request) -> Result<(), Broken> {
    let schema = match (config.take("responseJsonSchema"), config.take("responseSchema")) {
        (Some(_), Some(_)) => return Err(Broken::Shape("responseJsonSchema")),
        (Some(schema), None) => Some(schema),
        (None, schema) => schema.map(|schema| closed(json_schema(schema))),
    };
    let media_type = config.text("responseMimeType")?;
    request.format = match (media_type.as_deref(), schema) {
        (None | Some("application/json"), Some(schema)) => {
            Some(Format::JsonSchema { name: None, description: None, schema, strict: None })
        }
        (Some("application/json"), None) => Some(Format::JsonObject),
        (None | Some("text/plain" | ""), None) => None,
        _ => {
            let why = "the other API answers with text or JSON";
            request.own.push(other("generationConfig.responseMimeType", Fate::Refuse(why)));
            None
        }
    };
    Ok(())
}

fn read_thinking(mut thinking: Members, request: &mut Request) -> Result<(), Broken> {
    request.thinking = match thinking.number("thinkingBudget")?.as_deref() {
        None => None,
        Some("-1") => Some(Thinking::Adaptive),
        Some("0") => Some(Thinking::Off),
        Some(tokens) => Some(Thinking::Budget(tokens.parse().map_err(|_| Broken::Shape("thinkingBudget"))?)),
    };
    let level = thinking.text("thinkingLevel")?.map(|level| level.to_ascii_lowercase());
    request.effort = match level.as_deref() {
        None | Some("thinking_level_unspecified") => None,
        Some("minimal" | "low" | "medium" | "high") => level,
        Some(_) => return Err(Broken::Shape("thinkingLevel")),
    };
    request.own.extend(within(thinking.rest(), THINKING));
    Ok(())
}

/// Reads `toolConfig`.
pub(super) fn read_tool_config(mut config: Members, request: &mut Request) -> Result<(), Broken> {
    if let Some(mut calling) = inner(&mut config, "functionCallingConfig")? {
        let mode = calling.text("mode")?.map(|mode| mode.to_ascii_uppercase());
        let mut names = Vec::new();
        for name in calling.list("allowedFunctionNames")? {
            let Json::Text(name) = name else { return Err(Broken::Shape("allowedFunctionNames")) };
            names.push(name);
        }
        let mut among_some = false;
        request.tool_choice = match mode.as_deref() {
            None | Some("MODE_UNSPECIFIED") => None,
            Some("AUTO") => Some(ToolChoice::Auto),
            Some("NONE") => Some(ToolChoice::None),
            Some("ANY") => match <[String; 1]>::try_from(std::mem::take(&mut names)) {
                Ok([name]) => Some(ToolChoice::Named(name)),
                Err(several) => {
                    among_some = !several.is_empty();
                    Some(ToolChoice::Any)
                }
            },
            // That calls follow their schemas to the letter.
            Some("VALIDATED") => {
                request.own.push(other("toolConfig.functionCallingConfig.mode", Fate::Warn));
                Some(ToolChoice::Auto)
            }
            Some(_) => return Err(Broken::Shape("mode")),
        };
        if among_some || !names.is_empty() {
            let why = "the other API can ask for any tool, one function, or none";
            request
                .own
                .push(other("toolConfig.functionCallingConfig.allowedFunctionNames", Fate::Refuse(why)));
        }
        request.own.extend(within(calling.rest(), CALLING));
    }
    request.own.extend(within(config.rest(), TOOLS));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_full_end_with_the_names() {
        for table in [CONFIG, THINKING, TOOLS, CALLING] {
            assert!(table.iter().all(|(name, full, _)| full.rsplit('.').next() == Some(*name)));
            assert!(table.is_sorted_by_key(|(name, ..)| *name));
        }
    }
}
