//! A plan's report for people.

use chrono::DateTime;

use super::output::table;
use crate::budgets::format_usd;
use crate::plan::{Counts, PlanReport};

/// The report as text.
pub(super) fn told(report: &PlanReport) -> String {
    let day = |ms| {
        DateTime::from_timestamp_millis(ms)
            .map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string())
            .unwrap_or_default()
    };
    let mut out = match (&report.bundle, &report.digest) {
        (Some(bundle), Some(digest)) => format!("{bundle} ({digest})\n"),
        _ => String::from("each decision's own bundle\n"),
    };
    if let Some(version) = &report.database {
        out.push_str(&format!("with the compliance database {version}\n"));
    }
    for fact in &report.facts {
        out.push_str(&format!("with {fact}\n"));
    }
    out.push_str(&format!(
        "against {} decisions from {} to {}; {} of them decided again exactly as recorded\n",
        report.decisions,
        day(report.from_ms),
        day(report.until_ms),
        report.reproduced
    ));
    if report.only_hashes > 0 {
        out.push_str(&format!(
            "{} records are in the export by their hash alone: nobody knows what they tell of\n",
            report.only_hashes
        ));
    }
    out.push('\n');
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
