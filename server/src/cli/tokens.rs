//! `bailiwick tokens …`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::Api;
use super::{Failed, Output, Remote};

const PATH: &str = "/api/v1/service-tokens";

#[derive(Debug, Subcommand)]
pub(super) enum TokensCommand {
    /// Create a service token
    Create {
        #[command(flatten)]
        remote: Remote,
        /// Its name
        #[arg(long)]
        name: String,
        /// Where its roles hold, and below
        #[arg(long, default_value = "/")]
        scope: String,
        /// Its roles, with commas between
        #[arg(long, value_delimiter = ',', required = true)]
        roles: Vec<String>,
        /// When it ends (RFC 3339); in 90 days where not said, in 365 at most
        #[arg(long, value_name = "T")]
        expires: Option<String>,
    },
    /// List service tokens, revoked and expired ones too
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Replace a service token; the old one works on for the overlap
    Rotate {
        #[command(flatten)]
        remote: Remote,
        /// Its id
        id: String,
        /// Hours for which the old one works on, 720 at most
        #[arg(long, value_name = "N")]
        overlap_hours: Option<u32>,
        /// When the new one ends (RFC 3339)
        #[arg(long, value_name = "T")]
        expires: Option<String>,
    },
    /// Answer for a service token; one that was suspended because somebody left works again
    Claim {
        #[command(flatten)]
        remote: Remote,
        /// Its id
        id: String,
    },
    /// Revoke a service token
    Revoke {
        #[command(flatten)]
        remote: Remote,
        /// Its id
        id: String,
    },
}

pub(super) async fn run(command: TokensCommand, output: Output) -> Result<(), Failed> {
    match command {
        TokensCommand::Create { remote, name, scope, roles, expires } => {
            let mut body = json!({ "name": name, "scope": scope, "roles": roles });
            give(&mut body, "expires", expires.map(Value::from));
            let made: Value = Api::new(&remote).json(Method::POST, PATH, &[], Some(&body)).await?;
            output.result(&made, || text(&made, "token").to_owned());
        }
        TokensCommand::List { remote } => {
            let tokens: Value = Api::new(&remote).list(PATH, "service_tokens", &[]).await?;
            output.result(&tokens, || table(&tokens));
        }
        TokensCommand::Rotate { remote, id, overlap_hours, expires } => {
            let mut body = json!({});
            give(&mut body, "overlap_hours", overlap_hours.map(Value::from));
            give(&mut body, "expires", expires.map(Value::from));
            let path = format!("{PATH}/{id}/rotate");
            let made: Value = Api::new(&remote).json(Method::POST, &path, &[], Some(&body)).await?;
            output.result(&made, || text(&made, "token").to_owned());
        }
        TokensCommand::Claim { remote, id } => {
            let path = format!("{PATH}/{id}/claim");
            let claimed: Value = Api::new(&remote).json(Method::POST, &path, &[], None).await?;
            output.result(&claimed, || format!("{id} is yours to answer for"));
        }
        TokensCommand::Revoke { remote, id } => {
            let path = format!("{PATH}/{id}/revoke");
            let ended: Value = Api::new(&remote).json(Method::POST, &path, &[], None).await?;
            output.result(&ended, || format!("{id} is revoked"));
        }
    }
    Ok(())
}

fn give(body: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(body), Some(value)) = (body.as_object_mut(), value) {
        body.insert(name.to_owned(), value);
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn table(tokens: &Value) -> String {
    let rows: Vec<Vec<String>> = tokens
        .get("service_tokens")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|token| {
            let roles = token.get("roles").and_then(Value::as_array).into_iter().flatten();
            let roles: Vec<&str> = roles.filter_map(Value::as_str).collect();
            let mut row = ["id", "name", "scope"].map(|name| text(token, name).to_owned()).to_vec();
            row.push(roles.join(","));
            row.push(text(token, "state").to_owned());
            row.extend(["expires_ms", "last_used_ms"].map(|name| super::output::instant(token, name)));
            row
        })
        .collect();
    super::output::table(&["id", "name", "scope", "roles", "state", "expires", "last used"], &rows)
}
