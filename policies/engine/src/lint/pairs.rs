//! Pairs of rules: those that contradict each other, add nothing to another, or are overruled.
//!
//! Every pair is looked at, which is millions of pairs for thousands of rules; so what two rules would have to have in
//! common is worked out once a rule, as bits, and most pairs cost two comparisons.

use super::requirements;
use crate::bundle::Bundle;
use crate::condition::{SensitivityCondition, When, role_name};
use crate::problem::Problem;
use crate::require::{Requirement, regions};
use crate::rule::{Mode, Rule};
use crate::{pattern, scope};
use bailiwick_compliance_db::CountrySet;
use bailiwick_pii::Sensitivity;

/// Beyond this many the rest is counted: nobody reads more, and a bundle may hold millions.
const MAX_TOLD: usize = 200;

/// A rule, with what comparing it takes.
struct Seen<'a> {
    rule: &'a Rule,
    requirements: Vec<Requirement>,
    /// What it asks, a bit a kind: each attribute, then every other body.
    asks: u64,
    least: Sensitivity,
    subject_region: Option<CountrySet>,
    controller: Option<CountrySet>,
    roles: Option<Vec<&'a str>>,
}

const ALLOW_MODELS: u64 = 1 << 63;
const REDACT: u64 = 1 << 62;
const DENY_TOOLS: u64 = 1 << 61;
const LIMIT: u64 = 1 << 60;
const CACHE: u64 = 1 << 59;
const LOG_CONTENT: u64 = 1 << 58;
const RETAIN: u64 = 1 << 57;
const DENY: u64 = 1 << 56;
const ANALYZE: u64 = 1 << 55;
/// What two rules can contradict each other in: the attributes, and the models.
const CONTESTED: u64 = (ANALYZE - 1) | ALLOW_MODELS;

impl<'a> Seen<'a> {
    fn new(rule: &'a Rule) -> Self {
        let requirements = requirements(rule);
        let attributes = requirements.iter().fold(0, |bits, r| bits | 1_u64 << (r.attribute as u32 % 55));
        let bodies = [
            (ALLOW_MODELS, rule.allow_models.is_some()),
            (REDACT, rule.redact.is_some()),
            (DENY_TOOLS, rule.deny_tools.is_some()),
            (LIMIT, rule.limit_output_tokens.is_some()),
            (ANALYZE, rule.analyze.is_some()),
            (CACHE, rule.obligations.cache.is_some()),
            (LOG_CONTENT, rule.obligations.log_content.is_some()),
            (RETAIN, rule.obligations.retain_days.is_some()),
            (DENY, rule.deny),
        ];
        let asks = bodies.iter().filter(|(_, there)| *there).fold(attributes, |bits, (bit, _)| bits | bit);
        let places = |names: &Option<Vec<String>>| names.as_ref().and_then(|names| regions(names).ok());
        Self {
            rule,
            requirements,
            asks,
            least: least(&rule.when),
            subject_region: places(&rule.when.subject_region),
            controller: places(&rule.when.controller),
            roles: rule.when.role.as_ref().map(|list| list.iter().map(|r| role_name(r)).collect()),
        }
    }
}

pub(super) fn look(bundle: &Bundle, problems: &mut Vec<Problem>) {
    let enforced: Vec<Seen<'_>> =
        bundle.rules.iter().filter(|r| r.mode == Mode::Enforce).map(Seen::new).collect();
    let mut told = Vec::new();
    let mut left_out = 0_usize;
    // A rule that adds nothing to one rule need not be told to add nothing to another.
    let mut needless = vec![false; enforced.len()];
    for (i, a) in enforced.iter().enumerate() {
        for (j, b) in enforced.iter().enumerate().skip(i + 1) {
            let contested = a.asks & b.asks & CONTESTED != 0;
            let a_over_b = a.asks & DENY != 0 || b.asks & !a.asks == 0;
            let b_over_a = b.asks & DENY != 0 || a.asks & !b.asks == 0;
            let redacted = a.asks & b.asks & REDACT != 0;
            if !(contested || a_over_b || b_over_a || redacted)
                || !scope::overlap(&a.rule.scope, &b.rule.scope)
                || !can_meet(&a.rule.when, &b.rule.when)
            {
                continue;
            }
            let mut found = Vec::new();
            if let Some(what) = contested.then(|| contradiction(a, b)).flatten() {
                found.push(Problem::warning(
                    &b.rule.file,
                    format!("rules `{}` and `{}` contradict each other: {what}, so where both apply nothing is eligible", a.rule.id, b.rule.id),
                    "narrow the conditions of one, or write `deny: true` if that is meant",
                ).on(b.rule.line));
            }
            // Two equal rules shadow each other; saying it once will do.
            for (over, under, at, possible) in [(a, b, j, a_over_b), (b, a, i, b_over_a)] {
                let done =
                    needless.get(i).copied().unwrap_or(true) || needless.get(j).copied().unwrap_or(true);
                if possible && !done && shadows(over, under) {
                    if let Some(flag) = needless.get_mut(at) {
                        *flag = true;
                    }
                    found.push(Problem::warning(
                        &under.rule.file,
                        format!("rule `{}` adds nothing: rule `{}` applies whenever it does and asks at least as much", under.rule.id, over.rule.id),
                        "remove it, or check its conditions",
                    ).on(under.rule.line));
                }
            }
            if redacted {
                overruled(a.rule, b.rule, &mut found);
            }
            if told.len() < MAX_TOLD { told.append(&mut found) } else { left_out += found.len() }
        }
    }
    problems.append(&mut told);
    if left_out > 0 {
        problems.push(Problem::warning(
            "rules",
            format!("{left_out} more pairs of rules contradict or shadow each other"),
            "mend those that are named first",
        ));
    }
}

fn contradiction(a: &Seen<'_>, b: &Seen<'_>) -> Option<String> {
    for ra in &a.requirements {
        for rb in &b.requirements {
            if ra.contradicts(rb) {
                return Some(format!("{} must be {} and {}", ra.attribute, ra.check, rb.check));
            }
        }
    }
    if let (Some(la), Some(lb)) = (&a.rule.allow_models, &b.rule.allow_models)
        && !la.iter().any(|x| lb.iter().any(|y| pattern::meet(x, y)))
    {
        return Some(format!("the models {} and {} have none in common", la.join(", "), lb.join(", ")));
    }
    None
}

/// Whether `over` applies whenever `under` does, and asks everything that `under` asks.
fn shadows(over: &Seen<'_>, under: &Seen<'_>) -> bool {
    if !scope::covers(&over.rule.scope, &under.rule.scope) || !includes(over, under) {
        return false;
    }
    if over.rule.deny {
        return true;
    }
    let required = under.requirements.iter().all(|u| over.requirements.iter().any(|o| o.implies(u)));
    let (over, under) = (over.rule, under.rule);
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
    let analyzed = under.analyze.is_none() || over.analyze == under.analyze;
    !under.deny && required && redacted && models && tools && tokens && analyzed && obliged
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
    problems.push(
        Problem::note(
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
        )
        .on(weak.line),
    );
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

/// Whether `wide` applies whenever `narrow` does, their scopes aside.
fn includes(wide: &Seen<'_>, narrow: &Seen<'_>) -> bool {
    fn all<T: PartialEq>(wide: &Option<Vec<T>>, narrow: &Option<Vec<T>>) -> bool {
        wide.as_ref().is_none_or(|w| narrow.as_ref().is_some_and(|n| n.iter().all(|x| w.contains(x))))
    }
    let patterns = |w: &Option<Vec<String>>, n: &Option<Vec<String>>| {
        w.as_ref().is_none_or(|w| {
            n.as_ref().is_some_and(|n| n.iter().all(|x| w.iter().any(|y| pattern::includes(y, x))))
        })
    };
    let places =
        |w: Option<CountrySet>, n: Option<CountrySet>| w.is_none_or(|w| n.is_some_and(|n| n.is_subset(w)));
    let (w, n) = (&wide.rule.when, &narrow.rule.when);
    w.data.is_none_or(|w| n.data.is_some_and(|n| n.is_subset(w)))
        && wide.least <= narrow.least
        && places(wide.subject_region, narrow.subject_region)
        && places(wide.controller, narrow.controller)
        && patterns(&w.model, &n.model)
        && all(&w.operation, &n.operation)
        && all(&w.purpose, &n.purpose)
        && w.features.is_none_or(|w| n.features.is_some_and(|n| n.is_subset(w)))
        && patterns(&w.tools, &n.tools)
        && w.entities.is_none_or(|w| n.entities.is_some_and(|n| n.is_subset(w)))
        && all(&wide.roles, &narrow.roles)
}

fn least(when: &When) -> Sensitivity {
    when.sensitivity
        .as_ref()
        .map_or(Ok(Sensitivity::Public), SensitivityCondition::least)
        .unwrap_or(Sensitivity::Public)
}
