//! What happened, in numbers, and what was sent where.

use bailiwick::demo::simulator::Behaviour;
use bailiwick::store::traffic::{self, HOUR_MS, Tally};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::support::database;

/// An interval around now, as a query.
fn around(app: &TestApp) -> String {
    let now_ms = app.app().gateway.clock.now_ms();
    let at = |ms: i64| chrono::DateTime::from_timestamp_millis(ms).unwrap().format("%FT%TZ").to_string();
    format!("from={}&to={}", at(now_ms - HOUR_MS), at(now_ms + HOUR_MS))
}

fn sent(found: &Value) -> Vec<(String, String, u64, String)> {
    let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
    let all = found["reached"].as_array().unwrap().iter();
    all.map(|one| {
        (text(one, "decision"), text(one, "kind"), one["number"].as_u64().unwrap(), text(one, "outcome"))
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_sent_to_an_endpoint_is_told_even_where_nothing_came_back() {
    let app = TestApp::start().await;
    let first = app.ask("clinic", "assistant", "Write to anna@example.de").await.is(200);
    let endpoint = first.endpoint().to_owned();
    app.simulator(&endpoint).set_behaviour(Behaviour::Close);
    let second = app.ask("clinic", "assistant", "A cough").await.is(200);
    assert_ne!(second.endpoint(), endpoint, "another one answered");
    let third = app.ask("research", "assistant", "Hello").await;
    app.settled().await;
    let around = around(&app);
    let ask = |query: String| {
        let app = &app;
        async move { app.admin(Method::GET, &format!("/api/v1/reached?{query}"), None).await }
    };
    let found = ask(format!("endpoint={endpoint}&scope=/acme/clinic&{around}")).await.is(200).json();
    let expected = [
        (first.decision(), String::from("attempt"), 1, String::from("allowed")),
        (second.decision(), String::from("attempt"), 1, String::from("allowed")),
    ];
    assert_eq!(sent(&found), expected);
    assert_eq!((&found["undisclosed"], &found["next"]), (&json!(0), &Value::Null));
    assert_eq!(found["reached"][0]["redactions"], json!("EMAIL=1"), "{found}");
    assert_eq!(found["reached"][0]["scope"], "/acme/clinic");
    // The one that answered instead, by the attempt that it was.
    let other =
        ask(format!("endpoint={}&{around}&scope=/acme/clinic", second.endpoint())).await.is(200).json();
    assert_eq!(sent(&other), [(second.decision(), String::from("attempt"), 2, String::from("allowed"))]);
    // Page by page it is the same, and as files.
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = ask(format!("endpoint={endpoint}&scope=/acme/clinic&{around}&limit=1{cursor}"))
            .await
            .is(200)
            .json();
        pages.extend(sent(&page));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(pages, expected);
    let csv = ask(format!("endpoint={endpoint}&scope=/acme/clinic&{around}&format=csv")).await.is(200);
    assert!(csv.header("content-disposition").unwrap().contains("reached.csv"));
    let lines: Vec<&str> = csv.text().lines().collect();
    assert_eq!(lines.len(), 3, "{}", csv.text());
    assert!(lines[0].starts_with("time,decision,kind,") && lines[1].contains(&first.decision()));
    let jsonl = ask(format!("endpoint={endpoint}&scope=/acme/clinic&{around}&format=jsonl")).await.is(200);
    let told: Vec<Value> = jsonl.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(json!(told), found["reached"]);
    // By its provider, with everything else of that provider.
    let listed = app.admin(Method::GET, "/api/v1/endpoints", None).await.is(200).json();
    let named = listed["endpoints"].as_array().unwrap().iter().find(|one| one["name"] == *endpoint).unwrap();
    let provider = named["operator"].as_str().unwrap();
    let of_provider = ask(format!("provider={provider}&{around}")).await.is(200).json();
    assert!(sent(&of_provider).iter().any(|(id, ..)| *id == first.decision()));
    if third.endpoint() == endpoint {
        assert!(sent(&of_provider).iter().any(|(id, ..)| *id == third.decision()));
    }
    // Nothing before there was a request.
    let before = "from=2020-01-01T00:00:00Z&to=2020-02-01T00:00:00Z";
    assert!(sent(&ask(format!("endpoint={endpoint}&{before}")).await.is(200).json()).is_empty());
    for wrong in [
        format!("endpoint={endpoint}"),
        around.to_string(),
        format!("endpoint={endpoint}&provider={provider}&{around}"),
        format!("provider=nobody&{around}"),
        format!("endpoint={endpoint}&{around}&format=xml"),
        format!("endpoint={endpoint}&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z"),
    ] {
        ask(wrong).await.is(400);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_counted_by_hour_outcome_and_kind() {
    let app = TestApp::start().await;
    let store = &app.app().store;
    // Ids that begin with their time, as the gateway makes them; two hours of them, long ago.
    // Older than what the server counts by itself, and not so old that it forgets it.
    let began = app.app().gateway.clock.now_ms() - 100 * 24 * HOUR_MS;
    // At noon, so that both hours are of one day whatever the time is now.
    let began = began - began % (24 * HOUR_MS) + 12 * HOUR_MS;
    let row = |n: i64, at_ms: i64, scope: &str, outcome: &str, redactions: &str| {
        format!(
            "INSERT INTO decisions (id, record, time_ms, scope, outcome, redactions, cost_nano) VALUES \
             ('dec_{at_ms:012x}70008000{n:012x}', {n}, {at_ms}, '{scope}', '{outcome}', {redactions}, {n})"
        )
    };
    let rows = [
        row(1, began, "/acme/clinic", "allowed", "'EMAIL=2,IBAN=1'"),
        row(2, began + HOUR_MS - 1, "/acme/clinic", "allowed", "'EMAIL=3'"),
        row(4, began + 5, "/acme/clinics", "denied", "NULL"),
        row(8, began + HOUR_MS, "/acme/clinic", "dry_allowed", "'EMAIL=1'"),
    ];
    for row in rows {
        match &app.app().config.database_url {
            Some(url) => database::run(url.as_str(), &row).await,
            None => database::run_in_file(&app.data().join("bailiwick.db"), &row).await,
        }
    }
    let tally = |start_ms: i64, scope: &str, what: &str, count: i64, cost_nano: i64| Tally {
        start_ms,
        scope: scope.to_owned(),
        what: what.to_owned(),
        count,
        cost_nano,
    };
    let first = [
        tally(began, "/acme/clinic", "allowed", 2, 3),
        tally(began, "/acme/clinic", "redacted:EMAIL", 5, 0),
        tally(began, "/acme/clinic", "redacted:IBAN", 1, 0),
        tally(began, "/acme/clinics", "denied", 1, 4),
    ];
    assert_eq!(traffic::count(store, began, began + HOUR_MS, HOUR_MS).await.unwrap(), first);
    let by_five: Vec<i64> = traffic::count(store, began, began + HOUR_MS, 300_000)
        .await
        .unwrap()
        .into_iter()
        .filter(|tally| tally.what == "allowed")
        .map(|tally| tally.start_ms)
        .collect();
    assert_eq!(by_five, [began, began + HOUR_MS - 300_000]);
    // What is counted again takes the place of what was counted before.
    for _ in 0..2 {
        for start_ms in [began, began + HOUR_MS] {
            let counted = traffic::count(store, start_ms, start_ms + HOUR_MS, HOUR_MS).await.unwrap();
            traffic::keep(store, start_ms, start_ms + 2 * HOUR_MS, counted).await.unwrap();
        }
    }
    let counted = traffic::counted(store, began, began + 2 * HOUR_MS).await.unwrap();
    assert_eq!(counted, [(began, began + 2 * HOUR_MS), (began + HOUR_MS, began + 3 * HOUR_MS)]);
    let span = (began, began + 2 * HOUR_MS);
    // A day of both hours, of one scope and those below it, but not of one whose name goes on.
    let day_ms = 24 * HOUR_MS;
    let clinic = [String::from("/acme/clinic")];
    let mut kept = traffic::kept(store, span, day_ms, &clinic).await.unwrap();
    kept.sort_by(|a, b| a.what.cmp(&b.what));
    let day = began - began % day_ms;
    assert_eq!(
        kept,
        [
            tally(day, "/acme/clinic", "allowed", 2, 3),
            tally(day, "/acme/clinic", "dry_allowed", 1, 8),
            tally(day, "/acme/clinic", "redacted:EMAIL", 6, 0),
            tally(day, "/acme/clinic", "redacted:IBAN", 1, 0),
        ]
    );
    assert_eq!(traffic::kept(store, span, HOUR_MS, &[String::from("/")]).await.unwrap().len(), 6);
    assert!(traffic::kept(store, span, HOUR_MS, &[]).await.unwrap().is_empty());
    assert_eq!(traffic::first_ms(store).await.unwrap(), Some(began));
    assert_eq!(traffic::sweep(store, began + HOUR_MS).await.unwrap(), 1);
    assert_eq!(traffic::kept(store, span, HOUR_MS, &[String::from("/")]).await.unwrap().len(), 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_overview_counts_what_its_reader_may_see_and_nothing_else() {
    let app = TestApp::start().await;
    app.ask("research", "assistant", "Write to anna@example.de").await.is(200);
    app.ask("research", "assistant", "Hello").await.is(200);
    app.ask("support", "gpt-4.1-mini", "Hello").await.is(403);
    app.settled().await;
    let figure = |html: &str, class: &str| -> String {
        let rest =
            html.split(&format!("figure figure-{class}\"")).nth(1).unwrap_or_else(|| panic!("no {class}"));
        rest.split("<b>").nth(1).unwrap().split("</b>").next().unwrap().to_owned()
    };
    let page = app.admin(Method::GET, "/", None).await.is(200).text().to_owned();
    let told = ["all", "allowed", "denied", "failed"].map(|class| figure(&page, class));
    assert_eq!(told, ["3", "2", "1", "0"]);
    for range in ["1h", "7d", "30d"] {
        let page = app.admin(Method::GET, &format!("/?range={range}"), None).await.is(200).text().to_owned();
        assert_eq!(figure(&page, "all"), "3", "{range}");
    }
    let page = app.admin(Method::GET, "/?scope=/acme/research", None).await.is(200).text().to_owned();
    assert_eq!((figure(&page, "all").as_str(), figure(&page, "denied").as_str()), ("2", "0"));
    let now_ms = app.app().gateway.clock.now_ms();
    let auditor =
        bailiwick::identity::create_token(&app.app().store, "a", "/acme/research", &["auditor"], now_ms)
            .await
            .unwrap()
            .reveal();
    let page = app.get("/", &auditor).await.is(200).text().to_owned();
    assert_eq!(figure(&page, "all"), "2");
    app.get("/?scope=/acme/retail", &auditor).await.is(404);
    // Somebody who may see no decisions has an overview of the rest.
    let finance = bailiwick::identity::create_token(&app.app().store, "f", "/acme", &["finance"], now_ms)
        .await
        .unwrap()
        .reveal();
    let page = app.get("/", &finance).await.is(200).text().to_owned();
    assert!(!page.contains("figure-all") && page.contains("href=\"/budgets"), "{page}");
    app.finish().await;
}

/// Lists that no index leads to are looked through a part at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_decisions_is_narrowed_in_its_address() {
    let app = TestApp::start().await;
    let redacted = app.ask("clinic", "assistant", "Write to anna@example.de").await.is(200);
    let plain = app.ask("research", "assistant", "Hello").await.is(200);
    let support = app.ask("support", "assistant", "Hello").await.is(200);
    app.settled().await;
    let key = app.admin(Method::GET, "/api/v1/keys?scope=/acme/research", None).await.is(200).json();
    let key = key["keys"][0]["id"].as_str().unwrap().to_owned();
    let all = [&redacted, &plain, &support];
    for (query, which) in [
        (String::from("kind=EMAIL"), vec![0]),
        (String::from("kind=MAIL"), vec![]),
        (String::from("kind=E_AIL"), vec![]),
        (format!("key={key}"), vec![1]),
        (
            format!("endpoint={}", support.endpoint()),
            (0..3).filter(|at| all[*at].endpoint() == support.endpoint()).collect(),
        ),
        (String::from("from=2020-01-01&to=2020-01-02"), vec![]),
        (String::from("from=2020-01-01&outcome=allowed"), vec![0, 1, 2]),
        (String::from("to=2020-01-01&kind=EMAIL"), vec![]),
    ] {
        let page =
            app.admin(Method::GET, &format!("/decisions?{query}"), None).await.is(200).text().to_owned();
        for (at, reply) in all.iter().enumerate() {
            let shown = page.contains(&format!("href=\"/decisions/{}\"", reply.decision()));
            assert_eq!(shown, which.contains(&at), "{query}, {at}");
        }
    }
    app.finish().await;
}
