//! The steps that call cargo.

use std::process::Command;

use super::report::{Outcome, Report};
use super::{Args, Found};
use crate::context::Context;
use crate::{bundle as browser, cargo, fuzz, postgres, tidy as rules, tools as provision};

/// The load generator is tested with the rest.
pub(crate) const LOAD: &str = "xtask/bench";

/// The modules whose unit tests touch the database.
const UNITS: [&str; 5] = ["store::", "audit::", "budgets::", "organisation::", "snapshot::"];
/// These, and the integration tests, as nextest selects them.
const ON_POSTGRES: &str = "package(bailiwick) & (binary(it) | binary(replicas) | (kind(lib) & test(/^(store|audit|budgets|organisation|snapshot)::/)))";

pub(super) fn format(context: &Context, _: &Args, _: &mut Found) -> Outcome {
    cargo::run(&mut cargo::command(&context.root, &["fmt", "--all", "--check"])).into()
}

pub(super) fn tidy(context: &Context, _: &Args, _: &mut Found) -> Outcome {
    match rules::check(context) {
        Ok(found) if found.problems.is_empty() => Outcome::Passed(found.summary),
        Ok(found) => {
            for problem in &found.problems {
                eprintln!("{problem}");
            }
            Outcome::Failed(format!("{} problems", found.problems.len()))
        }
        Err(reason) => Outcome::Failed(reason),
    }
}

/// A row for each tool, so that what a machine lacks is seen by name; its time is what there was still to wait.
pub(super) fn tools(provided: &provision::Provided, report: &mut Report, found: &mut Found) {
    for tool in &provision::TOOLS {
        report.step(tool.name, || match provided.next() {
            Ok(variables) => {
                let path = variables.first().map(|(_, path)| format!(": {}", path.display()));
                found.variables.extend(variables);
                Outcome::Passed(format!("ready{}", path.unwrap_or_default()))
            }
            Err(missing) => {
                found.incomplete = true;
                Outcome::Skipped {
                    reason: format!("its tests do not run: {}", missing.reason),
                    fix: missing.fix,
                }
            }
        });
    }
}

pub(super) fn bundle(context: &Context, _: &Args, found: &mut Found) -> Outcome {
    if let Err(missing) = browser::ensure_target() {
        // The console's test in a browser has nothing to try then, and says so.
        found.incomplete = true;
        return Outcome::Skipped { reason: missing.reason, fix: missing.fix };
    }
    match browser::build(context) {
        Ok(folder) => {
            found.console = Some(folder);
            Outcome::Passed(String::new())
        }
        Err(reason) => Outcome::Failed(reason),
    }
}

pub(super) fn lints(context: &Context, _: &Args, found: &mut Found) -> Outcome {
    let arguments = ["clippy", "--workspace", "--all-targets", "--features", "xtask/bench,xtask/console"];
    let mut command = cargo::command(&context.root, &arguments);
    command.args(["--", "--deny", "warnings"]).env(cargo::CONSOLE_DIR, found.console_dir());
    cargo::run(&mut command).into()
}

pub(super) fn tests(context: &Context, args: &Args, found: &mut Found) -> Outcome {
    let nextest = has_nextest(context);
    let mut command = if nextest {
        let mut command = cargo::command(
            &context.root,
            &["nextest", "run", "--workspace", "--no-fail-fast", "--features", LOAD],
        );
        if args.full {
            command.args(["--run-ignored", "all"]);
        }
        command.args(&args.filter);
        command
    } else {
        let mut command =
            cargo::command(&context.root, &["test", "--workspace", "--no-fail-fast", "--features", LOAD]);
        command.args(&args.filter);
        if args.full {
            command.args(["--", "--include-ignored"]);
        }
        command
    };
    with_environment(&mut command, args, found);
    let runner = if nextest { "cargo nextest" } else { "cargo test" };
    let done = cargo::run(&mut command);
    found.tested = done.is_ok();
    match done {
        Ok(()) if found.incomplete => Outcome::Passed(format!("{runner}; without what is skipped above")),
        Ok(()) => Outcome::Passed(runner.to_owned()),
        Err(reason) => Outcome::Failed(reason),
    }
}

/// What touches the database once more, on the other one.
pub(super) fn tests_on_postgres(context: &Context, args: &Args, found: &mut Found) -> Outcome {
    let Some((_, bin)) = found.variables.iter().find(|(name, _)| *name == postgres::BIN) else {
        return Outcome::Skipped {
            reason: "the tests ran on SQLite alone: there is no PostgreSQL here".to_owned(),
            fix: "see the row `PostgreSQL`".to_owned(),
        };
    };
    let cluster = match postgres::Cluster::start(bin) {
        Ok(cluster) => cluster,
        Err(reason) => return Outcome::Failed(reason),
    };
    // The packages and features of the step before: what that built is what runs.
    let commands = if has_nextest(context) {
        let mut command = cargo::command(
            &context.root,
            &["nextest", "run", "--workspace", "--no-fail-fast", "--features", LOAD, "--no-tests", "pass"],
        );
        command.args(["-E", ON_POSTGRES]).args(&args.filter);
        vec![command]
    } else {
        let base = ["test", "--workspace", "--no-fail-fast", "--features", LOAD];
        let mut units = cargo::command(&context.root, &base);
        units.args(["--lib", "--"]);
        match &args.filter {
            Some(filter) => units.arg(filter),
            None => units.args(UNITS),
        };
        let mut whole = cargo::command(&context.root, &base);
        whole.args(["--test", "it", "--test", "replicas"]).args(&args.filter);
        vec![units, whole]
    };
    for mut command in commands {
        with_environment(&mut command, args, found);
        if let Err(reason) = cargo::run(command.env(postgres::URL, &cluster.url)) {
            return Outcome::Failed(reason);
        }
    }
    Outcome::Passed("the store, the log and the whole server".to_owned())
}

/// nextest leaves the examples in the documentation out; `cargo test` has run them already.
pub(super) fn doctests(context: &Context, args: &Args, found: &mut Found) -> Outcome {
    if !has_nextest(context) {
        return Outcome::Passed("with the tests".to_owned());
    }
    let mut command = cargo::command(&context.root, &["test", "--workspace", "--doc", "--features", LOAD]);
    with_environment(&mut command, args, found);
    cargo::run(&mut command).into()
}

pub(super) fn docs(context: &Context, _: &Args, found: &mut Found) -> Outcome {
    let mut command = cargo::command(&context.root, &["doc", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "--deny warnings").env(cargo::CONSOLE_DIR, found.console_dir());
    cargo::run(&mut command).into()
}

/// The fuzz targets are no part of the workspace, so no other step would see that one does not compile any more.
pub(super) fn fuzz(context: &Context, _: &Args, _: &mut Found) -> Outcome {
    if provision::find("c++").is_none() {
        return Outcome::Skipped {
            reason: "the fuzz targets were not compiled: no C++ compiler".to_owned(),
            fix: "apt-get install build-essential".to_owned(),
        };
    }
    fuzz::check(context).into()
}

/// `tidy` holds the same lists; cargo-deny reads them with more care where it is installed.
pub(super) fn deny(context: &Context, _: &Args, _: &mut Found) -> Outcome {
    if provision::find("cargo-deny").is_none() {
        return Outcome::Passed("by `tidy`; `cargo install cargo-deny` looks closer".to_owned());
    }
    let checks = ["deny", "--all-features", "check", "bans", "licenses", "sources"];
    cargo::run(&mut cargo::command(&context.root, &checks)).into()
}

fn has_nextest(context: &Context) -> bool {
    cargo::output(&mut cargo::command(&context.root, &["nextest", "--version"])).is_ok()
}

/// What the tests look at. `STRICT` makes a test fail that misses its tool; it is set where nothing is missing, and taken
/// away where something is, whoever set it.
fn with_environment(command: &mut Command, args: &Args, found: &Found) {
    command.env(cargo::CONSOLE_DIR, found.console_dir());
    command.envs(found.variables.iter().map(|(name, path)| (name, path)));
    const STRICT: &str = "BAILIWICK_TEST_STRICT";
    if found.incomplete {
        command.env_remove(STRICT);
    } else if !found.variables.is_empty() {
        command.env(STRICT, "1");
    }
    if args.full {
        command.env("BAILIWICK_TEST_FULL", "1");
    }
}
