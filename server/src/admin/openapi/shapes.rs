//! What requests and answers look like, for the description: JSON Schema 2020-12, as OpenAPI 3.1 has it.

use serde_json::{Value, json};

use super::declared::{
    applied, budget, deleted, endpoint as declared_endpoint, key as declared_key, limit, model_group,
    new_budget, new_limit, numbered, scope as declared_scope, workload as declared_workload,
};

/// What an operation takes and answers, beside what its path says.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Parameters of the query: name, schema, and whether it has to be there.
    pub(super) query: Vec<(&'static str, Value, bool)>,
    /// The body: schema, and whether it has to be there.
    pub(super) body: Option<(Value, bool)>,
    /// The answer: status, media type, schema.
    pub(super) answers: Option<(u16, &'static str, Value)>,
}

const JSON: &str = "application/json";

pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

pub(super) fn maybe(kind: &str) -> Value {
    json!({ "type": [kind, "null"] })
}

pub(super) fn int() -> Value {
    json!({ "type": "integer" })
}

fn instant() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn reason() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": 500 })
}

pub(super) fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// An object: what it has to have, and what it may.
pub(super) fn object(required: &[(&str, Value)], optional: &[(&str, Value)], closed: bool) -> Value {
    let properties: serde_json::Map<String, Value> =
        required.iter().chain(optional).map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let names: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    let mut object = json!({ "type": "object", "required": names, "properties": properties });
    if let (true, Some(object)) = (closed, object.as_object_mut()) {
        object.insert(String::from("additionalProperties"), json!(false));
    }
    object
}

/// A page of a list.
fn page(name: &str, thing: &Value) -> Value {
    object(&[(name, json!({ "type": "array", "items": thing })), ("next", maybe("string"))], &[], false)
}

/// A list of figures, some of which may be single people's.
fn figures(name: &str, thing: &Value) -> Shape {
    let shape = Shape::list(name, thing).asks(&[("scope", text()), ("key", text()), ("reason", reason())]);
    Shape {
        answers: shape.answers.map(|(status, kind, mut schema)| {
            if let Some(properties) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
                properties.insert(String::from("of_people_withheld"), int());
            }
            (status, kind, schema)
        }),
        ..shape
    }
}

/// Texts by path.
fn files() -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "string" } })
}

pub(super) fn any() -> Value {
    json!({ "type": "object" })
}

impl Shape {
    fn ok(schema: Value) -> Self {
        Self { answers: Some((200, JSON, schema)), ..Self::default() }
    }

    fn created(schema: Value) -> Self {
        Self { answers: Some((201, JSON, schema)), ..Self::default() }
    }

    fn asks(mut self, query: &[(&'static str, Value)]) -> Self {
        self.query.extend(query.iter().map(|(name, schema)| (*name, schema.clone(), false)));
        self
    }

    fn needs(mut self, name: &'static str, schema: Value) -> Self {
        self.query.push((name, schema, true));
        self
    }

    fn takes(mut self, body: Value) -> Self {
        self.body = Some((body, true));
        self
    }

    fn may_take(mut self, body: Value) -> Self {
        self.body = Some((body, false));
        self
    }

    fn list(name: &str, thing: &Value) -> Self {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": 1_000, "default": 100 });
        Self::ok(page(name, thing)).asks(&[("limit", limit), ("cursor", text())])
    }
}

fn key() -> Value {
    object(
        &[
            ("id", text()),
            ("scope", text()),
            ("name", text()),
            ("state", one_of(&["valid", "disabled", "expired", "rotated", "revoked"])),
            ("created_ms", int()),
            ("expires_ms", maybe("integer")),
            ("last_used_ms", maybe("integer")),
            ("disabled_ms", maybe("integer")),
            ("revoked_ms", maybe("integer")),
            ("settings", any()),
        ],
        &[],
        false,
    )
}

/// A key, with the ids of those that it replaced and that share what was done to it.
fn key_and(others: &str) -> Value {
    let ids = object(&[(others, json!({ "type": "array", "items": text() }))], &[], false);
    json!({ "allOf": [key(), ids] })
}

fn new_key() -> Value {
    let texts = || json!({ "type": ["array", "null"], "items": { "type": "string" } });
    let classes = json!({
        "type": "array",
        "items": one_of(&["personal", "special_category", "phi", "pci", "credentials"]),
    });
    let sensitivity = json!({ "type": ["string", "null"], "enum": ["public", "internal", "confidential", "restricted", null] });
    object(
        &[("scope", text()), ("name", text())],
        &[
            ("budget_usd", maybe("string")),
            ("models", texts()),
            ("endpoints", texts()),
            ("expires", json!({ "type": ["string", "null"], "format": "date-time" })),
            (
                "requests_per_minute",
                json!({ "type": ["integer", "null"], "minimum": 1, "maximum": u32::MAX }),
            ),
            ("purposes", json!({ "type": "array", "items": { "type": "string" } })),
            ("owner", maybe("string")),
            ("environment", maybe("string")),
            ("tags", json!({ "type": "array", "items": { "type": "string" }, "uniqueItems": true })),
            ("allowed_networks", texts()),
            ("max_data_classes", json!({ "anyOf": [classes, { "type": "null" }] })),
            ("max_sensitivity", sensitivity.clone()),
            ("subject_regions", json!({ "type": "array", "items": { "type": "string" } })),
            ("data_classes", classes),
            ("sensitivity", sensitivity),
        ],
        true,
    )
}

fn shown_key() -> Value {
    object(&[("id", text()), ("key", text())], &[], false)
}

fn rotation() -> Value {
    object(
        &[],
        &[
            ("overlap_hours", json!({ "type": ["integer", "null"], "minimum": 0, "maximum": u32::MAX })),
            ("expires", json!({ "type": ["string", "null"], "format": "date-time" })),
        ],
        true,
    )
}

fn token() -> Value {
    object(
        &[
            ("id", text()),
            ("name", text()),
            ("scope", text()),
            ("roles", json!({ "type": "array", "items": { "type": "string" } })),
            ("state", one_of(&["valid", "suspended", "rotated", "expired", "revoked"])),
            ("created_ms", int()),
            ("expires_ms", maybe("integer")),
        ],
        &[],
        false,
    )
}

fn switch() -> Value {
    object(
        &[
            ("id", text()),
            ("kind", one_of(&["endpoint", "model", "provider", "transfer_mechanism"])),
            ("target", text()),
            ("scope", text()),
            ("reason", text()),
            ("principal", text()),
            ("created_ms", int()),
            ("expires_ms", int()),
            ("state", one_of(&["in_force", "expired", "lifted"])),
            ("asks_again", json!({ "type": "boolean" })),
        ],
        &[],
        false,
    )
}

fn alert() -> Value {
    object(
        &[
            ("id", text()),
            ("kind", text()),
            ("severity", one_of(&["info", "warning", "critical"])),
            ("scope", text()),
            ("title", text()),
            ("meaning", text()),
            ("facts", any()),
            ("raised_ms", int()),
            ("last_ms", int()),
            ("repeats", int()),
            ("state", one_of(&["open", "acknowledged", "closed"])),
            ("acknowledged_ms", maybe("integer")),
            ("acknowledged_by", maybe("string")),
            ("note", maybe("string")),
            ("closed_ms", maybe("integer")),
        ],
        &[("messages", json!({ "type": "array", "items": any() }))],
        false,
    )
}

const REQUESTS: [&str; 4] = ["exception", "budget_raise", "content_access", "key"];
const REQUEST_STANDS: [&str; 5] = ["open", "expired", "approved", "refused", "withdrawn"];

fn request() -> Value {
    object(
        &[
            ("id", text()),
            ("kind", one_of(&REQUESTS)),
            ("scope", text()),
            ("asked_by", text()),
            ("reason", text()),
            ("wanted", any()),
            ("state", one_of(&REQUEST_STANDS)),
            ("created_ms", int()),
            ("expires_ms", int()),
            ("until_ms", maybe("integer")),
            ("decided_by", maybe("string")),
            ("decided_because", maybe("string")),
            ("decided_ms", maybe("integer")),
            ("made", maybe("object")),
        ],
        &[("key", text())],
        false,
    )
}

fn why(required: bool) -> Value {
    match required {
        true => object(&[("reason", reason())], &[], true),
        false => object(&[], &[("reason", json!({ "type": ["string", "null"], "maxLength": 500 }))], true),
    }
}

fn organisation(closed: bool) -> Value {
    let lists =
        ["scopes", "credentials", "endpoints", "model_groups", "budgets", "limits", "keys", "workloads"];
    let lists = lists.map(|name| (name, json!({ "type": "array", "items": { "type": "object" } })));
    object(&[], &lists, closed)
}

fn credential() -> Value {
    object(
        &[
            ("name", text()),
            ("scope", text()),
            ("source", any()),
            ("state", one_of(&["ready", "missing"])),
            ("why", maybe("string")),
            ("version", int()),
            ("fingerprint", maybe("string")),
            ("endpoints", json!({ "type": "array", "items": text() })),
            ("created_ms", int()),
            ("updated_ms", int()),
            ("updated_by", maybe("string")),
        ],
        &[("tested", json!({ "type": "array" }))],
        false,
    )
}

/// One of `value`, `env`, `file` and `vault` has to be there.
fn new_credential(required: &[(&str, Value)], optional: &[(&str, Value)]) -> Value {
    let segments =
        || json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*$", "maxLength": 256 });
    let field = json!({ "type": "string", "minLength": 1, "maxLength": 256 });
    let vault = object(&[("path", segments())], &[("mount", segments()), ("field", field)], true);
    let places = [
        (
            "value",
            json!({ "type": "string", "writeOnly": true, "pattern": "^[!-~]([ -~]*[!-~])?$", "maxLength": 16_384 }),
        ),
        ("env", json!({ "type": "string", "pattern": "^[^=]+$" })),
        ("file", json!({ "type": "string", "pattern": "^/" })),
        ("vault", vault),
    ];
    let mut all = optional.to_vec();
    all.extend(places.iter().cloned());
    all.push(("test", json!({ "type": "boolean", "default": true })));
    let mut body = object(required, &all, true);
    let one = places.map(|(name, _)| json!({ "required": [name] }));
    if let Some(body) = body.as_object_mut() {
        body.insert(String::from("oneOf"), json!(one));
    }
    body
}

/// The shape of an operation; an answer of any kind where none is told.
pub(super) fn of(method: &str, path: &str) -> Shape {
    let scope = || ("scope", text());
    match (method, path) {
        ("GET", "/api/v1/me") => Shape::ok(object(
            &[
                ("subject", text()),
                ("name", text()),
                ("groups", json!({ "type": "array" })),
                ("roles", json!({ "type": "array" })),
            ],
            &[],
            false,
        )),
        ("GET", "/api/v1/keys") => Shape::list("keys", &key()).asks(&[
            scope(),
            ("state", one_of(&["valid", "disabled", "expired", "rotated", "revoked"])),
            ("tag", text()),
            ("environment", text()),
            ("owner", text()),
        ]),
        ("GET", "/api/v1/keys/{id}") => Shape::ok(key()),
        ("PUT", "/api/v1/keys/{id}") => Shape::ok(key()).takes(declared_key(new_key())),
        ("POST", "/api/v1/keys") => Shape::created(shown_key()).takes(new_key()),
        ("POST", "/api/v1/keys:bulk") => {
            let key =
                object(&[("id", text()), ("scope", text()), ("name", text()), ("key", text())], &[], false);
            let shown = object(&[("keys", json!({ "type": "array", "items": key }))], &[], false);
            Shape::created(shown)
                .takes(json!({ "type": "array", "items": new_key(), "minItems": 1, "maxItems": 500 }))
        }
        ("POST", "/api/v1/keys:revoke-presented") => {
            let answer = [
                ("id", text()),
                ("also_revoked", json!({ "type": "array" })),
                ("already", json!({ "type": "boolean" })),
            ];
            let reason = json!({ "type": ["string", "null"], "maxLength": 500 });
            Shape::ok(object(&answer, &[], false)).takes(object(
                &[("key", text())],
                &[("reason", reason)],
                true,
            ))
        }
        ("POST", "/api/v1/keys/{id}/rotate") => Shape::ok(shown_key()).may_take(rotation()),
        ("POST", "/api/v1/keys/{id}/disable") => Shape::ok(key_and("also")).takes(why(true)),
        ("POST", "/api/v1/keys/{id}/enable") => Shape::ok(key_and("also")),
        ("POST", "/api/v1/keys/{id}/revoke") => Shape::ok(key_and("also_revoked")).may_take(why(false)),
        ("GET", "/api/v1/kill-switches") => Shape::list("kill_switches", &switch())
            .asks(&[("state", one_of(&["in_force", "expired", "lifted"])), ("kind", text())]),
        ("GET", "/api/v1/kill-switches/{id}") => Shape::ok(switch()),
        ("POST", "/api/v1/kill-switches") => Shape::created(switch()).takes(object(
            &[
                ("kind", one_of(&["endpoint", "model", "provider", "transfer_mechanism"])),
                ("target", text()),
                ("reason", reason()),
                ("expires", instant()),
            ],
            &[scope()],
            true,
        )),
        ("DELETE", "/api/v1/kill-switches/{id}") => Shape::ok(switch()).takes(why(true)),
        ("GET", "/api/v1/alerts") => Shape::list("alerts", &alert()).asks(&[
            ("state", one_of(&["open", "acknowledged", "closed"])),
            ("severity", one_of(&["info", "warning", "critical"])),
            ("kind", one_of(&crate::alerts::Kind::ALL.map(crate::alerts::Kind::as_str))),
            scope(),
        ]),
        ("GET", "/api/v1/alerts/{id}") => Shape::ok(alert()),
        ("POST", "/api/v1/alerts/{id}/acknowledge") => {
            let note = json!({ "type": ["string", "null"], "maxLength": 500 });
            Shape::ok(alert()).may_take(object(&[], &[("note", note)], true))
        }
        ("POST", "/api/v1/alerts:test") => Shape::ok(object(
            &[("channel", text()), ("sent", int())],
            &[],
            false,
        ))
        .takes(object(&[("channel", text())], &[], true)),
        ("GET", "/api/v1/replicas") => Shape::list("replicas", &any()),
        ("POST", "/api/v1/replicas/{number}/lost") => Shape::ok(any()).takes(why(true)),
        ("POST", "/api/v1/apply") => {
            let yes = json!({ "type": "boolean", "default": false });
            Shape::ok(applied()).takes(organisation(true)).asks(&[("dry_run", yes.clone()), ("prune", yes)])
        }
        ("GET", "/api/v1/organisation") => Shape::ok(organisation(false)),
        ("GET", "/api/v1/credentials") => Shape::list("credentials", &credential()).asks(&[scope()]),
        ("GET", "/api/v1/credentials/{name}") => Shape::ok(credential()),
        ("POST", "/api/v1/credentials") => {
            let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]{1,256}$" });
            Shape::created(credential()).takes(new_credential(&[("name", name)], &[scope()]))
        }
        ("POST", "/api/v1/credentials/{name}/rotate") => {
            Shape::ok(credential()).takes(new_credential(&[], &[]))
        }
        ("POST", "/api/v1/credentials/{name}/test") => {
            Shape::ok(object(&[("name", text()), ("tested", json!({ "type": "array" }))], &[], false))
        }
        ("DELETE", "/api/v1/credentials/{name}") => {
            Shape::ok(object(&[("name", text()), ("deleted", json!({ "type": "boolean" }))], &[], false))
        }
        ("POST", "/api/v1/credentials:reseal") => Shape::ok(object(
            &[("key", text()), ("resealed", int()), ("lost", json!({ "type": "array", "items": text() }))],
            &[],
            false,
        )),
        ("GET", "/api/v1/endpoints") => Shape::list("endpoints", &any()).asks(&[scope(), ("model", text())]),
        ("GET", "/api/v1/endpoints/explain") => Shape::ok(any()).needs("name", text()).asks(&[scope()]),
        ("GET", "/api/v1/endpoints/matrix") => Shape::ok(any()).asks(&[scope()]),
        ("GET", "/api/v1/scopes") => Shape::list("scopes", &declared_scope()),
        ("GET", "/api/v1/scopes/{path}") => Shape::ok(declared_scope()),
        ("PUT", "/api/v1/scopes/{path}") => Shape::ok(declared_scope()).takes(declared_scope()),
        ("DELETE", "/api/v1/scopes/{path}") => Shape::ok(deleted("path")),
        ("GET", "/api/v1/endpoints/{name}") => Shape::ok(declared_endpoint()),
        ("PUT", "/api/v1/endpoints/{name}") => Shape::ok(declared_endpoint()).takes(declared_endpoint()),
        ("GET", "/api/v1/workloads") => Shape::list("workloads", &declared_workload()),
        ("GET", "/api/v1/workloads/{name}") => Shape::ok(declared_workload()),
        ("PUT", "/api/v1/workloads/{name}") => Shape::ok(declared_workload()).takes(declared_workload()),
        ("GET", "/api/v1/model-groups") => Shape::list("model_groups", &model_group()),
        ("GET", "/api/v1/model-groups/{name}") => Shape::ok(model_group()),
        ("PUT", "/api/v1/model-groups/{name}") => Shape::ok(model_group()).takes(model_group()),
        (
            "DELETE",
            "/api/v1/endpoints/{name}" | "/api/v1/workloads/{name}" | "/api/v1/model-groups/{name}",
        ) => Shape::ok(deleted("name")),
        ("GET", "/api/v1/budgets") => figures("budgets", &budget()),
        ("GET", "/api/v1/budgets/{id}") => Shape::ok(budget()).asks(&[("reason", reason())]),
        ("POST", "/api/v1/budgets") => Shape::created(numbered()).takes(new_budget()),
        ("PUT", "/api/v1/budgets/{id}") => Shape::ok(numbered()).takes(new_budget()),
        ("GET", "/api/v1/limits") => figures("limits", &limit()),
        ("GET", "/api/v1/limits/{id}") => Shape::ok(limit()).asks(&[("reason", reason())]),
        ("POST", "/api/v1/limits") => Shape::created(numbered()).takes(new_limit()),
        ("PUT", "/api/v1/limits/{id}") => Shape::ok(numbered()).takes(new_limit()),
        ("DELETE", "/api/v1/budgets/{id}" | "/api/v1/limits/{id}") => {
            Shape::ok(object(&[("id", int()), ("deleted", json!({ "type": "boolean" }))], &[], false))
        }
        ("POST", "/api/v1/budgets/{id}/top-ups") => {
            let from = json!({ "type": ["string", "null"], "format": "date-time" });
            Shape::created(object(&[("id", text()), ("amount_usd", text())], &[], false)).takes(object(
                &[("amount_usd", text()), ("reason", reason())],
                &[("from", from), ("until", text())],
                true,
            ))
        }
        ("GET", "/api/v1/reached") => {
            Shape::list("reached", &any()).needs("from", instant()).needs("to", instant()).asks(&[
                ("endpoint", text()),
                ("provider", text()),
                scope(),
                ("format", one_of(&["json", "jsonl", "csv"])),
            ])
        }
        ("GET", "/api/v1/policy/rules") => {
            let things = || json!({ "type": "array", "items": any() });
            Shape::ok(object(
                &[("rules", things()), ("exceptions", things()), ("attestations", things())],
                &[],
                false,
            ))
        }
        ("GET", "/api/v1/decisions") => Shape::list("decisions", &any()).asks(&[
            scope(),
            ("key", text()),
            ("model", text()),
            ("outcome", text()),
            ("endpoint", text()),
            ("from", instant()),
            ("to", instant()),
        ]),
        ("GET", "/api/v1/decisions/stream") => {
            Shape { answers: Some((200, "text/event-stream", text())), ..Shape::default() }
        }
        ("GET", "/api/v1/audit/export") => {
            Shape { answers: Some((200, "application/jsonl", text())), ..Shape::default() }.asks(&[
                scope(),
                ("from", instant()),
                ("to", instant()),
                ("format", one_of(&["jsonl"])),
            ])
        }
        ("GET", "/api/v1/audit/checkpoint" | "/api/v1/audit/public-key") => {
            Shape { answers: Some((200, "text/plain; charset=utf-8", text())), ..Shape::default() }
        }
        ("POST", "/api/v1/audit/pseudonym") => Shape::ok(object(&[("pseudonym", text())], &[], false))
            .takes(object(&[("kind", one_of(&["user", "subject", "session"])), ("name", text())], &[], true)),
        ("GET", "/api/v1/people") => {
            Shape::list("people", &any()).asks(&[("disabled", json!({ "type": "boolean" }))])
        }
        ("POST", "/api/v1/people/{id}/disable" | "/api/v1/people/{id}/erase") => {
            Shape::ok(any()).takes(why(true))
        }
        ("GET", "/api/v1/sessions") => Shape::list("sessions", &any()).asks(&[("person", text())]),
        ("GET", "/api/v1/service-tokens") => Shape::list("service_tokens", &token())
            .asks(&[scope(), ("state", one_of(&["valid", "suspended", "rotated", "expired", "revoked"]))]),
        ("GET", "/api/v1/service-tokens/{id}") => Shape::ok(token()),
        ("POST", "/api/v1/service-tokens") => {
            let shown = object(&[("id", text()), ("token", text()), ("expires_ms", int())], &[], false);
            let roles = json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 });
            Shape::created(shown).takes(object(
                &[("name", json!({ "type": "string", "minLength": 1, "maxLength": 100 })), ("roles", roles)],
                &[scope(), ("expires", json!({ "type": ["string", "null"], "format": "date-time" }))],
                true,
            ))
        }
        ("POST", "/api/v1/service-tokens/{id}/rotate") => Shape::ok(any()).may_take(rotation()),
        ("POST", "/api/v1/service-tokens/{id}/claim" | "/api/v1/service-tokens/{id}/revoke") => {
            Shape::ok(token())
        }
        ("GET", "/api/v1/requests") => Shape::list("requests", &request())
            .asks(&[("state", one_of(&REQUEST_STANDS)), ("kind", one_of(&REQUESTS))]),
        ("POST", "/api/v1/requests") => Shape::created(request()).takes(object(
            &[("kind", one_of(&REQUESTS)), ("reason", reason()), ("wanted", any())],
            &[("expires", json!({ "type": ["string", "null"], "format": "date-time" }))],
            true,
        )),
        ("GET", "/api/v1/requests/{id}") => Shape::ok(request()),
        ("POST", "/api/v1/requests/{id}/approve") => Shape::ok(request()).may_take(why(false)),
        ("POST", "/api/v1/requests/{id}/refuse") => Shape::ok(request()).takes(why(true)),
        ("POST", "/api/v1/requests/{id}/withdraw") => Shape::ok(request()),
        ("GET", "/api/v1/roles/explain") => {
            Shape::ok(any()).needs("subject", text()).needs("action", text()).asks(&[scope()])
        }
        ("POST", "/api/v1/compliance:impact") => {
            let answer = json!({ "type": "array", "items": any() });
            Shape::ok(object(&[("changes", any()), ("answers", answer)], &[], false)).takes(object(
                &[("database", files())],
                &[("scope", maybe("string"))],
                true,
            ))
        }
        ("POST", "/api/v1/policy:notify") => Shape { answers: Some((202, JSON, any())), ..Shape::default() },
        ("POST", "/api/v1/policy:plan") => Shape::ok(any()).takes(object(
            &[("from", instant())],
            &[
                (
                    "bundle",
                    json!({ "type": ["object", "null"], "additionalProperties": { "type": "string" } }),
                ),
                (
                    "database",
                    json!({ "type": ["object", "null"], "additionalProperties": { "type": "string" } }),
                ),
                ("facts", json!({ "type": "array", "items": { "type": "string" } })),
                ("until", json!({ "type": ["string", "null"], "format": "date-time" })),
                ("scope", maybe("string")),
            ],
            true,
        )),
        _ => Shape::ok(any()),
    }
}
