//! A request as it goes out.

use super::config::write_config;
use super::parts::{Names, SIGNATURE, write_parts};
use crate::form::{Request, Role, System, Tool, ToolChoice, Turn};
use crate::json::Json;
use crate::loss::{Losses, Refused};

/// What stands in place of the signature of a call that has none, because another model made it or its client lost it.
/// Without one, newer models refuse the first call of a turn:
/// <https://ai.google.dev/gemini-api/docs/thought-signatures#faqs>.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// Writes a request. The model and whether it streams are in the address.
///
/// # Errors
/// [`Refused`].
pub fn write_request(mut request: Request, losses: &mut Losses) -> Result<Json, Refused> {
    losses.judge("", &request.own)?;
    if let Some(last) = request.turns.last().filter(|turn| turn.role == Role::Assistant) {
        return Err(Refused::new(last.at, "the other API asks for a turn of the user's at the end"));
    }
    let mut out = Json::Object(Vec::new());
    let mut system = Vec::with_capacity(request.system.len());
    for text in std::mem::take(&mut request.system) {
        system.extend(write_system(text, losses)?);
    }
    if !system.is_empty() {
        out.set("systemInstruction", Json::object([("parts", system.into())]));
    }
    let turns = std::mem::take(&mut request.turns);
    out.set("contents", write_turns(turns, losses)?);
    let tools = std::mem::take(&mut request.tools);
    if !tools.is_empty() {
        let choice = request.tool_choice.take();
        let strict = tools.iter().any(|tool| tool.strict == Some(true));
        if request.parallel_tools == Some(false) && choice != Some(ToolChoice::None) {
            let why = "the other API cannot ask for one tool at a time";
            return Err(Refused::new("parallel_tool_calls", why));
        }
        let tools = tools.into_iter().enumerate();
        let tools: Result<Vec<Json>, Refused> =
            tools.map(|(at, tool)| write_tool(tool, at, losses)).collect();
        out.set("tools", vec![Json::object([("functionDeclarations", tools?.into())])]);
        if let Some(choice) = write_choice(choice, strict) {
            out.set("toolConfig", Json::object([("functionCallingConfig", choice)]));
        }
    } else if matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_))) {
        return Err(Refused::new("tool_choice", "a tool is asked for where there is none"));
    }
    let config = write_config(&mut request, losses)?;
    if config != Json::Object(Vec::new()) {
        out.set("generationConfig", config);
    }
    if request.user.is_some() {
        losses.add("user");
    }
    Ok(out)
}

fn write_system(system: System, losses: &mut Losses) -> Result<Option<Json>, Refused> {
    losses.judge(system.at, &system.own)?;
    if system.cache.is_some() {
        losses.add("cache_control");
    }
    // An empty text says nothing anywhere.
    Ok((!system.text.is_empty()).then(|| Json::object([("text", system.text.into())])))
}

/// Turns of one side that follow each other become one: here they alternate.
fn write_turns(turns: Vec<Turn>, losses: &mut Losses) -> Result<Vec<Json>, Refused> {
    let mut names = Names::new();
    let mut contents: Vec<(&'static str, Vec<Json>)> = Vec::with_capacity(turns.len());
    for turn in turns {
        losses.judge(turn.at, &turn.own)?;
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "model",
            Role::System | Role::Developer => {
                let why = "the other API has no instructions in the middle of a conversation";
                return Err(Refused::new(turn.at, why));
            }
        };
        let parts = write_parts(turn.parts, &mut names, losses)?;
        match contents.last_mut() {
            Some((before, said)) if *before == role => said.extend(parts),
            // A turn in which nothing is said is refused here and means nothing anywhere.
            _ if parts.is_empty() => {}
            _ => contents.push((role, parts)),
        }
    }
    let written = contents.into_iter().map(|(role, mut parts)| {
        let first = parts.iter_mut().find(|part| part.get("functionCall").is_some());
        if let Some(first) = first.filter(|first| first.get(SIGNATURE).is_none()) {
            first.set(SIGNATURE, UNSIGNED);
        }
        Json::object([("role", role.into()), ("parts", parts.into())])
    });
    Ok(written.collect())
}

fn write_tool(tool: Tool, at: usize, losses: &mut Losses) -> Result<Json, Refused> {
    losses.judge(format_args!("tools.{at}"), &tool.own)?;
    if tool.cache.is_some() {
        losses.add("cache_control");
    }
    let mut out = Json::object([("name", tool.name.into())]);
    out.set_some("description", tool.description);
    out.set_some("parametersJsonSchema", tool.schema);
    Ok(out)
}

/// The mode in which calls follow their schemas to the letter is one for all tools; where one has to be called they do so
/// anyway (<https://ai.google.dev/gemini-api/docs/function-calling>).
fn write_choice(choice: Option<ToolChoice>, strict: bool) -> Option<Json> {
    let mode = match &choice {
        None | Some(ToolChoice::Auto) if strict => "VALIDATED",
        None => return None,
        Some(ToolChoice::Auto) => "AUTO",
        Some(ToolChoice::None) => "NONE",
        Some(ToolChoice::Any | ToolChoice::Named(_)) => "ANY",
    };
    let mut out = Json::object([("mode", mode.into())]);
    if let Some(ToolChoice::Named(name)) = choice {
        out.set("allowedFunctionNames", vec![Json::from(name)]);
    }
    Some(out)
}
