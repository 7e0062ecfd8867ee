//! Data classes and sensitivity: what a request holds, as policy sees it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::UnknownName;

/// A class of data that the law or a contract treats apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DataClass {
    /// Personal data: GDPR Art. 4(1).
    Personal,
    /// Special categories of personal data: GDPR Art. 9(1).
    SpecialCategory,
    /// Protected health information: 45 CFR 160.103.
    Phi,
    /// Cardholder data: PCI DSS v4.0.1, section 2.
    Pci,
    /// Secrets that authenticate somebody or something.
    Credentials,
}

impl DataClass {
    /// Every class, in declaration order.
    pub const ALL: [Self; 5] =
        [Self::Personal, Self::SpecialCategory, Self::Phi, Self::Pci, Self::Credentials];

    /// The name used in rules, headers and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::SpecialCategory => "special_category",
            Self::Phi => "phi",
            Self::Pci => "pci",
            Self::Credentials => "credentials",
        }
    }

    const fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

impl fmt::Display for DataClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DataClass {
    type Err = UnknownName;

    fn from_str(s: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|class| class.as_str() == s)
            .ok_or_else(|| UnknownName::new("data class", Self::ALL.map(Self::as_str)))
    }
}

/// A set of data classes. In JSON and YAML it is a list of their names.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ClassSet(u8);

impl ClassSet {
    /// The set that holds nothing.
    pub const EMPTY: Self = Self(0);

    /// The set of every class.
    pub const fn all() -> Self {
        Self((1 << DataClass::ALL.len()) - 1)
    }

    /// Whether the set holds nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many classes the set holds.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the set holds `class`.
    pub const fn contains(self, class: DataClass) -> bool {
        self.0 & class.bit() != 0
    }

    /// Adds `class`.
    pub const fn insert(&mut self, class: DataClass) {
        self.0 |= class.bit();
    }

    /// The set with `class` added.
    #[must_use]
    pub const fn with(self, class: DataClass) -> Self {
        Self(self.0 | class.bit())
    }

    /// The classes in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The classes in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The classes of this set that `other` lacks.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the sets share a class.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether `other` holds every class of this set.
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The classes, in declaration order.
    pub fn iter(self) -> impl Iterator<Item = DataClass> {
        DataClass::ALL.into_iter().filter(move |class| self.contains(*class))
    }

    /// The set as bits, bit `n` for the `n`th of [`DataClass::ALL`].
    pub const fn bits(self) -> u8 {
        self.0
    }
}

impl FromIterator<DataClass> for ClassSet {
    fn from_iter<I: IntoIterator<Item = DataClass>>(iter: I) -> Self {
        iter.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl Extend<DataClass> for ClassSet {
    fn extend<I: IntoIterator<Item = DataClass>>(&mut self, iter: I) {
        for class in iter {
            self.insert(class);
        }
    }
}

impl From<DataClass> for ClassSet {
    fn from(class: DataClass) -> Self {
        Self::EMPTY.with(class)
    }
}

impl fmt::Debug for ClassSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for ClassSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for ClassSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<DataClass>::deserialize(deserializer).map(|classes| classes.into_iter().collect())
    }
}

impl JsonSchema for ClassSet {
    fn schema_name() -> Cow<'static, str> {
        "ClassSet".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let items = generator.subschema_for::<DataClass>();
        json_schema!({ "type": "array", "items": items, "uniqueItems": true })
    }
}

/// How much harm disclosure would do, least first. What nobody declared is `internal`.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// Meant for anybody.
    Public,
    /// Meant for the organisation.
    #[default]
    Internal,
    /// Meant for named groups.
    Confidential,
    /// Meant for named people.
    Restricted,
}

impl Sensitivity {
    /// Every level, least first.
    pub const ALL: [Self; 4] = [Self::Public, Self::Internal, Self::Confidential, Self::Restricted];

    /// The name used in rules, headers and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Internal => "internal",
            Self::Confidential => "confidential",
            Self::Restricted => "restricted",
        }
    }
}

impl fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Sensitivity {
    type Err = UnknownName;

    fn from_str(s: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .into_iter()
            .find(|level| level.as_str() == s)
            .ok_or_else(|| UnknownName::new("sensitivity", Self::ALL.map(Self::as_str)))
    }
}
