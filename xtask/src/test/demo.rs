//! The demo from outside: what `cargo xtask start` starts, used as a newcomer would, and its log verified twice.
//!
//! The requests are written by hand over a socket, so that nothing of the gateway's own code is on both sides.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::report::Outcome;
use super::{Args, Found};
use crate::context::Context;
use crate::{Result, cargo, http, tools};

/// How long the demo may take until it serves, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(60);

/// The verifier that is written from the format's description alone.
const SECOND_VERIFIER: &str = "docs/verify/bailiwick_verify.py";

/// The countries that an answer to the key of the EU's customers may come from.
const EU: [&str; 27] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// Starts, asks, exports, verifies, tampers, stops.
pub(super) fn run(context: &Context, _: &Args, found: &mut Found) -> Outcome {
    let python = tools::find("python3");
    match walk(context, found, python.as_deref()) {
        Ok(()) if python.is_none() => Outcome::Skipped {
            reason: "the demo passed; the second verifier did not run: no python3".to_owned(),
            fix: "apt-get install python3".to_owned(),
        },
        Ok(()) => Outcome::Passed("started, asked, exported, verified by both verifiers, stopped".to_owned()),
        Err(reason) => Outcome::Failed(reason),
    }
}

fn walk(context: &Context, found: &Found, python: Option<&Path>) -> Result<()> {
    let binary = context.target.join("debug").join(format!("bailiwick{}", std::env::consts::EXE_SUFFIX));
    // The tests have built it already. Building it alone would resolve other features, and compile half of it again.
    if !(found.tested && binary.exists()) {
        let mut build =
            cargo::command(&context.root, &["build", "--package", "bailiwick", "--bin", "bailiwick"]);
        cargo::run(build.env(cargo::CONSOLE_DIR, found.console_dir()))?;
    }
    let folder = context.target.join("demo-check");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot create {}: {e}", folder.display()))?;

    let mut demo = Demo::start(&binary, &folder)?;
    demo.ask()?;
    let file = demo.export(&binary, &folder)?;
    demo.stop()?;

    let mut verifiers = vec![vec![binary.into_os_string(), "audit".into(), "verify".into()]];
    if let Some(python) = python {
        verifiers.push(vec![python.into(), context.root.join(SECOND_VERIFIER).into()]);
    }
    let changed = tampered(&file)?;
    for verifier in &verifiers {
        let call = |file: &Path| {
            let mut words = verifier.iter();
            let mut command = Command::new(words.next().map_or("false".as_ref(), |word| word.as_os_str()));
            cargo::output(command.args(words).arg(file))
        };
        call(&file)?;
        if call(&changed).is_ok() {
            return Err(format!("{:?} accepts an export of which one byte was changed", verifier.last()));
        }
    }
    Ok(())
}

/// A copy with one byte in its middle changed to another printable one.
fn tampered(file: &Path) -> Result<PathBuf> {
    let mut bytes = std::fs::read(file).map_err(|e| format!("cannot read {}: {e}", file.display()))?;
    let middle = bytes.len() / 2;
    let digit =
        bytes.iter_mut().skip(middle).find(|byte| byte.is_ascii_digit()).ok_or("an export without digits")?;
    *digit = if *digit == b'0' { b'1' } else { b'0' };
    let changed = file.with_extension("tampered");
    std::fs::write(&changed, bytes).map_err(|e| format!("cannot write {}: {e}", changed.display()))?;
    Ok(changed)
}

/// A running demo; killed when dropped.
struct Demo {
    child: Child,
    announced: Value,
}

impl Demo {
    fn start(binary: &Path, folder: &Path) -> Result<Self> {
        let mut command = Command::new(binary);
        command.args(["demo", "--json", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.join("data"));
        let shown = cargo::shown(&command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("cannot run `{shown}`: {e}"))?;
        let (send, receive) = mpsc::channel();
        let stdout = child.stdout.take();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = stdout.map(|out| BufReader::new(out).read_line(&mut line));
            let _ = send.send(read.map(|_| line));
        });
        let mut demo = Self { child, announced: Value::Null };
        let line = receive.recv_timeout(PATIENCE).ok().flatten();
        let line = line.ok_or_else(|| format!("`{shown}` announced nothing within {PATIENCE:?}"))?;
        demo.announced =
            serde_json::from_str(&line).map_err(|e| format!("`{shown}` printed no JSON line: {e}"))?;
        Ok(demo)
    }

    /// A text of the line that it announced itself with.
    fn announced(&self, pointer: &str) -> Result<&str> {
        let text = self.announced.pointer(pointer).and_then(Value::as_str);
        text.ok_or_else(|| format!("the demo's announcement has no text at {pointer}"))
    }

    /// One question of the team whose customers are in the EU: answered, and from there.
    fn ask(&self) -> Result<()> {
        let endpoints = self
            .announced
            .get("endpoints")
            .and_then(Value::as_array)
            .ok_or("the demo announces no endpoints")?;
        let within = |endpoint: &&Value| {
            let countries = endpoint.get("countries").and_then(Value::as_array);
            let eu = |country: &Value| country.as_str().is_some_and(|code| EU.contains(&code));
            countries.is_some_and(|list| !list.is_empty() && list.iter().all(eu))
        };
        let endpoint = endpoints.iter().find(within).ok_or("the demo has no endpoint in the EU")?;
        let body = json!({
            "model": endpoint.get("model"),
            "messages": [{ "role": "user", "content": "Please answer jane.roe@example.org about her invoice." }],
        });
        let (url, key) = (self.announced("/url")?, self.announced("/keys/support")?);
        let answer = http::ask("POST", url, "/v1/chat/completions", key, &body.to_string())?;
        if answer.status != 200 {
            return Err(format!(
                "a question with the demo's `support` key got {}: {}",
                answer.status, answer.body
            ));
        }
        let countries = answer.header("x-bailiwick-countries").ok_or("the answer names no countries")?;
        if !countries.split([',', ' ']).filter(|code| !code.is_empty()).all(|code| EU.contains(&code)) {
            return Err(format!("a customer of the EU was served from {countries}"));
        }
        answer
            .header("x-bailiwick-decision")
            .map(drop)
            .ok_or_else(|| "the answer names no decision".to_owned())
    }

    fn export(&self, binary: &Path, folder: &Path) -> Result<PathBuf> {
        let file = folder.join("audit.jsonl");
        let mut command = Command::new(binary);
        command.args(["audit", "export", "-o"]).arg(&file);
        command.env("BAILIWICK_SERVER", self.announced("/url")?);
        command.env("BAILIWICK_TOKEN", self.announced("/admin_token")?);
        cargo::output(&mut command).map(|_| file)
    }

    /// Asks it to end, as Ctrl-C or a service manager would.
    fn stop(&mut self) -> Result<()> {
        cargo::output(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))?;
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("the demo ended with {status}")),
                Ok(None) => std::thread::sleep(Duration::from_millis(50)),
                Err(e) => return Err(format!("cannot wait for the demo: {e}")),
            }
        }
        Err(format!("the demo did not end within {PATIENCE:?} of being asked to"))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
