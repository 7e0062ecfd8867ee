//! Why a decision is what it is, for people and for the error that a client gets.

use super::{Compiled, near_name};
use crate::decision::{Decision, DenyCode, Outcome, RuleIndex};
use crate::facts::RequestFacts;
use crate::require::Requirement;
use crate::rule::{Mode, Rule};
use bailiwick_compliance_db::{Attribute, FactId, Resolved};
use serde::{Deserialize, Serialize};

/// Why a decision is what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The outcome in a sentence: what the client is told.
    pub summary: String,
    /// The rules that applied, were waived, or would have changed something.
    pub rules: Vec<RuleExplanation>,
    /// Every candidate endpoint, in the catalog's order.
    pub endpoints: Vec<EndpointExplanation>,
    /// What would have to change for the request to be allowed: the nearest endpoint and what it lacks.
    pub fix: Option<String>,
    /// The rules that refuse the request whatever the endpoint.
    pub denied_by: Vec<String>,
}

/// One rule's part in a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleExplanation {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Where it comes from.
    pub because: Vec<String>,
    /// Whether it is enforced.
    pub mode: Mode,
    /// Why it applies to this request, a condition each.
    pub matched_because: Vec<String>,
    /// The exception that waives it, if one does.
    pub waived_by: Option<String>,
}

/// One endpoint's part in a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointExplanation {
    /// Its name.
    pub name: String,
    /// Whether the request may go there.
    pub eligible: bool,
    /// What stands against it, in the bundle's order. Empty if it is eligible.
    pub reasons: Vec<Reason>,
}

/// One requirement that an endpoint does not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The rule that requires it.
    pub rule: String,
    /// Of which attribute; absent if the rule refuses the request whatever the endpoint.
    pub attribute: Option<Attribute>,
    /// What is required.
    pub required: String,
    /// What is known.
    pub actual: String,
    /// The facts behind what is known.
    pub facts: Vec<FactReference>,
    /// What would make it better, where something would.
    pub missing: Option<String>,
    /// All of it in a sentence.
    pub text: String,
}

/// A fact and where it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactReference {
    /// Its id in the compliance database.
    pub id: String,
    /// The page.
    pub url: String,
    /// What the page says, in other words.
    pub says: String,
    /// The day on which it last said so.
    pub observed_to: String,
}

impl Compiled {
    /// Explains a decision on these facts.
    #[must_use]
    pub fn explain(&self, facts: &RequestFacts, decision: &Decision) -> Explanation {
        let endpoints: Vec<EndpointExplanation> = decision
            .candidates
            .iter()
            .filter_map(|index| {
                let endpoint = self.endpoints.get(index)?;
                let mut reasons = self.reasons(index, facts, decision);
                let eligible = decision.eligible.contains(index);
                if eligible {
                    reasons.clear();
                }
                Some(EndpointExplanation { name: endpoint.name.clone(), eligible, reasons })
            })
            .collect();
        Explanation {
            summary: self.summary(facts, decision, &endpoints),
            rules: self.rule_explanations(facts, decision),
            fix: self.fix(facts, decision, &endpoints),
            denied_by: decision
                .denied_by
                .iter()
                .filter_map(|r| self.rule(*r))
                .map(|r| r.id.clone())
                .collect(),
            endpoints,
        }
    }

    fn reasons(&self, index: usize, facts: &RequestFacts, decision: &Decision) -> Vec<Reason> {
        let mut out = Vec::new();
        for rule in decision.rules.iter().filter_map(|r| self.rule(*r).map(|rule| (*r, rule))) {
            let (rule_index, rule) = rule;
            if decision.denied_by.contains(&rule_index) {
                let text = refusal(rule, facts);
                out.push(Reason {
                    rule: rule.id.clone(),
                    attribute: None,
                    required: String::new(),
                    actual: String::new(),
                    facts: Vec::new(),
                    missing: None,
                    text,
                });
            }
            for requirement in rule.require.requirements().unwrap_or_default() {
                let resolved = self.resolve(index, facts, requirement.attribute);
                if !resolved.as_ref().is_some_and(|r| requirement.met_by(r)) {
                    out.push(self.reason(index, rule, &requirement, resolved.as_ref()));
                }
            }
        }
        out
    }

    /// What is known of an attribute of an endpoint for a request.
    #[must_use]
    pub fn resolve(&self, endpoint: usize, facts: &RequestFacts, attribute: Attribute) -> Option<Resolved> {
        let node = self.node(&facts.scope)?;
        let profile = self.models.get(&facts.model)?.profile(endpoint)?;
        self.inputs().resolve(profile, attribute, node.attestations, facts.features, facts.time_ms)
    }

    fn reason(
        &self,
        index: usize,
        rule: &Rule,
        requirement: &Requirement,
        resolved: Option<&Resolved>,
    ) -> Reason {
        let name = self.endpoints.get(index).map_or("", |e| e.name.as_str());
        let attribute = requirement.attribute;
        let actual = match resolved.and_then(|r| r.value.as_ref()) {
            Some(value) => value.to_string(),
            None => "unknown".to_owned(),
        };
        let required = requirement.check.to_string();
        let references: Vec<FactReference> =
            resolved.into_iter().flat_map(|r| &r.facts).filter_map(|id| self.reference(id)).collect();
        let missing = resolved.filter(|r| !r.missing.is_empty()).map(|r| {
            let all: Vec<String> = r.missing.iter().map(ToString::to_string).collect();
            all.join("; ")
        });
        let mut text = format!("{name}: {attribute} is {actual}; required {required}");
        match (references.first(), &missing) {
            (Some(fact), _) if actual != "unknown" => {
                text.push_str(&format!(" (fact {}, {})", fact.id, fact.url));
            }
            (_, Some(missing)) => text.push_str(&format!(" (missing: {missing})")),
            _ => {}
        }
        Reason {
            rule: rule.id.clone(),
            attribute: Some(attribute),
            required,
            actual,
            facts: references,
            missing,
            text,
        }
    }

    fn reference(&self, id: &FactId) -> Option<FactReference> {
        let evidence = self.database.fact(id)?.evidence.iter().max_by_key(|e| e.observed_to)?;
        Some(FactReference {
            id: id.to_string(),
            url: evidence.url.clone(),
            says: evidence.says.clone(),
            observed_to: evidence.observed_to.to_string(),
        })
    }

    fn rule_explanations(&self, facts: &RequestFacts, decision: &Decision) -> Vec<RuleExplanation> {
        let exception = |index: u32| {
            usize::try_from(index).ok().and_then(|i| self.bundle.exceptions.get(i)).map(|e| e.id.clone())
        };
        let applied = decision.rules.iter().map(|r| (*r, None));
        let waived = decision.waived.iter().map(|w| (w.rule, exception(w.exception)));
        let shadow = decision.shadow.iter().map(|s| (s.rule, None));
        let mut all: Vec<(RuleIndex, Option<String>)> = applied.chain(waived).chain(shadow).collect();
        all.sort();
        all.into_iter()
            .filter_map(|(index, waived_by)| {
                let rule = self.rule(index)?;
                Some(RuleExplanation {
                    id: rule.id.clone(),
                    title: rule.title.clone(),
                    because: rule.because.clone(),
                    mode: rule.mode,
                    matched_because: matched_because(rule, facts),
                    waived_by,
                })
            })
            .collect()
    }

    fn summary(
        &self,
        facts: &RequestFacts,
        decision: &Decision,
        endpoints: &[EndpointExplanation],
    ) -> String {
        match decision.outcome {
            Outcome::Allow => {
                let names: Vec<&str> = self.names(&decision.eligible).collect();
                format!(
                    "{} of {} endpoints for {} are eligible: {}.",
                    names.len(),
                    endpoints.len(),
                    facts.model,
                    names.join(", ")
                )
            }
            Outcome::Deny { code: DenyCode::PolicyDenied } => {
                match decision.denied_by.iter().find_map(|r| self.rule(*r)) {
                    Some(rule) => refusal(rule, facts),
                    None => "A rule refuses this request.".to_owned(),
                }
            }
            Outcome::Deny { code: DenyCode::NoEligibleEndpoint } if endpoints.is_empty() => {
                format!("No endpoint serves {} ({}) to {}.", facts.model, facts.operation, facts.scope)
            }
            Outcome::Deny { code: DenyCode::NoEligibleEndpoint } => {
                let rule = most_excluding(endpoints).and_then(|id| self.bundle.rule(id));
                match rule.and_then(|r| r.message.as_ref()) {
                    Some(message) => fill(message, facts),
                    None => match rule {
                        Some(rule) => format!(
                            "None of the {} endpoints for {} is eligible: {}.",
                            endpoints.len(),
                            facts.model,
                            rule.title
                        ),
                        None => format!(
                            "None of the {} endpoints for {} is eligible.",
                            endpoints.len(),
                            facts.model
                        ),
                    },
                }
            }
        }
    }

    /// The way out: the endpoint that lacks least, and what it lacks.
    fn fix(
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
                .filter_map(|i| self.endpoints.get(i))
                .flat_map(|e| e.models.iter().map(|m| m.alias.as_str()))
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
            fix.push_str(&format!(" The model `{model}` would be allowed."));
        }
        Some(fix)
    }

    fn way_round(&self, rule: &Rule, facts: &RequestFacts) -> String {
        if let Some(list) = &rule.allow_models
            && !list.iter().any(|p| crate::pattern::matches(p, &facts.model))
        {
            return format!("Rule `{}` allows the models {}.", rule.id, list.join(", "));
        }
        if let Some(tool) =
            rule.deny_tools.as_ref().and_then(|list| super::conditions::any_tool(list, &facts.tools))
        {
            return format!("Send the request without the tool `{tool}`, which rule `{}` forbids.", rule.id);
        }
        format!("Only an approved exception from rule `{}` for {} would allow it.", rule.id, facts.scope)
    }

    /// A model under which the same request would be allowed, if there is one.
    fn other_model(&self, facts: &RequestFacts) -> Option<&str> {
        let mut others: Vec<&str> =
            self.models.keys().map(String::as_str).filter(|m| *m != facts.model).collect();
        others.sort_unstable();
        let mut tried = facts.clone();
        others.into_iter().find(|model| {
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

/// The rule that excludes most endpoints; of several, the first in the bundle.
fn most_excluding(endpoints: &[EndpointExplanation]) -> Option<&str> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for endpoint in endpoints {
        let mut seen: Vec<&str> = Vec::new();
        for reason in &endpoint.reasons {
            if seen.contains(&reason.rule.as_str()) {
                continue;
            }
            seen.push(&reason.rule);
            match counts.iter_mut().find(|(rule, _)| *rule == reason.rule) {
                Some((_, count)) => *count += 1,
                None => counts.push((&reason.rule, 1)),
            }
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max()?;
    counts.iter().find(|(_, count)| *count == most).map(|(rule, _)| *rule)
}

fn fill(message: &str, facts: &RequestFacts) -> String {
    message.replace("{model}", &facts.model).replace("{scope}", &facts.scope)
}

fn refusal(rule: &Rule, facts: &RequestFacts) -> String {
    match &rule.message {
        Some(message) => fill(message, facts),
        None => format!("Rule `{}` refuses this request: {}.", rule.id, rule.title),
    }
}

/// Each condition of the rule with what makes it hold.
fn matched_because(rule: &Rule, facts: &RequestFacts) -> Vec<String> {
    let when = &rule.when;
    let mut out = Vec::new();
    if let Some(data) = when.data {
        let held: Vec<&str> = data.intersection(facts.classes.yes).iter().map(|c| c.as_str()).collect();
        out.push(if held.is_empty() {
            let maybe: Vec<&str> =
                data.intersection(facts.classes.unknown).iter().map(|c| c.as_str()).collect();
            format!("it may hold {} data: nobody can say", maybe.join(", "))
        } else {
            format!("it holds {} data", held.join(", "))
        });
    }
    if when.sensitivity.is_some() {
        out.push(format!("it is {}", facts.sensitivity));
    }
    if let Some(regions) = &when.subject_region {
        out.push(match facts.subject_regions.filter(|set| !set.is_empty()) {
            Some(set) => format!("its subjects are in {set}, of which some is in {}", regions.join(", ")),
            None => format!("nobody declared where its subjects are, so {} is possible", regions.join(", ")),
        });
    }
    if let Some(regions) = &when.controller {
        out.push(match facts.controller {
            Some(country) => format!("its controller is established in {country}"),
            None => format!(
                "nobody declared where its controller is established, so {} is possible",
                regions.join(", ")
            ),
        });
    }
    if when.model.is_some() {
        out.push(format!("it asks for {}", facts.model));
    }
    if when.operation.is_some() {
        out.push(format!("it is for {}", facts.operation));
    }
    if when.purpose.is_some() {
        out.push(match &facts.purpose {
            Some(purpose) => format!("its purpose is {purpose}"),
            None => "nobody declared its purpose".to_owned(),
        });
    }
    if let Some(features) = when.features {
        out.push(format!("it uses {}", features.intersection(facts.features)));
    }
    if let Some(tool) = when.tools.as_ref().and_then(|list| super::conditions::any_tool(list, &facts.tools)) {
        out.push(format!("it offers the tool {tool}"));
    }
    if let Some(entities) = when.entities {
        let found: Vec<&str> =
            entities.intersection(facts.entities.entities()).iter().map(|e| e.as_str()).collect();
        out.push(format!("findings of {} were made in it", found.join(", ")));
    }
    if let Some(roles) = &when.role {
        let held: Vec<&str> = facts
            .principal
            .roles
            .iter()
            .map(|r| crate::condition::role_name(r))
            .filter(|held| roles.iter().any(|r| crate::condition::role_name(r) == *held))
            .collect();
        out.push(format!("the principal holds the role {}", held.join(", ")));
    }
    if out.is_empty() {
        out.push(format!("it holds for everything in {}", rule.scope));
    }
    out
}
