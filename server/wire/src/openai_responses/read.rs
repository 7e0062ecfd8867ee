//! A request as it comes in.

use super::{SEALED, SIGNED};
use crate::form::{
    Call, Content, Format, Input, Part, Request, Role, Source, System, Tool, ToolChoice, Turn,
};
use crate::json::{Json, Members};
use crate::loss::{Broken, Fate, Own, Table, own, unless_empty};
use crate::openai_chat::{has_only, is_data, read_source};
use crate::place::{Name, Place};

/// Every member that the published API has at the top of a request. Whoever asks what a request may hold asks this list.
pub const MEMBERS: &[&str] = &[
    "access_programs",
    "background",
    "background_options",
    "context_management",
    "conversation",
    "image",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// What only this wire has at the top of a request.
const TOP: Table = &[
    ("access_programs", |_| Fate::Refuse("the other API has no such programs")),
    ("background", |value| off(value, "the other API answers at once")),
    ("background_options", |_| Fate::Refuse("the other API answers at once")),
    ("context_management", |_| Fate::Refuse("the other API edits no context")),
    ("conversation", |_| Fate::Refuse("the other API keeps no conversations: send the whole input")),
    ("image", |_| Fate::Warn),
    ("include", |value| match value {
        Json::Array(items) if items.iter().all(tells_nothing) => Fate::Nothing,
        _ => Fate::Refuse("the other API cannot tell what is asked for"),
    }),
    // Of calls that the service makes by itself: without such a tool there are none.
    ("max_tool_calls", |_| Fate::Nothing),
    ("metadata", |_| Fate::Warn),
    ("moderation", |_| Fate::Refuse("the other API moderates nothing on request")),
    ("previous_response_id", |_| Fate::Refuse("the other API keeps no answers: send the whole input")),
    ("prompt", |_| Fate::Refuse("the other API keeps no prompts: send its text")),
    ("prompt_cache_key", |_| Fate::Warn),
    ("prompt_cache_options", |_| Fate::Warn),
    ("prompt_cache_retention", |_| Fate::Warn),
    ("safety_identifier", |_| Fate::Warn),
    ("service_tier", |_| Fate::Warn),
    ("store", |value| off(value, "the other API keeps no answers")),
    ("top_logprobs", |value| {
        if value.whole() == Some(0) {
            Fate::Nothing
        } else {
            Fate::Refuse("the other API tells no probabilities of tokens")
        }
    }),
    ("truncation", |value| if value.text() == Some("disabled") { Fate::Nothing } else { Fate::Warn }),
];

/// Of `reasoning`, beside how hard the model should think.
const REASONING: Table = &[
    ("context", |value| if value.text() == Some("auto") { Fate::Nothing } else { Fate::Warn }),
    ("generate_summary", |_| Fate::Warn),
    ("mode", |value| match value.text() {
        Some("standard") => Fate::Nothing,
        _ => Fate::Refuse("the other API has no such mode"),
    }),
    ("summary", |_| Fate::Warn),
];

/// Of `text`, beside its format.
const TEXT: Table = &[("verbosity", |_| Fate::Warn)];

/// Of an item of the input.
const ITEM: Table = &[
    // What it was called in the answer that it was in.
    ("id", |_| Fate::Nothing),
    ("status", |value| if value.text() == Some("completed") { Fate::Nothing } else { Fate::Warn }),
    ("phase", |_| Fate::Warn),
    ("async", |value| off(value, "the other API waits for every call")),
    ("caller", |value| match value.get("type").and_then(Json::text) {
        Some("direct") => Fate::Nothing,
        _ => Fate::Refuse("the other API has no tools that call tools"),
    }),
    // The call is told by its id.
    ("name", |_| Fate::Nothing),
    ("namespace", |_| Fate::Refuse("the other API has no namespaces of tools")),
    ("encrypted_content", |_| Fate::Warn),
];

/// Of a part of a message.
const PART: Table = &[
    ("annotations", unless_empty),
    ("logprobs", unless_empty),
    ("prompt_cache_breakpoint", |_| Fate::Warn),
    ("detail", |value| if value.text() == Some("auto") { Fate::Nothing } else { Fate::Warn }),
];

/// Of a function.
const TOOL: Table = &[
    ("allowed_callers", |value| match value {
        Json::Array(callers) if callers.iter().all(|caller| caller.text() == Some("direct")) => Fate::Nothing,
        _ => Fate::Refuse("the other API has no tools that call tools"),
    }),
    ("defer_loading", |value| off(value, "the other API searches no tools")),
    ("output_schema", |_| Fate::Refuse("the other API has no place for what a function gives back")),
];

/// Kinds of items that only this wire has.
const KINDS: &[&str] = &[
    "additional_tools",
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "compaction_trigger",
    "computer_call",
    "computer_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "file_search_call",
    "image_generation_call",
    "item_reference",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "program_output",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "web_search_call",
];

fn off(value: &Json, why: &'static str) -> Fate {
    if *value == Json::Bool(false) { Fate::Nothing } else { Fate::Refuse(why) }
}

/// Whether what is asked to be told besides is told anyway, or is of tools that such a request cannot have.
fn tells_nothing(item: &Json) -> bool {
    matches!(
        item.text(),
        Some(
            "reasoning.encrypted_content"
                | "message.input_image.image_url"
                | "file_search_call.results"
                | "web_search_call.results"
                | "web_search_call.action.sources"
                | "computer_call_output.output.image_url"
                | "code_interpreter_call.outputs"
        )
    )
}

/// Reads a request.
///
/// # Errors
/// [`Broken`].
pub fn read_request(body: Json) -> Result<Request, Broken> {
    let mut body = Members::of(body, "body")?;
    let mut request = Request { model: body.needed("model")?, ..Request::default() };
    if let Some(text) = body.text("instructions")? {
        let at = Place::REQUEST.member(Name::Instructions);
        request.system.push(System { text, developer: false, cache: None, at, own: Vec::new() });
    }
    match body.take("input") {
        Some(Json::Text(text)) => {
            let at = Place::REQUEST.member(Name::Input);
            let parts = vec![Part::at(Content::Text(text), at)];
            request.turns.push(Turn { role: Role::User, parts, at, own: Vec::new() });
        }
        Some(Json::Array(items)) => {
            for (number, item) in items.into_iter().enumerate() {
                read_item(item, Place::of(Name::Input, number), &mut request)?;
            }
        }
        _ => return Err(Broken::Shape("input")),
    }
    request.tools = body.list("tools")?.into_iter().map(read_tool).collect::<Result<_, _>>()?;
    request.tool_choice =
        body.take("tool_choice").map(|choice| read_choice(choice, &mut request.own)).transpose()?.flatten();
    request.parallel_tools = body.flag("parallel_tool_calls")?;
    request.max_tokens = body.whole("max_output_tokens")?;
    request.temperature = body.number("temperature")?;
    request.top_p = body.number("top_p")?;
    request.stream = body.flag("stream")?.unwrap_or(false);
    // This wire tells it in any case.
    request.stream_usage = request.stream;
    if let Some(mut options) = body.members("stream_options")? {
        // Padding against those who watch lengths on the wire; it says nothing.
        options.take("include_obfuscation");
        request.own.extend(own(options.rest(), &[]));
    }
    if let Some(mut text) = body.members("text")? {
        if let Some(format) = text.members("format")? {
            request.format = read_format(format, &mut request.own)?;
        }
        request.own.extend(within("text", own(text.rest(), TEXT)));
    }
    if let Some(mut reasoning) = body.members("reasoning")? {
        request.effort = reasoning.text("effort")?;
        request.own.extend(within("reasoning", own(reasoning.rest(), REASONING)));
    }
    request.user = body.text("user")?;
    request.own.extend(own(body.rest(), TOP));
    Ok(request)
}

/// Names of members of a member, in full.
fn within(holder: &str, own: Vec<Own>) -> Vec<Own> {
    const FULL: &[&str] = &[
        "reasoning.context",
        "reasoning.generate_summary",
        "reasoning.mode",
        "reasoning.summary",
        "text.verbosity",
    ];
    let full = |own: Own| {
        let name = own.known.map(|name| format!("{holder}.{name}"));
        let known = name.and_then(|name| FULL.iter().find(|full| **full == name).copied());
        Own { known, ..own }
    };
    own.into_iter().map(full).collect()
}

fn read_item(item: Json, at: Place, request: &mut Request) -> Result<(), Broken> {
    let kind = item.get("type").and_then(Json::text).map(str::to_owned);
    let role = item.get("role").is_some();
    match kind.as_deref() {
        None | Some("message") if role => read_message(Members::of(item, "input")?, at, request),
        Some("function_call") => {
            let mut item = Members::of(item, "input")?;
            item.take("type");
            let (id, name) = (item.needed("call_id")?, item.needed("name")?);
            let input = Input::of(item.text("arguments")?.unwrap_or_default());
            let content = Content::Call(Call { id, name, input });
            said(Part { content, cache: None, at, own: own(item.rest(), ITEM) }, at, request);
            Ok(())
        }
        Some("function_call_output") => {
            let mut item = Members::of(item, "input")?;
            item.take("type");
            let (id, output) = (item.needed("call_id")?, item.take("output"));
            let parts = read_content(output, at, Name::Output)?;
            let content = Content::Result { id, parts, failed: None };
            let result = Part { content, cache: None, at, own: own(item.rest(), ITEM) };
            // Answers of tools that were called together are one turn.
            match request.turns.last_mut().filter(|turn| is_results(turn)) {
                Some(turn) => turn.parts.push(result),
                None => {
                    let turn = Turn { role: Role::User, parts: vec![result], at, own: Vec::new() };
                    request.turns.push(turn);
                }
            }
            Ok(())
        }
        Some("reasoning") => {
            let mut item = Members::of(item, "input")?;
            item.take("type");
            said(read_thought(item, at)?, at, request);
            Ok(())
        }
        // An item with nothing but its id is a reference.
        kind => {
            let known = KINDS.iter().find(|known| **known == kind.unwrap_or("item_reference")).copied();
            let parts = vec![Part::at(Content::Other { known, value: item }, at)];
            request.turns.push(Turn { role: Role::User, parts, at, own: Vec::new() });
            Ok(())
        }
    }
}

/// Adds what the model said to its turn: what it thinks, says and calls are items of their own here.
fn said(part: Part, at: Place, request: &mut Request) {
    match request.turns.last_mut().filter(|turn| turn.role == Role::Assistant) {
        Some(turn) => turn.parts.push(part),
        None => {
            request.turns.push(Turn { role: Role::Assistant, parts: vec![part], at, own: Vec::new() });
        }
    }
}

fn is_results(turn: &Turn) -> bool {
    turn.role == Role::User
        && turn.parts.last().is_some_and(|part| matches!(part.content, Content::Result { .. }))
}

fn read_message(mut message: Members, at: Place, request: &mut Request) -> Result<(), Broken> {
    message.take("type");
    let role = message.needed("role")?;
    let parts = read_content(message.take("content"), at, Name::Content)?;
    let own = own(message.rest(), ITEM);
    // What the message has besides is judged at the message, with a text that says nothing.
    let besides = |own: Vec<Own>| {
        let judged = own.iter().any(|own| own.fate != Fate::Nothing);
        judged.then(|| Part { content: Content::Text(String::new()), cache: None, at, own })
    };
    match role.as_str() {
        "system" | "developer" => {
            let developer = role == "developer";
            let only_text = parts.iter().all(|part| matches!(part.content, Content::Text(_)));
            if !request.turns.is_empty() || !only_text {
                let role = if developer { Role::Developer } else { Role::System };
                request.turns.push(Turn { role, parts, at, own });
                return Ok(());
            }
            for part in besides(own).into_iter().chain(parts) {
                if let Content::Text(text) = part.content {
                    let Part { cache, at, own, .. } = part;
                    request.system.push(System { text, developer, cache, at, own });
                }
            }
        }
        "user" => match request.turns.last_mut().filter(|turn| is_results(turn)) {
            // What a person says after tools have answered belongs to the same turn.
            Some(turn) => {
                turn.parts.extend(besides(own));
                turn.parts.extend(parts);
            }
            None => request.turns.push(Turn { role: Role::User, parts, at, own }),
        },
        "assistant" => {
            besides(own).into_iter().chain(parts).for_each(|part| said(part, at, request));
        }
        _ => return Err(Broken::Content("a role that is not known")),
    }
    Ok(())
}

/// A thought with the signature that this wire carried, as what it was.
fn read_thought(mut item: Members, at: Place) -> Result<Part, Broken> {
    let mut text = String::new();
    for name in ["summary", "content"] {
        for part in item.list(name)? {
            text.push_str(part.get("text").and_then(Json::text).unwrap_or_default());
        }
    }
    let seal = item.text("encrypted_content")?;
    let mut besides = own(item.rest(), ITEM);
    let content = match seal {
        Some(seal) if seal.starts_with(SIGNED) => {
            let signature = seal.strip_prefix(SIGNED).map(str::to_owned);
            Content::Thinking { text, signature }
        }
        Some(seal) if seal.starts_with(SEALED) => {
            Content::Encrypted(seal.strip_prefix(SEALED).unwrap_or_default().to_owned())
        }
        Some(seal) => {
            let (known, name) = (Some("encrypted_content"), String::from("encrypted_content"));
            besides.push(Own { known, name, value: Json::Text(seal), fate: Fate::Warn });
            Content::Thinking { text, signature: None }
        }
        None => Content::Thinking { text, signature: None },
    };
    Ok(Part { content, cache: None, at, own: besides })
}

fn read_content(content: Option<Json>, at: Place, name: Name) -> Result<Vec<Part>, Broken> {
    match content {
        None => Ok(Vec::new()),
        Some(Json::Text(text)) => Ok(vec![Part::at(Content::Text(text), at)]),
        Some(Json::Array(parts)) => {
            let parts = parts.into_iter().enumerate();
            parts.map(|(number, part)| read_part(part, at.then(name, number))).collect()
        }
        Some(_) => Err(Broken::Shape("content")),
    }
}

fn read_part(part: Json, at: Place) -> Result<Part, Broken> {
    let kind = part.get("type").and_then(Json::text).unwrap_or_default();
    let has = |name: &str| part.get(name).is_some_and(|value| *value != Json::Null);
    // What is media may be large, so whether it can be carried is looked at before it is taken apart.
    let data = || part.get("file_data").and_then(Json::text).is_some_and(is_data);
    let known = ["type", "file_data", "filename", "detail", "prompt_cache_breakpoint"];
    let other = match kind {
        "input_text" | "output_text" | "text" | "refusal" => None,
        "input_image" if has("image_url") && !has("file_id") => None,
        // A file that was uploaded is at the provider that it was uploaded to.
        "input_image" => Some(Some("input_image")),
        "input_file" if !has("file_id") && !has("file_url") && has_only(Some(&part), &known) && data() => {
            None
        }
        "input_file" if has("file_url") && !has("file_id") && !has("file_data") => None,
        "input_file" => Some(Some("input_file")),
        "input_audio" => Some(Some("input_audio")),
        _ => Some(None),
    };
    if let Some(known) = other {
        return Ok(Part::at(Content::Other { known, value: part }, at));
    }
    let mut part = Members::of(part, "content")?;
    let kind = part.needed("type")?;
    let content = match kind.as_str() {
        "refusal" => Content::Refusal(part.needed("refusal")?),
        "input_image" => {
            let detail = part.text("detail")?.filter(|detail| detail != "auto");
            Content::Image { source: read_source(part.needed("image_url")?), detail }
        }
        "input_file" => {
            let url = part.text("file_url")?;
            let data = part.text("file_data")?;
            let source = url.map(Source::Url).or(data.map(read_source)).ok_or(Broken::Shape("file_data"))?;
            Content::Document { source, title: part.text("filename")? }
        }
        _ => Content::Text(part.needed("text")?),
    };
    Ok(Part { content, cache: None, at, own: own(part.rest(), PART) })
}

fn read_tool(tool: Json) -> Result<Tool, Broken> {
    let mut tool = Members::of(tool, "tools")?;
    let kind = tool.needed("type")?;
    if kind != "function" {
        let value = Json::Object(tool.rest());
        let fate = Fate::Refuse("only functions are known to both APIs");
        return Ok(Tool {
            name: String::new(),
            description: None,
            schema: None,
            strict: None,
            cache: None,
            own: vec![Own { known: Some("type"), name: kind, value, fate }],
        });
    }
    Ok(Tool {
        name: tool.needed("name")?,
        description: tool.text("description")?,
        schema: tool.take("parameters"),
        strict: tool.flag("strict")?,
        cache: None,
        own: own(tool.rest(), TOOL),
    })
}

fn read_choice(choice: Json, own: &mut Vec<Own>) -> Result<Option<ToolChoice>, Broken> {
    if let Json::Text(text) = &choice {
        return Ok(Some(match text.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Any,
            _ => return Err(Broken::Shape("tool_choice")),
        }));
    }
    let is_function = choice.get("type").and_then(Json::text) == Some("function");
    let name = choice.get("name").and_then(Json::text).filter(|_| is_function);
    if let Some(name) = name {
        return Ok(Some(ToolChoice::Named(name.to_owned())));
    }
    own.push(Own {
        known: Some("tool_choice"),
        name: String::from("tool_choice"),
        value: choice,
        fate: Fate::Refuse("the other API can ask for any tool, one function, or none"),
    });
    Ok(None)
}

fn read_format(mut format: Members, own_of_request: &mut Vec<Own>) -> Result<Option<Format>, Broken> {
    let kind = format.needed("type")?;
    let read = match kind.as_str() {
        "text" => None,
        "json_object" => Some(Format::JsonObject),
        "json_schema" => Some(Format::JsonSchema {
            name: format.text("name")?,
            description: format.text("description")?,
            schema: format.take("schema").ok_or(Broken::Shape("schema"))?,
            strict: format.flag("strict")?,
        }),
        _ => {
            own_of_request.push(Own {
                known: Some("text.format"),
                name: kind,
                value: Json::Null,
                fate: Fate::Refuse("the other API has no such format"),
            });
            None
        }
    };
    own_of_request.extend(own(format.rest(), &[]));
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_wire_has_is_in_the_list_of_members() {
        assert!(TOP.iter().all(|(name, _)| MEMBERS.contains(name)));
        assert!(MEMBERS.is_sorted() && KINDS.is_sorted());
    }
}
