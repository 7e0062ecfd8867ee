//! Context words: what stands shortly before a candidate raises or lowers the confidence in it.
//!
//! Only what stands before counts, so that a stream need not be held back for what may follow.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

use super::Input;
use crate::EntityType;

/// How far back a context word may stand, in bytes.
pub(crate) const REACH: usize = 48;

/// How far back a word for something else may stand: only right before.
const REACH_AGAINST: usize = 24;

/// Words in English and German (and a few that more languages share), lower case, and what they speak for.
pub(crate) const FOR: &[(EntityType, &[&str])] = &[
    (
        EntityType::Phone,
        &[
            "tel",
            "phone",
            "telephone",
            "telefon",
            "mobile",
            "mobil",
            "cell",
            "handy",
            "fax",
            "call",
            "dial",
            "whatsapp",
            "sms",
            "text me",
            "ruf",
            "anruf",
            "rückruf",
            "durchwahl",
            "erreichbar",
            "erreichen",
            "festnetz",
            "hotline",
            "téléphone",
            "teléfono",
            "contact number",
            "reach me",
            "reach her",
            "reach him",
            "rufnummer",
            "nummer lautet",
        ],
    ),
    (
        EntityType::Card,
        &[
            "card",
            "credit",
            "debit",
            "visa",
            "mastercard",
            "amex",
            "american express",
            "discover",
            "diners",
            "jcb",
            "maestro",
            "karte",
            "kreditkarte",
            "kartennummer",
            "pan",
            "cc",
            "payment",
            "zahlung",
        ],
    ),
    (EntityType::Iban, &["iban", "konto", "account", "bank", "überweis", "transfer", "bic", "swift"]),
    (
        EntityType::IpAddress,
        &["ip", "host", "client", "server", "address", "adresse", "remote", "from", "ping"],
    ),
    (
        EntityType::UsSsn,
        &["ssn", "social security", "social-security", "soc sec", "social sec", "sozialversicherung", "tin"],
    ),
    (
        EntityType::DeTaxId,
        &[
            "steuer",
            "steuer-id",
            "steueridentifikation",
            "steuer-identifikation",
            "idnr",
            "id-nr",
            "tax id",
            "tax-id",
            "taxid",
            "tax identification",
            "tin",
            "identifikationsnummer",
            "tax number",
        ],
    ),
];

/// Words that speak for something else than a person's number.
pub(crate) const AGAINST: &[&str] = &[
    "order",
    "invoice",
    "tracking",
    "ticket",
    "isbn",
    "ean",
    "gtin",
    "sku",
    "serial",
    "version",
    "timestamp",
    "commit",
    "sha",
    "uuid",
    "guid",
    "imei",
    "build",
    "revision",
    "bestell",
    "bestellnummer",
    "rechnung",
    "rechnungsnummer",
    "sendungsnummer",
    "seriennummer",
    "artikelnummer",
    "aktenzeichen",
    "release",
    "sendung",
    "case no",
    "reference",
    "epoch",
    "nonce",
    "checksum",
    "hash",
];

/// What the words before a candidate say.
#[derive(Clone, Copy, Default)]
pub(crate) struct Says {
    /// A word speaks for the kind.
    pub(crate) yes: bool,
    /// A word speaks for something else.
    pub(crate) no: bool,
}

/// The compiled words.
#[derive(Debug)]
pub(crate) struct Context {
    words: AhoCorasick,
    /// For each word, the kind that it speaks for; none if against.
    kinds: Vec<Option<EntityType>>,
}

impl Context {
    pub(crate) fn new() -> Self {
        let (mut words, mut kinds) = (Vec::new(), Vec::new());
        for (entity, list) in FOR {
            words.extend(list.iter().copied());
            kinds.extend(list.iter().map(|_| Some(*entity)));
        }
        words.extend(AGAINST);
        kinds.extend(AGAINST.iter().map(|_| None));
        #[expect(clippy::expect_used, reason = "the words are constants; a test compiles them")]
        let words = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&words)
            .expect("constant words");
        Self { words, kinds }
    }

    /// What stands before `start` says about `entity`. Of a word for and a word against, the nearer counts.
    pub(crate) fn says(&self, input: &Input<'_>, start: usize, entity: EntityType) -> Says {
        let from = start.saturating_sub(REACH);
        let window = input.span(from, start);
        let letter = |at: Option<usize>| {
            at.and_then(|at| input.byte(at)).is_some_and(|b| b.is_ascii_alphabetic() || b >= 0x80)
        };
        let mut says = Says::default();
        for found in self.words.find_overlapping_iter(window) {
            let (begin, end) = (from + found.start(), from + found.end());
            let short = found.end() - found.start() <= 4;
            if (letter(begin.checked_sub(1)) && !input.begins(begin)) || (short && letter(Some(end))) {
                continue;
            }
            match self.kinds.get(found.pattern().as_usize()) {
                Some(Some(kind)) if *kind == entity => says = Says { yes: true, no: false },
                Some(None) if start - end <= REACH_AGAINST => says = Says { yes: false, no: true },
                _ => {}
            }
        }
        says
    }
}
