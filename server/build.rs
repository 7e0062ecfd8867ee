//! Embeds the console's browser bundle.
//!
//! `BAILIWICK_CONSOLE_DIR` names the folder that `cargo xtask` has built it into: `manifest.json`, the two files it
//! names, and their precompressed twins (`.br`, `.gz`). Without the variable the server is complete but for the
//! bundle, and its pages say so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-env-changed=BAILIWICK_CONSOLE_DIR");
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("console_bundle.rs");
    let folder = std::env::var("BAILIWICK_CONSOLE_DIR").ok().filter(|folder| !folder.is_empty());
    let text = match folder {
        Some(folder) => bundle(Path::new(&folder))?,
        None => String::from(
            "pub(super) static MANIFEST: &str = \"\";\npub(super) static FILES: &[(&str, &[u8])] = &[];\n",
        ),
    };
    std::fs::write(out, text)?;
    Ok(())
}

fn bundle(folder: &Path) -> Result<String, Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut text = format!(
        "pub(super) static MANIFEST: &str = include_str!({:?});\npub(super) static FILES: &[(&str, &[u8])] = &[\n",
        folder.join("manifest.json")
    );
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, std::io::Error>>()?;
    files.sort();
    for file in files {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name != "manifest.json" && file.is_file() {
            writeln!(text, "    ({name:?}, include_bytes!({file:?})),")?;
        }
    }
    text.push_str("];\n");
    Ok(text)
}
