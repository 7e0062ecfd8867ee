//! `cargo xtask tidy`: the rules of `docs/ARCHITECTURE.md` that a machine can hold and the compiler does not.
//!
//! Sources are read with a small lexer that tells code, strings and comments apart ([`lexer`]); nothing is expanded,
//! so a rule can be evaded by a macro that builds a path or a query from pieces. It catches slips, not malice.

mod arrows;
mod features;
mod layout;
mod lexer;
mod licences;
mod links;
mod purity;
mod secrets;
mod sizes;
mod sources;
mod sql;

use std::process::ExitCode;

use crate::Result;
use crate::context::Context;

/// What was found.
pub(crate) struct Findings {
    /// Each a breach, with its place.
    pub(crate) problems: Vec<String>,
    /// What was looked at.
    pub(crate) summary: String,
}

/// Looks at everything.
pub(crate) fn check(context: &Context) -> Result<Findings> {
    let files = sources::tracked(context)?;
    let mut problems = arrows::check(&context.metadata)?;
    problems.extend(layout::check(&files));
    problems.extend(sql::check(&files));
    problems.extend(purity::check(&files));
    problems.extend(secrets::check(&files));
    problems.extend(links::check(&context.root, &files));
    problems.extend(licences::check(context)?);
    problems.extend(features::check(context)?);
    Ok(Findings { problems, summary: sizes::summary(&files) })
}

/// `cargo xtask tidy`.
pub(crate) fn run(context: &Context) -> Result<ExitCode> {
    let findings = check(context)?;
    for problem in &findings.problems {
        eprintln!("{problem}");
    }
    eprintln!("{}", findings.summary);
    Ok(if findings.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
