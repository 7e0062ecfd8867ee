//! Endpoints and contexts that the tests share.

use bailiwick_compliance_db::{
    Attestation, Attribute, Context, CountrySet, Database, Declared, EndpointProfile, Feature, FeatureSet,
    Hosting, Resolved,
};
use chrono::{DateTime, Utc};

pub(crate) fn database() -> Database {
    Database::embedded().unwrap()
}

/// The day on which the tests decide.
pub(crate) const DAY: &str = "2026-11-22T12:00:00Z";

pub(crate) fn at(instant: &str) -> DateTime<Utc> {
    instant.parse().unwrap()
}

pub(crate) fn countries(names: &[&str]) -> CountrySet {
    CountrySet::from_names(names).unwrap()
}

pub(crate) fn features(features: &[Feature]) -> FeatureSet {
    features.iter().copied().collect()
}

/// Evidence counts for a year, and the request is plain text.
pub(crate) fn context(attestations: &[Attestation]) -> Context<'_> {
    Context { now: at(DAY), max_evidence_age_days: 365, attestations, features: FeatureSet::EMPTY }
}

/// What is known of `endpoint` on the tests' day without any agreement.
pub(crate) fn resolve(endpoint: &EndpointProfile, attribute: Attribute) -> Resolved {
    database().resolve(endpoint, attribute, &context(&[]))
}

pub(crate) fn attestation(yaml: &str) -> Attestation {
    serde_norway::from_str(yaml).unwrap()
}

pub(crate) fn aws_baa() -> Attestation {
    attestation(
        "{ id: baa-aws, kind: baa, operator: aws, services: [amazon-bedrock], endpoints: [bedrock-us-east-1],
           document: contracts/2026-17, valid_from: 2026-01-01, valid_to: 2026-12-31 }",
    )
}

pub(crate) fn bedrock(profile: Option<&str>, source_region: &str) -> EndpointProfile {
    EndpointProfile {
        name: format!("bedrock-{}", profile.unwrap_or(source_region)),
        developer: Some("amazon".into()),
        operator: "aws".into(),
        service: "amazon-bedrock".into(),
        model: "amazon.nova-2-lite-v1:0".into(),
        profile: profile.map(Into::into),
        source_region: Some(source_region.into()),
        ..EndpointProfile::default()
    }
}

pub(crate) fn azure(hosting_option: &str, source_region: &str) -> EndpointProfile {
    EndpointProfile {
        name: "azure-sweden".into(),
        developer: Some("openai".into()),
        operator: "microsoft".into(),
        service: "azure-openai".into(),
        hosting_option: Some(hosting_option.into()),
        model: "gpt-4.1".into(),
        source_region: Some(source_region.into()),
        ..EndpointProfile::default()
    }
}

pub(crate) fn openai_us() -> EndpointProfile {
    EndpointProfile {
        name: "openai-us".into(),
        developer: Some("openai".into()),
        operator: "openai".into(),
        service: "openai-api".into(),
        hosting_option: Some("us".into()),
        model: "gpt-4.1".into(),
        ..EndpointProfile::default()
    }
}

pub(crate) fn mistral_eu() -> EndpointProfile {
    EndpointProfile {
        name: "mistral-eu".into(),
        developer: Some("mistral".into()),
        operator: "mistral".into(),
        service: "mistral-api".into(),
        hosting_option: Some("eu".into()),
        model: "mistral-small-2603".into(),
        tier: Some("paid".into()),
        ..EndpointProfile::default()
    }
}

pub(crate) fn vllm_germany() -> EndpointProfile {
    EndpointProfile {
        name: "vllm-germany".into(),
        operator: "self".into(),
        service: "vllm".into(),
        model: "mistral-small".into(),
        declared: Declared {
            countries: Some(vec!["DE".parse().unwrap()]),
            hosting: Some(Hosting::OnPremises),
            retention_days: None,
        },
        ..EndpointProfile::default()
    }
}

pub(crate) fn mystery() -> EndpointProfile {
    EndpointProfile {
        name: "mystery".into(),
        operator: "nimbus-ai".into(),
        service: "nimbus-api".into(),
        model: "nimbus-1".into(),
        ..EndpointProfile::default()
    }
}

/// One endpoint of each kind.
pub(crate) fn seven() -> [EndpointProfile; 7] {
    [
        azure("data_zone_standard", "swedencentral"),
        openai_us(),
        bedrock(None, "us-east-1"),
        bedrock(Some("eu"), "eu-central-1"),
        mistral_eu(),
        vllm_germany(),
        mystery(),
    ]
}
