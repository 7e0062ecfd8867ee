//! Made-up values that keep the form of a real one and belong to nobody: they lie in ranges that standards
//! set aside for documentation or fiction, or fail the check of their own kind.
//!
//! | kind | made-up value | why nobody's |
//! | --- | --- | --- |
//! | e-mail | `user-CODE@example.com` | <https://www.rfc-editor.org/rfc/rfc2606#section-3> |
//! | phone | `+1 NNN-555-01NN` | 555-0100 to 555-0199 are kept for fiction: <https://www.nanpa.com/numbering/555-line-numbers> |
//! | card | as long, begins with 9, fails the Luhn check | no issuer has 9: ISO/IEC 7812-1 |
//! | IBAN | as long, same country, check digits 00 | they run from 02 to 98: ISO 13616-1 |
//! | IP | 192.0.2.0/24 and its two siblings, 2001:db8::/32 | <https://www.rfc-editor.org/rfc/rfc5737>, <https://www.rfc-editor.org/rfc/rfc3849> |
//! | URL | `https://example.com/CODE` | RFC 2606 |
//! | US SSN | area 000 | never assigned: <https://secure.ssa.gov/poms.nsf/lnx/0110201035> |
//! | German tax id | as long, begins with 000 | real ones do not begin with 0: § 139b AO and the BZSt's test numbers |

use std::net::Ipv6Addr;

use super::key::Digest;
use super::placeholder;
use crate::EntityType;

/// How many made-up values are tried before a token is used instead.
const TRIES: u8 = 16;

/// Letters and digits that a made-up value has at least: fewer could stand in any text, and would be taken for it there.
const SHORTEST: usize = 7;

/// Made-up values for `value`, best first: a later one serves where an earlier one is taken.
pub(crate) fn candidates<'a>(
    entity: EntityType,
    value: &'a str,
    digest: &'a Digest,
) -> impl Iterator<Item = String> + 'a {
    let refilled =
        matches!(entity, EntityType::Card | EntityType::UsSsn | EntityType::DeTaxId | EntityType::Iban);
    let short = refilled && value.chars().filter(|c| c.is_alphanumeric()).count() < SHORTEST;
    (0..if short { 0 } else { TRIES }).filter_map(move |shift| {
        let mut digest = *digest;
        digest.rotate_left(usize::from(shift));
        one(entity, value, &digest)
    })
}

fn one(entity: EntityType, value: &str, digest: &Digest) -> Option<String> {
    let code = || placeholder::code(digest, placeholder::CODE_LEN).to_ascii_lowercase();
    Some(match entity {
        EntityType::Email => format!("user-{}@example.com", code()),
        EntityType::Url => format!("https://example.com/{}", code()),
        EntityType::Phone => {
            let n = u32::from_be_bytes(first(digest));
            format!("+1 {}-555-01{:02}", 200 + n % 800, (n / 800) % 100)
        }
        EntityType::IpAddress if value.contains(':') => {
            let [a, b, c, d, e, f, g, h] = first(digest).map(u16::from);
            Ipv6Addr::new(0x2001, 0xdb8, a << 8 | b, c << 8 | d, 0, 0, e << 8 | f, g << 8 | h).to_string()
        }
        EntityType::IpAddress => {
            let [net, host] = first(digest);
            let net = ["192.0.2", "198.51.100", "203.0.113"].get(usize::from(net % 3))?;
            format!("{net}.{host}")
        }
        EntityType::Card => spoil_luhn(&refill(value, digest, "9")),
        EntityType::UsSsn => refill(value, digest, "000"),
        EntityType::DeTaxId => refill(value, digest, "000"),
        EntityType::Iban => {
            let country: String = value.chars().filter(char::is_ascii_alphabetic).take(2).collect();
            refill(value, digest, &format!("{}00", country.to_ascii_uppercase()))
        }
        EntityType::Credential | EntityType::Jwt => return None,
    })
}

fn first<const N: usize>(digest: &Digest) -> [u8; N] {
    let mut out = [0; N];
    for (to, from) in out.iter_mut().zip(digest) {
        *to = *from;
    }
    out
}

/// `value` with its separators kept, but for those that JSON would escape, its first letters and digits taken from
/// `head`, the rest from the digest.
fn refill(value: &str, digest: &Digest, head: &str) -> String {
    let mut head = head.chars();
    let mut digits = digest.iter().cycle().map(|byte| char::from(b'0' + byte % 10));
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if c.is_alphanumeric() {
            out.extend(head.next().or_else(|| digits.next()));
        } else if c.is_ascii_graphic() && !matches!(c, '"' | '\\') {
            out.push(c);
        } else {
            out.push(' ');
        }
    }
    out
}

/// `card` with its last digit changed where the number would pass the Luhn check.
fn spoil_luhn(card: &str) -> String {
    if !crate::recognizers::luhn(card.bytes().filter(u8::is_ascii_digit)) {
        return card.to_owned();
    }
    let mut out = card.to_owned();
    if let Some(last) = out.pop() {
        out.push(if last == '9' { '0' } else { char::from((last as u8).saturating_add(1)) });
    }
    out
}
