//! Where prompts are processed and kept.

use bailiwick_compliance_db::{
    Attribute::{
        AbuseLogCountries, ProcessingCountries, StorageCountries, TrainsOnInputs, TransferMechanism,
    },
    Context, EndpointProfile, Feature, FeatureSet, Missing, Resolved, Value,
};

use crate::support::{
    at, azure, bedrock, context, countries, database, mistral_eu, mystery, resolve, seven, vllm_germany,
};

fn places(resolved: &Resolved) -> String {
    resolved.value.map_or("unknown".to_owned(), |value| value.to_string())
}

/// A model at Bedrock, sent under a name as the service takes it.
fn sent(upstream: &str, declared: Option<&str>, source_region: &str) -> EndpointProfile {
    database().profile_of(&bedrock(declared, source_region), upstream)
}

const SONNET_4: &str = "eu.anthropic.claude-sonnet-4-20250514-v1:0";
const HAIKU_4_5: &str = "eu.anthropic.claude-haiku-4-5-20251001-v1:0";
const NOVA_2: &str = "eu.amazon.nova-2-lite-v1:0";

#[test]
fn an_eu_profile_means_what_its_source_region_makes_of_it() {
    for (upstream, region, more) in [
        (HAIKU_4_5, "eu-central-1", None),
        (HAIKU_4_5, "eu-west-2", Some("GB")),
        (HAIKU_4_5, "eu-central-2", Some("CH")),
        (SONNET_4, "eu-central-1", None),
        (SONNET_4, "il-central-1", Some("IL")),
        (NOVA_2, "eu-south-2", None),
    ] {
        let endpoint = sent(upstream, None, region);
        let resolved = resolve(&endpoint, ProcessingCountries);
        let expected = countries(&["DE", "SE", "IT", "ES", "IE", "FR"]).union(countries(more.as_slice()));
        assert!(
            matches!(resolved.value, Some(Value::Locations(at)) if at.countries == expected && !at.worldwide),
            "{upstream} from {region}: {resolved:?}"
        );
        assert_eq!(resolved.within(countries(&["EU"])), more.is_none(), "{upstream} from {region}");
        // Elsewhere than in the Union, the ground is adequacy.
        let ground = if more.is_some() { "adequacy" } else { "none" };
        assert_eq!(places(&resolve(&endpoint, TransferMechanism)), ground, "{upstream} from {region}");
        let abuse_log = resolve(&endpoint, AbuseLogCountries);
        assert_eq!(abuse_log.value, resolved.value, "kept where it was routed: {upstream} from {region}");
    }
}

#[test]
fn an_eu_profile_is_unknown_from_a_region_that_is_not_in_its_table() {
    for (upstream, region) in [
        (NOVA_2, "eu-west-2"),
        (NOVA_2, "il-central-1"),
        (SONNET_4, "eu-west-2"),
        (HAIKU_4_5, "il-central-1"),
        ("eu.anthropic.claude-3-haiku-20240307-v1:0", "eu-north-1"),
        ("eu.mistral.pixtral-large-2502-v1:0", "eu-south-1"),
        (HAIKU_4_5, "us-east-1"),
    ] {
        let endpoint = sent(upstream, None, region);
        for attribute in [ProcessingCountries, AbuseLogCountries, TransferMechanism] {
            let resolved = resolve(&endpoint, attribute);
            assert!(!resolved.is_known(), "{upstream} from {region}: {resolved:?}");
        }
    }
    let older = sent("eu.anthropic.claude-3-haiku-20240307-v1:0", None, "eu-west-1");
    assert_eq!(places(&resolve(&older, ProcessingCountries)), "{DE, FR, IE}");
}

#[test]
fn the_prefix_that_is_sent_is_the_profile() {
    // The same place, whether the profile is declared, or stands in the name, or both.
    let model = "anthropic.claude-haiku-4-5-20251001-v1:0";
    for (upstream, declared) in [(HAIKU_4_5, None), (HAIKU_4_5, Some("eu")), (model, Some("eu"))] {
        let endpoint = sent(upstream, declared, "eu-central-1");
        assert_eq!((endpoint.profile.as_deref(), endpoint.model.as_str()), (Some("eu"), model));
        assert_eq!(database().profile_conflict(&bedrock(declared, "eu-central-1"), upstream), None);
    }
    // Who declares nothing, or a region alone, does not get a region's promise for what goes elsewhere.
    for (upstream, expected) in [
        ("global.anthropic.claude-haiku-4-5-20251001-v1:0", "worldwide"),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", "{DE, US}"),
        (model, "{DE}"),
    ] {
        assert_eq!(places(&resolve(&sent(upstream, None, "eu-central-1"), ProcessingCountries)), expected);
    }
    assert_eq!(
        places(&resolve(&sent("apac.amazon.nova-pro-v1:0", None, "me-central-1"), ProcessingCountries)),
        "{AE, AU, ID, IN, JP, KR, MY, SG, TH, TW}"
    );
}

#[test]
fn a_profile_that_is_declared_otherwise_than_it_is_sent_is_refused_and_unknown() {
    let declared = bedrock(Some("eu"), "eu-central-1");
    let upstream = "global.anthropic.claude-haiku-4-5-20251001-v1:0";
    let why = database().profile_conflict(&declared, upstream).unwrap();
    assert!(why.contains("`global`") && why.contains("profile: eu"), "{why}");
    let endpoint = database().profile_of(&declared, upstream);
    for attribute in [ProcessingCountries, StorageCountries, AbuseLogCountries, TransferMechanism] {
        let resolved = resolve(&endpoint, attribute);
        assert!(!resolved.is_known(), "{resolved:?}");
    }
}

#[test]
fn a_name_that_may_stand_for_any_profile_is_unknown() {
    for upstream in [
        "in.moonshotai.kimi-k3",
        "arn:aws:bedrock:eu-central-1:123456789012:inference-profile/global.anthropic.claude-haiku-4-5-20251001-v1:0",
        "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3d4e5f6",
        "my-imported-model",
    ] {
        let endpoint = sent(upstream, None, "eu-central-1");
        for attribute in [ProcessingCountries, StorageCountries, AbuseLogCountries, TransferMechanism] {
            let resolved = resolve(&endpoint, attribute);
            assert!(!resolved.is_known(), "{upstream}: {resolved:?}");
        }
    }
}

#[test]
fn a_prefix_means_a_profile_only_where_the_service_has_profiles() {
    let elsewhere = azure("standard", "swedencentral");
    assert_eq!(database().profile_of(&elsewhere, "eu.my-deployment").model, "eu.my-deployment");
    assert_eq!(database().profile_conflict(&elsewhere, "eu.my-deployment"), None);
}

#[test]
fn a_profile_says_nothing_about_a_model_whose_destinations_were_not_read() {
    let unread =
        EndpointProfile { model: "anthropic.claude-opus-9".into(), ..bedrock(Some("eu"), "eu-central-1") };
    assert!(!resolve(&unread, ProcessingCountries).is_known());
}

#[test]
fn a_region_is_its_country_whatever_its_name_begins_with() {
    assert_eq!(places(&resolve(&bedrock(None, "us-east-1"), ProcessingCountries)), "{US}");
    assert_eq!(places(&resolve(&bedrock(None, "eu-west-2"), ProcessingCountries)), "{GB}");
    let unheard_of = resolve(&bedrock(None, "eu-moon-1"), ProcessingCountries);
    assert!(!unheard_of.is_known());
    assert!(
        matches!(unheard_of.missing.as_slice(), [Missing::Declaration { field: "source_region", .. }]),
        "{unheard_of:?}"
    );
}

#[test]
fn global_is_within_nothing() {
    let everywhere = bailiwick_compliance_db::CountrySet::all();
    for endpoint in [bedrock(Some("global"), "eu-central-1"), azure("global_standard", "swedencentral")] {
        let resolved = resolve(&endpoint, ProcessingCountries);
        assert_eq!(places(&resolved), "worldwide");
        assert!(!resolved.within(everywhere));
    }
}

#[test]
fn the_eu_data_zone_is_what_both_pages_say_together() {
    let zone = azure("data_zone_standard", "swedencentral");
    let resolved = resolve(&zone, ProcessingCountries);
    assert!(!resolved.within(countries(&["EU"])));
    assert!(!resolved.within(countries(&["EU", "EEA"])), "Switzerland is in neither");
    assert!(resolved.within(countries(&["EU", "EEA", "CH"])));
    assert_eq!(resolved.conflicts.len(), 1);
}

#[test]
fn a_set_that_may_grow_holds_only_while_its_evidence_is_young() {
    let zone = azure("data_zone_standard", "swedencentral");
    let on = |day: &str| {
        let ctx = Context { now: at(day), ..context(&[]) };
        database().resolve(&zone, ProcessingCountries, &ctx)
    };
    let wide = countries(&["EU", "EEA", "CH"]);
    // The page of March is too old a day earlier; the page of May, which names more, stands in for it.
    assert!(on("2027-03-19T23:59:59Z").within(wide));
    assert!(on("2027-03-20T00:00:00Z").within(wide));
    assert!(on("2027-05-08T23:59:59Z").within(wide));
    let old = on("2027-05-09T00:00:00Z");
    assert!(!old.is_known());
    assert!(
        old.missing.iter().any(|missing| matches!(missing, Missing::Evidence { limit_days: 365, .. })),
        "{old:?}"
    );
    // And it is said beforehand when that will be.
    assert_eq!(on("2027-03-20T00:00:00Z").valid_until, Some(at("2027-05-09T00:00:00Z")));
}

#[test]
fn data_zones_outside_the_union_are_not_the_unions() {
    assert_eq!(places(&resolve(&azure("data_zone_standard", "eastus2"), ProcessingCountries)), "{US}");
    assert!(!resolve(&azure("data_zone_standard", "uksouth"), ProcessingCountries).is_known());
    assert_eq!(places(&resolve(&azure("standard", "swedencentral"), ProcessingCountries)), "{SE}");
    assert_eq!(places(&resolve(&azure("standard", "norwayeast"), ProcessingCountries)), "{NO}");
}

#[test]
fn an_option_that_nobody_stated_is_the_worst_of_those_that_it_may_be() {
    let unstated = EndpointProfile { hosting_option: None, ..azure("standard", "swedencentral") };
    let resolved = resolve(&unstated, ProcessingCountries);
    assert!(!resolved.is_known(), "{resolved:?}");
    assert!(resolved.facts.len() > 2, "all of them may apply: {resolved:?}");
}

#[test]
fn personal_data_of_the_eu_has_somewhere_to_go() {
    let eu = countries(&["EU", "EEA"]);
    let eligible: Vec<String> = seven()
        .into_iter()
        .filter(|endpoint| {
            resolve(endpoint, ProcessingCountries).within(eu)
                && resolve(endpoint, StorageCountries).within(eu)
                && resolve(endpoint, TrainsOnInputs).is(false)
        })
        .map(|endpoint| endpoint.name)
        .collect();
    assert_eq!(eligible, ["bedrock-eu", "vllm-germany"]);
}

#[test]
fn mistrals_european_host_includes_switzerland() {
    let resolved = resolve(&mistral_eu(), ProcessingCountries);
    assert!(resolved.within(countries(&["EU_EFTA"])) && !resolved.within(countries(&["EEA"])));
    let elsewhere = EndpointProfile { hosting_option: Some("global".into()), ..mistral_eu() };
    assert_eq!(places(&resolve(&elsewhere, ProcessingCountries)), "worldwide");
}

#[test]
fn an_own_endpoint_is_where_it_is_declared_to_be() {
    let mut own = vllm_germany();
    assert_eq!(places(&resolve(&own, ProcessingCountries)), "{DE}");
    own.declared.countries = Some(vec![]);
    assert!(!resolve(&own, ProcessingCountries).is_known(), "an empty declaration declares nothing");
    own.declared.countries = None;
    let undeclared = resolve(&own, ProcessingCountries);
    assert!(
        matches!(undeclared.missing.as_slice(), [Missing::Declaration { field: "declared.countries", .. }]),
        "{undeclared:?}"
    );
    // A declaration counts for the organisation's own endpoints only.
    let mut boastful = mystery();
    boastful.declared = vllm_germany().declared;
    assert!(!resolve(&boastful, ProcessingCountries).is_known());
}

#[test]
fn an_unknown_provider_is_unknown_in_everything() {
    let ctx = Context { features: FeatureSet::all(), ..context(&[]) };
    for attribute in bailiwick_compliance_db::Attribute::ALL {
        for resolved in [resolve(&mystery(), attribute), database().resolve(&mystery(), attribute, &ctx)] {
            assert!(!resolved.is_known(), "{resolved:?}");
            assert!(!resolved.within(bailiwick_compliance_db::CountrySet::all()));
            assert!(!resolved.is(true) && !resolved.is(false) && !resolved.at_most(u32::MAX));
            if attribute.is_the_developers() {
                // It serves a model that may be anyone's: any developer's facts may apply.
                assert!(
                    matches!(resolved.missing.as_slice(), [Missing::Declaration { field: "developer", .. }]),
                    "{resolved:?}"
                );
            } else {
                assert!(resolved.facts.is_empty(), "{resolved:?}");
                assert!(matches!(resolved.missing.as_slice(), [Missing::Fact { .. }]), "{resolved:?}");
            }
        }
    }
}

fn vertex(hosting_option: &str, source_region: Option<&str>, model: &str) -> EndpointProfile {
    EndpointProfile {
        name: "vertex".into(),
        developer: Some("google".into()),
        operator: "google".into(),
        service: "vertex-ai".into(),
        hosting_option: Some(hosting_option.into()),
        model: model.into(),
        source_region: source_region.map(Into::into),
        tier: Some("on_demand".into()),
        ..EndpointProfile::default()
    }
}

#[test]
fn the_eu_of_one_provider_is_not_that_of_another() {
    let within = |endpoint: &EndpointProfile| {
        let resolved = resolve(endpoint, ProcessingCountries);
        ["EU", "EEA", "EU_EFTA"].map(|group| resolved.within(countries(&[group])))
    };
    assert_eq!(within(&vertex("eu", None, "gemini-3.5-flash")), [true, true, true], "member states alone");
    assert_eq!(within(&azure("standard", "norwayeast")), [false, true, true]);
    assert_eq!(
        within(&azure("data_zone_standard", "swedencentral")),
        [false, false, true],
        "Norway and Switzerland"
    );
    assert_eq!(within(&mistral_eu()), [false, false, true], "the Union and EFTA");
    assert_eq!(
        within(&sent(HAIKU_4_5, None, "eu-west-2")),
        [false, false, false],
        "London is in none of them"
    );
}

#[test]
fn an_endpoint_of_google_is_where_its_kind_says_and_not_where_its_name_does() {
    let of = |option, region, model| places(&resolve(&vertex(option, region, model), ProcessingCountries));
    assert_eq!(of("global", None, "gemini-3.5-flash"), "worldwide");
    assert_eq!(of("us", None, "gemini-3.5-flash"), "{US}");
    assert_eq!(of("regional", Some("us-central1"), "gemini-2.5-flash"), "{US}");
    let dutch = resolve(&vertex("regional", Some("europe-west4"), "gemini-2.5-pro"), ProcessingCountries);
    assert!(
        dutch.within(countries(&["EU"])) && !dutch.within(countries(&["NL"])),
        "the Union, not the country"
    );
    for (region, model) in [
        ("europe-west2", "gemini-2.5-pro"),
        ("europe-west6", "gemini-2.5-pro"),
        ("me-west1", "gemini-2.5-pro"),
        ("europe-west4", "gemini-3.5-flash"),
    ] {
        assert_eq!(
            of("regional", Some(region), model),
            "unknown",
            "{model} in {region}: no table promises it"
        );
    }
}

#[test]
fn a_region_that_is_called_is_not_where_inference_runs() {
    let aws = |option: &str, model: &str| EndpointProfile {
        name: "claude".into(),
        developer: Some("anthropic".into()),
        operator: "anthropic".into(),
        service: "claude-platform-on-aws".into(),
        hosting_option: Some(option.into()),
        model: model.into(),
        source_region: Some("eu-central-1".into()),
        ..EndpointProfile::default()
    };
    assert_eq!(places(&resolve(&aws("global", "claude-sonnet-4-6"), ProcessingCountries)), "worldwide");
    assert_eq!(places(&resolve(&aws("us", "claude-sonnet-4-6"), ProcessingCountries)), "{US}");
    assert_eq!(
        places(&resolve(&aws("us", "claude-haiku-4-5"), ProcessingCountries)),
        "worldwide",
        "it refuses a geography"
    );
}

#[test]
fn a_multi_region_endpoint_says_where_a_call_leaves_something_and_nothing_of_what_was_stored_before() {
    let endpoint = vertex("eu", None, "gemini-3.5-flash");
    let with = |feature: Option<Feature>| {
        let ctx = Context { features: feature.into_iter().collect(), ..context(&[]) };
        database().resolve(&endpoint, StorageCountries, &ctx)
    };
    assert!(with(None).within(countries(&["EU"])));
    for stored in [Feature::Files, Feature::Batch, Feature::StoredState, Feature::FineTuning] {
        assert!(!with(Some(stored)).is_known(), "{stored}");
    }
    for model in ["gemini-3.1-pro-preview", "gemini-3.5-flash-preview-09-2026", "claude-sonnet-5"] {
        for attribute in [ProcessingCountries, StorageCountries] {
            let resolved = resolve(&vertex("eu", None, model), attribute);
            assert!(!resolved.is_known(), "previews and partners have no promise: {resolved:?}");
        }
    }
}
