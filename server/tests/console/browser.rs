//! The console as a person sees it.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::cdp::{Browser, Page};
use super::server::Server;

/// The browser, or the reason for skipping.
pub(crate) fn chromium() -> Option<PathBuf> {
    let program = std::env::var_os("BAILIWICK_TEST_CHROMIUM").map(PathBuf::from);
    let missing = match &program {
        None => "BAILIWICK_TEST_CHROMIUM names no browser",
        Some(_) if bailiwick::console::assets().script.is_none() => {
            "no browser bundle was built into the server: BAILIWICK_CONSOLE_DIR was not set when it was compiled"
        }
        Some(_) => return program,
    };
    assert!(std::env::var_os("BAILIWICK_TEST_STRICT").is_none_or(|strict| strict != "1"), "{missing}");
    eprintln!("SKIPPED, the console was not tried in a browser: {missing}");
    None
}

const MAIL: &str = "Write to anna.schmidt@example.de and bob@example.com about IBAN DE89370400440532013000";
const SCRIPT: &str = "<script>window.owned=true</script><img src=x onerror=window.owned=true>";

/// From the set-up link to signing out: what the whole build is for.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_in_watches_verifies_and_leaves() {
    let Some(program) = chromium() else { return };
    let server = Server::start().await;
    let browser = Browser::start(&program).await;
    let page = browser.page().await;

    signs_in(&server, &page).await;
    let decision = watches(&server, &page).await;
    reads(&server, &page, &decision).await;
    verifies(&server, &page, &decision).await;
    chooses(&server, &page).await;
    fits(&server, &page, &decision).await;
    assert_eq!(page.problems(), Vec::<String>::new());
    without_script(&server, &browser, &decision).await;
    leaves(&server, &page).await;
    assert_eq!(page.problems(), Vec::<String>::new());
    server.demo.stop().await;
}

async fn signs_in(server: &Server, page: &Page) {
    page.go(&server.url("/")).await;
    assert_eq!(page.text("location.pathname").await, "/auth/sign-in", "nobody sees anything unsigned");
    page.go(&server.demo.announcement.console).await;
    assert_eq!(
        page.text("location.pathname").await,
        "/",
        "the link signs in and leaves no token in the address"
    );
    let cookies = page.send("Network.getCookies", json!({ "urls": [server.url("/")] })).await;
    let cookie = &cookies["cookies"][0];
    // Chromium takes a loopback address for a secure place, so the cookie is the same with and without TLS.
    assert_eq!(cookie["name"], "__Host-bailiwick", "{cookies}");
    assert_eq!(
        [&cookie["httpOnly"], &cookie["secure"], &cookie["sameSite"], &cookie["path"]],
        [&json!(true), &json!(true), &json!("Lax"), &json!("/")]
    );
}

/// The list, live: from the first decision on an empty page, without a reload.
async fn watches(server: &Server, page: &Page) -> String {
    // The overview of a gateway that nobody has used yet shows the first step too.
    assert!(
        page.text("document.querySelector('.empty-within .snippet').innerText")
            .await
            .contains("\"assistant\"")
    );
    page.go(&server.url("/decisions")).await;
    let snippet = page.text("document.querySelector('.empty .snippet').innerText").await;
    assert!(snippet.contains("\"assistant\""), "the first step works as it is shown: {snippet}");
    page.until("document.querySelector('.live')?.dataset.state === 'open'").await;
    page.run("window.unreloaded = true").await;

    let reply = server.chat("support", "assistant", MAIL, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let row = format!(
        "document.querySelector('a.row-link[href=\"/decisions/{}\"]')?.closest('tr')",
        reply.decision()
    );
    page.until(&format!("{row}?.querySelector('.outcome-allowed') != null")).await;
    let shown = page.text(&format!("{row}.innerText")).await;
    for text in ["/acme/retail/support", "assistant", reply.header("x-bailiwick-endpoint"), "EMAIL", "IBAN"] {
        assert!(shown.contains(text), "`{text}` is not in the row: {shown}");
    }
    assert!(
        page.run("getComputedStyle(document.querySelector('.empty')).display === 'none'").await
            == json!(true)
    );

    // What a client names can't become markup, on the way through the stream either.
    server.serve_model(SCRIPT).await;
    let hostile = server.chat("support", SCRIPT, "Hello", &[("x-bailiwick-user", SCRIPT)]).await;
    assert_eq!(hostile.status, 403);
    page.until(&format!(
        "document.querySelector('tr.decision .cell-model').textContent.trim() === {}",
        json!(SCRIPT)
    ))
    .await;
    assert_eq!(page.run("[window.owned === undefined, window.unreloaded]").await, json!([true, true]));
    reply.decision()
}

async fn reads(server: &Server, page: &Page, decision: &str) {
    page.press("?").await;
    page.until("document.querySelector('dialog.help').open").await;
    page.run("document.querySelector('dialog.help').close()").await;
    let link = format!("document.querySelector('a.row-link[href=\"/decisions/{decision}\"]').click()");
    page.leave_by(&link).await;
    let said = page.text("document.querySelector('main').innerText").await;
    for text in ["2 e-mail addresses", "1 IBAN", "eu-personal-data-is-tokenised", "openai-us", "Excluded"] {
        assert!(said.contains(text), "`{text}` is not on the page:\n{said}");
    }
    let evidence = page
        .run("[...document.querySelectorAll('.evidence a')].every(a => a.href.startsWith('https://'))")
        .await;
    assert_eq!(evidence, json!(true));
    for value in ["anna.schmidt@example.de", "DE89370400440532013000"] {
        let held = page.text("document.documentElement.outerHTML").await.contains(value);
        assert!(!held, "the value of a finding is on the page");
    }

    let denied = server.chat("support", "gpt-4.1-mini", "Hello", &[("x-bailiwick-user", SCRIPT)]).await;
    assert_eq!(denied.status, 403);
    page.go(&server.url(&format!("/decisions/{}", denied.decision()))).await;
    let said = page.text("document.querySelector('main').innerText").await;
    for text in ["no_eligible_endpoint", "The way out", "processing_countries", "Evidence", "usr_"] {
        assert!(said.contains(text), "`{text}` is not on the page:\n{said}");
    }
    assert_eq!(page.run("window.owned === undefined").await, json!(true));
}

/// The receipt by the ledger's own code in this browser: the true one, a changed one, and another decision's.
async fn verifies(server: &Server, page: &Page, decision: &str) {
    let other = server.chat("support", "assistant", "Hello", &[]).await.decision();
    let url = server.url(&format!("/decisions/{decision}"));
    page.go(&url).await;
    page.until("document.querySelector('.verify-buttons')?.hidden === false").await;
    let verify = "document.querySelector('.verify-buttons button').click()";
    page.run(verify).await;
    page.until("document.querySelector('.verdict-passed') != null").await;
    let steps =
        "[...document.querySelectorAll('.steps .step')].map(step => step.className.split('step-')[1])";
    assert_eq!(page.run(steps).await, json!(vec!["passed"; 7]));
    let computed = page.text("document.querySelector('.steps').innerText").await;
    let shown = page
        .run("[...document.querySelectorAll('.record > .labelled code')].map(code => code.textContent)")
        .await;
    assert_eq!(shown.as_array().map(Vec::len), Some(2), "a decision and its outcome: {shown}");
    for leaf in shown.as_array().into_iter().flatten().filter_map(|leaf| leaf.as_str()) {
        assert!(computed.contains(leaf), "leaf {leaf} was not computed: {computed}");
    }

    page.run("document.querySelectorAll('.verify-buttons button')[1].click()").await;
    page.until("document.querySelector('.verdict-failed') != null").await;
    let told = page.run(steps).await;
    assert_eq!(
        told.as_array().map(|all| all.iter().filter(|step| *step == "failed").count()),
        Some(1),
        "{told}"
    );

    // A server that answers with the receipt of something else: it is in order, and yet not what the page shows.
    let receipt =
        server.page(&format!("/v1/decisions/{other}"), http::header::AUTHORIZATION, &token(server)).await;
    assert_eq!(receipt.status, 200, "{}", receipt.body);
    page.send("Fetch.enable", json!({ "patterns": [{ "urlPattern": "*/v1/decisions/*" }] })).await;
    page.run(verify).await;
    let began = std::time::Instant::now();
    while page.events("Fetch.requestPaused").is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "the receipt was not asked for");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    use base64::Engine as _;
    let body = base64::engine::general_purpose::STANDARD.encode(&receipt.body);
    let request = page.events("Fetch.requestPaused")[0]["requestId"].clone();
    page.send("Fetch.fulfillRequest", json!({ "requestId": request, "responseCode": 200, "body": body }))
        .await;
    page.send("Fetch.disable", json!({})).await;
    page.until("document.querySelector('.steps .step:last-child.step-failed') != null").await;
    assert_eq!(page.run(&format!("{steps}.slice(0, 6)")).await, json!(vec!["passed"; 6]));
    assert_eq!(page.run("document.querySelector('.verdict-passed') === null").await, json!(true));
}

/// No page is wider than the screen, from a phone to a wall. In German, whose words are longer.
async fn fits(server: &Server, page: &Page, decision: &str) {
    for width in [360, 390, 768, 1440, 1920] {
        let metrics = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500 });
        page.send("Emulation.setDeviceMetricsOverride", metrics).await;
        for path in ["/decisions", "/decisions?q=nowhere", &format!("/decisions/{decision}"), "/nowhere"] {
            page.go(&server.url(path)).await;
            let wide = page
                .run(&format!(
                    "[...document.querySelectorAll('body *')] \
                       .filter(part => part.getBoundingClientRect().right > {width} + 1) \
                       .map(part => part.tagName + '.' + part.getAttribute('class'))"
                ))
                .await;
            let scrolls = page.run(&format!("document.documentElement.scrollWidth > {width}")).await;
            assert_eq!(scrolls, json!(false), "{path} at {width}: {wide}");
        }
    }
    page.send("Emulation.clearDeviceMetricsOverride", json!({})).await;
}

/// Theme and language, kept by a plain form.
async fn chooses(server: &Server, page: &Page) {
    page.go(&server.url("/decisions?outcome=denied")).await;
    page.leave_by(
        "document.querySelector('[name=theme][value=dark]').checked = true; \
         document.querySelector('[name=lang][value=de]').checked = true; \
         document.querySelector('form[action=\"/preferences\"] button').click()",
    )
    .await;
    let now = page
        .run("[location.search, document.documentElement.lang, document.documentElement.dataset.theme]")
        .await;
    assert_eq!(now, json!(["?outcome=denied", "de", "dark"]));
    assert_eq!(page.text("getComputedStyle(document.documentElement).colorScheme").await, "dark");
}

/// The pages come whole from the server.
async fn without_script(server: &Server, browser: &Browser, decision: &str) {
    let page = browser.page().await;
    page.send("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    page.go(&server.url("/decisions")).await;
    let rows = page.run("document.querySelectorAll('tr.decision').length").await;
    assert!(rows.as_u64().is_some_and(|rows| rows >= 4), "{rows}");
    page.go(&server.url(&format!("/decisions/{decision}"))).await;
    assert_eq!(page.run("document.querySelectorAll('.endpoint-card').length").await, json!(7));
    let buttons = "[...document.querySelectorAll('[data-needs-script]')].every(part => part.hidden)";
    assert_eq!(page.run(buttons).await, json!(true), "a button that can do nothing is shown");
    assert_eq!(page.problems(), Vec::<String>::new());
}

async fn leaves(server: &Server, page: &Page) {
    let cookies = page.send("Network.getCookies", json!({ "urls": [server.url("/")] })).await;
    let session = cookies["cookies"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|cookie| cookie["name"] == "__Host-bailiwick")
        .and_then(|cookie| cookie["value"].as_str().map(str::to_owned))
        .expect("a session");
    page.go(&server.demo.announcement.console).await;
    assert!(page.run("document.querySelector('.notice') != null").await == json!(true), "a link works once");

    page.go(&server.url("/decisions")).await;
    // Who leaves before the stream is open would have it refused, which the browser logs.
    page.until("document.querySelector('.live')?.dataset.state === 'open'").await;
    page.leave_by("document.querySelector('form[action=\"/auth/sign-out\"] button').click()").await;
    assert_eq!(page.text("location.pathname").await, "/auth/sign-in");
    page.go(&server.url("/decisions")).await;
    assert_eq!(page.text("location.pathname").await, "/auth/sign-in");
    let replayed =
        server.page("/decisions", http::header::COOKIE, &format!("__Host-bailiwick={session}")).await;
    assert_eq!(replayed.status, 303, "the session ended on the server too");
}

fn token(server: &Server) -> String {
    format!("Bearer {}", server.demo.announcement.admin_token)
}
