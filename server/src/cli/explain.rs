//! `bailiwick policy explain`: a recorded decision, or the tests of a bundle, with the reasons.

use std::path::Path;

use bailiwick_policy::{Explanation, explain_tests};
use clap::Args;
use reqwest::Method;

use super::facts::FactsArgs;
use super::policy::{load, report};
use super::remote::Api;
use super::{Failed, Output, Remote, Server};
use crate::admin::Explained;

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// A bundle's folder, or the id of a recorded decision
    #[arg(value_name = "DIR|ID")]
    what: String,
    #[command(flatten)]
    facts: FactsArgs,
    /// Of a bundle: only the tests whose names hold this
    #[arg(long, value_name = "TEXT")]
    test: Option<String>,
    /// The address of the server that has the decision
    #[arg(long, env = "BAILIWICK_SERVER", value_name = "URL")]
    server: Option<String>,
    /// A service token, for a decision
    #[arg(long, env = "BAILIWICK_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

pub(super) async fn run(args: ExplainArgs, output: Output) -> Result<(), Failed> {
    let is_decision = args.what.starts_with("dec_") && !Path::new(&args.what).exists();
    if !is_decision {
        return tests(Path::new(&args.what), &args.facts, args.test.as_deref(), output);
    }
    if args.facts.is_release() {
        let why = "a server explains a decision with the facts that it was made with: --release is for a bundle's tests";
        return Err(Failed::Said(String::from(why)));
    }
    let (Some(server), Some(token)) = (args.server, args.token) else {
        let why = "a recorded decision is asked of a server: give --server and --token";
        return Err(Failed::Said(String::from(why)));
    };
    let explained = of(&Remote { server: Server { server }, token }, &args.what).await?;
    output.result(&explained, || told(&explained));
    Ok(())
}

/// The tests of a bundle.
fn tests(dir: &Path, facts: &FactsArgs, named: Option<&str>, output: Output) -> Result<(), Failed> {
    let (bundle, database) = load(dir, facts, output)?;
    let mut explained = match explain_tests(&bundle, &database) {
        Ok(explained) => explained,
        Err(problems) => return report(&problems, output, String::new),
    };
    explained.retain(|test| named.is_none_or(|text| test.name.contains(text)));
    output.result(&explained, || {
        let mut out = String::new();
        for test in &explained {
            let state = if test.allowed { "allowed" } else { "refused" };
            let (name, file, why) = (&test.name, &test.file, &test.explanation);
            out.push_str(&format!("{name} ({file}): {state}\n{}\n\n{}\n", why.summary, test.request));
            reasons(&mut out, why);
            out.push('\n');
        }
        out
    });
    if explained.is_empty() {
        output.note("no test of the bundle's own has such a name: `policy test` lists them");
    }
    Ok(())
}

/// Asks a server for a recorded decision.
pub(super) async fn of(remote: &Remote, decision: &str) -> Result<Explained, Failed> {
    let path = format!("/api/v1/decisions/{decision}/explanation");
    if !decision.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Failed::Said(format!("`{decision}` is no decision: its id begins with `dec_`")));
    }
    Ok(Api::new(remote).json(Method::GET, &path, &[], None).await?)
}

fn told(explained: &Explained) -> String {
    let Explained { decision, facts, allowed, explanation, .. } = explained;
    let digest = explained.digests.get("bundle").map(String::as_str).unwrap_or_default();
    let mut out = format!(
        "{decision}: {}, by the bundle {digest}\n{}\n",
        if *allowed { "allowed" } else { "refused" },
        explanation.summary
    );
    out.push_str(&format!("\n{} for {}\n", facts.model, facts.scope));
    reasons(&mut out, explanation);
    out
}

/// Rules, endpoints, and the way out.
fn reasons(out: &mut String, explanation: &Explanation) {
    for rule in &explanation.rules {
        let how = match (&rule.waived_by, rule.mode) {
            (Some(exception), _) => format!(" (waived by {exception})"),
            (None, bailiwick_policy::Mode::Shadow) => String::from(" (shadow: not applied)"),
            (None, _) => String::new(),
        };
        out.push_str(&format!("\nrule {}{how}: {}\n", rule.id, rule.title));
        out.push_str(&format!("    applies, because {}\n", rule.matched_because.join("; ")));
        out.push_str(&format!("    comes from {}\n", rule.because.join("; ")));
    }
    for endpoint in &explanation.endpoints {
        let state = if endpoint.eligible { "eligible" } else { "excluded" };
        out.push_str(&format!("\nendpoint {}: {state}\n", endpoint.name));
        for reason in &endpoint.reasons {
            out.push_str(&format!("    {}: {}\n", reason.rule, reason.text));
            for page in reason.facts.iter().flat_map(|fact| &fact.evidence) {
                out.push_str(&format!(
                    "        {}, seen {}\n        {}\n",
                    page.url, page.observed_to, page.says
                ));
            }
        }
    }
    if let Some(fix) = &explanation.fix {
        out.push_str(&format!("\n{fix}\n"));
    }
}
