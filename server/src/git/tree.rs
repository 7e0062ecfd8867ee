//! A bundle's files out of a commit's tree. Sizes are asked for before anything is read, each object is held against the
//! id that it was asked by, and what could lead out of the tree is refused.

use std::collections::BTreeMap;

use bailiwick_policy::{MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES};
use gix::objs::tree::EntryKind;
use gix::{ObjectId, Repository};

/// The most entries of trees that are looked at, hidden ones too.
const MOST_ENTRIES: usize = 20_000;
const MOST_DEPTH: usize = 16;
/// A tree's or a commit's own size.
const MOST_OBJECT_BYTES: u64 = 4 << 20;

/// The object `id`, as it is called.
pub(super) fn object(
    repository: &Repository,
    id: ObjectId,
    kind: gix::objs::Kind,
) -> Result<Vec<u8>, String> {
    let size = size(repository, id, kind)?;
    if size > MOST_OBJECT_BYTES {
        return Err(format!("the {kind} {id} has {size} bytes; {MOST_OBJECT_BYTES} are the most"));
    }
    let mut object =
        repository.find_object(id).map_err(|error| format!("the {kind} {id} cannot be read: {error}"))?;
    if object.kind != kind {
        return Err(format!("{id} is no {kind}"));
    }
    let data = std::mem::take(&mut object.data);
    let found = gix::objs::compute_hash(repository.object_hash(), kind, &data)
        .map_err(|error| format!("the {kind} {id} cannot be read: {error}"))?;
    if found != id {
        return Err(format!("what the repository keeps as {id} is {found}: it is damaged"));
    }
    Ok(data)
}

fn size(repository: &Repository, id: ObjectId, kind: gix::objs::Kind) -> Result<u64, String> {
    let header =
        repository.find_header(id).map_err(|error| format!("the {kind} {id} cannot be read: {error}"))?;
    if header.kind() != kind {
        return Err(format!("{id} is no {kind}"));
    }
    Ok(header.size())
}

/// The tree of `folder` within `root`; `None` where there is none.
pub(super) fn folder(
    repository: &Repository,
    root: ObjectId,
    folder: &str,
) -> Result<Option<ObjectId>, String> {
    let mut at = root;
    for part in folder.split('/').filter(|part| !part.is_empty()) {
        let data = object(repository, at, gix::objs::Kind::Tree)?;
        let tree = gix::objs::TreeRef::from_bytes(&data, repository.object_hash())
            .map_err(|error| format!("the tree {at} is damaged: {error}"))?;
        let Some(entry) = tree.entries.iter().find(|entry| entry.filename == part) else { return Ok(None) };
        if entry.mode.kind() != EntryKind::Tree {
            return Ok(None);
        }
        at = entry.oid.to_owned();
    }
    Ok(Some(at))
}

/// The files below the tree `root`, those left out that are hidden, or below something that is.
pub(super) fn files(repository: &Repository, root: ObjectId) -> Result<BTreeMap<String, String>, String> {
    let mut found: Vec<(String, ObjectId)> = Vec::new();
    let mut open: Vec<(String, ObjectId, usize)> = vec![(String::new(), root, 0)];
    let (mut entries, mut bytes) = (0_usize, 0_u64);
    while let Some((prefix, id, depth)) = open.pop() {
        if depth > MOST_DEPTH {
            return Err(format!("`{prefix}` is more than {MOST_DEPTH} folders deep"));
        }
        let data = object(repository, id, gix::objs::Kind::Tree)?;
        let tree = gix::objs::TreeRef::from_bytes(&data, repository.object_hash())
            .map_err(|error| format!("the tree {id} is damaged: {error}"))?;
        for entry in &tree.entries {
            entries = entries.saturating_add(1);
            if entries > MOST_ENTRIES {
                return Err(format!("it holds more than {MOST_ENTRIES} entries"));
            }
            let name = std::str::from_utf8(entry.filename)
                .map_err(|_| format!("a name in `{prefix}` is not UTF-8"))?;
            if name.starts_with('.') {
                continue;
            }
            let path = format!("{prefix}{name}");
            let id = entry.oid.to_owned();
            match entry.mode.kind() {
                EntryKind::Tree => open.push((format!("{path}/"), id, depth.saturating_add(1))),
                EntryKind::Blob | EntryKind::BlobExecutable => {
                    let size = size(repository, id, gix::objs::Kind::Blob)?;
                    bytes = bytes.saturating_add(size);
                    if size > MAX_FILE_BYTES as u64 {
                        return Err(format!("`{path}` has {size} bytes; {MAX_FILE_BYTES} are the most"));
                    }
                    if bytes > MAX_TOTAL_BYTES as u64 {
                        return Err(format!("its files have more than {MAX_TOTAL_BYTES} bytes together"));
                    }
                    found.push((path, id));
                    if found.len() > MAX_FILES {
                        return Err(format!("it holds more than {MAX_FILES} files"));
                    }
                }
                EntryKind::Link => {
                    return Err(format!(
                        "`{path}` is a symbolic link, and a bundle holds none: write the file itself"
                    ));
                }
                EntryKind::Commit => {
                    return Err(format!(
                        "`{path}` is a submodule, and a bundle holds none: write the files themselves"
                    ));
                }
            }
        }
    }
    let mut files = BTreeMap::new();
    for (path, id) in found {
        let data = object(repository, id, gix::objs::Kind::Blob)?;
        let text = String::from_utf8(data).map_err(|_| {
            format!("`{path}` is not UTF-8 text: keep what is no text outside the bundle's folder, or hidden")
        })?;
        files.insert(path, text);
    }
    Ok(files)
}
