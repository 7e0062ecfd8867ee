//! Follows the Git repository of the policy (`[policy.git]`).
//!
//! One of several servers looks at the repository, the one on duty; while that one does not reach it, each of the others
//! does. What is found good is published in the database (`store/policy_versions.rs`), with the bundle's files. That raises the revision of the configuration, so every server,
//! this one too, follows it as it follows any other change (`app/follow.rs`). So all decide by the same commit, whether or
//! not they reach the repository, and none can fall back to an older one: the database holds the last good bundle, for a
//! start without the repository too.
//!
//! What is refused leaves the policy in force. It is recorded once, logged, told by `/metrics` and the status, and tried
//! again at each look: an approval may come later.

mod check;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, TryLockError};
use std::time::Duration;

use bailiwick_ledger::Kind;
use bailiwick_policy::unknown_scopes;
use metrics::gauge;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};

use super::lifecycle::{IN_FORCE, Unrecorded};
use super::{Act, App, StartError};
use crate::clock::Clock;
use crate::gateway::record::RecordError;
use crate::git::{self, Candidate, GitConfig, Refused, Stage};
use crate::snapshot::{BuildError, Sources, keep_bundle};
use crate::store::policy_versions::PolicyVersion;
use crate::store::{self, Store, StoreError};

/// The act of putting a commit in force.
pub(super) const FOLLOWED: &str = "policy_followed";
/// The setting that holds what was refused last, until something is in force or nothing new is there any more.
const REFUSED: &str = "policy_refused";
/// The folder of the mirror in the data directory.
const MIRROR: &str = "policy.git";
/// The shortest time between two looks, however often somebody says that there is something new.
const REST: Duration = Duration::from_millis(500);
/// How long a look may take; a fetch gives up before.
const LONGEST: Duration = Duration::from_secs(150);

/// Why the policy could not be followed. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The audit log.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It is published and cannot be put in force here.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// A refusal could not be recorded.
    #[error("{0}")]
    Unrecorded(String),
}

impl From<Unrecorded> for FollowError {
    fn from(error: Unrecorded) -> Self {
        Self::Unrecorded(error.to_string())
    }
}

/// What was refused last, and since when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LastRefused {
    /// What and why.
    #[serde(flatten)]
    refused: Refused,
    /// Since when, Unix milliseconds.
    since_ms: i64,
    /// Why the server on duty does not reach the repository, as long as it does not: others look in its place, and what
    /// they refuse comes before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unreached: Option<Refused>,
}

/// Which policy is in force, and what stands in the way of another one.
#[derive(Debug, Serialize)]
pub struct PolicyStatus {
    /// `git`, `folder` or `starter`.
    source: &'static str,
    /// The bundle's name.
    name: String,
    /// Its version, as its authors count.
    version: String,
    digest: String,
    /// The repository, where there is one.
    git: Option<Value>,
    /// The commit in force.
    commit: Option<Value>,
    /// The head that is not followed, or why there is none.
    refused: Option<LastRefused>,
    /// What is probably not what the authors of the bundle in force meant: each with its file, line and way out.
    doubts: Vec<String>,
    /// The last commits that were in force, newest first.
    history: Vec<Value>,
}

/// A version for records and people.
pub(super) fn told(version: &PolicyVersion) -> Value {
    json!({
        "id": version.id,
        "source": version.source,
        "commit": version.commit_id,
        "digest": version.digest,
        "author": version.author,
        "approver": version.approver,
        "since_ms": version.since_ms,
    })
}

/// Whether [`FOLLOWED`] took effect: see [`super::acts`].
pub(super) async fn took_effect(store: &Store, what: &Value) -> Result<Option<bool>, StoreError> {
    let (id, commit) = (what.get("id").and_then(Value::as_i64), what.get("commit").and_then(Value::as_str));
    let version = match id {
        Some(id) => store::policy_versions::get(store, id).await?,
        None => None,
    };
    Ok(Some(version.is_some_and(|version| Some(version.commit_id.as_str()) == commit)))
}

fn version(
    config: &GitConfig,
    before: i64,
    candidate: &Candidate,
    digest: String,
    now_ms: i64,
) -> PolicyVersion {
    PolicyVersion {
        id: before.saturating_add(1),
        source: config.source(),
        commit_id: candidate.commit.clone(),
        digest,
        author: candidate.author.as_ref().map(ToString::to_string),
        approver: candidate.approver.as_ref().map(ToString::to_string),
        since_ms: now_ms,
    }
}

/// What looks at the repository.
#[derive(Debug)]
pub(super) struct Looker {
    config: GitConfig,
    mirror: PathBuf,
    /// One look at a time: a second one would find the first one's mirror half written.
    looking: Arc<Mutex<()>>,
    /// Somebody says that the repository has changed.
    pub(super) changed: Arc<Notify>,
}

impl Looker {
    pub(super) fn new(config: &GitConfig, data_dir: &Path) -> Self {
        let mirror = data_dir.join(MIRROR);
        Self { config: config.clone(), mirror, looking: Arc::default(), changed: Arc::default() }
    }

    /// Looks in a thread of its own: a repository may be silent, and nothing else waits for it.
    async fn look(&self, in_force: Option<String>, now_ms: i64) -> Result<Option<Candidate>, Refused> {
        let (config, mirror, looking) = (self.config.clone(), self.mirror.clone(), Arc::clone(&self.looking));
        let (tell, heard) = oneshot::channel();
        let failed = |why: &str| Refused::new(Stage::Repository, format!("{}: {why}", self.config.url));
        let silent = failed("it does not answer");
        let busy = silent.clone();
        let look = move || {
            let _looking = match looking.try_lock() {
                Ok(looking) => looking,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    let _ = tell.send(Err(busy));
                    return;
                }
            };
            let _ = tell.send(git::look(&config, &mirror, in_force.as_deref(), now_ms));
        };
        if let Err(error) = std::thread::Builder::new().name(String::from("policy")).spawn(look) {
            return Err(failed(&error.to_string()));
        }
        match tokio::time::timeout(LONGEST, heard).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(_)) => Err(failed("it holds something that cannot be read at all")),
            Err(_) => Err(silent),
        }
    }

    /// Makes sure that a policy is in force before the server serves: the last good one, which the database has, or the
    /// head of the branch.
    pub(super) async fn begin(
        &self,
        store: &Store,
        sources: &Sources,
        clock: &Clock,
    ) -> Result<(), StartError> {
        if store::policy_versions::current(store).await?.is_some() {
            return Ok(());
        }
        let failed = |why: String| StartError::System {
            what: format!("no policy has come out of {} yet, and none can be had now", self.config.source()),
            why,
        };
        let now_ms = clock.now_ms();
        let found = self.look(None, now_ms).await.map_err(|refused| failed(refused.to_string()))?;
        let Some(candidate) = found else { return Ok(()) };
        // There may be no organisation yet.
        let digest = check::check(store, sources, &candidate, check::Known::Nothing, now_ms)
            .await?
            .map_err(|refused| failed(refused.at(&candidate.commit).to_string()))?;
        keep_bundle(store, &digest, &candidate.files, now_ms).await?;
        // Of several servers that start at once one is first; it is its version that holds.
        store::policy_versions::publish(store, version(&self.config, 0, &candidate, digest, now_ms)).await?;
        Ok(())
    }
}

/// Starts the task; it ends with the server.
pub(super) fn start(app: &Arc<App>) {
    let Some(policy) = app.policy.clone() else { return };
    let weak = Arc::downgrade(app);
    let stopping = app.gateway.stopping.clone();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(policy.config.interval_seconds));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => {}
                () = policy.changed.notified() => {}
            }
            {
                let Some(app) = weak.upgrade() else { return };
                tokio::select! {
                    () = stopping.cancelled() => return,
                    () = app.look_at_policy(&policy) => {}
                }
            }
            tokio::time::sleep(REST).await;
        }
    });
}

impl App {
    /// Somebody says that the repository has changed: it is looked at now, by the server whose duty that is. `false` where
    /// none is followed.
    pub fn policy_changed(&self) -> bool {
        let Some(policy) = &self.policy else { return false };
        policy.changed.notify_one();
        if let Some(bus) = &self.bus {
            bus.policy_changed();
        }
        true
    }

    /// Which policy is in force.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn policy_status(&self) -> Result<PolicyStatus, StoreError> {
        let snapshot = self.gateway.snapshot.load_full();
        let bundle = snapshot.policy.bundle();
        let git = self.config.policy.git.as_ref();
        let scopes = check::scopes(&self.store).await?;
        let unknown = if scopes.is_empty() { Vec::new() } else { unknown_scopes(bundle, &scopes) };
        let linted = match snapshot.loaded.known_doubts() {
            Some(known) => known.to_vec(),
            // With thousands of rules it takes longer than a request may wait for a thread.
            None => {
                let loaded = Arc::clone(&snapshot.loaded);
                let now_ms = snapshot.decide_at_ms.unwrap_or_else(|| self.gateway.clock.now_ms());
                crate::background::soon(move || loaded.doubts(now_ms).to_vec()).await.unwrap_or_default()
            }
        };
        let (refused, history) = match git {
            Some(_) => (self.last_refused().await?, store::policy_versions::last(&self.store, 10).await?),
            None => (None, Vec::new()),
        };
        Ok(PolicyStatus {
            source: match git {
                Some(_) => "git",
                None if self.config.bundle.is_some() => "folder",
                None => "starter",
            },
            name: bundle.name.clone(),
            version: bundle.version.clone(),
            digest: snapshot.bundle_digest.clone(),
            git: git.map(|git| {
                json!({
                    "url": git.url, "branch": git.branch, "folder": git.folder,
                    "signatures": git.require_signature, "approval": git.require_approval,
                })
            }),
            commit: snapshot.version.as_ref().map(told),
            refused,
            doubts: linted.iter().chain(&unknown).map(ToString::to_string).collect(),
            history: history.iter().map(told).collect(),
        })
    }

    async fn last_refused(&self) -> Result<Option<LastRefused>, StoreError> {
        let kept = store::settings::get(&self.store, REFUSED).await?;
        Ok(kept.and_then(|value| serde_json::from_value(value).ok()))
    }

    async fn look_at_policy(&self, policy: &Looker) {
        let refused = match self.look_or_stand_in(policy).await {
            Ok(refused) => refused,
            Err(error) => {
                tracing::error!(%error, "the policy could not be followed; it is tried again");
                return;
            }
        };
        let stage = refused.as_ref().map(|last| last.refused.stage);
        for one in Stage::ALL {
            gauge!("bailiwick_policy_refused", "stage" => one.as_str())
                .set(f64::from(u8::from(Some(one) == stage)));
        }
    }

    /// What stands refused after it.
    async fn look_or_stand_in(&self, policy: &Looker) -> Result<Option<LastRefused>, FollowError> {
        let last = self.last_refused().await?;
        let stand_in = !self.is_on_duty();
        if stand_in && last.as_ref().is_none_or(|last| last.unreached.is_none()) {
            return Ok(last);
        }
        self.follow_policy(policy, stand_in).await?;
        Ok(self.last_refused().await?)
    }

    async fn follow_policy(&self, policy: &Looker, stand_in: bool) -> Result<(), FollowError> {
        let config = &policy.config;
        let current = store::policy_versions::current(&self.store).await?;
        // A commit of another repository says nothing about this one's history.
        let in_force = current.as_ref().filter(|version| version.source == config.source());
        let now_ms = self.gateway.clock.now_ms();
        let seen = policy.look(in_force.map(|version| version.commit_id.clone()), now_ms);
        let candidate = match seen.await {
            Ok(None) => return self.nothing_refused(stand_in).await,
            Ok(Some(candidate)) => candidate,
            // That it is not reached from here either says nothing new.
            Err(refused) if stand_in && refused.stage == Stage::Repository => return Ok(()),
            Err(refused) => return self.refuse(refused, stand_in).await,
        };
        let known = check::Known::Organisation { scopes: config.require_known_scopes };
        let checked = check::check(&self.store, &self.sources, &candidate, known, now_ms).await?;
        let digest = match checked {
            Ok(digest) => digest,
            Err(refused) => return self.refuse(refused.at(&candidate.commit), stand_in).await,
        };
        let before = current.as_ref().map_or(0, |version| version.id);
        let version = version(config, before, &candidate, digest, now_ms);
        let act = Act {
            kind: Kind::Policy,
            principal: "system",
            scope: Some("/"),
            name: FOLLOWED,
            what: told(&version),
        };
        let (store, digest, files) = (self.store.clone(), version.digest.clone(), candidate.files);
        let change = async {
            // A large one takes longer to write out than a request may wait for a thread.
            let keeping = crate::background::run_waiting(async move || {
                keep_bundle(&store, &digest, &files, now_ms).await
            });
            keeping.await.map_err(|error| StoreError::Unavailable(error.to_string()))??;
            let first = store::policy_versions::publish(&self.store, version.clone()).await?;
            if first {
                let digest = version.digest.as_str().into();
                store::settings::put(&self.store, IN_FORCE, digest, now_ms).await?;
            }
            Ok::<_, FollowError>(first)
        };
        // Of several servers that follow one is first.
        if self.act(act, |first| json!({ "published": first }), change).await? {
            tracing::info!(
                commit = version.commit_id,
                digest = version.digest,
                stand_in,
                "a commit's policy is in force"
            );
        }
        self.nothing_refused(stand_in).await
    }

    /// Tells the log and the operator, once. `stand_in` tells whether another server is on duty, which does not reach the
    /// repository.
    async fn refuse(&self, refused: Refused, stand_in: bool) -> Result<(), FollowError> {
        let last = self.last_refused().await?;
        let unreached = if stand_in {
            last.as_ref().and_then(|last| last.unreached.clone())
        } else {
            (refused.stage == Stage::Repository).then(|| refused.clone())
        };
        let told = last.as_ref().is_some_and(|last| {
            // What others refuse in the meantime is not undone by not reaching it still.
            last.refused == refused || (!stand_in && unreached.is_some() && last.unreached == unreached)
        });
        if told && last.is_some_and(|last| last.unreached == unreached) {
            return Ok(());
        }
        if !told {
            tracing::error!(
                stage = refused.stage.as_str(),
                commit = refused.commit,
                "the policy in force stays: {refused}"
            );
            self.append(Kind::Policy, "refused", &refused).await?;
        }
        self.put_refused(Some(refused), unreached).await
    }

    /// The head is in force. Where others reach the repository, it stays told that the server on duty does not.
    async fn nothing_refused(&self, stand_in: bool) -> Result<(), FollowError> {
        let Some(last) = self.last_refused().await? else { return Ok(()) };
        if !stand_in {
            tracing::info!("the repository of the policy holds nothing any more that is refused");
            return self.put_refused(None, None).await;
        }
        if Some(&last.refused) == last.unreached.as_ref() {
            return Ok(());
        }
        self.put_refused(last.unreached.clone(), last.unreached).await
    }

    async fn put_refused(
        &self,
        refused: Option<Refused>,
        unreached: Option<Refused>,
    ) -> Result<(), FollowError> {
        let since_ms = self.gateway.clock.now_ms();
        let last = refused.map(|refused| LastRefused { refused, since_ms, unreached });
        let value = serde_json::to_value(last).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        Ok(store::settings::put(&self.store, REFUSED, value, since_ms).await?)
    }
}
