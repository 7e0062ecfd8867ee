//! The files of a bundle as text, and their digest.

use crate::problem::Problem;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

#[derive(RustEmbed)]
#[folder = "../starter"]
struct Starter;

/// The files of a bundle: path relative to its folder, with `/` between segments, to text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleSource {
    /// Relative path to content.
    pub files: BTreeMap<String, String>,
}

impl BundleSource {
    /// The bundle that ships with the product.
    #[must_use]
    pub fn starter() -> Self {
        let files = Starter::iter()
            .filter_map(|path| {
                let file = Starter::get(&path)?;
                Some((path.into_owned(), String::from_utf8_lossy(&file.data).into_owned()))
            })
            .collect();
        Self { files }
    }

    /// `sha256:<hex>` over the list of files: the SHA-256 of what `sha256sum` prints for them in byte order of
    /// their paths (`<hex>  <path>\n` each), so that anyone can compute it without this program. Paths with a
    /// segment that starts with a dot are left out.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut list = String::new();
        for (path, text) in self.visible() {
            let _ = writeln!(list, "{}  {path}", hex::encode(Sha256::digest(text.as_bytes())));
        }
        format!("sha256:{}", hex::encode(Sha256::digest(list.as_bytes())))
    }

    /// The files that count: no hidden ones.
    pub(crate) fn visible(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter(|(path, _)| !path.split('/').any(|segment| segment.starts_with('.')))
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The YAML files directly in a folder.
    pub(crate) fn yaml_in<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let folder = folder.to_owned();
        self.visible().filter(move |(path, _)| {
            kind(path) == Kind::Yaml && path.rsplit_once('/').is_some_and(|(f, _)| f == folder)
        })
    }

    /// Files in places where a bundle keeps nothing. Each would otherwise be a rule that its author believes in
    /// and nobody applies.
    pub(crate) fn misplaced(&self) -> Vec<Problem> {
        // The digest is of a list of names, one to a line, and `sha256sum` writes such names otherwise.
        let odd = self.visible().filter(|(path, _)| path.chars().any(|c| c.is_control() || c == '\\')).map(
            |(path, _)| {
                let what = "the name holds a control character or a backslash";
                Problem::error(path.escape_default().to_string(), what, "call the file otherwise")
            },
        );
        let nobodys = self
            .visible()
            .filter(|(path, _)| match kind(path) {
                Kind::Other => false,
                Kind::Rbac => !matches!(*path, "rbac/model.conf" | "rbac/policy.csv"),
                Kind::Yaml => match crate::pack::folder(path) {
                    Some((_, within)) => {
                        within != "pack.yaml"
                            && !matches!(within.rsplit_once('/'), Some(("rules" | "tests", _)))
                    }
                    None => {
                        *path != "bundle.yaml"
                            && !matches!(path.rsplit_once('/'), Some(("rules" | "exceptions" | "attestations" | "compliance" | "tests", _)))
                    }
                },
            })
            .map(|(path, _)| {
                Problem::error(
                    path,
                    "a bundle keeps no such file, so it would be ignored",
                    "a bundle holds bundle.yaml, rbac/model.conf, rbac/policy.csv, *.yaml directly in rules/, \
                     exceptions/, attestations/, compliance/ and tests/, and in packs/<name>/ pack.yaml and *.yaml directly in \
                     rules/ and tests/",
                )
            });
        odd.chain(nobodys).collect()
    }
}

#[derive(PartialEq, Eq)]
enum Kind {
    Yaml,
    Rbac,
    Other,
}

fn kind(path: &str) -> Kind {
    match path.rsplit_once('.').map(|(_, ext)| ext.to_ascii_lowercase()).as_deref() {
        Some("yaml" | "yml") => Kind::Yaml,
        Some("conf" | "csv") => Kind::Rbac,
        _ => Kind::Other,
    }
}
