//! `bailiwick export`.

use std::path::PathBuf;

use clap::Args;
use reqwest::Method;

use super::remote::Api;
use super::{Failed, Output, Remote, is_standard};
use crate::organisation::Organisation;

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    remote: Remote,
    /// Where to; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

pub(super) async fn run(args: ExportArgs, output: Output) -> Result<(), Failed> {
    let organisation: Organisation =
        Api::new(&args.remote).json(Method::GET, "/api/v1/organisation", &[], None).await?;
    let text = if output.is_json() {
        serde_json::to_string(&organisation).map_err(|error| Failed::Said(error.to_string()))?
    } else {
        serde_norway::to_string(&organisation).map_err(|error| Failed::Said(error.to_string()))?
    };
    if is_standard(&args.output) {
        output.line(text.trim_end());
        return Ok(());
    }
    std::fs::write(&args.output, text).map_err(Failed::file(&args.output))
}
