//! What a string or number of an answer of OpenAI's Responses is.

use bailiwick_wire::openai_responses::MEMBERS;

use super::place::Place;
use super::said::{Said, is_member, is_word};
use crate::gateway::document::{Document, Kind, NodeId};

/// The longest number that the protocol itself says.
const PLAIN_NUMBER: usize = 10;

/// The longest name of an event.
const NAME: usize = 64;

/// Calls of tools that the client runs, in which what is to be done stands as it is.
const RUN_BY_THE_CLIENT: [&str; 4] = ["local_shell_call", "shell_call", "apply_patch_call", "computer_call"];

/// What a string is.
pub(super) fn said(document: &Document, id: NodeId) -> Said {
    let other = Said::At(Place::Other);
    let text = || Said::At(Place::Text);
    let Some(parent) = document.parent(id) else { return other };
    let key = document.key(id);
    let key = key.as_deref().unwrap_or_default();
    let word = || if is_word(document, id) { Said::Protocol } else { Said::At(Place::Other) };
    if is_response(document, parent) {
        return match key {
            "id" | "model" => Said::Protocol,
            "object" | "status" | "service_tier" | "truncation" => word(),
            // The client's own, word for word, and what some services add of the text.
            "instructions" | "user" | "safety_identifier" | "prompt_cache_key" | "output_text" => text(),
            _ => other,
        };
    }
    if document.key(parent).is_some_and(|key| key == "metadata")
        && document.parent(parent).is_some_and(|at| is_response(document, at))
    {
        return text();
    }
    if parent == document.root() {
        return of_event(document, id, key);
    }
    if is_member(document, parent, "part") {
        return of_part(document, parent, id, key);
    }
    let Some(item) = item_of(document, id) else {
        return if key == "type" { word() } else { other };
    };
    let kind = document.get(item, "type").and_then(|kind| document.string(kind));
    let kind = kind.as_deref().unwrap_or_default();
    if parent == item {
        return match (kind, key) {
            (_, "type" | "status" | "role" | "phase") => word(),
            (_, "id" | "call_id") => Said::Protocol,
            // A tool's name is sent by the client itself.
            ("function_call" | "custom_tool_call", "name") => Said::Protocol,
            ("function_call", "arguments") => Said::At(Place::Arguments),
            ("custom_tool_call", "input") => Said::At(Place::Input),
            ("mcp_call" | "mcp_approval_request", "arguments") => Said::At(Place::ProviderArguments),
            ("reasoning" | "compaction", "encrypted_content") => Said::Seal,
            (kind, _) if RUN_BY_THE_CLIENT.contains(&kind) => Said::At(Place::Input),
            _ => other,
        };
    }
    let list = document.parent(parent);
    let in_list = list.is_some_and(|list| document.parent(list) == Some(item));
    let held_by = list.and_then(|list| document.key(list));
    match (kind, held_by.as_deref()) {
        ("message", Some("content")) | ("reasoning", Some("summary" | "content")) if in_list => {
            of_part(document, parent, id, key)
        }
        _ if key == "type" => word(),
        (kind, _) if RUN_BY_THE_CLIENT.contains(&kind) => Said::At(Place::Input),
        _ => other,
    }
}

/// A string of a part of a message or of a thought.
fn of_part(document: &Document, part: NodeId, id: NodeId, key: &str) -> Said {
    let kind = document.get(part, "type").and_then(|kind| document.string(kind));
    match (kind.as_deref().unwrap_or_default(), key) {
        (_, "type") if is_word(document, id) => Said::Protocol,
        ("output_text", "text") | ("refusal", "refusal") => Said::At(Place::Text),
        ("summary_text" | "reasoning_text", "text") => Said::Thought,
        _ => Said::At(Place::Other),
    }
}

/// A string of an event itself.
fn of_event(document: &Document, id: NodeId, key: &str) -> Said {
    let kind = document.member("type").and_then(|kind| document.string(kind));
    match (kind.as_deref().unwrap_or_default(), key) {
        (_, "type") if is_name(document, id) => Said::Protocol,
        (_, "item_id") => Said::Protocol,
        ("response.output_text.done", "text") | ("response.refusal.done", "refusal") => Said::At(Place::Text),
        ("response.reasoning_text.done" | "response.reasoning_summary_text.done", "text") => Said::Thought,
        ("response.function_call_arguments.done", "arguments") => Said::At(Place::Arguments),
        ("response.function_call_arguments.done", "name") => Said::Protocol,
        ("response.custom_tool_call_input.done", "input")
        | ("response.shell_call_command.added" | "response.shell_call_command.done", "command")
        | ("response.apply_patch_call_operation_diff.done", "diff") => Said::At(Place::Input),
        ("response.mcp_call_arguments.done", "arguments") => Said::At(Place::ProviderArguments),
        _ => Said::At(Place::Other),
    }
}

/// Whether a value is an answer: the root of one, or what an event has of it.
fn is_response(document: &Document, id: NodeId) -> bool {
    let whole = || document.get(id, "object").and_then(|object| document.string(object));
    is_member(document, id, "response")
        || id == document.root() && whole().is_some_and(|object| object == "response")
}

/// Whether a value stands in what an answer tells again of its request: a member of it that requests have, too.
pub(super) fn is_asked(document: &Document, id: NodeId) -> bool {
    let member = std::iter::successors(Some(id), |at| document.parent(*at))
        .find(|at| document.parent(*at).is_some_and(|holder| is_response(document, holder)));
    member.and_then(|member| document.key(member)).is_some_and(|key| MEMBERS.contains(&&*key))
}

/// The item that a value is in.
pub(super) fn item_of(document: &Document, id: NodeId) -> Option<NodeId> {
    std::iter::successors(Some(id), |at| document.parent(*at)).find(|at| {
        if is_member(document, *at, "item") {
            return true;
        }
        let list = document.parent(*at).filter(|list| document.kind(*list) == Kind::Array);
        list.is_some_and(|list| {
            document.key(list).is_some_and(|key| key == "output")
                && document.parent(list).is_some_and(|holder| is_response(document, holder))
        })
    })
}

/// The part of an item that a value is in.
pub(super) fn part_of(document: &Document, item: NodeId, id: NodeId) -> Option<NodeId> {
    std::iter::successors(Some(id), |at| document.parent(*at)).find(|at| {
        let list = document.parent(*at).filter(|list| document.kind(*list) == Kind::Array);
        list.is_some_and(|list| {
            document.parent(list) == Some(item)
                && document.key(list).is_some_and(|key| matches!(&*key, "content" | "summary"))
        })
    })
}

/// Whether an item says something, rather than having something done.
pub(super) fn is_said(document: &Document, item: NodeId) -> bool {
    let kind = document.get(item, "type").and_then(|kind| document.string(kind));
    kind.is_some_and(|kind| matches!(&*kind, "message" | "reasoning"))
}

/// Whether a string can be nothing but the name of an event.
fn is_name(document: &Document, id: NodeId) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'.');
    document.string(id).is_some_and(|name| name.len() <= NAME && name.bytes().all(plain))
}

/// Whether a number is what the protocol says, and short: an index, a time, a count of tokens.
pub(super) fn is_plain_number(document: &Document, id: NodeId) -> bool {
    let Some(parent) = document.parent(id) else { return false };
    let key = document.key(id);
    let raw = document.raw(id);
    // Seconds since the epoch; some services write them with a fraction.
    let is_time = key.as_deref().is_some_and(|key| matches!(key, "created_at" | "completed_at"));
    if is_time && is_response(document, parent) {
        return raw.parse::<f64>().is_ok_and(|seconds| (0.0..1e11).contains(&seconds)) && raw.len() <= 20;
    }
    if raw.len() > PLAIN_NUMBER {
        return false;
    }
    let of_usage = || {
        std::iter::successors(Some(id), |at| document.parent(*at)).any(|at| {
            document.key(at).is_some_and(|key| matches!(&*key, "usage" | "tool_usage"))
                && document.parent(at).is_some_and(|holder| is_response(document, holder))
        })
    };
    let of_event = || {
        parent == document.root()
            && key.as_deref().is_some_and(|key| key.ends_with("_index") || key == "sequence_number")
    };
    of_event() || is_response(document, parent) || of_usage()
}
