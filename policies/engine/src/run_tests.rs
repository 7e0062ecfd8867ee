//! Running the tests that a bundle carries.

use crate::bundle::Bundle;
use crate::compiled::{Compiled, Explanation};
use crate::decision::{Decision, RuleIndex};
use crate::endpoint::Endpoint;
use crate::facts::RequestFacts;
use crate::policy_test::{ExpectedOutcome, PolicyTest};
use crate::problem::Problem;
use crate::rule::RuleObligations;
use bailiwick_compliance_db::Database;
use bailiwick_pii::{EntityType, How, RedactionPlan};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How one test went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TestResult {
    /// The test's name.
    pub name: String,
    /// The file that it stands in.
    pub file: String,
    /// What differs from what was expected, a sentence each. Empty if it passed.
    pub failures: Vec<String>,
}

impl TestResult {
    /// Whether everything was as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Decides every test of the bundle over the given endpoints, which may be the bundle's own
/// ([`Bundle::test_endpoints`]), and every test of the packs that it includes over the pack's.
///
/// # Errors
/// What is wrong with the endpoints.
pub fn run_tests(
    bundle: &Arc<Bundle>,
    database: &Arc<Database>,
    endpoints: &[Endpoint],
) -> Result<Vec<TestResult>, Vec<Problem>> {
    let mut results = run_own(bundle, database, endpoints)?;
    let mut seen: Vec<&str> = Vec::new();
    for pack in bundle.packs.iter().map(|pack| &pack.alone) {
        // One that is included twice is tested once.
        if !seen.contains(&pack.name.as_str()) {
            results.extend(run_own(pack, database, &pack.test_endpoints)?);
            seen.push(&pack.name);
        }
    }
    Ok(results)
}

fn run_own(
    bundle: &Arc<Bundle>,
    database: &Arc<Database>,
    endpoints: &[Endpoint],
) -> Result<Vec<TestResult>, Vec<Problem>> {
    if bundle.tests.is_empty() {
        return Ok(Vec::new());
    }
    // Compiled for the instant of the earliest test; decisions at later instants are right all the same.
    let at = bundle.tests.iter().map(|t| t.at.timestamp_millis()).min().unwrap_or(0);
    let compiled = Compiled::new(Arc::clone(bundle), Arc::clone(database), endpoints.to_vec(), at)?;
    Ok(bundle.tests.iter().map(|test| run(&compiled, test)).collect())
}

/// Why one of the bundle's own tests comes out as it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedTest {
    /// The test's name.
    pub name: String,
    /// The file that it stands in.
    pub file: String,
    /// The model that is asked for, and where.
    pub request: String,
    /// Whether the request is allowed.
    pub allowed: bool,
    /// Why.
    pub explanation: Explanation,
}

/// Decides every test of the bundle's own over its own endpoints, and tells why.
///
/// # Errors
/// What is wrong with the endpoints.
pub fn explain_tests(
    bundle: &Arc<Bundle>,
    database: &Arc<Database>,
) -> Result<Vec<ExplainedTest>, Vec<Problem>> {
    let at = bundle.tests.iter().map(|t| t.at.timestamp_millis()).min().unwrap_or(0);
    let endpoints = bundle.test_endpoints.clone();
    let compiled = Compiled::new(Arc::clone(bundle), Arc::clone(database), endpoints, at)?;
    let explained = bundle.tests.iter().map(|test| {
        let facts = test.facts.at(test.at);
        let decision = compiled.decide(&facts);
        ExplainedTest {
            name: test.name.clone(),
            file: test.file.clone(),
            request: format!("{} for {}", facts.model, facts.scope),
            allowed: decision.is_allowed(),
            explanation: compiled.explain(&facts, &decision),
        }
    });
    Ok(explained.collect())
}

fn run(compiled: &Compiled, test: &PolicyTest) -> TestResult {
    let facts = test.facts.at(test.at);
    let decision = compiled.decide(&facts);
    TestResult {
        name: test.name.clone(),
        file: test.file.clone(),
        failures: compare(compiled, test, &facts, &decision),
    }
}

fn compare(compiled: &Compiled, test: &PolicyTest, facts: &RequestFacts, decision: &Decision) -> Vec<String> {
    let expect = &test.expect;
    let explanation = compiled.explain(facts, decision);
    let mut failures = Vec::new();
    let outcome = ExpectedOutcome::of(decision);
    if outcome != expect.outcome {
        failures.push(format!(
            "expected {}, got {}: {}",
            expect.outcome.as_str(),
            outcome.as_str(),
            explanation.summary
        ));
    }
    if let Some(expected) = &expect.eligible {
        let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        let mut eligible: Vec<&str> = compiled.names(&decision.eligible).collect();
        expected.sort_unstable();
        eligible.sort_unstable();
        if expected != eligible {
            let mut why: Vec<&str> = Vec::new();
            for name in expected.iter().filter(|name| !eligible.contains(name)) {
                why.extend(
                    explanation
                        .endpoints
                        .iter()
                        .filter(|e| e.name == **name)
                        .flat_map(|e| &e.reasons)
                        .map(|r| r.text.as_str()),
                );
            }
            let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join("; ")) };
            failures.push(format!(
                "expected the endpoints [{}] to be eligible, got [{}]{why}",
                expected.join(", "),
                eligible.join(", ")
            ));
        }
    }
    for (name, rule) in &expect.excluded {
        match explanation.endpoints.iter().find(|e| e.name == *name) {
            None => failures.push(format!("endpoint {name} is no candidate for {}", facts.model)),
            Some(e) if !e.reasons.iter().any(|r| r.rule == *rule) => {
                let by: Vec<&str> = e.reasons.iter().map(|r| r.rule.as_str()).collect();
                failures.push(format!(
                    "expected {name} to be excluded by {rule}, it is {}",
                    if by.is_empty() {
                        "eligible".to_owned()
                    } else {
                        format!("excluded by {}", by.join(", "))
                    }
                ));
            }
            Some(_) => {}
        }
    }
    if let Some(expected) = &expect.denied_by {
        let mut expected = expected.clone();
        let mut denied_by = explanation.denied_by;
        expected.sort();
        denied_by.sort();
        if expected != denied_by {
            failures.push(format!(
                "expected to be refused by [{}], got [{}]",
                expected.join(", "),
                denied_by.join(", ")
            ));
        }
    }
    let ids = |rules: &mut dyn Iterator<Item = RuleIndex>| -> Vec<String> {
        let mut ids: Vec<String> =
            rules.filter_map(|index| compiled.rule(index)).map(|rule| rule.id.clone()).collect();
        ids.sort();
        ids
    };
    let shadow = ids(&mut decision.shadow.iter().map(|shadow| shadow.rule));
    let waived = ids(&mut decision.waived.iter().map(|waiver| waiver.rule));
    for (what, expected, got) in [
        ("rules in shadow mode that would change something", &expect.shadow, shadow),
        ("rules waived", &expect.waived, waived),
    ] {
        let Some(mut expected) = expected.clone() else { continue };
        expected.sort();
        if expected != got {
            failures.push(format!(
                "expected the {what} to be [{}], got [{}]",
                expected.join(", "),
                got.join(", ")
            ));
        }
    }
    let held = &decision.obligations;
    if let Some(expected) = &expect.obligations {
        let got = RuleObligations::of(held);
        if *expected != got {
            failures.push(format!("expected the obligations {}, got {}", obliged(expected), obliged(&got)));
        }
    }
    if let Some(expected) = expect.limit_output_tokens
        && held.max_output_tokens != Some(expected)
    {
        failures.push(match held.max_output_tokens {
            Some(got) => format!("expected the output to be capped at {expected}, got {got}"),
            None => format!("expected the output to be capped at {expected}, it is not"),
        });
    }
    for (what, expected, plan) in [
        ("redactions", &expect.redactions, &decision.request_redactions),
        ("response redactions", &expect.response_redactions, &decision.response_redactions),
    ] {
        if let Some(expected) = expected {
            let got = hows(plan);
            if *expected != got {
                failures.push(format!(
                    "expected the {what} {{{}}}, got {{{}}}",
                    listed(expected),
                    listed(&got)
                ));
            }
        }
    }
    failures
}

fn obliged(obligations: &RuleObligations) -> String {
    let named = [
        obligations.cache.map(|_| "cache: deny".to_owned()),
        obligations.log_content.map(|_| "log_content: deny".to_owned()),
        obligations.retain_days.map(|days| format!("retain_days: {days}")),
    ];
    let all: Vec<String> = named.into_iter().flatten().collect();
    if all.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", all.join(", ")) }
}

fn hows(plan: &RedactionPlan) -> BTreeMap<EntityType, How> {
    plan.iter().map(|(entity, redaction)| (entity, redaction.how)).collect()
}

fn listed(hows: &BTreeMap<EntityType, How>) -> String {
    let all: Vec<String> = hows.iter().map(|(entity, how)| format!("{entity}: {}", how.as_str())).collect();
    all.join(", ")
}
