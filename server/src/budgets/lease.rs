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

/// What one replica asks for one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    /// The budget.
    pub(crate) budget: i64,
    /// Start of the bucket that the money is for, Unix milliseconds.
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
    /// What it must be left with in earlier buckets: start and amount.
    pub(crate) older: SmallVec<[(i64, i64); 1]>,
    /// When it asks, Unix milliseconds.
    pub(crate) now_ms: i64,
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
    /// The limit.
    pub(crate) limit: i64,
    /// The most that could have been granted.
    pub(crate) most: i64,
    /// What is settled in other rows.
    pub(crate) elsewhere_settled: i64,
    /// What other replicas may spend and have not settled: idle, or held by their reservations.
    pub(crate) others_hold: i64,
    /// Whether another replica is short.
    pub(crate) others_short: bool,
    /// Whether the database keeps this replica's wish for more.
    pub(crate) short: i64,
}

/// Answers an ask. `limit` is the budget's, `rows` those from `ask.from_ms` to `ask.to_ms`, `live` the replicas that seem
/// to be alive: it decides how large a slice is, never how large all of them are.
#[must_use]
pub(crate) fn divide(ask: &Ask, replica: i64, limit: i64, rows: &[Row], live: u32) -> Answer {
    let mut settled = 0;
    // Sums of 64-bit amounts, in 128 bits: they can't overflow.
    let (mut elsewhere, mut elsewhere_settled, mut others_hold) = (0_i128, 0_i128, 0_i128);
    let mut others_short = false;
    for row in rows {
        let mine = row.replica == replica;
        if mine && row.bucket_ms == ask.bucket_ms {
            settled = row.settled;
            continue;
        }
        let granted = match ask.older.iter().find(|(start, _)| mine && *start == row.bucket_ms) {
            Some((_, keep)) => *keep,
            None => row.granted,
        };
        let counts = granted.max(row.settled);
        elsewhere += i128::from(counts);
        elsewhere_settled += i128::from(row.settled);
        if !mine {
            others_hold += i128::from(counts) - i128::from(row.settled);
            others_short |= row.short > 0;
        }
    }
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
