//! Checkpoints that somebody holds: what a log must still contain.

use std::path::Path;

use bailiwick_ledger::SignedCheckpoint;
use serde_json::Value;

use super::{Place, TransferError, refused};
use crate::audit::whole::Held;

/// The longest file that is looked through, in bytes.
const MOST: u64 = 4 * 1024 * 1024 * 1024;

/// The signed checkpoint in a file: a checkpoint itself, an export, a receipt, or a backup.
///
/// # Errors
/// [`TransferError`] where there is none.
pub fn checkpoints_in(path: &Path) -> Result<SignedCheckpoint, TransferError> {
    use std::io::{BufRead as _, BufReader, Read as _};
    let file = std::fs::File::open(path).map_err(TransferError::file(path))?;
    let mut from = BufReader::new(file.take(MOST));
    let mut first = Vec::new();
    from.read_until(b'\n', &mut first).map_err(TransferError::file(path))?;
    let none = || {
        refused(format!(
            "{} holds no signed checkpoint: give what `bailiwick audit checkpoint` prints, an export or a receipt",
            path.display()
        ))
    };
    let mut found = None;
    if first.first() != Some(&b'{') {
        let mut note = first;
        from.take(1 << 20).read_to_end(&mut note).map_err(TransferError::file(path))?;
        found = String::from_utf8(note).ok();
    } else {
        // A receipt says it in one JSON text, an export and a backup in one of their lines.
        let mut line = first;
        while !line.is_empty() {
            let may = line.windows(13).any(|part| part == b"\"checkpoint\":");
            let value: Option<Value> = if may { serde_json::from_slice(&line).ok() } else { None };
            let note =
                value.as_ref().and_then(|value| value.get("checkpoint").or(value.pointer("/log/checkpoint")));
            if let Some(note) = note.and_then(Value::as_str) {
                found = Some(note.to_owned());
            }
            line.clear();
            from.read_until(b'\n', &mut line).map_err(TransferError::file(path))?;
        }
    }
    found.and_then(|note| SignedCheckpoint::parse(&note).ok()).ok_or_else(none)
}

/// The checkpoint beside the key, where there is one.
pub(super) fn beside(place: &Place) -> Result<Vec<Held>, TransferError> {
    let path = place.checkpoint();
    match path.exists() {
        true => Ok(vec![held(&path)?]),
        false => Ok(Vec::new()),
    }
}

/// The checkpoint in a file, with its words.
pub(super) fn held(path: &Path) -> Result<Held, TransferError> {
    Ok(Held { which: format!("the checkpoint in {}", path.display()), signed: checkpoints_in(path)? })
}
