//! One round: a subject under load for some seconds, and what that cost it.
#![expect(clippy::float_arithmetic, reason = "measurements")]

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::procfs;
use crate::{Result, cargo};

/// How hard, and how long.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) connections: u32,
    pub(super) seconds: u32,
    /// Requests a second; nothing: as many as are answered.
    pub(super) rate: Option<u32>,
}

/// What is under load.
pub(super) struct Subject<'a> {
    pub(super) name: &'static str,
    pub(super) url: &'a str,
    pub(super) key: &'a str,
    pub(super) pid: u32,
}

/// The load generator and what it needs.
pub(super) struct Generator<'a> {
    pub(super) binary: &'a Path,
    pub(super) body: &'a Path,
    pub(super) ticks: u64,
}

/// What a round saw.
#[derive(Clone)]
pub(super) struct Round {
    pub(super) requests: u64,
    pub(super) requests_per_second: f64,
    pub(super) cpu_micros_per_request: f64,
    pub(super) resident_kib: u64,
    pub(super) p50: u64,
    pub(super) p99: u64,
}

impl Round {
    pub(super) fn json(&self) -> Value {
        json!({
            "requests": self.requests,
            "requests_per_second": self.requests_per_second,
            "cpu_micros_per_request": self.cpu_micros_per_request,
            "resident_kib": self.resident_kib,
            "latency_p50_micros": self.p50,
            "latency_p99_micros": self.p99,
        })
    }
}

/// Runs one.
pub(super) fn run(generator: &Generator<'_>, subject: &Subject<'_>, load: Load) -> Result<Round> {
    let before = procfs::usage(subject.pid, generator.ticks)?;
    let seen = generate(generator, subject, load)?;
    let after = procfs::usage(subject.pid, generator.ticks)?;
    let number = |pointer: &str| seen.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let requests = number("/requests");
    let cpu = after.cpu.saturating_sub(before.cpu);
    Ok(Round {
        requests,
        requests_per_second: requests as f64 * 1e6 / number("/micros").max(1) as f64,
        cpu_micros_per_request: cpu.as_secs_f64() * 1e6 / requests as f64,
        resident_kib: after.resident_kib,
        p50: number("/latency_micros/p50"),
        p99: number("/latency_micros/p99"),
    })
}

/// What the load generator saw. An answer other than 200 is an error: it would measure refusals.
pub(super) fn generate(generator: &Generator<'_>, subject: &Subject<'_>, load: Load) -> Result<Value> {
    let mut command = Command::new(generator.binary);
    command
        .arg("generate")
        .arg(format!("{}/v1/chat/completions", subject.url))
        .arg("--body")
        .arg(generator.body);
    command.args(["--header", "content-type: application/json"]);
    command.args(["--header", &format!("authorization: Bearer {}", subject.key)]);
    command.args(["--connections", &load.connections.to_string(), "--seconds", &load.seconds.to_string()]);
    if let Some(rate) = load.rate {
        command.args(["--rate", &rate.to_string()]);
    }
    let printed = cargo::output(&mut command).map_err(|e| e.replace(subject.key, "(key)"))?;
    let seen: Value =
        serde_json::from_str(&printed).map_err(|e| format!("the load generator printed: {e}"))?;
    let number = |pointer: &str| seen.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let (requests, good, failures) = (number("/requests"), number("/statuses/200"), number("/failures"));
    if good == 0 || good != requests || failures > 0 {
        return Err(format!("{} did not answer every request with 200: {printed}", subject.name));
    }
    Ok(seen)
}
