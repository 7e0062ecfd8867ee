//! Calling cargo from a process that cargo started.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Result;

/// The variable that tells `server/build.rs` where the browser bundle is. Empty: there is none.
pub(crate) const CONSOLE_DIR: &str = "BAILIWICK_CONSOLE_DIR";

/// A cargo command in the workspace, free of what `cargo run` put into the environment: build scripts that watch
/// `CARGO_PKG_*` or `CARGO_MANIFEST_*` would otherwise run again each time the caller changes.
pub(crate) fn command(root: &Path, arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root).args(arguments);
    free(&mut command);
    command
}

/// Takes from a command's environment what `cargo run` put into ours; see [`command`].
pub(crate) fn free(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let inherited = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if inherited.iter().any(|prefix| text.starts_with(prefix)) || text == "OUT_DIR" {
            command.env_remove(&name);
        }
    }
}

/// Runs a command whose output the person sees as it comes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().map_err(|e| format!("cannot run `{shown}`: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` failed ({status})")) }
}

/// Runs a command and returns what it printed; an error holds the end of what it said instead.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let done = command.stdin(Stdio::null()).output().map_err(|e| format!("cannot run `{shown}`: {e}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(if done.stderr.is_empty() { &done.stdout } else { &done.stderr });
    let lines: Vec<&str> = said.trim().lines().collect();
    let last = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join("\n    ");
    Err(format!("`{shown}` failed ({}): {last}", done.status))
}

/// The workspace's metadata as cargo prints it.
pub(crate) fn metadata(root: &Path, extra: &[&str]) -> Result<Value> {
    let text = output(command(root, &["metadata", "--format-version", "1"]).args(extra))?;
    serde_json::from_str(&text).map_err(|e| format!("cargo metadata is not JSON: {e}"))
}

/// The command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut shown = program.to_string_lossy().into_owned();
    for argument in command.get_args() {
        shown.push(' ');
        shown.push_str(&argument.to_string_lossy());
    }
    shown
}
