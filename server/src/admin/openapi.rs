//! `/api/openapi.json`: the control plane's description for machines.

use axum::Json;
use serde_json::{Value, json};

use crate::identity::{Needs, ROUTES, Route};

/// `GET /api/openapi.json`.
pub(super) async fn document() -> Json<Value> {
    Json(describe())
}

/// Those of the API: pages and health are not described, and SCIM describes itself.
fn operations() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.path.starts_with("/api/v1/") || route.path.starts_with("/v1/"))
}

fn describe() -> Value {
    let mut paths = serde_json::Map::new();
    for route in operations() {
        let open = matches!(route.needs, Needs::Nothing);
        let operation = json!({
            "summary": route.summary,
            "security": if open { json!([]) } else { json!([{ "serviceToken": [] }, { "session": [] }]) },
            "responses": {
                "2XX": { "description": "Done" },
                "4XX": { "description": "A problem", "content": { "application/problem+json": {
                    "schema": { "$ref": "#/components/schemas/Problem" } } } },
            },
        });
        let entry = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(entry) = entry.as_object_mut() {
            entry.insert(route.method.to_ascii_lowercase(), operation);
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
