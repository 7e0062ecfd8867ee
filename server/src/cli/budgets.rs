//! `bailiwick budgets …`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::Api;
use super::{Failed, Output, Remote};

#[derive(Debug, Subcommand)]
pub(super) enum BudgetsCommand {
    /// Where budgets stand
    List {
        #[command(flatten)]
        remote: Remote,
        /// Why figures of single people are asked for; goes into the audit log. Without it they are left out
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Raise a budget's limit for a time
    TopUp {
        #[command(flatten)]
        remote: Remote,
        /// The budget's number, as in `budgets list`
        id: i64,
        /// How much is added, in US dollars
        #[arg(long, value_name = "X")]
        amount_usd: String,
        /// Why; goes into the audit log
        #[arg(long)]
        reason: String,
        /// From when on, RFC 3339; now where absent
        #[arg(long, value_name = "T")]
        from: Option<chrono::DateTime<chrono::Utc>>,
        /// Until when: RFC 3339, `window` for the end of the open window, or `always`
        #[arg(long, value_name = "T", default_value = "window")]
        until: String,
    },
}

pub(super) async fn run(command: BudgetsCommand, output: Output) -> Result<(), Failed> {
    match command {
        BudgetsCommand::List { remote, reason } => {
            let query: Vec<_> = reason.as_deref().map(|reason| ("reason", reason)).into_iter().collect();
            let budgets: Value = Api::new(&remote).list("/api/v1/budgets", "budgets", &query).await?;
            output.result(&budgets, || list(&budgets));
        }
        BudgetsCommand::TopUp { remote, id, amount_usd, reason, from, until } => {
            let body = json!({ "amount_usd": amount_usd, "reason": reason, "from": from, "until": until });
            let path = format!("/api/v1/budgets/{id}/top-ups");
            let top_up: Value = Api::new(&remote).json(Method::POST, &path, &[], Some(&body)).await?;
            output.result(&top_up, || {
                let until = match top_up.get("until_ms").and_then(Value::as_i64) {
                    Some(until) => chrono::DateTime::from_timestamp_millis(until)
                        .map_or_else(String::new, |until| format!(" until {}", until.to_rfc3339())),
                    None => String::new(),
                };
                format!("budget {id} has ${} more{until}", text(&top_up, "amount_usd"))
            });
        }
    }
    Ok(())
}

fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(value) if !value.is_null() => value.to_string(),
        _ => String::new(),
    }
}

fn list(budgets: &Value) -> String {
    let rows: Vec<Vec<String>> = budgets
        .get("budgets")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|budget| {
            let user = text(budget, "user");
            let holder = if user.is_empty() { text(budget, "name") } else { format!("user {user}") };
            let columns = ["window", "limit_usd", "settled_usd", "reserved_usd"];
            let hard = budget.get("hard").and_then(Value::as_bool).unwrap_or(true);
            [text(budget, "id"), holder]
                .into_iter()
                .chain(columns.iter().map(|column| text(budget, column)))
                .chain([String::from(if hard { "hard" } else { "soft" })])
                .collect()
        })
        .collect();
    super::output::table(&["id", "holds for", "window", "limit", "settled", "reserved", "kind"], &rows)
}
