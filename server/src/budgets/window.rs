//! Where a budget's window begins, by the calendar in UTC.

use chrono::{DateTime, Datelike, Duration, TimeZone, Utc};

pub use crate::store::budgets::Window;

impl Window {
    /// The start, in Unix milliseconds, of the window that holds `now_ms`; 0 for [`Window::Total`].
    #[must_use]
    pub fn start_ms(self, now_ms: i64) -> i64 {
        let Some(now) = DateTime::<Utc>::from_timestamp_millis(now_ms) else { return 0 };
        let day = now.date_naive();
        let start = match self {
            Self::Hour => return now_ms - now_ms.rem_euclid(3_600_000),
            Self::Day => day,
            Self::Week => day - Duration::days(i64::from(day.weekday().num_days_from_monday())),
            Self::Month => day.with_day(1).unwrap_or(day),
            Self::Quarter => {
                let first = day.month0() / 3 * 3 + 1;
                day.with_day(1).and_then(|day| day.with_month(first)).unwrap_or(day)
            }
            Self::Year => day.with_day(1).and_then(|day| day.with_month(1)).unwrap_or(day),
            Self::Total => return 0,
        };
        start.and_hms_opt(0, 0, 0).map_or(0, |start| Utc.from_utc_datetime(&start).timestamp_millis())
    }

    /// The word in configuration and the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
            Self::Total => "total",
        }
    }
}

impl std::str::FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Quarter, Self::Year, Self::Total]
            .into_iter()
            .find(|window| window.as_str() == text)
            .ok_or_else(|| {
                format!("`{text}` is no budget window: hour, day, week, month, quarter, year or total")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    #[test]
    fn windows_start_on_the_calendar() {
        let now = ms("2026-11-22T17:31:05.250Z");
        for (window, start) in [
            (Window::Hour, "2026-11-22T17:00:00Z"),
            (Window::Day, "2026-11-22T00:00:00Z"),
            (Window::Week, "2026-11-16T00:00:00Z"),
            (Window::Month, "2026-11-01T00:00:00Z"),
            (Window::Quarter, "2026-10-01T00:00:00Z"),
            (Window::Year, "2026-01-01T00:00:00Z"),
        ] {
            assert_eq!(window.start_ms(now), ms(start), "{window:?}");
            assert_eq!(window.as_str().parse(), Ok(window));
        }
        assert_eq!(Window::Total.start_ms(now), 0);
        assert_eq!(Window::Month.start_ms(ms("2024-02-29T23:59:59Z")), ms("2024-02-01T00:00:00Z"));
    }
}
