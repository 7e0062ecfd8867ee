//! The verifier in Python, written from the same description, must come to the same verdict on every file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use bailiwick_ledger::{FileKind, Receipt, file_kind, verify_export};

use crate::{
    export::resign,
    sample::{Log, signer, signer_of},
};

/// Runs the script's own `main` over every file of a folder in one process, and prints the verdicts.
const DRIVER: &str = r#"
import contextlib, io, os, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import bailiwick_verify
folder, key = sys.argv[2], sys.argv[3]
for name in sorted(os.listdir(folder)):
    sys.argv = ["verify", os.path.join(folder, name), "--public-key", key]
    with contextlib.redirect_stdout(io.StringIO()):
        code = bailiwick_verify.main()
    print(name, code)
"#;

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify/bailiwick_verify.py")
}

#[expect(clippy::print_stderr, reason = "a skipped test must be heard of")]
fn python() -> Option<Command> {
    let found = Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: python3 is not installed, so the second verifier was not compared");
    }
    found.then(|| Command::new("python3"))
}

fn ours(file: &[u8]) -> bool {
    let key = signer();
    match file_kind(file) {
        Some(FileKind::Receipt) => {
            Receipt::parse(file).is_ok_and(|receipt| receipt.verify(Some(key.public())).is_ok())
        }
        _ => verify_export(file, Some(key.public())).unwrap().verified(),
    }
}

#[test]
fn the_command_line() {
    let Some(mut python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let log = Log::new(9);
    let (good, bad, key, other) = ("good", "bad", "key", "other");
    let path = |name: &str| folder.path().join(name);
    let file = log.export(2, 7, true);
    fs::write(path(good), &file).unwrap();
    fs::write(path(bad), &file[..file.len() - 1]).unwrap();
    fs::write(path(key), format!("{}\n", log.key())).unwrap();
    fs::write(path(other), signer_of("other", 1).public().to_string()).unwrap();
    for (arguments, code, text) in [
        (vec![good], 0, "compare its fingerprint"),
        (vec![good, "--public-key", key], 0, "leaves 2 to 7: 4 records, 1 stubs"),
        (vec![good, "--public-key", other], 1, "NOT VERIFIED: the file names another key"),
        (vec![bad], 1, "NOT VERIFIED: line 8: the file is cut"),
        (vec!["absent"], 1, "NOT VERIFIED"),
    ] {
        let output =
            python.current_dir(folder.path()).args(["-B"]).arg(script()).args(&arguments).output().unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(code) && shown.contains(text), "{arguments:?}: {shown}");
        python = Command::new("python3");
    }
}

#[test]
fn both_verifiers_agree() {
    let Some(mut python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (log, foreign) = (Log::new(9), Log::of(5, signer_of("audit.example.org/acme", 8)));
    let mut files = vec![
        Log::new(0).export(0, 0, false),
        log.export(0, 9, false),
        log.export(0, 9, true),
        log.export(9, 9, true),
        log.export(3, 3, true),
        log.export(5, 8, true),
        Log::new(300).export(17, 280, true),
        log.receipt(&[4, 5, 6, 7]).to_bytes().unwrap(),
        log.receipt(&[8]).to_bytes().unwrap(),
        foreign.export(0, 5, false),
        foreign.receipt(&[1]).to_bytes().unwrap(),
    ];
    assert_eq!(files.iter().filter(|file| ours(file)).count(), 9);
    let sound = files.clone();

    // Bytes changed all over, in ways that keep a line plausible and in ways that do not.
    let (export, receipt) = (log.export(2, 5, true), log.receipt(&[4]).to_bytes().unwrap());
    for (file, step) in [(&export, 13), (&receipt, 17)] {
        for (at, bit) in (0..file.len()).step_by(step).zip([0x01, 0x02, 0x10, 0x20, 0x80].into_iter().cycle())
        {
            let mut changed = file.clone();
            changed[at] ^= bit;
            files.push(changed);
        }
        files.extend((1..12).map(|n| file[..file.len() * n / 12].to_vec()));
        files.extend([b"\n".as_slice(), b"\n\n", b" ", b"{}\n"].map(|extra| [file, extra].concat()));
    }
    // Lines removed and swapped.
    let lines: Vec<_> = export.split_inclusive(|&byte| byte == b'\n').collect();
    for at in 0..lines.len() {
        let mut without = lines.clone();
        without.remove(at);
        files.push(without.concat());
        let mut swapped = lines.clone();
        swapped.swap(at, (at + 1) % lines.len());
        files.push(swapped.concat());
    }
    // Edits that only one particular check can notice: the file is signed again after each.
    let edits = [
        ("\"to\":5", "\"to\":4"),
        ("\"to\":5", "\"to\":6"),
        ("\"to\":5", "\"to\":5.5"),
        ("\"from\":2", "\"from\":3"),
        ("\"from\":2", "\"from\":4"),
        ("\"created\":1763900000000", "\"created\":-5"),
        ("\"created\":1763900000000", "\"created\":9007199254740992"),
        ("\"created\":1763900000000", "\"created\":true"),
        ("\"filter\":\"scope=/acme\"", "\"filter\":\"\u{1f600}\u{e000}\u{7f}\\u001f\\b\""),
        ("\"filter\":\"scope=/acme\"", "\"filter\":\"\\u001F\""),
        ("\"filter\":\"scope=/acme\"", "\"filter\":\"\\ud800\""),
        ("\"filter\":\"scope=/acme\"", "\"filter\":null"),
        ("\"filter\":\"scope=/acme\"", "\"filter\": \"\""),
        ("\"filter\":\"scope=/acme\"", "\"filter\":\"\",\"filter\":\"\""),
        ("\"log\":\"audit.example.org/acme\"", "\"log\":\"other\""),
        ("-audit-export", "-audit-receipt"),
        ("\"v\":1}\n", "\"v\":2}\n"),
        ("\"v\":1}\n", "\"v\":1,\"w\":0}\n"),
        ("\"index\":2", "\"index\":true"),
        ("\"index\":2", "\"index\":2.5"),
        ("\"sections\":{\"facts\"", "\"sections\":{\"added\""),
        ("Grüße", "Gruesse"),
        ("\"consistency\":[", "\"consistency\":[\"\","),
        ("\"stubs\":1", "\"stubs\":2"),
        ("\"records\":2", "\"records\":3"),
        ("\"sections\":3", "\"sections\":4"),
        ("acme\\n9\\n", "acme\\n8\\n"),
        ("acme\\n9\\n", "acme\\n09\\n"),
        ("\u{2014} audit", "\u{2014}  audit"),
        ("\\n\\n\u{2014}", "\\n\u{2014}"),
    ];
    let text = String::from_utf8(export).unwrap();
    let mut resigned = 0;
    for (from, to) in edits {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        let changed = resign(&changed.split_inclusive('\n').map(str::as_bytes).collect::<Vec<_>>());
        resigned += usize::from(ours(&changed));
        files.push(changed);
    }
    assert_eq!(resigned, 2, "another filter and an earlier time are the exporter's to choose");

    let inputs = folder.path().join("files");
    fs::create_dir(&inputs).unwrap();
    for (at, file) in files.iter().enumerate() {
        fs::write(inputs.join(format!("{at:04}")), file).unwrap();
    }
    let key = folder.path().join("key");
    fs::write(&key, log.key().to_string()).unwrap();
    let output =
        python.args(["-c", DRIVER]).arg(script().parent().unwrap()).arg(&inputs).arg(&key).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Vec<_> =
        str::from_utf8(&output.stdout).unwrap().lines().map(|line| line.ends_with(" 0")).collect();
    assert_eq!(theirs.len(), files.len());
    for (at, (file, theirs)) in files.iter().zip(theirs).enumerate() {
        let file_text = String::from_utf8_lossy(file);
        assert_eq!(ours(file), theirs, "file {at} (ours, then theirs):\n{file_text}");
        assert!(!theirs || at < sound.len() || resigned > 0);
    }
}
