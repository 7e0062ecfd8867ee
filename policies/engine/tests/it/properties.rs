//! What holds of every decision, on random bundles, catalogs, requests and times.

use crate::random::{endpoints, facts, instant, meaning, parts, rule_text};
use crate::starter::database;
use bailiwick_compliance_db::Country;
use bailiwick_pii::{ClassSet, DataClass, Sensitivity};
use bailiwick_policy::{Compiled, Decision, DenyCode, Outcome};
use proptest::prelude::*;
use std::sync::Arc;

fn eligible(compiled: &Compiled, decision: &Decision) -> Vec<String> {
    compiled.names(&decision.eligible).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn decide_means_what_the_bundle_says(parts in parts(), endpoints in endpoints(), compiled_at in instant(), requests in proptest::collection::vec(facts(), 1..6)) {
        let bundle = Arc::new(parts.bundle());
        let database = database();
        let compiled = Compiled::new(Arc::clone(&bundle), Arc::clone(&database), endpoints.clone(), compiled_at).unwrap();
        for facts in requests {
            let decision = compiled.decide(&facts);
            let expected = meaning(&bundle, &database, &endpoints, &facts);
            let applied: Vec<String> = decision.rules.iter().map(|r| compiled.rule(*r).unwrap().id.clone()).collect();
            prop_assert_eq!(&applied, &expected.applied);
            prop_assert_eq!(compiled.names(&decision.candidates).collect::<Vec<_>>(), expected.candidates);
            prop_assert_eq!(eligible(&compiled, &decision), expected.eligible.clone());
            let outcome = if expected.refused {
                Outcome::Deny { code: DenyCode::PolicyDenied }
            } else if expected.eligible.is_empty() {
                Outcome::Deny { code: DenyCode::NoEligibleEndpoint }
            } else {
                Outcome::Allow
            };
            prop_assert_eq!(decision.outcome, outcome);
            prop_assert_eq!(&compiled.decide(&facts), &decision, "the same facts, the same decision");

            // The explanation agrees with the decision on every endpoint.
            let explanation = compiled.explain(&facts, &decision);
            prop_assert_eq!(explanation.endpoints.len(), decision.candidates.len());
            for endpoint in &explanation.endpoints {
                prop_assert_eq!(endpoint.eligible, expected.eligible.contains(&endpoint.name));
                prop_assert_eq!(endpoint.eligible, endpoint.reasons.is_empty(), "{:?}", endpoint);
            }
            prop_assert_eq!(explanation.fix.is_some(), !decision.is_allowed());
        }
    }

    #[test]
    fn facts_survive_being_recorded(facts in facts()) {
        let text = serde_json::to_string(&facts).unwrap();
        prop_assert_eq!(serde_json::from_str::<bailiwick_policy::RequestFacts>(&text).unwrap(), facts);
    }

    #[test]
    fn knowing_worse_or_less_never_makes_an_endpoint_eligible(
        parts in parts(), endpoints in endpoints(), facts in facts(),
        class in proptest::sample::select(DataClass::ALL.to_vec()),
        country in proptest::sample::select(vec!["DE", "US", "CH", "JP"]),
        more in rule_text(),
    ) {
        let bundle = Arc::new(parts.bundle());
        let compiled = Compiled::new(Arc::clone(&bundle), database(), endpoints.clone(), facts.time_ms).unwrap();
        let before = compiled.decide(&facts);
        let mut worse = Vec::new();

        let mut f = facts.clone();
        f.classes.yes.insert(class);
        worse.push(("a class more", f));
        let mut f = facts.clone();
        f.classes.unknown = ClassSet::all();
        worse.push(("a detector that failed", f));
        for level in Sensitivity::ALL.into_iter().filter(|l| *l > facts.sensitivity) {
            let mut f = facts.clone();
            f.sensitivity = level;
            worse.push(("a higher sensitivity", f));
        }
        let mut f = facts.clone();
        if let Some(set) = &mut f.subject_regions {
            set.insert(country.parse::<Country>().unwrap());
        }
        worse.push(("a region more", f));
        let mut f = facts.clone();
        f.subject_regions = None;
        f.controller = None;
        f.purpose = None;
        worse.push(("nothing declared", f));
        for (what, f) in worse {
            let after = compiled.decide(&f);
            prop_assert!(after.eligible.is_subset(&before.eligible), "{}: {:?} became {:?}", what, before.eligible, after.eligible);
        }

        let mut stricter = parts;
        stricter.rules.push(more.replace("mode: shadow", "mode: enforce"));
        let stricter = Compiled::new(Arc::new(stricter.bundle()), database(), endpoints, facts.time_ms).unwrap();
        prop_assert!(stricter.decide(&facts).eligible.is_subset(&before.eligible), "another rule made an endpoint eligible");
    }
}
