//! `bailiwick policy pack`: the packs that ship, and copying one into a bundle's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bailiwick_policy::{PackManifest, shipped_pack, shipped_packs};
use clap::Subcommand;
use serde_json::json;

use super::{Failed, Output};

#[derive(Debug, Subcommand)]
pub(super) enum PackCommand {
    /// The packs that ship with this program
    List,
    /// Copy a pack into a bundle's folder, where `include` in bundle.yaml finds it
    Add {
        /// The pack
        name: String,
        /// The bundle's folder
        dir: PathBuf,
        /// Replace a copy that differs
        #[arg(long)]
        replace: bool,
    },
}

pub(super) fn run(command: PackCommand, output: Output) -> Result<(), Failed> {
    match command {
        PackCommand::List => {
            let packs: Vec<PackManifest> = shipped_packs().iter().filter_map(|name| manifest(name)).collect();
            output.result(&packs, || {
                let line =
                    |pack: &PackManifest| format!("{:<18} {}  {}", pack.name, pack.version, pack.title);
                packs.iter().map(line).collect::<Vec<_>>().join("\n")
            });
            Ok(())
        }
        PackCommand::Add { name, dir, replace } => add(&name, &dir, replace, output),
    }
}

fn manifest(name: &str) -> Option<PackManifest> {
    let files = shipped_pack(name);
    serde_norway::from_str(files.get(&format!("packs/{name}/pack.yaml"))?).ok()
}

fn add(name: &str, dir: &Path, replace: bool, output: Output) -> Result<(), Failed> {
    let Some(manifest) = manifest(name) else {
        let known: Vec<String> = shipped_packs().into_iter().collect();
        return Err(Failed::Said(format!("no pack `{name}` ships; there are {}", known.join(", "))));
    };
    if !dir.join("bundle.yaml").is_file() {
        return Err(Failed::Said(format!("{} is no bundle: it has no bundle.yaml", dir.display())));
    }
    let files = shipped_pack(name);
    let folder = dir.join("packs").join(name);
    let there = crate::app::read_bundle(dir)?.files;
    let prefix = format!("packs/{name}/");
    let there: BTreeMap<&str, &str> = there
        .iter()
        .filter(|(path, _)| path.starts_with(&prefix))
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let same = there.len() == files.len()
        && files.iter().all(|(path, text)| there.get(path.as_str()) == Some(&text.as_str()));
    if !there.is_empty() && !same {
        if !replace {
            return Err(Failed::Said(format!(
                "{} holds something else already; `--replace` replaces it",
                folder.display()
            )));
        }
        std::fs::remove_dir_all(&folder).map_err(Failed::file(&folder))?;
    }
    for (path, text) in &files {
        let path = dir.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(Failed::file(parent))?;
        }
        std::fs::write(&path, text).map_err(Failed::file(&path))?;
    }
    let told = json!({ "pack": name, "version": manifest.version, "folder": folder, "files": files.len() });
    output.result(&told, || {
        format!(
            "{} {} is in {}. To have it hold, write into bundle.yaml:\n\ninclude:\n  - {{ pack: {name}, scope: / }}",
            name,
            manifest.version,
            folder.display()
        )
    });
    Ok(())
}
