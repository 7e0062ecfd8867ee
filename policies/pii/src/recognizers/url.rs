//! URLs.
//!
//! Source: RFC 3986 (<https://www.rfc-editor.org/rfc/rfc3986#section-3>), and the WHATWG URL standard for what
//! people write. Validator: a scheme and a host, or `www.` and a host with a dot. A URL with a password in it
//! (`postgres://user:password@host/db`, RFC 3986, section 3.2.1) is a credential, all of it. A URL that holds
//! another finding, such as an e-mail address in its query, is reported in pieces around it. Not found: hosts
//! without a scheme (`example.com/x`), and what follows a character outside Latin script.

use super::{Candidates, Input};
use crate::EntityType;

/// The longest scheme taken for one.
const SCHEME_MAX: usize = 20;

/// The longest URL looked at.
const URL_MAX: usize = 16 * 1024;

/// Looks at the `://` at `at`; where to go on looking for URLs.
pub(crate) fn at(input: &Input<'_>, at: usize, found: &mut Candidates) -> usize {
    let of_scheme = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'.' | b'-');
    let mut start = input.skip_escape(at - input.run_back(at, SCHEME_MAX, of_scheme));
    start += input.run(start, at - start, |b| !b.is_ascii_alphabetic());
    let authority = at + 3;
    if at - start < 2 {
        return authority;
    }
    let end = end(input, authority);
    let authority_end = authority + input.run(authority, end - authority, |b| !b"/?#".contains(&b));
    let text = input.slice(authority, authority_end);
    let (user, host) = text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    if !host.starts_with(|c: char| c.is_alphanumeric() || c == '[') {
        return authority;
    }
    match user.and_then(|user| user.split_once(':')) {
        Some((_, password)) if !password.is_empty() => found.add(EntityType::Credential, start, end, 95),
        _ => {}
    }
    found.add(EntityType::Url, start, end, 85);
    end
}

/// Looks at the `www.` at `at`; where to go on.
pub(crate) fn www(input: &Input<'_>, at: usize, found: &mut Candidates) -> usize {
    if !input.begins(at) || input.before(at) == Some(b'/') || input.before(at) == Some(b'@') {
        return at + 4;
    }
    let end = end(input, at);
    let host = at + 4 + input.run(at + 4, end.saturating_sub(at + 4), |b| !b"/?#:".contains(&b));
    let name = input.slice(at + 4, host);
    if name.split_once('.').is_some_and(|(a, b)| !a.is_empty() && b.len() >= 2) {
        found.add(EntityType::Url, at, end, 80);
        return end;
    }
    at + 4
}

/// The end of a URL: before the first character that cannot be part of one, without closing punctuation.
fn end(input: &Input<'_>, from: usize) -> usize {
    let stops = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || c > '\u{24f}'
            || matches!(c, '"' | '\'' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
    };
    let rest = input.text.get(from..).unwrap_or_default();
    let len = rest.char_indices().find(|(i, c)| stops(*c) || *i >= URL_MAX).map_or(rest.len(), |(i, _)| i);
    let mut url = rest.get(..len).unwrap_or_default();
    while let Some(last) = url.chars().next_back() {
        let closes = match last {
            '.' | ',' | ';' | ':' | '!' | '?' | '*' | '_' | '~' => true,
            ')' => url.matches(')').count() > url.matches('(').count(),
            ']' => url.matches(']').count() > url.matches('[').count(),
            _ => false,
        };
        if !closes {
            break;
        }
        url = url.get(..url.len() - last.len_utf8()).unwrap_or_default();
    }
    from + url.len()
}

#[cfg(test)]
mod tests {
    use crate::EntityType::{Credential, Url};
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            Url,
            &[
                ("see [https://intranet.example.com/people/42?tab=pay#x].", 85),
                ("([https://en.wikipedia.org/wiki/Rust_(fungus)])", 85),
                ("[http://localhost:8080/x], and", 85),
                ("[ftp://files.example.org/a.txt]", 85),
                ("[www.example.com/a]", 80),
                ("\\n[https://example.com]\\n", 85),
                ("[https://h.example/?q=]jane@example.com[&x=1]", 85),
            ],
        );
    }

    #[test]
    fn counter_examples() {
        finds_not(Url, &["a :// b", "std::fs", "http://", "file:///etc/passwd", "www.", "wwww.x", "12://3"]);
    }

    #[test]
    fn password_makes_it_a_credential() {
        finds(Credential, &[("db = [postgres://app:s3cr3t@db.internal:5432/app?ssl=1] ok", 95)]);
        finds_not(Credential, &["https://user@example.com/x", "https://example.com:443/a@b"]);
    }
}
