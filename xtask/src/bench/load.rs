//! The load run: the same requests through nginx and through the gateway, in turn, to the same upstream.
#![expect(clippy::float_arithmetic, reason = "measurements")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::gateway::Gateway;
use super::process::Server;
use super::prometheus::Histograms;
use super::round::{self, Generator, Load, Round, Subject};
use super::spread::Spread;
use super::{nginx, procfs};
use crate::context::Context;
use crate::{Result, cargo};

/// Connections of the closed-loop rounds.
const CONNECTIONS: [u32; 3] = [1, 32, 64];
/// The paced round: requests a second, over at most so many connections.
const PACE: (u32, u32) = (500, 32);
/// What the gateway tells of itself.
const OWN: [&str; 2] = ["bailiwick_overhead_seconds", "bailiwick_commit_wait_seconds"];

/// Rounds and their length.
struct Extent {
    rounds: u32,
    seconds: u32,
}

/// Builds, starts, measures.
pub(super) fn run(context: &Context, quick: bool, nginx_alone: bool) -> Result<Value> {
    let extent = if quick { Extent { rounds: 2, seconds: 3 } } else { Extent { rounds: 3, seconds: 10 } };
    let release = build(context, nginx_alone, true)?;
    let folder = context.target.join("bench");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
    let body = folder.join("prompt.json");
    std::fs::write(&body, prompt()).map_err(|e| format!("cannot write {}: {e}", body.display()))?;

    let load = release.join(format!("xtask-load{}", std::env::consts::EXE_SUFFIX));
    let generator = Generator { binary: &load, body: &body, ticks: procfs::ticks()? };
    let (_upstream, address) = Server::announced(Command::new(&load).arg("upstream"))?;
    let (nginx, nginx_url) = nginx::start(&folder, &address)?;
    let gateway = if nginx_alone {
        None
    } else {
        let binary = release.join(format!("bailiwick{}", std::env::consts::EXE_SUFFIX));
        Some(Gateway::start(&binary, &context.root, &folder, &address)?)
    };
    let mut subjects = vec![Subject { name: "nginx", url: &nginx_url, key: "none", pid: nginx.id() }];
    subjects.extend(gateway.as_ref().map(|gateway| Subject {
        name: "bailiwick",
        url: &gateway.url,
        key: &gateway.key,
        pid: gateway.server.id(),
    }));
    let idle = subjects
        .iter()
        .map(|subject| procfs::usage(subject.pid, generator.ticks))
        .collect::<Result<Vec<_>>>()?;

    let mut results = Vec::new();
    let mut served = 0;
    for connections in CONNECTIONS {
        let load = Load { connections, seconds: extent.seconds, rate: None };
        results.push(compare(&generator, &subjects, load, extent.rounds, gateway.as_ref(), &mut served)?);
    }
    let paced = Load { connections: PACE.1, seconds: extent.seconds, rate: Some(PACE.0) };
    results.push(compare(&generator, &subjects, paced, extent.rounds, gateway.as_ref(), &mut served)?);

    let idle: Vec<Value> = subjects
        .iter()
        .zip(idle)
        .map(|(s, usage)| json!({ "subject": s.name, "resident_kib": usage.resident_kib }))
        .collect();
    Ok(json!({
        "cpu_clock": "utime + stime of /proc/PID/stat, children included: what getrusage(RUSAGE_SELF) counts",
        "body_bytes": prompt().len(),
        "fdatasync_micros_p50": fdatasync(&folder)?,
        "idle": idle,
        "requests_per_subject": served,
        "loads": results,
    }))
}

/// Builds of the load's two ends and of the gateway; returns the folder they are in.
pub(super) fn build(context: &Context, nginx_alone: bool, release: bool) -> Result<PathBuf> {
    let mut command = cargo::command(&context.root, &["build", "--package", "xtask"]);
    if release {
        command.arg("--release");
    }
    command.args(["--features", "xtask/bench", "--bin", "xtask-load"]);
    if !nginx_alone {
        command.args(["--package", "bailiwick", "--bin", "bailiwick"]);
    }
    cargo::run(command.env(cargo::CONSOLE_DIR, ""))?;
    Ok(context.target.join(if release { "release" } else { "debug" }))
}

/// All rounds of one load, the subjects in turn.
fn compare(
    generator: &Generator<'_>,
    subjects: &[Subject<'_>],
    load: Load,
    rounds: u32,
    gateway: Option<&Gateway>,
    served: &mut u64,
) -> Result<Value> {
    let what = load.rate.map_or("as fast as it goes".to_owned(), |rate| format!("{rate} requests a second"));
    eprintln!("\n--- {} connections, {what}: {rounds} rounds of {} s each", load.connections, load.seconds);
    for subject in subjects {
        round::run(generator, subject, Load { seconds: 1, ..load })?;
    }
    let before = scrape(gateway)?;
    let mut seen: Vec<Vec<Round>> = subjects.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (subject, rounds) in subjects.iter().zip(&mut seen) {
            let round = round::run(generator, subject, load)?;
            eprintln!(
                "    {:<10} {:>8.0} requests/s  {:>7.1} µs CPU a request  p50 {} µs  p99 {} µs  {} MB",
                subject.name,
                round.requests_per_second,
                round.cpu_micros_per_request,
                round.p50,
                round.p99,
                round.resident_kib / 1024
            );
            rounds.push(round);
        }
    }
    *served += seen.last().map_or(0, |rounds| rounds.iter().map(|round| round.requests).sum());
    let own = scrape(gateway)?.since(&before);
    Ok(json!({
        "connections": load.connections,
        "rate": load.rate,
        "subjects": subjects.iter().zip(&seen).map(|(s, r)| (s.name.to_owned(), summary(r))).collect::<serde_json::Map<_, _>>(),
        "cpu_ratio": ratio(&seen, |round| round.cpu_micros_per_request),
        "p50_ratio": ratio(&seen, |round| round.p50 as f64),
        "own": own_account(&own),
    }))
}

/// The gateway's over nginx's, round by round.
fn ratio(seen: &[Vec<Round>], of: impl Fn(&Round) -> f64) -> Option<Value> {
    let [nginx, gateway] = seen else { return None };
    Spread::of(nginx.iter().zip(gateway).map(|(a, b)| of(b) / of(a))).map(Spread::json)
}

fn summary(rounds: &[Round]) -> Value {
    let spread = |of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of)).map(Spread::json);
    json!({
        "rounds": rounds.iter().map(Round::json).collect::<Vec<_>>(),
        "cpu_micros_per_request": spread(|round| round.cpu_micros_per_request),
        "requests_per_second": spread(|round| round.requests_per_second),
        "latency_p50_micros": spread(|round| round.p50 as f64),
        "latency_p99_micros": spread(|round| round.p99 as f64),
    })
}

fn scrape(gateway: Option<&Gateway>) -> Result<Histograms> {
    gateway.map_or_else(|| Ok(Histograms::default()), |gateway| Ok(Histograms::parse(&gateway.metrics()?)))
}

/// Quantiles of what the gateway measured of itself, in microseconds.
fn own_account(own: &Histograms) -> Value {
    let of = |metric: &'static str| own.series(metric);
    let quantiles = |series: &str| {
        let at = |quantile| own.quantile_micros(series, quantile).map(f64::round);
        (series.to_owned(), json!({ "p50": at(0.5), "p99": at(0.99) }))
    };
    OWN.iter().flat_map(|metric| of(metric)).map(quantiles).collect::<serde_json::Map<_, _>>().into()
}

/// A chat request of about two kilobytes: plain English and one e-mail address, so that redaction has work.
pub(super) fn prompt() -> String {
    let sentence = "Our customer asks why the invoice of last month was sent twice, and when the second one is credited. ";
    let content = format!("{}Please answer to jane.roe@example.org today.", sentence.repeat(17));
    json!({
        "model": "bench",
        "messages": [
            { "role": "system", "content": "You answer letters of customers, briefly and kindly." },
            { "role": "user", "content": content },
        ],
        "temperature": 0.2,
        "max_tokens": 200,
    })
    .to_string()
}

/// What the disk takes at least for a durable write: the median of many small appends, each synchronised.
fn fdatasync(folder: &Path) -> Result<u64> {
    use std::io::Write as _;
    let path = folder.join("fdatasync");
    let measure = || -> std::io::Result<Vec<u128>> {
        let mut file = std::fs::File::create(&path)?;
        let one = || -> std::io::Result<u128> {
            let began = std::time::Instant::now();
            file.write_all(&[0; 4096])?;
            file.sync_data()?;
            Ok(began.elapsed().as_micros())
        };
        std::iter::repeat_with(one).take(300).collect()
    };
    let mut times = measure().map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    times.sort_unstable();
    Ok(times.get(times.len() / 2).and_then(|micros| u64::try_from(*micros).ok()).unwrap_or(0))
}
