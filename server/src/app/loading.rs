//! What is read once, at the start: the policy bundle and the compliance database.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use bailiwick_pii::Detector;
use bailiwick_policy::{BundleSource, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES};

use super::{Config, StartError};
use crate::credentials::Keyring;
use crate::outbound::Guard;
use crate::snapshot::{LoadedBundle, Sources};

/// Loads the bundle (the starter bundle where nothing else is configured; none where a repository is followed), and the
/// compliance database of the files `shipped` with what the bundle adds to them.
///
/// # Errors
/// [`StartError`].
pub fn sources(
    config: &Config,
    keyring: Arc<Keyring>,
    shipped: BTreeMap<String, String>,
) -> Result<Sources, StartError> {
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
        keyring,
        guard: Guard::new(config.upstream.private_networks.clone()),
    })
}

/// Reads a bundle's folder.
///
/// # Errors
/// [`StartError::System`].
pub fn read_bundle(folder: &Path) -> Result<BundleSource, StartError> {
    let refused = |path: &Path, why: String| StartError::System {
        what: format!("the policy bundle cannot be read: {}", path.display()),
        why,
    };
    let failed = |path: &Path, error: &std::io::Error| refused(path, error.to_string());
    let too_large = |path: &Path, why: String| StartError::System {
        what: format!("the policy bundle is too large: {}", path.display()),
        why,
    };
    let mut source = BundleSource::default();
    let mut bytes = 0_usize;
    let mut open = vec![folder.to_path_buf()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(&path).map_err(|error| failed(&path, &error))? {
            let path = entry.map_err(|error| failed(&path, &error))?.path();
            let hidden =
                path.file_name().and_then(|name| name.to_str()).is_none_or(|name| name.starts_with('.'));
            if hidden {
                continue;
            }
            let mut found = std::fs::symlink_metadata(&path).map_err(|error| failed(&path, &error))?;
            if found.is_symlink() && leads_to_hidden(folder, &path) {
                found = std::fs::metadata(&path).map_err(|error| failed(&path, &error))?;
            }
            if found.is_dir() {
                open.push(path);
                continue;
            }
            // What a link leads to is nobody's policy, and may be a secret that a message would quote.
            if !found.is_file() {
                let is = if found.is_symlink() { "a symbolic link" } else { "no regular file" };
                return Err(refused(
                    &path,
                    format!("it is {is}, and a bundle holds none: write the file itself"),
                ));
            }
            let text = read_text(&path).map_err(|error| failed(&path, &error))?;
            if text.len() > MAX_FILE_BYTES {
                let why = format!(
                    "the file has {} bytes; a bundle's file has at most {MAX_FILE_BYTES}",
                    found.len().max(text.len() as u64)
                );
                return Err(too_large(&path, why));
            }
            bytes = bytes.saturating_add(text.len());
            let text = String::from_utf8(text).map_err(|_| {
                let why = "it is not UTF-8 text: keep what is no text outside the bundle's folder, or hidden";
                refused(&path, String::from(why))
            })?;
            if bytes > MAX_TOTAL_BYTES || source.files.len() >= MAX_FILES {
                let why = format!("a bundle has at most {MAX_FILES} files and {MAX_TOTAL_BYTES} bytes");
                return Err(too_large(folder, why));
            }
            let name = path.strip_prefix(folder).unwrap_or(&path);
            let name = name.iter().filter_map(|part| part.to_str()).collect::<Vec<_>>().join("/");
            source.files.insert(name, text);
        }
    }
    Ok(source)
}

/// No more of a file than tells that it is too large: it may be larger than the memory, whatever its size is said to be.
fn read_text(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut text)?;
    Ok(text)
}

/// Whether a link at the top of the folder leads to something hidden in the same folder: so Kubernetes mounts a ConfigMap
/// (`rules -> ..data/rules`). Nothing is read twice then, and nothing from elsewhere.
fn leads_to_hidden(folder: &Path, link: &Path) -> bool {
    let (Ok(folder_is), Ok(leads_to)) = (folder.canonicalize(), link.canonicalize()) else { return false };
    let inside = leads_to.strip_prefix(&folder_is).ok();
    let first = inside.and_then(|inside| inside.components().next());
    link.parent() == Some(folder)
        && first.is_some_and(|first| first.as_os_str().as_encoded_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        std::fs::write(folder.path().join("rules/a.yaml"), "id: a\n").unwrap();
        folder
    }

    fn refused(folder: &Path) -> String {
        read_bundle(folder).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_is_read_without_what_is_hidden_in_it() {
        let folder = folder();
        std::os::unix::fs::symlink("/dev/zero", folder.path().join(".zero")).unwrap();
        let read = read_bundle(folder.path()).unwrap();
        assert_eq!(read.files.into_keys().collect::<Vec<_>>(), ["rules/a.yaml"]);
        // The folder itself may be reached by a link: whoever names it means it.
        let link = folder.path().with_extension("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert_eq!(read_bundle(&link).unwrap().files.len(), 1);
        std::fs::remove_file(link).unwrap();
    }

    #[test]
    fn a_link_is_refused_whatever_it_leads_to() {
        let secret = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(secret.path(), "a secret line").unwrap();
        for to in [secret.path(), Path::new("/dev/zero"), Path::new("."), Path::new("nowhere")] {
            let folder = folder();
            std::os::unix::fs::symlink(to, folder.path().join("rules/p.yaml")).unwrap();
            let told = refused(folder.path());
            assert!(told.contains("rules/p.yaml") && told.contains("it is a symbolic link"), "{told}");
            assert!(!told.contains("secret line"), "{told}");
        }
    }

    #[test]
    fn a_mounted_config_map_is_read() {
        let folder = folder();
        let at = |path: &str| folder.path().join(path);
        let link = |to: &str, path: &str| std::os::unix::fs::symlink(to, at(path)).unwrap();
        std::fs::create_dir_all(at("..2026_11_22/rules")).unwrap();
        std::fs::rename(at("rules/a.yaml"), at("..2026_11_22/rules/a.yaml")).unwrap();
        std::fs::write(at("..2026_11_22/bundle.yaml"), "b").unwrap();
        std::fs::remove_dir(at("rules")).unwrap();
        link("..2026_11_22", "..data");
        link("..data/rules", "rules");
        link("..data/bundle.yaml", "bundle.yaml");
        let read = read_bundle(folder.path()).unwrap();
        assert_eq!(read.files.into_keys().collect::<Vec<_>>(), ["bundle.yaml", "rules/a.yaml"]);
        // A circle is none of it.
        link("../rules", "..2026_11_22/rules/again");
        assert!(refused(folder.path()).contains("it is a symbolic link"));
    }

    #[test]
    fn what_is_no_regular_file_is_refused_and_not_waited_for() {
        let folder = folder();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("rules/s.yaml")).unwrap();
        let told = refused(folder.path());
        assert!(told.contains("rules/s.yaml") && told.contains("it is no regular file"), "{told}");
    }

    #[test]
    fn what_is_no_text_or_too_large_is_told_with_a_way_out() {
        let folder = folder();
        let image = folder.path().join("README.png");
        std::fs::write(&image, [0x89, b'P', b'N', b'G', 0xff]).unwrap();
        let told = refused(folder.path());
        assert!(
            told.contains("README.png") && told.contains("outside the bundle's folder, or hidden"),
            "{told}"
        );
        std::fs::write(&image, "é".repeat(MAX_FILE_BYTES / 2 + 1)).unwrap();
        assert!(refused(folder.path()).contains("a bundle's file has at most"));
    }
}
