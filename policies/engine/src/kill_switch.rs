//! Kill switches: orders that nothing goes somewhere, for an emergency that does not wait for the bundle.
//!
//! A switch only ever takes endpoints away, after the rules have spoken, and nothing waives it. What nobody knows counts
//! against an endpoint here too: a switch on a transfer mechanism stops endpoints whose mechanism is unknown.

use crate::decision::Decision;
use crate::endpoint_set::EndpointSet;
use crate::facts::RequestFacts;
use crate::{Compiled, Reason, pattern, scope};
use bailiwick_compliance_db::{Attribute, Mechanism, Value};
use serde::{Deserialize, Serialize};

/// What a switch stops. Names may end in `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "target", rename_all = "snake_case")]
pub enum KillTarget {
    /// Endpoints of this name.
    Endpoint(String),
    /// A model, by the name that clients use or by the one that the provider is sent.
    Model(String),
    /// Every endpoint that this operator runs.
    Provider(String),
    /// Every endpoint whose transfers rely on this ground, alone or beside others.
    TransferMechanism(Mechanism),
}

/// One switch that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillSwitch {
    /// Its id.
    pub id: String,
    /// What it stops.
    #[serde(flatten)]
    pub target: KillTarget,
    /// For whose requests: those of this scope and below.
    pub scope: String,
    /// Why, for whoever is refused.
    pub reason: String,
}

impl KillSwitch {
    /// What stands for it where a rule's id stands for a rule. No rule is called so: a rule's id has no colon.
    #[must_use]
    pub fn rule_id(&self) -> String {
        format!("kill-switch:{}", self.id)
    }
}

impl Compiled {
    /// The policy with these switches in force.
    #[must_use]
    pub fn with_kill_switches(mut self, switches: Vec<KillSwitch>) -> Self {
        self.digests.kill_switches = kill_switches_digest(&switches);
        self.kill_switches = switches;
        self
    }

    /// The switches in force.
    #[must_use]
    pub fn kill_switches(&self) -> &[KillSwitch] {
        &self.kill_switches
    }

    /// The first of `switches`, which may be others than the policy's own, that stops a request at an endpoint.
    #[must_use]
    pub fn stopped_by<'s>(
        &self,
        switches: &'s [KillSwitch],
        endpoint: usize,
        facts: &RequestFacts,
    ) -> Option<&'s KillSwitch> {
        switches.iter().find(|switch| self.stops(switch, endpoint, facts))
    }

    fn stops(&self, switch: &KillSwitch, index: usize, facts: &RequestFacts) -> bool {
        if !scope::covers(&switch.scope, &facts.scope) {
            return false;
        }
        let Some(endpoint) = self.endpoints().get(index) else { return true };
        match &switch.target {
            KillTarget::Endpoint(name) => pattern::matches(name, &endpoint.name),
            KillTarget::Model(name) => {
                let sent = endpoint.models.iter().filter(|model| model.alias == facts.model);
                let bare = |upstream| self.database().profile_of(&endpoint.profile, upstream).model;
                pattern::matches(name, &facts.model)
                    || sent.into_iter().any(|model| {
                        pattern::matches(name, &model.upstream)
                            || pattern::matches(name, &bare(&model.upstream))
                    })
            }
            KillTarget::Provider(name) => pattern::matches(name, &endpoint.profile.operator),
            KillTarget::TransferMechanism(mechanism) => {
                match self.resolve(index, facts, Attribute::TransferMechanism).and_then(|known| known.value) {
                    Some(Value::Mechanisms(relied_on)) => relied_on.contains(*mechanism),
                    _ => true,
                }
            }
        }
    }

    /// Takes away what a switch stops.
    pub(crate) fn stop(&self, facts: &RequestFacts, decision: &mut Decision) {
        for (at, switch) in (0_u32..).zip(&self.kill_switches) {
            let mut stopped = EndpointSet::empty(self.endpoints().len());
            decision
                .candidates
                .iter()
                .filter(|index| self.stops(switch, *index, facts))
                .for_each(|index| stopped.insert(index));
            if !stopped.is_empty() {
                decision.eligible = decision.eligible.difference(&stopped);
                decision.stopped_by.push(at);
            }
        }
    }

    /// What switches hold against an endpoint.
    pub(crate) fn stop_reasons(
        &self,
        index: usize,
        facts: &RequestFacts,
        decision: &Decision,
    ) -> Vec<Reason> {
        let name = self.endpoints().get(index).map_or("", |endpoint| endpoint.name.as_str());
        self.stopping(decision)
            .filter(|switch| self.stops(switch, index, facts))
            .map(|switch| Reason {
                rule: switch.rule_id(),
                attribute: None,
                required: String::new(),
                actual: String::new(),
                facts: Vec::new(),
                missing: Some(format!("the lifting of kill switch {}", switch.id)),
                text: format!("{name}: stopped by kill switch {}: {}", switch.id, switch.reason),
            })
            .collect()
    }

    /// The switches that took a candidate away.
    pub fn stopping<'a>(&'a self, decision: &'a Decision) -> impl Iterator<Item = &'a KillSwitch> {
        decision
            .stopped_by
            .iter()
            .filter_map(|at| usize::try_from(*at).ok().and_then(|at| self.kill_switches.get(at)))
    }
}

/// The digest of the kill switches in force; `None` where there are none.
#[must_use]
pub fn kill_switches_digest(switches: &[KillSwitch]) -> Option<String> {
    use sha2::{Digest as _, Sha256};
    if switches.is_empty() {
        return None;
    }
    let mut hash = Sha256::new();
    for switch in switches {
        // As with endpoints: serialising these types cannot fail.
        let line = serde_json::to_string(switch).unwrap_or_else(|error| error.to_string());
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    Some(format!("sha256:{}", hex::encode(hash.finalize())))
}
