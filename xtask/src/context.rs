//! Where the workspace is, and where cargo builds it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Result, cargo};

/// The workspace this binary was built from.
pub(crate) struct Context {
    /// The folder with the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target directory, whatever the environment or a configuration file made it.
    pub(crate) target: PathBuf,
    /// `cargo metadata --no-deps`.
    pub(crate) metadata: Value,
}

impl Context {
    /// Asks cargo.
    pub(crate) fn find() -> Result<Self> {
        // Cargo says where it runs this from; a binary that is called by hand knows where it was built.
        let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let here = here.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        let root = here.parent().map(Path::to_path_buf).unwrap_or_default();
        let metadata = cargo::metadata(&root, &["--no-deps"])?;
        let folder = |name: &str| {
            let path = metadata.get(name).and_then(Value::as_str);
            path.map(PathBuf::from).ok_or_else(|| format!("cargo metadata has no `{name}`"))
        };
        Ok(Self { root: folder("workspace_root")?, target: folder("target_directory")?, metadata })
    }

    /// Where the console's browser bundle is put, and where the server's build looks for it.
    pub(crate) fn console_dir(&self) -> PathBuf {
        self.target.join("console")
    }

    /// A folder that outlives a run: virtual environments, Node modules.
    pub(crate) fn tools_dir(&self) -> PathBuf {
        self.target.join("test-tools")
    }
}
