//! File systems of a test's own, where this machine lets one be mounted.

#![allow(
    dead_code,
    clippy::print_stderr,
    reason = "each of the test binaries uses a part of this, and says what it skips"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own; unmounted when dropped.
pub(crate) struct Disk(pub(crate) PathBuf);

impl Disk {
    pub(crate) fn mount(at: &Path, words: &[&str]) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(words).arg(at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at.to_path_buf())),
            other => {
                skipped(&format!("no file system can be mounted here ({words:?}: {other:?})"));
                None
            }
        }
    }

    /// Takes what is left.
    pub(crate) fn fill(&self) -> PathBuf {
        use std::io::Write as _;
        let path = self.0.join("filler");
        let mut file = std::fs::File::create(&path).unwrap();
        for size in [65_536, 4_096, 512, 1] {
            while file.write_all(&vec![1; size]).and_then(|()| file.sync_data()).is_ok() {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// Says what this machine does not let a test do; that is a failure where nothing may be left out.
pub(crate) fn skipped(why: &str) {
    let strict = std::env::var_os("BAILIWICK_TEST_STRICT").is_some_and(|value| value == "1");
    assert!(!strict, "{why}");
    eprintln!("SKIPPED: {why}");
}

/// Writes a file for its owner alone.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
