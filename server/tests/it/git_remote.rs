//! The policy over the network: `git http-backend` behind TLS, and a real `sshd`; several servers; webhooks.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bailiwick::app::{App, Config, Listening, TlsConfig, serve_on};
use bailiwick::git::GitConfig;
use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{StatusCode, header};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, logs, stored};
use crate::git::{following, follows, look, status};
use crate::process;
use crate::repository::{Repository, rule};
use crate::support::database;

const TOKEN: &str = "glpat-7h15-15-0n1y-f0r-7h15-t35t";

/// `git http-backend` behind TLS, which asks for a token.
struct Https {
    url: String,
    folder: tempfile::TempDir,
    asked: Arc<AtomicU64>,
    _listening: Listening,
}

#[derive(Clone)]
struct Backend {
    root: PathBuf,
    asked: Arc<AtomicU64>,
}

async fn backend(State(backend): State<Backend>, request: Request) -> Response {
    backend.asked.fetch_add(1, Ordering::Relaxed);
    let (request, body) = request.into_parts();
    let of = |name: &str| -> String {
        request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let path = request.uri.path().to_owned();
    if path.starts_with("/moved") {
        let elsewhere = path.replacen("/moved", "", 1);
        return (StatusCode::FOUND, [(header::LOCATION, elsewhere)]).into_response();
    }
    let expected = base64::engine::general_purpose::STANDARD.encode(format!("oauth2:{TOKEN}"));
    if of("authorization") != format!("Basic {expected}") {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"git\"")])
            .into_response();
    }
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", &backend.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("PATH_INFO", &path)
        .env("QUERY_STRING", request.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", request.method.as_str())
        .env("CONTENT_TYPE", of("content-type"))
        .env("HTTP_CONTENT_ENCODING", of("content-encoding"))
        .env("GIT_PROTOCOL", of("git-protocol"));
    let body = to_bytes(body, 1 << 20).await.unwrap();
    command.env("CONTENT_LENGTH", body.len().to_string());
    let output = tokio::task::spawn_blocking(move || {
        use std::io::Write as _;
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(&body);
        child.wait_with_output().unwrap()
    });
    let output = output.await.unwrap().stdout;
    let end = memchr::memmem::find(&output, b"\r\n\r\n").unwrap();
    let mut response = Response::builder();
    for line in std::str::from_utf8(&output[..end]).unwrap().lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = match name {
            "Status" => response.status(value[..3].parse::<u16>().unwrap()),
            _ => response.header(name, value),
        };
    }
    response.body(Body::from(output[end + 4..].to_vec())).unwrap()
}

impl Https {
    fn start(root: &Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, pair.cert.pem()).unwrap();
        std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        std::fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", socket.local_addr().unwrap().port());
        let asked: Arc<AtomicU64> = Arc::default();
        let backend_of = Backend { root: root.to_path_buf(), asked: Arc::clone(&asked) };
        let router = axum::Router::new().fallback(backend).with_state(backend_of);
        let listening = serve_on(socket, Some(&TlsConfig::of(certificate, key)), router).unwrap();
        Self { url, folder, asked, _listening: listening }
    }

    fn config(&self, repository: &Repository) -> GitConfig {
        GitConfig {
            url: format!("{}/.git", self.url),
            ca_bundle: Some(self.folder.path().join("cert.pem")),
            token_file: Some(self.folder.path().join("token")),
            ..repository.config()
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_https_with_a_token_and_a_private_authority() {
    let repository = Repository::new();
    repository.approve("bo", &repository.head());
    let https = Https::start(repository.path());
    let git = GitConfig { require_approval: true, ..https.config(&repository) };
    let folder = tempfile::tempdir().unwrap();
    for (change, said) in [
        (GitConfig { ca_bundle: None, ..git.clone() }, "cannot be fetched"),
        (GitConfig { token_file: None, ..git.clone() }, "policy.git.token_file"),
        (GitConfig { url: format!("{}/moved/.git", https.url), ..git.clone() }, "cannot be fetched"),
        (GitConfig { branch: String::from("other"), ..git.clone() }, "other"),
    ] {
        let mut config = Config::at("127.0.0.1:0".parse().unwrap(), folder.path().join("refused"));
        config.upstream.private_networks = config.upstream.private_networks.and_loopback();
        config.policy.git = Some(change);
        let refused = App::open(config, None).await.unwrap_err().to_string();
        assert!(refused.contains(said), "{said}: {refused}");
    }
    let app = following(git).await;
    assert_eq!(status(&app).await["commit"]["commit"], json!(repository.head()));
    for round in 0..3 {
        repository.write("rules/stop.yaml", &rule(&format!("stop-{round}"), "other"));
        let head = repository.commit("ada", "A change");
        look(&app, "approval", |told| told["refused"]["stage"] == "approval").await;
        repository.approve("bo", &head);
        let took = follows(&app, &head).await;
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    assert!(https.asked.load(Ordering::Relaxed) > 6);
    // The token is nowhere but in its file.
    assert!(!logs().contains(TOKEN));
    let folder = app.finish().await;
    assert_eq!(stored(&folder.path().join("data"), TOKEN).await, Vec::<String>::new());
}

/// An `sshd` of our own that serves one key.
struct Sshd {
    child: Child,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn sshd() -> Option<PathBuf> {
    let named = std::env::var_os("BAILIWICK_TEST_SSHD").map(PathBuf::from);
    let found = named.or_else(|| Some(PathBuf::from("/usr/sbin/sshd"))).filter(|path| path.exists());
    let says = |program: &PathBuf| Command::new(program).arg("-t").stderr(Stdio::piped()).output();
    let lacks = match found.as_ref().map(says) {
        None => Some(String::from("it is not installed")),
        // What root's sshd gives up its rights to; its package makes that user.
        Some(Ok(output)) if String::from_utf8_lossy(&output.stderr).contains("Privilege separation user") => {
            Some(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
        Some(_) => None,
    };
    let Some(lacks) = lacks else { return found };
    let strict = std::env::var_os("BAILIWICK_TEST_STRICT").is_some_and(|value| value == "1");
    assert!(!strict, "sshd cannot run: {lacks}");
    eprintln!("SKIPPED: sshd cannot run ({lacks}), so no policy was fetched over ssh");
    None
}

impl Sshd {
    fn start(program: &Path, folder: &Path, repository: &Repository) -> Self {
        // As root it wants the folder that it gives up its rights in; as anybody else it needs none.
        let _ = std::fs::create_dir_all("/run/sshd");
        repository.key("host", &["-t", "ed25519"]);
        repository.key("deploy", &["-t", "ed25519"]);
        std::fs::write(folder.join("authorized_keys"), repository.public("deploy")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let hosts = format!("[127.0.0.1]:{port} {}", repository.public("host"));
        std::fs::write(folder.join("known_hosts"), hosts).unwrap();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nAcceptEnv GIT_PROTOCOL\n",
            repository.key_file("host").display(),
            folder.join("authorized_keys").display(),
        );
        std::fs::write(folder.join("sshd_config"), config).unwrap();
        let log = std::fs::File::create(folder.join("sshd.log")).unwrap();
        let mut command = Command::new(program);
        command.args(["-D", "-e", "-f"]).arg(folder.join("sshd_config")).stderr(log);
        let own = Self { child: command.spawn().unwrap(), port };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = std::fs::read_to_string(folder.join("sshd.log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(10), "sshd does not listen: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
        own
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_ssh_with_a_deploy_key_and_a_known_host() {
    let Some(program) = sshd() else { return };
    let repository = Repository::new();
    let folder = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&program, folder.path(), &repository);
    let user = crate::repository::run(Command::new("id").arg("-un"), "");
    let git = GitConfig {
        url: format!("ssh://{}@127.0.0.1:{}{}/.git", user.trim(), sshd.port, repository.path().display()),
        ssh_key: Some(repository.key_file("deploy")),
        known_hosts: Some(folder.path().join("known_hosts")),
        ..repository.config()
    };
    let said = || std::fs::read_to_string(folder.path().join("sshd.log")).unwrap_or_default();
    let nobody = folder.path().join("nobody");
    std::fs::write(&nobody, "").unwrap();
    for change in [
        GitConfig { ssh_key: Some(repository.key_file("eve")), ..git.clone() },
        GitConfig { known_hosts: Some(nobody), ..git.clone() },
    ] {
        let mut config = Config::at("127.0.0.1:0".parse().unwrap(), folder.path().join("refused"));
        config.upstream.private_networks = config.upstream.private_networks.and_loopback();
        config.policy.git = Some(change);
        let refused = App::open(config, None).await.unwrap_err().to_string();
        assert!(refused.contains("cannot be fetched"), "{refused}");
    }
    let app = TestApp::with(|config| config.policy.git = Some(git)).await;
    assert_eq!(status(&app).await["commit"]["commit"], json!(repository.head()), "{}", said());
    repository.write("rules/stop.yaml", &rule("stop-other", "other"));
    let head = repository.commit("ada", "A change");
    follows(&app, &head).await;
    app.finish().await;
}

/// A second server on the same database that does not reach the repository serves the same commit, always.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_does_not_reach_the_repository_follows_all_the_same() {
    let repository = Repository::new();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("shared.db");
    std::fs::File::create(&database).unwrap();
    let url = format!("sqlite://{}", database.display());
    // On SQLite one server writes the log, and that is the one that opened it last: this one only follows.
    let mut config = Config::at(SocketAddr::from(([127, 0, 0, 1], 0)), folder.path().join("other"));
    config.upstream.private_networks = config.upstream.private_networks.and_loopback();
    config.replica = String::from("other");
    config.database_url = Some(url.clone().into());
    config.policy.git = Some(repository.config());
    let other = App::open(config, None).await.unwrap();
    let commit = |app: &App| app.gateway.snapshot.load().version.clone().unwrap().commit_id;
    assert_eq!(commit(&other), repository.head());
    let app = TestApp::with(|config| {
        std::fs::create_dir_all(&config.data_dir).unwrap();
        std::fs::copy(folder.path().join("other/log.key"), config.data_dir.join("log.key")).unwrap();
        config.database_url = Some(url.into());
        config.policy.git = Some(repository.config());
    })
    .await;
    for round in 0..5 {
        repository.write("rules/stop.yaml", &rule(&format!("stop-{round}"), "other"));
        let head = repository.commit("bo", "A change");
        follows(&app, &head).await;
        let began = Instant::now();
        while commit(&other) != head {
            assert!(began.elapsed() < Duration::from_secs(1), "the other server has an older policy");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    let rule = other.gateway.snapshot.load().policy.bundle().rule("stop-4").cloned();
    assert!(rule.is_some());
    // One that cannot read what is in force does not go on with what was.
    let version = other.gateway.snapshot.load().version.clone().unwrap();
    let unreadable = bailiwick::store::policy_versions::PolicyVersion {
        id: version.id + 1,
        digest: String::from("sha256:gone"),
        ..version
    };
    assert!(bailiwick::store::policy_versions::publish(&app.app().store, unreadable.clone()).await.unwrap());
    assert!(!bailiwick::store::policy_versions::publish(&app.app().store, unreadable).await.unwrap());
    let began = Instant::now();
    while app.ask("research", "assistant", "Hello").await.status != 503 {
        assert!(began.elapsed() < Duration::from_secs(15), "it goes on with an old policy");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(other);
    app.finish().await;
}

/// The server on duty loses its access to the repository: the other one follows it meanwhile, refuses what is wrong, and
/// takes the duty over when the first one stops.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_server_stands_in_for_one_that_does_not_reach_the_repository() {
    if !database::on_postgres() {
        // On SQLite there is just one server.
        return;
    }
    let repository = Repository::new();
    let https = Https::start(repository.path());
    let folder = tempfile::tempdir().unwrap();
    let url = database::postgres_in(folder.path()).await.unwrap();
    let token = folder.path().join("token");
    let token_says = |text: &str| std::fs::write(&token, text).unwrap();
    token_says(TOKEN);
    let first_data = folder.path().join("first");
    let mut config = Config::at(SocketAddr::from(([127, 0, 0, 1], 0)), first_data.clone());
    config.upstream.private_networks = config.upstream.private_networks.and_loopback();
    config.limits.spool_bytes = 0;
    config.database_url = Some(url.clone().into());
    config.policy.git =
        Some(GitConfig { token_file: Some(token.clone()), interval_seconds: 1, ..https.config(&repository) });
    let first = App::open(config, None).await.unwrap();
    let app = TestApp::with(|config| {
        std::fs::create_dir_all(&config.data_dir).unwrap();
        for secret in ["log.key", "token.key", "pseudonym.key"] {
            std::fs::copy(first_data.join(secret), config.data_dir.join(secret)).unwrap();
        }
        config.database_url = Some(url.clone().into());
        config.policy.git = Some(GitConfig { interval_seconds: 1, ..https.config(&repository) });
    })
    .await;
    let reaches = async |what: &str, done: &dyn Fn(&Value) -> bool| {
        let began = Instant::now();
        loop {
            let told = status(&app).await;
            if done(&told) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{what}: {told:#}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let stage = |told: &Value| told["refused"]["stage"].as_str().unwrap_or_default().to_owned();
    token_says("another token");
    reaches("it still reaches it", &|told| stage(told) == "repository").await;
    repository.write("rules/stop.yaml", &rule("stop-one", "other"));
    let good = repository.commit("ada", "A change");
    reaches("nobody stands in", &|told| told["commit"]["commit"] == json!(good)).await;
    assert_eq!(stage(&status(&app).await), "repository");

    repository.write("rules/stop.yaml", &rule("stop-two", "other"));
    let bad = repository.commit_unsigned("Not signed");
    reaches("it is not refused", &|told| told["refused"]["commit"] == json!(bad)).await;
    // For several looks of either.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = status(&app).await;
    assert_eq!((stage(&told).as_str(), &told["commit"]["commit"]), ("signature", &json!(good)));
    repository.reset(&good);
    reaches("it is still refused", &|told| stage(told) == "repository").await;
    repository.write("rules/stop.yaml", &rule("stop-three", "other"));
    let good = repository.commit("bo", "A better change");
    reaches("nobody stands in any more", &|told| told["commit"]["commit"] == json!(good)).await;

    token_says(TOKEN);
    reaches("it does not reach it again", &|told| told["refused"].is_null()).await;
    let in_force = first.gateway.snapshot.load().version.clone().unwrap();
    assert_eq!(in_force.commit_id, good);
    let records = app.records().await;
    let refused = records.iter().filter_map(|record| record.sections.get("refused"));
    let stages: Vec<Value> = refused.map(|refused| refused["stage"].clone()).collect();
    assert_eq!(stages, ["repository", "signature"]);

    first.close(Duration::from_secs(5)).await;
    drop(first);
    repository.write("rules/stop.yaml", &rule("stop-four", "other"));
    let last = repository.commit("ada", "After the hand-over");
    reaches("nobody is on duty", &|told| told["commit"]["commit"] == json!(last)).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_that_knows_the_secret_has_the_repository_looked_at() {
    let repository = Repository::new();
    let secret = "a secret of the webhook";
    let file = repository.path().join(".git/webhook");
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    let git = GitConfig { webhook_secret_file: Some(file.clone()), ..repository.config() };
    let app = following(git).await;
    let body = r#"{"ref":"refs/heads/main"}"#;
    let signed = |secret: &str, body: &str| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
    };
    let hook = async |name: &'static str, value: String| {
        let url = format!("{}/api/v1/policy:notify", app.url());
        app.client.post(url).header(name, value).body(body).send().await.unwrap().status().as_u16()
    };
    for (name, value) in [
        ("x-hub-signature-256", signed("another secret", body)),
        ("x-hub-signature-256", signed(secret, "{}")),
        ("x-hub-signature-256", String::from("sha256=")),
        ("x-hub-signature-256", String::from("nonsense")),
        ("x-gitlab-token", String::from("another secret")),
        ("x-gitlab-token", String::new()),
        ("x-other", secret.to_owned()),
    ] {
        assert_eq!(hook(name, value.clone()).await, 401, "{name}: {value}");
    }
    for (name, value) in
        [("x-hub-signature-256", signed(secret, body)), ("x-gitlab-token", secret.to_owned())]
    {
        repository.write("rules/stop.yaml", &rule(&format!("stop-{}", &name[2..8]), "other"));
        let head = repository.commit("ada", "A change");
        assert_eq!(hook(name, value).await, 202);
        let began = Instant::now();
        while status(&app).await["commit"]["commit"] != head {
            assert!(began.elapsed() < Duration::from_secs(2), "{name}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    std::fs::write(&file, "short").unwrap();
    assert_eq!(hook("x-gitlab-token", String::from("short")).await, 503);

    // Who may see it sees it, on the command line too; who may not does not.
    app.get("/api/v1/policy", "support").await.is(401);
    let server = Some((app.url(), app.token()));
    let words = ["policy", "status"];
    let (url, token) = server.map(|(url, token)| (url.to_owned(), token.to_owned())).unwrap();
    let said =
        tokio::task::spawn_blocking(move || (process::run(&words, Some((&url, &token)), ""), url, token));
    let (said, url, token) = said.await.unwrap();
    let said = said.is(0).out;
    assert!(said.contains(&repository.head()) && said.contains("signed by  ada@acme.example"), "{said}");
    repository.write("rules/stop.yaml", "id: [");
    let head = repository.commit("ada", "Broken");
    look(&app, "broken", |told| told["refused"]["commit"] == head).await;
    let said =
        tokio::task::spawn_blocking(move || process::run(&words, Some((&url, &token)), "")).await.unwrap();
    let said = said.is(1).out;
    assert!(said.contains("REFUSED") && said.contains("rules/stop.yaml:"), "{said}");
    app.finish().await;

    let app = TestApp::start().await;
    let told: Value = app.admin(Method::GET, "/api/v1/policy", None).await.is(200).json();
    assert_eq!(
        (&told["source"], &told["commit"], &told["git"]),
        (&json!("starter"), &Value::Null, &Value::Null)
    );
    let url = format!("{}/api/v1/policy:notify", app.url());
    assert_eq!(app.client.post(url).send().await.unwrap().status(), 404);
    app.finish().await;
}
