//! `cargo xtask test`: every check of the fast tier, cheap ones first, and an account of it at the end.
//!
//! A step that fails does not stop the next, so that one run tells all there is to mend; `--fail-fast` does. A step
//! that cannot run here is *skipped*, with the reason and what would make it run: it is never counted as passed.

mod demo;
mod report;
pub(crate) mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::Result;
use crate::context::Context;
use crate::tools as provision;
use report::{Outcome, Report};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run the long tier too: tests marked as ignored for their length
    #[arg(long)]
    full: bool,
    /// Stop at the first step that fails
    #[arg(long)]
    fail_fast: bool,
    /// Run these steps only (see the names in the table at the end)
    #[arg(long, value_name = "STEP", value_delimiter = ',')]
    only: Vec<String>,
    /// Run the Rust tests whose name contains this, and no other step
    filter: Option<String>,
}

impl Args {
    fn wants(&self, step: &str) -> bool {
        match &self.filter {
            Some(_) => ["tools", "bundle", "tests", "postgres"].contains(&step),
            None => self.only.is_empty() || self.only.iter().any(|name| name == step),
        }
    }
}

/// What earlier steps found out for later ones.
#[derive(Default)]
pub(crate) struct Found {
    /// The browser bundle, if there is one.
    console: Option<PathBuf>,
    /// The environment of the tests.
    variables: Vec<(&'static str, PathBuf)>,
    /// Whether something that tests need is missing.
    incomplete: bool,
    /// Whether the tests have been built and run, and with them the gateway's binary.
    tested: bool,
}

/// The environment of every cargo call of a run: the same in each, or build scripts would run again.
impl Found {
    fn console_dir(&self) -> PathBuf {
        self.console.clone().unwrap_or_default()
    }
}

type Step = fn(&Context, &Args, &mut Found) -> Outcome;

/// The steps, in order.
const STEPS: [(&str, Step); 11] = [
    ("format", steps::format),
    ("tidy", steps::tidy),
    ("bundle", steps::bundle),
    ("lints", steps::lints),
    ("tests", steps::tests),
    ("postgres", steps::tests_on_postgres),
    ("doctests", steps::doctests),
    ("docs", steps::docs),
    ("fuzz", steps::fuzz),
    ("deny", steps::deny),
    ("demo", demo::run),
];

/// Runs them.
pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    if let Some(unknown) = args.only.iter().find(|name| !is_step(name)) {
        let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no step `{unknown}`; the steps are tools, {}", names.join(", ")));
    }
    let mut report = Report::new();
    // What tests need is fetched while the compiler works: the one waits for the network, the other for the processor.
    std::thread::scope(|scope| {
        let mut tools = args.wants("tools").then(|| provision::begin(scope, context));
        let mut found = Found::default();
        for (name, step) in STEPS {
            if name == "tests"
                && let Some(tools) = tools.take()
            {
                steps::tools(&tools, &mut report, &mut found);
            }
            if !args.wants(name) {
                continue;
            }
            let failed = report.step(name, || step(context, args, &mut found));
            if failed && args.fail_fast {
                break;
            }
        }
    });
    Ok(report.print())
}

fn is_step(name: &str) -> bool {
    name == "tools" || STEPS.iter().any(|(step, _)| *step == name)
}
