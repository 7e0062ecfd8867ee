//! Names for groups of countries. Groups that sound alike are not interchangeable: the EEA adds Norway, Iceland
//! and Liechtenstein to the EU, EFTA adds Switzerland to those three, and an adequacy decision puts a country in
//! none of them.

use std::sync::OnceLock;

use crate::{Country, CountrySet};

/// The region names that [`expand`] knows beside ISO country codes.
pub const REGION_NAMES: [&str; 5] = ["EU", "EEA", "EFTA", "EU_EFTA", "ADEQUATE"];

/// The 27 member states. Source: <https://european-union.europa.eu/principles-countries-history/eu-countries_en>.
const EU: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// EFTA states that are party to the EEA Agreement. Source: <https://www.efta.int/about-efta/efta-states>.
const EEA_EFTA: [&str; 3] = ["IS", "LI", "NO"];

/// A state of adequacy under GDPR Art. 45, as [`expand`] uses it for the name `ADEQUATE`.
///
/// Canada (recipients under PIPEDA only) and the United States (recipients certified under the Data Privacy
/// Framework only) are left out: there adequacy belongs to a recipient and not to the country, so a set of
/// countries cannot say it. Source:
/// <https://commission.europa.eu/law/law-topic/data-protection/international-dimension-data-protection/adequacy-decisions_en>,
/// and for Brazil Implementing Decision (EU) 2026/179 of 26 January 2026.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adequacy;

impl Adequacy {
    /// When the list was last compared with its source.
    pub const AS_OF: &str = "2026-11-22";
    const CODES: [&str; 14] =
        ["AD", "AR", "BR", "CH", "FO", "GB", "GG", "IL", "IM", "JE", "JP", "KR", "NZ", "UY"];

    /// The countries with an adequacy decision that covers every recipient there.
    #[must_use]
    pub fn countries() -> CountrySet {
        set(&Self::CODES)
    }
}

/// A name that is neither a region nor a country.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a region (EU, EEA, EFTA, EU_EFTA, ADEQUATE) nor an ISO 3166-1 alpha-2 country code \
     (the United Kingdom is GB, Greece GR)"
)]
pub struct UnknownRegion(pub String);

/// The countries that `name` stands for: a region or a single country. `None` where it is neither.
///
/// `EU` is the 27 member states; `EEA` adds Iceland, Liechtenstein and Norway; `EFTA` is those three and
/// Switzerland; `EU_EFTA` is both together; `ADEQUATE` is [`Adequacy::countries`].
#[must_use]
pub fn expand(name: &str) -> Option<CountrySet> {
    static NAMED: OnceLock<[CountrySet; 5]> = OnceLock::new();
    let [eu, eea, efta, eu_efta, adequate] = *NAMED.get_or_init(|| {
        let (eu, eea_efta, ch) = (set(&EU), set(&EEA_EFTA), set(&["CH"]));
        let efta = eea_efta.union(ch);
        [eu, eu.union(eea_efta), efta, eu.union(efta), Adequacy::countries()]
    });
    match name {
        "EU" => Some(eu),
        "EEA" => Some(eea),
        "EFTA" => Some(efta),
        "EU_EFTA" => Some(eu_efta),
        "ADEQUATE" => Some(adequate),
        code => code.parse::<Country>().ok().map(|country| CountrySet::from_iter([country])),
    }
}

fn set(codes: &[&str]) -> CountrySet {
    codes.iter().filter_map(|code| code.parse::<Country>().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn len(name: &str) -> usize {
        expand(name).unwrap().len()
    }

    #[test]
    fn regions_have_the_members_that_they_should() {
        assert_eq!(
            (len("EU"), len("EEA"), len("EFTA"), len("EU_EFTA"), len("ADEQUATE")),
            (27, 30, 4, 31, 14)
        );
        assert!(REGION_NAMES.iter().all(|name| expand(name).is_some()));
        let inside = |country: &str, region| expand(country).unwrap().is_subset(expand(region).unwrap());
        assert!(inside("NO", "EEA") && !inside("NO", "EU"));
        assert!(inside("CH", "EU_EFTA") && !inside("CH", "EEA"));
        assert!(inside("GB", "ADEQUATE") && !inside("GB", "EU_EFTA"));
        assert!(!inside("US", "ADEQUATE") && !inside("CA", "ADEQUATE"));
    }

    #[test]
    fn a_country_is_a_region_of_one_and_anything_else_is_none() {
        assert_eq!(expand("CH").map(CountrySet::len), Some(1));
        for wrong in ["eu", "UK", "EUROPE", "", "WORLD", "XX"] {
            assert_eq!(expand(wrong), None, "{wrong:?}");
        }
    }
}
