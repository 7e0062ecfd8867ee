//! The decision over every candidate endpoint.

use bailiwick_compliance_db::FeatureSet;
use bailiwick_pii::{ClassSet, EntityCounts, EntitySet, EntityType};
use bailiwick_policy::{ClassKnowledge, Decision, PrincipalFacts, RequestFacts};

use super::authenticate::Authenticated;
use super::classify::Classified;
use super::refusal::{Code, Excluded, Refusal};
use crate::providers::Operation;

/// A request that is decided, one way or the other.
#[derive(Debug)]
pub struct Decided {
    pub(super) id: String,
    pub(super) classified: Classified,
    pub(super) facts: RequestFacts,
    pub(super) decision: Decision,
    _sealed: (),
}

/// Decides. `id` names the decision from here on.
#[must_use]
pub fn decide(classified: Classified, id: String) -> Decided {
    let facts = facts(&classified);
    let decision = classified.read.auth.snapshot.policy.decide(&facts);
    Decided { id, classified, facts, decision, _sealed: () }
}

/// Every fact that a rule can ask about.
fn facts(classified: &Classified) -> RequestFacts {
    let read = &classified.read;
    let key = &read.auth.key;
    let asked = read.asked_output();
    let mut entities = classified.entities;
    entities.merge(&classified.watched);
    RequestFacts {
        time_ms: read.auth.snapshot.decide_at_ms.unwrap_or(read.auth.now_ms),
        scope: key.scope.clone(),
        operation: operation(read.operation),
        model: read.model.clone(),
        classes: classified.classes,
        sensitivity: classified.sensitivity,
        subject_regions: classified.regions,
        controller: key.declared.controller,
        purpose: classified.purpose.clone(),
        entities,
        features: read.features,
        tools: read.tools.clone(),
        stream: read.shape.stream,
        input_tokens: u32::try_from(read.input_tokens).unwrap_or(u32::MAX),
        max_output_tokens: asked.map(|asked| u32::try_from(asked).unwrap_or(u32::MAX)),
        principal: PrincipalFacts { id: format!("key:{}", key.id), roles: key.roles.clone() },
        allowed_endpoint_names: key.endpoints.clone(),
    }
}

/// Whether any request with this key can be served by `model`: one that holds no more than what is declared for all of
/// the key's requests, with a purpose that the key may declare or without. More data only ever takes endpoints away.
pub(super) fn usable(auth: &Authenticated, model: &str) -> bool {
    let key = &auth.key;
    let purposes = std::iter::once(None).chain(key.purposes.iter().cloned().map(Some));
    let operations =
        [Operation::ChatCompletions, Operation::Embeddings, Operation::Messages, Operation::Responses];
    purposes.flat_map(|purpose| operations.map(|asked| (purpose.clone(), asked))).any(|(purpose, asked)| {
        let facts = RequestFacts {
            time_ms: auth.snapshot.decide_at_ms.unwrap_or(auth.now_ms),
            scope: key.scope.clone(),
            operation: operation(asked),
            model: model.to_owned(),
            classes: ClassKnowledge { yes: key.declared.classes, unknown: ClassSet::EMPTY },
            sensitivity: key.declared.sensitivity.unwrap_or_default(),
            subject_regions: key.declared.subject_regions,
            controller: key.declared.controller,
            purpose,
            entities: EntityCounts::default(),
            features: FeatureSet::EMPTY,
            tools: Vec::new(),
            stream: false,
            input_tokens: 0,
            max_output_tokens: None,
            principal: PrincipalFacts { id: format!("key:{}", key.id), roles: key.roles.clone() },
            allowed_endpoint_names: key.endpoints.clone(),
        };
        auth.snapshot.policy.decide(&facts).is_allowed()
    })
}

/// What is served, and where.
const SERVED: [(bailiwick_policy::Operation, &str); 4] = [
    (bailiwick_policy::Operation::ChatCompletions, "POST /v1/chat/completions"),
    (bailiwick_policy::Operation::Responses, "POST /v1/responses"),
    (bailiwick_policy::Operation::Embeddings, "POST /v1/embeddings"),
    (bailiwick_policy::Operation::Messages, "POST /v1/messages"),
];

/// The engine's word for what is served.
#[must_use]
pub fn operation(operation: Operation) -> bailiwick_policy::Operation {
    match operation {
        Operation::ChatCompletions => bailiwick_policy::Operation::ChatCompletions,
        Operation::Responses => bailiwick_policy::Operation::Responses,
        Operation::Embeddings => bailiwick_policy::Operation::Embeddings,
        // What is counted is sent to the provider as what is answered is.
        Operation::Messages | Operation::CountTokens => bailiwick_policy::Operation::Messages,
    }
}

impl Decided {
    /// Counts what rules in shadow mode would have changed.
    pub(super) fn tell_shadow(&self) {
        let policy = &self.classified.read.auth.snapshot.policy;
        for shadow in &self.decision.shadow {
            let Some(rule) = policy.rule(shadow.rule) else { continue };
            // That it refuses says it all; else each thing that it would have changed.
            if shadow.would_deny {
                super::metrics::shadow(&rule.id, "deny");
            } else {
                if !shadow.would_exclude.is_empty() {
                    super::metrics::shadow(&rule.id, "exclude");
                }
                shadow.would_change.iter().for_each(|what| super::metrics::shadow(&rule.id, what.as_str()));
            }
        }
    }

    /// Why the request goes nowhere, if it does not.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        let key = &self.classified.read.auth.key;
        if !key.models.contains(&self.facts.model) || self.decision.candidates.is_empty() {
            return Some(self.no_such_model());
        }
        if let Some(refusal) = super::ceiling::refusal(&self.classified, &self.id) {
            return Some(refusal);
        }
        if self.decision.is_allowed() {
            return self.unchangeable();
        }
        let explanation = self.classified.read.auth.snapshot.policy.explain(&self.facts, &self.decision);
        let code = match self.decision.outcome {
            bailiwick_policy::Outcome::Deny { code: bailiwick_policy::DenyCode::PolicyDenied } => {
                Code::PolicyDenied
            }
            _ => Code::NoEligibleEndpoint,
        };
        let mut refusal = Refusal::new(code, explanation.summary).decision(&self.id);
        refusal.rules = explanation.denied_by;
        for reason in explanation.endpoints.iter().flat_map(|endpoint| &endpoint.reasons) {
            if !refusal.rules.contains(&reason.rule) {
                refusal.rules.push(reason.rule.clone());
            }
        }
        refusal.excluded = explanation
            .endpoints
            .iter()
            .filter(|endpoint| !endpoint.eligible)
            .flat_map(|endpoint| {
                endpoint.reasons.iter().map(|reason| Excluded {
                    endpoint: endpoint.name.clone(),
                    rule: Some(reason.rule.clone()),
                    reason: reason.text.clone(),
                })
            })
            .collect();
        if let Some(fix) = explanation.fix {
            refusal.fix = fix;
        }
        if self.classified.read.sealed.strange {
            refusal.fix.push_str(
                " It holds a signed or encrypted thought that did not come through this gateway within the last 30 days, and \
                 so may hold anything: leave such thoughts out, or begin the conversation anew.",
            );
        }
        if self.classified.read.strange {
            // Not by its name, which may be any text.
            refusal.fix.push_str(
                " The body, or a tool in it, has a member that is not known here, and so counts as every feature that \
                 there is: leave it out, if it is not needed.",
            );
        }
        Some(refusal)
    }

    /// Where a rule has something replaced that stands in a file in which nothing can be.
    fn unchangeable(&self) -> Option<Refusal> {
        let (text, plan) = (&self.classified.read.text, &self.decision.request_redactions);
        if !text.has_unchangeable() {
            return None;
        }
        let stuck: EntitySet = self
            .classified
            .to_replace(plan)
            .iter()
            .filter(|found| text.is_unchangeable(found.span))
            .map(|found| found.finding.entity)
            .collect();
        if stuck.is_empty() {
            return None;
        }
        let kinds: Vec<&str> = stuck.iter().map(EntityType::as_str).collect();
        let mut refusal = Refusal::new(
            Code::PolicyDenied,
            format!(
                "a PDF in this request holds {}, which the rules have replaced, and nothing in a PDF can be",
                kinds.join(", ")
            ),
        )
        .decision(&self.id)
        .fix("send the text instead of the file, or a file without it");
        let policy = &self.classified.read.auth.snapshot.policy;
        let redacts = |rule: &&bailiwick_policy::Rule| {
            rule.redact.as_ref().is_some_and(|redact| redact.entities.intersects(stuck))
        };
        let rules = self.decision.rules.iter().filter_map(|index| policy.rule(*index));
        refusal.rules = rules.filter(redacts).map(|rule| rule.id.clone()).collect();
        Some(refusal)
    }

    fn no_such_model(&self) -> Refusal {
        let key = &self.classified.read.auth.key;
        let serves = |model: &str, operation| {
            let endpoints = self.classified.read.auth.snapshot.policy.endpoints();
            endpoints.iter().any(|endpoint| {
                bailiwick_policy::scope::covers(&endpoint.scope, &key.scope)
                    && key.endpoints.as_ref().is_none_or(|only| only.contains(&endpoint.name))
                    && endpoint.models.iter().any(|one| one.alias == model && endpoint.does(one, operation))
            })
        };
        let models: Vec<&str> = key
            .models
            .iter()
            .map(String::as_str)
            .filter(|model| serves(model, self.facts.operation) && usable(&self.classified.read.auth, model))
            .take(8)
            .collect();
        let asked = Some(self.facts.model.as_str()).filter(|model| key.models.contains(*model));
        let other =
            asked.and_then(|model| SERVED.into_iter().find(|(operation, _)| serves(model, *operation)));
        let none = |model: &str| format!("this key has no model `{model}` for {}", self.facts.operation);
        let mut refusal = Refusal::new(
            Code::ModelNotFound,
            none(&self.facts.model),
        )
        .decision(&self.id)
        .fix(match other {
            Some((operation, route)) if models.is_empty() => {
                format!("`{}` serves {operation}: send the request to `{route}`", self.facts.model)
            }
            Some((operation, route)) => format!(
                "`{}` serves {operation}: send the request to `{route}`, or ask for one of {}",
                self.facts.model,
                models.join(", ")
            ),
            None if models.is_empty() => format!(
                "no endpoint of {} serves a model for {} that this key may use: an operator declares endpoints",
                key.scope, self.facts.operation
            ),
            None => format!(
                "`GET /v1/models` lists what this key may use; for {}: {}",
                self.facts.operation,
                models.join(", ")
            ),
        });
        refusal.told = self.classified.read.asked_model.as_deref().map(none);
        refusal.param = Some(String::from("model"));
        refusal
    }
}
