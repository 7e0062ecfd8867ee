use chrono::{DateTime, Datelike, TimeZone, Utc, Weekday};
use chrono_tz::{TZ_VARIANTS, Tz};
use proptest::prelude::*;

use super::*;

fn ms(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

fn window(text: &str) -> Window {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn span(text: &str, now: &str) -> (i64, i64) {
    let bucket = window(text).bucket(ms(now));
    (bucket.start_ms, bucket.end_ms.unwrap())
}

#[test]
fn by_the_calendar_in_utc() {
    let now = "2026-11-22T17:31:05.250Z";
    for (text, start, end) in [
        ("hour", "2026-11-22T17:00:00Z", "2026-11-22T18:00:00Z"),
        ("day", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"),
        ("week", "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z"),
        ("week from sunday", "2026-11-22T00:00:00Z", "2026-11-29T00:00:00Z"),
        ("month", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("quarter", "2026-10-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("quarter from february", "2026-11-01T00:00:00Z", "2027-02-01T00:00:00Z"),
        ("year", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("year from april", "2026-04-01T00:00:00Z", "2027-04-01T00:00:00Z"),
        ("year from december", "2025-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
    ] {
        assert_eq!(span(text, now), (ms(start), ms(end)), "{text}");
    }
    assert_eq!(Window::Total.bucket(ms(now)), Bucket { start_ms: 0, end_ms: None });
    assert_eq!(span("month", "2024-02-29T23:59:59Z").0, ms("2024-02-01T00:00:00Z"));
}

#[test]
fn summer_time_begins_and_ends() {
    // Berlin, 29 March 2026: 23 hours. 25 October 2026: 25 hours.
    assert_eq!(
        span("day in Europe/Berlin", "2026-03-29T12:00:00Z"),
        (ms("2026-03-29T00:00:00+01:00"), ms("2026-03-30T00:00:00+02:00"))
    );
    assert_eq!(
        span("day in Europe/Berlin", "2026-10-25T12:00:00Z"),
        (ms("2026-10-25T00:00:00+02:00"), ms("2026-10-26T00:00:00+01:00"))
    );
    // The hour that the clocks show twice is two hours.
    let twice = ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00");
    assert_eq!(span("hour in Europe/Berlin", twice.0).1, span("hour in Europe/Berlin", twice.1).0);
}

#[test]
fn midnights_that_are_skipped_or_come_twice() {
    // Santiago, 6 September 2026: from midnight straight to one o'clock.
    let day = span("day in America/Santiago", "2026-09-06T12:00:00Z");
    assert_eq!(day, (ms("2026-09-06T01:00:00-03:00"), ms("2026-09-07T00:00:00-03:00")));
    // Havana, 1 November 2026: one o'clock becomes midnight. The day begins with the first.
    let day = span("day in America/Havana", "2026-11-01T12:00:00Z");
    assert_eq!(day, (ms("2026-11-01T00:00:00-04:00"), ms("2026-11-02T00:00:00-05:00")));
    // Toronto, 29 October 2006: a minute past midnight back to a minute past eleven of the day before.
    let shows_yesterday = "2006-10-28T23:30:00-05:00";
    let day = span("day in America/Toronto", shows_yesterday);
    assert_eq!(day, (ms("2006-10-29T00:00:00-04:00"), ms("2006-10-30T00:00:00-05:00")));
    // Apia had no 30 December 2011.
    let day = span("day in Pacific/Apia", "2011-12-30T12:00:00Z");
    assert_eq!(day, (ms("2011-12-31T00:00:00+14:00"), ms("2012-01-01T00:00:00+14:00")));
    assert_eq!(window("day in Pacific/Apia").bucket_before(day.0).unwrap().end_ms, Some(day.0));
}

#[test]
fn hours_of_zones_that_are_not_whole_hours_away() {
    assert_eq!(
        span("hour in Asia/Kolkata", "2026-11-22T17:45:00Z"),
        (ms("2026-11-22T17:30:00Z"), ms("2026-11-22T18:30:00Z"))
    );
    // Lord Howe sets its clocks by half an hour: the hour is cut there. 5 April 2026, 15:00 UTC: from +11 to +10:30.
    assert_eq!(
        span("hour in Australia/Lord_Howe", "2026-04-04T15:10:00Z"),
        (ms("2026-04-04T15:00:00Z"), ms("2026-04-04T15:30:00Z"))
    );
    assert_eq!(
        span("hour in Australia/Lord_Howe", "2026-04-04T14:59:59.999Z"),
        (ms("2026-04-04T14:00:00Z"), ms("2026-04-04T15:00:00Z"))
    );
}

#[test]
fn rolling_windows_are_whole_buckets_that_expire() {
    let last = window("last 24 hours");
    let now = ms("2026-11-22T17:31:00Z");
    assert_eq!(last.bucket(now).start_ms, ms("2026-11-22T17:00:00Z"));
    assert_eq!(last.counts_from(now), ms("2026-11-21T18:00:00Z"));
    assert_eq!(last.forgets_at(now), Some(ms("2026-11-23T17:00:00Z")));
    let days = window("last 7 days in Europe/Berlin");
    // Over the end of summer time.
    assert_eq!(days.counts_from(ms("2026-10-28T10:00:00Z")), ms("2026-10-22T00:00:00+02:00"));
}

#[test]
fn both_ends_of_time() {
    for text in
        ["hour", "day in Pacific/Kiritimati", "year in America/Adak from july", "last 366 days", "total"]
    {
        let window = window(text);
        for now in [i64::MIN, -1, 0, 1, i64::MAX] {
            let bucket = window.bucket(now);
            assert!(
                bucket.start_ms >= 0 && bucket.end_ms.is_none_or(|end| end > bucket.start_ms),
                "{text} {now}"
            );
            assert!((0..=bucket.start_ms).contains(&window.counts_from(now)));
        }
    }
}

#[test]
fn written_and_read_again() {
    for (text, canonical) in [
        ("month", "month"),
        ("  month   in UTC ", "month"),
        ("week from monday", "week"),
        ("week from sunday in America/New_York", "week in America/New_York from sunday"),
        ("quarter from october", "quarter"),
        ("quarter from november", "quarter from february"),
        ("year in Europe/London from april", "year in Europe/London from april"),
        ("last 24 hours", "last 24 hours"),
        ("last 30 day in Asia/Tokyo", "last 30 days in Asia/Tokyo"),
        ("total", "total"),
    ] {
        assert_eq!(window(text).to_string(), canonical);
        assert_eq!(window(canonical), window(text));
    }
}

#[test]
fn refused_with_a_way_out() {
    for (text, says) in [
        ("mounth", "did you mean `month`?"),
        ("Month", "did you mean `month`?"),
        ("fortnight", "hour, day, week"),
        ("", "hour, day, week"),
        ("month in Europe/Berln", "did you mean `Europe/Berlin`?"),
        ("month in europe/berlin", "did you mean `Europe/Berlin`?"),
        ("month in Berlin", "did you mean `Europe/Berlin`?"),
        ("month in Middle/Earth", "write an IANA name"),
        ("month in", "something is missing"),
        ("month in UTC in UTC", "stands twice"),
        ("month from april", "only week, quarter and year"),
        ("week from snuday", "did you mean `sunday`?"),
        ("year from 4", "`4` is no month"),
        ("total in Europe/Berlin", "never starts again"),
        ("last 0 hours", "from 2 to 366"),
        ("last 1 days", "from 2 to 366"),
        ("last 367 days", "from 2 to 366"),
        ("last 99999999999999999999 hours", "from 2 to 366"),
        ("last -1 hours", "from 2 to 366"),
        ("last +7 days", "from 2 to 366"),
        ("last 2 weeks", "`last N hours` or `last N days`"),
        ("last 7 day from monday", "no `from`"),
        ("month month", "not understood"),
    ] {
        let error = text.parse::<Window>().unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
    }
    let long = format!("month in {}", "x".repeat(10_000));
    assert!(long.parse::<Window>().unwrap_err().len() < 400);
}

const PERIODS: [Period; 9] = [
    Period::Hour,
    Period::Day,
    Period::Week(Weekday::Mon),
    Period::Week(Weekday::Sat),
    Period::Month,
    Period::Quarter(1),
    Period::Quarter(3),
    Period::Year(1),
    Period::Year(7),
];

/// The rules that make booking in buckets right, around one instant.
fn holds_around(calendar: Calendar, now_ms: i64) {
    let window = Window::Calendar(calendar);
    let bucket = window.bucket(now_ms);
    let end = bucket.end_ms.unwrap();
    let what = format!("{window} at {now_ms}: {bucket:?}");
    assert!(bucket.holds(now_ms), "{what}");
    assert_eq!(window.bucket(bucket.start_ms), bucket, "the first instant: {what}");
    assert_eq!(window.bucket(end - 1), bucket, "the last instant: {what}");
    assert_eq!(window.bucket(end).start_ms, end, "no gap: {what}");
    if bucket.start_ms > 0 {
        assert_eq!(window.bucket(bucket.start_ms - 1).end_ms, Some(bucket.start_ms), "no overlap: {what}");
    }
    let days = (end - bucket.start_ms) / 86_400_000;
    let most = match calendar.period {
        Period::TenSeconds | Period::TenMinutes | Period::Hour => 0,
        // A zone that crosses the date line repeats a day.
        Period::Day => 2,
        Period::Week(_) => 8,
        Period::Month => 32,
        Period::Quarter(_) => 93,
        Period::Year(_) => 367,
    };
    assert!(days <= most, "{what}");
}

#[test]
fn buckets_tile_time_in_every_zone_around_every_change_of_its_clocks() {
    let offset = |zone: Tz, at_s: i64| {
        let at = DateTime::<Utc>::from_timestamp(at_s, 0).unwrap().naive_utc();
        chrono::Offset::fix(&zone.offset_from_utc_datetime(&at)).local_minus_utc()
    };
    let week = 7 * 86_400;
    for zone in TZ_VARIANTS {
        let mut at_s = 0;
        while at_s < 2_200_000_000 {
            let (mut no, mut yes) = (at_s, at_s + week);
            if offset(zone, no) != offset(zone, yes) {
                while yes - no > 1 {
                    let middle = i64::midpoint(no, yes);
                    if offset(zone, middle) == offset(zone, at_s) { no = middle } else { yes = middle }
                }
                for period in [Period::Hour, Period::Day] {
                    for near in [-86_400, -3_600, -60, -1, 0, 1, 60, 1_800, 3_600, 86_400] {
                        holds_around(Calendar { period, zone }, (yes + near).max(0) * 1_000 + 17);
                    }
                }
            }
            at_s += week;
        }
    }
}

proptest! {
    #[test]
    fn buckets_tile_time(
        zone in prop::sample::select(&TZ_VARIANTS[..]),
        period in prop::sample::select(&PERIODS[..]),
        now_ms in 0_i64..4_000_000_000_000,
    ) {
        holds_around(Calendar { period, zone }, now_ms);
    }

    #[test]
    fn time_that_goes_on_never_goes_back_to_an_earlier_bucket(
        zone in prop::sample::select(&TZ_VARIANTS[..]),
        period in prop::sample::select(&PERIODS[..]),
        now_ms in 0_i64..4_000_000_000_000,
        later in 0_i64..40_000_000_000,
    ) {
        let window = Window::Calendar(Calendar { period, zone });
        prop_assert!(window.bucket(now_ms).start_ms <= window.bucket(now_ms + later).start_ms);
        prop_assert!(window.counts_from(now_ms) <= window.counts_from(now_ms + later));
    }

    #[test]
    fn a_rolling_window_counts_whole_buckets(
        zone in prop::sample::select(&TZ_VARIANTS[..]),
        period in prop::sample::select(&[Period::Hour, Period::Day, Period::TenSeconds, Period::TenMinutes][..]),
        buckets in 2_u16..=60,
        now_ms in 100_000_000_000_i64..4_000_000_000_000,
    ) {
        let bucket = Calendar { period, zone };
        let window = Window::Rolling(Rolling { buckets, bucket });
        let from = window.counts_from(now_ms);
        let mut counted = 1;
        let mut start = window.bucket(now_ms).start_ms;
        while start > from {
            start = window.bucket(start - 1).start_ms;
            counted += 1;
        }
        prop_assert_eq!((start, counted), (from, buckets));
        // What is spent now is forgotten when its bucket leaves the row, and not before.
        let forgets = window.forgets_at(now_ms).unwrap();
        let own = window.bucket(now_ms).start_ms;
        prop_assert!(window.counts_from(forgets - 1) <= own && window.counts_from(forgets) > own);
    }

    #[test]
    fn what_is_written_is_read_again(
        zone in prop::sample::select(&TZ_VARIANTS[..]),
        period in prop::sample::select(&PERIODS[..]),
        buckets in 2_u16..=366,
        rolls: bool,
    ) {
        let window = if rolls {
            let periods = [Period::Hour, Period::Day, Period::TenSeconds, Period::TenMinutes];
            let period = periods[usize::from(buckets % 4)];
            let zone = if buckets % 4 < 2 { zone } else { Tz::UTC };
            Window::Rolling(Rolling { buckets, bucket: Calendar { period, zone } })
        } else {
            Window::Calendar(Calendar { period, zone })
        };
        prop_assert_eq!(window.to_string().parse::<Window>(), Ok(window));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,80}") {
        let _ = text.parse::<Window>();
    }

    #[test]
    fn a_year_begins_on_the_first_of_its_month(
        zone in prop::sample::select(&TZ_VARIANTS[..]),
        month in 1_u8..=12,
        now_ms in 100_000_000_000_i64..4_000_000_000_000,
    ) {
        let window = Window::Calendar(Calendar { period: Period::Year(month), zone });
        let start = DateTime::<Utc>::from_timestamp_millis(window.bucket(now_ms).start_ms).unwrap();
        let first = start.with_timezone(&zone);
        prop_assert_eq!((first.day(), first.month()), (1, u32::from(month)));
    }
}
