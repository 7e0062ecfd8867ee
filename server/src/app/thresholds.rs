//! Shares of budgets that were reached: noted once a window, recorded, told to who listens.
//!
//! It is looked at what the database has settled, not at what one replica knows, and now and then rather than with
//! every request: a threshold warns, it does not hold anything up.

use std::collections::{HashMap, HashSet};

use bailiwick_ledger::Kind;
use serde_json::{Value, json};

use super::{Act, App};
use crate::budgets::{Budget, format_usd, reached};
use crate::gateway::record::RecordError;
use crate::store::{self, StoreError};

/// A share of a budget's limit was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdReached {
    /// The budget.
    pub budget: Budget,
    /// Start of the window's last bucket, Unix milliseconds.
    pub window_start_ms: i64,
    /// The share, in per cent.
    pub percent: u16,
    /// What may be spent in the window, in nano-dollars.
    pub limit_nano: i64,
    /// What is settled in it.
    pub settled_nano: i64,
}

/// Why something could not be noted.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Record(#[from] RecordError),
}

impl App {
    /// Notes what was reached and not noted yet. What fails is tried again the next time.
    pub(super) async fn note_thresholds(&self) {
        if let Err(error) = self.try_note_thresholds().await {
            tracing::warn!(%error, "a budget's threshold could not be noted; it is tried again");
        }
    }

    async fn try_note_thresholds(&self) -> Result<(), NoteError> {
        let now_ms = self.gateway.clock.now_ms();
        let standings = self.gateway.budgets.standings(now_ms);
        let watched: Vec<Budget> = standings
            .into_iter()
            .map(|standing| standing.budget)
            .filter(|budget| !budget.thresholds.is_empty())
            .collect();
        let Some(since_ms) = watched.iter().map(|budget| earliest(budget, now_ms)).min() else {
            return Ok(());
        };
        let mut spent: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
        for row in store::budgets::spend_since(&self.store, since_ms).await? {
            spent.entry(row.budget.0).or_default().push((row.window_start_ms, row.settled_nano));
        }
        let open = watched.iter().flat_map(|budget| {
            let rows = spent.get(&budget.id).map_or(&[][..], Vec::as_slice);
            now_reached(budget, rows, now_ms)
        });
        let open: Vec<ThresholdReached> = open.collect();
        if open.is_empty() {
            return Ok(());
        }
        let noted: HashSet<(i64, u16, i64)> = store::budgets::noted_thresholds(&self.store, since_ms)
            .await?
            .into_iter()
            .map(|(budget, start_ms, percent)| (budget.0, percent, start_ms))
            .collect();
        for event in open {
            let counts_from = event.budget.window.counts_from(now_ms);
            let known = noted.iter().any(|(budget, percent, start_ms)| {
                (*budget, *percent) == (event.budget.id, event.percent) && *start_ms >= counts_from
            });
            if !known {
                self.note(event, now_ms).await?;
            }
        }
        Ok(())
    }

    async fn note(&self, event: ThresholdReached, now_ms: i64) -> Result<(), NoteError> {
        let id = store::budgets::BudgetId(event.budget.id);
        let row = store::budgets::get(&self.store, id).await?;
        let scope = crate::admin::budget_scope(self, &row);
        let act = Act {
            kind: Kind::Admin,
            principal: "system",
            scope: scope.as_deref(),
            name: "budget_threshold_reached",
            what: json!({
                "budget": event.budget.id,
                "name": event.budget.name,
                "window": event.budget.window,
                "window_start_ms": event.window_start_ms,
                "percent": event.percent,
                "limit_usd": format_usd(event.limit_nano),
                "settled_usd": format_usd(event.settled_nano),
                "hard": event.budget.hard,
            }),
        };
        let note = async {
            let (start_ms, percent) = (event.window_start_ms, event.percent);
            Ok::<_, NoteError>(
                store::budgets::note_threshold(&self.store, id, start_ms, percent, now_ms).await?,
            )
        };
        if self.act_aside(act, |_| Value::Null, note).await? {
            tracing::warn!(
                budget = event.budget.name,
                percent = event.percent,
                settled_usd = format_usd(event.settled_nano),
                limit_usd = format_usd(event.limit_nano),
                "a budget has reached a threshold"
            );
            // Nobody has to listen.
            let _ = self.thresholds.send(event);
        }
        Ok(())
    }
}

/// The start of the earliest bucket whose spend matters.
fn earliest(budget: &Budget, now_ms: i64) -> i64 {
    let before = budget.window.bucket_before(now_ms).map_or(now_ms, |before| before.start_ms);
    before.min(budget.window.counts_from(now_ms))
}

/// The thresholds that are reached by what was settled in which bucket.
fn now_reached(budget: &Budget, rows: &[(i64, i64)], now_ms: i64) -> Vec<ThresholdReached> {
    let bucket = budget.window.bucket(now_ms);
    let counts_from = budget.window.counts_from(now_ms);
    let before = budget.window.bucket_before(now_ms);
    let sum = |is: &dyn Fn(i64) -> bool| {
        rows.iter().filter(|(start, _)| is(*start)).fold(0_i64, |sum, (_, nano)| sum.saturating_add(*nano))
    };
    let settled_nano = sum(&|start| (counts_from..=bucket.start_ms).contains(&start));
    let spent_before = sum(&|start| before.is_some_and(|before| before.start_ms == start));
    let limit_nano = budget.limit_at(now_ms).saturating_add(budget.carried_nano(before, spent_before));
    reached(&budget.thresholds, limit_nano, settled_nano)
        .map(|percent| ThresholdReached {
            budget: budget.clone(),
            window_start_ms: bucket.start_ms,
            percent,
            limit_nano,
            settled_nano,
        })
        .collect()
}
