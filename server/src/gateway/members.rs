//! What the members of a body itself, beside messages and tools, make a service do.
//!
//! A member that is not known here may do anything: search the web, read a file of the provider's, keep what it gets. So
//! it counts as every feature, and an endpoint stays eligible only where the rules ask nothing that depends on one. Known
//! are the members of the published APIs, of which the wires keep the lists, and those of services with the same API which
//! change how tokens are drawn and nothing else. A member that is `null` is none.

use bailiwick_compliance_db::{Feature, FeatureSet};
use bailiwick_wire::{anthropic, openai_chat, openai_responses};

use super::document::{Document, Kind, NodeId};
use crate::providers::Operation;

/// Members of every operation that bring in nothing and take nothing anywhere.
const OF_ALL: &[&str] = &["model", "user", "safety_identifier", "metadata", "priority"];

/// Members of a chat that servers add to OpenAI's: how tokens are drawn, and how a prompt is laid out
/// (<https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>, <https://docs.mistral.ai/api/>,
/// <https://console.groq.com/docs/api-reference>, <https://docs.together.ai/reference/chat-completions-1>).
const OF_CHAT_ELSEWHERE: &[&str] = &[
    "add_generation_prompt",
    "allowed_token_ids",
    "bad_words",
    "best_of",
    "chat_template_kwargs",
    "context_length_exceeded_behavior",
    "continue_final_message",
    "echo",
    "enable_thinking",
    "guided_choice",
    "guided_decoding_backend",
    "guided_grammar",
    "guided_json",
    "guided_regex",
    "ignore_eos",
    "include_reasoning",
    "include_stop_str_in_output",
    "length_penalty",
    "max_output_tokens",
    "max_tool_calls",
    "min_p",
    "min_tokens",
    "prompt_logprobs",
    "prompt_mode",
    "prompt_truncate_len",
    "random_seed",
    "reasoning",
    "reasoning_format",
    "repetition_penalty",
    "safe_prompt",
    "skip_special_tokens",
    "spaces_between_special_tokens",
    "stop_token_ids",
    "structured_outputs",
    "thinking",
    "top_a",
    "top_k",
    "truncate_prompt_tokens",
    "typical_p",
    "use_beam_search",
];

/// Members of an embedding: <https://platform.openai.com/docs/api-reference/embeddings/create>, and of servers that add
/// to it.
const OF_EMBEDDINGS: &[&str] = &[
    "input",
    "dimensions",
    "encoding_format",
    "input_type",
    "output_dimension",
    "output_dtype",
    "stream",
    "truncate",
    "truncate_prompt_tokens",
    "truncation",
];

/// Members of a response that servers add to OpenAI's (<https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html>).
const OF_RESPONSES_ELSEWHERE: &[&str] = &[
    "chat_template_kwargs",
    "ignore_eos",
    "include_stop_str_in_output",
    "min_p",
    "min_tokens",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "seed",
    "skip_special_tokens",
    "stop",
    "structured_outputs",
    "top_k",
];

/// What Anthropic's API took before `output_config`.
const OF_MESSAGES_BEFORE: &[&str] = &["output_format"];

/// Members that use something of the service, and what.
const FEATURES: &[(&str, &[Feature])] = &[
    ("web_search_options", &[Feature::WebSearch]),
    ("store", &[Feature::StoredState]),
    ("previous_response_id", &[Feature::StoredState]),
    ("conversation", &[Feature::StoredState]),
    ("background", &[Feature::Background]),
    ("audio", &[Feature::Audio]),
    // xAI's live search, the plug-ins of OpenRouter, the settings of search of Groq and Perplexity, Alibaba's switch, the
    // connectors of Cohere.
    ("search_parameters", &[Feature::WebSearch]),
    ("plugins", &[Feature::WebSearch, Feature::FileInput]),
    ("search_settings", &[Feature::WebSearch]),
    ("search_domain_filter", &[Feature::WebSearch]),
    ("search_recency_filter", &[Feature::WebSearch]),
    ("search_mode", &[Feature::WebSearch]),
    ("return_images", &[Feature::WebSearch]),
    ("return_related_questions", &[Feature::WebSearch]),
    ("enable_search", &[Feature::WebSearch]),
    ("connectors", &[Feature::WebSearch, Feature::RemoteMcp]),
    // Azure's own data: indexes and stores that the request names.
    ("data_sources", &[Feature::Files, Feature::RemoteMcp]),
    ("dataSources", &[Feature::Files, Feature::RemoteMcp]),
    ("mcp_servers", &[Feature::RemoteMcp]),
    ("container", &[Feature::CodeExecution, Feature::StoredState]),
    // A fingerprint of the request is kept, to compare the next one with:
    // https://platform.claude.com/docs/en/build-with-claude/cache-diagnostics, seen 2026-11-23.
    ("diagnostics", &[Feature::StoredState]),
];

/// Whether a member tells that a body is a request for a response rather than one for an embedding, which has an `input`, too.
pub(super) fn is_of_responses(name: &str, value: &serde_json::Value) -> bool {
    match name {
        "model" | "user" => false,
        // Vectors are not streamed, whatever some clients of theirs say.
        "stream" => true,
        // Of an embedding it is said whether.
        "truncation" => value.is_string(),
        name => openai_responses::MEMBERS.contains(&name) && !OF_EMBEDDINGS.contains(&name),
    }
}

/// What the members of a body use, and whether one is not known.
pub(super) fn features(document: &Document, operation: Operation) -> (FeatureSet, bool) {
    let own: [&[&str]; 2] = match operation {
        Operation::ChatCompletions => [openai_chat::MEMBERS, OF_CHAT_ELSEWHERE],
        Operation::Responses => [openai_responses::MEMBERS, OF_RESPONSES_ELSEWHERE],
        Operation::Embeddings => [OF_EMBEDDINGS, &[]],
        Operation::Messages | Operation::CountTokens => [anthropic::MEMBERS, OF_MESSAGES_BEFORE],
    };
    let mut used = FeatureSet::EMPTY;
    let mut strange = false;
    for member in document.children(document.root()) {
        let Some(name) = document.key(member) else { continue };
        let kind = document.kind(member);
        let known = own.iter().any(|list| list.contains(&&*name));
        if kind == Kind::Null || OF_ALL.contains(&&*name) {
            continue;
        }
        if let Some((_, features)) = FEATURES.iter().find(|(known, _)| **known == *name) {
            let none = kind == Kind::Array && document.children(member).next().is_none();
            if kind != Kind::False && !none {
                used = features.iter().fold(used, |used, feature| used.with(*feature));
            }
            continue;
        }
        match &*name {
            "modalities" => used = modalities(document, member, used),
            "prompt_cache_retention" => {
                if document.string(member).as_deref() != Some("in_memory") {
                    used.insert(Feature::PromptCacheExtended);
                }
            }
            // `ttl`: 30 minutes is what such models do unasked
            // (<https://developers.openai.com/api/docs/guides/prompt-caching>, seen 2026-11-23).
            "prompt_cache_options" => {
                let ttl = document.get(member, "ttl").filter(|ttl| document.kind(*ttl) != Kind::Null);
                if ttl.is_some_and(|ttl| document.string(ttl).as_deref() != Some("30m")) {
                    used.insert(Feature::PromptCacheExtended);
                }
            }
            // Another model of the provider reads along; where that is and what it keeps no fact tells.
            "moderation" => used = FeatureSet::all(),
            // What such a programme opens, and who then reads along, no fact tells either.
            "access_programs" => used = FeatureSet::all(),
            _ if known => {}
            _ => strange = true,
        }
    }
    if has_long_cache(document) {
        used.insert(Feature::PromptCacheExtended);
    }
    (if strange { FeatureSet::all() } else { used }, strange)
}

/// Whether a cache marker, wherever it stands, asks for longer than what is meant where nothing is said: five minutes
/// (<https://platform.claude.com/docs/en/build-with-claude/prompt-caching>; services of OpenAI's API take the marker, too), and
/// thirty of OpenAI's own.
fn has_long_cache(document: &Document) -> bool {
    let unasked = |holder: NodeId| match document.key(holder).as_deref() {
        Some("cache_control") => Some("5m"),
        Some("prompt_cache_breakpoint") => Some("30m"),
        _ => None,
    };
    document.ids().any(|id| {
        document.key(id).is_some_and(|key| key == "ttl")
            && document.kind(id) != Kind::Null
            && document
                .parent(id)
                .and_then(unasked)
                .is_some_and(|unasked| document.string(id).as_deref() != Some(unasked))
    })
}

/// What may come out.
fn modalities(document: &Document, member: NodeId, used: FeatureSet) -> FeatureSet {
    document.children(member).fold(used, |used, one| match document.string(one).as_deref() {
        Some("text") => used,
        Some("audio") => used.with(Feature::Audio),
        Some("image") => used.with(Feature::ImageGeneration),
        _ => FeatureSet::all(),
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::document::Limits;
    use super::*;

    fn of(body: &str, operation: Operation) -> (FeatureSet, bool) {
        let document = Document::parse(Bytes::from(body.to_owned()), Limits::default()).unwrap();
        features(&document, operation)
    }

    fn chat(member: &str) -> (FeatureSet, bool) {
        of(&format!(r#"{{"model": "m", "messages": [], {member}}}"#), Operation::ChatCompletions)
    }

    #[test]
    fn what_libraries_send_uses_nothing() {
        for member in [
            r#""temperature": 0.2, "top_p": 1, "n": 1, "stop": ["x"], "stream": true, "stream_options": {"include_usage": true}"#,
            r#""max_tokens": 5, "max_completion_tokens": 5, "seed": 1, "logit_bias": {}, "logprobs": true, "top_logprobs": 2"#,
            r#""response_format": {"type": "json_object"}, "tools": [], "tool_choice": "auto", "parallel_tool_calls": false"#,
            r#""user": "u", "metadata": {"a": "b"}, "service_tier": "auto", "reasoning_effort": "low", "verbosity": "low""#,
            r#""modalities": ["text"], "prediction": {"type": "content", "content": "x"}, "prompt_cache_key": "k""#,
            r#""top_k": 5, "min_p": 0.1, "repetition_penalty": 1.1, "chat_template_kwargs": {"enable_thinking": false}"#,
            r#""store": false, "background": false, "web_search_options": null, "prompt_cache_retention": "in_memory""#,
            r#""plugins": null, "mcp_servers": [], "anything_at_all": null"#,
        ] {
            assert_eq!(chat(member), (FeatureSet::EMPTY, false), "{member}");
        }
        let body =
            r#"{"model": "m", "input": "x", "dimensions": 3, "encoding_format": "float", "user": "u"}"#;
        assert_eq!(of(body, Operation::Embeddings), (FeatureSet::EMPTY, false));
    }

    #[test]
    fn what_reaches_beyond_the_model_is_named() {
        for (member, uses) in [
            (r#""plugins": [{"id": "web"}]"#, Feature::WebSearch),
            (r#""search_parameters": {"mode": "on"}"#, Feature::WebSearch),
            (r#""web_search_options": {}"#, Feature::WebSearch),
            (r#""enable_search": true"#, Feature::WebSearch),
            (r#""data_sources": [{"type": "azure_search"}]"#, Feature::Files),
            (r#""mcp_servers": [{"url": "https://x"}]"#, Feature::RemoteMcp),
            (r#""store": true"#, Feature::StoredState),
            (r#""modalities": ["text", "audio"]"#, Feature::Audio),
            (r#""modalities": ["image"]"#, Feature::ImageGeneration),
            (r#""prompt_cache_retention": "24h""#, Feature::PromptCacheExtended),
        ] {
            let (features, strange) = chat(member);
            assert!(features.contains(uses) && !strange, "{member}: {features}");
            assert_ne!(features, FeatureSet::all(), "{member}: and nothing that it is not");
        }
    }

    #[test]
    fn every_member_that_a_wire_knows_is_known_here() {
        for (members, operation) in [
            (openai_chat::MEMBERS, Operation::ChatCompletions),
            (openai_responses::MEMBERS, Operation::Responses),
            (anthropic::MEMBERS, Operation::Messages),
            (anthropic::COUNTED, Operation::CountTokens),
        ] {
            for name in members {
                let (_, strange) = of(&format!(r#"{{"{name}": {{"a": "b"}}}}"#), operation);
                assert!(!strange, "{name}");
            }
        }
        let automatic =
            r#"{"model": "m", "messages": [], "cache_control": {"type": "ephemeral"}, "mcp_servers": []}"#;
        assert_eq!(of(automatic, Operation::Messages), (FeatureSet::EMPTY, false));
        let options = r#""prompt_cache_options": {"mode": "explicit", "ttl": "30m"}"#;
        assert_eq!(chat(options), (FeatureSet::EMPTY, false));
    }

    #[test]
    fn a_cache_that_is_kept_for_longer_is_a_feature_wherever_it_is_asked_for() {
        let extended = FeatureSet::EMPTY.with(Feature::PromptCacheExtended);
        let marked =
            |marker: &str, place: &str| place.replace("HERE", &format!(r#""cache_control": {marker}"#));
        let messages = [
            r#"{"model": "m", "messages": [], HERE}"#,
            r#"{"model": "m", "messages": [], "system": [{"type": "text", "text": "x", HERE}]}"#,
            r#"{"model": "m", "messages": [], "tools": [{"name": "t", "input_schema": {}, HERE}]}"#,
            r#"{"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "x", HERE}]}]}"#,
            r#"{"model": "m", "messages": [{"content": [{"type": "tool_result", "content": [{"type": "text", HERE}]}]}]}"#,
        ];
        for place in messages {
            for (marker, uses) in [
                (r#"{"type": "ephemeral"}"#, FeatureSet::EMPTY),
                (r#"{"type": "ephemeral", "ttl": null}"#, FeatureSet::EMPTY),
                (r#"{"type": "ephemeral", "ttl": "5m"}"#, FeatureSet::EMPTY),
                (r#"{"type": "ephemeral", "ttl": "1h"}"#, extended),
                (r#"{"type": "ephemeral", "t\u0074l": "24h"}"#, extended),
                (r#"{"ttl": 3600}"#, extended),
            ] {
                let body = marked(marker, place);
                assert_eq!(of(&body, Operation::Messages).0, uses, "{body}");
            }
        }
        let chat = marked(r#"{"type": "ephemeral", "ttl": "1h"}"#, messages[3]);
        assert_eq!(of(&chat, Operation::ChatCompletions).0, extended);
        let other = r#"{"model": "m", "messages": [], "prompt_cache_options": {"ttl": "24h"}}"#;
        assert_eq!(of(other, Operation::ChatCompletions).0, extended);
    }

    #[test]
    fn a_request_for_a_response_is_told_by_every_member_that_only_it_has() {
        let of = |name: &str| is_of_responses(name, &serde_json::json!("x"));
        for name in openai_responses::MEMBERS {
            assert_eq!(of(name), !["input", "model", "user"].contains(name), "{name}");
        }
        for name in OF_EMBEDDINGS.iter().filter(|name| !["stream", "truncation"].contains(name)) {
            assert!(!of(name), "{name}");
        }
        assert!(!is_of_responses("truncation", &serde_json::json!(true)));
    }

    #[test]
    fn what_is_not_known_may_be_anything() {
        for member in [
            r#""live_browsing": true"#,
            r#""live_browsing": false"#,
            r#""models": ["other/model"]"#,
            r#""provider": {"order": ["elsewhere"]}"#,
            r#""Temperature": 1"#,
            r#""input": "of another operation""#,
        ] {
            assert_eq!(chat(member), (FeatureSet::all(), true), "{member}");
        }
        let body = r#"{"model": "m", "input": "x", "messages": []}"#;
        assert_eq!(of(body, Operation::Embeddings), (FeatureSet::all(), true));
    }
}
