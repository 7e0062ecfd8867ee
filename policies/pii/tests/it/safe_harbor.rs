//! The table of the eighteen identifiers in `docs/reference/pii.md`, line by line: every kind that a line names finds its
//! examples, and what a line says is not found is not.

use std::collections::BTreeMap;
use std::sync::Arc;

use bailiwick_pii::{Detector, EntitySet, EntityType, NumberKind};

use crate::text::detector;

const REFERENCE: &str = include_str!("../../../../docs/reference/pii.md");

/// Texts in which a kind is found, where the tables of numbers have none of their own.
const FOUND: &[(&str, &[&str])] = &[
    ("PERSON", &["Dr. Anna Schmidt", "my name is Xaver Quendt", "Maria Gonzalez called"]),
    ("STREET_ADDRESS", &["lives at 12 Main Street", "Hauptstraße 12a"]),
    ("POSTAL_CODE", &["Beverly Hills, CA 90210", "zip code 03601", "D-10115 Berlin"]),
    ("COORDINATES", &["lat 48.85837, lon 2.29448"]),
    ("CITY", &["She moved to Berlin"]),
    ("DATE_OF_BIRTH", &["born on 12/03/1980", "geboren am 3. Mai 1980", "born in 1931"]),
    ("PERSONAL_DATE", &["admitted on 3 May 2024", "discharged 2024-05-07"]),
    ("AGE", &["she is 92 years old", "aged 90", "a 101-year-old", "im Alter von 96", "une femme de 91 ans"]),
    ("PHONE", &["+1 415 555 2671", "(415) 555-2671", "fax 415-555-2671", "call 415-555-2671 ext. 12"]),
    ("EMAIL", &["anna@kunde.example"]),
    ("US_SSN", &["536-22-1234", "SSN 536221234"]),
    ("MEDICAL_RECORD_NUMBER", &["MRN 00482133", "patient id 4711-0815"]),
    ("HEALTH_PLAN_ID", &["subscriber id 12345678"]),
    ("IBAN", &["DE89 3704 0044 0532 0130 00"]),
    ("CARD", &["card 4111 1111 1111 1111"]),
    ("BANK_ACCOUNT", &["account number 12345678"]),
    ("CRYPTO_ADDRESS", &["bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"]),
    ("DRIVER_LICENSE", &["driver's license D1234567"]),
    ("PASSPORT", &["passport no. C01X00T47", "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"]),
    ("LICENSE_NUMBER", &["medical license 1234567"]),
    ("VIN", &["1HGCM82633A004352"]),
    ("LICENSE_PLATE", &["license plate 7ABC123"]),
    ("MAC_ADDRESS", &["eth0 00:1a:2b:3c:4d:5e up"]),
    ("URL", &["https://intranet.example.com/people/42"]),
    ("IP_ADDRESS", &["login from 203.0.113.7", "at 2001:db8::8a2e:370:7334"]),
    ("BIOMETRIC_DATA", &["the employee's fingerprint was stored"]),
    ("CREDENTIAL", &["password = hunter2"]),
    ("JWT", &["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"]),
];

/// For each line, texts that hold such an identifier and in which nothing is found.
const NOT_FOUND: &[(&str, &[&str])] = &[
    ("(A)", &["quendolin vargazi came", "die Patientin Quendolin Vargazi"]),
    ("(B)", &["Loudoun County", "precinct 12 of the borough"]),
    ("(C)", &["on 12/03/1980", "in May 2024", "born in 1980", "she is 89 years old"]),
    ("(D)", &["30 901820"]),
    ("(E)", &["30 901820"]),
    ("(F)", &["anna at example dot com"]),
    ("(G)", &["536221234"]),
    ("(H)", &["00482133"]),
    ("(I)", &["12345678"]),
    ("(J)", &["12345678"]),
    ("(K)", &["D1234567"]),
    ("(L)", &["7ABC123"]),
    ("(M)", &["serial number QX-77812"]),
    ("(N)", &["intranet.example.com/people/42"]),
    ("(O)", &["0x7f000001 and 2130706433 and 0177.0.0.1"]),
    ("(P)", &["minutiae: 17 ridge endings, 4 bifurcations"]),
    ("(Q)", &["a photograph of her face"]),
    ("(R)", &["employee 77-1204-B"]),
];

fn kinds_in(text: &str, detector: &Detector) -> Vec<EntityType> {
    let mut found = Vec::new();
    detector.scan(text, &mut found);
    found.iter().map(|finding| finding.entity).collect()
}

#[test]
fn every_line_finds_what_it_says_and_nothing_more() {
    let all: Arc<Detector> = Arc::new(detector().looking_for(EntitySet::all()));
    let head = "| | identifier | what is found | what is not |";
    let rows: Vec<&str> = REFERENCE
        .split_once(head)
        .map_or("", |(_, rest)| rest)
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(rows.len(), 18);
    let found: BTreeMap<&str, &[&str]> = FOUND.iter().copied().collect();
    let not_found: BTreeMap<&str, &[&str]> = NOT_FOUND.iter().copied().collect();
    let (mut checked, mut wrong) = (0, Vec::new());
    for row in rows {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        for kind in cells[3].split('`').skip(1).step_by(2).filter_map(|name| name.parse::<EntityType>().ok())
        {
            let of_table: Vec<String> = NumberKind::all()
                .filter(|number| number.entity == kind)
                .flat_map(|number| number.examples)
                .map(|example| example.replace(['[', ']'], ""))
                .collect();
            let own = found.get(kind.as_str()).copied().unwrap_or_default();
            assert!(!of_table.is_empty() || !own.is_empty(), "{kind} has no example");
            for text in of_table.iter().map(String::as_str).chain(own.iter().copied()) {
                checked += 1;
                if !kinds_in(text, &all).contains(&kind) {
                    wrong.push(format!(
                        "{} {kind} is not found in {text:?}: {:?}",
                        cells[1],
                        kinds_in(text, &all)
                    ));
                }
            }
        }
        for text in not_found[cells[1]] {
            checked += 1;
            let kinds = kinds_in(text, &all);
            if !kinds.is_empty() {
                wrong.push(format!("{} finds {kinds:?} in {text:?}", cells[1]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 70, "{checked}");
}
