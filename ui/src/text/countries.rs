//! Names of countries by ISO 3166-1 alpha-2 code: the EEA, Switzerland, the United Kingdom, and where the large clouds have regions.

use super::Lang;

/// The name in this language; none for a code that is not listed.
pub(super) fn name(code: &str, lang: Lang) -> Option<&'static str> {
    COUNTRIES.iter().find(|(known, ..)| *known == code).map(|(_, en, de)| match lang {
        Lang::En => *en,
        Lang::De => *de,
    })
}

const COUNTRIES: &[(&str, &str, &str)] = &[
    ("AE", "United Arab Emirates", "Vereinigte Arabische Emirate"),
    ("AT", "Austria", "Österreich"),
    ("AU", "Australia", "Australien"),
    ("BE", "Belgium", "Belgien"),
    ("BG", "Bulgaria", "Bulgarien"),
    ("BH", "Bahrain", "Bahrain"),
    ("BR", "Brazil", "Brasilien"),
    ("CA", "Canada", "Kanada"),
    ("CH", "Switzerland", "Schweiz"),
    ("CL", "Chile", "Chile"),
    ("CN", "China", "China"),
    ("CY", "Cyprus", "Zypern"),
    ("CZ", "Czechia", "Tschechien"),
    ("DE", "Germany", "Deutschland"),
    ("DK", "Denmark", "Dänemark"),
    ("EE", "Estonia", "Estland"),
    ("ES", "Spain", "Spanien"),
    ("FI", "Finland", "Finnland"),
    ("FR", "France", "Frankreich"),
    ("GB", "United Kingdom", "Vereinigtes Königreich"),
    ("GR", "Greece", "Griechenland"),
    ("HK", "Hong Kong", "Hongkong"),
    ("HR", "Croatia", "Kroatien"),
    ("HU", "Hungary", "Ungarn"),
    ("ID", "Indonesia", "Indonesien"),
    ("IE", "Ireland", "Irland"),
    ("IL", "Israel", "Israel"),
    ("IN", "India", "Indien"),
    ("IS", "Iceland", "Island"),
    ("IT", "Italy", "Italien"),
    ("JP", "Japan", "Japan"),
    ("KR", "South Korea", "Südkorea"),
    ("LI", "Liechtenstein", "Liechtenstein"),
    ("LT", "Lithuania", "Litauen"),
    ("LU", "Luxembourg", "Luxemburg"),
    ("LV", "Latvia", "Lettland"),
    ("MT", "Malta", "Malta"),
    ("MX", "Mexico", "Mexiko"),
    ("MY", "Malaysia", "Malaysia"),
    ("NL", "Netherlands", "Niederlande"),
    ("NO", "Norway", "Norwegen"),
    ("NZ", "New Zealand", "Neuseeland"),
    ("PL", "Poland", "Polen"),
    ("PT", "Portugal", "Portugal"),
    ("QA", "Qatar", "Katar"),
    ("RO", "Romania", "Rumänien"),
    ("SA", "Saudi Arabia", "Saudi-Arabien"),
    ("SE", "Sweden", "Schweden"),
    ("SG", "Singapore", "Singapur"),
    ("SI", "Slovenia", "Slowenien"),
    ("SK", "Slovakia", "Slowakei"),
    ("TH", "Thailand", "Thailand"),
    ("TW", "Taiwan", "Taiwan"),
    ("US", "United States", "Vereinigte Staaten"),
    ("ZA", "South Africa", "Südafrika"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_and_unique() {
        let codes: Vec<_> = COUNTRIES.iter().map(|(code, ..)| *code).collect();
        assert!(codes.is_sorted());
        assert!(codes.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
