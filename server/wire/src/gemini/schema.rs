//! Schemas: the API has its own, after OpenAPI 3.0, beside JSON Schema.

use std::collections::{HashMap, HashSet};

use super::read::camel;
use crate::json::Json;

/// A schema of the API's (<https://ai.google.dev/api/caching#Schema>) as JSON Schema. What has another name or another shape
/// there gets that of JSON Schema; what is not known stays.
pub(super) fn json_schema(schema: Json) -> Json {
    let Json::Object(members) = schema else { return schema };
    let mut members: Vec<(String, Json)> =
        members.into_iter().map(|(name, value)| (camel(&name), value)).collect();
    let mut take = |name: &str| {
        let at = members.iter().position(|(found, _)| found == name)?;
        Some(members.remove(at).1)
    };
    let nullable = take("nullable") == Some(Json::Bool(true));
    // The order of properties is the order in which they are written.
    let order = take("propertyOrdering");
    let mut out = Vec::with_capacity(members.len());
    let mut seen = HashSet::with_capacity(members.len());
    for (name, value) in members {
        let (name, value) = match name.as_str() {
            "type" => (name, kind(value, nullable)),
            "enum" if nullable => (name, with(value, Json::Null)),
            "properties" => (name, sorted(each(value), order.as_ref())),
            "items" | "additionalProperties" => (name, json_schema(value)),
            "anyOf" if nullable => (name, with(list(value), Json::object([("type", "null".into())]))),
            "anyOf" | "prefixItems" => (name, list(value)),
            "defs" => (String::from("$defs"), each(value)),
            "ref" => (String::from("$ref"), reference(value)),
            "example" => (String::from("examples"), vec![value].into()),
            // Whole numbers of 64 bits are written as text.
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                (name, whole(value))
            }
            _ => (name, value),
        };
        // Two spellings of one name are one.
        if seen.insert(name.clone()) {
            out.push((name, value));
        }
    }
    Json::Object(out)
}

/// A JSON Schema whose objects have no properties but those that it names, as an answer has here anyway; other APIs ask for it
/// to be said.
pub(super) fn closed(schema: Json) -> Json {
    let Json::Object(members) = schema else { return schema };
    let open = members.iter().any(|(name, _)| name == "properties")
        && !members.iter().any(|(name, _)| name == "additionalProperties");
    let each = |schemas: Json| match schemas {
        Json::Object(schemas) => {
            Json::Object(schemas.into_iter().map(|(name, schema)| (name, closed(schema))).collect())
        }
        Json::Array(schemas) => schemas.into_iter().map(closed).collect::<Vec<_>>().into(),
        other => other,
    };
    let members = members.into_iter().map(|(name, value)| match name.as_str() {
        "properties" | "$defs" | "anyOf" | "prefixItems" => (name, each(value)),
        "items" => (name, closed(value)),
        _ => (name, value),
    });
    let mut out = Json::Object(members.collect());
    out.set_some("additionalProperties", open.then_some(false));
    out
}

/// `STRING` as `string`.
fn kind(kind: Json, nullable: bool) -> Json {
    let Json::Text(kind) = kind else { return kind };
    let kind = Json::from(kind.to_ascii_lowercase());
    if nullable { vec![kind, "null".into()].into() } else { kind }
}

fn each(schemas: Json) -> Json {
    match schemas {
        Json::Object(schemas) => {
            Json::Object(schemas.into_iter().map(|(name, schema)| (name, json_schema(schema))).collect())
        }
        other => other,
    }
}

fn list(schemas: Json) -> Json {
    match schemas {
        Json::Array(schemas) => schemas.into_iter().map(json_schema).collect::<Vec<_>>().into(),
        other => other,
    }
}

fn with(list: Json, item: Json) -> Json {
    match list {
        Json::Array(mut items) => {
            items.push(item);
            items.into()
        }
        other => other,
    }
}

fn sorted(properties: Json, order: Option<&Json>) -> Json {
    match (properties, order) {
        (Json::Object(mut properties), Some(Json::Array(order))) => {
            let places = order.iter().enumerate().filter_map(|(at, name)| Some((name.text()?, at)));
            let places: HashMap<&str, usize> = places.collect();
            properties.sort_by_key(|(name, _)| places.get(name.as_str()).copied().unwrap_or(usize::MAX));
            Json::Object(properties)
        }
        (properties, _) => properties,
    }
}

fn reference(to: Json) -> Json {
    match to {
        Json::Text(to) => match to.strip_prefix("#/defs/") {
            Some(name) => format!("#/$defs/{name}").into(),
            None => to.into(),
        },
        other => other,
    }
}

fn whole(value: Json) -> Json {
    match value {
        Json::Text(digits) if digits.parse::<u64>().is_ok() => Json::Number(digits),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_of_the_api_become_json_schema() {
        let of = |text: &str| json_schema(Json::parse(text.as_bytes()).unwrap()).write();
        assert_eq!(
            of(r##"{"type":"OBJECT","properties":{"b":{"type":"STRING","nullable":true,"max_length":"5"},
                "a":{"type":"ARRAY","items":{"any_of":[{"type":"INTEGER"},{"ref":"#/defs/X"}]},"minItems":"1"}},
                "propertyOrdering":["a","b"],"required":["a"],"defs":{"X":{"type":"NUMBER"}}}"##),
            concat!(
                r##"{"type":"object","properties":{"a":{"type":"array","items":{"anyOf":[{"type":"integer"},"##,
                r##"{"$ref":"#/$defs/X"}]},"minItems":1},"b":{"type":["string","null"],"maxLength":5}},"##,
                r##""required":["a"],"$defs":{"X":{"type":"number"}}}"##
            )
        );
        assert_eq!(of("[1]"), "[1]");
        assert_eq!(
            of(r#"{"type":7,"properties":[],"any_of":{}}"#),
            r#"{"type":7,"properties":[],"anyOf":{}}"#
        );
        assert_eq!(
            of(r#"{"anyOf":[{"type":"STRING","nullable":true,"enum":["x"]}],"nullable":true}"#),
            r#"{"anyOf":[{"type":["string","null"],"enum":["x",null]},{"type":"null"}]}"#
        );
        let open = r#"{"properties":{"a":{"items":{"properties":{}}},"b":{"properties":{},"additionalProperties":true}}}"#;
        assert_eq!(
            closed(Json::parse(open.as_bytes()).unwrap()).write(),
            concat!(
                r#"{"properties":{"a":{"items":{"properties":{},"additionalProperties":false}},"#,
                r#""b":{"properties":{},"additionalProperties":true}},"additionalProperties":false}"#
            )
        );
        // A property may have any name.
        let own = r#"{"properties":{"property_ordering":{"type":"string"}}}"#;
        assert_eq!(of(own), own);
    }
}
