//! Exports: what verifies, and that nothing else does.

use bailiwick_ledger::{
    ExportError, ExportWriter, FileKind, Report, SignedCheckpoint, Verifier,
    disclosure::SectionState,
    file_kind,
    merkle::Frontier,
    verify::{SequenceCheck, verify_export, verify_export_with},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::sample::{Log, draft, signer, signer_of};

fn verify(file: &[u8]) -> Report {
    verify_export(file, Some(signer().public())).unwrap()
}

fn lines(file: &[u8]) -> Vec<&[u8]> {
    file.split_inclusive(|&byte| byte == b'\n').collect()
}

/// The file, signed again by the log's key: what only the tree can find out then.
pub(crate) fn resign(lines: &[&[u8]]) -> Vec<u8> {
    let body = lines[..lines.len() - 1].concat();
    let digest: [u8; 32] = Sha256::digest(&body).into();
    let signature = signer().sign(&[b"bailiwick export v1\0".as_slice(), &digest].concat());
    [body, format!("{{\"signature\":\"{}\"}}\n", BASE64.encode(signature)).into_bytes()].concat()
}

#[test]
fn every_range_of_a_log_verifies() {
    let log = Log::new(13);
    for from in 0..=13 {
        for to in from..=13 {
            for stubs in [false, true] {
                let report = verify(&log.export(from, to, stubs));
                assert!(report.verified(), "{from}..{to}: {report}");
                assert_eq!((report.from, report.to), (from, to));
                assert_eq!(report.counts.records + report.counts.stubs, to - from);
                assert_eq!(report.checkpoint.unwrap().size, 13);
            }
        }
    }
}

#[test]
fn the_report_tells_what_is_in_it() {
    let log = Log::new(10);
    let mut records = Vec::new();
    let report =
        verify_export_with(log.export(0, 8, true).as_slice(), Some(log.key()), |record| records.push(record))
            .unwrap();
    assert!(report.verified() && report.key_expected);
    assert_eq!(report.log.as_ref(), Some(log.key().name()));
    assert_eq!(report.filter.as_deref(), Some("scope=/acme"));
    assert_eq!((report.counts.records, report.counts.stubs), (5, 3));
    assert_eq!((report.counts.sections, report.sections_withheld), (9, 1));
    assert_eq!(report.sequences, SequenceCheck::Partial);
    assert_eq!(report.notes().len(), 2, "stubs, and a log that went on: {:?}", report.notes());
    assert_eq!(records.iter().map(|record| record.index).collect::<Vec<_>>(), [0, 2, 3, 5, 6]);
    assert_eq!(records[2].sections["usage"], SectionState::Withheld);
    assert!(matches!(&records[2].sections["facts"], SectionState::Disclosed(text) if text.contains("Grüße")));
    assert!(report.to_string().starts_with("VERIFIED\n"));
    assert_eq!(serde_json::to_value(&report).unwrap()["records"], 5);

    let alone = verify_export(log.export(0, 10, false).as_slice(), None).unwrap();
    assert!(alone.verified() && !alone.key_expected);
    assert_eq!(alone.sequences, SequenceCheck::Complete);
    assert!(alone.notes()[0].contains(&log.key().fingerprint().to_string()));
}

#[test]
fn another_key_is_not_the_expected_one() {
    let file = Log::new(4).export(0, 4, false);
    for other in [signer_of("audit.example.org/acme", 8), signer_of("audit.example.org/other", 7)] {
        let report = verify_export(file.as_slice(), Some(other.public())).unwrap();
        assert!(report.problems[0].what.contains("not the expected public key"), "{report}");
    }
}

#[test]
fn any_changed_byte_is_noticed() {
    let file = Log::new(6).export(1, 5, true);
    assert!(verify(&file).verified());
    for at in 0..file.len() {
        for bit in [0, 5] {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            assert!(!verify(&changed).verified(), "byte {at}, bit {bit}: {:?}", file[at] as char);
        }
    }
}

#[test]
fn any_cut_is_noticed() {
    let file = Log::new(6).export(1, 5, true);
    for end in 0..file.len() {
        assert!(!verify(&file[..end]).verified(), "cut to {end}");
    }
    for extra in [b"\n".as_slice(), b" ", b"{}\n", b"\0"] {
        assert!(!verify(&[&file, extra].concat()).verified());
    }
    assert!(!verify(&[b"\n", file.as_slice()].concat()).verified());
    assert!(!verify(&file.repeat(2)).verified());
}

#[test]
fn removed_repeated_and_swapped_lines_are_noticed_and_named() {
    let file = Log::new(9).export(0, 9, true);
    let lines = lines(&file);
    for at in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(at);
        assert!(!verify(&without.concat()).verified(), "without line {}", at + 1);
        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        assert!(!verify(&twice.concat()).verified(), "line {} twice", at + 1);
        for other in at + 1..lines.len() {
            let mut swapped = lines.clone();
            swapped.swap(at, other);
            assert!(!verify(&swapped.concat()).verified(), "lines {} and {}", at + 1, other + 1);
        }
    }
    let mut without = lines.clone();
    without.remove(4);
    let report = verify(&without.concat());
    assert_eq!((report.problems[0].line, report.problems[0].leaf), (5, Some(3)));
    assert!(report.problems[0].what.contains("found leaf 4"), "{report}");
}

/// Even the log's own key cannot make another history out of a signed one: every check but the file's
/// signature, one at a time.
#[test]
fn a_resigned_file_must_still_fit_the_tree() {
    let log = Log::new(9);
    let file = log.export(0, 9, true);
    let lines = lines(&file);
    assert!(verify(&resign(&lines)).verified());
    let problem = |lines: &[&[u8]]| verify(&resign(lines)).to_string();
    let edited = |at: usize, from: &str, to: &str| {
        let line = String::from_utf8(lines[at].to_vec()).unwrap();
        let changed = line.replacen(from, to, 1);
        assert_ne!(changed, line);
        let mut lines = lines.clone();
        lines[at] = changed.as_bytes();
        problem(&lines)
    };
    let hash = |at: usize| String::from_utf8(lines[at].to_vec()).unwrap()[9..17].to_owned();

    let added = format!("\"consistency\":[\"{}\"]", "0".repeat(64));
    for (line, from, to, problem) in [
        (1, "acme/retail", "acme/clinic", "does not have the hash"),
        (2, hash(2).as_str(), "00000000", "do not lead to the root"),
        (3, "Grüße", "Gruesse", "does not match the commitment"),
        (3, "{\"facts\":{", "{\"added\":{", "not part of this record"),
        (10, "\"stubs\":3", "\"stubs\":4", "counts"),
        (0, "\"to\":9", "\"to\":8", "beyond the range"),
        (0, "\"to\":9", "\"to\":10", "lines are missing"),
        (0, "\"from\":0", "\"from\":1", "frontier hashes"),
        (0, "\"v\":1", "\"v\":2", "version"),
        (0, "\"log\":\"audit.example.org/acme\"", "\"log\":\"other\"", "is not of the log"),
        (10, "acme\\n9\\n", "acme\\n8\\n", "does not hold"),
        (10, "\"consistency\":[]", added.as_str(), "wrong number of hashes"),
        (2, "\"index\":1", "\"index\":1,\"leaf\":null", "expected a leaf"),
        (2, "\"index\":1", "\"index\":1,\"leaf\":\"\"", "neither"),
        (2, "\"index\":1", "\"index\":1,\"more\":1", "expected a leaf"),
    ] {
        let report = edited(line, from, to);
        assert!(report.contains(problem), "{from} to {to}: {report}");
    }

    let mut without = lines.clone();
    without.remove(2);
    assert!(problem(&without).contains("was removed"));
    let mut swapped = lines.clone();
    swapped.swap(4, 5);
    assert!(problem(&swapped).contains("moved"));
}

/// Withholding a section is allowed to the exporter, and covered by its signature.
#[test]
fn a_section_can_be_withheld_only_by_the_key() {
    let file = Log::new(2).export(0, 2, false);
    let text = String::from_utf8(file).unwrap();
    let (start, end) = (text.find(",\"usage\":{\"bytes\"").unwrap(), text.find("}}}\n").unwrap());
    let mut narrowed = text;
    narrowed.replace_range(start..=end, "");
    let narrowed = narrowed.replace("\"sections\":4", "\"sections\":3");
    assert!(verify(narrowed.as_bytes()).to_string().contains("signature over the file"));
    let report = verify(&resign(&lines(narrowed.as_bytes())));
    assert!(report.verified(), "{report}");
    assert_eq!(report.sections_withheld, 1);
}

fn with_sequences(numbers: &[(&str, u64)], stub: Option<usize>) -> Report {
    let mut log = Log::new(0);
    for (n, (replica, sequence)) in (0..).zip(numbers) {
        let record = draft(n).seal(log.key().name(), replica, *sequence).unwrap();
        log.tree.push(record.leaf_hash);
        log.records.push(record);
    }
    let (size, prefix) = (log.tree.size(), Frontier::new());
    let mut export = ExportWriter::begin(Vec::new(), &log.signer, 0, "", prefix, size).unwrap();
    for (n, record) in log.records.iter().enumerate() {
        if stub == Some(n) { export.stub(record.leaf_hash) } else { export.record(&record.leaf, []) }
            .unwrap();
    }
    verify(&export.finish(&log.checkpoint(size), Vec::new(), &log.signer).unwrap().0)
}

#[test]
fn gaps_in_a_replicas_numbering_are_noticed() {
    assert!(with_sequences(&[("a", 0), ("b", 0), ("a", 1), ("b", 1), ("a", 2)], None).verified());
    for numbers in [
        [("a", 0), ("a", 2), ("a", 3)],
        [("a", 0), ("a", 0), ("a", 1)],
        [("a", 1), ("a", 2), ("a", 3)],
        [("a", 0), ("a", 1), ("b", 1)],
    ] {
        let report = with_sequences(&numbers, None);
        assert_eq!(report.problems.len(), 1, "{report}");
        assert!(report.problems[0].what.contains("comes next"), "{report}");
    }
    // Behind a stub a number may hide; going back is still wrong.
    assert!(with_sequences(&[("a", 0), ("a", 1), ("a", 2)], Some(1)).verified());
    assert!(with_sequences(&[("a", 0), ("a", 1), ("a", 0)], Some(1)).problems.len() == 1);
    assert!(with_sequences(&[("a", 0), ("a", 2), ("a", 3)], Some(2)).problems.len() == 1);
}

#[test]
fn the_writer_finishes_nothing_that_does_not_verify() {
    let log = Log::new(5);
    let begin = |to| ExportWriter::begin(Vec::new(), &log.signer, 0, "", Frontier::new(), to).unwrap();
    let full = |export: &mut ExportWriter<_>, count: usize| {
        log.records[..count].iter().for_each(|record| export.record(&record.leaf, &record.sections).unwrap());
    };
    let finish = |export: ExportWriter<Vec<u8>>, checkpoint: &SignedCheckpoint| {
        export.finish(checkpoint, Vec::new(), &log.signer).map(|(_, counts)| counts)
    };

    let mut short = begin(5);
    full(&mut short, 4);
    assert!(matches!(finish(short, &log.checkpoint(5)), Err(ExportError::Count { to: 5, given: 4 })));

    let mut long = begin(4);
    full(&mut long, 4);
    assert!(matches!(long.stub(log.records[4].leaf_hash), Err(ExportError::Count { to: 4, given: 5 })));

    let mut forged = begin(5);
    full(&mut forged, 4);
    forged.record(b"{}", []).unwrap();
    assert!(matches!(finish(forged, &log.checkpoint(5)), Err(ExportError::Tree(_))));

    let mut unproven = begin(4);
    full(&mut unproven, 4);
    assert!(matches!(finish(unproven, &log.checkpoint(5)), Err(ExportError::Tree(_))));

    let mut older = begin(5);
    full(&mut older, 5);
    assert!(matches!(finish(older, &log.checkpoint(4)), Err(ExportError::Tree(_))));

    let mut foreign = begin(5);
    full(&mut foreign, 5);
    assert!(matches!(
        finish(foreign, &Log::of(5, signer_of("other", 1)).checkpoint(5)),
        Err(ExportError::Checkpoint(_))
    ));

    let mut rekeyed = begin(5);
    full(&mut rekeyed, 5);
    assert!(matches!(
        rekeyed.finish(&log.checkpoint(5), Vec::new(), &signer_of("other", 1)),
        Err(ExportError::Key)
    ));

    let prefix = log.tree.frontier(3).unwrap();
    assert!(matches!(
        ExportWriter::begin(Vec::new(), &log.signer, 0, "", prefix, 2),
        Err(ExportError::Range { from: 3, to: 2 })
    ));
    assert!(matches!(begin(5).record(b"\xff", []), Err(ExportError::Record(_))));
}

#[test]
fn a_full_disk_is_an_error() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let log = Log::new(5);
    for space in [0, 600] {
        let export = ExportWriter::begin(Full(space), &log.signer, 0, "", Frontier::new(), 5).and_then(
            |mut export| {
                log.records.iter().try_for_each(|record| export.record(&record.leaf, &record.sections))
            },
        );
        assert!(matches!(export, Err(ExportError::Io(_))));
    }
}

#[test]
fn problems_are_counted_not_hoarded() {
    let log = Log::new(300);
    let file = String::from_utf8(log.export(0, 300, false)).unwrap().replace("Grüße", "Grusse");
    let report = verify(file.as_bytes());
    assert_eq!(report.problems.len(), 100);
    assert!(report.more_problems >= 200, "{}", report.more_problems);
    assert!(report.to_string().contains("more problems"));
}

#[test]
fn files_tell_their_kind() {
    let log = Log::new(2);
    assert_eq!(file_kind(&log.export(0, 2, false)), Some(FileKind::Export));
    assert_eq!(file_kind(&log.receipt(&[1]).to_bytes().unwrap()), Some(FileKind::Receipt));
    assert_eq!(file_kind(b"PK\x03\x04"), None);
}

#[test]
fn lines_can_be_fed_one_by_one() {
    let log = Log::new(7);
    let file = log.export(2, 7, false);
    let mut verifier = Verifier::new(Some(log.key().clone()));
    let records = file.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let records: Vec<_> = records.filter_map(|line| verifier.line(line)).collect();
    assert_eq!(records.len(), 5);
    assert!(verifier.finish().verified());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_log_and_range_verifies(size in 0_u64..600, a: prop::sample::Index, b: prop::sample::Index, stubs: bool) {
        let log = Log::new(size);
        let count = usize::try_from(size).unwrap() + 1;
        let (a, b) = (a.index(count) as u64, b.index(count) as u64);
        let file = log.export(a.min(b), a.max(b), stubs);
        let report = verify(&file);
        prop_assert!(report.verified(), "{}", report);
    }

    /// Several edits at once, of bytes and of lines.
    #[test]
    fn random_vandalism_is_noticed(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..6)) {
        let file = Log::new(7).export(0, 7, true);
        let mut changed = file.clone();
        for (at, byte, how) in edits {
            let at = at.index(changed.len());
            match how {
                0 => changed[at] = byte,
                1 => changed.insert(at, byte),
                2 => drop(changed.remove(at)),
                _ => changed.truncate(at.max(1)),
            }
        }
        prop_assert_eq!(verify(&changed).verified(), changed == file);
    }
}

/// However a file is cut, its report is the one of the whole.
#[test]
fn an_export_in_pieces_is_verified_as_a_whole_one() {
    use bailiwick_ledger::verify::Pieces;
    let log = Log::new(9);
    let whole = log.export(0, 9, true);
    let mut broken = whole.clone();
    broken.truncate(whole.len() - 7);
    let mut changed = whole.clone();
    let at = whole.iter().position(|byte| *byte == b'7').unwrap();
    changed[at] = b'8';
    for file in [whole, broken, changed, b"\n\n".to_vec(), Vec::new()] {
        let expected = verify_export(file.as_slice(), Some(log.key())).unwrap();
        for size in [1, 7, 64, 1_000, file.len().max(1)] {
            let mut pieces = Pieces::new(Some(log.key().clone()));
            for piece in file.chunks(size) {
                pieces.push(piece);
            }
            assert_eq!(pieces.finish(), expected, "in pieces of {size}");
        }
    }
}
