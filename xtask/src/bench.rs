//! `cargo xtask bench`.
use std::process::ExitCode;

use crate::Result;
use crate::context::Context;

#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Context, _: &Args) -> Result<ExitCode> {
    Ok(ExitCode::SUCCESS)
}
