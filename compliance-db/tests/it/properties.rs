//! What holds for any request: joins are joins, and using more, having less or being later never helps.

use bailiwick_compliance_db::{
    Attestation, AttestationKind, Attribute, Context, Country, CountrySet, Database, EndpointProfile,
    Feature, FeatureSet, Hosting, Locations, Mechanism, Resolved, Value, ValueKind,
};
use chrono::TimeDelta;
use proptest::{prelude::*, sample::subsequence};

use crate::support::{at, attestation, azure, bedrock, context, database, mistral_eu, openai_us, seven};

fn value_of(kind: ValueKind) -> BoxedStrategy<Value> {
    match kind {
        ValueKind::Locations => (countries(), any::<bool>(), any::<bool>())
            .prop_map(|(countries, worldwide, may_grow)| {
                Value::Locations(Locations { countries, worldwide, may_grow })
            })
            .boxed(),
        ValueKind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        ValueKind::Days => any::<u32>().prop_map(Value::Days).boxed(),
        ValueKind::Hosting => {
            prop::sample::select(vec![Hosting::OnPremises, Hosting::Dedicated, Hosting::Shared])
                .prop_map(Value::Hosting)
                .boxed()
        }
        ValueKind::Mechanisms => subsequence(Mechanism::ALL.to_vec(), 1..=5)
            .prop_map(|mechanisms| Value::Mechanisms(mechanisms.into_iter().collect()))
            .boxed(),
    }
}

fn countries() -> impl Strategy<Value = CountrySet> {
    subsequence(Country::all().collect::<Vec<_>>(), 0..8)
        .prop_map(|countries| countries.into_iter().collect())
}

fn features() -> impl Strategy<Value = FeatureSet> {
    subsequence(Feature::ALL.to_vec(), 0..=Feature::ALL.len())
        .prop_map(|features| features.into_iter().collect())
}

fn attribute() -> impl Strategy<Value = Attribute> {
    prop::sample::select(Attribute::ALL.to_vec())
}

/// Endpoints of all kinds.
fn complete() -> Vec<EndpointProfile> {
    let more = [
        bedrock(Some("eu"), "eu-west-2"),
        bedrock(Some("global"), "us-east-1"),
        azure("global_standard", "eastus"),
        azure("standard", "westeurope"),
        EndpointProfile { model: "gpt-5.5".into(), ..openai_us() },
        EndpointProfile { hosting_option: Some("eu".into()), ..openai_us() },
        EndpointProfile { model: "anthropic.claude-fable-5".into(), ..bedrock(None, "us-east-1") },
        EndpointProfile { tier: Some("free".into()), ..mistral_eu() },
    ];
    seven().into_iter().chain(more).collect()
}

/// Endpoints of all kinds, complete and with things unstated.
fn endpoint() -> impl Strategy<Value = EndpointProfile> {
    (prop::sample::select(complete()), any::<[bool; 4]>()).prop_map(|(mut endpoint, keep)| {
        let [option, region, tier, developer] = keep;
        endpoint.hosting_option = endpoint.hosting_option.filter(|_| option);
        endpoint.source_region = endpoint.source_region.filter(|_| region);
        endpoint.tier = endpoint.tier.filter(|_| tier);
        endpoint.developer = endpoint.developer.filter(|_| developer);
        endpoint
    })
}

/// Any agreements, with any features left out.
fn attestations(operator: &'static [&'static str]) -> impl Strategy<Value = Vec<Attestation>> {
    let one = (
        prop::sample::select(AttestationKind::ALL.to_vec()),
        prop::sample::select(operator.to_vec()),
        features(),
    );
    prop::collection::vec(one, 0..8).prop_map(|all| {
        all.into_iter()
            .map(|(kind, operator, excluded_features)| Attestation {
                excluded_features,
                ..attestation(&format!(
                    "{{ id: a, kind: {kind}, operator: {operator}, services: ['*'], document: d, valid_from: 2026-01-01 }}"
                ))
            })
            .collect()
    })
}

const OPERATORS: &[&str] = &["aws", "microsoft", "openai", "mistral", "self"];

/// Whether `worse` is no better than `better`: unknown is worst, and joining the better value into a worse one
/// changes nothing.
fn no_better(worse: &Resolved, better: &Resolved) -> bool {
    match (worse.value, better.value) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(worst), Some(best)) => worse.attribute.join(worst, best) == Some(worst),
    }
}

proptest! {
    #[test]
    fn joins_are_commutative_associative_and_idempotent(
        (attribute, a, b, c) in attribute().prop_flat_map(|attribute| {
            let value = || value_of(attribute.kind());
            (Just(attribute), value(), value(), value())
        })
    ) {
        let join = |a, b| attribute.join(a, b).unwrap();
        prop_assert_eq!(join(a, b), join(b, a));
        prop_assert_eq!(join(a, join(b, c)), join(join(a, b), c));
        prop_assert_eq!(join(a, a), a);
    }

    #[test]
    fn using_more_features_never_helps(
        endpoint in endpoint(),
        attribute in attribute(),
        attestations in attestations(OPERATORS),
        some in features(),
        more in features(),
    ) {
        let database = shared();
        let with = |features| {
            database.resolve(&endpoint, attribute, &Context { features, ..context(&attestations) })
        };
        let (few, many) = (with(some), with(some.union(more)));
        prop_assert!(no_better(&many, &few), "{few:?}\n{many:?}");
    }

    #[test]
    fn features_that_do_not_matter_change_nothing(
        endpoint in endpoint(),
        attribute in attribute(),
        attestations in attestations(OPERATORS),
        features in features(),
    ) {
        let database = shared();
        let matter = database.features_that_matter(&endpoint, attribute, &attestations);
        let with = |features| {
            database.resolve(&endpoint, attribute, &Context { features, ..context(&attestations) })
        };
        prop_assert_eq!(with(features), with(features.intersection(matter)));
    }

    #[test]
    fn stating_less_about_an_endpoint_never_helps(
        complete in prop::sample::select(complete()),
        attribute in attribute(),
        attestations in attestations(OPERATORS),
        keep in any::<[bool; 4]>(),
    ) {
        let [option, region, tier, developer] = keep;
        let mut partial = complete.clone();
        partial.hosting_option = partial.hosting_option.filter(|_| option);
        partial.source_region = partial.source_region.filter(|_| region);
        partial.tier = partial.tier.filter(|_| tier);
        partial.developer = partial.developer.filter(|_| developer);
        let ctx = context(&attestations);
        let (known, less) = (shared().resolve(&complete, attribute, &ctx), shared().resolve(&partial, attribute, &ctx));
        prop_assert!(no_better(&less, &known), "{known:?}\n{less:?}");
    }

    #[test]
    fn evidence_that_grows_old_never_helps(
        endpoint in endpoint(),
        attribute in attribute(),
        features in features(),
        days in 0..800_i64,
        later in 0..800_i64,
    ) {
        let on = |days| {
            let now = at("2026-06-01T00:00:00Z") + TimeDelta::days(days);
            shared().resolve(&endpoint, attribute, &Context { now, features, ..context(&[]) })
        };
        let (young, old) = (on(days), on(days + later));
        prop_assert!(no_better(&old, &young), "{young:?}\n{old:?}");
    }

    #[test]
    fn nothing_changes_before_it_is_said_to(
        endpoint in endpoint(),
        attribute in attribute(),
        features in features(),
        attestations in attestations(OPERATORS),
        ends in 0..400_i64,
        seconds in 0..40_000_000_i64,
    ) {
        let start = at("2026-06-01T00:00:00Z");
        let attestations: Vec<_> = attestations
            .into_iter()
            .map(|attestation| Attestation { valid_to: Some(start + TimeDelta::days(ends)), ..attestation })
            .collect();
        let on = |now| shared().resolve(&endpoint, attribute, &Context { now, features, ..context(&attestations) });
        let (first, now) = (on(start), start + TimeDelta::seconds(seconds));
        if first.valid_until.is_none_or(|until| now < until) {
            prop_assert_eq!(on(now).value, first.value);
        }
    }
}

fn shared() -> &'static Database {
    static DATABASE: std::sync::OnceLock<Database> = std::sync::OnceLock::new();
    DATABASE.get_or_init(database)
}
