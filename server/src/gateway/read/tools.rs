//! The tools that a request of one of OpenAI's two APIs offers: what each makes a service do, and the names that rules and
//! records know it by.
//!
//! The kinds and their members are those of the types of the vendor's SDK
//! (<https://github.com/openai/openai-python/tree/main/src/openai/types/responses>, read in November 2026). A kind that is not
//! among them may do whatever a provider's tool can, and a member that is not may make any kind do anything, so each counts as
//! that. A tool may hold others (`namespace`), which count as if they stood beside it.

use std::collections::BTreeSet;

use bailiwick_compliance_db::{Feature, FeatureSet};

use super::{Content, MAX_NAME, MAX_TOOLS, SEARCHES};
use crate::gateway::classify::UNKNOWN;
use crate::gateway::document::{Document, Kind, NodeId};
use crate::gateway::refusal::Refusal;

/// A kind of tools: its name, under which it stands in a record (any other could be any text), what it uses, and its members.
type Known = (&'static str, &'static [Feature], &'static [&'static str]);

/// The kinds that are known. A `web_search` may have a date or a word behind it.
const KINDS: &[Known] = &[
    ("apply_patch", &[Feature::CodeExecution], &[]),
    ("code_interpreter", &[Feature::CodeExecution], &["container"]),
    ("computer", &[Feature::CodeExecution], &[]),
    ("computer_use_preview", &[Feature::CodeExecution], &["display_height", "display_width", "environment"]),
    ("custom", &[], &["custom", "defer_loading", "description", "format", "name"]),
    (
        "file_search",
        &[Feature::Files],
        &["filters", "max_num_results", "ranking_options", "vector_store_ids"],
    ),
    (
        "function",
        &[],
        &["defer_loading", "description", "function", "name", "output_schema", "parameters", "strict"],
    ),
    (
        "image_generation",
        &[Feature::ImageGeneration],
        &[
            "action",
            "background",
            "input_fidelity",
            "input_image_mask",
            "model",
            "moderation",
            "n",
            "output_compression",
            "output_format",
            "partial_images",
            "quality",
            "size",
        ],
    ),
    ("local_shell", &[Feature::CodeExecution], &[]),
    (
        "mcp",
        &[Feature::RemoteMcp],
        &[
            "allowed_tools",
            "authorization",
            "connector_id",
            "defer_loading",
            "headers",
            "require_approval",
            "server_description",
            "server_label",
            "server_url",
            "tunnel_id",
        ],
    ),
    // What it holds is read by itself.
    ("namespace", &[], &["description", "name", "tools"]),
    ("programmatic_tool_calling", &[Feature::CodeExecution], &[]),
    ("shell", &[Feature::CodeExecution], &["environment"]),
    // It finds what the request itself has, or what its client then sends.
    ("tool_search", &[], &["description", "execution", "parameters"]),
    (
        "web_search",
        &[Feature::WebSearch],
        &["external_web_access", "filters", "search_content_types", "search_context_size", "user_location"],
    ),
];

/// What a tool of a kind that is not known may do.
const ANYTHING: &[Feature] = &[
    Feature::WebSearch,
    Feature::CodeExecution,
    Feature::Files,
    Feature::ImageGeneration,
    Feature::RemoteMcp,
];

/// What is paid by the use, or by the hour of a container, while no usage tells of it (<https://openai.com/api/pricing/>).
const UNTOLD: &[Feature] = &[Feature::CodeExecution, Feature::Files, Feature::ImageGeneration];

/// Members of tools of every kind.
const OF_ALL: &[&str] = &["allowed_callers", "cache_control", "type"];

/// Members in which a client writes what it likes: a schema, the headers of a request.
pub(super) const FREE: &[&str] = &["headers", "output_schema", "parameters"];

/// Members of what stands within a tool, whichever.
const WITHIN: &[&str] = &[
    "allowed_domains",
    "always",
    "blocked_domains",
    "city",
    "container_id",
    "country",
    "data",
    "defer_loading",
    "definition",
    "description",
    "domain",
    "domain_secrets",
    "embedding_weight",
    "file_id",
    "file_ids",
    "filters",
    "format",
    "grammar",
    "hybrid_search",
    "image_url",
    "key",
    "media_type",
    "memory_limit",
    "name",
    "network_policy",
    "never",
    "output_schema",
    "parameters",
    "path",
    "ranker",
    "read_only",
    "region",
    "score_threshold",
    "skill_id",
    "skills",
    "source",
    "strict",
    "syntax",
    "text_weight",
    "timezone",
    "tool_names",
    "ttl",
    "type",
    "value",
    "version",
];

/// Reads what a tool uses, and its names.
///
/// Whatever a service calls it by is a name of it: a function's stands at one of two places, and one that both have could be told
/// another name at each. What runs at the service answers to its kind, whatever name it is given.
pub(super) fn tool_features(
    document: &Document,
    tool: NodeId,
    content: &mut Content,
    names: &mut BTreeSet<String>,
) {
    let kind = document.get(tool, "type").and_then(|id| document.string(id)).unwrap_or_default();
    let kind = if kind.starts_with("web_search") { "web_search" } else { &*kind };
    let known = KINDS.iter().find(|(name, _, _)| *name == kind);
    let (word, features) = known.map_or((UNKNOWN, ANYTHING), |(name, features, _)| (*name, *features));
    features.iter().for_each(|feature| content.features.insert(*feature));
    let strange = known.is_some_and(|(_, _, members)| is_strange(document, tool, members));
    if strange {
        content.features = FeatureSet::all();
        content.strange = true;
    }
    if strange || features.contains(&Feature::WebSearch) {
        content.web_searches = content.web_searches.saturating_add(SEARCHES);
    }
    content.untold_fees |= strange || UNTOLD.iter().any(|feature| features.contains(feature));
    let holders = [Some(tool), document.get(tool, "function"), document.get(tool, "custom")];
    let told = holders.into_iter().flatten().filter_map(|holder| document.get(holder, "name"));
    let told: Vec<String> = told.filter_map(|id| Some(document.string(id)?.into_owned())).collect();
    if told.is_empty() || !matches!(word, "function" | "custom") {
        names.insert(word.to_owned());
    }
    names.extend(told);
    for inner in document.get(tool, "tools").into_iter().flat_map(|tools| document.children(tools)) {
        tool_features(document, inner, content, names);
    }
}

/// Whether a tool has a member that is not known, at any depth.
fn is_strange(document: &Document, tool: NodeId, members: &[&str]) -> bool {
    document.children(tool).any(|member| {
        let Some(name) = document.key(member) else { return true };
        let known = members.contains(&&*name) || OF_ALL.contains(&&*name);
        let read_elsewhere = name == "tools" || FREE.contains(&&*name);
        let none = document.kind(member) == Kind::Null;
        !none && (!known || !read_elsewhere && has_strange(document, member))
    })
}

/// Whether a member that is not known stands within a value.
fn has_strange(document: &Document, holder: NodeId) -> bool {
    document.children(holder).any(|member| {
        let name = document.key(member);
        let none = document.kind(member) == Kind::Null;
        let known = name.as_deref().is_none_or(|name| WITHIN.contains(&name));
        let free = name.as_deref().is_some_and(|name| FREE.contains(&name));
        !none && (!known || !free && has_strange(document, member))
    })
}

/// Names of tools are recorded.
pub(super) fn check_tools(tools: &BTreeSet<String>) -> Result<(), Refusal> {
    if tools.len() <= MAX_TOOLS && tools.iter().all(|name| name.len() <= MAX_NAME) {
        return Ok(());
    }
    Err(Refusal::invalid(
        "tools",
        format!("more than {MAX_TOOLS} tools, or one whose name is longer than {MAX_NAME} bytes"),
    )
    .fix("offer the model fewer tools, with shorter names"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::super::super::document::Limits;
    use super::*;

    fn read(tool: &Value) -> (Content, BTreeSet<String>) {
        let document = Document::parse(Bytes::from(tool.to_string()), Limits::default()).unwrap();
        let (mut content, mut names) = (Content::default(), BTreeSet::new());
        tool_features(&document, document.root(), &mut content, &mut names);
        (content, names)
    }

    /// What a tool uses, and the names that it goes by.
    fn of(tool: &Value) -> (FeatureSet, Vec<String>) {
        let (content, names) = read(tool);
        assert_eq!(content.web_searches > 0, content.features.contains(Feature::WebSearch), "{tool}");
        (content.features, names.into_iter().collect())
    }

    /// Every kind of the published union with every member that it has, and what it counts as.
    fn published() -> Vec<(Value, &'static [Feature], &'static [&'static str])> {
        let callers = json!(["direct", "programmatic"]);
        let schema = json!({ "type": "object", "properties": { "anything_at_all": { "type": "string" } } });
        let place =
            json!({ "type": "approximate", "city": "x", "country": "DE", "region": "x", "timezone": "x" });
        let function = json!({ "type": "function", "name": "f", "parameters": schema, "strict": true,
            "allowed_callers": callers, "defer_loading": true, "description": "x", "output_schema": schema });
        let custom = json!({ "type": "custom", "name": "c", "allowed_callers": callers, "defer_loading": true,
            "description": "x", "format": { "type": "grammar", "syntax": "lark", "definition": "x" } });
        vec![
            (function.clone(), &[], &["f"]),
            (custom.clone(), &[], &["c"]),
            (
                json!({ "type": "function", "function": { "name": "g", "description": "x", "parameters": schema,
                    "strict": null } }),
                &[],
                &["g"],
            ),
            (
                json!({ "type": "custom", "custom": { "name": "d", "description": "x", "format": { "type": "grammar",
                    "grammar": { "syntax": "regex", "definition": "x" } } } }),
                &[],
                &["d"],
            ),
            (
                json!({ "type": "namespace", "name": "crm", "description": "x", "tools": [function, custom] }),
                &[],
                &["c", "crm", "f", "namespace"],
            ),
            (
                json!({ "type": "tool_search", "description": "x", "execution": "client", "parameters": schema }),
                &[],
                &["tool_search"],
            ),
            (
                json!({ "type": "file_search", "vector_store_ids": ["vs_1"], "max_num_results": 3,
                    "filters": { "type": "and", "filters": [{ "type": "eq", "key": "a", "value": "b" }] },
                    "ranking_options": { "ranker": "auto", "score_threshold": 0.5,
                        "hybrid_search": { "embedding_weight": 1, "text_weight": 1 } } }),
                &[Feature::Files],
                &["file_search"],
            ),
            (json!({ "type": "computer" }), &[Feature::CodeExecution], &["computer"]),
            (
                json!({ "type": "computer_use_preview", "display_height": 1, "display_width": 1, "environment": "linux" }),
                &[Feature::CodeExecution],
                &["computer_use_preview"],
            ),
            (
                json!({ "type": "web_search", "external_web_access": true, "filters": { "allowed_domains": ["x.example"] },
                    "search_context_size": "low", "user_location": place }),
                &[Feature::WebSearch],
                &["web_search"],
            ),
            (json!({ "type": "web_search_2025_08_26" }), &[Feature::WebSearch], &["web_search"]),
            (
                json!({ "type": "web_search_preview", "search_content_types": ["text"], "search_context_size": "low",
                    "user_location": place }),
                &[Feature::WebSearch],
                &["web_search"],
            ),
            (json!({ "type": "web_search_preview_2025_03_11" }), &[Feature::WebSearch], &["web_search"]),
            (
                json!({ "type": "mcp", "server_label": "s", "allowed_callers": callers, "authorization": "x",
                    "allowed_tools": { "read_only": true, "tool_names": ["x"] }, "connector_id": "connector_gmail",
                    "defer_loading": true, "headers": { "x-anything": "x" }, "server_description": "x",
                    "require_approval": { "always": { "tool_names": ["x"] }, "never": { "read_only": true } },
                    "server_url": "https://x.example", "tunnel_id": "x" }),
                &[Feature::RemoteMcp],
                &["mcp"],
            ),
            (
                json!({ "type": "code_interpreter", "allowed_callers": callers,
                    "container": { "type": "auto", "memory_limit": "1g", "file_ids": [], "network_policy": { "type": "disabled" } } }),
                &[Feature::CodeExecution],
                &["code_interpreter"],
            ),
            (
                json!({ "type": "programmatic_tool_calling" }),
                &[Feature::CodeExecution],
                &["programmatic_tool_calling"],
            ),
            (
                json!({ "type": "image_generation", "action": "auto", "background": "auto", "input_fidelity": "low",
                    "model": "m", "moderation": "auto", "output_compression": 1, "output_format": "png",
                    "partial_images": 1, "quality": "low", "size": "auto", "input_image_mask": null }),
                &[Feature::ImageGeneration],
                &["image_generation"],
            ),
            (json!({ "type": "local_shell" }), &[Feature::CodeExecution], &["local_shell"]),
            (
                json!({ "type": "shell", "allowed_callers": callers, "environment": { "type": "local",
                    "skills": [{ "name": "x", "description": "x", "path": "x" }] } }),
                &[Feature::CodeExecution],
                &["shell"],
            ),
            (json!({ "type": "apply_patch" }), &[Feature::CodeExecution], &["apply_patch"]),
        ]
    }

    #[test]
    fn every_published_kind_of_tool_counts_as_what_it_does() {
        for (tool, features, names) in published() {
            let wanted: FeatureSet = features.iter().copied().collect();
            assert_eq!(of(&tool).0, wanted, "{tool}");
            assert_eq!(of(&tool).1, names, "{tool}");
            assert!(!read(&tool).0.strange, "{tool}");
        }
        let kinds: BTreeSet<&str> = KINDS.iter().map(|(name, _, _)| *name).collect();
        for kind in kinds {
            let is = |(tool, _, _): &(Value, _, _)| tool["type"] == kind;
            assert!(published().iter().any(is), "{kind}: what it counts as is not said here");
        }
    }

    #[test]
    fn a_member_that_is_not_known_may_make_a_tool_do_anything() {
        /// Puts a member into every object of a tool, one after the other, but where its client writes what it likes.
        fn with_one_more(value: &Value, all: &mut Vec<Value>, put: &dyn Fn(Value) -> Value) {
            match value {
                Value::Object(members) => {
                    let mut more = members.clone();
                    more.insert(String::from("of_next_year"), json!(true));
                    all.push(put(Value::Object(more)));
                    for (name, inner) in members.iter().filter(|(name, _)| !FREE.contains(&name.as_str())) {
                        let put = |inner: Value| {
                            let mut members = members.clone();
                            members.insert(name.clone(), inner);
                            put(Value::Object(members))
                        };
                        with_one_more(inner, all, &put);
                    }
                }
                Value::Array(list) => {
                    for (at, inner) in list.iter().enumerate() {
                        let put = |inner: Value| {
                            let mut list = list.clone();
                            list[at] = inner;
                            put(Value::Array(list))
                        };
                        with_one_more(inner, all, &put);
                    }
                }
                _ => {}
            }
        }
        for (tool, _, names) in published() {
            let mut all = Vec::new();
            with_one_more(&tool, &mut all, &|tool| tool);
            for strange in all {
                assert_eq!(of(&strange).0, FeatureSet::all(), "{strange}");
                assert_eq!(of(&strange).1, names, "{strange}");
                assert!(read(&strange).0.strange, "{strange}");
            }
        }
        // None is none.
        let none = json!({ "type": "function", "name": "f", "of_next_year": null });
        assert_eq!(of(&none).0, FeatureSet::EMPTY);
        // A kind that is not known may be any tool of a provider, and goes by no name that it gives itself alone.
        let (features, names) = of(&json!({ "type": "of_next_year", "name": "harmless" }));
        assert_eq!(features, ANYTHING.iter().copied().collect());
        assert_eq!(names, [UNKNOWN, "harmless"]);
    }

    #[test]
    fn tools_of_which_no_usage_tells_the_fees_are_said_to_have_some() {
        for (tool, features, _) in published() {
            let wanted = features.iter().any(|feature| {
                matches!(feature, Feature::CodeExecution | Feature::Files | Feature::ImageGeneration)
            });
            assert_eq!(read(&tool).0.untold_fees, wanted, "{tool}");
        }
        assert!(read(&json!({ "type": "of_next_year" })).0.untold_fees);
        assert!(read(&json!({ "type": "function", "name": "f", "of_next_year": true })).0.untold_fees);
    }

    #[test]
    fn no_other_name_hides_what_a_service_would_call() {
        let called = |tool: Value, name: &str| {
            assert!(of(&tool).1.iter().any(|found| found == name), "{tool}: {:?}", of(&tool).1);
        };
        let function = |name: &str| json!({ "type": "function", "name": name });
        let nested =
            |inner: Value| json!({ "type": "namespace", "name": "crm", "description": "", "tools": [inner] });
        called(nested(function("delete_customer")), "delete_customer");
        called(nested(nested(function("delete_customer"))), "delete_customer");
        called(nested(json!({ "type": "mcp", "server_label": "x" })), "mcp");
        called(json!({ "type": "web_search", "name": "harmless" }), "web_search");
        called(json!({ "type": "shell", "function": { "name": "harmless" } }), "shell");
        called(
            json!({ "type": "custom", "function": { "name": "harmless" }, "custom": { "name": "pay" } }),
            "pay",
        );
        called(json!({ "type": "function", "function": { "name": "harmless" }, "name": "pay" }), "pay");
        called(json!({ "type": "function", "function": { "name": "pay" }, "name": "harmless" }), "pay");
        let inner = json!({ "type": "mcp", "server_label": "x", "server_url": "https://x.example" });
        assert!(of(&nested(inner)).0.contains(Feature::RemoteMcp));
    }
}
