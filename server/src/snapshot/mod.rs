//! What the hot path decides from: everything configured, compiled, in memory, immutable.
//!
//! A request holds one snapshot from its first stage to its last, so that it is decided by one bundle, one catalog and
//! one set of keys. A change builds a new snapshot beside the old one and swaps it in whole; one that can't be built
//! leaves the old one in force. Authentication looks here and never at the database.

mod archive;
mod budgets;
mod build;
mod bundle;
mod declared;
mod kept;
mod key;
mod kill_switches;
mod place;

use std::collections::HashMap;
use std::sync::Arc;

use bailiwick_pii::Detector;
use bailiwick_policy::Compiled;

use crate::store::policy_versions::PolicyVersion;

pub use archive::{Archive, MadeFrom, OtherFacts};
pub(crate) use archive::{keep_bundle, keep_catalog, recall_catalog};
pub use budgets::{Chain, Chains};
pub use build::{BuildError, Sources, build_whole};
pub use bundle::LoadedBundle;
pub use declared::Declared;
pub use kept::{KINDS, Kept, NotKept};
pub use key::{KeyEntry, KeyState};
pub use kill_switches::target as kill_target;
pub use place::{Place, Route};

/// One consistent configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// The compiled bundle over the endpoints.
    pub policy: Compiled,
    /// The recognizers, of the kinds that the policy needs.
    pub detector: Arc<Detector>,
    /// The recognizers of kinds that only rules in shadow mode ask about, where there are any.
    pub shadow_detector: Option<Arc<Detector>>,
    /// The endpoints, in the order of the compiled policy's indexes.
    pub places: Vec<Place>,
    /// What each part of a decision was made from, for the records: `bundle`, `catalog`, `engine`, `detectors`, …
    pub digests: Vec<(&'static str, String)>,
    /// The bundle's digest again: the header `x-bailiwick-policy`.
    pub bundle_digest: String,
    /// What the policy was compiled from, for the next snapshot.
    pub(crate) loaded: Arc<LoadedBundle>,
    /// The commit that the bundle is of, where it comes from a Git repository.
    pub version: Option<PolicyVersion>,
    /// Endpoints that are declared but can't be used, and why: shown to operators, never to clients.
    pub unusable: Vec<NotInUse>,
    /// Decide as of this instant (Unix milliseconds) and not as of now: the demo, whose facts must not grow old.
    pub decide_at_ms: Option<i64>,
    /// When the first of the kill switches in force expires. Until a snapshot is built then, it stops what it stopped.
    pub kill_switches_until_ms: Option<i64>,
    keys: HashMap<String, Arc<KeyEntry>>,
}

/// An endpoint that is declared but can't be used.
#[derive(Debug, Clone)]
pub struct NotInUse {
    /// It, as rules would see it.
    pub endpoint: bailiwick_policy::Endpoint,
    /// Why; it names the endpoint.
    pub why: String,
}

impl Snapshot {
    /// The key with this id.
    #[must_use]
    pub fn key(&self, id: &str) -> Option<&Arc<KeyEntry>> {
        self.keys.get(id)
    }

    /// Every key.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<KeyEntry>> {
        self.keys.values()
    }

    /// The endpoint at an index of the compiled policy.
    #[must_use]
    pub fn place(&self, index: usize) -> Option<&Place> {
        self.places.get(index)
    }
}
