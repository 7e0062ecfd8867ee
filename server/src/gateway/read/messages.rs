//! A request of Anthropic's API: <https://platform.claude.com/docs/en/api/messages>.

use std::collections::BTreeSet;

use bailiwick_compliance_db::Feature;

use super::tools::check_tools;
use super::{Content, MESSAGES, SEARCHES, member};
use crate::gateway::classify::UNKNOWN;
use crate::gateway::document::{Document, Kind, NodeId};
use crate::gateway::media::is_read_file;
use crate::gateway::refusal::Refusal;
use crate::providers::Operation;

/// Kinds of the provider's tools that stand in a record under their kind's name, without the date that follows it, and
/// what each uses of the service.
const TOOLS: &[(&str, &[Feature])] = &[
    ("web_search", &[Feature::WebSearch]),
    ("web_fetch", &[Feature::WebSearch]),
    ("code_execution", &[Feature::CodeExecution]),
    ("mcp_toolset", &[Feature::RemoteMcp]),
    // Looked for among the tools of the request itself.
    ("tool_search_tool_bm25", &[]),
    ("tool_search_tool_regex", &[]),
    // What the client itself does when the model asks for it.
    ("bash", &[]),
    ("text_editor", &[]),
    ("computer", &[]),
    ("memory", &[]),
    ("computer_toolset", &[]),
    ("browser_toolset", &[]),
];

/// What a tool may use that nobody knows.
const ANYTHING: &[Feature] = &[
    Feature::WebSearch,
    Feature::CodeExecution,
    Feature::Files,
    Feature::ImageGeneration,
    Feature::RemoteMcp,
];

/// Reads what a request uses.
///
/// # Errors
/// `invalid_request`.
pub(super) fn messages(
    document: &Document,
    operation: Operation,
    content: &mut Content,
) -> Result<(), Refusal> {
    let messages =
        member(document, "messages").filter(|id| document.kind(*id) == Kind::Array).ok_or_else(|| {
            Refusal::invalid("messages", "`messages` must be an array of messages").fix(MESSAGES)
        })?;
    let mut any = false;
    for message in document.children(messages) {
        any = true;
        if document.kind(message) != Kind::Object {
            return Err(
                Refusal::invalid(document.pointer(message), "every message must be an object").fix(MESSAGES)
            );
        }
        parts(document, message, content);
    }
    if !any {
        return Err(Refusal::invalid("messages", "`messages` must hold at least one message").fix(MESSAGES));
    }
    system(document)?;
    if operation == Operation::Messages && member(document, "max_tokens").is_none() {
        return Err(Refusal::invalid("max_tokens", "`max_tokens` is missing, and this API asks for it")
            .fix("say how many tokens the answer may have at most"));
    }
    if member(document, "inference_geo").is_some_and(|id| document.kind(id) != Kind::Null) {
        // It would take the place of what the endpoint is declared and decided by.
        return Err(Refusal::invalid(
            "inference_geo",
            "where a request is processed is the endpoint's to say, and is decided by the rules",
        )
        .fix("leave `inference_geo` out; `x-bailiwick-countries` tells where it was processed"));
    }
    let speed = member(document, "speed").filter(|id| document.kind(*id) != Kind::Null);
    if speed.is_some_and(|id| document.string(id).as_deref() != Some("standard")) {
        return Err(Refusal::invalid(
            "speed",
            "another speed has prices of its own, which are not known here, so nobody could say what it costs",
        )
        .fix("leave `speed` out"));
    }
    let mut names = BTreeSet::new();
    for tool in member(document, "tools").into_iter().flat_map(|tools| document.children(tools)) {
        let (name, features) = tool_of(document, tool);
        names.insert(name);
        features.iter().for_each(|feature| content.features.insert(*feature));
        if features.contains(&Feature::WebSearch) {
            let most = document.get(tool, "max_uses").and_then(|most| document.unsigned(most));
            content.web_searches = content.web_searches.saturating_add(most.unwrap_or(SEARCHES));
        }
    }
    check_tools(&names)?;
    content.tools = names.into_iter().collect();
    Ok(())
}

/// What stands before the messages is text, and nothing that a provider would fetch or has kept.
fn system(document: &Document) -> Result<(), Refusal> {
    let Some(system) = member(document, "system") else { return Ok(()) };
    let is_text = |part: &NodeId| {
        let kind = document.get(*part, "type").and_then(|id| document.string(id));
        kind.is_some_and(|kind| kind == "text")
    };
    let wrong = match document.kind(system) {
        Kind::String | Kind::Null => return Ok(()),
        Kind::Array => document.children(system).find(|part| !is_text(part)),
        _ => Some(system),
    };
    match wrong {
        None => Ok(()),
        Some(part) => Err(Refusal::invalid(document.pointer(part), "`system` holds text and nothing else")
            .fix("send a string, or a list of `{\"type\": \"text\", \"text\": …}`; images and files belong into a message")),
    }
}

/// Reads the parts of a message, and those of what a tool answered.
fn parts(document: &Document, holder: NodeId, content: &mut Content) {
    let Some(list) = document.get(holder, "content").filter(|id| document.kind(*id) == Kind::Array) else {
        return;
    };
    for part in document.children(list) {
        let kind = document.get(part, "type").and_then(|id| document.string(id));
        let source = document.get(part, "source").and_then(|source| document.get(source, "type"));
        let uploaded = source.and_then(|id| document.string(id)).is_some_and(|kind| kind == "file");
        match kind.as_deref() {
            Some("text" | "thinking" | "redacted_thinking" | "tool_use" | "search_result") => continue,
            Some("tool_result") => {
                parts(document, part, content);
                continue;
            }
            Some("image") if uploaded => content.features.insert(Feature::Files),
            Some("image") => content.features.insert(Feature::ImageInput),
            Some("document") => {
                content.features.insert(if uploaded { Feature::Files } else { Feature::FileInput });
                // A document that is text is read like any text.
                if is_read_file(document, part) {
                    continue;
                }
                content.unbounded = true;
            }
            Some("container_upload") => {
                content.features.insert(Feature::Files);
                content.unbounded = true;
            }
            // A part of a kind that is not known here may hold anything.
            _ => content.unbounded = true,
        }
        content.opaque = true;
        content.media += 1;
    }
}

/// The name of a tool for the record, and what it uses.
fn tool_of(document: &Document, tool: NodeId) -> (String, &'static [Feature]) {
    let kind = document.get(tool, "type").and_then(|id| document.string(id)).unwrap_or_default();
    let name = document.get(tool, "name").and_then(|id| document.string(id));
    if kind.is_empty() || kind == "custom" {
        return (name.map_or_else(|| UNKNOWN.to_owned(), std::borrow::Cow::into_owned), &[]);
    }
    // `web_search_20250305`: the kind, and the day from which it is so.
    let bare =
        kind.rsplit_once('_').filter(|(_, day)| day.len() == 8 && day.bytes().all(|b| b.is_ascii_digit()));
    let bare = bare.map_or(&*kind, |(bare, _)| bare);
    let known = TOOLS.iter().find(|(known, _)| *known == bare);
    known.map_or((UNKNOWN.to_owned(), ANYTHING), |(known, features)| ((*known).to_owned(), *features))
}
