//! `bailiwick credentials …`.

use std::io::Read as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::remote::Api;
use super::{Failed, Output, Remote};

const PATH: &str = "/api/v1/credentials";

#[derive(Debug, Subcommand)]
pub(super) enum CredentialsCommand {
    /// Keep a provider's credential, or refer to one
    Set {
        #[command(flatten)]
        remote: Remote,
        /// What endpoints call it
        name: String,
        /// Endpoints of this scope and below may use it
        #[arg(long, default_value = "/")]
        scope: String,
        #[command(flatten)]
        what: What,
    },
    /// List credentials: where they are to be had, never what they are
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Ask the providers of its endpoints whether they take it
    Test {
        #[command(flatten)]
        remote: Remote,
        /// Its name
        name: String,
    },
    /// Put another credential in its place; requests under way go on with the one before
    Rotate {
        #[command(flatten)]
        remote: Remote,
        /// Its name
        name: String,
        #[command(flatten)]
        what: What,
    },
    /// Delete a credential that no endpoint uses
    Delete {
        #[command(flatten)]
        remote: Remote,
        /// Its name
        name: String,
    },
    /// Seal everything that is kept with the first master key of the server that is asked
    Reseal {
        #[command(flatten)]
        remote: Remote,
    },
}

/// What a credential is, or where it is to be had. Without any of these it is read from standard input.
#[derive(Debug, Args)]
#[group(multiple = true)]
pub(super) struct What {
    /// It is in this environment variable of the server
    #[arg(long, value_name = "NAME", conflicts_with_all = ["file", "vault"])]
    env: Option<String>,
    /// It is in this file, which the server can read
    #[arg(long, value_name = "PATH", conflicts_with = "vault")]
    file: Option<PathBuf>,
    /// It is in this secret of Vault or OpenBao
    #[arg(long, value_name = "MOUNT/PATH#FIELD")]
    vault: Option<String>,
    /// Do not ask any provider whether it takes it
    #[arg(long)]
    no_test: bool,
}

impl What {
    fn body(self) -> Result<Map<String, Value>, Failed> {
        let mut body = Map::new();
        if let Some(name) = self.env {
            body.insert(String::from("env"), name.into());
        } else if let Some(path) = self.file {
            body.insert(String::from("file"), json!(path));
        } else if let Some(text) = self.vault {
            let written =
                || Failed::Said(String::from("--vault is MOUNT/PATH#FIELD, such as secret/llm/openai#key"));
            let (place, field) = text.split_once('#').ok_or_else(written)?;
            let (mount, path) = place.split_once('/').ok_or_else(written)?;
            body.insert(String::from("vault"), json!({ "mount": mount, "path": path, "field": field }));
        } else {
            let mut text = Zeroizing::new(String::new());
            std::io::stdin().read_to_string(&mut text).map_err(Failed::io("standard input"))?;
            body.insert(String::from("value"), text.trim_end_matches(['\r', '\n']).into());
        }
        body.insert(String::from("test"), (!self.no_test).into());
        Ok(body)
    }
}

pub(super) async fn run(command: CredentialsCommand, output: Output) -> Result<(), Failed> {
    match command {
        CredentialsCommand::Set { remote, name, scope, what } => {
            let mut body = what.body()?;
            body.insert(String::from("name"), name.into());
            body.insert(String::from("scope"), scope.into());
            let made: Value =
                Api::new(&remote).json(Method::POST, PATH, &[], Some(&Value::Object(body))).await?;
            output.result(&made, || said(&made));
        }
        CredentialsCommand::List { remote } => {
            let all: Value = Api::new(&remote).json(Method::GET, PATH, &[], None).await?;
            output.result(&all, || table(&all));
        }
        CredentialsCommand::Test { remote, name } => {
            let path = format!("{PATH}/{name}/test");
            let tested: Value = Api::new(&remote).json(Method::POST, &path, &[], None).await?;
            output.result(&tested, || said(&tested));
            let fine = |it: &Value| !matches!(text(it, "result"), "refused" | "unreachable");
            if !list(&tested, "tested").all(fine) {
                return Err(Failed::Told);
            }
        }
        CredentialsCommand::Rotate { remote, name, what } => {
            let (path, body) = (format!("{PATH}/{name}/rotate"), Value::Object(what.body()?));
            let made: Value = Api::new(&remote).json(Method::POST, &path, &[], Some(&body)).await?;
            output.result(&made, || said(&made));
        }
        CredentialsCommand::Delete { remote, name } => {
            let path = format!("{PATH}/{name}");
            let done: Value = Api::new(&remote).json(Method::DELETE, &path, &[], None).await?;
            output.result(&done, || format!("{name} is deleted"));
        }
        CredentialsCommand::Reseal { remote } => {
            let path = format!("{PATH}:reseal");
            let done: Value = Api::new(&remote).json(Method::POST, &path, &[], None).await?;
            output.result(&done, || {
                let count = done.get("resealed").and_then(Value::as_u64).unwrap_or_default();
                let mut text =
                    format!("everything is sealed with {}; {count} were sealed anew", text(&done, "key"));
                for name in list(&done, "lost").filter_map(Value::as_str) {
                    text.push_str(&format!(
                        "\n{name} cannot be opened: its master key is not known; set it anew"
                    ));
                }
                text
            });
        }
    }
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value.get(name).and_then(Value::as_array).into_iter().flatten()
}

fn said(made: &Value) -> String {
    let mut lines = vec![match made.get("version").and_then(Value::as_i64) {
        Some(version) => format!("{} is at version {version}", text(made, "name")),
        None => text(made, "name").to_owned(),
    }];
    for trial in list(made, "tested") {
        lines.push(format!(
            "  {}: {}, {}",
            text(trial, "endpoint"),
            text(trial, "result"),
            text(trial, "detail")
        ));
    }
    if list(made, "tested").next().is_none() {
        lines.push(String::from("  not tested: no endpoint uses it yet, or none was asked"));
    }
    lines.join("\n")
}

fn table(all: &Value) -> String {
    let rows: Vec<Vec<String>> = list(all, "credentials")
        .map(|it| {
            let source = it.get("source").and_then(Value::as_object).and_then(|source| source.iter().next());
            let place = match source {
                Some((kind, Value::String(place))) => format!("{kind} {place}"),
                Some((kind, Value::Object(place))) => {
                    let part = |name: &str, usual: &'static str| {
                        place.get(name).and_then(Value::as_str).unwrap_or(usual).to_owned()
                    };
                    format!(
                        "{kind} {}/{}#{}",
                        part("mount", "secret"),
                        part("path", ""),
                        part("field", "value")
                    )
                }
                Some((kind, _)) => kind.clone(),
                None => String::new(),
            };
            let version = it.get("version").and_then(Value::as_i64).unwrap_or_default().to_string();
            let endpoints: Vec<&str> = list(it, "endpoints").filter_map(Value::as_str).collect();
            vec![
                text(it, "name").to_owned(),
                text(it, "scope").to_owned(),
                place,
                text(it, "state").to_owned(),
                version,
                endpoints.join(", "),
                super::output::instant(it, "updated_ms"),
            ]
        })
        .collect();
    super::output::table(&["name", "scope", "kept in", "state", "version", "endpoints", "changed"], &rows)
}
