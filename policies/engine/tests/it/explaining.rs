//! What people are told.

use crate::starter::{bundle, database};
use bailiwick_compliance_db::Attribute;
use bailiwick_policy::{
    Bundle, BundleSource, Compiled, Decision, DenyCode, Endpoint, Explanation, Outcome, RequestFacts,
    TestFacts,
};
use chrono::{TimeZone, Utc};
use std::sync::Arc;

fn compiled() -> Compiled {
    let bundle = bundle();
    let endpoints = bundle.test_endpoints.clone();
    Compiled::new(Arc::clone(&bundle), database(), endpoints, at().timestamp_millis()).unwrap()
}

fn at() -> chrono::DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 0, 0, 0).unwrap()
}

fn explained(facts: &str) -> (RequestFacts, Decision, Explanation) {
    let facts = serde_norway::from_str::<TestFacts>(facts).unwrap().at(at());
    let compiled = compiled();
    let decision = compiled.decide(&facts);
    let explanation = compiled.explain(&facts, &decision);
    (facts, decision, explanation)
}

#[test]
fn a_refusal_says_which_rule_on_which_fact() {
    let (_, decision, explanation) = explained(
        "{ scope: /acme/retail/support, model: claude-haiku-4-5, data: [phi], subject_region: [DE] }",
    );
    assert_eq!(decision.outcome, Outcome::Deny { code: DenyCode::NoEligibleEndpoint });
    let us = explanation.endpoints.iter().find(|e| e.name == "bedrock-us-east-1").unwrap();
    let reason = us.reasons.iter().find(|r| r.rule == "eu-personal-data-stays-in-the-eu").unwrap();
    assert!(
        reason.text.starts_with(
            "bedrock-us-east-1: processing_countries is {US}; required within EU, EEA (fact amazon-bedrock/in-region/processing, https://"
        ),
        "{}",
        reason.text
    );
    let pages = || reason.facts.iter().flat_map(|fact| &fact.evidence);
    assert!(pages().count() > 0 && pages().all(|page| !page.says.is_empty() && page.observed_to.len() == 10));
    let rule = explanation.rules.iter().find(|r| r.id == "eu-personal-data-stays-in-the-eu").unwrap();
    assert_eq!(
        rule.matched_because,
        ["it holds phi data", "its subjects are in DE, of which some is in EU, EEA"]
    );
}

#[test]
fn a_refusal_leads_to_the_page_that_says_it_and_not_to_the_one_looked_at_last() {
    let (_, _, explanation) =
        explained("{ scope: /acme/retail/support, model: gpt-4.1, data: [personal], subject_region: [DE] }");
    let us = explanation.endpoints.iter().find(|e| e.name == "openai-us").unwrap();
    for attribute in [Attribute::ProcessingCountries, Attribute::StorageCountries] {
        let reason = us.reasons.iter().find(|r| r.attribute == Some(attribute)).unwrap();
        let page = &reason.facts[0].evidence[0];
        assert!(page.url.ends_with("/guides/your-data") && page.says.contains("offers storage"), "{page:?}");
        assert!(reason.text.contains("/guides/your-data)"), "{}", reason.text);
        assert!(reason.facts[0].evidence.len() > 1, "the others are shown beside it");
    }
}

#[test]
fn the_fix_names_the_nearest_endpoint_and_what_it_lacks() {
    let (_, _, explanation) = explained(
        "{ scope: /acme/retail/support, model: claude-haiku-4-5, data: [phi], subject_region: [DE] }",
    );
    let fix = explanation.fix.unwrap();
    assert!(
        fix.starts_with(
            "The nearest endpoint, bedrock-eu, lacks an attestation `baa` with aws for amazon-bedrock"
        ),
        "{fix}"
    );
    assert!(explanation.summary.contains("claude-haiku-4-5"), "{}", explanation.summary);

    let (_, _, explanation) =
        explained("{ scope: /acme/retail/support, model: gpt-4.1, data: [personal], subject_region: [DE] }");
    let fix = explanation.fix.unwrap();
    assert!(
        fix.contains("azure-sweden") && fix.contains("The rules would allow the model `assistant`."),
        "{fix}"
    );
    assert_eq!(
        explanation.summary,
        "This prompt holds personal data of someone in the EU; none of the endpoints for gpt-4.1 keeps it there."
    );
}

#[test]
fn a_model_that_nobody_serves_and_a_scope_that_is_none_are_refused() {
    let (_, decision, explanation) = explained("{ scope: /acme, model: gpt-4.2 }");
    assert!(!decision.is_allowed() && decision.candidates.is_empty());
    assert_eq!(explanation.fix.unwrap(), "Did you mean the model `gpt-4.1`?");
    for scope in ["", "acme", "/acme/", "/acmecorp", "/"] {
        let (_, decision, explanation) = explained(&format!("{{ scope: {scope:?}, model: gpt-4.1 }}"));
        assert!(!decision.is_allowed() && explanation.fix.is_some(), "{scope:?}");
    }
}

#[test]
fn a_shadow_rule_is_reported_and_not_applied() {
    let (_, decision, explanation) = explained(
        "{ scope: /acme/research, model: assistant, data: [personal], subject_region: [US], features: [web_search] }",
    );
    assert!(decision.is_allowed());
    assert_eq!(decision.shadow.len(), 1);
    assert!(decision.shadow[0].would_deny);
    assert!(explanation.rules.iter().any(|r| r.id == "no-web-search-with-personal-data"));
}

#[test]
fn an_exception_waives_its_rule_while_it_holds_and_not_a_millisecond_longer() {
    let compiled = compiled();
    let mut facts = serde_norway::from_str::<TestFacts>(
        "{ scope: /acme/research/x, model: assistant, subject_region: [US] }",
    )
    .unwrap()
    .at(at());
    let until = Utc.with_ymd_and_hms(2026, 3, 16, 0, 0, 0).unwrap().timestamp_millis();
    for (time_ms, waived) in [(until - 1, 1), (until, 0)] {
        facts.time_ms = time_ms;
        let decision = compiled.decide(&facts);
        assert_eq!(decision.waived.len(), waived);
        assert_eq!(decision.request_redactions.get(bailiwick_pii::EntityType::Card).is_none(), waived == 1);
    }
    facts.time_ms = until - 1;
    facts.scope = "/acme/researchers".to_owned();
    assert!(compiled.decide(&facts).waived.is_empty());
}

#[test]
fn a_baa_ends_with_its_last_millisecond_without_compiling_again() {
    let compiled = compiled();
    let end = Utc.with_ymd_and_hms(2028, 1, 1, 0, 0, 0).unwrap().timestamp_millis();
    let mut facts = serde_norway::from_str::<TestFacts>(
        "{ scope: /acme/clinic, model: assistant, data: [phi], subject_region: [US] }",
    )
    .unwrap()
    .at(at());
    assert!(compiled.valid_until_ms().is_some_and(|until| at().timestamp_millis() < until && until <= end));
    assert!(compiled.decide(&facts).is_allowed());
    facts.time_ms = end;
    assert!(!compiled.decide(&facts).is_allowed());
    facts.time_ms = Utc.with_ymd_and_hms(2026, 1, 14, 23, 59, 59).unwrap().timestamp_millis() + 999;
    assert!(!compiled.decide(&facts).is_allowed(), "before the first agreement began");
    facts.time_ms = i64::MAX;
    assert!(!compiled.decide(&facts).is_allowed(), "an instant beyond the calendar knows nothing");
}

#[test]
fn what_was_compiled_holds_for_the_same_until_something_of_it_changes() {
    let compiled = compiled();
    let now_ms = at().timestamp_millis();
    let (bundle, database) = (compiled.bundle(), compiled.database());
    let holds = |endpoints: &[Endpoint], at_ms: i64| compiled.still_holds(bundle, database, endpoints, at_ms);
    let until_ms = compiled.valid_until_ms().unwrap();
    assert!(holds(compiled.endpoints(), now_ms) && holds(compiled.endpoints(), until_ms - 1));
    assert!(!holds(compiled.endpoints(), until_ms), "evidence is too old, or an agreement is over");
    assert!(!holds(compiled.endpoints(), now_ms - 1), "it was not known yet");
    let mut endpoints = compiled.endpoints().to_vec();
    endpoints.last_mut().unwrap().scope = String::from("/elsewhere");
    assert!(!holds(&endpoints, now_ms));
    assert!(!holds(&endpoints[1..], now_ms));
    let another = Arc::new(Bundle::load(&BundleSource::starter()).unwrap());
    assert!(!compiled.still_holds(&another, database, compiled.endpoints(), now_ms));
}
