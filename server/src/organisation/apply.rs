//! Makes the database say what a declaration says, in one transaction: all of it or nothing. Idempotent: applying the same
//! file twice changes nothing.

use std::collections::{BTreeSet, HashMap};

use bailiwick_policy::scope;
use serde::Serialize;

use super::export::lives;
use super::prune::{Ended, prune};
use super::{
    Change, KeyDefinition, KeySettings, Organisation, budget, credential, differences, key_row, own_limit,
    problems,
};
use crate::fault::{self, Fault};
use crate::keys::VirtualKey;
use crate::keys::secret::NoRandomness;
use crate::store::{self, MayBeOfStore, Store, StoreError};

/// What was done.
#[derive(Debug, Default, Serialize)]
pub struct Applied {
    /// Scopes that are there now because of it.
    pub scopes: usize,
    /// Credentials.
    pub credentials: usize,
    /// Endpoints.
    pub endpoints: usize,
    /// Budgets.
    pub budgets: usize,
    /// Limits.
    pub limits: usize,
    /// Workloads.
    pub workloads: usize,
    /// What was ended or deleted because the declaration does not name it, and what had to stay.
    #[serde(flatten)]
    pub ended: Ended,
    /// Endpoints that are declared and cannot be used, and why; known once it is in force.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_in_use: Vec<String>,
    /// Keys that were created, with their secrets: the one time these are shown.
    pub created_keys: Vec<CreatedKey>,
}

/// A key that was created.
#[derive(Clone, Serialize)]
pub struct CreatedKey {
    /// Its id.
    pub id: String,
    /// Its scope.
    pub scope: String,
    /// Its name.
    pub name: String,
    /// Its written form.
    pub key: String,
}

impl std::fmt::Debug for CreatedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CreatedKey({} {})", self.scope, self.name)
    }
}

/// Why a declaration was not applied. Everything in it is checked before anything is changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The declaration itself is wrong; every fault is named.
    #[error("nothing was changed: {}", fault::words(.0))]
    Invalid(Vec<Fault>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No secret could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl MayBeOfStore for ApplyError {
    fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Invalid(_) | Self::NoRandomness(_) => None,
        }
    }
}

/// How a declaration is applied.
#[derive(Debug, Clone, Default)]
pub struct Applying {
    /// Whether what it does not name ends.
    pub prune: bool,
    /// What it is to change, as [`differences`] tells: where it would change anything else by now, nothing is done.
    pub only: Option<Vec<Change>>,
    /// The row of what it changes, where that is to be as it was seen in every way.
    pub seen: Option<Seen>,
}

/// A row as it was seen.
#[derive(Debug, Clone)]
pub enum Seen {
    /// A budget or limit, with the top-ups of it that count now or later.
    Budget(store::budgets::Budget, Vec<store::budgets::TopUp>),
    /// A key.
    Key(store::keys::VirtualKey),
}

impl Seen {
    async fn still(&self, store: &Store, now_ms: i64) -> Result<(), StoreError> {
        let same = match self {
            Self::Budget(row, known) => {
                let mut top_ups = store::budgets::top_ups(store, now_ms).await?;
                top_ups.retain(|it| it.budget_id == row.id);
                store::budgets::get(store, store::budgets::BudgetId(row.id)).await? == *row
                    && top_ups == *known
            }
            Self::Key(row) => store::keys::get(store, &row.id).await? == *row,
        };
        if same { Ok(()) } else { Err(StoreError::Changed) }
    }
}

/// Applies a declaration: all of it, or nothing of it where anything fails. Whoever else changes what is declared, on
/// whichever server, was before or comes after.
///
/// # Errors
/// [`ApplyError`]; [`StoreError::Changed`] where it would change something else than it is to.
pub async fn apply(
    store: &Store,
    organisation: &Organisation,
    how: &Applying,
    now_ms: i64,
) -> Result<Applied, ApplyError> {
    let (written, organisation) = (organisation, &organisation.with_own_credentials());
    let one = |store: Store| async move {
        if let Some(seen) = &how.seen {
            seen.still(&store, now_ms).await?;
        }
        check(&store, written, how.prune).await?;
        let changes = match (how.prune, &how.only) {
            (false, None) => Vec::new(),
            _ => differences(&store, organisation, how.prune, now_ms).await?,
        };
        if how.only.as_ref().is_some_and(|only| *only != changes) {
            return Err(StoreError::Changed.into());
        }
        let mut applied = declare(&store, organisation, now_ms).await?;
        if how.prune {
            applied.ended = prune(&store, &changes, now_ms).await?;
        }
        Ok(applied)
    };
    store.as_one(one).await
}

async fn declare(store: &Store, organisation: &Organisation, now_ms: i64) -> Result<Applied, ApplyError> {
    let mut applied = Applied { scopes: scopes(store, organisation, now_ms).await?, ..Applied::default() };
    applied.credentials = credential::store_all(store, organisation, now_ms).await?;
    for endpoint in &organisation.endpoints {
        let definition = serde_json::to_value(endpoint).map_err(not_json)?;
        store::endpoints::put(store, &endpoint.name, &endpoint.scope, definition, now_ms).await?;
        applied.endpoints += 1;
    }
    for workload in &organisation.workloads {
        let definition = serde_json::to_value(workload).map_err(not_json)?;
        store::workloads::put(store, &workload.name, &workload.scope, definition, now_ms).await?;
    }
    applied.workloads = organisation.workloads.len();
    let existing = store::keys::list(store).await?;
    // By id, each key's line: budgets follow it.
    let line = |key: &store::keys::VirtualKey| {
        let line = key.settings.get("line").and_then(serde_json::Value::as_str);
        line.unwrap_or(&key.id).to_owned()
    };
    let mut ids: HashMap<String, String> = existing.iter().map(|key| (key.id.clone(), line(key))).collect();
    ids.extend(
        existing.iter().filter(|key| is_current(key)).map(|key| (path(&key.scope, &key.name), line(key))),
    );
    let mut limits = store::budgets::list(store).await?;
    for definition in &organisation.keys {
        let same = |key: &&store::keys::VirtualKey| {
            key.scope == definition.scope && key.name == definition.name && is_current(key)
        };
        // One that has expired is meant where no other has its name.
        let living = |key: &&store::keys::VirtualKey| same(key) && lives(key, now_ms);
        if let Some(known) = existing.iter().find(living).or_else(|| existing.iter().find(same)) {
            change_key(store, known, definition).await?;
            let line = line(known);
            let own = definition.settings.requests_per_minute;
            budget::store_own_limit(store, &line, own, &mut limits, now_ms).await?;
            ids.insert(definition.name.clone(), line);
            continue;
        }
        let created = create_key(store, definition, now_ms).await?;
        ids.insert(definition.name.clone(), created.id.clone());
        ids.insert(path(&definition.scope, &definition.name), created.id.clone());
        applied.created_keys.push(created);
    }
    applied.budgets = budget::store_all(store, organisation, &ids, now_ms).await?;
    applied.limits = organisation.limits.len();
    Ok(applied)
}

/// Refuses a declaration that is wrong by itself or names what there is not; with `prune`, what it does not declare itself
/// is there no more.
///
/// # Errors
/// [`ApplyError`].
pub async fn check(store: &Store, organisation: &Organisation, prune: bool) -> Result<(), ApplyError> {
    let mut wrong = problems(organisation);
    wrong.extend(credential::replaced(store, organisation).await?);
    let organisation = &organisation.with_own_credentials();
    wrong.extend(budget::unknown_groups(store, organisation, prune).await?);
    wrong.extend(credential::unknown(store, organisation, prune).await?);
    if wrong.is_empty() { Ok(()) } else { Err(ApplyError::Invalid(wrong)) }
}

/// Whether a key is the one that its scope and name mean.
pub(super) fn is_current(key: &store::keys::VirtualKey) -> bool {
    key.revoked_ms.is_none() && key.rotated_to.is_none() && key.workload.is_none()
}

/// What a key is called where its name alone could be another scope's: `/acme/lab/notebook`.
pub(super) fn path(scope: &str, name: &str) -> String {
    format!("{}/{name}", scope.trim_end_matches('/'))
}

/// Creates one key.
///
/// # Errors
/// [`ApplyError`].
pub async fn create_key(
    store: &Store,
    definition: &KeyDefinition,
    now_ms: i64,
) -> Result<CreatedKey, ApplyError> {
    let key = VirtualKey::generate()?;
    let own = definition.settings.requests_per_minute.map(|limit| own_limit(key.id(), limit, now_ms));
    let own =
        own.transpose().map_err(|what| ApplyError::Invalid(vec![Fault::at("/requests_per_minute", what)]))?;
    let row = key_row(&key, definition, now_ms)?;
    store::keys::create_all(store, vec![(row, own.into_iter().collect())]).await?;
    Ok(CreatedKey {
        id: key.id().to_owned(),
        scope: definition.scope.clone(),
        name: definition.name.clone(),
        key: key.reveal(),
    })
}

/// Sees that every key that says `requests_per_minute` has the limit that this is: one that was declared by an earlier
/// version has none yet.
///
/// # Errors
/// [`ApplyError`].
pub async fn own_limits(store: &Store, now_ms: i64) -> Result<(), ApplyError> {
    let mut limits = store::budgets::list(store).await?;
    for key in store::keys::list(store).await? {
        let Ok(settings) = serde_json::from_value::<KeySettings>(key.settings) else { continue };
        if key.revoked_ms.is_none() && key.rotated_to.is_none() && settings.requests_per_minute.is_some() {
            let line = settings.line.as_deref().unwrap_or(&key.id);
            budget::store_own_limit(store, line, settings.requests_per_minute, &mut limits, now_ms).await?;
        }
    }
    Ok(())
}

/// Makes a key that exists what is declared. It keeps its secret and its place in a line of rotations.
async fn change_key(
    store: &Store,
    known: &store::keys::VirtualKey,
    definition: &KeyDefinition,
) -> Result<(), ApplyError> {
    let mut settings = serde_json::to_value(&definition.settings).map_err(not_json)?;
    if let (Some(settings), Some(line)) = (settings.as_object_mut(), known.settings.get("line")) {
        settings.insert(String::from("line"), line.clone());
    }
    let expires_ms = definition.expires.map(|at| at.timestamp_millis());
    if known.settings != settings || known.expires_ms != expires_ms {
        store::keys::change(store, &known.id, settings, expires_ms).await?;
    }
    Ok(())
}

async fn scopes(store: &Store, organisation: &Organisation, now_ms: i64) -> Result<usize, ApplyError> {
    let existing: BTreeSet<String> =
        store::scopes::list(store).await?.into_iter().map(|scope| scope.path).collect();
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    let named = organisation
        .scopes
        .iter()
        .map(|scope| scope.path.as_str())
        .chain(organisation.credentials.iter().map(|credential| credential.scope.as_str()))
        .chain(organisation.workloads.iter().map(|workload| workload.scope.as_str()))
        .chain(organisation.endpoints.iter().map(|endpoint| endpoint.scope.as_str()))
        .chain(organisation.keys.iter().map(|key| key.scope.as_str()))
        .chain(organisation.budgets.iter().filter_map(|budget| budget.scope.as_deref()))
        .chain(organisation.limits.iter().filter_map(|limit| limit.scope.as_deref()));
    for path in named {
        wanted.extend(scope::ancestors(path));
    }
    // Sorted paths put parents first.
    for path in &wanted {
        let declared = organisation.scopes.iter().find(|scope| scope.path == *path);
        if declared.is_none() && existing.contains(*path) {
            continue;
        }
        let declarations = declared.map(|scope| scope.declarations.clone()).unwrap_or_default();
        let settings = serde_json::to_value(declarations).map_err(not_json)?;
        store::scopes::put(store, path, settings, now_ms).await?;
    }
    Ok(wanted.len())
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` asks for")]
pub(super) fn not_json(error: serde_json::Error) -> ApplyError {
    ApplyError::Invalid(vec![Fault::at("", error.to_string())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_that_exists_keeps_its_secret_and_gets_the_rest_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let organisation = |key: &str| -> Organisation {
            serde_json::from_str(&format!(r#"{{"keys": [{{"scope": "/acme", "name": "app", {key}}}]}}"#))
                .unwrap()
        };
        let applied =
            apply(&store, &organisation(r#""models": ["a"]"#), &Applying::default(), 1).await.unwrap();
        let [created] = &applied.created_keys[..] else { panic!("{applied:?}") };
        let before = store::keys::get(&store, &created.id).await.unwrap();

        let changed = organisation(r#""models": ["b"], "expires": "2027-01-01T00:00:00Z""#);
        for _ in 0..2 {
            assert!(apply(&store, &changed, &Applying::default(), 2).await.unwrap().created_keys.is_empty());
        }
        let after = store::keys::get(&store, &created.id).await.unwrap();
        assert_eq!(after.secret_hash, before.secret_hash);
        assert_eq!(after.settings["models"], serde_json::json!(["b"]));
        assert_eq!(after.expires_ms, Some(1_798_761_600_000));
        store.close().await;
    }

    #[tokio::test]
    async fn what_fails_at_the_end_has_made_no_key_and_changed_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let whole: Organisation = serde_json::from_str(
            r#"{"keys": [{"scope": "/acme", "name": "app"}],
                "budgets": [{"scope": "/acme", "window": "month", "limit_usd": "1"},
                    {"key": "nobody-is-called-so", "window": "month", "limit_usd": "1"}]}"#,
        )
        .unwrap();
        let failed = apply(&store, &whole, &Applying::default(), 1).await.unwrap_err();
        assert!(matches!(failed, ApplyError::Store(StoreError::Conflict(_))), "{failed:?}");
        assert!(store::keys::list(&store).await.unwrap().is_empty(), "a key whose secret nobody has");
        assert!(store::budgets::list(&store).await.unwrap().is_empty());
        assert!(store::scopes::list(&store).await.unwrap().is_empty());
        store.close().await;
    }

    #[tokio::test]
    async fn what_was_not_looked_at_is_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let scopes = |more: &str| -> Organisation {
            serde_json::from_str(&format!(r#"{{"scopes": [{{"path": "/acme"}}{more}]}}"#)).unwrap()
        };
        let wanted = scopes("");
        let looked_at = differences(&store, &wanted, true, 1).await.unwrap();
        let how = Applying { prune: true, only: Some(looked_at), ..Applying::default() };
        // Meanwhile somebody declares another one, which this would end.
        apply(&store, &scopes(r#", {"path": "/acme/other"}"#), &Applying::default(), 1).await.unwrap();
        let failed = apply(&store, &wanted, &how, 2).await.unwrap_err();
        assert!(matches!(failed, ApplyError::Store(StoreError::Changed)), "{failed:?}");
        assert!(store::scopes::get(&store, "/acme/other").await.is_ok());
        let how = Applying { only: Some(differences(&store, &wanted, true, 2).await.unwrap()), ..how };
        let applied = apply(&store, &wanted, &how, 2).await.unwrap();
        assert_eq!(applied.ended.pruned, ["scope /acme/other"]);
        store.close().await;
    }

    #[tokio::test]
    async fn of_several_declarations_at_once_each_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let of = |name: &str| -> Organisation {
            let scopes: Vec<serde_json::Value> =
                (0..8).map(|at| serde_json::json!({ "path": format!("/{name}{at}") })).collect();
            serde_json::from_value(serde_json::json!({ "scopes": scopes })).unwrap()
        };
        let how = Applying { prune: true, ..Applying::default() };
        let (one, other) = (of("one"), of("other"));
        let both = tokio::join!(
            apply(&store, &one, &how, 1),
            apply(&store, &other, &how, 1),
            apply(&store, &one, &how, 1)
        );
        assert!(both.0.is_ok() && both.1.is_ok() && both.2.is_ok(), "{both:?}");
        let now = super::super::export(&store, 1).await.unwrap();
        assert!(now == one || now == other, "{now:?}");
        store.close().await;
    }
}
