//! `bailiwick policy …`: a bundle without a server, and decisions with one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailiwick_compliance_db::Database;
use bailiwick_policy::{Bundle, Endpoint, Problem, Severity, lint, scope, unknown_names, unknown_scopes};
use clap::Subcommand;

use super::facts::FactsArgs;
use super::pack::PackCommand;
use super::{Failed, Output, Remote};
use crate::app::read_bundle;
use crate::clock::Clock;
use crate::organisation::Organisation;

#[derive(Debug, Subcommand)]
pub(super) enum PolicyCommand {
    /// Load a bundle and name everything that is wrong with it
    Check {
        /// The bundle's folder
        dir: PathBuf,
        /// An organisation file: name what the bundle says about scopes, services and models that it does not have
        #[arg(long, value_name = "FILE")]
        organisation: Option<PathBuf>,
        #[command(flatten)]
        facts: FactsArgs,
        /// End with 1 for warnings, too
        #[arg(long)]
        strict: bool,
    },
    /// Run a bundle's tests, or write one from a recorded decision
    Test(super::policy_test::TestArgs),
    /// Tell why a recorded decision, or each of a bundle's own tests, comes out as it does
    Explain(super::explain::ExplainArgs),
    /// Packs of rules to include in a bundle
    #[command(subcommand)]
    Pack(PackCommand),
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
        PolicyCommand::Status { remote } => super::policy_status::run(&remote, output).await,
        PolicyCommand::Check { dir, organisation, facts, strict } => {
            let (bundle, database) = load(&dir, &facts, output)?;
            let now = chrono::DateTime::from_timestamp_millis(Clock::new().now_ms()).unwrap_or_default();
            let mut problems = lint(&bundle, &database, now);
            let organisation = organisation.map(|file| read(&file)).transpose()?;
            if let Some(organisation) = &organisation {
                problems.extend(unknown_scopes(&bundle, &scopes(organisation)));
            }
            let declared: Option<Vec<Endpoint>> = organisation
                .map(|it| it.endpoints.iter().map(|endpoint| endpoint.for_policy(&database)).collect());
            problems.extend(unknown_names(&bundle, &database, declared.as_deref()));
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
            })?;
            let doubtful = problems.iter().any(|problem| problem.severity > Severity::Note);
            if strict && doubtful { Err(Failed::Told) } else { Ok(()) }
        }
        PolicyCommand::Test(args) => super::policy_test::run(args, output).await,
        PolicyCommand::Explain(args) => super::explain::run(args, output).await,
        PolicyCommand::Pack(command) => super::pack::run(command, output),
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

fn read(file: &Path) -> Result<Organisation, Failed> {
    let text = std::fs::read_to_string(file).map_err(Failed::file(file))?;
    serde_norway::from_str(&text).map_err(|error| Failed::Said(format!("{}: {error}", file.display())))
}

/// The scopes of an organisation file, and all above them.
fn scopes(organisation: &Organisation) -> BTreeSet<String> {
    let named = organisation
        .scopes
        .iter()
        .map(|scope| scope.path.as_str())
        .chain(organisation.endpoints.iter().map(|endpoint| endpoint.scope.as_str()))
        .chain(organisation.keys.iter().map(|key| key.scope.as_str()));
    named.flat_map(scope::ancestors).map(str::to_owned).collect()
}

/// Loads a bundle, or prints what is wrong with it.
pub(super) fn load(
    dir: &Path,
    facts: &FactsArgs,
    output: Output,
) -> Result<(Arc<Bundle>, Arc<Database>), Failed> {
    let source = read_bundle(dir)?;
    let shipped = facts.files()?;
    let loaded = Bundle::load(&source).and_then(|bundle| {
        let database = bundle.database(shipped)?;
        Ok((Arc::new(bundle), Arc::new(database)))
    });
    loaded.or_else(|problems| {
        report(&problems, output, String::new)?;
        Err(Failed::Told)
    })
}

/// Prints problems; an error among them fails the command.
pub(super) fn report(
    problems: &[Problem],
    output: Output,
    summary: impl FnOnce() -> String,
) -> Result<(), Failed> {
    output.result(&problems, || {
        let mut lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.push(summary());
        lines.join("\n")
    });
    let errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    if errors { Err(Failed::Told) } else { Ok(()) }
}
