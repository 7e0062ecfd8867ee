//! Which attributes an answer holds (RFC 7644, 3.9).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::error::ScimError;
use super::name::Target;
use super::schema::{Attributes, COMMON, ResourceType};

/// What a request asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) only: Vec<String>,
    pub(super) without: Vec<String>,
}

/// What of an attribute is meant: all, or some parts.
type Parts = Option<BTreeSet<&'static str>>;

/// Names as they stand for attributes of a type, by the extension that they belong to.
#[derive(Default)]
struct Named {
    attributes: BTreeMap<(&'static str, &'static str), Parts>,
    extensions: BTreeSet<&'static str>,
}

impl Named {
    /// What nobody knows is passed over.
    fn of(kind: &ResourceType, names: &[String]) -> Self {
        let mut named = Self::default();
        for target in names.iter().filter_map(|name| Target::of(kind, name.trim())) {
            let extension = target.extension.map_or("", |extension| extension.id);
            let Some(attribute) = target.attribute else {
                named.extensions.insert(extension);
                continue;
            };
            let parts = named.attributes.entry((extension, attribute.name)).or_insert(Some(BTreeSet::new()));
            match (target.part, parts.as_mut()) {
                (Some(part), Some(parts)) => {
                    parts.insert(part.name);
                }
                (None, _) => *parts = None,
                (Some(_), None) => {}
            }
        }
        named
    }

    /// What of an attribute is named; of an extension's with the extension's name.
    fn parts(&self, extension: &str, name: &str) -> Option<&Parts> {
        let is = |key: &(&str, &str)| *key == (extension, name);
        self.attributes.iter().find(|(key, _)| is(key)).map(|(_, parts)| parts)
    }
}

impl Wanted {
    /// Refuses to do both.
    pub(super) fn check(&self) -> Result<(), ScimError> {
        if self.only.is_empty() || self.without.is_empty() {
            return Ok(());
        }
        Err(ScimError::value("`attributes` and `excludedAttributes` do not go together"))
    }

    /// Whether an answer will hold the attribute.
    pub(super) fn wants(&self, kind: &ResourceType, name: &str) -> bool {
        let is = |named: Named| named.attributes.keys().any(|(_, own)| *own == name);
        match (self.only.is_empty(), self.without.is_empty()) {
            (false, _) => is(Named::of(kind, &self.only)),
            (true, false) => {
                let named = Named::of(kind, &self.without);
                named.parts("", name).is_none_or(Option::is_some)
            }
            (true, true) => true,
        }
    }

    /// The part of a resource that an answer holds.
    pub(super) fn of(&self, kind: &ResourceType, resource: Attributes) -> Value {
        if !self.only.is_empty() {
            return Value::Object(only(&Named::of(kind, &self.only), resource));
        }
        if !self.without.is_empty() {
            return Value::Object(without(&Named::of(kind, &self.without), resource));
        }
        Value::Object(resource)
    }
}

fn is_always(name: &str) -> bool {
    COMMON.iter().any(|attribute| attribute.always && attribute.name == name)
}

fn only(named: &Named, resource: Attributes) -> Attributes {
    let mut kept = Map::new();
    for (name, value) in resource {
        if is_always(&name) || named.extensions.contains(name.as_str()) {
            kept.insert(name, value);
        } else if let Some(parts) = named.parts("", &name) {
            kept.insert(name, some(value, parts.as_ref(), true));
        } else if let Value::Object(more) = value {
            let more: Attributes = more
                .into_iter()
                .filter_map(|(part, value)| {
                    let parts = named.parts(&name, &part)?;
                    Some((part, some(value, parts.as_ref(), true)))
                })
                .collect();
            if !more.is_empty() {
                kept.insert(name, Value::Object(more));
            }
        }
    }
    kept
}

fn without(named: &Named, resource: Attributes) -> Attributes {
    let mut kept = Map::new();
    for (name, value) in resource {
        if is_always(&name) {
            kept.insert(name, value);
        } else if named.extensions.contains(name.as_str()) {
        } else if let Some(parts) = named.parts("", &name) {
            if parts.is_some() {
                kept.insert(name, some(value, parts.as_ref(), false));
            }
        } else if let Value::Object(more) = value {
            let more = more.into_iter().filter_map(|(part, value)| match named.parts(&name, &part) {
                None => Some((part, value)),
                Some(None) => None,
                Some(parts) => Some((part, some(value, parts.as_ref(), false))),
            });
            let more: Attributes = more.collect();
            kept.insert(name, Value::Object(more));
        } else {
            kept.insert(name, value);
        }
    }
    kept
}

/// A value with these parts alone, or without them.
fn some(value: Value, parts: Option<&BTreeSet<&'static str>>, keep: bool) -> Value {
    let Some(parts) = parts else { return value };
    match value {
        Value::Array(several) => several.into_iter().map(|one| some(one, Some(parts), keep)).collect(),
        Value::Object(all) => {
            Value::Object(all.into_iter().filter(|(name, _)| parts.contains(name.as_str()) == keep).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::schema::USER;
    use super::*;

    fn told(only: &[&str], without: &[&str]) -> Value {
        let ada = json!({
            "schemas": ["u"], "id": "1", "userName": "ada", "name": { "givenName": "Ada", "familyName": "L" },
            "emails": [{ "value": "a@b.example", "type": "work" }],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "x", "division": "y" },
        });
        let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Wanted { only: own(only), without: own(without) }.of(&USER, ada.as_object().unwrap().clone())
    }

    #[test]
    fn an_answer_holds_what_is_asked_for_and_its_id() {
        assert_eq!(
            told(&["USERNAME", "nonsense"], &[]),
            json!({ "schemas": ["u"], "id": "1", "userName": "ada" })
        );
        let some = told(&["name.givenName", "emails.value"], &[]);
        assert_eq!(some["name"], json!({ "givenName": "Ada" }));
        assert_eq!(some["emails"], json!([{ "value": "a@b.example" }]));
        let department = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
        let more = told(&[department], &[]);
        assert_eq!(
            more["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            json!({ "department": "x" })
        );
        let less = told(&[], &["emails", "name.familyName", department, "id"]);
        assert!(less.get("emails").is_none() && less["id"] == "1");
        assert_eq!(less["name"], json!({ "givenName": "Ada" }));
        assert_eq!(
            less["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            json!({ "division": "y" })
        );
        assert!(Wanted { only: vec![String::from("a")], without: vec![String::from("b")] }.check().is_err());
    }
}
