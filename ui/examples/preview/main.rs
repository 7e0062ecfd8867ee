//! Serves the console's pages with example data, to look at them: `cargo run -p bailiwick-ui --features ssr --example preview`.
//!
//! `--unused` shows a console that no request has reached yet; `--listen ADDR` (default `127.0.0.1:8099`), `--bundle DIR` (a folder that the console bundler made) for the islands. Nothing
//! here is measured or real, except the records: they are sealed, hashed, proven and signed by the ledger, so that verification
//! in the browser has something true to verify.
#![expect(
    clippy::print_stdout,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a tool to look at pages, never shipped"
)]

mod sample;

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Extension, Path, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bailiwick_ui::{Assets, CSS, ICON, PageError, STREAM_PATH, Script, SignInWays, error_page, router};
use futures::stream::{self, Stream, StreamExt as _};

use sample::Sample;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut listen, mut bundle, mut unused) = ("127.0.0.1:8099".to_owned(), None, false);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--listen" => listen = arguments.next().expect("--listen ADDR"),
            "--bundle" => bundle = arguments.next().map(PathBuf::from),
            "--unused" => unused = true,
            other => panic!("unknown argument {other}"),
        }
    }
    let script = bundle.as_ref().map(|folder| {
        let manifest = std::fs::read(folder.join("manifest.json")).expect("manifest.json");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("manifest.json");
        let name = |key: &str| format!("/assets/{}", manifest[key].as_str().expect("a file name"));
        Script { js: name("js"), wasm: name("wasm") }
    });
    let assets =
        Assets { css: "/assets/console.css".to_owned(), icon: Some("/assets/icon.svg".to_owned()), script };
    let base_url = format!("http://{listen}");
    let sample = Arc::new(if unused { Sample::unused(&base_url) } else { Sample::new(&base_url) });
    let app = router(Arc::clone(&sample) as _, assets.clone(), SignInWays::default())
        .route("/assets/{file}", get(move |path| asset(path, bundle.clone())))
        .route(STREAM_PATH, get(live))
        .route("/receipts/{id}", get(receipt))
        .fallback(move |headers: HeaderMap| {
            let assets = assets.clone();
            async move { error_page(&headers, &assets, Some(sample::viewer()), PageError::NotFound) }
        })
        .layer(middleware::from_fn(sign_in))
        .layer(Extension(sample));
    serve(&listen, app).await;
}

async fn serve(listen: &str, app: Router) {
    let listener = tokio::net::TcpListener::bind(listen).await.expect("an address to listen on");
    println!("http://{}", listener.local_addr().expect("an address"));
    axum::serve(listener, app).await.expect("serving");
}

/// Everyone is signed in, but for the sign-in page and whoever asks with `?signed-out`.
async fn sign_in(mut request: Request, next: Next) -> Response {
    let out = request.uri().query().is_some_and(|query| query.contains("signed-out"));
    if !out && request.uri().path() != bailiwick_ui::SIGN_IN_PATH {
        request.extensions_mut().insert(sample::viewer());
    }
    next.run(request).await
}

async fn asset(Path(file): Path<String>, bundle: Option<PathBuf>) -> Response {
    let kind = match file.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    let body = match file.as_str() {
        "console.css" => Some(CSS.as_bytes().to_vec()),
        "icon.svg" => Some(ICON.as_bytes().to_vec()),
        _ => bundle.and_then(|folder| std::fs::read(folder.join(file)).ok()),
    };
    body.map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |body| ([(header::CONTENT_TYPE, kind)], body).into_response(),
    )
}

async fn receipt(Extension(sample): Extension<Arc<Sample>>, Path(id): Path<String>) -> Response {
    sample.receipt(&id).map_or_else(
        || StatusCode::NOT_FOUND.into_response(),
        |body| ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
    )
}

/// A new decision every two seconds, first running, then ended.
async fn live(
    Extension(sample): Extension<Arc<Sample>>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let rows = stream::unfold(0_u64, move |step| {
        let sample = Arc::clone(&sample);
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok(Event::default().json_data(sample.live(step)).expect("a row is JSON")), step + 1))
        }
    });
    Sse::new(rows.boxed()).keep_alive(KeepAlive::default())
}
