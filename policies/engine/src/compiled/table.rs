//! Which endpoints of a model meet which requirement, and for how long that holds.

use super::{CompiledRule, IndexBits, set_bit};
use crate::endpoint::Endpoint;
use crate::endpoint_set::EndpointSet;
use crate::facts::Operation;
use crate::require::Requirement;
use bailiwick_compliance_db::{
    Attestation, Attribute, Context, Database, EndpointProfile, FeatureSet, Resolved,
};
use chrono::{DateTime, Utc};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, RwLock};

/// Beyond this many combinations of features and attestations a model's tables are made for one decision each.
const MAX_KEPT: usize = 1024;

/// What tables are made from.
pub(super) struct Inputs<'a> {
    pub(super) database: &'a Database,
    pub(super) endpoints: &'a [Endpoint],
    pub(super) requirements: &'a [Requirement],
    pub(super) visible: &'a [Vec<Attestation>],
    pub(super) max_evidence_age_days: u32,
}

impl Inputs<'_> {
    /// What is known of an attribute. An instant out of chrono's range knows nothing.
    pub(super) fn resolve(
        &self,
        profile: &EndpointProfile,
        attribute: Attribute,
        visible: usize,
        features: FeatureSet,
        time_ms: i64,
    ) -> Option<Resolved> {
        let context = Context {
            now: DateTime::<Utc>::from_timestamp_millis(time_ms)?,
            max_evidence_age_days: self.max_evidence_age_days,
            attestations: self.visible.get(visible).map(Vec::as_slice)?,
            features,
        };
        Some(self.database.resolve(profile, attribute, &context))
    }
}

/// For each requirement, the endpoints that meet it.
#[derive(Debug)]
pub(super) struct Table {
    meeting: Vec<EndpointSet>,
    /// From then on, inclusive.
    from_ms: i64,
    /// Until then, exclusive.
    until_ms: i64,
}

impl Table {
    fn build(
        members: &[(usize, EndpointProfile)],
        visible: usize,
        features: FeatureSet,
        inputs: &Inputs<'_>,
        time_ms: i64,
    ) -> Self {
        let mut meeting = vec![EndpointSet::empty(inputs.endpoints.len()); inputs.requirements.len()];
        let mut until_ms = i64::MAX;
        for (index, profile) in members {
            let mut known: Vec<(Attribute, Option<Resolved>)> = Vec::new();
            for (requirement, set) in inputs.requirements.iter().zip(&mut meeting) {
                let attribute = requirement.attribute;
                if !known.iter().any(|(a, _)| *a == attribute) {
                    let resolved = inputs.resolve(profile, attribute, visible, features, time_ms);
                    if let Some(until) = resolved.as_ref().and_then(|r| r.valid_until) {
                        until_ms = until_ms.min(until.timestamp_millis());
                    }
                    known.push((attribute, resolved));
                }
                let resolved = known.iter().find(|(a, _)| *a == attribute).and_then(|(_, r)| r.as_ref());
                if resolved.is_some_and(|r| requirement.met_by(r)) {
                    set.insert(*index);
                }
            }
        }
        Self { meeting, from_ms: time_ms, until_ms }
    }

    /// The endpoints that meet a requirement; none, for a requirement that the table does not know.
    pub(super) fn meeting(&self, requirement: usize) -> Option<&EndpointSet> {
        self.meeting.get(requirement)
    }

    fn holds_at(&self, time_ms: i64) -> bool {
        self.from_ms <= time_ms && time_ms < self.until_ms
    }
}

/// A model, as clients name it: who serves it, which rules are about it, and its tables.
#[derive(Debug)]
pub(super) struct ModelTables {
    /// The endpoints that serve the model, by what is to be done with it.
    pub(super) candidates: [EndpointSet; Operation::ALL.len()],
    /// Positions of the rules whose condition on the model holds.
    pub(super) rules: IndexBits,
    members: Vec<(usize, EndpointProfile)>,
    /// Features on which any table can depend.
    matter: FeatureSet,
    /// By visible attestations, for requests without features that matter.
    plain: Vec<Arc<Table>>,
    /// The others, as they are met.
    featured: RwLock<HashMap<(usize, FeatureSet), Arc<Table>>>,
}

impl ModelTables {
    pub(super) fn build(alias: &str, rules: &[CompiledRule], inputs: &Inputs<'_>, now_ms: i64) -> Self {
        let mut candidates = Operation::ALL.map(|_| EndpointSet::empty(inputs.endpoints.len()));
        let mut members = Vec::new();
        for (i, endpoint) in inputs.endpoints.iter().enumerate() {
            let Some(model) = endpoint.models.iter().find(|model| model.alias == alias) else { continue };
            for (operation, set) in Operation::ALL.into_iter().zip(&mut candidates) {
                if endpoint.does(model, operation) {
                    set.insert(i);
                }
            }
            members.push((i, endpoint.profile_for(&model.upstream, inputs.database)));
        }
        let mut about = IndexBits::new();
        for (i, _) in rules.iter().enumerate().filter(|(_, r)| r.condition.model_holds(alias)) {
            set_bit(&mut about, i);
        }
        let attributes: BTreeSet<Attribute> = inputs.requirements.iter().map(|r| r.attribute).collect();
        let mut matter = FeatureSet::EMPTY;
        for (_, profile) in &members {
            for attribute in &attributes {
                for attestations in inputs.visible {
                    matter =
                        matter.union(inputs.database.features_that_matter(profile, *attribute, attestations));
                }
            }
        }
        let plain = (0..inputs.visible.len())
            .map(|visible| Arc::new(Table::build(&members, visible, FeatureSet::EMPTY, inputs, now_ms)))
            .collect();
        Self { candidates, rules: about, members, matter, plain, featured: RwLock::default() }
    }

    pub(super) fn valid_until_ms(&self) -> Option<i64> {
        self.plain.iter().map(|t| t.until_ms).min().filter(|until| *until != i64::MAX)
    }

    /// The table for a request: a kept one if it holds at that time, else one made for it.
    pub(super) fn table(
        &self,
        visible: usize,
        features: FeatureSet,
        time_ms: i64,
        compiled_at_ms: i64,
        inputs: &Inputs<'_>,
    ) -> Arc<Table> {
        let features = features.intersection(self.matter);
        let make = |at_ms| Arc::new(Table::build(&self.members, visible, features, inputs, at_ms));
        if features.is_empty() {
            return match self.plain.get(visible) {
                Some(table) if table.holds_at(time_ms) => Arc::clone(table),
                _ => make(time_ms),
            };
        }
        // A poisoned lock only means that nothing is kept any more.
        let kept = self.featured.read().ok().and_then(|kept| kept.get(&(visible, features)).map(Arc::clone));
        match kept {
            Some(table) if table.holds_at(time_ms) => table,
            None if time_ms >= compiled_at_ms => {
                // Made for the time of compiling, it serves every later request too, until something changes.
                let table = make(compiled_at_ms);
                if let Ok(mut kept) = self.featured.write()
                    && kept.len() < MAX_KEPT
                {
                    kept.insert((visible, features), Arc::clone(&table));
                }
                if table.holds_at(time_ms) { table } else { make(time_ms) }
            }
            _ => make(time_ms),
        }
    }

    /// The profile under which an endpoint serves this model.
    pub(super) fn profile(&self, endpoint: usize) -> Option<&EndpointProfile> {
        self.members.iter().find(|(i, _)| *i == endpoint).map(|(_, p)| p)
    }
}
