//! A request as it goes out.

use std::fmt::Display;

use crate::form::{Content, Format, Part, Request, Role, Source, System, Tool, ToolChoice, Turn};
use crate::json::Json;
use crate::loss::{Losses, Refused};

/// What a schema is called where its wire has no name for it.
const SCHEMA: &str = "output";

/// Writes a request.
///
/// # Errors
/// [`Refused`].
pub fn write_request(request: Request, losses: &mut Losses) -> Result<Json, Refused> {
    losses.judge("", &request.own)?;
    if let Some(last) = request.turns.last().filter(|_| request.prefilled) {
        return Err(Refused::new(last.at, "the other API does not go on with the last turn"));
    }
    let mut out = Json::object([("model", request.model.into())]);
    let mut messages = Vec::with_capacity(request.turns.len() + request.system.len());
    for system in request.system {
        messages.push(write_system(system, losses)?);
    }
    for turn in request.turns {
        write_turn(turn, losses, &mut messages)?;
    }
    out.set("messages", messages);
    if !request.tools.is_empty() {
        let tools = request.tools.into_iter().enumerate();
        let tools: Result<Vec<Json>, Refused> =
            tools.map(|(at, tool)| write_tool(tool, at, losses)).collect();
        out.set("tools", tools?);
    }
    out.set_some(
        "tool_choice",
        request.tool_choice.map(|choice| match choice {
            ToolChoice::Auto => Json::from("auto"),
            ToolChoice::None => Json::from("none"),
            ToolChoice::Any => Json::from("required"),
            ToolChoice::Named(name) => Json::object([
                ("type", "function".into()),
                ("function", Json::object([("name", name.into())])),
            ]),
        }),
    );
    out.set_some("parallel_tool_calls", request.parallel_tools);
    if request.max_tokens == Some(0) {
        return Err(Refused::new("max_tokens", "the other API cannot fill a cache without an answer"));
    }
    out.set_some("max_completion_tokens", request.max_tokens);
    out.set_some("temperature", request.temperature.map(Json::Number));
    out.set_some("top_p", request.top_p.map(Json::Number));
    if request.top_k.is_some() {
        losses.add("top_k");
    }
    out.set_some("seed", request.seed.map(Json::Number));
    out.set_some("presence_penalty", request.presence_penalty.map(Json::Number));
    out.set_some("frequency_penalty", request.frequency_penalty.map(Json::Number));
    if let Some(others) = request.logprobs {
        out.set("logprobs", true);
        out.set_some("top_logprobs", Some(others).filter(|others| *others > 0));
    }
    if !request.stop.is_empty() {
        out.set("stop", request.stop.into_iter().map(Json::from).collect::<Vec<_>>());
    }
    if request.stream {
        out.set("stream", true);
        if request.stream_usage {
            out.set("stream_options", Json::object([("include_usage", true.into())]));
        }
    }
    out.set_some("response_format", request.format.map(write_format));
    if let Some(effort) = request.effort {
        // One degree more than this wire has.
        let known = if effort == "max" { String::from("xhigh") } else { effort };
        out.set("reasoning_effort", known);
    }
    if request.thinking.is_some() {
        losses.add("thinking");
    }
    out.set_some("user", request.user);
    Ok(out)
}

fn write_system(system: System, losses: &mut Losses) -> Result<Json, Refused> {
    losses.judge(system.at, &system.own)?;
    if system.cache.is_some() {
        losses.add("cache_control");
    }
    let role = if system.developer { "developer" } else { "system" };
    Ok(Json::object([("role", role.into()), ("content", system.text.into())]))
}

fn write_turn(turn: Turn, losses: &mut Losses, out: &mut Vec<Json>) -> Result<(), Refused> {
    losses.judge(turn.at, &turn.own)?;
    match turn.role {
        Role::Assistant => {
            out.push(write_assistant(turn.parts, losses)?);
            return Ok(());
        }
        Role::System | Role::Developer => {
            let role = if turn.role == Role::System { "system" } else { "developer" };
            let content = write_content(turn.parts, losses)?;
            out.push(Json::object([("role", role.into()), ("content", content)]));
            return Ok(());
        }
        Role::User => {}
    }
    let mut said = Vec::new();
    let begins = out.len();
    for part in turn.parts {
        let place = part.at;
        match part.content {
            Content::Result { id, parts, failed } => {
                if !said.is_empty() {
                    return Err(Refused::new(place, "what tools answer comes first in a turn"));
                }
                note(&part.cache, &part.own, place, losses)?;
                if failed == Some(true) {
                    losses.add(format!("{place}.is_error"));
                }
                let only_text = parts.iter().all(|part| matches!(part.content, Content::Text(_)));
                if !only_text {
                    return Err(Refused::new(place, "the other API takes only text as the answer of a tool"));
                }
                let content = write_content(parts, losses)?;
                out.push(Json::object([
                    ("role", "tool".into()),
                    ("tool_call_id", id.into()),
                    ("content", content),
                ]));
            }
            content => said.push(Part { content, ..part }),
        }
    }
    if !said.is_empty() || out.len() == begins {
        let content = write_content(said, losses)?;
        out.push(Json::object([("role", "user".into()), ("content", content)]));
    }
    Ok(())
}

/// A single text as a string, which every service takes; else parts.
fn write_content(parts: Vec<Part>, losses: &mut Losses) -> Result<Json, Refused> {
    let mut written = Vec::with_capacity(parts.len());
    for part in parts {
        written.push(write_part(part, losses)?);
    }
    let single = match written.as_slice() {
        [] => Some(Json::from("")),
        [one] if one.get("type").and_then(Json::text) == Some("text") => one.get("text").cloned(),
        _ => None,
    };
    Ok(single.unwrap_or(Json::Array(written)))
}

fn note(
    cache: &Option<Json>,
    own: &[crate::Own],
    place: impl Display,
    losses: &mut Losses,
) -> Result<(), Refused> {
    if cache.is_some() {
        losses.add("cache_control");
    }
    losses.judge(place, own)
}

fn write_part(part: Part, losses: &mut Losses) -> Result<Json, Refused> {
    let place = part.at;
    note(&part.cache, &part.own, place, losses)?;
    Ok(match part.content {
        Content::Text(text) => Json::object([("type", "text".into()), ("text", text.into())]),
        Content::Refusal(text) => Json::object([("type", "refusal".into()), ("refusal", text.into())]),
        Content::Image { source, detail } => {
            let url = match source {
                Source::Base64 { media_type, data } => format!("data:{media_type};base64,{data}"),
                Source::Url(url) => url,
                Source::Text(_) => return Err(Refused::new(place, "an image is not text")),
            };
            let mut image = Json::object([("url", url.into())]);
            image.set_some("detail", detail);
            Json::object([("type", "image_url".into()), ("image_url", image)])
        }
        Content::Document { source: Source::Base64 { media_type, .. }, .. }
            if media_type != "application/pdf" =>
        {
            return Err(Refused::new(place, "the other API takes documents as PDF"));
        }
        Content::Document { source: Source::Base64 { media_type, data }, title } => {
            let mut file = Json::Object(Vec::new());
            // This wire asks for a name.
            file.set("filename", title.unwrap_or_else(|| String::from("document.pdf")));
            file.set("file_data", format!("data:{media_type};base64,{data}"));
            Json::object([("type", "file".into()), ("file", file)])
        }
        Content::Document { .. } => {
            return Err(Refused::new(place, "the other API takes documents only as base64"));
        }
        Content::Other { known, .. } => {
            let why = if known.is_some() { OTHER } else { crate::loss::UNKNOWN };
            return Err(Refused::new(place, why));
        }
        Content::Thinking { .. } | Content::Encrypted(_) | Content::Call(_) | Content::Result { .. } => {
            return Err(Refused::new(place, "it does not belong into this turn"));
        }
    })
}

const OTHER: &str = "the other API has no such content";

fn write_assistant(parts: Vec<Part>, losses: &mut Losses) -> Result<Json, Refused> {
    let (mut said, mut calls, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        let place = part.at;
        match part.content {
            // Thoughts of earlier turns are for the model that had them, which alone can check their signature.
            Content::Thinking { .. } | Content::Encrypted(_) => {
                note(&part.cache, &part.own, place, losses)?;
                losses.add(place.to_string());
            }
            Content::Call(call) => {
                note(&part.cache, &part.own, place, losses)?;
                let function =
                    Json::object([("name", call.name.into()), ("arguments", call.input.write().into())]);
                calls.push(Json::object([
                    ("id", call.id.into()),
                    ("type", "function".into()),
                    ("function", function),
                ]));
            }
            Content::Refusal(text) => {
                note(&part.cache, &part.own, place, losses)?;
                refused.push(text);
            }
            content @ Content::Text(_) if calls.is_empty() => {
                said.push(Part { content, ..part });
            }
            Content::Text(_) => {
                return Err(Refused::new(place, "the other API has no text after the calls of a turn"));
            }
            content => {
                return write_part(Part { content, ..part }, losses).and(Err(Refused::new(
                    place,
                    "the other API has only text and calls in the model's turn",
                )));
            }
        }
    }
    let mut out = Json::object([("role", "assistant".into())]);
    let content = if said.is_empty() && (!calls.is_empty() || !refused.is_empty()) {
        Json::Null
    } else {
        write_content(said, losses)?
    };
    out.set("content", content);
    if !refused.is_empty() {
        out.set("refusal", refused.concat());
    }
    if !calls.is_empty() {
        out.set("tool_calls", calls);
    }
    Ok(out)
}

fn write_tool(tool: Tool, at: usize, losses: &mut Losses) -> Result<Json, Refused> {
    note(&tool.cache, &tool.own, format_args!("tools.{at}"), losses)?;
    let mut function = Json::object([("name", tool.name.into())]);
    function.set_some("description", tool.description);
    function.set_some("parameters", tool.schema);
    function.set_some("strict", tool.strict);
    Ok(Json::object([("type", "function".into()), ("function", function)]))
}

fn write_format(format: Format) -> Json {
    match format {
        Format::JsonObject => Json::object([("type", "json_object".into())]),
        Format::JsonSchema { name, description, schema, strict } => {
            let mut inner = Json::object([("name", name.unwrap_or_else(|| String::from(SCHEMA)).into())]);
            inner.set_some("description", description);
            inner.set("schema", schema);
            // Without it this wire does not hold the model to the schema.
            inner.set("strict", strict.unwrap_or(true));
            Json::object([("type", "json_schema".into()), ("json_schema", inner)])
        }
    }
}
