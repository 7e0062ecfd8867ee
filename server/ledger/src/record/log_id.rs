//! The name of a log.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A log's id: also the origin line of its checkpoints and the name of its key. By custom a URL without
/// its scheme, such as `audit.example.org/acme`.
///
/// 1 to 255 printable ASCII characters without space, `+`, `"` and `\` (C2SP `signed-note` forbids the
/// first two in key names; the others would need escaping).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogId(String);

/// Text that cannot be a log's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a log id is 1 to 255 printable ASCII characters without space, plus, quote and backslash")]
pub struct LogIdError;

impl LogId {
    /// Checks `text` and takes it as an id.
    ///
    /// # Errors
    ///
    /// [`LogIdError`] where it cannot be one.
    pub fn new(text: impl Into<String>) -> Result<Self, LogIdError> {
        let text = text.into();
        let fits = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'+' | b'"' | b'\\');
        if (1..=255).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text))
        } else {
            Err(LogIdError)
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for LogId {
    type Error = LogIdError;

    fn try_from(text: String) -> Result<Self, LogIdError> {
        Self::new(text)
    }
}

impl From<LogId> for String {
    fn from(id: LogId) -> Self {
        id.0
    }
}

impl FromStr for LogId {
    type Err = LogIdError;

    fn from_str(text: &str) -> Result<Self, LogIdError> {
        Self::new(text)
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
