//! ISO 3166-1 alpha-2 country codes.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The officially assigned alpha-2 codes, sorted; a country's place here is its bit in a
/// [`CountrySet`](crate::CountrySet). Source: ISO 3166-1, <https://www.iso.org/obp/ui/#search/code/>.
const CODES: &[u8] = b"ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZ\
CACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGY\
HKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMS\
MTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSX\
SYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

/// How many codes are assigned.
pub(crate) const COUNT: usize = CODES.len() / 2;

/// A country, as its place in the table of ISO 3166-1 alpha-2 codes. Only assigned codes exist.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(u8);

/// The text is no assigned ISO 3166-1 alpha-2 code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an ISO 3166-1 alpha-2 country code (two upper-case letters, such as DE; the United Kingdom is GB)"
)]
pub struct UnknownCountry(pub String);

impl Country {
    /// The alpha-2 code, such as `DE`.
    #[must_use]
    pub fn code(self) -> &'static str {
        let at = usize::from(self.0) * 2;
        CODES.get(at..at + 2).and_then(|code| std::str::from_utf8(code).ok()).unwrap_or("ZZ")
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    pub(crate) fn at(index: usize) -> Option<Self> {
        (index < COUNT).then(|| u8::try_from(index).ok().map(Self)).flatten()
    }

    /// Every assigned country, in the order of their codes.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..COUNT).filter_map(Self::at)
    }
}

impl FromStr for Country {
    type Err = UnknownCountry;

    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        let (codes, _) = CODES.as_chunks::<2>();
        codes
            .binary_search_by(|code| code.as_slice().cmp(text.as_bytes()))
            .ok()
            .and_then(Self::at)
            .ok_or_else(|| UnknownCountry(text.to_owned()))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Country {
    fn schema_name() -> Cow<'static, str> {
        "Country".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Z]{2}$", "description": "ISO 3166-1 alpha-2 code" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_complete_sorted_and_without_repeats() {
        let (codes, rest) = CODES.as_chunks::<2>();
        assert!(rest.is_empty());
        assert_eq!(codes.len(), 249);
        assert!(codes.is_sorted_by(|a, b| a < b));
        assert!(Country::all().all(|country| country.code().parse() == Ok(country)));
    }

    #[test]
    fn only_assigned_codes_in_upper_case_are_countries() {
        for wrong in ["", "D", "de", "DEU", "UK", "EU", "XX", "ZZ", "Dé", "A\0"] {
            assert!(wrong.parse::<Country>().is_err(), "{wrong:?}");
        }
    }

    /// YAML 1.1 reads a bare `NO` as false; a fact about Norway must not vanish that way.
    #[test]
    fn norway_in_yaml_stays_norway() {
        let read: Vec<Country> = serde_norway::from_str("[SE, NO, \"NO\"]").unwrap();
        assert_eq!(read, ["SE", "NO", "NO"].map(|code| code.parse().unwrap()));
    }
}
