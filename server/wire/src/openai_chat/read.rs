//! A request as it comes in.

use super::{EXTRA, data_url_at, object};
use crate::form::{
    Call, Content, Format, Input, Part, Request, Role, Source, System, Tool, ToolChoice, Turn,
};
use crate::gemini::{OF_CALL, OF_TEXT};
use crate::json::{Json, Members};
use crate::loss::{Broken, Fate, Own, Table, own};
use crate::place::{Name, Place};

/// Every member that the published API has at the top of a request. Whoever asks what a request may hold asks this list.
pub const MEMBERS: &[&str] = &[
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "moderation",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// What only this wire has at the top of a request.
const TOP: Table = &[
    ("n", |value| {
        if value.whole() == Some(1) {
            Fate::Nothing
        } else {
            Fate::Refuse("the other API gives one answer to a request")
        }
    }),
    ("service_tier", |_| Fate::Warn),
    ("verbosity", |_| Fate::Warn),
    ("prediction", |_| Fate::Warn),
    ("metadata", |_| Fate::Warn),
    ("safety_identifier", |_| Fate::Warn),
    ("prompt_cache_key", |_| Fate::Warn),
    ("prompt_cache_options", |_| Fate::Warn),
    ("prompt_cache_retention", |_| Fate::Warn),
    ("logit_bias", |value| match value {
        Json::Object(members) if members.is_empty() => Fate::Nothing,
        _ => Fate::Refuse("the other API cannot bar or favour tokens"),
    }),
    ("top_logprobs", |value| {
        if value.whole() == Some(0) {
            Fate::Nothing
        } else {
            Fate::Refuse("the other API tells no probabilities of tokens")
        }
    }),
    ("store", |value| off(value, "the other API keeps no answers")),
    ("modalities", |value| match value {
        Json::Array(items) if items.iter().all(|item| item.text() == Some("text")) => Fate::Nothing,
        _ => Fate::Refuse("the other API answers with text only"),
    }),
    ("audio", |_| Fate::Refuse("the other API answers with text only")),
    ("moderation", |_| Fate::Refuse("the other API moderates nothing on request")),
    ("web_search_options", |_| Fate::Refuse("the other API has another tool for it")),
    ("functions", |_| Fate::Refuse("send `tools` instead")),
    ("function_call", |_| Fate::Refuse("send `tool_choice` instead")),
];

/// What only this wire has in a message.
const MESSAGE: Table = &[
    ("name", |_| Fate::Warn),
    ("annotations", |_| Fate::Warn),
    ("audio", |_| Fate::Refuse("the other API takes no audio")),
    ("function_call", |_| Fate::Refuse("send `tool_calls` instead")),
    // What some services call a thought besides; the one that is read is read elsewhere.
    ("reasoning", |_| Fate::Warn),
];

const PART: Table = &[("prompt_cache_breakpoint", |_| Fate::Warn)];

const TOOL: Table = &[];

/// Whether a penalty is one: at zero it tunes nothing.
fn is_penalty(digits: &str) -> bool {
    !digits.parse::<f64>().is_ok_and(|number| number == 0.0)
}

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
    for (number, message) in body.list("messages")?.into_iter().enumerate() {
        read_message(message, Place::of(Name::Messages, number), &mut request)?;
    }
    request.tools = body.list("tools")?.into_iter().map(read_tool).collect::<Result<_, _>>()?;
    request.tool_choice =
        body.take("tool_choice").map(|choice| read_choice(choice, &mut request.own)).transpose()?.flatten();
    request.parallel_tools = body.flag("parallel_tool_calls")?;
    request.max_tokens = match (body.whole("max_completion_tokens")?, body.whole("max_tokens")?) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    request.temperature = body.number("temperature")?;
    request.top_p = body.number("top_p")?;
    request.top_k = body.number("top_k")?;
    request.seed = body.number("seed")?;
    request.presence_penalty = body.number("presence_penalty")?.filter(|digits| is_penalty(digits));
    request.frequency_penalty = body.number("frequency_penalty")?.filter(|digits| is_penalty(digits));
    if body.flag("logprobs")? == Some(true) {
        request.logprobs = Some(body.whole("top_logprobs")?.unwrap_or(0));
    }
    request.stop = match body.take("stop") {
        None => Vec::new(),
        Some(Json::Text(stop)) => vec![stop],
        Some(Json::Array(stops)) => {
            let text = |stop| if let Json::Text(stop) = stop { Ok(stop) } else { Err(Broken::Shape("stop")) };
            stops.into_iter().map(text).collect::<Result<_, _>>()?
        }
        Some(_) => return Err(Broken::Shape("stop")),
    };
    request.stream = body.flag("stream")?.unwrap_or(false);
    if let Some(mut options) = body.members("stream_options")? {
        request.stream_usage = options.flag("include_usage")?.unwrap_or(false);
        // Padding against those who watch lengths on the wire; it says nothing.
        options.take("include_obfuscation");
        request.own.extend(own(options.rest(), &[]));
    }
    request.format = match body.members("response_format")? {
        Some(format) => read_format(format, &mut request.own)?,
        None => None,
    };
    request.effort = body.text("reasoning_effort")?;
    request.user = body.text("user")?;
    request.own.extend(own(body.rest(), TOP));
    Ok(request)
}

fn read_message(message: Json, at: Place, request: &mut Request) -> Result<(), Broken> {
    let mut message = object(message, "messages")?;
    let role = message.needed("role")?;
    let content = message.take("content");
    match role.as_str() {
        "system" | "developer" => {
            let developer = role == "developer";
            let parts = read_content(content, at)?;
            let own = own(message.rest(), MESSAGE);
            let only_text = parts.iter().all(|part| matches!(part.content, Content::Text(_)));
            if !request.turns.is_empty() || !only_text {
                let role = if developer { Role::Developer } else { Role::System };
                request.turns.push(Turn { role, parts, at, own });
                return Ok(());
            }
            // What the message has besides is judged at the message, with a text that says nothing.
            if !own.is_empty() {
                request.system.push(System { text: String::new(), developer, cache: None, at, own });
            }
            for part in parts {
                if let Content::Text(text) = part.content {
                    let Part { cache, at, own, .. } = part;
                    request.system.push(System { text, developer, cache, at, own });
                }
            }
        }
        "tool" => {
            let id = message.needed("tool_call_id")?;
            let content = Content::Result { id, parts: read_content(content, at)?, failed: None };
            // The part is the message.
            let result = Part { content, cache: None, at, own: own(message.rest(), MESSAGE) };
            // Answers of tools that were called together are one turn.
            match request.turns.last_mut().filter(|turn| is_results(turn)) {
                Some(turn) => turn.parts.push(result),
                None => {
                    let turn = Turn { role: Role::User, parts: vec![result], at, own: Vec::new() };
                    request.turns.push(turn);
                }
            }
        }
        "user" => {
            let parts = read_content(content, at)?;
            let own = own(message.rest(), MESSAGE);
            // What a person says after tools have answered belongs to the same turn; what the message has besides is judged at
            // the message, with a text that says nothing.
            match request.turns.last_mut().filter(|turn| is_results(turn)) {
                Some(turn) => {
                    if !own.is_empty() {
                        let content = Content::Text(String::new());
                        turn.parts.push(Part { content, cache: None, at, own });
                    }
                    turn.parts.extend(parts);
                }
                None => request.turns.push(Turn { role: Role::User, parts, at, own }),
            }
        }
        "assistant" => {
            let mut parts = Vec::new();
            if let Some(text) = message.text("reasoning_content")? {
                let at = at.member(Name::ReasoningContent);
                parts.push(Part::at(Content::Thinking { text, signature: None }, at));
            }
            parts.extend(read_content(content, at)?);
            if let Some(refusal) = message.text("refusal")? {
                parts.push(Part::at(Content::Refusal(refusal), at));
            }
            parts.extend(read_signature(message.take(EXTRA), OF_TEXT, at, &mut message));
            for (number, call) in message.list("tool_calls")?.into_iter().enumerate() {
                read_call(call, at.then(Name::ToolCalls, number), &mut parts)?;
            }
            let own = own(message.rest(), MESSAGE);
            request.turns.push(Turn { role: Role::Assistant, parts, at, own });
        }
        _ => return Err(Broken::Content("a role that is not known")),
    }
    Ok(())
}

fn is_results(turn: &Turn) -> bool {
    turn.role == Role::User
        && turn.parts.last().is_some_and(|part| matches!(part.content, Content::Result { .. }))
}

fn read_content(content: Option<Json>, at: Place) -> Result<Vec<Part>, Broken> {
    match content {
        None => Ok(Vec::new()),
        Some(Json::Text(text)) => Ok(vec![Part::at(Content::Text(text), at)]),
        Some(Json::Array(parts)) => {
            let parts = parts.into_iter().enumerate();
            parts.map(|(number, part)| read_part(part, at.then(Name::Content, number))).collect()
        }
        Some(_) => Err(Broken::Shape("content")),
    }
}

/// Whether an object has no members but these.
pub(crate) fn has_only(object: Option<&Json>, names: &[&str]) -> bool {
    let known = |(name, value): &(String, Json)| *value == Json::Null || names.contains(&name.as_str());
    matches!(object, Some(Json::Object(members)) if members.iter().all(known))
}

fn read_part(part: Json, at: Place) -> Result<Part, Broken> {
    let kind = part.get("type").and_then(Json::text).unwrap_or_default();
    let has_only = |name: &str, members: &[&str]| has_only(part.get(name), members);
    // What is media may be large, so whether it can be carried is looked at before it is taken apart.
    let file = || part.get("file").and_then(|file| file.get("file_data")).and_then(Json::text);
    let other = match kind {
        "text" | "refusal" => None,
        "image_url" if has_only("image_url", &["url", "detail"]) => None,
        "image_url" => Some(Some("image_url")),
        // A file that was uploaded is at the provider that it was uploaded to.
        "file" if has_only("file", &["file_data", "filename"]) && file().is_some_and(is_data) => None,
        "file" => Some(Some("file")),
        "input_audio" => Some(Some("input_audio")),
        _ => Some(None),
    };
    if let Some(known) = other {
        return Ok(Part::at(Content::Other { known, value: part }, at));
    }
    let mut part = object(part, "content")?;
    let kind = part.needed("type")?;
    let cache = part.take("cache_control");
    let content = match kind.as_str() {
        "text" => Content::Text(part.needed("text")?),
        "refusal" => Content::Refusal(part.needed("refusal")?),
        "image_url" => {
            let mut image = part.members("image_url")?.ok_or(Broken::Shape("image_url"))?;
            let (url, detail) = (image.needed("url")?, image.text("detail")?);
            Content::Image { source: read_source(url), detail }
        }
        _ => {
            let mut file = part.members("file")?.ok_or(Broken::Shape("file"))?;
            let (data, title) = (file.needed("file_data")?, file.text("filename")?);
            Content::Document { source: read_source(data), title }
        }
    };
    Ok(Part { content, cache, at, own: own(part.rest(), PART) })
}

/// Whether an address holds its bytes, as base64.
pub(crate) fn is_data(url: &str) -> bool {
    data_url_at(url).is_some()
}

/// What an address leads to. Bytes in it are not copied.
pub(crate) fn read_source(mut url: String) -> Source {
    let Some((media_type, begins)) = data_url_at(&url) else { return Source::Url(url) };
    let media_type = media_type.to_owned();
    url.drain(..begins);
    Source::Base64 { media_type, data: url }
}

/// The signature of a thought of Gemini's, where Google's own service with this wire has it. What else is there is put
/// back.
fn read_signature(extra: Option<Json>, mark: &str, at: Place, holder: &mut Members) -> Option<Part> {
    let extra = extra?;
    let google = extra.get("google");
    let signature = google.and_then(|google| google.get("thought_signature")).and_then(Json::text);
    let alone = has_only(Some(&extra), &["google"]) && has_only(google, &["thought_signature"]);
    let Some(signature) = signature.filter(|_| alone) else {
        holder.put(EXTRA, extra);
        return None;
    };
    let content = Content::Encrypted(format!("{mark}{signature}"));
    Some(Part::at(content, at.member(Name::ExtraContent)))
}

fn read_call(call: Json, at: Place, parts: &mut Vec<Part>) -> Result<(), Broken> {
    if call.get("type").and_then(Json::text).is_some_and(|kind| kind != "function") {
        parts.push(Part::at(Content::Other { known: Some("tool_calls"), value: call }, at));
        return Ok(());
    }
    let mut call = object(call, "tool_calls")?;
    parts.extend(read_signature(call.take(EXTRA), OF_CALL, at, &mut call));
    call.take("type");
    call.take("index");
    let id = call.needed("id")?;
    let mut function = call.members("function")?.ok_or(Broken::Shape("function"))?;
    let (name, arguments) = (function.needed("name")?, function.text("arguments")?.unwrap_or_default());
    let mut own_of_call = own(call.rest(), &[]);
    own_of_call.extend(own(function.rest(), &[]));
    let content = Content::Call(Call { id, name, input: Input::of(arguments) });
    parts.push(Part { content, cache: None, at, own: own_of_call });
    Ok(())
}

fn read_tool(tool: Json) -> Result<Tool, Broken> {
    let mut tool = object(tool, "tools")?;
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
    let mut function = tool.members("function")?.ok_or(Broken::Shape("function"))?;
    let cache = tool.take("cache_control");
    let mut own_of_tool = own(tool.rest(), TOOL);
    Ok(Tool {
        name: function.needed("name")?,
        description: function.text("description")?,
        schema: function.take("parameters"),
        strict: function.flag("strict")?,
        cache,
        own: {
            own_of_tool.extend(own(function.rest(), TOOL));
            own_of_tool
        },
    })
}

fn read_choice(choice: Json, own: &mut Vec<Own>) -> Result<Option<ToolChoice>, Broken> {
    let unknown = |value: Json| Own {
        known: Some("tool_choice"),
        name: String::from("tool_choice"),
        value,
        fate: Fate::Refuse("the other API can ask for any tool, one function, or none"),
    };
    Ok(match choice {
        Json::Text(text) => match text.as_str() {
            "auto" => Some(ToolChoice::Auto),
            "none" => Some(ToolChoice::None),
            "required" => Some(ToolChoice::Any),
            _ => return Err(Broken::Shape("tool_choice")),
        },
        choice => {
            let name = (choice.get("type").and_then(Json::text) == Some("function"))
                .then(|| {
                    choice.get("function").and_then(|function| function.get("name")).and_then(Json::text)
                })
                .flatten();
            match name {
                Some(name) => Some(ToolChoice::Named(name.to_owned())),
                None => {
                    own.push(unknown(choice));
                    None
                }
            }
        }
    })
}

fn read_format(mut format: Members, own_of_request: &mut Vec<Own>) -> Result<Option<Format>, Broken> {
    let kind = format.needed("type")?;
    let read = match kind.as_str() {
        "text" => None,
        "json_object" => Some(Format::JsonObject),
        "json_schema" => {
            let mut schema = format.members("json_schema")?.ok_or(Broken::Shape("json_schema"))?;
            let read = Format::JsonSchema {
                name: schema.text("name")?,
                description: schema.text("description")?,
                schema: schema.take("schema").ok_or(Broken::Shape("schema"))?,
                strict: schema.flag("strict")?,
            };
            own_of_request.extend(own(schema.rest(), &[]));
            Some(read)
        }
        _ => {
            own_of_request.push(Own {
                known: Some("response_format"),
                name: String::from("response_format"),
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
        assert!(MEMBERS.is_sorted());
    }
}
