//! JSON as a wire carries it: members in their order, numbers as their digits.
//!
//! A tool's schema means something by the order of its properties, and `1.0` is not `1` to every reader, so neither is
//! lost between two wires. White space and the way in which a character is escaped are.

use jiter::{Jiter, Peek};

use crate::Broken;

/// Objects and arrays inside one another.
const DEPTH: usize = 128;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, as it is written.
    Number(String),
    /// A string, decoded.
    Text(String),
    /// An array.
    Array(Vec<Json>),
    /// An object. No name occurs twice.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Parses one value.
    ///
    /// # Errors
    /// [`Broken::Json`]: not JSON, not UTF-8, deeper than 128 levels, or an object with one name twice.
    pub fn parse(text: &[u8]) -> Result<Self, Broken> {
        // Strings are checked by the parser; what lies between them is ASCII or no JSON.
        let mut parser = Jiter::new(text);
        let peek = parser.peek().map_err(|_| Broken::Json)?;
        let value = value(&mut parser, peek, DEPTH)?;
        parser.finish().map_err(|_| Broken::Json)?;
        Ok(value)
    }

    /// An object of these members.
    #[must_use]
    pub fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Adds a member to an object.
    pub fn set(&mut self, name: &str, value: impl Into<Self>) {
        if let Self::Object(members) = self {
            members.push((name.to_owned(), value.into()));
        }
    }

    /// Adds a member where there is a value for it.
    pub fn set_some(&mut self, name: &str, value: Option<impl Into<Self>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// A member of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(found, _)| found == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// The whole number, if it is one.
    #[must_use]
    pub fn whole(&self) -> Option<u64> {
        if let Self::Number(digits) = self { digits.parse().ok() } else { None }
    }

    /// The value on one line.
    #[must_use]
    pub fn write(&self) -> String {
        let mut out = String::with_capacity(256);
        self.write_to(&mut out);
        out
    }

    fn write_to(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(digits) => out.push_str(digits),
            Self::Text(text) => quote(text, out),
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write_to(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    quote(name, out);
                    out.push(':');
                    value.write_to(out);
                }
                out.push('}');
            }
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<u64> for Json {
    fn from(number: u64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<Vec<Self>> for Json {
    fn from(items: Vec<Self>) -> Self {
        Self::Array(items)
    }
}

/// The members of an object, to be taken out one by one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members(Vec<(String, Json)>);

impl Members {
    /// The members of an object.
    ///
    /// # Errors
    /// [`Broken::Shape`], naming what should have been an object.
    pub fn of(value: Json, what: &'static str) -> Result<Self, Broken> {
        match value {
            Json::Object(members) => Ok(Self(members)),
            _ => Err(Broken::Shape(what)),
        }
    }

    /// Takes a member out. `null` is as if it were not there.
    pub fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(found, _)| found == name)?;
        let (_, value) = self.0.remove(at);
        Some(value).filter(|value| *value != Json::Null)
    }

    /// Puts a member in.
    pub(crate) fn put(&mut self, name: &str, value: Json) {
        self.0.push((name.to_owned(), value));
    }

    /// Takes a string out.
    ///
    /// # Errors
    /// [`Broken::Shape`] where it is something else.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, Broken> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Text(text)) => Ok(Some(text)),
            Some(_) => Err(Broken::Shape(name)),
        }
    }

    /// Takes a string out that has to be there.
    ///
    /// # Errors
    /// [`Broken::Shape`].
    pub fn needed(&mut self, name: &'static str) -> Result<String, Broken> {
        self.text(name)?.ok_or(Broken::Shape(name))
    }

    /// Takes a whole number out.
    ///
    /// # Errors
    /// [`Broken::Shape`] where it is something else.
    pub fn whole(&mut self, name: &'static str) -> Result<Option<u64>, Broken> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => value.whole().map(Some).ok_or(Broken::Shape(name)),
        }
    }

    /// Takes a number out, as it is written.
    ///
    /// # Errors
    /// [`Broken::Shape`] where it is something else.
    pub fn number(&mut self, name: &'static str) -> Result<Option<String>, Broken> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Number(digits)) => Ok(Some(digits)),
            Some(_) => Err(Broken::Shape(name)),
        }
    }

    /// Takes `true` or `false` out.
    ///
    /// # Errors
    /// [`Broken::Shape`] where it is something else.
    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Broken> {
        match self.take(name) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(Broken::Shape(name)),
        }
    }

    /// Takes an array out; empty where there is none.
    ///
    /// # Errors
    /// [`Broken::Shape`] where it is something else.
    pub fn list(&mut self, name: &'static str) -> Result<Vec<Json>, Broken> {
        match self.take(name) {
            None => Ok(Vec::new()),
            Some(Json::Array(items)) => Ok(items),
            Some(_) => Err(Broken::Shape(name)),
        }
    }

    /// Takes an object out.
    ///
    /// # Errors
    /// [`Broken::Shape`] where it is something else.
    pub fn members(&mut self, name: &'static str) -> Result<Option<Self>, Broken> {
        self.take(name).map(|value| Self::of(value, name)).transpose()
    }

    /// What is left.
    #[must_use]
    pub fn rest(self) -> Vec<(String, Json)> {
        self.0
    }

    /// Whether nothing is left but `null`.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.0.iter().all(|(_, value)| *value == Json::Null)
    }
}

fn value(parser: &mut Jiter<'_>, peek: Peek, depth: usize) -> Result<Json, Broken> {
    let broken = |_| Broken::Json;
    let deeper = depth.checked_sub(1).ok_or(Broken::Json)?;
    Ok(match peek {
        Peek::Null => {
            parser.known_null().map_err(broken)?;
            Json::Null
        }
        Peek::True | Peek::False => Json::Bool(parser.known_bool(peek).map_err(broken)?),
        Peek::String => Json::Text(parser.known_str().map_err(broken)?.to_owned()),
        Peek::Array => {
            let mut items = Vec::new();
            let mut next = parser.known_array().map_err(broken)?;
            while let Some(peek) = next {
                items.push(value(parser, peek, deeper)?);
                next = parser.array_step().map_err(broken)?;
            }
            Json::Array(items)
        }
        Peek::Object => {
            let mut members: Vec<(String, Json)> = Vec::new();
            let mut next = parser.known_object().map_err(broken)?.map(str::to_owned);
            while let Some(name) = next {
                let peek = parser.peek().map_err(broken)?;
                let member = value(parser, peek, deeper)?;
                members.push((name, member));
                next = parser.next_key().map_err(broken)?.map(str::to_owned);
            }
            if has_twice(&members) {
                return Err(Broken::Json);
            }
            Json::Object(members)
        }
        number if number.is_num() => {
            let digits = parser.known_number_bytes(number).map_err(broken)?;
            let digits = std::str::from_utf8(digits).map_err(|_| Broken::Json)?;
            Json::Number(digits.to_owned())
        }
        _ => return Err(Broken::Json),
    })
}

/// Whether two members have one name. Objects are small, as a rule.
fn has_twice(members: &[(String, Json)]) -> bool {
    if members.len() <= 16 {
        return members
            .iter()
            .enumerate()
            .any(|(at, (name, _))| members.iter().take(at).any(|(before, _)| before == name));
    }
    let mut seen = std::collections::HashSet::with_capacity(members.len());
    members.iter().any(|(name, _)| !seen.insert(name.as_str()))
}

/// Writes a string with its quotes (RFC 8259, section 7).
fn quote(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        let (clean, tail) = rest.split_at(at);
        out.push_str(clean);
        let mut chars = tail.chars();
        match chars.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => {
                out.push_str(&format!("\\u{:04x}", u32::from(control)));
            }
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_digits_stay() {
        for text in [
            r#"{"z":1,"a":1.0,"m":[1e3,-0,12345678901234567890123,0.10],"":null}"#,
            r#"["a\"b\\c\n\u0001",true,false,"ü€𝄞"]"#,
            "7",
        ] {
            assert_eq!(Json::parse(text.as_bytes()).unwrap().write(), text);
        }
    }

    #[test]
    fn what_is_not_json_is_refused() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let many: Vec<String> = (0..20).map(|n| format!("\"k{}\":0", n % 19)).collect();
        let many = format!("{{{}}}", many.join(","));
        for text in ["", "{", r#"{"a":1,"a":2}"#, "[1] 2", "nul", "01", &deep, &many, "\"\\ud800\""] {
            assert_eq!(Json::parse(text.as_bytes()), Err(Broken::Json), "{text}");
        }
        assert_eq!(Json::parse(b"\"\xff\""), Err(Broken::Json));
    }
}
