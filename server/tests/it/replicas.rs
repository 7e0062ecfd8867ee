//! Several servers on one database: what is changed on one is in force on all, and one that cannot ask serves nobody.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bailiwick::app::{App, Config, Listening, router, serve_on};
use bailiwick::clock::Clock;
use bailiwick::identity::IdentityConfig;
use reqwest::Method;
use serde_json::json;

use crate::acts::sql;
use crate::app::TestApp;
use crate::idp::{CLIENT, Idp};
use crate::reply::{Reply, read};

/// Within which a change has to be in force everywhere.
const A_SECOND: Duration = Duration::from_secs(1);

/// Another server on the database in a folder, with a folder of its own.
struct Other {
    app: Arc<App>,
    url: String,
    _listening: Listening,
}

impl Other {
    async fn start(data: &Path, database: &Path) -> Self {
        Self::with(data, database, |_| {}).await
    }

    async fn with(data: &Path, database: &Path, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), data.to_path_buf());
        config.upstream.private_networks = config.upstream.private_networks.and_loopback();
        config.replica = String::from("other");
        config.database_url = Some(format!("sqlite://{}", database.display()).into());
        change(&mut config);
        let app = App::open(config, None).await.unwrap();
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let listening = serve_on(socket, None, router(&app, &url, None)).unwrap();
        Self { app, url, _listening: listening }
    }

    async fn models(&self, client: &reqwest::Client, key: &str) -> Reply {
        read(client.get(format!("{}/v1/models", self.url)).bearer_auth(key).send().await.unwrap()).await
    }
}

/// Waits until a status is answered; for how long.
async fn until(status: u16, other: &Other, client: &reqwest::Client, key: &str) -> Duration {
    let began = Instant::now();
    while other.models(client, key).await.status != status {
        assert!(began.elapsed() < Duration::from_secs(10), "it never answers {status}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_key_stops_on_every_server_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shared.db");
    std::fs::File::create(&database).unwrap();
    let data = folder.path().join("other");
    // It only looks: on SQLite one server writes the log, and that is the one that opened it last.
    let other = Other::start(&data, &database).await;
    let app = TestApp::with(|config| {
        std::fs::create_dir_all(&config.data_dir).unwrap();
        std::fs::copy(data.join("log.key"), config.data_dir.join("log.key")).unwrap();
        config.database_url = Some(format!("sqlite://{}", database.display()).into());
    })
    .await;
    for round in 0..3 {
        let name = format!("short-lived {round}");
        let (id, key) = app.create_key(json!({ "scope": "/acme/research", "name": name })).await;
        let known = until(200, &other, &app.client, &key).await;
        assert!(known < A_SECOND, "{known:?}");
        app.admin(Method::POST, &format!("/api/v1/keys/{id}/revoke"), None).await.is(200);
        let stopped = until(401, &other, &app.client, &key).await;
        assert!(stopped < A_SECOND, "{stopped:?}");
    }
    let order = json!({
        "kind": "endpoint", "target": "openai-us", "reason": "incident 7",
        "expires": chrono::DateTime::from_timestamp_millis(Clock::new().now_ms() + 3_600_000).unwrap(),
    });
    let stops = || !other.app.gateway.snapshot.load().policy.kill_switches().is_empty();
    let thrown = app.admin(Method::POST, "/api/v1/kill-switches", Some(&order)).await.is(201).json();
    let began = Instant::now();
    while !stops() {
        assert!(began.elapsed() < A_SECOND, "the other server knows of no kill switch");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let path = format!("/api/v1/kill-switches/{}", thrown["id"].as_str().unwrap());
    app.admin(Method::DELETE, &path, Some(&json!({ "reason": "mended" }))).await.is(200);
    let began = Instant::now();
    while stops() {
        assert!(began.elapsed() < A_SECOND, "the other server still stops");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    drop(other);
    app.finish().await;
}

/// Whoever goes from one server to the next begins no more sign-ins for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sign_ins_are_counted_over_all_servers() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shared.db");
    std::fs::File::create(&database).unwrap();
    let data = folder.path().join("other");
    let idp = Idp::start().await;
    let written = format!("[[provider]]\nid = 'corp'\nissuer = '{}'\nclient_id = '{CLIENT}'\n", idp.url);
    let identity: IdentityConfig = toml::from_str(&written).unwrap();
    let of_other = identity.clone();
    let other = Other::with(&data, &database, |config| config.identity = of_other).await;
    let app = TestApp::with(|config| {
        std::fs::create_dir_all(&config.data_dir).unwrap();
        for key in ["log.key", "pseudonym.key"] {
            std::fs::copy(data.join(key), config.data_dir.join(key)).unwrap();
        }
        config.database_url = Some(format!("sqlite://{}", database.display()).into());
        config.identity = identity;
    })
    .await;
    let begin = async |url: &str| {
        let request = app.client.get(format!("{url}/auth/start?provider=corp"));
        read(request.send().await.unwrap()).await
    };
    for at in 0..60 {
        let url = if at % 2 == 0 { app.url() } else { &other.url };
        let reply = begin(url).await;
        assert_eq!(reply.status, 303, "{at}: {}", reply.text());
    }
    // Neither has been asked 60 times.
    for url in [app.url(), &other.url] {
        let refused = begin(url).await.is(429);
        assert_eq!(refused.header("retry-after"), Some("60"));
    }
    drop(other);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_ask_refuses_until_it_can() {
    let app = TestApp::with(|config| config.limits.staleness_seconds = 2.try_into().unwrap()).await;
    app.ask("research", "assistant", "Hello").await.is(200);
    app.get("/readyz", "").await.is(200);
    sql(&app.data(), "ALTER TABLE revision RENAME TO hidden").await;
    let began = Instant::now();
    // A moment is bridged.
    app.ask("research", "assistant", "Hello").await.is(200);
    while app.get("/readyz", "").await.status != 503 {
        assert!(began.elapsed() < Duration::from_secs(5), "it says that it is ready");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(began.elapsed() > Duration::from_secs(1), "{:?}", began.elapsed());
    app.forget();
    let reply = app.ask("research", "assistant", "Hello").await.refused(503, "unavailable");
    assert_eq!(reply.header("x-should-retry"), Some("true"));
    app.get("/v1/models", "research").await.is(503);
    app.post("research", "/v1/decisions:explain", &[], "{}").await.is(503);
    assert!(app.received().is_empty());
    sql(&app.data(), "ALTER TABLE hidden RENAME TO revision").await;
    let began = Instant::now();
    while app.get("/readyz", "").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(2), "it does not recover");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.ask("research", "assistant", "Hello").await.is(200);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_cannot_put_in_force_what_is_configured_refuses_until_it_can() {
    let app = TestApp::with(|config| config.limits.staleness_seconds = 2.try_into().unwrap()).await;
    let (id, key) = app.create_key(json!({ "scope": "/acme/research", "name": "short-lived" })).await;
    app.get("/v1/models", &key).await.is(200);
    // A newer server may have written it so.
    let newer = "INSERT INTO endpoints (name, scope, definition, created_ms, updated_ms) \
                 VALUES ('newer', '/acme/research', '{\"newer\": true}', 0, 0)";
    sql(&app.data(), newer).await;
    sql(&app.data(), &format!("UPDATE virtual_keys SET revoked_ms = 1 WHERE id = '{id}'")).await;
    let began = Instant::now();
    while app.get("/v1/models", &key).await.status == 200 {
        assert!(began.elapsed() < Duration::from_secs(5), "a revoked key is served on and on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.ask("research", "assistant", "Hello").await.refused(503, "unavailable");
    let known = "/v1/decisions/dec_00000000000000000000000000000000";
    app.get(known, "research").await.refused(503, "unavailable");
    sql(&app.data(), "DELETE FROM endpoints WHERE name = 'newer'").await;
    let began = Instant::now();
    while app.get("/readyz", "").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(2), "it does not recover");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    app.get("/v1/models", &key).await.is(401);
    app.ask("research", "assistant", "Hello").await.is(200);
    app.finish().await;
}
