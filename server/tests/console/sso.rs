//! A person signs in through a certified OpenID provider in a real browser, is asked once more, and leaves.
//!
//! The provider is panva's `oidc-provider` (<https://github.com/panva/node-oidc-provider>), run by Node; see
//! `server/tests/idp/provider.mjs`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use bailiwick::app::Config;
use bailiwick::demo::Demo;
use bailiwick::identity::IdentityConfig;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::cdp::{Browser, Page};

/// What the test needs and this machine has, or the reason for skipping.
fn given(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os(name).map(PathBuf::from);
    if found.is_none() {
        let strict = std::env::var_os("BAILIWICK_TEST_STRICT").is_some_and(|strict| strict == "1");
        assert!(!strict, "{name} is not set");
        eprintln!("SKIPPED, nobody signed in through a provider: {name} is not set");
    }
    found
}

/// The provider's process; it ends with this.
struct Provider {
    issuer: String,
    _child: Child,
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Provider {
    async fn start(node: &Path, modules: &Path, folder: &Path) -> Self {
        // An ES module finds packages beside itself only.
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/idp/provider.mjs");
        let beside = folder.join("provider.mjs");
        std::fs::copy(script, &beside).unwrap();
        std::os::unix::fs::symlink(modules, folder.join("node_modules")).unwrap();
        let mut child = Command::new(node)
            .arg(&beside)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut provider =
            Self { issuer: String::new(), _child: child, input, lines: BufReader::new(output).lines() };
        provider.issuer = provider.line().await["issuer"].as_str().unwrap().to_owned();
        provider
    }

    async fn line(&mut self) -> Value {
        loop {
            let line = self.lines.next_line().await.unwrap().expect("the provider runs");
            // It warns in words of its own beside.
            if let Ok(value) = serde_json::from_str(&line) {
                return value;
            }
        }
    }

    /// Tells it where the server is.
    async fn serve(&mut self, base: &str) {
        let told = format!("{}\n", json!({ "base": base }));
        self.input.write_all(told.as_bytes()).await.unwrap();
        assert_eq!(self.line().await["ready"], true);
    }
}

/// The starter bundle, and a line that gives the provider's group a role.
fn bundle(folder: &Path) {
    for (path, text) in bailiwick_policy::BundleSource::starter().files {
        let to = folder.join(&path);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        let line = if path.ends_with("policy.csv") { "\ng, group:corp:admins, role:admin, /\n" } else { "" };
        std::fs::write(to, format!("{text}{line}")).unwrap();
    }
}

async fn on(page: &Page, path: &str) {
    page.until(&format!("document.readyState === 'complete' && location.pathname === '{path}'")).await;
}

/// Gives a login on the provider's page, and agrees to what it asks then.
async fn log_in(page: &Page, issuer: &str, login: &str, back: &str) {
    page.until(&format!("location.origin === '{issuer}' && document.querySelector('[name=login]') != null"))
        .await;
    let fill = format!(
        "document.querySelector('[name=login]').value = '{login}'; \
         document.querySelector('[name=password]').value = 'x'; \
         document.querySelector('form').requestSubmit(document.querySelector('form [type=submit]'))"
    );
    page.leave_by(&fill).await;
    let there = format!("location.origin !== '{issuer}'");
    let asks = "document.querySelector('[name=prompt][value=consent]') != null";
    page.until(&format!("{there} || {asks}")).await;
    if page.run(asks).await == json!(true) {
        page.leave_by(
            "document.querySelector('form').requestSubmit(document.querySelector('form [type=submit]'))",
        )
        .await;
    }
    page.until(&format!("{there} && document.readyState === 'complete'")).await;
    on(page, back).await;
}

async fn me(page: &Page) -> Value {
    page.run("fetch('/api/v1/me').then((answer) => answer.ok ? answer.json() : { status: answer.status })")
        .await
}

/// A server with the provider.
struct Setup {
    _folder: tempfile::TempDir,
    provider: Provider,
    demo: Demo,
}

async fn serve(node: &Path, modules: &Path, more: &str) -> Setup {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let idp_folder = folder.path().join("idp");
    std::fs::create_dir(&idp_folder).unwrap();
    let mut provider = Provider::start(node, modules, &idp_folder).await;
    let (policy, secret) = (folder.path().join("policy"), folder.path().join("secret"));
    bundle(&policy);
    std::fs::write(&secret, "client-secret-of-the-test\n").unwrap();
    let mut config = Config::at("127.0.0.1:0".parse().unwrap(), folder.path().join("data"));
    config.bundle = Some(policy);
    let written = format!(
        "[[provider]]\nid = 'corp'\ntitle = 'Acme'\nissuer = '{}'\nclient_id = 'bailiwick-test'\n\
         client_secret_file = '{}'\nscopes = ['email', 'profile', 'groups']\nuserinfo = true\n\
         email_domains = ['acme.example']\n{more}",
        provider.issuer,
        secret.display()
    );
    config.identity = toml::from_str::<IdentityConfig>(&written).unwrap();
    let demo = Box::pin(Demo::start_with(config)).await.unwrap();
    provider.serve(&demo.announcement.url).await;
    Setup { _folder: folder, provider, demo }
}

/// Asks what a page asks, over and over, until it answers so; how long that took.
async fn until_status(page: &Page, path: &str, status: u16) -> Duration {
    let began = Instant::now();
    let ask = format!("fetch('{path}').then((answer) => answer.status)");
    while page.run(&ask).await != json!(status) {
        assert!(began.elapsed() < Duration::from_secs(10), "{path} never answers {status}");
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_by_a_pushed_group_is_lost_within_a_second_and_so_is_the_session() {
    let (Some(chromium), Some(node), Some(modules)) = (
        given("BAILIWICK_TEST_CHROMIUM"),
        given("BAILIWICK_TEST_NODE"),
        given("BAILIWICK_TEST_NODE_MODULES"),
    ) else {
        return;
    };
    let Setup { _folder, provider, demo } =
        Box::pin(serve(&node, &modules, "scim = { required = true }")).await;
    let (base, token) = (demo.announcement.url.clone(), demo.announcement.admin_token.clone());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let scim = async |method: reqwest::Method, path: &str, body: Value| -> Value {
        let request = client.request(method, format!("{base}/scim/v2{path}")).bearer_auth(&token);
        let answer = request.json(&body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
        answer.json().await.unwrap()
    };
    let user = json!({ "userName": "ada@acme.example", "externalId": "ada" });
    let user = scim(reqwest::Method::POST, "/Users", user).await;
    let group = json!({ "displayName": "admins", "members": [{ "value": user["id"] }] });
    let group = scim(reqwest::Method::POST, "/Groups", group).await;

    let browser = Browser::start(&chromium).await;
    let page = browser.page().await;
    page.go(&format!("{base}/decisions")).await;
    on(&page, "/auth/sign-in").await;
    page.leave_by("document.querySelector('a[href^=\"/auth/start?provider=corp\"]').click()").await;
    log_in(&page, &provider.issuer, "ada", "/decisions").await;
    let told = me(&page).await;
    assert_eq!(told["subject"], format!("user:{}", user["id"].as_str().unwrap()), "{told}");
    assert!(told["roles"].as_array().unwrap().contains(&json!({ "role": "admin", "scope": "/" })), "{told}");
    until_status(&page, "/api/v1/people", 200).await;

    let path = format!("/Groups/{}", group["id"].as_str().unwrap());
    let out =
        json!({ "Operations": [{ "op": "Remove", "path": "members", "value": [{ "value": user["id"] }] }] });
    let began = Instant::now();
    scim(reqwest::Method::PATCH, &path, out).await;
    until_status(&page, "/api/v1/people", 403).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(me(&page).await["roles"], json!([]));

    let path = format!("/Users/{}", user["id"].as_str().unwrap());
    let off = json!({ "Operations": [{ "op": "Replace", "path": "active", "value": "False" }] });
    let began = Instant::now();
    scim(reqwest::Method::PATCH, &path, off).await;
    until_status(&page, "/api/v1/me", 401).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    page.go(&format!("{base}/decisions")).await;
    on(&page, "/auth/sign-in").await;
    demo.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_through_a_provider_steps_up_and_leaves() {
    let (Some(chromium), Some(node), Some(modules)) = (
        given("BAILIWICK_TEST_CHROMIUM"),
        given("BAILIWICK_TEST_NODE"),
        given("BAILIWICK_TEST_NODE_MODULES"),
    ) else {
        return;
    };
    let Setup { _folder, provider, demo } = Box::pin(serve(&node, &modules, "")).await;
    let (base, issuer) = (demo.announcement.url.clone(), provider.issuer.clone());

    let browser = Browser::start(&chromium).await;
    let page = browser.page().await;
    page.go(&format!("{base}/decisions")).await;
    on(&page, "/auth/sign-in").await;
    page.leave_by("document.querySelector('a[href^=\"/auth/start?provider=corp\"]').click()").await;
    log_in(&page, &issuer, "ada", "/decisions").await;
    let told = me(&page).await;
    assert_eq!(
        (&told["name"], &told["groups"]),
        (&json!("ada of the test"), &json!(["corp:admins"])),
        "{told}"
    );
    assert!(told["roles"].as_array().unwrap().contains(&json!({ "role": "admin", "scope": "/" })), "{told}");
    assert!(page.text("document.querySelector('.who').textContent").await.contains("ada"));
    assert_eq!(page.run("document.cookie").await, json!(""), "no script sees a cookie");

    // Once more, for something dangerous: the provider asks for the login again.
    page.go(&format!("{base}/auth/step-up?back=/decisions")).await;
    log_in(&page, &issuer, "ada", "/decisions").await;
    let again = me(&page).await;
    assert_ne!(again["session"]["id"], told["session"]["id"], "the session is a new one");
    let since = again["session"]["authenticated_ms"].as_i64().unwrap();
    assert!(since >= told["session"]["authenticated_ms"].as_i64().unwrap() && since > 0, "{again}");

    // Out here is out there: the provider asks, ends its session, and comes back.
    page.run("document.querySelector('details.menu').open = true").await;
    page.run("document.querySelector('form[action=\"/auth/sign-out\"]').requestSubmit()").await;
    page.until(&format!("location.origin === '{issuer}' && document.querySelector('[name=logout]') != null"))
        .await;
    page.leave_by("document.querySelector('[name=logout]').click()").await;
    on(&page, "/auth/sign-in").await;
    assert_eq!(me(&page).await["status"], 401);

    // Who has no role gets in nowhere, and is told so.
    page.leave_by("document.querySelector('a[href^=\"/auth/start?provider=corp\"]').click()").await;
    log_in(&page, &issuer, "bo", "/auth/callback/corp").await;
    let said = page.text("document.querySelector('[role=status]').textContent").await;
    assert!(said.contains("no role has been given"), "{said}");
    assert_eq!(me(&page).await["status"], 401);
    demo.stop().await;
}
