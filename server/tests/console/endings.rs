//! What the list says of a decision, however it ends.

use bailiwick::demo::simulator::Behaviour;
use serde_json::{Value, json};

use super::server::{Reply, Server};

/// The decision's row.
async fn row(server: &Server, reply: &Reply) -> Value {
    let token = format!("Bearer {}", server.demo.announcement.admin_token);
    let list = server.page("/api/v1/decisions", http::header::AUTHORIZATION, &token).await;
    let list: Value = serde_json::from_str(&list.body).unwrap();
    let id = reply.decision();
    let mut rows = list["decisions"].as_array().into_iter().flatten();
    rows.find(|row| row["id"] == id.as_str()).cloned().unwrap_or_else(|| panic!("no row of {id}: {list}"))
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
