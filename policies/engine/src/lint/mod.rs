//! What in a loaded bundle is probably not what its authors meant.
//!
//! Rules that contradict each other, that add nothing to another, or that can never apply are named, the first two
//! in pairs. The lint looks at what is written, not at every possible request: it finds pairs whose conditions can
//! hold together by comparing them one by one, so rules that only *together* with a third shadow another are not
//! found.

mod ends;
mod names;
mod packs;
mod pairs;
mod subjects;

use crate::bundle::Bundle;
use crate::condition::role_name;
use crate::problem::{Problem, did_you_mean};
use crate::require::Requirement;
use crate::rule::{Direction, Mode, Rule};
use crate::{pattern, scope};
use bailiwick_compliance_db::{Attribute, Database, FactId};
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

pub use names::unknown_names;

/// Looks for what is probably a mistake, at an instant. Nothing here keeps a bundle from being used.
#[must_use]
pub fn lint(bundle: &Bundle, database: &Database, now: DateTime<Utc>) -> Vec<Problem> {
    let mut problems = Vec::new();
    pairs::look(bundle, &mut problems);
    let known =
        Known { attributes: database.facts().map(|fact| fact.attribute).collect(), roles: roles(bundle) };
    for rule in bundle.rules.iter().filter(|r| r.mode != Mode::Off) {
        alone(rule, &known, &mut problems);
    }
    ends::look(bundle, now, &mut problems);
    packs::look(bundle, &mut problems);
    grants(bundle, &mut problems);
    subjects::look(bundle, &mut problems);
    evidence_age(bundle, &mut problems);
    own_facts(bundle, database, now, &mut problems);
    problems
}

/// For how many days evidence may count before that is worth a word: three years.
const LONG_EVIDENCE_DAYS: u32 = 1_095;

fn evidence_age(bundle: &Bundle, problems: &mut Vec<Problem>) {
    let days = bundle.settings.max_evidence_age_days;
    if days > LONG_EVIDENCE_DAYS {
        let what = format!("evidence counts for {days} days: what a provider said {} years ago", days / 365);
        let fix = "write 365, or have the pages looked at again more often";
        problems.push(Problem::warning(crate::bundle::MANIFEST, what, fix).on(bundle.evidence_age_line));
    }
}

/// What is doubtful about the organisation's own facts.
fn own_facts(bundle: &Bundle, database: &Database, now: DateTime<Utc>, problems: &mut Vec<Problem>) {
    if bundle.compliance.is_empty() {
        return;
    }
    let doubts = database.lint(now.date_naive(), bundle.settings.max_evidence_age_days);
    for doubtful in doubts {
        let Some((file, line)) = database.own_place(&FactId::from(doubtful.of.as_str())) else { continue };
        let what = format!("{}: {}", doubtful.of, doubtful.what);
        problems
            .push(Problem::warning(file, what, "mend the fact, or take it out").on(line.unwrap_or_default()));
    }
}

/// What a bundle says about scopes that an organisation does not have: nothing of it ever applies. `scopes` are all that
/// the organisation has; the root is always there. What protects nobody then (rules, packs, lines about roles) is a warning,
/// what lets nobody do anything (exceptions, attestations) a note.
#[must_use]
pub fn unknown_scopes(bundle: &Bundle, scopes: &BTreeSet<String>) -> Vec<Problem> {
    let rules = bundle
        .rules
        .iter()
        .filter(|rule| rule.origin.is_none())
        .map(|rule| (rule.file.as_str(), rule.line, format!("rule `{}`", rule.id), rule.scope.as_str()));
    let packs = bundle.packs.iter().map(|pack| {
        let what = format!("included pack `{}`", pack.manifest.name);
        (crate::bundle::MANIFEST, pack.line, what, pack.scope.as_str())
    });
    let exceptions = bundle.exceptions.iter().map(|exception| {
        let what = format!("exception `{}`", exception.id);
        (exception.file.as_str(), exception.line, what, exception.scope.as_str())
    });
    let attestations = bundle.attestations.iter().zip(&bundle.attestation_lines).filter_map(
        |(attestation, (file, line))| {
            let what = format!("attestation `{}`", attestation.id);
            Some((file.as_str(), *line, what, attestation.scope.as_deref()?))
        },
    );
    let policy = crate::rbac::POLICY;
    let lines =
        bundle.rbac.grants().iter().map(|g| (policy, g.line, "the line".to_owned(), g.scope.as_str()));
    let roles =
        bundle.rbac.memberships().iter().map(|m| (policy, m.line, "the line".to_owned(), m.scope.as_str()));
    rules
        .chain(packs)
        .chain(exceptions)
        .chain(attestations)
        .chain(lines)
        .chain(roles)
        .filter(|(_, _, _, scope)| *scope != "/" && !scopes.contains(*scope))
        .map(|(file, line, what, scope)| {
            let fix = match did_you_mean(scope, scopes.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "declare the scope, or correct it".to_owned(),
            };
            let what = format!("{what}: the organisation has no scope {scope}");
            let permits = ["exception", "attestation"].iter().any(|kind| what.starts_with(kind));
            if permits { Problem::note(file, what, fix) } else { Problem::warning(file, what, fix) }.on(line)
        })
        .collect()
}

/// What rules may speak of.
struct Known<'a> {
    attributes: BTreeSet<Attribute>,
    roles: BTreeSet<&'a str>,
}

fn roles(bundle: &Bundle) -> BTreeSet<&str> {
    let grants = bundle.rbac.grants().iter().map(|g| g.subject.as_str());
    let memberships = bundle.rbac.memberships().iter().flat_map(|m| [m.member.as_str(), m.role.as_str()]);
    grants.chain(memberships).filter_map(|s| s.strip_prefix("role:")).collect()
}

fn requirements(rule: &Rule) -> Vec<Requirement> {
    rule.require.requirements().unwrap_or_default()
}

fn alone(rule: &Rule, known: &Known<'_>, problems: &mut Vec<Problem>) {
    let own = requirements(rule);
    for (i, a) in own.iter().enumerate() {
        if let Some(b) = own.iter().skip(i + 1).find(|b| a.contradicts(b)) {
            problems.push(
                Problem::warning(
                    &rule.file,
                    format!(
                        "rule `{}` contradicts itself: {} must be {} and {}",
                        rule.id, a.attribute, a.check, b.check
                    ),
                    "correct one",
                )
                .on(rule.line),
            );
        }
    }
    for requirement in own.iter().filter(|r| !known.attributes.contains(&r.attribute)) {
        problems.push(Problem::warning(
            &rule.file,
            format!("rule `{}` requires {}, about which the compliance database has no fact, so no endpoint meets it", rule.id, requirement.attribute),
            "add facts, or remove the requirement",
        ).on(rule.line));
    }
    if let (Some(allowed), Some(models)) = (&rule.allow_models, &rule.when.model)
        && models.iter().all(|m| allowed.iter().any(|a| pattern::includes(a, m)))
    {
        problems.push(
            Problem::warning(
                &rule.file,
                format!(
                    "rule `{}` can never refuse: `allow_models` allows every model that `when` lets it see",
                    rule.id
                ),
                "remove `model` from its conditions",
            )
            .on(rule.line),
        );
    }
    if let (Some(entities), Some(redact)) = (rule.when.entities, &rule.redact)
        && !entities.intersects(redact.entities)
        && redact.direction == Direction::Request
    {
        problems.push(
            Problem::note(
                &rule.file,
                format!("rule `{}` looks for one kind of finding and redacts another", rule.id),
                "nothing to do if that is meant",
            )
            .on(rule.line),
        );
    }
    for role in rule.when.role.iter().flatten().map(|r| role_name(r)) {
        if !known.roles.contains(role) {
            let fix = match did_you_mean(role, known.roles.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add it to rbac/policy.csv, or correct the rule".to_owned(),
            };
            let what =
                format!("rule `{}` never applies to the role `{role}`: no policy line names it", rule.id);
            problems.push(Problem::warning(&rule.file, what, fix).on(rule.line));
        }
    }
}

/// Grants to roles that nobody holds are common (keys get roles from the server); a deny line that no allow line
/// can reach is a mistake.
fn grants(bundle: &Bundle, problems: &mut Vec<Problem>) {
    let grants = bundle.rbac.grants();
    for deny in grants.iter().filter(|g| !g.allow) {
        let reaches = |allow: &&crate::rbac::Grant| {
            allow.allow
                && scope::overlap(&allow.scope, &deny.scope)
                && pattern::meet(&allow.object, &deny.object)
                && pattern::meet(&allow.action, &deny.action)
        };
        if !grants.iter().any(|g| reaches(&g)) {
            problems.push(
                Problem::warning(
                    crate::rbac::POLICY,
                    format!("the line denies {} on {}, which no line grants there", deny.action, deny.object),
                    "remove it, or correct it",
                )
                .at(deny.line, None),
            );
        }
    }
}
