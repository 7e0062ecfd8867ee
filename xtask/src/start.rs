//! `cargo xtask start`: from a fresh clone to a running demo.
//!
//! The demo is built with the development profile, whose dependencies are optimised: on two cores a release build
//! takes several times as long, and nobody measures the demo. `--release` is there for who does.

use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::context::Context;
use crate::{Result, bundle, cargo};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build optimised (slower to build)
    #[arg(long)]
    release: bool,
    /// Leave out the console's browser part: pages are served without script
    #[arg(long)]
    no_bundle: bool,
    /// Handed to `bailiwick demo`: --listen ADDR, --data-dir DIR, --json
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "DEMO ARGS")]
    demo: Vec<String>,
}

/// Builds and becomes the demo.
pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    let began = Instant::now();
    eprintln!("Bailiwick: a first build takes some minutes, later ones seconds.");

    step(1, began, "the console's browser part (WebAssembly)");
    let console = if args.no_bundle {
        note("left out as asked: the console is served without script");
        None
    } else {
        console(context)
    };

    step(2, began, "the gateway");
    let mut build = cargo::command(&context.root, &["build", "--package", "bailiwick", "--bin", "bailiwick"]);
    if args.release {
        build.arg("--release");
    }
    build.env(cargo::CONSOLE_DIR, console.unwrap_or_default());
    cargo::run(&mut build)?;

    step(3, began, "starting `bailiwick demo` (Ctrl-C ends it)");
    let profile = if args.release { "release" } else { "debug" };
    let binary = context.target.join(profile).join(format!("bailiwick{}", std::env::consts::EXE_SUFFIX));
    become_process(Command::new(binary).arg("demo").args(&args.demo))
}

/// The bundle's folder, or nothing and a line that says why.
fn console(context: &Context) -> Option<std::path::PathBuf> {
    let built = match bundle::ensure_target() {
        Ok(()) => bundle::build(context),
        Err(missing) => Err(format!("{} (`{}` would)", missing.reason, missing.fix)),
    };
    match built {
        Ok(folder) => Some(folder),
        Err(reason) => {
            note(&format!("{reason}: the console is served without script, all else is there"));
            None
        }
    }
}

fn step(number: u8, began: Instant, what: &str) {
    let seconds = began.elapsed().as_secs();
    eprintln!("\n[{number}/3] {:>2}:{:02}  {what}", seconds / 60, seconds % 60);
}

fn note(text: &str) {
    eprintln!("      {text}");
}

/// Replaces this process, so that signals and the exit code are the demo's own.
#[cfg(unix)]
fn become_process(command: &mut Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    let shown = cargo::shown(command);
    Err(format!("cannot run `{shown}`: {}", command.exec()))
}

#[cfg(not(unix))]
fn become_process(command: &mut Command) -> Result<ExitCode> {
    cargo::run(command).map(|()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::{Cli, Task};

    #[test]
    fn what_follows_is_the_demos_with_or_without_two_dashes() {
        for line in [
            &["xtask", "start", "--no-bundle", "--listen", "127.0.0.1:0", "--json"][..],
            &["xtask", "start", "--no-bundle", "--", "--listen", "127.0.0.1:0", "--json"][..],
        ] {
            let Task::Start(args) = Cli::try_parse_from(line).unwrap().task else { panic!("not start") };
            assert!(args.no_bundle && !args.release);
            assert_eq!(args.demo, ["--listen", "127.0.0.1:0", "--json"]);
        }
    }
}
