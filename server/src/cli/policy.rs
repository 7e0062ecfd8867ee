//! `bailiwick policy check` and `bailiwick policy test`: a bundle without a server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, Problem, Severity, lint, run_tests};
use clap::Subcommand;

use super::{Failed, Output};
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
    /// Write the JSON Schemas of a bundle's files, for editors
    Schemas {
        /// The folder to write them to
        dir: PathBuf,
    },
}

pub(super) async fn run(command: PolicyCommand, output: Output) -> Result<(), Failed> {
    match command {
        PolicyCommand::Plan(args) => super::plan::run(args, output).await,
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

fn load(dir: &Path, output: Output) -> Result<(Arc<Bundle>, Arc<Database>), Failed> {
    let source = read_bundle(dir)?;
    let loaded = Bundle::load(&source).and_then(|bundle| {
        let database = bundle.database(Database::embedded_files())?;
        Ok((Arc::new(bundle), Arc::new(database)))
    });
    loaded.or_else(|problems| {
        report(&problems, output, String::new)?;
        Err(Failed::Told)
    })
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
