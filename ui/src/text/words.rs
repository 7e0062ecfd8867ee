//! Names of entity kinds, data classes, sensitivities and stages. A name that is not listed is shown as it is: a new detector or
//! stage is visible before it is translated.

use super::Lang;
use super::kinds::ENTITIES;

/// A noun by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// One.
    pub one: &'static str,
    /// More than one.
    pub many: &'static str,
}

const CLASSES: &[(&str, &str, &str)] = &[
    ("personal", "personal", "personenbezogen"),
    ("special_category", "special category", "besondere Kategorie"),
    ("phi", "health (PHI)", "Gesundheit (PHI)"),
    ("pci", "payment card", "Zahlungskarte"),
    ("credentials", "credentials", "Zugangsdaten"),
];

const SENSITIVITIES: &[(&str, &str, &str)] = &[
    ("public", "public", "öffentlich"),
    ("internal", "internal", "intern"),
    ("confidential", "confidential", "vertraulich"),
    ("restricted", "restricted", "streng vertraulich"),
];

const STAGES: &[(&str, &str, &str)] = &[
    ("authenticate", "Authenticate", "Anmelden"),
    ("read", "Read", "Lesen"),
    ("classify", "Classify", "Einstufen"),
    ("decide", "Decide", "Entscheiden"),
    ("route", "Route", "Auswählen"),
    ("fund", "Fund", "Reservieren"),
    ("record", "Record, durable", "Dauerhaft aufzeichnen"),
    ("forward", "Forward", "Weiterleiten"),
    ("respond", "Respond", "Antworten"),
    ("settle", "Settle", "Abrechnen"),
];

/// A count of an entity kind in words: `2 e-mail addresses`.
#[must_use]
pub fn entity(kind: &str, count: u32, lang: Lang) -> String {
    let word = ENTITIES.iter().find(|(id, ..)| *id == kind).map(|(_, en, de)| match lang {
        Lang::En => en,
        Lang::De => de,
    });
    match (word, count) {
        (Some(word), 1) => format!("1 {}", word.one),
        (Some(word), _) => format!("{count} {}", word.many),
        (None, _) => format!("{count} {kind}"),
    }
}

/// An entity kind in words, as a heading of many: `e-mail addresses`.
#[cfg(feature = "ssr")]
pub(crate) fn entities(kind: &str, lang: Lang) -> String {
    let word = ENTITIES.iter().find(|(id, ..)| *id == kind).map(|(_, en, de)| match lang {
        Lang::En => en.many,
        Lang::De => de.many,
    });
    word.unwrap_or(kind).to_owned()
}

fn named(table: &[(&str, &'static str, &'static str)], id: &str, lang: Lang) -> String {
    let found = table.iter().find(|(known, ..)| *known == id);
    found
        .map_or(id, |(_, en, de)| match lang {
            Lang::En => en,
            Lang::De => de,
        })
        .to_owned()
}

/// A data class's name.
#[must_use]
pub fn class(id: &str, lang: Lang) -> String {
    named(CLASSES, id, lang)
}

/// A sensitivity's name.
#[must_use]
pub fn sensitivity(id: &str, lang: Lang) -> String {
    named(SENSITIVITIES, id, lang)
}

/// A stage's name.
#[must_use]
pub fn stage(id: &str, lang: Lang) -> String {
    named(STAGES, id, lang)
}

/// What a limit of a rate counts.
#[cfg(feature = "ssr")]
pub(crate) fn rate(id: &str, lang: Lang) -> String {
    const RATES: &[(&str, &str, &str)] = &[
        ("requests", "requests", "Anfragen"),
        ("tokens", "tokens", "Token"),
        ("spend", "US dollars", "US-Dollar"),
        ("concurrent", "at once", "gleichzeitig"),
    ];
    named(RATES, id, lang)
}

/// A window of a budget, as it is declared: `month in Europe/Berlin`. Only its first word, and what a rolling one counts, have
/// names in other languages; the rest are names of zones and days.
#[cfg(feature = "ssr")]
pub(crate) fn window(written: &str, lang: Lang) -> String {
    const WORDS: &[(&str, &str, &str)] = &[
        ("minute", "minute", "Minute"),
        ("hour", "hour", "Stunde"),
        ("day", "day", "Tag"),
        ("week", "week", "Woche"),
        ("month", "month", "Monat"),
        ("quarter", "quarter", "Quartal"),
        ("year", "year", "Jahr"),
        ("total", "for good", "insgesamt"),
        ("last", "last", "letzte"),
        ("seconds", "seconds", "Sekunden"),
        ("minutes", "minutes", "Minuten"),
        ("hours", "hours", "Stunden"),
        ("days", "days", "Tage"),
        ("from", "from", "ab"),
    ];
    let words: Vec<String> = written.split(' ').map(|word| named(WORDS, word, lang)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_take_the_right_number() {
        assert_eq!(entity("EMAIL", 1, Lang::En), "1 e-mail address");
        assert_eq!(entity("IBAN", 2, Lang::De), "2 IBANs");
        assert_eq!(entity("NEW_KIND", 3, Lang::En), "3 NEW_KIND");
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn windows_are_told_in_both_languages() {
        for (written, en, de) in [
            ("month in Europe/Berlin", "month in Europe/Berlin", "Monat in Europe/Berlin"),
            ("last 24 hours", "last 24 hours", "letzte 24 Stunden"),
            ("total", "for good", "insgesamt"),
        ] {
            assert_eq!((window(written, Lang::En).as_str(), window(written, Lang::De).as_str()), (en, de));
        }
    }
}
