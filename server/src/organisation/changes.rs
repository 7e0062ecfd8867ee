//! What a declaration would change.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{BudgetDefinition, LimitDefinition, Organisation};
use crate::budgets::{format_usd, parse_usd, read_thresholds};

/// One thing that a declaration would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `create`, `change` or `delete`.
    pub change: &'static str,
    /// `scope`, `credential`, `endpoint`, `model_group`, `budget`, `limit`, `key`, `workload`.
    pub kind: &'static str,
    /// What it is called; of a budget or limit whom and what it holds for.
    pub name: String,
    /// What is different, by field: before and after, `null` where it is not said. Of what is created or deleted, all of it.
    pub fields: BTreeMap<String, (Value, Value)>,
}

/// Everything, by kind and name. The order of the kinds is that in which they are declared.
type Things = BTreeMap<(usize, String), Map<String, Value>>;

const KINDS: [&str; 8] =
    ["scope", "credential", "endpoint", "model_group", "budget", "limit", "key", "workload"];
const BUDGET: usize = 4;
const LIMIT: usize = 5;

/// What would be different if `wanted` were declared where `now` is stored ([`export`](super::export)); with `prune`, what
/// it does not name ends. `named` says which scope and name a key has by its id: `/acme/lab/notebook`.
#[must_use]
pub(super) fn changes(
    now: &Organisation,
    wanted: &Organisation,
    prune: bool,
    named: impl Fn(&str) -> Option<String>,
) -> Vec<Change> {
    let (mut retired, mut nothing) = (Vec::new(), Vec::new());
    let before = things(now, &named, &mut nothing);
    let after = things(&wanted.with_own_credentials(), &named, &mut retired);
    let mut changes = Vec::new();
    for (of, thing) in &after {
        let change = |change, fields| one(change, of, fields);
        match before.get(of) {
            None if retired.contains(of) => {}
            None => changes.push(change("create", differ(&Map::new(), thing))),
            Some(old) if retired.contains(of) => changes.push(change("delete", differ(old, &Map::new()))),
            Some(old) => {
                let fields = differ(old, thing);
                if !fields.is_empty() {
                    changes.push(change("change", fields));
                }
            }
        }
    }
    if prune {
        let gone = before.iter().filter(|(of, thing)| !after.contains_key(of) && !stays(of, thing, &after));
        changes.extend(gone.map(|(of, thing)| one("delete", of, differ(thing, &Map::new()))));
    }
    changes
}

/// A scope for which nothing is declared stays while something is declared below it.
fn stays(of: &(usize, String), thing: &Map<String, Value>, after: &Things) -> bool {
    let (kind, path) = of;
    let within = |thing: &Map<String, Value>| {
        let scope = thing.get("scope").and_then(Value::as_str);
        scope.is_some_and(|scope| bailiwick_policy::scope::covers(path, scope))
    };
    *kind == 0
        && thing.keys().all(|field| field == "path")
        && after.iter().any(|((kind, name), thing)| {
            within(thing) || (*kind == 0 && bailiwick_policy::scope::covers(path, name))
        })
}

fn one(change: &'static str, of: &(usize, String), fields: BTreeMap<String, (Value, Value)>) -> Change {
    Change { change, kind: KINDS.get(of.0).copied().unwrap_or_default(), name: of.1.clone(), fields }
}

fn differ(old: &Map<String, Value>, new: &Map<String, Value>) -> BTreeMap<String, (Value, Value)> {
    let field = |of: &Map<String, Value>, name: &str| of.get(name).cloned().unwrap_or_default();
    old.keys()
        .chain(new.keys())
        .map(|name| (name.clone(), (field(old, name), field(new, name))))
        .filter(|(_, (old, new))| old != new)
        .collect()
}

fn things(
    organisation: &Organisation,
    named: impl Fn(&str) -> Option<String>,
    retired: &mut Vec<(usize, String)>,
) -> Things {
    let mut things = Things::new();
    let mut add = |kind: usize, name: String, thing: &dyn erased::Written| {
        things.insert((kind, name), thing.written());
    };
    organisation.scopes.iter().for_each(|it| add(0, it.path.clone(), it));
    organisation.credentials.iter().for_each(|it| add(1, it.name.clone(), it));
    organisation.endpoints.iter().for_each(|it| add(2, it.name.clone(), it));
    organisation.model_groups.iter().for_each(|it| add(3, it.name.clone(), it));
    organisation.keys.iter().for_each(|it| add(6, super::apply::path(&it.scope, &it.name), it));
    organisation.workloads.iter().for_each(|it| add(7, it.name.clone(), it));
    // One name for a key, whichever of its names it is called by.
    let key = |written: &Option<String>| {
        let written = written.as_deref()?;
        let name = named(written).unwrap_or_else(|| written.to_owned());
        let mut of_name = organisation.keys.iter().filter(|key| key.name == name);
        match (of_name.next(), of_name.next()) {
            (Some(key), None) => Some(super::apply::path(&key.scope, &key.name)),
            _ => Some(name),
        }
    };
    for budget in &organisation.budgets {
        let budget = BudgetDefinition {
            key: key(&budget.key),
            limit_usd: plain(&budget.limit_usd),
            carry_over_usd: budget.carry_over_usd.as_deref().map(plain).filter(|amount| amount != "0"),
            thresholds: read_thresholds(&budget.thresholds).map_or_else(
                |_| budget.thresholds.clone(),
                |sorted| sorted.into_iter().map(i64::from).collect(),
            ),
            retired: false,
            ..budget.clone()
        };
        add(BUDGET, budget_name(&budget), &budget);
    }
    for limit in &organisation.limits {
        let limit = LimitDefinition {
            key: key(&limit.key),
            spend_usd: limit.spend_usd.as_deref().map(plain),
            retired: false,
            ..limit.clone()
        };
        add(LIMIT, limit_name(&limit), &limit);
    }
    for budget in organisation.budgets.iter().filter(|budget| budget.retired) {
        retired.push((BUDGET, budget_name(&BudgetDefinition { key: key(&budget.key), ..budget.clone() })));
    }
    for limit in organisation.limits.iter().filter(|limit| limit.retired) {
        retired.push((LIMIT, limit_name(&LimitDefinition { key: key(&limit.key), ..limit.clone() })));
    }
    things
}

pub(super) fn budget_name(budget: &BudgetDefinition) -> String {
    format!("{} by {}", holder(&budget.scope, &budget.key, &budget.user, &budget.models), budget.window)
}

pub(super) fn limit_name(limit: &LimitDefinition) -> String {
    let what = match limit.measure() {
        Ok((unit, window, _)) => format!("{unit} by {window}"),
        Err(_) => String::new(),
    };
    format!("{} of {what}", holder(&limit.scope, &limit.key, &limit.user, &limit.models))
}

fn holder(
    scope: &Option<String>,
    key: &Option<String>,
    user: &Option<String>,
    models: &Option<String>,
) -> String {
    let holder = match (scope, key, user) {
        (Some(scope), ..) => scope.clone(),
        (_, Some(key), _) => format!("key {key}"),
        (.., user) => format!("user {}", user.as_deref().unwrap_or_default()),
    };
    match models {
        Some(models) => format!("{holder} for {models}"),
        None => holder,
    }
}

/// An amount in the one form of it.
fn plain(text: &str) -> String {
    parse_usd(text).map_or_else(|_| text.to_owned(), format_usd)
}

/// Things of any kind as what they are written as.
mod erased {
    use serde::Serialize;
    use serde_json::{Map, Value};

    pub(super) trait Written {
        fn written(&self) -> Map<String, Value>;
    }

    impl<T: Serialize> Written for T {
        fn written(&self) -> Map<String, Value> {
            match serde_json::to_value(self) {
                Ok(Value::Object(fields)) => fields,
                _ => Map::new(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organisation(text: &str) -> Organisation {
        serde_json::from_str(text).unwrap()
    }

    fn said(now: &str, wanted: &str, prune: bool) -> Vec<String> {
        let known = |id: &str| (id == "k1").then(|| String::from("/a/app"));
        let changes = changes(&organisation(now), &organisation(wanted), prune, known);
        changes
            .iter()
            .map(|change| {
                let mut fields: Vec<&str> = change.fields.keys().map(String::as_str).collect();
                fields.retain(|_| change.change == "change");
                format!("{} {} {} {}", change.change, change.kind, change.name, fields.join(","))
                    .trim()
                    .to_owned()
            })
            .collect()
    }

    #[test]
    fn what_is_written_otherwise_and_means_the_same_is_no_change() {
        let now = r#"{"keys": [{"scope": "/a", "name": "app"}],
            "budgets": [{"key": "app", "window": "month", "limit_usd": "12.5", "thresholds": [50, 80]}]}"#;
        let same = r#"{"keys": [{"scope": "/a", "name": "app", "roles": ["application"]}],
            "budgets": [{"key": "k1", "window": "month", "limit_usd": "12.50", "thresholds": [80, 50], "hard": true}]}"#;
        assert!(said(now, same, true).is_empty(), "{:?}", said(now, same, true));
        let path = same.replace("k1", "/a/app");
        assert!(said(now, &path, true).is_empty(), "{:?}", said(now, &path, true));
    }

    #[test]
    fn what_would_be_made_changed_or_ended_is_named() {
        let now = r#"{"scopes": [{"path": "/a"}, {"path": "/a/b"}, {"path": "/c"}],
            "keys": [{"scope": "/a/b", "name": "app"}],
            "budgets": [{"scope": "/a", "window": "month", "limit_usd": "1"}],
            "limits": [{"scope": "/a", "requests": 5, "per": "minute"}]}"#;
        let wanted = r#"{"scopes": [{"path": "/a", "controller": "DE"}],
            "keys": [{"scope": "/a", "name": "app"}],
            "budgets": [{"scope": "/a", "window": "month", "limit_usd": "2"}],
            "limits": [{"scope": "/a", "requests": 5, "per": "minute", "retired": true}]}"#;
        let changed = [
            "change scope /a controller",
            "change budget /a by month limit_usd",
            "delete limit /a of requests by last 1 minute",
            "create key /a/app",
        ];
        let said_of = |prune| said(now, wanted, prune);
        let without = said_of(false);
        assert_eq!(without.len(), 4, "{without:?}");
        for line in &changed {
            let begins = line.split(" by last").next().unwrap();
            assert!(without.iter().any(|said| said.starts_with(begins)), "{line}: {without:?}");
        }
        let known = |_: &str| None;
        let all = changes(&organisation(now), &organisation(wanted), true, known);
        let of = |kind: &str, name: &str| all.iter().find(|it| it.kind == kind && it.name == name).unwrap();
        assert_eq!(of("key", "/a/app").fields["name"], (Value::Null, "app".into()));
        assert_eq!(of("key", "/a/b/app").fields["name"], ("app".into(), Value::Null));
        assert_eq!(of("scope", "/a").fields["controller"], (Value::Null, "DE".into()));
        let with = said_of(true);
        assert_eq!(with[4..], ["delete scope /a/b", "delete scope /c", "delete key /a/b/app"], "{with:?}");
    }
}
