//! When a budget starts again.
//!
//! Spend is booked in *buckets*: spans of time that follow one another without gap or overlap. By the calendar, a bucket
//! is the window itself and a new one starts empty. A rolling window is a row of whole buckets, of which the oldest
//! expires when a new one begins: `last 24 hours` counts the hour that is running and the twenty-three before it.
//!
//! The calendar is that of a time zone (IANA names). A day begins at the first instant at which its clocks show midnight
//! or later: where midnight is skipped in spring, when the clocks jump; where it comes twice in autumn, the first time. An
//! hour is an hour that passes, so the one that the clocks show twice is two. Time before 1970 and after 9999 is
//! taken for the nearest that is not.

mod calendar;
mod written;

use chrono::Weekday;
use chrono_tz::Tz;

/// How a budget's time is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Window {
    /// Starts again with every period of the calendar.
    Calendar(Calendar),
    /// Whole buckets, each of which expires.
    Rolling(Rolling),
    /// For ever: it never starts again.
    Total,
}

/// A period of a zone's calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Calendar {
    /// How long.
    pub period: Period,
    /// Whose midnights.
    pub zone: Tz,
}

/// A length of calendar time, and where it is anchored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// Ten seconds, from one that ends in a zero on: a rolling window's bucket, and nothing else.
    TenSeconds,
    /// Ten minutes, likewise.
    TenMinutes,
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// Seven days from this one on.
    Week(Weekday),
    /// A month.
    Month,
    /// Three months, counted from this month of the year (1 to 12).
    Quarter(u8),
    /// Twelve months from this one on (1 to 12).
    Year(u8),
}

/// The running bucket and those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rolling {
    /// How many buckets count, from 2 to [`Rolling::MOST`].
    buckets: u16,
    /// No longer than [`Period::Day`].
    bucket: Calendar,
}

/// A span of time in which spend is booked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Its first instant, Unix milliseconds.
    pub start_ms: i64,
    /// The first instant after it; `None` never ends.
    pub end_ms: Option<i64>,
}

impl Rolling {
    /// Most buckets of a window: a year of days, or two weeks of hours.
    pub const MOST: u16 = 366;
}

impl Bucket {
    /// Whether an instant lies in it.
    #[must_use]
    pub fn holds(&self, now_ms: i64) -> bool {
        self.start_ms <= now_ms && self.end_ms.is_none_or(|end| now_ms < end)
    }
}

impl Window {
    /// A period of the calendar in UTC.
    #[must_use]
    pub const fn utc(period: Period) -> Self {
        Self::Calendar(Calendar { period, zone: Tz::UTC })
    }

    /// A calendar month in UTC.
    pub const MONTH: Self = Self::utc(Period::Month);
    /// Any sixty seconds or a little less: six buckets.
    pub const LAST_MINUTE: Self = Self::six(Period::TenSeconds);
    /// Likewise sixty minutes.
    pub const LAST_HOUR: Self = Self::six(Period::TenMinutes);
    /// Likewise a day, in hours.
    pub const LAST_DAY: Self =
        Self::Rolling(Rolling { buckets: 24, bucket: Calendar { period: Period::Hour, zone: Tz::UTC } });

    const fn six(period: Period) -> Self {
        Self::Rolling(Rolling { buckets: 6, bucket: Calendar { period, zone: Tz::UTC } })
    }

    /// A day in UTC.
    pub const DAY: Self = Self::utc(Period::Day);

    /// Where a booking that is made now belongs.
    #[must_use]
    pub fn bucket(&self, now_ms: i64) -> Bucket {
        match self {
            Self::Calendar(calendar) => calendar.bucket(now_ms),
            Self::Rolling(rolling) => rolling.bucket.bucket(now_ms),
            Self::Total => Bucket { start_ms: 0, end_ms: None },
        }
    }

    /// The start of the earliest bucket that counts against the limit now. All of it counts: a bucket expires whole.
    #[must_use]
    pub fn counts_from(&self, now_ms: i64) -> i64 {
        match self {
            Self::Calendar(_) | Self::Total => self.bucket(now_ms).start_ms,
            Self::Rolling(rolling) => rolling.counts_from(now_ms),
        }
    }

    /// The bucket before the one that holds `now_ms`; `None` for one that has none before it.
    #[must_use]
    pub fn bucket_before(&self, now_ms: i64) -> Option<Bucket> {
        let bucket = self.bucket(now_ms);
        (bucket.start_ms > 0).then(|| self.bucket(bucket.start_ms - 1))
    }

    /// When money that is spent now counts no longer; `None` never.
    #[must_use]
    pub fn forgets_at(&self, now_ms: i64) -> Option<i64> {
        match self {
            Self::Calendar(_) | Self::Total => self.bucket(now_ms).end_ms,
            Self::Rolling(rolling) => {
                let mut end = rolling.bucket.bucket(now_ms).end_ms?;
                for _ in 1..rolling.buckets {
                    end = rolling.bucket.bucket(end).end_ms?;
                }
                Some(end)
            }
        }
    }

    /// Whether money that was spent in earlier buckets counts with that of the one that is open.
    #[must_use]
    pub const fn rolls(&self) -> bool {
        matches!(self, Self::Rolling(_))
    }

    /// Whether every window starts empty, so that what is left of one can be carried over to the next.
    #[must_use]
    pub const fn starts_again(&self) -> bool {
        matches!(self, Self::Calendar(_))
    }
}

impl Rolling {
    fn counts_from(&self, now_ms: i64) -> i64 {
        let mut start = self.bucket.bucket(now_ms).start_ms;
        for _ in 1..self.buckets {
            if start <= 0 {
                break;
            }
            start = self.bucket.bucket(start - 1).start_ms;
        }
        start
    }
}

#[cfg(test)]
mod tests;
