//! A million requests through one server: what it holds in memory then, and how long a plan over their decisions takes.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::gateway::{Gateway, write};
use super::load;
use super::process::Server;
use super::procfs;
use super::round::{self, Generator, Load, Subject};
use crate::context::Context;
use crate::{Result, cargo};

/// As hard as the load run's middle.
const CONNECTIONS: u32 = 32;
/// A rule that refuses all of them.
const RULE: &str =
    "id: none\ntitle: None\nbecause: [a plan that changes every decision]\nscope: /bench\ndeny: true\n";

/// Builds, starts, measures and prints.
pub(super) fn run(context: &Context, quick: bool, release: bool) -> Result<()> {
    let requests: u64 = if quick { 2_000 } else { 1_000_000 };
    let binaries = load::build(context, false, release)?;
    let binary = |name: &str| binaries.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let folder = context.target.join("bench-million");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
    let body = folder.join("prompt.json");
    write(&body, &load::prompt())?;

    let (generator, server) = (binary("xtask-load"), binary("bailiwick"));
    let (_upstream, address) = Server::announced(Command::new(&generator).arg("upstream"))?;
    let gateway = Gateway::start(&server, &context.root, &folder, &address)?;
    let generator = Generator { binary: &generator, body: &body, ticks: procfs::ticks()? };
    let subject =
        Subject { name: "bailiwick", url: &gateway.url, key: &gateway.key, pid: gateway.server.id() };
    let idle = procfs::usage(subject.pid, generator.ticks)?.resident_kib;
    println!("{:>9} requests: {:>4} MB", 0, idle / 1024);
    let (mut served, mut most) = (0, idle);
    while served < requests {
        let load = Load { connections: CONNECTIONS, seconds: if quick { 1 } else { 15 }, rate: None };
        let round = round::run(&generator, &subject, load)?;
        served += round.requests;
        most = most.max(round.resident_kib);
        println!(
            "{served:>9} requests: {:>4} MB, {:.0} a second, {:.1} µs of CPU each",
            round.resident_kib / 1024,
            round.requests_per_second,
            round.cpu_micros_per_request
        );
    }
    println!("at most {} MB", most / 1024);

    let starter = context.root.join("policies/starter");
    plan(&gateway, &server, &starter, "the bundle that they were decided by")?;
    let other = folder.join("bundle");
    copy(&starter, &other)?;
    write(&other.join("rules/none.yaml"), RULE)?;
    plan(&gateway, &server, &other, "one that refuses all of them")
}

fn plan(gateway: &Gateway, binary: &Path, bundle: &Path, what: &str) -> Result<()> {
    let mut command = Command::new(binary);
    command.args(["policy", "plan"]).arg(bundle).args([
        "--against",
        "12h",
        "--server",
        &gateway.url,
        "--json",
    ]);
    command.env("BAILIWICK_TOKEN", &gateway.token);
    let began = Instant::now();
    let printed = cargo::output(&mut command)?;
    let took = began.elapsed();
    let report: Value = serde_json::from_str(&printed).map_err(|e| format!("policy plan printed: {e}"))?;
    let count = |pointer: &str| report.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    println!(
        "a plan with {what}: {} decisions in {:.1} s, {} the same, {} newly refused",
        count("/decisions"),
        took.as_secs_f64(),
        count("/same"),
        count("/counts/newly_refused")
    );
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let said = |e: std::io::Error| format!("cannot copy {}: {e}", from.display());
    std::fs::create_dir_all(to).map_err(said)?;
    for entry in std::fs::read_dir(from).map_err(said)? {
        let entry = entry.map_err(said)?;
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target).map_err(said)?;
        }
    }
    Ok(())
}
