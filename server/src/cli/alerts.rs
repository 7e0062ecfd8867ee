//! `bailiwick alerts …`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::Api;
use super::{Failed, Output, Remote};

const PATH: &str = "/api/v1/alerts";

#[derive(Debug, Subcommand)]
pub(super) enum AlertsCommand {
    /// List alerts, newest first
    List {
        #[command(flatten)]
        remote: Remote,
        /// Only those that are open, acknowledged or closed
        #[arg(long, value_name = "STATE")]
        state: Option<String>,
        /// Only those that matter at least so much: info, warning, critical
        #[arg(long, value_name = "SEVERITY")]
        severity: Option<String>,
        /// Only those of this kind
        #[arg(long, value_name = "KIND")]
        kind: Option<String>,
        /// Only those of this scope and below
        #[arg(long, value_name = "SCOPE")]
        scope: Option<String>,
    },
    /// Say that you know of an alert: it is not told again
    Ack {
        #[command(flatten)]
        remote: Remote,
        /// Its id
        id: String,
        /// What you do about it
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Send a test through a channel of the server's configuration
    Test {
        #[command(flatten)]
        remote: Remote,
        /// Its name
        channel: String,
    },
}

pub(super) async fn run(command: AlertsCommand, output: Output) -> Result<(), Failed> {
    match command {
        AlertsCommand::List { remote, state, severity, kind, scope } => {
            let asked = [("state", &state), ("severity", &severity), ("kind", &kind), ("scope", &scope)];
            let query: Vec<(&str, &str)> =
                asked.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
            let alerts: Value = Api::new(&remote).list(PATH, "alerts", &query).await?;
            output.result(&alerts, || list(&alerts));
        }
        AlertsCommand::Ack { remote, id, note } => {
            let path = format!("{PATH}/{id}/acknowledge");
            let body = json!({ "note": note });
            let known: Value = Api::new(&remote).json(Method::POST, &path, &[], Some(&body)).await?;
            output.result(&known, || format!("{id} is acknowledged"));
        }
        AlertsCommand::Test { remote, channel } => {
            let path = format!("{PATH}:test");
            let body = json!({ "channel": channel });
            let sent: Value = Api::new(&remote).json(Method::POST, &path, &[], Some(&body)).await?;
            output.result(&sent, || {
                let count = sent.get("sent").and_then(Value::as_u64).unwrap_or_default();
                format!("{channel}: {count} sent")
            });
        }
    }
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list(alerts: &Value) -> String {
    let rows: Vec<Vec<String>> = alerts
        .get("alerts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|alert| {
            let raised = alert
                .get("raised_ms")
                .and_then(Value::as_i64)
                .and_then(chrono::DateTime::from_timestamp_millis)
                .map(|raised| raised.format("%Y-%m-%d %H:%M UTC").to_string())
                .unwrap_or_default();
            ["id", "severity", "state", "scope"]
                .map(|name| text(alert, name).to_owned())
                .into_iter()
                .chain([raised, text(alert, "title").to_owned()])
                .collect()
        })
        .collect();
    super::output::table(&["id", "severity", "state", "scope", "raised", "alert"], &rows)
}
