//! What records name by digest, kept as long as they may: a decision can be derived again long after the bundle, the
//! catalog or the endpoints that it was made from have changed.
//!
//! Files are kept in the database under their digest, written before a snapshot that uses them is in force. They are
//! small (a bundle, a few hundred facts, the endpoints) and change seldom.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, BundleSource, Compiled, Endpoint, KillSwitch};
use chrono::NaiveDate;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::kept::{BUNDLE, CATALOG, ENDPOINTS, KILL_SWITCHES, KINDS, Kept, NotKept, name};
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
        keep(store, CATALOG, &digests.database, &self.catalog, now_ms).await?;
        keep(store, ENDPOINTS, &digests.endpoints, &policy.endpoints(), now_ms).await?;
        match &digests.kill_switches {
            Some(digest) => keep(store, KILL_SWITCHES, digest, &policy.kill_switches(), now_ms).await,
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
            Ok(made_from) => made_from.compiled(at_ms).await,
            Err(_) => Ok(None),
        }
    }

    /// What the policy was compiled from that records with these digests were decided by.
    ///
    /// # Errors
    /// What [`Kept`] says outside; inside what is not kept, or is not what its digest names.
    pub async fn made_from<K: Kept>(
        kept: &K,
        digests: &BTreeMap<String, String>,
    ) -> Result<Result<MadeFrom, NotKept>, K::Error> {
        let mut values = BTreeMap::new();
        for kind in KINDS {
            let Some(digest) = digests.get(kind) else { continue };
            let Some(value) = kept.value(kind, digest).await? else { return Ok(Err(NotKept(kind))) };
            values.insert(kind, value);
        }
        let digests = digests.clone();
        // Reading it takes longer than a request may wait for a thread; nothing comes of it where the server stops.
        let reading = crate::background::run(move || MadeFrom::of(values, &digests));
        Ok(reading.await.unwrap_or(Err(NotKept(BUNDLE))))
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
    fn of(
        mut values: BTreeMap<&'static str, Value>,
        digests: &BTreeMap<String, String>,
    ) -> Result<Self, NotKept> {
        let named = |kind: &str| digests.get(kind).map(String::as_str);
        let source = BundleSource { files: read(&mut values, BUNDLE)? };
        let bundle = Bundle::load(&source).map_err(|_| NotKept(BUNDLE))?;
        let mut shipped: BTreeMap<String, String> = read(&mut values, CATALOG)?;
        let database = Database::load(shipped.clone()).map_err(|_| NotKept(CATALOG))?;
        // Under these digests or not at all: what is held elsewhere may be anything.
        for (kind, digest) in [(BUNDLE, bundle.digest.as_str()), (CATALOG, database.digest())] {
            if named(kind) != Some(digest) {
                return Err(NotKept(kind));
            }
        }
        let endpoints: Vec<Endpoint> = read(&mut values, ENDPOINTS)?;
        if named(ENDPOINTS) != Some(bailiwick_policy::catalog_digest(&endpoints).as_str()) {
            return Err(NotKept(ENDPOINTS));
        }
        let kill_switches: Vec<KillSwitch> =
            if digests.contains_key(KILL_SWITCHES) { read(&mut values, KILL_SWITCHES)? } else { Vec::new() };
        if named(KILL_SWITCHES) != bailiwick_policy::kill_switches_digest(&kill_switches).as_deref() {
            return Err(NotKept(KILL_SWITCHES));
        }
        shipped.retain(|path, _| !path.starts_with(Database::OWN));
        Ok(Self { bundle: Arc::new(bundle), database: Arc::new(database), shipped, endpoints, kill_switches })
    }

    /// Compiles it for `at_ms` with its own bundle, on a thread that no request waits for.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the server stops.
    pub async fn compiled(self, at_ms: i64) -> Result<Option<Compiled>, StoreError> {
        let compiling =
            crate::background::run(move || self.compile(&self.bundle, &OtherFacts::default(), at_ms));
        compiling.await.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Compiles it for `at_ms` with `bundle`, its own or another, and with these facts. `None` where they do not go together.
    #[must_use]
    pub fn compile(&self, bundle: &Arc<Bundle>, facts: &OtherFacts<'_>, at_ms: i64) -> Option<Compiled> {
        let same = facts.shipped.is_none() && facts.more.is_empty();
        let database = if same && bundle.compliance == self.bundle.compliance {
            Arc::clone(&self.database)
        } else {
            let shipped = facts.shipped.unwrap_or(&self.shipped).clone();
            let files = bundle.catalog(shipped).into_iter().chain(facts.more.iter().cloned());
            let database = Database::load(files).ok()?;
            Arc::new(match facts.known_by {
                Some(day) => database.known_by(day),
                None => database,
            })
        };
        let policy = Compiled::new(Arc::clone(bundle), database, self.endpoints.clone(), at_ms).ok()?;
        Some(policy.with_kill_switches(self.kill_switches.clone()))
    }
}

/// Facts other than those that something was decided with.
#[derive(Debug, Default)]
pub struct OtherFacts<'f> {
    /// Another database's files; its own where absent.
    pub shipped: Option<&'f BTreeMap<String, String>>,
    /// Files of facts beside the bundle's.
    pub more: &'f [(String, String)],
    /// Other facts than its own count with the evidence that was seen by this day, though that is after the decision.
    pub known_by: Option<NaiveDate>,
}

fn read<T: DeserializeOwned>(
    values: &mut BTreeMap<&'static str, Value>,
    kind: &'static str,
) -> Result<T, NotKept> {
    values.remove(kind).and_then(|value| serde_json::from_value(value).ok()).ok_or(NotKept(kind))
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
    let files = store.value(BUNDLE, digest).await?.and_then(|value| serde_json::from_value(value).ok());
    // Under this digest or not at all: it is what was checked before it came into force.
    Ok(files.map(|files| BundleSource { files }).filter(|source| source.digest() == digest))
}

/// Keeps the files of a compliance database.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn keep_catalog(
    store: &Store,
    digest: &str,
    files: &BTreeMap<String, String>,
    now_ms: i64,
) -> Result<(), StoreError> {
    keep(store, CATALOG, digest, files, now_ms).await
}

/// The files of a compliance database that was kept.
///
/// # Errors
/// [`StoreError`].
pub(crate) async fn recall_catalog(
    store: &Store,
    digest: &str,
) -> Result<Option<BTreeMap<String, String>>, StoreError> {
    Ok(store.value(CATALOG, digest).await?.and_then(|value| serde_json::from_value(value).ok()))
}

async fn keep(
    store: &Store,
    kind: &str,
    digest: &str,
    value: &impl Serialize,
    now_ms: i64,
) -> Result<(), StoreError> {
    let name = name(kind, digest);
    if store::settings::has(store, &name).await? {
        return Ok(());
    }
    let value = serde_json::to_value(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    store::settings::put(store, &name, value, now_ms).await
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

    #[test]
    fn what_is_learnt_later_counts_for_the_past_where_that_is_asked() {
        let source = BundleSource::starter();
        let bundle = Arc::new(Bundle::load(&source).unwrap());
        let made_from = MadeFrom {
            database: Arc::new(Database::embedded().unwrap()),
            shipped: Database::embedded_files().collect(),
            endpoints: bundle.test_endpoints.clone(),
            bundle,
            kill_switches: Vec::new(),
        };
        let own = "about: learnt later\nfacts:\n  - id: own/nimbus/hosting\n    scope: { operator: [nimbus-ai], service: [nimbus-api] }\n    attribute: hosting\n    value: dedicated\n    evidence: [{ url: https://example.org, says: so, observed_from: 2026-12-01, observed_to: 2026-12-01, kind: vendor_doc, confidence: sourced }]\n";
        let more = [(format!("{}nimbus.yaml", Database::OWN), own.to_owned())];
        let at_ms = crate::demo::DECIDE_AT_MS;
        let facts: RequestFacts = serde_json::from_value(serde_json::json!({
            "time_ms": at_ms, "scope": "/acme", "operation": Operation::ChatCompletions, "model": "nimbus-1",
        }))
        .unwrap();
        let known = |known_by: Option<&str>| {
            let known_by = known_by.map(|day| day.parse().unwrap());
            let others = OtherFacts { shipped: None, more: &more, known_by };
            let policy = made_from.compile(&made_from.bundle, &others, at_ms).unwrap();
            let mystery = made_from.endpoints.iter().position(|endpoint| endpoint.name == "mystery").unwrap();
            let resolved = policy.resolve(mystery, &facts, bailiwick_compliance_db::Attribute::Hosting);
            resolved.unwrap().value.is_some()
        };
        assert!(!known(None), "the day has not come");
        assert!(known(Some("2026-12-01")));
        assert!(!known(Some("2026-11-29")));
    }
}
