//! Asking a running server.

use serde::de::DeserializeOwned;

use super::{Remote, Server};

/// Why a server did not answer as asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum RemoteError {
    /// No answer.
    #[error("the server at {server} does not answer: {why}")]
    Unreachable { server: String, why: String },
    /// A problem (RFC 9457).
    #[error("{title}{}{}{}", more(": ", detail), more("; ", fix), more("\n", made))]
    Problem { status: u16, title: String, detail: Option<String>, fix: Option<String>, made: Option<String> },
    /// Not one of our servers.
    #[error("the answer of {server} is not understood: {why}")]
    NotUnderstood { server: String, why: String },
}

/// Keys that were made all the same, which nobody is told of again.
fn made(problem: &serde_json::Value) -> Option<String> {
    let keys = problem.get("created_keys")?.as_array()?;
    let text = |key: &serde_json::Value, name: &str| {
        key.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    };
    let lines = keys.iter().map(|key| format!("key {} was made: {}", text(key, "id"), text(key, "key")));
    Some(lines.collect::<Vec<_>>().join("\n")).filter(|lines| !lines.is_empty())
}

fn more(before: &str, text: &Option<String>) -> String {
    text.as_ref().map(|text| format!("{before}{text}")).unwrap_or_default()
}

/// A server's API.
#[derive(Debug)]
pub(super) struct Api {
    server: String,
    token: Option<String>,
    client: reqwest::Client,
}

impl Api {
    pub(super) fn new(remote: &Remote) -> Self {
        Self { token: Some(remote.token.clone()), ..Self::open(&remote.server) }
    }

    /// What needs no token.
    pub(super) fn open(server: &Server) -> Self {
        Self {
            server: server.server.trim_end_matches('/').to_owned(),
            token: None,
            client: reqwest::Client::new(),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> RemoteError {
        let why = if error.is_connect() { String::from("no connection") } else { error.to_string() };
        RemoteError::Unreachable { server: self.server.clone(), why }
    }

    /// Sends a request; an answer that is no success is an error.
    pub(super) async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&serde_json::Value>,
    ) -> Result<reqwest::Response, RemoteError> {
        let pairs: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", percent(value))).collect();
        let mark = if pairs.is_empty() { "" } else { "?" };
        let address = format!("{}{path}{mark}{}", self.server, pairs.join("&"));
        let mut request = self.client.request(method, address);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = response.text().await.unwrap_or_default();
        let problem: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let text =
            |pointer: &str| problem.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned);
        let field = |name: &str| text(&format!("/{name}"));
        Err(RemoteError::Problem {
            status: status.as_u16(),
            // On `/v1` errors have the shape of the API that was called.
            title: field("title")
                .or_else(|| text("/error/message"))
                .unwrap_or_else(|| format!("the server answered {status}")),
            detail: field("detail"),
            fix: field("fix"),
            made: made(&problem),
        })
    }

    /// Sends a request and reads the JSON of its answer.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        method: reqwest::Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<&serde_json::Value>,
    ) -> Result<T, RemoteError> {
        let response = self.send(method, path, query, body).await?;
        response.json().await.map_err(|error| RemoteError::NotUnderstood {
            server: self.server.clone(),
            why: error.to_string(),
        })
    }

    /// A whole list, page by page, as one answer.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        name: &str,
        query: &[(&str, &str)],
    ) -> Result<T, RemoteError> {
        let not_understood = |why: String| RemoteError::NotUnderstood { server: self.server.clone(), why };
        let mut whole: Option<serde_json::Value> = None;
        let mut cursor = String::new();
        loop {
            let mut query = query.to_vec();
            query.push(("limit", "1000"));
            if !cursor.is_empty() {
                query.push(("cursor", &cursor));
            }
            let mut page: serde_json::Value = self.json(reqwest::Method::GET, path, &query, None).await?;
            let next = page.get("next").and_then(serde_json::Value::as_str).map(str::to_owned);
            if let Some(page) = page.as_object_mut() {
                page.remove("next");
            }
            match &mut whole {
                None => whole = Some(page),
                Some(whole) => {
                    let more = page.get_mut(name).and_then(serde_json::Value::as_array_mut);
                    if let (Some(all), Some(more)) =
                        (whole.get_mut(name).and_then(serde_json::Value::as_array_mut), more)
                    {
                        all.append(more);
                    }
                }
            }
            match next {
                // A server that says the same again would keep us for ever.
                Some(next) if next != cursor => cursor = next,
                _ => break,
            }
        }
        serde_json::from_value(whole.unwrap_or_default()).map_err(|error| not_understood(error.to_string()))
    }
}

/// A value in a query (RFC 3986, 2.1).
fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
