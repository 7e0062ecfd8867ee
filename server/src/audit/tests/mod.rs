//! The log against a real database in a real folder.

mod broken;
mod crash;
mod durable;
mod load;
mod lost;
mod prove;
mod replicas;
mod sequencing;

use std::path::Path;

use bailiwick_ledger::{Draft, Kind, LogId, Section};
use smallvec::smallvec;
use tempfile::TempDir;

use super::*;
use crate::store::budgets::{self, Budget};
use crate::store::scopes;
use crate::testing::database;

/// The database's file, where it is one.
const FILE: &str = "bailiwick.db";

/// A log in a folder of its own.
struct TestLog {
    folder: TempDir,
    store: Store,
    clock: Clock,
    audit: Audit,
}

impl TestLog {
    async fn new() -> Self {
        Self::reopen(TempDir::new().unwrap()).await.unwrap()
    }

    async fn reopen(folder: TempDir) -> Result<Self, AuditOpenError> {
        let clock = Clock::new();
        let (store, audit) = open(folder.path(), &clock).await?;
        Ok(Self { folder, store, clock, audit })
    }

    /// Closes everything, as a server does that stops in good order, and leaves the files.
    async fn stop(self) -> TempDir {
        self.audit.close().await.unwrap();
        self.store.close().await;
        self.folder
    }

    /// A scope with a budget.
    async fn budget(&self) -> BudgetId {
        scopes::put(&self.store, "/", serde_json::json!({}), 0).await.unwrap();
        scopes::put(&self.store, "/acme", serde_json::json!({}), 0).await.unwrap();
        let budget = Budget {
            id: 0,
            scope: Some("/acme".into()),
            key_id: None,
            owner: None,
            model_group: None,
            window: "day".into(),
            unit: "usd".into(),
            limit_nano: 1_000_000_000,
            hard: true,
            thresholds: serde_json::json!([]),
            settings: serde_json::json!({}),
            created_ms: 0,
        };
        budgets::create(&self.store, budget).await.unwrap()
    }
}

async fn open(folder: &Path, clock: &Clock) -> Result<(Store, Audit), AuditOpenError> {
    open_holding(folder, clock, Vec::new()).await
}

/// Opens it where somebody holds checkpoints.
async fn open_holding(
    folder: &Path,
    clock: &Clock,
    held: Vec<(String, SignedCheckpoint)>,
) -> Result<(Store, Audit), AuditOpenError> {
    let store = Store::open_in(folder).await?;
    let config = AuditConfig {
        log: LogId::new("log.example/test").unwrap(),
        replica: "r1".into(),
        key: load_or_create_key(&folder.join("log.key"))?,
        checkpoint_file: Some(folder.join("log.checkpoint")),
        held,
        duty: None,
        spool: None,
    };
    let audit = Audit::open(store.clone(), config, clock.clone()).await?;
    Ok((store, audit))
}

/// Runs SQL that the store would never run, on a connection of its own.
async fn sql(folder: &Path, statements: &str) {
    use sea_orm::ConnectionTrait as _;
    if let Some(url) = database::postgres_in(folder).await {
        return database::run(&url, statements).await;
    }
    let url = format!("sqlite://{}", folder.join(FILE).display());
    let db = sea_orm::Database::connect(url).await.unwrap();
    db.execute_unprepared(statements).await.unwrap();
    db.close().await.unwrap();
}

fn row(decision: &str, outcome: &str) -> IndexUpdate {
    IndexUpdate {
        id: decision.into(),
        time_ms: 1_700_000_000_000,
        scope: "/acme".into(),
        key_id: Some("key1".into()),
        model: Some("gpt".into()),
        outcome: outcome.into(),
        endpoint: None,
        redactions: Some("EMAIL=1".into()),
        classes: Some("personal".into()),
        cost_nano: None,
        overhead_us: None,
        status: None,
        code: None,
    }
}

/// The shape of what the gateway records before it sends.
fn attempt(decision: &str) -> Entry {
    let facts = serde_json::json!({"model": "gpt", "data": ["personal"], "subject_region": ["DE"], "findings": {"EMAIL": 1}});
    let tried =
        serde_json::json!({"endpoint": "azure-sweden", "reserved_nano": 12_345_678, "budgets": [1, 2, 3]});
    let draft = Draft::new(Kind::Attempt, 1_700_000_000_000)
        .scope("/acme")
        .id("decision", decision)
        .id("attempt", "1")
        .id("key", "key1")
        .digest("bundle", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
        .section(Section::new("facts", &facts, salt()).unwrap())
        .section(Section::new("attempt", &tried, salt()).unwrap());
    Entry { draft, bookings: smallvec![], spent_by: None, index: Some(row(decision, "forwarding")) }
}

/// The shape of what it records after.
fn outcome(decision: &str, budget: Option<BudgetId>) -> Entry {
    let usage = serde_json::json!({"input_tokens": 812, "output_tokens": 120, "cost_nano": 1_000});
    let draft = Draft::new(Kind::Outcome, 1_700_000_000_500)
        .scope("/acme")
        .id("decision", decision)
        .id("attempt", "1")
        .section(Section::new("usage", &usage, salt()).unwrap());
    let bookings = budget
        .into_iter()
        .map(|budget| Booking { budget, window_start_ms: 86_400_000, delta_nano: 1_000 })
        .collect();
    Entry { draft, bookings, spent_by: None, index: Some(row(decision, "answered")) }
}

fn salt() -> [u8; 32] {
    super::export::salt().unwrap()
}
