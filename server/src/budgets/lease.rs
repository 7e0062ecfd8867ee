//! How the remainder of a budget is divided among replicas: the escrow method, as a pure function.
//!
//! For each bucket of a budget's window the database has a row a replica: what was *granted* to it and what it has
//! *settled*. The greater of the two counts against the limit, and only [`divide`], under a lock on the budget, raises
//! what is granted. So at every instant the sum of what all replicas may spend and have spent is at most the limit,
//! and a replica that stays within its grant needs to ask nobody.
//!
//! To ask is at the same time to give back: a replica states what it must keep, and if what it needs beyond that
//! can't be granted, it is left with what it keeps. Two that each hold half of what each needs thus can't block one
//! another.

use smallvec::SmallVec;

use super::{Budget, Window};

/// What one replica asks for one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The budget.
    pub(crate) budget: i64,
    /// The window as the replica knows it.
    pub(crate) window: Window,
    /// Start of the earliest bucket that matters in any way, Unix milliseconds: also the one of which something may be
    /// carried over.
    pub(crate) oldest_ms: i64,
    /// Start of the bucket that the money is for.
    pub(crate) bucket_ms: i64,
    /// Start of the earliest bucket that counts against the limit.
    pub(crate) from_ms: i64,
    /// Start of the latest one that does.
    pub(crate) to_ms: i64,
    /// The replica does not know yet what its own row says: the amounts below are on top of what is settled there.
    pub(crate) first: bool,
    /// What it must be left with: settled, reserved, and promised to who waits.
    pub(crate) keep: i64,
    /// What it needs in all; more than `keep` where it is short.
    pub(crate) need: i64,
    /// What it could use in all.
    pub(crate) want: i64,
    /// What it has in earlier buckets.
    pub(crate) older: SmallVec<[Kept; 1]>,
    /// When it asks, Unix milliseconds.
    pub(crate) now_ms: i64,
}

/// What a replica must be left with in a bucket that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Start of the bucket.
    pub(crate) bucket_ms: i64,
    /// Settled in it.
    pub(crate) settled: i64,
    /// Settled and reserved.
    pub(crate) in_use: i64,
    /// Whether that is all that was ever settled under the replica's number.
    pub(crate) based: bool,
}

/// A row of the database: one replica in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// Start of the bucket.
    pub(crate) bucket_ms: i64,
    /// The replica.
    pub(crate) replica: i64,
    /// What it may spend.
    pub(crate) granted: i64,
    /// What it has spent.
    pub(crate) settled: i64,
    /// What it is short of.
    pub(crate) short: i64,
}

/// What is granted, and how the budget stands otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// What the replica may spend in the bucket in all.
    pub(crate) granted: i64,
    /// What its own row has settled.
    pub(crate) settled: i64,
    /// The limit with everything that was topped up and carried over.
    pub(crate) limit: i64,
    /// What of it was carried over.
    pub(crate) carried: i64,
    /// The most that could have been granted.
    pub(crate) most: i64,
    /// What is settled in other rows, but those of its own earlier buckets that the replica counts itself: it may settle
    /// something in one of them while it waits for this answer.
    pub(crate) elsewhere_settled: i64,
    /// What other replicas may spend and have not settled: idle, or held by their reservations.
    pub(crate) others_hold: i64,
    /// Whether another replica is short.
    pub(crate) others_short: bool,
    /// Whether the database keeps this replica's wish for more.
    pub(crate) short: i64,
}

/// Answers an ask. `rows` are those from `ask.oldest_ms` on, `live` the replicas that seem to be alive: it decides how
/// large a slice is, never how large all of them are.
#[must_use]
pub(crate) fn divide(ask: &Ask, replica: i64, budget: &Budget, rows: &[Row], live: u32) -> Answer {
    let before = budget.window.bucket_before(ask.bucket_ms).filter(|_| budget.carries_over());
    let after_ms = budget.window.bucket(ask.bucket_ms).end_ms.filter(|_| budget.carries_over());
    let mut settled = 0;
    // Sums of 64-bit amounts, in 128 bits: they can't overflow.
    let (mut elsewhere, mut elsewhere_settled) = (0_i128, 0_i128);
    let (mut others_hold, mut held_before, mut held_after) = (0_i128, 0_i128, 0_i128);
    let mut others_short = false;
    for row in rows {
        let mine = row.replica == replica;
        let counts = (ask.from_ms..=ask.to_ms).contains(&row.bucket_ms);
        let was_before = before.is_some_and(|before| before.start_ms == row.bucket_ms);
        if mine && row.bucket_ms == ask.bucket_ms {
            settled = row.settled;
            continue;
        }
        if after_ms == Some(row.bucket_ms) {
            held_after += i128::from(row.granted.max(row.settled));
        }
        if !counts && !was_before {
            continue;
        }
        let kept = ask.older.iter().find(|kept| mine && kept.bucket_ms == row.bucket_ms);
        let (granted, spent) = match kept {
            Some(kept) => (kept.in_use, kept.settled.max(row.settled)),
            None => (row.granted, row.settled),
        };
        let counted_there = match kept {
            Some(kept) if kept.based => spent,
            Some(kept) => kept.settled,
            None => 0,
        };
        let held = granted.max(spent);
        if counts {
            elsewhere += i128::from(held);
            elsewhere_settled += i128::from(spent) - i128::from(counted_there);
        }
        if was_before {
            held_before += i128::from(held);
        }
        if !mine {
            others_hold += i128::from(held) - i128::from(spent);
            others_short |= row.short > 0;
        }
    }
    // What is still granted in the window before may still be spent there: it is not unused.
    let carried = budget.carried_nano(before, clamp(held_before));
    let own = budget.limit_at(ask.now_ms);
    // A replica whose clock is ahead may have carried over already what this one would spend now.
    let carried_on = (held_after - i128::from(own)).max(0);
    let limit = clamp(i128::from(own) + i128::from(carried) - carried_on);
    let base = if ask.first { settled } else { 0 };
    let keep = ask.keep.saturating_add(base);
    let need = ask.need.saturating_add(base);
    let want = ask.want.saturating_add(base).max(need);
    let most = clamp(i128::from(limit) - elsewhere);
    let granted = if need <= keep || need > most {
        keep
    } else if live <= 1 {
        most
    } else if others_short {
        need
    } else {
        let share = most.saturating_sub(keep) / (2 * i64::from(live));
        want.max(keep.saturating_add(share)).min(most)
    };
    let short = if granted < need && others_hold > 0 { need.saturating_sub(keep) } else { 0 };
    Answer {
        granted,
        settled,
        limit,
        carried,
        most,
        elsewhere_settled: clamp(elsewhere_settled),
        others_hold: clamp(others_hold),
        others_short,
        short,
    }
}

fn clamp(amount: i128) -> i64 {
    i64::try_from(amount).unwrap_or(if amount < 0 { i64::MIN } else { i64::MAX })
}
