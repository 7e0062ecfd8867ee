//! Made-up values that keep the form of a real one and belong to nobody: they lie in ranges that standards set aside for
//! documentation, tests or fiction, or that are never issued. Their check digits are valid. Kinds without such a range get a
//! token: a made-up number of theirs could be somebody's.
//!
//! | kind | made-up value | why nobody's |
//! | --- | --- | --- |
//! | e-mail | `user-CODE@example.com` | <https://www.rfc-editor.org/rfc/rfc2606#section-3> |
//! | phone | `+1 NNN-555-01NN` | 555-0100 to 555-0199 are kept for fiction: <https://www.nanpa.com/numbering/555-line-numbers> |
//! | card | as long, begins with 9, Luhn check valid | no issuer has 9: ISO/IEC 7812-1 |
//! | IBAN | as long, same country, bank code of zeros, check digits valid | no bank has it |
//! | IP | 192.0.2.0/24 and its two siblings, 2001:db8::/32 | <https://www.rfc-editor.org/rfc/rfc5737>, <https://www.rfc-editor.org/rfc/rfc3849> |
//! | MAC address | 00:00:5E:00:53:NN | for documentation: <https://www.rfc-editor.org/rfc/rfc9542#section-2.1.2> |
//! | URL | `https://example.com/CODE` | RFC 2606 |
//! | US SSN | area 000 | never assigned: <https://secure.ssa.gov/poms.nsf/lnx/0110201035> |
//! | German tax id | as long, begins with 000, check digit valid | real ones do not begin with 0: § 139b AO and the BZSt's test numbers |
//! | NHS number | begins with 999, check digit valid | for tests: <https://digital.nhs.uk/services/personal-demographics-service/test-data> |
//! | national insurance number | begins with QQ | never issued: <https://www.gov.uk/hmrc-internal-manuals/national-insurance-manual/nim39110> |
//! | Finnish identity code | serial from 900, check character valid | for temporary and test use: <https://dvv.fi/en/personal-identity-code> |

use std::net::Ipv6Addr;

use super::key::Digest;
use super::placeholder;
use crate::EntityType;
use crate::recognizers::luhn;
use crate::recognizers::numbered::mod_11_10;

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
    let refilled = matches!(
        entity,
        EntityType::Card
            | EntityType::UsSsn
            | EntityType::DeTaxId
            | EntityType::Iban
            | EntityType::UkNhs
            | EntityType::UkNino
            | EntityType::FiHetu
    );
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
        EntityType::MacAddress => {
            let [last] = first::<1>(digest);
            match value.chars().find(|c| !c.is_ascii_alphanumeric()) {
                Some('.') => format!("0000.5e00.53{last:02x}"),
                sign => ["00", "00", "5E", "00", "53", &format!("{last:02X}")]
                    .join(&sign.unwrap_or(':').to_string()),
            }
        }
        EntityType::Card => with_check(&refill(value, digest, "9"), |of| luhn(of.iter().copied()))?,
        EntityType::UsSsn => refill(value, digest, "000"),
        EntityType::DeTaxId => with_check(&refill(value, digest, "000"), mod_11_10)?,
        EntityType::UkNhs => with_check(&refill(value, digest, "999"), |of| {
            let sum: u32 =
                of.iter().zip((2..=10).rev()).map(|(c, weight)| u32::from(c - b'0') * weight).sum();
            let check = (11 - sum % 11) % 11;
            of.last().is_some_and(|last| u32::from(last - b'0') == check)
        })?,
        EntityType::UkNino => {
            let mut out = refill(value, digest, "QQ");
            out.pop();
            out.push('A');
            out
        }
        EntityType::FiHetu => hetu(value, digest)?,
        EntityType::Iban => iban(value, digest)?,
        _ => return None,
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

/// `text` with its last digit such that `holds` of its letters and digits. `None` if no digit does.
fn with_check(text: &str, holds: impl Fn(&[u8]) -> bool) -> Option<String> {
    let mut digits: Vec<u8> = text.bytes().filter(u8::is_ascii_alphanumeric).collect();
    let place = text.rfind(|c: char| c.is_ascii_digit())?;
    let check = (b'0'..=b'9').find(|check| {
        digits.pop();
        digits.push(*check);
        holds(&digits)
    })?;
    let mut out = text.to_owned();
    out.replace_range(place..=place, char::from(check).encode_utf8(&mut [0; 4]));
    Some(out)
}

/// An IBAN of the same country and form, of a bank with the number zero, with its check digits (ISO 13616-1).
fn iban(value: &str, digest: &Digest) -> Option<String> {
    let mut digits = digest.iter().cycle().map(|byte| b'0' + byte % 10);
    let compact: Vec<u8> = value
        .bytes()
        .filter(u8::is_ascii_alphanumeric)
        .enumerate()
        .map(|(place, c)| match (place, c) {
            (0..=1, c) => c.to_ascii_uppercase(),
            (2..=3, _) => b'0',
            (_, c) if c.is_ascii_alphabetic() => b'X',
            (4..=7, _) => b'0',
            _ => digits.next().unwrap_or(b'0'),
        })
        .collect();
    let (head, body) = compact.split_at_checked(4)?;
    let remainder = body.iter().chain(head).fold(0u32, |rest, c| {
        let value = char::from(*c).to_digit(36).unwrap_or(0);
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    });
    let country = head.get(..2).and_then(|country| std::str::from_utf8(country).ok())?;
    let body = std::str::from_utf8(body).ok()?;
    Some(shaped(value, &format!("{country}{:02}{body}", 98 - remainder)))
}

/// The letters and digits of `compact` between the separators of `value`.
fn shaped(value: &str, compact: &str) -> String {
    let mut compact = compact.chars();
    value
        .chars()
        .filter_map(|c| match c {
            c if c.is_alphanumeric() => compact.next(),
            '-' | '.' | '/' | ' ' => Some(c),
            _ => Some(' '),
        })
        .collect()
}

/// The code with the same date, a serial number from 900, and its check character.
fn hetu(value: &str, digest: &Digest) -> Option<String> {
    const CHECKS: &[u8] = b"0123456789ABCDEFHJKLMNPRSTUVWXY";
    let [a, b] = first::<2>(digest);
    let date = value.get(..6).filter(|date| date.bytes().all(|b| b.is_ascii_digit()))?;
    let sign = value.get(6..7).filter(|sign| sign.is_ascii())?;
    let serial = format!("9{}{}", a % 10, b % 10);
    let number: u64 = format!("{date}{serial}").parse().ok()?;
    let check = CHECKS.get(usize::try_from(number % 31).ok()?)?;
    (value.len() == 11).then(|| format!("{date}{sign}{serial}{}", char::from(*check)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Detector;

    fn digest(seed: u8) -> Digest {
        core::array::from_fn(|at| (at as u8).wrapping_mul(37) ^ seed.wrapping_mul(91))
    }

    /// Numbers keep their form, and whoever checks them finds their check digits right.
    #[test]
    fn check_digits_are_valid() {
        let detector = Detector::new();
        for (entity, value) in [
            (EntityType::Iban, "DE89 3704 0044 0532 0130 00"),
            (EntityType::Iban, "GB82WEST12345698765432"),
            (EntityType::UkNhs, "155 940 7816"),
            (EntityType::FiHetu, "131052-308T"),
            (EntityType::MacAddress, "00:1a:2b:3c:4d:5e"),
        ] {
            for seed in 0..20 {
                let made = candidates(entity, value, &digest(seed)).next().unwrap_or_default();
                let mut found = Vec::new();
                detector.scan(&format!("so {made} yes"), &mut found);
                assert!(found.iter().any(|f| f.entity == entity), "{entity}: {made:?}");
                assert_eq!(made.len(), value.len(), "{made:?}");
                assert_ne!(made, value);
            }
        }
        for seed in 0..20 {
            let digest = digest(seed);
            let card = candidates(EntityType::Card, "4111 1111 1111 1111", &digest).next().unwrap();
            assert!(card.starts_with('9') && luhn(card.bytes().filter(u8::is_ascii_digit)), "{card:?}");
            let tax = candidates(EntityType::DeTaxId, "86095742719", &digest).next().unwrap();
            assert!(tax.starts_with('0') && mod_11_10(tax.as_bytes()), "{tax:?}");
        }
        assert!(candidates(EntityType::PlPesel, "82100747649", &digest(1)).next().is_none());
    }
}
