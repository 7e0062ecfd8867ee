//! Numbers, money, durations and times as text, in the reader's language.
//!
//! Integers only: money never meets a float on its way to the page.

use chrono::{DateTime, Datelike, Timelike};

use crate::text::Lang;

/// A whole number with its groups of three: `12,345` or `12.345`.
#[must_use]
pub fn integer(value: u64, lang: Lang) -> String {
    let digits = value.to_string();
    let first = digits.len() % 3;
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && position % 3 == first % 3 {
            out.push(lang.group_separator());
        }
        out.push(digit);
    }
    out
}

/// `whole` thousandths as a number with at most `places` decimal places, rounded half up.
fn thousandths(whole: u64, places: u32, lang: Lang) -> String {
    let step = 10_u64.pow(3_u32.saturating_sub(places));
    let rounded = whole.saturating_add(step / 2) / step * step;
    let mut out = integer(rounded / 1000, lang);
    if places > 0 {
        let fraction = format!("{:03}", rounded % 1000);
        out.push(lang.decimal_separator());
        out.extend(fraction.chars().take(places as usize));
    }
    out
}

/// Microseconds in the unit that reads best: `840 µs`, `1.24 ms`, `2.31 s`, `1 min 12 s`.
#[must_use]
pub fn duration(micros: u64, lang: Lang) -> String {
    match micros {
        0..1_000 => format!("{micros}\u{a0}µs"),
        1_000..10_000 => format!("{}\u{a0}ms", thousandths(micros, 2, lang)),
        10_000..100_000 => format!("{}\u{a0}ms", thousandths(micros, 1, lang)),
        100_000..1_000_000 => format!("{}\u{a0}ms", thousandths(micros, 0, lang)),
        1_000_000..60_000_000 => format!("{}\u{a0}s", thousandths(micros / 1_000, 2, lang)),
        _ => format!("{}\u{a0}min {}\u{a0}s", micros / 60_000_000, micros % 60_000_000 / 1_000_000),
    }
}

/// Bytes in the unit that reads best, by powers of 1000: `840 B`, `2.1 kB`, `1.4 MB`.
#[must_use]
pub fn bytes(value: u64, lang: Lang) -> String {
    match value {
        0..1_000 => format!("{value}\u{a0}B"),
        1_000..1_000_000 => format!("{}\u{a0}kB", thousandths(value, 1, lang)),
        _ => format!("{}\u{a0}MB", thousandths(value / 1_000, 1, lang)),
    }
}

/// Nano-dollars as dollars, with cents at least and as many places as the amount needs, at most six: `$0.000412`, `$12.50`.
///
/// An amount below a millionth of a dollar, but above zero, reads `< $0.000001`: it is not nothing.
#[must_use]
pub fn money(nanos: i64, lang: Lang) -> String {
    let magnitude = nanos.unsigned_abs();
    let micros = magnitude.saturating_add(500) / 1_000;
    if magnitude > 0 && micros == 0 {
        return format!("<\u{a0}{}", dollars(1, false, lang));
    }
    dollars(micros, nanos < 0, lang)
}

fn dollars(micros: u64, negative: bool, lang: Lang) -> String {
    let mut fraction = format!("{:06}", micros % 1_000_000);
    while fraction.len() > 2 && fraction.ends_with('0') {
        fraction.pop();
    }
    let sign = if negative { "−" } else { "" };
    let amount = format!("{}{}{fraction}", integer(micros / 1_000_000, lang), lang.decimal_separator());
    match lang {
        Lang::En => format!("{sign}${amount}"),
        Lang::De => format!("{sign}{amount}\u{a0}$"),
    }
}

/// A moment, split as the list shows it, always in UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// `2026-11-22`, or `22.11.2026` in German.
    pub date: String,
    /// `17:40:12`.
    pub time: String,
    /// `.123`
    pub millis: String,
    /// RFC 3339, for `<time datetime>`.
    pub machine: String,
}

/// The moment of unix milliseconds; the epoch's begin for a value that no calendar holds.
#[must_use]
pub fn moment(unix_ms: i64, lang: Lang) -> Moment {
    let at = DateTime::from_timestamp_millis(unix_ms).unwrap_or_default();
    let (year, month, day) = (at.year(), at.month(), at.day());
    let iso = format!("{year:04}-{month:02}-{day:02}");
    let time = format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second());
    let millis = format!(".{:03}", at.timestamp_subsec_millis());
    let machine = format!("{iso}T{time}{millis}Z");
    let date = match lang {
        Lang::En => iso,
        Lang::De => format!("{day:02}.{month:02}.{year:04}"),
    };
    Moment { date, time, millis, machine }
}

/// The first `count` characters of a digest, for places where the whole would not fit.
#[must_use]
pub fn short(digest: &str, count: usize) -> String {
    digest.chars().take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_grouped() {
        for (value, en, de) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (1_000, "1,000", "1.000"),
            (12_345, "12,345", "12.345"),
            (1_234_567, "1,234,567", "1.234.567"),
        ] {
            assert_eq!(integer(value, Lang::En), en);
            assert_eq!(integer(value, Lang::De), de);
        }
    }

    #[test]
    fn durations_read_well() {
        for (micros, text) in [
            (840, "840 µs"),
            (1_240, "1.24 ms"),
            (9_999, "10.00 ms"),
            (12_340, "12.3 ms"),
            (412_600, "413 ms"),
            (2_310_400, "2.31 s"),
            (72_000_000, "1 min 12 s"),
        ] {
            assert_eq!(duration(micros, Lang::En).replace('\u{a0}', " "), text);
        }
    }

    #[test]
    fn money_keeps_what_counts() {
        for (nanos, en, de) in [
            (0, "$0.00", "0,00 $"),
            (412_000, "$0.000412", "0,000412 $"),
            (12_500_000_000, "$12.50", "12,50 $"),
            (400, "< $0.000001", "< 0,000001 $"),
            (-1_000_000_000, "−$1.00", "−1,00 $"),
            (1_234_000_000_000, "$1,234.00", "1.234,00 $"),
        ] {
            assert_eq!(money(nanos, Lang::En).replace('\u{a0}', " "), en);
            assert_eq!(money(nanos, Lang::De).replace('\u{a0}', " "), de);
        }
    }

    #[test]
    fn extremes_do_not_overflow() {
        assert!(money(i64::MIN, Lang::En).starts_with('−'));
        assert!(!duration(u64::MAX, Lang::De).is_empty());
        assert_eq!(moment(i64::MAX, Lang::En).date, "1970-01-01");
    }

    #[test]
    fn moments_are_utc() {
        let at = moment(1_795_369_212_123, Lang::En);
        assert_eq!(
            (at.date.as_str(), at.time.as_str(), at.millis.as_str()),
            ("2026-11-22", "17:40:12", ".123")
        );
        assert_eq!(at.machine, "2026-11-22T17:40:12.123Z");
        assert_eq!(moment(1_795_369_212_123, Lang::De).date, "22.11.2026");
    }
}
