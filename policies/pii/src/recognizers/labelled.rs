//! Numbers without a form of their own, where a word says what they are: passports, licences, records, accounts, plates.
//!
//! Source: each label names the identifier of 45 CFR 164.514(b)(2)(i)
//! (<https://www.ecfr.gov/current/title-45/section-164.514>) that it stands for. Validator: the word, length, digits. *Not
//! found:* such numbers without a word before them, and those of fewer letters and digits than the label asks for.

use super::{Candidates, FLOOR, Input, SHAPELESS, UNSPOKEN};
use crate::EntityType as E;

/// A kind of number and the words that give it away.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) entity: E,
    pub(crate) words: &'static [&'static str],
    /// Least and most letters and digits.
    len: (usize, usize),
    /// Least digits.
    digits: usize,
    /// Whether letters may be among them.
    letters: bool,
}

/// How far before the number its label may end, in bytes.
const REACH: usize = 24;

pub(crate) const LABELS: &[Label] = &[
    Label {
        entity: E::Passport,
        words: &[
            "passport",
            "passport no",
            "reisepass",
            "passnummer",
            "pass-nr",
            "passeport",
            "pasaporte",
            "passaporto",
            "paspoort",
            "passaporte",
            "paszport",
        ],
        len: (6, 11),
        digits: 4,
        letters: true,
    },
    Label {
        entity: E::DriverLicense,
        words: &[
            "driver license",
            "driver's license",
            "drivers license",
            "driver licence",
            "driver's licence",
            "driving licence",
            "driving license",
            "dl no",
            "dl number",
            "dl#",
            "führerschein",
            "fuehrerschein",
            "permis de conduire",
            "carnet de conducir",
            "permiso de conducir",
            "patente di guida",
            "patente",
            "rijbewijs",
            "carta de condução",
        ],
        len: (5, 18),
        digits: 4,
        letters: true,
    },
    Label {
        entity: E::LicenseNumber,
        words: &[
            "license number",
            "licence number",
            "license no",
            "licence no",
            "certificate number",
            "certificate no",
            "medical license",
            "medical licence",
            "bar number",
            "approbation",
            "zertifikatsnummer",
            "numéro de licence",
            "número de licencia",
            "numero di licenza",
            "licentienummer",
            "rpps",
            "lanr",
            "big-nummer",
        ],
        len: (5, 18),
        digits: 4,
        letters: true,
    },
    Label {
        entity: E::MedicalRecordNumber,
        words: &[
            "mrn",
            "medical record",
            "medical record number",
            "patient id",
            "patient number",
            "patient no",
            "patient #",
            "chart number",
            "hospital number",
            "patienten-id",
            "patientennummer",
            "patientenakte",
            "fallnummer",
            "dossier médical",
            "numéro de dossier",
            "numéro patient",
            "historia clínica",
            "historia clinica",
            "nhc",
            "cartella clinica",
            "patiëntnummer",
            "patientnummer",
        ],
        len: (5, 14),
        digits: 4,
        letters: true,
    },
    Label {
        entity: E::HealthPlanId,
        words: &[
            "health plan",
            "health insurance",
            "subscriber id",
            "insurance member",
            "medicaid",
            "beneficiary id",
            "krankenversicherungsnummer",
            "mutuelle",
            "tarjeta sanitaria",
            "tessera sanitaria",
            "zorgverzekering",
            "ehic",
        ],
        len: (6, 20),
        digits: 5,
        letters: true,
    },
    Label {
        entity: E::BankAccount,
        words: &[
            "account number",
            "account no",
            "acct no",
            "acct #",
            "acct",
            "a/c no",
            "a/c",
            "bank account",
            "routing",
            "routing number",
            "aba",
            "sort code",
            "kontonummer",
            "konto-nr",
            "konto nr",
            "bankleitzahl",
            "blz",
            "numéro de compte",
            "número de cuenta",
            "numero de cuenta",
            "numero di conto",
            "rekeningnummer",
        ],
        len: (6, 18),
        digits: 6,
        letters: false,
    },
    Label {
        entity: E::LicensePlate,
        words: &[
            "license plate",
            "licence plate",
            "number plate",
            "plate number",
            "plate no",
            "kennzeichen",
            "immatriculation",
            "plaque",
            "matrícula",
            "matricula",
            "targa",
            "kenteken",
            "vehicle registration",
        ],
        len: (4, 9),
        digits: 1,
        letters: true,
    },
];

/// Looks at the run of digits at `at`.
pub(crate) fn at(input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
    // Sentences end in a digit far more often than labels stand before one: look at the number first.
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let mut start = input.skip_escape(at - input.run_back(at, 12, word)).min(at);
    start += input.run(start, at - start, |b| b == b'-');
    if !input.begins(start) || input.span(start, at).iter().any(u8::is_ascii_digit) {
        return;
    }
    let mut end = at + input.run(at, 40, word);
    end -= input.run_back(end, end - at, |b| b == b'-');
    let whole = end - start;
    if whole < 3 || (len < 2 && whole < 4) || !input.ends(end) {
        return;
    }
    let digits = input.span(at, end).iter().filter(|b| b.is_ascii_digit()).count();
    // Fewer digits only on a plate, which has capitals; a year says nothing.
    let plate = |from: usize, to: usize| input.span(from, to).iter().any(u8::is_ascii_uppercase);
    if digits < 4 && !plate(start, end) && !plate(start.saturating_sub(3), start) && !plate(end, end + 3) {
        return;
    }
    let heard = input.hear(start);
    if found.floor < FLOOR {
        alone(input, start, end, heard.yes.contains(E::BankAccount), found);
    }
    for label in LABELS.iter().filter(|label| heard.yes.contains(label.entity)) {
        if !is_near(input, label, start) {
            continue;
        }
        let plate = label.entity == E::LicensePlate;
        let (start, end) = if plate { plate_around(input, start, end) } else { grouped(input, start, end) };
        let span = input.span(start, end);
        let digits = span.iter().filter(|b| b.is_ascii_digit()).count();
        let letters = span.iter().filter(|b| b.is_ascii_alphabetic()).count();
        let fits = (label.len.0..=label.len.1).contains(&(digits + letters))
            && digits >= label.digits
            && (label.letters || letters == 0)
            && (!plate || letters > 0);
        if fits {
            found.add(label.entity, start, end, 72);
        }
    }
}

/// What such a number looks like without a word: a passport of the United States (nine digits, or a letter and eight), or an
/// account, more certain with a word of banks anywhere before. Only for a detector that is told to report what it is hardly certain of.
fn alone(input: &Input<'_>, start: usize, end: usize, of_a_bank: bool, found: &mut Candidates) {
    let span = input.span(start, end);
    let digits = span.iter().filter(|b| b.is_ascii_digit()).count();
    let capital = span.first().is_some_and(u8::is_ascii_uppercase);
    match (span.len(), digits) {
        (9, 9) => found.add(E::Passport, start, end, SHAPELESS),
        (9, 8) if capital => found.add(E::Passport, start, end, SHAPELESS),
        _ => {}
    }
    if (8..=17).contains(&span.len()) && digits == span.len() {
        found.add(E::BankAccount, start, end, if of_a_bank { UNSPOKEN } else { SHAPELESS });
    }
}

/// Whether one of the label's words ends shortly before, with little between: `passport no. is`.
fn is_near(input: &Input<'_>, label: &Label, start: usize) -> bool {
    let mut from = start.saturating_sub(REACH + 40);
    while !input.text.is_char_boundary(from) {
        from += 1;
    }
    // No word has any of these, and none is the number's that stands before one of them.
    let apart = |b: &u8| b.is_ascii_digit() || matches!(b, b';' | b'\n');
    from += input.span(from, start).iter().rposition(apart).map_or(0, |at| at + 1);
    let before = input.slice(from, start).to_lowercase();
    label
        .words
        .iter()
        .any(|word| last(&before, word).is_some_and(|at| leads_to_number(&before, at + word.len())))
}

/// The last place of a word in a short text.
fn last(text: &str, word: &str) -> Option<usize> {
    let first = *word.as_bytes().first()?;
    let places = memchr::memrchr_iter(first, text.as_bytes());
    let mut places =
        places.filter(|at| text.as_bytes().get(*at..).is_some_and(|rest| rest.starts_with(word.as_bytes())));
    places.next()
}

/// Whether nothing but a few words stands from `at` to the end.
fn leads_to_number(before: &str, at: usize) -> bool {
    let between = before.get(at..).unwrap_or_default();
    let leads = |between: &str| {
        let sentence = between.trim_start_matches([' ', ':', '#', '.']).contains('.');
        between.len() <= REACH && !sentence
    };
    leads(between) || {
        let mut between = between.to_owned();
        for short in ["nr.", "no.", "n°", "n.º", "num.", "número", "numéro", "numero"] {
            between = between.replace(short, "");
        }
        leads(&between)
    }
}

/// The number with the groups of digits after a blank: `1234 5678`.
fn grouped(input: &Input<'_>, start: usize, end: usize) -> (usize, usize) {
    let mut end = end;
    while input.byte(end) == Some(b' ') {
        let digits = input.run(end + 1, 12, |b| b.is_ascii_digit());
        if digits < 2 || !input.ends(end + 1 + digits) || end - start > 24 {
            break;
        }
        end += 1 + digits;
    }
    (start, end)
}

/// A plate with its groups of capitals and digits: `B-AB 1234`, `AB12 CDE`.
fn plate_around(input: &Input<'_>, start: usize, end: usize) -> (usize, usize) {
    let capital = |b: u8| b.is_ascii_uppercase();
    let (mut start, mut end) = (start, end);
    for _ in 0..2 {
        if !matches!(input.before(start), Some(b' ')) {
            break;
        }
        let letters = input.run_back(start - 1, 8, |b| b.is_ascii_uppercase() || b == b'-');
        if !(1..=6).contains(&letters) || !input.begins(start - 1 - letters) {
            break;
        }
        start -= 1 + letters;
    }
    if input.byte(end) == Some(b' ') {
        let letters = input.run(end + 1, 5, capital);
        if (1..=3).contains(&letters) && input.ends(end + 1 + letters) {
            end += 1 + letters;
        }
    }
    (start, end)
}

#[cfg(test)]
mod tests {
    use crate::EntityType as E;
    use crate::recognizers::table::{marked, spans};

    #[test]
    fn a_word_says_what_a_number_is() {
        for (entity, example) in [
            (E::Passport, "Passport number: [C01X00T47], issued"),
            (E::Passport, "Mein Reisepass [C01X00T47] ist"),
            (E::Passport, "passeport n° [12AB34567]"),
            (E::Passport, "US passport no. is [483920175]"),
            (E::DriverLicense, "driver's license [D1234567] of"),
            (E::DriverLicense, "Führerschein Nr. [B072RRE2I55]"),
            (E::DriverLicense, "permis de conduire : [880692310285]"),
            (E::LicenseNumber, "medical license number [MD-48213]"),
            (E::MedicalRecordNumber, "MRN [00482133] seen"),
            (E::MedicalRecordNumber, "patient id: [PX-482133]"),
            (E::MedicalRecordNumber, "Patientennummer [4821337]"),
            (E::HealthPlanId, "subscriber id [XYZ123456789]"),
            (E::BankAccount, "account number [12345678], sort code [12-34-56]"),
            (E::BankAccount, "Kontonummer [0532013000]"),
            (E::BankAccount, "routing number [021000021]"),
            (E::LicensePlate, "Kennzeichen [B-AB 1234] geparkt"),
            (E::LicensePlate, "licence plate [AB12 CDE]."),
            (E::LicensePlate, "immatriculation [AB-123-CD]"),
            (E::Passport, "my passport expires in 2027"),
            (E::Passport, "Passport control is in hall 12"),
            (E::DriverLicense, "a driving licence since 1998"),
            (E::MedicalRecordNumber, "the medical record of 12 pages"),
            (E::BankAccount, "account number unknown; order 4821337"),
            (E::BankAccount, "your account manager called 3 times"),
            (E::BankAccount, "account number; 48213371"),
            (E::BankAccount, "account number nr. n° no. numero número is [48213371]"),
            (E::BankAccount, "account number of our branch in the city 48213371"),
            (E::BankAccount, "bank account closed. Call 48213371"),
            (E::BankAccount, "BANK ACCOUNT: [48213371]"),
            (E::LicensePlate, "license plate readers, 40 of them"),
            (E::LicensePlate, "matrícula de 2024"),
        ] {
            let (text, expected) = marked(example);
            assert_eq!(spans(&text, entity), expected, "{example:?}");
        }
    }
}
