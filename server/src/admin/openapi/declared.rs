//! What declared things look like, and what comes of declaring them.

use serde_json::{Value, json};

use super::shapes::{any, int, maybe, object, one_of, text};

/// What came of a declaration, or with `dry_run` what would.
pub(super) fn applied() -> Value {
    let texts = || json!({ "type": "array", "items": text() });
    let key = object(&[("id", text()), ("scope", text()), ("name", text()), ("key", text())], &[], false);
    let counts =
        ["scopes", "credentials", "endpoints", "budgets", "limits", "workloads"].map(|name| (name, int()));
    let mut all = counts.to_vec();
    all.push(("created_keys", json!({ "type": "array", "items": key })));
    let done = object(&all, &[("pruned", texts()), ("kept", texts()), ("not_in_use", texts())], false);
    let both = json!({ "type": "array", "description": "before and after", "minItems": 2, "maxItems": 2 });
    let change = object(
        &[
            ("change", one_of(&["create", "change", "delete"])),
            ("kind", text()),
            ("name", text()),
            ("fields", json!({ "type": "object", "additionalProperties": both })),
        ],
        &[],
        false,
    );
    let would = object(&[("changes", json!({ "type": "array", "items": change }))], &[], false);
    json!({ "anyOf": [done, would] })
}

pub(super) fn scope() -> Value {
    object(
        &[("path", text())],
        &[
            ("controller", json!({ "type": "string", "description": "ISO 3166-1 alpha-2" })),
            ("subject_regions", json!({ "type": "array", "items": text() })),
            (
                "data_classes",
                json!({ "type": "array", "items": one_of(&["personal", "special_category", "phi", "pci", "credentials"]) }),
            ),
            ("sensitivity", one_of(&["public", "internal", "confidential", "restricted"])),
            ("opaque_content", one_of(&["unknown", "as_declared"])),
        ],
        true,
    )
}

/// Its fields are in the reference of organisations.
pub(super) fn endpoint() -> Value {
    let model = object(&[("alias", text()), ("upstream", text())], &[], false);
    object(
        &[
            ("name", text()),
            ("scope", text()),
            ("dialect", text()),
            ("base_url", json!({ "type": "string", "format": "uri" })),
            ("models", json!({ "type": "array", "items": model, "minItems": 1 })),
            ("profile", any()),
        ],
        &[],
        false,
    )
}

pub(super) fn workload() -> Value {
    let condition = json!({ "type": ["string", "array"], "items": text() });
    object(
        &[
            ("name", text()),
            ("scope", text()),
            ("issuer", json!({ "type": "string", "format": "uri" })),
            ("audience", text()),
            ("claims", json!({ "type": "object", "additionalProperties": condition, "minProperties": 1 })),
        ],
        &[
            ("lifetime_s", json!({ "type": "integer", "minimum": 60, "maximum": 43_200 })),
            ("reusable", json!({ "type": "boolean" })),
            ("most_keys", json!({ "type": "integer", "minimum": 1, "maximum": 10_000 })),
            ("key", any()),
        ],
        true,
    )
}

pub(super) fn deleted(name: &str) -> Value {
    object(&[(name, text()), ("deleted", json!({ "type": "boolean" }))], &[], false)
}

/// Amounts are US dollars as text.
pub(super) fn budget() -> Value {
    let percents = || json!({ "type": "array", "items": { "type": "integer" } });
    object(
        &[
            ("id", int()),
            ("name", text()),
            ("window", text()),
            ("window_start_ms", int()),
            ("forgets_ms", maybe("integer")),
            ("hard", json!({ "type": "boolean" })),
            ("declared_usd", text()),
            ("limit_usd", text()),
            ("carried_over_usd", text()),
            ("settled_usd", text()),
            ("reserved_usd", text()),
            ("thresholds", percents()),
            ("reached", percents()),
            ("top_ups", json!({ "type": "array" })),
        ],
        &[("scope", text()), ("key", text()), ("user", text()), ("models", text()), ("declared", any())],
        false,
    )
}

/// Counts are numbers, amounts of money US dollars as text.
pub(super) fn limit() -> Value {
    let amount = || json!({ "type": ["integer", "string"] });
    object(
        &[
            ("id", int()),
            ("scope", maybe("string")),
            ("key", maybe("string")),
            ("user", maybe("string")),
            ("models", maybe("string")),
            ("counts", one_of(&["requests", "tokens", "spend", "concurrent"])),
            ("window", text()),
            ("limit", amount()),
            ("used", amount()),
            ("held", amount()),
        ],
        &[("declared", maybe("object"))],
        false,
    )
}

/// What is declared of a budget or limit, and its number.
pub(super) fn numbered() -> Value {
    object(&[("id", int()), ("declared", any())], &[], false)
}

/// Whom and which models it holds for: one of the first three has to be there.
fn holder() -> [(&'static str, Value); 4] {
    ["scope", "key", "user", "models"].map(|name| (name, maybe("string")))
}

fn of_one_of(mut body: Value, names: &[&str]) -> Value {
    let one = |names: &[&str]| -> Vec<Value> {
        let here = |name: &str| json!({ "required": [name], "properties": { name: { "type": ["string", "integer"] } } });
        names.iter().map(|name| here(name)).collect()
    };
    let mut all = vec![json!({ "oneOf": one(&["scope", "key", "user"]) })];
    if !names.is_empty() {
        all.push(json!({ "oneOf": one(names) }));
    }
    if let Some(body) = body.as_object_mut() {
        body.insert(String::from("allOf"), json!(all));
    }
    body
}

pub(super) fn new_budget() -> Value {
    let flag = |default: bool| json!({ "type": "boolean", "default": default });
    let mut optional = holder().to_vec();
    optional.extend([
        ("hard", flag(true)),
        ("lower_output", flag(false)),
        ("carry_over_usd", maybe("string")),
        ("thresholds", json!({ "type": "array", "items": { "type": "integer", "minimum": 1 } })),
        ("retired", json!({ "type": "boolean", "const": false })),
    ]);
    of_one_of(object(&[("window", text()), ("limit_usd", text())], &optional, true), &[])
}

pub(super) fn new_limit() -> Value {
    let count = || json!({ "type": ["integer", "null"], "minimum": 1 });
    let mut optional = holder().to_vec();
    optional.extend([
        ("requests", count()),
        ("tokens", count()),
        ("spend_usd", maybe("string")),
        ("concurrent", count()),
        ("per", json!({ "type": ["string", "null"], "enum": ["minute", "hour", "day", null] })),
        ("retired", json!({ "type": "boolean", "const": false })),
    ]);
    of_one_of(object(&[], &optional, true), &["requests", "tokens", "spend_usd", "concurrent"])
}

pub(super) fn model_group() -> Value {
    let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]+$" });
    object(
        &[("name", name), ("models", json!({ "type": "array", "items": text(), "minItems": 1 }))],
        &[],
        true,
    )
}

/// A key that is there: what a new one may say but for a budget, and what a declaration alone may.
pub(super) fn key(mut new: Value) -> Value {
    if let Some(properties) = new.pointer_mut("/properties").and_then(Value::as_object_mut) {
        properties.remove("budget_usd");
        let roles = json!({ "type": ["array", "null"], "items": { "type": "string" } });
        properties.insert(String::from("roles"), roles);
        properties.insert(String::from("controller"), maybe("string"));
        let opaque = json!({ "type": ["string", "null"], "enum": ["unknown", "as_declared", null] });
        properties.insert(String::from("opaque_content"), opaque);
    }
    new
}
