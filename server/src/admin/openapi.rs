//! `/api/openapi.json`: the control plane's description for machines.

use axum::Json;
use serde_json::{Value, json};

/// `GET /api/openapi.json`.
pub(super) async fn document() -> Json<Value> {
    Json(describe())
}

/// Method, path, what it does. A test holds this list against the router.
pub(crate) const OPERATIONS: &[(&str, &str, &str)] = &[
    ("get", "/api/v1/keys", "Virtual keys of the caller's scope"),
    ("post", "/api/v1/keys", "Create a virtual key; its secret is in this answer and nowhere else"),
    (
        "post",
        "/api/v1/keys:bulk",
        "Create several virtual keys, all or none; their secrets are in this answer and nowhere else",
    ),
    ("post", "/api/v1/keys:revoke-presented", "Revoke a key by presenting it; needs nothing else"),
    ("post", "/api/v1/keys/{id}/rotate", "Replace a key; the old one works on for the overlap"),
    (
        "post",
        "/api/v1/keys/{id}/disable",
        "Disable a key until it is enabled again, with a reason; in force when this answers",
    ),
    ("post", "/api/v1/keys/{id}/enable", "Enable a disabled key"),
    ("post", "/api/v1/keys/{id}/revoke", "Revoke a key; in force when this answers"),
    ("get", "/api/v1/kill-switches", "Kill switches, newest first, lifted and expired ones too"),
    ("post", "/api/v1/kill-switches", "Throw a kill switch; in force when this answers"),
    ("delete", "/api/v1/kill-switches/{id}", "Lift a kill switch, with a reason"),
    ("get", "/api/v1/policy", "The policy in force, its commit, and what stands in the way of another one"),
    (
        "post",
        "/api/v1/policy:notify",
        "Have the policy's repository looked at now; a webhook with its secret",
    ),
    ("get", "/api/v1/replicas", "The servers of the database, and those that are waited for"),
    (
        "post",
        "/api/v1/replicas/{number}/lost",
        "Say that a missing replica's spool is lost; what it held is free again",
    ),
    ("post", "/api/v1/apply", "Declare scopes, endpoints, model groups, budgets and keys"),
    ("get", "/api/v1/endpoints", "Endpoints and their health"),
    ("get", "/api/v1/endpoints/explain", "Every attribute of an endpoint, with facts and evidence"),
    (
        "get",
        "/api/v1/endpoints/matrix",
        "Each endpoint against each regulation: yes, no, only if something is attested or stated, or unknown",
    ),
    (
        "get",
        "/api/v1/compliance",
        "The compliance database in force, what it changed, and attestations that end",
    ),
    ("get", "/api/v1/budgets", "Where budgets stand"),
    ("get", "/api/v1/limits", "Where limits of requests, tokens, spend and concurrency stand"),
    ("post", "/api/v1/budgets/{id}/top-ups", "Raise a budget's limit for a time; in force when this answers"),
    (
        "post",
        "/api/v1/policy:plan",
        "What another bundle or other facts would have decided on recorded requests",
    ),
    (
        "get",
        "/api/v1/policy/kept/{kind}/{digest}",
        "What records name by digest: bundle, catalog, endpoints, kill_switches",
    ),
    ("get", "/api/v1/decisions", "Decisions, newest first"),
    ("get", "/api/v1/decisions/stream", "Decisions as they happen, as server-sent events"),
    ("get", "/api/v1/decisions/{id}/explanation", "A recorded decision with its reasons, facts and evidence"),
    ("get", "/api/v1/audit/export", "The audit log as a verifiable file"),
    ("get", "/api/v1/audit/checkpoint", "A signed tree head (C2SP tlog-checkpoint)"),
    ("post", "/api/v1/audit/pseudonym", "The pseudonym of a user, subject or session in the log"),
    ("get", "/api/v1/audit/public-key", "The log's public key"),
    ("get", "/v1/decisions/{id}", "The receipt of a decision"),
];

/// Those that ask for no credential.
const OPEN: [&str; 3] =
    ["/api/v1/keys:revoke-presented", "/api/v1/audit/public-key", "/api/v1/policy:notify"];

fn describe() -> Value {
    let mut paths = serde_json::Map::new();
    for (method, path, summary) in OPERATIONS {
        let operation = json!({
            "summary": summary,
            "security": if OPEN.contains(path) { json!([]) } else { json!([{ "serviceToken": [] }, { "session": [] }]) },
            "responses": {
                "2XX": { "description": "Done" },
                "4XX": { "description": "A problem", "content": { "application/problem+json": {
                    "schema": { "$ref": "#/components/schemas/Problem" } } } },
            },
        });
        let entry = paths.entry((*path).to_owned()).or_insert_with(|| json!({}));
        if let Some(entry) = entry.as_object_mut() {
            entry.insert((*method).to_owned(), operation);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Bailiwick control plane", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "serviceToken": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "__Host-bailiwick" },
            },
            "schemas": { "Problem": {
                "type": "object",
                "description": "RFC 9457",
                "properties": {
                    "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
                    "code": { "type": "string" }, "detail": { "type": ["string", "null"] },
                    "fix": { "type": ["string", "null"] },
                },
            } },
        },
    })
}
