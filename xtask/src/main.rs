//! The project's own tasks: `cargo xtask start`, `test`, `bench`, `fuzz`, `tidy`, `bundle` and `postgres`.
//!
//! What a newcomer compiles before the first word appears is this binary alone; the console bundler and the load
//! generator are binaries of their own, behind features, built when a task needs them.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a task runner speaks to the person at the terminal"
)]

mod bench;
mod bundle;
mod cargo;
mod context;
mod fuzz;
mod http;
mod postgres;
mod start;
mod test;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a task returns: an error is one message that tells the way out.
type Result<T> = std::result::Result<T, String>;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Bailiwick's development tasks", version)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build everything and start the demo: simulated providers, a sample organisation, the console
    Start(start::Args),
    /// Run the checks and tests of the fast tier, and say at the end what was skipped and why
    Test(test::Args),
    /// Check what the compiler does not: dependency arrows, SQL, purity, licences, links
    Tidy,
    /// Build the console's browser bundle (WebAssembly) and print the folder it is in
    Bundle,
    /// Run a command beside a PostgreSQL cluster of its own, such as `cargo xtask postgres cargo nextest run`
    Postgres(postgres::Args),
    /// Measure: the stage benches, and the whole path under load beside nginx
    Bench(bench::Args),
    /// Run the detector's fuzz targets, with a nightly compiler
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = context::Context::find().and_then(|context| match cli.task {
        Task::Start(args) => start::run(&context, &args),
        Task::Test(args) => test::run(&context, &args),
        Task::Tidy => tidy::run(&context),
        Task::Bundle => bundle::run(&context),
        Task::Postgres(args) => postgres::run(&args),
        Task::Bench(args) => bench::run(&context, &args),
        Task::Fuzz(args) => fuzz::run(&context, &args),
    });
    match done {
        Ok(code) => code,
        Err(message) => {
            eprintln!("xtask: {message}");
            ExitCode::FAILURE
        }
    }
}
