//! A bundle, the compliance database and the catalog of endpoints, joined so that deciding is a few ANDs.
//!
//! For every model there is a table: for each distinct requirement of the bundle, the set of endpoints that meet
//! it. What a table says depends on the attestations that the request's scope sees, on the features that the
//! request uses, and on the time. Tables for requests without features are made when compiling; those for
//! combinations of features when first met, and kept. Nothing is approximated: outside the span of time for
//! which a table holds, it is made anew for the one decision.

mod blame;
mod conditions;
mod decide;
mod explain;
mod explanation;
mod table;
mod way_out;

use crate::bundle::Bundle;
use crate::decision::{Decision, RuleIndex, Waiver};
use crate::endpoint::Endpoint;
use crate::endpoint_set::EndpointSet;
use crate::exception::Exception;
use crate::facts::Operation;
use crate::kill_switch::KillSwitch;
use crate::problem::{Problem, did_you_mean};
use crate::require::Requirement;
use crate::rule::{Direction, Mode, Rule, RuleObligations};
use crate::scope;
use bailiwick_compliance_db::{Attestation, Database};
use bailiwick_pii::{EntitySet, Redaction, RedactionPlan};
use conditions::{Condition, Interner};
use smallvec::SmallVec;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use table::ModelTables;

pub use explanation::{
    EndpointExplanation, Explanation, FactReference, PageReference, Reason, RuleExplanation,
};

/// A set of requirements or rules by index.
type IndexBits = SmallVec<[u64; 4]>;

fn set_bit(bits: &mut IndexBits, index: usize) {
    let word = index / 64;
    if bits.len() <= word {
        bits.resize(word + 1, 0);
    }
    if let Some(w) = bits.get_mut(word) {
        *w |= 1 << (index % 64);
    }
}

#[inline]
fn union_bits(all: &mut IndexBits, more: &IndexBits) {
    let more = more.as_slice();
    // Most rules ask for few things.
    if more.is_empty() {
        return;
    }
    if all.len() < more.len() {
        all.resize(more.len(), 0);
    }
    for (all, more) in all.as_mut_slice().iter_mut().zip(more) {
        *all |= more;
    }
}

/// The indexes in a set, ascending.
fn indexes(bits: &IndexBits) -> impl Iterator<Item = usize> + '_ {
    bits.iter().enumerate().flat_map(|(at, word)| {
        let mut rest = *word;
        std::iter::from_fn(move || {
            let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
            rest &= rest - 1;
            Some(at * 64 + bit)
        })
    })
}

fn has_bit(bits: &IndexBits, index: usize) -> bool {
    bits.get(index / 64).is_some_and(|w| w & (1 << (index % 64)) != 0)
}

/// What a decision was made with, by digest.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Digests {
    /// Of the bundle's files.
    pub bundle: String,
    /// Of the compliance database's files.
    pub database: String,
    /// Of the catalog of endpoints, in its order: endpoint sets in records refer to it.
    pub endpoints: String,
    /// The engine's version.
    pub engine: String,
    /// Of the kill switches in force, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kill_switches: Option<String>,
}

/// A policy ready to decide. Built whole, shared, and replaced whole; a clone with other kill switches costs next to nothing.
#[derive(Debug, Clone)]
pub struct Compiled {
    shared: Arc<Shared>,
    pub(crate) kill_switches: Vec<KillSwitch>,
    pub(crate) digests: Digests,
}

/// What takes long to make.
#[derive(Debug)]
struct Shared {
    bundle: Arc<Bundle>,
    database: Arc<Database>,
    endpoints: Vec<Endpoint>,
    by_name: HashMap<String, usize>,
    compiled_at_ms: i64,
    requirements: Vec<Requirement>,
    /// The distinct redactions of all rules.
    plans: Vec<RedactionPlan>,
    rules: Vec<CompiledRule>,
    names: Interner,
    nodes: HashMap<String, Node>,
    visible: Vec<Vec<Attestation>>,
    operations: [EndpointSet; Operation::ALL.len()],
    models: HashMap<String, ModelTables>,
}

/// A rule that is not off.
#[derive(Debug)]
struct CompiledRule {
    index: RuleIndex,
    condition: Condition,
    requirements: IndexBits,
    /// Indexes into `Compiled::plans`.
    request_plans: IndexBits,
    response_plans: IndexBits,
    deny: bool,
    allow_models: Option<Vec<String>>,
    deny_tools: Option<Vec<String>>,
    limit_output_tokens: Option<u32>,
    analyzes: bool,
    obligations: RuleObligations,
    enforced: bool,
    exceptions: Vec<u32>,
}

/// A scope at which something is attached. A request belongs to the nearest one above it.
#[derive(Debug)]
struct Node {
    /// Positions in `Compiled::rules`, ascending.
    rules: Vec<u32>,
    /// The endpoints that the scope may use.
    endpoints: EndpointSet,
    /// The attestations that it sees: an index into `Compiled::visible`.
    attestations: usize,
}

impl Compiled {
    /// Compiles a policy at an instant, in Unix milliseconds.
    ///
    /// # Errors
    /// What is wrong with the catalog of endpoints. (A loaded bundle is already sound.)
    pub fn new(
        bundle: Arc<Bundle>,
        database: Arc<Database>,
        endpoints: Vec<Endpoint>,
        now_ms: i64,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = check_catalog(&endpoints);
        let mut names = Interner::default();
        let mut distinct = Distinct::default();
        let mut rules = Vec::new();
        let mut waivers: HashMap<&str, Vec<u32>> = HashMap::new();
        for (index, exception) in (0u32..).zip(&bundle.exceptions) {
            waivers.entry(&exception.rule).or_default().push(index);
        }
        for (index, rule) in (0u32..).zip(&bundle.rules) {
            if rule.mode == Mode::Off {
                continue;
            }
            match compile_rule(RuleIndex(index), rule, &waivers, &mut distinct, &mut names) {
                Ok(compiled) => rules.push(compiled),
                Err(what) => problems.push(Problem::error(
                    &rule.file,
                    format!("rule `{}`: {what}", rule.id),
                    "mend the rule",
                )),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let Distinct { requirements, plans, .. } = distinct;
        let operations = Operation::ALL
            .map(|operation| members(&endpoints, |endpoint| endpoint.operations.contains(&operation)));
        let (nodes, visible) = nodes(&bundle, &endpoints, &rules);
        let mut aliases: BTreeSet<&str> = BTreeSet::new();
        aliases.extend(endpoints.iter().flat_map(|e| e.models.iter().map(|m| m.alias.as_str())));
        let context = table::Inputs {
            database: &database,
            endpoints: &endpoints,
            requirements: &requirements,
            visible: &visible,
            max_evidence_age_days: bundle.settings.max_evidence_age_days,
        };
        let models = aliases
            .into_iter()
            .map(|alias| (alias.to_owned(), ModelTables::build(alias, &rules, &context, now_ms)))
            .collect();
        let digests = Digests {
            bundle: bundle.digest.clone(),
            database: database.digest().to_owned(),
            endpoints: catalog_digest(&endpoints),
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            kill_switches: None,
        };
        let by_name = endpoints.iter().enumerate().map(|(i, e)| (e.name.clone(), i)).collect();
        let shared = Shared {
            bundle,
            database,
            endpoints,
            by_name,
            compiled_at_ms: now_ms,
            requirements,
            plans,
            rules,
            names,
            nodes,
            visible,
            operations,
            models,
        };
        Ok(Self { shared: Arc::new(shared), kill_switches: Vec::new(), digests })
    }

    /// Whether compiling these at an instant, in Unix milliseconds, would make the same: whoever has changed something else
    /// does not have to.
    #[must_use]
    pub fn still_holds(
        &self,
        bundle: &Arc<Bundle>,
        database: &Arc<Database>,
        endpoints: &[Endpoint],
        now_ms: i64,
    ) -> bool {
        Arc::ptr_eq(&self.shared.bundle, bundle)
            && Arc::ptr_eq(&self.shared.database, database)
            && self.shared.compiled_at_ms <= now_ms
            && self.valid_until_ms().is_none_or(|until_ms| now_ms < until_ms)
            && self.shared.endpoints == endpoints
    }

    /// The first instant, in Unix milliseconds, at which an attestation begins or ends or a piece of evidence grows
    /// too old, so that compiling again pays. Decisions at or after it are right all the same, only slower.
    /// (Exceptions are looked at on every decision and do not count.)
    #[must_use]
    pub fn valid_until_ms(&self) -> Option<i64> {
        self.shared.models.values().filter_map(ModelTables::valid_until_ms).min()
    }

    /// What decisions are made with, by digest.
    #[must_use]
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// The bundle.
    #[must_use]
    pub fn bundle(&self) -> &Arc<Bundle> {
        &self.shared.bundle
    }

    /// The compliance database.
    #[must_use]
    pub fn database(&self) -> &Arc<Database> {
        &self.shared.database
    }

    /// The endpoints; a bit of an [`EndpointSet`] is an index into them.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.shared.endpoints
    }

    /// The index of the endpoint called `name`.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.shared.by_name.get(name).copied()
    }

    /// The names of the endpoints in a set, in the catalog's order.
    pub fn names<'a>(&'a self, set: &'a EndpointSet) -> impl Iterator<Item = &'a str> {
        set.iter().filter_map(|i| self.shared.endpoints.get(i)).map(|e| e.name.as_str())
    }

    /// The kinds of findings that some rule in force asks about or redacts.
    #[must_use]
    pub fn entities(&self) -> EntitySet {
        self.shared.bundle.entities(Mode::Enforce)
    }

    /// The kinds of findings that only rules in shadow mode ask about or redact. Looking for them must change nothing
    /// about what the rules in force decide.
    #[must_use]
    pub fn shadow_entities(&self) -> EntitySet {
        let in_force = self.entities();
        self.shared.bundle.entities(Mode::Shadow).iter().filter(|kind| !in_force.contains(*kind)).collect()
    }

    /// The names of the detectors that the rules of a decision ask for, each once.
    #[must_use]
    pub fn detectors_of(&self, decision: &Decision) -> BTreeSet<&str> {
        let rules = decision.analyzed_by.iter().filter_map(|index| self.rule(*index));
        rules.filter_map(|rule| rule.analyze.as_deref()).collect()
    }

    /// The rule at an index.
    #[must_use]
    pub fn rule(&self, index: RuleIndex) -> Option<&Rule> {
        self.shared.bundle.rules.get(usize::try_from(index.0).ok()?)
    }

    /// The exception that a waiver is by.
    #[must_use]
    pub fn exception(&self, waiver: &Waiver) -> Option<&Exception> {
        self.shared.bundle.exceptions.get(usize::try_from(waiver.exception).ok()?)
    }

    /// The endpoints that serve a scope, and that do an operation if one is given, whatever the rules say.
    #[must_use]
    pub fn visible_endpoints(&self, scope: &str, operation: Option<Operation>) -> EndpointSet {
        let mut set = self
            .node(scope)
            .map_or_else(|| EndpointSet::empty(self.shared.endpoints.len()), |n| n.endpoints.clone());
        if let Some(of) = operation.and_then(|o| self.shared.operations.get(o as usize)) {
            set.intersect(of);
        }
        set
    }

    fn node(&self, scope: &str) -> Option<&Node> {
        scope::ancestors(scope).find_map(|s| self.shared.nodes.get(s))
    }

    fn inputs(&self) -> table::Inputs<'_> {
        table::Inputs {
            database: &self.shared.database,
            endpoints: &self.shared.endpoints,
            requirements: &self.shared.requirements,
            visible: &self.shared.visible,
            max_evidence_age_days: self.shared.bundle.settings.max_evidence_age_days,
        }
    }
}

fn members(endpoints: &[Endpoint], test: impl Fn(&Endpoint) -> bool) -> EndpointSet {
    let mut set = EndpointSet::empty(endpoints.len());
    for (i, _) in endpoints.iter().enumerate().filter(|(_, e)| test(e)) {
        set.insert(i);
    }
    set
}

/// What rules have in common, once each.
#[derive(Default)]
struct Distinct {
    requirements: Vec<Requirement>,
    /// Where each requirement stands, by its written form: there are thousands in a large bundle.
    known: HashMap<String, usize>,
    plans: Vec<RedactionPlan>,
}

impl Distinct {
    fn requirement(&mut self, requirement: Requirement) -> usize {
        let next = self.requirements.len();
        let at = *self.known.entry(format!("{requirement:?}")).or_insert(next);
        if at == next {
            self.requirements.push(requirement);
        }
        at
    }

    fn plan(&mut self, plan: RedactionPlan) -> usize {
        self.plans.iter().position(|p| *p == plan).unwrap_or_else(|| {
            self.plans.push(plan);
            self.plans.len() - 1
        })
    }
}

fn compile_rule(
    index: RuleIndex,
    rule: &Rule,
    waivers: &HashMap<&str, Vec<u32>>,
    distinct: &mut Distinct,
    names: &mut Interner,
) -> Result<CompiledRule, String> {
    let mut bits = IndexBits::new();
    for requirement in rule.require.requirements().map_err(|e| e.join("; "))? {
        set_bit(&mut bits, distinct.requirement(requirement));
    }
    let (mut request_plans, mut response_plans) = (IndexBits::new(), IndexBits::new());
    if let Some(redact) = &rule.redact {
        let redaction = Redaction {
            how: redact.how,
            restore_text: redact.restore.text,
            restore_tool_arguments: redact.restore.tool_arguments,
            min_confidence: redact.min_confidence,
            zip3: redact.zip3,
            stop: redact.stop,
        };
        let at = distinct.plan(RedactionPlan::of(redact.entities, redaction));
        if redact.direction != Direction::Response {
            set_bit(&mut request_plans, at);
        }
        if redact.direction != Direction::Request {
            set_bit(&mut response_plans, at);
        }
    }
    Ok(CompiledRule {
        index,
        condition: Condition::compile(&rule.when, names)?,
        requirements: bits,
        request_plans,
        response_plans,
        deny: rule.deny,
        allow_models: rule.allow_models.clone(),
        deny_tools: rule.deny_tools.clone(),
        limit_output_tokens: rule.limit_output_tokens,
        analyzes: rule.analyze.is_some(),
        obligations: rule.obligations,
        enforced: rule.mode == Mode::Enforce,
        exceptions: waivers.get(rule.id.as_str()).cloned().unwrap_or_default(),
    })
}

/// A node for every scope at which something is attached, and the sets of attestations that they see.
fn nodes(
    bundle: &Bundle,
    endpoints: &[Endpoint],
    rules: &[CompiledRule],
) -> (HashMap<String, Node>, Vec<Vec<Attestation>>) {
    let mut scopes: BTreeSet<&str> = BTreeSet::from(["/"]);
    scopes.extend(bundle.rules.iter().map(|r| r.scope.as_str()));
    scopes.extend(endpoints.iter().map(|e| e.scope.as_str()));
    scopes.extend(bundle.attestations.iter().filter_map(|a| a.scope.as_deref()));
    let mut visible: Vec<Vec<Attestation>> = Vec::new();
    let mut nodes = HashMap::new();
    for at in scopes {
        let seen: Vec<Attestation> =
            bundle.attestations.iter().filter(|a| a.applies_to(at)).cloned().collect();
        let attestations = visible.iter().position(|v| *v == seen).unwrap_or_else(|| {
            visible.push(seen);
            visible.len() - 1
        });
        let holds = |rule: &CompiledRule| {
            usize::try_from(rule.index.0)
                .ok()
                .and_then(|i| bundle.rules.get(i))
                .is_some_and(|r| scope::covers(&r.scope, at))
        };
        let node = Node {
            rules: (0u32..).zip(rules).filter(|(_, r)| holds(r)).map(|(i, _)| i).collect(),
            endpoints: members(endpoints, |e| scope::covers(&e.scope, at)),
            attestations,
        };
        nodes.insert(at.to_owned(), node);
    }
    (nodes, visible)
}

fn check_catalog(endpoints: &[Endpoint]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for endpoint in endpoints {
        let mut wrong = |what: String, fix: &str| {
            problems.push(Problem::error("endpoints", format!("endpoint `{}`: {what}", endpoint.name), fix));
        };
        if endpoint.name.is_empty() || !names.insert(&endpoint.name) {
            wrong("the name is empty or taken".into(), "give every endpoint a name of its own");
        }
        if let Err(what) = scope::validate(&endpoint.scope) {
            wrong(what, "a scope reads `/` or `/acme/retail`");
        }
        let mut aliases: BTreeSet<&str> = BTreeSet::new();
        if let Some(twice) = endpoint.models.iter().find(|m| !aliases.insert(&m.alias)) {
            wrong(format!("the model `{}` is listed twice", twice.alias), "list every model once");
        }
    }
    problems
}

/// The digest of a catalog of endpoints, in its order.
#[must_use]
pub fn catalog_digest(endpoints: &[Endpoint]) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    for endpoint in endpoints {
        // Serialisation of these types cannot fail; if it ever did, the error's text would take its place.
        let line = serde_json::to_string(endpoint).unwrap_or_else(|e| e.to_string());
        hash.update(line.as_bytes());
        hash.update(b"\n");
    }
    format!("sha256:{}", hex::encode(hash.finalize()))
}

/// The known name that was probably meant, for messages about models.
fn near_name<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    did_you_mean(written, known)
}
