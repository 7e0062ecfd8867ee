//! The server as a whole: opened, kept up to date, closed.

pub(crate) mod acts;
mod attestations;
mod bus;
mod clients;
mod compliance;
mod config;
mod credentials;
mod effect;
mod first;
mod follow;
mod head;
mod housekeeping;
mod kill_switches;
mod lifecycle;
mod listen;
mod loading;
mod membership;
mod policy;
mod predecessor;
pub(crate) mod recover;
mod router;
mod secrets;
mod thresholds;
pub mod traffic;
mod transport;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bailiwick_ledger::LogId;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use acts::Act;
pub(crate) use acts::{ACT, BEGUN, PHASE};
pub use compliance::{Changed, ComplianceStatus, InForce};
pub use config::{
    ClientCertificates, ComplianceConfig, Config, ConfigError, DatabaseUrl, LimitsConfig, MetricsAccess,
    PolicyConfig, TlsConfig, UpstreamConfig,
};
pub use credentials::{CredentialsConfig, NotSealed, Resealed};
pub use listen::{Listening, serve_on};
pub use loading::{read_bundle, sources};
pub use policy::PolicyStatus;
pub use router::{metrics_recorder, router};
use secrets::Secrets;
pub(crate) use secrets::{SECRETS, create_data_dir, lock as lock_data_dir, write_private};
pub use thresholds::ThresholdReached;

use crate::alerts::{self, Alerts};
use crate::audit::{Audit, AuditConfig, AuditError, AuditOpenError, SpoolConfig};
use crate::background;
use crate::budgets::{Budgets, Bus, NoBus, Patience};
use crate::clock::Clock;
use crate::gateway::{Freshness, Gateway, RefusedAuthentication, SealedThoughts, Unread};
use crate::git::GitConfig;
use crate::identity;
use crate::organisation;
use crate::outbound::Http;
use crate::snapshot::{self, BuildError, Snapshot, Sources};
use crate::store::{self, Location, Store, StoreError};

/// How long the database may take to let go of its connections.
const LET_GO: Duration = Duration::from_secs(5);

/// How long a snapshot may take to be read, and the log to be closed.
const BUILD: Duration = Duration::from_secs(20);
/// How often and how many times it is looked whether requests still hold a replaced snapshot; then the last of them
/// frees it.
const HELD_LOOK: Duration = Duration::from_millis(100);
const HELD_LOOKS: u32 = 600;

/// How long a request waits for others' reservations before a budget refuses it, how many may wait so, and how often
/// it is looked whether another replica is short, where there can be one.
fn budget_patience(shared: bool) -> Patience {
    let look = if shared { Duration::from_millis(250) } else { Duration::from_secs(86_400) };
    Patience { wait: Duration::from_secs(5), limit_wait: Duration::from_secs(1), waiters: 1_000, look }
}

/// Why the server could not start. The text tells what to change.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The policy bundle.
    #[error("the policy bundle in {folder} does not load:\n{problems}")]
    Bundle {
        /// Where it was looked for.
        folder: String,
        /// Each problem on a line.
        problems: String,
    },
    /// The compliance database.
    #[error("the compliance database does not load: {0}")]
    Compliance(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The audit log.
    #[error(transparent)]
    Audit(#[from] AuditOpenError),
    /// The configuration in the database.
    #[error(transparent)]
    Snapshot(#[from] BuildError),
    /// Anything of the operating system.
    #[error("{what}: {why}")]
    System {
        /// What was tried.
        what: String,
        /// What came of it.
        why: String,
    },
}

impl StartError {
    /// The same with the file that the database is in, where it is about that.
    fn in_file(self, file: &std::path::Path) -> Self {
        match self {
            Self::Store(error) => Self::Store(error.in_file(file)),
            Self::Audit(AuditOpenError::Store(error)) => {
                Self::Audit(AuditOpenError::Store(error.in_file(file)))
            }
            Self::Snapshot(BuildError::Store(error)) => {
                Self::Snapshot(BuildError::Store(error.in_file(file)))
            }
            other => other,
        }
    }
}

/// What sets a demo apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoMode {
    /// Decide as of this instant, Unix milliseconds.
    pub decide_at_ms: i64,
}

/// Lets go of what was in force, after the requests that hold it: freeing thousands of rules would hold up the last.
async fn let_go(replaced: Arc<Snapshot>) {
    let mut waits = HELD_LOOKS;
    while Arc::strong_count(&replaced) > 1 && waits > 0 {
        tokio::time::sleep(HELD_LOOK).await;
        waits -= 1;
    }
    let _ = background::run(|| drop(replaced)).await;
}

/// A running server without its sockets.
#[derive(Debug)]
pub struct App {
    /// What requests share.
    pub gateway: Arc<Gateway>,
    /// The database.
    pub store: Store,
    /// Bundle, compliance database, recognizers.
    pub sources: Sources,
    /// The configuration.
    pub config: Config,
    /// Whether every provider is simulated.
    pub simulated: bool,
    /// The client for everything that is no model: never past the guard of addresses.
    pub http: Http,
    /// The identity providers, as far as they are known.
    pub providers: identity::Providers,
    /// The issuers of workloads' tokens, as far as they are known.
    pub issuers: identity::Issuers,
    /// What people are told of, and through what.
    pub alerts: Alerts,
    /// Budgets that reach a share of their limit, as it is noticed.
    pub thresholds: tokio::sync::broadcast::Sender<ThresholdReached>,
    /// Cancelled where another replica stopped this one, which was silent for too long: it can record nothing more, so
    /// it must be opened again, and is then a new replica.
    pub fenced: CancellationToken,
    /// Whether this replica does what one of several has to do for all; `None` where it is the only one.
    duty: Option<watch::Receiver<bool>>,
    /// The way to the other servers, where there may be some.
    bus: Option<bus::DatabaseBus>,
    /// What looks at the repository of the policy, where one is followed.
    policy: Option<Arc<policy::Looker>>,
    /// Another server says that the configuration has changed.
    changed: Arc<Notify>,
    /// Keeps another server out of the data directory, until this one is closed.
    lock: std::sync::Mutex<Option<std::fs::File>>,
    /// One act that changes the configuration at a time.
    changing: tokio::sync::Mutex<()>,
    /// One snapshot is built at a time, so that none is put in force after one that was read later.
    building: tokio::sync::Mutex<()>,
    /// The revision of the configuration that is in force, or an earlier one.
    revision: AtomicI64,
    /// Ends of acts that the log has not taken yet.
    unended: acts::Unended,
    /// Uses of keys before this instant, Unix milliseconds, are written down.
    key_use_told: AtomicI64,
    /// Whether something is stored that is not in force: a snapshot could not be built of it.
    stale: AtomicBool,
}

impl App {
    /// Opens everything in the configuration's data directory.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn open(config: Config, demo: Option<DemoMode>) -> Result<Arc<Self>, StartError> {
        let file = match &config.database_url {
            Some(url) => Location::of(url.as_str()).ok(),
            None => Some(Location::File(config.data_dir.join("bailiwick.db"))),
        };
        let opened = Box::pin(Self::open_all(config, demo)).await;
        opened.map_err(|error| match file {
            Some(Location::File(file)) => error.in_file(&file),
            _ => error,
        })
    }

    async fn open_all(config: Config, demo: Option<DemoMode>) -> Result<Arc<Self>, StartError> {
        config.check()?;
        secrets::create_data_dir(&config.data_dir)?;
        let lock = secrets::lock(&config.data_dir)?;
        let http = clients::http(&config.upstream)?;
        let keyring = credentials::keyring(&config, &http, demo.is_some())?;
        let mut sources = sources(&config, keyring, compliance::shipped(config.compliance.as_ref())?)?;
        sources.decide_at_ms = demo.map(|demo| demo.decide_at_ms);
        let store = match &config.database_url {
            Some(url) => Store::open(url.as_str()).await?,
            None => Store::open_file(&config.data_dir.join("bailiwick.db")).await?,
        };
        let shared = store.is_shared();
        let clock = Clock::new();
        let alerts = clients::alerts(&config, &http)?;
        let (duty, on_duty) = watch::channel(false);
        let secrets = Secrets::load(&config.data_dir)?;
        if shared {
            secrets.agree(&store, &config.data_dir, clock.now_ms()).await?;
        }
        let log = log_id(&store, &clock).await?;
        let log_name = log.to_string();
        // After its first rows: a database in which these stand already is not filled any more.
        store::standing::check(&store).await?;
        compliance::refuse_older(&store, config.compliance.as_ref(), &sources.shipped).await?;
        let place = predecessor::Place::new(&config.data_dir, &lock, &log);
        let bound = Duration::from_secs(config.limits.staleness_seconds.get());
        let spool = (shared && config.limits.spool_bytes > 0).then(|| SpoolConfig {
            path: predecessor::spool_in(&config.data_dir),
            bytes: config.limits.spool_bytes,
            bound,
        });
        let audit = AuditConfig {
            log,
            replica: config.replica.clone(),
            key: secrets.log,
            checkpoint_file: Some(config.data_dir.join("checkpoint")),
            held: config.checkpoints.clone(),
            duty: shared.then(|| on_duty.clone()),
            spool,
        };
        let before = if shared { place.take_over(&store, &audit, &config.data_dir).await? } else { None };
        let audit = Audit::open(store.clone(), audit, clock.clone()).await?;
        store::alerts::begin(&store, &log_name).await?;
        if !shared {
            store::alert_messages::release(&store, clock.now_ms()).await?;
        }
        if shared {
            place.write(audit.replica().number)?;
            if !audit.begin_spool().await? {
                tracing::info!("a server of an older version runs: nothing is spooled until it has stopped");
            }
        } else {
            recover::book_unsettled(&audit, &store, &clock).await?;
        }
        credentials::agree(&store, audit.replica().number, &sources.keyring, clock.now_ms()).await?;
        let asked = Instant::now();
        let lessee = audit.lessee();
        lessee.begin().await?;
        let bus = shared.then(|| bus::DatabaseBus::new(&store, audit.replica().number));
        let to_others: Arc<dyn Bus> = match &bus {
            Some(bus) => Arc::new(bus.clone()),
            None => Arc::new(NoBus),
        };
        let budgets = Budgets::new(lessee, budget_patience(shared), to_others);
        let fenced = budgets.lost().clone();
        let providers = clients::identity_providers(&config, &http);
        organisation::own_limits(&store, clock.now_ms()).await.map_err(|error| StartError::System {
            what: String::from("the rate limits of keys cannot be stored"),
            why: error.to_string(),
        })?;
        let policy = match &config.policy.git {
            Some(git) => {
                let git = GitConfig { way: clients::way(&config.upstream)?, ..git.clone() };
                Some(Arc::new(policy::Looker::new(&git, &config.data_dir)))
            }
            None => None,
        };
        if let Some(policy) = &policy {
            policy.begin(&store, &sources, &clock).await?;
        }
        let (mut revision, mut snapshot) =
            snapshot::build_whole(&store, &sources, &budgets, None, clock.now_ms()).await?;
        if credentials::first_look(&sources.keyring).await {
            (revision, snapshot) =
                snapshot::build_whole(&store, &sources, &budgets, None, clock.now_ms()).await?;
        }
        report_unusable(&snapshot);
        let of = config.compliance.as_ref();
        compliance::report(&store, of, &sources.shipped, &snapshot.policy, clock.now_ms()).await?;
        let gateway = Arc::new(Gateway {
            snapshot: ArcSwap::from_pointee(snapshot),
            freshness: Freshness::new(bound),
            audit,
            budgets,
            client: clients::upstream(&config.upstream)?,
            clock,
            limits: config.limits.body(),
            trusted_proxies: config.proxies(),
            token_key: secrets.token,
            pseudonyms: secrets.pseudonyms,
            sealed: SealedThoughts::new(store.clone()),
            attempts: TaskTracker::new(),
            stopping: CancellationToken::new(),
            stopping_live: CancellationToken::new(),
            refused: RefusedAuthentication::default(),
            unread: Unread::default(),
        });
        let app = Arc::new(Self {
            gateway,
            store,
            sources,
            config,
            simulated: demo.is_some(),
            http,
            providers,
            issuers: identity::Issuers::default(),
            alerts,
            thresholds: tokio::sync::broadcast::Sender::new(64),
            fenced,
            duty: shared.then_some(on_duty),
            bus,
            policy,
            changed: Arc::default(),
            lock: std::sync::Mutex::new(Some(lock)),
            changing: tokio::sync::Mutex::new(()),
            building: tokio::sync::Mutex::new(()),
            revision: AtomicI64::new(revision),
            unended: acts::Unended::default(),
            key_use_told: AtomicI64::new(0),
            stale: AtomicBool::new(false),
        });
        app.started().await.map_err(|error| StartError::System {
            what: String::from("the start cannot be recorded"),
            why: error.to_string(),
        })?;
        app.gateway.freshness.confirm(asked);
        follow::start(&app);
        policy::start(&app);
        credentials::start(&app);
        housekeeping::start(&app);
        alerts::start(&app);
        traffic::start(&app);
        if shared {
            membership::start(&app, duty);
            bus::listen(&app);
        }
        if let Some(before) = before {
            predecessor::booked(&app.store, before).await?;
        }
        Ok(app)
    }

    /// Builds a snapshot of what is configured now and puts it in force.
    ///
    /// # Errors
    /// [`BuildError`]; the old one stays in force.
    pub async fn reload(&self) -> Result<(), BuildError> {
        let _one_at_a_time = self.building.lock().await;
        self.stale.store(true, Ordering::Relaxed);
        let previous = self.gateway.snapshot.load_full();
        let now_ms = self.gateway.clock.now_ms();
        let (store, sources) = (self.store.clone(), self.sources.clone());
        let (budgets, before) = (self.gateway.budgets.clone(), Arc::clone(&previous));
        let building = background::run_waiting(async move || {
            snapshot::build_whole(&store, &sources, &budgets, Some(&before), now_ms).await
        });
        let unavailable = |why: String| StoreError::Unavailable(why);
        let built = tokio::time::timeout(BUILD, building).await;
        let built = built.map_err(|_| unavailable(String::from("the database is silent")))?;
        let (revision, snapshot) = built.map_err(|error| unavailable(error.to_string()))??;
        report_unusable(&snapshot);
        let replaced = self.gateway.snapshot.swap(Arc::new(snapshot));
        drop(previous);
        tokio::spawn(let_go(replaced));
        self.revision.store(revision, Ordering::Relaxed);
        self.stale.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether what one of several replicas has to do for all is for this one to do.
    pub(crate) fn is_on_duty(&self) -> bool {
        self.duty.as_ref().is_none_or(|duty| *duty.borrow())
    }

    /// Lets go of the data directory, so that a new replica can begin in it while this one, which was stopped, still
    /// refuses what comes. Nothing that it has under way can be recorded any more.
    pub async fn retire(&self) {
        self.gateway.stopping.cancel();
        if tokio::time::timeout(LET_GO, self.gateway.audit.abandon()).await.is_err() {
            tracing::warn!("the audit log does not let go of its spool");
        }
        drop(self.lock.lock().map(|mut lock| lock.take()));
    }

    /// Waits for what is under way, up to `grace`, then signs the log's last checkpoint and closes the database. A
    /// replica that was stopped only closes the database.
    pub async fn close(&self, grace: Duration) {
        if self.fenced.is_cancelled() {
            self.retire().await;
            // Who waits for the log learns that there is no answer.
            if tokio::time::timeout(LET_GO, self.gateway.audit.close()).await.is_err() {
                tracing::warn!("the audit log does not end");
            }
        } else {
            self.finish(grace).await;
        }
        if tokio::time::timeout(LET_GO, self.store.close()).await.is_err() {
            tracing::warn!("the database does not let go of its connections");
        }
        drop(self.lock.lock().map(|mut lock| lock.take()));
    }

    async fn finish(&self, grace: Duration) {
        let gateway = &self.gateway;
        gateway.attempts.close();
        if tokio::time::timeout(grace, gateway.attempts.wait()).await.is_err() {
            tracing::warn!(open = gateway.attempts.len(), "stopping before every attempt is settled");
        }
        gateway.stopping.cancel();
        self.alerts.end().await;
        self.end_acts().await;
        if let Err(error) = gateway.flush_refused().await {
            tracing::warn!(%error, "what was refused could not be recorded");
        }
        self.note_key_use().await;
        if let Err(error) = self.stopped().await {
            tracing::error!(%error, "the stop could not be recorded");
        }
        let closed = match tokio::time::timeout(BUILD, gateway.audit.close()).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::error!(%error, "the audit log could not be closed; the next start completes it");
                false
            }
            Err(_) => {
                tracing::error!("the audit log could not be closed: the database is silent");
                false
            }
        };
        // Who takes its leave has nothing left to hand in.
        if closed
            && self.store.is_shared()
            && let Ok(Err(error)) = tokio::time::timeout(LET_GO, self.leave()).await
        {
            tracing::warn!(%error, "this replica could not take its leave; the others will notice");
        }
    }

    async fn leave(&self) -> Result<(), AuditError> {
        store::replicas::leave(&self.store, self.gateway.audit.replica()).await?;
        recover::give_back(self).await
    }
}

/// The log's id: made once, kept in the database.
async fn log_id(store: &Store, clock: &Clock) -> Result<LogId, StartError> {
    const SETTING: &str = "log_id";
    let impossible = |why: String| StartError::System { what: String::from("the log has no id"), why };
    let kept = store::settings::get(store, SETTING).await?;
    let text = match kept.as_ref().and_then(serde_json::Value::as_str) {
        Some(text) => text.to_owned(),
        None => {
            let random = crate::keys::secret::random::<8>().map_err(|error| impossible(error.to_string()))?;
            let text = format!("bailiwick/{}", hex::encode(random));
            // Of several that start at once the first one names the log.
            let kept = store::settings::keep_first(store, SETTING, text.into(), clock.now_ms()).await?;
            kept.as_str().unwrap_or_default().to_owned()
        }
    };
    LogId::new(text).map_err(|error| impossible(error.to_string()))
}

fn report_unusable(snapshot: &Snapshot) {
    for problem in &snapshot.unusable {
        tracing::warn!(problem = problem.why, "an endpoint is declared but cannot be used");
    }
}
