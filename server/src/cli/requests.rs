//! `bailiwick requests …`: what one person asks for and another approves.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::Api;
use super::{Failed, Output, Remote};

const PATH: &str = "/api/v1/requests";

#[derive(Debug, Subcommand)]
pub(super) enum RequestsCommand {
    /// List requests: one's own, and those that one may see
    List {
        #[command(flatten)]
        remote: Remote,
        /// Only those in this state: open, expired, approved, refused, withdrawn
        #[arg(long)]
        state: Option<String>,
        /// Only those of this kind: exception, budget_raise, content_access, key
        #[arg(long)]
        kind: Option<String>,
    },
    /// Ask for something
    #[command(subcommand)]
    Ask(AskCommand),
    /// Approve what somebody else asked for
    Approve {
        #[command(flatten)]
        remote: Remote,
        /// The request's id
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Refuse what somebody else asked for
    Refuse {
        #[command(flatten)]
        remote: Remote,
        /// The request's id
        id: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Withdraw what one asked for
    Withdraw {
        #[command(flatten)]
        remote: Remote,
        /// The request's id
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum AskCommand {
    /// That a rule is waived for a time
    Exception {
        #[command(flatten)]
        remote: Remote,
        /// The rule's id
        #[arg(long)]
        rule: String,
        /// Where
        #[arg(long)]
        scope: String,
        /// Until when (RFC 3339)
        #[arg(long, value_name = "T")]
        until: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// More money for a time
    BudgetRaise {
        #[command(flatten)]
        remote: Remote,
        /// The budget's number
        #[arg(long, value_name = "N")]
        budget: i64,
        /// How much more
        #[arg(long, value_name = "X")]
        amount_usd: String,
        /// Until when (RFC 3339), or `window`: to the end of the budget's window
        #[arg(long, value_name = "T", default_value = "window")]
        until: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// To read prompts and answers of a scope for a time
    ContentAccess {
        #[command(flatten)]
        remote: Remote,
        /// Where
        #[arg(long)]
        scope: String,
        /// Until when (RFC 3339), within 7 days
        #[arg(long, value_name = "T")]
        until: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// A virtual key. Its secret is printed now, and works once somebody has approved it
    Key {
        #[command(flatten)]
        remote: Remote,
        /// Where
        #[arg(long)]
        scope: String,
        /// Its name
        #[arg(long)]
        name: String,
        /// Its own budget for a month
        #[arg(long, value_name = "X")]
        budget_usd: Option<String>,
        /// The models that it may use; all of its scope where not said
        #[arg(long, value_delimiter = ',', value_name = "M")]
        models: Vec<String>,
        /// When it ends (RFC 3339), within 365 days; 90 days from now where not said
        #[arg(long, value_name = "T")]
        expires: Option<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

impl AskCommand {
    fn told(self) -> (Remote, &'static str, String, Value) {
        match self {
            Self::Exception { remote, rule, scope, until, reason } => {
                (remote, "exception", reason, json!({ "rule": rule, "scope": scope, "until": until }))
            }
            Self::BudgetRaise { remote, budget, amount_usd, until, reason } => {
                let wanted = json!({ "budget": budget, "amount_usd": amount_usd, "until": until });
                (remote, "budget_raise", reason, wanted)
            }
            Self::ContentAccess { remote, scope, until, reason } => {
                (remote, "content_access", reason, json!({ "scope": scope, "until": until }))
            }
            Self::Key { remote, scope, name, budget_usd, models, expires, reason } => {
                let models = (!models.is_empty()).then_some(models);
                let wanted = json!({
                    "scope": scope, "name": name, "budget_usd": budget_usd, "models": models, "expires": expires,
                });
                (remote, "key", reason, wanted)
            }
        }
    }
}

pub(super) async fn run(command: RequestsCommand, output: Output) -> Result<(), Failed> {
    match command {
        RequestsCommand::List { remote, state, kind } => {
            let mut query = Vec::new();
            query.extend(state.as_deref().map(|state| ("state", state)));
            query.extend(kind.as_deref().map(|kind| ("kind", kind)));
            let requests: Value = Api::new(&remote).list(PATH, "requests", &query).await?;
            output.result(&requests, || list(&requests));
        }
        RequestsCommand::Ask(ask) => {
            let (remote, kind, reason, wanted) = ask.told();
            let body = json!({ "kind": kind, "reason": reason, "wanted": wanted });
            let asked: Value = Api::new(&remote).json(Method::POST, PATH, &[], Some(&body)).await?;
            output.result(&asked, || match asked.get("key").and_then(Value::as_str) {
                Some(key) => format!("{}\n{key}", text(&asked, "id")),
                None => text(&asked, "id").to_owned(),
            });
        }
        RequestsCommand::Approve { remote, id, reason } => {
            let body = json!({ "reason": reason });
            let told = decide(&remote, &id, "approve", Some(&body)).await?;
            output.result(&told, || match told.pointer("/made/yaml").and_then(Value::as_str) {
                Some(yaml) => {
                    let path = told.pointer("/made/path").and_then(Value::as_str).unwrap_or_default();
                    format!("commit this as {path}:\n{yaml}")
                }
                None => format!("{id} is approved"),
            });
        }
        RequestsCommand::Refuse { remote, id, reason } => {
            let body = json!({ "reason": reason });
            let told = decide(&remote, &id, "refuse", Some(&body)).await?;
            output.result(&told, || format!("{id} is refused"));
        }
        RequestsCommand::Withdraw { remote, id } => {
            let told = decide(&remote, &id, "withdraw", None).await?;
            output.result(&told, || format!("{id} is withdrawn"));
        }
    }
    Ok(())
}

async fn decide(remote: &Remote, id: &str, how: &str, body: Option<&Value>) -> Result<Value, Failed> {
    Ok(Api::new(remote).json(Method::POST, &format!("{PATH}/{id}/{how}"), &[], body).await?)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list(requests: &Value) -> String {
    const COLUMNS: [&str; 6] = ["id", "kind", "scope", "asked_by", "state", "reason"];
    let rows: Vec<Vec<String>> = requests
        .get("requests")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|request| COLUMNS.map(|name| text(request, name).to_owned()).to_vec())
        .collect();
    super::output::table(&COLUMNS, &rows)
}
