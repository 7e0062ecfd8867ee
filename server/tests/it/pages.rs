//! `cargo xtask bench --pages`: pages of 100 out of a million rows, over HTTP. A measurement, so it runs only when asked for.

use std::time::Instant;

use crate::app::TestApp;
use crate::support::database;

/// Rows of each kind.
fn rows() -> u64 {
    std::env::var("BAILIWICK_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000)
}

/// Fills the lists that grow without end. On SQLite `series` counts by itself, PostgreSQL has a function.
async fn fill(app: &TestApp, rows: u64) {
    let url = app.app().config.database_url.clone();
    let (series, pad) = match &url {
        Some(_) => (format!("SELECT n FROM generate_series(1, {rows}) AS s(n)"), "lpad(n::text, 8, '0')"),
        None => (
            format!(
                "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT n FROM s"
            ),
            "printf('%08d', n)",
        ),
    };
    let bytes = if url.is_some() { "'\\x00'::bytea" } else { "x'00'" };
    let scope =
        "CASE n % 4 WHEN 0 THEN '/acme/clinic' WHEN 1 THEN '/acme/research' ELSE '/acme/retail/support' END";
    let empty = if url.is_some() { "'[]'::json" } else { "'[]'" };
    let statements = [
        format!(
            "INSERT INTO decisions (id, record, time_ms, scope, model, outcome) SELECT 'dec_000000000000000000000000' || {pad}, n, n, {scope}, 'assistant', 'allowed' FROM ({series}) AS t"
        ),
        format!(
            "INSERT INTO service_tokens (id, secret_hash, name, scope, roles, created_ms) SELECT 'bench' || {pad}, {bytes}, 'bench', {scope}, {empty}, n FROM ({series}) AS t"
        ),
        format!(
            "INSERT INTO people (id, roles, created_ms) SELECT 'bench' || {pad}, {empty}, n FROM ({series}) AS t"
        ),
    ];
    for statement in statements {
        match &url {
            Some(url) => database::run(url.as_str(), &format!("{statement}; ANALYZE")).await,
            None => database::run_in_file(&app.data().join("bailiwick.db"), &statement).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: `cargo xtask bench --pages`"]
async fn pages_of_a_million() {
    let app = TestApp::start().await;
    let rows = rows();
    fill(&app, rows).await;
    let database = if database::on_postgres() { "PostgreSQL" } else { "SQLite" };
    for (path, name) in [
        ("/api/v1/decisions?limit=100", "decisions"),
        ("/api/v1/decisions?limit=100&scope=/acme/clinic", "decisions"),
        ("/api/v1/service-tokens?limit=100", "service_tokens"),
        ("/api/v1/service-tokens?limit=100&scope=/acme/clinic", "service_tokens"),
        ("/api/v1/people?limit=100", "people"),
    ] {
        let mut took = Vec::new();
        let mut cursor = String::new();
        // Pages from the beginning, and from places all over the list.
        for at in 0..60_u64 {
            let began = Instant::now();
            let page = app.admin(reqwest::Method::GET, &format!("{path}{cursor}"), None).await.is(200).json();
            took.push(began.elapsed());
            assert_eq!(page[name].as_array().unwrap().len(), 100);
            cursor = format!("&cursor={}", page["next"].as_str().unwrap());
            if at % 2 == 0 {
                let place = (at + 1) * rows / 64;
                let key = match name {
                    "decisions" => format!("dec_000000000000000000000000{place:08}"),
                    _ => format!("bench{place:08}"),
                };
                use base64::Engine as _;
                let written =
                    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(format!("{name}\n{key}"));
                cursor = format!("&cursor={written}");
            }
        }
        took.sort();
        let (p50, p99) = (took[took.len() / 2], took[took.len() - 1]);
        println!("{database}: {rows} rows, {path}: p50 {p50:?}, longest {p99:?}");
    }
    app.finish().await;
}

/// The console's first page, and lists narrowed by what no index leads to, with a million decisions of thirty days.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement: `cargo xtask bench --pages`"]
async fn pages_of_a_million_decisions() {
    let app = TestApp::start().await;
    let rows = i64::try_from(rows()).unwrap();
    let url = app.app().config.database_url.clone();
    let apart_ms = 30 * 86_400_000 / rows.max(1);
    let began_ms = app.app().gateway.clock.now_ms() - rows * apart_ms;
    let (series, hex) = match &url {
        Some(_) => (
            format!(
                "SELECT n, {began_ms} + n * {apart_ms}::bigint AS at FROM generate_series(1, {rows}) AS s(n)"
            ),
            "lpad(to_hex(at), 12, '0') || lpad(n::text, 8, '0')",
        ),
        None => (
            format!(
                "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) \
                 SELECT n, {began_ms} + n * {apart_ms} AS at FROM s"
            ),
            "printf('%012x%08d', at, n)",
        ),
    };
    let statement = format!(
        "INSERT INTO decisions (id, record, time_ms, scope, model, outcome, redactions, cost_nano) \
         SELECT 'dec_' || {hex}, n, at, \
         CASE n % 4 WHEN 0 THEN '/acme/clinic' WHEN 1 THEN '/acme/research' ELSE '/acme/retail/support' END, 'assistant', \
         CASE n % 50 WHEN 0 THEN 'denied' WHEN 1 THEN 'failed' ELSE 'allowed' END, \
         CASE n % 3 WHEN 0 THEN 'EMAIL=2,IBAN=1' END, 412000 FROM ({series}) AS t"
    );
    match &url {
        Some(url) => database::run(url.as_str(), &format!("{statement}; ANALYZE")).await,
        None => database::run_in_file(&app.data().join("bailiwick.db"), &statement).await,
    }
    let began = Instant::now();
    for _ in 0..20 {
        app.app().count_traffic().await.unwrap();
    }
    println!("{rows} decisions counted by the hour in {:?}", began.elapsed());
    for path in [
        "/",
        "/?range=30d",
        "/?range=30d&scope=/acme/clinic",
        "/decisions",
        "/decisions?kind=EMAIL",
        "/decisions?kind=PHONE",
        "/decisions?model=nobody",
    ] {
        let mut took = Vec::new();
        for _ in 0..30 {
            let began = Instant::now();
            app.admin(reqwest::Method::GET, path, None).await.is(200);
            took.push(began.elapsed());
        }
        let first = took[0];
        took.sort();
        println!(
            "{path}: first {first:?}, p50 {:?}, longest {:?}",
            took[took.len() / 2],
            took[took.len() - 1]
        );
    }
    app.finish().await;
}
