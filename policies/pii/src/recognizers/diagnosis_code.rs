//! Diagnosis codes (ICD-10).
//!
//! Source: WHO, ICD-10, and its modification ICD-10-CM (<https://www.cms.gov/medicare/coding-billing/icd-10-codes>): a letter,
//! a digit, a digit (or A, B), and up to four letters or digits after a full stop. Validator: form; with one decimal or more, or
//! after a word such as *ICD* or *diagnosis*. Not found: codes of three characters without such a word; codes without a full
//! stop that have more.

use super::{Candidates, Input};
use crate::EntityType;

/// Looks at the run of `len` digits at `at`.
pub(crate) fn at(input: &Input<'_>, at: usize, len: usize, found: &mut Candidates) {
    let Some(start) = at.checked_sub(1) else { return };
    if !input.byte(start).is_some_and(|b| b.is_ascii_uppercase()) || !input.begins(start) || len > 2 {
        return;
    }
    let mut end = at + len;
    if len == 1 {
        if !matches!(input.byte(end), Some(b'A' | b'B')) {
            return;
        }
        end += 1;
    }
    let decimals = if input.byte(end) == Some(b'.') {
        input.run(end + 1, 5, |b| b.is_ascii_digit() || b.is_ascii_uppercase())
    } else {
        0
    };
    if decimals > 4 {
        return;
    }
    let end = if decimals > 0 { end + 1 + decimals } else { end };
    let version = input.byte(end) == Some(b'.') && input.byte(end + 1).is_some_and(|b| b.is_ascii_digit());
    if !input.ends(end) || version || matches!(input.before(start), Some(b'.' | b'-' | b'/')) {
        return;
    }
    let says = input.says(start, EntityType::DiagnosisCode);
    found.add(EntityType::DiagnosisCode, start, end, if says.yes { 88 } else { 0 });
}

#[cfg(test)]
mod tests {
    use crate::EntityType::DiagnosisCode;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            DiagnosisCode,
            &[
                ("ICD-10: [E11.9] and [I10]", 88),
                ("Diagnose [F32.1] gesichert", 88),
                ("diagnosis [C4A.51]", 88),
                ("diagnosis code [S72.001A].", 88),
            ],
        );
        finds_not(
            DiagnosisCode,
            &["E11.9", "room B12", "diagnosis pending", "ICD e11.9", "ICD E11.9.2", "diagnosis A-12"],
        );
    }
}
