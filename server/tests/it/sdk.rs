//! OpenAI's and Anthropic's own SDKs as clients, and AWS's as a judge of what the gateway sends to Bedrock. `cargo xtask test` installs them; without it, see `server/tests/sdk/README.md`.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::app::TestApp;

pub(crate) fn given(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os(name).map(PathBuf::from);
    if found.is_none() {
        let strict = std::env::var_os("BAILIWICK_TEST_STRICT").is_some_and(|value| value == "1");
        assert!(!strict, "{name} is not set");
        eprintln!("SKIPPED: {name} is not set, so what needs it was not tried");
    }
    found
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk").join(name)
}

/// A key of the support scope that may send images, as far as what is declared goes.
async fn seeing(app: &TestApp) -> String {
    let key = json!({ "scope": "/acme/retail/support", "name": "seeing", "opaque_content": "as_declared" });
    let applied = app.apply(json!({ "keys": [key] })).await;
    applied["created_keys"][0]["key"].as_str().unwrap_or_else(|| panic!("{applied}")).to_owned()
}

/// Runs a script against a server; every check must pass and none be skipped. On an endpoint of Anthropic's wire, or on
/// those of OpenAI's.
async fn passes(mut command: Command, translated: bool) {
    let (app, claude) = crate::messages::with_claude(false).await;
    let (scope, key, model, embedding, denied) = if translated {
        ("/acme/retail/support", seeing(&app).await, "claude", "bge-m3", "nimbus-1")
    } else {
        ("/acme/clinic", app.key("clinic"), "assistant", "text-embedding-3-small", "gpt-4.1-mini")
    };
    let (id, broke) = app.create_key(json!({ "scope": scope, "name": "broke", "budget_usd": "0" })).await;
    assert!(!id.is_empty());
    let slow = json!({ "scope": scope, "name": "slow", "requests_per_minute": 1 });
    let (_, slow) = app.create_key(slow).await;
    command
        .env("SDK_BASE_URL", format!("{}/v1", app.url()))
        .env("SDK_API_KEY", key)
        .env("SDK_CHAT_MODEL", model)
        .env("SDK_EMBEDDING_MODEL", embedding)
        .env("SDK_DENIED_MODEL", denied)
        .env("SDK_BROKE_KEY", broke)
        .env("SDK_SLOW_KEY", slow)
        .env("SDK_GATEWAY", "1");
    let names = ["chat", "stream", "tools", "tools_streamed", "image", "embeddings", "rate_limit"];
    all_pass(command, &[&names, RESPONSES].concat()).await;
    assert_eq!(claude.received_count() > 10, translated);
    drop(claude);
    app.finish().await;
}

/// The checks of responses.
const RESPONSES: &[&str] = &[
    "responses",
    "responses_streamed",
    "responses_helper",
    "responses_tools",
    "responses_image",
    "responses_structured",
    "responses_refused",
];

/// Runs a script of OpenAI's SDK against an endpoint of a service that has responses itself.
async fn passes_on_its_own_responses(mut command: Command) {
    let app = TestApp::start().await;
    let native = crate::responses::with_native(&app).await;
    let scope = "/acme/retail/support";
    let key = seeing(&app).await;
    let (_, broke) =
        app.create_key(json!({ "scope": "/acme/research", "name": "broke", "budget_usd": "0" })).await;
    let slow = json!({ "scope": scope, "name": "slow", "requests_per_minute": 1 });
    let (_, slow) = app.create_key(slow).await;
    command
        .env("SDK_BASE_URL", format!("{}/v1", app.url()))
        .env("SDK_API_KEY", key)
        .env("SDK_CHAT_MODEL", "native")
        .env("SDK_EMBEDDING_MODEL", "bge-m3")
        .env("SDK_DENIED_MODEL", "nimbus-1")
        .env("SDK_BROKE_KEY", broke)
        .env("SDK_SLOW_KEY", slow)
        .env("SDK_GATEWAY", "1");
    all_pass(command, RESPONSES).await;
    assert!(native.received().iter().filter(|got| got.path == "/v1/responses").count() > 6);
    drop(native);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_python_on_a_service_with_responses() {
    let Some(python) = given("BAILIWICK_TEST_PYTHON") else { return };
    let mut command = Command::new(python);
    command.arg(script("sdk_test.py"));
    passes_on_its_own_responses(command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_node_on_a_service_with_responses() {
    let (Some(node), Some(modules)) = (given("BAILIWICK_TEST_NODE"), given("BAILIWICK_TEST_NODE_MODULES"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    passes_on_its_own_responses(module(&node, &modules, folder.path(), "sdk_test.mjs")).await;
}

/// Runs a script: every check must pass, none be skipped, and these be among them.
async fn all_pass(mut command: Command, names: &[&str]) {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let checks = told["checks"].as_array().unwrap();
    let not_passed: Vec<&Value> = checks.iter().filter(|check| check["outcome"] != "passed").collect();
    assert!(output.status.success() && not_passed.is_empty(), "{not_passed:#?}");
    for name in names {
        assert!(checks.iter().any(|check| check["name"] == *name), "{name} is not among the checks");
    }
}

/// Runs a script of Anthropic's SDK against an endpoint of Anthropic's wire, and against those of OpenAI's.
async fn messages_pass(script: impl Fn() -> Command) {
    let (app, claude) = crate::messages::with_claude(false).await;
    let seeing = seeing(&app).await;
    // Of the models' endpoints those of these scopes have a price.
    for (model, native, priced) in [("claude", "1", "/acme/research"), ("assistant", "0", "/acme/clinic")] {
        let broke = json!({ "scope": priced, "name": format!("broke-{model}"), "budget_usd": "0" });
        let (_, broke) = app.create_key(broke).await;
        let mut command = script();
        command
            .env("SDK_BASE_URL", app.url())
            .env("SDK_API_KEY", app.key("support"))
            .env("SDK_IMAGE_KEY", &seeing)
            .env("SDK_CHAT_MODEL", model)
            .env("SDK_DENIED_MODEL", "nimbus-1")
            .env("SDK_BROKE_KEY", &broke)
            .env("SDK_NATIVE", native);
        let names = [
            "chat",
            "stream",
            "tools",
            "tools_streamed",
            "image",
            "count_tokens",
            "models",
            "errors",
            "budget",
        ];
        all_pass(command, &names).await;
    }
    drop(claude);
    app.finish().await;
}

/// Runs a script of OpenAI's SDK against an endpoint of Bedrock's own API.
async fn passes_on_bedrock(mut command: Command) {
    let (app, bedrock) = crate::bedrock::with_bedrock(KEYS).await;
    let scope = "/acme/retail/support";
    let key = seeing(&app).await;
    let (_, broke) = app.create_key(json!({ "scope": scope, "name": "broke", "budget_usd": "0" })).await;
    let slow = json!({ "scope": scope, "name": "slow", "requests_per_minute": 1 });
    let (_, slow) = app.create_key(slow).await;
    command
        .env("SDK_BASE_URL", format!("{}/v1", app.url()))
        .env("SDK_API_KEY", key)
        .env("SDK_CHAT_MODEL", "frankfurt")
        .env("SDK_EMBEDDING_MODEL", "bge-m3")
        .env("SDK_DENIED_MODEL", "nimbus-1")
        .env("SDK_BROKE_KEY", broke)
        .env("SDK_SLOW_KEY", slow)
        .env("SDK_GATEWAY", "1");
    let names = ["chat", "stream", "tools", "tools_streamed", "image", "rate_limit"];
    all_pass(command, &[&names, RESPONSES].concat()).await;
    assert!(bedrock.received_count() > 10);
    drop(bedrock);
    app.finish().await;
}

/// Runs a script of Anthropic's SDK against an endpoint of Bedrock's own API.
async fn messages_pass_on_bedrock(mut command: Command) {
    let (app, bedrock) = crate::bedrock::with_bedrock(KEYS).await;
    let broke = json!({ "scope": "/acme/research", "name": "broke", "budget_usd": "0" });
    let (_, broke) = app.create_key(broke).await;
    let image = seeing(&app).await;
    command
        .env("SDK_BASE_URL", app.url())
        .env("SDK_API_KEY", app.key("support"))
        .env("SDK_IMAGE_KEY", image)
        .env("SDK_CHAT_MODEL", "frankfurt")
        .env("SDK_DENIED_MODEL", "nimbus-1")
        .env("SDK_BROKE_KEY", &broke)
        .env("SDK_NATIVE", "0");
    all_pass(command, &["chat", "stream", "tools", "tools_streamed", "image", "errors", "budget"]).await;
    assert!(bedrock.received_count() > 6);
    drop(bedrock);
    app.finish().await;
}

/// What requests to the simulated Bedrock are signed with.
const KEYS: &str = "AKIAIOSFODNN7EXAMPLE:wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY:FQoGZXIvYXdzEXAMPLETOKEN=";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_python_on_bedrocks_wire() {
    let Some(python) = given("BAILIWICK_TEST_PYTHON") else { return };
    let mut command = Command::new(python);
    command.arg(script("sdk_test.py"));
    passes_on_bedrock(command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_node_on_bedrocks_wire() {
    let (Some(node), Some(modules)) = (given("BAILIWICK_TEST_NODE"), given("BAILIWICK_TEST_NODE_MODULES"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    passes_on_bedrock(module(&node, &modules, folder.path(), "sdk_test.mjs")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_python_on_bedrocks_wire() {
    let Some(python) = given("BAILIWICK_TEST_PYTHON") else { return };
    let mut command = Command::new(python);
    command.arg(script("messages_test.py"));
    messages_pass_on_bedrock(command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_node_on_bedrocks_wire() {
    let (Some(node), Some(modules)) = (given("BAILIWICK_TEST_NODE"), given("BAILIWICK_TEST_NODE_MODULES"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    messages_pass_on_bedrock(module(&node, &modules, folder.path(), "messages_test.mjs")).await;
}

/// The simulated Bedrock is one that AWS's own client can use, and what the gateway sent to it is signed as that client
/// would have signed it and has the shape of the service's own description.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_sent_to_bedrock_is_what_awss_client_would_send() {
    let Some(python) = given("BAILIWICK_TEST_PYTHON") else { return };
    let (app, bedrock) = crate::bedrock::with_bedrock(KEYS).await;
    for stream in [false, true] {
        let mut chat = crate::app::message("frankfurt", "Grüße an {\"x\": 1}");
        chat["stream"] = json!(stream);
        chat["stop"] = json!(["END"]);
        app.chat("support", &chat).await.is(200);
        let mut messages = crate::messages::asked("frankfurt", "Use look_up_customer please");
        messages["stream"] = json!(stream);
        messages["tools"] = json!([crate::messages::tool()]);
        messages["system"] =
            json!([{ "type": "text", "text": "x", "cache_control": { "type": "ephemeral" } }]);
        crate::messages::messages(&app, "support", &messages).await.is(200);
    }
    let mut command = Command::new(python);
    command
        .arg(script("converse_test.py"))
        .env("NO_PROXY", "127.0.0.1")
        .env("SDK_BASE_URL", bedrock.url())
        .env("SDK_API_KEY", KEYS)
        .env("SDK_CHAT_MODEL", crate::bedrock::MODEL)
        .env("SDK_REGION", "eu-central-1");
    all_pass(command, &["whole", "stream", "tools", "other_secret", "signatures", "bodies"]).await;
    drop(bedrock);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_python() {
    let Some(python) = given("BAILIWICK_TEST_PYTHON") else { return };
    let mut command = Command::new(python);
    command.arg(script("sdk_test.py"));
    passes(command, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_node() {
    let (Some(node), Some(modules)) = (given("BAILIWICK_TEST_NODE"), given("BAILIWICK_TEST_NODE_MODULES"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    passes(module(&node, &modules, folder.path(), "sdk_test.mjs"), false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_python_on_anthropics_wire() {
    let Some(python) = given("BAILIWICK_TEST_PYTHON") else { return };
    let mut command = Command::new(python);
    command.arg(script("sdk_test.py"));
    passes(command, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_node_on_anthropics_wire() {
    let (Some(node), Some(modules)) = (given("BAILIWICK_TEST_NODE"), given("BAILIWICK_TEST_NODE_MODULES"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    passes(module(&node, &modules, folder.path(), "sdk_test.mjs"), true).await;
}

/// An ES module finds packages beside itself only.
fn module(node: &Path, modules: &Path, folder: &Path, name: &str) -> Command {
    std::fs::copy(script(name), folder.join(name)).unwrap();
    let link = folder.join("node_modules");
    if !link.exists() {
        std::os::unix::fs::symlink(modules, link).unwrap();
    }
    let mut command = Command::new(node);
    command.arg(folder.join(name)).env("NO_PROXY", "127.0.0.1");
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_python() {
    let Some(python) = given("BAILIWICK_TEST_PYTHON") else { return };
    messages_pass(|| {
        let mut command = Command::new(&python);
        command.arg(script("messages_test.py"));
        command
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropic_node() {
    let (Some(node), Some(modules)) = (given("BAILIWICK_TEST_NODE"), given("BAILIWICK_TEST_NODE_MODULES"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    messages_pass(|| module(&node, &modules, folder.path(), "messages_test.mjs")).await;
}
