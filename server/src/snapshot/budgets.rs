//! Budgets from the database: brought up to date in memory, and which of them a key's request touches.

use std::collections::{BTreeSet, HashMap};

use bailiwick_policy::pattern;
use smallvec::SmallVec;

use super::BuildError;
use crate::budgets::{Budget, Budgets, TopUp, Unit, Window};
use crate::store::{self, Store};

/// The budgets and limits that a request reserves on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// Their ids, nearest first.
    pub ids: SmallVec<[i64; 6]>,
    /// Whether any of them counts money.
    pub money: bool,
    /// Whether any of them counts tokens.
    pub tokens: bool,
    /// Whether any of them limits a rate.
    pub limits: bool,
}

/// The chains of one key. A budget on a model group holds only for requests for its models.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chains {
    /// For models that no group of the chain's budgets names.
    plain: Chain,
    /// For those that one does.
    by_model: HashMap<String, Chain>,
}

impl Chains {
    /// The budgets that a request for `model` reserves on.
    #[must_use]
    pub fn of(&self, model: &str) -> &Chain {
        self.by_model.get(model).unwrap_or(&self.plain)
    }
}

/// The budgets as declared.
#[derive(Debug)]
pub(super) struct Declared {
    rows: Vec<(store::budgets::Budget, Unit)>,
    groups: HashMap<String, Vec<String>>,
    /// Indexes of `rows` by what they hold for: there may be a budget for each of very many keys.
    of_key: HashMap<String, Vec<usize>>,
    of_user: HashMap<String, Vec<usize>>,
    of_scope: HashMap<String, Vec<usize>>,
}

/// Whom a key's budgets hold for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder<'a> {
    /// The first key of its line of rotations.
    pub(super) line: &'a str,
    /// Its user.
    pub(super) owner: Option<&'a str>,
    /// Its scope and those above, nearest first.
    pub(super) scopes: &'a [&'a str],
}

impl Declared {
    /// Reads them and brings `budgets` up to date.
    pub(super) async fn load(store: &Store, budgets: &Budgets, now_ms: i64) -> Result<Self, BuildError> {
        let rows = store::budgets::list(store).await?;
        let wrong = |id: i64, what: String| BuildError::Row(format!("budget {id}: {what}"));
        let mut declared = Vec::with_capacity(rows.len());
        for row in &rows {
            let budget = Budget::declared(row, Vec::new()).map_err(|what| wrong(row.id, what))?;
            declared.extend(budget.map(|budget| Budget { name: name(row), ..budget }));
        }
        let ids: BTreeSet<i64> = declared.iter().map(|budget| budget.id).collect();
        let units: HashMap<i64, Unit> = declared.iter().map(|budget| (budget.id, budget.unit)).collect();
        // The window before counts too: something of it may be carried over.
        let earliest = declared.iter().map(|budget| earliest(&budget.window, now_ms));
        let since_ms = earliest.min().unwrap_or(now_ms);
        let mut spent: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
        for spend in store::budgets::spend_since(store, since_ms).await? {
            spent.entry(spend.budget.0).or_default().push((spend.window_start_ms, spend.settled_nano));
        }
        let mut top_ups: HashMap<i64, Vec<TopUp>> = HashMap::new();
        // Those that ended in the window before were part of what it left unused.
        for row in store::budgets::top_ups(store, since_ms).await? {
            let top_up = TopUp { amount_nano: row.amount_nano, from_ms: row.from_ms, until_ms: row.until_ms };
            top_ups.entry(row.budget_id).or_default().push(top_up);
        }
        for mut budget in declared {
            budget.top_ups = top_ups.remove(&budget.id).unwrap_or_default().into();
            let spent = spent.get(&budget.id).map_or(&[][..], Vec::as_slice);
            budgets.put(budget, spent, now_ms);
        }
        budgets.keep_only(&ids);
        let mut groups = HashMap::new();
        for group in store::model_groups::list(store).await? {
            let models = serde_json::from_value(group.models)
                .map_err(|error| BuildError::Row(format!("model group `{}`: {error}", group.name)))?;
            groups.insert(group.name, models);
        }
        let rows = rows.into_iter().filter_map(|row| units.get(&row.id).map(|unit| (row, *unit)));
        Ok(Self::indexed(rows.collect(), groups))
    }

    fn indexed(rows: Vec<(store::budgets::Budget, Unit)>, groups: HashMap<String, Vec<String>>) -> Self {
        let by = |holder: fn(&store::budgets::Budget) -> Option<&String>| {
            let mut index: HashMap<String, Vec<usize>> = HashMap::new();
            for (at, (row, _)) in rows.iter().enumerate() {
                if let Some(name) = holder(row) {
                    index.entry(name.clone()).or_default().push(at);
                }
            }
            index
        };
        let of_key = by(|row| row.key_id.as_ref());
        let of_user = by(|row| row.owner.as_ref());
        let of_scope = by(|row| row.scope.as_ref());
        Self { rows, groups, of_key, of_user, of_scope }
    }

    /// The chains of a key that may use `models`.
    pub(super) fn chains(&self, holder: Holder<'_>, models: &BTreeSet<String>) -> Chains {
        let own = self.of_key.get(holder.line);
        let of_user = holder.owner.and_then(|owner| self.of_user.get(owner));
        let above = holder.scopes.iter().filter_map(|path| self.of_scope.get(*path));
        let indexes = own.into_iter().chain(of_user).chain(above).flatten();
        let all: Vec<&(store::budgets::Budget, Unit)> =
            indexes.filter_map(|index| self.rows.get(*index)).collect();
        let chain = |counts: &dyn Fn(&str) -> bool| -> Chain {
            let mut chain = Chain::default();
            for (row, unit) in &all {
                if row.model_group.as_deref().is_none_or(counts) {
                    chain.ids.push(row.id);
                    chain.money |= unit.is_money();
                    chain.tokens |= *unit == Unit::Tokens;
                    chain.limits |= unit.is_limit();
                }
            }
            chain
        };
        let plain = chain(&|_| false);
        let by_model = if plain.ids.len() == all.len() {
            HashMap::new()
        } else {
            models.iter().map(|model| (model.clone(), chain(&|group| self.names(group, model)))).collect()
        };
        Chains { plain, by_model }
    }

    /// Whether a group names a model. A group that nobody knows names every one: its budgets then hold too often rather
    /// than never.
    fn names(&self, group: &str, model: &str) -> bool {
        self.groups.get(group).is_none_or(|names| names.iter().any(|name| pattern::matches(name, model)))
    }
}

/// The start of the earliest bucket whose spend matters now.
fn earliest(window: &Window, now_ms: i64) -> i64 {
    let before = window.bucket_before(now_ms).map_or(now_ms, |before| before.start_ms);
    before.min(window.counts_from(now_ms))
}

/// What a budget is called in refusals, which clients read: a user's is not called by the user.
fn name(row: &store::budgets::Budget) -> String {
    let holder = match (&row.scope, &row.key_id) {
        (Some(scope), _) => scope.clone(),
        (None, Some(key)) => format!("key {key}"),
        (None, None) if row.unit == Unit::Usd.as_str() => String::from("of the key's user"),
        (None, None) => String::from("the key's user"),
    };
    match &row.model_group {
        Some(group) => format!("{holder} for models {group}"),
        None => holder,
    }
}
