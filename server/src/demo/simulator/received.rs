//! What a simulator received, byte for byte.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::ser::{Serialize, SerializeStruct, Serializer};

const MAX_REQUESTS: usize = 1_000;
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// One request. As JSON: `method`, `path`, `headers` (pairs), `body` (where it is UTF-8), `body_base64`,
/// `received_ms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Every header as it came, in order, names in lower case. Bytes outside UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: Bytes,
    /// Milliseconds since the simulator started.
    pub received_ms: u64,
}

impl Received {
    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Whether these bytes occur anywhere: path, headers or body.
    pub fn contains(&self, needle: &str) -> bool {
        memchr::memmem::find(&self.body, needle.as_bytes()).is_some()
            || self.path.contains(needle)
            || self.headers.iter().any(|(name, value)| name.contains(needle) || value.contains(needle))
    }
}

impl Serialize for Received {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Received", 6)?;
        out.serialize_field("method", &self.method)?;
        out.serialize_field("path", &self.path)?;
        out.serialize_field("headers", &self.headers)?;
        out.serialize_field("body", &std::str::from_utf8(&self.body).ok())?;
        out.serialize_field("body_base64", &STANDARD.encode(&self.body))?;
        out.serialize_field("received_ms", &self.received_ms)?;
        out.end()
    }
}

/// The last requests, bounded in number and bytes.
#[derive(Debug)]
pub(super) struct Log {
    started: Instant,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    requests: VecDeque<Arc<Received>>,
    body_bytes: usize,
    count: u64,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), kept: Mutex::default() }
    }

    pub(super) fn add(&self, head: &http::request::Parts, body: Bytes) {
        let headers = head.headers.iter();
        let headers = headers
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let path = head.uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let received_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let request =
            Arc::new(Received { method: head.method.to_string(), path, headers, body, received_ms });
        let mut kept = self.kept();
        kept.count += 1;
        kept.body_bytes += request.body.len();
        kept.requests.push_back(request);
        while kept.requests.len() > MAX_REQUESTS || kept.body_bytes > MAX_BODY_BYTES {
            let Some(oldest) = kept.requests.pop_front() else { break };
            kept.body_bytes -= oldest.body.len();
        }
    }

    pub(super) fn all(&self) -> Vec<Arc<Received>> {
        self.kept().requests.iter().cloned().collect()
    }

    pub(super) fn count(&self) -> u64 {
        self.kept().count
    }

    pub(super) fn clear(&self) {
        *self.kept() = Kept::default();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
