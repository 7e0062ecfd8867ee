//! A disk that is full, and one that turns read-only, under the real binary: nothing is served that cannot be recorded,
//! nothing is lost, and what can recover by itself does. The database is a file here: another machine's disk is not ours.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::message;
use crate::books::{check_books, read_export};
use crate::process::{DemoProcess, run};
use crate::reply::{Reply, read};
use crate::support::disk::{Disk, skipped};

const PATIENCE: Duration = Duration::from_secs(30);

struct Client<'a> {
    demo: &'a DemoProcess,
    http: reqwest::Client,
}

impl<'a> Client<'a> {
    fn new(demo: &'a DemoProcess) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { demo, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    async fn chat(&self, key: &str, model: &str) -> Reply {
        let url = format!("{}/v1/chat/completions", self.demo.url());
        let request = self.http.post(url).bearer_auth(self.demo.key(key)).json(&message(model, "Hello"));
        read(request.send().await.unwrap()).await
    }

    async fn admin(&self, method: Method, path: &str, body: &Value) -> Reply {
        let token = self.demo.told["admin_token"].as_str().unwrap();
        let request = self.http.request(method, format!("{}{path}", self.demo.url())).bearer_auth(token);
        read(request.json(body).send().await.unwrap()).await
    }

    /// How many requests all simulators got.
    async fn received(&self) -> usize {
        let mut all = 0;
        for endpoint in self.demo.told["endpoints"].as_array().unwrap() {
            let url = format!("{}/_received", endpoint["simulator_url"].as_str().unwrap());
            let got: Value = self.http.get(url).send().await.unwrap().json().await.unwrap();
            let got = got.as_array().or_else(|| got["requests"].as_array()).expect("a list of requests");
            all += got.len();
        }
        all
    }

    /// Everything is refused, and nothing goes out.
    async fn shut(&self) {
        let began = Instant::now();
        // What was set aside before the disk was full may take a few records more.
        while self.chat("research", "gpt-4.1").await.status != 503 {
            assert!(began.elapsed() < PATIENCE, "it records without a disk");
        }
        let before = self.received().await;
        for (key, model) in [("research", "gpt-4.1"), ("support", "assistant"), ("support", "gpt-4.1-mini")] {
            let refused = self.chat(key, model).await.refused(503, "audit_unavailable");
            assert_eq!(refused.header("x-should-retry"), Some("true"));
            assert!(refused.json()["bailiwick"]["fix"].is_string());
        }
        let new = json!({ "scope": "/acme/research", "name": "unrecorded" });
        let refused = self.admin(Method::POST, "/api/v1/keys", &new).await.is(503).json();
        assert!(
            refused["code"] == "audit_unavailable" || refused["code"] == "database_unavailable",
            "{refused}"
        );
        assert_eq!(self.received().await, before, "something left without a record");
    }

    async fn open_again(&self) {
        let began = Instant::now();
        loop {
            let reply = self.chat("research", "gpt-4.1").await;
            if reply.status == 200 {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it does not recover: {}", reply.text());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The log verifies here and on the command line, and every attempt in it has its outcome.
    async fn verify(&self, folder: &Path) {
        let keys = self.admin(Method::GET, "/api/v1/keys", &Value::Null).await.is(200);
        assert!(!keys.text().contains("unrecorded"));
        let began = Instant::now();
        let export = loop {
            let export = self.admin(Method::GET, "/api/v1/audit/export", &Value::Null).await.is(200).body;
            let text = String::from_utf8_lossy(&export).into_owned();
            // The last outcome is recorded after its answer.
            let count = |kind: &str| text.matches(&format!("\\\"kind\\\":\\\"{kind}\\\"")).count();
            if count("decision") + count("attempt") == count("outcome") {
                break export;
            }
            assert!(began.elapsed() < PATIENCE, "an outcome is missing");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let (_, records) = read_export(&export, None);
        let mut spend = std::collections::HashMap::new();
        for record in records.iter().filter(|record| record.header.kind == "outcome") {
            let attempt = records.iter().find(|other| {
                other.id("decision") == record.id("decision")
                    && other.id("attempt") == record.id("attempt")
                    && other.sections.contains_key("attempt")
            });
            for hold in attempt.unwrap().sections["attempt"]["holds"].as_array().unwrap() {
                *spend.entry(hold["budget"].as_i64().unwrap()).or_default() +=
                    record.sections["usage"]["cost_nano"].as_i64().unwrap();
            }
        }
        check_books(&records, &spend);
        let file = folder.join("export.jsonl");
        std::fs::write(&file, &export).unwrap();
        run(&["audit", "verify", file.to_str().unwrap()], None, "").is(0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_until_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(&folder.path().join("disk"), &["-t", "tmpfs", "-o", "size=12m", "tmpfs"])
    else {
        return;
    };
    let demo = DemoProcess::start_with(&disk.0.join("data"), None);
    let client = Client::new(&demo);
    client.chat("research", "gpt-4.1").await.is(200);
    for _ in 0..2 {
        let filler = disk.fill();
        client.shut().await;
        std::fs::remove_file(filler).unwrap();
        client.open_again().await;
    }
    client.verify(folder.path()).await;
    assert_eq!(demo.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_turns_read_only_refuses_and_the_next_start_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    std::fs::File::create(&image).unwrap().set_len(48 * 1024 * 1024).unwrap();
    let image = image.to_str().unwrap().to_owned();
    let made = Command::new("mkfs.ext4").args(["-q", &image]).output();
    if !made.is_ok_and(|output| output.status.success()) {
        skipped("mkfs.ext4 is not installed, so no disk turned read-only");
        return;
    }
    let at = folder.path().join("disk");
    let Some(disk) = Disk::mount(&at, &["-o", "loop", &image]) else { return };
    let data = at.join("data");
    let demo = DemoProcess::start_with(&data, None);
    let client = Client::new(&demo);
    client.chat("research", "gpt-4.1").await.is(200);
    // As the kernel does where a disk fails.
    let turned = Command::new("mount").args(["-o", "remount,abort"]).arg(&at).output().unwrap();
    if !turned.status.success() {
        skipped(&format!("the file system cannot be made to fail here: {turned:?}"));
        return;
    }
    client.shut().await;
    // No start on it either, and it says why.
    demo.kill();
    let refused = Command::new(env!("CARGO_BIN_EXE_bailiwick"))
        .args(["demo", "--json", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(&data)
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr).to_lowercase();
    assert!(said.contains("read-only") || said.contains("readonly"), "{said}");
    drop(disk);

    let Some(_disk) = Disk::mount(&at, &["-o", "loop", &image]) else { panic!("it was mounted before") };
    let demo = DemoProcess::start_with(&data, None);
    let client = Client::new(&demo);
    client.open_again().await;
    client.verify(folder.path()).await;
    assert_eq!(demo.terminate(), Some(0));
}
