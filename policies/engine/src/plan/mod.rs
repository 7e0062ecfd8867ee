//! What another policy would have decided on the same facts: one decision beside the other.
//!
//! Endpoints are compared by name, so that the two policies may be compiled over different catalogs.

mod asked;
#[cfg(test)]
mod tests;

use crate::compiled::Compiled;
use crate::decision::{Decision, RuleIndex};
use crate::endpoint_set::EndpointSet;
use crate::facts::RequestFacts;
use serde::{Deserialize, Serialize};

pub use asked::{Asked, FACT_NAMES};

/// What another policy changes about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was allowed and would be refused.
    NewlyRefused,
    /// It was refused and would be allowed.
    NewlyAllowed,
    /// The endpoint that it went to, or would have been tried at first, is no longer eligible; another is.
    Rerouted,
    /// It goes where it went, and something else differs: see [`Handling`].
    Handled,
}

/// What differs of a request that is allowed either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handling {
    /// The eligible endpoints, though not the one it went to.
    pub eligible: bool,
    /// What is done to the findings that the request held, or to any kind of finding in a response.
    pub redactions: bool,
    /// Obligations.
    pub obligations: bool,
}

impl Handling {
    fn any(self) -> bool {
        self.eligible || self.redactions || self.obligations
    }
}

/// What differs, and by which rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs.
    pub change: Change,
    /// What differs in handling.
    pub handling: Handling,
    /// The rules that make the difference, by id: those of the new policy that refuse or exclude, or, of a request that
    /// would be allowed, those of the old one that did. Empty where it is access control or a kill switch.
    pub rules: Vec<String>,
}

/// Compares two decisions on the same facts. `went_to` is the endpoint that served the request, or the first that it was to
/// be tried at. `None` if nothing differs.
#[must_use]
pub fn compare(
    facts: &RequestFacts,
    (old, before): (&Compiled, &Decision),
    (new, after): (&Compiled, &Decision),
    went_to: Option<&str>,
) -> Option<Difference> {
    let rules = |policy: &Compiled, blamed: Vec<RuleIndex>| {
        blamed.into_iter().filter_map(|index| policy.rule(index)).map(|rule| rule.id.clone()).collect()
    };
    let (change, blamed) = match (before.is_allowed(), after.is_allowed()) {
        (false, false) => return None,
        (true, false) => {
            let lost = translate(old, &before.eligible, new);
            (Change::NewlyRefused, rules(new, new.blame(facts, after, &lost)))
        }
        (false, true) => {
            let gained = translate(new, &after.eligible, old);
            (Change::NewlyAllowed, rules(old, old.blame(facts, before, &gained)))
        }
        (true, true) => {
            let handling = handling(facts, (old, before), (new, after));
            let gone = went_to.is_some_and(|name| !new.names(&after.eligible).any(|one| one == name));
            if !gone {
                return handling.any().then(|| {
                    let lost = translate(old, &before.eligible, new).difference(&after.eligible);
                    let rules = rules(new, new.blame(facts, after, &lost));
                    Difference { change: Change::Handled, handling, rules }
                });
            }
            let lost = translate(old, &before.eligible, new).difference(&after.eligible);
            let rules = rules(new, new.blame(facts, after, &lost));
            return Some(Difference { change: Change::Rerouted, handling, rules });
        }
    };
    Some(Difference { change, handling: Handling::default(), rules: blamed })
}

/// The endpoints of `set` as the other policy numbers them.
fn translate(from: &Compiled, set: &EndpointSet, to: &Compiled) -> EndpointSet {
    let mut out = EndpointSet::empty(to.endpoints().len());
    for index in from.names(set).filter_map(|name| to.index_of(name)) {
        out.insert(index);
    }
    out
}

fn handling(
    facts: &RequestFacts,
    (old, before): (&Compiled, &Decision),
    (new, after): (&Compiled, &Decision),
) -> Handling {
    let held = facts.entities.entities();
    Handling {
        eligible: translate(old, &before.eligible, new) != after.eligible
            || before.eligible.len() != after.eligible.len(),
        // Of a request only what it held can be redacted; of its response nothing is known here.
        redactions: held
            .iter()
            .any(|kind| before.request_redactions.get(kind) != after.request_redactions.get(kind))
            || before.response_redactions != after.response_redactions,
        obligations: before.obligations != after.obligations,
    }
}
