use super::*;
use crate::bundle::Bundle;
use crate::source::BundleSource;
use bailiwick_compliance_db::Database;
use std::sync::Arc;

const AT_MS: i64 = 1_795_000_000_000;

fn compiled(change: impl FnOnce(&mut BundleSource)) -> Compiled {
    let mut source = BundleSource::starter();
    change(&mut source);
    let bundle = Arc::new(Bundle::load(&source).unwrap());
    let endpoints = bundle.test_endpoints.clone();
    Compiled::new(bundle, Arc::new(Database::embedded().unwrap()), endpoints, AT_MS).unwrap()
}

fn facts(more: &serde_json::Value) -> RequestFacts {
    let mut facts = serde_json::json!({
        "time_ms": AT_MS, "scope": "/acme/research", "operation": "chat_completions", "model": "assistant",
        "subject_regions": ["US"], "controller": "DE",
    });
    facts.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(facts).unwrap()
}

fn rule(text: &str) -> impl FnOnce(&mut BundleSource) {
    let text = text.to_owned();
    move |source: &mut BundleSource| {
        source.files.insert("rules/new.yaml".into(), text);
    }
}

fn differs(
    facts: &RequestFacts,
    old: &Compiled,
    new: &Compiled,
    went_to: Option<&str>,
) -> Option<Difference> {
    let (before, after) = (old.decide(facts), new.decide(facts));
    compare(facts, (old, &before), (new, &after), went_to)
}

#[test]
fn the_same_policy_changes_nothing() {
    let (old, new) = (compiled(|_| {}), compiled(|_| {}));
    for more in [serde_json::json!({}), serde_json::json!({ "classes": { "yes": ["phi"] } })] {
        assert_eq!(differs(&facts(&more), &old, &new, None), None);
    }
}

#[test]
fn a_refusal_names_the_rule_that_refuses_or_excludes_and_no_other() {
    let old = compiled(|_| {});
    let facts = facts(&serde_json::json!({ "tools": ["shell"] }));
    assert!(old.decide(&facts).is_allowed());
    let deny = compiled(rule(
        "id: no-shell\ntitle: No shell\nbecause: [house policy]\nscope: /acme\ndeny_tools: [shell]\n",
    ));
    let told = differs(&facts, &old, &deny, None).unwrap();
    assert_eq!((told.change, told.rules), (Change::NewlyRefused, vec![String::from("no-shell")]));
    let nowhere = compiled(rule(
        "id: nowhere\ntitle: Nowhere\nbecause: [house policy]\nscope: /acme\nrequire: { processing_countries: { within: [IS] } }\n",
    ));
    let told = differs(&facts, &old, &nowhere, None).unwrap();
    assert_eq!((told.change, told.rules), (Change::NewlyRefused, vec![String::from("nowhere")]));
    // The other way round, the old rule is what no longer stands in the way.
    let told = differs(&facts, &nowhere, &old, None).unwrap();
    assert_eq!((told.change, told.rules), (Change::NewlyAllowed, vec![String::from("nowhere")]));
}

#[test]
fn a_request_is_rerouted_only_if_where_it_went_is_gone() {
    let old = compiled(|_| {});
    let new = compiled(rule(
        "id: own\ntitle: Own machines\nbecause: [house policy]\nscope: /acme\nrequire: { hosting: on_premises }\n",
    ));
    let facts = facts(&serde_json::json!({}));
    let before = old.decide(&facts);
    let left: Vec<String> = new.names(&new.decide(&facts).eligible).map(str::to_owned).collect();
    assert!(!left.is_empty() && left.len() < before.eligible.len());
    let gone = old.names(&before.eligible).find(|name| !left.iter().any(|one| one == name)).unwrap();
    let told = differs(&facts, &old, &new, Some(gone)).unwrap();
    assert_eq!((told.change, told.rules), (Change::Rerouted, vec![String::from("own")]));
    let told = differs(&facts, &old, &new, left.first().map(String::as_str)).unwrap();
    assert_eq!((told.change, told.handling.eligible), (Change::Handled, true));
}

#[test]
fn what_a_rule_asks_about_is_known_and_what_a_record_lacks_too() {
    let policy = compiled(rule(
        "id: no-shell\ntitle: No shell\nbecause: [house policy]\nscope: /acme/research\ndeny_tools: [shell]\n",
    ));
    let facts = facts(&serde_json::json!({}));
    let mut json = serde_json::to_value(&facts).unwrap();
    let missing = |json: &serde_json::Value| Asked::missing_from(json.to_string().as_bytes()).unwrap();
    assert!(missing(&json).is_empty(), "{:?}", missing(&json).names().collect::<Vec<_>>());
    json.as_object_mut().unwrap().remove("tools");
    assert_eq!(missing(&json).names().collect::<Vec<_>>(), ["tools"]);
    assert!(!Asked::by(policy.bundle(), &facts).intersection(missing(&json)).is_empty());
    let elsewhere = RequestFacts { scope: String::from("/other"), ..facts };
    assert!(Asked::by(policy.bundle(), &elsewhere).intersection(missing(&json)).is_empty());
}

#[test]
fn a_redaction_of_what_the_request_did_not_hold_changes_nothing() {
    let old = compiled(|_| {});
    let new = compiled(rule(
        "id: mail\ntitle: Mail\nbecause: [house policy]\nscope: /acme\nredact: { entities: [IBAN], how: drop, direction: request }\n",
    ));
    let without = facts(&serde_json::json!({}));
    assert_eq!(differs(&without, &old, &new, None), None);
    let with = facts(&serde_json::json!({ "entities": { "IBAN": 1 } }));
    assert!(old.decide(&with).is_allowed());
    let told = differs(&with, &old, &new, None).unwrap();
    assert_eq!(
        (told.change, told.handling.redactions, told.handling.eligible),
        (Change::Handled, true, false)
    );
}

#[test]
fn a_kind_that_nobody_looked_for_is_not_taken_for_absent() {
    use bailiwick_pii::{EntitySet, EntityType};
    let new = compiled(rule(
        "id: names\ntitle: Names\nbecause: [house policy]\nscope: /acme/research\nwhen: { entities: [PERSON] }\ndeny: true\n",
    ));
    let facts = facts(&serde_json::json!({}));
    let looked_for = |kinds: EntitySet| Asked::not_looked_for(new.bundle(), &facts, kinds);
    let person = EntitySet::default().with(EntityType::Person);
    assert_eq!(looked_for(new.entities()), EntitySet::default());
    let others: EntitySet = new.entities().iter().filter(|kind| *kind != EntityType::Person).collect();
    assert_eq!(looked_for(others), person);
    let elsewhere = RequestFacts { scope: String::from("/other"), ..facts.clone() };
    assert!(!Asked::not_looked_for(new.bundle(), &elsewhere, others).contains(EntityType::Person));
}
