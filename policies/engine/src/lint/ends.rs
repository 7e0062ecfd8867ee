//! Exceptions and attestations that end, or that are not needed.

use crate::bundle::Bundle;
use crate::problem::Problem;
use crate::rule::{Mode, Rule};
use crate::scope;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;

/// An attestation or an exception that ends within this many days is pointed out.
const SOON_DAYS: i64 = 30;

pub(super) fn look(bundle: &Bundle, now: DateTime<Utc>, problems: &mut Vec<Problem>) {
    exceptions(bundle, now, problems);
    overlaps(bundle, problems);
    attestations(bundle, now, problems);
}

fn exceptions(bundle: &Bundle, now: DateTime<Utc>, problems: &mut Vec<Problem>) {
    let soon = now + TimeDelta::days(SOON_DAYS);
    let rules: HashMap<&str, &Rule> = bundle.rules.iter().map(|rule| (rule.id.as_str(), rule)).collect();
    for exception in &bundle.exceptions {
        let mut told = |problem: fn(String, String, String) -> Problem, what: String, fix: &str| {
            let what = format!("exception `{}` {what}", exception.id);
            problems.push(problem(exception.file.clone(), what, fix.to_owned()).on(exception.line));
        };
        let until = exception.until.date_naive();
        if exception.until <= now {
            told(Problem::note, format!("ended on {until}"), "remove it");
        } else if exception.until <= soon {
            told(Problem::note, format!("ends on {until}"), "renew it, or prepare for its end");
        }
        if exception.approved_on > now.date_naive() {
            told(
                Problem::warning,
                format!("was approved on {}, which is still to come", exception.approved_on),
                "correct `approved_on`",
            );
        }
        match rules.get(exception.rule.as_str()).map(|rule| rule.mode) {
            Some(Mode::Off) => {
                told(
                    Problem::warning,
                    format!("waives rule `{}`, which is off", exception.rule),
                    "remove it",
                );
            }
            Some(Mode::Shadow) => told(
                Problem::note,
                format!("waives rule `{}`, which is in shadow mode and not applied", exception.rule),
                "remove it, if nobody is about to enforce the rule",
            ),
            _ => {}
        }
    }
}

/// Two exceptions from one rule for one request: it is waived until the later ends, which whoever lets the earlier one
/// end may not expect.
fn overlaps(bundle: &Bundle, problems: &mut Vec<Problem>) {
    let mut of_rule: HashMap<&str, Vec<&crate::Exception>> = HashMap::new();
    for exception in &bundle.exceptions {
        let others = of_rule.entry(&exception.rule).or_default();
        let other = others.iter().find(|other| {
            scope::overlap(&other.scope, &exception.scope)
                && other.from < exception.until
                && exception.from < other.until
        });
        if let Some(other) = other {
            let what = format!(
                "exceptions `{}` and `{}` waive rule `{}` at the same time in {}",
                other.id,
                exception.id,
                exception.rule,
                if scope::covers(&other.scope, &exception.scope) { &exception.scope } else { &other.scope },
            );
            let fix = "keep one, or let one begin when the other ends";
            problems.push(Problem::warning(&exception.file, what, fix).on(exception.line));
        }
        others.push(exception);
    }
}

fn attestations(bundle: &Bundle, now: DateTime<Utc>, problems: &mut Vec<Problem>) {
    let soon = now + TimeDelta::days(SOON_DAYS);
    for (attestation, (file, line)) in bundle.attestations.iter().zip(&bundle.attestation_lines) {
        let what =
            format!("attestation `{}` ({} with {})", attestation.id, attestation.kind, attestation.operator);
        let (what, fix) = match attestation.valid_to {
            Some(to) if to <= now => {
                (format!("{what} ended on {}", to.date_naive()), "renew the agreement, or remove it")
            }
            Some(to) if to <= soon => {
                (format!("{what} ends on {}", to.date_naive()), "renew the agreement in time")
            }
            _ => continue,
        };
        problems.push(Problem::warning(file, what, fix).on(*line));
    }
}
