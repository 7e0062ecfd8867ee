//! Changes of parts of a resource (RFC 7644, 3.5.2), and the dialects of it that providers send: operations with a
//! capital letter, `"False"` for false, an object of paths without a path of its own.

use serde_json::{Map, Value};

use super::error::ScimError;
use super::filter::Filter;
use super::name::Target;
use super::read;
use super::schema::{Attribute, Attributes, Mutability, ResourceType};

/// The most operations of one request.
const MOST: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Add,
    Replace,
    Remove,
}

/// Where an operation is about.
struct Path {
    target: Target,
    /// Which elements of it.
    which: Option<Filter>,
}

impl Path {
    /// None: something that is not kept.
    fn parse(kind: &ResourceType, text: &str) -> Result<Option<Self>, ScimError> {
        let text = text.trim();
        if kind.passes_over(text) {
            return Ok(None);
        }
        let no_such = || ScimError::path(format!("a {} has no `{}` here", kind.name, shown(text)));
        let Some(at) = text.find('[') else {
            let target = Target::of(kind, text).ok_or_else(no_such)?;
            return Ok(Some(Self { target, which: None }));
        };
        let (name, rest) = text.split_at(at);
        let mut target = Target::of(kind, name).ok_or_else(no_such)?;
        let (which, rest) = Filter::between_brackets(rest)
            .map_err(|error| ScimError { kind: Some("invalidPath"), ..error })?;
        let attribute = target.attribute.filter(|_| target.part.is_none()).ok_or_else(no_such)?;
        which.check_parts(attribute).map_err(|error| ScimError { kind: Some("invalidPath"), ..error })?;
        match rest.trim() {
            "" => {}
            rest => {
                let part =
                    rest.strip_prefix('.').and_then(|part| super::schema::named(attribute.parts, part));
                target.part = Some(part.ok_or_else(no_such)?);
            }
        }
        Ok(Some(Self { target, which: Some(which) }))
    }
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The resource after the operations of a request, all or none.
pub(super) fn apply(
    kind: &ResourceType,
    resource: &Attributes,
    request: &Value,
) -> Result<Attributes, ScimError> {
    let field = |object: &'_ Value, name: &str| -> Option<Value> {
        let object = object.as_object()?;
        object.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone())
    };
    let Some(Value::Array(operations)) = field(request, "Operations") else {
        return Err(ScimError::syntax("a change has `Operations`: an array"));
    };
    if operations.len() > MOST {
        return Err(ScimError::syntax(format!("a change has at most {MOST} operations")));
    }
    let mut changed = resource.clone();
    for operation in &operations {
        let op = match field(operation, "op").as_ref().and_then(Value::as_str).map(str::to_ascii_lowercase) {
            Some(op) if op == "add" => Op::Add,
            Some(op) if op == "replace" => Op::Replace,
            Some(op) if op == "remove" => Op::Remove,
            _ => return Err(ScimError::syntax("`op` is `add`, `replace` or `remove`")),
        };
        let value = field(operation, "value").unwrap_or(Value::Null);
        match field(operation, "path") {
            None | Some(Value::Null) => without_path(kind, &mut changed, op, &value)?,
            Some(Value::String(path)) if path.is_empty() => without_path(kind, &mut changed, op, &value)?,
            Some(Value::String(path)) => one(kind, &mut changed, op, &path, &value)?,
            Some(_) => return Err(ScimError::path("`path` is a text")),
        }
    }
    changed.retain(|_, value| !is_nothing(value));
    read::complete(kind, &changed)?;
    Ok(changed)
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(several) => several.is_empty(),
        Value::Object(parts) => parts.is_empty(),
        _ => false,
    }
}

/// An object of attributes. Each name may be a path: so Entra ID and Okta send it.
fn without_path(
    kind: &ResourceType,
    resource: &mut Attributes,
    op: Op,
    value: &Value,
) -> Result<(), ScimError> {
    if op == Op::Remove {
        return Err(ScimError::no_target("what is to be removed is said by a `path`"));
    }
    let values = value
        .as_object()
        .ok_or_else(|| ScimError::syntax("without a `path` the `value` is an object of attributes"))?;
    for (name, value) in values {
        if name.eq_ignore_ascii_case("schemas") {
            continue;
        }
        // A whole resource may come back as it was read, with what only the server says.
        let read_only = Target::of(kind, name)
            .and_then(|target| target.attribute)
            .is_some_and(|attribute| attribute.mutability == Mutability::ReadOnly);
        if !read_only {
            one(kind, resource, op, name, value)?;
        }
    }
    Ok(())
}

fn one(
    kind: &ResourceType,
    resource: &mut Attributes,
    op: Op,
    path: &str,
    value: &Value,
) -> Result<(), ScimError> {
    let Some(path) = Path::parse(kind, path)? else { return Ok(()) };
    let Some(attribute) = path.target.attribute else {
        return extension(kind, resource, op, &path, value);
    };
    if attribute.mutability == Mutability::ReadOnly
        || path.target.part.is_some_and(|part| part.mutability == Mutability::ReadOnly)
    {
        return Err(ScimError::mutability(format!("`{}` is the server's to say", attribute.name)));
    }
    if op == Op::Remove && attribute.required && path.target.part.is_none() {
        return Err(ScimError::mutability(format!("a {} needs `{}`", kind.name, attribute.name)));
    }
    let holder = match path.target.extension {
        None => resource,
        Some(extension) => {
            let more = resource.entry(extension.id).or_insert_with(|| Value::Object(Map::new()));
            more.as_object_mut().ok_or_else(|| ScimError::value("an extension is an object"))?
        }
    };
    match (&path.which, path.target.part) {
        (Some(which), part) => elements(holder, attribute, op, which, part, value),
        (None, None) => whole(holder, attribute, op, value),
        (None, Some(part)) if attribute.many => {
            // Of every element.
            each(holder, attribute, op, part, value, |_| true).map(|_| ())
        }
        (None, Some(part)) => {
            let entry = holder.entry(attribute.name).or_insert_with(|| Value::Object(Map::new()));
            let parts = entry.as_object_mut().ok_or_else(|| ScimError::value("not an object"))?;
            set(parts, op, part, value)?;
            if parts.is_empty() {
                holder.remove(attribute.name);
            }
            Ok(())
        }
    }
}

/// A whole extension.
fn extension(
    kind: &ResourceType,
    resource: &mut Attributes,
    op: Op,
    path: &Path,
    value: &Value,
) -> Result<(), ScimError> {
    let Some(extension) = path.target.extension else { return Ok(()) };
    if op != Op::Add {
        resource.remove(extension.id);
    }
    if op == Op::Remove {
        return Ok(());
    }
    let values = value.as_object().ok_or_else(|| ScimError::value("an extension is an object"))?;
    // Some clients send the list of schemas with it, as they do with a whole resource.
    for (name, value) in values.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("schemas")) {
        one(kind, resource, op, &format!("{}:{name}", extension.id), value)?;
    }
    Ok(())
}

/// A value of a part, put in or taken away.
fn set(parts: &mut Map<String, Value>, op: Op, part: &Attribute, value: &Value) -> Result<(), ScimError> {
    let value = match op {
        Op::Remove => None,
        Op::Add | Op::Replace => read::value(part, value)?,
    };
    match value {
        Some(value) => parts.insert(part.name.to_owned(), value),
        None => parts.remove(part.name),
    };
    Ok(())
}

/// An attribute as a whole. What is added to several is not added twice.
fn whole(
    holder: &mut Map<String, Value>,
    attribute: &Attribute,
    op: Op,
    value: &Value,
) -> Result<(), ScimError> {
    if op == Op::Remove && attribute.many && !value.is_null() {
        // Entra ID names those that are to go in the value.
        let gone = read::value(attribute, value)?;
        let gone: Vec<&Value> = super::name::elements(gone.as_ref());
        if let Some(Value::Array(several)) = holder.get_mut(attribute.name) {
            several.retain(|element| !gone.iter().any(|gone| same(gone, element)));
        }
        return Ok(());
    }
    if op == Op::Remove {
        holder.remove(attribute.name);
        return Ok(());
    }
    let value = read::value(attribute, value)?;
    let before = holder.remove(attribute.name);
    let merged = match (op, before, value) {
        (Op::Add, before, None) => before,
        (Op::Add, Some(Value::Array(before)), Some(Value::Array(new))) => {
            Some(Value::Array(added(before, new)))
        }
        // Parts that are not named stay, also where they are replaced (RFC 7644, 3.5.2.3).
        (_, Some(Value::Object(mut before)), Some(Value::Object(new))) => {
            before.extend(new);
            Some(Value::Object(before))
        }
        (_, _, value) => value,
    };
    if let Some(merged) = merged {
        holder.insert(attribute.name.to_owned(), merged);
    }
    Ok(())
}

/// Whether two elements are the same thing: by `value`, where both have one.
fn same(one: &Value, other: &Value) -> bool {
    match (one.get("value"), other.get("value")) {
        (Some(a), Some(b)) => {
            a == b && one.get("type").is_none_or(|of| other.get("type").is_none_or(|to| of == to))
        }
        _ => one == other,
    }
}

fn added(mut before: Vec<Value>, new: Vec<Value>) -> Vec<Value> {
    // The one that counts now is the new one (RFC 7644, 3.5.2).
    if new.iter().any(read::is_primary) {
        before.iter_mut().for_each(is_not_primary);
    }
    let known: std::collections::HashSet<String> = before.iter().filter_map(value_of).collect();
    for element in new {
        let there = match value_of(&element) {
            Some(value) if known.contains(&value) => before.iter_mut().find(|own| same(own, &element)),
            Some(_) => None,
            None => before.iter_mut().find(|own| **own == element),
        };
        match there {
            Some(own) => *own = element,
            None => before.push(element),
        }
    }
    before
}

fn value_of(element: &Value) -> Option<String> {
    element.get("value").and_then(Value::as_str).map(str::to_owned)
}

fn is_not_primary(element: &mut Value) {
    if read::is_primary(element)
        && let Some(parts) = element.as_object_mut()
    {
        parts.insert(String::from("primary"), Value::Bool(false));
    }
}

/// A part of each element that is meant; how many.
fn each(
    holder: &mut Map<String, Value>,
    attribute: &Attribute,
    op: Op,
    part: &Attribute,
    value: &Value,
    is_meant: impl Fn(&Value) -> bool,
) -> Result<usize, ScimError> {
    let Some(Value::Array(several)) = holder.get_mut(attribute.name) else { return Ok(0) };
    if part.name == "primary" && value == &Value::Bool(true) {
        several.iter_mut().filter(|element| !is_meant(element)).for_each(is_not_primary);
    }
    let mut meant = 0;
    for element in several.iter_mut().filter(|element| is_meant(element)) {
        meant += 1;
        if let Some(parts) = element.as_object_mut() {
            set(parts, op, part, value)?;
        }
    }
    several.retain(|element| !is_nothing(element));
    if several.iter().filter(|element| read::is_primary(element)).count() > 1 {
        return Err(ScimError::value(format!("more than one of `{}` would be primary", attribute.name)));
    }
    Ok(meant)
}

/// The elements for which a condition holds.
fn elements(
    holder: &mut Map<String, Value>,
    attribute: &Attribute,
    op: Op,
    which: &Filter,
    part: Option<&'static Attribute>,
    value: &Value,
) -> Result<(), ScimError> {
    let is_meant = |element: &Value| which.holds_for(attribute, element);
    let nobody = || ScimError::no_target(format!("no element of `{}` is meant", attribute.name));
    let Some(part) = part else {
        let several = holder.get_mut(attribute.name).and_then(Value::as_array_mut);
        let found = several.as_ref().is_some_and(|several| several.iter().any(is_meant));
        if op == Op::Remove {
            // What is not there need not go: a provider may say so twice.
            if let Some(several) = several {
                several.retain(|element| !is_meant(element));
            }
            return Ok(());
        }
        let new = read::element(attribute, value)?.ok_or_else(|| ScimError::value("there is no value"))?;
        if !found {
            return insert(holder, attribute, which, |parts| {
                parts.extend(new.as_object().cloned().unwrap_or_default());
                Ok(())
            });
        }
        for element in several.into_iter().flatten().filter(|element| is_meant(element)) {
            match (element.as_object_mut(), &new) {
                (Some(parts), Value::Object(new)) => parts.extend(new.clone()),
                _ => *element = new.clone(),
            }
        }
        return Ok(());
    };
    if each(holder, attribute, op, part, value, is_meant)? > 0 || op == Op::Remove {
        return Ok(());
    }
    if which.implied().is_empty() {
        return Err(nobody());
    }
    // Entra ID means an element that is yet to be made: `emails[type eq "work"].value`.
    insert(holder, attribute, which, |parts| set(parts, op, part, value))
}

/// An element for which the condition holds, made anew.
fn insert(
    holder: &mut Map<String, Value>,
    attribute: &Attribute,
    which: &Filter,
    fill: impl FnOnce(&mut Map<String, Value>) -> Result<(), ScimError>,
) -> Result<(), ScimError> {
    let mut parts = Map::new();
    for (name, value) in which.implied() {
        if let Some(part) = super::schema::named(attribute.parts, name)
            && let Some(value) = read::value(part, value)?
        {
            parts.insert(part.name.to_owned(), value);
        }
    }
    fill(&mut parts)?;
    let element = Value::Object(parts);
    if !which.holds_for(attribute, &element) {
        return Err(ScimError::no_target(format!("no element of `{}` is meant", attribute.name)));
    }
    let before = match holder.remove(attribute.name) {
        Some(Value::Array(before)) => before,
        _ => Vec::new(),
    };
    holder.insert(attribute.name.to_owned(), Value::Array(added(before, vec![element])));
    Ok(())
}

#[cfg(test)]
mod tests;
