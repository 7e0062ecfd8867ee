//! Signed notes and checkpoints against the specification's examples and strictness.

use bailiwick_ledger::{
    Checkpoint, LogId, PublicKey, SignedCheckpoint, merkle::empty_root, note::Note, note::NoteError,
};
use proptest::prelude::*;

use crate::sample::{LOG, Log, signer, signer_of};

/// The example of the Go module mirror's note package (<https://pkg.go.dev/golang.org/x/mod/sumdb/note>).
#[test]
fn a_note_that_another_implementation_signed() {
    let key: PublicKey =
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    let note = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let parsed = Note::parse(note).unwrap();
    assert_eq!(parsed.verify(&key), Ok(()));
    assert_eq!(parsed.to_string(), note);
    let changed = Note::parse(&note.replace("answer", "Answer")).unwrap();
    assert!(matches!(changed.verify(&key), Err(NoteError::Signature(_))));
    assert!(matches!(parsed.verify(signer().public()), Err(NoteError::Unsigned(_))));
}

#[test]
fn a_checkpoint_reads_back() {
    let log = Log::new(5);
    let note = log.checkpoint(5).to_string();
    assert!(note.starts_with("audit.example.org/acme\n5\n"));
    let read = SignedCheckpoint::parse(&note).unwrap();
    assert_eq!(read.to_string(), note);
    let head = read.verify(log.key()).unwrap();
    assert_eq!((head.size, head.root), (5, log.tree.root(5).unwrap()));
}

#[test]
fn keys_have_one_spelling() {
    let key = signer().public().clone();
    let text = key.to_string();
    assert_eq!(text.parse(), Ok(key.clone()));
    assert_eq!(format!("{text}\n").parse(), Ok(key.clone()));
    let json = serde_json::to_string(&key).unwrap();
    assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key);
    assert!(serde_json::from_str::<PublicKey>(&json.replacen('"', "\" ", 1)).is_err());
    for at in 0..text.len() {
        let mut changed = text.clone().into_bytes();
        changed[at] ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        assert!(changed.parse::<PublicKey>().is_err(), "{changed}");
    }
    // The neutral element: anything would verify under it.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert!(PublicKey::new(LogId::new(LOG).unwrap(), &neutral).is_err());
}

#[test]
fn other_signatures_are_ignored_and_ours_is_required() {
    let log = Log::new(3);
    let ours = log.checkpoint(3).to_string();
    let witness = signer_of("witness.example.net", 9);
    let text = log.checkpoint(3).unverified().to_string();
    let theirs = Note::sign(text, &witness).unwrap().to_string();
    let line = theirs.lines().last().unwrap();
    let both = SignedCheckpoint::parse(&format!("{ours}{line}\n")).unwrap();
    assert!(both.verify(log.key()).is_ok());
    let other = SignedCheckpoint::parse(&theirs).unwrap();
    assert!(matches!(other.verify(log.key()), Err(NoteError::Unsigned(_))));
    // A key of the same name that is not ours does not count, nor does ours for another log.
    assert!(both.verify(signer_of(LOG, 8).public()).is_err());
    assert!(both.verify(witness.public()).is_err());
    assert!(log.checkpoint(3).unverified().sign(&witness).is_err());
}

#[test]
fn extensions_are_kept_and_signed() {
    let text = format!("{LOG}\n0\n{}\nextension 1\n", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    let note = Note::sign(text, &signer()).unwrap().to_string();
    let read = SignedCheckpoint::parse(&note).unwrap();
    assert_eq!(read.verify(signer().public()).unwrap().root, empty_root());
    assert_eq!(read.to_string(), note);
    let changed = SignedCheckpoint::parse(&note.replace("extension 1", "extension 2")).unwrap();
    assert!(changed.verify(signer().public()).is_err());
}

#[test]
fn malformed_checkpoints_are_refused() {
    let note = Log::new(3).checkpoint(3).to_string();
    let root = note.lines().nth(2).unwrap();
    for (from, to) in [
        ("\n3\n", "\n03\n"),
        ("\n3\n", "\n+3\n"),
        ("\n3\n", "\n-3\n"),
        ("\n3\n", "\n\n"),
        ("\n3\n", "\n9007199254740992\n"),
        ("\n3\n", "\n99999999999999999999\n"),
        ("audit.example.org/acme\n3", "audit example\n3"),
        (root, "AAAA"),
        (root, &root.replace('=', "")),
        ("\n\n", "\n"),
        ("\n\n", "\n\n\n"),
        ("\n\n", "\n\u{1}\n\n"),
        ("\u{2014} ", "- "),
        ("\u{2014} ", ""),
        ("\u{2014} audit", "\u{2014}  audit"),
        ("=\n\n", "=\r\n\n"),
    ] {
        let changed = note.replacen(from, to, 1);
        assert_ne!(changed, note);
        assert!(SignedCheckpoint::parse(&changed).is_err(), "{changed:?}");
    }
    assert!(SignedCheckpoint::parse(note.trim_end()).is_err());
    assert!(SignedCheckpoint::parse(&format!("{note}\n")).is_err());
    assert!(SignedCheckpoint::parse(&note.repeat(2)).is_err());
    assert!(Note::sign("no newline".to_owned(), &signer()).is_err());
    assert!(Note::sign("a\n\nb\n".to_owned(), &signer()).is_err());
}

#[test]
fn every_changed_byte_is_noticed() {
    let log = Log::new(3);
    let note = log.checkpoint(3).to_string().into_bytes();
    for at in 0..note.len() {
        for bit in [1, 4, 0x20, 0x80] {
            let mut changed = note.clone();
            changed[at] ^= bit;
            let verdict = String::from_utf8(changed)
                .ok()
                .and_then(|changed| SignedCheckpoint::parse(&changed).ok())
                .map(|read| read.verify(log.key()).cloned());
            assert!(!matches!(verdict, Some(Ok(_))), "byte {at}, bit {bit}");
        }
    }
}

proptest! {
    #[test]
    fn hostile_text_never_panics(text: String, lines in prop::collection::vec("[ -~\u{2014}\\n]{0,40}", 0..6)) {
        let _ = (SignedCheckpoint::parse(&text), text.parse::<PublicKey>());
        let joined = lines.join("\n");
        let _ = (SignedCheckpoint::parse(&joined), joined.parse::<PublicKey>());
    }

    #[test]
    fn any_size_reads_back(size in 0_u64..1 << 53) {
        let head = Checkpoint { origin: LogId::new(LOG).unwrap(), size, root: empty_root() };
        let note = head.sign(&signer()).unwrap().to_string();
        let read = SignedCheckpoint::parse(&note).unwrap();
        prop_assert_eq!(read.verify(signer().public()), Ok(&head));
    }
}
