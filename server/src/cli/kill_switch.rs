//! `bailiwick kill-switch …`.

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};

use super::remote::Api;
use super::{Failed, Output, Remote};
use crate::clock::Clock;

const PATH: &str = "/api/v1/kill-switches";

/// What a switch stops.
#[derive(Debug, Clone, Copy, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stop {
    /// An endpoint, by its name
    Endpoint,
    /// A model, by the name that clients use or by the provider's
    Model,
    /// Every endpoint that this operator runs
    Provider,
    /// Every endpoint whose transfers rely on it: adequacy, dpf, scc, bcr
    TransferMechanism,
}

#[derive(Debug, Subcommand)]
pub(super) enum KillSwitchCommand {
    /// Stop something at once, on every server
    Throw {
        #[command(flatten)]
        remote: Remote,
        /// What it stops
        #[arg(value_enum)]
        kind: Stop,
        /// Its name; may end in `*`
        target: String,
        /// For whose requests: those of this scope and below
        #[arg(long, default_value = "/")]
        scope: String,
        /// Why; whoever is refused reads it
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Hours after which it expires and asks again, 720 at most
        #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=720))]
        hours: u32,
    },
    /// List kill switches, expired and lifted ones too
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Lift a kill switch
    Lift {
        #[command(flatten)]
        remote: Remote,
        /// Its id
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(super) async fn run(command: KillSwitchCommand, output: Output) -> Result<(), Failed> {
    match command {
        KillSwitchCommand::Throw { remote, kind, target, scope, reason, hours } => {
            // A little less, so that the server's clock does not see more than the longest time.
            let expires_ms = Clock::new().now_ms() + i64::from(hours) * 3_600_000 - 60_000;
            let expires =
                chrono::DateTime::from_timestamp_millis(expires_ms).map(|expires| expires.to_rfc3339());
            let body = json!({
                "kind": kind, "target": target, "scope": scope, "reason": reason, "expires": expires,
            });
            let thrown: Value = Api::new(&remote).json(Method::POST, PATH, &[], Some(&body)).await?;
            output.result(&thrown, || {
                format!("{} stops {} {target} for {scope}", text(&thrown, "id"), text(&thrown, "kind"))
            });
        }
        KillSwitchCommand::List { remote } => {
            let switches: Value = Api::new(&remote).list(PATH, "kill_switches", &[]).await?;
            output.result(&switches, || list(&switches));
        }
        KillSwitchCommand::Lift { remote, id, reason } => {
            let path = format!("{PATH}/{id}");
            let body = json!({ "reason": reason });
            let lifted: Value = Api::new(&remote).json(Method::DELETE, &path, &[], Some(&body)).await?;
            output.result(&lifted, || format!("{id} is lifted"));
        }
    }
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list(switches: &Value) -> String {
    let rows: Vec<Vec<String>> = switches
        .get("kill_switches")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|switch| {
            let expires = switch
                .get("expires_ms")
                .and_then(Value::as_i64)
                .and_then(chrono::DateTime::from_timestamp_millis)
                .map(|expires| expires.format("%Y-%m-%d %H:%M UTC").to_string())
                .unwrap_or_default();
            let state = match text(switch, "state") {
                "in_force" => "in force",
                "expired" => "expired: lift it or throw it again",
                state => state,
            };
            ["id", "kind", "target", "scope"]
                .map(|name| text(switch, name).to_owned())
                .into_iter()
                .chain([state.to_owned(), expires, text(switch, "reason").to_owned()])
                .collect()
        })
        .collect();
    super::output::table(&["id", "kind", "target", "scope", "state", "expires", "reason"], &rows)
}
