//! `bailiwick policy plan`: what a bundle, or a fact, would have changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bailiwick_compliance_db::Database;
use bailiwick_policy::Bundle;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use clap::Args;
use reqwest::Method;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::facts::FactsArgs;
use super::kept::KeptElsewhere;
use super::plan_text::told;
use super::remote::Api;
use super::{Failed, Output, Remote, Server};
use crate::app::read_bundle;
use crate::clock::Clock;
use crate::plan::{Exported, FactChanges, Plan, PlanError, PlanReport, Prices, Traffic, plan};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The new bundle's folder; each decision's own bundle where absent, so that the facts alone differ
    #[arg(required_unless_present = "fact")]
    dir: Option<PathBuf>,
    /// A changed fact: FACT=VALUE, ATTRIBUTE=VALUE@OPERATOR/SERVICE, or a file of facts
    #[arg(long, value_name = "CHANGE")]
    fact: Vec<String>,
    /// Against which recorded decisions: those of the last days, hours or weeks (30d, 12h, 4w), since a day or an instant, or
    /// those of an export of the audit log
    #[arg(long, value_name = "TIME|FILE", default_value = "30d")]
    against: String,
    /// Only decisions of this scope and below
    #[arg(long)]
    scope: Option<String>,
    /// The public key that has to have signed the export
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    #[command(flatten)]
    facts: FactsArgs,
    /// A folder for what the records of an export name by digest: looked for there first, and put there once a server told it
    #[arg(long, value_name = "DIR")]
    kept: Option<PathBuf>,
    /// The server's address; not needed with an export whose names are all kept
    #[arg(long, env = "BAILIWICK_SERVER", value_name = "URL", requires = "token")]
    server: Option<String>,
    /// A service token: bwt_…
    #[arg(long, env = "BAILIWICK_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
}

pub(super) async fn run(args: PlanArgs, output: Output) -> Result<(), Failed> {
    let now = DateTime::from_timestamp_millis(Clock::new().now_ms()).unwrap_or_default();
    let remote = match (&args.server, &args.token) {
        (Some(server), Some(token)) => {
            Some(Remote { server: Server { server: server.clone() }, token: token.clone() })
        }
        _ => None,
    };
    let report = match (since(&args.against, now), remote) {
        (Some(_), Some(_)) if args.facts.is_release() => {
            return Err(Failed::Said(String::from(
                "a server plans with its own compliance database: --release is for plans against an export",
            )));
        }
        (Some(from), Some(remote)) => ask(&args, from, &remote).await?,
        (Some(_), None) => {
            return Err(Failed::Said(String::from(
                "recorded decisions are a server's: name it with --server and --token, or plan --against an export",
            )));
        }
        (None, remote) if Path::new(&args.against).is_file() => {
            let report = here(&args, now.date_naive(), remote.as_ref()).await?;
            if report.undecidable_because.keys().any(|why| why.ends_with("not kept")) && remote.is_none() {
                output.note("an export names bundles, facts and endpoints by digest alone: --server tells what they are, and --kept DIR keeps it");
            }
            report
        }
        (None, _) => {
            return Err(Failed::Said(format!(
                "`{}` is no time and no file: write 30d, 12h, 4w, 2026-11-01, 2026-11-01T12:00:00Z, or name an export",
                args.against
            )));
        }
    };
    output.result(&report, || told(&report));
    Ok(())
}

/// The changes with the names that they have on the command line.
fn changes(args: &PlanArgs) -> Result<Vec<(String, String)>, Failed> {
    let read = |change: &String| {
        let path = Path::new(change);
        let text = if path.is_file() {
            std::fs::read_to_string(path).map_err(Failed::file(path))? + "\n"
        } else {
            change.clone()
        };
        Ok((change.clone(), text))
    };
    args.fact.iter().map(read).collect()
}

/// Asks a server, whose log it is.
async fn ask(args: &PlanArgs, from: DateTime<Utc>, remote: &Remote) -> Result<PlanReport, Failed> {
    let bundle = args.dir.as_deref().map(read_bundle).transpose()?.map(|source| source.files);
    let facts: Vec<String> = changes(args)?.into_iter().map(|(_, text)| text).collect();
    let body = json!({ "bundle": bundle, "facts": facts, "from": from.to_rfc3339(), "scope": args.scope });
    Ok(Api::new(remote).json(Method::POST, "/api/v1/policy:plan", &[], Some(&body)).await?)
}

/// Plans here, with an export.
async fn here(args: &PlanArgs, today: NaiveDate, remote: Option<&Remote>) -> Result<PlanReport, Failed> {
    let path = Path::new(&args.against);
    let key = args.public_key.as_deref().map(crate::release::public_key).transpose();
    let key = key.map_err(|error| Failed::Said(error.to_string()))?;
    let exported = Exported::open(path, key.as_ref())
        .map_err(|error| Failed::Said(format!("{}: {error}", path.display())))?;
    let mut kept = KeptElsewhere::new(args.kept.clone(), remote.map(Api::new));
    let embedded: BTreeMap<String, String> = Database::embedded_files().collect();
    kept.at_hand("catalog", &Database::digest_of(&embedded), json!(embedded));
    let shipped = args.facts.files()?;
    kept.at_hand("catalog", &Database::digest_of(&shipped), json!(shipped));
    let (bundle, files) = match &args.dir {
        None => (None, shipped),
        Some(dir) => {
            let source = read_bundle(dir)?;
            let loaded =
                Bundle::load(&source).and_then(|bundle| Ok((bundle.database(shipped.clone())?, bundle)));
            let (database, bundle) = loaded.map_err(|problems| {
                Failed::Said(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
            })?;
            let files = bundle.catalog(shipped);
            kept.at_hand("bundle", &bundle.digest, json!(source.files));
            kept.at_hand("catalog", database.digest(), json!(files));
            (Some(Arc::new(bundle)), files)
        }
    };
    let facts = FactChanges::read(&changes(args)?, files, today);
    let facts = facts.map_err(|wrong| Failed::Said(wrong.to_string()))?;
    let asked = Plan {
        bundle,
        database: None,
        facts,
        scope: args.scope.clone().unwrap_or_else(|| String::from("/")),
    };
    let stop = CancellationToken::new();
    let report = plan(Traffic::export(exported), &kept, Prices::default(), asked, &stop).await;
    report.map_err(|error| match error {
        PlanError::Kept(error) => error,
        error => Failed::Said(error.to_string()),
    })
}

/// When a time as written began.
pub(super) fn since(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(day.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: i64 = number.parse().ok().filter(|number| *number > 0)?;
    let span = match unit {
        "h" => TimeDelta::try_hours(number),
        "d" => TimeDelta::try_days(number),
        "w" => TimeDelta::try_weeks(number),
        _ => None,
    };
    now.checked_sub_signed(span?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        let now = DateTime::parse_from_rfc3339("2026-11-23T12:00:00Z").unwrap().to_utc();
        let at = |text: &str| since(text, now).map(|at| at.to_rfc3339());
        assert_eq!(at("12h").as_deref(), Some("2026-11-23T00:00:00+00:00"));
        assert_eq!(at("30d").as_deref(), Some("2026-10-24T12:00:00+00:00"));
        assert_eq!(at("2w").as_deref(), Some("2026-11-09T12:00:00+00:00"));
        assert_eq!(at("2026-11-01").as_deref(), Some("2026-11-01T00:00:00+00:00"));
        assert_eq!(at("2026-11-01T10:00:00+01:00").as_deref(), Some("2026-11-01T09:00:00+00:00"));
        for wrong in ["", "d", "0d", "-3d", "3", "3y", "9223372036854775807w", "yesterday", "3é"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }
}
