//! A request as it comes in.

use super::read_config::{read_config, read_tool_config};
use super::read_parts::{Calls, read_part};
use super::schema::json_schema;
use crate::Address;
use crate::form::{Request, Role, System, Tool, Turn};
use crate::json::{Json, Members};
use crate::loss::{Broken, Fate, Own, Table, own};
use crate::place::{Name, Place};

/// Every member that the published API has at the top of a request. Whoever asks what a request may hold asks this list.
pub const MEMBERS: &[&str] = &[
    "cachedContent",
    "contents",
    "continuationToken",
    "generationConfig",
    "labels",
    "model",
    "safetySettings",
    "serviceTier",
    "store",
    "systemInstruction",
    "toolConfig",
    "tools",
];

/// What only this wire has at the top of a request.
const TOP: Table = &[
    ("cachedContent", |_| Fate::Refuse("the other API has no such cache: send its contents")),
    ("continuationToken", |_| Fate::Refuse("the other API goes on with no earlier answer")),
    ("labels", |_| Fate::Warn),
    // The one in the address holds.
    ("model", |_| Fate::Nothing),
    ("safetySettings", filters),
    ("serviceTier", |value| match value.text() {
        Some("unspecified" | "standard" | "SERVICE_TIER_UNSPECIFIED") => Fate::Nothing,
        _ => Fate::Warn,
    }),
    ("store", |value| off(value, "the other API keeps no answers")),
];

/// Filters that are switched off are left out; one that has to be there is not.
fn filters(settings: &Json) -> Fate {
    const OFF: [&str; 3] = ["OFF", "BLOCK_NONE", "HARM_BLOCK_THRESHOLD_UNSPECIFIED"];
    let is_off =
        |setting: &Json| setting.get("threshold").and_then(Json::text).is_none_or(|at| OFF.contains(&at));
    match settings {
        Json::Array(settings) if settings.iter().all(is_off) => Fate::Warn,
        _ => Fate::Refuse("the other API has no such filters"),
    }
}

/// The tools that the service has itself.
const TOOLS: Within = &[
    ("codeExecution", "tools.codeExecution", of_provider),
    ("computerUse", "tools.computerUse", of_provider),
    ("enterpriseWebSearch", "tools.enterpriseWebSearch", of_provider),
    ("exaAiSearch", "tools.exaAiSearch", of_provider),
    ("fileSearch", "tools.fileSearch", of_provider),
    ("googleMaps", "tools.googleMaps", of_provider),
    ("googleSearch", "tools.googleSearch", of_provider),
    ("googleSearchRetrieval", "tools.googleSearchRetrieval", of_provider),
    ("mcpServers", "tools.mcpServers", of_provider),
    ("parallelAiSearch", "tools.parallelAiSearch", of_provider),
    ("retrieval", "tools.retrieval", of_provider),
    ("urlContext", "tools.urlContext", of_provider),
];

const fn of_provider(_: &Json) -> Fate {
    Fate::Refuse("the other API does not have this tool of the provider")
}

/// Of a function.
const TOOL: Table = &[
    ("behavior", |value| match value.text() {
        Some("UNSPECIFIED" | "BLOCKING") => Fate::Nothing,
        _ => Fate::Refuse("the other API waits for every call"),
    }),
    ("response", |_| Fate::Refuse("the other API has no place for what a function gives back")),
    ("responseJsonSchema", |_| Fate::Refuse("the other API has no place for what a function gives back")),
];

/// What only this wire has within a member: its name there, its name in full, and what becomes of a value.
pub(super) type Within = &'static [(&'static str, &'static str, fn(&Json) -> Fate)];

/// What is left of a member, by a table.
pub(super) fn within(rest: Vec<(String, Json)>, table: Within) -> Vec<Own> {
    rest.into_iter()
        .filter(|(_, value)| *value != Json::Null)
        .map(|(name, value)| {
            let row = table.iter().find(|(known, ..)| *known == name);
            let fate = row.map_or(Fate::Refuse(crate::loss::UNKNOWN), |(.., fate)| fate(&value));
            Own { known: row.map(|(_, full, _)| *full), name, value, fate }
        })
        .collect()
}

pub(super) fn off(value: &Json, why: &'static str) -> Fate {
    if *value == Json::Bool(false) { Fate::Nothing } else { Fate::Refuse(why) }
}

/// The members of an object of the API. It takes their names in either spelling, `inlineData` and `inline_data`
/// (<https://protobuf.dev/programming-guides/json/>), but not both.
///
/// # Errors
/// [`Broken::Shape`].
pub(super) fn members(value: Json, what: &'static str) -> Result<Members, Broken> {
    let Json::Object(members) = value else { return Err(Broken::Shape(what)) };
    if !members.iter().any(|(name, _)| name.contains('_')) {
        return Members::of(Json::Object(members), what);
    }
    let members: Vec<(String, Json)> =
        members.into_iter().map(|(name, value)| (camel(&name), value)).collect();
    let mut seen = std::collections::HashSet::with_capacity(members.len());
    if !members.iter().all(|(name, _)| seen.insert(name.as_str())) {
        return Err(Broken::Shape(what));
    }
    Members::of(Json::Object(members), what)
}

/// `inline_data` as `inlineData`.
pub(super) fn camel(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut begins = false;
    for character in name.chars() {
        match character {
            '_' => begins = true,
            character if begins => {
                out.push(character.to_ascii_uppercase());
                begins = false;
            }
            character => out.push(character),
        }
    }
    out
}

/// Takes an object of the API out.
///
/// # Errors
/// [`Broken::Shape`].
pub(super) fn inner(from: &mut Members, name: &'static str) -> Result<Option<Members>, Broken> {
    from.take(name).map(|value| members(value, name)).transpose()
}

/// Reads a request.
///
/// # Errors
/// [`Broken`].
pub fn read_request(body: Json, address: Address<'_>) -> Result<Request, Broken> {
    let mut body = members(body, "body")?;
    let mut request = Request {
        model: address.model.to_owned(),
        stream: address.stream,
        // This wire tells it in any case.
        stream_usage: address.stream,
        ..Request::default()
    };
    if let Some(instruction) = body.take("systemInstruction") {
        read_instruction(instruction, &mut request)?;
    }
    let mut calls = Calls::default();
    for (number, content) in body.list("contents")?.into_iter().enumerate() {
        let at = Place::of(Name::Contents, number);
        let mut content = members(content, "contents")?;
        let role = match content.text("role")?.as_deref() {
            // What tools answered had a role of its own in an earlier version.
            None | Some("user" | "function") => Role::User,
            Some("model") => Role::Assistant,
            Some(_) => return Err(Broken::Content("a role that is not known")),
        };
        let mut parts = Vec::new();
        for (number, part) in content.list("parts")?.into_iter().enumerate() {
            read_part(part, at.then(Name::Parts, number), &mut calls, &mut parts)?;
        }
        request.turns.push(Turn { role, parts, at, own: own(content.rest(), &[]) });
    }
    for tool in body.list("tools")? {
        let mut tool = members(tool, "tools")?;
        for function in tool.list("functionDeclarations")? {
            request.tools.push(read_tool(function)?);
        }
        request.own.extend(within(tool.rest(), TOOLS));
    }
    if let Some(config) = inner(&mut body, "toolConfig")? {
        read_tool_config(config, &mut request)?;
    }
    if let Some(config) = inner(&mut body, "generationConfig")? {
        read_config(config, &mut request)?;
    }
    request.own.extend(own(body.rest(), TOP));
    Ok(request)
}

/// What precedes the conversation: text, in parts or, as clients write it too, as it is.
fn read_instruction(instruction: Json, request: &mut Request) -> Result<(), Broken> {
    let top = Place::REQUEST.member(Name::SystemInstruction);
    let mut say = |text, at, own| {
        request.system.push(System { text, developer: false, cache: None, at, own });
    };
    if let Json::Text(text) = instruction {
        say(text, top, Vec::new());
        return Ok(());
    }
    let mut content = members(instruction, "systemInstruction")?;
    // Whoever speaks here, it is an instruction.
    content.text("role")?;
    for (number, part) in content.list("parts")?.into_iter().enumerate() {
        let mut part = members(part, "systemInstruction")?;
        let text = part.text("text")?.ok_or(Broken::Content("a system prompt that is not text"))?;
        say(text, top.then(Name::Parts, number), own(part.rest(), &[]));
    }
    Ok(())
}

fn read_tool(function: Json) -> Result<Tool, Broken> {
    let mut function = members(function, "functionDeclarations")?;
    let name = function.needed("name")?;
    let description = function.text("description")?;
    let schema = match (function.take("parametersJsonSchema"), function.take("parameters")) {
        (Some(schema), None) => Some(schema),
        (None, schema) => schema.map(json_schema),
        (Some(_), Some(_)) => return Err(Broken::Shape("parametersJsonSchema")),
    };
    Ok(Tool { name, description, schema, strict: None, cache: None, own: own(function.rest(), TOOL) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_wire_has_is_in_the_list_of_members() {
        assert!(TOP.iter().all(|(name, _)| MEMBERS.contains(name)));
        assert!(MEMBERS.is_sorted() && TOOLS.is_sorted_by_key(|(name, ..)| *name));
    }

    #[test]
    fn names_are_read_in_either_spelling() {
        assert_eq!(camel("inline_data"), "inlineData");
        assert_eq!(camel("inlineData"), "inlineData");
        let both = Json::object([("mimeType", Json::Null), ("mime_type", Json::Null)]);
        assert_eq!(members(both, "x"), Err(Broken::Shape("x")));
    }
}
