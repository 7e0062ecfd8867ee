//! The pages as the server sends them: the router with the example console behind it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

#[path = "../../examples/preview/sample/mod.rs"]
mod sample;

mod accessible;
mod contrast;
mod forms;
mod overview;
mod pages;
mod security;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Extension;
use axum::http::{Request, Response, StatusCode};
use bailiwick_ui::{Assets, Script, router};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

const ALLOWED: &str = "/decisions/dec_01jdb8m4k00x7q2r9v5t0w3yz";
const DENIED: &str = "/decisions/dec_01jdb8m4k01x7q2r9v5t0w3yz";
const RUNNING: &str = "/decisions/dec_01jdb8m4k03x7q2r9v5t0w3yz";
const FAILED: &str = "/decisions/dec_01jdb8m4k04x7q2r9v5t0w3yz";

/// Every kind of page that there is.
const PAGES: [&str; 41] = [
    "/",
    "/?range=30d&scope=%2Facme",
    "/decisions",
    "/decisions?kind=EMAIL&endpoint=azure-sweden&from=2026-11-22T00:00",
    "/decisions?key=rare",
    "/decisions?outcome=denied&q=x%22y",
    "/decisions?q=nowhere",
    ALLOWED,
    DENIED,
    RUNNING,
    FAILED,
    "/decisions/none",
    "/auth/sign-in?signed-out",
    "/keys",
    "/keys?state=revoked&q=nowhere",
    "/keys/new",
    "/keys/k3v9d1x7",
    "/keys/p6t4y2m8",
    "/keys/none",
    "/budgets",
    "/budgets/2",
    "/requests",
    "/requests?state=open",
    "/requests/new",
    "/requests/new?kind=budget_raise",
    "/requests/new?kind=exception",
    "/endpoints",
    "/endpoints/azure-sweden",
    "/kill-switches",
    "/reached",
    "/reached?endpoint=openai-us&from=2026-11-22T00:00&to=2026-11-23T00:00",
    "/reached?endpoint=quiet&from=2026-11-22T00:00&to=2026-11-23T00:00",
    "/reached?from=never&to=2026-11-23T00:00",
    "/policies",
    "/policies?q=gdpr&mode=enforce",
    "/audit",
    "/people",
    "/people?disabled=true",
    "/sessions",
    "/audit/export?from=never",
    "/audit/verify",
];

fn assets(script: bool) -> Assets {
    Assets {
        css: "/assets/c.css".to_owned(),
        icon: Some("/assets/i.svg".to_owned()),
        script: script.then(|| Script { js: "/assets/c.js".to_owned(), wasm: "/assets/c.wasm".to_owned() }),
    }
}

/// A page with its status and headers.
struct Page {
    parts: axum::http::response::Parts,
    html: String,
}

impl Page {
    fn header(&self, name: &str) -> &str {
        self.parts.headers.get(name).unwrap_or_else(|| panic!("no header {name}")).to_str().unwrap()
    }

    /// The page's text without its tags.
    fn text(&self) -> String {
        let mut text = String::new();
        let mut inside = false;
        for c in self.html.chars() {
            match c {
                '<' => inside = true,
                '>' => inside = false,
                c if !inside => text.push(c),
                _ => {}
            }
        }
        text
    }
}

/// Two providers, found by e-mail address too, and a break-glass account.
fn ways() -> bailiwick_ui::SignInWays {
    let provider = |id: &str, title: &str| (format!("/auth/start?provider={id}"), title.to_owned());
    bailiwick_ui::SignInWays {
        providers: vec![provider("corp", "Acme <Staff>"), provider("lab", "Lab")],
        by_email: true,
        break_glass: true,
    }
}

async fn send(request: Request<Body>, script: bool) -> Page {
    send_to(sample::Sample::new("http://gateway.example"), request, script).await
}

async fn send_to(console: sample::Sample, request: Request<Body>, script: bool) -> Page {
    let console = Arc::new(console);
    let signed_out = request.uri().query().is_some_and(|query| query.contains("signed-out"));
    let mut app = router(console, assets(script), ways());
    if !signed_out {
        app = app.layer(Extension(sample::viewer()));
    }
    let response: Response<Body> = app.oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Page { parts, html: String::from_utf8(bytes.to_vec()).unwrap() }
}

async fn page_in(path: &str, lang: &str) -> Page {
    let request = Request::get(path).header("accept-language", lang).body(Body::empty()).unwrap();
    send(request, true).await
}

async fn page(path: &str) -> Page {
    page_in(path, "en").await
}

async fn ok(path: &str) -> Page {
    let page = page(path).await;
    assert_eq!(page.parts.status, StatusCode::OK, "{path}");
    page
}
