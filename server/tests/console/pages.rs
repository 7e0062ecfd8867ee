//! Every page as people see it: with and without script, from a phone to a wall, light and dark, by the keyboard, and by what
//! assistive technology would stumble over.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::browser::chromium;
use super::cdp::{Browser, Page};
use super::server::Server;

/// axe-core's own file; see `xtask/src/tools.rs`. <https://github.com/dequelabs/axe-core>
fn axe() -> Option<String> {
    let modules = std::env::var_os("BAILIWICK_TEST_NODE_MODULES").map(PathBuf::from);
    let found = modules.and_then(|modules| std::fs::read_to_string(modules.join("axe-core/axe.min.js")).ok());
    if found.is_none() {
        let strict = std::env::var_os("BAILIWICK_TEST_STRICT").is_some_and(|strict| strict == "1");
        assert!(!strict, "axe-core is not in BAILIWICK_TEST_NODE_MODULES");
        eprintln!("SKIPPED, no page was looked at by axe: it is not in BAILIWICK_TEST_NODE_MODULES");
    }
    found
}

/// Every kind of page, with something on it.
async fn all(server: &Server) -> Vec<String> {
    let decision = server.chat("support", "assistant", "Write to anna@example.de", &[]).await.decision();
    let denied = server.chat("support", "gpt-4.1-mini", "Hello", &[]).await.decision();
    let token = format!("Bearer {}", server.demo.announcement.admin_token);
    let get = async |path: &str| -> Value {
        let reply = server.page(path, http::header::AUTHORIZATION, &token).await;
        serde_json::from_str(&reply.body).unwrap()
    };
    let send = async |path: &str, body: Value| {
        let request =
            server.http.post(server.url(path)).header(http::header::AUTHORIZATION, &token).json(&body);
        let reply = super::server::read(request).await;
        assert_eq!(reply.status, 201, "{path}: {}", reply.body);
    };
    let expires = chrono::DateTime::from_timestamp_millis(server.demo.app.gateway.clock.now_ms() + 3_600_000);
    send(
        "/api/v1/kill-switches",
        json!({ "kind": "model", "target": "nimbus-1", "reason": "Nobody knows it", "expires": expires }),
    )
    .await;
    send("/api/v1/requests", json!({ "kind": "key", "reason": "Trying", "wanted": { "scope": "/acme/research", "name": "asked" } })).await;
    let key = get("/api/v1/keys").await["keys"][0]["id"].as_str().unwrap().to_owned();
    let budget = get("/api/v1/budgets").await["budgets"][0]["id"].to_string();
    [
        "/",
        "/?range=30d&scope=/acme/retail",
        "/decisions",
        "/decisions?q=nowhere",
        "/decisions?kind=EMAIL&from=2026-01-01T00:00",
        "/reached?endpoint=azure-sweden&from=2026-01-01T00:00&to=2030-01-01T00:00",
        "/reached?from=never&to=never",
        "/policies",
        "/policies?mode=shadow",
        "/audit",
        "/audit/export?from=never",
        "/audit/verify",
        "/people",
        "/sessions",
        "/keys",
        "/keys?state=revoked",
        "/keys/new",
        "/budgets",
        "/requests",
        "/requests/new",
        "/requests/new?kind=budget_raise",
        "/requests/new?kind=exception",
        "/endpoints",
        "/endpoints/azure-sweden",
        "/kill-switches",
        "/nowhere",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([
        format!("/decisions/{decision}"),
        format!("/decisions/{denied}"),
        format!("/keys/{key}"),
        format!("/budgets/{budget}"),
    ])
    .collect()
}

async fn theme(page: &Page, scheme: &str) {
    let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
    page.send("Emulation.setEmulatedMedia", features).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_accessible_and_fits_every_screen() {
    let Some(program) = chromium() else { return };
    let server = Server::start().await;
    let paths = all(&server).await;
    let browser = Browser::start(&program).await;
    let page = browser.page().await;
    page.go(&server.demo.announcement.console).await;
    let axe = axe();
    // All that is wrong, and not the first alone: a run takes a minute.
    let mut wrong: Vec<String> = Vec::new();
    for path in &paths {
        for scheme in ["light", "dark"] {
            theme(&page, scheme).await;
            page.go(&server.url(path)).await;
            let Some(axe) = &axe else { continue };
            page.run(&format!("{axe};0")).await;
            let found = page
                .run(
                    "axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations.map( \
                       (one) => one.id + ': ' + one.nodes.map((node) => node.target + ' ' + node.failureSummary).join('; ')))",
                )
                .await;
            if found != json!([]) {
                wrong.push(format!("{path}, {scheme}: {found}"));
            }
        }
    }
    // In German, whose words are longer.
    page.go(&server.url("/keys")).await;
    page.leave_by(
        "document.querySelector('[name=lang][value=de]').checked = true; \
         document.querySelector('form[action=\"/preferences\"] button').click()",
    )
    .await;
    for width in [360, 768, 1440, 3840] {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
        page.send("Emulation.setDeviceMetricsOverride", metrics).await;
        for path in &paths {
            page.go(&server.url(path)).await;
            let wide = page
                .run(&format!(
                    "document.documentElement.scrollWidth <= {width} ? [] : \
                     [...document.querySelectorAll('body *')] \
                       .filter(part => part.getBoundingClientRect().right > {width} + 1 && !part.closest('.scrolls, .main-nav')) \
                       .map(part => part.tagName + '.' + part.getAttribute('class'))"
                ))
                .await;
            if wide != json!([]) {
                wrong.push(format!("{path} at {width}: {wide}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(page.problems(), Vec::<String>::new());
    server.demo.stop().await;
}

/// Types into what has the focus.
async fn types(page: &Page, text: &str) {
    page.send("Input.insertText", json!({ "text": text })).await;
}

/// Presses a key that writes nothing.
async fn strikes(page: &Page, key: &str, code: u32) {
    for kind in ["rawKeyDown", "keyUp"] {
        let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
        page.send("Input.dispatchKeyEvent", event).await;
    }
}

async fn on(page: &Page, path: &str) {
    page.until(&format!("document.readyState === 'complete' && location.pathname === '{path}'")).await;
}

/// From the decisions to a key that works, with the keyboard alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_with_the_keyboard_alone() {
    let Some(program) = chromium() else { return };
    let server = Server::start().await;
    let browser = Browser::start(&program).await;
    let page = browser.page().await;
    page.go(&server.demo.announcement.console).await;
    page.until("document.querySelector('.help-button')?.hidden === false").await;
    page.press("g").await;
    page.press("k").await;
    on(&page, "/keys").await;
    page.until("document.querySelector('.help-button')?.hidden === false").await;
    page.press("j").await;
    assert_eq!(page.run("document.activeElement.matches('a.row-link')").await, json!(true));
    // By tab to the button, and through the form.
    page.run("document.activeElement.blur(); document.querySelector('main').focus()").await;
    strikes(&page, "Tab", 9).await;
    assert_eq!(page.text("document.activeElement.getAttribute('href')").await, "/keys/new");
    page.send("Input.dispatchKeyEvent", json!({ "type": "keyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r" })).await;
    on(&page, "/keys/new").await;
    page.run("document.querySelector('[name=scope]').focus()").await;
    types(&page, "/acme/research").await;
    strikes(&page, "Tab", 9).await;
    assert_eq!(page.text("document.activeElement.name").await, "name");
    types(&page, "by keyboard").await;
    strikes(&page, "Tab", 9).await;
    assert_eq!(page.text("document.activeElement.name").await, "models");
    types(&page, "assistant").await;
    let before = page.events("Page.loadEventFired").len();
    page.send("Input.dispatchKeyEvent", json!({ "type": "keyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r" })).await;
    page.until("document.querySelector('.made') != null").await;
    assert!(page.events("Page.loadEventFired").len() >= before);
    let key = page.text("document.querySelector('.made .snippet code').textContent").await;
    assert!(key.starts_with("bwk_"), "{key}");
    let request = server.http.post(server.url("/v1/chat/completions")).bearer_auth(&key);
    let body = json!({ "model": "assistant", "messages": [{ "role": "user", "content": "Hello" }] });
    assert_eq!(super::server::read(request.json(&body)).await.status, 200);
    assert_eq!(page.problems(), Vec::<String>::new());
    server.demo.stop().await;
}

/// The same pages whole, with no script at all, and a form that works.
#[tokio::test(flavor = "multi_thread")]
async fn pages_and_forms_work_without_script() {
    let Some(program) = chromium() else { return };
    let server = Server::start().await;
    let paths = all(&server).await;
    let browser = Browser::start(&program).await;
    let page = browser.page().await;
    page.send("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    page.go(&server.demo.announcement.console).await;
    for path in &paths {
        page.go(&server.url(path)).await;
        assert_eq!(page.run("document.querySelectorAll('h1').length").await, json!(1), "{path}");
        let hidden = "[...document.querySelectorAll('[data-needs-script]')].every(part => part.hidden)";
        assert_eq!(page.run(hidden).await, json!(true), "{path} shows a button that can do nothing");
    }
    page.go(&server.url("/keys/new?scope=/acme/research")).await;
    page.leave_by(
        "document.querySelector('[name=name]').value = 'without script'; \
         document.querySelector('form[action=\"/keys/new\"] button[type=submit]').click()",
    )
    .await;
    assert!(page.text("document.querySelector('.made').innerText").await.contains("bwk_"));
    assert_eq!(page.problems(), Vec::<String>::new());
    server.demo.stop().await;
}

/// An auditor's way: an export by the page, verified by one that needs no account, with the network gone.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_verified_in_the_browser_without_a_network() {
    let Some(program) = chromium() else { return };
    let server = Server::start().await;
    server.chat("support", "assistant", "Write to anna@example.de", &[]).await;
    let (cookie, _) = server.sign_in().await;
    let led = server
        .page("/audit/export?from=2026-01-01T00%3A00&scope=%2Facme", http::header::COOKIE, &cookie)
        .await;
    let target = led.header("location").to_owned();
    assert!(target.starts_with("/api/v1/audit/export?from=2026-01-01T00%3A00%3A00.000Z"), "{target}");
    let export = server.page(&target, http::header::COOKIE, &cookie).await;
    assert_eq!(export.status, 200, "{}", export.body);
    let key = server.page("/api/v1/audit/public-key", http::header::COOKIE, &cookie).await.body;
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, body: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, body).unwrap();
        path
    };
    let changed = export.body.replacen("/acme", "/acne", 1);
    assert_ne!(changed, export.body);
    let files =
        [file("true.jsonl", &export.body), file("changed.jsonl", &changed), file("other.txt", "hello")];

    let browser = Browser::start(&program).await;
    let page = browser.page().await;
    // Nobody is signed in.
    page.go(&server.url("/audit/verify")).await;
    page.until("document.querySelector('.drop')?.closest('[data-needs-script]').hidden === false").await;
    let offline = json!({ "offline": true, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0 });
    page.send("Network.enable", json!({})).await;
    page.send("Network.emulateNetworkConditions", offline).await;
    page.send("DOM.enable", json!({})).await;
    let choose = async |path: &std::path::Path| {
        let document = page.send("DOM.getDocument", json!({})).await;
        let asked = json!({ "nodeId": document["root"]["nodeId"], "selector": ".drop input" });
        let input = page.send("DOM.querySelector", asked).await;
        page.send("DOM.setFileInputFiles", json!({ "nodeId": input["nodeId"], "files": [path] })).await;
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        page.until(&format!("document.querySelector('.verdict-banner')?.innerText.includes('{name}')")).await;
        page.text("document.querySelector('.verify-result').innerText").await
    };
    let said = choose(&files[0]).await;
    assert!(said.contains("Verified") && said.contains("The key is the one inside the file"), "{said}");
    // Against the key that was got another way, which is this one, and then another one.
    let typed =
        format!("document.querySelector('.verify-file input[type=text]').value = {}", json!(key.trim()));
    page.run(&typed).await;
    assert!(choose(&files[0]).await.contains("Verified"));
    page.run("document.querySelector('.verify-file input[type=text]').dispatchEvent(new Event('change', { bubbles: true }))").await;
    page.until(
        "document.querySelector('.verify-result').innerText.includes('The key is the one that you gave')",
    )
    .await;
    for wrong in files.iter().skip(1) {
        let said = choose(wrong).await;
        assert!(said.contains("Not verified"), "{said}");
    }
    assert_eq!(page.problems(), Vec::<String>::new());
    server.demo.stop().await;
}
