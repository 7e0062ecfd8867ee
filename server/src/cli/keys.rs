//! `bailiwick keys …`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::Api;
use super::{Failed, Output, Remote};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Create a key; its secret is printed once
    Create {
        #[command(flatten)]
        remote: Remote,
        /// The scope that it belongs to
        #[arg(long)]
        scope: String,
        /// What people call it
        #[arg(long)]
        name: String,
        /// A monthly budget of its own, in US dollars
        #[arg(long, value_name = "X")]
        budget_usd: Option<String>,
        /// The user whose key it is, as an opaque id: that user's budgets hold for it
        #[arg(long, value_name = "ID")]
        owner: Option<String>,
        /// Only these models
        #[arg(long, value_delimiter = ',', value_name = "A,B")]
        models: Option<Vec<String>>,
        /// When it ends, RFC 3339
        #[arg(long, value_name = "T")]
        expires: Option<chrono::DateTime<chrono::Utc>>,
    },
    /// List keys
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Replace a key; the old one works on for the overlap
    Rotate {
        #[command(flatten)]
        remote: Remote,
        /// The key's id
        id: String,
        /// Hours for which the old one works on
        #[arg(long, default_value_t = 24)]
        overlap_hours: u32,
        /// When the new one ends, RFC 3339; as the old one where absent
        #[arg(long, value_name = "T")]
        expires: Option<chrono::DateTime<chrono::Utc>>,
    },
    /// Revoke a key at once, and those that it replaced
    Revoke {
        #[command(flatten)]
        remote: Remote,
        /// The key's id
        id: String,
    },
}

pub(super) async fn run(command: KeysCommand, output: Output) -> Result<(), Failed> {
    match command {
        KeysCommand::Create { remote, scope, name, budget_usd, owner, models, expires } => {
            let body = json!({
                "scope": scope, "name": name, "budget_usd": budget_usd, "owner": owner, "models": models, "expires": expires,
            });
            let created: Value =
                Api::new(&remote).json(Method::POST, "/api/v1/keys", &[], Some(&body)).await?;
            output.result(&created, || shown(&created));
        }
        KeysCommand::List { remote } => {
            let keys: Value = Api::new(&remote).json(Method::GET, "/api/v1/keys", &[], None).await?;
            output.result(&keys, || list(&keys));
        }
        KeysCommand::Rotate { remote, id, overlap_hours, expires } => {
            let body = json!({ "overlap_hours": overlap_hours, "expires": expires });
            let path = format!("/api/v1/keys/{id}/rotate");
            let rotated: Value = Api::new(&remote).json(Method::POST, &path, &[], Some(&body)).await?;
            output.result(&rotated, || shown(&rotated));
        }
        KeysCommand::Revoke { remote, id } => {
            let path = format!("/api/v1/keys/{id}/revoke");
            let revoked: Value = Api::new(&remote).json(Method::POST, &path, &[], None).await?;
            output.result(&revoked, || {
                let also = revoked.get("also_revoked").and_then(Value::as_array).into_iter().flatten();
                let also: Vec<&str> = also.filter_map(Value::as_str).collect();
                match also.as_slice() {
                    [] => format!("{id} is revoked"),
                    also => format!("{id} is revoked, and what it replaced: {}", also.join(", ")),
                }
            });
        }
    }
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn shown(key: &Value) -> String {
    format!("{}\nThis is the only time that the key is shown.", text(key, "key"))
}

fn list(keys: &Value) -> String {
    let rows: Vec<Vec<String>> = keys
        .get("keys")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|key| {
            let state = if !key.get("revoked_ms").is_none_or(Value::is_null) {
                "revoked"
            } else if !key.get("rotated_to").is_none_or(Value::is_null) {
                "rotated"
            } else {
                "valid"
            };
            vec![text(key, "id").into(), text(key, "scope").into(), text(key, "name").into(), state.into()]
        })
        .collect();
    super::output::table(&["id", "scope", "name", "state"], &rows)
}
