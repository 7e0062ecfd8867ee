//! JSON Web Tokens.
//!
//! Source: RFC 7519 and RFC 7515, section 3 (<https://www.rfc-editor.org/rfc/rfc7515#section-3>). Validator:
//! three parts (five when encrypted, RFC 7516) of base64url, the first of which decodes to a JSON object with
//! `alg`. Not found: tokens whose header begins with white space, and those split over lines.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::{Candidates, Input};
use crate::EntityType;

/// What the pre-filter looks for: base64url of `{"`.
pub(crate) const PREFIX: &str = "eyJ";

/// The longest header looked at.
const HEADER_MAX: usize = 4096;

/// A second part this long after such a header is a token even if the text ends there.
const LONG: usize = 4096;

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Looks at the [`PREFIX`] at `at`; where to go on.
pub(crate) fn at(input: &Input<'_>, at: usize, found: &mut Candidates) -> usize {
    let next = at + PREFIX.len();
    if !input.begins(at) {
        return next;
    }
    let header = input.run(at, HEADER_MAX, is_base64url);
    let (mut end, mut parts, mut long) = (at + header, 1, false);
    while parts < 5 && input.byte(end) == Some(b'.') {
        let part = input.run(end + 1, usize::MAX, is_base64url);
        // An unsecured token ends with the dot (RFC 7519, section 6).
        if part == 0 && parts < 2 {
            break;
        }
        end += 1 + part;
        long |= part > LONG;
        parts += 1;
    }
    if (parts < 3 && !long) || !has_algorithm(input.span(at, at + header)) {
        return next;
    }
    found.add(EntityType::Jwt, at, end, 99);
    end
}

fn has_algorithm(header: &[u8]) -> bool {
    URL_SAFE_NO_PAD
        .decode(header)
        .ok()
        .and_then(|json| serde_json::from_slice::<Value>(&json).ok())
        .is_some_and(|json| json.get("alg").is_some_and(Value::is_string))
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Jwt;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            Jwt,
            &[
                (
                    "Bearer [eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U]",
                    99,
                ),
                ("t=[eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.]&x", 99),
            ],
        );
    }

    #[test]
    fn counter_examples() {
        finds_not(
            Jwt,
            &[
                "eyJhbGciOiJIUzI1NiJ9",
                "eyJhIjoxfQ.eyJhIjoxfQ.eyJhIjoxfQ",
                "eyJ.eyJ.eyJ",
                "keyJhbGciOiJub25lIn0.e30.x",
            ],
        );
    }
}
