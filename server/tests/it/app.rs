//! A server in this process with its simulated providers, and what every test of it must leave behind: no open
//! reservation, no attempt without an outcome, budgets that the log explains, a log that verifies, no panic.

use std::collections::{BTreeMap, HashMap};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::time::{Duration, Instant};

use bailiwick::app::{App, Config, metrics_recorder};
use bailiwick::demo::Demo;
use bailiwick::demo::simulator::SimulatorHandle;
use bailiwick::store;
use bailiwick_ledger::PublicKey;
use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusHandle;
use reqwest::Method;
use serde_json::{Value, json};

use crate::books::{Record, check_books, read_export};
use crate::reply::{Reply, read};
use crate::support::database;

/// How long anything that settles by itself may take.
const PATIENCE: Duration = Duration::from_secs(20);

static LOGS: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static METRICS: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

struct Log;

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGS.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Logs, metrics and panics are the process's, so they are collected once for every test.
fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The first of several installers counts; all install the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let filter = tracing_subscriber::EnvFilter::new("debug,bailiwick=trace");
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Log).init();
        METRICS.get_or_init(metrics_recorder);
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            if place.contains("src/") && !place.contains("tests/it") {
                PANICS.lock().unwrap().push(place);
            }
            usual(panic);
        }));
    });
}

/// Everything that was logged so far, by every test.
pub(crate) fn logs() -> String {
    String::from_utf8_lossy(&LOGS.lock().unwrap()).into_owned()
}

/// What `/metrics` would say.
pub(crate) fn metrics() -> String {
    METRICS.get().and_then(Option::as_ref).expect("the recorder is installed").render()
}

/// A running server.
pub(crate) struct TestApp {
    demo: Option<Demo>,
    folder: Option<tempfile::TempDir>,
    pub(crate) client: reqwest::Client,
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    /// Starts with another configuration.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        prepare();
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), folder.path().join("data"));
        config.database_url = database::migrated_in(folder.path()).await.map(Into::into);
        // What the database does not take is refused at once; the spool has tests with servers of their own.
        config.limits.spool_bytes = 0;
        change(&mut config);
        let demo = Box::pin(Demo::start_with(config)).await.unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self { demo: Some(demo), folder: Some(folder), client }
    }

    fn demo(&self) -> &Demo {
        self.demo.as_ref().unwrap()
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.demo().app
    }

    pub(crate) fn url(&self) -> &str {
        &self.demo().announcement.url
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.url().split_once("://").unwrap().1.parse().unwrap()
    }

    /// Every endpoint: its name and its own model.
    pub(crate) fn endpoints(&self) -> Vec<(String, String)> {
        let endpoints = &self.demo().announcement.endpoints;
        endpoints.iter().map(|endpoint| (endpoint.name.clone(), endpoint.model.clone())).collect()
    }

    pub(crate) fn token(&self) -> &str {
        &self.demo().announcement.admin_token
    }

    pub(crate) fn key(&self, name: &str) -> String {
        self.demo().announcement.keys.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("data")
    }

    pub(crate) fn simulator(&self, name: &str) -> &SimulatorHandle {
        self.simulators().find(|simulator| simulator.config().name == name).unwrap()
    }

    pub(crate) fn simulators(&self) -> impl Iterator<Item = &SimulatorHandle> {
        self.demo().simulators.iter()
    }

    /// What each simulator got, by name, those left out that got nothing.
    pub(crate) fn received(&self) -> BTreeMap<String, u64> {
        self.simulators()
            .map(|simulator| (simulator.config().name.clone(), simulator.received_count()))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    /// The one body that one simulator got.
    pub(crate) fn only_body(&self, name: &str) -> String {
        let received = self.simulator(name).received();
        assert_eq!(received.len(), 1, "{:?}", self.received());
        String::from_utf8(received[0].body.to_vec()).unwrap()
    }

    pub(crate) fn forget(&self) {
        self.simulators().for_each(SimulatorHandle::clear);
    }

    /// Sends bytes with a key (one of the demo's names, or a key itself).
    pub(crate) async fn post(
        &self,
        key: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Reply {
        let mut request = self
            .client
            .post(format!("{}{path}", self.url()))
            .bearer_auth(self.key(key))
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request.send().await.unwrap()).await
    }

    pub(crate) async fn chat(&self, key: &str, body: &Value) -> Reply {
        self.post(key, "/v1/chat/completions", &[], body.to_string()).await
    }

    /// One user message to a model.
    pub(crate) async fn ask(&self, key: &str, model: &str, text: &str) -> Reply {
        self.chat(key, &message(model, text)).await
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Reply {
        let request = self.client.get(format!("{}{path}", self.url()));
        let request = if token.is_empty() { request } else { request.bearer_auth(self.key(token)) };
        read(request.send().await.unwrap()).await
    }

    /// The control plane, as an owner.
    pub(crate) async fn admin(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let mut request =
            self.client.request(method, format!("{}{path}", self.url())).bearer_auth(self.token());
        if let Some(body) = body {
            request = request.json(body);
        }
        read(request.send().await.unwrap()).await
    }

    pub(crate) async fn apply(&self, declaration: Value) -> Value {
        self.admin(Method::POST, "/api/v1/apply", Some(&declaration)).await.is(200).json()
    }

    /// A new key of a scope.
    pub(crate) async fn create_key(&self, body: Value) -> (String, String) {
        let created = self.admin(Method::POST, "/api/v1/keys", Some(&body)).await.is(201).json();
        (created["id"].as_str().unwrap().to_owned(), created["key"].as_str().unwrap().to_owned())
    }

    /// An endpoint's definition.
    pub(crate) async fn endpoint(&self, name: &str) -> Value {
        store::endpoints::get(&self.app().store, name).await.unwrap().definition
    }

    /// Changes an endpoint's definition.
    pub(crate) async fn edit_endpoint(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let store = &self.app().store;
        let mut row = store::endpoints::get(store, name).await.unwrap();
        change(&mut row.definition);
        store::endpoints::put(store, name, &row.scope, row.definition, self.app().gateway.clock.now_ms())
            .await
            .unwrap();
        self.app().reload().await.unwrap();
    }

    /// Every endpoint gives up soon.
    pub(crate) async fn impatient(&self) {
        let names: Vec<String> = self.simulators().map(|simulator| simulator.config().name.clone()).collect();
        for name in names {
            self.edit_endpoint(&name, |definition| {
                definition["first_byte_timeout_s"] = json!(1);
                definition["idle_timeout_s"] = json!(1);
            })
            .await;
        }
    }

    /// Waits until every attempt is settled.
    pub(crate) async fn settled(&self) {
        let began = Instant::now();
        while !self.app().gateway.attempts.is_empty() {
            assert!(
                began.elapsed() < PATIENCE,
                "{} attempts are still open",
                self.app().gateway.attempts.len()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        self.app().gateway.audit.public_key().clone()
    }

    /// The whole log, exported over HTTP.
    pub(crate) async fn export(&self) -> Bytes {
        self.settled().await;
        self.admin(Method::GET, "/api/v1/audit/export", None).await.is(200).body
    }

    /// Every record, from an export that verifies.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let export = self.export().await;
        read_export(&export, Some(&self.public_key())).1
    }

    /// The records of one decision.
    pub(crate) async fn records_of(&self, decision: &str) -> Vec<Record> {
        self.records().await.into_iter().filter(|record| record.id("decision") == Some(decision)).collect()
    }

    /// The outcome of a decision's last attempt.
    pub(crate) async fn outcome(&self, decision: &str) -> Record {
        let records = self.records_of(decision).await;
        records.into_iter().rfind(|record| record.header.kind == "outcome").expect("an outcome")
    }

    /// What is settled on each budget, as the database says it; without limits of requests and tokens.
    pub(crate) async fn spend(&self) -> HashMap<i64, i64> {
        let mut spend = HashMap::new();
        let budgets = store::budgets::list(&self.app().store).await.unwrap();
        let money =
            |id: i64| budgets.iter().any(|row| row.id == id && ["usd", "spend"].contains(&row.unit.as_str()));
        for row in store::budgets::spend_since(&self.app().store, 0).await.unwrap() {
            if !money(row.budget.0) {
                continue;
            }
            *spend.entry(row.budget.0).or_default() += row.settled_nano;
        }
        spend
    }

    /// What the database settled on the budget with this name.
    pub(crate) async fn spent_on(&self, name: &str) -> i64 {
        self.settled().await;
        let now_ms = self.app().gateway.clock.now_ms();
        let standings = self.app().gateway.budgets.standings(now_ms);
        let standing = standings.iter().find(|standing| standing.budget.name == name);
        let standing = standing.unwrap_or_else(|| panic!("{name}: {standings:?}"));
        let booked = self.spend().await.get(&standing.budget.id).copied().unwrap_or(0);
        assert_eq!(standing.settled_nano, booked, "memory and database agree on {name}");
        booked
    }

    /// Checks that no work is loose and ends the server. Gives the folder for who wants to look at the files.
    pub(crate) async fn finish(self) -> tempfile::TempDir {
        let client = self.client.clone();
        self.finish_with(&client).await
    }

    /// As [`finish`](Self::finish), with a client that can speak to the server.
    pub(crate) async fn finish_with(mut self, client: &reqwest::Client) -> tempfile::TempDir {
        self.client = client.clone();
        let records = self.records().await;
        let spend = self.spend().await;
        check_books(&records, &spend);
        for standing in self.app().gateway.budgets.standings(self.app().gateway.clock.now_ms()) {
            assert_eq!(standing.reserved_nano, 0, "{standing:?}");
            if standing.budget.unit.is_limit() {
                continue;
            }
            // In all, or since its window began.
            let since =
                store::budgets::spend_since(&self.app().store, standing.window_start_ms).await.unwrap();
            let since = since.iter().filter(|row| row.budget.0 == standing.budget.id);
            let all = spend.get(&standing.budget.id).copied().unwrap_or(0);
            let settled = [all, since.map(|row| row.settled_nano).sum()];
            assert!(settled.contains(&standing.settled_nano), "{settled:?} {standing:?}");
        }
        let panics = PANICS.lock().unwrap().clone();
        assert!(panics.is_empty(), "{panics:?}");
        let url = self.app().config.database_url.clone();
        if let Some(password) = url.as_ref().and_then(|url| database::password_of(url.as_str())) {
            assert!(!logs().contains(password), "the database's password was logged");
        }
        self.demo.take().unwrap().stop().await;
        self.folder.take().unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if self.demo.is_some() && !std::thread::panicking() {
            panic!("end the test with `finish`: it looks for loose work");
        }
    }
}

/// A chat request with one user message.
pub(crate) fn message(model: &str, text: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": text }] })
}

/// The files below a folder, and the tables of the database that belongs to it, that hold these bytes.
pub(crate) async fn stored(folder: &Path, needle: &str) -> Vec<String> {
    let mut found: Vec<String> =
        files_with(folder, needle).iter().map(|path| path.display().to_string()).collect();
    if let Some(url) = database::postgres_in(folder).await {
        found.extend(database::tables_with(&url, needle).await);
    }
    found
}

/// Whether a file below a folder holds these bytes, and which.
fn files_with(folder: &Path, needle: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, needle));
        } else if memchr::memmem::find(&std::fs::read(&path).unwrap(), needle.as_bytes()).is_some() {
            found.push(path);
        }
    }
    found
}
