//! Why a decision is what it is, for people and for the error that a client gets.

use super::Compiled;
use super::explanation::{
    EndpointExplanation, Explanation, FactReference, PageReference, Reason, RuleExplanation,
};
use crate::decision::{Decision, DenyCode, Outcome, RuleIndex};
use crate::facts::RequestFacts;
use crate::require::Requirement;
use crate::rule::{Mode, Rule};
use crate::scope;
use bailiwick_compliance_db::{Attribute, Confidence, Evidence, EvidenceKind, FactId, Resolved};

impl Compiled {
    /// Explains a decision on these facts.
    #[must_use]
    pub fn explain(&self, facts: &RequestFacts, decision: &Decision) -> Explanation {
        let endpoints: Vec<EndpointExplanation> = decision
            .candidates
            .iter()
            .filter_map(|index| {
                let endpoint = self.shared.endpoints.get(index)?;
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
            switched_off: self.switched_off(facts),
            endpoints,
        }
    }

    fn switched_off(&self, facts: &RequestFacts) -> Vec<String> {
        let switched = |rule: &&Rule| {
            rule.mode == Mode::Off
                && rule.origin.as_ref().is_some_and(|origin| origin.switched_from.is_some())
                && scope::covers(&rule.scope, &facts.scope)
        };
        self.shared.bundle.rules.iter().filter(switched).map(|rule| rule.id.clone()).collect()
    }

    fn reasons(&self, index: usize, facts: &RequestFacts, decision: &Decision) -> Vec<Reason> {
        let mut out = self.stop_reasons(index, facts, decision);
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
        let profile = self.shared.models.get(&facts.model)?.profile(endpoint)?;
        self.inputs().resolve(profile, attribute, node.attestations, facts.features, facts.time_ms)
    }

    fn reason(
        &self,
        index: usize,
        rule: &Rule,
        requirement: &Requirement,
        resolved: Option<&Resolved>,
    ) -> Reason {
        let name = self.shared.endpoints.get(index).map_or("", |e| e.name.as_str());
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
                let page = fact.evidence.first().map_or("no page", |page| page.url.as_str());
                text.push_str(&format!(" (fact {}, {page})", fact.id));
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
        let mut evidence: Vec<&Evidence> = self.shared.database.fact(id)?.evidence.iter().collect();
        evidence.sort_by_key(|evidence| weight(evidence));
        let page = |evidence: &Evidence| PageReference {
            url: evidence.url.clone(),
            says: evidence.says.clone(),
            observed_to: evidence.observed_to.to_string(),
        };
        Some(FactReference { id: id.to_string(), evidence: evidence.into_iter().map(page).collect() })
    }

    fn rule_explanations(&self, facts: &RequestFacts, decision: &Decision) -> Vec<RuleExplanation> {
        let applied = decision.rules.iter().map(|r| (*r, None));
        let waived = decision.waived.iter().map(|w| (w.rule, self.exception(w).map(|e| e.id.clone())));
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
                    pack: rule.origin.as_ref().map(|origin| match origin.switched_from {
                        Some(from) => {
                            format!(
                                "{}, switched from {} to {}",
                                origin.pack,
                                from.as_str(),
                                rule.mode.as_str()
                            )
                        }
                        None => origin.pack.clone(),
                    }),
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
                let most = most_excluding(endpoints);
                if let Some(switch) =
                    self.stopping(decision).find(|switch| most.is_some_and(|id| id == switch.rule_id()))
                {
                    return format!(
                        "None of the {} endpoints for {} is eligible: kill switch {}: {}",
                        endpoints.len(),
                        facts.model,
                        switch.id,
                        switch.reason
                    );
                }
                let rule = most.and_then(|id| self.shared.bundle.rule(id));
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
}

/// The less, the nearer to who has to keep what is said.
fn weight(evidence: &Evidence) -> u8 {
    match (evidence.confidence, evidence.kind) {
        (Confidence::Unverified, _) => 3,
        (Confidence::Sourced, EvidenceKind::VendorDoc | EvidenceKind::VendorContract) => 0,
        (Confidence::Sourced, EvidenceKind::OperatorDeclaration) => 1,
        (Confidence::Sourced, EvidenceKind::ThirdParty) => 2,
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bundle, BundleSource};
    use bailiwick_compliance_db::Database;
    use std::sync::Arc;

    #[test]
    fn the_first_page_of_a_fact_is_the_first_that_its_vendor_says_it_on_and_all_are_there() {
        let bundle = Arc::new(Bundle::load(&BundleSource::starter()).unwrap());
        let database = Arc::new(bundle.database(Database::embedded_files()).unwrap());
        let policy = Compiled::new(bundle, Arc::clone(&database), Vec::new(), 0).unwrap();
        let (mut of_vendors, mut moved) = (0, 0);
        for fact in database.facts() {
            let reference = policy.reference(&fact.id).unwrap();
            assert_eq!(reference.evidence.len(), fact.evidence.len(), "{}", fact.id);
            let vendors = fact.evidence.iter().position(|page| {
                page.confidence == Confidence::Sourced
                    && matches!(page.kind, EvidenceKind::VendorDoc | EvidenceKind::VendorContract)
            });
            let first = vendors.and_then(|at| fact.evidence.get(at));
            if let Some(first) = first {
                assert_eq!(reference.evidence[0].says, first.says, "{}", fact.id);
                of_vendors += 1;
            }
            moved += usize::from(vendors.is_some_and(|at| at > 0));
            // What nobody read is the last thing to be shown.
            let read = fact.evidence.iter().find(|page| page.confidence == Confidence::Sourced);
            if read.is_some() {
                let shown = &reference.evidence[0].says;
                let sourced =
                    |page: &&Evidence| page.confidence == Confidence::Sourced && page.says == *shown;
                assert!(fact.evidence.iter().any(|page| sourced(&page)), "{}", fact.id);
            }
        }
        assert!(of_vendors > 200 && moved > 0, "{of_vendors} {moved}");
    }
}
