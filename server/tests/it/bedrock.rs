//! Amazon Bedrock's own API as a provider's: clients of OpenAI's API and of Anthropic's on it, signed requests, frames.

use bailiwick::demo::simulator::{Behaviour, BrokenSse, Simulator, SimulatorConfig, SimulatorHandle};
use bailiwick::providers::Dialect;
use http::Method;
use serde_json::{Value, json};

use crate::app::{TestApp, message};
use crate::messages::{answer, asked, events, messages, refused, sent, tool};
use crate::reply::Reply;

const PERSON: &str = "ottilie.brandt@kunde.example";
pub(crate) const MODEL: &str = "eu.anthropic.claude-haiku-4-5-20251001-v1:0";
pub(crate) const ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "FQoGZXIvYXdzEXAMPLETOKEN=";
const API_KEY: &str = "bedrock-api-key-of-the-test";
const REGION: &str = "eu-central-1";

fn endpoint(name: &str, url: &str, credential: &std::path::Path, model: &str) -> Value {
    json!({
        "name": name, "scope": "/acme", "dialect": "bedrock-converse", "base_url": url,
        "models": [{ "alias": name, "upstream": model }], "credential": { "file": credential },
        "profile": { "name": name, "operator": "aws", "service": "amazon-bedrock", "model": model,
            "developer": "anthropic", "source_region": REGION },
        "price": { "input": "3", "cached_input": "0.3", "cache_write": "3.75", "output": "15" },
        "simulated": true,
    })
}

/// A server with an endpoint that speaks Bedrock's own API, which takes this credential.
pub(crate) async fn with_bedrock(credential: &str) -> (TestApp, SimulatorHandle) {
    let app = TestApp::start().await;
    let bedrock = added(&app, credential).await;
    (app, bedrock)
}

/// Adds an endpoint that speaks Bedrock's own API.
pub(crate) async fn add_bedrock(app: &TestApp) -> SimulatorHandle {
    added(app, &keys()).await
}

async fn added(app: &TestApp, credential: &str) -> SimulatorHandle {
    let config = SimulatorConfig::new("frankfurt", Dialect::BedrockConverse);
    let bedrock = Simulator::start(config.chat_model(MODEL).credential(credential)).await.unwrap();
    let file = app.data().parent().unwrap().join("bedrock.credential");
    std::fs::write(&file, credential).unwrap();
    app.apply(json!({ "endpoints": [endpoint("frankfurt", bedrock.url(), &file, MODEL)] })).await;
    bedrock
}

fn keys() -> String {
    format!("{ID}:{SECRET}:{TOKEN}")
}

/// The same in the words of OpenAI's API.
fn function() -> Value {
    json!({ "type": "function", "function": {
        "name": "look_up_customer", "parameters": tool()["input_schema"] } })
}

/// A chat in one API or the other.
async fn chat(app: &TestApp, key: &str, openai: bool, body: &Value) -> Reply {
    if openai { app.chat(key, body).await } else { messages(app, key, body).await }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_both_apis_reach_it_and_values_leave_as_placeholders() {
    let (app, bedrock) = with_bedrock(&keys()).await;
    let text = format!("Use look_up_customer for {PERSON} please");
    for (openai, stream, tools) in [false, true].into_iter().flat_map(|openai| {
        [(false, false), (true, false), (false, true), (true, true)].map(|(s, t)| (openai, s, t))
    }) {
        bedrock.clear();
        let mut body = if openai { message("frankfurt", &text) } else { asked("frankfurt", &text) };
        body["stream"] = json!(stream);
        if openai && stream {
            body["stream_options"] = json!({ "include_usage": true });
        }
        if tools {
            body["tools"] = json!([if openai { function() } else { tool() }]);
        }
        let reply = chat(&app, "support", openai, &body).await.is(200);
        let what = format!("openai {openai}, stream {stream}, tools {tools}: {}", reply.text());
        assert_eq!(reply.endpoint(), "frankfurt", "{what}");
        let left = sent(&bedrock);
        assert!(!left.contains(PERSON) && left.contains("EMAIL_"), "{what}: {left}");
        assert!(!reply.text().contains("EMAIL_"), "{what}");
        let received = &bedrock.received()[0];
        let path = if stream { "converse-stream" } else { "converse" };
        assert_eq!(received.path, format!("/model/eu.anthropic.claude-haiku-4-5-20251001-v1%3A0/{path}"));
        if openai {
            let said = if stream && tools {
                let arguments = |event: &Value| {
                    let call = &event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"];
                    call.as_str().map(str::to_owned)
                };
                reply.events().iter().filter_map(arguments).collect()
            } else if stream {
                reply.streamed()
            } else if tools {
                let call = &reply.json()["choices"][0]["message"]["tool_calls"][0];
                call["function"]["arguments"].as_str().unwrap().to_owned()
            } else {
                reply.said()
            };
            assert!(said.contains(PERSON), "{what}");
            let whole = if stream { reply.events()[0].clone() } else { reply.json() };
            assert_eq!((&whole["model"], &whole["id"]), (&json!("frankfurt"), &json!(reply.decision())));
        } else {
            let (blocks, stop, usage) = answer(&reply, stream);
            assert_eq!(stop, if tools { "tool_use" } else { "end_turn" }, "{what}");
            assert!(blocks.last().unwrap().to_string().contains(PERSON), "{what}");
            assert!(usage["input_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{what}");
        }
        let used = app.outcome(&reply.decision()).await;
        assert_eq!(used.sections["usage"]["source"], "reported", "{what}");
        assert!(used.sections["usage"]["output_tokens"].as_u64().unwrap() > 0, "{what}");
    }
    drop(bedrock);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_signed_and_its_key_goes_nowhere() {
    let (app, bedrock) = with_bedrock(&keys()).await;
    let reply = messages(&app, "support", &asked("frankfurt", "Hello")).await.is(200);
    let received = &bedrock.received()[0];
    let header = |name: &str| received.header(name).unwrap_or_default().to_owned();
    let scope = format!("{ID}/{}/{REGION}/bedrock/aws4_request", &header("x-amz-date")[..8]);
    let authorization = header("authorization");
    assert!(authorization.starts_with(&format!("AWS4-HMAC-SHA256 Credential={scope}, ")), "{authorization}");
    assert_eq!(header("x-amz-security-token"), TOKEN);
    assert!(!received.contains(SECRET));
    assert!(received.header("anthropic-version").is_none() && received.header("x-api-key").is_none());
    // What it is told back is of nobody else's either.
    assert_eq!(reply.header("x-amzn-requestid"), None);
    let folder = app.data();
    drop(bedrock);
    let kept = app.finish().await;
    assert_eq!(crate::app::stored(&folder, SECRET).await, Vec::<String>::new());
    drop(kept);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_key_is_refused_and_an_api_key_is_a_bearer_token() {
    let (app, bedrock) = with_bedrock(API_KEY).await;
    messages(&app, "support", &asked("frankfurt", "Hello")).await.is(200);
    let authorization = bedrock.received()[0].header("authorization").map(str::to_owned);
    assert_eq!(authorization, Some(format!("Bearer {API_KEY}")));
    bedrock.push_behaviour(Behaviour::EchoSecret);
    let reply = messages(&app, "support", &asked("frankfurt", "Hello")).await;
    assert!(!reply.text().contains(API_KEY), "{}", reply.text());
    refused(reply, 502, "api_error", "upstream_credential_echo");
    let file = app.data().parent().unwrap().join("bedrock.credential");
    for wrong in [format!("{ID}:{}", SECRET.replace('w', "v")), String::from("another-key")] {
        std::fs::write(&file, &wrong).unwrap();
        app.app().reload().await.unwrap();
        let reply = messages(&app, "support", &asked("frankfurt", "Hello")).await;
        refused(reply, 502, "api_error", "upstream_credential_refused");
    }
    drop(bedrock);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_of_another_secret_is_refused() {
    let (app, bedrock) = with_bedrock(&keys()).await;
    let file = app.data().parent().unwrap().join("bedrock.credential");
    for wrong in [
        format!("{ID}:{}:{TOKEN}", SECRET.replace('w', "v")),
        format!("{ID}:{SECRET}"),
        format!("AKIAI44QH8DHBEXAMPLE:{SECRET}:{TOKEN}"),
    ] {
        std::fs::write(&file, &wrong).unwrap();
        app.app().reload().await.unwrap();
        let reply = app.ask("support", "frankfurt", "Hello").await.is(502);
        assert_eq!(reply.json()["error"]["code"], "upstream_credential_refused");
    }
    let printed =
        json!({ "Version": 1, "AccessKeyId": ID, "SecretAccessKey": SECRET, "SessionToken": TOKEN });
    std::fs::write(&file, printed.to_string()).unwrap();
    app.app().reload().await.unwrap();
    app.ask("support", "frankfurt", "Hello").await.is(200);
    drop(bedrock);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_break_are_told_in_the_clients_api_and_recorded() {
    let (app, bedrock) = with_bedrock(&keys()).await;
    let cases = [
        (Behaviour::ErrorInStream { after: 4 }, "upstream_error_in_stream"),
        (Behaviour::BrokenSse(BrokenSse::Garbage), "upstream_malformed"),
        (Behaviour::BrokenSse(BrokenSse::MissingBlankLine), "upstream_malformed"),
        (Behaviour::BrokenSse(BrokenSse::HalfJson), "upstream_malformed"),
        (Behaviour::BrokenSse(BrokenSse::NoDone), "upstream_malformed"),
        (Behaviour::BrokenSse(BrokenSse::CutEvent), "upstream_malformed"),
        (Behaviour::DieMidStream { after: 5 }, "upstream_broke_off"),
    ];
    for (behaviour, code) in cases {
        for openai in [false, true] {
            bedrock.push_behaviour(behaviour.clone());
            let mut body = if openai { message("frankfurt", "Hello") } else { asked("frankfurt", "Hello") };
            body["stream"] = json!(true);
            let reply = chat(&app, "support", openai, &body).await.is(200);
            let decision = reply.decision();
            let told = if openai {
                reply.events().last().unwrap()["error"]["code"].clone()
            } else {
                let events = events(&reply);
                assert_eq!(events.last().unwrap()["type"], "error", "{behaviour:?}");
                events.last().unwrap()["bailiwick"]["code"].clone()
            };
            assert_eq!(told, code, "{behaviour:?}, openai {openai}");
            let outcome = app.outcome(&decision).await;
            assert_eq!(outcome.sections["outcome"]["result"], code, "{behaviour:?}");
            assert_eq!(outcome.sections["usage"]["source"], "reservation", "{behaviour:?}");
        }
    }
    drop(bedrock);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_of_the_service_are_told_in_the_clients_api() {
    let (app, bedrock) = with_bedrock(&keys()).await;
    for (status, ours, code) in [
        (400, 400, "upstream_refused"),
        (403, 502, "upstream_credential_refused"),
        (404, 502, "upstream_model_unknown"),
        (424, 502, "upstream_failed"),
        (429, 429, "upstream_rate_limited"),
        (503, 502, "upstream_failed"),
    ] {
        bedrock.push_behaviour(Behaviour::Status { code: status, retry_after: Some(7) });
        let reply = app.ask("support", "frankfurt", "Hello").await;
        assert_eq!(reply.is(ours).json()["error"]["code"], code, "{status}");
    }
    drop(bedrock);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_cannot_carry_is_refused_by_name() {
    let (app, bedrock) = with_bedrock(&keys()).await;
    let mut body = message("frankfurt", "Hello");
    body["tools"] = json!([function()]);
    body["parallel_tool_calls"] = json!(false);
    let reply = app.chat("support", &body).await.is(400).json();
    assert_eq!(reply["error"]["code"], "not_translatable", "{reply}");
    assert_eq!(reply["error"]["param"], "parallel_tool_calls", "{reply}");
    let counted = json!({ "model": "frankfurt", "messages": [{ "role": "user", "content": "Hello" }] });
    let reply = app.post("support", "/v1/messages/count_tokens", &[], counted.to_string()).await;
    refused(reply, 400, "invalid_request_error", "not_translatable");
    assert!(bedrock.received().is_empty());
    let mut body = message("frankfurt", "Hello");
    body["seed"] = json!(7);
    let reply = app.chat("support", &body).await.is(200);
    assert_eq!(reply.header("x-bailiwick-left-out"), Some("seed"));
    drop(bedrock);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_with_caches_is_booked_and_half_of_one_is_doubted() {
    let (app, bedrock) = with_bedrock(&keys()).await;
    let whole = json!({ "inputTokens": 10, "cacheReadInputTokens": 60, "cacheWriteInputTokens": 8,
        "outputTokens": 20, "totalTokens": 98 });
    for stream in [false, true] {
        for (told, source, doubts) in [
            (whole.clone(), "reported", json!(null)),
            (json!({ "inputTokens": 10 }), "reservation", json!(["contradictory"])),
            (
                json!({ "inputTokens": 10, "outputTokens": 1, "totalTokens": 90 }),
                "reservation",
                json!(["contradictory"]),
            ),
        ] {
            bedrock.push_behaviour(Behaviour::ReportUsage(told.clone()));
            let mut body = asked("frankfurt", "Hello");
            body["stream"] = json!(stream);
            let reply = messages(&app, "support", &body).await.is(200);
            let used = app.outcome(&reply.decision()).await.sections["usage"].clone();
            assert_eq!((&used["source"], &used["doubts"]), (&json!(source), &doubts), "{told}");
            if source == "reported" {
                assert_eq!(used["input_tokens"], 78);
                // 10 at 3, 60 at 0.3, 8 at 3.75 and 20 at 15 dollars a million.
                assert_eq!(used["cost_nano"], 30_000 + 18_000 + 30_000 + 300_000);
            }
        }
    }
    drop(bedrock);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_known_of_it_goes_by_profile_and_region() {
    let (app, bedrock) = with_bedrock(&keys()).await;
    let reply = app.ask("support", "frankfurt", "Hello").await.is(200);
    assert_eq!(reply.header("x-bailiwick-countries"), Some("DE,ES,FR,IE,IT,SE"));
    let file = app.data().parent().unwrap().join("bedrock.credential");
    // Through the United States, through anything that an ARN may stand for, and through the world.
    for (name, model) in [
        ("through-us", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("through-arn", "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3"),
        (
            "through-arn-eu",
            "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.anthropic.claude-haiku-4-5-20251001-v1:0",
        ),
        ("through-world", "global.anthropic.claude-haiku-4-5-20251001-v1:0"),
    ] {
        app.apply(json!({ "endpoints": [endpoint(name, bedrock.url(), &file, model)] })).await;
        let reply = app.ask("support", name, "Hello").await.is(403).json();
        assert_eq!(reply["error"]["code"], "no_eligible_endpoint", "{name}: {reply}");
    }
    // A host of another Region than the one that the facts are asked for.
    let mut other = endpoint("elsewhere", "https://bedrock-runtime.us-east-1.amazonaws.com", &file, MODEL);
    let body = json!({ "endpoints": [other] });
    let refused = app.admin(Method::POST, "/api/v1/apply", Some(&body)).await;
    assert!(refused.status >= 400 && refused.text().contains("us-east-1"), "{}", refused.text());
    other["base_url"] = json!(format!("https://bedrock-runtime.{REGION}.amazonaws.com"));
    app.apply(json!({ "endpoints": [other] })).await;
    drop(bedrock);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thoughts_and_their_signatures_are_never_altered() {
    let (app, bedrock) = with_bedrock(&keys()).await;
    for stream in [false, true] {
        let mut body = asked("frankfurt", "Write to somebody");
        body["stream"] = json!(stream);
        body["thinking"] = json!({ "type": "enabled", "budget_tokens": 1024 });
        let reply = messages(&app, "support", &body).await.is(200);
        let (blocks, _, _) = answer(&reply, stream);
        assert_eq!(blocks[0]["thinking"], "Simulated thought.");
        bedrock.clear();
        let turn = json!({ "role": "assistant", "content": blocks });
        let next = json!({ "role": "user", "content": "Go on" });
        body["messages"].as_array_mut().unwrap().extend([turn, next]);
        messages(&app, "support", &body).await.is(200);
        let left: Value = serde_json::from_str(&sent(&bedrock)).unwrap();
        assert_eq!(
            left["messages"][1]["content"][0]["reasoningContent"]["reasoningText"],
            json!({ "text": blocks[0]["thinking"], "signature": blocks[0]["signature"] })
        );
        assert_eq!(left["additionalModelRequestFields"]["thinking"]["budget_tokens"], 1024);
    }
    drop(bedrock);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_is_tried_with_a_count_of_tokens() {
    let (app, bedrock) = with_bedrock(&keys()).await;
    let body =
        json!({ "name": "tried", "scope": "/acme", "value": format!("{ID}:{}", SECRET.replace('w', "v")) });
    app.admin(Method::POST, "/api/v1/credentials", Some(&body)).await.is(201);
    let mut definition = endpoint("tried", bedrock.url(), std::path::Path::new("/"), MODEL);
    definition["credential"] = json!("tried");
    app.apply(json!({ "endpoints": [definition] })).await;
    let tested = async || {
        let tested = app.admin(Method::POST, "/api/v1/credentials/tried/test", None).await.is(200).json();
        tested["tested"][0]["result"].clone()
    };
    assert_eq!(tested().await, "refused");
    let value = json!({ "value": keys() });
    app.admin(Method::POST, "/api/v1/credentials/tried/rotate", Some(&value)).await.is(200);
    assert_eq!(tested().await, "accepted");
    assert!(bedrock.received().iter().all(|received| received.path.ends_with("/count-tokens")));
    let wrong = json!({ "value": "AKIA:short" });
    let refused = app.admin(Method::POST, "/api/v1/credentials/tried/rotate", Some(&wrong)).await;
    assert!(!refused.text().contains("AKIA:short"), "{}", refused.text());
    drop(bedrock);
    app.finish().await;
}
