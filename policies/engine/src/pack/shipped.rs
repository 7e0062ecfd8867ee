//! The packs that ship with the product.

use rust_embed::RustEmbed;
use std::collections::{BTreeMap, BTreeSet};

#[derive(RustEmbed)]
#[folder = "../packs"]
struct Packs;

/// The names of the packs that ship.
#[must_use]
pub fn shipped_packs() -> BTreeSet<String> {
    Packs::iter().filter_map(|path| path.split_once('/').map(|(name, _)| name.to_owned())).collect()
}

/// The files of a pack that ships, by their path in a bundle's folder (`packs/hipaa/pack.yaml`); none where no pack of
/// that name does.
#[must_use]
pub fn shipped_pack(name: &str) -> BTreeMap<String, String> {
    let folder = format!("{name}/");
    Packs::iter()
        .filter(|path| path.starts_with(&folder))
        .filter_map(|path| {
            let file = Packs::get(&path)?;
            Some((format!("packs/{path}"), String::from_utf8_lossy(&file.data).into_owned()))
        })
        .collect()
}
