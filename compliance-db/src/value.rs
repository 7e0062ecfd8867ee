//! Typed values of attributes, and how two of them join.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CountrySet, name_set::name_set};

/// Where something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Locations {
    /// The countries named. Empty, and not worldwide, means nowhere: it does not happen at all.
    #[serde(default)]
    pub countries: CountrySet,
    /// No promise is made: any country is possible.
    #[serde(default)]
    pub worldwide: bool,
    /// The source says that countries may be added without notice, so the set holds only while its evidence is
    /// young.
    #[serde(default)]
    pub may_grow: bool,
}

impl Locations {
    /// It does not happen at all.
    pub const NOWHERE: Self = Self { countries: CountrySet::EMPTY, worldwide: false, may_grow: false };
    /// Anywhere.
    pub const WORLDWIDE: Self = Self { countries: CountrySet::EMPTY, worldwide: true, may_grow: false };

    /// Exactly these countries.
    #[must_use]
    pub const fn of(countries: CountrySet) -> Self {
        Self { countries, worldwide: false, may_grow: false }
    }

    /// Either's places.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            countries: self.countries.union(other.countries),
            worldwide: self.worldwide || other.worldwide,
            may_grow: self.may_grow || other.may_grow,
        }
    }

    /// Whether every place is in `allowed`. Worldwide is within no set, not even that of all countries.
    #[must_use]
    pub fn within(self, allowed: CountrySet) -> bool {
        !self.worldwide && self.countries.is_subset(allowed)
    }
}

/// `worldwide`, `nowhere`, or the codes in braces.
impl fmt::Display for Locations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.worldwide {
            return f.write_str("worldwide");
        }
        if self.countries.is_empty() {
            return f.write_str("nowhere");
        }
        write!(f, "{{{}}}", self.countries)?;
        if self.may_grow { f.write_str(" (may grow)") } else { Ok(()) }
    }
}

/// Whose machines serve the model, from the strictest separation to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hosting {
    /// Machines under the organisation's own control.
    OnPremises,
    /// Machines of a provider, reserved for this organisation.
    Dedicated,
    /// Machines of a provider that serve its other customers too.
    Shared,
}

impl Hosting {
    /// Its name in files and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OnPremises => "on_premises",
            Self::Dedicated => "dedicated",
            Self::Shared => "shared",
        }
    }
}

impl fmt::Display for Hosting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

name_set! {
    /// On what ground personal data goes to a country outside the EEA (GDPR Chapter V).
    enum Mechanism {
        /// No transfer takes place.
        None = "none",
        /// An adequacy decision for the country (Art. 45).
        Adequacy = "adequacy",
        /// Certification of the recipient under the EU-US Data Privacy Framework (Decision (EU) 2023/1795).
        Dpf = "dpf",
        /// Standard contractual clauses (Art. 46(2)(c)).
        Scc = "scc",
        /// Binding corporate rules (Art. 47).
        Bcr = "bcr",
    }

    /// The grounds that the transfers of an endpoint rely on, one or more: each leg of the way needs one, so a
    /// requirement holds only where it allows every one of them.
    struct MechanismSet;
}

/// The value of an attribute. Which variant an attribute has is told by [`Attribute::kind`](crate::Attribute::kind).
///
/// As JSON or YAML: `{countries: [...], worldwide, may_grow}`, `true`, `30`, `shared`, `[scc, dpf]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    /// Where.
    Locations(Locations),
    /// Whether.
    Bool(bool),
    /// How many days at most. [`Value::FOREVER`] means without end.
    Days(u32),
    /// On whose machines.
    Hosting(Hosting),
    /// On which grounds.
    Mechanisms(MechanismSet),
}

impl Value {
    /// Kept without end.
    pub const FOREVER: Self = Self::Days(u32::MAX);
}

/// The value in words: `{DE, FR}`, `yes`, `30 days`, `shared`, `scc, dpf`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locations(locations) => locations.fmt(f),
            Self::Bool(true) => f.write_str("yes"),
            Self::Bool(false) => f.write_str("no"),
            &Self::FOREVER => f.write_str("without end"),
            Self::Days(1) => f.write_str("1 day"),
            Self::Days(days) => write!(f, "{days} days"),
            Self::Hosting(hosting) => hosting.fmt(f),
            Self::Mechanisms(mechanisms) => mechanisms.fmt(f),
        }
    }
}
