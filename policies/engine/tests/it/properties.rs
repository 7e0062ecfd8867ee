//! What holds of every decision, on random bundles, catalogs, requests and times.

use crate::random::{endpoints, facts, instant, meaning, parts, rule_text};
use crate::starter::database;
use bailiwick_compliance_db::{Country, Mechanism};
use bailiwick_pii::{ClassSet, DataClass, Sensitivity};
use bailiwick_policy::{Compiled, Decision, DenyCode, KillSwitch, KillTarget, Outcome};
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

    #[test]
    fn a_kill_switch_only_takes_endpoints_away(
        parts in parts(), endpoints in endpoints(), facts in facts(),
        which in 0..4_usize, name in "(e[0-7]|e\\*|aws|microsoft|openai|a\\*|m1|gpt-4\\.1|\\*)",
        mechanism in proptest::sample::select(Mechanism::ALL.to_vec()),
        scope in proptest::sample::select(vec!["/", "/acme", "/acme/retail", "/other"]),
    ) {
        let target = match which {
            0 => KillTarget::Endpoint(name),
            1 => KillTarget::Model(name),
            2 => KillTarget::Provider(name),
            _ => KillTarget::TransferMechanism(mechanism),
        };
        let switch = KillSwitch { id: "ks_1".into(), target, scope: scope.into(), reason: "why".into() };
        let text = serde_json::to_string(&switch).unwrap();
        prop_assert_eq!(&serde_json::from_str::<KillSwitch>(&text).unwrap(), &switch);
        let compile = || Compiled::new(Arc::new(parts.bundle()), database(), endpoints.clone(), facts.time_ms).unwrap();
        let (free, stopped) = (compile(), compile().with_kill_switches(vec![switch.clone()]));
        let (before, after) = (free.decide(&facts), stopped.decide(&facts));
        prop_assert_eq!(&before.candidates, &after.candidates);
        prop_assert!(after.eligible.is_subset(&before.eligible));
        let explanation = stopped.explain(&facts, &after);
        for (index, endpoint) in after.candidates.iter().zip(&explanation.endpoints) {
            let hit = free.stopped_by(std::slice::from_ref(&switch), index, &facts).is_some();
            prop_assert_eq!(after.eligible.contains(index), before.eligible.contains(index) && !hit);
            prop_assert_eq!(endpoint.reasons.iter().any(|r| r.rule == "kill-switch:ks_1"), hit);
            prop_assert_eq!(endpoint.eligible, endpoint.reasons.is_empty());
        }
        prop_assert_eq!(after.is_allowed(), !after.eligible.is_empty());
        prop_assert_eq!(explanation.fix.is_some(), !after.is_allowed());
        prop_assert!(stopped.digests().kill_switches.is_some() && free.digests().kill_switches.is_none());
    }
}
