//! E-mail addresses.
//!
//! Source: RFC 5322, section 3.4.1 (`dot-atom` only, <https://www.rfc-editor.org/rfc/rfc5322#section-3.4.1>),
//! lengths from RFC 5321, section 4.5.3.1; RFC 6531 for Latin letters with marks (`info@müller.de`).
//! Validator: dots, lengths, labels, a top-level domain of letters. Not found: quoted local parts, what
//! stands before a rare sign in a local part (`a/b@example.com` is found from `b` on), address literals
//! (`a@[192.0.2.1]`), addresses without a top-level domain, `name at example dot com`, scripts other than Latin.

use super::{Candidates, Input};
use crate::EntityType;

const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 255;

/// Bytes of a `dot-atom` that people use, and those of Latin letters with marks (U+00C0 to U+024F).
fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"'+_-.".contains(&byte) || is_marked(byte)
}

fn is_marked(byte: u8) -> bool {
    matches!(byte, 0x80..=0xBF | 0xC3..=0xC9)
}

fn is_domain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.') || is_marked(byte)
}

/// Whether every character is ASCII or a Latin letter with marks.
fn is_latin(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii() || ('\u{c0}'..='\u{24f}').contains(&c))
}

/// Looks at the `@` at `at`.
pub(crate) fn at(input: &Input<'_>, at: usize, found: &mut Candidates) {
    let mut start = at - input.run_back(at, LOCAL_MAX, is_local);
    // Not into the middle of a character.
    while start < at && !input.text.is_char_boundary(start) {
        start += 1;
    }
    // Only from after the last character that is not a Latin letter.
    if let Some((i, c)) =
        input.slice(start, at).char_indices().rev().find(|(_, c)| !is_latin(c.encode_utf8(&mut [0; 4])))
    {
        start += i + c.len_utf8();
    }
    start = input.skip_escape(start);
    // Quotes and signs before an address are no part of it.
    start += input.run(start, at - start, |b| b"'.-+".contains(&b));
    let local = input.slice(start, at);
    if local.is_empty() || local.ends_with('.') || local.contains("..") {
        return;
    }
    let mut end = at + 1 + input.run(at + 1, DOMAIN_MAX, is_domain);
    while end > at && !input.text.is_char_boundary(end) {
        end -= 1;
    }
    let mut domain = input.slice(at + 1, end);
    if let Some((i, _)) = domain.char_indices().find(|(_, c)| !is_latin(c.encode_utf8(&mut [0; 4]))) {
        domain = domain.get(..i).unwrap_or_default();
    }
    let domain = domain.trim_end_matches(['.', '-']);
    end = at + 1 + domain.len();
    if is_domain_name(domain) && !is_repository(input, local, end) && !is_scaled_image(domain) {
        found.add(EntityType::Email, start, end, 90);
    }
}

fn is_domain_name(domain: &str) -> bool {
    let Some((_, top)) = domain.rsplit_once('.') else { return false };
    let labels_hold = domain.split('.').all(|label| {
        !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
    });
    let top_holds =
        top.chars().count() >= 2 && (top.chars().all(char::is_alphabetic) || top.starts_with("xn--"));
    labels_hold && top_holds
}

/// `git@github.com:owner/name` names a repository.
fn is_repository(input: &Input<'_>, local: &str, end: usize) -> bool {
    local == "git"
        && input.byte(end) == Some(b':')
        && input.byte(end + 1).is_some_and(|b| b.is_ascii_alphabetic())
}

/// `logo@2x.png` names an image at twice the resolution.
fn is_scaled_image(domain: &str) -> bool {
    matches!(domain.split_once('.'), Some(("1x" | "2x" | "3x" | "4x", _)))
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Email;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            Email,
            &[
                ("write to [jane.doe@example.com] please", 90),
                ("[jane+tag@mail.example.co.uk].", 90),
                ("<[o'brien_x@example.org]>", 90),
                ("\"email\":\"[a@b.de]\"", 90),
                ("mailto:[x.y@example.com]?subject=hi", 90),
                ("Mail an [jürgen@müller.de], danke", 90),
                ("{\\n[bob@example.com]\\n}", 90),
                ("电邮[li@example.cn]谢谢", 90),
                ("a='[q@example.com]'", 90),
                ("[jane@exa\u{200b}mple.com]", 90),
                ("[jane＠example.com]", 90),
            ],
        );
    }

    #[test]
    fn counter_examples() {
        finds_not(
            Email,
            &[
                "react@18.2.0",
                "@types/node",
                "git@github.com:owner/name.git",
                "logo@2x.png",
                "user@localhost",
                "3 @ 4",
                "x@y",
                "@example.com",
                "foo@.com",
                "cost@5.00",
            ],
        );
    }
}
