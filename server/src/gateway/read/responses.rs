//! A request for a response, of OpenAI's API: <https://platform.openai.com/docs/api-reference/responses/create>.
//!
//! What refers to something that the service keeps (an answer before, a conversation, a prompt, a file) is refused by name: what
//! it holds was never looked at here, and nobody could say whose it is. The client sends the whole input instead.

use std::collections::BTreeSet;

use bailiwick_compliance_db::{Feature, FeatureSet};

use super::tools::{FREE, check_tools, tool_features};
use super::{Content, member};
use crate::gateway::document::{Document, Kind, NodeId};
use crate::gateway::media::is_read_file;
use crate::gateway::refusal::Refusal;

/// The way out of every `input` that is none.
const INPUT: &str =
    "send `\"input\": \"…\"`, or a list of items such as `{\"role\": \"user\", \"content\": \"…\"}`";

/// The way out of what refers to something that is kept.
const WHOLE: &str =
    "send the whole input: what was said before as items, and the `output` of earlier answers among them";

/// Members that refer to what the service keeps, and why each is refused.
const KEPT: &[(&str, &str)] = &[
    ("previous_response_id", "no answer is kept at a provider, so none can be referred to"),
    ("conversation", "no conversation is kept at a provider, so none can be referred to"),
    ("prompt", "a prompt that a provider keeps cannot be inspected"),
];

/// Items that say what they hold, in text that is read.
const READ: &[&str] = &[
    "message",
    "function_call",
    "function_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "reasoning",
    "compaction",
    "web_search_call",
    "file_search_call",
    "computer_call",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "mcp_list_tools",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "tool_search_call",
    "tool_search_output",
    "additional_tools",
];

/// Items that may hold what cannot be read: pictures.
const OPAQUE: &[&str] = &["computer_call_output", "image_generation_call", "code_interpreter_call"];

/// Reads what a request uses.
///
/// # Errors
/// `invalid_request`.
pub(super) fn responses(document: &Document, content: &mut Content) -> Result<(), Refusal> {
    let is_there = |id: &NodeId| !matches!(document.kind(*id), Kind::Null | Kind::False);
    for (name, why) in KEPT {
        if member(document, name).filter(is_there).is_some() {
            return Err(Refusal::invalid(*name, format!("`{name}`: {why}")).fix(WHOLE));
        }
    }
    if member(document, "store").filter(is_there).is_some() {
        return Err(Refusal::invalid(
            "store",
            "no answer is kept at a provider: nobody could say later whose it is",
        )
        .fix(
            "leave `store` out, or send false; what a client does not say is sent to the provider as false",
        ));
    }
    if member(document, "background").filter(is_there).is_some() {
        return Err(Refusal::invalid(
            "background",
            "what is answered later cannot be looked at when it comes",
        )
        .fix(
            "leave `background` out, or send false; a long answer can be asked for with `\"stream\": true`",
        ));
    }
    let compared = member(document, "prompt_cache_options")
        .and_then(|options| document.get(options, "comparison_response_id"));
    if compared.filter(is_there).is_some() {
        let why = "no answer is kept at a provider, so none can be compared with";
        return Err(Refusal::invalid("prompt_cache_options.comparison_response_id", why)
            .fix("leave `comparison_response_id` out"));
    }
    let mode = member(document, "reasoning").and_then(|reasoning| document.get(reasoning, "mode"));
    if mode.filter(is_there).is_some_and(|mode| document.string(mode).as_deref() != Some("standard")) {
        return Err(Refusal::invalid(
            "reasoning.mode",
            "another mode has prices of its own, which are not known here, so nobody could say what it costs",
        )
        .fix("leave `reasoning.mode` out"));
    }
    let mut names = BTreeSet::new();
    input(document, content, &mut names)?;
    for tool in member(document, "tools").into_iter().flat_map(|tools| document.children(tools)) {
        tool_of(document, tool, content, &mut names)?;
    }
    check_tools(&names)?;
    content.tools = names.into_iter().collect();
    Ok(())
}

fn input(document: &Document, content: &mut Content, names: &mut BTreeSet<String>) -> Result<(), Refusal> {
    let wrong =
        || Refusal::invalid("input", "`input` must be a string, or a list of at least one item").fix(INPUT);
    let input = member(document, "input").ok_or_else(wrong)?;
    match document.kind(input) {
        Kind::String => return Ok(()),
        Kind::Array if document.children(input).next().is_some() => {}
        _ => return Err(wrong()),
    }
    for item in document.children(input) {
        if document.kind(item) != Kind::Object {
            return Err(Refusal::invalid(document.pointer(item), "every item must be an object").fix(INPUT));
        }
        let kind = document.get(item, "type").and_then(|kind| document.string(kind));
        let says = document.get(item, "role").is_some();
        match kind.as_deref() {
            None if says => {}
            None | Some("item_reference") => {
                let why = "no answer is kept at a provider, so no item of one can be referred to";
                return Err(Refusal::invalid(document.pointer(item), why).fix(WHOLE));
            }
            Some(kind) if READ.contains(&kind) => {}
            Some(kind) if OPAQUE.contains(&kind) => unread(content),
            // An item of a kind that is not known here may hold anything, and make the service do anything.
            Some(_) => {
                content.features = FeatureSet::all();
                unread(content);
            }
        }
        for holder in ["content", "output"] {
            parts(document, item, holder, content)?;
        }
        // Those of a remote server are told as it told them, and are called through a tool `mcp` alone.
        let tools = document.get(item, "tools").filter(|_| kind.as_deref() != Some("mcp_list_tools"));
        for tool in tools.into_iter().flat_map(|tools| document.children(tools)) {
            tool_of(document, tool, content, names)?;
        }
    }
    Ok(())
}

/// What cannot be read may be anything, and any number of tokens.
fn unread(content: &mut Content) {
    content.unbounded = true;
    content.opaque = true;
    content.media += 1;
}

/// Reads the parts of a message, or of what a tool answered.
fn parts(document: &Document, item: NodeId, holder: &str, content: &mut Content) -> Result<(), Refusal> {
    let Some(list) = document.get(item, holder).filter(|id| document.kind(*id) == Kind::Array) else {
        return Ok(());
    };
    for part in document.children(list) {
        let kind = document.get(part, "type").and_then(|id| document.string(id));
        if let Some(id) = document.get(part, "file_id").filter(|id| document.kind(*id) != Kind::Null) {
            let why = "a file that a provider keeps cannot be inspected, and nobody could say whose it is";
            return Err(Refusal::invalid(document.pointer(id), why)
                .fix("send the file itself: `file_data` with its bytes, or `image_url` with a `data:` URL"));
        }
        match kind.as_deref() {
            Some("input_text" | "output_text" | "text" | "refusal" | "reasoning_text" | "summary_text") => {
                continue;
            }
            Some("input_image") => content.features.insert(Feature::ImageInput),
            Some("input_audio") => content.features.insert(Feature::Audio),
            Some("input_file") => {
                content.features.insert(Feature::FileInput);
                // A file of text is read like any text.
                if is_read_file(document, part) {
                    continue;
                }
                content.unbounded = true;
            }
            // A part of a kind that is not known here may hold anything.
            _ => content.unbounded = true,
        }
        content.opaque = true;
        content.media += 1;
    }
    Ok(())
}

/// Reads what a tool uses. Of one that runs where the provider is, what it is given has to be in the request.
fn tool_of(
    document: &Document,
    tool: NodeId,
    content: &mut Content,
    names: &mut BTreeSet<String>,
) -> Result<(), Refusal> {
    let container = document.get(tool, "container");
    let kept = container.filter(|id| document.kind(*id) == Kind::String);
    let files = container
        .and_then(|container| document.get(container, "file_ids"))
        .filter(|files| document.children(*files).next().is_some());
    if let Some(id) = kept.or(files) {
        let why = "what a provider keeps for its tools cannot be inspected, and nobody could say whose it is";
        return Err(Refusal::invalid(document.pointer(id), why)
            .fix("send `\"container\": {\"type\": \"auto\"}` without files"));
    }
    inner(document, tool, content);
    tool_features(document, tool, content, names);
    Ok(())
}

/// Reads what stands within a tool beside what its client writes as it likes.
fn inner(document: &Document, holder: NodeId, content: &mut Content) {
    for member in document.children(holder) {
        let key = document.key(member);
        let key = key.as_deref().unwrap_or_default();
        if FREE.contains(&key) || is_none(document, member) {
            continue;
        }
        match key {
            // Archives, but where they are what the client itself has, of which it tells the names.
            "skills" if !is_local(document, member) => unread(content),
            "input_image_mask" => {
                content.features.insert(Feature::ImageInput);
                unread(content);
            }
            _ => {}
        }
        inner(document, member, content);
    }
}

/// Whether a value says that there is none.
fn is_none(document: &Document, id: NodeId) -> bool {
    match document.kind(id) {
        Kind::Null => true,
        Kind::Array => document.children(id).next().is_none(),
        _ => false,
    }
}

/// Whether a list holds nothing but names, descriptions and paths.
fn is_local(document: &Document, skills: NodeId) -> bool {
    let text = |member: NodeId| {
        document.kind(member) == Kind::String
            && document.key(member).is_some_and(|key| matches!(&*key, "name" | "description" | "path"))
    };
    document.kind(skills) == Kind::Array
        && document
            .children(skills)
            .all(|skill| document.kind(skill) == Kind::Object && document.children(skill).all(text))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::super::super::document::Limits;
    use super::*;

    fn read(body: &Value) -> Result<Content, Refusal> {
        let document = Document::parse(Bytes::from(body.to_string()), Limits::default()).unwrap();
        let mut content = Content::default();
        responses(&document, &mut content).map(|()| content)
    }

    fn with_item(item: &Value) -> Result<Content, Refusal> {
        read(&json!({ "model": "m", "input": [{ "role": "user", "content": "x" }, item] }))
    }

    #[test]
    fn tools_that_an_item_brings_are_read_like_those_of_the_request() {
        let tools = json!([
            { "type": "mcp", "server_label": "x", "server_url": "https://evil.example" },
            { "type": "namespace", "name": "crm", "description": "", "tools": [{ "type": "function", "name": "pay" }] },
            { "type": "web_search" },
        ]);
        for item in [
            json!({ "type": "tool_search_output", "call_id": "c", "execution": "client", "status": "completed", "tools": tools }),
            json!({ "type": "additional_tools", "role": "developer", "tools": tools }),
        ] {
            let content = with_item(&item).unwrap();
            let features = [Feature::RemoteMcp, Feature::WebSearch].into_iter().collect();
            assert_eq!(content.features, features, "{item}");
            assert_eq!(content.tools, ["crm", "mcp", "namespace", "pay", "web_search"], "{item}");
            assert!(content.web_searches > 0, "{item}");
            let mut kept = item.clone();
            kept["tools"] = json!([{ "type": "code_interpreter", "container": "cntr_1" }]);
            assert_eq!(with_item(&kept).err().unwrap().param.as_deref(), Some("/input/1/tools/0/container"));
            let mut many = item.clone();
            let names = (0..200).map(|at| json!({ "type": "function", "name": format!("f{at}") }));
            many["tools"] = names.collect();
            assert_eq!(with_item(&many).err().unwrap().param.as_deref(), Some("tools"));
        }
        let told = json!({ "type": "mcp_list_tools", "id": "x", "server_label": "x",
            "tools": [{ "name": "f", "input_schema": {} }] });
        assert_eq!(with_item(&told).unwrap().features, FeatureSet::EMPTY);
    }

    #[test]
    fn what_a_tool_holds_that_cannot_be_read_is_not_taken_for_read() {
        let with = |tool: Value| read(&json!({ "model": "m", "input": "x", "tools": [tool] })).unwrap();
        let shell = |skills: Value| json!({ "type": "shell", "environment": { "type": "container_auto", "skills": skills } });
        let archive = json!({ "type": "inline", "name": "s", "description": "",
            "source": { "type": "base64", "media_type": "application/zip", "data": "UEsDBAoAAAAA" } });
        let mask = json!({ "type": "image_generation", "input_image_mask": { "image_url": "data:image/png;base64,iVBORw0KGgo=" } });
        for tool in [shell(json!([archive])), shell(json!({ "a": archive })), mask.clone()] {
            let content = with(tool.clone());
            assert!(content.opaque && content.unbounded && content.media == 1, "{tool}");
        }
        assert!(with(mask).features.contains(Feature::ImageInput));
        let named = json!([{ "name": "s", "description": "x", "path": "skills/s" }]);
        for tool in
            [shell(named), shell(json!([])), json!({ "type": "image_generation", "input_image_mask": null })]
        {
            let content = with(tool.clone());
            assert!(!content.opaque && content.media == 0, "{tool}");
        }
    }
}
