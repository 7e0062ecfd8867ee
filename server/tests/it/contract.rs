//! The control plane against its own description, by Schemathesis (<https://schemathesis.io>): a bounded number of requests
//! made from it, fitting and unfitting ones. None may be answered with a fault of ours, or otherwise than the description
//! says. `cargo xtask test` installs it.

use std::process::Command;

use crate::app::TestApp;
use crate::sdk::given;

/// Every check but `positive_data_acceptance`: a schema cannot say which scopes and models there are.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection,ignored_auth,\
    unsupported_method,use_after_free";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_does_what_its_description_says() {
    let Some(program) = given("BAILIWICK_TEST_SCHEMATHESIS") else { return };
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .args(["run", &format!("{}/api/openapi.json", app.url()), "--no-color", "--seed", "1"])
        .args(["--header", &format!("Authorization: Bearer {}", app.token())])
        .args(["--checks", CHECKS, "--max-examples", "6", "--phases", "examples,coverage,fuzzing"])
        // It has no end.
        .args(["--exclude-path", "/api/v1/decisions/stream"])
        .args(["--request-timeout", "30", "--generation-database", "none", "--suppress-health-check", "all"])
        .env("NO_PROXY", "127.0.0.1")
        .env("SCHEMATHESIS_HOOKS", "");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains("Tested"), "nothing was tried: {told}");
    app.finish().await;
}
