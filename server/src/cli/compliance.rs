//! `bailiwick compliance`: the compliance database without a server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bailiwick_compliance_db::{Attribute, Coverage, Database, Doubt, Doubtful, Known};
use bailiwick_ledger::{LogId, Signer};
use bailiwick_policy::Bundle;
use chrono::NaiveDate;
use clap::{Args, Subcommand};

use super::output::table;
use super::{Failed, Output};
use crate::app::read_bundle;
use crate::clock::Clock;
use crate::release::Release;

#[derive(Debug, Subcommand)]
pub(super) enum ComplianceCommand {
    /// Name what is doubtful: facts that dangle, cannot be, are old or contradict
    Lint {
        #[command(flatten)]
        which: Which,
    },
    /// How much is known, service by service and attribute by attribute, and how old it is
    Report {
        #[command(flatten)]
        which: Which,
    },
    /// Sign the database as one file, which a server can take in place of the one in its binary
    Release {
        /// A folder of the database's files, in place of those in the binary
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// The file of the signing key; made where there is none
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The name of who signs, such as compliance.acme.example
        #[arg(long)]
        name: String,
        /// Where to write the release
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
    /// Verify a release, and tell what it changes against what is in force
    Verify(super::compliance_verify::VerifyArgs),
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// A folder of the database's files, in place of those in the binary
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// A policy bundle whose own facts count too
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// The day to judge by; today where absent
    #[arg(long, value_name = "YYYY-MM-DD")]
    at: Option<NaiveDate>,
    /// For how many days evidence counts
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    max_age_days: u32,
}

#[derive(serde::Serialize)]
struct Linted<'a> {
    version: &'a str,
    digest: &'a str,
    at: NaiveDate,
    facts: usize,
    doubts: &'a [Doubtful],
}

pub(super) async fn run(command: &ComplianceCommand, output: Output) -> Result<(), Failed> {
    match command {
        ComplianceCommand::Lint { which } => {
            let (database, at) = which.load()?;
            let doubts = database.lint(at, which.max_age_days);
            let linted = Linted {
                version: database.version(),
                digest: database.digest(),
                at,
                facts: database.facts().count(),
                doubts: &doubts,
            };
            output.result(&linted, || {
                let mut lines: Vec<String> = doubts.iter().map(ToString::to_string).collect();
                lines.push(format!(
                    "{}: {} facts, {} doubtful on {at}. {}",
                    linted.version,
                    linted.facts,
                    doubts.len(),
                    linted.digest
                ));
                lines.join("\n")
            });
            if doubts.is_empty() { Ok(()) } else { Err(Failed::Told) }
        }
        ComplianceCommand::Report { which } => {
            let (database, at) = which.load()?;
            let report = database.coverage(at, which.max_age_days);
            output.result(&report, || shown(&report));
            Ok(())
        }
        ComplianceCommand::Release { data, key, name, output: file } => {
            release(data.as_deref(), key, name, file, output)
        }
        ComplianceCommand::Verify(args) => super::compliance_verify::run(args, output).await,
    }
}

pub(super) fn said(error: impl std::fmt::Display) -> Failed {
    Failed::Said(error.to_string())
}

fn release(data: Option<&Path>, key: &Path, name: &str, file: &Path, output: Output) -> Result<(), Failed> {
    let name = LogId::new(name).map_err(said)?;
    let files = files(data)?;
    let today =
        chrono::DateTime::from_timestamp_millis(Clock::new().now_ms()).unwrap_or_default().date_naive();
    let doubts = Database::load(files.clone()).map_err(said)?.lint(today, 365);
    let of_the_future: Vec<String> =
        doubts.iter().filter(|doubt| doubt.doubt == Doubt::FromTheFuture).map(ToString::to_string).collect();
    if !of_the_future.is_empty() {
        return Err(said(format!(
            "evidence from a day that is yet to come is not signed:\n{}",
            of_the_future.join("\n")
        )));
    }
    let signer = Signer::new(name, crate::audit::load_or_create_key(key).map_err(said)?);
    let text = Release::sign(&files, &signer).map_err(said)?;
    std::fs::write(file, text).map_err(Failed::file(file))?;
    let key = signer.public().to_string();
    output.result(&serde_json::json!({ "release": file, "public_key": key }), || {
        format!("{} is signed. Its public key:\n{key}", file.display())
    });
    Ok(())
}

pub(super) fn told(problems: &[bailiwick_policy::Problem]) -> Failed {
    said(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// The files of a folder, or of the binary.
fn files(data: Option<&Path>) -> Result<BTreeMap<String, String>, Failed> {
    Ok(match data {
        Some(folder) => read_bundle(folder)?.files,
        None => Database::embedded_files().collect(),
    })
}

impl Which {
    /// The database that is meant, and the day.
    fn load(&self) -> Result<(Database, NaiveDate), Failed> {
        let shipped = files(self.data.as_deref())?;
        let database = match &self.bundle {
            None => Database::load(shipped).map_err(said)?,
            Some(folder) => Bundle::load(&read_bundle(folder)?)
                .and_then(|bundle| bundle.database(shipped))
                .map_err(|problems| told(&problems))?,
        };
        let today = || {
            chrono::DateTime::from_timestamp_millis(Clock::new().now_ms()).unwrap_or_default().date_naive()
        };
        Ok((database, self.at.unwrap_or_else(today)))
    }
}

/// A line a service, a column an attribute, and what the marks mean.
fn shown(report: &Coverage) -> String {
    let attributes = Attribute::ALL.map(Attribute::name);
    let head: Vec<&str> =
        ["service", "facts", "vendor", "unread", "oldest"].into_iter().chain(attributes).collect();
    let rows: Vec<Vec<String>> = report
        .services
        .iter()
        .map(|service| {
            let numbers = [
                service.service.clone(),
                service.facts.to_string(),
                service.by_the_vendor.to_string(),
                service.unread.to_string(),
                service.oldest.map_or_else(|| String::from("-"), |day| day.to_string()),
            ];
            let cells = Attribute::ALL.iter().map(|attribute| match service.attributes.get(attribute) {
                Some(one) => match one.known {
                    Known::Known => String::from("known"),
                    Known::OnlyIf => String::from("only if"),
                    Known::Unknown => String::from("-"),
                },
                None => String::new(),
            });
            numbers.into_iter().chain(cells).collect()
        })
        .collect();
    format!(
        "{}\n{}: {} facts about {} services, prices of {} models, on {} with evidence of {} days.\n\
         known: for some of its endpoints at least; only if: with an agreement or a declaration; -: not at all.\n{}\n",
        table(&head, &rows),
        report.version,
        report.facts,
        report.services.len(),
        report.models,
        report.at,
        report.max_age_days,
        report.digest,
    )
}
