//! A window in words: `month`, `week in America/New_York from sunday`, `last 24 hours`, `total`.
//!
//! One text for files, the database, the API and refusals. What is written back is the shortest text that says the
//! same.

use std::fmt;
use std::str::FromStr;

use bailiwick_policy::did_you_mean;
use chrono::Weekday;
use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Calendar, Period, Rolling, Window};

const PERIODS: [&str; 7] = ["hour", "day", "week", "month", "quarter", "year", "total"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        read(text).map_err(|what| format!("`{}` is no budget window: {what}", shown(text)))
    }
}

/// What somebody wrote, cut where it is long: it goes into an error.
fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

fn read(text: &str) -> Result<Window, String> {
    let mut words = text.split_whitespace();
    let first = words.next().unwrap_or_default();
    let rolling = if first == "last" {
        let count = words.next().unwrap_or_default();
        Some((count, words.next().unwrap_or_default()))
    } else {
        None
    };
    let mut zone = None;
    let mut from = None;
    while let Some(word) = words.next() {
        let value = words.next();
        match (word, value) {
            ("in", Some(name)) if zone.is_none() => zone = Some(read_zone(name)?),
            ("from", Some(name)) if from.is_none() => from = Some(name),
            ("in" | "from", None) => return Err(format!("after `{word}` something is missing")),
            ("in" | "from", Some(_)) => return Err(format!("`{word}` stands twice")),
            _ => return Err(format!("`{}` is not understood after `{first}`{}", shown(word), way_out())),
        }
    }
    if let Some((count, unit)) = rolling {
        if from.is_some() {
            return Err(String::from("a rolling window has no `from`: it always ends now"));
        }
        return read_rolling(count, unit, zone);
    }
    if first == "total" && (zone.is_some() || from.is_some()) {
        return Err(String::from("`total` never starts again, in no zone and from no day"));
    }
    let period = match first {
        "total" => return Ok(Window::Total),
        "hour" => Period::Hour,
        "day" => Period::Day,
        "week" => Period::Week(from.take().map_or(Ok(Weekday::Mon), read_weekday)?),
        "month" => Period::Month,
        "quarter" => Period::Quarter(from.take().map_or(Ok(1), read_month)?),
        "year" => Period::Year(from.take().map_or(Ok(1), read_month)?),
        other => {
            return Err(near(other, &PERIODS).unwrap_or_else(|| String::from("write one of") + way_out()));
        }
    };
    if from.is_some() {
        return Err(format!("a {first} has no `from`: only week, quarter and year do"));
    }
    // Three months from any of January, April, July and October are the same quarters.
    let period = match period {
        Period::Quarter(month) => Period::Quarter((month - 1) % 3 + 1),
        other => other,
    };
    Ok(Window::Calendar(Calendar { period, zone: zone.unwrap_or(Tz::UTC) }))
}

fn way_out() -> &'static str {
    ": hour, day, week, month, quarter, year or total; `last 24 hours`, `last 30 days`; with `in` a time zone \
     (`month in Europe/Berlin`); with `from` where a week or year begins (`week from sunday`, `year from april`)"
}

fn near(written: &str, known: &[&'static str]) -> Option<String> {
    did_you_mean(&shown(written).to_lowercase(), known.iter().copied())
        .map(|near| format!("did you mean `{near}`?"))
}

fn read_rolling(count: &str, unit: &str, zone: Option<Tz>) -> Result<Window, String> {
    let (period, of) = match unit {
        "second" | "seconds" => (Period::TenSeconds, 10),
        "minute" | "minutes" => (Period::TenMinutes, 10),
        "hour" | "hours" => (Period::Hour, 1),
        "day" | "days" => (Period::Day, 1),
        other => {
            return Err(near(other, &["seconds", "minutes", "hours", "days"])
                .unwrap_or_else(|| String::from("a rolling window is `last N hours` or `last N days`")));
        }
    };
    if of > 1 && zone.is_some() {
        return Err(format!("{unit} are the same in every zone: leave out `in`"));
    }
    let most = Rolling::MOST * of;
    let wrong = || {
        let tens = if of > 1 { " in tens" } else { "" };
        format!("`{}` is no number of buckets: write one from {} to {most}{tens}", shown(count), 2 * of)
    };
    let plain = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
    let count: u16 = count.parse().ok().filter(|_| plain).ok_or_else(wrong)?;
    let buckets = count / of;
    if !count.is_multiple_of(of) || !(2..=Rolling::MOST).contains(&buckets) {
        return Err(wrong());
    }
    Ok(Window::Rolling(Rolling { buckets, bucket: Calendar { period, zone: zone.unwrap_or(Tz::UTC) } }))
}

fn read_zone(name: &str) -> Result<Tz, String> {
    name.parse().map_err(|_| {
        let lower = name.to_lowercase();
        // The same in other letters, a city without its continent, or a slip of the pen.
        let known = || TZ_VARIANTS.iter().map(|zone| zone.name());
        let meant = known()
            .find(|known| known.eq_ignore_ascii_case(name))
            .or_else(|| {
                known()
                    .find(|known| known.rsplit('/').next().is_some_and(|city| city.to_lowercase() == lower))
            })
            .or_else(|| did_you_mean(&shown(name), known()));
        let fix = meant.map_or_else(
            || String::from("write an IANA name such as Europe/Berlin, or leave it out for UTC"),
            |meant| format!("did you mean `{meant}`?"),
        );
        format!("there is no time zone `{}`; {fix}", shown(name))
    })
}

fn read_weekday(name: &str) -> Result<Weekday, String> {
    let days =
        [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
    let at = DAYS.iter().position(|day| *day == name);
    at.and_then(|at| days.get(at).copied()).ok_or_else(|| not_one_of(name, "day of the week", &DAYS))
}

fn read_month(name: &str) -> Result<u8, String> {
    let at = MONTHS.iter().position(|month| *month == name);
    at.and_then(|at| u8::try_from(at + 1).ok()).ok_or_else(|| not_one_of(name, "month", &MONTHS))
}

fn not_one_of(name: &str, what: &str, known: &[&'static str]) -> String {
    let fix = near(name, known).unwrap_or_else(|| format!("write {}", known.join(", ")));
    format!("`{}` is no {what}; {fix}", shown(name))
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total => f.write_str("total"),
            Self::Calendar(calendar) => {
                f.write_str(calendar.period.word())?;
                zone(f, calendar.zone)?;
                match calendar.period {
                    Period::Week(day) if day != Weekday::Mon => {
                        let at = usize::try_from(day.num_days_from_monday()).unwrap_or(0);
                        from(f, &DAYS, at)
                    }
                    Period::Quarter(month) | Period::Year(month) if month != 1 => {
                        from(f, &MONTHS, usize::from(month).saturating_sub(1))
                    }
                    _ => Ok(()),
                }
            }
            Self::Rolling(Rolling { buckets, bucket }) => {
                write!(f, "last {} {}s", bucket.period.length(*buckets), bucket.period.word())?;
                zone(f, bucket.zone)
            }
        }
    }
}

fn zone(f: &mut fmt::Formatter<'_>, zone: Tz) -> fmt::Result {
    if zone == Tz::UTC { Ok(()) } else { write!(f, " in {}", zone.name()) }
}

fn from(f: &mut fmt::Formatter<'_>, names: &[&str], at: usize) -> fmt::Result {
    names.get(at).map_or(Ok(()), |name| write!(f, " from {name}"))
}

impl Period {
    /// So many buckets, in what [`word`](Self::word) says.
    const fn length(self, buckets: u16) -> u32 {
        match self {
            Self::TenSeconds | Self::TenMinutes => 10 * buckets as u32,
            _ => buckets as u32,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::TenSeconds => "second",
            Self::TenMinutes => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week(_) => "week",
            Self::Month => "month",
            Self::Quarter(_) => "quarter",
            Self::Year(_) => "year",
        }
    }
}

impl Window {
    /// For a sentence: `in this month`, `in the last 24 hours`, `in all`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match self {
            Self::Total => String::from("in all"),
            Self::Calendar(calendar) => format!("in this {}", calendar.period.word()),
            Self::Rolling(Rolling { buckets, bucket }) => {
                format!("in the last {} {}s", bucket.period.length(*buckets), bucket.period.word())
            }
        }
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
