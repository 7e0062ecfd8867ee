//! What the list says of a decision, however it ends.

use std::time::{Duration, Instant};

use bailiwick::demo::simulator::Behaviour;
use serde_json::{Value, json};

use super::server::{Reply, Server};

/// The decision's row, once it is not under way any more: the outcome is recorded after the client has its answer.
async fn row(server: &Server, reply: &Reply) -> Value {
    let token = format!("Bearer {}", server.demo.announcement.admin_token);
    let id = reply.decision();
    let began = Instant::now();
    loop {
        let list = server.page("/api/v1/decisions", http::header::AUTHORIZATION, &token).await;
        let list: Value = serde_json::from_str(&list.body).unwrap();
        let mut rows = list["decisions"].as_array().into_iter().flatten();
        let row = rows.find(|row| row["id"] == id.as_str()).cloned();
        match row {
            Some(row) if row["outcome"] != "running" => return row,
            _ => assert!(began.elapsed() < Duration::from_secs(10), "{id} goes on and on: {list}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ending_is_told() {
    let server = Server::start().await;
    let answered = server.chat("support", "assistant", "Write to anna@example.de", &[]).await;
    let shown = row(&server, &answered).await;
    assert_eq!((&shown["outcome"], &shown["key"]), (&json!("allowed"), &json!("support")));
    assert_eq!(shown["redactions"], json!([{ "kind": "EMAIL", "count": 1 }]));

    let denied = server.chat("support", "gpt-4.1-mini", "Hello", &[]).await;
    let shown = row(&server, &denied).await;
    assert_eq!((&shown["outcome"], &shown["code"]), (&json!("denied"), &json!("no_eligible_endpoint")));
    assert!(shown["overhead_micros"].as_u64().is_some_and(|micros| micros > 0), "{shown}");

    // What a header says and a scope declares as well is told as both.
    let both = [("x-bailiwick-subject-region", "DE")];
    let reply = server.chat("support", "assistant", "Hello", &both).await;
    row(&server, &reply).await;
    let (cookie, _) = server.sign_in().await;
    let page = server.page(&format!("/decisions/{}", reply.decision()), http::header::COOKIE, &cookie).await;
    let origins: Vec<&str> =
        page.body.split("<small>").filter_map(|part| Some(part.split_once("</small>")?.0)).collect();
    assert!(origins.contains(&"set on the scope, declared by header"), "{origins:?}");
    assert!(origins.contains(&"set on the scope"), "{origins:?}");

    // Of the eligible endpoints one fails; those after it fail too, or have no price that a budget could hold.
    for simulator in &server.demo.simulators {
        simulator.set_behaviour(Behaviour::Status { code: 500, retry_after: None });
    }
    let failed = server.chat("support", "assistant", "Hello", &[]).await;
    assert_eq!(failed.status, 502, "{}", failed.body);
    let error: Value = serde_json::from_str(&failed.body).unwrap();
    let id = error["bailiwick"]["decision"].as_str().unwrap_or_default().to_owned();
    let mut shown = row(&server, &failed).await;
    assert_eq!(
        (&shown["id"], &shown["outcome"]),
        (&json!(id), &json!("failed")),
        "nothing is under way any more"
    );
    assert_eq!(shown["code"], error["error"]["code"]);
    assert!(shown["endpoint"].take().is_string(), "{shown}");
    server.demo.stop().await;
}
