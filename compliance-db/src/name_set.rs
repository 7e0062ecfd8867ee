//! Small sets of named things as the bits of a `u32`.

/// Defines an enum with `snake_case` names and the set type over it. In files a set is a list of names.
macro_rules! name_set {
    (
        $(#[$enum_doc:meta])* enum $Item:ident { $($(#[$item_doc:meta])* $Variant:ident = $name:literal,)+ }
        $(#[$set_doc:meta])* struct $Set:ident;
    ) => {
        $(#[$enum_doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $Item { $($(#[$item_doc])* $Variant,)+ }

        impl $Item {
            /// Every one of them.
            pub const ALL: &[Self] = &[$(Self::$Variant,)+];

            /// Its name in files and records.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$Variant => $name,)+ }
            }
        }

        impl std::fmt::Display for $Item {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        $(#[$set_doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $Set(u32);

        impl $Set {
            /// The empty set.
            pub const EMPTY: Self = Self(0);

            /// The set that holds them all.
            #[must_use]
            pub fn all() -> Self {
                $Item::ALL.iter().copied().collect()
            }

            /// The set as bits, in the order of the enum; for keys of caches within one process only.
            #[must_use]
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// Adds one.
            pub const fn insert(&mut self, item: $Item) {
                self.0 |= 1 << item as u32;
            }

            /// This set and `item`.
            #[must_use]
            pub const fn with(self, item: $Item) -> Self {
                Self(self.0 | 1 << item as u32)
            }

            /// Whether it holds `item`.
            #[must_use]
            pub const fn contains(self, item: $Item) -> bool {
                self.0 >> item as u32 & 1 == 1
            }

            /// All of either.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// What both hold.
            #[must_use]
            pub const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// What this holds and `other` does not.
            #[must_use]
            pub const fn difference(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// Whether `other` holds all of this.
            #[must_use]
            pub const fn is_subset(self, other: Self) -> bool {
                self.0 & !other.0 == 0
            }

            /// Whether the two share one.
            #[must_use]
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// Whether it holds none.
            #[must_use]
            pub const fn is_empty(&self) -> bool {
                self.0 == 0
            }

            /// What it holds, in the order of the enum.
            pub fn iter(self) -> impl Iterator<Item = $Item> {
                $Item::ALL.iter().copied().filter(move |item| self.contains(*item))
            }
        }

        impl FromIterator<$Item> for $Set {
            fn from_iter<I: IntoIterator<Item = $Item>>(items: I) -> Self {
                let mut set = Self::EMPTY;
                for item in items {
                    set.insert(item);
                }
                set
            }
        }

        /// The names, separated by a comma and a space.
        impl std::fmt::Display for $Set {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                for (at, item) in self.iter().enumerate() {
                    if at > 0 {
                        f.write_str(", ")?;
                    }
                    f.write_str(item.name())?;
                }
                Ok(())
            }
        }

        impl std::fmt::Debug for $Set {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{{{self}}}")
            }
        }

        impl serde::Serialize for $Set {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(self.iter())
            }
        }

        impl<'de> serde::Deserialize<'de> for $Set {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Vec::<$Item>::deserialize(deserializer).map(|items| items.into_iter().collect())
            }
        }

        impl schemars::JsonSchema for $Set {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($Set).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                Vec::<$Item>::json_schema(generator)
            }
        }
    };
}

pub(crate) use name_set;
