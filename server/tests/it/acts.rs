//! Administrative acts and their records: what took effect is in the log, what the log refuses does not happen, and
//! neither a failing log nor a kill leaves one without an end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bailiwick::app::{App, Config};
use bailiwick::audit::ExportRequest;
use bailiwick::store;
use reqwest::Method;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::books::{Record, read_export};
use crate::process::DemoProcess;
use crate::support::database;

/// Each act's first record, and the results of its ends.
fn acts(records: &[Record]) -> BTreeMap<String, (&Record, Vec<&str>)> {
    let mut acts = BTreeMap::new();
    for record in records.iter().filter(|record| record.id("act").is_some()) {
        let act = record.id("act").unwrap().to_owned();
        if record.id("phase") == Some("begun") {
            assert!(acts.insert(act, (record, Vec::new())).is_none(), "begun twice: {record:?}");
        } else {
            let (_, ends) = acts.get_mut(&act).unwrap_or_else(|| panic!("never begun: {record:?}"));
            ends.push(record.sections["result"]["result"].as_str().unwrap());
        }
    }
    acts
}

pub(crate) async fn sql(data: &Path, statement: &str) {
    if let Some(url) = database::postgres_in(data.parent().unwrap()).await {
        return database::run(&url, statement).await;
    }
    let url = format!("sqlite://{}", data.join("bailiwick.db").display());
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1);
    let connection = sea_orm::Database::connect(options).await.unwrap();
    connection.execute_unprepared(statement).await.unwrap();
    connection.close().await.unwrap();
}

/// The log takes no records where this holds; the rest of the database can be written.
async fn shut(data: &Path, when: &str) {
    let statement = if database::on_postgres() {
        format!(
            "CREATE FUNCTION shut() RETURNS trigger LANGUAGE plpgsql AS $$ \
             BEGIN IF {when} THEN RAISE EXCEPTION 'shut' USING ERRCODE = '53100'; END IF; RETURN NEW; END $$; \
             CREATE TRIGGER shut BEFORE INSERT ON records FOR EACH ROW EXECUTE FUNCTION shut()"
        )
    } else {
        format!(
            "CREATE TRIGGER shut BEFORE INSERT ON records WHEN {when} BEGIN SELECT RAISE(ABORT, 'shut'); END"
        )
    };
    sql(data, &statement).await;
}

async fn open_again(data: &Path) {
    sql(data, if database::on_postgres() { "DROP TRIGGER shut ON records" } else { "DROP TRIGGER shut" })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_log_refuses_does_not_happen() {
    let app = TestApp::start().await;
    let (id, key) = app.create_key(json!({ "scope": "/acme/research", "name": "kept" })).await;
    let keys = || async {
        let mut listed = app.admin(Method::GET, "/api/v1/keys", None).await.is(200).json();
        for key in listed["keys"].as_array_mut().unwrap() {
            // A key goes on being used.
            key["last_used_ms"] = Value::Null;
        }
        listed
    };
    let before = keys().await;
    let data = app.data();
    shut(&data, "true").await;
    let new = json!({ "scope": "/acme/research", "name": "new", "budget_usd": "1" });
    let scope = json!({ "scopes": [{ "path": "/acme/other" }] });
    let refused = [
        app.admin(Method::POST, "/api/v1/keys", Some(&new)).await,
        app.admin(Method::POST, &format!("/api/v1/keys/{id}/rotate"), None).await,
        app.admin(Method::POST, &format!("/api/v1/keys/{id}/revoke"), None).await,
        app.admin(Method::POST, "/api/v1/apply", Some(&scope)).await,
    ];
    for reply in refused {
        assert_eq!(reply.is(503).json()["code"], "audit_unavailable");
    }
    let link = bailiwick::identity::new_setup_link(&app.app().store, app.app().gateway.clock.now_ms()).await;
    let link = format!("{}{}", app.url(), link.unwrap());
    let signed_in = app.client.get(&link).send().await.unwrap();
    assert!(signed_in.status().is_server_error() && signed_in.headers().get("set-cookie").is_none());
    // A key that should have been revoked does nothing meanwhile: no request is served without its record.
    app.ask(&key, "gpt-4.1", "x").await.refused(503, "audit_unavailable");
    open_again(&data).await;

    assert_eq!(keys().await, before);
    assert!(store::scopes::get(&app.app().store, "/acme/other").await.is_err());
    app.ask(&key, "gpt-4.1", "x").await.is(200);
    assert_eq!(app.client.get(&link).send().await.unwrap().status(), 303, "the link was not used up");
    app.admin(Method::POST, &format!("/api/v1/keys/{id}/revoke"), None).await.is(200);
    app.ask(&key, "gpt-4.1", "x").await.refused(401, "invalid_api_key");
    let records = app.records().await;
    for (act, (_, ends)) in acts(&records) {
        assert_eq!(ends, ["done"], "{act}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_whose_end_is_refused_stands_and_is_ended_later() {
    let app = TestApp::start().await;
    let (id, key) = app.create_key(json!({ "scope": "/acme/research", "name": "gone" })).await;
    let data = app.data();
    let revoked = format!("EXISTS (SELECT 1 FROM virtual_keys WHERE id = '{id}' AND revoked_ms IS NOT NULL)");
    shut(&data, &revoked).await;
    let revoked = app.admin(Method::POST, &format!("/api/v1/keys/{id}/revoke"), None).await.is(200).json();
    assert!(revoked["revoked_ms"].is_i64(), "{revoked}");
    app.ask(&key, "gpt-4.1", "x").await.refused(401, "invalid_api_key");
    open_again(&data).await;
    let began = Instant::now();
    loop {
        let records = app.records().await;
        let acts = acts(&records);
        let (begun, ends) =
            acts.values().find(|(begun, _)| begun.sections["act"]["act"] == "key_revoked").unwrap();
        assert_eq!(begun.sections["act"]["what"]["key"], id.as_str());
        if !ends.is_empty() {
            assert_eq!(*ends, ["done"]);
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it is never ended");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    app.finish().await;
}

/// Clients that make and revoke keys until the server is gone.
fn administer(demo: &DemoProcess, done: &Arc<AtomicU64>) -> Vec<tokio::task::JoinHandle<()>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (url, token) = (format!("{}/api/v1/keys", demo.url()), demo.told["admin_token"].as_str().unwrap());
    (0..4)
        .map(|worker| {
            let (client, url, token, done) =
                (client.clone(), url.clone(), token.to_owned(), Arc::clone(done));
            tokio::spawn(async move {
                for number in 0.. {
                    let new = json!({ "scope": "/acme/research", "name": format!("{worker}-{number}") });
                    let Ok(made) = client.post(&url).bearer_auth(&token).json(&new).send().await else {
                        return;
                    };
                    let Ok(made) = made.json::<serde_json::Value>().await else { return };
                    let revoke = format!("{url}/{}/revoke", made["id"].as_str().unwrap());
                    if client.post(revoke).bearer_auth(&token).send().await.is_err() {
                        return;
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_leaves_no_act_without_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut interrupted = 0;
    for round in 0..4 {
        let demo = DemoProcess::start(&data).await;
        let done = Arc::new(AtomicU64::new(0));
        let workers = administer(&demo, &done);
        while done.load(Ordering::Relaxed) < 5 + round {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        demo.kill();
        for worker in workers {
            worker.await.unwrap();
        }
        let mut config = Config::at("127.0.0.1:0".parse().unwrap(), data.clone());
        config.upstream.private_networks = config.upstream.private_networks.and_loopback();
        config.database_url = database::postgres_in(folder.path()).await.map(Into::into);
        let app = App::open(config, None).await.unwrap();
        let audit = &app.gateway.audit;
        let (export, _) = audit.export(ExportRequest::default(), Vec::new()).await.unwrap();
        let (_, records) = read_export(&export, Some(audit.public_key()));
        let acts = acts(&records);
        let mut named: BTreeSet<(&str, &str)> = BTreeSet::new();
        interrupted = 0;
        for (act, (begun, ends)) in &acts {
            assert_eq!(ends.len(), 1, "{act}: {ends:?}");
            interrupted += usize::from(ends[0] == "interrupted");
            let said = &begun.sections["act"];
            if let Some(key) = said["what"]["key"].as_str() {
                named.insert((said["act"].as_str().unwrap(), key));
            }
        }
        for key in store::keys::list(&app.store).await.unwrap() {
            // The three of the demo come with the declaration that it applies at every start.
            if ["support", "clinic", "research"].contains(&key.name.as_str()) {
                continue;
            }
            assert!(named.contains(&("key_created", &key.id)), "{} came from nowhere", key.id);
        }
        app.close(Duration::from_secs(5)).await;
    }
    assert!(interrupted > 0, "four kills and nothing was under way");
}
