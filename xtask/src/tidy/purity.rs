//! The pure crates read no file, socket, environment or clock, start nothing and wait for nothing.

use super::arrows::PURE;
use super::lexer::Kind;
use super::sources::Source;

/// What their code may not say.
const FORBIDDEN: [&str; 17] = [
    "std::fs",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env",
    "std::process",
    "std::thread",
    "fs::read",
    "SystemTime",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "tokio::",
    "async fn",
    "async move",
    "thread_local!",
];

pub(super) fn check(files: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| file.ships()) {
        let Some((name, _)) = PURE.iter().find(|(_, folder)| file.path.starts_with(folder)) else { continue };
        for piece in file.pieces().iter().filter(|piece| piece.kind == Kind::Code) {
            if let Some(word) = FORBIDDEN.iter().find(|word| piece.text.contains(*word)) {
                problems.push(file.at(piece.line, &format!("`{word}` in {name}, which is pure")));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        check(&[Source { path: path.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_pure_crate_that_reads_a_file_or_a_clock_is_a_problem() {
        for text in ["let t = std::fs::read(p);", "SystemTime::UNIX_EPOCH", "pub async fn f() {}"] {
            assert_eq!(problems("server/ledger/src/a.rs", text).len(), 1, "{text}");
            assert!(problems("server/src/a.rs", text).is_empty(), "{text}");
        }
    }

    #[test]
    fn its_documentation_and_tests_may_name_them() {
        assert!(problems("policies/pii/src/a.rs", "/// No std::fs here.\nlet a = \"std::fs\";").is_empty());
        assert!(
            problems("policies/pii/src/a.rs", "#[cfg(test)]\nmod t { fn a() { std::fs::read(p); } }")
                .is_empty()
        );
        assert!(problems("policies/pii/tests/it/main.rs", "use std::fs;").is_empty());
    }
}
