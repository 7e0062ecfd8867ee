//! What messages cost beside plain tokens: caches that are kept for longer, searches, counting, thinking; and what bounds a
//! report.

use bailiwick::demo::simulator::Behaviour;
use serde_json::{Value, json};

use crate::app::{TestApp, message};
use crate::messages::{asked, messages, refused, sent, with_claude};

const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

fn usage(more: &Value) -> Value {
    let mut usage = json!({ "input_tokens": 100, "output_tokens": 10 });
    usage.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    usage
}

/// What an answer with this usage is booked as, and what was held for it.
async fn booked(app: &TestApp, body: &Value) -> (Value, i64) {
    let reply = messages(app, "research", body).await.is(200);
    let records = app.records_of(&reply.decision()).await;
    let held = records[0].sections["attempt"]["reserved_nano"].as_i64().unwrap();
    (records.last().unwrap().sections["usage"].clone(), held)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stays_in_a_cache_for_an_hour_has_its_own_price_held_and_booked() {
    let (app, claude) = with_claude(false).await;
    let long = json!({ "type": "ephemeral", "ttl": "1h" });
    let marked = |marker: &Value| {
        let mut body = asked("claude", "x");
        body["cache_control"] = marker.clone();
        body
    };
    let written = json!({ "cache_creation_input_tokens": 1000,
        "cache_creation": { "ephemeral_5m_input_tokens": 400, "ephemeral_1h_input_tokens": 600 } });
    for stream in [false, true] {
        claude.push_behaviour(Behaviour::ReportUsage(usage(&written)));
        let mut body = marked(&long);
        body["stream"] = json!(stream);
        let (used, _) = booked(&app, &body).await;
        assert_eq!(
            (&used["source"], &used["cache_write_1h_tokens"]),
            (&json!("reported"), &json!(600)),
            "{used}"
        );
        // 100 at $3, 400 at $3.75, 600 at $6 and 10 at $15 a million.
        assert_eq!(used["cost_nano"], 300_000 + 1_500_000 + 3_600_000 + 150_000, "{used}");
    }
    // Not told apart, all that was written counts for the hour that was asked for, and for no hour where none was.
    let together = usage(&json!({ "cache_creation_input_tokens": 1000 }));
    claude.push_behaviour(Behaviour::ReportUsage(together.clone()));
    let (used, held_long) = booked(&app, &marked(&long)).await;
    assert_eq!(used["cost_nano"], 300_000 + 6_000_000 + 150_000, "{used}");
    claude.push_behaviour(Behaviour::ReportUsage(together));
    let (used, held_short) = booked(&app, &marked(&json!({ "type": "ephemeral", "ttl": "5m" }))).await;
    assert_eq!(used["cost_nano"], 300_000 + 3_750_000 + 150_000, "{used}");
    assert!(held_long > held_short, "{held_long} {held_short}");
    // It is a feature that facts ask about.
    let explained = app
        .post("support", "/v1/decisions:explain", &[VERSION], marked(&long).to_string())
        .await
        .is(200)
        .json();
    assert_eq!(explained["decision"]["facts"]["features"], json!(["prompt_cache_extended"]));
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searches_are_paid_and_what_has_no_known_price_is_doubted() {
    let (app, claude) = with_claude(false).await;
    let search = |most: u64| {
        let mut body = asked("claude", "x");
        body["tools"] = json!([{ "type": "web_search_20250305", "name": "web_search", "max_uses": most }]);
        body
    };
    let said = json!({ "type": "message", "id": "msg_1", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [{ "type": "text", "text": "Hi" }], "stop_reason": "end_turn", "stop_sequence": null });
    let telling = |tools: Value| {
        let mut said = said.clone();
        said["usage"] = usage(&json!({ "server_tool_use": tools }));
        Behaviour::Answer(vec![said])
    };
    claude.push_behaviour(telling(json!({ "web_search_requests": 2 })));
    let (used, held) = booked(&app, &search(2)).await;
    assert_eq!((&used["source"], &used["web_searches"]), (&json!("reported"), &json!(2)), "{used}");
    // 100 at $3 and 10 at $15 a million, two searches at $10 a thousand.
    assert_eq!(used["cost_nano"], 300_000 + 150_000 + 20_000_000, "{used}");
    claude.push_behaviour(telling(Value::Null));
    let (used, held_for_more) = booked(&app, &search(5)).await;
    assert_eq!((&used["source"], &used["cost_nano"]), (&json!("reported"), &json!(450_000)), "{used}");
    assert_eq!(held_for_more - held, 30_000_000);
    // What nobody knows the price of.
    claude.push_behaviour(telling(json!({ "of_next_month_requests": 1 })));
    let (used, held) = booked(&app, &search(1)).await;
    assert_eq!((&used["doubts"], &used["cost_nano"]), (&json!(["unpriced"]), &json!(held)), "{used}");
    // OpenAI's usage does not tell searches, so that nobody knows whether there were any.
    let mut body = message("gpt-4.1-mini", "x");
    body["max_tokens"] = json!(10);
    body["web_search_options"] = json!({});
    let reply = app.chat("research", &body).await.is(200);
    let records = app.records_of(&reply.decision()).await;
    let used = &records.last().unwrap().sections["usage"];
    assert_eq!(used["doubts"], json!(["unpriced"]), "{used}");
    assert_eq!(used["cost_nano"], records[0].sections["attempt"]["reserved_nano"]);
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counting_is_free_whatever_the_model_costs_and_however_it_ends() {
    let (app, claude) = with_claude(false).await;
    let key = app
        .apply(json!({
            "keys": [{ "scope": "/acme/research", "name": "poor" }],
            "budgets": [{ "key": "poor", "window": "month", "limit_usd": "0.000001" }],
        }))
        .await["created_keys"][0]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut body = asked("claude", "How much is this?");
    refused(messages(&app, &key, &body).await, 429, "rate_limit_error", "budget_exceeded");
    body.as_object_mut().unwrap().remove("max_tokens");
    let count = async || app.post(&key, "/v1/messages/count_tokens", &[VERSION], body.to_string()).await;
    let reply = count().await.is(200);
    assert_eq!(app.outcome(&reply.decision()).await.sections["usage"]["cost_nano"], 0);
    claude.push_behaviour(Behaviour::Status { code: 500, retry_after: None });
    let reply = count().await.is(502);
    assert_eq!(app.outcome(&reply.decision()).await.sections["usage"]["cost_nano"], 0);
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_limit_is_lowered_below_what_the_model_is_told_to_think_with() {
    let (app, claude) = with_claude(false).await;
    let key = app
        .apply(json!({
            "keys": [{ "scope": "/acme/research", "name": "thrifty" }],
            // Some 3,000 tokens of output, and no more.
            "budgets": [{ "key": "thrifty", "window": "month", "limit_usd": "0.05", "lower_output": true }],
        }))
        .await["created_keys"][0]["key"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut body = asked("claude", "x");
    body["max_tokens"] = json!(20_000);
    body["thinking"] = json!({ "type": "enabled", "budget_tokens": 1_024 });
    let reply = messages(&app, &key, &body).await.is(200);
    let lowered: u64 = reply.header("x-bailiwick-output-limit").unwrap().parse().unwrap();
    assert!(lowered > 1_024 && lowered < 20_000, "{lowered}");
    let left: Value = serde_json::from_str(&sent(&claude)).unwrap();
    assert_eq!(left["max_tokens"], lowered);
    claude.clear();
    body["thinking"]["budget_tokens"] = json!(10_000);
    refused(messages(&app, &key, &body).await, 429, "rate_limit_error", "budget_exceeded");
    assert_eq!(claude.received_count(), 0);
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_does_not_unbound_what_a_provider_may_report() {
    let (app, claude) = with_claude(false).await;
    let image = json!({ "type": "image", "source": { "type": "url", "url": "https://example.org/a.png" } });
    let pdf = json!({ "type": "document", "source": { "type": "url", "url": "https://example.org/a.pdf" } });
    for (part, doubts) in [(image, json!(["absurd"])), (pdf, Value::Null)] {
        claude.push_behaviour(Behaviour::ReportUsage(
            json!({ "input_tokens": 90_000_000, "output_tokens": 5 }),
        ));
        let mut body = asked("claude", "x");
        body["messages"][0]["content"] = json!([part]);
        let (used, held) = booked(&app, &body).await;
        assert_eq!(used["doubts"], doubts, "{used}");
        assert_eq!(used["cost_nano"] == json!(held), doubts != Value::Null, "{used}");
    }
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_that_is_text_is_read_like_text() {
    let (app, claude) = with_claude(false).await;
    let (_, plain) = app.create_key(json!({ "scope": "/acme", "name": "plain" })).await;
    let with = |source: Value| {
        let mut body = asked("claude", "x");
        body["messages"][0]["content"] = json!([{ "type": "document", "source": source }]);
        body
    };
    let address = "ottilie.brandt@kunde.example";
    let texts = [
        json!({ "type": "text", "media_type": "text/plain", "data": format!("Write to {address}") }),
        json!({ "type": "content", "content": format!("Write to {address}") }),
        json!({ "type": "content", "content": [{ "type": "text", "text": format!("Write to {address}") }] }),
    ];
    for source in texts {
        messages(&app, &plain, &with(source.clone())).await.is(200);
        claude.clear();
        messages(&app, "support", &with(source)).await.is(200);
        let left = sent(&claude);
        assert!(!left.contains(address) && left.contains("Write to "), "{left}");
    }
    claude.clear();
    let image = json!({ "type": "image", "source": { "type": "url", "url": "https://example.org/a.png" } });
    for source in [
        json!({ "type": "content", "content": [{ "type": "text", "text": "x" }, image] }),
        json!({ "type": "text", "media_type": "text/plain", "data": "x", "file_id": "file_1" }),
        json!({ "type": "file", "file_id": "file_1" }),
    ] {
        let reply = messages(&app, &plain, &with(source)).await;
        refused(reply, 403, "permission_error", "no_eligible_endpoint");
    }
    assert_eq!(claude.received_count(), 0);
    drop(claude);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_explanation_refuses_what_a_message_would_be_refused_for() {
    let (app, claude) = with_claude(false).await;
    let body = asked("claude", "x").to_string();
    for headers in
        [&[("anthropic-version", "2024-01-01")][..], &[VERSION, ("anthropic-beta", "files-api-2025-04-14")]]
    {
        for path in ["/v1/messages", "/v1/decisions:explain"] {
            let reply = app.post("support", path, headers, body.clone()).await;
            refused(reply, 400, "invalid_request_error", "invalid_request");
        }
    }
    let mut fast: Value = serde_json::from_str(&body).unwrap();
    fast["speed"] = json!("fast");
    let told =
        refused(messages(&app, "research", &fast).await, 400, "invalid_request_error", "invalid_request");
    assert_eq!(told["bailiwick"]["param"], "speed");
    // What an SDK sends for caching by itself is no unknown member.
    let mut automatic: Value = serde_json::from_str(&body).unwrap();
    automatic["cache_control"] = json!({ "type": "ephemeral" });
    messages(&app, "support", &automatic).await.is(200);
    assert_eq!(claude.received_count(), 1);
    drop(claude);
    app.finish().await;
}
