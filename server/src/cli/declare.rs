//! `bailiwick apply -f FILE`.

use std::path::PathBuf;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::remote::Api;
use super::{Failed, Output, Remote};
use crate::organisation::Organisation;

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    remote: Remote,
    /// The declaration, YAML or JSON
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(args: ApplyArgs, output: Output) -> Result<(), Failed> {
    let text = std::fs::read_to_string(&args.file).map_err(Failed::file(&args.file))?;
    // Read here as well as by the server, so that a mistake is told with its line.
    let organisation: Organisation = serde_norway::from_str(&text)
        .map_err(|error| Failed::Said(format!("{}: {error}", args.file.display())))?;
    let body = serde_json::to_value(&organisation).map_err(|error| Failed::Said(error.to_string()))?;
    let applied: Value = Api::new(&args.remote).json(Method::POST, "/api/v1/apply", &[], Some(&body)).await?;
    output.result(&applied, || {
        let count = |name: &str| applied.get(name).and_then(Value::as_u64).unwrap_or(0);
        let limits = match count("limits") {
            0 => String::new(),
            limits => format!(", {limits} limits"),
        };
        let mut text = format!(
            "{} scopes, {} endpoints, {} budgets{limits} are as declared\n",
            count("scopes"),
            count("endpoints"),
            count("budgets")
        );
        for key in applied.get("created_keys").and_then(Value::as_array).into_iter().flatten() {
            let field = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
            text.push_str(&format!(
                "created key {} of {}: {}\n",
                field("name"),
                field("scope"),
                field("key")
            ));
        }
        text
    });
    Ok(())
}
