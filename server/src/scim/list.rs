//! Lists: which resources, in which order, how many of them (RFC 7644, 3.4.2).

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::error::ScimError;
use super::filter::Filter;
use super::name::Target;
use super::schema::{Attributes, ResourceType};
use super::select::Wanted;

/// Resources of an answer where the request does not say, and at most.
const USUAL: usize = 100;
pub(super) const MOST: usize = 200;
const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// What a list is asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    pub(super) wanted: Wanted,
    pub(super) filter: Option<Filter>,
    pub(super) sort_by: Option<String>,
    descending: bool,
    /// Of the first, from 1 on.
    pub(super) start: usize,
    pub(super) count: usize,
}

impl Query {
    /// Out of an address.
    pub(super) fn of_address(query: &str) -> Result<Self, ScimError> {
        let pairs: Vec<(String, String)> = url_pairs(query)?;
        let text = |name: &str| {
            pairs.iter().rev().find(|(own, _)| own == name).map(|(_, value)| Value::String(value.clone()))
        };
        Self::of(text)
    }

    /// Out of the body of a search.
    pub(super) fn of_body(body: &Value) -> Result<Self, ScimError> {
        let body = body.as_object().ok_or_else(|| ScimError::syntax("a search is a JSON object"))?;
        Self::of(|name| body.get(name).cloned())
    }

    fn of(field: impl Fn(&str) -> Option<Value>) -> Result<Self, ScimError> {
        let text = |name: &str| match field(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ScimError::value(format!("`{name}` is a text"))),
        };
        let number = |name: &str, usual: i64| match field(name) {
            None | Some(Value::Null) => Ok(usual),
            Some(Value::Number(number)) if number.is_i64() => Ok(number.as_i64().unwrap_or(usual)),
            Some(Value::String(text)) if text.parse::<i64>().is_ok() => Ok(text.parse().unwrap_or(usual)),
            Some(_) => Err(ScimError::value(format!("`{name}` is a whole number"))),
        };
        let names = |name: &str| match field(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(split(&text)),
            Some(Value::Array(several)) => several
                .iter()
                .map(|one| one.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| ScimError::value(format!("`{name}` are texts"))),
            Some(_) => Err(ScimError::value(format!("`{name}` are texts"))),
        };
        let wanted = Wanted { only: names("attributes")?, without: names("excludedAttributes")? };
        wanted.check()?;
        let descending = match text("sortOrder")?.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("" | "ascending") => false,
            Some("descending") => true,
            Some(_) => return Err(ScimError::value("`sortOrder` is `ascending` or `descending`")),
        };
        let filter = text("filter")?.filter(|filter| !filter.trim().is_empty());
        // Less than one is one, and less than nothing is nothing.
        let start = usize::try_from(number("startIndex", 1)?.max(1)).unwrap_or(usize::MAX);
        let usual = i64::try_from(USUAL).unwrap_or(i64::MAX);
        let count = usize::try_from(number("count", usual)?.max(0)).unwrap_or(usize::MAX).min(MOST);
        Ok(Self {
            wanted,
            filter: filter.as_deref().map(Filter::parse).transpose()?,
            sort_by: text("sortBy")?.filter(|name| !name.is_empty()),
            descending,
            start,
            count,
        })
    }

    /// Refuses what resources of this type do not have.
    pub(super) fn check(&self, kind: &ResourceType) -> Result<(), ScimError> {
        if let Some(name) = &self.sort_by
            && Target::of(kind, name).is_none()
        {
            return Err(ScimError::value(format!("`sortBy`: a {} has no `{name}` here", kind.name)));
        }
        self.filter.as_ref().map_or(Ok(()), |filter| filter.check(kind))
    }

    /// Puts resources into the order that is asked for; those without a value come last, or with the order turned
    /// round, first (RFC 7644, 3.4.2.3).
    pub(super) fn sort(&self, resources: &mut [(&'static ResourceType, Attributes)]) {
        let Some(name) = &self.sort_by else { return };
        resources.sort_by_cached_key(|(kind, resource)| Key::of(kind, name, resource));
        if self.descending {
            resources.reverse();
        }
    }
}

/// What resources are put in order by.
#[derive(PartialEq, Eq)]
struct Key(Option<String>);

impl Key {
    fn of(kind: &ResourceType, name: &str, resource: &Attributes) -> Self {
        let Some(target) = Target::of(kind, name) else { return Self(None) };
        let values = target.values(resource);
        // Of several the primary one counts, else the first.
        let primary = target.attribute.filter(|attribute| attribute.many).and_then(|attribute| {
            let several = target.holder(resource)?.get(attribute.name)?.as_array()?;
            several.iter().position(super::read::is_primary)
        });
        let value = primary.and_then(|at| values.get(at)).or_else(|| values.first());
        let exact = target.compared().is_some_and(|attribute| attribute.case_exact);
        Self(value.and_then(|value| match value {
            Value::String(text) if exact => Some(text.clone()),
            Value::String(text) => Some(text.to_lowercase()),
            Value::Bool(value) => Some(value.to_string()),
            _ => None,
        }))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => one.cmp(other),
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
        }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Names in one text.
pub(super) fn split(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The pairs of an address's query.
pub(super) fn url_pairs(query: &str) -> Result<Vec<(String, String)>, ScimError> {
    let read = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(
        &format!("/?{query}").parse().map_err(|_| ScimError::syntax("the address is not understood"))?,
    );
    read.map(|pairs| pairs.0).map_err(|_| ScimError::syntax("the address is not understood"))
}

/// A list's body.
pub(super) fn response(total: usize, start: usize, resources: &[Value]) -> Value {
    json!({
        "schemas": [SCHEMA], "totalResults": total, "startIndex": start, "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

#[cfg(test)]
mod tests {
    use super::super::schema::USER;
    use super::*;

    #[test]
    fn a_page_has_bounds() {
        let of = |query: &str| Query::of_address(query).map(|query| (query.start, query.count));
        assert_eq!(of(""), Ok((1, USUAL)));
        assert_eq!(of("startIndex=0&count=-5"), Ok((1, 0)));
        assert_eq!(of("startIndex=11&count=100000"), Ok((11, MOST)));
        for bad in [
            "startIndex=x",
            "count=1.5",
            "sortOrder=sideways",
            "filter=x",
            "attributes=a&excludedAttributes=b",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
        let query = Query::of_address("filter=userName+eq+%22a%26b%22&attributes=a%2Cb").unwrap();
        assert_eq!(query.filter.unwrap().is_one(&USER, "userName"), Some("a&b"));
        assert_eq!(query.wanted.only, ["a", "b"]);
        let body = json!({ "attributes": ["a"], "count": 3, "filter": "title pr", "sortBy": "shoeSize" });
        assert!(Query::of_body(&body).unwrap().check(&USER).is_err());
    }

    #[test]
    fn resources_come_in_order_and_those_without_come_last() {
        let user =
            |name: Value| (&USER, json!({ "userName": "x", "title": name }).as_object().unwrap().clone());
        let mut several = vec![user(Value::Null), user(json!("b")), user(json!("A"))];
        let order = |several: &[(&'static ResourceType, Attributes)]| -> Vec<Value> {
            several.iter().map(|(_, user)| user["title"].clone()).collect()
        };
        Query::of_address("sortBy=title").unwrap().sort(&mut several);
        assert_eq!(order(&several), [json!("A"), json!("b"), Value::Null]);
        Query::of_address("sortBy=title&sortOrder=descending").unwrap().sort(&mut several);
        assert_eq!(order(&several), [Value::Null, json!("b"), json!("A")]);
    }
}
