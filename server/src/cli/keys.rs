//! `bailiwick keys …`.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::Api;
use super::{Failed, Output, Remote, Server, is_standard};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Create a key; its secret is printed once
    Create(Box<Create>),
    /// Create the keys of a file, all or none; their secrets are printed once
    BulkCreate {
        #[command(flatten)]
        remote: Remote,
        /// A list of keys, JSON or YAML; `-` is standard input
        file: PathBuf,
    },
    /// List keys
    List {
        #[command(flatten)]
        remote: Remote,
        /// Only those of this scope and below
        #[arg(long)]
        scope: Option<String>,
        /// Only those in this state: valid, disabled, expired, rotated, revoked
        #[arg(long)]
        state: Option<String>,
        /// Only those with this tag
        #[arg(long)]
        tag: Option<String>,
        /// Only those of this environment
        #[arg(long, value_name = "NAME")]
        environment: Option<String>,
        /// Only those of this user
        #[arg(long, value_name = "ID")]
        owner: Option<String>,
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
    /// Disable a key, and those that it replaced, until it is enabled again
    Disable {
        #[command(flatten)]
        remote: Remote,
        /// The key's id
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Enable a disabled key
    Enable {
        #[command(flatten)]
        remote: Remote,
        /// The key's id
        id: String,
    },
    /// Revoke a key at once, and those that it replaced
    Revoke {
        #[command(flatten)]
        remote: Remote,
        /// The key's id
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Revoke a key that was found, by presenting it; needs no token
    RevokePresented {
        #[command(flatten)]
        server: Server,
        /// Where the key stands; standard input where absent. Never an argument: those can be read by others
        #[arg(value_name = "FILE", default_value = "-")]
        file: PathBuf,
        /// Where it was found
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct Create {
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
    /// Only these endpoints; a name or its beginning and `*`
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    endpoints: Option<Vec<String>>,
    /// Purposes that its requests may declare
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    purposes: Vec<String>,
    /// When it ends, RFC 3339
    #[arg(long, value_name = "T")]
    expires: Option<chrono::DateTime<chrono::Utc>>,
    /// Requests a minute
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<std::num::NonZeroU32>,
    /// Where it is used: production, staging
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// Words to find it by
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    tags: Vec<String>,
    /// Networks that it may be used from, in CIDR notation
    #[arg(long, value_delimiter = ',', value_name = "NET,NET")]
    allowed_networks: Option<Vec<String>>,
    /// The only data classes that its requests may hold
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    max_data_classes: Option<Vec<String>>,
    /// The highest sensitivity that its requests may have
    #[arg(long, value_name = "LEVEL")]
    max_sensitivity: Option<String>,
    /// Where the people are whom its requests are about
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    subject_regions: Vec<String>,
    /// Data classes that all its requests are taken to hold
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    data_classes: Vec<String>,
    /// The least sensitivity of its requests
    #[arg(long, value_name = "LEVEL")]
    sensitivity: Option<String>,
}

impl Create {
    fn body(&self) -> Value {
        json!({
            "scope": self.scope, "name": self.name, "budget_usd": self.budget_usd, "owner": self.owner,
            "models": self.models, "endpoints": self.endpoints, "purposes": self.purposes,
            "expires": self.expires, "requests_per_minute": self.requests_per_minute,
            "environment": self.environment, "tags": self.tags, "allowed_networks": self.allowed_networks,
            "max_data_classes": self.max_data_classes, "max_sensitivity": self.max_sensitivity,
            "subject_regions": self.subject_regions, "data_classes": self.data_classes,
            "sensitivity": self.sensitivity,
        })
    }
}

pub(super) async fn run(command: KeysCommand, output: Output) -> Result<(), Failed> {
    match command {
        KeysCommand::Create(create) => {
            let api = Api::new(&create.remote);
            let created: Value = api.json(Method::POST, "/api/v1/keys", &[], Some(&create.body())).await?;
            output.result(&created, || shown(&created));
        }
        KeysCommand::BulkCreate { remote, file } => {
            let text = read(&file)?;
            let keys: Value = serde_norway::from_str(&text)
                .map_err(|error| Failed::Said(format!("{}: {error}", file.display())))?;
            let created: Value =
                Api::new(&remote).json(Method::POST, "/api/v1/keys:bulk", &[], Some(&keys)).await?;
            output.result(&created, || all_shown(&created));
        }
        KeysCommand::List { remote, scope, state, tag, environment, owner } => {
            let filters = [
                ("scope", &scope),
                ("state", &state),
                ("tag", &tag),
                ("environment", &environment),
                ("owner", &owner),
            ];
            let query: Vec<(&str, &str)> =
                filters.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
            let keys: Value = Api::new(&remote).list("/api/v1/keys", "keys", &query).await?;
            output.result(&keys, || list(&keys));
        }
        KeysCommand::Rotate { remote, id, overlap_hours, expires } => {
            let body = json!({ "overlap_hours": overlap_hours, "expires": expires });
            let rotated = post(&remote, &id, "rotate", Some(&body)).await?;
            output.result(&rotated, || shown(&rotated));
        }
        KeysCommand::Disable { remote, id, reason } => {
            let disabled = post(&remote, &id, "disable", Some(&json!({ "reason": reason }))).await?;
            output.result(&disabled, || with(&format!("{id} is disabled"), &disabled, "also"));
        }
        KeysCommand::Enable { remote, id } => {
            let enabled = post(&remote, &id, "enable", None).await?;
            output.result(&enabled, || with(&format!("{id} is enabled"), &enabled, "also"));
        }
        KeysCommand::Revoke { remote, id, reason } => {
            let revoked = post(&remote, &id, "revoke", Some(&json!({ "reason": reason }))).await?;
            output.result(&revoked, || with(&format!("{id} is revoked"), &revoked, "also_revoked"));
        }
        KeysCommand::RevokePresented { server, file, reason } => {
            let body = json!({ "key": read(&file)?.trim(), "reason": reason });
            let path = "/api/v1/keys:revoke-presented";
            let revoked: Value = Api::open(&server).json(Method::POST, path, &[], Some(&body)).await?;
            let id = text(&revoked, "id");
            output.result(&revoked, || with(&format!("{id} is revoked"), &revoked, "also_revoked"));
        }
    }
    Ok(())
}

async fn post(remote: &Remote, id: &str, what: &str, body: Option<&Value>) -> Result<Value, Failed> {
    Ok(Api::new(remote).json(Method::POST, &format!("/api/v1/keys/{id}/{what}"), &[], body).await?)
}

fn read(file: &Path) -> Result<String, Failed> {
    if is_standard(file) {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(Failed::io("standard input"))?;
        return Ok(text);
    }
    std::fs::read_to_string(file).map_err(Failed::file(file))
}

/// A sentence, with the keys that the named one had replaced.
fn with(done: &str, answer: &Value, also: &str) -> String {
    let also: Vec<&str> =
        answer.get(also).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    match also.as_slice() {
        [] => done.to_owned(),
        also => format!("{done}, and what it replaced: {}", also.join(", ")),
    }
}

fn all_shown(created: &Value) -> String {
    let mut rows = Vec::new();
    for key in created.get("keys").and_then(Value::as_array).into_iter().flatten() {
        rows.push(["id", "scope", "name", "key"].map(|name| text(key, name).to_owned()).to_vec());
    }
    let table = super::output::table(&["id", "scope", "name", "key"], &rows);
    format!("{table}This is the only time that the keys are shown.")
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
        .map(|key| ["id", "scope", "name", "state"].map(|name| text(key, name).to_owned()).to_vec())
        .collect();
    super::output::table(&["id", "scope", "name", "state"], &rows)
}
