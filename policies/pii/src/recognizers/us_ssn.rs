//! United States social security numbers.
//!
//! Source: <https://www.ssa.gov/employer/randomizationfaqs.html> and
//! <https://secure.ssa.gov/poms.nsf/lnx/0110201035>: area 000, 666 and 900 to 999, group 00 and serial 0000 are
//! never assigned; 078-05-1120 and 219-09-9999 are void. Validator: what is never assigned; there is no check digit.
//! Not found: nine digits in a row without a word for them before, and groups with blanks in a longer row of groups without one.

use super::numbers::{After, Before, Numbers, Separator};
use super::{Candidates, Input};
use crate::EntityType;

/// Numbers printed in advertisements.
const VOID: [&[u8]; 2] = [b"078051120", b"219099999"];

fn is_assignable(digits: &[u8]) -> bool {
    let [a, b, c, d, e, serial @ ..] = digits else { return false };
    let area = [*a, *b, *c];
    serial.len() == 4
        && !matches!(&area, b"000" | b"666" | [b'9', _, _])
        && [*d, *e] != *b"00"
        && serial != b"0000"
        && !VOID.contains(&digits)
}

/// Looks for a number at the first group of `numbers`.
pub(crate) fn at(input: &Input<'_>, numbers: &Numbers, found: &mut Candidates) {
    let compact = numbers.has_shape(&[9]);
    let grouped = numbers.has_shape(&[3, 2, 4]);
    let groups = if compact { 1 } else { 3 };
    if !(compact || grouped) || !is_assignable(numbers.digits_of(groups)) {
        return;
    }
    let Some((end, after)) = numbers.end_and_after(input, groups) else { return };
    let says = input.says(numbers.start(), EntityType::UsSsn);
    let begins = match numbers.before {
        Before::Clear => true,
        Before::Sign(sign) => grouped && sign != b'-',
        Before::Letter => says.yes && Numbers::is_in_a_word(input, numbers.start(), end),
        Before::Dot => false,
    };
    if !begins || !matches!(after, After::Clear | After::Sign(Separator::Slash, _)) {
        return;
    }
    let uniform = numbers.uniform(groups);
    // A group of a longer row of groups: cells of a table.
    let goes_on = numbers.groups.get(groups).is_some_and(|next| next.separator == Separator::Space);
    if uniform == Some(Separator::Space) && !says.yes && (goes_on || !numbers.fresh) {
        return;
    }
    let confidence = match (uniform, says.yes) {
        (Some(Separator::Dash), true) => 98,
        (Some(Separator::Space), true) => 95,
        (Some(Separator::None | Separator::Wide), true) => 85,
        (Some(Separator::Dash), false) => 80,
        (Some(Separator::Space), false) => 55,
        _ => 0,
    };
    let confidence = if says.no { confidence - 20 } else { confidence };
    found.add(EntityType::UsSsn, numbers.start(), end, confidence);
}

#[cfg(test)]
mod tests {
    use crate::EntityType::UsSsn;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            UsSsn,
            &[
                ("SSN: [536-22-1234]", 98),
                ("patient [536-22-1234] seen", 80),
                ("social security number [536 22 1234].", 95),
                ("ssn=[536221234]", 85),
                ("order [536-22-1234]", 60),
                ("ssn-[536-22-1234]", 98),
                ("ssn_536/[536-22-1234]/2024", 98),
                ("SSN[536221234]", 85),
                ("https://hr.example/p/[536-22-1234].pdf", 80),
                ("ssn [536 - 22 - 1234]", 85),
                ("[536\u{2011}22\u{2011}1234]", 80),
                ("[536 22 1234] or so", 55),
                ("ssn [536 22 1234] 12", 95),
            ],
        );
    }

    #[test]
    fn counter_examples() {
        finds_not(
            UsSsn,
            &[
                "000-12-3456",
                "666-12-3456",
                "912-34-5678",
                "536-00-1234",
                "536-22-0000",
                "078-05-1120",
                "536221234",
                "536-22-12345",
                "1-536-22-1234",
                "536-22-1234-5",
                "536.22.1234",
                "1.536-22-1234",
                "x536-22-1234",
                "12 536 22 1234",
                "536 22 1234 7",
            ],
        );
    }
}
