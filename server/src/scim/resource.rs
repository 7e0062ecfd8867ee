//! A user or a group as it is kept, and as it is told.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use super::schema::{Attributes, GROUP, ResourceType, USER};
use crate::store::scim_groups::ScimGroup;
use crate::store::scim_users::ScimUser;

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    pub(super) kind: &'static ResourceType,
    pub(super) id: String,
    /// What clients set.
    pub(super) attributes: Attributes,
    pub(super) version: i64,
    pub(super) created_ms: i64,
    modified_ms: i64,
    /// Of a user.
    groups: Vec<ScimGroup>,
}

impl Resource {
    pub(super) fn user(row: ScimUser, groups: Vec<ScimGroup>) -> Self {
        Self {
            kind: &USER,
            id: row.person,
            attributes: row.attributes.as_object().cloned().unwrap_or_default(),
            version: row.version,
            created_ms: row.created_ms,
            modified_ms: row.modified_ms,
            groups,
        }
    }

    pub(super) fn group(row: ScimGroup, members: Vec<String>) -> Self {
        let mut attributes = Attributes::new();
        attributes.insert(String::from("displayName"), Value::String(row.display_name));
        if let Some(external_id) = row.external_id {
            attributes.insert(String::from("externalId"), Value::String(external_id));
        }
        if !members.is_empty() {
            let members = members.into_iter().map(|person| json!({ "value": person })).collect();
            attributes.insert(String::from("members"), members);
        }
        Self {
            kind: &GROUP,
            id: row.id,
            attributes,
            version: row.version,
            created_ms: row.created_ms,
            modified_ms: row.modified_ms,
            groups: Vec::new(),
        }
    }

    /// Its entity tag. Weak: what only the server says may change without it.
    pub(super) fn tag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    pub(super) fn location(&self, base: &str) -> String {
        format!("{base}{}/{}", self.kind.endpoint, self.id)
    }

    /// All of it.
    pub(super) fn told(&self, base: &str) -> Attributes {
        let mut told = Attributes::new();
        let more = self.kind.extensions.iter().map(|schema| schema.id);
        let more = more.filter(|id| self.attributes.contains_key(*id));
        let schemas: Vec<&str> = std::iter::once(self.kind.schema.id).chain(more).collect();
        told.insert(String::from("schemas"), json!(schemas));
        told.insert(String::from("id"), Value::String(self.id.clone()));
        told.extend(self.attributes.clone());
        let address = |kind: &ResourceType, id: &str| format!("{base}{}/{id}", kind.endpoint);
        if let Some(Value::Array(members)) = told.get_mut("members") {
            for member in members.iter_mut() {
                let person = member.get("value").and_then(Value::as_str).unwrap_or_default().to_owned();
                *member = json!({ "value": person, "$ref": address(&USER, &person), "type": "User" });
            }
        }
        if !self.groups.is_empty() {
            let groups = self.groups.iter().map(|group| {
                json!({
                    "value": group.id, "$ref": address(&GROUP, &group.id), "display": group.display_name,
                    "type": "direct",
                })
            });
            told.insert(String::from("groups"), groups.collect());
        }
        told.insert(
            String::from("meta"),
            json!({
                "resourceType": self.kind.name, "created": instant(self.created_ms),
                "lastModified": instant(self.modified_ms), "location": self.location(base),
                "version": self.tag(),
            }),
        );
        told
    }
}

fn instant(ms: i64) -> String {
    let at = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Of a resource's attributes, a text.
pub(super) fn text<'r>(attributes: &'r Attributes, name: &str) -> Option<&'r str> {
    attributes.get(name).and_then(Value::as_str)
}

/// Whether the person may sign in. What was taken away is not there, and so is no.
pub(super) fn is_active(attributes: &Attributes) -> bool {
    attributes.get("active") == Some(&Value::Bool(true))
}

/// The e-mail addresses of a user, the one that counts first.
pub(super) fn emails(attributes: &Attributes) -> Vec<&str> {
    let several = attributes.get("emails").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let address = |element: &'_ Value| element.get("value").and_then(Value::as_str).is_some();
    let (first, rest): (Vec<&Value>, Vec<&Value>) = several
        .iter()
        .filter(|element| address(element))
        .partition(|element| super::read::is_primary(element));
    first.into_iter().chain(rest).filter_map(|element| element.get("value").and_then(Value::as_str)).collect()
}

/// The name of a user for people.
pub(super) fn shown_name(attributes: &Attributes) -> Option<String> {
    let name = attributes.get("name").and_then(Value::as_object);
    let part = |part: &str| name.and_then(|name| text(name, part));
    let both = [part("givenName"), part("familyName")].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let whole = text(attributes, "displayName").or_else(|| part("formatted")).map(str::to_owned);
    whole.or_else(|| (!both.is_empty()).then_some(both))
}

/// Who is in a group.
pub(super) fn members(attributes: &Attributes) -> BTreeSet<String> {
    let several = attributes.get("members").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    several.iter().filter_map(|one| one.get("value").and_then(Value::as_str)).map(str::to_owned).collect()
}
