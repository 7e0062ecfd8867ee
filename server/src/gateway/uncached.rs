//! What a request asks a provider to keep of it in a prompt cache, taken out where a rule obliges to `cache: deny`.
//!
//! Everything else stays byte for byte. So does what asks for less than the provider would do unasked: OpenAI keeps a prompt
//! for a day unless told `in_memory`, and newer models of it cache every prompt unless `prompt_cache_options` says
//! `explicit`; with that and without a breakpoint nothing is cached
//! (<https://developers.openai.com/api/docs/guides/prompt-caching>, seen 2026-11-23). What a provider caches without being
//! asked nobody can take out of a request.
//!
//! A marker is a member with one of a few names. In what is an application's own (the schema of a tool, the arguments of a
//! call) a member of that name is no marker, and stays.

use bailiwick_wire::Losses;

use super::document::{Document, Edits, Kind, NodeId};

/// Takes the markers of prompt caches out of a body; returns the names of what was taken out.
pub(super) fn take_out(document: &Document, edits: &mut Edits) -> Losses {
    let mut losses = Losses::default();
    // Where something ends that is not looked into. Values come in the order in which they stand.
    let mut end = 0;
    for id in document.ids() {
        let range = document.range(id);
        if range.start < end {
            continue;
        }
        let Some(key) = document.key(id) else { continue };
        if is_applications_own(document, id, &key) {
            end = range.end;
            continue;
        }
        let Some(name) = MARKERS.into_iter().find(|name| **name == *key) else { continue };
        end = range.end;
        let asking: Vec<NodeId> = match document.kind(id) {
            Kind::Null => Vec::new(),
            _ if asks_for_less(document, id, name) => besides_the_mode(document, id),
            _ => vec![id],
        };
        for asking in asking {
            losses.add(name);
            edits.remove(document, asking);
        }
    }
    losses
}

/// The members that ask for a cache: of Anthropic's API, which services of OpenAI's take too, and of OpenAI's own. What
/// Bedrock's asks with is made of them.
const MARKERS: [&str; 5] = [
    "cache_control",
    "prompt_cache_breakpoint",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
];

/// Whether a value is no part of an API but what an application puts into it: the description of its own JSON, or that.
fn is_applications_own(document: &Document, id: NodeId, key: &str) -> bool {
    match key {
        "arguments"
        | "chat_template_kwargs"
        | "guided_json"
        | "input_examples"
        | "input_schema"
        | "metadata"
        | "parameters"
        | "schema"
        | "structured_outputs" => true,
        // The input for a response has the same name and is none.
        "input" => {
            let kind = document.parent(id).and_then(|call| document.get(call, "type"));
            kind.and_then(|kind| document.string(kind)).is_some_and(|kind| kind.ends_with("tool_use"))
        }
        _ => false,
    }
}

/// Whether a provider keeps less with a marker than without it.
fn asks_for_less(document: &Document, id: NodeId, name: &str) -> bool {
    match name {
        // The second is how some SDKs write it.
        "prompt_cache_retention" => {
            document.string(id).is_some_and(|kept| ["in_memory", "in-memory"].contains(&&*kept))
        }
        "prompt_cache_options" => {
            let mode = document.get(id, "mode").and_then(|mode| document.string(mode));
            mode.as_deref() == Some("explicit")
        }
        _ => false,
    }
}

/// What a marker asks for beside saying that nothing is to be cached unasked.
fn besides_the_mode(document: &Document, id: NodeId) -> Vec<NodeId> {
    document.children(id).filter(|member| document.key(*member).is_some_and(|key| key != "mode")).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;

    use super::super::document::Limits;
    use super::*;

    fn taken_out(body: &str) -> (String, String) {
        let document = Document::parse(Bytes::from(body.to_owned()), Limits::default()).unwrap();
        let mut edits = Edits::new();
        let losses = take_out(&document, &mut edits);
        let left = String::from_utf8(edits.apply(&document).to_vec()).unwrap();
        serde_json::from_str::<Value>(&left).unwrap_or_else(|error| panic!("{error}: {left}"));
        (left, losses.places().collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn every_marker_is_taken_out_wherever_it_stands_and_nothing_else_changes() {
        for (body, left, told) in [
            (
                r#"{"model":"m" , "cache_control" : {"type":"ephemeral"} }"#,
                r#"{"model":"m"  }"#,
                "cache_control",
            ),
            (r#"{ "cache_control":{"ttl":"1h"}, "model":"m"}"#, r#"{  "model":"m"}"#, "cache_control"),
            (
                r#"{"prompt_cache_key":"k","prompt_cache_retention":"24h","n":1.0,"prompt_cache_options":{"mode":"implicit"}}"#,
                r#"{"n":1.0}"#,
                "prompt_cache_key, prompt_cache_retention, prompt_cache_options",
            ),
            (
                r#"{"system":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}],"messages":[{"content":[{"cache_control":{"type":"ephemeral","ttl":"1h"},"type":"tool_result","content":[{"text":"b","cache_control":{},"type":"text"}]}]}]}"#,
                r#"{"system":[{"type":"text","text":"a"}],"messages":[{"content":[{"type":"tool_result","content":[{"text":"b","type":"text"}]}]}]}"#,
                "cache_control",
            ),
            (
                r#"{"tools":[{"name":"t","input_schema":{"properties":{"a":{}}},"cache_control":{"type":"ephemeral"}}]}"#,
                r#"{"tools":[{"name":"t","input_schema":{"properties":{"a":{}}}}]}"#,
                "cache_control",
            ),
            (
                r#"{"input":[{"content":[{"type":"input_text","text":"x","prompt_cache_breakpoint":{"mode":"explicit"}}]}]}"#,
                r#"{"input":[{"content":[{"type":"input_text","text":"x"}]}]}"#,
                "prompt_cache_breakpoint",
            ),
            // A name that is written in another way is the same name.
            (r#"{"a":1,"prompt_cache_\u006bey":"k"}"#, r#"{"a":1}"#, "prompt_cache_key"),
            (r#"{"a":{"cache_control":{}}}"#, r#"{"a":{}}"#, "cache_control"),
        ] {
            assert_eq!(taken_out(body), (left.to_owned(), told.to_owned()), "{body}");
        }
    }

    #[test]
    fn what_asks_for_less_stays() {
        for body in [
            r#"{"prompt_cache_retention":"in_memory"}"#,
            r#"{"prompt_cache_options":{"mode":"explicit"}}"#,
            r#"{"cache_control":null,"prompt_cache_key":null}"#,
        ] {
            assert_eq!(taken_out(body), (body.to_owned(), String::new()));
        }
        let (left, told) = taken_out(r#"{"prompt_cache_options":{"ttl":"30m","mode":"explicit","x":true}}"#);
        assert_eq!(
            (left.as_str(), told.as_str()),
            (r#"{"prompt_cache_options":{"mode":"explicit"}}"#, "prompt_cache_options")
        );
    }

    #[test]
    fn what_is_an_applications_own_stays() {
        for body in [
            r#"{"tools":[{"input_schema":{"properties":{"cache_control":{"type":"string"}}}}]}"#,
            r#"{"tools":[{"function":{"parameters":{"properties":{"prompt_cache_key":{"type":"string"}}}}}]}"#,
            r#"{"messages":[{"content":[{"type":"tool_use","input":{"cache_control":{"type":"ephemeral"}}}]}]}"#,
            r#"{"response_format":{"json_schema":{"schema":{"properties":{"cache_control":{}}}}}}"#,
            r#"{"metadata":{"prompt_cache_key":"k"}}"#,
            r#"{"messages":[{"content":"cache_control"}]}"#,
        ] {
            assert_eq!(taken_out(body), (body.to_owned(), String::new()));
        }
    }
}
