//! What in a loaded bundle is probably not what its authors meant.
//!
//! Rules that contradict each other, that add nothing to another, or that can never apply are named, the first two
//! in pairs. The lint looks at what is written, not at every possible request: it finds pairs whose conditions can
//! hold together by comparing them one by one, so rules that only *together* with a third shadow another are not
//! found.

use crate::bundle::Bundle;
use crate::condition::{SensitivityCondition, When, role_name};
use crate::problem::Problem;
use crate::require::{Requirement, regions};
use crate::rule::{Mode, Rule};
use crate::{pattern, scope};
use bailiwick_compliance_db::{Attribute, Database};
use bailiwick_pii::Sensitivity;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::BTreeSet;

/// An attestation or an exception that ends within this many days is pointed out.
const SOON_DAYS: i64 = 30;

/// Looks for what is probably a mistake, at an instant. Nothing here keeps a bundle from being used.
#[must_use]
pub fn lint(bundle: &Bundle, database: &Database, now: DateTime<Utc>) -> Vec<Problem> {
    let mut problems = Vec::new();
    pairs(bundle, &mut problems);
    for rule in bundle.rules.iter().filter(|r| r.mode != Mode::Off) {
        alone(rule, bundle, database, &mut problems);
    }
    dates(bundle, now, &mut problems);
    grants(bundle, &mut problems);
    own_facts(bundle, database, now, &mut problems);
    problems
}

/// What is doubtful about the organisation's own facts.
fn own_facts(bundle: &Bundle, database: &Database, now: DateTime<Utc>, problems: &mut Vec<Problem>) {
    if bundle.compliance.is_empty() {
        return;
    }
    let doubts = database.lint(now.date_naive(), bundle.settings.max_evidence_age_days);
    for doubtful in doubts.into_iter().filter(|doubtful| doubtful.of.starts_with("own/")) {
        problems.push(Problem::warning(
            Database::OWN,
            format!("{}: {}", doubtful.of, doubtful.what),
            "mend the fact, or take it out",
        ));
    }
}

fn pairs(bundle: &Bundle, problems: &mut Vec<Problem>) {
    let enforced: Vec<&Rule> = bundle.rules.iter().filter(|r| r.mode == Mode::Enforce).collect();
    for (i, a) in enforced.iter().enumerate() {
        for b in enforced.iter().skip(i + 1) {
            if !scope::overlap(&a.scope, &b.scope) || !can_meet(&a.when, &b.when) {
                continue;
            }
            if let Some(what) = contradiction(a, b) {
                problems.push(Problem::warning(
                    &b.file,
                    format!("rules `{}` and `{}` contradict each other: {what}, so where both apply nothing is eligible", a.id, b.id),
                    "narrow the conditions of one, or write `deny: true` if that is meant",
                ));
            }
            for (over, under) in [(a, b), (b, a)] {
                if shadows(over, under) {
                    problems.push(Problem::warning(
                        &under.file,
                        format!("rule `{}` adds nothing: rule `{}` applies whenever it does and asks at least as much", under.id, over.id),
                        "remove it, or check its conditions",
                    ));
                    // Two equal rules shadow each other; saying it once will do.
                    break;
                }
            }
            overruled(a, b, problems);
        }
    }
}

fn requirements(rule: &Rule) -> Vec<Requirement> {
    rule.require.requirements().unwrap_or_default()
}

fn contradiction(a: &Rule, b: &Rule) -> Option<String> {
    for ra in requirements(a) {
        for rb in requirements(b) {
            if ra.contradicts(&rb) {
                return Some(format!("{} must be {} and {}", ra.attribute, ra.check, rb.check));
            }
        }
    }
    if let (Some(la), Some(lb)) = (&a.allow_models, &b.allow_models)
        && !la.iter().any(|x| lb.iter().any(|y| pattern::meet(x, y)))
    {
        return Some(format!("the models {} and {} have none in common", la.join(", "), lb.join(", ")));
    }
    None
}

/// Whether `over` applies whenever `under` does, and asks everything that `under` asks.
fn shadows(over: &Rule, under: &Rule) -> bool {
    if !scope::covers(&over.scope, &under.scope) || !includes(&over.when, &under.when) {
        return false;
    }
    if over.deny {
        return true;
    }
    let of_over = requirements(over);
    let required = requirements(under).iter().all(|u| of_over.iter().any(|o| o.implies(u)));
    let redacted = under.redact.as_ref().is_none_or(|u| over.redact.as_ref() == Some(u));
    let models = under.allow_models.as_ref().is_none_or(|u| {
        over.allow_models
            .as_ref()
            .is_some_and(|o| o.iter().all(|x| u.iter().any(|y| pattern::includes(y, x))))
    });
    let tools = under.deny_tools.as_ref().is_none_or(|u| {
        over.deny_tools.as_ref().is_some_and(|o| u.iter().all(|x| o.iter().any(|y| pattern::includes(y, x))))
    });
    let tokens = under.limit_output_tokens.is_none_or(|u| over.limit_output_tokens.is_some_and(|o| o <= u));
    let (o, u) = (over.obligations, under.obligations);
    let obliged = (u.cache.is_none() || o.cache.is_some())
        && (u.log_content.is_none() || o.log_content.is_some())
        && u.retain_days <= o.retain_days;
    !under.deny && required && redacted && models && tools && tokens && obliged
}

/// Of two redactions of one entity the stronger wins; the weaker one's author may not expect that.
fn overruled(a: &Rule, b: &Rule, problems: &mut Vec<Problem>) {
    let (Some(ra), Some(rb)) = (&a.redact, &b.redact) else { return };
    let common = ra.entities.intersection(rb.entities);
    if common.is_empty() || ra.how == rb.how {
        return;
    }
    let (strong, weak) = if ra.how > rb.how { ((a, ra), b) } else { ((b, rb), a) };
    let names: Vec<&str> = common.iter().map(|e| e.as_str()).collect();
    problems.push(Problem::note(
        &weak.file,
        format!(
            "where rules `{}` and `{}` both apply, {} is redacted by `{}` (`how: {}`)",
            strong.0.id,
            weak.id,
            names.join(", "),
            strong.0.id,
            strong.1.how.as_str()
        ),
        "nothing to do if that is meant",
    ));
}

/// Whether a request may exist to which both conditions apply. Unknowns count as possible.
fn can_meet(a: &When, b: &When) -> bool {
    let sets =
        |x: &Option<Vec<String>>, y: &Option<Vec<String>>, meet: &dyn Fn(&str, &str) -> bool| match (x, y) {
            (Some(x), Some(y)) => x.iter().any(|p| y.iter().any(|q| meet(p, q))),
            _ => true,
        };
    // A request may hold several classes, entities, features, tools and roles, and have subjects in several
    // regions, so only what a request has one of keeps two conditions apart.
    sets(&a.model, &b.model, &pattern::meet)
        && match (&a.operation, &b.operation) {
            (Some(x), Some(y)) => x.iter().any(|o| y.contains(o)),
            _ => true,
        }
}

/// Whether `wide` holds whenever `narrow` does.
fn includes(wide: &When, narrow: &When) -> bool {
    fn all<T: PartialEq>(wide: &Option<Vec<T>>, narrow: &Option<Vec<T>>) -> bool {
        wide.as_ref().is_none_or(|w| narrow.as_ref().is_some_and(|n| n.iter().all(|x| w.contains(x))))
    }
    let patterns = |w: &Option<Vec<String>>, n: &Option<Vec<String>>| {
        w.as_ref().is_none_or(|w| {
            n.as_ref().is_some_and(|n| n.iter().all(|x| w.iter().any(|y| pattern::includes(y, x))))
        })
    };
    let places = |w: &Option<Vec<String>>, n: &Option<Vec<String>>| {
        w.as_ref().is_none_or(|w| match (n.as_ref().map(|n| regions(n)), regions(w)) {
            (Some(Ok(n)), Ok(w)) => n.is_subset(w),
            _ => false,
        })
    };
    let roles = |list: &Option<Vec<String>>| {
        list.as_ref().map(|l| l.iter().map(|r| role_name(r).to_owned()).collect::<Vec<_>>())
    };
    wide.data.is_none_or(|w| narrow.data.is_some_and(|n| n.is_subset(w)))
        && least(wide) <= least(narrow)
        && places(&wide.subject_region, &narrow.subject_region)
        && places(&wide.controller, &narrow.controller)
        && patterns(&wide.model, &narrow.model)
        && all(&wide.operation, &narrow.operation)
        && all(&wide.purpose, &narrow.purpose)
        && wide.features.is_none_or(|w| narrow.features.is_some_and(|n| n.is_subset(w)))
        && patterns(&wide.tools, &narrow.tools)
        && wide.entities.is_none_or(|w| narrow.entities.is_some_and(|n| n.is_subset(w)))
        && all(&roles(&wide.role), &roles(&narrow.role))
}

fn least(when: &When) -> Sensitivity {
    when.sensitivity
        .as_ref()
        .map_or(Ok(Sensitivity::Public), SensitivityCondition::least)
        .unwrap_or(Sensitivity::Public)
}

fn alone(rule: &Rule, bundle: &Bundle, database: &Database, problems: &mut Vec<Problem>) {
    let own = requirements(rule);
    for (i, a) in own.iter().enumerate() {
        if let Some(b) = own.iter().skip(i + 1).find(|b| a.contradicts(b)) {
            problems.push(Problem::warning(
                &rule.file,
                format!(
                    "rule `{}` contradicts itself: {} must be {} and {}",
                    rule.id, a.attribute, a.check, b.check
                ),
                "correct one",
            ));
        }
    }
    let known: BTreeSet<Attribute> = database.facts().map(|f| f.attribute).collect();
    for requirement in own.iter().filter(|r| !known.contains(&r.attribute)) {
        problems.push(Problem::warning(
            &rule.file,
            format!("rule `{}` requires {}, about which the compliance database has no fact, so no endpoint meets it", rule.id, requirement.attribute),
            "add facts, or remove the requirement",
        ));
    }
    if let (Some(allowed), Some(models)) = (&rule.allow_models, &rule.when.model)
        && models.iter().all(|m| allowed.iter().any(|a| pattern::includes(a, m)))
    {
        problems.push(Problem::warning(
            &rule.file,
            format!(
                "rule `{}` can never refuse: `allow_models` allows every model that `when` lets it see",
                rule.id
            ),
            "remove `model` from its conditions",
        ));
    }
    if let (Some(entities), Some(redact)) = (rule.when.entities, &rule.redact)
        && !entities.intersects(redact.entities)
        && redact.direction == crate::rule::Direction::Request
    {
        problems.push(Problem::note(
            &rule.file,
            format!("rule `{}` looks for one kind of finding and redacts another", rule.id),
            "nothing to do if that is meant",
        ));
    }
    roles_exist(rule, bundle, problems);
}

fn roles_exist(rule: &Rule, bundle: &Bundle, problems: &mut Vec<Problem>) {
    let known: BTreeSet<&str> = bundle
        .rbac
        .grants()
        .iter()
        .map(|g| g.subject.as_str())
        .chain(bundle.rbac.memberships().iter().flat_map(|m| [m.member.as_str(), m.role.as_str()]))
        .filter_map(|s| s.strip_prefix("role:"))
        .collect();
    for role in rule.when.role.iter().flatten().map(|r| role_name(r)) {
        if !known.contains(role) {
            let fix = match crate::problem::did_you_mean(role, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add it to rbac/policy.csv, or correct the rule".to_owned(),
            };
            problems.push(Problem::warning(
                &rule.file,
                format!("rule `{}` never applies to the role `{role}`: no policy line names it", rule.id),
                fix,
            ));
        }
    }
}

fn dates(bundle: &Bundle, now: DateTime<Utc>, problems: &mut Vec<Problem>) {
    let soon = now + TimeDelta::days(SOON_DAYS);
    for exception in &bundle.exceptions {
        if exception.until <= now {
            problems.push(Problem::note(
                &exception.file,
                format!("exception `{}` ended on {}", exception.id, exception.until.date_naive()),
                "remove it",
            ));
        } else if exception.until <= soon {
            problems.push(Problem::note(
                &exception.file,
                format!("exception `{}` ends on {}", exception.id, exception.until.date_naive()),
                "renew it, or prepare for its end",
            ));
        }
        if bundle.rule(&exception.rule).is_some_and(|r| r.mode == Mode::Off) {
            problems.push(Problem::warning(
                &exception.file,
                format!("exception `{}` waives rule `{}`, which is off", exception.id, exception.rule),
                "remove it",
            ));
        }
    }
    for attestation in &bundle.attestations {
        let what =
            format!("attestation `{}` ({} with {})", attestation.id, attestation.kind, attestation.operator);
        match attestation.valid_to {
            Some(to) if to <= now => problems.push(Problem::warning(
                "attestations",
                format!("{what} ended on {}", to.date_naive()),
                "renew the agreement, or remove it",
            )),
            Some(to) if to <= soon => problems.push(Problem::warning(
                "attestations",
                format!("{what} ends on {}", to.date_naive()),
                "renew the agreement in time",
            )),
            _ => {}
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
