//! `bailiwick policy status`.

use reqwest::Method;
use serde_json::Value;

use super::remote::Api;
use super::{Failed, Output, Remote};

/// Tells which policy a server has in force. What is refused ends it with 1: a script should notice.
pub(super) async fn run(remote: &Remote, output: Output) -> Result<(), Failed> {
    let status: Value = Api::new(remote).json(Method::GET, "/api/v1/policy", &[], None).await?;
    output.result(&status, || describe(&status));
    if status.get("refused").is_some_and(|refused| !refused.is_null()) { Err(Failed::Told) } else { Ok(()) }
}

/// What a server says of its policy, for people.
fn describe(status: &Value) -> String {
    let text = |pointer: &str| status.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let time = |pointer: &str| {
        status
            .pointer(pointer)
            .and_then(Value::as_i64)
            .and_then(chrono::DateTime::from_timestamp_millis)
            .map(|time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
            .unwrap_or_default()
    };
    let mut lines = vec![format!("in force   {} {}, {}", text("/name"), text("/version"), text("/digest"))];
    match text("/source") {
        "git" => lines.push(format!("from       {}", text("/commit/source"))),
        "folder" => lines.push(String::from("from       the folder that `bundle` names")),
        _ => lines.push(String::from("from       the binary (the starter bundle)")),
    }
    if status.get("commit").is_some_and(|commit| !commit.is_null()) {
        lines.push(format!("commit     {}, since {}", text("/commit/commit"), time("/commit/since_ms")));
        for (name, pointer) in [("signed by ", "/commit/author"), ("approved by", "/commit/approver")] {
            if !text(pointer).is_empty() {
                lines.push(format!("{name} {}", text(pointer)));
            }
        }
    }
    let doubts = status.pointer("/doubts").and_then(Value::as_array);
    let doubts = doubts.into_iter().flatten().filter_map(Value::as_str);
    lines.extend(doubts.map(|doubt| format!("doubtful   {doubt}")));
    if status.get("refused").is_some_and(|refused| !refused.is_null()) {
        lines.push(format!("REFUSED    since {}, at {}", time("/refused/since_ms"), text("/refused/stage")));
        let commit = text("/refused/commit");
        let of = if commit.is_empty() { String::new() } else { format!("commit {commit}: ") };
        lines.push(format!("           {of}{}", text("/refused/why")));
        let problems = status.pointer("/refused/problems").and_then(Value::as_array);
        lines.extend(
            problems.into_iter().flatten().filter_map(Value::as_str).map(|one| format!("           {one}")),
        );
    }
    lines.join("\n")
}
