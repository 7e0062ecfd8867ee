//! `bailiwick apply -f FILE`.

use std::path::PathBuf;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::remote::Api;
use super::{Failed, Output, Remote};
use crate::organisation::Organisation;

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    remote: Remote,
    /// The declaration, YAML or JSON
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
    /// End what the declaration does not name: keys are revoked, budgets and limits retired, the rest is deleted
    #[arg(long)]
    prune: bool,
}

pub(super) async fn run(args: ApplyArgs, output: Output) -> Result<(), Failed> {
    let text = std::fs::read_to_string(&args.file).map_err(Failed::file(&args.file))?;
    // Read here as well as by the server, so that a mistake is told with its line.
    let organisation: Organisation = serde_norway::from_str(&text)
        .map_err(|error| Failed::Said(format!("{}: {error}", args.file.display())))?;
    let body = serde_json::to_value(&organisation).map_err(|error| Failed::Said(error.to_string()))?;
    let how = [("dry_run", args.dry_run), ("prune", args.prune)];
    let query: Vec<(&str, &str)> =
        how.into_iter().filter(|(_, is)| *is).map(|(name, _)| (name, "true")).collect();
    let applied: Value =
        Api::new(&args.remote).json(Method::POST, "/api/v1/apply", &query, Some(&body)).await?;
    if args.dry_run {
        output.result(&applied, || would(&applied));
        return Ok(());
    }
    output.result(&applied, || {
        let count = |name: &str| applied.get(name).and_then(Value::as_u64).unwrap_or(0);
        let some = |name: &str| match count(name) {
            0 => String::new(),
            number => format!(", {number} {name}"),
        };
        let more: String = ["limits", "credentials", "workloads"].map(some).concat();
        let mut text = format!(
            "{} scopes, {} endpoints, {} budgets{more} are as declared\n",
            count("scopes"),
            count("endpoints"),
            count("budgets")
        );
        for key in applied.get("created_keys").and_then(Value::as_array).into_iter().flatten() {
            let field = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
            text.push_str(&format!(
                "created key {} of {}: {}\n",
                field("name"),
                field("scope"),
                field("key")
            ));
        }
        let list = |name: &str| applied.get(name).and_then(Value::as_array).into_iter().flatten();
        for ended in list("pruned") {
            text.push_str(&format!("ended {}\n", ended.as_str().unwrap_or_default()));
        }
        for kept in list("kept") {
            text.push_str(&format!("emptied {}: the past names it\n", kept.as_str().unwrap_or_default()));
        }
        for problem in list("not_in_use") {
            text.push_str(&format!("not in use: {}\n", problem.as_str().unwrap_or_default()));
        }
        text
    });
    Ok(())
}

/// What a declaration would change, a line each, and a line for each field that is another one.
fn would(answer: &Value) -> String {
    let field = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut text = String::new();
    for change in answer.get("changes").and_then(Value::as_array).into_iter().flatten() {
        let mark = match field(change, "change").as_str() {
            "create" => '+',
            "delete" => '-',
            _ => '~',
        };
        text.push_str(&format!(
            "{mark} {} {}\n",
            field(change, "kind").replace('_', " "),
            field(change, "name")
        ));
        // Of what comes or goes whole, the file or what is exported tells the fields.
        let changed = change.get("fields").filter(|_| mark == '~');
        for (name, both) in changed.and_then(Value::as_object).into_iter().flatten() {
            let side = |at: usize| both.get(at).map(Value::to_string).unwrap_or_default();
            text.push_str(&format!("    {name}: {} -> {}\n", side(0), side(1)));
        }
    }
    if text.is_empty() {
        text.push_str("nothing would change\n");
    }
    text
}
