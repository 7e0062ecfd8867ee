//! `bailiwick policy plan`: what a bundle would have changed.

use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::output::table;
use super::remote::Api;
use super::{Failed, Output, Remote};
use crate::app::read_bundle;
use crate::budgets::format_usd;
use crate::clock::Clock;
use crate::plan::{Counts, PlanReport};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// The new bundle's folder
    dir: PathBuf,
    /// Against which recorded decisions: those of the last days, hours or weeks (30d, 12h, 4w), or since a day or an instant
    #[arg(long, value_name = "TIME", default_value = "30d")]
    against: String,
    /// Only decisions of this scope and below
    #[arg(long)]
    scope: Option<String>,
    #[command(flatten)]
    remote: Remote,
}

pub(super) async fn run(args: PlanArgs, output: Output) -> Result<(), Failed> {
    let now = DateTime::from_timestamp_millis(Clock::new().now_ms()).unwrap_or_default();
    let from = since(&args.against, now).ok_or_else(|| {
        Failed::Said(format!(
            "`{}` is no time: write 30d, 12h, 4w, 2026-11-01 or 2026-11-01T12:00:00Z",
            args.against
        ))
    })?;
    let bundle = read_bundle(&args.dir)?;
    let body = json!({ "bundle": bundle.files, "from": from.to_rfc3339(), "scope": args.scope });
    let report: PlanReport =
        Api::new(&args.remote).json(Method::POST, "/api/v1/policy:plan", &[], Some(&body)).await?;
    output.result(&report, || told(&report));
    Ok(())
}

/// When a time as written began.
fn since(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
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

fn told(report: &PlanReport) -> String {
    let day = |ms| {
        DateTime::from_timestamp_millis(ms)
            .map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string())
            .unwrap_or_default()
    };
    let mut out = format!(
        "{} ({})\nagainst {} decisions from {} to {}; {} of them decided again exactly as recorded\n\n",
        report.bundle,
        report.digest,
        report.decisions,
        day(report.from_ms),
        day(report.until_ms),
        report.reproduced
    );
    let counts = &report.counts;
    for (number, what) in [
        (report.same, "the same"),
        (counts.newly_refused, "newly refused"),
        (counts.newly_allowed, "newly allowed"),
        (counts.rerouted, "re-routed: where they went is no longer eligible"),
        (counts.handled, "handled otherwise: other endpoints, redactions or obligations"),
        (counts.undecidable, "undecidable"),
    ] {
        out.push_str(&format!("{number:>10}  {what}\n"));
    }
    for (why, number) in &report.undecidable_because {
        out.push_str(&format!("{number:>16}  {why}\n"));
    }
    if report.counts != Counts::default() {
        let cost = &report.cost;
        let sign = if cost.difference_nano < 0 { "less" } else { "more" };
        let unknown = if cost.unknown == 0 {
            String::new()
        } else {
            format!("; of {} changed decisions nobody knows what they would cost", cost.unknown)
        };
        out.push_str(&format!(
            "\nAt today's prices that is {} US dollars {sign}{unknown}.\n",
            format_usd(cost.difference_nano.saturating_abs())
        ));
    }
    let row = |name: &str, counts: &Counts, last: String| {
        vec![
            name.to_owned(),
            counts.newly_refused.to_string(),
            counts.newly_allowed.to_string(),
            counts.rerouted.to_string(),
            counts.handled.to_string(),
            last,
        ]
    };
    if !report.by_rule.is_empty() {
        let rows: Vec<Vec<String>> = report
            .by_rule
            .iter()
            .map(|by| row(&by.rule, &by.counts, by.examples.first().cloned().unwrap_or_default()))
            .collect();
        out.push('\n');
        out.push_str(&table(&["rule", "refused", "allowed", "re-routed", "otherwise", "for example"], &rows));
        let changed = |counts: &Counts| Counts { undecidable: 0, ..*counts } != Counts::default();
        let rows: Vec<Vec<String>> = report
            .by_scope
            .iter()
            .filter(|by| changed(&by.counts))
            .map(|by| row(&by.scope, &by.counts, by.decisions.to_string()))
            .collect();
        out.push('\n');
        out.push_str(&table(&["scope", "refused", "allowed", "re-routed", "otherwise", "of"], &rows));
    }
    for example in &report.examples {
        let went = example.went_to.as_ref().map(|name| format!(", went to {name}")).unwrap_or_default();
        out.push_str(&format!("\n{}  {}{went}\n    {}\n", example.decision, example.request, example.why));
    }
    out
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
