//! The reference manual's example is a file that loads, and means what the manual says.

use bailiwick_compliance_db::{Attribute, Context, Database, EndpointProfile, Feature, Value};

use crate::support::{attestation, context, countries, features};

/// The fenced YAML blocks of the manual, in order.
fn blocks() -> Vec<String> {
    let manual = include_str!("../../../docs/reference/compliance-db.md");
    manual
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```"))
        .map(|(block, _)| block.to_owned())
        .collect()
}

#[test]
fn the_worked_example_holds() {
    let [facts, agreement, own] = <[String; 3]>::try_from(blocks()).unwrap();
    let files = [
        ("database.yaml".to_owned(), "version: \"2026.11.22\"".to_owned()),
        ("example-api.yaml".to_owned(), facts),
    ];
    let database = Database::load(files.clone()).unwrap();
    let agreement = [attestation(&agreement)];
    let endpoint = EndpointProfile {
        name: "example".into(),
        operator: "example".into(),
        service: "example-api".into(),
        model: "example-large".into(),
        ..EndpointProfile::default()
    };
    let days = |attested: bool, used: &[Feature]| {
        let attestations = if attested { agreement.as_slice() } else { &[] };
        let ctx = Context { features: features(used), ..context(attestations) };
        database.resolve(&endpoint, Attribute::RetentionDays, &ctx).value
    };
    assert_eq!(days(false, &[]), Some(Value::Days(30)));
    assert_eq!(days(true, &[]), Some(Value::Days(0)));
    assert_eq!(days(true, &[Feature::Files]), Some(Value::FOREVER));
    assert_eq!(days(true, &[Feature::Batch]), None);

    let places = database.resolve(&endpoint, Attribute::ProcessingCountries, &context(&[]));
    assert!(places.within(countries(&["EU", "CH"])) && !places.within(countries(&["EU"])));

    let with_own = files.into_iter().chain([("compliance/read.yaml".to_owned(), own)]);
    let with_own = Database::load(with_own).unwrap();
    let kept = with_own.resolve(&endpoint, Attribute::RetentionDays, &context(&[]));
    assert_eq!(kept.value, Some(Value::Days(7)));
    let attested = with_own.resolve(&endpoint, Attribute::RetentionDays, &context(&agreement));
    assert_eq!(attested.value, Some(Value::Days(0)));
}
