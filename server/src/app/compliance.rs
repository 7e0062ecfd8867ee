//! The compliance database that a server starts with: the one in the binary, or a signed release; what it says otherwise
//! than the one before, and who is told.

use std::collections::BTreeMap;

use bailiwick_compliance_db::{Changes, Database, SubprocessorChange};
use bailiwick_ledger::Kind;
use bailiwick_policy::{Compiled, Endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::config::ComplianceConfig;
use super::{Act, App, StartError};
use crate::gateway::record::RecordError;
use crate::organisation::describe::{self, Impact};
use crate::release::{Release, public_key};
use crate::snapshot::{keep_catalog, recall_catalog};
use crate::store::{self, Store, StoreError};

/// The setting that tells which database was in force last, and what it changed.
const IN_FORCE: &str = "compliance_in_force";

/// A database that was in force, and what it said otherwise than the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Its version.
    pub version: String,
    /// Its digest, without what a bundle adds.
    pub digest: String,
    /// Since when, Unix milliseconds.
    pub since_ms: i64,
    /// What it said otherwise; of the first one nothing is known.
    #[serde(default)]
    pub changes: Option<Changed>,
}

/// What a database said otherwise than the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The version of the one before.
    pub from: String,
    /// Facts that are new.
    pub added: usize,
    /// Facts that are gone.
    pub removed: usize,
    /// Facts that say something else.
    pub changed: usize,
    /// Models that are new, gone or have another price or ability.
    pub models: usize,
    /// Each subprocessor that is new, gone or elsewhere, in words, by service.
    pub subprocessors: BTreeMap<String, Vec<String>>,
}

impl Changed {
    fn of(changes: &Changes) -> Self {
        let mut subprocessors: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for change in &changes.subprocessors {
            let SubprocessorChange { service, .. } = change;
            subprocessors.entry(service.clone()).or_default().push(change.to_string());
        }
        Self {
            from: changes.from.clone(),
            added: changes.added.len(),
            removed: changes.removed.len(),
            changed: changes.changed.len(),
            models: changes.models.len(),
            subprocessors,
        }
    }
}

/// The compliance database in force, for who asks.
#[derive(Debug, Serialize)]
pub struct ComplianceStatus {
    /// `binary` or `release`.
    source: &'static str,
    /// Facts, a bundle's own among them.
    facts: usize,
    /// Which it is, and what it changed.
    #[serde(flatten)]
    in_force: Option<InForce>,
    /// Attestations that end within 60 days or have ended.
    attestations: Vec<Value>,
}

#[derive(Debug, thiserror::Error)]
enum NoteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("the database of the server does not load: {0}")]
    Load(#[from] bailiwick_compliance_db::LoadError),
}

/// The files, before the bundle adds its own.
pub(super) fn shipped(config: Option<&ComplianceConfig>) -> Result<BTreeMap<String, String>, StartError> {
    let Some(config) = config else { return Ok(Database::embedded_files().collect()) };
    let refused = |error: crate::release::ReleaseError| {
        StartError::Compliance(format!("{}: {error}", config.release.display()))
    };
    let key = public_key(&config.public_key).map_err(refused)?;
    Ok(Release::open(&config.release, &key).map_err(refused)?.files)
}

/// Refuses a release that is older than what was in force: who can put a file in a server's place, and sign none, could
/// bring back what was believed of a provider last year. A server without a release takes what its binary has.
pub(super) async fn refuse_older(
    store: &Store,
    config: Option<&ComplianceConfig>,
    shipped: &BTreeMap<String, String>,
) -> Result<(), StartError> {
    let Some(config) = config.filter(|config| !config.allow_older) else { return Ok(()) };
    let (Some(last), Ok(now)) = (in_force(store).await?, Database::load(shipped.clone())) else {
        return Ok(());
    };
    if is_older(now.version(), &last.version) {
        return Err(StartError::Compliance(format!(
            "{} is {}, older than {}, which was in force: take a newer release, or set `compliance.allow_older = true` to go \
             back",
            config.release.display(),
            now.version(),
            last.version
        )));
    }
    Ok(())
}

/// Versions are a year, a month and a day.
fn is_older(one: &str, other: &str) -> bool {
    let parts =
        |version: &str| -> Vec<u64> { version.split('.').map_while(|part| part.parse().ok()).collect() };
    parts(one) < parts(other)
}

async fn in_force(store: &Store) -> Result<Option<InForce>, StoreError> {
    let kept = store::settings::get(store, IN_FORCE).await?;
    Ok(kept.and_then(|value| serde_json::from_value(value).ok()))
}

impl App {
    /// Records, once, that another compliance database is in force than before, and which services have other
    /// subprocessors by it. `false` where that could not be; it is tried again.
    pub(super) async fn note_compliance(&self) -> bool {
        let noted = self.try_note_compliance().await;
        if let Err(error) = &noted {
            tracing::warn!(%error, "the compliance database in force could not be told; it is tried again");
        }
        noted.is_ok()
    }

    async fn try_note_compliance(&self) -> Result<(), NoteError> {
        let digest = Database::digest_of(&self.sources.shipped);
        let before = in_force(&self.store).await?;
        if before.as_ref().is_some_and(|before| before.digest == digest) {
            return Ok(());
        }
        let now_ms = self.gateway.clock.now_ms();
        let database = Database::load(self.sources.shipped.as_ref().clone())?;
        keep_catalog(&self.store, &digest, &self.sources.shipped, now_ms).await?;
        let changes = match &before {
            None => None,
            // One that is no longer kept has to be believed to have been anything.
            Some(before) => recall_catalog(&self.store, &before.digest)
                .await?
                .and_then(|files| Database::load(files).ok())
                .map(|before| Changed::of(&before.changes(&database))),
        };
        let version = database.version().to_owned();
        for (service, told) in changes.iter().flat_map(|changes| &changes.subprocessors) {
            self.note_subprocessors(service, told, &version, &digest).await?;
        }
        let now = InForce { version, digest, since_ms: now_ms, changes };
        let act = Act {
            kind: Kind::Admin,
            principal: "system",
            scope: Some("/"),
            name: "compliance_database_in_force",
            what: json!({ "from": before.map(|before| before.digest), "to": now }),
        };
        let value = json!(now);
        let put =
            async { Ok::<_, NoteError>(store::settings::put(&self.store, IN_FORCE, value, now_ms).await?) };
        self.act_aside(act, |()| Value::Null, put).await
    }

    /// What a service's customers may object to (GDPR Art. 28(2)).
    async fn note_subprocessors(
        &self,
        service: &str,
        told: &[String],
        version: &str,
        digest: &str,
    ) -> Result<(), NoteError> {
        let name = format!("subprocessors/{service}/{digest}");
        if store::settings::get(&self.store, &name).await?.is_some() {
            return Ok(());
        }
        let act = Act {
            kind: Kind::Admin,
            principal: "system",
            scope: Some("/"),
            name: "subprocessors_changed",
            what: json!({ "service": service, "changes": told, "database": version }),
        };
        let now_ms = self.gateway.clock.now_ms();
        let note = async {
            Ok::<_, NoteError>(store::settings::put(&self.store, &name, json!(now_ms), now_ms).await?)
        };
        self.act_aside(act, |()| Value::Null, note).await?;
        for change in told {
            tracing::warn!(change, "a provider has changed its subprocessors");
        }
        Ok(())
    }

    /// Which compliance database is in force, what it changed, and which attestations end that concern `scope`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn compliance_status(&self, scope: &str) -> Result<ComplianceStatus, StoreError> {
        let snapshot = self.gateway.snapshot.load_full();
        let now_ms = snapshot.decide_at_ms.unwrap_or_else(|| self.gateway.clock.now_ms());
        Ok(ComplianceStatus {
            source: if self.config.compliance.is_some() { "release" } else { "binary" },
            facts: snapshot.policy.database().facts().count(),
            in_force: in_force(&self.store).await?,
            attestations: super::attestations::ending(&snapshot.policy.bundle().attestations, scope, now_ms),
        })
    }
}

/// Tells in the log what the database says otherwise than the one that was in force last, and which endpoints' answers that
/// changes, before anything is served by it.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn report(
    store: &Store,
    config: Option<&ComplianceConfig>,
    shipped: &BTreeMap<String, String>,
    policy: &Compiled,
    now_ms: i64,
) -> Result<(), StoreError> {
    let told = match before(store, config, shipped).await? {
        Before::Same => return Ok(()),
        Before::Lost => None,
        Before::Files(files) => changed(files, policy, now_ms),
    };
    let Some((changes, impact)) = told else {
        tracing::warn!("what the compliance database changes is not known: the one before is no longer kept");
        return Ok(());
    };
    tracing::info!(
        from = changes.from,
        to = changes.to,
        added = changes.added.len(),
        removed = changes.removed.len(),
        changed = changes.changed.len(),
        models = changes.models.len(),
        "another compliance database is in force than before"
    );
    for change in impact {
        tracing::warn!(%change, "the compliance database changes what is known of an endpoint");
    }
    Ok(())
}

/// The database that was in force last.
#[derive(Debug, PartialEq)]
enum Before {
    /// It is the one that is in force now, or there was none.
    Same,
    /// Its files are no longer kept.
    Lost,
    /// Its files.
    Files(BTreeMap<String, String>),
}

/// On a first start with a release it is the one in the binary.
async fn before(
    store: &Store,
    config: Option<&ComplianceConfig>,
    shipped: &BTreeMap<String, String>,
) -> Result<Before, StoreError> {
    Ok(match in_force(store).await? {
        Some(last) if last.digest == Database::digest_of(shipped) => Before::Same,
        Some(last) => recall_catalog(store, &last.digest).await?.map_or(Before::Lost, Before::Files),
        None if config.is_some() => Before::Files(Database::embedded_files().collect()),
        None => Before::Same,
    })
}

/// What a policy's database says otherwise than one of these files, and about which endpoints.
fn changed(
    before: BTreeMap<String, String>,
    policy: &Compiled,
    now_ms: i64,
) -> Option<(Changes, Vec<Impact>)> {
    let before = policy.bundle().database(before).ok()?;
    let endpoints: Vec<&Endpoint> = policy.endpoints().iter().collect();
    let impact = describe::impact(policy, &endpoints, (&before, policy.database()), "/", now_ms);
    Some((before.changes(policy.database()), impact))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bailiwick_policy::{Bundle, BundleSource};

    use super::*;

    fn worse(version: &str) -> BTreeMap<String, String> {
        let mut files: BTreeMap<String, String> = Database::embedded_files().collect();
        files.insert("database.yaml".into(), format!("version: \"{version}\""));
        let vllm = files.get_mut("vllm.yaml").unwrap();
        let declared = "attribute: processing_countries\n    value: declared";
        assert!(vllm.contains(declared));
        *vllm = vllm.replace(declared, "attribute: processing_countries\n    value: worldwide");
        files
    }

    #[tokio::test]
    async fn what_a_database_changes_is_told_against_the_one_in_force_and_not_the_binarys() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let shipped: BTreeMap<String, String> = Database::embedded_files().collect();
        assert_eq!(before(&store, None, &shipped).await.unwrap(), Before::Same, "a first start says nothing");

        // Another one was in force: the server's own facts change what it said.
        let last = worse("2026.1.1");
        let digest = Database::digest_of(&last);
        let in_force =
            InForce { version: "2026.1.1".into(), digest: digest.clone(), since_ms: 1, changes: None };
        store::settings::put(&store, IN_FORCE, json!(in_force), 1).await.unwrap();
        let lost = before(&store, None, &shipped).await.unwrap();
        assert_eq!(lost, Before::Lost, "it is not kept, and that is told");
        keep_catalog(&store, &digest, &last, 1).await.unwrap();
        let Before::Files(files) = before(&store, None, &shipped).await.unwrap() else {
            panic!("it is kept")
        };

        let bundle = Arc::new(Bundle::load(&BundleSource::starter()).unwrap());
        let database = Arc::new(bundle.database(shipped.clone()).unwrap());
        let endpoints = bundle.test_endpoints.clone();
        let at_ms = 1_795_000_000_000;
        let policy = Compiled::new(bundle, database, endpoints, at_ms).unwrap();
        let (changes, impact) = changed(files, &policy, at_ms).unwrap();
        assert_eq!(changes.from, "2026.1.1");
        assert!(impact.iter().any(|change| change.to_string().contains("vllm-germany")), "{impact:?}");

        // The same again is no change.
        assert_eq!(before(&store, None, &last).await.unwrap(), Before::Same);
    }

    #[test]
    fn versions_are_compared_as_days_and_not_as_text() {
        for (one, other, older) in [
            ("2026.11.22", "2026.11.23", true),
            ("2026.9.30", "2026.11.1", true),
            ("2027.1.1", "2026.12.31", false),
            ("2026.11.22", "2026.11.22", false),
            ("2026.11.22", "2026.11.22.1", true),
        ] {
            assert_eq!(is_older(one, other), older, "{one} {other}");
        }
    }
}
