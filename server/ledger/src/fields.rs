//! Serde helpers shared by the strict readers.

use serde::{Deserialize, Deserializer};

/// Deserializes a field that may be absent but, where present, must hold a value: `null` is refused.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
