//! Where it is looked for what records name by digest: the server's own database, or what somebody has got from there.

use serde_json::Value;

use crate::store::{self, Store, StoreError};

/// The files of a bundle, by path.
pub(super) const BUNDLE: &str = "bundle";
/// The files of the compliance database with what the bundle adds, by path.
pub(super) const CATALOG: &str = "catalog";
/// The endpoints, in the catalog's order.
pub(super) const ENDPOINTS: &str = "endpoints";
/// The kill switches that were in force.
pub(super) const KILL_SWITCHES: &str = "kill_switches";

/// What is kept of what records name by digest: the digests' names in a record's header. The last is named only where it
/// is not empty.
pub const KINDS: [&str; 4] = [BUNDLE, CATALOG, ENDPOINTS, KILL_SWITCHES];

/// Something that a record names is not there, or is not what its digest names: one of [`KINDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotKept(pub &'static str);

impl NotKept {
    /// What it is, for people.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self.0 {
            BUNDLE => "the bundle",
            CATALOG => "the compliance database",
            ENDPOINTS => "the endpoints",
            _ => "the kill switches",
        }
    }
}

/// Keeps what records name by digest.
pub trait Kept: Sync {
    /// Why nobody can say whether it has something.
    type Error;

    /// What `digest` names, one of [`KINDS`]; `None` where it is not there. Whether it is what the digest names is for
    /// whoever asked to find out.
    fn value(
        &self,
        kind: &str,
        digest: &str,
    ) -> impl Future<Output = Result<Option<Value>, Self::Error>> + Send;
}

impl Kept for Store {
    type Error = StoreError;

    async fn value(&self, kind: &str, digest: &str) -> Result<Option<Value>, StoreError> {
        store::settings::get(self, &name(kind, digest)).await
    }
}

/// The name of the setting.
pub(super) fn name(kind: &str, digest: &str) -> String {
    format!("archive/{kind}/{digest}")
}
