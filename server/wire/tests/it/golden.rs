//! Fixture x wire: each request, answer and stream of one wire on the other, as files. To write them anew after a change
//! that is meant, run the test with `BAILIWICK_GOLDEN=write` and read the difference.

use std::fs;
use std::path::{Path, PathBuf};

use bailiwick_wire::{Losses, Untranslated, Wire};
use serde_json::Value;

/// Where the fixtures are.
pub(crate) fn folder(wire: Wire, kind: &str) -> PathBuf {
    let wire = match wire {
        Wire::OpenAiChat => "openai-chat",
        Wire::Anthropic => "anthropic",
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(wire).join(kind)
}

/// Every fixture of a kind: its name and its text.
pub(crate) fn fixtures(wire: Wire, kind: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(folder(wire, kind))
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

pub(crate) const fn other(wire: Wire) -> Wire {
    match wire {
        Wire::OpenAiChat => Wire::Anthropic,
        Wire::Anthropic => Wire::OpenAiChat,
    }
}

/// Compares with what is written, or writes it.
pub(crate) fn is_written(path: &Path, found: &str) -> bool {
    if std::env::var_os("BAILIWICK_GOLDEN").is_some_and(|value| value == "write") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, found).unwrap();
        return true;
    }
    fs::read_to_string(path).is_ok_and(|written| written == found)
}

/// For a person to read: one member a line, in the order of the wire.
pub(crate) fn pretty(json: &str) -> String {
    let mut out = String::new();
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for character in json.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth -= 1,
            _ => {}
        }
        out.push(character);
        if character == ',' && !quoted && depth == 1 {
            out.push('\n');
        }
    }
    out.push('\n');
    out
}

/// What was left out, on a line of its own.
pub(crate) fn left_out(losses: &Losses) -> String {
    let places: Vec<&str> = losses.places().collect();
    if places.is_empty() { String::new() } else { format!("left out: {}\n", places.join(", ")) }
}

/// What a request becomes, as text.
pub(crate) fn told(result: Result<(String, Losses), Untranslated>) -> String {
    match result {
        Ok((body, losses)) => {
            serde_json::from_str::<Value>(&body).unwrap();
            left_out(&losses) + &pretty(&body)
        }
        Err(Untranslated::Refused(refused)) => format!("refused: {refused}\n"),
        Err(Untranslated::Broken(broken)) => panic!("{broken}"),
    }
}

fn check(kind: &str, extension: &str, translate: impl Fn(Wire, Wire, &str) -> String) {
    let mut wrong = Vec::new();
    for from in Wire::ALL {
        for (name, text) in fixtures(from, kind) {
            let found = translate(from, other(from), &text);
            let path = folder(from, &format!("{kind}-on-the-other-wire")).join(format!("{name}.{extension}"));
            if !is_written(&path, &found) {
                wrong.push(format!("{}:\n{found}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn requests() {
    check("requests", "txt", |from, to, text| {
        told(bailiwick_wire::request(from, to, text.as_bytes(), 4_096))
    });
}

#[test]
fn answers() {
    check("answers", "txt", |from, to, text| {
        match bailiwick_wire::answer(from, to, text.as_bytes(), 1_767_225_600) {
            Ok((body, losses)) => left_out(&losses) + &pretty(&body),
            Err(broken) => format!("broken: {broken}\n"),
        }
    });
}

#[test]
fn streams() {
    check("streams", "txt", |from, to, text| {
        let mut stream = bailiwick_wire::Stream::new(from, to, 1_767_225_600, true);
        let mut out = String::new();
        for line in text.lines() {
            match stream.event(line.as_bytes()) {
                Ok(events) => events.iter().for_each(|event| out.push_str(&format!("{event}\n"))),
                Err(broken) => {
                    out.push_str(&format!("broken: {broken}\n"));
                    return out;
                }
            }
        }
        if !stream.is_over() {
            out.push_str("cut off\n");
        }
        out.push_str(&left_out(stream.losses()));
        out
    });
}

#[test]
fn a_request_on_its_own_wire_stays_what_it_was() {
    for wire in Wire::ALL {
        for (name, text) in fixtures(wire, "requests") {
            let Ok((once, losses)) = bailiwick_wire::request(wire, wire, text.as_bytes(), 4_096) else {
                continue;
            };
            if !losses.is_empty() {
                continue;
            }
            let (twice, _) = bailiwick_wire::request(wire, wire, once.as_bytes(), 4_096).unwrap();
            assert_eq!(once, twice, "{name}");
        }
    }
}
