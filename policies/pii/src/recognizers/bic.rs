//! Business identifier codes of banks (BIC, SWIFT codes).
//!
//! Source: ISO 9362 (<https://www.swift.com/standards/data-standards/bic-business-identifier-code>). Validator: four letters,
//! a country of ISO 3166-1, two letters or digits, three more for a branch; only after a word for it, since `DOCUMENT` has
//! the form as well. Not found: codes without a word such as *BIC* or *SWIFT* within a few words before.

use super::{Candidates, Input};
use crate::EntityType;

/// What the pre-filter looks for.
pub(crate) const WORDS: &[&str] = &["BIC", "bic", "Bic", "SWIFT", "Swift", "swift"];

/// The countries of ISO 3166-1 alpha-2 (<https://www.iso.org/obp/ui/#search>), and XK, which banks in Kosovo use.
const COUNTRIES: &str = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCO\
CRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISIT\
JEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZ\
OMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUM\
USUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW";

/// Looks behind the word that ends at `end`; where to go on.
pub(crate) fn word(input: &Input<'_>, start: usize, end: usize, found: &mut Candidates) -> usize {
    if !input.begins(start) || !input.ends(end) {
        return end;
    }
    let mut at = end + input.run(end, 12, |b| b" :=#/\"'.-\t([".contains(&b));
    for word in ["code", "CODE", "Code", "BIC", "SWIFT", "is", "ist", "est", "nummer", "number", "no", "Nr"] {
        let next = at + word.len();
        if input.span(at, next) == word.as_bytes() && input.ends(next) {
            at = next + input.run(next, 6, |b| b" :=#\"'.".contains(&b));
        }
    }
    let len = input.run(at, 12, |b| b.is_ascii_alphanumeric());
    // `a swift document`
    let code = input.slice(at, at + len);
    let country = code
        .get(4..6)
        .is_some_and(|country| COUNTRIES.as_bytes().chunks(2).any(|known| known == country.as_bytes()));
    let letters = code.get(..6).is_some_and(|head| head.bytes().all(|b| b.is_ascii_uppercase()));
    if matches!(len, 8 | 11) && letters && country {
        found.add(EntityType::Bic, at, at + len, 90);
        return at + len;
    }
    end
}

#[cfg(test)]
mod tests {
    use crate::EntityType::Bic;
    use crate::recognizers::table::{finds, finds_not};

    #[test]
    fn examples() {
        finds(
            Bic,
            &[
                ("BIC: [COBADEFFXXX], Commerzbank", 90),
                ("SWIFT code [DEUTDEFF500]", 90),
                ("swift/bic [BNPAFRPP]", 90),
                ("BIC ist [GENODEF1M01].", 90),
            ],
        );
        finds_not(
            Bic,
            &["DOCUMENT", "a swift document", "BIC COBAXXFFXXX", "SWIFT is a language", "arabic DEUTDEFF"],
        );
    }
}
