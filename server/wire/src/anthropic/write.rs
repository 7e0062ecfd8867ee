//! A request as it goes out.

use crate::form::{
    Content, Format, Input, Part, Request, Role, Source, System, Thinking, Tool, ToolChoice, Turn,
};
use crate::gemini::is_geminis;
use crate::json::Json;
use crate::loss::{Losses, Own, Refused};
use crate::place::Place;

/// The images that this wire takes: <https://platform.claude.com/docs/en/build-with-claude/vision>.
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Writes a request. `most` is the limit on output where the request has none: this wire asks for one.
///
/// # Errors
/// [`Refused`].
pub fn write_request(request: Request, most: u64, losses: &mut Losses) -> Result<Json, Refused> {
    losses.judge("", &request.own)?;
    request.untuned(losses)?;
    let mut out = Json::object([
        ("model", request.model.into()),
        ("max_tokens", request.max_tokens.unwrap_or(most).into()),
    ]);
    let mut system = Vec::with_capacity(request.system.len());
    for text in request.system {
        system.extend(write_system(text, losses)?);
    }
    if !system.is_empty() {
        out.set("system", system);
    }
    let last = request.turns.last().filter(|turn| turn.role == Role::Assistant);
    if let Some(last) = last.filter(|_| !request.prefilled) {
        return Err(Refused::new(last.at, "the other API would go on with the last turn"));
    }
    let turns: Result<Vec<Option<Json>>, Refused> =
        request.turns.into_iter().map(|turn| write_turn(turn, losses)).collect();
    out.set("messages", turns?.into_iter().flatten().collect::<Vec<_>>());
    if !request.tools.is_empty() {
        let tools = request.tools.into_iter().enumerate();
        let tools: Result<Vec<Json>, Refused> =
            tools.map(|(at, tool)| write_tool(tool, at, losses)).collect();
        out.set("tools", tools?);
    }
    out.set_some("tool_choice", write_choice(request.tool_choice, request.parallel_tools));
    if let Some(temperature) = request.temperature {
        // From 0 to 1 here, to 2 elsewhere.
        if !temperature.parse::<f64>().is_ok_and(|number| number <= 1.0) {
            return Err(Refused::new("temperature", "the other API takes no temperature above 1"));
        }
        out.set("temperature", Json::Number(temperature));
    }
    out.set_some("top_p", request.top_p.map(Json::Number));
    out.set_some("top_k", request.top_k.map(Json::Number));
    if !request.stop.is_empty() {
        out.set("stop_sequences", request.stop.into_iter().map(Json::from).collect::<Vec<_>>());
    }
    if request.stream {
        out.set("stream", true);
    }
    let mut config = Json::Object(Vec::new());
    let mut thinking = request.thinking;
    if let Some(effort) = request.effort {
        match effort.as_str() {
            "none" => {
                thinking.get_or_insert(Thinking::Off);
            }
            // The least that this wire has.
            "minimal" => config.set("effort", "low"),
            _ => config.set("effort", effort),
        }
    }
    match request.format {
        None => {}
        Some(Format::JsonObject) => {
            return Err(Refused::new(
                "response_format",
                "the other API asks for a schema: send `json_schema`",
            ));
        }
        Some(Format::JsonSchema { schema, description, name, strict }) => {
            // What it is called, and that it need not be followed to the letter, has no place here.
            let only_there = [
                (name.is_some(), "response_format.json_schema.name"),
                (description.is_some(), "response_format.json_schema.description"),
                (strict == Some(false), "response_format.json_schema.strict"),
            ];
            only_there.iter().filter(|(said, _)| *said).for_each(|(_, place)| losses.add(*place));
            let format = Json::object([("type", "json_schema".into()), ("schema", schema)]);
            config.set("format", format);
        }
    }
    if config != Json::Object(Vec::new()) {
        out.set("output_config", config);
    }
    out.set_some(
        "thinking",
        thinking.map(|thinking| match thinking {
            Thinking::Off => Json::object([("type", "disabled".into())]),
            Thinking::Adaptive => Json::object([("type", "adaptive".into())]),
            Thinking::BetweenTools => Json::object([("type", "between_tools".into())]),
            Thinking::Budget(tokens) => {
                Json::object([("type", "enabled".into()), ("budget_tokens", tokens.into())])
            }
        }),
    );
    out.set_some("metadata", request.user.map(|user| Json::object([("user_id", user.into())])));
    Ok(out)
}

fn write_choice(choice: Option<ToolChoice>, parallel: Option<bool>) -> Option<Json> {
    let mut out = match choice {
        // Whether several may be called is said within the choice.
        None if parallel == Some(false) => Json::object([("type", "auto".into())]),
        None => return None,
        Some(ToolChoice::Auto) => Json::object([("type", "auto".into())]),
        Some(ToolChoice::None) => return Some(Json::object([("type", "none".into())])),
        Some(ToolChoice::Any) => Json::object([("type", "any".into())]),
        Some(ToolChoice::Named(name)) => Json::object([("type", "tool".into()), ("name", name.into())]),
    };
    out.set_some("disable_parallel_tool_use", parallel.map(|parallel| !parallel));
    Some(out)
}

fn write_system(system: System, losses: &mut Losses) -> Result<Option<Json>, Refused> {
    losses.judge(system.at, &system.own)?;
    // An empty text is refused here and means nothing anywhere.
    if system.text.is_empty() {
        return Ok(None);
    }
    let mut out = Json::object([("type", "text".into()), ("text", system.text.into())]);
    out.set_some("cache_control", system.cache);
    Ok(Some(out))
}

/// `None` for a turn in which nothing is said: it is refused here and means nothing anywhere.
fn write_turn(turn: Turn, losses: &mut Losses) -> Result<Option<Json>, Refused> {
    losses.judge(turn.at, &turn.own)?;
    let role = match turn.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System | Role::Developer => "system",
    };
    let content = write_parts(turn.parts, losses)?;
    let said = !content.is_empty();
    Ok(said.then(|| Json::object([("role", role.into()), ("content", content.into())])))
}

fn write_parts(parts: Vec<Part>, losses: &mut Losses) -> Result<Vec<Json>, Refused> {
    let mut out = Vec::with_capacity(parts.len());
    for part in parts {
        out.extend(write_part(part, losses)?);
    }
    Ok(out)
}

fn write_part(part: Part, losses: &mut Losses) -> Result<Option<Json>, Refused> {
    let place = part.at;
    losses.judge(place, &part.own)?;
    let mut out = match part.content {
        Content::Text(text) | Content::Refusal(text) => {
            // An empty text is refused here and means nothing anywhere.
            if text.is_empty() {
                return Ok(None);
            }
            Json::object([("type", "text".into()), ("text", text.into())])
        }
        Content::Image { source, detail } => {
            if detail.is_some_and(|detail| detail != "auto") {
                losses.add(format!("{place}.image_url.detail"));
            }
            if let Source::Base64 { media_type, .. } = &source
                && !IMAGES.contains(&media_type.as_str())
            {
                return Err(Refused::new(place, "the other API takes images as JPEG, PNG, GIF or WebP"));
            }
            Json::object([("type", "image".into()), ("source", write_source(source))])
        }
        Content::Document { source, title } => {
            if let Source::Base64 { media_type, .. } = &source
                && media_type != "application/pdf"
            {
                return Err(Refused::new(place, "the other API takes documents as PDF"));
            }
            let mut out = Json::object([("type", "document".into()), ("source", write_source(source))]);
            out.set_some("title", title);
            out
        }
        // Signed by another model, which alone can check it.
        Content::Thinking { signature: Some(seal), .. } | Content::Encrypted(seal) if is_geminis(&seal) => {
            losses.add(place.to_string());
            return Ok(None);
        }
        Content::Thinking { text, signature: Some(signature) } => Json::object([
            ("type", "thinking".into()),
            ("thinking", text.into()),
            ("signature", signature.into()),
        ]),
        // Nobody signed it, so the other side could not believe it.
        Content::Thinking { signature: None, .. } => {
            losses.add(place.to_string());
            return Ok(None);
        }
        Content::Encrypted(data) => {
            Json::object([("type", "redacted_thinking".into()), ("data", data.into())])
        }
        Content::Call(call) => {
            let Input::Json(input) = call.input else {
                return Err(Refused::new(place, "the arguments of the call are not the JSON of an object"));
            };
            let id = id(call.id, place)?;
            Json::object([
                ("type", "tool_use".into()),
                ("id", id),
                ("name", call.name.into()),
                ("input", input),
            ])
        }
        Content::Result { id: of, parts, failed } => {
            let content = write_parts(parts, losses)?;
            let mut out = Json::object([
                ("type", "tool_result".into()),
                ("tool_use_id", id(of, place)?),
                ("content", content.into()),
            ]);
            out.set_some("is_error", failed);
            out
        }
        Content::Other { known, .. } => {
            let why = if known.is_some() { OTHER } else { crate::loss::UNKNOWN };
            return Err(Refused::new(place, why));
        }
    };
    out.set_some("cache_control", part.cache);
    Ok(Some(out))
}

const OTHER: &str = "the other API has no such content";

/// Ids of calls have letters, digits, `_` and `-` here.
fn id(id: String, place: Place) -> Result<Json, Refused> {
    let fits = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if fits {
        Ok(id.into())
    } else {
        Err(Refused::new(place, "the id of a call has characters that the other API does not take"))
    }
}

fn write_source(source: Source) -> Json {
    match source {
        Source::Base64 { media_type, data } => Json::object([
            ("type", "base64".into()),
            ("media_type", media_type.into()),
            ("data", data.into()),
        ]),
        Source::Url(url) => Json::object([("type", "url".into()), ("url", url.into())]),
        Source::Text(data) => Json::object([
            ("type", "text".into()),
            ("media_type", "text/plain".into()),
            ("data", data.into()),
        ]),
    }
}

fn write_tool(tool: Tool, at: usize, losses: &mut Losses) -> Result<Json, Refused> {
    losses.judge(format_args!("tools.{at}"), &tool.own as &[Own])?;
    let mut out = Json::object([("name", tool.name.into())]);
    out.set_some("description", tool.description);
    // A function without parameters has an object without members.
    let none = || Json::object([("type", "object".into()), ("properties", Json::Object(Vec::new()))]);
    out.set("input_schema", tool.schema.unwrap_or_else(none));
    out.set_some("strict", tool.strict);
    out.set_some("cache_control", tool.cache);
    Ok(out)
}
