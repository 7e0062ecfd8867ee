//! What credentials are now: opened, read, or as they were last had.
//!
//! A file is read with every snapshot and looked at each second, and one that is not answered holds up neither for longer
//! than a second; Vault is asked beside, never while a snapshot waits. One that cannot be had any more goes on as it last was
//! for a bounded time; then endpoints with it cannot be used. What Vault says is gone, is gone at once.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::files::Files;
use super::source::of_file;
use super::vault::{Vault, VaultError};
use super::{CredentialSource, Envelope, MasterKeys, References};
use crate::providers::Secret;
use crate::store::credentials::Credential;

/// What snapshots take credentials from.
#[derive(Debug)]
pub struct Keyring {
    master: MasterKeys,
    vault: Option<Vault>,
    /// Files and variables, as far as they may be referred to.
    files: Arc<Files>,
    /// For how long one that cannot be had goes on as it was.
    keep: Duration,
    /// How often Vault is asked for one.
    every: Duration,
    watched: Mutex<BTreeMap<String, Watched>>,
}

/// A credential that is elsewhere.
#[derive(Debug, Clone)]
struct Watched {
    source: CredentialSource,
    /// What it was when it was last had, and when that was.
    had: Option<(Secret, Instant)>,
    /// When it was last tried.
    tried: Option<Instant>,
    /// Why it could not be had then.
    fault: Option<String>,
    /// Whether the snapshot in force goes without it.
    given_up: bool,
}

/// What the credentials of one snapshot are, by name.
#[derive(Debug, Default)]
pub struct Values(HashMap<String, (String, Result<Secret, String>)>);

impl Values {
    /// The scope of the credential of this name, and what it is.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<(&str, Result<&Secret, &str>)> {
        self.0.get(name).map(|(scope, value)| (scope.as_str(), value.as_ref().map_err(String::as_str)))
    }
}

impl Watched {
    fn new(source: CredentialSource) -> Self {
        Self { source, had: None, tried: None, fault: None, given_up: false }
    }

    fn has(&mut self, secret: Secret) {
        self.had = Some((secret, Instant::now()));
        self.fault = None;
    }

    fn fails(&mut self, why: String, for_good: bool) {
        if for_good {
            self.had = None;
        }
        self.fault = Some(why);
    }

    fn now(&self, keep: Duration) -> Result<&Secret, String> {
        match &self.had {
            Some((secret, at)) if self.fault.is_none() || at.elapsed() < keep => Ok(secret),
            _ => Err(self
                .fault
                .clone()
                .unwrap_or_else(|| String::from("it was not read yet; that is tried now"))),
        }
    }
}

impl Keyring {
    /// With these master keys, and Vault where it is configured.
    #[must_use]
    pub fn new(
        master: MasterKeys,
        vault: Option<Vault>,
        references: References,
        keep: Duration,
        every: Duration,
    ) -> Arc<Self> {
        let files = Arc::new(Files::new(references));
        Arc::new(Self { master, vault, files, keep, every, watched: Mutex::default() })
    }

    /// What may be referred to.
    #[must_use]
    pub fn references(&self) -> &References {
        self.files.references()
    }

    /// The master keys.
    #[must_use]
    pub fn master(&self) -> &MasterKeys {
        &self.master
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a file, a variable or Vault holds now, without keeping it.
    ///
    /// # Errors
    /// In words.
    pub async fn fetch(&self, source: &CredentialSource) -> Result<Secret, String> {
        match source {
            CredentialSource::Vault(secret) => match &self.vault {
                Some(vault) => vault.read(secret).await.map_err(|error| error.to_string()),
                None => Err(no_vault()),
            },
            source => {
                let (source, files) = (source.clone(), Arc::clone(&self.files));
                let read = tokio::task::spawn_blocking(move || source.read(&files));
                read.await.unwrap_or_else(|error| Err(error.to_string()))
            }
        }
    }

    /// What a variable or file holds that only an endpoint's definition names, as servers of the release before store it.
    ///
    /// # Errors
    /// In words.
    pub fn read(&self, source: &CredentialSource) -> Result<Secret, String> {
        source.read(&self.files)
    }

    /// A small file that may be referred to, as a credential's is read.
    ///
    /// # Errors
    /// In words.
    pub(crate) fn read_file(&self, path: &Path) -> Result<String, String> {
        self.files.read(path).map(|text| text.to_string())
    }

    /// What the credentials of these rows are. Reads files, so not on a thread that serves.
    #[must_use]
    pub fn values(&self, rows: &[Credential]) -> Values {
        let sources: Vec<Option<CredentialSource>> =
            rows.iter().map(|row| serde_json::from_value(row.source.clone()).ok()).collect();
        let paths = sources.iter().flatten().filter_map(|source| match source {
            CredentialSource::File(path) => Some(path.clone()),
            _ => None,
        });
        // Before anything is locked: a file may not be answered.
        let read = self.files.read_all(paths);
        let mut watched = self.watched();
        let mut values = HashMap::with_capacity(rows.len());
        let mut still = BTreeMap::new();
        for (row, source) in rows.iter().zip(sources) {
            let value = match source {
                None => Err(unknown()),
                Some(CredentialSource::Sealed) => self.open(row),
                Some(source @ CredentialSource::Env(_)) => source.read(&self.files),
                Some(source) => {
                    let known = watched.remove(&row.id).filter(|known| known.source == source);
                    let mut known = known.unwrap_or_else(|| Watched::new(source));
                    if let CredentialSource::File(path) = &known.source {
                        known.tried = Some(Instant::now());
                        let content = read.get(path).cloned().unwrap_or_else(|| Err(String::new()));
                        match of_file(path, content) {
                            Ok(secret) => known.has(secret),
                            Err(why) => known.fails(why, false),
                        }
                    }
                    let value = known.now(self.keep).cloned();
                    known.given_up = value.is_err();
                    still.insert(row.id.clone(), known);
                    value
                }
            };
            values.insert(row.name.clone(), (row.scope.clone(), value));
        }
        *watched = still;
        Values(values)
    }

    /// What one credential is now, as the snapshot in force has it or would. Reads files.
    ///
    /// # Errors
    /// In words.
    pub fn current(&self, row: &Credential) -> Result<Secret, String> {
        match serde_json::from_value::<CredentialSource>(row.source.clone()) {
            Err(_) => Err(unknown()),
            Ok(CredentialSource::Sealed) => self.open(row),
            Ok(source @ CredentialSource::Env(_)) => source.read(&self.files),
            Ok(source) => match self.watched().get(&row.id).filter(|known| known.source == source) {
                Some(known) => known.now(self.keep).cloned(),
                None => Err(Watched::new(source).now(self.keep).err().unwrap_or_default()),
            },
        }
    }

    /// Whether one credential can be had now, and if not, why. Reads files.
    ///
    /// # Errors
    /// In words.
    pub fn state(&self, row: &Credential) -> Result<(), String> {
        self.current(row).map(drop)
    }

    fn open(&self, row: &Credential) -> Result<Secret, String> {
        let sealed = row.sealed.as_deref().ok_or("it was not set yet: `bailiwick credentials rotate`")?;
        let envelope = Envelope::read(sealed).map_err(|error| error.to_string())?;
        envelope.open(&row.id, row.version, &self.master).map_err(|error| error.to_string())
    }

    /// Takes note of what was just read, so that the next snapshot has it.
    pub fn note(&self, id: &str, source: &CredentialSource, secret: Secret) {
        let mut known = Watched::new(source.clone());
        known.tried = Some(Instant::now());
        known.has(secret);
        self.watched().insert(id.to_owned(), known);
    }

    /// Looks at what is elsewhere; whether a new snapshot is needed because something changed.
    pub async fn look(&self) -> bool {
        let due: Vec<(String, CredentialSource)> = self
            .watched()
            .iter()
            .filter(|(_, known)| match &known.source {
                CredentialSource::Vault(_) => known.tried.is_none_or(|at| {
                    // One that nothing goes on with is asked for more often.
                    at.elapsed() >= if known.given_up { self.every.min(RETRY) } else { self.every }
                }),
                _ => true,
            })
            .map(|(id, known)| (id.clone(), known.source.clone()))
            .collect();
        let looked = due.into_iter().map(|(id, source)| async move {
            let found = self.look_at(&source).await;
            (id, source, found)
        });
        let mut changed = false;
        for (id, source, found) in futures::future::join_all(looked).await {
            let mut watched = self.watched();
            let Some(known) = watched.get_mut(&id).filter(|known| known.source == source) else { continue };
            known.tried = Some(Instant::now());
            match found {
                Ok(secret) => {
                    // not in constant time: both are ours, and nobody who could try values out waits for it
                    let same = known.had.as_ref().is_some_and(|(had, _)| had.expose() == secret.expose());
                    changed |= !same || known.given_up;
                    known.has(secret);
                }
                Err((why, for_good)) => {
                    if known.fault.is_none() {
                        tracing::warn!(credential = id, why, "a credential cannot be had");
                    }
                    known.fails(why, for_good);
                    changed |= known.now(self.keep).is_err() != known.given_up;
                }
            }
        }
        changed
    }

    async fn look_at(&self, source: &CredentialSource) -> Result<Secret, (String, bool)> {
        let CredentialSource::Vault(secret) = source else {
            return self.fetch(source).await.map_err(|why| (why, false));
        };
        let Some(vault) = &self.vault else { return Err((no_vault(), true)) };
        vault.read(secret).await.map_err(|error| (error.to_string(), matches!(error, VaultError::Gone(_))))
    }
}

/// How soon Vault is asked again for what endpoints wait for.
const RETRY: Duration = Duration::from_secs(5);

fn unknown() -> String {
    String::from("where it is to be had is written in a way that this version does not know")
}

fn no_vault() -> String {
    String::from("it is in Vault, and `credentials.vault` of this server's configuration says of none")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: &str, source: &CredentialSource) -> Credential {
        Credential {
            id: id.into(),
            name: format!("name of {id}"),
            scope: "/".into(),
            source: serde_json::to_value(source).unwrap(),
            sealed: None,
            version: 1,
            fingerprint: None,
            created_ms: 1,
            updated_ms: 1,
            updated_by: None,
        }
    }

    fn now(values: &Values, id: &str) -> Result<String, String> {
        let (_, value) = values.get(&format!("name of {id}")).unwrap();
        value.map(|secret| secret.expose().to_owned()).map_err(str::to_owned)
    }

    #[tokio::test]
    async fn a_file_is_followed_and_goes_on_for_a_bounded_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let rows = [row("f", &CredentialSource::File(path.clone()))];
        let keyring = |keep: Duration| {
            let keys = MasterKeys::of_text(&"11".repeat(32)).unwrap();
            Keyring::new(keys, None, References::default(), keep, Duration::from_secs(60))
        };
        let patient = keyring(Duration::from_secs(600));
        assert!(now(&patient.values(&rows), "f").unwrap_err().contains("cannot be read"));
        assert!(!patient.look().await, "as before");
        std::fs::write(&path, "sk-1\n").unwrap();
        assert!(patient.look().await);
        assert_eq!(now(&patient.values(&rows), "f").unwrap(), "sk-1");
        assert!(!patient.look().await);
        std::fs::write(&path, "sk-2\n").unwrap();
        assert!(patient.look().await);
        assert_eq!(now(&patient.values(&rows), "f").unwrap(), "sk-2");
        std::fs::remove_file(&path).unwrap();
        assert!(!patient.look().await);
        assert_eq!(now(&patient.values(&rows), "f").unwrap(), "sk-2", "it goes on");

        let strict = keyring(Duration::ZERO);
        std::fs::write(&path, "sk-3\n").unwrap();
        assert_eq!(now(&strict.values(&rows), "f").unwrap(), "sk-3");
        std::fs::remove_file(&path).unwrap();
        assert!(strict.look().await, "its time is over");
        assert!(now(&strict.values(&rows), "f").is_err());
        // Another reference under the same id has nothing of the one before.
        let other = [row("f", &CredentialSource::File(folder.path().join("other")))];
        assert!(now(&patient.values(&other), "f").is_err());
        assert!(!format!("{patient:?}").contains("sk-"));
    }

    #[test]
    fn what_was_not_set_or_is_in_no_vault_is_told() {
        let keys = MasterKeys::of_text(&"11".repeat(32)).unwrap();
        let keyring = Keyring::new(keys, None, References::default(), Duration::ZERO, Duration::ZERO);
        let vault = serde_json::from_str(r#"{"vault": {"path": "a"}}"#).unwrap();
        let values = keyring.values(&[row("s", &CredentialSource::Sealed), row("v", &vault)]);
        assert!(now(&values, "s").unwrap_err().contains("not set yet"));
        assert!(now(&values, "v").unwrap_err().contains("not read yet"));
    }
}
