//! Guards against what Casbin does silently.
//!
//! | trap | guard |
//! | --- | --- |
//! | a line with too few or too many values makes every later question an error | counted while reading the lines |
//! | with no policy line at all, the empty request is allowed | a policy without a grant does not load, and the empty request is probed |
//! | an unknown policy effect panics at the first question | only effects that start from "no" are accepted |
//! | more than nine role steps between a member and a role deny silently | the longest chain is measured |
//! | `keyMatch` slices bytes, and lets `/acme*` match `/acmecorp` | the matcher may call only our own functions |
//! | `g()` before the cheap comparisons is evaluated for every line | it stands last |

use super::lines::Membership;
use super::{MODEL, POLICY, Rbac};
use crate::problem::Problem;
use std::collections::{BTreeMap, BTreeSet};

/// Casbin's role manager gives up beyond this many steps (its depth limit of ten counts the member itself).
const MAX_ROLE_STEPS: usize = 9;

const EFFECTS: [&str; 2] =
    ["some(where (p.eft == allow)) && !some(where (p.eft == deny))", "some(where (p.eft == allow))"];
const DEFINITIONS: [(&str, &str, &str); 3] = [
    ("request_definition", "r", "sub, dom, obj, act"),
    ("policy_definition", "p", "sub, dom, obj, act, eft"),
    ("role_definition", "g", "_, _, _"),
];
const FUNCTIONS: [&str; 3] = ["scopeMatch", "nameMatch", "g"];

pub(super) fn model(text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut values: BTreeMap<(String, String), (usize, String)> = BTreeMap::new();
    let mut section = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.trim().to_owned();
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.ends_with('\\')) {
            let before =
                values.insert((section.clone(), key.trim().to_owned()), (number, value.trim().to_owned()));
            if before.is_some() {
                problems.push(
                    Problem::error(MODEL, format!("`{}` is defined twice", key.trim()), "keep one")
                        .at(number, None),
                );
            }
        } else {
            problems.push(
                Problem::error(
                    MODEL,
                    "a line is neither a [section] nor `key = value` on one line",
                    "compare with the starter bundle's",
                )
                .at(number, None),
            );
        }
    }
    let mut take = |section: &str, key: &str| values.remove(&(section.to_owned(), key.to_owned()));
    for (section, key, expected) in DEFINITIONS {
        match take(section, key) {
            Some((_, value)) if squeeze(&value) == squeeze(expected) => {}
            Some((line, value)) => problems.push(
                Problem::error(
                    MODEL,
                    format!("`{key} = {value}` is not what questions are asked with"),
                    format!("write `{key} = {expected}`"),
                )
                .at(line, None),
            ),
            None => problems.push(Problem::error(
                MODEL,
                format!("[{section}] has no `{key}`"),
                format!("write `{key} = {expected}`"),
            )),
        }
    }
    match take("policy_effect", "e") {
        // Casbin compares the text of the effect, blanks included.
        Some((_, value)) if EFFECTS.contains(&value.as_str()) => {}
        Some((line, value)) => problems.push(
            Problem::error(
                MODEL,
                format!("the policy effect `{value}` is unknown, or grants what nobody denied"),
                format!("write `e = {}`", EFFECTS[0]),
            )
            .at(line, None),
        ),
        None => problems.push(Problem::error(
            MODEL,
            "[policy_effect] has no `e`",
            format!("write `e = {}`", EFFECTS[0]),
        )),
    }
    match take("matchers", "m") {
        Some((line, value)) => matcher(&value, line, &mut problems),
        None => problems.push(Problem::error(MODEL, "[matchers] has no `m`", "take the starter bundle's")),
    }
    for ((section, key), (line, _)) in values {
        problems.push(
            Problem::error(MODEL, format!("[{section}] {key} is not used"), "remove it").at(line, None),
        );
    }
    problems
}

fn squeeze(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn matcher(text: &str, line: usize, problems: &mut Vec<Problem>) {
    let mut wrong = |what: String, fix: &str| problems.push(Problem::error(MODEL, what, fix).at(line, None));
    let flat = squeeze(text);
    for called in calls(&flat) {
        if called.starts_with("keyMatch") || called.starts_with("keyGet") {
            wrong(
                format!(
                    "the matcher calls `{called}`, which cuts text in the middle of characters and lets `/acme*` match `/acmecorp`"
                ),
                "use scopeMatch(r.dom, p.dom) for scopes and nameMatch(r.obj, p.obj) for names",
            );
        } else if !FUNCTIONS.contains(&called) {
            wrong(format!("the matcher calls `{called}`"), "it may call scopeMatch, nameMatch and g");
        }
    }
    if flat.contains("||") || flat.replace("!=", "").contains('!') {
        wrong(
            "the matcher grants by `||` or `!`".into(),
            "join conditions with `&&`: what is to be granted stands in policy lines",
        );
    }
    for part in ["scopeMatch(r.dom,p.dom)", "g(r.sub,p.sub,r.dom)"] {
        if !flat.contains(part) {
            wrong(format!("the matcher lacks `{part}`"), "take the starter bundle's");
        }
    }
    for (what, compared) in [("object", "r.obj"), ("action", "r.act")] {
        if !flat.contains(compared) {
            wrong(format!("the matcher does not look at the {what}"), "take the starter bundle's");
        }
    }
    if !flat.ends_with("&&g(r.sub,p.sub,r.dom)") {
        wrong(
            "`g()` is not the last condition, so the role graph is walked for every policy line".into(),
            "move it to the end",
        );
    }
}

/// Names that stand before an opening bracket.
fn calls(text: &str) -> Vec<&str> {
    text.match_indices('(')
        .filter_map(|(at, _)| {
            let before = text.get(..at)?;
            let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?;
            (!name.is_empty()).then_some(name)
        })
        .collect()
}

/// Role graphs must have no circle and no chain that Casbin would not follow to its end. Scopes are
/// left out of account, which only makes the check stricter.
pub(super) fn roles(memberships: &[Membership], problems: &mut Vec<Problem>) {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for m in memberships {
        edges.entry(&m.member).or_default().insert(&m.role);
    }
    let line_of = |member: &str| memberships.iter().find(|m| m.member == member).map_or(1, |m| m.line);
    // Bellman-Ford over at most |nodes| rounds: a chain that still grows after them goes in circles.
    let mut depth: BTreeMap<&str, usize> = BTreeMap::new();
    let rounds = edges.len() + 1;
    for round in 0..=rounds {
        let mut grew = None;
        for (member, roles) in &edges {
            let longest = roles.iter().map(|r| depth.get(r).copied().unwrap_or(0) + 1).max().unwrap_or(0);
            if longest > depth.get(member).copied().unwrap_or(0) {
                depth.insert(member, longest);
                grew = Some(*member);
            }
        }
        match grew {
            None => break,
            Some(member) if round == rounds => {
                problems.push(
                    Problem::error(
                        POLICY,
                        format!("the roles of `{member}` go in a circle"),
                        "remove one of the role lines on the way",
                    )
                    .at(line_of(member), None),
                );
                return;
            }
            Some(_) => {}
        }
    }
    for (member, steps) in depth.iter().filter(|(_, steps)| **steps > MAX_ROLE_STEPS) {
        problems.push(
            Problem::error(
                POLICY,
                format!("`{member}` is {steps} role steps from the farthest of its roles; beyond {MAX_ROLE_STEPS} Casbin denies without a word"),
                "give the role directly",
            )
            .at(line_of(member), None),
        );
    }
}

/// Asks what must be refused whatever the policy says.
pub(super) fn probe(rbac: &Rbac) -> Result<(), Problem> {
    for (subject, scope, object, action) in
        [("", "", "", ""), ("", "/", "", ""), ("user:\u{1}", "/", "model:\u{1}", "use")]
    {
        if rbac.ask(subject, scope, object, action) {
            return Err(Problem::error(
                POLICY,
                format!("a question that names nobody ({subject:?} in {scope:?}) is answered with yes"),
                "compare rbac/ with the starter bundle's",
            ));
        }
    }
    Ok(())
}
