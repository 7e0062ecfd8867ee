//! What covers a request's features, and what does not: facts in every state of certainty.

use bailiwick_compliance_db::{
    Attestation, Attribute::ProcessingCountries, Context, Database, EndpointProfile, Feature, Missing,
    Resolved,
};
use proptest::{prelude::*, sample::subsequence};

use crate::support::{at, attestation, context, countries, features};

const DAY: &str = "2026-06-01T00:00:00Z";

/// How a fact of these tests is written.
#[derive(Debug, Clone, Default)]
struct Written {
    tier: bool,
    country: &'static str,
    with: Vec<Feature>,
    without: Vec<Feature>,
    agreement: bool,
    unverified: bool,
    /// Last seen more than a year before `DAY`.
    old: bool,
    /// The fact of this place contradicts it.
    contradicts: Option<usize>,
}

fn database(facts: &[Written]) -> Database {
    let facts: Vec<serde_json::Value> = facts
        .iter()
        .enumerate()
        .map(|(at, fact)| {
            let mut scope = serde_json::json!({ "operator": ["op"], "service": ["svc"] });
            if fact.tier {
                scope["tier"] = serde_json::json!(["paid"]);
            }
            let mut when =
                serde_json::json!({ "with_features": fact.with, "without_features": fact.without });
            if fact.agreement {
                when["attestations"] = serde_json::json!(["baa"]);
            }
            let seen = if fact.old { "2025-01-01" } else { "2026-05-01" };
            let conflicts: Vec<String> = fact
                .contradicts
                .iter()
                .filter(|other| **other != at)
                .map(|other| format!("svc/{other}"))
                .collect();
            serde_json::json!({
                "id": format!("svc/{at}"), "scope": scope, "attribute": "processing_countries",
                "value": { "countries": [fact.country] }, "when": when, "conflicts_with": conflicts,
                "evidence": [{
                    "url": "https://example.org", "says": "so", "kind": "vendor_doc",
                    "observed_from": seen, "observed_to": seen,
                    "confidence": if fact.unverified { "unverified" } else { "sourced" },
                }],
            })
        })
        .collect();
    let file = serde_json::json!({ "about": "a service", "facts": facts }).to_string();
    let files = [("database.yaml", "version: 2026.1.1"), ("svc.yaml", &file)];
    Database::load(files.map(|(path, text)| (path.to_owned(), text.to_owned()))).unwrap()
}

fn endpoint(tier: Option<&str>) -> EndpointProfile {
    EndpointProfile {
        name: "e".into(),
        operator: "op".into(),
        service: "svc".into(),
        model: "m".into(),
        tier: tier.map(Into::into),
        ..EndpointProfile::default()
    }
}

fn resolve(facts: &[Written], tier: Option<&str>, agreements: &[Attestation], used: &[Feature]) -> Resolved {
    let ctx = Context { now: at(DAY), features: features(used), ..context(agreements) };
    database(facts).resolve(&endpoint(tier), ProcessingCountries, &ctx)
}

/// What holds without web search, and what `covering` says of web search beside it.
fn with_search(covering: Written, tier: Option<&str>, agreements: &[Attestation]) -> Resolved {
    let plain = Written { country: "DE", without: vec![Feature::WebSearch], ..Written::default() };
    let covering = Written { country: "FR", with: vec![Feature::WebSearch], ..covering };
    resolve(&[plain, covering], tier, agreements, &[Feature::WebSearch])
}

#[test]
fn a_certain_and_fresh_fact_covers_a_feature() {
    let resolved = with_search(Written::default(), Some("paid"), &[]);
    assert!(resolved.within(countries(&["DE", "FR"])), "{resolved:?}");
    assert!(!resolved.within(countries(&["DE"])), "and says where it goes");
    let tier = Written { tier: true, ..Written::default() };
    assert!(with_search(tier, Some("paid"), &[]).is_known());
}

#[test]
fn what_nobody_read_covers_nothing() {
    let resolved = with_search(Written { unverified: true, ..Written::default() }, Some("paid"), &[]);
    assert!(!resolved.is_known(), "{resolved:?}");
    assert!(
        resolved.missing.iter().any(|missing| matches!(
            missing,
            Missing::Feature { features, .. } if features.contains(Feature::WebSearch)
        )),
        "{resolved:?}"
    );
}

#[test]
fn what_only_may_apply_covers_nothing() {
    let of_a_tier = || Written { tier: true, ..Written::default() };
    let resolved = with_search(of_a_tier(), None, &[]);
    assert!(!resolved.is_known(), "which tier it is was not stated: {resolved:?}");
    assert!(!with_search(of_a_tier(), Some("free"), &[]).is_known());
}

#[test]
fn an_agreement_that_leaves_the_feature_out_covers_nothing() {
    let agreed = |excluded: &str| {
        attestation(&format!(
            "{{ id: baa, kind: baa, operator: op, services: [svc], document: d, valid_from: 2026-01-01{excluded} }}"
        ))
    };
    let under = |agreement| {
        with_search(Written { agreement: true, ..Written::default() }, Some("paid"), &[agreement])
    };
    assert!(under(agreed("")).is_known());
    let resolved = under(agreed(", excluded_features: [web_search]"));
    assert!(!resolved.is_known(), "{resolved:?}");
}

#[test]
fn what_only_may_apply_does_not_stand_in_for_what_is_old() {
    let old = Written { country: "DE", old: true, ..Written::default() };
    let of_a_tier = Written { country: "FR", tier: true, contradicts: Some(0), ..Written::default() };
    let fresh = Written { country: "IT", ..Written::default() };
    let facts = [old, of_a_tier, fresh];
    assert!(
        resolve(&facts, Some("paid"), &[], &[]).is_known(),
        "the one that contradicts it is fresh and applies"
    );
    for tier in [None, Some("free")] {
        let resolved = resolve(&facts, tier, &[], &[]);
        assert!(!resolved.is_known(), "{tier:?}: {resolved:?}");
    }
}

fn some_features() -> impl Strategy<Value = Vec<Feature>> {
    subsequence(vec![Feature::WebSearch, Feature::Files, Feature::Batch], 0..=3)
}

fn fact() -> impl Strategy<Value = Written> {
    let country = prop::sample::select(vec!["DE", "FR", "US"]);
    (any::<[bool; 3]>(), country, some_features(), some_features(), prop::option::of(0..4_usize)).prop_map(
        |([tier, agreement, old], country, with, without, contradicts)| Written {
            tier,
            country,
            without: without.into_iter().filter(|feature| !with.contains(feature)).collect(),
            with,
            agreement,
            unverified: false,
            old,
            contradicts,
        },
    )
}

/// Facts, none of which contradicts one that is not there.
fn facts() -> impl Strategy<Value = Vec<Written>> {
    prop::collection::vec(fact(), 1..5).prop_map(|mut facts| {
        let many = facts.len();
        for fact in &mut facts {
            fact.contradicts = fact.contradicts.filter(|other| *other < many);
        }
        facts
    })
}

fn no_better(worse: &Resolved, better: &Resolved) -> bool {
    match (worse.value, better.value) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(worst), Some(best)) => worse.attribute.join(worst, best) == Some(worst),
    }
}

proptest! {
    #[test]
    fn a_fact_that_turns_out_unread_never_helps(
        facts in facts(),
        which in any::<prop::sample::Index>(),
        tier in prop::option::of(prop::sample::select(vec!["paid", "free"])),
        used in some_features(),
    ) {
        // What is old and unread says nothing; what is old and was read is asked for again. So: one that is young.
        let which = which.index(facts.len());
        let mut read = facts;
        read[which].old = false;
        let mut unread = read.clone();
        unread[which].unverified = true;
        let (better, worse) = (resolve(&read, tier, &[], &used), resolve(&unread, tier, &[], &used));
        prop_assert!(no_better(&worse, &better), "{better:?}\n{worse:?}");
    }

    #[test]
    fn an_unstated_tier_is_no_better_than_any(
        facts in facts(),
        tier in prop::sample::select(vec!["paid", "free"]),
        excluded in some_features(),
        used in some_features(),
    ) {
        let agreement = Attestation {
            excluded_features: features(&excluded),
            ..attestation("{ id: baa, kind: baa, operator: op, services: [svc], document: d, valid_from: 2026-01-01 }")
        };
        let of = |tier| resolve(&facts, tier, std::slice::from_ref(&agreement), &used);
        let (stated, unstated) = (of(Some(tier)), of(None));
        prop_assert!(no_better(&unstated, &stated), "{stated:?}\n{unstated:?}");
    }

    #[test]
    fn using_more_never_helps(facts in facts(), excluded in some_features(), some in some_features(), more in some_features()) {
        let agreement = Attestation {
            excluded_features: features(&excluded),
            ..attestation("{ id: baa, kind: baa, operator: op, services: [svc], document: d, valid_from: 2026-01-01 }")
        };
        let of = |used: &[Feature]| resolve(&facts, Some("paid"), std::slice::from_ref(&agreement), used);
        let many = [some.clone(), more].concat();
        let (few, many) = (of(&some), of(&many));
        prop_assert!(no_better(&many, &few), "{few:?}\n{many:?}");
    }
}
