//! `cargo xtask fuzz`: the detector's fuzz targets, each for a while.
//!
//! They run under libFuzzer with a nightly compiler and its address sanitizer; cargo-fuzz is installed below the target
//! directory. `--check` compiles them with the compiler at hand, which any machine with a C++ compiler can; `cargo xtask test` does
//! so each time, and runs what the targets do on generated texts with the crate's own tests.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::context::Context;
use crate::{Result, cargo};

/// A workspace of its own.
const FOLDER: &str = "policies/pii/fuzz";

/// Pinned like the other tools.
const CARGO_FUZZ: &str = "0.13.1";

/// The targets; each file in `fuzz_targets` is one.
const TARGETS: [&str; 4] = ["scan", "redact", "restore", "stream"];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these: scan, redact, restore, stream
    targets: Vec<String>,
    /// Seconds for each
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only compile them
    #[arg(long)]
    check: bool,
}

/// Compiles every target, with the versions of dependencies that were committed.
pub(crate) fn check(context: &Context) -> Result<()> {
    let arguments = ["check", "--locked", "--bins", "--manifest-path"];
    let mut command = cargo::command(&context.root, &arguments);
    command.arg(context.root.join(FOLDER).join("Cargo.toml"));
    cargo::run(command.env("CARGO_TARGET_DIR", context.target.join("fuzz")))
}

/// Runs the targets one after another; the first that finds something ends it.
pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    if args.check {
        return check(context).map(|()| ExitCode::SUCCESS);
    }
    let folder = context.root.join(FOLDER);
    let target = context.target.join("fuzz");
    if let Some(unknown) = args.targets.iter().find(|name| !TARGETS.contains(&name.as_str())) {
        return Err(format!("there is no fuzz target `{unknown}`; there are {}", TARGETS.join(", ")));
    }
    let tools = context.tools_dir().join("cargo-fuzz");
    if !tools.join("bin/cargo-fuzz").is_file() {
        let mut command = cargo::command(&context.root, &["install", "cargo-fuzz", "--version", CARGO_FUZZ]);
        cargo::run(command.args(["--locked", "--root"]).arg(&tools))?;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = std::iter::once(tools.join("bin")).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(paths).map_err(|error| error.to_string())?;
    let wanted: Vec<&str> = match args.targets.as_slice() {
        [] => TARGETS.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    for name in wanted {
        let corpus: PathBuf = target.join("corpus").join(name);
        std::fs::create_dir_all(&corpus).map_err(|e| format!("cannot create {}: {e}", corpus.display()))?;
        let mut command = Command::new("rustup");
        cargo::free(&mut command);
        command
            .args(["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir"])
            .arg(&folder)
            .arg("--target-dir")
            .arg(&target)
            .arg(name)
            .arg(&corpus)
            .args(["--", "-max_len=4096", &format!("-max_total_time={}", args.seconds)])
            // What runs this chose a compiler for itself.
            .env_remove("RUSTUP_TOOLCHAIN")
            .env_remove("CARGO")
            .env("PATH", &path)
            .current_dir(&context.root);
        cargo::run(&mut command)?;
    }
    Ok(ExitCode::SUCCESS)
}
