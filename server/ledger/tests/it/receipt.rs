//! Receipts: self-contained, narrowable, and tamper-evident.

use bailiwick_ledger::{Receipt, disclosure::SectionState, receipt::ReceiptError};
use proptest::prelude::*;

use crate::sample::{Log, signer, signer_of};

fn verdict(bytes: &[u8]) -> Result<(), ReceiptError> {
    Receipt::parse(bytes)?.verify(Some(signer().public())).map(drop)
}

#[test]
fn a_receipt_of_a_decision_verifies_by_itself() {
    let log = Log::new(23);
    let bytes = log.receipt(&[7, 4, 5, 6]).to_bytes().unwrap();
    let verified = Receipt::parse(&bytes).unwrap().verify(Some(log.key())).unwrap();
    assert_eq!(verified.decision.as_deref(), Some("dec_1"));
    assert_eq!(verified.records.iter().map(|record| record.index).collect::<Vec<_>>(), [4, 5, 6, 7]);
    assert_eq!(verified.checkpoint.size, 23);
    assert!(verified.key_expected);
    let mixed = log.receipt(&[4, 8]).verify(None).unwrap();
    assert_eq!((mixed.decision, mixed.key_expected), (None, false));
    assert_eq!(verdict(&[bytes.as_slice(), b"\n"].concat()), Ok(()));
    assert!(verdict(&[bytes.as_slice(), b"\n\n"].concat()).is_err());
}

#[test]
fn a_holder_can_withhold() {
    let log = Log::new(9);
    let mut receipt = log.receipt(&[3, 4]);
    assert!(receipt.withhold(4, "facts"));
    assert!(!receipt.withhold(4, "facts"));
    assert!(!receipt.withhold(5, "facts"));
    let bytes = receipt.to_bytes().unwrap();
    let verified = Receipt::parse(&bytes).unwrap().verify(Some(log.key())).unwrap();
    assert_eq!(verified.records[1].sections["facts"], SectionState::Withheld);
    assert!(matches!(verified.records[1].sections["usage"], SectionState::Disclosed(_)));
    assert_eq!(verified.records[1].disclosed(), 1);
}

#[test]
fn any_changed_byte_is_noticed() {
    let bytes = Log::new(9).receipt(&[4, 7]).to_bytes().unwrap();
    assert_eq!(verdict(&bytes), Ok(()));
    for at in 0..bytes.len() {
        for bit in [0, 5] {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(verdict(&changed).is_err(), "byte {at}, bit {bit}");
        }
        assert!(verdict(&bytes[..at]).is_err(), "cut to {at}");
    }
}

#[test]
fn what_does_not_belong_is_named() {
    let log = Log::new(9);
    let other = Log::of(9, signer_of("audit.example.org/acme", 8));
    assert!(matches!(other.receipt(&[1]).verify(Some(log.key())), Err(ReceiptError::Key(_))));
    assert!(matches!(log.receipt(&[]).verify(None), Err(ReceiptError::Order)));
    assert!(matches!(log.receipt(&[1, 1]).verify(None), Err(ReceiptError::Order)));
    let text = String::from_utf8(log.receipt(&[1]).to_bytes().unwrap()).unwrap();
    let edited = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        verdict(text.replacen(from, to, 1).as_bytes())
    };
    assert!(matches!(edited("\"index\":1", "\"index\":2"), Err(ReceiptError::Proof { index: 2, .. })));
    assert!(matches!(edited("\"index\":1", "\"index\":9"), Err(ReceiptError::Proof { index: 9, .. })));
    assert!(matches!(edited("retail", "clinic"), Err(ReceiptError::Proof { .. })));
    assert!(matches!(edited("Grüße", "Gruesse"), Err(ReceiptError::Record { .. })));
    assert!(matches!(edited("acme\\n9\\n", "acme\\n8\\n"), Err(ReceiptError::Checkpoint(_))));
    assert!(matches!(
        edited("\"v\":1}", "\"v\":2}"),
        Err(ReceiptError::Record { .. }) | Err(ReceiptError::Form(_))
    ));
    assert!(matches!(edited("-receipt", "-export"), Err(ReceiptError::Form(_))));
}

proptest! {
    #[test]
    fn random_vandalism_is_noticed(at: prop::sample::Index, byte: u8, insert: bool) {
        let bytes = Log::new(5).receipt(&[2]).to_bytes().unwrap();
        let mut changed = bytes.clone();
        let at = at.index(changed.len());
        if insert { changed.insert(at, byte) } else { changed[at] = byte }
        prop_assert_eq!(verdict(&changed).is_ok(), changed == bytes);
    }
}
