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
    let done = object(&all, &[("pruned", texts()), ("kept", texts())], false);
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
        &[("scope", text()), ("key", text()), ("user", text()), ("models", text())],
        false,
    )
}
