//! MAC addresses of network interfaces (EUI-48).
//!
//! Source: IEEE 802-2014, section 8 (<https://standards.ieee.org/products-programs/regauth/>); a device identifier of 45 CFR
//! 164.514(b)(2)(i)(M). Validator: six pairs of hexadecimal digits with `:` or `-`, or three groups of four with full stops;
//! not all zeros, not all ones. Not found: addresses without separators, and with dashes and without a single digit.

use super::{Candidates, Input};
use crate::EntityType;

/// Looks at the separator at `at`, which may be the first of an address.
pub(crate) fn at(input: &Input<'_>, at: usize, found: &mut Candidates) {
    let Some(sign) = input.byte(at) else { return };
    let (group, len) = if sign == b'.' { (4, 14) } else { (2, 17) };
    let Some(start) = at.checked_sub(group) else { return };
    let span = input.span(start, start + len);
    let fits = span.len() == len
        && span
            .iter()
            .enumerate()
            .all(|(i, b)| if i % (group + 1) == group { *b == sign } else { b.is_ascii_hexdigit() });
    if !fits || !input.begins(start) || !input.ends(start + len) {
        return;
    }
    if input.before(start) == Some(sign) || input.byte(start + len) == Some(sign) {
        return;
    }
    let mut digits = span.iter().filter(|b| b.is_ascii_hexdigit());
    let empty = digits.clone().all(|b| *b == b'0') || digits.all(|b| b.eq_ignore_ascii_case(&b'f'));
    // `2024-01-02-03-04-05` is no address, and groups of four digits are many things.
    let numbers = span.iter().all(|b| !b.is_ascii_alphabetic());
    let says = input.says(start, EntityType::MacAddress);
    let confidence = match (says.yes, numbers, sign) {
        _ if empty => 0,
        (true, ..) => 97,
        (false, true, b':') => 60,
        (false, true, _) => 0,
        (false, false, _) => 88,
    };
    found.add(EntityType::MacAddress, start, start + len, confidence);
}

/// Looks at a run of digits that may stand in an address with dashes or full stops.
pub(crate) fn around(input: &Input<'_>, digits: usize, found: &mut Candidates) {
    for (sign, group) in [(b'-', 2), (b'.', 4)] {
        // Where the group of the digit begins, and then the first group.
        let back = input.run_back(digits, group - 1, |b| b.is_ascii_hexdigit());
        let mut start = digits - back;
        for _ in 0..5 {
            let Some(before) = start.checked_sub(group + 1) else { break };
            let fits = input.before(start) == Some(sign)
                && input.span(before, start - 1).iter().all(u8::is_ascii_hexdigit);
            if !fits {
                break;
            }
            start = before;
        }
        let at = start + group;
        // Once: from the first digit of all.
        if input.byte(at) == Some(sign) && !input.span(start, digits).iter().any(u8::is_ascii_digit) {
            self::at(input, at, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::EntityType::MacAddress;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            MacAddress,
            &[
                ("eth0 [00:1a:2b:3c:4d:5e] up", 88),
                ("MAC [00-1A-2B-3C-4D-5E]", 97),
                ("[aabb.cc1d.eeff]", 88),
                ("hwaddr [aa:bb:cc:dd:ee:ff].", 97),
                ("[AA-BB-CC-1D-EE-2F]", 88),
            ],
        );
        finds_not(
            MacAddress,
            &[
                "00:00:00:00:00:00",
                "ff:ff:ff:ff:ff:ff",
                "00:1a:2b:3c:4d",
                "00:1a:2b:3c:4d:5e:6f",
                "10-20-30-40-50-60",
                "2024.0102.0304",
                "12:30:45",
            ],
        );
    }
}
