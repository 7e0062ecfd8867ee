//! Builds a snapshot from the database, the bundle and the compliance database.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bailiwick_compliance_db::{Attribute, Context, EndpointProfile, FeatureSet, ModelInfo, Value};
use bailiwick_pii::{Detector, EntitySet};
use bailiwick_policy::{Compiled, KillSwitch, Problem, pattern, scope};
use chrono::{DateTime, Utc};

use super::budgets::{self, Chains};
use super::kill_switches;
use super::{Declared, KeyEntry, LoadedBundle, NotInUse, Place, Route, Snapshot};
use crate::background;
use crate::budgets::Budgets;
use crate::credentials::{Keyring, Values};
use crate::organisation::{self, Declarations, EndpointDefinition, KeySettings};
use crate::outbound::Guard;
use crate::providers::Operation;
use crate::router::Health;
use crate::store::policy_versions::PolicyVersion;
use crate::store::{self, Store, StoreError};

/// What snapshots are built from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The bundle; where it comes from a Git repository `None`: then the database says which is in force.
    pub bundle: Option<Arc<LoadedBundle>>,
    /// The files of the compliance database, before a bundle adds its own.
    pub shipped: Arc<BTreeMap<String, String>>,
    /// The recognizers.
    pub detector: Arc<Detector>,
    /// Decide as of this instant, Unix milliseconds, and not as of now.
    pub decide_at_ms: Option<i64>,
    /// The credentials of endpoints.
    pub keyring: Arc<Keyring>,
    /// Which addresses may be reached.
    pub guard: Guard,
}

/// Why no snapshot could be built. The old one stays in force.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bundle does not compile over these endpoints.
    #[error("the policy bundle cannot be put in force: {}", list(.0))]
    Policy(Vec<Problem>),
    /// The bundle that another server has put in force, or this one before, cannot be read.
    #[error("the policy of commit {commit} is in force and cannot be read by this server: {why}")]
    Bundle {
        /// The commit.
        commit: String,
        /// Why.
        why: String,
    },
    /// A row that should not be there.
    #[error("{0}")]
    Row(String),
}

/// How often a snapshot is read again that the configuration changed under.
const AGAIN: usize = 10;

/// Builds a snapshot of one state of the configuration, with its revision. With thousands of rules, endpoints or keys each of its
/// steps takes longer than a request may wait for a thread: where requests are served it has one of its own. A snapshot is read by several statements: a key
/// that came between two of them could stand in it without its budget, so one that the configuration changed under is
/// read again. Where it changes on and on, the old one stays in force.
///
/// # Errors
/// [`BuildError`].
pub async fn build_whole(
    store: &Store,
    sources: &Sources,
    budgets: &Budgets,
    previous: Option<&Arc<Snapshot>>,
    now_ms: i64,
) -> Result<(i64, Snapshot), BuildError> {
    of_one_state(store, || Box::pin(build(store, sources, budgets, previous, now_ms))).await
}

/// What `read` makes of one state of the configuration, with its revision.
async fn of_one_state<T, F>(store: &Store, read: impl Fn() -> F) -> Result<(i64, T), BuildError>
where
    F: Future<Output = Result<T, BuildError>>,
{
    let mut revision = store::revision::current(store).await?;
    for _ in 0..AGAIN {
        let made = read().await?;
        let after = store::revision::current(store).await?;
        if after == revision {
            return Ok((revision, made));
        }
        revision = after;
    }
    Err(StoreError::Unavailable("the configuration changes faster than it can be read".into()).into())
}

/// Builds a snapshot as of `now_ms` and brings `budgets` up to date. The use of keys and health are carried over from
/// `previous`.
///
/// # Errors
/// [`BuildError`].
async fn build(
    store: &Store,
    sources: &Sources,
    budgets: &Budgets,
    previous: Option<&Arc<Snapshot>>,
    now_ms: i64,
) -> Result<Snapshot, BuildError> {
    let (kill_switches, kill_switches_until_ms) = kill_switches::load(store, now_ms).await?;
    let (loaded, version) = super::bundle::in_force(store, sources, previous.map(Arc::as_ref)).await?;
    let read = Read {
        kill_switches,
        kill_switches_until_ms,
        loaded,
        version,
        scopes: scopes(store).await?,
        budgets: budgets::Declared::load(store, budgets, now_ms).await?,
        endpoints: store::endpoints::list(store).await?,
        credentials: store::credentials::list(store).await?,
        keys: store::keys::list(store).await?,
    };
    let placed = read.places(sources, previous.map(Arc::as_ref), now_ms)?;
    let decide_at_ms = sources.decide_at_ms.unwrap_or(now_ms);
    let (bundle, database) = (Arc::clone(&read.loaded.bundle), Arc::clone(&read.loaded.database));
    let same = previous.map(|previous| &previous.policy);
    let policy = match same.filter(|it| it.still_holds(&bundle, &database, &placed.endpoints, decide_at_ms)) {
        Some(same) => same.clone(),
        // This is most of it.
        None => {
            let endpoints = placed.endpoints.clone();
            let compile = move || {
                Compiled::new(Arc::clone(&bundle), Arc::clone(&database), endpoints.clone(), decide_at_ms)
            };
            let compiled = background::soon(compile).await;
            compiled.map_err(|error| BuildError::Row(error.to_string()))?.map_err(BuildError::Policy)?
        }
    };
    let snapshot = read.snapshot(sources, previous.map(Arc::as_ref), placed, policy)?;
    snapshot.loaded.archive.keep(store, &snapshot.policy, now_ms).await?;
    Ok(snapshot)
}

/// The endpoints that can be used, and why others cannot.
#[derive(Default)]
struct Placed {
    places: Vec<Place>,
    /// The same, as rules see them.
    endpoints: Vec<bailiwick_policy::Endpoint>,
    unusable: Vec<NotInUse>,
}

/// One state of the configuration, as it was read.
struct Read {
    kill_switches: Vec<KillSwitch>,
    kill_switches_until_ms: Option<i64>,
    loaded: Arc<LoadedBundle>,
    version: Option<PolicyVersion>,
    scopes: BTreeMap<String, Declarations>,
    budgets: budgets::Declared,
    endpoints: Vec<store::endpoints::Endpoint>,
    credentials: Vec<store::credentials::Credential>,
    keys: Vec<store::keys::VirtualKey>,
}

impl Read {
    fn places(
        &self,
        sources: &Sources,
        previous: Option<&Snapshot>,
        now_ms: i64,
    ) -> Result<Placed, BuildError> {
        let decide_at_ms = sources.decide_at_ms.unwrap_or(now_ms);
        let values = sources.keyring.values(&self.credentials);
        let mut placed = Placed::default();
        for row in &self.endpoints {
            let definition: EndpointDefinition = serde::Deserialize::deserialize(&row.definition)
                .map_err(|error| BuildError::Row(format!("endpoint `{}`: {error}", row.name)))?;
            match place(&definition, &values, sources, &self.loaded, previous, decide_at_ms) {
                Ok(place) => {
                    placed.endpoints.push(definition.for_policy(&self.loaded.database));
                    placed.places.push(place);
                }
                Err(why) => {
                    let endpoint = definition.for_policy(&self.loaded.database);
                    placed.unusable.push(NotInUse { endpoint, why });
                }
            }
        }
        Ok(placed)
    }

    fn snapshot(
        &self,
        sources: &Sources,
        previous: Option<&Snapshot>,
        placed: Placed,
        policy: Compiled,
    ) -> Result<Snapshot, BuildError> {
        let loaded = Arc::clone(&self.loaded);
        let Placed { places, unusable, .. } = placed;
        let policy = policy.with_kill_switches(self.kill_switches.clone());
        let mut usable = Usable::default();
        let mut keys = HashMap::with_capacity(self.keys.len());
        for row in &self.keys {
            let previous = previous.and_then(|snapshot| snapshot.key(&row.id));
            let (mut entry, models, paid) = key(row, &self.scopes, previous)?;
            usable.restrict(&mut entry, models.as_deref(), &places, &policy);
            let path: Vec<&str> = scope::ancestors(&row.scope).collect();
            let holder = budgets::Holder { line: &paid.line, owner: paid.owner.as_deref(), scopes: &path };
            entry.budgets = self.budgets.chains(holder, &entry.models);
            keys.insert(entry.id.clone(), Arc::new(entry));
        }
        // The usual kinds, and those of poor precision that a rule asks for.
        let kinds = EntitySet::usual().union(policy.entities());
        let settings = &loaded.bundle.settings;
        let looking_for = |kinds: EntitySet| {
            let detector = sources.detector.looking_for(kinds).calling_from(settings.phone_regions);
            Arc::new(detector.at_least(settings.min_confidence))
        };
        let detector = looking_for(kinds);
        // What only rules in shadow mode ask about is looked for apart, so that nothing of it shows in what is enforced.
        let only_shadow: EntitySet =
            policy.shadow_entities().iter().filter(|kind| !kinds.contains(*kind)).collect();
        let shadow_detector = (!only_shadow.is_empty()).then(|| looking_for(only_shadow));
        let made_from = policy.digests();
        let mut digests = vec![
            ("bundle", made_from.bundle.clone()),
            ("catalog", made_from.database.clone()),
            ("endpoints", made_from.endpoints.clone()),
            ("engine", made_from.engine.clone()),
            ("detectors", detector.digest().to_owned()),
        ];
        // The commit's id is a digest too, of the files and of all that led to them.
        digests.extend(self.version.as_ref().map(|version| ("commit", format!("git:{}", version.commit_id))));
        digests.extend(made_from.kill_switches.clone().map(|digest| ("kill_switches", digest)));
        Ok(Snapshot {
            policy,
            detector,
            shadow_detector,
            places,
            digests,
            bundle_digest: loaded.bundle.digest.clone(),
            version: self.version.clone(),
            loaded,
            unusable,
            decide_at_ms: sources.decide_at_ms,
            kill_switches_until_ms: self.kill_switches_until_ms,
            keys,
        })
    }
}

/// What RBAC says of (roles, scope, model): many keys ask the same.
#[derive(Default)]
struct Usable(HashMap<(Vec<String>, String, String), bool>);

impl Usable {
    /// Leaves a key the models that some endpoint of its own serves, that its list names if it has one, and that its
    /// roles may use.
    fn restrict(
        &mut self,
        entry: &mut KeyEntry,
        models: Option<&[String]>,
        places: &[Place],
        policy: &Compiled,
    ) {
        let named = |name: &str| {
            let only = entry.endpoints.as_ref();
            only.is_none_or(|only| only.iter().any(|pattern| pattern::matches(pattern, name)))
        };
        let served: Vec<&Place> = places
            .iter()
            .zip(policy.endpoints())
            .filter(|(_, endpoint)| scope::covers(&endpoint.scope, &entry.scope) && named(&endpoint.name))
            .map(|(place, _)| place)
            .collect();
        // As names from here on: what decides is recorded, and a pattern's meaning changes with the endpoints.
        if let Some(only) = &mut entry.endpoints {
            *only = served.iter().map(|place| place.name.clone()).collect();
        }
        let rbac = &policy.bundle().rbac;
        for model in served.iter().flat_map(|place| place.routes.keys()) {
            if models.is_some_and(|only| !only.contains(model)) {
                continue;
            }
            let question = (entry.roles.clone(), entry.scope.clone(), model.clone());
            let allowed = *self.0.entry(question).or_insert_with_key(|(roles, scope, model)| {
                let object = format!("model:{model}");
                roles.iter().any(|role| rbac.allowed(role, scope, &object, "use"))
            });
            if allowed {
                entry.models.insert(model.clone());
            }
        }
    }
}

async fn scopes(store: &Store) -> Result<BTreeMap<String, Declarations>, BuildError> {
    let mut scopes = BTreeMap::new();
    for row in store::scopes::list(store).await? {
        let declarations = serde_json::from_value(row.settings)
            .map_err(|error| BuildError::Row(format!("scope `{}`: {error}", row.path)))?;
        scopes.insert(row.path, declarations);
    }
    Ok(scopes)
}

fn place(
    definition: &EndpointDefinition,
    values: &Values,
    sources: &Sources,
    loaded: &LoadedBundle,
    previous: Option<&Snapshot>,
    now_ms: i64,
) -> Result<Place, String> {
    let credential = definition.credential_of(values, &sources.keyring)?;
    let identity = definition.read_identity(&sources.keyring)?;
    let own_prices = definition.own_prices().map_err(|error| error.to_string())?;
    let mut routes = HashMap::new();
    for model in &definition.models {
        if let Some(why) = loaded.database.profile_conflict(&definition.profile, &model.upstream) {
            return Err(format!("endpoint `{}`: {why}", definition.name));
        }
        let target = definition
            .target(&model.upstream, credential.as_ref(), identity.as_ref())
            .map_err(|error| error.to_string())?;
        let host = target.address(Operation::ChatCompletions).host().unwrap_or_default();
        sources.guard.host(host).map_err(|why| format!("endpoint `{}`: {why}", definition.name))?;
        let profile = definition.profile_for(&model.upstream, &loaded.database);
        let info = loaded.database.model(&profile.service, &model.upstream);
        let prices = own_prices.over(info.into_iter().flat_map(ModelInfo::price_changes), |day| {
            info.map(|info| organisation::listed(&info.price_at(&profile, day)))
        });
        let route = Route {
            target,
            prices,
            max_output_tokens: info.and_then(|info| info.max_output_tokens).map(u64::from),
        };
        routes.insert(model.alias.clone(), route);
    }
    let first = definition.models.first().map(|model| model.upstream.as_str()).unwrap_or_default();
    let profile = definition.profile_for(first, &loaded.database);
    let countries = countries(&profile, loaded, now_ms);
    let before =
        previous.and_then(|snapshot| snapshot.places.iter().find(|place| place.name == definition.name));
    let analyzer_before = before.and_then(|before| before.analyzer.as_ref());
    let analyzer = definition.analyzer(credential.as_ref(), identity.as_ref(), analyzer_before)?;
    let health = before.map_or_else(|| Arc::new(Health::default()), |place| Arc::clone(&place.health));
    Ok(Place {
        name: definition.name.clone(),
        operator: definition.profile.operator.clone(),
        region: profile.profile.or(profile.source_region),
        dialect: definition.dialect,
        simulated: definition.simulated,
        countries_header: countries.join(","),
        countries,
        routes,
        analyzer,
        health,
    })
}

/// Where the endpoint processes, for people and headers; rules resolve it for themselves.
fn countries(profile: &EndpointProfile, loaded: &LoadedBundle, now_ms: i64) -> Vec<String> {
    let Some(now) = DateTime::<Utc>::from_timestamp_millis(now_ms) else { return Vec::new() };
    let context = Context {
        now,
        max_evidence_age_days: loaded.bundle.settings.max_evidence_age_days,
        attestations: &loaded.bundle.attestations,
        features: FeatureSet::EMPTY,
    };
    match loaded.database.resolve(profile, Attribute::ProcessingCountries, &context).value {
        Some(Value::Locations(places)) if !places.worldwide => {
            places.countries.iter().map(|country| country.code().to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

/// By what a key's budgets are found.
struct Paid {
    line: String,
    owner: Option<String>,
}

/// The key without its models and budgets, the list that limits the former, and by what the latter are found.
fn key(
    row: &store::keys::VirtualKey,
    scopes: &BTreeMap<String, Declarations>,
    previous: Option<&Arc<KeyEntry>>,
) -> Result<(KeyEntry, Option<Vec<String>>, Paid), BuildError> {
    let wrong = |what: String| BuildError::Row(format!("key `{}`: {what}", row.id));
    let settings: KeySettings =
        serde_json::from_value(row.settings.clone()).map_err(|error| wrong(error.to_string()))?;
    let digest: [u8; 32] =
        row.secret_hash.as_slice().try_into().map_err(|_| wrong(String::from("its digest is damaged")))?;
    let mut declared = Declared::default();
    let mut chain: Vec<&str> = scope::ancestors(&row.scope).collect();
    chain.reverse();
    for declarations in chain.iter().filter_map(|path| scopes.get(*path)) {
        declared.add(declarations).map_err(&wrong)?;
    }
    declared.add(&settings.declarations).map_err(&wrong)?;
    let entry = KeyEntry {
        id: row.id.clone(),
        name: row.name.clone(),
        scope: row.scope.clone(),
        roles: settings.roles.iter().map(|role| format!("role:{role}")).collect(),
        models: std::collections::BTreeSet::new(),
        endpoints: settings.endpoints,
        purposes: settings.purposes,
        owned: settings.owner.is_some(),
        environment: settings.environment,
        ceiling: settings.ceiling,
        networks: settings.allowed_networks,
        declared,
        budgets: Chains::default(),
        digest,
        expires_ms: row.expires_ms,
        revoked_ms: row.revoked_ms,
        disabled: row.disabled_ms.is_some(),
        overlap_until_ms: row.overlap_until_ms,
        used_ms: previous.map(|previous| Arc::clone(&previous.used_ms)).unwrap_or_default(),
    };
    let paid = Paid { line: settings.line.unwrap_or_else(|| row.id.clone()), owner: settings.owner };
    Ok((entry, settings.models, paid))
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn what_changed_while_it_was_read_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let read = AtomicUsize::new(0);
        // The first `changes` times somebody declares something after half of it was read.
        let reading = |changes: usize| {
            let (store, read) = (&store, &read);
            read.store(0, Ordering::Relaxed);
            of_one_state(store, move || async move {
                let scopes = store::scopes::list(store).await?.len();
                let at = read.fetch_add(1, Ordering::Relaxed);
                if at < changes {
                    let path = if scopes == 0 { String::from("/") } else { format!("/s{scopes}") };
                    store::scopes::put(store, &path, serde_json::json!({}), 1).await?;
                }
                Ok(scopes)
            })
        };
        for changes in [0, 1, 3] {
            let before = store::scopes::list(&store).await.unwrap().len();
            let (revision, scopes) = reading(changes).await.unwrap();
            assert_eq!(scopes, before + changes, "nothing of a state that is over");
            assert_eq!(revision, store::revision::current(&store).await.unwrap());
            assert_eq!(read.load(Ordering::Relaxed), changes + 1);
        }
        let refused = reading(usize::MAX).await.unwrap_err().to_string();
        assert!(refused.contains("faster than it can be read"), "{refused}");
        assert_eq!(read.load(Ordering::Relaxed), AGAIN);
    }
}
