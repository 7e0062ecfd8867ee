//! The console's browser bundle: whether it can be built here, and building it.
//!
//! The bundler links wasm-bindgen and compressors, which take longer to compile than the rest of xtask: it is a
//! binary of its own, and only built where the WebAssembly target is there.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::context::Context;
use crate::{Result, cargo};

/// The target that browsers run.
const TARGET: &str = "wasm32-unknown-unknown";

/// How long `rustup target add` may take before the build goes on without the bundle.
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// Why there is no bundle, and what would change that.
pub(crate) struct Unavailable {
    /// What is missing.
    pub(crate) reason: String,
    /// The command that would help.
    pub(crate) fix: String,
}

/// Makes sure that the WebAssembly target is installed, adding it where rustup can.
pub(crate) fn ensure_target() -> std::result::Result<(), Unavailable> {
    if has_target() {
        return Ok(());
    }
    let unavailable = |reason: String| Unavailable { reason, fix: format!("rustup target add {TARGET}") };
    let mut child = Command::new("rustup").args(["target", "add", TARGET]).spawn().map_err(|_| {
        unavailable(format!("the Rust target {TARGET} is not installed, and there is no rustup to add it"))
    })?;
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(_)) => break,
            Ok(None) if start.elapsed() < RUSTUP_LIMIT => std::thread::sleep(Duration::from_millis(100)),
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                break;
            }
        }
    }
    if has_target() {
        return Ok(());
    }
    Err(unavailable(format!("the Rust target {TARGET} is not installed, and rustup could not add it")))
}

/// Whether the target's standard library is in the toolchain.
fn has_target() -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let folder = cargo::output(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]));
    let Ok(entries) = folder.and_then(|f| std::fs::read_dir(f.trim()).map_err(|e| e.to_string())) else {
        return false;
    };
    entries.filter_map(|entry| entry.ok()).any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

/// Builds the bundle and returns its folder. One that came out the same is left alone, times and all, or the server
/// would be compiled again with every start.
pub(crate) fn build(context: &Context) -> Result<PathBuf> {
    let (folder, next) = (context.console_dir(), context.target.join("console.next"));
    let arguments = ["run", "--package", "xtask", "--features", "console", "--bin", "xtask-console", "--"];
    let mut command = cargo::command(&context.root, &arguments);
    // What it says goes to the terminal: `start --json` keeps standard output for the demo.
    cargo::run(command.arg(&context.root).arg(&next).stdout(std::io::stderr()))?;

    // The manifest names the files by their content.
    let manifest = |folder: &Path| std::fs::read(folder.join("manifest.json")).ok();
    let replace = || {
        if manifest(&folder) == manifest(&next) {
            return std::fs::remove_dir_all(&next);
        }
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::rename(&next, &folder)
    };
    replace().map_err(|e| format!("cannot put {} in place: {e}", folder.display()))?;
    Ok(folder)
}

/// `cargo xtask bundle`.
pub(crate) fn run(context: &Context) -> Result<ExitCode> {
    ensure_target().map_err(|missing| format!("{}; try `{}`", missing.reason, missing.fix))?;
    build(context)?;
    Ok(ExitCode::SUCCESS)
}
