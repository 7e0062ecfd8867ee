//! Names of regulations, of what endpoints are asked about, and of answers.

use super::Lang;

/// Id, name, and what is asked, in English and German.
const REGULATIONS: &[(&str, [&str; 2], [&str; 2])] = &[
    (
        "eu_residency",
        ["EU residency", "Verbleib in der EU"],
        [
            "Processed and kept in the EU or EEA, logs against abuse included",
            "Verarbeitet und aufbewahrt in EU oder EWR, Missbrauchsprotokolle eingeschlossen",
        ],
    ),
    (
        "transfer_mechanism",
        ["Transfers (GDPR)", "Übermittlung (DSGVO)"],
        [
            "There is a ground for each transfer out of the EEA, or there is none",
            "Für jede Übermittlung aus dem EWR gibt es eine Grundlage, oder es gibt keine",
        ],
    ),
    (
        "hipaa",
        ["HIPAA", "HIPAA"],
        ["Protected health information may be sent", "Geschützte Gesundheitsdaten dürfen gesendet werden"],
    ),
    (
        "zero_data_retention",
        ["Zero retention", "Keine Speicherung"],
        ["Nothing is kept once the response is made", "Nach der Antwort wird nichts aufbewahrt"],
    ),
    (
        "no_training",
        ["No training", "Kein Training"],
        ["Nothing trains a model", "Nichts trainiert ein Modell"],
    ),
    (
        "pci_dss",
        ["PCI DSS", "PCI DSS"],
        ["An attestation under PCI DSS names the service", "Ein Nachweis nach PCI DSS nennt den Dienst"],
    ),
    (
        "gpai_code",
        ["EU AI code", "EU-KI-Kodex"],
        [
            "The developer signed the EU's general-purpose AI code of practice",
            "Der Entwickler hat den EU-Verhaltenskodex für KI mit allgemeinem Verwendungszweck unterschrieben",
        ],
    ),
    (
        "soc_2",
        ["SOC 2", "SOC 2"],
        ["A SOC 2 Type II report covers the service", "Ein Bericht nach SOC 2 Typ II umfasst den Dienst"],
    ),
    (
        "iso_27001",
        ["ISO 27001", "ISO 27001"],
        [
            "A certificate under ISO/IEC 27001 covers the service",
            "Ein Zertifikat nach ISO/IEC 27001 umfasst den Dienst",
        ],
    ),
    (
        "iso_42001",
        ["ISO 42001", "ISO 42001"],
        [
            "A certificate under ISO/IEC 42001 covers the service",
            "Ein Zertifikat nach ISO/IEC 42001 umfasst den Dienst",
        ],
    ),
    (
        "bsi_c5",
        ["BSI C5", "BSI C5"],
        [
            "An attestation under the BSI's C5 covers the service",
            "Ein Testat nach C5 des BSI umfasst den Dienst",
        ],
    ),
];

const ATTRIBUTES: &[(&str, &str, &str)] = &[
    ("processing_countries", "Processed in", "Verarbeitet in"),
    ("storage_countries", "Kept in", "Aufbewahrt in"),
    ("abuse_log_countries", "Logs against abuse in", "Missbrauchsprotokolle in"),
    ("human_review_countries", "Reviewers in", "Prüfende Menschen in"),
    ("operator_countries", "Operator under the law of", "Betreiber unter dem Recht von"),
    ("trains_on_inputs", "Trains on inputs", "Trainiert mit Eingaben"),
    ("hipaa_eligible", "HIPAA eligible", "Für HIPAA geeignet"),
    ("zero_data_retention", "Zero data retention", "Keine Speicherung"),
    ("human_review", "Human review", "Prüfung durch Menschen"),
    ("retention_days", "Kept for days, at most", "Höchstens aufbewahrt, in Tagen"),
    ("hosting", "Hosting", "Betrieb"),
    ("transfer_mechanism", "Ground for transfers", "Übermittlungsgrundlage"),
    ("soc_2", "SOC 2 Type II", "SOC 2 Typ II"),
    ("iso_27001", "ISO/IEC 27001", "ISO/IEC 27001"),
    ("iso_42001", "ISO/IEC 42001", "ISO/IEC 42001"),
    ("pci_dss", "PCI DSS", "PCI DSS"),
    ("bsi_c5", "BSI C5", "BSI C5"),
    ("gpai_code", "EU AI code of practice", "EU-KI-Verhaltenskodex"),
];

const ANSWERS: &[(&str, &str, &str)] = &[
    ("yes", "Yes", "Ja"),
    ("no", "No", "Nein"),
    ("only_if", "Only if", "Nur wenn"),
    ("unknown", "Unknown", "Unbekannt"),
];

const fn of(pair: [&'static str; 2], lang: Lang) -> &'static str {
    let [en, de] = pair;
    match lang {
        Lang::En => en,
        Lang::De => de,
    }
}

/// A regulation's name.
pub(crate) fn regulation(id: &str, lang: Lang) -> String {
    let found = REGULATIONS.iter().find(|(known, ..)| *known == id);
    found.map_or(id, |(_, name, _)| of(*name, lang)).to_owned()
}

/// What it asks.
pub(crate) fn regulation_hint(id: &str, lang: Lang) -> String {
    let found = REGULATIONS.iter().find(|(known, ..)| *known == id);
    found.map_or("", |(_, _, hint)| of(*hint, lang)).to_owned()
}

fn named(table: &[(&str, &'static str, &'static str)], id: &str, lang: Lang) -> String {
    let found = table.iter().find(|(known, ..)| *known == id);
    found.map_or(id, |(_, en, de)| of([en, de], lang)).to_owned()
}

/// An attribute's name.
pub(crate) fn attribute(id: &str, lang: Lang) -> String {
    named(ATTRIBUTES, id, lang)
}

/// An answer's word.
pub(crate) fn answer(id: &str, lang: Lang) -> String {
    named(ANSWERS, id, lang)
}
