//! Names of services, operators and models that nothing else has: what is said of them is about nobody.

use crate::bundle::Bundle;
use crate::endpoint::Endpoint;
use crate::pattern;
use crate::problem::{Problem, did_you_mean};
use crate::rule::Mode;
use bailiwick_compliance_db::{Database, Fact, Pattern};
use std::collections::BTreeSet;

/// What a bundle says about names that nothing else has: its own facts about a service or an operator that no fact which
/// ships, no endpoint of its tests and none that is declared has; and, where it is known which endpoints are `declared`,
/// conditions on models that none of them serves. A model that is nearly another one's name is a warning, else it may be one
/// that is still to come.
#[must_use]
pub fn unknown_names(bundle: &Bundle, database: &Database, declared: Option<&[Endpoint]>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let endpoints = || bundle.test_endpoints.iter().chain(declared.into_iter().flatten());
    if !bundle.compliance.is_empty() {
        let named = |of: fn(&Fact) -> &[Pattern]| -> BTreeSet<&str> {
            let shipped = database.facts().filter(|fact| !fact.is_own());
            shipped.flat_map(of).map(Pattern::as_str).collect()
        };
        let mut services = named(|fact| &fact.scope.service);
        services.extend(database.models().map(|model| model.service.as_str()));
        services.extend(endpoints().map(|endpoint| endpoint.profile.service.as_str()));
        let mut operators = named(|fact| &fact.scope.operator);
        operators.extend(database.regions().map(|(operator, ..)| operator));
        operators.extend(endpoints().map(|endpoint| endpoint.profile.operator.as_str()));
        for fact in database.facts().filter(|fact| fact.is_own()) {
            let place = database.own_place(&fact.id).unwrap_or((Database::OWN, None));
            for (field, patterns, known) in
                [("operator", &fact.scope.operator, &operators), ("service", &fact.scope.service, &services)]
            {
                strays(fact, field, patterns, known, place, &mut problems);
            }
        }
    }
    if let Some(declared) = declared {
        let models: BTreeSet<&str> =
            declared.iter().flat_map(|endpoint| &endpoint.models).map(|model| model.alias.as_str()).collect();
        unserved(bundle, &models, &mut problems);
    }
    problems
}

/// The names of a fact's scope that nobody has.
fn strays(
    fact: &Fact,
    field: &str,
    patterns: &[Pattern],
    known: &BTreeSet<&str>,
    (file, line): (&str, Option<usize>),
    problems: &mut Vec<Problem>,
) {
    for pattern in patterns.iter().filter(|pattern| !known.iter().any(|name| pattern.matches(name))) {
        let name = pattern.as_str();
        let what = format!(
            "{}: its scope names the {field} `{name}`, which no fact that ships and no endpoint has",
            fact.id
        );
        let fix = match did_you_mean(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "correct it, or add an endpoint that has it to tests/endpoints.yaml".to_owned(),
        };
        problems.push(Problem::warning(file, what, fix).on(line.unwrap_or_default()));
    }
}

/// Conditions of the bundle's own rules on models that nobody serves.
fn unserved(bundle: &Bundle, models: &BTreeSet<&str>, problems: &mut Vec<Problem>) {
    for rule in bundle.rules.iter().filter(|rule| rule.mode != Mode::Off && rule.origin.is_none()) {
        let asked = rule.when.model.iter().flatten();
        for name in asked.filter(|name| !models.iter().any(|model| pattern::matches(name, model))) {
            let what = format!("rule `{}` is about the model `{name}`, which no endpoint serves", rule.id);
            let problem = match did_you_mean(name, models.iter().copied()) {
                Some(near) => Problem::warning(&rule.file, what, format!("did you mean `{near}`?")),
                None => Problem::note(&rule.file, what, "nothing to do if the model is still to come"),
            };
            problems.push(problem.on(rule.line));
        }
    }
}
