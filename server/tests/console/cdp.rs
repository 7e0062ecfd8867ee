//! A real Chromium, driven over the DevTools protocol.
//!
//! `--remote-debugging-pipe` speaks it over two file descriptors, a JSON message and a NUL byte at a time, so that
//! neither a WebSocket nor an open port is needed. <https://chromedevtools.github.io/devtools-protocol/>

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;

/// How long a page may take for anything. Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-pipe",
];

struct Wire {
    out: tokio::sync::Mutex<ChildStdin>,
    next: AtomicU64,
    waiting: Mutex<HashMap<u64, oneshot::Sender<Value>>>,
    events: Mutex<Vec<Value>>,
}

impl Wire {
    async fn send(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id, answer);
        let mut message = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.out.lock().await.write_all(&bytes).await.expect("the browser runs");
        let reply = tokio::time::timeout(PATIENCE, answered).await;
        let reply = reply.unwrap_or_else(|_| panic!("no answer to {method}")).expect("the browser runs");
        assert!(reply.get("error").is_none(), "{method}: {reply}");
        reply["result"].clone()
    }

    fn took(&self, message: Value) {
        match message["id"].as_u64() {
            Some(id) => {
                if let Some(waiting) = self.waiting.lock().unwrap().remove(&id) {
                    let _ = waiting.send(message);
                }
            }
            None => self.events.lock().unwrap().push(message),
        }
    }
}

/// A browser with a profile of its own; killed when dropped.
pub(crate) struct Browser {
    wire: Arc<Wire>,
    _child: Child,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts the program.
    pub(crate) async fn start(program: &Path) -> Self {
        let profile = tempfile::Builder::new().prefix("bailiwick-chromium-").tempdir().unwrap();
        // The protocol is on descriptors 3 and 4; the shell puts our pipes there.
        let mut child = Command::new("/bin/sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#])
            .arg(program)
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let wire = Arc::new(Wire {
            out: tokio::sync::Mutex::new(child.stdin.take().unwrap()),
            next: AtomicU64::new(1),
            waiting: Mutex::default(),
            events: Mutex::default(),
        });
        let (reader, mut input) = (Arc::clone(&wire), BufReader::new(child.stdout.take().unwrap()));
        tokio::spawn(async move {
            let mut message = Vec::new();
            while input.read_until(0, &mut message).await.is_ok_and(|read| read > 0) {
                message.pop();
                reader.took(serde_json::from_slice(&message).expect("a message is JSON"));
                message.clear();
            }
            // Whoever waits hears that nothing comes any more.
            reader.waiting.lock().unwrap().clear();
        });
        Self { wire, _child: child, _profile: profile }
    }

    /// Opens a page and begins to watch what goes wrong on it.
    pub(crate) async fn page(&self) -> Page {
        let target = self.wire.send(None, "Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = self.wire.send(None, "Target.attachToTarget", attach).await["sessionId"]
            .as_str()
            .expect("a session")
            .to_owned();
        let page = Page { wire: Arc::clone(&self.wire), session };
        for domain in ["Page", "Runtime", "Log", "Network", "Audits"] {
            page.send(&format!("{domain}.enable"), json!({})).await;
        }
        page
    }
}

/// One page.
pub(crate) struct Page {
    wire: Arc<Wire>,
    session: String,
}

impl Page {
    pub(crate) async fn send(&self, method: &str, params: Value) -> Value {
        self.wire.send(Some(&self.session), method, params).await
    }

    /// This page's events of one kind so far.
    pub(crate) fn events(&self, method: &str) -> Vec<Value> {
        let events = self.wire.events.lock().unwrap();
        let ours = events.iter().filter(|event| event["sessionId"] == self.session.as_str());
        ours.filter(|event| event["method"] == method).map(|event| event["params"].clone()).collect()
    }

    async fn until_loaded(&self, before: usize) {
        let began = Instant::now();
        while self.events("Page.loadEventFired").len() <= before {
            assert!(began.elapsed() < PATIENCE, "the page does not load");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Goes to an address and waits until it is loaded.
    pub(crate) async fn go(&self, url: &str) {
        let before = self.events("Page.loadEventFired").len();
        self.send("Page.navigate", json!({ "url": url })).await;
        self.until_loaded(before).await;
    }

    /// Runs script that leads to another page, and waits until that is loaded.
    pub(crate) async fn leave_by(&self, script: &str) {
        let before = self.events("Page.loadEventFired").len();
        self.run(script).await;
        self.until_loaded(before).await;
    }

    /// The value of an expression.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let asked = json!({ "expression": script, "awaitPromise": true, "returnByValue": true });
        let done = self.send("Runtime.evaluate", asked).await;
        assert!(done.get("exceptionDetails").is_none(), "{script}: {done}");
        done["result"]["value"].clone()
    }

    /// A text that an expression yields.
    pub(crate) async fn text(&self, script: &str) -> String {
        self.run(script).await.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    pub(crate) async fn until(&self, script: &str) {
        let began = Instant::now();
        while self.run(script).await != json!(true) {
            if began.elapsed() > PATIENCE {
                let seen = self.text("document.body.innerText").await;
                panic!("never true: {script}\n{:?}\nthe page says:\n{seen}", self.problems());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Presses a key that writes a character.
    pub(crate) async fn press(&self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.send("Input.dispatchKeyEvent", json!({ "type": kind, "key": key, "text": key })).await;
        }
    }

    /// What went wrong on this page so far: errors and warnings of its script, exceptions, breaches of its policy, files
    /// that did not come. A document that came with an error's status is none.
    pub(crate) fn problems(&self) -> Vec<String> {
        let levels = ["error", "warning", "assert"];
        let said = self.events("Runtime.consoleAPICalled").into_iter();
        let said = said.filter(|call| call["type"].as_str().is_some_and(|kind| levels.contains(&kind)));
        let logged = self.events("Log.entryAdded").into_iter();
        let logged = logged.filter(|entry| {
            let of_document = entry["entry"]["source"] == "network"
                && self.events("Network.responseReceived").iter().any(|response| {
                    response["type"] == "Document" && response["response"]["url"] == entry["entry"]["url"]
                });
            entry["entry"]["level"].as_str().is_some_and(|level| levels.contains(&level)) && !of_document
        });
        let thrown = self.events("Runtime.exceptionThrown").into_iter();
        let issues = self.events("Audits.issueAdded").into_iter();
        let issues = issues.filter(|issue| issue["issue"]["code"] == "ContentSecurityPolicyIssue");
        said.chain(logged).chain(thrown).chain(issues).map(|problem| problem.to_string()).collect()
    }
}
