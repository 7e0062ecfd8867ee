//! The pages as clients of the API: whatever a page reads or changes, it asks `/api/v1` for, in the name of who looks at it.
//!
//! So a page can do nothing that the API would refuse, and what it shows is what the API tells.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method};
use serde::Deserialize;
use serde_json::Value;

/// Who asks: the head of the request for the page, with everything that tells who that is and from where.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// Its headers: the cookie or token, and where the request came from.
    pub headers: HeaderMap,
    /// What the server knows of the connection.
    pub extensions: Extensions,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self { headers: parts.headers.clone(), extensions: parts.extensions.clone() })
    }
}

/// A request of the API.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// What to do.
    pub method: Method,
    /// Path and query below the server's root: `/api/v1/keys?limit=10`.
    pub target: String,
    /// What is sent as JSON.
    pub body: Option<Value>,
    /// The token that the form carried, for the API to look at.
    pub csrf: String,
    /// The random word that makes a form count once, however often it is sent.
    pub once: Option<String>,
}

impl Call {
    /// Reads.
    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self { method: Method::GET, target: target.into(), body: None, csrf: String::new(), once: None }
    }
}

/// What the API says where it does not do what it is asked (RFC 9457).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// Its stable name.
    pub code: String,
    /// What it is, in a few words.
    pub title: String,
    /// What is wrong here.
    pub detail: Option<String>,
    /// What to change.
    pub fix: Option<String>,
    /// The fields that are wrong.
    pub errors: Box<[WrongField]>,
}

/// A field of a request that is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct WrongField {
    /// Where in the body (RFC 6901).
    pub pointer: Option<String>,
    /// Or which parameter.
    pub parameter: Option<String>,
    /// How it is wrong.
    pub detail: String,
}

impl Problem {
    /// An answer that is no JSON, or another one than the page can read.
    #[must_use]
    pub fn unreadable(what: &str) -> Self {
        Self { status: 500, title: what.to_owned(), ..Self::default() }
    }

    /// What is wrong with the field of a form that is called like the last step of a pointer.
    pub(crate) fn of_field(&self, name: &str) -> Option<&str> {
        self.errors.iter().find(|error| error.names(name)).map(|error| error.detail.as_str())
    }

    /// Whether one of these fields is what is wrong, so that it is said there.
    pub(crate) fn is_beside(&self, names: &[&str]) -> bool {
        !self.errors.is_empty() && self.errors.iter().all(|error| names.iter().any(|name| error.names(name)))
    }
}

impl WrongField {
    fn names(&self, name: &str) -> bool {
        let pointed = self.pointer.as_deref().unwrap_or_default();
        // `/models/0` is about `models`; `/wanted/scope` about `scope`.
        pointed.split('/').any(|step| step == name) || self.parameter.as_deref() == Some(name)
    }
}

/// What a form carried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Typed(Vec<(String, String)>);

impl Typed {
    pub(crate) fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The field as it was typed; empty where it was not.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(field, _)| field == name).map_or("", |(_, value)| value)
    }

    /// The field without the spaces around it; none where nothing else was typed.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        Some(self.raw(name).trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The words of a field that holds several, by commas or lines; none where there are none.
    pub(crate) fn words(&self, name: &str) -> Option<Vec<String>> {
        let words = self.raw(name).split([',', '\n', '\r']).map(str::trim).filter(|word| !word.is_empty());
        Some(words.map(str::to_owned).collect()).filter(|words: &Vec<String>| !words.is_empty())
    }

    /// Every value of a field that can be there several times.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(field, _)| field == name).map(|(_, value)| value.clone()).collect()
    }

    /// Whether a box was ticked.
    pub(crate) fn ticked(&self, name: &str) -> bool {
        !self.raw(name).is_empty()
    }

    /// With a field that was not typed, as a beginning.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.0.push((name.to_owned(), value.into()));
        self
    }

    /// The call that a form makes.
    pub(crate) fn call(&self, method: Method, target: impl Into<String>, body: Option<Value>) -> Call {
        Call {
            method,
            target: target.into(),
            body,
            csrf: self.raw("csrf").to_owned(),
            once: self.text("once"),
        }
    }
}

/// A day of a form (`2027-01-31`) as the instant at which it has ended, in UTC; anything else as it was typed, for the API
/// to say what is wrong with it.
pub(crate) fn end_of_day(day: &str) -> String {
    match day.parse::<chrono::NaiveDate>() {
        Ok(day) => day.succ_opt().map_or_else(|| day.to_string(), |next| format!("{next}T00:00:00Z")),
        Err(_) => day.to_owned(),
    }
}

/// Path segments and query values with everything escaped that means something there.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&format!("{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_hears_of_itself_alone() {
        let problem: Problem = serde_json::from_value(serde_json::json!({
            "status": 400, "code": "invalid_request", "title": "x", "detail": null, "fix": null,
            "errors": [{ "pointer": "/wanted/models/0", "detail": "nobody serves it" }],
        }))
        .unwrap();
        assert_eq!(problem.of_field("models"), Some("nobody serves it"));
        assert_eq!(problem.of_field("model"), None);
        assert!(problem.is_beside(&["name", "models"]) && !problem.is_beside(&["name"]));
        assert!(!Problem::default().is_beside(&["name"]), "what no field is to blame for is said above");
    }

    #[test]
    fn forms_are_read_as_they_are_meant() {
        let pairs = [("name", " a b "), ("models", "x, y\r\n\r\nz"), ("tags", " , "), ("never", "")];
        let typed = Typed::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec());
        assert_eq!((typed.raw("name"), typed.text("name").as_deref()), (" a b ", Some("a b")));
        assert_eq!(typed.words("models").unwrap(), ["x", "y", "z"]);
        assert_eq!((typed.words("tags"), typed.text("other")), (None, None));
        assert!(!typed.ticked("never"));
    }

    #[test]
    fn a_key_works_to_the_end_of_its_last_day() {
        assert_eq!(end_of_day("2026-12-31"), "2027-01-01T00:00:00Z");
        assert_eq!(end_of_day("tomorrow"), "tomorrow");
    }

    #[test]
    fn nothing_that_is_typed_breaks_out_of_an_address() {
        assert_eq!(escaped("/acme/a b&c=d?e#f"), "%2Facme%2Fa%20b%26c%3Dd%3Fe%23f");
        assert_eq!(escaped("ü"), "%C3%BC");
    }
}
