//! `rbac/policy.csv`, line by line.

use super::POLICY;
use crate::problem::{Problem, did_you_mean};
use crate::{pattern, scope};
use serde::Serialize;

const SUBJECTS: [&str; 7] = ["role", "user", "group", "group-id", "claim", "key", "token"];

/// A policy line: a subject may, or may not, do something to an object in a scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// `role:<name>`, `user:<id>`, `group:<provider>:<name>`, `group-id:<provider>:<id>`,
    /// `claim:<provider>:<name>=<value>`, `key:<id>` or `token:<id>`.
    pub subject: String,
    /// Where it holds, and below.
    pub scope: String,
    /// `<kind>:<name>`, or `<kind>:<prefix>*`.
    pub object: String,
    /// A verb, or `*`.
    pub action: String,
    /// Whether the line grants; otherwise it denies, and a denial wins.
    pub allow: bool,
    /// Line in the file, from 1.
    pub line: usize,
}

/// A role line: a member holds a role in a scope and below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// Who holds the role; may itself be a role.
    pub member: String,
    /// The role.
    pub role: String,
    /// Where, and below.
    pub scope: String,
    /// Line in the file, from 1.
    pub line: usize,
}

#[derive(Default)]
pub(super) struct Lines {
    pub(super) grants: Vec<Grant>,
    pub(super) memberships: Vec<Membership>,
}

impl Lines {
    pub(super) fn for_casbin(&self) -> impl Iterator<Item = (&'static str, Vec<String>)> + '_ {
        let grants = self.grants.iter().map(|g| {
            let effect = if g.allow { "allow" } else { "deny" };
            (
                "p",
                vec![
                    g.subject.clone(),
                    g.scope.clone(),
                    g.object.clone(),
                    g.action.clone(),
                    effect.to_owned(),
                ],
            )
        });
        let memberships =
            self.memberships.iter().map(|m| ("g", vec![m.member.clone(), m.role.clone(), m.scope.clone()]));
        grants.chain(memberships)
    }
}

pub(super) fn parse(text: &str, problems: &mut Vec<Problem>) -> Lines {
    let mut out = Lines::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut wrong =
            |what: String, fix: &str| problems.push(Problem::error(POLICY, what, fix).at(number, None));
        if line.contains(['"', '#']) {
            wrong(
                "a line holds a quote or a `#`, which Casbin reads in its own way".into(),
                "write plain values, and comments on lines of their own",
            );
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        match fields.as_slice() {
            ["p", subject, scope, object, action, effect] => {
                check_subject(subject, &mut wrong);
                check_scope(scope, &mut wrong);
                check_object(object, &mut wrong);
                if action.is_empty() || (action.contains('*') && *action != "*") {
                    wrong(format!("`{action}` is no action"), "write a verb such as `use`, or `*`");
                }
                if !matches!(*effect, "allow" | "deny") {
                    wrong(
                        format!(
                            "the effect `{effect}` is neither `allow` nor `deny`, and Casbin would pass over the line"
                        ),
                        "write `allow` or `deny`",
                    );
                }
                out.grants.push(Grant {
                    subject: (*subject).to_owned(),
                    scope: (*scope).to_owned(),
                    object: (*object).to_owned(),
                    action: (*action).to_owned(),
                    allow: *effect == "allow",
                    line: number,
                });
            }
            ["g", member, role, scope] => {
                check_subject(member, &mut wrong);
                check_scope(scope, &mut wrong);
                if role.strip_prefix("role:").is_none_or(str::is_empty) {
                    wrong(
                        format!("`{role}` is no role"),
                        "a role line reads `g, <member>, role:<name>, <scope>`",
                    );
                }
                out.memberships.push(Membership {
                    member: (*member).to_owned(),
                    role: (*role).to_owned(),
                    scope: (*scope).to_owned(),
                    line: number,
                });
            }
            ["p", ..] => wrong(
                format!(
                    "a policy line has {} values instead of 5, and every later question would fail",
                    fields.len() - 1
                ),
                "write `p, <subject>, <scope>, <object>, <action>, allow|deny`",
            ),
            ["g", ..] => wrong(
                format!(
                    "a role line has {} values instead of 3, and no role would be loaded",
                    fields.len() - 1
                ),
                "write `g, <member>, role:<name>, <scope>`",
            ),
            [other, ..] => wrong(
                format!("a line starts with `{other}`, which Casbin would pass over"),
                "lines start with `p` or `g`",
            ),
            [] => {}
        }
    }
    duplicates(&out, problems);
    out
}

fn check_subject(subject: &str, wrong: &mut impl FnMut(String, &str)) {
    let kind = subject
        .split_once(':')
        .filter(|(_, name)| !name.is_empty() && !name.contains('*'))
        .map(|(kind, _)| kind);
    match kind {
        Some("claim") if !is_claim(subject) => wrong(
            format!("`{subject}` is no attribute"),
            "an attribute of ID tokens is written `claim:<provider>:<name>=<value>`",
        ),
        Some("group-id") if provided(subject).is_none() => wrong(
            format!("`{subject}` is no group"),
            "a group by its id is written `group-id:<provider>:<externalId>`",
        ),
        // What named an attribute once must not become the name of a group that somebody calls so, nor a denial of nobody.
        Some("group") if subject.contains('=') => {
            let (provider, name) = provided(subject).unwrap_or(("<provider>", "<name>=<value>"));
            wrong(
                format!("`{subject}`: a group has no `=`, and an attribute of ID tokens is no group"),
                &format!(
                    "write `claim:{provider}:{name}` for the attribute; a pushed group of such a name is \
                     `group-id:{provider}:<externalId>`"
                ),
            );
        }
        Some(kind) if SUBJECTS.contains(&kind) => {}
        Some(kind) => match did_you_mean(kind, SUBJECTS) {
            Some(near) => {
                wrong(format!("`{kind}:` is no kind of subject"), &format!("did you mean `{near}:`?"));
            }
            None => wrong(
                format!("`{kind}:` is no kind of subject"),
                "subjects are role:, user:, group:, group-id:, claim:, key: or token:",
            ),
        },
        None => wrong(
            format!("`{subject}` is no subject"),
            "subjects are written `<kind>:<name>`, without `*`; kinds are role, user, group, group-id, claim, key and token",
        ),
    }
}

/// Of `<kind>:<provider>:<rest>` the last two.
pub(crate) fn provided(subject: &str) -> Option<(&str, &str)> {
    let (provider, rest) = subject.split_once(':')?.1.split_once(':')?;
    (!provider.is_empty() && !rest.is_empty()).then_some((provider, rest))
}

fn is_claim(subject: &str) -> bool {
    let name = provided(subject).and_then(|(_, rest)| rest.split_once('='));
    name.is_some_and(|(name, value)| !name.is_empty() && !value.is_empty())
}

fn check_scope(path: &str, wrong: &mut impl FnMut(String, &str)) {
    if let Err(what) = scope::validate(path) {
        wrong(
            what,
            "a scope reads `/` or `/acme/retail`, and holds for everything below it: no star is needed",
        );
    }
}

fn check_object(object: &str, wrong: &mut impl FnMut(String, &str)) {
    let well_formed = object.split_once(':').is_some_and(|(kind, name)| {
        !kind.is_empty() && !kind.contains('*') && pattern::validate(name).is_ok()
    });
    if !well_formed {
        wrong(
            format!("`{object}` is no object"),
            "objects are written `<kind>:<name>` or `<kind>:<prefix>*`, such as `model:*`",
        );
    }
}

fn duplicates(lines: &Lines, problems: &mut Vec<Problem>) {
    for (i, a) in lines.grants.iter().enumerate() {
        if let Some(b) = lines.grants.iter().take(i).find(|b| {
            (&b.subject, &b.scope, &b.object, &b.action) == (&a.subject, &a.scope, &a.object, &a.action)
        }) {
            let what = if a.allow == b.allow { "repeats" } else { "contradicts" };
            problems.push(
                Problem::error(POLICY, format!("the line {what} line {}", b.line), "keep one of the two")
                    .at(a.line, None),
            );
        }
    }
}
