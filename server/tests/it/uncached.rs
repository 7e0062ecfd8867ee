//! `cache: deny`: what a provider gets of a request that asks for a prompt cache.

use bailiwick::demo::simulator::SimulatorHandle;
use serde_json::{Value, json};

use crate::app::{TestApp, message};
use crate::messages::{add_claude, messages, sent, tool};
use crate::policy::bundle;
use crate::reply::Reply;
use crate::responses::respond;

/// The names of markers on any wire.
const MARKERS: [&str; 3] = ["cache_control", "cachePoint", "prompt_cache"];

/// A server in which a rule denies caches to `research`, or in which none does, with an endpoint for each wire.
async fn serving(folder: &std::path::Path, denies: bool) -> (TestApp, [(&'static str, SimulatorHandle); 3]) {
    let rule = "id: no-copies\ntitle: No copies\nbecause: [house policy]\nscope: /acme/research\n\
                obligations: { cache: deny }\n";
    let mode = if denies { "enforce" } else { "off" };
    bundle(folder, &[("rules/no-copies.yaml", format!("{rule}mode: {mode}\n"))]);
    let folder = folder.to_owned();
    let app = TestApp::with(|config| config.bundle = Some(folder)).await;
    let claude = add_claude(&app, false).await;
    let native = crate::responses::with_native(&app).await;
    let bedrock = crate::bedrock::add_bedrock(&app).await;
    (app, [("claude", claude), ("native", native), ("frankfurt", bedrock)])
}

fn ephemeral() -> Value {
    json!({ "type": "ephemeral", "ttl": "5m" })
}

/// A request of each API with all that it can ask for a cache with.
fn marked(api: &str, model: &str) -> Value {
    let parameters = tool()["input_schema"].clone();
    let own = json!({ "prompt_cache_key": "team-7", "prompt_cache_retention": "24h",
        "prompt_cache_options": { "mode": "implicit", "ttl": "30m" } });
    let mut body = match api {
        "messages" => {
            let mut tool = tool();
            tool["cache_control"] = ephemeral();
            return json!({ "model": model, "max_tokens": 400, "cache_control": ephemeral(), "tools": [tool],
                "system": [{ "type": "text", "text": "Be short.", "cache_control": ephemeral() }],
                "messages": [{ "role": "user", "content": [
                    { "type": "text", "text": "Hi", "cache_control": ephemeral() }] }] });
        }
        "responses" => json!({ "model": model, "input": [{ "role": "user", "content": [
            { "type": "input_text", "text": "Hi", "prompt_cache_breakpoint": { "mode": "explicit" } }] }],
            "tools": [{ "type": "function", "name": "look", "strict": false, "parameters": parameters }] }),
        _ => json!({ "model": model,
            "messages": [{ "role": "user", "content": [
                { "type": "text", "text": "Hi", "cache_control": ephemeral(),
                    "prompt_cache_breakpoint": { "mode": "explicit" } }] }],
            "tools": [{ "type": "function", "cache_control": ephemeral(),
                "function": { "name": "look", "parameters": parameters } }] }),
    };
    body.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    body
}

async fn ask(app: &TestApp, key: &str, api: &str, body: &Value) -> Reply {
    match api {
        "messages" => messages(app, key, body).await,
        "responses" => respond(app, key, body).await,
        _ => app.chat(key, body).await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_provider_is_asked_to_cache_what_may_not_be_cached() {
    let folder = tempfile::tempdir().unwrap();
    let (app, endpoints) = serving(folder.path(), true).await;
    let told_for = [
        ("messages", vec!["cache_control"]),
        ("responses", vec!["prompt_cache_breakpoint", "prompt_cache_key", "prompt_cache_options"]),
        (
            "chat",
            vec!["cache_control", "prompt_cache_breakpoint", "prompt_cache_key", "prompt_cache_retention"],
        ),
    ];
    for (model, simulator) in &endpoints {
        for (api, names) in &told_for {
            for stream in [false, true] {
                simulator.clear();
                let mut body = marked(api, model);
                body["stream"] = json!(stream);
                let reply = ask(&app, "research", api, &body).await.is(200);
                let what = format!("{api} on {model}, stream {stream}: {}", reply.text());
                assert_eq!(reply.endpoint(), *model, "{what}");
                let got = sent(simulator);
                assert!(!got.is_empty(), "{what}");
                for marker in MARKERS {
                    assert!(!got.contains(marker), "{what}: {got}");
                }
                let told = reply.header("x-bailiwick-left-out").unwrap_or_default().to_owned();
                let told: Vec<&str> = told.split(", ").collect();
                for name in names {
                    assert!(told.contains(name), "{what}: {name} in {told:?}");
                }
            }
        }
    }
    // Counting shows the prompt to the provider, too.
    let (_, claude) = &endpoints[0];
    claude.clear();
    let mut body = marked("messages", "claude");
    body.as_object_mut().unwrap().remove("max_tokens");
    let version = [("anthropic-version", "2023-06-01")];
    app.post("research", "/v1/messages/count_tokens", &version, body.to_string()).await.is(200);
    let got = sent(claude);
    assert!(got.contains("Be short.") && !got.contains("cache_control"), "{got}");
    drop(endpoints);
    app.finish().await;
}

/// That the test above would notice: where no rule says so, what was asked for arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_be_cached_is_asked_for_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let (app, endpoints) = serving(folder.path(), false).await;
    let arrives = [
        ("messages", "claude", "cache_control"),
        ("messages", "frankfurt", "cachePoint"),
        ("chat", "native", "prompt_cache_key"),
        ("chat", "native", "prompt_cache_retention"),
        ("responses", "native", "prompt_cache_key"),
        ("responses", "native", "prompt_cache_breakpoint"),
        ("chat", "claude", "cache_control"),
        ("chat", "frankfurt", "cachePoint"),
    ];
    for (api, model, marker) in arrives {
        let (_, simulator) = endpoints.iter().find(|(name, _)| *name == model).unwrap();
        simulator.clear();
        let reply = ask(&app, "research", api, &marked(api, model)).await.is(200);
        let got = sent(simulator);
        assert!(got.contains(marker), "{api} on {model}: {got} {:?}", reply.header("x-bailiwick-left-out"));
    }
    drop(endpoints);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_cached_loses_its_markers_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (app, endpoints) = serving(folder.path(), true).await;
    let [(_, claude), (_, native), _] = &endpoints;
    // A tool's own `cache_control` is no marker.
    let marked = concat!(
        r#"{ "messages" : [{"content":[{"text":"Grüße","type":"text","cache_control":{"type":"ephemeral"}}],"role":"user"}],"#,
        r#" "tools":[{"name":"purge","input_schema":{"type":"object","properties":{"cache_control":{"type":"string"}}},"cache_control":{"type":"ephemeral"}}],"#,
        r#" "cache_control":{"type":"ephemeral","ttl":"1h"},"max_tokens": 100, "temperature":1.0, "model":"claude" }"#
    );
    let version = [("anthropic-version", "2023-06-01")];
    let reply = app.post("research", "/v1/messages", &version, marked).await.is(200);
    assert_eq!(reply.header("x-bailiwick-left-out"), Some("cache_control"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let expected = concat!(
        r#"{ "messages" : [{"content":[{"text":"Grüße","type":"text"}],"role":"user"}],"#,
        r#" "tools":[{"name":"purge","input_schema":{"type":"object","properties":{"cache_control":{"type":"string"}}}}],"#,
        r#""max_tokens": 100, "temperature":1.0, "model":"claude-sonnet-4-5" }"#
    );
    assert_eq!(sent(claude), expected);
    // What asks for less than the provider would do unasked is kept.
    let mut body = message("native", "Hi");
    body["max_tokens"] = json!(100);
    body["prompt_cache_retention"] = json!("in_memory");
    body["prompt_cache_options"] = json!({ "mode": "explicit", "ttl": "30m" });
    let reply = app.chat("research", &body).await.is(200);
    assert_eq!(reply.header("x-bailiwick-left-out"), Some("prompt_cache_options"));
    let got: Value = serde_json::from_str(&sent(native)).unwrap();
    assert_eq!(
        (&got["prompt_cache_retention"], &got["prompt_cache_options"]),
        (&json!("in_memory"), &json!({ "mode": "explicit" })),
        "{got}"
    );
    drop(endpoints);
    app.finish().await;
}
