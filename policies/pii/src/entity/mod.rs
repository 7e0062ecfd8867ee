//! The kinds of entity that the recognizers find, sets of them, and counts by kind.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use crate::{ClassSet, DataClass};

mod kinds;

pub use kinds::EntityType;

/// The group of the kinds that point at one person, household or account: [`EntityType::identifies`], without cards.
const IDENTIFIERS: &str = "identifiers";

/// A set of kinds of entity. In JSON and YAML it is a list of their names. Where it is read, a data class stands for its
/// kinds and `identifiers` for those that point at somebody: [`EntitySet::group`].
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EntitySet(u128);

impl EntitySet {
    /// The names of groups: see [`EntitySet::group`].
    pub const GROUPS: [&'static str; 6] =
        ["personal", "special_category", "phi", "pci", "credentials", IDENTIFIERS];

    /// The set that holds nothing.
    pub const EMPTY: Self = Self(0);

    /// The set of every kind.
    pub const fn all() -> Self {
        Self((1 << EntityType::COUNT) - 1)
    }

    /// Whether the set holds nothing.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds that a detector looks for unless told otherwise.
    pub fn usual() -> Self {
        EntityType::ALL.into_iter().filter(|entity| entity.is_on()).collect()
    }

    /// The kinds that are confirmed by a check digit, or by what their issuer never issues.
    pub fn checked() -> Self {
        let numbers = crate::NumberKind::all().map(|kind| kind.entity);
        let others = [
            EntityType::Card,
            EntityType::Iban,
            EntityType::UsSsn,
            EntityType::DeTaxId,
            EntityType::Vin,
            EntityType::CryptoAddress,
        ];
        numbers.chain(others).collect()
    }

    /// The kinds that a name in a rule's list of kinds stands for, if it names several: a data class for its kinds, and
    /// `identifiers` for whatever points at somebody. Kinds of poor precision are in none of them.
    pub fn group(name: &str) -> Option<Self> {
        let of = |test: &dyn Fn(EntityType) -> bool| {
            Some(Self::usual().iter().filter(|entity| test(*entity)).collect())
        };
        if name == IDENTIFIERS {
            return of(&|entity| entity.identifies() && !entity.data_classes().contains(DataClass::Pci));
        }
        let class: DataClass = name.parse().ok()?;
        of(&|entity| entity.data_classes().contains(class))
    }

    /// How many kinds the set holds.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the set holds `entity`.
    pub const fn contains(self, entity: EntityType) -> bool {
        self.0 & entity.bit() != 0
    }

    /// Adds `entity`.
    pub const fn insert(&mut self, entity: EntityType) {
        self.0 |= entity.bit();
    }

    /// The set with `entity` added.
    #[must_use]
    pub const fn with(self, entity: EntityType) -> Self {
        Self(self.0 | entity.bit())
    }

    /// The kinds in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The kinds in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the sets share a kind.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether `other` holds every kind of this set.
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The kinds, in declaration order.
    pub fn iter(self) -> impl Iterator<Item = EntityType> {
        EntityType::ALL.into_iter().filter(move |entity| self.contains(*entity))
    }

    /// The data classes of the kinds in the set, alone and together: a word about health beside something that
    /// identifies somebody is health information of that person (45 CFR 160.103, GDPR Art. 4(15)).
    pub fn data_classes(self) -> ClassSet {
        let mut classes = self.iter().fold(ClassSet::EMPTY, |all, entity| all.union(entity.data_classes()));
        if self.iter().any(EntityType::is_health) && self.iter().any(EntityType::identifies) {
            classes.insert(DataClass::Phi);
            classes.insert(DataClass::SpecialCategory);
        }
        classes
    }
}

impl FromIterator<EntityType> for EntitySet {
    fn from_iter<I: IntoIterator<Item = EntityType>>(iter: I) -> Self {
        iter.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for EntitySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for EntitySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for EntitySet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let named = Vec::<Named>::deserialize(deserializer)?;
        Ok(named.into_iter().fold(Self::EMPTY, |all, named| all.union(named.0)))
    }
}

/// What one name in a list stands for.
struct Named(EntitySet);

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?;
        if let Some(group) = EntitySet::group(&name) {
            return Ok(Self(group));
        }
        let entity = EntityType::deserialize(name.as_ref().into_deserializer());
        entity.map(|entity| Self(EntitySet::EMPTY.with(entity)))
    }
}

impl JsonSchema for EntitySet {
    fn schema_name() -> Cow<'static, str> {
        "EntitySet".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let entity = generator.subschema_for::<EntityType>();
        let class = generator.subschema_for::<DataClass>();
        let items = json_schema!({ "anyOf": [entity, class, { "const": IDENTIFIERS }] });
        json_schema!({ "type": "array", "items": items, "uniqueItems": true })
    }
}

/// How many findings of each kind. In JSON it is a map from name to count, without zeros; as text it is
/// `EMAIL=2,IBAN=1`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EntityCounts([u32; EntityType::COUNT]);

impl Default for EntityCounts {
    fn default() -> Self {
        Self([0; EntityType::COUNT])
    }
}

impl EntityCounts {
    /// Counts one more of `entity`.
    pub fn add(&mut self, entity: EntityType) {
        if let Some(count) = self.0.get_mut(entity.index()) {
            *count = count.saturating_add(1);
        }
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// How many of `entity`.
    pub fn get(&self, entity: EntityType) -> u32 {
        self.0.get(entity.index()).copied().unwrap_or(0)
    }

    /// Sets the count of `entity`.
    pub fn set(&mut self, entity: EntityType, count: u32) {
        if let Some(slot) = self.0.get_mut(entity.index()) {
            *slot = count;
        }
    }

    /// How many in all.
    pub fn total(&self) -> u32 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// The kinds with a count above zero.
    pub fn entities(&self) -> EntitySet {
        self.iter().map(|(entity, _)| entity).collect()
    }

    /// Kind and count, without zeros, in declaration order.
    pub fn iter(&self) -> impl Iterator<Item = (EntityType, u32)> + '_ {
        EntityType::ALL.into_iter().zip(self.0).filter(|(_, count)| *count > 0)
    }
}

impl fmt::Display for EntityCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (entity, count)) in self.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{entity}={count}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for EntityCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for EntityCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for EntityCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<EntityType, u32>::deserialize(deserializer)?;
        let mut counts = Self::default();
        for (entity, count) in map {
            counts.set(entity, count);
        }
        Ok(counts)
    }
}

impl JsonSchema for EntityCounts {
    fn schema_name() -> Cow<'static, str> {
        "EntityCounts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names = generator.subschema_for::<EntityType>();
        json_schema!({
            "type": "object",
            "propertyNames": names,
            "additionalProperties": { "type": "integer", "minimum": 0 }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataClass::{Credentials, Pci, Personal, Phi, SpecialCategory};
    use EntityType as E;

    #[test]
    fn data_classes_follow_from_kinds_alone_and_together() {
        for (kinds, classes) in [
            (&[E::Email][..], &[Personal][..]),
            (&[E::Card], &[Pci]),
            (&[E::Credential, E::Jwt], &[Credentials]),
            (&[E::HealthTerm], &[]),
            (&[E::HealthCondition], &[SpecialCategory]),
            (&[E::HealthTerm, E::UsSsn], &[Personal, SpecialCategory, Phi]),
            (&[E::DiagnosisCode, E::DateOfBirth], &[Personal, SpecialCategory, Phi]),
            (&[E::HealthTerm, E::Card], &[SpecialCategory, Phi, Pci]),
            (&[E::HealthTerm, E::Url], &[Personal]),
            (&[E::HealthTerm, E::Organisation, E::City], &[]),
            (&[E::MedicalRecordNumber], &[Personal, Phi]),
            (&[E::Religion], &[SpecialCategory]),
            (&[E::TradeUnion, E::Person], &[Personal, SpecialCategory]),
        ] {
            let got = kinds.iter().copied().collect::<EntitySet>().data_classes();
            assert_eq!(got, classes.iter().copied().collect(), "{kinds:?}");
        }
    }

    #[test]
    fn names_of_groups_stand_for_their_kinds() {
        let read = |json: &str| serde_json::from_str::<EntitySet>(json);
        let identifiers = read(r#"["identifiers"]"#).unwrap();
        assert!(identifiers.contains(E::Email) && identifiers.contains(E::PlPesel));
        for entity in [E::Card, E::Url, E::Credential, E::HealthTerm, E::Person] {
            assert!(!identifiers.contains(entity), "{entity}");
        }
        assert_eq!(read(r#"["pci", "JWT"]"#).unwrap(), [E::Card, E::Jwt].into_iter().collect());
        assert!(EntitySet::GROUPS.iter().all(|name| EntitySet::group(name).is_some_and(|of| !of.is_empty())));
        assert!(EntitySet::group("phi").unwrap().is_subset(EntitySet::group("personal").unwrap()));
        let written = serde_json::to_string(&identifiers).unwrap();
        assert_eq!(read(&written).unwrap(), identifiers);
        let wrong = read(r#"["identifier"]"#).unwrap_err().to_string();
        assert!(wrong.contains("unknown variant `identifier`"), "{wrong}");
    }

    #[test]
    fn sets_hold_every_kind() {
        assert_eq!(EntitySet::all().len(), EntityType::COUNT);
        assert!(E::ALL.into_iter().all(|entity| EntitySet::all().contains(entity)));
        assert!(!EntitySet::usual().contains(E::Person) && EntitySet::usual().contains(E::HealthTerm));
        for entity in E::ALL {
            let name = serde_json::to_value(entity).unwrap();
            assert_eq!(name, entity.as_str());
            assert_eq!(entity.as_str().parse::<EntityType>(), Ok(entity));
        }
    }
}
