//! Which rules stand between a request and endpoints.

use super::decide::{narrow, refuses};
use super::{Compiled, IndexBits};
use crate::decision::{Decision, RuleIndex};
use crate::endpoint_set::EndpointSet;
use crate::facts::RequestFacts;

impl Compiled {
    /// Of the rules that applied, those that refuse the request whatever the endpoint, or by themselves keep it from at
    /// least one of `endpoints`; in the bundle's order. It costs about as much as deciding, so that a million decisions
    /// can be asked about; [`explain`](Self::explain) says why.
    #[must_use]
    pub fn blame(
        &self,
        facts: &RequestFacts,
        decision: &Decision,
        endpoints: &EndpointSet,
    ) -> Vec<RuleIndex> {
        let table = self.node(&facts.scope).zip(self.shared.models.get(&facts.model)).map(|(node, model)| {
            model.table(
                node.attestations,
                facts.features,
                facts.time_ms,
                self.shared.compiled_at_ms,
                &self.inputs(),
            )
        });
        let mut blamed = Vec::new();
        for index in &decision.rules {
            let Ok(at) = self.shared.rules.binary_search_by_key(index, |rule| rule.index) else { continue };
            let Some(rule) = self.shared.rules.get(at) else { continue };
            let excludes = |requirements: &IndexBits| {
                let mut left = endpoints.clone();
                narrow(&mut left, requirements, table.as_deref());
                left != *endpoints
            };
            if refuses(rule, facts) || excludes(&rule.requirements) {
                blamed.push(*index);
            }
        }
        blamed
    }
}
