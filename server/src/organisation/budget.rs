//! Budgets and model groups, as declared.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroU32;

use bailiwick_policy::{did_you_mean, pattern};
use serde::{Deserialize, Serialize};

use super::apply::ApplyError;
use super::{Organisation, own_limit, yes};
use crate::budgets::{Unit, Window, parse_usd, read_thresholds};
use crate::fault::Fault;
use crate::store::{self, Store};

/// A name for some models, by which budgets count them together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelGroup {
    /// Its name.
    pub name: String,
    /// Names that clients use, and beginnings of names that end in `*`.
    pub models: Vec<String>,
}

/// A budget on a scope, on one key or on one user's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetDefinition {
    /// The scope that it holds for. Exactly one of this, `key` and `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The key's id; within one file, its name; or its scope and name: `/acme/lab/notebook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The user that it holds for: the `owner` of keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Only requests for models of this group; for every model where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<String>,
    /// When it starts again: `month`, `week in Europe/Berlin`, `last 24 hours`, `total`.
    pub window: Window,
    /// In US dollars, as text: `"250"`, `"12.50"`.
    pub limit_usd: String,
    /// Whether it refuses (the default) or only counts.
    #[serde(default = "yes")]
    pub hard: bool,
    /// Whether `max_tokens` is lowered to what is affordable.
    #[serde(default)]
    pub lower_output: bool,
    /// Up to this much of what a window leaves unused is carried over to the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry_over_usd: Option<String>,
    /// Shares of the limit, in per cent, that are noted once a window when they are reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<i64>,
    /// Whether it no longer holds. What was spent on it stays on record.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retired: bool,
}

/// What a budget's row keeps beside its columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BudgetSettings {
    /// As declared.
    pub lower_output: bool,
    /// The cap of what is carried over, in nano-dollars.
    pub carry_over_nano: i64,
    /// As declared.
    pub retired: bool,
    /// Whether a key's own `requests_per_minute` is what declared it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub of_key: bool,
}

impl BudgetDefinition {
    /// A hard budget on a scope with nothing but a limit.
    #[must_use]
    pub fn of_scope(scope: &str, window: Window, limit_usd: &str) -> Self {
        Self {
            scope: Some(scope.to_owned()),
            key: None,
            user: None,
            models: None,
            window,
            limit_usd: limit_usd.to_owned(),
            hard: true,
            lower_output: false,
            carry_over_usd: None,
            thresholds: Vec::new(),
            retired: false,
        }
    }

    /// What is wrong with it by itself.
    fn problems(&self) -> Vec<Fault> {
        let mut problems = Vec::new();
        let holders = [&self.scope, &self.key, &self.user];
        if holders.iter().filter(|holder| holder.is_some()).count() != 1 {
            problems
                .push(Fault::at("", "a budget holds for a `scope`, a `key` or a `user`: name one of them"));
        }
        problems.extend(parse_usd(&self.limit_usd).err().map(Fault::of_field("/limit_usd")));
        let carried = self.carry_over_usd.as_deref().and_then(|text| parse_usd(text).err());
        problems.extend(carried.map(Fault::of_field("/carry_over_usd")));
        if self.carry_over_usd.is_some() && !self.window.starts_again() {
            let told = format!(
                "`carry_over_usd`: a budget of `{}` has no window before from which anything could be carried over",
                self.window
            );
            problems.push(Fault::at("/carry_over_usd", told));
        }
        problems.extend(read_thresholds(&self.thresholds).err().map(Fault::of_field("/thresholds")));
        if self.user.as_deref().is_some_and(|user| user.trim().is_empty()) {
            problems.push(Fault::at("/user", "a budget's `user` has no name"));
        }
        problems
    }

    fn row(&self, ids: &HashMap<String, String>, now_ms: i64) -> Result<store::budgets::Budget, String> {
        let key = |key: &str| ids.get(key).cloned().unwrap_or_else(|| key.to_owned());
        let settings = BudgetSettings {
            lower_output: self.lower_output,
            carry_over_nano: self.carry_over_usd.as_deref().map_or(Ok(0), parse_usd)?,
            retired: self.retired,
            of_key: false,
        };
        Ok(store::budgets::Budget {
            id: 0,
            scope: self.scope.clone(),
            key_id: self.key.as_deref().map(key),
            owner: self.user.clone(),
            model_group: self.models.clone(),
            window: self.window.to_string(),
            unit: Unit::Usd.to_string(),
            limit_nano: parse_usd(&self.limit_usd)?,
            hard: self.hard,
            thresholds: serde_json::json!(read_thresholds(&self.thresholds)?),
            settings: serde_json::to_value(settings).map_err(|error| error.to_string())?,
            created_ms: now_ms,
        })
    }
}

/// Everything that is wrong with the budgets, limits and model groups of a declaration.
pub(super) fn problems(organisation: &Organisation) -> Vec<Fault> {
    let mut problems = Vec::new();
    for (at, group) in organisation.model_groups.iter().enumerate() {
        let name = &group.name;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        {
            let told = format!("`{name}` is no model group's name: use letters, digits, `-`, `_` and `.`");
            problems.push(Fault::at(format!("/model_groups/{at}/name"), told));
        }
        if group.models.is_empty() {
            let told = format!("model group `{name}` names no model");
            problems.push(Fault::at(format!("/model_groups/{at}/models"), told));
        }
        for (model, pattern) in group.models.iter().enumerate() {
            let Err(what) = pattern::validate(pattern) else { continue };
            let told = format!("model group `{name}`: {what}");
            problems.push(Fault::at(format!("/model_groups/{at}/models/{model}"), told));
        }
    }
    for (at, budget) in organisation.budgets.iter().enumerate() {
        problems.extend(budget.problems().into_iter().map(|it| it.within(&format!("/budgets/{at}"))));
    }
    for (at, limit) in organisation.limits.iter().enumerate() {
        problems.extend(limit.problems().into_iter().map(|it| it.within(&format!("/limits/{at}"))));
    }
    problems
}

/// Whether a group has ended that past spend still names: no declaration makes one without models.
pub(super) fn is_over(models: &serde_json::Value) -> bool {
    models.as_array().is_some_and(Vec::is_empty)
}

/// Groups that budgets of the declaration name and nobody declares; `alone` only what it declares itself counts.
pub(super) async fn unknown_groups(
    store: &Store,
    organisation: &Organisation,
    alone: bool,
) -> Result<Vec<Fault>, store::StoreError> {
    let of_budgets = organisation.budgets.iter().enumerate().map(|(at, it)| ("budgets", at, &it.models));
    let of_limits = organisation.limits.iter().enumerate().map(|(at, it)| ("limits", at, &it.models));
    let named: Vec<(&str, usize, &str)> = of_budgets
        .chain(of_limits)
        .filter_map(|(list, at, models)| Some((list, at, models.as_deref()?)))
        .collect();
    if named.is_empty() {
        return Ok(Vec::new());
    }
    let stored = if alone { Vec::new() } else { store::model_groups::list(store).await? };
    // One without models was pruned, and only past spend names it.
    let stored = stored.into_iter().filter(|group| !is_over(&group.models));
    let mut known: BTreeSet<String> = stored.map(|group| group.name).collect();
    known.extend(organisation.model_groups.iter().map(|group| group.name.clone()));
    let unknown = named.into_iter().filter(|(_, _, name)| !known.contains(*name)).map(|(list, at, name)| {
        let fix = did_you_mean(name, known.iter().map(String::as_str)).map_or_else(
            || String::from("declare it under `model_groups`"),
            |near| format!("did you mean `{near}`?"),
        );
        Fault::at(format!("/{list}/{at}/models"), format!("there is no model group `{name}`; {fix}"))
    });
    Ok(unknown.collect())
}

/// Stores the model groups and budgets of a declaration that was checked. `ids` are the first keys of their lines, by what
/// keys may be called.
pub(super) async fn store_all(
    store: &Store,
    organisation: &Organisation,
    ids: &HashMap<String, String>,
    now_ms: i64,
) -> Result<usize, ApplyError> {
    for group in &organisation.model_groups {
        store::model_groups::put(store, &group.name, serde_json::json!(group.models), now_ms).await?;
    }
    let mut existing = store::budgets::list(store).await?;
    let wrong =
        |list: &str, at: usize, what| ApplyError::Invalid(vec![Fault::at(format!("/{list}/{at}"), what)]);
    for (at, definition) in organisation.budgets.iter().enumerate() {
        let row = definition.row(ids, now_ms).map_err(|what| wrong("budgets", at, what))?;
        store_one(store, row, &mut existing).await?;
    }
    for (at, definition) in organisation.limits.iter().enumerate() {
        let row = definition.row(ids, now_ms).map_err(|what| wrong("limits", at, what))?;
        store_one(store, row, &mut existing).await?;
    }
    Ok(organisation.budgets.len())
}

/// What a budget is known by.
fn same(one: &store::budgets::Budget, other: &store::budgets::Budget) -> bool {
    let of_key = |row: &store::budgets::Budget| row.settings.get("of_key") == Some(&true.into());
    (&one.scope, &one.key_id, &one.owner, &one.model_group)
        == (&other.scope, &other.key_id, &other.owner, &other.model_group)
        && (&one.window, &one.unit, of_key(one)) == (&other.window, &other.unit, of_key(other))
}

async fn store_one(
    store: &Store,
    mut row: store::budgets::Budget,
    existing: &mut Vec<store::budgets::Budget>,
) -> Result<(), ApplyError> {
    if let Some(old) = existing.iter_mut().find(|old| same(old, &row)) {
        row.id = old.id;
        row.created_ms = old.created_ms;
        if *old != row {
            store::budgets::update(store, row.clone()).await?;
            *old = row;
        }
    } else {
        row.id = store::budgets::create(store, row.clone()).await?.0;
        existing.push(row);
    }
    Ok(())
}

/// Makes the limit of a key's own `requests_per_minute` what the key says; `line` is the first key of its line of rotations.
pub(super) async fn store_own_limit(
    store: &Store,
    line: &str,
    requests_per_minute: Option<NonZeroU32>,
    existing: &mut Vec<store::budgets::Budget>,
    now_ms: i64,
) -> Result<(), ApplyError> {
    let wrong = |what| ApplyError::Invalid(vec![Fault::at("/requests_per_minute", what)]);
    if let Some(limit) = requests_per_minute {
        return store_one(store, own_limit(line, limit, now_ms).map_err(wrong)?, existing).await;
    }
    // The key has none (any more).
    let any = own_limit(line, NonZeroU32::MIN, now_ms).map_err(wrong)?;
    let Some(mut old) = existing.iter().find(|old| same(old, &any)).cloned() else { return Ok(()) };
    if let Some(settings) = old.settings.as_object_mut() {
        settings.insert(String::from("retired"), true.into());
    }
    store_one(store, old, existing).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::organisation::{Applying, apply};

    fn organisation(text: &str) -> Organisation {
        serde_json::from_str(text).unwrap()
    }

    async fn refused(store: &Store, text: &str) -> String {
        apply(store, &organisation(text), &Applying::default(), 1).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_a_budget_cannot_be_is_told_and_nothing_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        for (fields, says) in [
            (r#""limit_usd": "-5""#, "`-5` is not an amount"),
            (r#""limit_usd": "99999999999""#, "more US dollars than can be counted"),
            (r#""limit_usd": "1", "user": "alice""#, "name one of them"),
            (r#""limit_usd": "1", "thresholds": [50, 0]"#, "0 is no threshold"),
            (r#""limit_usd": "1", "thresholds": [-80]"#, "-80 is no threshold"),
            (r#""limit_usd": "1", "carry_over_usd": "-1""#, "`-1` is not an amount"),
            (r#""limit_usd": "1", "models": "frontire""#, "did you mean `frontier`?"),
        ] {
            let text = format!(
                r#"{{"model_groups": [{{"name": "frontier", "models": ["gpt-5*"]}}],
                    "budgets": [{{"scope": "/acme", "window": "month", {fields}}}]}}"#
            );
            let error = refused(&store, &text).await;
            assert!(error.contains(says), "{fields}: {error}");
        }
        for (window, says) in [("total", "no window before"), ("last 7 days", "no window before")] {
            let text = format!(
                r#"{{"budgets": [{{"scope": "/acme", "window": "{window}", "limit_usd": "1", "carry_over_usd": "1"}}]}}"#
            );
            let error = refused(&store, &text).await;
            assert!(error.contains(says), "{window}: {error}");
        }
        let group = refused(&store, r#"{"model_groups": [{"name": "a b", "models": ["x*y"]}]}"#).await;
        assert!(group.contains("no model group's name") && group.contains("not at its end"), "{group}");
        let zone = r#"{"budgets": [{"scope": "/acme", "window": "day in Europe/Belrin", "limit_usd": "1"}]}"#;
        let error = serde_json::from_str::<Organisation>(zone).unwrap_err().to_string();
        assert!(error.contains("did you mean `Europe/Berlin`?"), "{error}");
        assert!(store::budgets::list(&store).await.unwrap().is_empty());
        assert!(store::scopes::list(&store).await.unwrap().is_empty());
        store.close().await;
    }

    #[tokio::test]
    async fn a_budget_is_known_by_what_it_holds_for_and_its_window() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let text = |limit: &str| {
            format!(
                r#"{{"model_groups": [{{"name": "frontier", "models": ["gpt-5*"]}}],
                    "budgets": [
                        {{"scope": "/acme", "window": "month", "limit_usd": "{limit}"}},
                        {{"scope": "/acme", "window": "month in Asia/Tokyo", "limit_usd": "{limit}"}},
                        {{"scope": "/acme", "models": "frontier", "window": "month", "limit_usd": "{limit}"}},
                        {{"user": "alice", "window": "month", "limit_usd": "{limit}", "thresholds": [100, 50],
                          "carry_over_usd": "2"}}]}}"#
            )
        };
        for (limit, now_ms) in [("1", 10), ("2", 20), ("2", 30)] {
            let applied = apply(&store, &organisation(&text(limit)), &Applying::default(), now_ms).await;
            assert_eq!(applied.unwrap().budgets, 4);
        }
        let budgets = store::budgets::list(&store).await.unwrap();
        assert_eq!(budgets.len(), 4);
        assert!(budgets.iter().all(|budget| budget.limit_nano == 2_000_000_000 && budget.created_ms == 10));
        assert_eq!(budgets[3].owner.as_deref(), Some("alice"));
        assert_eq!(budgets[3].thresholds, serde_json::json!([50, 100]));
        store.close().await;
    }
}
