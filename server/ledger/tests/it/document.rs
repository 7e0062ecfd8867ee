//! The worked example of `docs/reference/audit-format.md` is what this crate makes and verifies.

use std::{fs, path::Path};

use bailiwick_ledger::{
    Checkpoint, Draft, ExportWriter, Hash, Header, Kind, Receipt, ReceiptRecord, Section,
    merkle::{Frontier, MemoryTree, inclusion_plan, node_hash},
    verify_export,
};
use serde_json::json;

use crate::sample::signer_of;

/// The parts of the example, each under the word that marks its code block.
fn example() -> Vec<(&'static str, String)> {
    let signer = signer_of("audit.example.org/acme", 7);
    let facts = |classes: &[&str]| Section::new("facts", &json!({"classes": classes}), [0x11; 32]).unwrap();
    let drafts = [
        Draft::new(Kind::Start, 1_763_800_000_000),
        Draft::new(Kind::Decision, 1_763_800_001_250)
            .scope("/acme/clinic")
            .id("decision", "d1")
            .section(facts(&["phi"])),
        Draft::new(Kind::Outcome, 1_763_800_002_500).scope("/acme/clinic").id("decision", "d1"),
    ];
    let records =
        drafts.into_iter().zip(0..).map(|(draft, n)| draft.seal(signer.public().name(), "r1", n).unwrap());
    let records: Vec<_> = records.collect();
    let tree: MemoryTree = records.iter().map(|record| record.leaf_hash).collect();
    let (origin, root) = (signer.public().name().clone(), tree.root(3).unwrap());
    let checkpoint = Checkpoint { origin, size: 3, root }.sign(&signer).unwrap();

    let mut export =
        ExportWriter::begin(Vec::new(), &signer, 1_763_900_000_000, "kind=decision", Frontier::new(), 3)
            .unwrap();
    export.stub(records[0].leaf_hash).unwrap();
    export.record(&records[1].leaf, &records[1].sections).unwrap();
    export.stub(records[2].leaf_hash).unwrap();
    let (export, _) = export.finish(&checkpoint, Vec::new(), &signer).unwrap();

    let proof = inclusion_plan(1, 3).unwrap().build(&tree).unwrap();
    let record = ReceiptRecord::new(1, &records[1].leaf, proof, &records[1].sections).unwrap();
    let receipt = Receipt::new(&checkpoint, signer.public().clone(), vec![record]);

    let [a, b, c] = [0, 1, 2].map(|n: usize| records[n].leaf_hash);
    assert_eq!(node_hash(&node_hash(&a, &b), &c), root);
    let hashes = [
        ("commitment", records[1].sections[0].commitment()),
        ("leaf 0", a),
        ("leaf 1", b),
        ("leaf 2", c),
        ("node over 0 and 1", node_hash(&a, &b)),
        ("root", root),
        ("fingerprint", signer.public().fingerprint()),
    ];
    let hashes: String =
        hashes.iter().map(|(what, hash): &(_, Hash)| format!("{what:<18} {hash}\n")).collect();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap() + "\n";
    vec![
        ("key", text(signer.public().to_string().as_bytes())),
        ("section", text(&records[1].sections[0].bytes)),
        ("leaves", records.iter().map(|record| text(&record.leaf)).collect()),
        ("hashes", hashes),
        ("checkpoint", checkpoint.to_string()),
        ("export", String::from_utf8(export).unwrap()),
        ("receipt", text(&receipt.to_bytes().unwrap())),
    ]
}

/// The text of the code block that is marked `text title=<name>`.
fn block<'a>(document: &'a str, name: &str) -> &'a str {
    let (_, rest) = document.split_once(&format!("```text title={name}\n")).expect(name);
    rest.split_once("```\n").expect(name).0
}

#[test]
fn the_worked_example_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/audit-format.md");
    let document = fs::read_to_string(path).unwrap();
    for (name, expected) in example() {
        assert_eq!(
            block(&document, name),
            expected,
            "the block {name:?} of the description should read:\n{expected}"
        );
    }
    // And read from the page, not from this test.
    let key = block(&document, "key").parse().unwrap();
    let report = verify_export(block(&document, "export").as_bytes(), Some(&key)).unwrap();
    assert!(report.verified(), "{report}");
    let receipt = Receipt::parse(block(&document, "receipt").as_bytes()).unwrap().verify(Some(&key)).unwrap();
    assert_eq!(receipt.decision.as_deref(), Some("d1"));
    for leaf in block(&document, "leaves").lines() {
        Header::parse(leaf.as_bytes()).unwrap();
    }
}

/// The page shows every kind of record, so that none is added without being described.
#[test]
fn every_kind_is_described() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/audit-format.md");
    let document = fs::read_to_string(path).unwrap();
    for kind in Kind::ALL {
        assert!(document.contains(&format!("| `{kind}` |")), "{kind}");
    }
}
