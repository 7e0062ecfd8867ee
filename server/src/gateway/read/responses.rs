//! A request for a response, of OpenAI's API: <https://platform.openai.com/docs/api-reference/responses/create>.
//!
//! What refers to something that the service keeps (an answer before, a conversation, a prompt, a file) is refused by name: what
//! it holds was never looked at here, and nobody could say whose it is. The client sends the whole input instead.

use std::collections::BTreeSet;

use bailiwick_compliance_db::{Feature, FeatureSet};

use super::tools::{FREE, check_tools, tool_features};
use super::{Content, member};
use crate::gateway::document::{Document, Kind, NodeId};
use crate::gateway::media::{is_read_file, is_said_by_shell};
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

/// Items that use something beside text: a screen, a picture that was made before, a call that a server is allowed to take.
const USES: &[(&str, Feature)] = &[
    ("computer_call_output", Feature::ImageInput),
    ("image_generation_call", Feature::ImageInput),
    ("mcp_approval_response", Feature::RemoteMcp),
];

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
        let used = USES.iter().find(|(name, _)| Some(*name) == kind.as_deref());
        used.into_iter().for_each(|(_, feature)| content.features.insert(*feature));
        kept_by_item(document, item, kind.as_deref(), content)?;
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
            None if is_said_by_shell(document, part) => continue,
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
    if let Some(id) = document.get(tool, "container").filter(|id| document.kind(*id) == Kind::String) {
        return Err(kept(document, id));
    }
    inner(document, tool, content)?;
    tool_features(document, tool, content, names);
    Ok(())
}

/// Members that name what a provider keeps for its tools.
const OF_TOOLS: &[&str] = &["container_id", "file_id", "file_ids", "skill_id"];

/// Refuses a name of what a provider keeps for its tools.
fn kept(document: &Document, id: NodeId) -> Refusal {
    let why = "what a provider keeps for its tools cannot be inspected, and nobody could say whose it is";
    Refusal::invalid(document.pointer(id), why).fix(
        "send the thing itself; let a tool make a container of its own (`\"container\": {\"type\": \"auto\"}`, \
         `\"environment\": {\"type\": \"container_auto\"}`) without files, and leave out of the input what names one",
    )
}

/// Reads what stands within a tool, or within what one was called with or has answered, beside what its client writes as it
/// likes.
fn inner(document: &Document, holder: NodeId, content: &mut Content) -> Result<(), Refusal> {
    for member in document.children(holder) {
        let key = document.key(member);
        let key = key.as_deref().unwrap_or_default();
        if FREE.contains(&key) || is_none(document, member) {
            continue;
        }
        match key {
            key if OF_TOOLS.contains(&key) => return Err(kept(document, member)),
            // Archives, but where they are what the client itself has, of which it tells the names.
            "skills" if !is_local(document, member) => unread(content),
            "input_image_mask" => {
                content.features.insert(Feature::ImageInput);
                unread(content);
            }
            // From where it may reach a server, something may be sent to one.
            "network_policy" if !is_disabled(document, member) => {
                content.features.insert(Feature::RemoteMcp);
            }
            _ => {}
        }
        inner(document, member, content)?;
    }
    Ok(())
}

/// Whether a policy says that nothing is reached.
fn is_disabled(document: &Document, policy: NodeId) -> bool {
    document.get(policy, "type").and_then(|kind| document.string(kind)).as_deref() == Some("disabled")
}

/// Reads what of an item names what a provider keeps: a container in which an earlier call ran, and in which the next one would run
/// too, a picture by its file or by the call that made it.
fn kept_by_item(
    document: &Document,
    item: NodeId,
    kind: Option<&str>,
    content: &mut Content,
) -> Result<(), Refusal> {
    let named = document.children(item).find(|member| {
        document.key(*member).is_some_and(|key| OF_TOOLS.contains(&&*key)) && !is_none(document, *member)
    });
    if let Some(id) = named {
        return Err(kept(document, id));
    }
    // What a tool was called with is the model's, and may be called anything.
    for holder in ["content", "environment", "output"] {
        if let Some(holder) =
            document.get(item, holder).filter(|holder| document.kind(*holder) == Kind::Object)
        {
            inner(document, holder, content)?;
        }
    }
    let made = document.get(item, "result").filter(|result| document.kind(*result) == Kind::String);
    if kind == Some("image_generation_call") && made.is_none() {
        return Err(kept(document, item));
    }
    Ok(())
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

    #[test]
    fn what_a_provider_keeps_for_its_tools_is_refused_wherever_it_is_named() {
        let refused = |result: Result<Content, Refusal>, param: &str| {
            let refusal = result.err().unwrap_or_else(|| panic!("{param}"));
            assert_eq!(refusal.param.as_deref(), Some(param));
            assert!(refusal.fix.contains("container_auto"), "{refusal:?}");
        };
        let with = |tool: Value| read(&json!({ "model": "m", "input": "x", "tools": [tool] }));
        let shell = |environment: Value| json!({ "type": "shell", "environment": environment });
        let auto = |name: &str, value: Value| {
            let mut environment = json!({ "type": "container_auto" });
            environment[name] = value;
            shell(environment)
        };
        let skill = json!([{ "type": "skill_reference", "skill_id": "skill_1", "version": "1" }]);
        let mask = json!({ "type": "image_generation", "input_image_mask": { "file_id": "file_1" } });
        let nested =
            |tool: Value| json!({ "type": "namespace", "name": "n", "description": "", "tools": [tool] });
        for (tool, at) in [
            (
                shell(json!({ "type": "container_reference", "container_id": "cntr_1" })),
                "environment/container_id",
            ),
            (auto("file_ids", json!(["file_1"])), "environment/file_ids"),
            (auto("skills", skill), "environment/skills/0/skill_id"),
            (mask.clone(), "input_image_mask/file_id"),
            (nested(mask), "tools/0/input_image_mask/file_id"),
            (json!({ "type": "code_interpreter", "container": "cntr_1" }), "container"),
            (
                json!({ "type": "code_interpreter", "container": { "type": "auto", "file_ids": ["file_1"] } }),
                "container/file_ids",
            ),
            (json!({ "type": "of_next_year", "of": [{ "file_id": "file_1" }] }), "of/0/file_id"),
        ] {
            refused(with(tool), &format!("/tools/0/{at}"));
        }
        // What a client's own function is called with may be named like that.
        let schema = json!({ "type": "object", "properties": { "file_id": { "type": "string" } } });
        assert!(with(json!({ "type": "function", "name": "f", "parameters": schema })).is_ok());
        assert!(with(auto("file_ids", json!([]))).is_ok() && with(auto("container_id", Value::Null)).is_ok());

        for (item, at) in [
            (
                json!({ "type": "shell_call", "call_id": "c", "action": { "commands": ["ls"] },
                    "environment": { "type": "container_reference", "container_id": "cntr_1" } }),
                "/environment/container_id",
            ),
            (
                json!({ "type": "computer_call_output", "call_id": "c",
                    "output": { "type": "computer_screenshot", "file_id": "file_1" } }),
                "/output/file_id",
            ),
            (
                json!({ "type": "code_interpreter_call", "id": "ci_1", "code": "1", "container_id": "cntr_1" }),
                "/container_id",
            ),
            (json!({ "type": "image_generation_call", "id": "ig_1" }), ""),
            (json!({ "type": "image_generation_call", "id": "ig_1", "result": null }), ""),
        ] {
            refused(with_item(&item), &format!("/input/1{at}"));
        }
        let call = json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": "{\"file_id\":\"1\"}" });
        assert!(with_item(&call).is_ok());
    }

    #[test]
    fn a_container_that_reaches_servers_counts_as_one_that_does() {
        for kind in ["code_interpreter", "shell"] {
            let (holder, auto) =
                if kind == "shell" { ("environment", "container_auto") } else { ("container", "auto") };
            let with = |policy: Value| {
                let mut tool = json!({ "type": kind });
                tool[holder] = json!({ "type": auto, "network_policy": policy });
                read(&json!({ "model": "m", "input": "x", "tools": [tool] })).unwrap().features
            };
            let alone = FeatureSet::EMPTY.with(Feature::CodeExecution);
            for policy in [json!({ "type": "disabled" }), Value::Null] {
                assert_eq!(with(policy), alone, "{kind}");
            }
            for policy in [
                json!({ "type": "allowlist", "allowed_domains": ["x.example"],
                    "domain_secrets": [{ "domain": "x.example", "name": "x", "value": "x" }] }),
                json!({}),
                json!("anywhere"),
            ] {
                assert_eq!(with(policy), alone.with(Feature::RemoteMcp), "{kind}");
            }
        }
    }

    #[test]
    fn what_a_shell_said_is_text() {
        let with = |part: Value| {
            with_item(&json!({ "type": "shell_call_output", "call_id": "c", "output": [part] })).unwrap()
        };
        let said = json!({ "stdout": "x", "stderr": "", "outcome": { "type": "exit", "exit_code": 0 }, "created_by": null });
        let content = with(said.clone());
        assert!(!content.opaque && !content.unbounded && content.media == 0);
        let mut other = said.clone();
        other["of_next_year"] = json!("x");
        let mut nested = said.clone();
        nested["outcome"]["of_next_year"] = json!("x");
        let mut typed = said.clone();
        typed["type"] = json!("of_next_year");
        for part in [other, nested, typed, json!("x")] {
            assert!(with(part.clone()).opaque, "{part}");
        }
        let of_another = json!({ "type": "function_call_output", "call_id": "c", "output": [said] });
        assert!(with_item(&of_another).unwrap().opaque);
    }

    /// What an item that is told from its kind counts as: what it uses, and whether all of it is read.
    #[test]
    fn every_published_kind_of_item_counts_as_what_it_holds() {
        const ANYTHING: &[Feature] = Feature::ALL;
        let picture = "data:image/png;base64,iVBORw0KGgo=";
        let caller = json!({ "type": "direct" });
        let parts = json!([{ "type": "input_text", "text": "x" }]);
        for (item, features, is_read) in [
            (json!({ "role": "user", "content": "x" }), &[][..], true),
            (json!({ "type": "message", "role": "developer", "content": parts }), &[], true),
            (
                json!({ "type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": "final_answer",
                    "content": [{ "type": "output_text", "text": "x", "annotations": [] }, { "type": "refusal", "refusal": "x" }] }),
                &[],
                true,
            ),
            (
                json!({ "role": "user", "content": [{ "type": "input_image", "image_url": picture }] }),
                &[Feature::ImageInput],
                false,
            ),
            (
                json!({ "role": "user", "content": [{ "type": "input_file", "file_url": "https://x.example/a.pdf" }] }),
                &[Feature::FileInput],
                false,
            ),
            (json!({ "role": "user", "content": [{ "type": "of_next_year" }] }), &[], false),
            (
                json!({ "type": "file_search_call", "id": "fs_1", "queries": ["x"], "status": "completed",
                    "results": [{ "file_id": "file_1", "filename": "x", "score": 1, "text": "x", "attributes": {} }] }),
                &[],
                true,
            ),
            (
                json!({ "type": "computer_call", "id": "x", "call_id": "c", "status": "completed", "pending_safety_checks": [],
                    "action": { "type": "type", "text": "x" } }),
                &[],
                true,
            ),
            (
                json!({ "type": "computer_call_output", "call_id": "c",
                    "output": { "type": "computer_screenshot", "image_url": picture } }),
                &[Feature::ImageInput],
                false,
            ),
            (
                json!({ "type": "web_search_call", "id": "x", "status": "completed", "action": { "type": "search", "query": "x" } }),
                &[],
                true,
            ),
            (
                json!({ "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "caller": caller }),
                &[],
                true,
            ),
            (json!({ "type": "function_call_output", "call_id": "c", "output": parts }), &[], true),
            (json!({ "type": "tool_search_call", "call_id": "c", "arguments": { "query": "x" } }), &[], true),
            (
                json!({ "type": "tool_search_output", "call_id": "c", "tools": [{ "type": "local_shell" }] }),
                &[Feature::CodeExecution],
                true,
            ),
            (
                json!({ "type": "additional_tools", "role": "developer", "tools": [{ "type": "web_search" }] }),
                &[Feature::WebSearch],
                true,
            ),
            (json!({ "type": "reasoning", "id": "x", "summary": [], "encrypted_content": "x" }), &[], true),
            (json!({ "type": "compaction", "id": "x", "encrypted_content": "x" }), &[], true),
            (
                json!({ "type": "image_generation_call", "id": "x", "status": "completed", "result": "iVBORw0KGgo=" }),
                &[Feature::ImageInput],
                false,
            ),
            (
                json!({ "type": "code_interpreter_call", "id": "x", "code": "1", "container_id": null,
                    "outputs": [{ "type": "image", "url": picture }], "status": "completed" }),
                &[],
                false,
            ),
            (
                json!({ "type": "local_shell_call", "id": "x", "call_id": "c", "status": "completed",
                    "action": { "type": "exec", "command": ["ls"], "env": { "file_id": "x" } } }),
                &[],
                true,
            ),
            (json!({ "type": "local_shell_call_output", "id": "x", "output": "x" }), &[], true),
            (
                json!({ "type": "shell_call", "call_id": "c", "action": { "commands": ["ls"] }, "environment": { "type": "local" } }),
                &[],
                true,
            ),
            (
                json!({ "type": "shell_call_output", "call_id": "c", "max_output_length": 9,
                    "output": [{ "stdout": "x", "stderr": "", "outcome": { "type": "timeout" } }] }),
                &[],
                true,
            ),
            (
                json!({ "type": "apply_patch_call", "call_id": "c", "status": "completed",
                    "operation": { "type": "update_file", "path": "x", "diff": "x" } }),
                &[],
                true,
            ),
            (
                json!({ "type": "apply_patch_call_output", "call_id": "c", "status": "completed", "output": "x" }),
                &[],
                true,
            ),
            (
                json!({ "type": "mcp_list_tools", "id": "x", "server_label": "s", "tools": [{ "name": "f" }] }),
                &[],
                true,
            ),
            (
                json!({ "type": "mcp_approval_request", "id": "x", "arguments": "{}", "name": "f", "server_label": "s" }),
                &[],
                true,
            ),
            (
                json!({ "type": "mcp_approval_response", "approval_request_id": "x", "approve": true }),
                &[Feature::RemoteMcp],
                true,
            ),
            (
                json!({ "type": "mcp_call", "id": "x", "arguments": "{}", "name": "f", "server_label": "s", "output": "x" }),
                &[],
                true,
            ),
            (json!({ "type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x" }), &[], true),
            (json!({ "type": "custom_tool_call_output", "call_id": "c", "output": parts }), &[], true),
            // Of these nobody has looked into what they make a service do.
            (json!({ "type": "compaction_trigger" }), ANYTHING, false),
            (
                json!({ "type": "program", "id": "x", "call_id": "c", "code": "1", "fingerprint": "x" }),
                ANYTHING,
                false,
            ),
            (json!({ "type": "program_output", "id": "x", "call_id": "c", "result": "x" }), ANYTHING, false),
            (json!({ "type": "of_next_year", "text": "x" }), ANYTHING, false),
        ] {
            let content = with_item(&item).unwrap_or_else(|refusal| panic!("{item}: {refusal:?}"));
            assert_eq!(content.features, features.iter().copied().collect(), "{item}");
            assert_eq!(!content.opaque, is_read, "{item}");
            if let Some(kind) = item["type"].as_str().filter(|_| features != ANYTHING) {
                assert!(READ.contains(&kind) || OPAQUE.contains(&kind), "{item}");
            }
        }
        assert!(with_item(&json!({ "type": "item_reference", "id": "msg_1" })).is_err());
    }
}
