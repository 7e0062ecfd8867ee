//! `bailiwick policy explain`: a recorded decision with its reasons.

use reqwest::Method;

use super::remote::Api;
use super::{Failed, Output, Remote};
use crate::admin::Explained;

pub(super) async fn run(remote: &Remote, decision: &str, output: Output) -> Result<(), Failed> {
    let explained = of(remote, decision).await?;
    output.result(&explained, || told(&explained));
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
            for fact in &reason.facts {
                out.push_str(&format!(
                    "        {}, seen {}\n        {}\n",
                    fact.url, fact.observed_to, fact.says
                ));
            }
        }
    }
    if let Some(fix) = &explanation.fix {
        out.push_str(&format!("\n{fix}\n"));
    }
    out
}
