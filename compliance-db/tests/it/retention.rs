//! How long anything is kept, and what a request's features change.

use bailiwick_compliance_db::{
    Attestation,
    Attribute::{HumanReview, RetentionDays, TrainsOnInputs, ZeroDataRetention},
    Context, EndpointProfile, Feature, Missing, Value,
};

use crate::support::{
    attestation, azure, bedrock, context, database, features, mistral_eu, openai_us, resolve, vllm_germany,
};

fn amendment(operator: &str) -> [Attestation; 1] {
    [attestation(&format!(
        "{{ id: zdr, kind: zdr_amendment, operator: {operator}, services: ['*'], document: d, valid_from: 2026-01-01 }}"
    ))]
}

#[test]
fn an_amendment_lifts_the_default() {
    assert_eq!(resolve(&openai_us(), RetentionDays).value, Some(Value::Days(30)));
    assert!(resolve(&openai_us(), ZeroDataRetention).is(false));
    let granted = amendment("openai");
    let resolved = |attribute| database().resolve(&openai_us(), attribute, &context(&granted));
    assert_eq!(resolved(RetentionDays).value, Some(Value::Days(0)));
    assert!(resolved(ZeroDataRetention).is(true));
}

#[test]
fn what_a_model_keeps_beats_what_its_provider_promises() {
    let plain = bedrock(None, "us-east-1");
    assert!(resolve(&plain, ZeroDataRetention).is(true));
    assert!(resolve(&plain, RetentionDays).at_most(0));
    let keeps = EndpointProfile { model: "anthropic.claude-fable-5-1".into(), ..plain };
    assert!(resolve(&keeps, ZeroDataRetention).is(false));
    assert_eq!(resolve(&keeps, RetentionDays).value, Some(Value::Days(30)));

    let granted = amendment("openai");
    let newest = EndpointProfile { model: "gpt-5.5".into(), ..openai_us() };
    let resolved = |attribute| database().resolve(&newest, attribute, &context(&granted));
    assert!(resolved(ZeroDataRetention).is(false), "its cache cannot be switched off");
    assert_eq!(resolved(RetentionDays).value, Some(Value::Days(1)));
}

#[test]
fn stored_state_is_kept_without_end() {
    for endpoint in [openai_us(), bedrock(None, "us-east-1"), mistral_eu()] {
        let ctx = Context { features: features(&[Feature::StoredState]), ..context(&[]) };
        let resolved = database().resolve(&endpoint, RetentionDays, &ctx);
        assert_eq!(resolved.value, Some(Value::FOREVER), "{}", endpoint.name);
        assert!(!resolved.at_most(36_500));
    }
}

#[test]
fn a_feature_that_no_fact_covers_is_unknown_and_named() {
    let ctx = Context { features: features(&[Feature::PromptCacheExtended]), ..context(&[]) };
    let resolved = database().resolve(&bedrock(None, "us-east-1"), RetentionDays, &ctx);
    assert!(!resolved.is_known());
    assert!(
        resolved.missing.iter().any(|missing| matches!(
            missing,
            Missing::Feature { features: named, .. } if named.contains(Feature::PromptCacheExtended)
        )),
        "{resolved:?}"
    );
}

#[test]
fn unverified_evidence_counts_against_an_endpoint_and_never_for_it() {
    let zone = azure("data_zone_standard", "swedencentral");
    let resolved = resolve(&zone, RetentionDays);
    assert!(!resolved.is_known());
    assert!(
        resolved.missing.iter().any(|missing| matches!(missing, Missing::Verification { .. })),
        "{resolved:?}"
    );
}

#[test]
fn people_read_until_it_is_agreed_that_they_do_not() {
    let zone = azure("data_zone_standard", "swedencentral");
    assert!(resolve(&zone, HumanReview).is(true));
    assert!(database().resolve(&zone, HumanReview, &context(&amendment("microsoft"))).is(false));
}

#[test]
fn a_tier_that_nobody_stated_may_be_the_one_that_trains() {
    assert!(resolve(&mistral_eu(), TrainsOnInputs).is(false));
    let unstated = EndpointProfile { tier: None, ..mistral_eu() };
    let resolved = resolve(&unstated, TrainsOnInputs);
    assert!(resolved.is(true), "{resolved:?}");
    assert_eq!(resolved.conflicts.len(), 1);
    let labs = EndpointProfile { model: "labs-leanstral-2603".into(), ..mistral_eu() };
    assert!(resolve(&labs, TrainsOnInputs).is(true));
}

#[test]
fn an_own_endpoint_keeps_what_it_declares() {
    let mut own = vllm_germany();
    assert!(!resolve(&own, RetentionDays).is_known());
    own.declared.retention_days = Some(7);
    assert!(resolve(&own, RetentionDays).at_most(7));
}
