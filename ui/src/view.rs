//! What the pages show, as plain data.
//!
//! The server fills these types and the pages read them; nothing here knows a database. All of them cross the wire as JSON
//! (island properties, the live stream), so their serde form is part of the contract between the server and the bundle.
//!
//! Units: times are unix milliseconds, durations microseconds, money nano-dollars, sizes bytes. Digests and hashes are lower-case hex.

mod decision;
mod list;
mod traffic;

pub use decision::*;
pub use list::*;
pub use traffic::*;

use serde::{Deserialize, Serialize};

/// The signed-in person for whom a page is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// Name to show.
    pub name: String,
    /// Role names, for example `auditor`.
    pub roles: Vec<String>,
    /// The scope whose decisions this person sees first; `/acme` is everything of `acme`.
    pub scope: String,
    /// What this person may do somewhere, of what pages offer. Never leaves the server.
    #[serde(skip)]
    pub rights: Vec<Right>,
    /// The names that policy lines know this person by, each with the scope where it counts. Never leaves the server.
    #[serde(skip)]
    pub names: Vec<(String, String)>,
    /// What forms of this session carry, so that no other site can send them. Never leaves for an island.
    #[serde(skip)]
    pub csrf: String,
}

/// A right, and the topmost scopes where it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Right {
    /// An object of policy lines, for example `console:keys`.
    pub object: String,
    /// An action on it, for example `create`.
    pub action: String,
    /// Where it holds: there and below.
    pub scopes: Vec<String>,
}

impl Viewer {
    /// Whether pages offer this person an action somewhere. The API has the last word.
    #[must_use]
    pub fn may(&self, object: &str, action: &str) -> bool {
        self.rights
            .iter()
            .any(|right| right.object == object && right.action == action && !right.scopes.is_empty())
    }

    /// The same in one scope.
    #[must_use]
    pub fn may_at(&self, object: &str, action: &str, scope: &str) -> bool {
        let mut of = self.rights.iter().filter(|right| right.object == object && right.action == action);
        of.any(|right| right.scopes.iter().any(|top| covers(top, scope)))
    }
}

/// Whether `top` is the scope or above it, by whole segments.
fn covers(top: &str, scope: &str) -> bool {
    top == "/" || scope.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What the shell shows on every page: where the viewer is and what is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// The organisation's name or root scope.
    pub organisation: String,
    /// Leaves in the audit log's signed tree.
    pub log_size: u64,
    /// Digest of the policy bundle in force.
    pub bundle_digest: String,
    /// True where every provider is a simulator (`bailiwick demo`).
    pub simulated: bool,
    /// The server's own base URL without a trailing slash, for example `http://127.0.0.1:8080`.
    pub base_url: String,
    /// The server's clock.
    pub now_ms: i64,
    /// A model for a first request: the one that most endpoints serve; none where there is no endpoint.
    pub example_model: Option<String>,
}

/// How many of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Count {
    /// What is counted, for example `EMAIL`.
    pub kind: String,
    /// How many.
    pub count: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_reaches_down_by_whole_segments() {
        let right = Right { object: "o".into(), action: "a".into(), scopes: vec!["/acme/retail".into()] };
        let viewer = Viewer { rights: vec![right], ..Viewer::default() };
        assert!(viewer.may("o", "a") && viewer.may_at("o", "a", "/acme/retail/support"));
        assert!(!viewer.may("o", "b") && !viewer.may_at("o", "a", "/acme/retailers"));
        assert!(!viewer.may_at("o", "a", "/acme"));
    }
}
