//! How much a budget allows now: its limit, what was topped up, what was carried over. And at which shares of it
//! somebody is told.
//!
//! All of it is whole numbers that stop at the largest one and never wrap.

use super::{Bucket, Budget};

/// An amount that is added to a budget's limit for a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopUp {
    /// Nano-dollars, above zero.
    pub amount_nano: i64,
    /// From this instant on, Unix milliseconds.
    pub from_ms: i64,
    /// Until this one; for good where absent.
    pub until_ms: Option<i64>,
}

impl TopUp {
    /// Whether it counts now.
    #[must_use]
    pub fn holds(&self, now_ms: i64) -> bool {
        self.from_ms <= now_ms && self.until_ms.is_none_or(|until| now_ms < until)
    }
}

impl Budget {
    /// The limit now with what was topped up, in nano-dollars; without what was carried over.
    #[must_use]
    pub fn limit_at(&self, now_ms: i64) -> i64 {
        self.top_ups
            .iter()
            .filter(|top_up| top_up.holds(now_ms))
            .fold(self.limit_nano, |limit, top_up| limit.saturating_add(top_up.amount_nano.max(0)))
    }

    /// The next instant at which [`Budget::limit_at`] may say something else.
    #[must_use]
    pub fn limit_changes(&self, now_ms: i64) -> Option<i64> {
        self.top_ups
            .iter()
            .flat_map(|top_up| [Some(top_up.from_ms), top_up.until_ms])
            .flatten()
            .filter(|at| *at > now_ms)
            .min()
    }

    /// Whether what a window leaves unused may be carried over to the next.
    #[must_use]
    pub fn carries_over(&self) -> bool {
        self.carry_over_nano > 0 && self.window.starts_again()
    }

    /// What is carried over from the window `before`, in which `spent_nano` was spent: its unused part, up to the cap.
    /// What it had been carried itself is not carried on, so money lives for two windows at most. A budget that did not
    /// exist then left nothing unused.
    #[must_use]
    pub fn carried_nano(&self, before: Option<Bucket>, spent_nano: i64) -> i64 {
        let Some(Bucket { end_ms: Some(end), .. }) = before else { return 0 };
        if !self.window.starts_again() || self.created_ms >= end {
            return 0;
        }
        // Its last instant's limit: a top-up that ended with the window was part of it.
        let unused = self.limit_at(end.saturating_sub(1)).saturating_sub(spent_nano);
        unused.clamp(0, self.carry_over_nano.max(0))
    }
}

/// The shares, in per cent, of `limit_nano` that `spent_nano` has reached. A share of nothing is reached by the first
/// nano-dollar.
pub fn reached(thresholds: &[u16], limit_nano: i64, spent_nano: i64) -> impl Iterator<Item = u16> {
    thresholds.iter().copied().filter(move |percent| {
        spent_nano > 0 && i128::from(spent_nano) * 100 >= i128::from(limit_nano.max(0)) * i128::from(*percent)
    })
}

/// Shares that somebody is to be told of, in order and once each.
///
/// # Errors
/// What is wrong with them, in words.
pub fn read_thresholds(written: &[i64]) -> Result<Vec<u16>, String> {
    const MOST: usize = 20;
    if written.len() > MOST {
        return Err(format!("a budget has at most {MOST} thresholds"));
    }
    let mut thresholds = Vec::with_capacity(written.len());
    for percent in written {
        match u16::try_from(*percent) {
            Ok(percent @ 1..=1_000) => thresholds.push(percent),
            _ => {
                return Err(format!(
                    "{percent} is no threshold: write per cents of the limit from 1 to 1000"
                ));
            }
        }
    }
    thresholds.sort_unstable();
    thresholds.dedup();
    Ok(thresholds)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::budgets::Window;

    const DAY: i64 = 86_400_000;

    fn budget(limit_nano: i64, top_ups: &[TopUp], carry_over_nano: i64) -> Budget {
        Budget { limit_nano, top_ups: top_ups.into(), carry_over_nano, ..Budget::new(1, Window::DAY, 0) }
    }

    #[test]
    fn a_top_up_counts_while_it_holds() {
        let budget = budget(
            100,
            &[
                TopUp { amount_nano: 50, from_ms: 10, until_ms: Some(20) },
                TopUp { amount_nano: 7, from_ms: 15, until_ms: None },
            ],
            0,
        );
        for (now, limit) in [(9, 100), (10, 150), (14, 150), (15, 157), (19, 157), (20, 107), (i64::MAX, 107)]
        {
            assert_eq!(budget.limit_at(now), limit, "at {now}");
        }
        assert_eq!(
            [0, 10, 15, 20].map(|now| budget.limit_changes(now)),
            [Some(10), Some(15), Some(20), None]
        );
    }

    #[test]
    fn the_unused_part_is_carried_over_once_up_to_the_cap() {
        let window = Window::DAY;
        let before = window.bucket_before(10 * DAY);
        let plain = budget(100, &[], 30);
        assert_eq!(
            [0, 80, 100, 500, i64::MAX].map(|spent| plain.carried_nano(before, spent)),
            [30, 20, 0, 0, 0]
        );
        let young = Budget { created_ms: 10 * DAY, ..plain.clone() };
        assert_eq!(young.carried_nano(before, 0), 0, "it did not exist then");
        assert_eq!(plain.carried_nano(None, 0), 0);
        let total = Budget { window: Window::Total, ..plain };
        assert_eq!(total.carried_nano(before, 0), 0);
        let topped =
            budget(100, &[TopUp { amount_nano: 50, from_ms: 9 * DAY, until_ms: Some(10 * DAY) }], 1_000);
        assert_eq!(topped.carried_nano(before, 110), 40);
    }

    #[test]
    fn shares_are_reached() {
        let shares = |limit, spent| reached(&[50, 80, 100, 150], limit, spent).collect::<Vec<_>>();
        assert_eq!(shares(1_000, 499), Vec::<u16>::new());
        assert_eq!(shares(1_000, 500), [50]);
        assert_eq!(shares(1_000, 1_000), [50, 80, 100]);
        assert_eq!(shares(0, 0), Vec::<u16>::new());
        assert_eq!(shares(0, 1), [50, 80, 100, 150]);
        assert_eq!(shares(i64::MAX, i64::MAX), [50, 80, 100]);
        assert_eq!(read_thresholds(&[100, 50, 50]), Ok(vec![50, 100]));
        for bad in [0, -5, 1_001, i64::MAX] {
            assert!(read_thresholds(&[bad]).is_err());
        }
        assert!(read_thresholds(&[1; 21]).is_err());
    }

    proptest! {
        #[test]
        fn a_limit_never_wraps_and_a_top_up_never_lowers_it(
            limit in 0..i64::MAX,
            amounts in prop::collection::vec(any::<i64>(), 0..5),
            spent: i64,
            cap: i64,
            now in 0..i64::MAX,
        ) {
            let top_ups: Vec<TopUp> =
                amounts.iter().map(|amount| TopUp { amount_nano: *amount, from_ms: 0, until_ms: None }).collect();
            let budget = budget(limit, &top_ups, cap);
            prop_assert!(budget.limit_at(now) >= limit);
            let carried = budget.carried_nano(budget.window.bucket_before(now), spent);
            prop_assert!((0..=cap.max(0)).contains(&carried));
        }
    }
}
