//! A decision as its records tell it.

use std::collections::BTreeMap;

use bailiwick_ledger::Section;
use bailiwick_pii::EntityCounts;
use bailiwick_policy::{
    Asked, Compiled, Decision, DenyCode, EndpointSet, Handled, Obligations, RequestFacts, RuleIndex,
};
use serde::Deserialize;

use crate::gateway::record::read_facts;
use crate::gateway::settle::{OutcomeSection, UsageSection};
use crate::store::replay::DecisionRecord;

/// What the records of one decision say.
pub(super) struct Recorded {
    pub(super) id: String,
    pub(super) facts: RequestFacts,
    /// Facts that were not recorded.
    pub(super) missing: Asked,
    pub(super) digests: BTreeMap<String, String>,
    decision: DecisionSection,
    /// What it was refused with, if it was.
    refusal: Option<RefusalSection>,
    /// Where it ended, if it was tried.
    pub(super) outcome: Option<OutcomeSection>,
    /// What its last attempt used.
    pub(super) usage: Option<UsageSection>,
    /// What all its attempts cost, nano-dollars.
    pub(super) cost_nano: Option<i64>,
}

/// The section `decision`, as far as it is compared.
#[derive(Deserialize)]
struct DecisionSection {
    outcome: String,
    candidates: Vec<String>,
    eligible: Vec<String>,
    order: Vec<String>,
    rules: Vec<String>,
    waived: Vec<WaivedRule>,
    shadow: Vec<ShadowRule>,
    redactions: EntityCounts,
    obligations: Obligations,
}

/// A rule that an exception waived, and which.
#[derive(Deserialize, PartialEq)]
struct WaivedRule {
    rule: String,
    exception: String,
}

/// A rule in shadow mode, and what enforcing it would have changed.
#[derive(Deserialize, PartialEq)]
struct ShadowRule {
    rule: String,
    would_deny: bool,
    would_exclude: Vec<String>,
    #[serde(default)]
    would_change: Vec<Handled>,
}

/// The section `refusal`, as far as it is compared.
#[derive(Deserialize)]
struct RefusalSection {
    code: String,
    rules: Vec<String>,
}

impl RefusalSection {
    /// Whether the rules refused it: not access control, a ceiling, a budget, or a kill switch that was thrown when it was
    /// decided already.
    fn is_by_the_rules(&self) -> bool {
        let codes = [DenyCode::PolicyDenied, DenyCode::NoEligibleEndpoint].map(DenyCode::as_str);
        let stopped = self.rules.iter().any(|rule| rule.starts_with("kill-switch:"));
        codes.contains(&self.code.as_str()) && !stopped
    }
}

/// Why a decision cannot be read.
pub(super) enum Unreadable {
    /// These are records of what came of a decision that was made before.
    NoDecision,
    /// The scope, and why.
    Because(String, &'static str),
}

impl Recorded {
    /// Reads the records of one decision, in order.
    pub(super) fn read(records: &[DecisionRecord]) -> Result<Self, Unreadable> {
        let first = records.first().ok_or(Unreadable::NoDecision)?;
        let damaged = |scope: &str| Unreadable::Because(scope.to_owned(), "its record is damaged");
        let header = first.header().map_err(|_| damaged("/"))?;
        if first.kind == "outcome" {
            return Err(Unreadable::NoDecision);
        }
        let scope = header.scope.clone().unwrap_or_else(|| String::from("/"));
        let sections = first.sections().map_err(|_| damaged(&scope))?;
        let (Some(facts), Some(decision)) = (find(&sections, "facts"), find(&sections, "decision")) else {
            return Err(Unreadable::Because(scope, "its facts are not disclosed, or no longer kept"));
        };
        let missing = Asked::missing_from(facts).map_err(|_| damaged(&scope))?;
        let facts = read_facts(facts).map_err(|_| damaged(&scope))?;
        let refusal = find(&sections, "refusal").map(serde_json::from_slice).transpose();
        let refusal = refusal.map_err(|_| damaged(&scope))?;
        let decision = serde_json::from_slice(decision).map_err(|_| damaged(&scope))?;
        let mut recorded = Self {
            id: first.decision.clone(),
            facts,
            missing,
            digests: header.digests,
            decision,
            refusal,
            outcome: None,
            usage: None,
            cost_nano: None,
        };
        for record in records.iter().filter(|record| record.kind == "outcome") {
            let sections = record.sections().map_err(|_| damaged(&scope))?;
            let read = |name| find(&sections, name);
            recorded.outcome = read("outcome").and_then(|bytes| serde_json::from_slice(bytes).ok());
            recorded.usage = read("usage").and_then(|bytes| serde_json::from_slice(bytes).ok());
            let cost = recorded.usage.as_ref().and_then(|usage: &UsageSection| usage.cost_nano);
            recorded.cost_nano = crate::gateway::settle::total(recorded.cost_nano, cost);
        }
        Ok(recorded)
    }

    /// The endpoint that it went to in the end, or would have been tried at first.
    pub(super) fn went_to(&self) -> Option<&str> {
        let ended = self.outcome.as_ref().map(|outcome| outcome.endpoint.as_str());
        ended.or_else(|| self.decision.order.first().map(String::as_str))
    }

    /// Whether a policy decides as it was recorded. A request that something else than the rules refused was recorded with
    /// what the rules alone say of it.
    pub(super) fn is_reproduced_by(&self, policy: &Compiled, decision: &Decision) -> bool {
        let names = |set: &EndpointSet| policy.names(set).map(str::to_owned).collect::<Vec<_>>();
        let id = |index: RuleIndex| policy.rule(index).map(|rule| rule.id.clone()).unwrap_or_default();
        let waived = decision.waived.iter().map(|waiver| WaivedRule {
            rule: id(waiver.rule),
            exception: policy.exception(waiver).map(|exception| exception.id.clone()).unwrap_or_default(),
        });
        let shadow = decision.shadow.iter().map(|shadow| ShadowRule {
            rule: id(shadow.rule),
            would_deny: shadow.would_deny,
            would_exclude: names(&shadow.would_exclude),
            would_change: shadow.would_change.to_vec(),
        });
        // How often something was redacted is the recognizers' doing; of what, the rules'.
        let redacted = self.decision.redactions.entities();
        let outcome = if decision.is_allowed() {
            !self.refusal.as_ref().is_some_and(RefusalSection::is_by_the_rules)
        } else {
            self.decision.outcome != "allow"
        };
        outcome
            && names(&decision.candidates) == self.decision.candidates
            && names(&decision.eligible) == self.decision.eligible
            && decision.rules.iter().map(|rule| id(*rule)).eq(self.decision.rules.iter().cloned())
            && waived.collect::<Vec<_>>() == self.decision.waived
            && shadow.collect::<Vec<_>>() == self.decision.shadow
            && decision.obligations == self.decision.obligations
            && redacted.is_subset(decision.request_redactions.entities())
    }

    /// Whether it was refused although the rules allowed it.
    pub(super) fn refused_elsewhere(&self, before: &Decision) -> bool {
        before.is_allowed() && self.decision.outcome != "allow"
    }
}

fn find<'a>(sections: &'a [Section], name: &str) -> Option<&'a [u8]> {
    sections.iter().find(|section| section.name == name).map(|section| section.bytes.as_slice())
}
