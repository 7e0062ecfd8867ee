//! `bailiwick compliance lint` and `report`: the compliance database without a server.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bailiwick_compliance_db::{Attribute, Coverage, Database, Doubtful, Known};
use bailiwick_policy::Bundle;
use chrono::NaiveDate;
use clap::{Args, Subcommand};

use super::output::table;
use super::{Failed, Output};
use crate::app::read_bundle;
use crate::clock::Clock;

#[derive(Debug, Subcommand)]
pub(super) enum ComplianceCommand {
    /// Name what is doubtful: claims about nobody, impossible places, old evidence, unmarked contradictions
    Lint {
        #[command(flatten)]
        which: Which,
    },
    /// How much is known, service by service and attribute by attribute, and how old it is
    Report {
        #[command(flatten)]
        which: Which,
    },
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

pub(super) fn run(command: &ComplianceCommand, output: Output) -> Result<(), Failed> {
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
    }
}

impl Which {
    /// The database that is meant, and the day.
    fn load(&self) -> Result<(Database, NaiveDate), Failed> {
        let shipped: BTreeMap<String, String> = match &self.data {
            Some(folder) => read_bundle(folder)?.files,
            None => Database::embedded_files().collect(),
        };
        let database = match &self.bundle {
            None => Database::load(shipped).map_err(|error| Failed::Said(error.to_string()))?,
            Some(folder) => Bundle::load(&read_bundle(folder)?)
                .and_then(|bundle| bundle.database(shipped))
                .map_err(|problems| {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                Failed::Said(problems.join("\n"))
            })?,
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
