//! The calendar of a time zone, as spans of time.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Offset, TimeZone, Utc};
use chrono_tz::{GapInfo, Tz};

use super::{Bucket, Calendar, Period};

const HOUR_S: i64 = 3_600;
/// The last second of the year 9999.
const LAST_S: i64 = 253_402_300_799;

impl Calendar {
    /// The period that holds `now_ms`.
    pub(super) fn bucket(&self, now_ms: i64) -> Bucket {
        let now_s = now_ms.div_euclid(1_000).clamp(0, LAST_S);
        let (start_s, end_s) = match self.period {
            Period::TenSeconds => whole(now_s, 10),
            Period::TenMinutes => whole(now_s, 600),
            Period::Hour => hour(self.zone, now_s),
            _ => self.dates(now_s),
        };
        // A window that began before 1970 begins there: 0 is the earliest start that there is.
        Bucket { start_ms: start_s.max(0).saturating_mul(1_000), end_ms: Some(end_s.saturating_mul(1_000)) }
    }

    /// The first instant of the period of whole days around `now_s`, and of the one after it.
    fn dates(&self, now_s: i64) -> (i64, i64) {
        let Some(now) = DateTime::<Utc>::from_timestamp(now_s, 0) else { return (0, LAST_S) };
        let today = now.with_timezone(&self.zone).date_naive();
        let mut first = self.period.first_day(today);
        let mut start_s = midnight(self.zone, first);
        // Clocks that were set back past midnight show yesterday again, in a day that has begun. And a day that a zone
        // skipped begins and ends at the same instant: hence a loop.
        for _ in 0..4 {
            let Some(next) = self.period.next(first) else { break };
            let end_s = midnight(self.zone, next);
            if now_s < end_s {
                return (start_s, end_s);
            }
            (first, start_s) = (next, end_s);
        }
        (start_s, LAST_S.max(start_s))
    }
}

impl Period {
    /// The first day of the period that holds `day`.
    fn first_day(self, day: NaiveDate) -> NaiveDate {
        match self {
            Self::TenSeconds | Self::TenMinutes | Self::Hour | Self::Day => day,
            Self::Week(first) => {
                let since = day.weekday().days_since(first);
                day.checked_sub_days(Days::new(u64::from(since))).unwrap_or(day)
            }
            Self::Month => months_back(day, 0),
            Self::Quarter(first) => months_back(day, months_since(day, first) % 3),
            Self::Year(first) => months_back(day, months_since(day, first)),
        }
    }

    /// The first day of the period after the one that begins on `first`.
    fn next(self, first: NaiveDate) -> Option<NaiveDate> {
        match self {
            Self::TenSeconds | Self::TenMinutes | Self::Hour | Self::Day => first.succ_opt(),
            Self::Week(_) => first.checked_add_days(Days::new(7)),
            Self::Month => first.checked_add_months(Months::new(1)),
            Self::Quarter(_) => first.checked_add_months(Months::new(3)),
            Self::Year(_) => first.checked_add_months(Months::new(12)),
        }
    }
}

/// Months since the last one of this number, 0 to 11.
fn months_since(day: NaiveDate, month: u8) -> u32 {
    (day.month() + 12 - u32::from(month)) % 12
}

/// The first of the month, that many months before.
fn months_back(day: NaiveDate, months: u32) -> NaiveDate {
    let first = day.with_day(1).unwrap_or(day);
    first.checked_sub_months(Months::new(months)).unwrap_or(first)
}

/// The first instant at which clocks show this day's midnight or later.
fn midnight(zone: Tz, day: NaiveDate) -> i64 {
    let local = day.and_time(NaiveTime::MIN);
    if let Some(instant) = zone.from_local_datetime(&local).earliest() {
        return instant.timestamp();
    }
    // Skipped: the clocks jump over it.
    match GapInfo::new(&local, &zone).and_then(|gap| gap.end) {
        Some(after) => after.timestamp(),
        // Not known to happen. The standard reading is then the one in force a day before.
        None => local.and_utc().timestamp() - offset_s(zone, local.and_utc().timestamp() - 24 * HOUR_S),
    }
}

/// Seconds that clocks are ahead of UTC.
fn offset_s(zone: Tz, at_s: i64) -> i64 {
    DateTime::<Utc>::from_timestamp(at_s, 0)
        .map_or(0, |at| i64::from(zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()))
}

/// The span of so many seconds around an instant. What zones show does not matter to spans this short.
fn whole(now_s: i64, seconds: i64) -> (i64, i64) {
    let start_s = now_s - now_s.rem_euclid(seconds);
    (start_s, start_s + seconds)
}

/// The hour around an instant: between two instants at which the zone's clocks show a full hour. Where clocks are set by
/// less than an hour the hour is cut there.
fn hour(zone: Tz, now_s: i64) -> (i64, i64) {
    let phase = |at_s| offset_s(zone, at_s).rem_euclid(HOUR_S);
    let here = phase(now_s);
    let mut start_s = now_s - (now_s + here).rem_euclid(HOUR_S);
    let mut end_s = start_s + HOUR_S;
    if phase(start_s) != here {
        start_s = first_after(start_s, now_s, |at_s| phase(at_s) == here);
    }
    if phase(end_s - 1) != here {
        end_s = first_after(now_s, end_s - 1, |at_s| phase(at_s) != here);
    }
    (start_s, end_s)
}

/// The first second after `no` at which `is` holds, where it does at `yes` and changes once between.
fn first_after(mut no: i64, mut yes: i64, is: impl Fn(i64) -> bool) -> i64 {
    while yes - no > 1 {
        let middle = no + (yes - no) / 2;
        if is(middle) { yes = middle } else { no = middle }
    }
    yes
}
