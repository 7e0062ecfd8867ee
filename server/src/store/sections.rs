//! The packed form of a record's sections: those that still exist, in one value of one row.
//!
//! For each section: the length of its name (2 bytes), the name, the salt (32 bytes), the length of its bytes
//! (4 bytes), the bytes; lengths most significant byte first. A row a section would triple what an append
//! inserts; destroying a section rewrites the value without it.

use std::borrow::Cow;

use bailiwick_ledger::Section;

use super::StoreError;

/// Packs `sections`.
pub(crate) fn pack(sections: &[Section]) -> Result<Vec<u8>, StoreError> {
    let length: usize = sections.iter().map(|section| 38 + section.name.len() + section.bytes.len()).sum();
    let mut packed = Vec::with_capacity(length);
    let too_long = |_| StoreError::Conflict("a section is longer than 4 GiB".into());
    for section in sections {
        let name = u16::try_from(section.name.len()).map_err(too_long)?;
        packed.extend_from_slice(&name.to_be_bytes());
        packed.extend_from_slice(section.name.as_bytes());
        packed.extend_from_slice(&section.salt);
        let bytes = u32::try_from(section.bytes.len()).map_err(too_long)?;
        packed.extend_from_slice(&bytes.to_be_bytes());
        packed.extend_from_slice(&section.bytes);
    }
    Ok(packed)
}

/// The sections that `packed` holds.
pub(crate) fn unpack(packed: &[u8]) -> Result<Vec<Section>, StoreError> {
    let mut rest = packed;
    let mut sections = Vec::new();
    while !rest.is_empty() {
        let (section, after) =
            unpack_one(rest).ok_or_else(|| StoreError::Corrupt("the sections of a record".into()))?;
        sections.push(section);
        rest = after;
    }
    Ok(sections)
}

fn unpack_one(packed: &[u8]) -> Option<(Section, &[u8])> {
    let (length, rest) = packed.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    let (salt, rest) = rest.split_first_chunk::<32>()?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (bytes, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    let name = Cow::Owned(String::from_utf8(name.to_vec()).ok()?);
    Some((Section { name, salt: *salt, bytes: bytes.to_vec() }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sections_survive_packing(parts in proptest::collection::vec(("[a-z]{1,12}", any::<[u8; 32]>(), any::<Vec<u8>>()), 0..5)) {
            let sections: Vec<Section> = parts
                .into_iter()
                .map(|(name, salt, bytes)| Section { name: Cow::Owned(name), salt, bytes })
                .collect();
            prop_assert_eq!(unpack(&pack(&sections).unwrap()).unwrap(), sections);
        }

        #[test]
        fn hostile_bytes_are_refused_or_read_but_never_panic(bytes in any::<Vec<u8>>()) {
            if let Ok(sections) = unpack(&bytes) {
                prop_assert_eq!(pack(&sections).unwrap(), bytes);
            }
        }
    }
}
