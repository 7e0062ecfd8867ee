//! Deciding one request.

use super::conditions::{Subject, any_tool};
use super::table::Table;
use super::{Compiled, CompiledRule, IndexBits, has_bit, indexes, union_bits};
use crate::decision::{Decision, DenyCode, Handled, Obligations, Outcome, Shadow, Waiver};
use crate::endpoint_set::EndpointSet;
use crate::facts::{Operation, RequestFacts};
use crate::{pattern, scope};
use bailiwick_pii::{EntitySet, RedactionPlan};
use smallvec::SmallVec;

impl Compiled {
    /// Decides a request. Pure: the same facts give the same decision.
    ///
    /// A scope that is no path, and a model that nobody serves, are refused like a model without an eligible
    /// endpoint.
    #[must_use]
    pub fn decide(&self, facts: &RequestFacts) -> Decision {
        let mut decision = Decision {
            outcome: Outcome::Deny { code: DenyCode::NoEligibleEndpoint },
            candidates: EndpointSet::empty(self.shared.endpoints.len()),
            eligible: EndpointSet::default(),
            rules: SmallVec::new(),
            denied_by: SmallVec::new(),
            stopped_by: SmallVec::new(),
            waived: SmallVec::new(),
            shadow: Vec::new(),
            analyzed_by: SmallVec::new(),
            request_redactions: RedactionPlan::empty(),
            response_redactions: RedactionPlan::empty(),
            obligations: Obligations::default(),
        };
        let Some(node) = self.node(&facts.scope) else {
            decision.eligible = decision.candidates.clone();
            return decision;
        };
        let model = self.shared.models.get(&facts.model);
        if let Some(model) = model {
            if let Some(serving) = model.candidates.get(facts.operation as usize) {
                decision.candidates.union(serving);
            }
            decision.candidates.intersect(&node.endpoints);
            if let Some(names) = &facts.allowed_endpoint_names {
                decision.candidates.intersect(&self.named(names));
            }
        }

        let subject = Subject::new(facts, &self.shared.names);
        let mut asked = Asked::default();
        let mut shadows: SmallVec<[&CompiledRule; 4]> = SmallVec::new();
        for position in &node.rules {
            let Ok(position) = usize::try_from(*position) else { continue };
            let Some(rule) = self.shared.rules.get(position) else { continue };
            let about_model = match model {
                Some(model) => has_bit(&model.rules, position),
                None => rule.condition.model_holds(&facts.model),
            };
            if !about_model || !rule.condition.rest_holds(&subject) {
                continue;
            }
            if let Some(exception) = self.waiver(rule, facts) {
                decision.waived.push(Waiver { rule: rule.index, exception });
            } else if rule.enforced {
                apply(rule, facts, &mut decision, &mut asked);
            } else {
                shadows.push(rule);
            }
        }

        let table = model.map(|model| {
            model.table(
                node.attestations,
                facts.features,
                facts.time_ms,
                self.shared.compiled_at_ms,
                &self.inputs(),
            )
        });
        decision.eligible = decision.candidates.clone();
        narrow(&mut decision.eligible, &asked.requirements, table.as_deref());
        for (plans, plan) in [
            (&asked.request_plans, &mut decision.request_redactions),
            (&asked.response_plans, &mut decision.response_redactions),
        ] {
            indexes(plans)
                .filter_map(|at| self.shared.plans.get(at))
                .for_each(|of_rules| plan.merge(of_rules));
        }
        for rule in shadows {
            let mut left = decision.eligible.clone();
            narrow(&mut left, &rule.requirements, table.as_deref());
            let would_exclude = decision.eligible.difference(&left);
            let would_deny = refuses(rule, facts);
            let would_change = self.would_change(rule, facts, &decision);
            if would_deny || !would_exclude.is_empty() || !would_change.is_empty() {
                decision.shadow.push(Shadow { rule: rule.index, would_deny, would_exclude, would_change });
            }
        }
        self.stop(facts, &mut decision);
        if !decision.denied_by.is_empty() {
            decision.outcome = Outcome::Deny { code: DenyCode::PolicyDenied };
            decision.eligible.clear();
        } else if !decision.eligible.is_empty() {
            decision.outcome = Outcome::Allow;
        }
        decision
    }

    /// What a rule would change of how a request is handled, beside what those in force do to it.
    fn would_change(
        &self,
        rule: &CompiledRule,
        facts: &RequestFacts,
        decision: &Decision,
    ) -> SmallVec<[Handled; 1]> {
        let redacts = |plans: &IndexBits, already: &RedactionPlan, kinds: EntitySet| {
            let mut with = *already;
            indexes(plans).filter_map(|at| self.shared.plans.get(at)).for_each(|of_rule| with.merge(of_rule));
            kinds.iter().any(|kind| with.get(kind) != already.get(kind))
        };
        let mut with = decision.obligations;
        oblige(rule, &mut with);
        let limited = with.max_output_tokens != decision.obligations.max_output_tokens;
        with.max_output_tokens = decision.obligations.max_output_tokens;
        let changes = [
            (
                Handled::RequestRedactions,
                redacts(&rule.request_plans, &decision.request_redactions, facts.entities.entities()),
            ),
            // What a response will hold is not known yet.
            (
                Handled::ResponseRedactions,
                redacts(&rule.response_plans, &decision.response_redactions, EntitySet::all()),
            ),
            (Handled::OutputLimit, limited),
            (Handled::Obligations, with != decision.obligations),
        ];
        changes.into_iter().filter(|(_, changes)| *changes).map(|(what, _)| what).collect()
    }

    fn named(&self, names: &[String]) -> EndpointSet {
        let mut set = EndpointSet::empty(self.shared.endpoints.len());
        for index in names.iter().filter_map(|name| self.shared.by_name.get(name)) {
            set.insert(*index);
        }
        set
    }

    /// The exception that waives the rule for the request, if one does.
    fn waiver(&self, rule: &CompiledRule, facts: &RequestFacts) -> Option<u32> {
        rule.exceptions.iter().copied().find(|index| {
            usize::try_from(*index)
                .ok()
                .and_then(|i| self.shared.bundle.exceptions.get(i))
                .is_some_and(|e| e.holds_at(facts.time_ms) && scope::covers(&e.scope, &facts.scope))
        })
    }
}

/// What the rules that apply ask for, each thing once however many rules ask for it.
#[derive(Default)]
struct Asked {
    requirements: IndexBits,
    request_plans: IndexBits,
    response_plans: IndexBits,
}

/// Keeps the endpoints that meet every requirement. Without a table nothing is known, and nothing stays.
pub(super) fn narrow(set: &mut EndpointSet, required: &IndexBits, table: Option<&Table>) {
    for requirement in indexes(required) {
        match table.and_then(|t| t.meeting(requirement)) {
            Some(meeting) => set.intersect(meeting),
            None => set.clear(),
        }
    }
}

/// Whether the rule refuses the request whatever the endpoint.
pub(super) fn refuses(rule: &CompiledRule, facts: &RequestFacts) -> bool {
    // A detector is no model that anybody asks for.
    let asks_for_model = facts.operation != Operation::Analyze;
    rule.deny
        || rule
            .allow_models
            .as_ref()
            .is_some_and(|list| asks_for_model && !list.iter().any(|p| pattern::matches(p, &facts.model)))
        || rule.deny_tools.as_ref().is_some_and(|list| any_tool(list, &facts.tools).is_some())
}

fn apply(rule: &CompiledRule, facts: &RequestFacts, decision: &mut Decision, asked: &mut Asked) {
    decision.rules.push(rule.index);
    if refuses(rule, facts) {
        decision.denied_by.push(rule.index);
    }
    if rule.analyzes && facts.operation != Operation::Analyze {
        decision.analyzed_by.push(rule.index);
    }
    union_bits(&mut asked.requirements, &rule.requirements);
    union_bits(&mut asked.request_plans, &rule.request_plans);
    union_bits(&mut asked.response_plans, &rule.response_plans);
    oblige(rule, &mut decision.obligations);
}

/// Adds what a rule obliges to.
fn oblige(rule: &CompiledRule, obligations: &mut Obligations) {
    obligations.cache_denied |= rule.obligations.cache.is_some();
    obligations.log_content_denied |= rule.obligations.log_content.is_some();
    obligations.retain_days = obligations.retain_days.max(rule.obligations.retain_days);
    obligations.max_output_tokens = match (obligations.max_output_tokens, rule.limit_output_tokens) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
}
