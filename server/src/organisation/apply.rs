//! Makes the database say what a declaration says. Idempotent: applying the same file twice changes nothing.

use std::collections::{BTreeSet, HashMap};

use bailiwick_policy::scope;
use serde::Serialize;

use super::{
    EndpointDefinition, KeyDefinition, KeySettings, Organisation, budget, key_problems, key_row, own_limit,
};
use crate::keys::VirtualKey;
use crate::keys::secret::NoRandomness;
use crate::store::{self, Store, StoreError};

/// What was done.
#[derive(Debug, Default, Serialize)]
pub struct Applied {
    /// Scopes that are there now because of it.
    pub scopes: usize,
    /// Endpoints.
    pub endpoints: usize,
    /// Budgets.
    pub budgets: usize,
    /// Limits.
    pub limits: usize,
    /// Keys that were created, with their secrets: the one time these are shown.
    pub created_keys: Vec<CreatedKey>,
}

/// A key that was created.
#[derive(Serialize)]
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
    #[error("nothing was changed: {}", .0.join("; "))]
    Invalid(Vec<String>),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No secret could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// Applies a declaration.
///
/// # Errors
/// [`ApplyError`].
pub async fn apply(store: &Store, organisation: &Organisation, now_ms: i64) -> Result<Applied, ApplyError> {
    let mut wrong = problems(organisation);
    wrong.extend(budget::unknown_groups(store, organisation).await?);
    if !wrong.is_empty() {
        return Err(ApplyError::Invalid(wrong));
    }
    let mut applied = Applied { scopes: scopes(store, organisation, now_ms).await?, ..Applied::default() };
    for endpoint in &organisation.endpoints {
        let definition = serde_json::to_value(endpoint).map_err(not_json)?;
        store::endpoints::put(store, &endpoint.name, &endpoint.scope, definition, now_ms).await?;
        applied.endpoints += 1;
    }
    let mut ids = HashMap::new();
    let existing = store::keys::list(store).await?;
    let mut limits = store::budgets::list(store).await?;
    for definition in &organisation.keys {
        let known = existing.iter().find(|key| {
            key.scope == definition.scope
                && key.name == definition.name
                && key.revoked_ms.is_none()
                && key.rotated_to.is_none()
        });
        if let Some(known) = known {
            change_key(store, known, definition).await?;
            let line = known.settings.get("line").and_then(serde_json::Value::as_str).unwrap_or(&known.id);
            let own = definition.settings.requests_per_minute;
            budget::store_own_limit(store, line, own, &mut limits, now_ms).await?;
            ids.insert(definition.name.as_str(), known.id.clone());
            continue;
        }
        let created = create_key(store, definition, now_ms).await?;
        ids.insert(definition.name.as_str(), created.id.clone());
        applied.created_keys.push(created);
    }
    applied.budgets = budget::store_all(store, organisation, &ids, now_ms).await?;
    applied.limits = organisation.limits.len();
    Ok(applied)
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
    let own = own.transpose().map_err(|what| ApplyError::Invalid(vec![what]))?;
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

/// Everything that is wrong with a declaration by itself.
#[must_use]
pub fn problems(organisation: &Organisation) -> Vec<String> {
    let mut problems = Vec::new();
    let mut path = |path: &str| {
        if let Err(problem) = scope::validate(path) {
            problems.push(problem);
        }
    };
    organisation.scopes.iter().for_each(|scope| path(&scope.path));
    organisation.endpoints.iter().for_each(|endpoint| path(&endpoint.scope));
    organisation.keys.iter().for_each(|key| path(&key.scope));
    organisation.budgets.iter().filter_map(|budget| budget.scope.as_deref()).for_each(&mut path);
    organisation.limits.iter().filter_map(|limit| limit.scope.as_deref()).for_each(path);

    problems.extend(organisation.scopes.iter().flat_map(|scope| scope.declarations.problems()));
    for endpoint in &organisation.endpoints {
        problems.extend(endpoint_problems(endpoint));
    }
    problems.extend(twice(organisation));
    problems.extend(budget::problems(organisation));
    problems.extend(organisation.keys.iter().flat_map(key_problems));
    problems
}

/// Of two entries for the same thing one would silently win.
fn twice(organisation: &Organisation) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    let mut either = Vec::new();
    let mut once = |what: String| {
        if !seen.insert(what.clone()) {
            problems.push(format!("{what} is declared twice: keep one of them"));
        }
    };
    organisation.scopes.iter().for_each(|scope| once(format!("scope `{}`", scope.path)));
    organisation.endpoints.iter().for_each(|endpoint| once(format!("endpoint `{}`", endpoint.name)));
    organisation.keys.iter().for_each(|key| once(format!("key `{}` of {}", key.name, key.scope)));
    organisation.model_groups.iter().for_each(|group| once(format!("model group `{}`", group.name)));
    for budget in &organisation.budgets {
        let key = budget.key.as_deref();
        let holder = budget.scope.as_deref().or(key).or(budget.user.as_deref()).unwrap_or_default();
        let models = budget.models.as_deref().map(|models| format!(" for `{models}`")).unwrap_or_default();
        if !budget.retired {
            once(format!("the budget of `{holder}`{models} by `{}`", budget.window));
        }
        let named = organisation.keys.iter().filter(|candidate| key == Some(candidate.name.as_str())).count();
        if named > 1 {
            either.push(format!(
                "a budget's `key`: {named} keys of this declaration are called `{holder}`: give its id, or give \
                 them different names"
            ));
        }
    }
    problems.extend(either);
    problems
}

fn endpoint_problems(endpoint: &EndpointDefinition) -> Vec<String> {
    let mut problems = Vec::new();
    let name = &endpoint.name;
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        problems.push(format!("`{name}` is no endpoint name: use letters, digits, `-`, `_` and `.`"));
    }
    if endpoint.models.is_empty() {
        problems.push(format!("endpoint `{name}` serves no model"));
    }
    problems.extend(endpoint.own_prices().err().map(|error| error.to_string()));
    // The credential is read where the endpoint is used; here only its address is checked.
    let placeholder =
        endpoint.credential.as_ref().map(|_| crate::providers::Secret::new(String::from("unread")));
    for model in &endpoint.models {
        problems.extend(
            endpoint.target(&model.upstream, placeholder.as_ref(), None).err().map(|error| error.to_string()),
        );
    }
    problems
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` asks for")]
pub(super) fn not_json(error: serde_json::Error) -> ApplyError {
    ApplyError::Invalid(vec![error.to_string()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_twice_or_could_be_either_is_named() {
        let named = |json: &str| problems(&serde_json::from_str::<Organisation>(json).unwrap()).join("; ");
        let key = |scope: &str| format!(r#"{{"scope": "{scope}", "name": "nb"}}"#);
        let budget = r#"{"key": "nb", "window": "month", "limit_usd": "1"}"#;
        let other = r#"{"key": "nb", "window": "month", "limit_usd": "2"}"#;
        assert_eq!(named(&format!(r#"{{"keys": [{}, {}]}}"#, key("/a"), key("/b"))), "");
        assert_eq!(named(&format!(r#"{{"keys": [{}], "budgets": [{budget}]}}"#, key("/a"))), "");
        for (json, problem) in [
            (format!(r#"{{"keys": [{}, {}]}}"#, key("/a"), key("/a")), "key `nb` of /a is declared twice"),
            (format!(r#"{{"keys": [{}, {}], "budgets": [{budget}]}}"#, key("/a"), key("/b")), "2 keys"),
            (format!(r#"{{"keys": [{}], "budgets": [{budget}, {other}]}}"#, key("/a")), "the budget of `nb`"),
            (r#"{"scopes": [{"path": "/a"}, {"path": "/a"}]}"#.to_owned(), "scope `/a` is declared twice"),
        ] {
            assert!(named(&json).contains(problem), "{json}: {}", named(&json));
        }
    }

    #[tokio::test]
    async fn a_key_that_exists_keeps_its_secret_and_gets_the_rest_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let organisation = |key: &str| -> Organisation {
            serde_json::from_str(&format!(r#"{{"keys": [{{"scope": "/acme", "name": "app", {key}}}]}}"#))
                .unwrap()
        };
        let applied = apply(&store, &organisation(r#""models": ["a"]"#), 1).await.unwrap();
        let [created] = &applied.created_keys[..] else { panic!("{applied:?}") };
        let before = store::keys::get(&store, &created.id).await.unwrap();

        let changed = organisation(r#""models": ["b"], "expires": "2027-01-01T00:00:00Z""#);
        for _ in 0..2 {
            assert!(apply(&store, &changed, 2).await.unwrap().created_keys.is_empty());
        }
        let after = store::keys::get(&store, &created.id).await.unwrap();
        assert_eq!(after.secret_hash, before.secret_hash);
        assert_eq!(after.settings["models"], serde_json::json!(["b"]));
        assert_eq!(after.expires_ms, Some(1_798_761_600_000));
        store.close().await;
    }
}
