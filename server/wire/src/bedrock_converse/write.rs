//! A request as it goes out.
//!
//! What the service asks for beyond its description: turns that alternate, so those of one side that follow each other
//! become one (<https://github.com/langchain-ai/langchain-aws/issues/130>); names of documents that differ
//! (<https://github.com/BerriAI/litellm/pull/30093>); a text beside a document
//! (<https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html>); the tools that a conversation has
//! called (<https://github.com/patriceckhart/zot/pull/18>).

use super::parts::{Documents, write_parts};
use crate::form::{Content, Format, Part, Request, Role, System, Thinking, Tool, ToolChoice, Turn};
use crate::json::Json;
use crate::loss::{Losses, Refused};
use crate::place::Place;

/// Writes a request. The model and whether it streams are in the address.
///
/// # Errors
/// [`Refused`].
pub fn write_request(request: Request, losses: &mut Losses) -> Result<Json, Refused> {
    losses.judge("", &request.own)?;
    request.untuned(losses)?;
    let mut out = Json::Object(Vec::new());
    let mut system = Vec::with_capacity(request.system.len());
    for text in request.system {
        write_system(text, &mut system, losses)?;
    }
    if !system.is_empty() {
        out.set("system", system);
    }
    let last = request.turns.last().filter(|turn| !request.prefilled && turn.role == Role::Assistant);
    if let Some(last) = last {
        return Err(Refused::new(last.at, "the other API would go on with the last turn"));
    }
    let uses_tools = request
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .any(|part| matches!(part.content, Content::Call(_) | Content::Result { .. }));
    let mut documents = Documents::default();
    let mut turns: Vec<(&'static str, Place, Vec<Json>)> = Vec::with_capacity(request.turns.len());
    for turn in request.turns {
        let at = turn.at;
        let (role, content) = write_turn(turn, &mut documents, losses)?;
        match turns.last_mut() {
            Some((before, _, said)) if *before == role => said.extend(content),
            // A turn in which nothing is said is refused here and means nothing anywhere.
            _ if content.is_empty() => {}
            _ => turns.push((role, at, content)),
        }
    }
    let mut messages = Vec::with_capacity(turns.len());
    for (role, at, content) in turns {
        let has = |kind: &str| content.iter().any(|block| block.get(kind).is_some());
        if has("document") && !has("text") {
            return Err(Refused::new(at, "the other API asks for a text beside a document"));
        }
        messages.push(Json::object([("role", role.into()), ("content", content.into())]));
    }
    out.set("messages", messages);
    let mut more = Json::Object(Vec::new());
    inference(
        Sampling {
            max_tokens: request.max_tokens,
            temperature: request.temperature,
            top_p: request.top_p,
            stop: request.stop,
        },
        &mut out,
    )?;
    // Anthropic's and others' models take it under this name; a model that does not says so.
    more.set_some("top_k", request.top_k.map(Json::Number));
    if request.parallel_tools == Some(false) {
        return Err(Refused::new("parallel_tool_calls", "the other API cannot ask for one tool at a time"));
    }
    tools(request.tools, request.tool_choice, uses_tools, &mut out, losses)?;
    let mut thinking = request.thinking;
    let mut config = Json::Object(Vec::new());
    config.set_some("textFormat", request.format.map(write_format).transpose()?);
    match request.effort.as_deref() {
        None => {}
        Some("none") => {
            thinking.get_or_insert(Thinking::Off);
        }
        // The least that this wire has.
        Some("minimal") => config.set("effort", "low"),
        Some(effort) => config.set("effort", effort),
    }
    if config != Json::Object(Vec::new()) {
        out.set("outputConfig", config);
    }
    // Only Anthropic's models take it, under their own name; another model says that it does not.
    more.set_some("thinking", thinking.as_ref().map(write_thinking));
    if more != Json::Object(Vec::new()) {
        out.set("additionalModelRequestFields", more);
    }
    if request.user.is_some() {
        losses.add("user");
    }
    Ok(out)
}

struct Sampling {
    max_tokens: Option<u64>,
    temperature: Option<String>,
    top_p: Option<String>,
    stop: Vec<String>,
}

fn inference(sampling: Sampling, out: &mut Json) -> Result<(), Refused> {
    if sampling.max_tokens == Some(0) {
        return Err(Refused::new("max_tokens", "the other API cannot fill a cache without an answer"));
    }
    let mut config = Json::Object(Vec::new());
    config.set_some("maxTokens", sampling.max_tokens);
    if let Some(temperature) = sampling.temperature {
        // From 0 to 1 here, to 2 elsewhere.
        if !temperature.parse::<f64>().is_ok_and(|number| number <= 1.0) {
            return Err(Refused::new("temperature", "the other API takes no temperature above 1"));
        }
        config.set("temperature", Json::Number(temperature));
    }
    config.set_some("topP", sampling.top_p.map(Json::Number));
    if !sampling.stop.is_empty() {
        config.set("stopSequences", sampling.stop.into_iter().map(Json::from).collect::<Vec<_>>());
        // Which of them ended the answer is a member of the model's own answer; one that does not have it is not asked.
        out.set("additionalModelResponseFieldPaths", vec![Json::from("/stop_sequence")]);
    }
    if config != Json::Object(Vec::new()) {
        out.set("inferenceConfig", config);
    }
    Ok(())
}

fn tools(
    tools: Vec<Tool>,
    choice: Option<ToolChoice>,
    used: bool,
    out: &mut Json,
    losses: &mut Losses,
) -> Result<(), Refused> {
    if tools.is_empty() {
        return if used {
            let why = "the other API asks for the tools that the conversation has called: send `tools`";
            Err(Refused::new("tools", why))
        } else {
            Ok(())
        };
    }
    let mut written = Vec::with_capacity(tools.len());
    for (at, tool) in tools.into_iter().enumerate() {
        write_tool(tool, at, &mut written, losses)?;
    }
    let choice = match choice {
        // There is no such choice; without tools none is called.
        Some(ToolChoice::None) if used => {
            let why = "the other API cannot forbid tools where the conversation has called some";
            return Err(Refused::new("tool_choice", why));
        }
        Some(ToolChoice::None) => return Ok(()),
        // What it does anyway; some models take no choice at all.
        None | Some(ToolChoice::Auto) => None,
        Some(ToolChoice::Any) => Some(Json::object([("any", Json::Object(Vec::new()))])),
        Some(ToolChoice::Named(name)) => {
            Some(Json::object([("tool", Json::object([("name", name.into())]))]))
        }
    };
    let mut config = Json::object([("tools", written.into())]);
    config.set_some("toolChoice", choice);
    out.set("toolConfig", config);
    Ok(())
}

fn write_tool(tool: Tool, at: usize, out: &mut Vec<Json>, losses: &mut Losses) -> Result<(), Refused> {
    losses.judge(format!("tools.{at}"), &tool.own)?;
    let mut spec = Json::object([("name", tool.name.into())]);
    spec.set_some("description", tool.description.filter(|description| !description.is_empty()));
    // A function without parameters has an object without members.
    let none = || Json::object([("type", "object".into()), ("properties", Json::Object(Vec::new()))]);
    spec.set("inputSchema", Json::object([("json", tool.schema.unwrap_or_else(none))]));
    spec.set_some("strict", tool.strict);
    out.push(Json::object([("toolSpec", spec)]));
    out.extend(tool.cache.and_then(|cache| cache_point(&cache, losses)));
    Ok(())
}

fn write_system(system: System, out: &mut Vec<Json>, losses: &mut Losses) -> Result<(), Refused> {
    losses.judge(system.at, &system.own)?;
    // An empty text is refused here and means nothing anywhere.
    if !system.text.is_empty() {
        out.push(Json::object([("text", system.text.into())]));
        out.extend(system.cache.and_then(|cache| cache_point(&cache, losses)));
    }
    Ok(())
}

fn write_turn(
    turn: Turn,
    documents: &mut Documents,
    losses: &mut Losses,
) -> Result<(&'static str, Vec<Json>), Refused> {
    losses.judge(turn.at, &turn.own)?;
    let role = match turn.role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System | Role::Developer => "system",
    };
    let shows = |part: &Part| matches!(part.content, Content::Image { .. } | Content::Document { .. });
    if role != "user" && turn.parts.iter().any(shows) {
        return Err(Refused::new(turn.at, "the other API takes images and documents only in a user's turn"));
    }
    Ok((role, write_parts(turn.parts, documents, losses)?))
}

fn write_format(format: Format) -> Result<Json, Refused> {
    let Format::JsonSchema { name, description, schema, .. } = format else {
        return Err(Refused::new("response_format", "the other API asks for a schema: send `json_schema`"));
    };
    // Here the schema is a text.
    let mut inner = Json::object([("schema", schema.write().into())]);
    inner.set_some("name", name);
    inner.set_some("description", description);
    Ok(Json::object([("type", "json_schema".into()), ("structure", Json::object([("jsonSchema", inner)]))]))
}

fn write_thinking(thinking: &Thinking) -> Json {
    match thinking {
        Thinking::Off => Json::object([("type", "disabled".into())]),
        Thinking::Adaptive => Json::object([("type", "adaptive".into())]),
        Thinking::BetweenTools => Json::object([("type", "between_tools".into())]),
        Thinking::Budget(tokens) => {
            Json::object([("type", "enabled".into()), ("budget_tokens", (*tokens).into())])
        }
    }
}

/// A cache point after what is marked. A marker in words that are not known is left out and said to be.
pub(super) fn cache_point(cache: &Json, losses: &mut Losses) -> Option<Json> {
    let ttl = cache.get("ttl").map(|ttl| ttl.text().unwrap_or_default());
    let known = cache.get("type").and_then(Json::text) == Some("ephemeral");
    if !known || ttl.is_some_and(|ttl| !["5m", "1h"].contains(&ttl)) {
        losses.add("cache_control");
        return None;
    }
    let mut point = Json::object([("type", "default".into())]);
    point.set_some("ttl", ttl);
    Some(Json::object([("cachePoint", point)]))
}
