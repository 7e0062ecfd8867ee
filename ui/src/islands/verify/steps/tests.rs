use bailiwick_ledger::merkle::{MemoryTree, inclusion_plan};
use bailiwick_ledger::{Checkpoint, Draft, Kind, LogId, Receipt, ReceiptRecord, Section, Signer};
use ed25519_dalek::SigningKey;

use super::*;

/// A receipt for the leaves 1 and 2 of a tree of five, and what a truthful page would claim.
fn receipt(seed: u8) -> (Vec<u8>, Expected) {
    let log = LogId::new("example.org/log").unwrap();
    let records: Vec<_> = (0..5)
        .map(|n| {
            let section = Section::new("facts", &serde_json::json!({ "model": "m" }), [n; 32]).unwrap();
            let hidden = Section::new("principal", &serde_json::json!({ "key": "k" }), [n + 9; 32]).unwrap();
            let draft = Draft::new(Kind::Decision, 1_700_000_000_123).section(section).section(hidden);
            draft.id("decision", "d1").seal(&log, "r1", u64::from(n)).unwrap()
        })
        .collect();
    let tree: MemoryTree = records.iter().map(|record| record.leaf_hash).collect();
    let head = Checkpoint { origin: log.clone(), size: 5, root: tree.root(5).unwrap() };
    let signer = Signer::new(log, SigningKey::from_bytes(&[seed; 32]));
    let shown = [1_usize, 2].map(|at| {
        let record = &records[at];
        let proof = inclusion_plan(at as u64, 5).unwrap().build(&tree).unwrap();
        ReceiptRecord::new(
            at as u64,
            &record.leaf,
            proof,
            record.sections.iter().filter(|s| s.name == "facts"),
        )
        .unwrap()
    });
    let expected = Expected {
        leaf_hashes: records[1..3].iter().map(|record| record.leaf_hash.to_string()).collect(),
        verifier_key: Some(signer.public().to_string()),
    };
    let receipt = Receipt::new(&head.sign(&signer).unwrap(), signer.public().clone(), shown.to_vec());
    (receipt.to_bytes().unwrap(), expected)
}

fn failed(steps: &[Step]) -> What {
    let at = steps.iter().position(|step| step.state == State::Failed).expect("a failed step");
    assert!(steps[..at].iter().all(|step| step.state == State::Passed));
    assert!(steps[at + 1..].iter().all(|step| step.state == State::Skipped));
    assert!(!passed(steps));
    steps[at].what
}

#[test]
fn a_true_receipt_passes_every_step_and_shows_what_was_computed() {
    let (bytes, expected) = receipt(1);
    let steps = verify(&bytes, &expected, Lang::En);
    assert!(passed(&steps), "{steps:?}");
    let inclusion = steps.iter().find(|step| step.what == What::Inclusion).unwrap();
    assert_eq!(inclusion.details[0], ("Leaf 1".to_owned(), expected.leaf_hashes[0].clone()));
    assert!(inclusion.details.iter().any(|(label, _)| label == "Root"));
    let sections = steps.iter().find(|step| step.what == What::Sections).unwrap();
    assert_eq!(sections.details[0].1, "1 shown, 1 withheld");
}

#[test]
fn the_change_of_one_byte_is_told_as_a_broken_proof() {
    let (mut bytes, expected) = receipt(1);
    let before = bytes.clone();
    change_one_byte(&mut bytes);
    assert_eq!(bytes.iter().zip(&before).filter(|(a, b)| a != b).count(), 1);
    let steps = verify(&bytes, &expected, Lang::En);
    assert_eq!(failed(&steps), What::Inclusion);
}

#[test]
fn each_kind_of_damage_fails_at_its_own_step() {
    let (bytes, expected) = receipt(1);
    let text = String::from_utf8(bytes).unwrap();

    let cut = &text.as_bytes()[..text.len() - 1];
    assert_eq!(failed(&verify(cut, &expected, Lang::En)), What::Form);

    let (other, _) = receipt(2);
    assert_eq!(failed(&verify(&other, &expected, Lang::En)), What::Key);

    let size = text.replacen("log\\n5\\n", "log\\n6\\n", 1);
    assert_ne!(size, text);
    assert_eq!(failed(&verify(size.as_bytes(), &expected, Lang::En)), What::Checkpoint);

    let section = text.replacen("\\\"m\\\"", "\\\"n\\\"", 1);
    assert_ne!(section, text);
    assert_eq!(failed(&verify(section.as_bytes(), &expected, Lang::En)), What::Sections);
}

#[test]
fn a_page_that_claims_other_leaves_fails() {
    let (bytes, mut expected) = receipt(1);
    expected.leaf_hashes.pop();
    assert_eq!(failed(&verify(&bytes, &expected, Lang::De)), What::Page);
    expected.verifier_key = Some("nonsense".to_owned());
    assert_eq!(failed(&verify(&bytes, &expected, Lang::De)), What::Key);
}

#[test]
fn no_receipt_fails_at_the_first_step() {
    assert_eq!(failed(&not_fetched(404, Lang::En)), What::Fetch);
    assert_eq!(failed(&verify(b"", &Expected::default(), Lang::En)), What::Form);
    let mut empty = Vec::new();
    change_one_byte(&mut empty);
    assert!(empty.is_empty());
}
