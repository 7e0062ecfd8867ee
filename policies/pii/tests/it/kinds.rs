//! No kind without examples and counter-examples, no recognizer without its source, its validator and its blind spots: a row or
//! file that lacks one fails here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bailiwick_pii::{EntitySet, EntityType, NumberKind};

use crate::text::detector;

/// Texts in which a kind is found where no table of numbers has it, and texts that look like it, in which it is not.
const KINDS: &[(&str, &[&str], &[&str])] = &[
    (
        "EMAIL",
        &["write to jane.doe@example.com", "jürgen@müller.de"],
        &["react@18.2.0", "@types/node", "git@github.com:a/b.git"],
    ),
    (
        "PHONE",
        &["+49 30 901820", "(415) 555-2671", "Rückruf 0171 2345678"],
        &["2024-01-02", "10.0.0.1", "12:30:45.123456"],
    ),
    ("CARD", &["4111 1111 1111 1111", "card 378282246310005"], &["4111 1111 1111 1112", "1763832740123456"]),
    ("IBAN", &["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"], &["DE88 3704 0044 0532 0130 00"]),
    (
        "IP_ADDRESS",
        &["from 203.0.113.7", "at 2001:db8::8a2e:370:7334"],
        &["version 1.2.3.4", "std::vec", "127.0.0.1"],
    ),
    ("URL", &["https://intranet.example.com/people/42", "www.example.com/x"], &["example.com", "://"]),
    ("US_SSN", &["536-22-1234", "SSN 536221234"], &["000-12-3456", "536221234", "12 536 22 1234"]),
    ("DE_TAX_ID", &["Steuer-ID 86095742719", "86 095 742 719"], &["86095742718", "12345678901"]),
    (
        "CREDENTIAL",
        &["password = hunter2", "AKIAIOSFODNN7EXAMPLE"],
        &["password: required", "sk-learn is a library"],
    ),
    ("JWT", &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"], &["eyJhbGciOiJIUzI1NiJ9", "eyJ.a.b"]),
    ("BIC", &["BIC COBADEFFXXX"], &["COBADEFFXXX", "BIC COBAQQFFXXX"]),
    ("MAC_ADDRESS", &["eth0 00:1a:2b:3c:4d:5e up"], &["00:00:00:00:00:00", "12:30:45"]),
    ("VIN", &["1HGCM82633A004352"], &["1HGCM82633A004353", "1HGCM82633O004352"]),
    (
        "LICENSE_PLATE",
        &["license plate 7ABC123", "Kennzeichen B-AB 1234"],
        &["7ABC123", "license plate readers, 40 of them"],
    ),
    ("COORDINATES", &["lat 48.85837, lon 2.29448", "52°31′12″N"], &["48.85837", "lat 48"]),
    (
        "CRYPTO_ADDRESS",
        &["bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"],
        &["bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdz"],
    ),
    (
        "BANK_ACCOUNT",
        &["account number 12345678", "Kontonummer 0532013000"],
        &["12345678", "your account manager called 3 times"],
    ),
    (
        "DATE_OF_BIRTH",
        &["born on 12/03/1980", "geboren am 3. Mai 1980", "born in 1931"],
        &["due on 12/03/1980", "born in 1980"],
    ),
    (
        "PERSONAL_DATE",
        &["admitted on 3 May 2024", "entlassen am 12.03.2024"],
        &["the meeting on 12.03.2024", "admitted in March"],
    ),
    (
        "AGE",
        &["she is 92 years old", "94 Jahre alt", "âgé de 96 ans"],
        &["a 45-year-old man", "92 pages", "il y a 95 ans"],
    ),
    (
        "PASSPORT",
        &["passport no. C01X00T47", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"],
        &["C01X00T47", "L898902C37UTO7408122F1204159ZE184226B<<<<<10"],
    ),
    (
        "DRIVER_LICENSE",
        &["driver's license D1234567", "Führerschein Nr. B072RRE2I55"],
        &["D1234567", "a driving licence since 1998"],
    ),
    ("LICENSE_NUMBER", &["medical license 1234567"], &["1234567", "the licence number is unknown"]),
    (
        "MEDICAL_RECORD_NUMBER",
        &["MRN 00482133", "Patientennummer 4821337"],
        &["00482133", "the medical record of 12 pages"],
    ),
    ("HEALTH_PLAN_ID", &["subscriber id 12345678"], &["12345678", "health insurance for 12 people"]),
    ("DIAGNOSIS_CODE", &["ICD-10: E11.9", "Diagnose: F32.1"], &["E11", "section A1.2.3"]),
    (
        "HEALTH_TERM",
        &["What causes diabetes?", "Was hilft gegen Migräne?"],
        &["snake_diabetes_case", "a table"],
    ),
    (
        "HEALTH_CONDITION",
        &["My father has type 2 diabetes", "Ich bin schwanger"],
        &["He left. Diabetes is common.", "What causes diabetes?"],
    ),
    (
        "RELIGION",
        &["She is Catholic", "mein Kollege ist evangelisch"],
        &["Catholic churches of the 12th century"],
    ),
    ("ETHNIC_ORIGIN", &["my neighbour is Kurdish"], &["Kurdish cuisine"]),
    ("POLITICAL_OPINION", &["his wife is a Labour Party member"], &["the Labour Party won"]),
    ("TRADE_UNION", &["my colleague is a union member"], &["the European Union"]),
    ("SEXUAL_ORIENTATION", &["he told us that he is gay"], &["The gay rights movement"]),
    ("GENETIC_DATA", &["her BRCA1 result"], &["BRCA1 is a gene"]),
    ("BIOMETRIC_DATA", &["the employee's fingerprint was stored"], &["fingerprint of the certificate"]),
    ("PERSON", &["Dr. Anna Schmidt", "my name is Xaver Quendt"], &["quendolin vargazi came", "the table"]),
    (
        "STREET_ADDRESS",
        &["lives at 12 Main Street", "Hauptstraße 12a", "12 rue de la Paix"],
        &["chapter 12", "on the street"],
    ),
    ("CITY", &["She moved to Berlin"], &["She moved to berlin"]),
    ("POSTAL_CODE", &["Beverly Hills, CA 90210", "D-10115 Berlin", "SW1A 1AA"], &["90210", "room 10115"]),
    ("ORGANISATION", &["Acme Widgets GmbH"], &["a gmbh", "the university"]),
];

fn found_in(text: &str) -> BTreeSet<EntityType> {
    let mut found = Vec::new();
    detector().looking_for(EntitySet::all()).scan(text, &mut found);
    found.iter().map(|finding| finding.entity).collect()
}

#[test]
fn every_kind_has_examples_and_counter_examples_and_they_hold() {
    let mut tables: BTreeMap<EntityType, (Vec<String>, Vec<String>)> = BTreeMap::new();
    for number in NumberKind::all() {
        let (yes, no) = tables.entry(number.entity).or_default();
        yes.extend(number.examples.iter().map(|example| example.replace(['[', ']'], "")));
        no.extend(number.others.iter().map(|text| (*text).to_owned()));
    }
    for (kind, yes, no) in KINDS {
        let tables = tables.entry(kind.parse().unwrap()).or_default();
        tables.0.extend(yes.iter().map(|text| (*text).to_owned()));
        tables.1.extend(no.iter().map(|text| (*text).to_owned()));
    }
    let mut wrong = Vec::new();
    for kind in EntityType::ALL {
        let (yes, no) = tables.remove(&kind).unwrap_or_default();
        if yes.is_empty() || no.is_empty() {
            wrong.push(format!("{kind} has {} examples and {} counter-examples", yes.len(), no.len()));
        }
        let missed = yes.iter().filter(|text| !found_in(text).contains(&kind));
        wrong.extend(missed.map(|text| format!("{kind} is not found in {text:?}: {:?}", found_in(text))));
        let taken = no.iter().filter(|text| found_in(text).contains(&kind));
        wrong.extend(taken.map(|text| format!("{kind} is found in {text:?}")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// The files of a folder and those below.
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// Files of recognizers that are none by themselves: what several share, and the rows of tables, each with a source of its own
/// (which `every_row_finds_its_examples_and_nothing_else` asks for).
const SHARED: [&str; 7] =
    ["mod.rs", "table.rs", "numbers.rs", "context/", "numbered/", "phone/pattern.rs", "phone/plans.rs"];

/// Parts of a recognizer whose source, validator and blind spots stand at the head of another file.
const PARTS: [(&str, &str); 6] = [
    ("credential/assignment.rs", "credential/mod.rs"),
    ("credential/keys.rs", "credential/mod.rs"),
    ("credential/more_keys.rs", "credential/mod.rs"),
    ("lexicon/words.rs", "lexicon/mod.rs"),
    ("lexicon/names.rs", "lexicon/person.rs"),
    ("lexicon/health.rs", "lexicon/mod.rs"),
];

#[test]
fn every_recognizer_says_its_source_its_validator_and_what_it_does_not_find() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/recognizers");
    let mut all = Vec::new();
    files(&root, &mut all);
    let (mut checked, mut wrong) = (0, Vec::new());
    for path in all {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        if SHARED.iter().any(|shared| name == *shared || (shared.ends_with('/') && name.starts_with(shared)))
        {
            continue;
        }
        if let Some((_, head)) = PARTS.iter().find(|(part, _)| name == *part) {
            assert!(root.join(head).exists(), "{head}");
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let head: String = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let says = |words: &[&str]| words.iter().any(|word| head.contains(word));
        for (what, words) in [
            ("source", &["Source:", "Sources:"][..]),
            ("validator", &["Validator:", "Validator.", "count only where"]),
            ("blind spots", &["Not found", "*Not", "Blind spot", "blind spot", "only where"]),
        ] {
            if !says(words) {
                wrong.push(format!("{name} says nothing of its {what}"));
            }
        }
        checked += 1;
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(checked >= 20, "{checked}");
}
