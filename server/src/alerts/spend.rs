//! Spend that is unusual for its hour.
//!
//! What a scope and those below it spent in an hour is held against the same hour of the past eight weeks, by a robust
//! z-score (Iglewicz and Hoaglin, "How to Detect and Handle Outliers", 1993): 0.6745 · (x − median) / MAD, unusual from 3.5
//! on. The median and the median absolute deviation are not moved by the one week in which something else was unusual. Where
//! every week was alike the deviation counts as a tenth of the median, so that a cent more is no alert.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::event::{Event, Often, instant};
use super::kind::{Kind, Severity};
use crate::budgets::format_usd;
use crate::store::{self, Store, StoreError};

const HOUR_MS: i64 = 3_600_000;
const WEEK_MS: i64 = 7 * 24 * HOUR_MS;
/// How long after an hour it is looked at: what was under way at its end has settled mostly.
const LATER_MS: i64 = 300_000;
/// Weeks that are looked back on, and of how many there has to be any spend of the whole organisation.
const WEEKS: i64 = 8;
const LEAST_WEEKS: usize = 4;
/// What is spent in an hour at least: a dollar. Less is nobody's worry.
const LEAST_NANO: i64 = 1_000_000_000;

/// The last hour that is over and settled, by its beginning.
pub(super) const fn hour(now_ms: i64) -> i64 {
    let settled = now_ms - LATER_MS - HOUR_MS;
    settled - settled.rem_euclid(HOUR_MS)
}

/// The alerts of the hour that begins at `hour_ms`.
pub(super) async fn look(store: &Store, hour_ms: i64) -> Result<Vec<Event>, StoreError> {
    let now = spent(store, hour_ms).await?;
    if now.values().all(|nano| *nano < LEAST_NANO) {
        return Ok(Vec::new());
    }
    let mut before = Vec::new();
    for week in 1..=WEEKS {
        let spent = spent(store, hour_ms.saturating_sub(week.saturating_mul(WEEK_MS))).await?;
        // A week before the first request says nothing about what is usual.
        if !spent.is_empty() {
            before.push(spent);
        }
    }
    Ok(unusual(&now, &before, hour_ms))
}

/// What each scope and those below it spent in an hour, nano-dollars.
async fn spent(store: &Store, hour_ms: i64) -> Result<BTreeMap<String, i64>, StoreError> {
    let mut all: BTreeMap<String, i64> = BTreeMap::new();
    for (scope, nano) in store::decisions::spent(store, hour_ms, hour_ms.saturating_add(HOUR_MS)).await? {
        for of in with_those_above(&scope) {
            let sum = all.entry(of.to_owned()).or_default();
            *sum = sum.saturating_add(nano);
        }
    }
    Ok(all)
}

/// `/a/b`, `/a` and `/`.
fn with_those_above(scope: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(scope), |scope| match scope.rsplit_once('/') {
        Some(("", "")) | None => None,
        Some(("", _)) => Some("/"),
        Some((above, _)) => Some(above),
    })
}

fn unusual(now: &BTreeMap<String, i64>, before: &[BTreeMap<String, i64>], hour_ms: i64) -> Vec<Event> {
    if before.len() < LEAST_WEEKS {
        return Vec::new();
    }
    let found: BTreeMap<&str, i64> = now
        .iter()
        .filter_map(|(scope, nano)| {
            let usual: Vec<i64> = before.iter().map(|week| week.get(scope).copied().unwrap_or(0)).collect();
            let median = median(usual.clone());
            (*nano >= LEAST_NANO && is_outlier(*nano, &usual, median)).then_some((scope.as_str(), median))
        })
        .collect();
    // Where the reason lies, and not everywhere above it.
    let above: BTreeSet<&str> =
        found.keys().flat_map(|scope| with_those_above(scope).skip(1).collect::<Vec<_>>()).collect();
    let event = |(scope, median): (&str, i64)| Event {
        kind: Kind::UnusualSpend,
        severity: Severity::Warning,
        scope: scope.to_owned(),
        subject: format!("unusual_spend/{scope}/{hour_ms}"),
        facts: json!({
            "scope": scope, "hour": instant(hour_ms), "usd": format_usd(now.get(scope).copied().unwrap_or(0)),
            "usual_usd": format_usd(median), "weeks": before.len(),
        }),
        often: Often::Once,
    };
    found.into_iter().filter(|(scope, _)| !above.contains(scope)).map(event).collect()
}

/// Whether it is more than what is usual by a score of 3.5.
fn is_outlier(nano: i64, usual: &[i64], median_nano: i64) -> bool {
    let off = usual.iter().map(|week| week.saturating_sub(median_nano).saturating_abs()).collect();
    let deviation = median(off).max(median_nano / 10).max(1);
    let above = i128::from(nano) - i128::from(median_nano);
    above.saturating_mul(6_745) >= i128::from(deviation).saturating_mul(35_000)
}

/// The middle one, or what lies between the two in the middle.
fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    let middle = values.len() / 2;
    match (values.get(middle), middle.checked_sub(1).and_then(|before| values.get(before))) {
        (Some(upper), Some(lower)) if values.len().is_multiple_of(2) => lower.midpoint(*upper),
        (Some(upper), _) => *upper,
        (None, _) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::decisions::DecisionRow;
    use crate::store::replicas::ReplicaNumber;

    fn dollars(whole: i64) -> i64 {
        whole * 1_000_000_000
    }

    fn week(of: &[(&str, i64)]) -> BTreeMap<String, i64> {
        of.iter().map(|(scope, usd)| ((*scope).to_owned(), dollars(*usd))).collect()
    }

    #[test]
    fn an_hour_is_looked_at_when_it_is_over_and_settled() {
        assert_eq!(hour(10 * HOUR_MS + LATER_MS), 9 * HOUR_MS);
        assert_eq!(hour(10 * HOUR_MS + LATER_MS - 1), 8 * HOUR_MS);
        assert_eq!(hour(11 * HOUR_MS), 9 * HOUR_MS);
    }

    #[test]
    fn what_is_usual_is_no_alert_however_much_and_one_odd_week_changes_nothing() {
        let outlier = |usd: i64, usual: &[i64]| {
            let usual: Vec<i64> = usual.iter().copied().map(dollars).collect();
            is_outlier(dollars(usd), &usual, median(usual.clone()))
        };
        assert!(!outlier(100, &[90, 110, 95, 105, 100, 98, 102, 100]));
        assert!(outlier(200, &[90, 110, 95, 105, 100, 98, 102, 100]));
        assert!(outlier(200, &[90, 110, 95, 105, 100, 98, 102, 5_000]), "the odd week");
        assert!(!outlier(101, &[100; 8]), "a little more than always the same");
        assert!(outlier(160, &[100; 8]));
        assert!(!outlier(10, &[100; 8]), "less is no alert");
        assert!(outlier(5, &[0; 8]), "where nothing was spent before");
    }

    #[test]
    fn it_is_told_where_the_reason_lies() {
        let usual = week(&[("/", 30), ("/a", 20), ("/a/b", 10), ("/a/c", 10)]);
        let now = week(&[("/", 330), ("/a", 320), ("/a/b", 310), ("/a/c", 10)]);
        let told = unusual(&now, &vec![usual.clone(); 8], 0);
        let scopes: Vec<&str> = told.iter().map(|event| event.scope.as_str()).collect();
        assert_eq!(scopes, ["/a/b"]);
        assert_eq!((&told[0].facts["usd"], &told[0].facts["usual_usd"]), (&json!("310"), &json!("10")));
        assert!(unusual(&now, &vec![usual; 3], 0).is_empty(), "too short a past");
        assert_eq!(with_those_above("/a/b").collect::<Vec<_>>(), ["/a/b", "/a", "/"]);
        assert_eq!(with_those_above("/").collect::<Vec<_>>(), ["/"]);
    }

    #[tokio::test]
    async fn it_is_summed_from_what_decisions_cost() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_in(folder.path()).await.unwrap();
        let first = 1_795_000_000_000 - 1_795_000_000_000 % HOUR_MS;
        let mut rows = Vec::new();
        for week in 0..=WEEKS {
            let at = first - week * WEEK_MS;
            let usd = if week == 0 { 50 } else { 3 };
            for (place, (scope, minute)) in
                [("/acme/a", 5), ("/acme/b", 59), ("/acme/a", 61)].into_iter().enumerate()
            {
                let time_ms = at + minute * 60_000;
                let cost = if scope == "/acme/a" { usd } else { 3 };
                rows.push(DecisionRow {
                    id: format!("dec_{time_ms:012x}7000800000000000000{place}"),
                    time_ms,
                    scope: scope.to_owned(),
                    key_id: None,
                    model: None,
                    outcome: String::from("allowed"),
                    endpoint: None,
                    redactions: None,
                    classes: None,
                    cost_nano: Some(dollars(cost)),
                    overhead_us: None,
                    status: None,
                    code: None,
                });
            }
        }
        let rows = (0..).zip(rows).collect();
        store::decisions::adopt(&store, ReplicaNumber::new(1), rows).await.unwrap();
        assert_eq!(spent(&store, first).await.unwrap()["/acme"], dollars(53));
        let told = look(&store, first).await.unwrap();
        assert_eq!(told.iter().map(|event| event.scope.as_str()).collect::<Vec<_>>(), ["/acme/a"]);
        assert!(look(&store, first - HOUR_MS).await.unwrap().is_empty());
        store.close().await;
    }
}
