//! Builds the console's browser bundle: `xtask-console ROOT OUT`.
//!
//! The console crate is compiled to WebAssembly with a target folder of its own beside OUT, `wasm-bindgen` makes its JavaScript,
//! and both files are named by the hash of their content and compressed once, as far as it goes. OUT then holds
//!
//! - `console-<hash>.js` and `console-<hash>.wasm`, each also as `.br` and `.gz`,
//! - `manifest.json`: `{"js": name, "wasm": name}`, which the server's build reads.
//!
//! wasm-bindgen is linked as a library, so that its version can't differ from the one in `Cargo.lock`.
#![expect(clippy::print_stdout, reason = "a task speaks to the person at the terminal")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use sha2::{Digest as _, Sha256};
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "wasm";
const PACKAGE: &str = "bailiwick-ui";

/// What was built.
struct Bundle {
    js: String,
    wasm: String,
    /// Size of the WebAssembly as it is, and compressed with brotli, in bytes.
    wasm_bytes: usize,
    wasm_brotli_bytes: usize,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let (Some(root), Some(out), None) = (arguments.next(), arguments.next(), arguments.next()) else {
        println!("usage: xtask-console ROOT OUT");
        return ExitCode::from(2);
    };
    match build(&root, &out) {
        Ok(bundle) => {
            let (kib, brotli) = (bundle.wasm_bytes / 1024, bundle.wasm_brotli_bytes / 1024);
            println!("{}: {kib} KiB, {brotli} KiB with brotli; {}", bundle.wasm, bundle.js);
            ExitCode::SUCCESS
        }
        Err(message) => {
            println!("console bundle: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Compiles, binds, names and compresses. The folder `out` is replaced in whole, and only once everything has worked.
fn build(root: &Path, out: &Path) -> Result<Bundle, String> {
    let parent = out.parent().ok_or("OUT has no parent folder")?;
    let module = compile(root, &parent.join("wasm"))?;
    let bound = parent.join("wasm").join("bound");
    remove(&bound)?;
    Bindgen::new()
        .input_path(&module)
        .web(true)
        .map_err(|error| format!("{error:#}"))?
        .typescript(false)
        .omit_default_module_path(true)
        .remove_name_section(true)
        .remove_producers_section(true)
        .out_name("console")
        .generate(&bound)
        .map_err(|error| format!("wasm-bindgen: {error:#}"))?;
    if bound.join("snippets").exists() {
        return Err(
            "a crate of the bundle brings JavaScript files of its own, which nothing would serve".to_owned()
        );
    }
    let (js, wasm) = (read(&bound.join("console.js"))?, read(&bound.join("console_bg.wasm"))?);

    let fresh = parent.join("wasm").join("fresh");
    remove(&fresh)?;
    fs::create_dir_all(&fresh).map_err(|error| told(&fresh, &error))?;
    let (js_name, wasm_name) = (named("js", &js), named("wasm", &wasm));
    write_all(&fresh, &js_name, &js)?;
    let wasm_brotli_bytes = write_all(&fresh, &wasm_name, &wasm)?;
    let manifest = serde_json::json!({ "js": js_name, "wasm": wasm_name }).to_string();
    write(&fresh.join("manifest.json"), manifest.as_bytes())?;
    remove(out)?;
    fs::rename(&fresh, out).map_err(|error| told(out, &error))?;
    Ok(Bundle { js: js_name, wasm: wasm_name, wasm_bytes: wasm.len(), wasm_brotli_bytes })
}

/// Compiles the console's library and returns the module's path.
fn compile(root: &Path, target_dir: &Path) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["build", "--lib", "--package", PACKAGE, "--target", TARGET, "--profile", PROFILE])
        .args(["--no-default-features", "--features", "hydrate", "--target-dir"])
        .arg(target_dir)
        // Paths of this machine would end up in panic messages inside the module, and change its hash from one machine to the next.
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", remapped(root))
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    let status = command.status().map_err(|error| format!("cannot run cargo: {error}"))?;
    if !status.success() {
        return Err(format!("compiling {PACKAGE} for {TARGET} failed ({status})"));
    }
    Ok(target_dir.join(TARGET).join(PROFILE).join("bailiwick_ui.wasm"))
}

/// Flags that shorten this machine's folders to nothing.
fn remapped(root: &Path) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(home?.join(".cargo")));
    cargo_home
        .iter()
        .map(PathBuf::as_path)
        .chain([root])
        .filter_map(Path::to_str)
        // The variable is split at spaces: a folder with one keeps its name.
        .filter(|folder| !folder.contains(' '))
        .map(|folder| format!("--remap-path-prefix={folder}=. "))
        .collect()
}

/// A name that changes with the content.
fn named(extension: &str, content: &[u8]) -> String {
    let hash: String = hex::encode(Sha256::digest(content)).chars().take(16).collect();
    format!("console-{hash}.{extension}")
}

/// Writes the file and its compressed forms; returns the size of the brotli form.
fn write_all(folder: &Path, name: &str, content: &[u8]) -> Result<usize, String> {
    write(&folder.join(name), content)?;
    let mut brotli = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    brotli::BrotliCompress(&mut &*content, &mut brotli, &parameters)
        .map_err(|error| format!("compressing {name}: {error}"))?;
    write(&folder.join(format!("{name}.br")), &brotli)?;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let gzip = gzip.write_all(content).and_then(|()| gzip.finish());
    let gzip = gzip.map_err(|error| format!("compressing {name}: {error}"))?;
    write(&folder.join(format!("{name}.gz")), &gzip)?;
    Ok(brotli.len())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| told(path, &error))
}

fn write(path: &Path, content: &[u8]) -> Result<(), String> {
    fs::write(path, content).map_err(|error| told(path, &error))
}

fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(told(folder, &error)),
        _ => Ok(()),
    }
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
