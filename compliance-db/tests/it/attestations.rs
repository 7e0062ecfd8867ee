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
    let without_batch = [Attestation { excluded_features: features(&[Feature::Batch]), ..aws_baa() }];
    let with = |used: &[Feature]| {
        let ctx = Context { features: features(used), ..context(&without_batch) };
        database().resolve(&us, HipaaEligible, &ctx).is(true)
    };
    assert!(with(&[]) && with(&[Feature::ImageInput]));
    assert!(!with(&[Feature::Batch]), "the agreement leaves it out");
    assert!(!with(&[Feature::WebSearch]), "the fact does not cover it");
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
