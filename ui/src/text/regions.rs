//! Sets of countries as people say them: `EU`, `EEA`, and the rest by code. Twenty-eight codes in a row are read by nobody.

use super::Lang;

/// The member states. Source: <https://european-union.europa.eu/principles-countries-history/eu-countries_en>.
const EU: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// The EFTA states that are party to the EEA Agreement. Source: <https://www.efta.int/about-efta/efta-states>.
const EEA_EFTA: [&str; 3] = ["IS", "LI", "NO"];

/// A country, or a group of which every member is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// `DE`, `EU`, `EEA`.
    pub code: String,
    /// The name in the reader's language.
    pub name: String,
}

/// The fewest regions that stand for exactly these countries; what is no country's code stays as it is.
#[must_use]
pub fn regions(codes: &[String], lang: Lang) -> Vec<Region> {
    let holds = |group: &[&str]| group.iter().all(|code| codes.iter().any(|known| known == code));
    let (eu, efta) = (holds(&EU), holds(&EEA_EFTA));
    let group = match (eu, efta) {
        (true, true) => Some(("EEA", lang.text().decision.eea)),
        (true, false) => Some(("EU", lang.text().decision.eu)),
        _ => None,
    };
    let covered = |code: &str| eu && (EU.contains(&code) || (efta && EEA_EFTA.contains(&code)));
    let group = group.map(|(code, name)| Region { code: code.to_owned(), name: name.to_owned() });
    let rest = codes
        .iter()
        .filter(|code| !covered(code))
        .map(|code| Region { code: code.clone(), name: lang.country(code) });
    group.into_iter().chain(rest).collect()
}

/// A text in which a set of countries in braces, `{AT, BE, …}`, is told by its regions.
#[must_use]
pub fn with_regions(text: &str, lang: Lang) -> String {
    let Some((before, rest)) = text.split_once('{') else { return text.to_owned() };
    let Some((set, after)) = rest.split_once('}') else { return text.to_owned() };
    let codes: Vec<String> = set.split(',').map(|code| code.trim().to_owned()).collect();
    let told: Vec<String> = regions(&codes, lang).into_iter().map(|region| region.code).collect();
    format!("{before}{}{after}", told.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(codes: &[&str]) -> Vec<String> {
        let codes: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
        regions(&codes, Lang::En).into_iter().map(|region| region.code).collect()
    }

    #[test]
    fn a_group_is_named_only_if_all_of_it_is_meant() {
        let some = ["CH", "DE", "NO"];
        assert_eq!(told(&some), some);
        assert_eq!(told(&[&EU[..], &["CH", "NO"]].concat()), ["EU", "CH", "NO"]);
        assert_eq!(told(&[&EU[..], &EEA_EFTA, &["CH"]].concat()), ["EEA", "CH"]);
        assert_eq!(told(&EU[1..]), EU[1..]);
        assert_eq!(told(&EEA_EFTA), EEA_EFTA);
        assert!(told(&[]).is_empty());
    }

    #[test]
    fn a_set_within_a_text_is_told_by_its_regions() {
        let text = format!("{{{}, CH}} (may grow)", EU.join(", "));
        assert_eq!(with_regions(&text, Lang::En), "EU, CH (may grow)");
        assert_eq!(with_regions("{US}", Lang::En), "US");
        assert_eq!(with_regions("unknown", Lang::En), "unknown");
        assert_eq!(with_regions("{a", Lang::En), "{a");
    }
}
