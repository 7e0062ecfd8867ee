//! `bailiwick endpoints list` and `explain`.

use clap::Subcommand;
use reqwest::Method;
use serde::Deserialize;

use super::remote::Api;
use super::{Failed, Output, Remote};
use crate::organisation::describe::{EndpointExplanation, EndpointSummary};

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
}

#[derive(Debug, Deserialize, serde::Serialize)]
struct Listed {
    endpoints: Vec<EndpointSummary>,
    unusable: Vec<String>,
}

pub(super) async fn run(command: EndpointsCommand, output: Output) -> Result<(), Failed> {
    match command {
        EndpointsCommand::List { remote } => {
            let listed: Listed = Api::new(&remote).json(Method::GET, "/api/v1/endpoints", &[], None).await?;
            output.result(&listed, || list(&listed));
        }
        EndpointsCommand::Explain { remote, name, scope } => {
            let query = [("name", name.as_str()), ("scope", scope.as_str())];
            let explained: EndpointExplanation =
                Api::new(&remote).json(Method::GET, "/api/v1/endpoints/explain", &query, None).await?;
            output.result(&explained, || explain(&explained));
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
    for model in &explained.models {
        text.push_str(&format!("\n{} ({})\n", model.model, model.upstream));
        for attribute in &model.attributes {
            text.push_str(&format!("  {}: {}\n", attribute.attribute, attribute.value));
            for fact in &attribute.facts {
                text.push_str(&format!("    {}\n", fact.id));
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
