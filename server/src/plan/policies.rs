//! The pairs of policies that recorded decisions are decided with.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bailiwick_pii::{Detector, EntitySet};
use bailiwick_policy::{Bundle, Change, Compiled, Decision, RequestFacts};
use chrono::NaiveDate;

use super::Plan;
use crate::snapshot::{Archive, Kept, MadeFrom, NotKept, OtherFacts};

type Digests = BTreeMap<String, String>;

/// The facts that are planned with.
struct With {
    /// Another database's files.
    shipped: Option<Arc<BTreeMap<String, String>>>,
    facts: Vec<(String, String)>,
    /// The day on which the plan is made.
    today: NaiveDate,
}

/// Pairs by what the record was decided with, compiled for a span of time: a policy compiled for a time decides other times
/// rightly, only much more slowly.
pub(super) struct Policies {
    /// Each decision's own where absent.
    bundle: Option<Arc<Bundle>>,
    with: With,
    made_from: HashMap<Digests, Result<MadeFrom, NotKept>>,
    pairs: HashMap<Digests, Pair>,
    detector: Detector,
}

impl Policies {
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            bundle: plan.bundle.clone(),
            with: With {
                shipped: plan.database.as_ref().map(|database| Arc::clone(&database.files)),
                facts: plan.facts.files.clone(),
                today: plan.facts.today,
            },
            made_from: HashMap::new(),
            pairs: HashMap::new(),
            detector: Detector::new(),
        }
    }

    /// Looks for what records with these digests were decided with, once.
    pub(super) async fn learn<K: Kept>(&mut self, kept: &K, digests: &Digests) -> Result<(), K::Error> {
        if !digests.is_empty() && !self.made_from.contains_key(digests) {
            let made_from = Archive::made_from(kept, digests).await?;
            self.made_from.insert(digests.clone(), made_from);
        }
        Ok(())
    }

    /// The pair for a record with these digests, decided at that time.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn at(&mut self, digests: &Digests, time_ms: i64) -> Result<&mut Pair, String> {
        let unnamed = || String::from("it does not say what it was decided with");
        if !self.pairs.get(digests).is_some_and(|pair| pair.holds_at(time_ms)) {
            let made_from = self.made_from.get(digests).ok_or_else(unnamed)?;
            let made_from = made_from
                .as_ref()
                .map_err(|missing| format!("{} that it was decided with: not kept", missing.what()))?;
            let bundle = self.bundle.as_ref().unwrap_or(&made_from.bundle);
            let mut pair = Pair::new(made_from, bundle, &self.with, time_ms).ok_or_else(|| {
                String::from(
                    "what is planned does not go with the facts and endpoints that it was decided with",
                )
            })?;
            pair.looked_for = looked_for(&self.detector, &pair.old, digests.get("detectors"));
            self.pairs.insert(digests.clone(), pair);
        }
        self.pairs.get_mut(digests).ok_or_else(unnamed)
    }
}

/// The kinds of findings that were looked for when this policy decided. What other recognizers than these looked for beside
/// what the policy itself asks about is not known.
fn looked_for(detector: &Detector, policy: &Compiled, digest: Option<&String>) -> EntitySet {
    let kinds = EntitySet::usual().union(policy.entities());
    let same = digest.is_some_and(|digest| digest == detector.looking_for(kinds).digest());
    let asked = if same { kinds } else { policy.entities() };
    asked.union(policy.shadow_entities())
}

/// The policy that decided, and the same with the new bundle.
pub(super) struct Pair {
    pub(super) old: Compiled,
    pub(super) new: Compiled,
    /// The kinds of findings that were looked for in the request.
    pub(super) looked_for: EntitySet,
    from_ms: i64,
    until_ms: i64,
    access: HashMap<(Vec<String>, String, String), (bool, bool)>,
}

impl Pair {
    fn new(made_from: &MadeFrom, bundle: &Arc<Bundle>, with: &With, time_ms: i64) -> Option<Self> {
        let old = made_from.compile(&made_from.bundle, &OtherFacts::default(), time_ms)?;
        // What is learnt today says what would have been decided then.
        let other =
            OtherFacts { shipped: with.shipped.as_deref(), more: &with.facts, known_by: Some(with.today) };
        let new = made_from.compile(bundle, &other, time_ms)?;
        let until_ms = [&old, &new].into_iter().filter_map(|policy| policy.valid_until_ms()).min();
        Some(Self {
            old,
            new,
            looked_for: EntitySet::EMPTY,
            from_ms: time_ms,
            until_ms: until_ms.unwrap_or(i64::MAX),
            access: HashMap::new(),
        })
    }

    fn holds_at(&self, time_ms: i64) -> bool {
        self.from_ms <= time_ms && time_ms < self.until_ms
    }

    /// Whether access control let, and would let, the principal use the model.
    pub(super) fn access(&mut self, facts: &RequestFacts) -> (bool, bool) {
        let key = (facts.principal.roles.clone(), facts.scope.clone(), facts.model.clone());
        let (old, new) = (self.old.bundle(), self.new.bundle());
        *self.access.entry(key).or_insert_with(|| {
            let object = format!("model:{}", facts.model);
            let may = |bundle: &Bundle| {
                let mut roles = facts.principal.roles.iter();
                roles.any(|role| bundle.rbac.allowed(role, &facts.scope, &object, "use"))
            };
            (may(old), may(new))
        })
    }

    /// Why the new policy decides otherwise, in a sentence.
    pub(super) fn why(
        &self,
        facts: &RequestFacts,
        change: Change,
        before: &Decision,
        after: &Decision,
    ) -> String {
        match change {
            Change::NewlyAllowed => format!("it was refused: {}", self.old.explain(facts, before).summary),
            Change::NewlyRefused | Change::Rerouted | Change::Handled => {
                self.new.explain(facts, after).summary
            }
        }
    }
}
