//! IPv4 and IPv6 addresses.
//!
//! Source: RFC 791 and RFC 4291, section 2.2 (<https://www.rfc-editor.org/rfc/rfc4291#section-2.2>); an IP
//! address is personal data where somebody can tie it to a person (CJEU C-582/14, Breyer,
//! <https://curia.europa.eu/juris/liste.jsf?num=C-582/14>). Validator: the standard library's parser. Not
//! reported, since they are nobody's: unspecified, loopback and broadcast addresses. Not found: octal, hex and
//! integer forms, and four small numbers after a word such as `version`.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::numbers::{Numbers, Separator};
use super::{Candidates, Input};
use crate::EntityType;

/// Looks for an IPv4 address at the first group of `numbers`.
pub(crate) fn v4(input: &Input<'_>, numbers: &Numbers, found: &mut Candidates) {
    let dotted = numbers.groups.iter().skip(1).take_while(|g| g.separator == Separator::Dot).count();
    let (Some(first), Some(last)) = (numbers.groups.first(), numbers.groups.get(3)) else { return };
    // Three dots, no fourth; a fourth group may follow after something else.
    if dotted != 3
        || !numbers.begins
        || !input.ends(last.end)
        || matches!(input.before(first.start), Some(b'+' | b'.'))
    {
        return;
    }
    let (start, end) = (first.start, last.end);
    let Ok(address) = input.slice(start, end).parse::<Ipv4Addr>() else { return };
    if address.is_unspecified() || address.is_loopback() || address.is_broadcast() {
        return;
    }
    let says = input.says(start, EntityType::IpAddress);
    let small = address.octets().iter().all(|octet| *octet < 20);
    let confidence = match (says.yes, says.no || input.before(start) == Some(b'v')) {
        (_, true) => 40,
        (true, _) => 95,
        _ if small => 60,
        _ => 85,
    };
    found.add(EntityType::IpAddress, start, end, confidence);
}

/// Looks at the `:` at `at`; where to go on looking for IPv6 addresses.
pub(crate) fn v6(input: &Input<'_>, at: usize, found: &mut Candidates) -> usize {
    let of_address = |b: u8| b.is_ascii_hexdigit() || b == b':';
    let start = at - input.run_back(at, 4, |b| b.is_ascii_hexdigit());
    let mut end = at + input.run(at, 45, of_address);
    let dotted = |b: u8| b.is_ascii_digit() || b == b'.';
    if input.byte(end) == Some(b'.') {
        end += input.run(end, 16, dotted);
    }
    while end > at && matches!(input.before(end), Some(b'.')) {
        end -= 1;
    }
    if input.before(end) == Some(b':') && input.byte(end.saturating_sub(2)) != Some(b':') {
        end -= 1;
    }
    let text = input.slice(start, end);
    let groups = || text.split(':');
    let plausible = text.bytes().any(|b| b.is_ascii_digit())
        && groups().any(|g| g.len() >= 3)
        && groups().filter(|g| !g.is_empty()).count() >= 2;
    if plausible && input.begins(start) && input.ends(end) && input.before(start) != Some(b':') {
        match text.parse::<Ipv6Addr>() {
            Ok(address) if !address.is_unspecified() && !address.is_loopback() => {
                found.add(EntityType::IpAddress, start, end, 90);
            }
            _ => {}
        }
    }
    end.max(at + 1)
}

#[cfg(test)]
mod tests {
    use crate::EntityType::IpAddress;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            IpAddress,
            &[
                ("login from [203.0.113.7] at noon", 95),
                ("[192.168.1.1]:8080", 85),
                ("[10.1.2.3].", 60),
                ("[203.0.113.200]/24", 85),
                ("at [2001:db8::8a2e:370:7334] now", 90),
                ("[2001:0db8:85a3:0000:0000:8a2e:0370:7334]", 90),
                ("[fe80::1]%eth0", 90),
                ("[::ffff:192.0.2.128]", 90),
                ("\"ip\":\"[198.51.100.17]\"", 95),
            ],
        );
    }

    #[test]
    fn counter_examples() {
        finds_not(
            IpAddress,
            &[
                "127.0.0.1",
                "0.0.0.0",
                "::1",
                "version 1.2.3.4",
                "v1.2.3.4",
                "1.2.3.4.5",
                "256.1.1.1",
                "12:30:45",
                "std::vec",
                "a::b",
                "00:1A:2B:3C:4D:5E",
                "1.3.6.1.4.1.311",
                "dead::beef",
                "01.02.2024",
                "std::1",
            ],
        );
    }
}
