//! The server dies under load, or is asked to end under load; what is in its folder afterwards is right either way.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bailiwick::app::{App, Config};
use bailiwick::audit::{DecisionFilter, ExportRequest};
use bailiwick::store;
use serde_json::json;

use crate::app::message;
use crate::books::{check_books, read_export};
use crate::process::{DemoProcess, run};
use crate::support::database;

/// Eight clients that ask without a pause until the server is gone; how many were answered.
async fn load(demo: &DemoProcess, answered: &Arc<AtomicU64>) -> Vec<tokio::task::JoinHandle<()>> {
    // Each test may be a process of its own, and whichever comes first installs it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    (0..8)
        .map(|worker| {
            let (client, url, answered) =
                (client.clone(), format!("{}/v1/chat/completions", demo.url()), Arc::clone(answered));
            let key = demo.key(["research", "clinic", "support"][worker % 3]).to_owned();
            tokio::spawn(async move {
                loop {
                    let mut body = message("assistant", "How are you, a@kunde.example? Tell me at length.");
                    body["stream"] = json!(worker % 2 == 0);
                    let Ok(response) = client.post(&url).bearer_auth(&key).json(&body).send().await else {
                        return;
                    };
                    assert!(response.status() == 200 || response.status() == 503, "{response:?}");
                    if response.bytes().await.is_err() {
                        return;
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect()
}

async fn under_load(demo: &DemoProcess, least: u64) -> Vec<tokio::task::JoinHandle<()>> {
    let answered = Arc::new(AtomicU64::new(0));
    let workers = load(demo, &answered).await;
    while answered.load(Ordering::Relaxed) < least {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    workers
}

/// Opens the folder as the next start would and looks at everything; how many attempts had no outcome before that.
async fn inspect(data: &Path) -> usize {
    let mut config = Config::at("127.0.0.1:0".parse().unwrap(), data.to_path_buf());
    config.database_url = database::postgres_in(data.parent().unwrap()).await.map(Into::into);
    let app = App::open(config, None).await.unwrap();
    let mut export = Vec::new();
    let audit = &app.gateway.audit;
    let (written, _) = audit.export(ExportRequest::default(), std::mem::take(&mut export)).await.unwrap();
    let (_, records) = read_export(&written, Some(audit.public_key()));
    let mut spend = std::collections::HashMap::new();
    for row in store::budgets::spend_since(&app.store, 0).await.unwrap() {
        *spend.entry(row.budget.0).or_default() += row.settled_nano;
    }
    check_books(&records, &spend);
    let running = DecisionFilter { outcome: Some(String::from("running")), ..DecisionFilter::default() };
    let running = audit.decisions(&running, None, 10).await.unwrap();
    assert!(running.is_empty(), "nothing is under way any more: {running:?}");
    let stopped = records
        .iter()
        .filter(|record| {
            record.header.kind == "outcome" && record.sections["outcome"]["result"] == "server_stopped"
        })
        .count();
    app.close(Duration::from_secs(5)).await;
    stopped
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_under_load_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut booked = 0;
    for round in 0..3 {
        let demo = DemoProcess::start(&data).await;
        let workers = under_load(&demo, 40 + 30 * round).await;
        demo.kill();
        for worker in workers {
            worker.await.unwrap();
        }
        let stopped = inspect(&data).await;
        assert!(stopped >= booked);
        booked = stopped;
    }
    assert!(booked > 0, "three kills under load and no attempt was under way");
    // And the demo itself starts on it again.
    let demo = DemoProcess::start(&data).await;
    assert_eq!(demo.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asked_to_end_under_load_it_settles_everything() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let demo = DemoProcess::start(&data).await;
    let workers = under_load(&demo, 40).await;
    let metrics = reqwest::get(format!("{}/metrics", demo.url())).await.unwrap().text().await.unwrap();
    for name in ["bailiwick_overhead_seconds", "bailiwick_commit_wait_seconds", "bailiwick_attempts_total"] {
        assert!(metrics.contains(name), "{metrics}");
    }
    assert!(!metrics.contains("kunde.example") && !metrics.contains("bwk_"), "{metrics}");
    let code = tokio::task::spawn_blocking(move || demo.terminate()).await.unwrap();
    assert_eq!(code, Some(0));
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(inspect(&data).await, 0, "nothing was left to book");
}

#[test]
fn a_second_server_is_kept_out_of_the_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = DemoProcess::start_with(folder.path(), None);
    let words = ["demo", "--listen", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()];
    let refused = run(&words, None, "").is(1);
    assert!(refused.err.contains("another server has it open"), "{}", refused.err);
    // The first one did not notice.
    let token = demo.told["admin_token"].as_str().unwrap().to_owned();
    run(&["keys", "list", "--json"], Some((demo.url(), &token)), "").is(0);
    demo.child.kill().unwrap();
    demo.child.wait().unwrap();
    // A process that was killed keeps nobody out.
    DemoProcess::start_with(folder.path(), None);
}
