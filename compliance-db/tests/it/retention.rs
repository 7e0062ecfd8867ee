//! How long anything is kept, and what a request's features change.

use std::collections::BTreeMap;

use bailiwick_compliance_db::{
    Attestation,
    Attribute::{HumanReview, RetentionDays, TrainsOnInputs, ZeroDataRetention},
    Context, Database, EndpointProfile, Feature, Missing, Value,
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
fn a_model_that_must_keep_beats_the_retention_that_its_provider_has_turned_off() {
    // The mode without retention, attested for the whole account: the strongest that the provider has to offer.
    let granted = amendment("aws");
    let of = |database: &Database, model: &str, attribute| {
        let endpoint = EndpointProfile { model: model.into(), ..bedrock(None, "us-east-1") };
        database.resolve(&endpoint, attribute, &context(&granted))
    };
    let shipped = database();
    // It reaches a model of which nothing else is known.
    assert!(of(&shipped, "anthropic.claude-sonnet-9", ZeroDataRetention).is(true));
    assert!(of(&shipped, "anthropic.claude-sonnet-9", RetentionDays).at_most(0));
    for keeps in ["anthropic.claude-fable-5", "anthropic.claude-fable-5-1"] {
        assert_eq!(of(&shipped, keeps, RetentionDays).value, Some(Value::Days(30)), "{keeps}");
        assert!(of(&shipped, keeps, ZeroDataRetention).is(false), "{keeps}");
        assert!(of(&shipped, keeps, HumanReview).is(true), "{keeps}");
    }
    // And it is the model's own facts that say so: without them the amendment would hold for it, too.
    let mut files: BTreeMap<String, String> = Database::embedded_files().collect();
    let bedrock = files.get_mut("amazon-bedrock.yaml").unwrap();
    *bedrock = bedrock.replace("model: [anthropic.claude-fable-5*]", "model: [anthropic.claude-fable-9*]");
    let without = Database::load(files).unwrap();
    assert!(of(&without, "anthropic.claude-fable-5", ZeroDataRetention).is(true));
}

#[test]
fn an_amendment_reaches_the_models_that_it_is_known_to_reach() {
    let granted = amendment("openai");
    let resolved = |model: &str, used: &[Feature]| {
        let endpoint = EndpointProfile { model: model.into(), ..openai_us() };
        let ctx = Context { features: features(used), ..context(&granted) };
        database().resolve(&endpoint, ZeroDataRetention, &ctx)
    };
    for model in ["gpt-4.1", "gpt-5.2-2025-12-11", "o3", "text-embedding-3-small"] {
        assert!(resolved(model, &[]).is(true), "{model}");
    }
    for model in ["gpt-5.5", "gpt-6.1-sol", "gpt-7", "gpt-51-turbo", "sora-2", "some-deployment"] {
        assert!(!resolved(model, &[]).is(true), "{model}");
    }
    for kept in [Feature::PromptCacheExtended, Feature::Audio, Feature::Background] {
        assert!(resolved("gpt-4.1", &[kept]).is(false), "{kept} is kept for a while");
    }
    for stored in [Feature::StoredState, Feature::Files, Feature::Batch] {
        assert!(!resolved("gpt-4.1", &[stored]).is(true), "{stored}");
    }
}

#[test]
fn under_an_amendment_files_and_batches_are_stored_all_the_same() {
    let granted = amendment("openai");
    for model in ["gpt-4.1", "gpt-5.5"] {
        for stored in [Feature::Files, Feature::Batch, Feature::FineTuning, Feature::StoredState] {
            let endpoint = EndpointProfile { model: model.into(), ..openai_us() };
            let ctx = Context { features: features(&[stored]), ..context(&granted) };
            let resolved = database().resolve(&endpoint, RetentionDays, &ctx);
            assert!(!resolved.at_most(36_500), "{model} with {stored}: {resolved:?}");
        }
    }
}

#[test]
fn open_models_are_the_ones_of_which_nothing_is_kept() {
    let of = |model: &str| {
        let endpoint = EndpointProfile {
            name: "fireworks".into(),
            operator: "fireworks".into(),
            service: "fireworks".into(),
            hosting_option: Some("serverless".into()),
            model: model.into(),
            ..EndpointProfile::default()
        };
        resolve(&endpoint, ZeroDataRetention)
    };
    assert!(of("accounts/fireworks/models/deepseek-v3p2").is(true));
    assert!(!of("accounts/fireworks/routers/firerouter/opus").is_known());
    assert!(!of("claude-opus-5").is_known());
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
