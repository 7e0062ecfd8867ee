//! Moments beside now: `3 hours ago`, with the instant itself for who points at it, prints it or reads the markup.

use leptos::prelude::*;

use crate::format;
use crate::text::Lang;

/// A moment as its distance from now.
pub(crate) fn ago(at_ms: i64, now_ms: i64, lang: Lang) -> impl IntoView {
    let at = format::moment(at_ms, lang);
    let whole = format!("{} {} UTC", at.date, at.time);
    let pointed = whole.clone();
    view! {
        <time class="ago" datetime=at.machine title=pointed>
            <span class="ago-words">{distance(at_ms, now_ms, lang)}</span>
            <span class="ago-whole">{whole}</span>
        </time>
    }
}

/// How far a moment is from now, in the largest unit that fits.
pub(crate) fn distance(at_ms: i64, now_ms: i64, lang: Lang) -> String {
    const UNITS: [u64; 6] = [86_400 * 365, 86_400 * 30, 86_400, 3_600, 60, 1];
    let seconds = at_ms.abs_diff(now_ms) / 1_000;
    let past = at_ms <= now_ms;
    let words: [(&str, &str); 6] = match lang {
        Lang::En => [
            ("year", "years"),
            ("month", "months"),
            ("day", "days"),
            ("hour", "hours"),
            ("minute", "minutes"),
            ("second", "seconds"),
        ],
        Lang::De => [
            ("Jahr", "Jahren"),
            ("Monat", "Monaten"),
            ("Tag", "Tagen"),
            ("Stunde", "Stunden"),
            ("Minute", "Minuten"),
            ("Sekunde", "Sekunden"),
        ],
    };
    let found = UNITS.iter().zip(words).find(|(unit, _)| seconds >= **unit);
    let Some((unit, (one, many))) = found.filter(|_| seconds >= 10) else {
        return match lang {
            Lang::En => "just now".to_owned(),
            Lang::De => "gerade eben".to_owned(),
        };
    };
    let count = seconds / unit;
    let word = if count == 1 { one } else { many };
    match (lang, past) {
        (Lang::En, true) => format!("{count} {word} ago"),
        (Lang::En, false) => format!("in {count} {word}"),
        // `vor einem Jahr` and `vor 2 Jahren`: with the numeral both take the dative.
        (Lang::De, true) => format!("vor {count} {word}"),
        (Lang::De, false) => format!("in {count} {word}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_read_well() {
        let now = 1_795_369_212_123;
        for (seconds, en, de) in [
            (0, "just now", "gerade eben"),
            (-9, "just now", "gerade eben"),
            (-45, "45 seconds ago", "vor 45 Sekunden"),
            (-61, "1 minute ago", "vor 1 Minute"),
            (-7_300, "2 hours ago", "vor 2 Stunden"),
            (86_400, "in 1 day", "in 1 Tag"),
            (86_400 * 40, "in 1 month", "in 1 Monat"),
            (-86_400 * 800, "2 years ago", "vor 2 Jahren"),
        ] {
            assert_eq!(distance(now + seconds * 1_000, now, Lang::En), en);
            assert_eq!(distance(now + seconds * 1_000, now, Lang::De), de);
        }
        assert!(!distance(i64::MAX, i64::MIN, Lang::De).is_empty());
    }
}
