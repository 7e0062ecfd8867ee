//! `bailiwick compliance verify`: whether a release of the compliance database is what its signer signed, and what it would
//! change: against the one in the binary or another release, for the endpoints of a bundle's tests; or against a server's,
//! for the organisation's own endpoints and the requests that it had.

use std::path::PathBuf;

use bailiwick_compliance_db::{Changes, Context, Database, EndpointProfile, FeatureSet};
use bailiwick_policy::Bundle;
use clap::Args;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::compliance::{said, told};
use super::facts::FactsArgs;
use super::remote::Api;
use super::{Failed, Output, Remote, Server};
use crate::app::read_bundle;
use crate::clock::Clock;
use crate::organisation::describe::Impact;
use crate::plan::PlanReport;
use crate::release::{Release, public_key};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The release
    file: PathBuf,
    /// A file with the public key that has to have signed it
    #[arg(long, value_name = "FILE")]
    public_key: PathBuf,
    #[command(flatten)]
    in_force: FactsArgs,
    /// A policy bundle: tell which answers change for the endpoints of its tests
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// The server's address: tell which answers change for its endpoints, against what it has in force
    #[arg(long, env = "BAILIWICK_SERVER", value_name = "URL", requires = "token")]
    server: Option<String>,
    /// A service token: bwt_…
    #[arg(long, env = "BAILIWICK_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Tell also what it would have changed of the server's recorded decisions: of the last days, hours or weeks (30d, 12h,
    /// 4w), or since a day or an instant
    #[arg(long, value_name = "TIME", requires = "server", conflicts_with_all = ["bundle", "release"])]
    against: Option<String>,
    /// For requests of this scope and below
    #[arg(long, requires = "server", conflicts_with_all = ["bundle", "release"])]
    scope: Option<String>,
}

#[derive(Serialize)]
struct Verified<'a> {
    digest: &'a str,
    #[serde(flatten)]
    told: Told,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanReport>,
}

/// What a release changes.
#[derive(Serialize, Deserialize)]
struct Told {
    changes: Changes,
    answers: Vec<Impact>,
}

pub(super) async fn run(args: &VerifyArgs, output: Output) -> Result<(), Failed> {
    let key = public_key(&args.public_key).map_err(said)?;
    let release = Release::open(&args.file, &key).map_err(said)?;
    // The environment may name a server for every command; a bundle or a release in force means the files alone.
    let alone = args.bundle.is_some() || args.in_force.is_release();
    let (told, plan) = match (&args.server, &args.token) {
        (Some(server), Some(token)) if !alone => {
            let remote = Remote { server: Server { server: server.clone() }, token: token.clone() };
            Box::pin(there(args, &release, &remote)).await?
        }
        _ => (here(args, &release)?, None),
    };
    let verified = Verified { digest: release.database.digest(), told, plan };
    output.result(&verified, || as_text(&verified));
    Ok(())
}

/// Against the database in the binary, or another release.
fn here(args: &VerifyArgs, release: &Release) -> Result<Told, Failed> {
    let in_force = args.in_force.files()?;
    let before = Database::load(in_force.clone()).map_err(said)?;
    let changes = before.changes(&release.database);
    let Some(folder) = &args.bundle else { return Ok(Told { changes, answers: Vec::new() }) };
    let bundle = Bundle::load(&read_bundle(folder)?).map_err(|problems| told(&problems))?;
    let with = |files| bundle.database(files).map_err(|problems| told(&problems));
    let (before, after) = (with(in_force)?, with(release.files.clone())?);
    let profiles: Vec<EndpointProfile> =
        bundle.test_endpoints.iter().map(|endpoint| endpoint.profile.clone()).collect();
    let context = Context {
        now: chrono::DateTime::from_timestamp_millis(Clock::new().now_ms()).unwrap_or_default(),
        max_evidence_age_days: bundle.settings.max_evidence_age_days,
        attestations: &bundle.attestations,
        features: FeatureSet::EMPTY,
    };
    let answers = before.impact(&after, &profiles, &context);
    let answers = answers.into_iter().map(|answer| Impact { scope: String::from("/"), answer });
    Ok(Told { changes, answers: answers.collect() })
}

/// Against what a server has in force.
async fn there(
    args: &VerifyArgs,
    release: &Release,
    remote: &Remote,
) -> Result<(Told, Option<PlanReport>), Failed> {
    let api = Api::new(remote);
    let body = json!({ "database": release.files, "scope": args.scope });
    let told = api.json(Method::POST, "/api/v1/compliance:impact", &[], Some(&body)).await?;
    let Some(against) = &args.against else { return Ok((told, None)) };
    let now = chrono::DateTime::from_timestamp_millis(Clock::new().now_ms()).unwrap_or_default();
    let from = super::plan::since(against, now).ok_or_else(|| {
        Failed::Said(format!(
            "`{against}` is no time: write 30d, 12h, 4w, 2026-11-01 or 2026-11-01T12:00:00Z"
        ))
    })?;
    let body = json!({ "database": release.files, "from": from.to_rfc3339(), "scope": args.scope });
    let plan = api.json(Method::POST, "/api/v1/policy:plan", &[], Some(&body)).await?;
    Ok((told, Some(plan)))
}

fn as_text(verified: &Verified<'_>) -> String {
    let Told { changes, answers } = &verified.told;
    let mut lines = vec![format!(
        "{}, in place of {}: {} facts added, {} removed, {} changed; {} models changed",
        changes.to,
        changes.from,
        changes.added.len(),
        changes.removed.len(),
        changes.changed.len(),
        changes.models.len(),
    )];
    lines.extend(changes.subprocessors.iter().map(ToString::to_string));
    lines.extend(answers.iter().map(ToString::to_string));
    lines.push(format!("verified: {}", verified.digest));
    if let Some(plan) = &verified.plan {
        lines.push(String::new());
        lines.push(super::plan_text::told(plan));
    }
    lines.join("\n")
}
