//! Context words: what stands shortly before a candidate raises or lowers the confidence in it.
//!
//! The words of the rows of [`numbered`] and [`labelled`] stand with them; these are the others.
//! Only what stands before counts, so that a stream need not be held back for what may follow.

use std::collections::BTreeMap;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, MatchKind, StartKind};
use smallvec::SmallVec;

use super::{Input, labelled, numbered};
use crate::{EntitySet, EntityType};

/// How far back a context word may stand, in bytes.
pub(crate) const REACH: usize = 48;

/// How far back a word for something else may stand: only right before.
const REACH_AGAINST: usize = 24;

/// Words in English and German (and a few that more languages share), lower case, and what they speak for.
pub(crate) const FOR: &[(EntityType, &[&str])] = &[
    (
        EntityType::BankAccount,
        &["account", "bank", "check ", "checking", "debit ", "save ", "savings", "deposit "],
    ),
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
    (
        EntityType::Coordinates,
        &[
            "lat",
            "latitude",
            "lon",
            "lng",
            "long",
            "longitude",
            "coord",
            "coords",
            "coordinate",
            "gps",
            "geo",
            "position",
            "breitengrad",
            "längengrad",
            "koordinaten",
            "coordonnées",
            "coordenadas",
            "coördinaten",
            "coordinaten",
            "latitud",
            "longitud",
            "latitudine",
            "longitudine",
        ],
    ),
    (
        EntityType::DateOfBirth,
        &[
            "born",
            "dob",
            "d.o.b",
            "birth",
            "birthday",
            "birthdate",
            "geboren",
            "geb.",
            "geburtsdatum",
            "geburtstag",
            "geb",
            "né le",
            "née le",
            "né(e) le",
            "naissance",
            "nacido",
            "nacida",
            "nacimiento",
            "nato il",
            "nata il",
            "nascita",
            "nato a",
            "geboortedatum",
            "nascimento",
            "jarig",
        ],
    ),
    (
        EntityType::PersonalDate,
        &[
            "admitted",
            "admission",
            "discharged",
            "discharge",
            "died",
            "death",
            "deceased",
            "date of service",
            "married",
            "surgery on",
            "visit on",
            "seen on",
            "hired",
            "aufgenommen",
            "aufnahme",
            "entlassen",
            "entlassung",
            "verstorben",
            "gestorben",
            "verheiratet seit",
            "eingestellt",
            "admis",
            "admise",
            "hospitalisé",
            "décédé",
            "décès",
            "ingresado",
            "ingresada",
            "ingreso",
            "fallecido",
            "fallecida",
            "alta",
            "ricoverato",
            "ricoverata",
            "dimesso",
            "dimessa",
            "deceduto",
            "deceduta",
            "opgenomen",
            "ontslagen",
            "overleden",
        ],
    ),
    (
        EntityType::Age,
        &["aged", "age", "age:", "im alter von", "âgé de", "âgée de", "edad", "edad de", "età", "leeftijd"],
    ),
    (
        EntityType::PostalCode,
        &[
            "zip",
            "zip code",
            "zipcode",
            "postal code",
            "postcode",
            "post code",
            "plz",
            "postleitzahl",
            "code postal",
            "código postal",
            "codigo postal",
            "cap",
            "c.a.p",
        ],
    ),
    (
        EntityType::Vin,
        &[
            "vin",
            "chassis",
            "vehicle identification",
            "fahrgestell",
            "fin",
            "châssis",
            "bastidor",
            "telaio",
            "chassisnummer",
        ],
    ),
    (
        EntityType::CryptoAddress,
        &[
            "bitcoin", "btc", "ethereum", "eth", "wallet", "litecoin", "ltc", "tron", "usdt", "dogecoin",
            "crypto", "krypto",
        ],
    ),
    (EntityType::MacAddress, &["mac", "hwaddr", "ether", "bssid", "hardware address", "mac-adresse"]),
    (
        EntityType::DiagnosisCode,
        &[
            "icd",
            "icd-10",
            "icd10",
            "diagnosis",
            "diagnoses",
            "diagnose",
            "diagnosen",
            "dx",
            "diagnostic",
            "diagnóstico",
            "diagnosi",
            "code",
            "coded as",
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

/// What all words before a place say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Heard {
    /// The kinds that a word speaks for, no word against them nearer.
    pub(crate) yes: EntitySet,
    /// A word speaks for something else, or did before a nearer word for the kind.
    no: bool,
}

impl Heard {
    pub(crate) const fn says(self, entity: EntityType) -> Says {
        let yes = self.yes.contains(entity);
        Says { yes, no: self.no && !yes }
    }
}

/// The compiled words.
#[derive(Debug)]
pub(crate) struct Context {
    words: DFA,
    /// For each word, the kinds that it speaks for; none if against.
    kinds: Vec<EntitySet>,
}

/// A word that was heard: where it stands, and which it is.
#[derive(Clone, Copy, Debug)]
struct Hit {
    begin: usize,
    end: usize,
    word: usize,
}

/// How far the text was listened to: places are asked about in order, mostly, so that no byte is looked at twice.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    state: Option<StateID>,
    /// The place up to which it listened.
    until: usize,
    /// Every word that begins here or later was heard.
    since: usize,
    hits: SmallVec<[Hit; 8]>,
    last: Option<(usize, Heard)>,
}

/// Every word with the kinds that it speaks for.
pub(crate) fn words() -> BTreeMap<String, EntitySet> {
    let mut words: BTreeMap<String, EntitySet> = BTreeMap::new();
    let mut add = |word: &str, entity: Option<EntityType>| {
        // The automaton folds the case of ASCII only.
        let mut forms = vec![word.to_owned()];
        if !word.is_ascii() {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_uppercase().collect::<String>()).unwrap_or_default();
            forms.extend([word.to_uppercase(), first + letters.as_str()]);
        }
        for form in forms {
            let kinds = words.entry(form).or_default();
            if let Some(entity) = entity {
                kinds.insert(entity);
            }
        }
    };
    let labels = labelled::LABELS.iter().map(|label| (label.entity, label.words));
    let rows = numbered::rows().map(|row| (row.entity, row.words));
    for (entity, list) in FOR.iter().copied().chain(rows).chain(labels) {
        list.iter().for_each(|word| add(word, Some(entity)));
    }
    AGAINST.iter().for_each(|word| add(word, None));
    words
}

impl Context {
    pub(crate) fn new() -> Self {
        let (words, kinds): (Vec<_>, Vec<_>) = words().into_iter().unzip();
        #[expect(clippy::expect_used, reason = "the words are constants; a test compiles them")]
        let words = DFA::builder()
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .ascii_case_insensitive(true)
            .build(&words)
            .expect("constant words");
        Self { words, kinds }
    }

    /// What stands before `start` says. Of a word for a kind and a word against, the nearer counts.
    pub(crate) fn hear(&self, input: &Input<'_>, start: usize, listener: &mut Listener) -> Heard {
        if let Some((at, heard)) = listener.last
            && at == start
        {
            return heard;
        }
        let from = start.saturating_sub(REACH);
        self.listen(input, from, start, listener);
        let letter = |at: Option<usize>| {
            at.and_then(|at| input.byte(at)).is_some_and(|b| b.is_ascii_alphabetic() || b >= 0x80)
        };
        let (mut heard, mut said) = (Heard::default(), 0);
        for Hit { begin, end, word } in listener.hits.iter().copied() {
            if begin < from || end > start {
                continue;
            }
            let short = end - begin <= 4;
            if (letter(begin.checked_sub(1)) && !input.begins(begin)) || (short && letter(Some(end))) {
                continue;
            }
            match self.kinds.get(word) {
                Some(kinds) if !kinds.is_empty() => {
                    heard.yes = heard.yes.union(*kinds);
                    said = end;
                }
                // `reference` within `tax reference` is no word against.
                Some(_) if start - end <= REACH_AGAINST && said != end => {
                    heard = Heard { yes: EntitySet::EMPTY, no: true };
                }
                _ => {}
            }
        }
        listener.last = Some((start, heard));
        heard
    }

    /// Listens from `from` up to `start`, or goes on from where it was.
    fn listen(&self, input: &Input<'_>, from: usize, start: usize, listener: &mut Listener) {
        if listener.state.is_none() || listener.until < from || from < listener.since {
            listener.state = self.words.start_state(Anchored::No).ok();
            (listener.since, listener.until) = (from, from);
            listener.hits.clear();
        }
        let Some(mut state) = listener.state else { return };
        for at in listener.until..start {
            let Some(byte) = input.byte(at) else { break };
            state = self.words.next_state(Anchored::No, state, byte);
            if !self.words.is_special(state) || !self.words.is_match(state) {
                continue;
            }
            for nth in 0..self.words.match_len(state) {
                let word = self.words.match_pattern(state, nth);
                let end = at + 1;
                listener.hits.push(Hit {
                    begin: end - self.words.pattern_len(word),
                    end,
                    word: word.as_usize(),
                });
            }
        }
        listener.state = Some(state);
        listener.until = listener.until.max(start);
        if listener.hits.len() > 24 {
            listener.hits.retain(|hit| hit.end + 4 * REACH > start);
            listener.since = listener.since.max(start.saturating_sub(4 * REACH));
        }
    }
}
