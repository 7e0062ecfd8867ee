//! Servers on one database with one simulated provider, and what every test of them must leave behind: attempts that all
//! have one outcome, budgets that the outcomes explain, one tree that verifies and only ever grew.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bailiwick::demo::simulator::{Simulator, SimulatorConfig, SimulatorHandle};
use bailiwick::providers::Dialect;
use bailiwick::store::{self, Store};
use bailiwick_ledger::PublicKey;
use bytes::Bytes;
use reqwest::{Client, Method, Response};
use sea_orm::{ConnectionTrait as _, Database, DbErr, QueryResult, Statement};
use serde_json::{Value, json};

use crate::books::{Record, check_books, read_export};
use crate::load::{Load, Seen};
use crate::process::Process;
use crate::proxy::Proxy;
use crate::support::database;

/// How long anything that comes right by itself may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);
/// The endpoint's model.
pub(crate) const MODEL: &str = "open-model";
/// What makes servers of one database belong together.
const SECRETS: [&str; 3] = ["log.key", "token.key", "pseudonym.key"];
const NANO: i64 = 1_000_000_000;
/// The database in the data directory, where it is none of PostgreSQL.
const FILE: &str = "bailiwick.db";

/// A server of the fleet, running or not.
pub(crate) struct Replica {
    folder: PathBuf,
    database_url: Option<String>,
    pub(crate) wire: Option<Proxy>,
    process: Option<Process>,
    /// Where it serves now, for clients that ask while it comes and goes.
    url: Arc<Mutex<String>>,
}

impl Replica {
    pub(crate) fn start(&mut self) {
        self.start_with(&[]);
    }

    /// Starts it with more on its command line.
    pub(crate) fn start_with(&mut self, more: &[&str]) {
        let process = Process::start(&self.folder, self.database_url.as_deref(), more);
        self.url.lock().unwrap().clone_from(&process.url);
        self.process = Some(process);
    }

    /// Starts it where it must not serve; what it says.
    pub(crate) fn refuses_to_start(&self, more: &[&str]) -> String {
        Process::refused(&self.folder, self.database_url.as_deref(), more)
    }

    pub(crate) fn url(&self) -> String {
        self.url.lock().unwrap().clone()
    }

    pub(crate) fn running(&self) -> &Process {
        self.process.as_ref().expect("it runs")
    }

    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// Starts it and kills it so long after that, wherever it has got to by then.
    pub(crate) fn die_while_it_starts(&self, after: Duration) {
        Process::killed(&self.folder, self.database_url.as_deref(), after);
    }

    pub(crate) fn end(&mut self) {
        assert!(self.process.take().unwrap().end().success());
    }

    /// What it said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// See the module.
pub(crate) struct Fleet {
    pub(crate) replicas: Vec<Replica>,
    pub(crate) provider: SimulatorHandle,
    pub(crate) client: Client,
    /// Decisions of which a client saw an answer.
    pub(crate) seen: Arc<Mutex<BTreeSet<String>>>,
    token: String,
    key: PublicKey,
    /// The hashes of the leaves as they were last exported.
    leaves: Vec<String>,
    store: Store,
    folder: tempfile::TempDir,
}

/// A key with a budget.
#[derive(Debug, Clone)]
pub(crate) struct Purse {
    pub(crate) key: String,
    /// The key's id.
    pub(crate) id: String,
    /// The number of its budget.
    pub(crate) budget: i64,
}

impl Fleet {
    /// Starts so many; more than one only on PostgreSQL. A call costs what `price` says.
    pub(crate) async fn start(count: usize, price: &Value) -> Self {
        Self::start_with(count, price, "").await
    }

    /// As [`Fleet::start`], with more `[limits]`.
    pub(crate) async fn start_with(count: usize, price: &Value, limits: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let url = database::migrated_in(folder.path()).await;
        assert!(count == 1 || url.is_some());
        let mut replicas = Vec::new();
        for at in 0..count {
            let folder = folder.path().join(format!("replica-{at}"));
            let data = folder.join("data");
            std::fs::create_dir_all(&data).unwrap();
            let written = format!(
                "listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\nreplica = \"replica-{at}\"\n[upstream]\nprivate_networks = [\"127.0.0.0/8\"]\n[limits]\nshutdown_seconds = 10\n{limits}"
            );
            std::fs::write(folder.join("bailiwick.toml"), written).unwrap();
            let first = replicas.first().map(|first: &Replica| first.folder.join("data"));
            for secret in
                first.iter().flat_map(|first| SECRETS.map(|name| (first.join(name), data.join(name))))
            {
                std::fs::copy(secret.0, secret.1).unwrap();
            }
            let wire = match &url {
                Some(url) => Some(Proxy::to(address_of(url)).await),
                None => None,
            };
            let database_url = url
                .as_deref()
                .zip(wire.as_ref())
                // Under a name of its own, so that the database can tell its connections from others.
                .map(|(url, wire)| {
                    let url = url.replace(&address_of(url).to_string(), &wire.address.to_string());
                    format!("{url}?application_name=replica-{at}")
                });
            let mut replica = Replica { folder, database_url, wire, process: None, url: Arc::default() };
            replica.start();
            replicas.push(replica);
        }
        let data = folder.path().join("replica-0/data");
        let token = std::fs::read_to_string(data.join("admin.token")).unwrap().trim().to_owned();
        let store = match &url {
            Some(url) => Store::open(url).await.unwrap(),
            None => Store::open_file(&data.join(FILE)).await.unwrap(),
        };
        let key = bailiwick::audit::load_or_create_key(&data.join("log.key")).unwrap();
        let config = SimulatorConfig::new("provider", Dialect::Vllm).chat_model("open-weights");
        let provider = Simulator::start(config).await.unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let log = store::settings::get(&store, "log_id").await.unwrap().unwrap();
        let log = bailiwick_ledger::LogId::new(log.as_str().unwrap()).unwrap();
        let key = bailiwick_ledger::Signer::new(log, key).public().clone();
        let fleet = Self {
            replicas,
            provider,
            client,
            seen: Arc::default(),
            token,
            key,
            leaves: Vec::new(),
            store,
            folder,
        };
        fleet
            .apply(json!({
                "scopes": [{ "path": "/acme", "controller": "DE", "subject_regions": ["US"],
                    "sensitivity": "public", "opaque_content": "as_declared" }],
                "endpoints": [{
                    "name": "own", "scope": "/acme", "dialect": "vllm", "base_url": fleet.provider.url(),
                    "models": [{ "alias": MODEL, "upstream": "open-weights" }],
                    "profile": { "name": "own", "operator": "self", "service": "vllm", "model": "open-weights",
                        "declared": { "countries": ["DE"], "hosting": "on_premises", "retention_days": 0 } },
                    "price": price, "simulated": true,
                }],
            }))
            .await;
        fleet
    }

    /// The database, as a server sees it.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// As many servers as the run's database takes: three or one.
    pub(crate) fn size() -> usize {
        if database::on_postgres() { 3 } else { 1 }
    }

    pub(crate) fn data(&self, at: usize) -> PathBuf {
        self.replicas[at].folder.join("data")
    }

    /// Asks the control plane of the replica number `at`.
    pub(crate) async fn admin(
        &self,
        at: usize,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Response {
        let url = format!("{}{path}", self.replicas[at].url());
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn apply(&self, declaration: Value) -> Value {
        let answer = self.admin(0, Method::POST, "/api/v1/apply", Some(&declaration)).await;
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    }

    /// A new key with a budget of so many dollars for good, known to every replica.
    pub(crate) async fn purse(&self, name: &str, limit_usd: &str, lower_output: bool) -> Purse {
        // The budget is there before the key is: whoever knows the key knows its budget.
        self.apply(json!({ "budgets": [
            { "user": name, "window": "total", "limit_usd": limit_usd, "lower_output": lower_output },
        ] }))
        .await;
        let made = self.apply(json!({ "keys": [{ "scope": "/acme", "name": name, "owner": name }] })).await;
        let of = |field: &str| made["created_keys"][0][field].as_str().unwrap().to_owned();
        let (id, key) = (of("id"), of("key"));
        let budgets = store::budgets::list(&self.store).await.unwrap();
        let budget = budgets.iter().max_by_key(|budget| budget.id).unwrap().id;
        for replica in &self.replicas {
            let models = || self.client.get(format!("{}/v1/models", replica.url())).bearer_auth(&key).send();
            until("the key is known", || async { models().await.is_ok_and(|answer| answer.status() == 200) })
                .await;
        }
        Purse { key, id, budget }
    }

    /// What is settled on a budget, nano-dollars.
    pub(crate) async fn spent(&self, budget: i64) -> i64 {
        let rows = store::budgets::spend_since(&self.store, 0).await.unwrap();
        rows.iter().filter(|row| row.budget.0 == budget).map(|row| row.settled_nano).sum()
    }

    /// One chat by the replica number `at`, read to its end: its status and answer, or `None` where there was none.
    pub(crate) async fn ask(&self, at: usize, key: &str, more: &Value) -> Option<(u16, Bytes)> {
        Asker::new(self, at).ask(key, more).await
    }

    /// The log, from any replica: it verifies, and begins with what it was before.
    pub(crate) async fn records(&mut self, at: usize) -> Vec<Record> {
        let began = Instant::now();
        // One that has just got the database back may have to hand in its spool first.
        let export = loop {
            let exported = async {
                let answer = self.admin(at, Method::GET, "/api/v1/audit/export", None).await;
                (answer.status().as_u16(), answer.bytes().await)
            };
            match tokio::time::timeout(PATIENCE, exported).await {
                Ok((200, export)) => break export.unwrap(),
                Ok((503, _)) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Ok((status, _)) => panic!("the log cannot be read: {status}"),
                Err(_) => panic!("no answer"),
            }
        };
        let (report, records) = read_export(&export, Some(&self.key));
        assert_eq!((report.from, report.to), (0, report.counts.records), "every record in full");
        let leaves: Vec<String> =
            records.iter().map(|record| serde_json::to_string(&record.header).unwrap()).collect();
        assert!(leaves.starts_with(&self.leaves), "the tree only grows");
        self.leaves = leaves;
        records
    }

    /// Clients that ask every replica over and over, every other request a stream, until they are told to stop; how
    /// often they saw which status, 0 where the answer broke off.
    pub(crate) fn load(&self, purse: &Purse, a_replica: usize) -> Load {
        let going = Arc::new(AtomicBool::new(true));
        let seen = Arc::new(Seen::by(self.replicas.len()));
        let workers = (0..self.replicas.len() * a_replica).map(|worker| {
            let of = worker % self.replicas.len();
            let (asker, key) = (Asker::new(self, of), purse.key.clone());
            let (going, seen) = (Arc::clone(&going), Arc::clone(&seen));
            tokio::spawn(async move {
                let mut at = worker;
                while going.load(Ordering::Relaxed) {
                    at += 1;
                    let status = asker
                        .ask(&key, &json!({ "stream": at % 2 == 0 }))
                        .await
                        .map_or(0, |(status, _)| status);
                    seen.note(of, status);
                    if status != 200 {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                }
            })
        });
        let workers = workers.collect();
        Load::new(going, seen, workers)
    }

    /// Waits until nothing is under way any more and looks at everything; then every replica ends in good order.
    pub(crate) async fn finish(mut self) -> Vec<Record> {
        let records = self.settled().await;
        let budgets = self.held().await;
        for at in 0..self.replicas.len() {
            if self.replicas[at].process.is_some() {
                self.replicas[at].end();
            }
        }
        // The one server of an SQLite file takes back what it held with its next start.
        if database::on_postgres() {
            let after = self.held().await;
            let idle = after.iter().any(|(_, granted, settled)| granted > settled);
            assert!(!idle, "who is gone holds nothing: {after:?}, before {budgets:?}");
        }
        self.store.close().await;
        records
    }

    /// Waits until every attempt has its outcome and nobody is missing.
    pub(crate) async fn settled(&mut self) -> Vec<Record> {
        let at = self.replicas.iter().position(|replica| replica.process.is_some()).expect("one runs");
        let running = self.replicas.iter().filter(|replica| replica.process.is_some()).count();
        let began = Instant::now();
        until("what the dead left open is booked", || async {
            self.states().await.iter().filter(|state| *state != "gone").count() == running
                || !database::on_postgres()
        })
        .await;
        let records = loop {
            let records = self.records(at).await;
            let open = open(&records);
            if open == 0 {
                break records;
            }
            assert!(began.elapsed() < PATIENCE, "{open} attempts have no outcome");
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        let mut spend = HashMap::new();
        for row in store::budgets::spend_since(&self.store, 0).await.unwrap() {
            *spend.entry(row.budget.0).or_default() += row.settled_nano;
        }
        check_books(&records, &spend);
        let known: BTreeSet<&str> = records.iter().filter_map(|record| record.id("decision")).collect();
        let seen = self.seen.lock().unwrap().clone();
        let lost: Vec<&String> = seen.iter().filter(|decision| !known.contains(decision.as_str())).collect();
        assert!(lost.is_empty(), "answers without a record: {lost:?}");
        for at in 0..self.replicas.len() {
            if self.replicas[at].process.is_some() {
                self.records(at).await;
            }
        }
        records
    }

    /// Budget, granted and settled, a row a replica.
    pub(crate) async fn held(&self) -> Vec<(i64, i64, i64)> {
        let sql = "SELECT budget_id, granted_nano, settled_nano FROM budget_spend";
        let row = |row: &QueryResult| {
            Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?))
        };
        self.query(sql, row).await
    }

    /// Of every replica there ever was whether it is live, fenced or gone.
    pub(crate) async fn states(&self) -> Vec<String> {
        self.query("SELECT state FROM replicas ORDER BY number", |row| row.try_get_by_index(0)).await
    }

    /// Where its database is, past the wires.
    pub(crate) async fn database_url(&self) -> String {
        database::postgres_in(self.folder.path()).await.expect("a run on PostgreSQL")
    }

    /// Does in the database what only the world could.
    pub(crate) async fn sql(&self, statements: &str) {
        match database::postgres_in(self.folder.path()).await {
            Some(url) => database::run(&url, statements).await,
            None => database::run_in_file(&self.data(0).join(FILE), statements).await,
        }
    }

    /// The names of the database's tables.
    pub(crate) async fn tables(&self) -> Vec<String> {
        let sql = if database::on_postgres() {
            "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema()"
        } else {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        };
        self.query(sql, |row| row.try_get_by_index(0)).await
    }

    /// How many records are in the tree, and how many there are.
    pub(crate) async fn sequenced(&self) -> (i64, i64) {
        let sql = "SELECT size, (SELECT count(*) FROM records) FROM tree_head";
        let row = |row: &QueryResult| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
        let found: Vec<(i64, i64)> = self.query(sql, row).await;
        found[0]
    }

    /// The test's folder.
    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// How many live replicas have said that they may spool.
    pub(crate) async fn spooling(&self) -> i64 {
        database::number(
            &self.database_url().await,
            "SELECT count(*) FROM replicas WHERE spools AND state = 'live'",
        )
        .await
    }

    async fn query<T>(&self, sql: &str, row: impl Fn(&QueryResult) -> Result<T, DbErr>) -> Vec<T> {
        let url = match database::postgres_in(self.folder.path()).await {
            Some(url) => url,
            None => format!("sqlite://{}", self.data(0).join(FILE).display()),
        };
        let db = Database::connect(url).await.unwrap();
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
        let found = rows.iter().map(|found| row(found).unwrap()).collect();
        db.close().await.unwrap();
        found
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for (at, replica) in self.replicas.iter().enumerate() {
                let said = replica.said();
                let lines: Vec<&str> = said.lines().collect();
                let last = &lines[lines.len().saturating_sub(60)..];
                eprintln!("--- replica {at}\n{}", last.join("\n"));
            }
        }
    }
}

/// A client of one replica.
#[derive(Clone)]
pub(crate) struct Asker {
    client: Client,
    url: Arc<Mutex<String>>,
    seen: Arc<Mutex<BTreeSet<String>>>,
}

impl Asker {
    pub(crate) fn new(fleet: &Fleet, at: usize) -> Self {
        Self {
            client: fleet.client.clone(),
            url: Arc::clone(&fleet.replicas[at].url),
            seen: Arc::clone(&fleet.seen),
        }
    }

    /// Sends a chat; the answer's head, once there is one.
    pub(crate) async fn send(&self, key: &str, more: &Value) -> Option<Response> {
        let mut body = json!({ "model": MODEL, "messages": [{ "role": "user", "content": "How are you?" }] });
        body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        let url = format!("{}/v1/chat/completions", self.url.lock().unwrap());
        let answer = self.client.post(url).bearer_auth(key).json(&body).send().await.ok()?;
        if let Some(decision) = answer.headers().get("x-bailiwick-decision")
            && answer.status() != 503
        {
            self.seen.lock().unwrap().insert(decision.to_str().unwrap().to_owned());
        }
        Some(answer)
    }

    /// Sends a chat and reads the answer; `None` where it did not come to its end.
    pub(crate) async fn ask(&self, key: &str, more: &Value) -> Option<(u16, Bytes)> {
        let answer = self.send(key, more).await?;
        let status = answer.status().as_u16();
        Some((status, answer.bytes().await.ok()?))
    }
}

/// Attempts without an outcome.
fn open(records: &[Record]) -> usize {
    let attempt = |record: &Record| {
        (
            record.id("decision").unwrap_or_default().to_owned(),
            record.id("attempt").unwrap_or_default().to_owned(),
        )
    };
    let of = |kinds: &[&str]| -> BTreeSet<_> {
        records.iter().filter(|record| kinds.contains(&record.header.kind.as_str())).map(attempt).collect()
    };
    let ended = of(&["outcome"]);
    of(&["decision", "attempt"]).difference(&ended).count()
}

/// Waits until something is so; for how long.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, is: impl Fn() -> F) -> Duration {
    let began = Instant::now();
    while !is().await {
        assert!(began.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    began.elapsed()
}

/// A price of so many dollars a call, whatever it holds.
pub(crate) fn a_call(usd: &str) -> Value {
    let million = usd.parse::<f64>().unwrap() * 1e6;
    json!({ "input": "0", "output": "0", "requests": format!("{million:.0}") })
}

pub(crate) const fn dollars(whole: i64) -> i64 {
    whole * NANO
}

fn address_of(url: &str) -> std::net::SocketAddr {
    let host = url.split_once('@').unwrap().1;
    host.split_once('/').unwrap().0.parse().unwrap()
}

/// How often something is done: `usual`, `long` in the long tier, or as the environment says.
pub(crate) fn rounds(usual: usize, long: usize) -> usize {
    if let Ok(text) = std::env::var("BAILIWICK_TEST_ROUNDS") {
        return text.parse().expect("BAILIWICK_TEST_ROUNDS is a number");
    }
    if std::env::var_os("BAILIWICK_TEST_FULL").is_some() { long } else { usual }
}
