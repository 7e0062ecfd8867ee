//! An answer of the server, and what every answer must be.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(crate) fn decision(&self) -> String {
        self.header("x-bailiwick-decision").expect("a decision").to_owned()
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.header("x-bailiwick-endpoint").expect("an endpoint")
    }

    /// Panics unless it is this.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }

    /// An error in OpenAI's shape with this code.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> Self {
        let reply = self.is(status);
        let body = reply.json();
        assert_eq!(body["error"]["code"], code, "{body}");
        assert!(body["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{body}");
        assert!(body["error"]["type"].is_string(), "{body}");
        assert!(body["error"].as_object().unwrap().contains_key("param"), "{body}");
        let ours = body["bailiwick"].as_object().expect("`bailiwick`");
        for name in ["decision", "rules", "excluded", "fix"] {
            assert!(ours.contains_key(name), "{name}: {body}");
        }
        assert_eq!(reply.header("content-type"), Some("application/json"));
        reply
    }

    /// The text of the first choice.
    pub(crate) fn said(&self) -> String {
        self.json()["choices"][0]["message"]["content"].as_str().expect("content").to_owned()
    }

    /// The data of a stream's events; `[DONE]` is the string.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.text()
            .split("\n\n")
            .filter(|event| !event.trim().is_empty() && *event != ":")
            .map(|event| {
                let data: Vec<&str> = event
                    .lines()
                    .map(|line| line.strip_prefix("data: ").unwrap_or_else(|| panic!("{line}")))
                    .collect();
                let data = data.join("\n");
                if data == "[DONE]" { json!("[DONE]") } else { serde_json::from_str(&data).expect(&data) }
            })
            .collect()
    }

    /// The text of a stream's first choice, joined.
    pub(crate) fn streamed(&self) -> String {
        self.events()
            .iter()
            .filter_map(|event| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .collect()
    }
}

/// Reads an answer to its end; panics if it breaks off.
pub(crate) async fn read(response: reqwest::Response) -> Reply {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, body: response.bytes().await.unwrap() }
}
