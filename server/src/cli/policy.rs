//! `bailiwick policy …`: check and test a bundle without a server, and ask a server which one is in force.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, Problem, Severity, lint, run_tests};
use clap::Subcommand;

use reqwest::Method;
use serde_json::Value;

use super::remote::Api;
use super::{Failed, Output, Remote};
use crate::app::read_bundle;
use crate::clock::Clock;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Load a bundle and name everything that is wrong with it
    Check {
        /// The bundle's folder
        dir: PathBuf,
    },
    /// Run a bundle's tests
    Test {
        /// The bundle's folder
        dir: PathBuf,
    },
    /// Decide recorded requests again with a bundle, and tell what it would have changed
    Plan(super::plan::PlanArgs),
    /// Tell which policy a server has in force, of which commit, and what it refused
    Status {
        #[command(flatten)]
        remote: Remote,
    },
    /// Write the JSON Schemas of a bundle's files, for editors
    Schemas {
        /// The folder to write them to
        dir: PathBuf,
    },
}

pub(super) async fn run(command: PolicyCommand, output: Output) -> Result<(), Failed> {
    match command {
        PolicyCommand::Plan(args) => super::plan::run(args, output).await,
        PolicyCommand::Status { remote } => {
            let status: Value = Api::new(&remote).json(Method::GET, "/api/v1/policy", &[], None).await?;
            output.result(&status, || describe(&status));
            // A script should notice.
            if status.get("refused").is_some_and(|refused| !refused.is_null()) {
                Err(Failed::Told)
            } else {
                Ok(())
            }
        }
        PolicyCommand::Check { dir } => {
            let (bundle, database) = load(&dir, output)?;
            let now = chrono::DateTime::from_timestamp_millis(Clock::new().now_ms()).unwrap_or_default();
            let problems = lint(&bundle, &database, now);
            report(&problems, output, || {
                format!(
                    "{} {}: {} rules, {} attestations, {} exceptions, {} tests. {}",
                    bundle.name,
                    bundle.version,
                    bundle.rules.len(),
                    bundle.attestations.len(),
                    bundle.exceptions.len(),
                    bundle.tests.len(),
                    bundle.digest
                )
            })
        }
        PolicyCommand::Test { dir } => {
            let (bundle, database) = load(&dir, output)?;
            let results = match run_tests(&bundle, &database, &bundle.test_endpoints) {
                Ok(results) => results,
                Err(problems) => return report(&problems, output, String::new),
            };
            let failed = results.iter().filter(|result| !result.passed()).count();
            output.result(&results, || {
                let mut text = String::new();
                for result in &results {
                    let state = if result.passed() { "ok    " } else { "FAILED" };
                    text.push_str(&format!("{state} {} ({})\n", result.name, result.file));
                    for failure in &result.failures {
                        text.push_str(&format!("       {failure}\n"));
                    }
                }
                format!("{text}{} passed, {failed} failed", results.len() - failed)
            });
            if results.is_empty() {
                output.note("the bundle has no tests: add some under tests/");
            }
            if failed == 0 { Ok(()) } else { Err(Failed::Told) }
        }
        PolicyCommand::Schemas { dir } => {
            std::fs::create_dir_all(&dir).map_err(Failed::file(&dir))?;
            let mut written = Vec::new();
            for (name, schema) in bailiwick_policy::schemas() {
                let path = dir.join(format!("{name}.schema.json"));
                let text =
                    serde_json::to_string_pretty(&schema).map_err(|error| Failed::Said(error.to_string()))?;
                std::fs::write(&path, text).map_err(Failed::file(&path))?;
                written.push(path.display().to_string());
            }
            output.result(&written, || written.join("\n"));
            Ok(())
        }
    }
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

fn load(dir: &Path, output: Output) -> Result<(Arc<Bundle>, Arc<Database>), Failed> {
    let source = read_bundle(dir)?;
    let database = Database::embedded().map_err(|error| Failed::Said(error.to_string()))?;
    match Bundle::load(&source) {
        Ok(bundle) => Ok((Arc::new(bundle), Arc::new(database))),
        Err(problems) => {
            report(&problems, output, String::new)?;
            Err(Failed::Told)
        }
    }
}

/// Prints problems; an error among them fails the command.
fn report(problems: &[Problem], output: Output, summary: impl FnOnce() -> String) -> Result<(), Failed> {
    output.result(&problems, || {
        let mut lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.push(summary());
        lines.join("\n")
    });
    let errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    if errors { Err(Failed::Told) } else { Ok(()) }
}
