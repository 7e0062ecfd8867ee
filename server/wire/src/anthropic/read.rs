//! A request as it comes in.

use crate::form::{
    Call, Content, Format, Input, Part, Request, Role, Source, System, Thinking, Tool, ToolChoice, Turn,
};
use crate::json::{Json, Members};
use crate::loss::{Broken, Fate, Own, Table, own};
use crate::place::{Name, Place};

/// Every member that the published API has at the top of a request. Whoever asks what a request may hold asks this list.
pub const MEMBERS: &[&str] = &[
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
];

/// Those of a request to count tokens: <https://platform.claude.com/docs/en/api/messages-count-tokens>.
pub const COUNTED: &[&str] = &[
    "cache_control",
    "context_management",
    "mcp_servers",
    "messages",
    "model",
    "output_config",
    "system",
    "thinking",
    "tool_choice",
    "tools",
];

/// What only this wire has at the top of a request.
const TOP: Table = &[
    // A marker for the whole request.
    ("cache_control", |_| Fate::Warn),
    ("service_tier", |_| Fate::Warn),
    ("speed", |_| Fate::Warn),
    ("diagnostics", |_| Fate::Warn),
    ("container", |_| Fate::Refuse("the other API runs no code")),
    ("mcp_servers", |_| Fate::Refuse("the other API calls no servers")),
    ("context_management", |_| Fate::Refuse("the other API edits no context")),
    ("inference_geo", |_| Fate::Refuse("where a request is processed is the endpoint's to say")),
];

const METADATA: Table = &[];

// How a thought is shown goes with how it is switched.
const THINKING: Table = &[("display", |_| Fate::Nothing)];

const PART: Table = &[
    ("citations", |value| match value {
        // What an answer before cited, and what switches citing off.
        Json::Array(_) => Fate::Warn,
        value if value.get("enabled") == Some(&Json::Bool(false)) => Fate::Nothing,
        _ => Fate::Refuse("the other API cites nothing"),
    }),
    ("context", |_| Fate::Refuse("the other API has no place for what is said of a document")),
    ("caller", |value| match value.get("type").and_then(Json::text) {
        Some("direct") => Fate::Nothing,
        _ => Fate::Refuse("the other API has no tools that call tools"),
    }),
    ("transformations", |_| Fate::Warn),
    ("toolset_name", |_| Fate::Refuse("the other API does not have this tool of the provider")),
];

const TOOL: Table = &[
    ("eager_input_streaming", |_| Fate::Warn),
    ("input_examples", |_| Fate::Refuse("the other API has no place for examples of input")),
    ("defer_loading", |value| off(value, "the other API searches no tools")),
    ("allowed_callers", |value| match value {
        Json::Array(callers) if callers.iter().all(|caller| caller.text() == Some("direct")) => Fate::Nothing,
        _ => Fate::Refuse("the other API has no tools that call tools"),
    }),
];

/// Kinds of content that only this wire has.
const KINDS: &[&str] = &[
    "search_result",
    "server_tool_use",
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "tool_reference",
    "container_upload",
    "mcp_tool_use",
    "mcp_tool_result",
    "mid_conv_system",
    "browser_state",
];

fn off(value: &Json, why: &'static str) -> Fate {
    if *value == Json::Bool(false) { Fate::Nothing } else { Fate::Refuse(why) }
}

/// Reads a request.
///
/// # Errors
/// [`Broken`].
pub fn read_request(body: Json) -> Result<Request, Broken> {
    let mut body = Members::of(body, "body")?;
    let mut request = Request { model: body.needed("model")?, ..Request::default() };
    match body.take("system") {
        None => {}
        Some(Json::Text(text)) => {
            let at = Place::REQUEST.member(Name::System);
            request.system.push(System { text, developer: false, cache: None, at, own: Vec::new() });
        }
        Some(Json::Array(texts)) => {
            for (number, text) in texts.into_iter().enumerate() {
                let mut text = Members::of(text, "system")?;
                if text.needed("type")? != "text" {
                    return Err(Broken::Content("a system prompt that is not text"));
                }
                request.system.push(System {
                    text: text.needed("text")?,
                    developer: false,
                    cache: text.take("cache_control"),
                    at: Place::of(Name::System, number),
                    own: own(text.rest(), PART),
                });
            }
        }
        Some(_) => return Err(Broken::Shape("system")),
    }
    for (number, message) in body.list("messages")?.into_iter().enumerate() {
        let mut message = Members::of(message, "messages")?;
        let role = match message.needed("role")?.as_str() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(Broken::Content("a role that is not known")),
        };
        let at = Place::of(Name::Messages, number);
        let parts = read_content(message.take("content"), at)?;
        request.turns.push(Turn { role, parts, at, own: own(message.rest(), &[]) });
    }
    request.prefilled = request.turns.last().is_some_and(|turn| turn.role == Role::Assistant);
    request.tools = body.list("tools")?.into_iter().map(read_tool).collect::<Result<_, _>>()?;
    if let Some(mut choice) = body.members("tool_choice")? {
        request.tool_choice = Some(match choice.needed("type")?.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "any" => ToolChoice::Any,
            "tool" => ToolChoice::Named(choice.needed("name")?),
            _ => return Err(Broken::Shape("tool_choice")),
        });
        request.parallel_tools = choice.flag("disable_parallel_tool_use")?.map(|disabled| !disabled);
        request.own.extend(own(choice.rest(), &[]));
    }
    request.max_tokens = body.whole("max_tokens")?;
    request.temperature = body.number("temperature")?;
    request.top_p = body.number("top_p")?;
    request.top_k = body.number("top_k")?;
    let text =
        |stop| if let Json::Text(stop) = stop { Ok(stop) } else { Err(Broken::Shape("stop_sequences")) };
    request.stop = body.list("stop_sequences")?.into_iter().map(text).collect::<Result<_, _>>()?;
    request.stream = body.flag("stream")?.unwrap_or(false);
    // This wire tells it in any case.
    request.stream_usage = request.stream;
    if let Some(mut metadata) = body.members("metadata")? {
        request.user = metadata.text("user_id")?;
        request.own.extend(own(metadata.rest(), METADATA));
    }
    if let Some(mut config) = body.members("output_config")? {
        request.effort = config.text("effort")?;
        if let Some(mut format) = config.members("format")? {
            if format.needed("type")? != "json_schema" {
                return Err(Broken::Shape("format"));
            }
            let schema = format.take("schema").ok_or(Broken::Shape("schema"))?;
            request.format = Some(Format::JsonSchema { name: None, description: None, schema, strict: None });
            request.own.extend(own(format.rest(), &[]));
        }
        request.own.extend(own(config.rest(), &[]));
    }
    if let Some(mut thinking) = body.members("thinking")? {
        request.thinking = Some(match thinking.needed("type")?.as_str() {
            "disabled" => Thinking::Off,
            "adaptive" => Thinking::Adaptive,
            "between_tools" => Thinking::BetweenTools,
            "enabled" => {
                Thinking::Budget(thinking.whole("budget_tokens")?.ok_or(Broken::Shape("budget_tokens"))?)
            }
            _ => return Err(Broken::Shape("thinking")),
        });
        request.own.extend(own(thinking.rest(), THINKING));
    }
    request.own.extend(own(body.rest(), TOP));
    Ok(request)
}

fn read_content(content: Option<Json>, at: Place) -> Result<Vec<Part>, Broken> {
    match content {
        Some(Json::Text(text)) => Ok(vec![Part::at(Content::Text(text), at)]),
        Some(Json::Array(parts)) => {
            let parts = parts.into_iter().enumerate();
            parts.map(|(number, part)| read_part(part, at.then(Name::Content, number))).collect()
        }
        None => Ok(Vec::new()),
        Some(_) => Err(Broken::Shape("content")),
    }
}

fn read_part(part: Json, at: Place) -> Result<Part, Broken> {
    let kind = part.get("type").and_then(Json::text).unwrap_or_default();
    let source = part.get("source").and_then(|source| source.get("type")).and_then(Json::text);
    let known = match (kind, source) {
        ("image", Some("file")) => Some("image"),
        // Text in parts, and a file that was uploaded.
        ("document", Some("content" | "file")) => Some("document"),
        (
            "text" | "image" | "document" | "thinking" | "redacted_thinking" | "tool_use" | "tool_result",
            _,
        ) => None,
        _ => {
            let known = KINDS.iter().find(|known| **known == kind).copied();
            return Ok(Part::at(Content::Other { known, value: part }, at));
        }
    };
    if known.is_some() {
        return Ok(Part::at(Content::Other { known, value: part }, at));
    }
    let mut part = Members::of(part, "content")?;
    let kind = part.needed("type")?;
    let cache = part.take("cache_control");
    let content = match kind.as_str() {
        "text" => Content::Text(part.needed("text")?),
        "image" => Content::Image { source: read_source(&mut part)?, detail: None },
        "document" => Content::Document { source: read_source(&mut part)?, title: part.text("title")? },
        "thinking" => {
            Content::Thinking { text: part.needed("thinking")?, signature: part.text("signature")? }
        }
        "redacted_thinking" => Content::Encrypted(part.needed("data")?),
        "tool_use" => Content::Call(Call {
            id: part.needed("id")?,
            name: part.needed("name")?,
            input: match part.take("input") {
                Some(input @ Json::Object(_)) => Input::Json(input),
                _ => return Err(Broken::Shape("input")),
            },
        }),
        _ => Content::Result {
            id: part.needed("tool_use_id")?,
            parts: read_content(part.take("content"), at)?,
            failed: part.flag("is_error")?,
        },
    };
    Ok(Part { content, cache, at, own: own(part.rest(), PART) })
}

fn read_source(part: &mut Members) -> Result<Source, Broken> {
    let mut source = part.members("source")?.ok_or(Broken::Shape("source"))?;
    let read = match source.needed("type")?.as_str() {
        "base64" => Source::Base64 { media_type: source.needed("media_type")?, data: source.needed("data")? },
        "url" => Source::Url(source.needed("url")?),
        "text" => {
            source.take("media_type");
            Source::Text(source.needed("data")?)
        }
        _ => return Err(Broken::Shape("source")),
    };
    if source.is_spent() { Ok(read) } else { Err(Broken::Shape("source")) }
}

fn read_tool(tool: Json) -> Result<Tool, Broken> {
    let mut tool = Members::of(tool, "tools")?;
    let kind = tool.text("type")?;
    if let Some(kind) = kind.filter(|kind| kind != "custom") {
        let value = Json::Object(tool.rest());
        let fate = Fate::Refuse("the other API does not have this tool of the provider");
        let own = vec![Own { known: Some("type"), name: kind, value, fate }];
        return Ok(Tool {
            name: String::new(),
            description: None,
            schema: None,
            strict: None,
            cache: None,
            own,
        });
    }
    Ok(Tool {
        name: tool.needed("name")?,
        description: tool.text("description")?,
        schema: tool.take("input_schema"),
        strict: tool.flag("strict")?,
        cache: tool.take("cache_control"),
        own: own(tool.rest(), TOOL),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_wire_has_is_in_the_list_of_members() {
        assert!(TOP.iter().all(|(name, _)| MEMBERS.contains(name)));
        assert!(MEMBERS.is_sorted());
    }
}
