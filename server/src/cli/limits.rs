//! `bailiwick limits …`.

use clap::Subcommand;
use serde_json::Value;

use super::remote::Api;
use super::{Failed, Output, Remote};

#[derive(Debug, Subcommand)]
pub(super) enum LimitsCommand {
    /// Where limits of requests, tokens, spend and concurrency stand
    List {
        #[command(flatten)]
        remote: Remote,
        /// Why figures of single people are asked for; goes into the audit log. Without it they are left out
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

pub(super) async fn run(command: LimitsCommand, output: Output) -> Result<(), Failed> {
    let LimitsCommand::List { remote, reason } = command;
    let query: Vec<_> = reason.as_deref().map(|reason| ("reason", reason)).into_iter().collect();
    let limits: Value = Api::new(&remote).list("/api/v1/limits", "limits", &query).await?;
    output.result(&limits, || table(&limits));
    Ok(())
}

fn table(limits: &Value) -> String {
    let rows: Vec<Vec<String>> = limits
        .get("limits")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|limit| {
            let text = |name: &str| match limit.get(name) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            let holder = ["scope", "key", "user"].map(text).concat();
            vec![holder, text("models"), text("counts"), text("window"), text("limit"), text("used")]
        })
        .collect();
    super::output::table(&["holds for", "models", "counts", "window", "limit", "used"], &rows)
}
