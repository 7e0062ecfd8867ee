//! Runs a page.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::demo::Demo;
use super::page::{Block, blocks, read, root};

/// The address in the pages that stands for the demo.
const DEMO: &str = "127.0.0.1:8080";
/// The address in the pages of a server that the page itself starts.
const SERVER: &str = "127.0.0.1:8081";
/// The address in the pages of the reader's own vLLM: a simulator of the demo.
const VLLM: &str = "127.0.0.1:8000";
/// Seconds that a page may take.
const PATIENCE: &str = "120";

/// Runs the commands of a page and compares what they print.
pub(crate) fn run(path: &str) {
    let blocks = blocks(&read(path));
    let demo = Demo::start();
    let own = free_port();
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let real =
        |text: &str| text.replace(DEMO, demo.address()).replace(SERVER, &own).replace(VLLM, demo.vllm());
    let documented = |text: &str| text.replace(demo.address(), DEMO).replace(&own, SERVER);

    let mut script = String::from("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n");
    let python = python();
    for (number, block) in blocks.iter().enumerate() {
        if let Some(file) = block.word("file") {
            let kept = folder.path().join(format!(".block-{number}"));
            std::fs::write(&kept, real(&block.text)).unwrap();
            writeln!(script, "mkdir -p \"$(dirname '{file}')\" && cp '.block-{number}' '{file}'").unwrap();
        } else if runs(block) && !skipped(path, block, python.as_deref()) {
            writeln!(script, "exec >'.out-{number}' 2>&1\n{}", real(&block.text)).unwrap();
        }
    }
    std::fs::write(folder.path().join(".script"), &script).unwrap();
    let mut command = Command::new("timeout");
    command.args([PATIENCE, "bash", ".script"]).current_dir(folder.path()).envs(demo.variables());
    let searched = std::env::var_os("PATH").unwrap_or_default();
    let own_tools = std::iter::once(folder.path().join(".bin"));
    let searched = std::env::join_paths(own_tools.chain(std::env::split_paths(&searched))).unwrap();
    command.env("PATH", searched).env_remove("BAILIWICK_LOG").env("COLUMNS", "100");
    if let Some(python) = &python {
        // Not a link: a virtual environment knows itself by the path that it is called by.
        let wrapper = folder.path().join(".bin/python");
        std::fs::write(&wrapper, format!("#!/bin/sh\nexec '{}' \"$@\"\n", python.display())).unwrap();
        std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
    let status = command.status().unwrap();

    let out = |number: usize| {
        let text = std::fs::read(folder.path().join(format!(".out-{number}"))).ok()?;
        Some(documented(&String::from_utf8_lossy(&text).replace('\r', "")))
    };
    let ran: Vec<(usize, String)> =
        (0..blocks.len()).filter_map(|number| Some((number, out(number)?))).collect();
    if !status.success() {
        let (number, text) = ran.last().map_or((0, ""), |(number, text)| (*number, text.as_str()));
        panic!("{path}:{}: this block failed ({status}). It printed:\n{text}", blocks[number].line);
    }
    for (number, block) in blocks.iter().enumerate().filter(|(_, block)| block.language == "output") {
        let before = number.checked_sub(1).map(|before| &blocks[before]);
        assert!(
            before.is_some_and(|before| before.language == "sh"),
            "{path}:{}: output of what?",
            block.line
        );
        if let Some((_, printed)) = ran.iter().find(|(ran, _)| ran + 1 == number) {
            assert!(
                matches(&block.text, printed),
                "{path}:{}: the page shows\n{}\nand what came out is\n{printed}",
                block.line,
                block.text
            );
        }
    }
}

fn runs(block: &Block) -> bool {
    block.language == "sh" && !block.words.iter().any(|word| word == "by-hand")
}

/// The folder that the reader is in: a checkout, with `bailiwick` in the path.
fn prepare(folder: &Path) {
    use std::os::unix::fs::symlink;
    for name in ["docs", "policies"] {
        symlink(root().join(name), folder.join(name)).unwrap();
    }
    std::fs::create_dir(folder.join(".bin")).unwrap();
    symlink(env!("CARGO_BIN_EXE_bailiwick"), folder.join(".bin/bailiwick")).unwrap();
}

fn free_port() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// A Python with OpenAI's SDK.
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("BAILIWICK_TEST_PYTHON").map(PathBuf::from)?;
    let has_sdk =
        Command::new(&python).args(["-c", "import openai"]).output().is_ok_and(|out| out.status.success());
    has_sdk.then_some(python)
}

fn skipped(path: &str, block: &Block, python: Option<&Path>) -> bool {
    if block.word("needs") != Some("openai") || python.is_some() {
        return false;
    }
    let strict = std::env::var_os("BAILIWICK_TEST_STRICT").is_some_and(|value| value == "1");
    assert!(!strict, "{path}:{}: BAILIWICK_TEST_PYTHON names no Python with OpenAI's SDK", block.line);
    eprintln!("SKIPPED {path}:{}: BAILIWICK_TEST_PYTHON names no Python with OpenAI's SDK", block.line);
    true
}

/// Whether a text is what a page shows, where `…` stands for anything.
fn matches(shown: &str, printed: &str) -> bool {
    let tidy = |text: &str| text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_owned();
    let (shown, printed) = (tidy(shown), tidy(printed));
    let pieces: Vec<&str> = shown.split('…').collect();
    let Some(mut rest) = printed.strip_prefix(pieces[0]) else { return false };
    let Some((last, middle)) = pieces[1..].split_last() else { return rest.is_empty() };
    // `…` at the end of one line and at the start of the next is one `…`.
    for piece in middle.iter().filter(|piece| !piece.trim().is_empty()) {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn a_lie_does_not_match() {
    assert!(matches("a…c\n…e\n", "a b c\nd e\n"));
    assert!(matches("exact\n", "exact"));
    assert!(matches("a…\n…c", "a b c"));
    for lie in ["a", "…b", "a…x…c", "exact…"] {
        assert!(!matches(lie, "a b c"), "{lie}");
    }
    assert!(!matches("ab…bc", "abc"));
}
