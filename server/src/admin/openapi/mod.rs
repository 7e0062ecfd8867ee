//! `/api/openapi.json`: the control plane's description for machines (OpenAPI 3.1). Which operations there are, what they do
//! and what they ask for comes from the one table of routes; what they look like from [`shapes`].

mod declared;
mod shapes;

use axum::Json;
use serde_json::{Value, json};

use crate::identity::{Needs, ROUTES, Route};

/// Things that have a tag.
const TAGGED: [&str; 13] = [
    "/api/v1/alerts/",
    "/api/v1/scopes/",
    "/api/v1/endpoints/{",
    "/api/v1/workloads/",
    "/api/v1/model-groups/",
    "/api/v1/limits/",
    "/api/v1/budgets/",
    "/api/v1/keys/",
    "/api/v1/people/",
    "/api/v1/service-tokens/",
    "/api/v1/kill-switches/",
    "/api/v1/credentials/",
    "/api/v1/requests/",
];

/// `GET /api/openapi.json`.
pub(super) async fn document() -> Json<Value> {
    Json(describe())
}

/// Those of the API: pages and health are not described, and SCIM describes itself.
fn operations() -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(|route| route.path.starts_with("/api/v1/") || route.path.starts_with("/v1/"))
}

/// The names between braces in a path.
fn named(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}

fn operation(route: &Route) -> Value {
    let shape = shapes::of(route.method, route.path);
    let open = matches!(route.needs, Needs::Nothing);
    let in_path = named(route.path).map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } })
    });
    let in_query = shape.query.iter().map(|(name, schema, required)| {
        json!({ "name": name, "in": "query", "required": required, "schema": schema })
    });
    let mut parameters: Vec<Value> = in_path.chain(in_query).collect();
    if route.method == "POST" && !open {
        parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
    }
    let whole = ["/api/v1/organisation", "/api/v1/apply"].contains(&route.path);
    let of_one =
        whole || (TAGGED.iter().any(|path| route.path.starts_with(path)) && !route.path.ends_with("/test"));
    if of_one && route.method != "GET" {
        parameters.push(json!({ "$ref": "#/components/parameters/IfMatch" }));
    }
    let problem = match route.path.starts_with("/v1/") {
        true => json!({ "$ref": "#/components/responses/Error" }),
        false => json!({ "$ref": "#/components/responses/Problem" }),
    };
    let (status, media, schema) =
        shape.answers.unwrap_or((200, "application/json", json!({ "type": "object" })));
    let mut responses = serde_json::Map::new();
    let mut done = json!({ "description": "Done", "content": { media: { "schema": schema } } });
    if let (true, Some(done)) = (of_one && route.method == "GET", done.as_object_mut()) {
        let tag = json!({ "required": true, "schema": { "type": "string" } });
        done.insert(String::from("headers"), json!({ "ETag": tag }));
    }
    responses.insert(status.to_string(), done);
    responses.insert(String::from("default"), problem);
    let mut operation = json!({
        "operationId": id(route),
        "summary": route.summary,
        "security": if open { json!([]) } else { json!([{ "serviceToken": [] }, { "session": [] }]) },
        "parameters": parameters,
        "responses": responses,
    });
    if let (Some((schema, required)), Some(operation)) = (shape.body, operation.as_object_mut()) {
        let body = json!({ "required": required, "content": { "application/json": { "schema": schema } } });
        operation.insert(String::from("requestBody"), body);
    }
    if let (Some((object, action)), Some(operation)) = (route.needs.right(), operation.as_object_mut()) {
        operation.insert(String::from("x-bailiwick-right"), json!(format!("{object}/{action}")));
    }
    operation
}

/// `post_api_v1_keys_id_rotate`: one of its own for each operation.
fn id(route: &Route) -> String {
    let words = route.path.split(|character: char| !character.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    format!("{}_{}", route.method.to_ascii_lowercase(), words.join("_"))
}

fn describe() -> Value {
    let mut paths = serde_json::Map::new();
    for route in operations() {
        let entry = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
        if let Some(entry) = entry.as_object_mut() {
            entry.insert(route.method.to_ascii_lowercase(), operation(route));
        }
    }
    let null_or = |kind: &str| json!({ "type": [kind, "null"] });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Bailiwick control plane", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "serviceToken": { "type": "http", "scheme": "bearer" },
                "session": { "type": "apiKey", "in": "cookie", "name": "__Host-bailiwick" },
            },
            "parameters": {
                "IfMatch": {
                    "name": "If-Match", "in": "header", "required": false,
                    "description": "Change it only if it still is as this `ETag` says",
                    "schema": { "type": "string" },
                },
                "IdempotencyKey": {
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "Whoever sends the same again gets the same answer, and nothing is done again",
                "schema": { "type": "string", "pattern": "^[!-~]{16,255}$" },
                },
            },
            "responses": {
                "Problem": { "description": "A problem", "content": { "application/problem+json": {
                    "schema": { "$ref": "#/components/schemas/Problem" } } } },
                "Error": { "description": "A problem, in the shape of OpenAI's API", "content": {
                    "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } } },
            },
            "schemas": {
                "Problem": {
                    "type": "object",
                    "description": "RFC 9457",
                    "required": ["type", "title", "status", "code"],
                    "properties": {
                        "type": { "type": "string", "format": "uri" }, "title": { "type": "string" },
                        "status": { "type": "integer" }, "code": { "type": "string" },
                        "detail": null_or("string"), "fix": null_or("string"),
                        "errors": { "type": "array", "items": {
                            "type": "object", "required": ["detail"],
                            "properties": {
                                "pointer": { "type": "string", "description": "RFC 6901, into the body" },
                                "parameter": { "type": "string" }, "detail": { "type": "string" },
                            },
                        } },
                        "created_keys": {
                            "type": "array",
                            "description": "Keys that were stored all the same, with their secrets, here and nowhere else",
                            "items": { "type": "object", "required": ["id", "key"] },
                        },
                    },
                },
                "Error": {
                    "type": "object",
                    "required": ["error"],
                    "properties": { "error": { "type": "object", "required": ["message", "type", "code"] } },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The description is a contract: what changes it is looked at.
    #[test]
    fn the_description_is_as_it_was() {
        insta::assert_json_snapshot!("openapi", describe());
    }

    #[test]
    fn every_operation_has_an_id_of_its_own_and_tells_what_its_path_names() {
        let ids: BTreeSet<String> = operations().map(id).collect();
        assert_eq!(ids.len(), operations().count());
        for route in operations() {
            let told = operation(route);
            for name in named(route.path) {
                let told = told["parameters"].as_array().unwrap();
                assert!(told.iter().any(|one| one["name"] == name && one["in"] == "path"), "{}", route.path);
            }
        }
    }
}
