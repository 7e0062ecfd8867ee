//! What is read once, at the start: the policy bundle and the compliance database.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bailiwick_pii::Detector;
use bailiwick_policy::{BundleSource, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES};

use super::{Config, StartError};
use crate::outbound::Guard;
use crate::snapshot::{LoadedBundle, Sources};

/// Loads the bundle (the starter bundle where nothing else is configured; none where a repository is followed), and the
/// compliance database of the files `shipped` with what the bundle adds to them.
///
/// # Errors
/// [`StartError`].
pub fn sources(config: &Config, shipped: BTreeMap<String, String>) -> Result<Sources, StartError> {
    let load = |folder: String, source: BundleSource| {
        LoadedBundle::of(source, &shipped).map(Arc::new).map_err(|problems| StartError::Bundle {
            folder,
            problems: problems.iter().map(|problem| format!("  {problem}")).collect::<Vec<_>>().join("\n"),
        })
    };
    let bundle = match &config.bundle {
        _ if config.policy.git.is_some() => None,
        Some(folder) => Some(load(folder.display().to_string(), read_bundle(folder)?)?),
        None => Some(load(String::from("the binary (the starter bundle)"), BundleSource::starter())?),
    };
    Ok(Sources {
        bundle,
        shipped: Arc::new(shipped),
        detector: Arc::new(Detector::new()),
        decide_at_ms: None,
        data_dir: None,
        guard: Guard::new(config.upstream.private_networks.clone()),
    })
}

/// Reads a bundle's folder.
///
/// # Errors
/// [`StartError::System`].
pub fn read_bundle(folder: &Path) -> Result<BundleSource, StartError> {
    let failed = |path: &Path, error: &std::io::Error| StartError::System {
        what: format!("the policy bundle cannot be read: {}", path.display()),
        why: error.to_string(),
    };
    let too_large = |path: &Path, why: String| StartError::System {
        what: format!("the policy bundle is too large: {}", path.display()),
        why,
    };
    let mut source = BundleSource::default();
    let mut bytes = 0_u64;
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(&path).map_err(|error| failed(&path, &error))? {
            let path = entry.map_err(|error| failed(&path, &error))?.path();
            let hidden =
                path.file_name().and_then(|name| name.to_str()).is_none_or(|name| name.starts_with('.'));
            if hidden {
                continue;
            }
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let size = std::fs::metadata(&path).map_err(|error| failed(&path, &error))?.len();
            bytes = bytes.saturating_add(size);
            // Before it is read: what is too large may be larger than the memory.
            if size > MAX_FILE_BYTES as u64 {
                let why = format!("the file has {size} bytes; a bundle's file has at most {MAX_FILE_BYTES}");
                return Err(too_large(&path, why));
            }
            if bytes > MAX_TOTAL_BYTES as u64 || source.files.len() >= MAX_FILES {
                let why = format!("a bundle has at most {MAX_FILES} files and {MAX_TOTAL_BYTES} bytes");
                return Err(too_large(folder, why));
            }
            let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
            let name = path.strip_prefix(folder).unwrap_or(&path);
            let name = name.iter().filter_map(|part| part.to_str()).collect::<Vec<_>>().join("/");
            source.files.insert(name, text);
        }
    }
    Ok(source)
}
