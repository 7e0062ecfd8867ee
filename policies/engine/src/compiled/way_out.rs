//! The way out of a refusal.

use super::conditions::any_tool;
use super::explanation::EndpointExplanation;
use super::{Compiled, near_name};
use crate::decision::{Decision, DenyCode, Outcome};
use crate::facts::{Operation, RequestFacts};
use crate::rule::Rule;

/// A refusal tries at most this many other models for its way out, so that refusals stay cheap.
const MAX_OTHER_MODELS: usize = 64;

impl Compiled {
    /// The way out: the endpoint that lacks least, and what it lacks.
    pub(super) fn fix(
        &self,
        facts: &RequestFacts,
        decision: &Decision,
        endpoints: &[EndpointExplanation],
    ) -> Option<String> {
        let Outcome::Deny { code } = decision.outcome else { return None };
        if code == DenyCode::PolicyDenied {
            let rule = decision.denied_by.iter().find_map(|r| self.rule(*r))?;
            return Some(self.way_round(rule, facts));
        }
        let Some(nearest) = nearest(endpoints) else {
            let visible = self.visible_endpoints(&facts.scope, Some(facts.operation));
            let served: Vec<&str> = visible
                .iter()
                .filter_map(|i| self.shared.endpoints.get(i))
                .flat_map(|e| e.models.iter().filter(|m| e.does(m, facts.operation)))
                .map(|m| m.alias.as_str())
                .collect();
            return Some(match near_name(&facts.model, served.iter().copied()) {
                Some(near) => format!("Did you mean the model `{near}`?"),
                None if served.is_empty() => {
                    format!("Add an endpoint for {} to {} or above.", facts.operation, facts.scope)
                }
                None => "Ask for a model that GET /v1/models lists.".to_owned(),
            });
        };
        let lacking: Vec<String> = nearest
            .reasons
            .iter()
            .map(|r| match (&r.missing, r.attribute) {
                (Some(missing), _) => missing.clone(),
                (None, Some(attribute)) => format!("{attribute} {} (it is {})", r.required, r.actual),
                (None, None) => r.text.clone(),
            })
            .collect();
        let mut unique: Vec<&String> = Vec::new();
        for what in &lacking {
            if !unique.contains(&what) {
                unique.push(what);
            }
        }
        let first = unique.first()?;
        let mut fix = format!("The nearest endpoint, {}, lacks {first}", nearest.name);
        if unique.len() > 1 {
            fix.push_str(&format!(", and {} more", unique.len() - 1));
        }
        fix.push('.');
        if let Some(model) = self.other_model(facts) {
            fix.push_str(&format!(" The rules would allow the model `{model}`."));
        }
        Some(fix)
    }

    fn way_round(&self, rule: &Rule, facts: &RequestFacts) -> String {
        if facts.operation != Operation::Analyze
            && let Some(list) = &rule.allow_models
            && !list.iter().any(|p| crate::pattern::matches(p, &facts.model))
        {
            return format!("Rule `{}` allows the models {}.", rule.id, list.join(", "));
        }
        if let Some(tool) = rule.deny_tools.as_ref().and_then(|list| any_tool(list, &facts.tools)) {
            return format!("Send the request without the tool `{tool}`, which rule `{}` forbids.", rule.id);
        }
        format!("Only an approved exception from rule `{}` for {} would allow it.", rule.id, facts.scope)
    }

    /// A model under which the same request would be allowed, if there is one.
    fn other_model(&self, facts: &RequestFacts) -> Option<&str> {
        let mut others: Vec<&str> =
            self.shared.models.keys().map(String::as_str).filter(|m| *m != facts.model).collect();
        others.sort_unstable();
        let mut tried = facts.clone();
        others.into_iter().take(MAX_OTHER_MODELS).find(|model| {
            tried.model.clear();
            tried.model.push_str(model);
            self.decide(&tried).is_allowed()
        })
    }
}

fn nearest(endpoints: &[EndpointExplanation]) -> Option<&EndpointExplanation> {
    // Of two that lack equally much, the one that something would help.
    endpoints
        .iter()
        .min_by_key(|e| (e.reasons.len(), e.reasons.iter().filter(|r| r.missing.is_none()).count()))
}
