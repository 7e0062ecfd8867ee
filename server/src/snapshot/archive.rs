//! What records name by digest, kept as long as they may: a decision can be derived again long after the bundle, the
//! catalog or the endpoints that it was made from have changed.
//!
//! Files are kept in the database under their digest, written before a snapshot that uses them is in force. They are
//! small (a bundle, a few hundred facts, the endpoints) and change seldom.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, BundleSource, Compiled, Endpoint, KillSwitch};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::{self, Store, StoreError};

/// The files of a bundle and of the compliance database with it, by path.
#[derive(Debug, Clone, Default)]
pub struct Archive {
    bundle: BTreeMap<String, String>,
    catalog: BTreeMap<String, String>,
}

impl Archive {
    /// The files as loaded.
    #[must_use]
    pub fn new(bundle: BTreeMap<String, String>, catalog: BTreeMap<String, String>) -> Self {
        Self { bundle, catalog }
    }

    /// Keeps what `policy` was compiled from. Does nothing for what is kept already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep(&self, store: &Store, policy: &Compiled, now_ms: i64) -> Result<(), StoreError> {
        let digests = policy.digests();
        keep_bundle(store, &digests.bundle, &self.bundle, now_ms).await?;
        keep(store, "catalog", &digests.database, &self.catalog, now_ms).await?;
        keep(store, "endpoints", &digests.endpoints, &policy.endpoints(), now_ms).await?;
        match &digests.kill_switches {
            Some(digest) => keep(store, "kill_switches", digest, &policy.kill_switches(), now_ms).await,
            None => Ok(()),
        }
    }

    /// The policy that records with these digests were decided by, compiled for `at_ms`; `None` where something of it is
    /// not kept or does not load any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn recall(
        store: &Store,
        digests: &BTreeMap<String, String>,
        at_ms: i64,
    ) -> Result<Option<Compiled>, StoreError> {
        match Self::made_from(store, digests).await? {
            Some(made_from) => made_from.compiled(at_ms).await,
            None => Ok(None),
        }
    }

    /// What the policy was compiled from that records with these digests were decided by; `None` as for
    /// [`recall`](Self::recall).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn made_from(
        store: &Store,
        digests: &BTreeMap<String, String>,
    ) -> Result<Option<MadeFrom>, StoreError> {
        let (Some(bundle), Some(catalog), Some(endpoints)) =
            (digests.get("bundle"), digests.get("catalog"), digests.get("endpoints"))
        else {
            return Ok(None);
        };
        let files = recall_bundle(store, bundle).await?;
        let shipped: Option<BTreeMap<String, String>> = recall(store, "catalog", catalog).await?;
        let endpoints: Option<Vec<Endpoint>> = recall(store, "endpoints", endpoints).await?;
        let kill_switches: Option<Vec<KillSwitch>> = match digests.get("kill_switches") {
            Some(digest) => recall(store, "kill_switches", digest).await?,
            None => Some(Vec::new()),
        };
        let (Some(files), Some(mut shipped), Some(endpoints), Some(kill_switches)) =
            (files, shipped, endpoints, kill_switches)
        else {
            return Ok(None);
        };
        let loading = tokio::task::spawn_blocking(move || {
            let bundle = Bundle::load(&files).ok()?;
            let database = Database::load(shipped.clone()).ok()?;
            shipped.retain(|path, _| !path.starts_with(Database::OWN));
            let (bundle, database) = (Arc::new(bundle), Arc::new(database));
            Some(MadeFrom { bundle, database, shipped, endpoints, kill_switches })
        });
        loading.await.map_err(|error| stopped(&error))
    }
}

/// What a policy is compiled from.
#[derive(Debug)]
pub struct MadeFrom {
    /// The bundle.
    pub bundle: Arc<Bundle>,
    /// The compliance database, with what the bundle adds to it.
    pub database: Arc<Database>,
    /// The database's files without what the bundle adds.
    pub shipped: BTreeMap<String, String>,
    /// The catalog of endpoints, in its order.
    pub endpoints: Vec<Endpoint>,
    /// The kill switches that were in force.
    pub kill_switches: Vec<KillSwitch>,
}

impl MadeFrom {
    /// Compiles it for `at_ms` with its own bundle, on a thread that no request waits for.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the server stops.
    pub async fn compiled(self, at_ms: i64) -> Result<Option<Compiled>, StoreError> {
        let compiling = tokio::task::spawn_blocking(move || self.compile(&self.bundle, at_ms));
        compiling.await.map_err(|error| stopped(&error))
    }

    /// Compiles it for `at_ms` with `bundle`, its own or another. `None` where they do not go together.
    #[must_use]
    pub fn compile(&self, bundle: &Arc<Bundle>, at_ms: i64) -> Option<Compiled> {
        let database = if bundle.compliance == self.bundle.compliance {
            Arc::clone(&self.database)
        } else {
            Arc::new(bundle.database(self.shipped.clone()).ok()?)
        };
        let policy = Compiled::new(Arc::clone(bundle), database, self.endpoints.clone(), at_ms).ok()?;
        Some(policy.with_kill_switches(self.kill_switches.clone()))
    }
}

fn stopped(error: &tokio::task::JoinError) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Keeps the files of a bundle.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn keep_bundle(
    store: &Store,
    digest: &str,
    files: &BTreeMap<String, String>,
    now_ms: i64,
) -> Result<(), StoreError> {
    keep(store, BUNDLE, digest, files, now_ms).await
}

/// The files of a bundle that was kept.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn recall_bundle(store: &Store, digest: &str) -> Result<Option<BundleSource>, StoreError> {
    let files: Option<BTreeMap<String, String>> = recall(store, BUNDLE, digest).await?;
    // Under this digest or not at all: it is what was checked before it came into force.
    Ok(files.map(|files| BundleSource { files }).filter(|source| source.digest() == digest))
}

const BUNDLE: &str = "bundle";

fn name(kind: &str, digest: &str) -> String {
    format!("archive/{kind}/{digest}")
}

async fn keep(
    store: &Store,
    kind: &str,
    digest: &str,
    value: &impl Serialize,
    now_ms: i64,
) -> Result<(), StoreError> {
    let name = name(kind, digest);
    if store::settings::get(store, &name).await?.is_some() {
        return Ok(());
    }
    let value = serde_json::to_value(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    store::settings::put(store, &name, value, now_ms).await
}

async fn recall<T: DeserializeOwned>(
    store: &Store,
    kind: &str,
    digest: &str,
) -> Result<Option<T>, StoreError> {
    let kept = store::settings::get(store, &name(kind, digest)).await?;
    Ok(kept.and_then(|value| serde_json::from_value(value).ok()))
}

#[cfg(test)]
mod tests {
    use bailiwick_policy::{Operation, RequestFacts};

    use super::*;

    #[tokio::test]
    async fn what_a_digest_names_decides_the_same_when_recalled() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let source = BundleSource::starter();
        let bundle = Arc::new(Bundle::load(&source).unwrap());
        let endpoints = bundle.test_endpoints.clone();
        let database = Arc::new(Database::embedded().unwrap());
        let at_ms = crate::demo::DECIDE_AT_MS;
        let policy = Compiled::new(bundle, database, endpoints, at_ms).unwrap();
        let archive = Archive::new(source.files, Database::embedded_files().collect());
        archive.keep(&store, &policy, at_ms).await.unwrap();
        archive.keep(&store, &policy, at_ms).await.unwrap();

        let digests = policy.digests();
        let named = BTreeMap::from([
            ("bundle".to_owned(), digests.bundle.clone()),
            ("catalog".to_owned(), digests.database.clone()),
            ("endpoints".to_owned(), digests.endpoints.clone()),
        ]);
        let recalled = Archive::recall(&store, &named, at_ms).await.unwrap().unwrap();
        assert_eq!(recalled.digests(), digests);
        let facts: RequestFacts = serde_json::from_value(serde_json::json!({
            "time_ms": at_ms, "scope": "/acme", "operation": Operation::ChatCompletions, "model": "assistant",
        }))
        .unwrap();
        assert_eq!(recalled.decide(&facts), policy.decide(&facts));

        let mut unknown = named;
        unknown.insert("bundle".to_owned(), "sha256:0".to_owned());
        assert!(Archive::recall(&store, &unknown, at_ms).await.unwrap().is_none());
    }
}
