//! `bailiwick replicas …`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::Api;
use super::{Failed, Output, Remote};

const PATH: &str = "/api/v1/replicas";

#[derive(Debug, Subcommand)]
pub(super) enum ReplicasCommand {
    /// The servers of the database, and those that are waited for
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Say that a missing replica's spool is lost: what it held of budgets is free again
    Lost {
        #[command(flatten)]
        remote: Remote,
        /// Its number
        number: u32,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(super) async fn run(command: ReplicasCommand, output: Output) -> Result<(), Failed> {
    match command {
        ReplicasCommand::List { remote } => {
            let replicas: Value = Api::new(&remote).list(PATH, "replicas", &[]).await?;
            output.result(&replicas, || list(&replicas));
        }
        ReplicasCommand::Lost { remote, number, reason } => {
            let path = format!("{PATH}/{number}/lost");
            let body = json!({ "reason": reason });
            let lost: Value = Api::new(&remote).json(Method::POST, &path, &[], Some(&body)).await?;
            output
                .result(&lost, || format!("nobody waits for the spool of {} any more", text(&lost, "name")));
        }
    }
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list(replicas: &Value) -> String {
    let rows: Vec<Vec<String>> = replicas
        .get("replicas")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|replica| {
            let number = |name: &str| replica.get(name).and_then(Value::as_i64).unwrap_or_default();
            let holds = replica.get("holds").and_then(Value::as_array).map_or(0, Vec::len);
            let state = match text(replica, "state") {
                "missing" => "missing: start it again, or say that it is lost",
                state => state,
            };
            vec![
                number("number").to_string(),
                text(replica, "name").to_owned(),
                state.to_owned(),
                format!("{} s", number("silent_ms") / 1_000),
                holds.to_string(),
            ]
        })
        .collect();
    super::output::table(&["number", "name", "state", "silent", "budgets held"], &rows)
}
