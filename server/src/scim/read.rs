//! What a client sends, read by the tables of [`schema`](super::schema): under the tables' own names, without what only
//! the server says and what is not kept, and refused where a value is of another kind.

use serde_json::{Map, Value};

use super::error::ScimError;
use super::filter::as_bool;
use super::schema::{self, Attribute, Attributes, COMMON, Kind, Mutability, ResourceType};

/// Characters of a text, and elements of an attribute that has several.
const LONGEST: usize = 1_024;
const MOST: usize = 20_000;

/// A whole resource.
pub(super) fn resource(kind: &ResourceType, sent: &Value) -> Result<Attributes, ScimError> {
    let sent = sent.as_object().ok_or_else(|| ScimError::syntax("a resource is a JSON object"))?;
    let mut read = Map::new();
    for (name, value) in sent {
        if let Some((extension, rest)) = kind.extension(name)
            && rest.is_empty()
        {
            let more = parts(extension.attributes, value, extension.id)?;
            if !more.is_empty() {
                read.insert(extension.id.to_owned(), Value::Object(more));
            }
            continue;
        }
        let own = kind.own(name);
        let known = schema::named(kind.schema.attributes, own).or_else(|| schema::named(COMMON, own));
        // What nobody knows here is passed over (RFC 7644, 3.3).
        let Some(attribute) = known.filter(|known| known.mutability != Mutability::ReadOnly) else {
            continue;
        };
        if let Some(value) = self::value(attribute, value)? {
            read.insert(attribute.name.to_owned(), value);
        }
    }
    complete(kind, &read)?;
    Ok(read)
}

/// Refuses a resource without what it must have.
pub(super) fn complete(kind: &ResourceType, resource: &Attributes) -> Result<(), ScimError> {
    for attribute in kind.schema.attributes.iter().filter(|attribute| attribute.required) {
        let there = resource.get(attribute.name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        if !there {
            return Err(ScimError::value(format!("a {} needs `{}`", kind.name, attribute.name)));
        }
    }
    Ok(())
}

/// The value of an attribute; none where it is null or empty, which is the same as absent (RFC 7643, 2.5).
pub(super) fn value(attribute: &Attribute, sent: &Value) -> Result<Option<Value>, ScimError> {
    if !attribute.many {
        // Some clients wrap the one value.
        let sent = match sent {
            Value::Array(one) if one.len() <= 1 => one.first().unwrap_or(&Value::Null),
            other => other,
        };
        return element(attribute, sent);
    }
    let sent = match sent {
        Value::Null => return Ok(None),
        Value::Array(several) => several.as_slice(),
        one => std::slice::from_ref(one),
    };
    if sent.len() > MOST {
        return Err(ScimError::value(format!("`{}` has more than {MOST} values", attribute.name)));
    }
    let mut read: Vec<Value> = Vec::with_capacity(sent.len());
    for one in sent {
        read.extend(element(attribute, one)?);
    }
    if read.iter().filter(|one| is_primary(one)).count() > 1 {
        return Err(ScimError::value(format!("more than one of `{}` is primary", attribute.name)));
    }
    Ok((!read.is_empty()).then_some(Value::Array(read)))
}

/// Whether an element says that it is the one that counts.
pub(super) fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// One value.
pub(super) fn element(attribute: &Attribute, sent: &Value) -> Result<Option<Value>, ScimError> {
    let wrong =
        |what: &str| ScimError::value(format!("`{}` is {what}, and something else was sent", attribute.name));
    match (attribute.kind, sent) {
        (_, Value::Null) => Ok(None),
        (Kind::Boolean, sent) => match as_bool(sent) {
            Some(value) => Ok(Some(Value::Bool(value))),
            None => Err(wrong("true or false")),
        },
        (Kind::Integer, Value::Number(number)) if number.is_i64() => Ok(Some(sent.clone())),
        (Kind::Integer, _) => Err(wrong("a whole number")),
        (Kind::String | Kind::Reference | Kind::DateTime, Value::String(text)) => {
            if text.chars().count() > LONGEST || text.chars().any(|c| c == '\0') {
                return Err(ScimError::value(format!(
                    "`{}` has at most {LONGEST} characters, none of them NUL",
                    attribute.name
                )));
            }
            Ok((!text.is_empty()).then(|| sent.clone()))
        }
        (Kind::String | Kind::Reference | Kind::DateTime, _) => Err(wrong("a text")),
        (Kind::Complex, Value::Object(_)) => {
            let read = parts(attribute.parts, sent, attribute.name)?;
            if attribute.name == "members" && !read.contains_key("value") {
                return Err(ScimError::value("each of `members` has a `value`: a person's id"));
            }
            Ok((!read.is_empty()).then_some(Value::Object(read)))
        }
        // Some clients send the value alone: `"manager": "…"`.
        (Kind::Complex, Value::String(text)) if schema::named(attribute.parts, "value").is_some() => {
            let only = [(String::from("value"), Value::String(text.clone()))];
            element(attribute, &Value::Object(only.into_iter().collect()))
        }
        (Kind::Complex, _) => Err(wrong("an object")),
    }
}

fn parts(known: &'static [Attribute], sent: &Value, of: &str) -> Result<Map<String, Value>, ScimError> {
    let mut read = Map::new();
    let Value::Object(sent) = sent else {
        return match sent {
            Value::Null => Ok(read),
            _ => Err(ScimError::value(format!("`{of}` is an object, and something else was sent"))),
        };
    };
    for (name, sent) in sent {
        let Some(part) = schema::named(known, name) else { continue };
        if part.mutability == Mutability::ReadOnly {
            continue;
        }
        if let Some(value) = value(part, sent)? {
            read.insert(part.name.to_owned(), value);
        }
    }
    Ok(read)
}
