//! Sets of countries as 256 bits.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Country, UnknownRegion, expand};

/// A set of countries: four words, copied freely.
///
/// In files and JSON it is a list. Reading accepts region names (`EU`, `EEA`, ...) beside country codes;
/// writing gives codes only, sorted, so that what is recorded does not change when a region's membership does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CountrySet([u64; 4]);

impl CountrySet {
    /// No country.
    pub const EMPTY: Self = Self([0; 4]);

    /// Every assigned country.
    #[must_use]
    pub fn all() -> Self {
        Country::all().collect()
    }

    /// The union of regions and countries by name, such as `["EU", "CH"]`.
    ///
    /// # Errors
    /// The first name that is neither a region nor a country.
    pub fn from_names<I>(names: I) -> Result<Self, UnknownRegion>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        names.into_iter().try_fold(Self::EMPTY, |set, name| {
            let name = name.as_ref();
            expand(name).map(|more| set.union(more)).ok_or_else(|| UnknownRegion(name.to_owned()))
        })
    }

    /// Adds one country.
    pub fn insert(&mut self, country: Country) {
        *self = self.union(Self::from_iter([country]));
    }

    /// Whether it holds `country`.
    #[must_use]
    pub fn contains(self, country: Country) -> bool {
        Self::from_iter([country]).is_subset(self)
    }

    /// Every country of either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a | e, b | f, c | g, d | h])
    }

    /// The countries of both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a & e, b & f, c & g, d & h])
    }

    /// The countries of this that are not in `other`.
    #[must_use]
    pub fn difference(self, other: Self) -> Self {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Self([a & !e, b & !f, c & !g, d & !h])
    }

    /// Whether every country of this is in `other`. The empty set is a subset of any.
    #[must_use]
    pub fn is_subset(self, other: Self) -> bool {
        self.difference(other).is_empty()
    }

    /// Whether the two share a country.
    #[must_use]
    pub fn intersects(self, other: Self) -> bool {
        !self.intersection(other).is_empty()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::EMPTY
    }

    /// How many countries it holds.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Its countries in the order of their codes.
    pub fn iter(self) -> impl Iterator<Item = Country> {
        self.0.into_iter().enumerate().flat_map(|(word_at, word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .filter_map(move |bit| Country::at(word_at * 64 + bit))
        })
    }
}

impl FromIterator<Country> for CountrySet {
    fn from_iter<I: IntoIterator<Item = Country>>(countries: I) -> Self {
        let mut set = Self::EMPTY;
        for country in countries {
            if let Some(word) = set.0.get_mut(country.index() / 64) {
                *word |= 1 << (country.index() % 64);
            }
        }
        set
    }
}

/// The codes, separated by a comma and a space.
impl fmt::Display for CountrySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, country) in self.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            f.write_str(country.code())?;
        }
        Ok(())
    }
}

impl fmt::Debug for CountrySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

impl Serialize for CountrySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for CountrySet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_names(Vec::<Cow<'de, str>>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for CountrySet {
    fn schema_name() -> Cow<'static, str> {
        "CountrySet".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": { "type": "string", "pattern": "^([A-Z]{2}|EEA|EFTA|EU_EFTA|ADEQUATE)$" },
            "description": "ISO 3166-1 alpha-2 codes and region names (EU, EEA, EFTA, EU_EFTA, ADEQUATE)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> CountrySet {
        CountrySet::from_names(names).unwrap()
    }

    #[test]
    fn every_country_has_a_bit_of_its_own() {
        assert_eq!(CountrySet::all().len(), 249);
        for country in Country::all() {
            assert_eq!(CountrySet::from_iter([country]).iter().collect::<Vec<_>>(), [country]);
        }
    }

    #[test]
    fn set_operations() {
        let (a, b) = (set(&["DE", "ZW"]), set(&["DE", "AD"]));
        assert_eq!(a.union(b), set(&["AD", "DE", "ZW"]));
        assert_eq!(a.intersection(b), set(&["DE"]));
        assert_eq!(a.difference(b), set(&["ZW"]));
        assert!(set(&["DE"]).is_subset(a) && !a.is_subset(b) && CountrySet::EMPTY.is_subset(b));
        assert!(a.intersects(b) && !set(&["ZW"]).intersects(b));
    }

    #[test]
    fn reading_expands_regions_and_writing_names_countries() {
        let read: CountrySet = serde_json::from_str(r#"["CH","EFTA"]"#).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["CH","IS","LI","NO"]"#);
        let error = serde_json::from_str::<CountrySet>(r#"["EUROPE"]"#).unwrap_err().to_string();
        assert!(error.contains("EUROPE") && error.contains("EEA"), "{error}");
    }
}
