//! Secrets, and digests of tokens, are compared in constant time: `==` tells by its time where two of them differ.

use super::lexer::{Kind, Piece, character};
use super::sources::Source;

/// Names of what whoever asks must not learn bit by bit.
const SECRET: [&str; 15] = [
    "secret",
    "secret_hash",
    "csrf",
    "password",
    "password_hash",
    "token",
    "token_hash",
    "id_hash",
    "browser_hash",
    "bearer",
    "hmac",
    "mac",
    "signature",
    "expose",
    "reveal",
];
/// What is the same secret in another form.
const FORMS: [&str; 10] = [
    "as_bytes",
    "as_str",
    "as_ref",
    "as_slice",
    "as_deref",
    "clone",
    "to_owned",
    "to_vec",
    "trim",
    "unwrap_or_default",
];
/// What makes something of a secret that is as good as it.
const WRAPS: [&str; 5] = ["digest", "hash", "encode", "decode", "Some"];
/// Simulated providers, for which nothing is secret.
const ASIDE: [&str; 1] = ["server/src/demo/"];
/// An exception, in a comment of the line or of one just before, with its reason behind it.
const EXCEPTION: &str = "not in constant time:";

pub(super) fn check(files: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    let ours = |file: &&Source| {
        file.ships()
            && file.path.starts_with("server/src/")
            && !file.path.ends_with("_tests.rs")
            && !ASIDE.iter().any(|aside| file.path.starts_with(aside))
    };
    for file in files.iter().filter(ours) {
        let pieces = file.pieces();
        let tokens = tokens(&pieces);
        let excepted: Vec<usize> = pieces
            .iter()
            .filter(|piece| piece.kind == Kind::Comment && piece.text.contains(EXCEPTION))
            .map(|piece| piece.line)
            .collect();
        for (at, line) in comparisons(&tokens) {
            let operands = [left(&tokens, at), right(&tokens, at)];
            let Some(word) = operands.iter().flatten().find(|word| SECRET.contains(word)) else { continue };
            if !excepted.iter().any(|comment| (*comment..=*comment + 2).contains(&line)) {
                let told = format!("`{word}` is compared by `==` or `!=`: use `keys::secret` or `ct_eq`");
                problems.push(file.at(line, &told));
            }
        }
    }
    problems
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Word(&'a str),
    Mark(char),
}

fn tokens<'a>(pieces: &[Piece<'a>]) -> Vec<(Token<'a>, usize)> {
    let mut found = Vec::new();
    for piece in pieces.iter().filter(|piece| piece.kind == Kind::Code) {
        let mut rest = piece.text;
        while let Some(first) = rest.chars().next() {
            if first == '\'' {
                rest = rest.get(character(rest)..).unwrap_or_default();
                continue;
            }
            let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let length = if word == 0 { first.len_utf8() } else { word };
            let (text, more) = rest.split_at(length);
            match word {
                0 if first.is_whitespace() => {}
                0 => found.push((Token::Mark(first), piece.line)),
                _ => found.push((Token::Word(text), piece.line)),
            }
            rest = more;
        }
    }
    found
}

fn mark(tokens: &[(Token<'_>, usize)], at: usize) -> Option<char> {
    match tokens.get(at) {
        Some((Token::Mark(mark), _)) => Some(*mark),
        _ => None,
    }
}

/// Where each `==` and `!=` begins, and its line.
fn comparisons(tokens: &[(Token<'_>, usize)]) -> Vec<(usize, usize)> {
    let all = tokens.iter().enumerate();
    all.filter(|(at, _)| matches!(mark(tokens, *at), Some('=' | '!')) && mark(tokens, at + 1) == Some('='))
        .filter(|(at, _)| {
            !matches!(at.checked_sub(1).and_then(|before| mark(tokens, before)), Some('=' | '<' | '>'))
        })
        .map(|(at, (_, line))| (at, *line))
        .collect()
}

/// What the operand before the comparison is: its last name, and what that was made of.
fn left<'a>(tokens: &[(Token<'a>, usize)], comparison: usize) -> Vec<&'a str> {
    let (mut at, mut within) = (comparison, Vec::new());
    while let Some(before) = at.checked_sub(1) {
        at = before;
        match tokens.get(at) {
            Some((Token::Mark('?' | '.'), _)) => {}
            Some((Token::Mark(')' | ']'), _)) => {
                let mut depth = 1_usize;
                while let (Some(before), true) = (at.checked_sub(1), depth > 0) {
                    at = before;
                    match tokens.get(at) {
                        Some((Token::Mark(')' | ']'), _)) => depth += 1,
                        Some((Token::Mark('(' | '['), _)) => depth = depth.saturating_sub(1),
                        Some((Token::Word(word), _)) => within.push(*word),
                        _ => {}
                    }
                }
            }
            // The same in another form: what is before it counts.
            Some((Token::Word(word), _)) if FORMS.contains(word) => within.clear(),
            Some((Token::Word(word), _)) => {
                if !WRAPS.contains(word) {
                    within.clear();
                }
                within.push(*word);
                return within;
            }
            _ => break,
        }
    }
    within
}

/// The same of the operand behind it.
fn right<'a>(tokens: &[(Token<'a>, usize)], comparison: usize) -> Vec<&'a str> {
    let (mut at, mut last, mut within) = (comparison + 2, None, Vec::new());
    while matches!(mark(tokens, at), Some('&' | '*')) {
        at += 1;
    }
    loop {
        match tokens.get(at) {
            Some((Token::Word(word), _)) => {
                if !FORMS.contains(word) {
                    last = Some(*word);
                    within.clear();
                }
            }
            Some((Token::Mark('.' | ':' | '?'), _)) => {}
            Some((Token::Mark('(' | '['), _)) => {
                let mut depth = 1_usize;
                while depth > 0 {
                    at += 1;
                    match tokens.get(at) {
                        Some((Token::Mark('(' | '['), _)) => depth += 1,
                        Some((Token::Mark(')' | ']'), _)) => depth -= 1,
                        Some((Token::Word(word), _)) => within.push(*word),
                        Some(_) => {}
                        None => break,
                    }
                }
            }
            _ => break,
        }
        // A word behind a word is of something else.
        let ends = matches!(tokens.get(at), Some((Token::Word(_), _)))
            && matches!(tokens.get(at + 1), Some((Token::Word(_), _)));
        if ends {
            break;
        }
        at += 1;
    }
    match last {
        Some(word) if WRAPS.contains(&word) => within,
        Some(word) => vec![word],
        None => within,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        check(&[Source { path: path.to_owned(), text: text.to_owned() }]).len()
    }

    #[test]
    fn a_secret_that_is_compared_by_its_bytes_is_a_problem() {
        for text in [
            "if given == session.csrf { }",
            "let same = session.csrf.as_bytes() == given;",
            "digest(&presented.secret) == self.kept",
            "self.kept == digest(&presented.secret)",
            "row.secret_hash != hash",
            "a && secret::digest(&token) == kept",
            "rows.iter().any(|row| row.token_hash == *hash)",
            "kept\n    == presented.secret.as_bytes()",
            "Some(token) == header",
            "had.expose() == new.expose()",
        ] {
            assert_eq!(problems("server/src/a.rs", text), 1, "{text}");
        }
    }

    #[test]
    fn what_is_no_secret_elsewhere_or_excepted_is_none() {
        for text in [
            "token.state == asked",
            "if line.first() == Some(&b'[') { open(secret) }",
            "secret.len() == 32",
            "usage.input_tokens == 0",
            "if a == b { secret } else { token }",
            "let x = a <= secret;",
            "let f = |a| secret;",
            "// secret == other\nlet a = \"secret == other\";",
            "// not in constant time: nobody who asks sees how long it takes\nlet same = secret == other;",
            "bool::from(given.ct_eq(session.csrf.as_bytes()))",
            "#[cfg(test)]\nmod tests { fn a() { assert!(secret == other); } }",
        ] {
            assert_eq!(problems("server/src/a.rs", text), 0, "{text}");
        }
        for path in
            ["server/src/demo/a.rs", "server/tests/it/a.rs", "policies/pii/src/a.rs", "server/src/a_tests.rs"]
        {
            assert_eq!(problems(path, "secret == other"), 0, "{path}");
        }
    }
}
