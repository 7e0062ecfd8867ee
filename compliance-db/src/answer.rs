//! An answer in the making: what facts have contributed so far, and what is missing.

use chrono::{DateTime, Utc};

use crate::{
    Attestation, AttestationKindSet, Attribute, EndpointProfile, Fact, FactId, Missing, Resolved, Value,
};

/// An answer under construction.
pub(crate) struct Answer {
    pub(crate) attribute: Attribute,
    pub(crate) value: Option<Value>,
    pub(crate) has_basis: bool,
    pub(crate) spoilt: bool,
    pub(crate) facts: Vec<FactId>,
    pub(crate) conflicts: Vec<(FactId, FactId)>,
    pub(crate) valid_until: Option<DateTime<Utc>>,
    pub(crate) missing: Vec<Missing>,
    pub(crate) unverified: Vec<Missing>,
    pub(crate) unstated: Vec<Missing>,
    /// Kinds of agreement that would take away a fact that contributes.
    pub(crate) liftable: AttestationKindSet,
}

impl Answer {
    pub(crate) fn new(attribute: Attribute) -> Self {
        Self {
            attribute,
            value: None,
            has_basis: false,
            spoilt: false,
            facts: Vec::new(),
            conflicts: Vec::new(),
            valid_until: None,
            missing: Vec::new(),
            unverified: Vec::new(),
            unstated: Vec::new(),
            liftable: AttestationKindSet::EMPTY,
        }
    }

    pub(crate) fn join(&mut self, fact: &Fact, value: Value) {
        self.facts.push(fact.id.clone());
        self.liftable = self.liftable.union(fact.when.without_attestations);
        let joined = match self.value {
            Some(so_far) => self.attribute.join(so_far, value),
            None => self.attribute.join(value, value),
        };
        match joined {
            Some(joined) => self.value = Some(joined),
            // A value of the wrong kind: refused when files are loaded, and unknown should it ever get here.
            None => self.spoilt = true,
        }
    }

    pub(crate) fn spoil(&mut self, missing: Missing) {
        self.spoilt = true;
        self.missing.push(missing);
    }

    pub(crate) fn until(&mut self, instant: DateTime<Utc>) {
        self.valid_until = Some(self.valid_until.map_or(instant, |earlier| earlier.min(instant)));
    }

    pub(crate) fn until_attestations_change(
        &mut self,
        fact: &Fact,
        covering: &[&Attestation],
        now: DateTime<Utc>,
    ) {
        let kinds = fact.when.attestations.union(fact.when.without_attestations);
        for attestation in covering.iter().filter(|attestation| kinds.contains(attestation.kind)) {
            for instant in [Some(attestation.valid_from), attestation.valid_to].into_iter().flatten() {
                if now < instant {
                    self.until(instant);
                }
            }
        }
    }

    pub(crate) fn lacks_attestations(
        &mut self,
        fact: &Fact,
        lacking: AttestationKindSet,
        endpoint: &EndpointProfile,
        covering: &[&Attestation],
    ) {
        for attestation in lacking.iter() {
            let lapsed = covering.iter().find(|covering| covering.kind == attestation);
            self.missing.push(Missing::Attestation {
                attestation,
                operator: endpoint.operator.clone(),
                service: endpoint.service.clone(),
                fact: fact.id.clone(),
                lapsed: lapsed.map(|attestation| attestation.id.clone()),
            });
        }
    }

    /// Whether the fact applies is open until the endpoint states `field`. Said once a field.
    pub(crate) fn lacks_declaration(&mut self, fact: &Fact, field: &'static str) {
        let said = |missing: &Missing| matches!(missing, Missing::Declaration { field: other, .. } if *other == field);
        if !self.unstated.iter().any(said) {
            self.unstated.push(Missing::Declaration { fact: fact.id.clone(), field });
        }
    }

    pub(crate) fn finish(mut self, endpoint: &EndpointProfile) -> Resolved {
        let known = self.has_basis && !self.spoilt;
        if !known {
            self.missing.append(&mut self.unverified);
            if self.missing.is_empty() {
                self.missing.append(&mut self.unstated);
            }
            if self.missing.is_empty() {
                self.missing.push(Missing::Fact {
                    attribute: self.attribute,
                    service: endpoint.service.clone(),
                    operator: endpoint.operator.clone(),
                });
            }
        }
        if known {
            // One more fact makes a known value no better: only an agreement that lifts a default does.
            let liftable = self.liftable;
            self.missing.retain(|missing| match missing {
                Missing::Attestation { attestation, .. } => liftable.contains(*attestation),
                _ => true,
            });
        }
        self.missing.sort();
        self.missing.dedup();
        Resolved {
            attribute: self.attribute,
            value: self.value.filter(|_| known),
            facts: self.facts,
            conflicts: self.conflicts,
            valid_until: self.valid_until,
            missing: self.missing,
        }
    }
}
