//! The real binary: run to its end, or running as a demo.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::database;

const BINARY: &str = env!("CARGO_BIN_EXE_bailiwick");
const PATIENCE: Duration = Duration::from_secs(60);

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    #[track_caller]
    pub(crate) fn is(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs `bailiwick` with these words; `server` is an address and a token.
pub(crate) fn run(words: &[&str], server: Option<(&str, &str)>, input: &str) -> Ended {
    let mut command = command(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some((url, token)) = server {
        command.env("BAILIWICK_SERVER", url).env("BAILIWICK_TOKEN", token);
    }
    let mut child = command.spawn().unwrap();
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    Ended::of(child)
}

/// Runs it with these variables.
pub(crate) fn run_in(words: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = command(words);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ended::of(command.envs(variables.iter().copied()).spawn().unwrap())
}

/// The program with these words, and none of its variables.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.args(words);
    for name in ["BAILIWICK_SERVER", "BAILIWICK_TOKEN", "BAILIWICK_LOG", "BAILIWICK_DATABASE_URL"] {
        command.env_remove(name);
    }
    command
}

impl Ended {
    fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// `bailiwick demo` in a process of its own; killed when dropped.
pub(crate) struct DemoProcess {
    pub(crate) child: Child,
    pub(crate) told: Value,
}

impl DemoProcess {
    /// Starts it with the database of the folder that `data` is in.
    pub(crate) async fn start(data: &Path) -> Self {
        Self::start_with(data, database::postgres_in(data.parent().unwrap()).await)
    }

    /// Starts it with this database, or with the file in its own folder.
    pub(crate) fn start_with(data: &Path, database_url: Option<String>) -> Self {
        let mut command = Command::new(BINARY);
        if let Some(url) = database_url {
            command.env("BAILIWICK_DEMO_DATABASE_URL", url);
        }
        let mut child = command
            .args(["demo", "--json", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let told = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { child, told }
    }

    pub(crate) fn url(&self) -> &str {
        self.told["url"].as_str().unwrap()
    }

    pub(crate) fn key(&self, name: &str) -> &str {
        self.told["keys"][name].as_str().unwrap()
    }

    /// Asks it to end and waits; the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills it: no handler runs.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for DemoProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
