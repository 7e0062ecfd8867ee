//! `cargo xtask bench --pages`: pages of 100 out of a million rows of the control plane's lists, over HTTP, on both databases.

use std::path::Path;

use crate::context::Context;
use crate::postgres::{self, Cluster};
use crate::{Result, cargo};

/// Builds and measures; what is measured is printed as it comes.
pub(super) fn run(context: &Context, quick: bool, release: bool) -> Result<()> {
    println!("SQLite");
    measure(&context.root, quick, release, None)?;
    println!("PostgreSQL");
    let programs = postgres::programs().map_err(|missing| format!("{}: {}", missing.reason, missing.fix))?;
    let cluster = Cluster::start(&programs)?;
    measure(&context.root, quick, release, Some(&cluster.url))
}

fn measure(root: &Path, quick: bool, release: bool, cluster: Option<&str>) -> Result<()> {
    let mut arguments = vec!["test", "-p", "bailiwick", "--test", "it"];
    if release {
        arguments.push("--release");
    }
    arguments.extend(["--", "pages_of_a_million", "--ignored", "--nocapture"]);
    let mut command = cargo::command(root, &arguments);
    if quick {
        command.env("BAILIWICK_BENCH_ROWS", "20000");
    }
    match cluster {
        Some(url) => command.env("BAILIWICK_TEST_POSTGRES", url),
        None => command.env_remove("BAILIWICK_TEST_POSTGRES"),
    };
    cargo::run(&mut command)
}
