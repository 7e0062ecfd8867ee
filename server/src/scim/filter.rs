//! Filters (RFC 7644, 3.4.2.2): read, checked against a type of resource, and asked of a resource.
//!
//! Beyond the standard, `emails[type eq "work"].value eq "x"` is read as some validators write it: both conditions of
//! one element.

use chrono::DateTime;
use serde_json::Value;

use super::error::ScimError;
use super::name::{Target, elements};
use super::schema::{self, Attribute, Attributes, Kind, ResourceType};

/// Characters of a filter, conditions in it, and how deep it may be nested.
const LONGEST: usize = 4_096;
const MOST: usize = 100;
const DEEPEST: usize = 20;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

impl Op {
    fn of(word: &str) -> Option<Self> {
        const OPS: [(&str, Op); 9] = [
            ("eq", Op::Eq),
            ("ne", Op::Ne),
            ("co", Op::Co),
            ("sw", Op::Sw),
            ("ew", Op::Ew),
            ("gt", Op::Gt),
            ("ge", Op::Ge),
            ("lt", Op::Lt),
            ("le", Op::Le),
        ];
        OPS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, op)| *op)
    }

    fn is_order(self) -> bool {
        matches!(self, Self::Gt | Self::Ge | Self::Lt | Self::Le)
    }
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Filter {
    Compare(String, Op, Value),
    Present(String),
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    /// One element of the attribute for which the condition holds.
    Some(String, Box<Filter>),
}

impl Filter {
    /// Reads one.
    pub(super) fn parse(text: &str) -> Result<Self, ScimError> {
        if text.len() > LONGEST {
            return Err(ScimError::filter(format!("a filter has at most {LONGEST} bytes")));
        }
        let mut parser = Parser { rest: text.trim(), conditions: 0 };
        let filter = parser.either(0)?;
        match parser.rest {
            "" => Ok(filter),
            rest => Err(unexpected(rest)),
        }
    }

    /// The condition between brackets of a path, and what stands behind the closing one.
    pub(super) fn between_brackets(text: &str) -> Result<(Self, &str), ScimError> {
        if text.len() > LONGEST {
            return Err(ScimError::filter(format!("a filter has at most {LONGEST} bytes")));
        }
        let mut parser = Parser { rest: text, conditions: 0 };
        parser.expect('[')?;
        let filter = parser.either(1)?;
        parser.expect(']')?;
        Ok((filter, parser.rest))
    }

    /// `attribute eq "value"` and nothing else: what is found by an index.
    pub(super) fn is_one(&self, kind: &ResourceType, name: &str) -> Option<&str> {
        match self {
            Self::Compare(attribute, Op::Eq, Value::String(value))
                if kind.own(attribute).eq_ignore_ascii_case(name) =>
            {
                Some(value)
            }
            _ => None,
        }
    }

    /// Refuses what a resource of this type does not have, and orders of what has none.
    pub(super) fn check(&self, kind: &ResourceType) -> Result<(), ScimError> {
        match self {
            Self::Compare(name, op, _) => {
                let target = known(kind, name)?;
                target.compared().map_or(Ok(()), |attribute| orderable(name, attribute, *op))
            }
            Self::Present(name) => known(kind, name).map(|_| ()),
            Self::And(one, other) | Self::Or(one, other) => one.check(kind).and_then(|()| other.check(kind)),
            Self::Not(of) => of.check(kind),
            Self::Some(name, of) => match known(kind, name)?.attribute {
                Some(attribute) => of.check_parts(attribute),
                None => Err(ScimError::filter(format!("`{name}` has no elements"))),
            },
        }
    }

    /// As [`check`](Self::check), for the condition of an element.
    pub(super) fn check_parts(&self, of: &Attribute) -> Result<(), ScimError> {
        match self {
            Self::Compare(name, op, _) => match part(of, name) {
                Some(attribute) => orderable(name, attribute, *op),
                None => Err(ScimError::filter(format!("`{}` has no `{name}`", of.name))),
            },
            Self::Present(name) if part(of, name).is_some() => Ok(()),
            Self::Present(name) | Self::Some(name, _) => {
                Err(ScimError::filter(format!("`{}` has no `{name}`", of.name)))
            }
            Self::And(one, other) | Self::Or(one, other) => {
                one.check_parts(of).and_then(|()| other.check_parts(of))
            }
            Self::Not(not) => not.check_parts(of),
        }
    }

    /// Whether it holds for a resource. What the type does not have is not there.
    pub(super) fn holds(&self, kind: &ResourceType, resource: &Attributes) -> bool {
        match self {
            Self::Compare(name, op, value) => match Target::of(kind, name) {
                Some(target) => match target.compared() {
                    Some(attribute) => compare(&target.values(resource), *op, value, attribute),
                    None => false,
                },
                None => false,
            },
            Self::Present(name) => match Target::of(kind, name) {
                Some(target) if target.attribute.is_none() => target.holder(resource).is_some(),
                Some(target) if target.part.is_none() => {
                    let value = target.holder(resource).and_then(|holder| holder.get(target.attribute?.name));
                    elements(value).into_iter().any(|value| !is_empty(value))
                }
                Some(target) => target.values(resource).into_iter().any(|value| !is_empty(value)),
                None => false,
            },
            Self::And(one, other) => one.holds(kind, resource) && other.holds(kind, resource),
            Self::Or(one, other) => one.holds(kind, resource) || other.holds(kind, resource),
            Self::Not(of) => !of.holds(kind, resource),
            Self::Some(name, of) => {
                let target = Target::of(kind, name);
                let found = target.as_ref().and_then(|target| {
                    let attribute = target.attribute?;
                    Some((attribute, target.holder(resource)?.get(attribute.name)))
                });
                found.is_some_and(|(attribute, value)| {
                    elements(value).into_iter().any(|element| of.holds_for(attribute, element))
                })
            }
        }
    }

    /// Whether it holds for one element of an attribute.
    pub(super) fn holds_for(&self, of: &Attribute, element: &Value) -> bool {
        let values = |name: &str| -> Option<(&'static Attribute, Vec<&Value>)> {
            let attribute = part(of, name)?;
            let value = match element {
                Value::Object(_) => element.get(attribute.name),
                simple => Some(simple),
            };
            Some((attribute, elements(value)))
        };
        match self {
            Self::Compare(name, op, value) => {
                values(name).is_some_and(|(attribute, found)| compare(&found, *op, value, attribute))
            }
            Self::Present(name) => {
                values(name).is_some_and(|(_, found)| found.into_iter().any(|value| !is_empty(value)))
            }
            Self::And(one, other) => one.holds_for(of, element) && other.holds_for(of, element),
            Self::Or(one, other) => one.holds_for(of, element) || other.holds_for(of, element),
            Self::Not(not) => !not.holds_for(of, element),
            Self::Some(..) => false,
        }
    }

    /// What an element has to hold for the condition to be true of it, where that follows: `[type eq "work"]`.
    pub(super) fn implied(&self) -> Vec<(&str, &Value)> {
        match self {
            Self::Compare(name, Op::Eq, value) => vec![(name.as_str(), value)],
            Self::And(one, other) => [one.implied(), other.implied()].concat(),
            _ => Vec::new(),
        }
    }
}

fn known(kind: &ResourceType, name: &str) -> Result<Target, ScimError> {
    Target::of(kind, name)
        .ok_or_else(|| ScimError::filter(format!("a {} has no attribute `{name}` here", kind.name)))
}

/// A part of an attribute by its name; of a simple one, itself as `value`.
fn part(of: &Attribute, name: &str) -> Option<&'static Attribute> {
    static VALUE: Attribute = schema::VALUE;
    if of.parts.is_empty() {
        return name.eq_ignore_ascii_case("value").then_some(&VALUE);
    }
    schema::named(of.parts, name)
}

fn orderable(name: &str, attribute: &Attribute, op: Op) -> Result<(), ScimError> {
    if attribute.kind == Kind::Boolean && !matches!(op, Op::Eq | Op::Ne) {
        return Err(ScimError::filter(format!("`{name}` is true or false: it can be `eq` or `ne`")));
    }
    Ok(())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(several) => several.is_empty(),
        Value::Object(parts) => parts.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn compare(found: &[&Value], op: Op, wanted: &Value, attribute: &Attribute) -> bool {
    if wanted.is_null() {
        let there = found.iter().any(|value| !is_empty(value));
        return match op {
            Op::Eq => !there,
            Op::Ne => there,
            _ => false,
        };
    }
    if op == Op::Ne {
        return !found.iter().any(|value| is(value, Op::Eq, wanted, attribute));
    }
    found.iter().any(|value| is(value, op, wanted, attribute))
}

fn is(value: &Value, op: Op, wanted: &Value, attribute: &Attribute) -> bool {
    match (attribute.kind, value, wanted) {
        (Kind::Boolean, Value::Bool(value), _) => as_bool(wanted) == Some(*value) && op == Op::Eq,
        (Kind::DateTime, Value::String(value), Value::String(wanted)) if op == Op::Eq || op.is_order() => {
            match (DateTime::parse_from_rfc3339(value), DateTime::parse_from_rfc3339(wanted)) {
                (Ok(value), Ok(wanted)) => ordered(op, value.cmp(&wanted)),
                _ => false,
            }
        }
        (_, Value::String(value), Value::String(wanted)) => match attribute.case_exact {
            true => texts(op, value, wanted),
            false => texts(op, &value.to_lowercase(), &wanted.to_lowercase()),
        },
        (_, Value::Number(value), Value::Number(wanted)) => match (value.as_i64(), wanted.as_i64()) {
            (Some(value), Some(wanted)) => ordered(op, value.cmp(&wanted)),
            _ => false,
        },
        _ => false,
    }
}

/// Some clients write `"True"` for true.
pub(super) fn as_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn texts(op: Op, value: &str, wanted: &str) -> bool {
    match op {
        Op::Co => value.contains(wanted),
        Op::Sw => value.starts_with(wanted),
        Op::Ew => value.ends_with(wanted),
        _ => ordered(op, value.cmp(wanted)),
    }
}

fn ordered(op: Op, is: std::cmp::Ordering) -> bool {
    match op {
        Op::Eq => is.is_eq(),
        Op::Ne => is.is_ne(),
        Op::Gt => is.is_gt(),
        Op::Ge => is.is_ge(),
        Op::Lt => is.is_lt(),
        Op::Le => is.is_le(),
        Op::Co | Op::Sw | Op::Ew => false,
    }
}

fn unexpected(rest: &str) -> ScimError {
    let shown: String = rest.chars().take(20).collect();
    ScimError::filter(match shown.as_str() {
        "" => String::from("the filter ends too early"),
        shown => format!("`{shown}` was not expected there"),
    })
}

struct Parser<'t> {
    rest: &'t str,
    conditions: usize,
}

impl<'t> Parser<'t> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn expect(&mut self, wanted: char) -> Result<(), ScimError> {
        self.space();
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(unexpected(self.rest)),
        }
    }

    /// A name, an operator or a word.
    fn word(&mut self) -> &'t str {
        self.space();
        let is_end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$' | ':' | '.'));
        let (word, rest) = self.rest.split_at(self.rest.find(is_end).unwrap_or(self.rest.len()));
        self.rest = rest;
        word
    }

    /// Whether the next word is this one; then it is taken.
    fn takes(&mut self, wanted: &str) -> bool {
        let before = self.rest;
        let is = self.word().eq_ignore_ascii_case(wanted);
        if !is {
            self.rest = before;
        }
        is
    }

    fn either(&mut self, depth: usize) -> Result<Filter, ScimError> {
        let mut left = self.both(depth)?;
        while self.takes("or") {
            left = Filter::Or(Box::new(left), Box::new(self.both(depth)?));
        }
        Ok(left)
    }

    fn both(&mut self, depth: usize) -> Result<Filter, ScimError> {
        let mut left = self.one(depth)?;
        while self.takes("and") {
            left = Filter::And(Box::new(left), Box::new(self.one(depth)?));
        }
        Ok(left)
    }

    fn one(&mut self, depth: usize) -> Result<Filter, ScimError> {
        self.conditions += 1;
        if depth > DEEPEST || self.conditions > MOST {
            return Err(ScimError::filter(format!(
                "a filter has at most {MOST} conditions, nested {DEEPEST} deep"
            )));
        }
        self.space();
        if self.rest.starts_with('(') {
            return self.grouped(depth);
        }
        let before = self.rest;
        let word = self.word();
        self.space();
        if word.eq_ignore_ascii_case("not") && self.rest.starts_with('(') {
            return Ok(Filter::Not(Box::new(self.grouped(depth)?)));
        }
        if word.is_empty() || word.starts_with('.') {
            return Err(unexpected(before));
        }
        if self.rest.starts_with('[') {
            let name = word.to_owned();
            self.expect('[')?;
            let mut of = self.either(depth + 1)?;
            self.expect(']')?;
            if let Some(rest) = self.rest.strip_prefix('.') {
                self.rest = rest;
                let part = self.word();
                of = Filter::And(Box::new(of), Box::new(self.comparison(part)?));
            }
            return Ok(Filter::Some(name, Box::new(of)));
        }
        self.comparison(word)
    }

    fn grouped(&mut self, depth: usize) -> Result<Filter, ScimError> {
        self.expect('(')?;
        let of = self.either(depth + 1)?;
        self.expect(')')?;
        Ok(of)
    }

    fn comparison(&mut self, name: &str) -> Result<Filter, ScimError> {
        let before = self.rest;
        let word = self.word();
        if word.eq_ignore_ascii_case("pr") {
            return Ok(Filter::Present(name.to_owned()));
        }
        let op = Op::of(word).ok_or_else(|| unexpected(before))?;
        Ok(Filter::Compare(name.to_owned(), op, self.value()?))
    }

    /// A text, a number, true, false or null, as JSON writes them.
    fn value(&mut self) -> Result<Value, ScimError> {
        self.space();
        let before = self.rest;
        if self.rest.starts_with('"') {
            let mut values = serde_json::Deserializer::from_str(self.rest).into_iter::<String>();
            let text = values.next().and_then(Result::ok).ok_or_else(|| unexpected(before))?;
            let (_, rest) = self.rest.split_at(values.byte_offset());
            self.rest = rest;
            return Ok(Value::String(text));
        }
        let word = self.word();
        let value: Value =
            serde_json::from_str(&word.to_ascii_lowercase()).map_err(|_| unexpected(before))?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests;
