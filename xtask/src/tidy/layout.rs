//! What may lie at the top, and what no Rust file may hold wherever it is.

use std::collections::BTreeSet;

use super::lexer::Kind;
use super::sources::Source;

/// Names at the root of the repository.
const TOP: [&str; 18] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "compliance-db",
    "deny.toml",
    "docs",
    "migrations",
    "policies",
    "rustfmt.toml",
    "server",
    "ui",
    "xtask",
    ".config",
];

pub(super) fn check(files: &[Source]) -> Vec<String> {
    let tops: BTreeSet<&str> = files.iter().filter_map(|file| file.path.split('/').next()).collect();
    let strangers = tops.into_iter().filter(|name| !TOP.contains(name));
    let mut problems: Vec<String> = strangers
        .map(|name| format!("{name}: not a name of the top level (xtask/src/tidy/layout.rs)"))
        .collect();
    for file in files.iter().filter(|file| file.is_rust()) {
        for piece in super::lexer::pieces(&file.text) {
            if piece.kind == Kind::Code && piece.text.contains("#[ignore]") {
                problems.push(file.at(piece.line, "an ignored test states its reason: #[ignore = \"...\"]"));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_stranger_at_the_top_is_a_problem() {
        assert_eq!(check(&[source("notes/a.md", ""), source("docs/a.md", "")]).len(), 1);
    }

    #[test]
    fn an_ignored_test_needs_a_reason() {
        let bare = source("server/tests/a.rs", "#[ignore]\nfn a() {}");
        let reasoned = source("server/tests/a.rs", "#[ignore = \"an hour\"]\nfn a() { \"#[ignore]\"; }");
        assert_eq!(
            check(&[bare]),
            ["server/tests/a.rs:1: an ignored test states its reason: #[ignore = \"...\"]"]
        );
        assert!(check(&[reasoned]).is_empty());
    }
}
