//! Tells Rust's code, string literals and comments apart, by line.

/// A run of one kind within a line (a string may span lines; it is given at its first).
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) kind: Kind,
    pub(super) line: usize,
    pub(super) text: &'a str,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Kind {
    Code,
    String,
    Comment,
}

/// Cuts a source into pieces. Never fails: what is unterminated runs to the end.
pub(super) fn pieces(source: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut rest, mut line) = (source, 1);
    let mut code_start = source;
    while let Some(first) = rest.chars().next() {
        let before = code_start.len() - rest.len();
        let special = match first {
            '/' if rest.starts_with("//") => Some((Kind::Comment, rest.find('\n').unwrap_or(rest.len()))),
            '/' if rest.starts_with("/*") => Some((Kind::Comment, block_comment(rest))),
            '"' => Some((Kind::String, quoted(rest, 1))),
            'r' | 'b' | 'c' if !ends_in_word(code_start, before) => {
                string_prefix(rest).map(|length| (Kind::String, length))
            }
            '\'' => Some((Kind::Code, character(rest))),
            '\n' => Some((Kind::Code, 1)),
            _ => None,
        };
        let Some((kind, length)) = special else {
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            continue;
        };
        if kind == Kind::Code && first != '\n' {
            rest = rest.get(length..).unwrap_or_default();
            continue;
        }
        push(&mut found, Kind::Code, line, code_start.get(..before).unwrap_or_default());
        let text = rest.get(..length).unwrap_or(rest);
        if kind != Kind::Code {
            push(&mut found, kind, line, text);
        }
        line += text.matches('\n').count();
        rest = rest.get(length..).unwrap_or_default();
        code_start = rest;
    }
    push(&mut found, Kind::Code, line, code_start);
    found
}

fn push<'a>(found: &mut Vec<Piece<'a>>, kind: Kind, line: usize, text: &'a str) {
    if !text.trim().is_empty() {
        found.push(Piece { kind, line, text });
    }
}

/// Whether the code just before is part of a word, so that `r` or `b` begins no literal.
fn ends_in_word(code: &str, end: usize) -> bool {
    let last = code.get(..end).and_then(|before| before.chars().next_back());
    last.is_some_and(|c| c.is_alphanumeric() || c == '_')
}

/// The length of a block comment, which may hold others.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(tail) = rest.get(at..) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth = depth.saturating_sub(1);
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += match tail.chars().next() {
                Some(c) => c.len_utf8(),
                None => break,
            };
        }
    }
    rest.len()
}

/// The length of a literal in double quotes whose content starts at `start`.
fn quoted(rest: &str, start: usize) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip_while(|(at, _)| *at < start) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The length of a literal that begins with a prefix (`r#"`, `b"`, `br"`, `c"`), if one does.
fn string_prefix(rest: &str) -> Option<usize> {
    let letters = rest.chars().take_while(|c| matches!(c, 'r' | 'b' | 'c')).count();
    let tail = rest.get(letters..)?;
    let hashes = tail.chars().take_while(|c| *c == '#').count();
    let raw = rest.get(..letters)?.contains('r');
    if !tail.get(hashes..)?.starts_with('"') || letters > 2 || (hashes > 0 && !raw) {
        return None;
    }
    let start = letters + hashes + 1;
    if !raw {
        return Some(quoted(rest, start));
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let content = rest.get(start..)?;
    Some(content.find(&end).map_or(rest.len(), |at| start + at + end.len()))
}

/// The length of a character literal, or of a lifetime's quote.
pub(super) fn character(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            let body = rest.get(3..).unwrap_or_default();
            body.find('\'').map_or(rest.len(), |at| 3 + at + 1)
        }
        Some((at, c)) if rest.get(at + c.len_utf8()..).is_some_and(|tail| tail.starts_with('\'')) => {
            at + c.len_utf8() + 1
        }
        _ => 1,
    }
}

/// Drops what follows `#[cfg(test)]`: up to the closing brace of its item, or its semicolon.
pub(super) fn without_tests(pieces: Vec<Piece<'_>>) -> Vec<Piece<'_>> {
    let (mut kept, mut depth, mut skipping) = (Vec::new(), 0_usize, false);
    for piece in pieces {
        if piece.kind != Kind::Code {
            if !skipping {
                kept.push(piece);
            }
            continue;
        }
        let starts = !skipping && piece.text.contains("#[cfg(test)]");
        if starts {
            (skipping, depth) = (true, 0);
        }
        if !skipping {
            kept.push(piece);
            continue;
        }
        let code = piece.text.rsplit("#[cfg(test)]").next().filter(|_| starts).unwrap_or(piece.text);
        for c in code.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && matches!(c, '}' | ';') {
                skipping = false;
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, source: &str) -> Vec<(usize, &str)> {
        pieces(source).into_iter().filter(|p| p.kind == kind).map(|p| (p.line, p.text.trim())).collect()
    }

    #[test]
    fn tells_strings_comments_and_code_apart() {
        let source = "let a = \"x // \\\" y\"; // \"not a string\"\n/* \"no\" /* nested */ */ let b = 'c';\n";
        assert_eq!(of(Kind::String, source), [(1, r#""x // \" y""#)]);
        assert_eq!(
            of(Kind::Comment, source),
            [(1, r#"// "not a string""#), (2, r#"/* "no" /* nested */ */"#)]
        );
        assert_eq!(of(Kind::Code, source), [(1, "let a ="), (1, ";"), (2, "let b = 'c';")]);
    }

    #[test]
    fn reads_raw_and_prefixed_strings_and_lifetimes() {
        let source = "fn f<'a>(x: &'a str) { g(r#\"a \"q\" b\"#, b\"y\", '\"', '\\'', br\"z\") }\nfor\"s\"";
        assert_eq!(
            of(Kind::String, source),
            [(1, "r#\"a \"q\" b\"#"), (1, "b\"y\""), (1, "br\"z\""), (2, "\"s\"")]
        );
    }

    #[test]
    fn a_string_over_lines_counts_its_lines() {
        let source = "let a = \"one\ntwo\";\nlet b = \"three\";";
        assert_eq!(of(Kind::String, source), [(1, "\"one\ntwo\""), (3, "\"three\"")]);
    }

    #[test]
    fn test_modules_are_left_out_and_what_follows_is_kept() {
        let source = "fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() { \"}\"; }\n}\nfn c() {}\n#[cfg(test)]\nmod t;\nfn d() {}";
        let kept: Vec<&str> = without_tests(pieces(source)).into_iter().map(|p| p.text).collect();
        assert_eq!(kept, ["fn a() {}", "fn c() {}", "fn d() {}"]);
    }

    #[test]
    fn an_unterminated_literal_runs_to_the_end() {
        for source in ["\"abc", "r#\"abc\"", "/* abc", "'\\", "b\"", "'"] {
            let total: usize = pieces(source).iter().map(|p| p.text.len()).sum();
            assert_eq!(total, source.len(), "{source}");
        }
    }
}
