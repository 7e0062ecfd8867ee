//! `bailiwick endpoints list`, `explain` and `matrix`.

use bailiwick_compliance_db::{FactId, Regulation};
use clap::Subcommand;
use reqwest::Method;
use serde::Deserialize;

use super::remote::Api;
use super::{Failed, Output, Remote};
use crate::organisation::describe::{EndpointExplanation, EndpointSummary, Matrix};

#[derive(Debug, Subcommand)]
pub(super) enum EndpointsCommand {
    /// The endpoints, where they process, and whether they answer
    List {
        #[command(flatten)]
        remote: Remote,
    },
    /// Every attribute of an endpoint, with the facts and pages behind it
    Explain {
        #[command(flatten)]
        remote: Remote,
        /// The endpoint
        name: String,
        /// The scope whose attestations count
        #[arg(long, default_value = "/")]
        scope: String,
    },
    /// Each endpoint against each regulation: yes, no, only if something is in place, or unknown
    Matrix {
        #[command(flatten)]
        remote: Remote,
        /// The scope whose attestations count
        #[arg(long, default_value = "/")]
        scope: String,
        /// Comma-separated values (RFC 4180) instead of a table
        #[arg(long)]
        csv: bool,
    },
}

#[derive(Debug, Deserialize, serde::Serialize)]
struct Listed {
    endpoints: Vec<EndpointSummary>,
    unusable: Vec<String>,
}

pub(super) async fn run(command: EndpointsCommand, output: Output) -> Result<(), Failed> {
    match command {
        EndpointsCommand::List { remote } => {
            let listed: Listed = Api::new(&remote).list("/api/v1/endpoints", "endpoints", &[]).await?;
            output.result(&listed, || list(&listed));
        }
        EndpointsCommand::Explain { remote, name, scope } => {
            let query = [("name", name.as_str()), ("scope", scope.as_str())];
            let explained: EndpointExplanation =
                Api::new(&remote).json(Method::GET, "/api/v1/endpoints/explain", &query, None).await?;
            output.result(&explained, || explain(&explained));
        }
        EndpointsCommand::Matrix { remote, scope, csv } => {
            let query = [("scope", scope.as_str())];
            let matrix: Matrix =
                Api::new(&remote).json(Method::GET, "/api/v1/endpoints/matrix", &query, None).await?;
            if csv && !output.is_json() {
                output.raw(&as_csv(&matrix));
            } else {
                output.result(&matrix, || as_table(&matrix));
            }
        }
    }
    Ok(())
}

fn list(listed: &Listed) -> String {
    let rows: Vec<Vec<String>> = listed
        .endpoints
        .iter()
        .map(|endpoint| {
            let countries = if endpoint.countries.is_empty() {
                String::from("unknown")
            } else {
                endpoint.countries.join(" ")
            };
            let state = match (endpoint.resting, endpoint.simulated) {
                (true, _) => "resting after failures",
                (false, true) => "simulated",
                (false, false) => "",
            };
            vec![
                endpoint.name.clone(),
                endpoint.scope.clone(),
                endpoint.operator.clone(),
                countries,
                endpoint.models.join(", "),
                state.to_owned(),
            ]
        })
        .collect();
    let mut text =
        super::output::table(&["endpoint", "scope", "operator", "processes in", "models", ""], &rows);
    for problem in &listed.unusable {
        text.push_str(&format!("not in use: {problem}\n"));
    }
    text
}

fn explain(explained: &EndpointExplanation) -> String {
    let mut text = format!("{} for {}\n", explained.name, explained.scope);
    if let Some(why) = &explained.not_in_use {
        text.push_str(&format!("not in use: {why}\n"));
    }
    for model in &explained.models {
        text.push_str(&format!("\n{} ({})\n", model.model, model.upstream));
        for attribute in &model.attributes {
            text.push_str(&format!("  {}: {}\n", attribute.attribute, attribute.value));
            for fact in &attribute.facts {
                text.push_str(&format!("    {}\n", fact.id));
                if let Some((other, because)) = &fact.replaces {
                    text.push_str(&format!("      in place of {other}: {because}\n"));
                }
                for (url, says, seen) in &fact.evidence {
                    text.push_str(&format!("      {says} (seen until {seen}, {url})\n"));
                }
            }
            for (one, other) in &attribute.conflicts {
                text.push_str(&format!("    contradiction: {one} and {other}; the stricter counts\n"));
            }
            for missing in &attribute.missing {
                text.push_str(&format!("    missing: {missing}\n"));
            }
        }
    }
    text
}

/// A row a model, a column a regulation. What is unknown says so alone: `endpoints explain` tells what is missing.
fn as_table(matrix: &Matrix) -> String {
    let rows: Vec<Vec<String>> = matrix
        .rows
        .iter()
        .map(|row| {
            let cells = row.judgements.iter().map(ToString::to_string);
            [row.endpoint.clone(), row.model.clone()].into_iter().chain(cells).collect()
        })
        .collect();
    let regulations = Regulation::ALL.map(Regulation::name);
    let head: Vec<&str> = ["endpoint", "model"].into_iter().chain(regulations).collect();
    super::output::table(&head, &rows)
}

/// A row an answer, with everything that is behind it.
fn as_csv(matrix: &Matrix) -> String {
    let mut text = String::from("endpoint,model,upstream,regulation,answer,because,facts\r\n");
    for row in &matrix.rows {
        for judged in &row.judgements {
            let facts: Vec<&str> = judged.facts.iter().map(FactId::as_str).collect();
            let facts = facts.join(" ");
            let cells = [
                row.endpoint.as_str(),
                &row.model,
                &row.upstream,
                judged.regulation.name(),
                judged.answer.name(),
                &judged.because,
                &facts,
            ];
            text.push_str(&cells.map(quoted).join(","));
            text.push_str("\r\n");
        }
    }
    text
}

/// A field of RFC 4180. One that begins like a formula gets an apostrophe, because spreadsheets would compute it.
fn quoted(field: &str) -> String {
    let formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let field = if formula { format!("'{field}") } else { field.to_owned() };
    if field.contains([',', '"', '\n', '\r']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_table_is_one_field_and_no_formula() {
        assert_eq!(quoted("eu residency"), "eu residency");
        assert_eq!(quoted("a,\"b\"\nc"), "\"a,\"\"b\"\"\nc\"");
        assert_eq!(quoted("=HYPERLINK(1)"), "'=HYPERLINK(1)");
        assert_eq!(quoted("@x,y"), "\"'@x,y\"");
    }
}
