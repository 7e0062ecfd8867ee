//! Secrets that a word gives away: `password = hunter2`, `Authorization: Bearer …`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Input;

/// What the pre-filter looks for. Upper and lower case apart, since that is what makes it fast; a first letter
/// is left out where it may be either.
pub(crate) const WORDS: &[&str] = &[
    "assword",
    "ASSWORD",
    "asswort",
    "ASSWORT",
    "asswd",
    "ASSWD",
    "assphrase",
    "ASSPHRASE",
    "pwd",
    "PWD",
    "Pwd",
    "ecret",
    "ECRET",
    "oken",
    "OKEN",
    "pi_key",
    "PI_KEY",
    "pi-key",
    "pi key",
    "PI key",
    "piKey",
    "pikey",
    "PIKEY",
    "ccountKey",
    "ccessKey",
    "ccess_key",
    "CCESS_KEY",
    "ennwort",
    "ENNWORT",
    "earer ",
    "asic ",
];

/// The longest value looked at.
const VALUE_MAX: usize = 512;

/// Start, end and confidence of the value that a word that ends at `end` assigns.
pub(super) fn value(input: &Input<'_>, word: &str, end: usize) -> Option<(usize, usize, i32)> {
    match word {
        "earer " => return bearer(input, end),
        "asic " => return basic(input, end),
        _ => {}
    }
    // The rest of the name: `secret_access_key`, `passwordHash`.
    let mut at = end + input.run(end, 40, |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    at += input.run(at, 3, |b| matches!(b, b'"' | b'\'' | b'\\' | b'*' | b'`' | b']'));
    let blank = |b: u8| matches!(b, b' ' | b'\t');
    let gap = input.run(at, 4, blank);
    let spoken = ["is: ", "is ", "ist: ", "ist ", "lautet: ", "lautet ", "are ", "sind "];
    if let Some(is) = spoken
        .iter()
        .find(|is| gap > 0 && input.slice(at + gap, at + gap + is.len()).eq_ignore_ascii_case(is))
    {
        at += gap + is.len();
    } else {
        at += gap;
        let sign = input.run(at, 3, |b| matches!(b, b'=' | b':' | b'>'));
        if sign == 0 {
            return None;
        }
        at += sign;
    }
    at += input.run(at, 4, blank);
    at += input.run(at, 4, |b| matches!(b, b'"' | b'\'' | b'\\' | b'`' | b'*'));
    let closes = |b: u8| {
        b.is_ascii_whitespace()
            || !b.is_ascii()
            || matches!(b, b'"' | b'\'' | b'`' | b'\\' | b',' | b';' | b'<' | b'>' | b')' | b'}' | b']')
    };
    let len = input.run(at, VALUE_MAX, |b| !closes(b));
    let mut end = at + len;
    end -= input.run_back(end, len, |b| matches!(b, b'.' | b'?' | b':' | b'*'));
    let password = matches!(word.as_bytes().first(), Some(b'a' | b'A' | b'p' | b'P' | b'e' | b'E'))
        && !matches!(word, "pi_key" | "ecret" | "ECRET");
    is_secret(input.slice(at, end), password).then_some((at, end, if end - at >= 16 { 85 } else { 78 }))
}

fn bearer(input: &Input<'_>, start: usize) -> Option<(usize, usize, i32)> {
    let len = input.run(start, 4096, |b| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b));
    let end = start + len - input.run_back(start + len, len, |b| b == b'.');
    let value = input.span(start, end);
    let mixed = value.iter().any(u8::is_ascii_digit) && value.iter().any(u8::is_ascii_alphabetic);
    (value.len() >= 16 && mixed).then_some((start, end, 85))
}

fn basic(input: &Input<'_>, start: usize) -> Option<(usize, usize, i32)> {
    let len = input.run(start, VALUE_MAX, |b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
    let decoded = STANDARD_NO_PAD.decode(input.slice(start, start + len).trim_end_matches('=')).ok()?;
    let text = std::str::from_utf8(&decoded).ok()?;
    (len >= 8 && text.contains(':') && !text.contains(char::is_control)).then_some((start, start + len, 90))
}

/// Whether a value looks like a secret, and not like a placeholder, code or prose.
fn is_secret(value: &str, password: bool) -> bool {
    let lower = value.to_ascii_lowercase();
    let stands_for = [
        "${", "{{", "$(", "%(", "process.", "os.", "env.", "env(", "getenv", "self.", "this.", "your", "my_",
        "xxx", "...",
    ];
    if !(6..=VALUE_MAX).contains(&value.len())
        || stands_for.iter().any(|s| lower.starts_with(s))
        || value.contains(['(', '[', '{'])
    {
        return false;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let signs = value.bytes().filter(|b| b"!@#$%^&+=/?~|".contains(b)).count();
    let first = value.bytes().next();
    if value.bytes().all(|b| Some(b) == first) {
        return false;
    }
    match (digits, letters, signs) {
        (_, 0, 0) => password && digits == value.len(),
        (0, _, 0) => false,
        (0, _, _) => password,
        _ => letters > 0,
    }
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Credential;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            Credential,
            &[
                ("password = [hunter2]", 78),
                ("my password is [Tr0ub4dor&3], ok", 78),
                ("Passwort: [geheim123]", 78),
                ("Das Kennwort lautet [Sommer2024!].", 78),
                ("\"db_password\": \"[s3cr3t-pw]\"", 78),
                ("{\\\"password\\\":\\\"[hunter22]\\\"}", 78),
                ("AWS_SECRET_ACCESS_KEY=[wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY]", 85),
                ("DefaultEndpointsProtocol=https;AccountName=x;AccountKey=[Zm9vYmFyYmF6cXV4MTIzNA==];", 85),
                ("Server=db;User Id=sa;Password=[pa55word];", 78),
                ("api_key: '[0123456789abcdef0123]'", 85),
                ("Authorization: Bearer [abc123def456ghi789]", 85),
                ("Authorization: Basic [dXNlcjpwYXNzd29yZA==]", 90),
            ],
        );
    }

    #[test]
    fn counter_examples() {
        finds_not(
            Credential,
            &[
                "password: required",
                "token = getToken()",
                "max_tokens: 4096",
                "secret: ${SECRET_1}",
                "password=****",
                "password: <password1>",
                "password = os.environ['PW1']",
                "forgot your password?",
                "the bearer of news",
                "basic understanding",
                "tokens are cheap",
                "secret is safe",
                "api_key = YOUR_API_KEY_1",
                "password = null",
                "passwordless: true",
            ],
        );
    }
}
