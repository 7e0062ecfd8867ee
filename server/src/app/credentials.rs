//! Credentials of providers in a running server: the master key that servers agree about, what is looked at beside the
//! requests, and sealing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, MissedTickBehavior};

use super::config::Config;
use super::secrets::write_private;
use super::{App, StartError};
use crate::credentials::{
    Envelope, Keyring, MasterKeySource, MasterKeys, References, SealError, Vault, VaultConfig,
};
use crate::keys::secret;
use crate::outbound::Http;
use crate::providers::Secret;
use crate::store::replicas::ReplicaNumber;
use crate::store::{self, Store, StoreError};

/// The master key's file in the data directory, where the configuration names no other place.
const FILE: &str = "master.key";
/// How often it is looked whether a credential that is elsewhere has changed.
const LOOK: Duration = Duration::from_secs(1);
/// How often the master keys are read again: a file, and a command that may ask somebody.
const FILE_AGAIN: Duration = Duration::from_secs(2);
const COMMAND_AGAIN: Duration = Duration::from_secs(60);
/// How long a start waits for credentials that are elsewhere.
const FIRST_LOOK: Duration = Duration::from_secs(5);
/// How often what is sealed is looked through: another server may seal with the key before at the same time.
const PASSES: usize = 3;

/// `[credentials]` of `bailiwick.toml`: what seals those that are kept here, and where others come from.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct CredentialsConfig {
    /// Where the master key comes from; `master.key` in the data directory where absent.
    pub master_key: Option<MasterKeySource>,
    /// What credentials may be read from: folders (`/run/secrets`) and variables (`env:LLM_*`). Anything but what is the
    /// server's own where absent.
    pub references: Option<Vec<String>>,
    /// Seconds for which a credential goes on as it last was while its file or Vault cannot be read.
    pub keep_seconds: u32,
    /// Vault or OpenBao.
    pub vault: Option<VaultConfig>,
}

impl Default for CredentialsConfig {
    fn default() -> Self {
        Self { master_key: None, references: None, keep_seconds: 900, vault: None }
    }
}

impl CredentialsConfig {
    /// The files that it names.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let master = match &mut self.master_key {
            Some(MasterKeySource::File(path)) => Some(path),
            _ => None,
        };
        master.into_iter().chain(self.vault.iter_mut().flat_map(VaultConfig::files))
    }
}

/// What came of sealing everything with another master key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resealed {
    /// The master key that everything is sealed with now.
    pub key: String,
    /// How many were sealed anew.
    pub resealed: usize,
    /// Credentials that could not be opened, by name: their master key is not known here any more.
    pub lost: Vec<String>,
}

/// Why something was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum NotSealed {
    /// The master key cannot be had.
    #[error("the master key cannot be read: {0}")]
    NoKey(String),
    /// Others could not open it.
    #[error("these servers do not have the master key {key} yet: {}", .servers.join(", "))]
    NotEverywhere {
        /// The key.
        key: String,
        /// The servers.
        servers: Vec<String>,
    },
    /// It cannot be sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The keyring of a server. A master key is made where there is none and none is configured.
pub(super) fn keyring(config: &Config, http: &Http, demo: bool) -> Result<Arc<Keyring>, StartError> {
    let failed = |why: String| StartError::System { what: String::from("the master key"), why };
    let source = match &config.credentials.master_key {
        Some(source) => source.clone(),
        None => {
            let path = config.data_dir.join(FILE);
            if !path.exists() {
                let key = zeroize::Zeroizing::new(
                    secret::random::<32>().map_err(|error| failed(error.to_string()))?,
                );
                write_private(&path, &hex::encode(key.as_slice()))
                    .map_err(|error| failed(error.to_string()))?;
            }
            MasterKeySource::File(path)
        }
    };
    let master = MasterKeys::load(source).map_err(failed)?;
    let vault = config.credentials.vault.as_ref().map(|vault| Vault::new(vault.clone(), http.clone()));
    let every = config.credentials.vault.as_ref().map_or(60, |vault| vault.refresh_seconds);
    let keep = Duration::from_secs(u64::from(config.credentials.keep_seconds));
    let every = Duration::from_secs(u64::from(every));
    Ok(Keyring::new(master, vault, references(config, demo), keep, every))
}

/// What credentials may be read from.
fn references(config: &Config, demo: bool) -> References {
    let mut files: Vec<PathBuf> = config.clone().files().into_iter().map(|path| path.clone()).collect();
    files.extend(config.file.clone());
    let variable = match &config.credentials.master_key {
        Some(MasterKeySource::Env(name)) => Some(name.clone()),
        _ => None,
    };
    References {
        // A demo's simulators have their credential there.
        own: std::fs::canonicalize(&config.data_dir).ok().filter(|_| !demo),
        files,
        variables: variable.into_iter().collect(),
        allowed: config.credentials.references.clone(),
    }
}

/// Makes sure that this server can open what is sealed, and the others what it seals. Where another server has the key
/// that everything is sealed with and this one does not, it does not start.
pub(super) async fn agree(
    store: &Store,
    me: ReplicaNumber,
    keyring: &Keyring,
    now_ms: i64,
) -> Result<(), StartError> {
    let ids = keyring.master().ids();
    if store.is_shared() {
        store::credentials::tell_keys(store, me, &ids).await?;
    }
    let first = ids.first().cloned().unwrap_or_default();
    let sealing = store::credentials::sealing_key(store, &first, now_ms).await?;
    let mut lost = Vec::new();
    for row in store::credentials::list(store).await? {
        let under = row.sealed.as_deref().and_then(|sealed| Envelope::read(sealed).ok());
        if under.is_some_and(|envelope| !keyring.master().has(envelope.key_id())) {
            lost.push(row.name);
        }
    }
    let others = if keyring.master().has(&sealing) || !store.is_shared() {
        Vec::new()
    } else {
        store::credentials::holders(store, me, &sealing).await?.0
    };
    if !others.is_empty() && !lost.is_empty() {
        return Err(StartError::System {
            what: format!("this server does not have the master key {sealing}"),
            why: format!(
                "{} has, and credentials are sealed with it; give this server the same one (`credentials.master_key`, or \
                 `{FILE}` in the data directory, for their owner alone), and start again",
                others.join(", ")
            ),
        });
    }
    if !lost.is_empty() {
        tracing::error!(
            credentials = lost.join(", "),
            "these are sealed with a master key that this server does not have: put it back, or set them anew"
        );
    }
    if !keyring.master().has(&sealing) && others.is_empty() {
        store::credentials::seal_with(store, &first, now_ms).await?;
    } else if !others.is_empty() {
        tracing::warn!(sealing, "this server has another master key than {}", others.join(", "));
    }
    Ok(())
}

/// Asks for what is elsewhere, for a while; whether something was found.
pub(super) async fn first_look(keyring: &Keyring) -> bool {
    tokio::time::timeout(FIRST_LOOK, keyring.look()).await.unwrap_or(false)
}

/// Starts the task; it ends with the server.
pub(super) fn start(app: &Arc<App>) {
    let weak = Arc::downgrade(app);
    let stopping = app.gateway.stopping.clone();
    let again = match &app.config.credentials.master_key {
        None | Some(MasterKeySource::File(_)) => Some(FILE_AGAIN),
        Some(MasterKeySource::Command(_)) => Some(COMMAND_AGAIN),
        Some(MasterKeySource::Env(_)) => None,
    };
    let following = async move {
        let mut tick = tokio::time::interval(LOOK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut read = Instant::now();
        loop {
            tick.tick().await;
            let Some(app) = weak.upgrade() else { return };
            if app.sources.keyring.look().await
                && let Err(error) = app.reload().await
            {
                tracing::error!(%error, "a credential has changed and cannot be put in force");
            }
            if again.is_some_and(|again| read.elapsed() >= again) {
                read = Instant::now();
                app.follow_keys().await;
            }
        }
    };
    tokio::spawn(async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = following => {}
        }
    });
}

impl App {
    /// Reads the master keys again and tells the others where they have changed.
    async fn follow_keys(&self) {
        let before = self.sources.keyring.master().ids();
        if let Err(why) = self.read_keys().await {
            tracing::warn!(why, "the master key cannot be read again; what was known stays");
        }
        if self.sources.keyring.master().ids() != before
            && let Err(error) = self.tell_keys().await
        {
            tracing::warn!(%error, "the other servers are not told which master keys this one has");
        }
    }

    async fn read_keys(&self) -> Result<(), String> {
        let keyring = Arc::clone(&self.sources.keyring);
        let read = tokio::task::spawn_blocking(move || keyring.master().again());
        read.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    async fn tell_keys(&self) -> Result<(), StoreError> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let ids = self.sources.keyring.master().ids();
        store::credentials::tell_keys(&self.store, self.gateway.audit.replica().number, &ids).await
    }

    /// Refuses a key that another server does not have.
    async fn everywhere(&self, key: &str) -> Result<(), NotSealed> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let me = self.gateway.audit.replica().number;
        let (_, servers) = store::credentials::holders(&self.store, me, key).await?;
        if servers.is_empty() {
            Ok(())
        } else {
            Err(NotSealed::NotEverywhere { key: key.to_owned(), servers })
        }
    }

    /// Seals version `version` of the credential `id`, so that every server can open it.
    ///
    /// # Errors
    /// [`NotSealed`].
    pub async fn seal(&self, secret: &Secret, id: &str, version: i64) -> Result<Envelope, NotSealed> {
        let master = self.sources.keyring.master();
        let first = master.ids().first().cloned().unwrap_or_default();
        let now_ms = self.gateway.clock.now_ms();
        let key = store::credentials::sealing_key(&self.store, &first, now_ms).await?;
        self.everywhere(&key).await?;
        Ok(Envelope::seal(secret, id, version, &key, master)?)
    }

    /// Seals everything with the first master key of this server, while requests are served. Every server has to have
    /// that one and those that are in use now.
    ///
    /// # Errors
    /// [`NotSealed`].
    pub async fn reseal(&self) -> Result<Resealed, NotSealed> {
        self.read_keys().await.map_err(NotSealed::NoKey)?;
        self.tell_keys().await?;
        let master = self.sources.keyring.master();
        let key = master.ids().first().cloned().unwrap_or_default();
        self.everywhere(&key).await?;
        // From now on nothing new is sealed with another one.
        store::credentials::seal_with(&self.store, &key, self.gateway.clock.now_ms()).await?;
        let (mut resealed, mut lost) = (0, Vec::new());
        for _ in 0..PASSES {
            let before = resealed;
            lost.clear();
            for row in store::credentials::list(&self.store).await? {
                let Some(sealed) = &row.sealed else { continue };
                let moved = Envelope::read(sealed).and_then(|envelope| {
                    let there = envelope.key_id() == key;
                    (!there).then(|| envelope.reseal(&row.id, row.version, &key, master)).transpose()
                });
                match moved {
                    Ok(None) => {}
                    Ok(Some(moved)) => {
                        let done = store::credentials::reseal(&self.store, &row.id, sealed, &moved.written())
                            .await?;
                        resealed += usize::from(done);
                    }
                    Err(error) => {
                        tracing::warn!(credential = row.name, %error, "a credential cannot be sealed anew");
                        lost.push(row.name);
                    }
                }
            }
            if resealed == before {
                break;
            }
        }
        Ok(Resealed { key, resealed, lost })
    }
}
