//! The account of a run: a line a step, with time, and a reason for whatever did not run.

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How a step went.
pub(crate) enum Outcome {
    /// Done; a word on what that covers, or nothing.
    Passed(String),
    /// Failed; what failed. Its output has been shown.
    Failed(String),
    /// Could not run here.
    Skipped {
        /// Why.
        reason: String,
        /// What would make it run.
        fix: String,
    },
}

impl From<crate::Result<()>> for Outcome {
    fn from(done: crate::Result<()>) -> Self {
        match done {
            Ok(()) => Self::Passed(String::new()),
            Err(reason) => Self::Failed(reason),
        }
    }
}

struct Row {
    name: String,
    took: Duration,
    outcome: Outcome,
}

/// Collects rows while steps run.
pub(crate) struct Report {
    began: Instant,
    rows: Vec<Row>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), rows: Vec::new() }
    }

    /// Runs a step under a heading; tells whether it failed.
    pub(crate) fn step(&mut self, name: &str, run: impl FnOnce() -> Outcome) -> bool {
        eprintln!("\n=== {name}  ({} so far)", clock(self.began.elapsed()));
        let began = Instant::now();
        let outcome = run();
        match &outcome {
            Outcome::Passed(detail) if detail.is_empty() => {}
            Outcome::Passed(detail) => eprintln!("{detail}"),
            Outcome::Failed(reason) => eprintln!("FAILED: {reason}"),
            Outcome::Skipped { reason, .. } => eprintln!("skipped: {reason}"),
        }
        let failed = matches!(outcome, Outcome::Failed(_));
        self.rows.push(Row { name: name.to_owned(), took: began.elapsed(), outcome });
        failed
    }

    /// Prints the table and the verdict.
    pub(crate) fn print(&self) -> ExitCode {
        let width = self.rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
        let (mut failed, mut skipped) = (0_usize, 0_usize);
        println!();
        for row in &self.rows {
            let (word, detail) = match &row.outcome {
                Outcome::Passed(detail) => ("passed", detail.clone()),
                Outcome::Failed(reason) => {
                    failed += 1;
                    ("FAILED", reason.clone())
                }
                Outcome::Skipped { reason, fix } => {
                    skipped += 1;
                    ("skipped", format!("{reason}; to run it: {fix}"))
                }
            };
            let detail = detail.lines().next().unwrap_or_default();
            println!("  {word:<7}  {:>6}  {:<width$}  {detail}", clock(row.took), row.name);
        }
        let passed = self.rows.len() - failed - skipped;
        let total = clock(self.began.elapsed());
        println!("\n{passed} passed, {failed} failed, {skipped} skipped in {total}");
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// `1:05`, or `0.4s` for what is quick.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 10 {
        return format!("{seconds}.{}s", time.subsec_millis() / 100);
    }
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
