//! Names of attributes as requests write them (RFC 7644, 3.10): `emails.type`, `name`, and with a schema's name before.

use serde_json::{Map, Value};

use super::schema::{self, Attribute, Attributes, COMMON, ResourceType, Schema};

/// What a name stands for in resources of a type.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Where it belongs to an extension.
    pub(super) extension: Option<&'static Schema>,
    /// None: the whole extension.
    pub(super) attribute: Option<&'static Attribute>,
    /// `type` of `emails.type`.
    pub(super) part: Option<&'static Attribute>,
}

impl Target {
    /// What `name` stands for, if anything.
    pub(super) fn of(kind: &ResourceType, name: &str) -> Option<Self> {
        if let Some((extension, rest)) = kind.extension(name) {
            if rest.is_empty() {
                return Some(Self { extension: Some(extension), attribute: None, part: None });
            }
            return Self::among(extension.attributes, rest)
                .map(|target| Self { extension: Some(extension), ..target });
        }
        let name = kind.own(name);
        Self::among(kind.schema.attributes, name).or_else(|| Self::among(COMMON, name))
    }

    fn among(attributes: &'static [Attribute], name: &str) -> Option<Self> {
        let (first, rest) = match name.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (name, None),
        };
        let attribute = schema::named(attributes, first)?;
        let part = match rest {
            Some(rest) => Some(schema::named(attribute.parts, rest)?),
            None => None,
        };
        Some(Self { extension: None, attribute: Some(attribute), part })
    }

    /// The object that holds the attribute, where there is one.
    pub(super) fn holder<'r>(&self, resource: &'r Attributes) -> Option<&'r Map<String, Value>> {
        match self.extension {
            None => Some(resource),
            Some(extension) => resource.get(extension.id)?.as_object(),
        }
    }

    /// What is compared: the part's, or of several values that are compound their `value` (RFC 7644, 3.4.2.2).
    pub(super) fn compared(&self) -> Option<&'static Attribute> {
        let attribute = self.attribute?;
        match self.part {
            Some(part) => Some(part),
            None if attribute.parts.is_empty() => Some(attribute),
            None => schema::named(attribute.parts, "value"),
        }
    }

    /// The values that the name stands for in a resource.
    pub(super) fn values<'r>(&self, resource: &'r Attributes) -> Vec<&'r Value> {
        let (Some(holder), Some(attribute)) = (self.holder(resource), self.attribute) else {
            return Vec::new();
        };
        let elements = elements(holder.get(attribute.name));
        match self.compared() {
            Some(part) if !attribute.parts.is_empty() => {
                elements.into_iter().filter_map(|element| element.get(part.name)).collect()
            }
            Some(_) => elements,
            None => elements,
        }
    }
}

/// One value or several.
pub(super) fn elements(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(several)) => several.iter().collect(),
        Some(one) => vec![one],
    }
}
