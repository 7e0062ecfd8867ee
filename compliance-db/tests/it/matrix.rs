//! Endpoints against regulations.

use Regulation::{EuResidency, GpaiCode, Hipaa, NoTraining, TransferMechanism, ZeroDataRetention};
use bailiwick_compliance_db::{
    Answer, Attestation, Context, EndpointProfile, Feature, FeatureSet, Regulation,
};

use crate::support::{
    aws_baa, azure, bedrock, context, database, features, mistral_eu, mystery, openai_us, vllm_germany,
};

fn says(
    endpoint: &EndpointProfile,
    regulation: Regulation,
    attestations: &[Attestation],
    used: FeatureSet,
) -> String {
    let ctx = Context { features: used, ..context(attestations) };
    database().judge(endpoint, regulation, &ctx).to_string()
}

fn plainly(endpoint: &EndpointProfile, regulation: Regulation) -> String {
    says(endpoint, regulation, &[], FeatureSet::EMPTY)
}

#[test]
fn residency_is_where_all_of_it_is() {
    assert_eq!(plainly(&bedrock(Some("eu"), "eu-central-1"), EuResidency), "yes (EU)");
    let london = EndpointProfile {
        model: "anthropic.claude-haiku-4-5-20251001-v1:0".into(),
        ..bedrock(Some("eu"), "eu-west-2")
    };
    assert_eq!(plainly(&london, EuResidency), "no (EEA and GB; GB)");
    assert_eq!(plainly(&azure("data_zone_standard", "swedencentral"), EuResidency), "no (EEA and CH)");
    assert_eq!(
        plainly(&azure("standard", "norwayeast"), EuResidency),
        "yes (EEA)",
        "Norway is in the EEA, not in the EU"
    );
    assert_eq!(plainly(&azure("global_standard", "swedencentral"), EuResidency), "no (worldwide)");
    assert_eq!(plainly(&bedrock(None, "us-east-1"), EuResidency), "no (US)");
    assert_eq!(plainly(&mystery(), EuResidency), "unknown");
    assert_eq!(plainly(&vllm_germany(), EuResidency), "yes (EU)");
    let undeclared = EndpointProfile { declared: Default::default(), ..vllm_germany() };
    assert_eq!(plainly(&undeclared, EuResidency), "only if `declared.countries` is stated");
}

#[test]
fn an_agreement_that_would_help_is_named() {
    let us = bedrock(None, "us-east-1");
    assert_eq!(plainly(&us, Hipaa), "only if baa");
    assert_eq!(says(&us, Hipaa, &[aws_baa()], FeatureSet::EMPTY), "yes");
    assert_eq!(plainly(&us, TransferMechanism), "only if scc or dpf");
    assert_eq!(plainly(&bedrock(Some("eu"), "eu-central-1"), TransferMechanism), "yes (none)");
    assert_eq!(plainly(&mistral_eu(), TransferMechanism), "yes (adequacy, scc)");
    assert_eq!(plainly(&azure("standard", "swedencentral"), ZeroDataRetention), "only if zdr_amendment");
    // What no agreement mends is a plain no.
    let fable = EndpointProfile { model: "anthropic.claude-fable-5".into(), ..us };
    assert_eq!(plainly(&fable, Hipaa), "no");
    assert_eq!(plainly(&fable, ZeroDataRetention), "no");
}

#[test]
fn a_feature_outside_the_agreement_takes_the_eligibility_of_that_request() {
    let us = bedrock(None, "us-east-1");
    let signed = [aws_baa()];
    for used in [Feature::WebSearch, Feature::RemoteMcp, Feature::Files, Feature::Batch, Feature::StoredState]
    {
        let judged =
            database().judge(&us, Hipaa, &Context { features: features(&[used]), ..context(&signed) });
        assert_eq!(judged.answer, Answer::Unknown, "{used}: {judged}");
        assert!(judged.because.contains(used.name()), "{judged:?}");
    }
    assert_eq!(says(&us, Hipaa, &signed, features(&[Feature::FileInput])), "yes");
    // What the organisation's own agreement leaves out counts too, for that feature only.
    let narrow = [Attestation { excluded_features: features(&[Feature::FileInput]), ..aws_baa() }];
    assert_eq!(says(&us, Hipaa, &narrow, FeatureSet::EMPTY), "yes");
    assert_eq!(says(&us, Hipaa, &narrow, features(&[Feature::FileInput])), "only if baa");
}

#[test]
fn the_makers_signature_is_the_makers() {
    assert_eq!(plainly(&openai_us(), GpaiCode), "yes");
    assert_eq!(plainly(&azure("standard", "swedencentral"), GpaiCode), "yes", "whoever serves the model");
    let llama = EndpointProfile { developer: Some("meta".into()), ..bedrock(None, "us-east-1") };
    assert_eq!(plainly(&llama, GpaiCode), "no");
    let partly = EndpointProfile { developer: Some("xai".into()), ..bedrock(None, "us-east-1") };
    assert_eq!(plainly(&partly, GpaiCode), "no", "one chapter of three is not the code");
    assert_eq!(plainly(&mystery(), GpaiCode), "only if `developer` is stated");
    let unheard_of = EndpointProfile { developer: Some("nimbus-ai".into()), ..mystery() };
    assert_eq!(plainly(&unheard_of, GpaiCode), "unknown");
}

#[test]
fn every_answer_follows_from_what_is_known() {
    for endpoint in crate::support::seven() {
        for regulation in Regulation::ALL {
            let judged = database().judge(&endpoint, regulation, &context(&[]));
            assert_eq!(judged.regulation, regulation);
            match judged.answer {
                Answer::Yes | Answer::No => assert!(!judged.facts.is_empty(), "{judged:?}"),
                Answer::OnlyIf | Answer::Unknown => assert!(!judged.because.is_empty(), "{judged:?}"),
            }
            let named = serde_json::to_value(regulation).unwrap();
            assert_eq!(named, regulation.name());
        }
    }
    assert_eq!(plainly(&openai_us(), NoTraining), "yes");
}
