//! OpenAI's own SDKs as clients. `cargo xtask test` installs them; without it, see `server/tests/sdk/README.md`.

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

/// Runs a script against a server; every check must pass and none be skipped.
async fn passes(mut command: Command) {
    let app = TestApp::start().await;
    let (id, broke) =
        app.create_key(json!({ "scope": "/acme/clinic", "name": "broke", "budget_usd": "0" })).await;
    assert!(!id.is_empty());
    let slow = json!({ "scope": "/acme/clinic", "name": "slow", "requests_per_minute": 1 });
    let (_, slow) = app.create_key(slow).await;
    command
        .env("SDK_BASE_URL", format!("{}/v1", app.url()))
        .env("SDK_API_KEY", app.key("clinic"))
        .env("SDK_CHAT_MODEL", "assistant")
        .env("SDK_EMBEDDING_MODEL", "text-embedding-3-small")
        .env("SDK_DENIED_MODEL", "gpt-4.1-mini")
        .env("SDK_BROKE_KEY", broke)
        .env("SDK_SLOW_KEY", slow)
        .env("SDK_GATEWAY", "1");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let checks = told["checks"].as_array().unwrap();
    let not_passed: Vec<&Value> = checks.iter().filter(|check| check["outcome"] != "passed").collect();
    assert!(output.status.success() && not_passed.is_empty(), "{not_passed:#?}");
    for name in ["chat", "stream", "tools", "tools_streamed", "image", "embeddings", "rate_limit"] {
        assert!(checks.iter().any(|check| check["name"] == name), "{name} is not among the checks");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_python() {
    let Some(python) = given("BAILIWICK_TEST_PYTHON") else { return };
    let mut command = Command::new(python);
    command.arg(script("sdk_test.py"));
    passes(command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openai_node() {
    let (Some(node), Some(modules)) = (given("BAILIWICK_TEST_NODE"), given("BAILIWICK_TEST_NODE_MODULES"))
    else {
        return;
    };
    // An ES module finds packages beside itself only.
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(script("sdk_test.mjs"), folder.path().join("sdk_test.mjs")).unwrap();
    std::os::unix::fs::symlink(modules, folder.path().join("node_modules")).unwrap();
    let mut command = Command::new(node);
    command.arg(folder.path().join("sdk_test.mjs")).env("NO_PROXY", "127.0.0.1");
    passes(command).await;
}
