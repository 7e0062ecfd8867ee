//! Regions whose national telephone numbers are recognised.

use std::borrow::Cow;
use std::fmt;

use phonenumber::metadata::DATABASE;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Two letters, as a number below this.
const CODES: usize = 26 * 26;
const WORDS: usize = CODES.div_ceil(64);

/// A set of regions with a numbering plan of their own: codes of ISO 3166-1 alpha-2, such as `US` or `IN`. In JSON and YAML
/// it is a list of them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct PhoneRegions([u64; WORDS]);

impl PhoneRegions {
    /// No region.
    pub const NONE: Self = Self([0; WORDS]);

    /// Whether the set holds nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// Adds a region; false if no numbering plan of it is known.
    pub fn insert(&mut self, region: &str) -> bool {
        let Some(at) = index(region).filter(|_| DATABASE.by_id(region).is_some()) else { return false };
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
        true
    }

    /// The numbers of the regions, ascending: their place among all pairs of letters.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
                rest &= rest - 1;
                Some(at * 64 + bit)
            })
        })
    }

    /// How many regions there can be.
    pub(crate) const fn count() -> usize {
        CODES
    }
}

/// The place of a pair of capitals among all of them.
fn index(region: &str) -> Option<usize> {
    let letter = |b: u8| b.is_ascii_uppercase().then(|| usize::from(b - b'A'));
    match region.as_bytes() {
        [first, second] => Some(letter(*first)? * 26 + letter(*second)?),
        _ => None,
    }
}

/// The pair of capitals at a place.
pub(crate) fn code(index: usize) -> String {
    let letter = |n: usize| u8::try_from(n % 26).map_or('?', |n| char::from(b'A' + n));
    [letter(index / 26), letter(index)].iter().collect()
}

impl fmt::Debug for PhoneRegions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(code)).finish()
    }
}

impl Serialize for PhoneRegions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(code))
    }
}

impl<'de> Deserialize<'de> for PhoneRegions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut regions = Self::NONE;
        for region in Vec::<String>::deserialize(deserializer)? {
            if !regions.insert(&region) {
                return Err(de::Error::custom(format!(
                    "no numbering plan of `{region}` is known; write a country code of ISO 3166-1 in capitals, such as `US`"
                )));
            }
        }
        Ok(regions)
    }
}

impl JsonSchema for PhoneRegions {
    fn schema_name() -> Cow<'static, str> {
        "PhoneRegions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": { "type": "string", "pattern": "^[A-Z]{2}$" }, "uniqueItems": true })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_those_with_a_numbering_plan() {
        let regions: PhoneRegions = serde_json::from_str(r#"["US", "IN", "US"]"#).unwrap();
        assert_eq!(serde_json::to_string(&regions).unwrap(), r#"["IN","US"]"#);
        assert!(!regions.is_empty() && PhoneRegions::NONE.is_empty());
        for wrong in ["UK", "us", "USA", "ZZ", "", "\u{c4}"] {
            assert!(!PhoneRegions::default().insert(wrong), "{wrong}");
            let error = serde_json::from_value::<PhoneRegions>(serde_json::json!([wrong])).unwrap_err();
            assert!(error.to_string().contains("ISO 3166-1"), "{error}");
        }
        assert_eq!((code(index("AA").unwrap()), code(index("ZW").unwrap())), ("AA".into(), "ZW".into()));
    }
}
