//! Secrets: provider and cloud keys, private keys, passwords in assignments.
//!
//! Sources: each key's own documentation, named beside it in `keys`; RFC 7468 for PEM; RFC 6750 and RFC 7617
//! for `Bearer` and `Basic`. Validator: exact prefix, alphabet and length; for GitHub and npm their CRC-32; for
//! `Basic` that it decodes to `user:password`. A word such as `password` followed by `=`, `:` or "is" makes what
//! follows a candidate, unless it looks like a placeholder, code or prose. Not found: secrets without a known
//! prefix and without such a word; passwords of letters only; values split over lines (other than PEM).

mod assignment;
mod keys;
mod more_keys;

use super::{Candidates, Input};
use crate::EntityType;

pub(crate) use assignment::WORDS;
pub(crate) use keys::{KEYS, Runs};
pub(crate) use more_keys::KEYS as MORE_KEYS;

/// What a PEM private key begins with.
pub(crate) const PEM: &str = "-----BEGIN ";

/// The longest private key looked at: RSA of 16,384 bits fits.
pub(crate) const PEM_MAX: usize = 16 * 1024;

/// Looks at the `n`th of [`KEYS`] at `at`; where to go on.
pub(crate) fn key(input: &Input<'_>, n: usize, at: usize, found: &mut Candidates) -> usize {
    match KEYS.get(n).and_then(|key| keys::end(input, key, at, &mut found.runs).map(|end| (key, end))) {
        Some((key, end)) => {
            found.add(EntityType::Credential, at, end, key.confidence);
            end
        }
        None => at + 1,
    }
}

/// Looks at the word around the digit at `at`, if it is the word's first, for one of [`MORE_KEYS`].
pub(crate) fn by_digit(input: &Input<'_>, at: usize, found: &mut Candidates) {
    let of_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'$' | b':');
    let mut start = input.skip_escape(at - input.run_back(at, more_keys::REACH, of_word)).min(at);
    start += input.run(start, at - start, |b| !b.is_ascii_alphanumeric());
    more_keys::telegram(input, at, found);
    more_keys::azure(input, at, found);
    if start == at || input.span(start, at).iter().any(u8::is_ascii_digit) {
        return;
    }
    if !input.byte(start).is_some_and(more_keys::begins) {
        return;
    }
    let head = input.span(start, start + 2);
    for key in MORE_KEYS.iter().filter(|key| key.prefix.as_bytes().get(..2) == Some(head)) {
        let prefixed = input.span(start, start + key.prefix.len()) == key.prefix.as_bytes();
        if let Some(end) = prefixed.then(|| keys::end(input, key, start, &mut found.runs)).flatten() {
            found.add(EntityType::Credential, start, end, key.confidence);
        }
    }
}

/// Looks at one of [`WORDS`] that ends at `end`; where to go on.
pub(crate) fn word(input: &Input<'_>, word: &str, end: usize, found: &mut Candidates) -> usize {
    if let Some((start, end, confidence)) = assignment::value(input, word, end) {
        found.add(EntityType::Credential, start, end, confidence);
    }
    // Not past the value: it may hold a key or a token, which is surer.
    end
}

/// Looks at the [`PEM`] beginning at `at`; where to go on.
pub(crate) fn pem(input: &Input<'_>, at: usize, found: &mut Candidates) -> usize {
    let next = at + PEM.len();
    let label = input.run(next, 40, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ');
    let head = next + label;
    if !input.slice(next, head).ends_with("PRIVATE KEY") || !input.slice(head, head + 5).starts_with("-----")
    {
        return next;
    }
    // The body: base64, white space, escapes such as `\n`, headers such as `Proc-Type: 4,ENCRYPTED`.
    let of_body = |b: u8| b.is_ascii_alphanumeric() || b.is_ascii_whitespace() || b"+/=\\:,-".contains(&b);
    let mut end = head + 5;
    end += input.run(end, PEM_MAX, of_body);
    if let Some(close) = input.slice(head + 5, end).find("-----END ") {
        let close = head + 5 + close + 9;
        let label = input.run(close, 40, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' ');
        end = close + label + input.run(close + label, 5, |b| b == b'-');
    }
    found.add(EntityType::Credential, at, end, 99);
    end
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Credential;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn pem() {
        finds(
            Credential,
            &[
                (
                    "key:\n[-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJBAK\n-----END RSA PRIVATE KEY-----]\nend",
                    99,
                ),
                ("\"[-----BEGIN PRIVATE KEY-----\\nMIIB+/=\\n-----END PRIVATE KEY-----]\\n\"", 99),
                ("cut off: [-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA]", 99),
            ],
        );
        finds_not(
            Credential,
            &["-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "-----BEGIN PRIVATE KEY"],
        );
    }
}
