//! Agreements: which endpoints they cover, which requests, and from when to when.

use bailiwick_compliance_db::{
    Attestation, AttestationKind,
    Attribute::{HipaaEligible, TransferMechanism},
    Context, EndpointProfile, Feature, Mechanism, MechanismSet, Missing,
};

use crate::support::{
    at, attestation, aws_baa, azure, bedrock, context, database, features, openai_us, resolve, seven,
    vllm_germany,
};

fn eligible(endpoint: &EndpointProfile, attestations: &[Attestation], now: &str) -> bool {
    let ctx = Context { now: at(now), ..context(attestations) };
    database().resolve(endpoint, HipaaEligible, &ctx).is(true)
}

#[test]
fn phi_goes_only_where_an_agreement_is_signed() {
    let azure_baa = attestation(
        "{ id: baa-ms, kind: baa, operator: microsoft, services: [azure-openai], source_regions: [swedencentral],
           document: contracts/2026-18, valid_from: 2026-01-01 }",
    );
    let signed = [aws_baa(), azure_baa];
    let of = |attestations: &[Attestation]| -> Vec<String> {
        let day = crate::support::DAY;
        seven().into_iter().filter(|to| eligible(to, attestations, day)).map(|to| to.name).collect()
    };
    assert_eq!(of(&signed), ["azure-sweden", "bedrock-us-east-1"]);
    assert!(of(&[]).is_empty());
}

#[test]
fn an_agreement_ends_at_its_second() {
    let us = bedrock(None, "us-east-1");
    let signed = [aws_baa()];
    assert!(
        !eligible(&us, &signed, "2025-12-31T23:59:59Z"),
        "the evidence is fresh, the agreement not yet in force"
    );
    assert!(eligible(&us, &signed, "2026-12-31T23:59:59Z"), "the last day is covered");
    assert!(!eligible(&us, &signed, "2027-01-01T00:00:00Z"));

    let ctx = Context { now: at("2026-12-31T23:59:59Z"), ..context(&signed) };
    let last_second = database().resolve(&us, HipaaEligible, &ctx);
    assert_eq!(last_second.valid_until, Some(at("2027-01-01T00:00:00Z")));
    let exact = [Attestation { valid_to: Some(at("2026-06-30T15:00:00Z")), ..aws_baa() }];
    assert!(eligible(&us, &exact, "2026-06-30T14:59:59Z") && !eligible(&us, &exact, "2026-06-30T15:00:00Z"));
}

#[test]
fn a_lapsed_agreement_is_named() {
    let signed = [aws_baa()];
    let ctx = Context { now: at("2027-01-01T00:00:00Z"), ..context(&signed) };
    let resolved = database().resolve(&bedrock(None, "us-east-1"), HipaaEligible, &ctx);
    assert!(!resolved.is_known());
    let [Missing::Attestation { attestation: AttestationKind::Baa, lapsed: Some(lapsed), .. }] =
        resolved.missing.as_slice()
    else {
        panic!("{resolved:?}")
    };
    assert_eq!(lapsed, "baa-aws");
}

#[test]
fn what_would_make_an_endpoint_eligible_is_said_in_a_sentence() {
    let resolved = resolve(&openai_us(), HipaaEligible);
    let missing: Vec<String> = resolved.missing.iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["an attestation `baa` with openai for openai-api"]);
}

#[test]
fn an_agreement_covers_what_it_names_and_nothing_else() {
    let baa = aws_baa();
    let us = bedrock(None, "us-east-1");
    assert!(baa.covers(&us));
    assert!(!baa.covers(&bedrock(Some("eu"), "eu-central-1")), "another endpoint");
    assert!(!baa.covers(&EndpointProfile { operator: "other".into(), ..us.clone() }));
    assert!(!baa.covers(&EndpointProfile { service: "other".into(), ..us.clone() }));
    let all = Attestation { services: vec!["*".into()], endpoints: None, ..baa.clone() };
    assert!(all.covers(&EndpointProfile { service: "other".into(), ..us.clone() }));
    let frankfurt = Attestation { source_regions: Some(vec!["eu-central-1".into()]), endpoints: None, ..baa };
    assert!(!frankfurt.covers(&us) && frankfurt.covers(&bedrock(None, "eu-central-1")));
    assert!(!frankfurt.covers(&EndpointProfile { source_region: None, ..us }), "unknown is no");
}

#[test]
fn an_agreement_holds_for_a_scope_and_below_by_whole_segments() {
    let of = |scope: Option<&str>| Attestation { scope: scope.map(Into::into), ..aws_baa() };
    let clinic = of(Some("/acme/clinic"));
    assert!(clinic.applies_to("/acme/clinic") && clinic.applies_to("/acme/clinic/ward-3"));
    assert!(!clinic.applies_to("/acme/clinical") && !clinic.applies_to("/acme") && !clinic.applies_to(""));
    assert!(of(None).applies_to("/acme") && of(Some("/")).applies_to("/acme"));
}

#[test]
fn an_agreement_does_not_cover_the_features_that_it_leaves_out() {
    let us = bedrock(None, "us-east-1");
    let signed = [aws_baa()];
    let without_documents = [Attestation { excluded_features: features(&[Feature::FileInput]), ..aws_baa() }];
    let with = |signed: &[Attestation], used: &[Feature]| {
        let ctx = Context { features: features(used), ..context(signed) };
        database().resolve(&us, HipaaEligible, &ctx).is(true)
    };
    assert!(with(&without_documents, &[]) && with(&without_documents, &[Feature::ImageInput]));
    assert!(with(&signed, &[Feature::FileInput]), "the fact covers it");
    assert!(!with(&without_documents, &[Feature::FileInput]), "the agreement leaves it out");
    assert!(!with(&signed, &[Feature::WebSearch]), "the fact does not cover it");
}

/// Every service whose agreement was read about, with a model and a place for which it holds.
fn under_an_agreement() -> Vec<(EndpointProfile, Attestation)> {
    let gemini = EndpointProfile {
        name: "vertex".into(),
        developer: Some("google".into()),
        operator: "google".into(),
        service: "vertex-ai".into(),
        hosting_option: Some("eu".into()),
        model: "gemini-3.5-flash".into(),
        ..EndpointProfile::default()
    };
    let fireworks = EndpointProfile {
        name: "fireworks".into(),
        operator: "fireworks".into(),
        service: "fireworks".into(),
        hosting_option: Some("serverless".into()),
        model: "accounts/fireworks/models/kimi-k2p5".into(),
        ..EndpointProfile::default()
    };
    [bedrock(None, "us-east-1"), openai_us(), azure("standard", "swedencentral"), gemini, fireworks]
        .into_iter()
        .map(|endpoint| {
            let agreement = attestation(&format!(
                "{{ id: baa, kind: baa, operator: {}, services: ['*'], document: d, valid_from: 2026-01-01 }}",
                endpoint.operator
            ));
            (endpoint, agreement)
        })
        .collect()
}

#[test]
fn what_lies_outside_an_agreement_makes_the_request_ineligible_and_no_other() {
    for (endpoint, agreement) in under_an_agreement() {
        let signed = [agreement];
        let with = |used: &[Feature]| {
            let ctx = Context { features: features(used), ..context(&signed) };
            database().resolve(&endpoint, HipaaEligible, &ctx)
        };
        assert!(with(&[]).is(true), "{}: {:?}", endpoint.name, with(&[]));
        for outside in [
            Feature::WebSearch,
            Feature::Files,
            Feature::Batch,
            Feature::RemoteMcp,
            Feature::StoredState,
            Feature::Background,
            Feature::CodeExecution,
            Feature::FineTuning,
        ] {
            assert!(!with(&[outside]).is(true), "{} with {outside}", endpoint.name);
        }
    }
}

#[test]
fn an_agreement_does_not_reach_models_that_are_left_out() {
    for (mut endpoint, agreement) in under_an_agreement() {
        let left_out = match endpoint.service.as_str() {
            "amazon-bedrock" => ["anthropic.claude-fable-5-1", "anthropic.claude-sonnet-9"],
            "vertex-ai" => ["gemini-3.1-pro-preview", "gemini-3.5-flash-preview-09-2026"],
            _ => continue,
        };
        for model in left_out {
            endpoint.model = model.into();
            let resolved =
                database().resolve(&endpoint, HipaaEligible, &context(std::slice::from_ref(&agreement)));
            assert!(!resolved.is(true), "{model}: {resolved:?}");
        }
    }
}

#[test]
fn the_privacy_framework_covers_the_united_states_and_no_other_country() {
    let framework = attestation(
        "{ id: dpf, kind: dpf, operator: aws, services: ['*'], document: d, valid_from: 2026-01-01 }",
    );
    let of = |profile: Option<&str>, region: &str| {
        database().resolve(
            &bedrock(profile, region),
            TransferMechanism,
            &context(std::slice::from_ref(&framework)),
        )
    };
    let dpf: MechanismSet = [Mechanism::Dpf].into_iter().collect();
    for (profile, region) in
        [(None, "us-east-1"), (Some("us"), "us-west-2"), (Some("us-gov"), "us-gov-west-1")]
    {
        assert!(of(profile, region).relies_only_on(dpf), "{profile:?} {region}");
    }
    for (profile, region) in [
        (None, "ap-south-1"),
        (None, "mx-central-1"),
        (None, "me-south-1"),
        (None, "ca-central-1"),
        (Some("global"), "us-east-1"),
        (Some("apac"), "ap-southeast-1"),
    ] {
        assert!(!of(profile, region).relies_only_on(dpf), "{profile:?} {region}");
    }
}

#[test]
fn phi_on_own_machines_needs_a_risk_analysis_and_no_agreement() {
    let analysed = attestation(
        "{ id: ra, kind: risk_analysis, operator: self, services: [vllm], document: ra-7, valid_from: 2026-01-01 }",
    );
    assert!(!eligible(&vllm_germany(), &[], crate::support::DAY));
    assert!(eligible(&vllm_germany(), &[analysed], crate::support::DAY));
}

#[test]
fn every_ground_of_a_transfer_must_be_allowed() {
    let set = |of: &[Mechanism]| of.iter().copied().collect::<MechanismSet>();
    let zone = resolve(&azure("data_zone_standard", "swedencentral"), TransferMechanism);
    assert!(zone.relies_only_on(set(&[Mechanism::None, Mechanism::Adequacy])));
    assert!(!zone.relies_only_on(set(&[Mechanism::None])));

    let us = bedrock(None, "us-east-1");
    assert!(!resolve(&us, TransferMechanism).is_known(), "no ground is attested");
    let ground = |kind: &str| {
        attestation(&format!(
            "{{ id: {kind}, kind: {kind}, operator: aws, services: ['*'], document: d, valid_from: 2026-01-01 }}"
        ))
    };
    let both = [ground("scc"), ground("dpf")];
    let resolved = database().resolve(&us, TransferMechanism, &context(&both));
    assert!(resolved.relies_only_on(set(&[Mechanism::Scc, Mechanism::Dpf])));
    assert!(!resolved.relies_only_on(set(&[Mechanism::Dpf])));
}

#[test]
fn an_attestation_without_services_or_with_unknown_fields_is_refused() {
    let parse = serde_norway::from_str::<Attestation>;
    assert!(parse("{ id: a, kind: baa, operator: aws, document: d, valid_from: 2026-01-01 }").is_err());
    let extra = "{ id: a, kind: baa, operator: aws, services: ['*'], document: d, valid_from: 2026-01-01, forever: true }";
    assert!(parse(extra).is_err());
    let none =
        attestation("{ id: a, kind: baa, operator: aws, services: [], document: d, valid_from: 2026-01-01 }");
    assert!(!none.covers(&bedrock(None, "us-east-1")));
}
