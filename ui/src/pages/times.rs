//! Instants in addresses and forms: what a browser's field for a date and time writes, always UTC.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// `2026-11-22T17:40`, with seconds or without, a day alone (its beginning), or RFC 3339. Unix milliseconds.
pub(crate) fn read(text: &str) -> Option<i64> {
    let text = text.trim();
    let written = |format| NaiveDateTime::parse_from_str(text, format).ok();
    let local = written("%Y-%m-%dT%H:%M").or_else(|| written("%Y-%m-%dT%H:%M:%S"));
    let day = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    match local.or_else(day) {
        Some(at) => Some(at.and_utc().timestamp_millis()),
        None => Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis()),
    }
}

/// The same, as a field shows it: whole seconds, and those only where there are some.
pub(crate) fn write(unix_ms: i64) -> String {
    let at = DateTime::from_timestamp_millis(unix_ms).unwrap_or_default();
    let seconds = unix_ms.div_euclid(1_000).rem_euclid(60) != 0;
    at.format(if seconds { "%Y-%m-%dT%H:%M:%S" } else { "%Y-%m-%dT%H:%M" }).to_string()
}

/// For the API.
pub(crate) fn rfc3339(unix_ms: i64) -> String {
    DateTime::from_timestamp_millis(unix_ms)
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_as_it_is_written() {
        for (text, written) in [
            ("2026-11-22T17:40", "2026-11-22T17:40"),
            ("2026-11-22T17:40:12", "2026-11-22T17:40:12"),
            (" 2026-11-22 ", "2026-11-22T00:00"),
            ("2026-11-22T18:40:00+01:00", "2026-11-22T17:40"),
        ] {
            let at = read(text).unwrap();
            assert_eq!((write(at).as_str(), read(&write(at))), (written, Some(at)), "{text}");
        }
        for wrong in ["", "yesterday", "2026-13-01", "2026-11-22T25:00", "<script>"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(rfc3339(1_795_369_212_123), "2026-11-22T17:40:12.123Z");
    }
}
