//! What is stored, as the declaration that makes it so.
//!
//! What has ended is left out: keys that are revoked, expired or replaced, retired budgets and limits, model groups that
//! only these name, and scopes in which
//! nothing else ever was and for which nothing is declared. Credentials that are kept here are named, not told.

use std::collections::{BTreeSet, HashMap};

use bailiwick_policy::scope;
use serde::de::DeserializeOwned;

use super::apply::{is_current, path};
use super::budget::is_over;
use super::changes::{Change, budget_name, changes, limit_name};
use super::{
    BudgetDefinition, BudgetSettings, Declarations, KeyDefinition, KeySettings, LimitDefinition, ModelGroup,
    Organisation, Per, Scope,
};
use crate::budgets::{Unit, Window, format_usd};
use crate::credentials::CredentialDefinition;
use crate::store::budgets::Budget;
use crate::store::keys::VirtualKey;
use crate::store::{self, Store, StoreError};

/// What is stored now.
///
/// # Errors
/// [`StoreError`].
pub async fn export(store: &Store, now_ms: i64) -> Result<Organisation, StoreError> {
    let rows = store::keys::list(store).await?;
    let mut keys = Vec::new();
    for row in rows.iter().filter(|row| lives(row, now_ms)) {
        keys.push(key(row)?);
    }
    keys.sort_by(|one, other| (&one.scope, &one.name).cmp(&(&other.scope, &other.name)));
    let names = Names::new(&rows, now_ms);
    let short = |line: &String| names.of(line).map(|of| names.short(of));
    let (mut budgets, mut limits, mut holds) = (Vec::new(), Vec::new(), BTreeSet::new());
    for row in store::budgets::list(store).await? {
        holds.extend(row.scope.clone());
        let settings: BudgetSettings = read(row.settings.clone(), "budget", row.id)?;
        // One of a key that has ended holds for nobody.
        let of_nobody = row.key_id.as_ref().is_some_and(|line| names.of(line).is_none());
        if settings.retired || settings.of_key || of_nobody {
            continue;
        }
        let holder = (row.scope.clone(), row.key_id.as_ref().and_then(short), row.owner.clone());
        match unit(&row)? {
            Unit::Usd => budgets.push(budget(&row, settings, holder)?),
            unit => limits.push(limit(&row, unit, holder)?),
        }
    }
    budgets.sort_by_cached_key(|budget| format!("{budget:?}"));
    limits.sort_by_cached_key(|limit| format!("{limit:?}"));
    let mut organisation = Organisation { budgets, limits, keys, ..Organisation::default() };
    for row in store::credentials::list(store).await? {
        let source = read(row.source, "credential", &row.name)?;
        organisation.credentials.push(CredentialDefinition { name: row.name, scope: row.scope, source });
    }
    for row in store::endpoints::list(store).await? {
        organisation.endpoints.push(read(row.definition, "endpoint", row.name)?);
    }
    for row in store::workloads::list(store).await? {
        organisation.workloads.push(read(row.definition, "workload", row.name)?);
    }
    for row in store::model_groups::list(store).await? {
        if is_over(&row.models) {
            continue;
        }
        let models = read(row.models, "model group", &row.name)?;
        organisation.model_groups.push(ModelGroup { name: row.name, models });
    }
    // What servers of the release before store names its credential itself.
    let mut named = organisation.with_own_credentials();
    let mut seen = BTreeSet::new();
    named.credentials.retain(|credential| seen.insert(credential.name.clone()));
    named.credentials.sort_by(|one, other| one.name.cmp(&other.name));
    holds.extend(rows.iter().map(|row| row.scope.clone()));
    named.scopes = scopes(store, &named, &holds).await?;
    Ok(named)
}

/// `ended` are the scopes in which something is or was.
async fn scopes(
    store: &Store,
    organisation: &Organisation,
    ended: &BTreeSet<String>,
) -> Result<Vec<Scope>, StoreError> {
    let living: Vec<&str> = organisation
        .endpoints
        .iter()
        .map(|it| it.scope.as_str())
        .chain(organisation.credentials.iter().map(|it| it.scope.as_str()))
        .chain(organisation.workloads.iter().map(|it| it.scope.as_str()))
        .chain(organisation.keys.iter().map(|it| it.scope.as_str()))
        .chain(organisation.budgets.iter().filter_map(|it| it.scope.as_deref()))
        .chain(organisation.limits.iter().filter_map(|it| it.scope.as_deref()))
        .collect();
    let mut scopes = Vec::new();
    for row in store::scopes::list(store).await? {
        let declarations: Declarations = read(row.settings, "scope", &row.path)?;
        let below = |other: &str| scope::covers(&row.path, other);
        let over = ended.iter().any(|other| below(other)) && !living.iter().any(|other| below(other));
        // The root is there in any case.
        if declarations == Declarations::default() && (over || row.path == "/") {
            continue;
        }
        scopes.push(Scope { path: row.path, declarations });
    }
    // A scope below one that is left out brings that one back by itself.
    Ok(scopes)
}

fn damaged(what: &str, which: impl std::fmt::Display, why: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(format!("{what} `{which}`: {why}"))
}

fn read<T: DeserializeOwned>(
    value: serde_json::Value,
    what: &str,
    which: impl std::fmt::Display,
) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|why| damaged(what, which, why))
}

/// A key as it is declared.
///
/// # Errors
/// [`StoreError::Corrupt`].
pub fn key(row: &VirtualKey) -> Result<KeyDefinition, StoreError> {
    let settings: KeySettings = read(row.settings.clone(), "key", &row.id)?;
    Ok(KeyDefinition {
        scope: row.scope.clone(),
        name: row.name.clone(),
        expires: row.expires_ms.and_then(chrono::DateTime::from_timestamp_millis),
        settings: KeySettings { line: None, ..settings },
    })
}

/// The first key of the line that a key is of: budgets are on that.
pub(super) fn line(row: &VirtualKey) -> &str {
    row.settings.get("line").and_then(serde_json::Value::as_str).unwrap_or(&row.id)
}

/// Whether a key is one that a declaration names.
#[must_use]
pub fn lives(key: &VirtualKey, now_ms: i64) -> bool {
    is_current(key) && key.expires_ms.is_none_or(|at| at > now_ms)
}

/// What a declaration calls the key at the end of a line.
pub(super) struct Names(HashMap<String, Key>);

/// Its scope and name.
pub(super) type Key = (String, String);

impl Names {
    pub(super) fn new(rows: &[VirtualKey], now_ms: i64) -> Self {
        let current = rows.iter().filter(|row| lives(row, now_ms));
        Self(current.map(|row| (line(row).to_owned(), (row.scope.clone(), row.name.clone()))).collect())
    }

    pub(super) fn of(&self, line: &str) -> Option<&Key> {
        self.0.get(line)
    }

    /// Whether a key has this scope and name, as one text.
    pub(super) fn has(&self, named: &str) -> bool {
        self.0.values().any(|(scope, name)| path(scope, name) == named)
    }

    /// The scope and name of the key of an id, as one text.
    pub(super) fn named(&self, rows: &[VirtualKey], id: &str) -> Option<String> {
        let row = rows.iter().find(|row| row.id == id)?;
        self.of(line(row)).map(|(scope, name)| path(scope, name))
    }

    /// Its name, where no other key has that.
    fn short(&self, (scope, name): &Key) -> String {
        let alone = self.0.values().filter(|(_, other)| other == name).count() == 1;
        if alone { name.clone() } else { path(scope, name) }
    }
}

/// Whether a stored budget or limit holds, of what kind it is and what [`changes`](super::changes) call it.
pub(super) fn called(row: &Budget, names: &Names) -> Result<Option<(&'static str, String)>, StoreError> {
    Ok(declared(row, names)?.map(|held| match held {
        Held::Budget(budget) => ("budget", budget_name(&budget)),
        Held::Limit(limit) => ("limit", limit_name(&limit)),
    }))
}

/// What a row of the one table of both declares.
pub(super) enum Held {
    Budget(BudgetDefinition),
    Limit(LimitDefinition),
}

/// What is declared of a budget or limit that holds, its key by scope and name; not of one that a key declares.
pub(super) fn declared(row: &Budget, names: &Names) -> Result<Option<Held>, StoreError> {
    let settings: BudgetSettings = read(row.settings.clone(), "budget", row.id)?;
    let key = row.key_id.as_ref().map(|line| names.of(line).map(|(scope, name)| path(scope, name)));
    if settings.retired || settings.of_key || key == Some(None) {
        return Ok(None);
    }
    let holder = (row.scope.clone(), key.flatten(), row.owner.clone());
    Ok(Some(match unit(row)? {
        Unit::Usd => Held::Budget(budget(row, settings, holder)?),
        unit => Held::Limit(limit(row, unit, holder)?),
    }))
}

fn unit(row: &Budget) -> Result<Unit, StoreError> {
    let known = Unit::ALL.into_iter().find(|unit| unit.as_str() == row.unit);
    known.ok_or_else(|| damaged("budget", row.id, "it counts something that this version does not know"))
}

/// What declaring `wanted` would change of what is stored now; with `prune`, what it does not name ends.
///
/// # Errors
/// [`StoreError`].
pub async fn differences(
    store: &Store,
    wanted: &Organisation,
    prune: bool,
    now_ms: i64,
) -> Result<Vec<Change>, StoreError> {
    let now = export(store, now_ms).await?;
    differences_to(store, &now, wanted, prune, now_ms).await
}

/// The same where it is known what is stored, as [`export`] tells it.
///
/// # Errors
/// [`StoreError`].
pub async fn differences_to(
    store: &Store,
    now: &Organisation,
    wanted: &Organisation,
    prune: bool,
    now_ms: i64,
) -> Result<Vec<Change>, StoreError> {
    let rows = store::keys::list(store).await?;
    let names = Names::new(&rows, now_ms);
    Ok(changes(now, wanted, prune, |id| names.named(&rows, id)))
}

/// Scope, key, user: one of them.
type Holder = (Option<String>, Option<String>, Option<String>);

fn budget(row: &Budget, settings: BudgetSettings, holder: Holder) -> Result<BudgetDefinition, StoreError> {
    let (scope, key, user) = holder;
    Ok(BudgetDefinition {
        scope,
        key,
        user,
        models: row.model_group.clone(),
        window: window(row)?,
        limit_usd: format_usd(row.limit_nano),
        hard: row.hard,
        lower_output: settings.lower_output,
        carry_over_usd: (settings.carry_over_nano > 0).then(|| format_usd(settings.carry_over_nano)),
        thresholds: read(row.thresholds.clone(), "budget", row.id)?,
        retired: false,
    })
}

fn window(row: &Budget) -> Result<Window, StoreError> {
    row.window.parse().map_err(|why| damaged("budget", row.id, why))
}

fn limit(row: &Budget, unit: Unit, holder: Holder) -> Result<LimitDefinition, StoreError> {
    let (scope, key, user) = holder;
    let window = window(row)?;
    let per = match unit {
        Unit::Concurrent => None,
        _ => Some(
            Per::of(&window)
                .ok_or_else(|| damaged("limit", row.id, "its window is no minute, hour or day"))?,
        ),
    };
    let amount = |own: Unit| (unit == own).then_some(row.limit_nano);
    Ok(LimitDefinition {
        scope,
        key,
        user,
        models: row.model_group.clone(),
        requests: amount(Unit::Requests),
        tokens: amount(Unit::Tokens),
        spend_usd: amount(Unit::Spend).map(format_usd),
        concurrent: amount(Unit::Concurrent),
        per,
        retired: false,
    })
}

#[cfg(test)]
mod tests;
