//! The stage benches: every Criterion bench of the workspace, and one table of what they measured.
#![expect(clippy::float_arithmetic, reason = "measurements")]

use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::presidio;
use crate::context::Context;
use crate::{Result, cargo};

/// Runs them all and collects the medians.
pub(super) fn run(context: &Context, quick: bool) -> Result<Value> {
    let began = touch(&context.target);
    for (package, bench) in benches(&context.metadata) {
        eprintln!("\n--- {package}: {bench}");
        let mut command =
            cargo::command(&context.root, &["bench", "--package", package, "--bench", bench, "--"]);
        if quick {
            command.args(["--warm-up-time", "0.3", "--measurement-time", "1", "--sample-size", "20"]);
        }
        cargo::run(command.env(cargo::CONSOLE_DIR, ""))?;
    }
    let mut found = Vec::new();
    collect(&context.target.join("criterion"), began, &mut found);
    found.sort_by_key(|row| row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned());
    Ok(Value::Array(found))
}

/// Package and name of every bench target.
fn benches(metadata: &Value) -> Vec<(&str, &str)> {
    let mut found = Vec::new();
    for package in metadata.get("packages").and_then(Value::as_array).into_iter().flatten() {
        let Some(name) = package.get("name").and_then(Value::as_str) else { continue };
        for target in package.get("targets").and_then(Value::as_array).into_iter().flatten() {
            let kinds = target.get("kind").and_then(Value::as_array);
            let is_bench = kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "bench"));
            let target = target.get("name").and_then(Value::as_str);
            if let (true, Some(bench)) = (is_bench, target.filter(|bench| *bench != presidio::BENCH)) {
                found.push((name, bench));
            }
        }
    }
    found
}

/// The file system's own idea of now, to compare its times with.
fn touch(folder: &Path) -> Option<SystemTime> {
    let file = folder.join("bench-began");
    std::fs::write(&file, "").ok()?;
    std::fs::metadata(&file).ok()?.modified().ok()
}

/// Reads `ID/new/{benchmark,estimates}.json` wherever they lie and are of this run.
fn collect(folder: &Path, began: Option<SystemTime>, found: &mut Vec<Value>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()) {
        if !path.ends_with("new") {
            collect(&path, began, found);
            continue;
        }
        let file = path.join("estimates.json");
        let modified = std::fs::metadata(&file).and_then(|data| data.modified()).ok();
        if modified >= began {
            found.extend(row(&path));
        }
    }
}

fn row(folder: &Path) -> Option<Value> {
    let read = |name: &str| -> Option<Value> {
        serde_json::from_str(&std::fs::read_to_string(folder.join(name)).ok()?).ok()
    };
    let (about, estimates) = (read("benchmark.json")?, read("estimates.json")?);
    let nanos = estimates.pointer("/median/point_estimate")?.as_f64()?;
    let bytes = about.pointer("/throughput/Bytes").and_then(Value::as_f64);
    let rate = bytes.map(|bytes| bytes / nanos * 1000.0);
    Some(json!({ "id": about.get("full_id")?, "median_nanos": nanos, "megabytes_per_second": rate }))
}

/// A line a bench.
pub(super) fn print(rows: &Value) {
    for row in rows.as_array().into_iter().flatten() {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| row.get(name).and_then(Value::as_f64);
        let rate = number("megabytes_per_second").map(|rate| format!("  {rate:.0} MB/s")).unwrap_or_default();
        println!("  {:<48} {:>12}{rate}", text("id"), time(number("median_nanos").unwrap_or_default()));
    }
}

fn time(nanos: f64) -> String {
    match nanos {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e6 => format!("{:.2} µs", n / 1e3),
        n => format!("{:.2} ms", n / 1e6),
    }
}
