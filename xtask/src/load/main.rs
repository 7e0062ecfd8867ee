//! The two ends of a load run, each a process of its own: an upstream that answers at once, and a load generator.
//!
//! Both run on one thread, so that on a small machine they leave the rest to what is measured between them.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "results go to the caller's pipe, errors to its terminal"
)]

mod generate;
mod latency;
mod upstream;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// An error is one message.
type Result<T> = std::result::Result<T, String>;

#[derive(Parser)]
#[command(name = "xtask-load", about = "Both ends of a load run", version)]
struct Cli {
    #[command(subcommand)]
    end: End,
}

#[derive(Subcommand)]
enum End {
    /// Answer every request with the same chat completion; print the address, serve until killed
    Upstream(upstream::Args),
    /// Ask again and again; print what came back as one line of JSON
    Generate(generate::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(|e| format!("no runtime: {e}")).and_then(|runtime| match cli.end {
        End::Upstream(args) => runtime.block_on(upstream::run(args)),
        End::Generate(args) => runtime.block_on(generate::run(args)),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("xtask-load: {message}");
            ExitCode::FAILURE
        }
    }
}
