//! What may stay of a ZIP code: its first three digits, where more than 20,000 people live under them.
//!
//! Rule: 45 CFR 164.514(b)(2)(i)(B) (<https://www.ecfr.gov/current/title-45/section-164.514>): the first three digits may
//! stay where all ZIP codes that begin with them hold more than 20,000 people by the Bureau of the Census' current data, and
//! become 000 otherwise. Population: 2020 Census, Demographic and Housing Characteristics File, table P1, ZIP Code Tabulation
//! Areas summed by their first three digits
//! (<https://data.census.gov/table/DECENNIALDHC2020.P1?g=010XX00US$8600000>). A prefix without a tabulation area has no
//! population, so it becomes 000 too.

/// The prefixes that become 000 although somebody lives there: 20,000 people or fewer.
const SPARSE: [u16; 16] = [36, 59, 102, 203, 204, 205, 369, 556, 692, 772, 821, 823, 878, 879, 884, 893];

/// The prefixes without a tabulation area, or with one that nobody lives in, as first and last.
const EMPTY: [(u16, u16); 67] = [
    (0, 5),
    (8, 8),
    (55, 55),
    (90, 99),
    (192, 192),
    (202, 202),
    (213, 213),
    (269, 269),
    (311, 311),
    (332, 332),
    (340, 340),
    (343, 343),
    (345, 345),
    (348, 348),
    (353, 353),
    (375, 375),
    (399, 399),
    (419, 419),
    (428, 429),
    (459, 459),
    (509, 509),
    (517, 519),
    (529, 529),
    (533, 533),
    (536, 536),
    (552, 552),
    (555, 555),
    (568, 569),
    (578, 579),
    (589, 589),
    (621, 621),
    (632, 632),
    (642, 643),
    (649, 649),
    (659, 659),
    (663, 663),
    (682, 682),
    (694, 699),
    (702, 702),
    (709, 709),
    (715, 715),
    (732, 733),
    (742, 742),
    (753, 753),
    (771, 771),
    (817, 819),
    (839, 839),
    (842, 842),
    (848, 849),
    (854, 854),
    (858, 858),
    (861, 862),
    (866, 869),
    (872, 872),
    (876, 876),
    (885, 889),
    (892, 892),
    (896, 896),
    (899, 899),
    (901, 901),
    (909, 909),
    (929, 929),
    (938, 938),
    (942, 942),
    (962, 966),
    (969, 969),
    (987, 987),
];

/// What is written instead of a ZIP code: the three digits that may stay, and a sign for each of the others. `None` if the
/// value has not the form of one: five digits, or nine with a dash.
pub(super) fn generalised(value: &str) -> Option<String> {
    let shape = match value.as_bytes() {
        [five @ .., b'-', _, _, _, _] if five.len() == 5 => five,
        five => five,
    };
    let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    if shape.len() != 5 || !digits(shape) || !value.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return None;
    }
    let prefix = value.get(..3)?;
    let number: u16 = prefix.parse().ok()?;
    let empty = EMPTY.iter().any(|(first, last)| (*first..=*last).contains(&number));
    let stays = if empty || SPARSE.contains(&number) { "000" } else { prefix };
    Some(format!("{stays}**"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_stay_where_many_people_live() {
        for (zip, stays) in [
            ("90210", "902**"),
            ("10118-0110", "101**"),
            ("03601", "000**"),
            ("05901", "000**"),
            ("10270", "000**"),
            ("20252", "000**"),
            ("20500", "000**"),
            ("36925", "000**"),
            ("82190", "000**"),
            ("89301", "000**"),
            // Of the 2000 Census' list, and populous by 2020's.
            ("06320", "063**"),
            ("89011", "890**"),
            // Armed forces, and nobody's.
            ("09012", "000**"),
            ("96201", "000**"),
            ("00000", "000**"),
            ("00601", "006**"),
            ("99950", "999**"),
        ] {
            assert_eq!(generalised(zip).as_deref(), Some(stays), "{zip}");
        }
        for other in ["SW1A 1AA", "K1A 0B1", "1234 AB", "1234", "902101", "90210-11", "90210 1234", ""] {
            assert_eq!(generalised(other), None, "{other}");
        }
    }

    #[test]
    fn every_prefix_is_populous_or_sparse_or_empty() {
        let empty: u16 = EMPTY.iter().map(|(first, last)| last + 1 - first).sum();
        // 894 prefixes have a tabulation area, of which two hold nobody.
        assert_eq!(empty, 1000 - 894 + 2);
        assert!(EMPTY.is_sorted() && SPARSE.is_sorted());
    }
}
