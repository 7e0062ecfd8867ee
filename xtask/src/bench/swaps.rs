//! `cargo xtask bench --swaps`: what requests see of a bundle of 2,000 rules that comes into force under them, over 1,000
//! endpoints.
//!
//! The server follows a Git repository. Rounds of the same paced load alternate: in the one nothing changes, in the other a
//! commit with another bundle comes every two seconds. A latency counts from when its request was due, so whatever holds
//! requests up is counted for all that waited.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::gateway::{Gateway, declaration};
use super::process::Server;
use super::round::{self, Generator, Load, Subject};
use super::{load, procfs};
use crate::context::Context;
use crate::{Result, cargo, http};

const RULES: usize = 2_000;
const FILES: usize = 200;
const ENDPOINTS: usize = 1_000;
/// Requests a second, over at most so many connections.
const PACE: (u32, u32) = (500, 32);
/// From one commit to the next.
const EVERY: Duration = Duration::from_secs(2);
/// How often it is asked whether a commit is in force.
const LOOK: Duration = Duration::from_millis(20);
/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the webhook has to know; it is nobody's secret.
const SECRET: &str = "the secret of a measurement";

/// Builds, starts, measures.
pub(super) fn run(context: &Context, quick: bool, release: bool) -> Result<Value> {
    let (rounds, seconds) = if quick { (1, 6) } else { (3, 20) };
    let built = load::build(context, false, release)?;
    let folder = context.target.join("bench-swaps");
    let _ = std::fs::remove_dir_all(&folder);
    let repository = folder.join("policy");
    std::fs::create_dir_all(&repository)
        .map_err(|e| format!("cannot create {}: {e}", repository.display()))?;
    let body = folder.join("prompt.json");
    write(&body, &load::prompt())?;

    // A round ends before its last commit would be in force.
    let swaps = usize::try_from(seconds / 2 - 1).unwrap_or(1);
    let commits = commits(context, &repository, rounds * swaps + 1)?;
    let mut commits = commits.into_iter();
    checkout(&repository, &commits.next().ok_or("no commit was made")?)?;

    let program = |name: &str| built.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let generator_of = program("xtask-load");
    let generator = Generator { binary: &generator_of, body: &body, ticks: procfs::ticks()? };
    let (_upstream, address) = Server::announced(Command::new(&generator_of).arg("upstream"))?;
    let secret = folder.join("webhook");
    write(&secret, SECRET)?;
    let policy = format!(
        "[policy.git]\nurl = {repository:?}\nrequire_signature = false\ninterval_seconds = 3600\n\
         webhook_secret_file = {secret:?}\n"
    );
    let gateway = Gateway::start_with(&program("bailiwick"), &folder, &policy, &many(&address))?;
    let subject =
        Subject { name: "bailiwick", url: &gateway.url, key: &gateway.key, pid: gateway.server.id() };
    let paced = Load { connections: PACE.1, seconds, rate: Some(PACE.0) };
    round::generate(&generator, &subject, Load { seconds: 2, ..paced })?;

    let mut seen = Vec::new();
    for number in 1..=rounds {
        eprintln!(
            "--- round {number} of {rounds}: {seconds} s quiet, then {seconds} s with a commit every 2 s"
        );
        let quiet = round::generate(&generator, &subject, paced)?;
        let next: Vec<String> = commits.by_ref().take(swaps).collect();
        let (swapped, took) = std::thread::scope(|scope| {
            let swapping = scope.spawn(|| swap(&gateway, &repository, &next));
            let swapped = round::generate(&generator, &subject, paced);
            let took = swapping.join().unwrap_or_else(|_| Err(String::from("the swapping thread ended")));
            Ok::<_, String>((swapped?, took?))
        })?;
        let latency = |of: &Value| of.get("latency_micros").cloned().unwrap_or_default();
        seen.push(json!({
            "quiet": latency(&quiet), "swaps": latency(&swapped), "requests": quiet.get("requests"),
            "in_force_after_ms": took,
        }));
    }
    Ok(json!({
        "rules": RULES, "endpoints": ENDPOINTS, "requests_per_second": PACE.0, "release": release, "rounds": seen,
    }))
}

/// Has each commit followed; how long each took, in milliseconds.
fn swap(gateway: &Gateway, repository: &Path, commits: &[String]) -> Result<Vec<u64>> {
    let mut took = Vec::new();
    for commit in commits {
        std::thread::sleep(EVERY);
        checkout(repository, commit)?;
        let began = Instant::now();
        let token = format!("x-gitlab-token: {SECRET}");
        let told = http::ask_with("POST", &gateway.url, "/api/v1/policy:notify", &token, "")?;
        if told.status != 202 {
            return Err(format!("the webhook answers {}: {}", told.status, told.body));
        }
        loop {
            let status = http::ask("GET", &gateway.url, "/api/v1/policy", &gateway.token, "")?;
            let told: Value = serde_json::from_str(&status.body).unwrap_or_default();
            if told.pointer("/commit/commit").and_then(Value::as_str) == Some(commit) {
                break;
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("{commit} does not come into force: {}", status.body));
            }
            std::thread::sleep(LOOK);
        }
        took.push(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    }
    Ok(took)
}

/// The endpoint of the run, and many others that other models are for.
fn many(upstream: &str) -> Value {
    let mut declared = declaration(upstream);
    let endpoints = declared.get_mut("endpoints").and_then(Value::as_array_mut);
    if let Some(endpoints) = endpoints
        && let Some(first) = endpoints.first().cloned()
    {
        for number in 1..ENDPOINTS {
            let mut other = first.clone();
            let name = format!("other-{number}");
            if let Some(fields) = other.as_object_mut() {
                let model = format!("model-{}", number % 50);
                fields.insert(String::from("models"), json!([{ "alias": model, "upstream": model }]));
                fields.insert(String::from("name"), json!(name));
            }
            if let Some(profile) = other.get_mut("profile").and_then(Value::as_object_mut) {
                profile.insert(String::from("name"), json!(name));
            }
            endpoints.push(other);
        }
    }
    declared
}

/// Makes so many commits of bundles that differ in one rule; their ids.
fn commits(context: &Context, repository: &Path, count: usize) -> Result<Vec<String>> {
    git(repository, &["init", "--quiet", "--initial-branch=main"])?;
    let starter = context.root.join("policies/starter/rbac");
    for name in ["model.conf", "policy.csv"] {
        let from = starter.join(name);
        let text =
            std::fs::read_to_string(&from).map_err(|e| format!("cannot read {}: {e}", from.display()))?;
        write(&repository.join("rbac").join(name), &text)?;
    }
    write(&repository.join("bundle.yaml"), "name: measured\nversion: \"1\"\n")?;
    for file in 0..FILES {
        let rules: Vec<String> = (file..RULES).step_by(FILES).map(rule).collect();
        write(&repository.join(format!("rules/r{file:03}.yaml")), &rules.join("---\n"))?;
    }
    let mut ids = Vec::new();
    for edition in 0..count {
        let text = format!(
            "id: edition\ntitle: Edition {edition}\nbecause: [measurement]\nscope: /elsewhere\ndeny_tools: [edition-{edition}]\n"
        );
        write(&repository.join("rules/edition.yaml"), &text)?;
        git(repository, &["add", "--all"])?;
        git(repository, &["commit", "--quiet", "--message", "Another edition"])?;
        ids.push(git(repository, &["rev-parse", "HEAD"])?);
    }
    Ok(ids)
}

/// No two are the same; half of them hold everywhere; none refuses the request of the run.
fn rule(number: usize) -> String {
    let regions = ["EU", "EEA", "US", "CH", "DE", "FR", "IT", "JP", "GB", "CA", "SG", "AU"];
    let region = |at: usize| regions.get(at % regions.len()).copied().unwrap_or("EU");
    let scope =
        if number.is_multiple_of(2) { String::from("/") } else { format!("/acme/team-{}", number % 100) };
    let when = match number % 3 {
        0 => format!("{{ data: [personal], subject_region: [{}] }}", region(number)),
        1 => format!("{{ model: [model-{}*], purpose: [support-{number}] }}", number % 50),
        _ => format!("{{ tools: [tool-{number}*], controller: [{}] }}", region(number / 12)),
    };
    let body = match number % 4 {
        0 => format!("require: {{ processing_countries: {{ within: [DE, EU, {}] }} }}", region(number / 12)),
        1 => {
            format!("require: {{ retention_days: {{ at_most: {} }}, trains_on_inputs: false }}", number % 400)
        }
        2 => format!("deny_tools: [shell-{number}*]"),
        _ => format!("obligations: {{ cache: deny, retain_days: {number} }}"),
    };
    format!(
        "id: r{number}\ntitle: What rule {number} demands\nbecause: [House policy {number}]\nscope: {scope}\nwhen: {when}\n{body}\n"
    )
}

fn checkout(repository: &Path, commit: &str) -> Result<()> {
    git(repository, &["update-ref", "refs/heads/main", commit]).map(drop)
}

fn git(repository: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(repository).args(["-c", "user.name=bench", "-c", "user.email=bench@localhost"]);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null").args(arguments);
    cargo::output(&mut command).map(|text| text.trim().to_owned())
}

fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;
    }
    std::fs::write(file, text).map_err(|e| format!("cannot write {}: {e}", file.display()))
}

/// Quiet and swapping rounds, a line each.
pub(super) fn print(swaps: &Value) {
    let number = |of: &Value, pointer: &str| of.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    println!(
        "\nA bundle of {} rules over {} endpoints swapped under {} requests a second{}; latency from when a request was due, µs\n",
        number(swaps, "/rules"),
        number(swaps, "/endpoints"),
        number(swaps, "/requests_per_second"),
        if swaps.get("release").and_then(Value::as_bool) == Some(true) { "" } else { " (a debug build)" },
    );
    println!(
        "  {:<10}{:>8}{:>8}{:>8}{:>8}{:>9}{:>9}{:>9}{:>9}{:>10}",
        "", "p50", "p90", "p99", "p99.9", "max", "> 1 ms", "> 2 ms", "> 5 ms", "> 10 ms"
    );
    for round in swaps.get("rounds").and_then(Value::as_array).into_iter().flatten() {
        for which in ["quiet", "swaps"] {
            let at = |name: &str| number(round, &format!("/{which}/{name}"));
            println!(
                "  {which:<10}{:>8}{:>8}{:>8}{:>8}{:>9}{:>9}{:>9}{:>9}{:>10}",
                at("p50"),
                at("p90"),
                at("p99"),
                at("p999"),
                at("max"),
                at("over_ms/1"),
                at("over_ms/2"),
                at("over_ms/5"),
                at("over_ms/10"),
            );
        }
        let took = round.get("in_force_after_ms").and_then(Value::as_array).into_iter().flatten();
        let took: Vec<String> = took.map(Value::to_string).collect();
        println!("  of {} requests each; in force after {} ms", number(round, "/requests"), took.join(", "));
    }
}
