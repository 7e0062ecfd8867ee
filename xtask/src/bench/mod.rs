//! `cargo xtask bench`: the stages by Criterion, then the whole path under load beside nginx.
//!
//! Ratios of one run are what counts: the machine, its neighbours and the load generator are the same for both sides.

mod gateway;
mod load;
mod million;
mod nginx;
mod pages;
mod presidio;
mod process;
mod procfs;
mod prometheus;
mod report;
mod round;
mod spread;
mod stages;
mod swaps;

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::Result;
use crate::context::Context;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Short rounds and few: to see that it works
    #[arg(long)]
    quick: bool,
    /// Leave out the stage benches
    #[arg(long)]
    no_stages: bool,
    /// Leave out the load run
    #[arg(long)]
    no_load: bool,
    /// Put the load on nginx alone: the floor that this machine gives
    #[arg(long)]
    nginx_alone: bool,
    /// Only what requests see of a policy of 2,000 rules that is swapped under them
    #[arg(long)]
    swaps: bool,
    /// Only the detector beside presidio-analyzer, out of PyPI, over texts of presidio-evaluator and Faker
    #[arg(long, conflicts_with_all = ["swaps", "pages"])]
    presidio: bool,
    /// Folders of ordinary text in which every finding is taken for a wrong one. Only with `--presidio`
    #[arg(long, value_name = "DIR", requires = "presidio")]
    ordinary: Vec<PathBuf>,
    /// Only pages out of a million rows of the control plane's lists, on both databases
    #[arg(long, conflicts_with = "swaps")]
    pages: bool,
    /// Only a million requests through one server: its memory, and a plan over their decisions
    #[arg(long, conflicts_with_all = ["swaps", "pages", "presidio"])]
    million: bool,
    /// Debug builds: to see that it works. Only with `--swaps`, `--pages`, `--presidio` or `--million`
    #[arg(long)]
    debug: bool,
    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

/// Measures and prints.
pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode> {
    if args.pages {
        pages::run(context, args.quick, !args.debug)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.swaps {
        let swaps = swaps::run(context, args.quick, !args.debug)?;
        if args.json {
            println!("{swaps}");
        } else {
            swaps::print(&swaps);
        }
        return Ok(ExitCode::SUCCESS);
    }
    if args.million {
        million::run(context, args.quick, !args.debug)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.presidio {
        presidio::run(context, &args.ordinary, !args.debug)?;
        return Ok(ExitCode::SUCCESS);
    }
    let stages = if args.no_stages { Value::Null } else { stages::run(context, args.quick)? };
    let load = if args.no_load { Value::Null } else { load::run(context, args.quick, args.nginx_alone)? };
    if args.json {
        println!("{}", json!({ "stages": stages, "load": load }));
        return Ok(ExitCode::SUCCESS);
    }
    if !stages.is_null() {
        println!("\nStages (median)\n");
        stages::print(&stages);
    }
    if !load.is_null() {
        report::print(&load);
    }
    Ok(ExitCode::SUCCESS)
}
