//! What holds of every decision, on random bundles, catalogs, requests and times.

use crate::naive::{self, Expected};
use crate::random::{Parts, endpoints, facts, instant, parts, rule_text};
use crate::starter::database;
use bailiwick_compliance_db::{Country, Mechanism};
use bailiwick_pii::{ClassSet, DataClass, RedactionPlan, Sensitivity};
use bailiwick_policy::{Compiled, Decision, Endpoint, KillSwitch, KillTarget, Outcome, RuleIndex, TestFacts};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn eligible(compiled: &Compiled, decision: &Decision) -> Vec<String> {
    compiled.names(&decision.eligible).map(str::to_owned).collect()
}

/// A decision in the words of [`naive`].
fn as_told(compiled: &Compiled, decision: &Decision) -> Expected {
    let ids = |rules: &[RuleIndex]| -> Vec<String> {
        rules.iter().map(|r| compiled.rule(*r).unwrap().id.clone()).collect()
    };
    let waived: Vec<RuleIndex> = decision.waived.iter().map(|w| w.rule).collect();
    let plan = |plan: &RedactionPlan| -> BTreeMap<String, Value> {
        let one = |redaction: bailiwick_pii::Redaction| {
            json!({
                "how": redaction.how.as_str(), "text": redaction.restore_text,
                "tool_arguments": redaction.restore_tool_arguments, "min_confidence": redaction.min_confidence,
            })
        };
        plan.iter().map(|(entity, redaction)| (entity.as_str().to_owned(), one(redaction))).collect()
    };
    Expected {
        outcome: match decision.outcome {
            Outcome::Allow => "allow",
            Outcome::Deny { code } => code.as_str(),
        },
        candidates: compiled.names(&decision.candidates).map(str::to_owned).collect(),
        eligible: eligible(compiled, decision),
        applied: ids(&decision.rules),
        denied_by: ids(&decision.denied_by),
        waived: ids(&waived),
        shadow: decision
            .shadow
            .iter()
            .map(|shadow| {
                let excluded = compiled.names(&shadow.would_exclude).map(str::to_owned).collect();
                let changed = shadow.would_change.iter().map(|what| what.as_str()).collect();
                (compiled.rule(shadow.rule).unwrap().id.clone(), (shadow.would_deny, excluded, changed))
            })
            .collect(),
        request: plan(&decision.request_redactions),
        response: plan(&decision.response_redactions),
        obligations: serde_json::to_value(decision.obligations).unwrap(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn decide_means_what_the_bundle_says(parts in parts(), endpoints in endpoints(), compiled_at in instant(), requests in proptest::collection::vec(facts(), 1..6)) {
        let source = parts.source();
        let bundle = Arc::new(parts.bundle());
        let database = database();
        let compiled = Compiled::new(Arc::clone(&bundle), Arc::clone(&database), endpoints.clone(), compiled_at).unwrap();
        for facts in requests {
            let decision = compiled.decide(&facts);
            let expected = naive::decide(&source, &bundle.attestations, &database, &endpoints, &facts);
            prop_assert_eq!(&as_told(&compiled, &decision), &expected);
            prop_assert_eq!(&compiled.decide(&facts), &decision, "the same facts, the same decision");
            for waiver in &decision.waived {
                let exception = compiled.exception(waiver).unwrap();
                prop_assert_eq!(&exception.rule, &compiled.rule(waiver.rule).unwrap().id);
                prop_assert!(exception.from.timestamp_millis() <= facts.time_ms && facts.time_ms < exception.until.timestamp_millis());
            }

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

    /// What fails, is stopped, or is not there any more leaves the others as they were: whichever endpoints a request falls
    /// back to, and whenever, they are ones that its first decision listed.
    #[test]
    fn falling_back_reaches_only_what_was_eligible(
        parts in parts(), endpoints in endpoints(), facts in facts(),
        failing in proptest::collection::vec(0..8_usize, 0..8),
    ) {
        let compile = |endpoints: Vec<Endpoint>| Compiled::new(Arc::new(parts.bundle()), database(), endpoints, facts.time_ms).unwrap();
        let whole = compile(endpoints.clone());
        let first = eligible(&whole, &whole.decide(&facts));
        let mut left = endpoints;
        let mut allowed = first;
        for failed in failing {
            let name = format!("e{failed}");
            left.retain(|endpoint| endpoint.name != name);
            allowed.retain(|endpoint| *endpoint != name);
            // Left out of the catalog, or of what access control allows: the same.
            let without = compile(left.clone());
            prop_assert_eq!(&eligible(&without, &without.decide(&facts)), &allowed);
            let mut narrowed = facts.clone();
            let mine = facts.allowed_endpoint_names.clone();
            narrowed.allowed_endpoint_names =
                Some(left.iter().map(|e| e.name.clone()).filter(|n| mine.as_ref().is_none_or(|m| m.contains(n))).collect());
            prop_assert_eq!(&eligible(&whole, &whole.decide(&narrowed)), &allowed);
        }
    }

    #[test]
    fn only_access_control_and_valid_exceptions_grant(parts in parts(), endpoints in endpoints(), facts in facts()) {
        let compile = |parts: &Parts| Compiled::new(Arc::new(parts.bundle()), database(), endpoints.clone(), facts.time_ms).unwrap();
        let with = compile(&parts);
        let decision = with.decide(&facts);
        let without = compile(&Parts { exceptions: Vec::new(), ..parts.clone() }).decide(&facts);
        prop_assert!(without.eligible.is_subset(&decision.eligible), "an exception took something away");
        if decision.eligible != without.eligible || decision.request_redactions != without.request_redactions {
            prop_assert!(!decision.waived.is_empty(), "something was granted, and no exception says so");
        }
        // A rule more, in any place of the bundle, a rule enforced, or a name less: never another endpoint.
        let order = Parts { rules: parts.rules.iter().rev().cloned().collect(), exceptions: Vec::new(), ..parts.clone() };
        prop_assert_eq!(&compile(&order).decide(&facts).eligible, &without.eligible, "the order of rules means something");
        let enforced = parts.rules.iter().map(|rule| rule.replace("mode: shadow", "mode: enforce").replace("mode: off", "mode: enforce"));
        let enforced = Parts { rules: enforced.collect(), ..parts.clone() };
        prop_assert!(compile(&enforced).decide(&facts).eligible.is_subset(&decision.eligible));
        prop_assert!(decision.eligible.is_subset(&decision.candidates));
    }

    /// Whatever it was compiled for, an agreement counts from its first millisecond to its last.
    #[test]
    fn an_attestation_counts_from_its_first_to_its_last_millisecond(
        from in instant(), days in 1..90_i64, compiled_at in instant(), feature in any::<bool>(),
    ) {
        let to = from + days * 86_400_000;
        let rule = "title: T\nbecause: [B]\nrequire: { hipaa_eligible: true }\n".to_owned();
        // The first of the agreements that `Parts` knows is a BAA with aws, here without a scope.
        let endpoints: Vec<Endpoint> =
            crate::starter::bundle().test_endpoints.iter().filter(|e| e.name == "bedrock-us-east-1").cloned().collect();
        let compile = |from, to| {
            let parts = Parts { rules: vec![rule.clone()], attestations: vec![(0, usize::MAX, from, to)], exceptions: Vec::new() };
            Compiled::new(Arc::new(parts.bundle()), database(), endpoints.clone(), compiled_at).unwrap()
        };
        let (limited, endless) = (compile(from, to), compile(0, 4_102_444_800_000));
        let text = format!("{{ scope: /acme, model: assistant, features: [{}] }}", if feature { "image_input" } else { "" });
        let mut facts = serde_norway::from_str::<TestFacts>(&text).unwrap().at(chrono::DateTime::UNIX_EPOCH);
        for (time_ms, covered) in [(from - 1, false), (from, true), (to - 1, true), (to, false)] {
            facts.time_ms = time_ms;
            // The evidence for what an agreement does must be young enough at that time too.
            prop_assert_eq!(limited.decide(&facts).is_allowed(), covered && endless.decide(&facts).is_allowed(), "at {}", time_ms);
        }
    }

    #[test]
    fn evidence_that_grows_old_never_makes_anything_eligible(parts in parts(), endpoints in endpoints(), facts in facts(), days in 0..2000_i64) {
        // Agreements and exceptions begin and end by themselves; what is left of time is the age of evidence.
        let parts = Parts { attestations: Vec::new(), exceptions: Vec::new(), ..parts };
        let compiled = Compiled::new(Arc::new(parts.bundle()), database(), endpoints, facts.time_ms).unwrap();
        // From a day on which all evidence was there.
        let now = facts.time_ms.max(1_795_478_400_000);
        let (mut early, mut late) = (facts.clone(), facts);
        early.time_ms = now;
        late.time_ms = now + days * 86_400_000;
        prop_assert!(compiled.decide(&late).eligible.is_subset(&compiled.decide(&early).eligible));
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
